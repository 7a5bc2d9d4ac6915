/* generate: from the mapping to the project. The code comes from the mapping alone; what the knowledge base holds for
 * similar sources is shown and noted, never mixed into the code. */
#include "common/core/buf.h"
#include "worker/agents/agent.h"
#include "worker/codegen/codegen.h"
#include "worker/knowledge/fingerprint.h"

#include <string.h>

enum { CASES = 3, FINGERPRINT_MAX = 64 * 1024 };

/* What the tenant's knowledge base knows of a mapping like this one; its lessons become notes of the project. A
 * knowledge base that does not answer costs the notes, not the run. */
static void recall(agent_task_t *task, nv_mem_t *ctx, const Nv__Sttm *sttm, Nv__Project *project)
{
    nv_error_t err = NV_ERROR_INIT;
    Nv__KnowledgeReply *reply = NULL;
    nv_buf_t words = nv_buf_make(ctx, FINGERPRINT_MAX);
    for (size_t i = 0; i < sttm->n_sources; i++) {
        nv_buf_printf(&words, "%s%s(", i ? " " : "", sttm->sources[i]->name);
        for (size_t k = 0; k < sttm->sources[i]->n_columns; k++)
            nv_buf_printf(&words, "%s%s", k ? ", " : "", sttm->sources[i]->columns[k]->name);
        nv_buf_putc(&words, ')');
    }
    Nv__KnowledgeQuery *query = fingerprint_query(ctx, nv_buf_text(&words), "generate", CASES);
    if (!task->ops->knowledge_search(task->host, ctx, query, &reply, &err)) {
        task->ops->emit(task->host, "retrieval", nv_printf(ctx, "knowledge base: %s", err.message), 0, 0);
        return;
    }
    project->notes =
        nv_realloc_array(ctx, project->notes, sizeof(char *), project->n_notes + reply->n_hits + 1);
    for (size_t i = 0; i < reply->n_hits; i++) {
        const Nv__KnowledgeCase *found = reply->hits[i]->found;
        task->ops->emit(task->host, "retrieval",
                        nv_printf(ctx, "similar case %s (%.2f): %s", found->id, reply->hits[i]->similarity,
                                  found->lesson),
                        (int64_t)i + 1, (int64_t)reply->n_hits);
        project->notes[project->n_notes++] = nv_printf(ctx, "case %s: %s", found->id, found->lesson);
    }
    if (reply->n_hits == 0)
        task->ops->emit(task->host, "retrieval", "no similar case for the Developer", 0, 0);
}

/* After a failed round: what was wrong. The code follows from the mapping alone, so a repetition mends what was wrong in the
 * tables; what is wrong in the mapping is the Analyst's. */
static void tell_critique(agent_task_t *task, nv_mem_t *ctx)
{
    nv_error_t err = NV_ERROR_INIT;
    ProtobufCMessage *message = NULL;
    size_t n = task->ops->input_count(task->host, "validation");
    if (n == 0 ||
        !task->ops->input(task->host, ctx, "validation", n - 1, &nv__validation__descriptor, &message, &err))
        return;
    const Nv__Validation *validation = (const Nv__Validation *)message;
    if (!validation->passed)
        task->ops->emit(task->host, "log", nv_printf(ctx, "the last round failed: %s", validation->critique),
                        0, 0);
}

static bool store_artifacts(agent_task_t *task, nv_mem_t *ctx, const Nv__Project *project, nv_error_t *err)
{
    for (size_t i = 0; i < project->n_files; i++) {
        const Nv__ProjectFile *file = project->files[i];
        bool below = strncmp(file->path, "notebooks/", 10) == 0;
        char *name = below ? file->path : nv_printf(ctx, "notebooks/%s", file->path);
        const char *type = file->notebook ? "text/x-python" : "text/plain";
        if (!task->ops->artifact(task->host, name, type, file->content, strlen(file->content), err))
            return nv_wrap(err, "artifact %s", name);
    }
    return true;
}

bool agent_generate(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err)
{
    ProtobufCMessage *message;
    Nv__Project *project;
    if (!task->ops->input(task->host, ctx, "sttm", 0, &nv__sttm__descriptor, &message, err))
        return nv_wrap(err, "generate");
    const Nv__Sttm *sttm = (const Nv__Sttm *)message;
    tell_critique(task, ctx);
    if (!codegen_project(ctx, sttm, &project, err))
        return nv_wrap(err, "generate");
    const Nv__RunSpec *spec = task->assignment->spec;
    if (spec && spec->use_knowledge)
        recall(task, ctx, sttm, project);
    for (size_t i = 0; i < project->n_notes; i++)
        task->ops->emit(task->host, "log", project->notes[i], 0, 0);
    if (!store_artifacts(task, ctx, project, err) ||
        !task->ops->write(task->host, "project", &project->base, err))
        return nv_wrap(err, "generate");
    task->ops->emit(task->host, "progress",
                    nv_printf(ctx, "%zu files for %zu tables", project->n_files, sttm->n_targets), 1, 1);
    out->outcome = "done";
    out->blame = "";
    return true;
}
