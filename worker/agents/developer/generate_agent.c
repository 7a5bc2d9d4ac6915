/* generate: from the mapping to the project. The code comes from the mapping alone; what the knowledge base holds for
 * similar sources is shown and noted, and what a model says becomes comments of tables and columns, never code. */
#include "common/core/buf.h"
#include "worker/agents/developer/describe.h"
#include "worker/agents/task/task.h"
#include "worker/codegen/codegen.h"
#include "worker/knowledge/fingerprint.h"
#include "worker/knowledge/likeness.h"

#include <string.h>
#include <xxhash.h>

enum { CANDIDATES = 20, CASES = 3, FINGERPRINT_MAX = 64 * 1024 };

/* What the tenant's knowledge base knows of a mapping like this one. A knowledge base that does not answer costs the
 * notes, not the run: NULL. */
static Nv__KnowledgeReply *recall(agent_task_t *task, nv_mem_t *ctx, const Nv__Sttm *sttm)
{
    nv_error_t err = NV_ERROR_INIT;
    Nv__KnowledgeReply *reply = NULL;
    nv_buf_t words = nv_buf_make(ctx, FINGERPRINT_MAX);
    for (size_t i = 0; i < sttm->n_sources; i++) {
        nv_buf_printf(&words, "%s%s(", i ? "\n" : "", sttm->sources[i]->name);
        for (size_t k = 0; k < sttm->sources[i]->n_columns; k++)
            nv_buf_printf(&words, "%s%s", k ? ", " : "", sttm->sources[i]->columns[k]->name);
        nv_buf_putc(&words, ')');
    }
    Nv__KnowledgeQuery *query = fingerprint_query(ctx, nv_buf_text(&words), "generate", CANDIDATES);
    if (!task->ops->knowledge_search(task->host, ctx, query, &reply, &err)) {
        task_say(task, "retrieval", "knowledge base: %s", err.message);
        return NULL;
    }
    likeness_keep(ctx, nv_buf_text(&words), CASES, reply);
    for (size_t i = 0; i < reply->n_hits; i++) {
        const Nv__KnowledgeCase *found = reply->hits[i]->found;
        task_progress(task, "retrieval", (int64_t)i + 1, (int64_t)reply->n_hits, "similar case %s (%.2f): %s",
                      found->id, reply->hits[i]->similarity, found->lesson);
    }
    if (reply->n_hits == 0)
        task_say(task, "retrieval", "no similar case for generate");
    return reply;
}

/* Which code it is, and the lessons of earlier runs, become notes of the project. */
static void note_cases(nv_mem_t *ctx, const Nv__KnowledgeReply *cases, Nv__Project *project, char *code)
{
    size_t n = cases ? cases->n_hits : 0;
    project->notes = nv_realloc_array(ctx, project->notes, sizeof(char *), project->n_notes + n + 1);
    project->notes[project->n_notes++] = code;
    for (size_t i = 0; i < n; i++)
        project->notes[project->n_notes++] =
            nv_printf(ctx, "case %s: %s", cases->hits[i]->found->id, cases->hits[i]->found->lesson);
}

static bool store_artifacts(agent_task_t *task, nv_mem_t *ctx, const Nv__Project *project, nv_error_t *err)
{
    for (size_t i = 0; i < project->n_files; i++) {
        const Nv__ProjectFile *file = project->files[i];
        char *name = nv_printf(ctx, "project/%s", file->path);
        const char *type = file->notebook ? "text/x-python" : "text/plain";
        if (!task_artifact(task, name, type, file->content, strlen(file->content), err))
            return nv_wrap(err, "artifact %s", name);
    }
    return true;
}

/* "code 0123456789abcdef": what the mapping alone gives, before a model's words become comments in it. */
static char *code_note(nv_mem_t *ctx, const Nv__Project *project)
{
    uint64_t hash = 0;
    for (size_t i = 0; i < project->n_files; i++) {
        hash = XXH3_64bits_withSeed(project->files[i]->path, strlen(project->files[i]->path), hash);
        hash = XXH3_64bits_withSeed(project->files[i]->content, strlen(project->files[i]->content), hash);
    }
    return nv_printf(ctx, "code %016llx", (unsigned long long)hash);
}

static bool has_note(const Nv__Project *project, const char *note)
{
    for (size_t i = 0; i < project->n_notes; i++)
        if (strcmp(project->notes[i], note) == 0)
            return true;
    return false;
}

/* What blamed the code of the round before; NULL where nothing did. */
static bool blamed_on_code(agent_task_t *task, nv_mem_t *ctx, const char **out, nv_error_t *err)
{
    ProtobufCMessage *judged, *ran;
    if (!task_latest(task, ctx, "validation", &nv__validation__descriptor, &judged, err) ||
        !task_latest(task, ctx, "execution", &nv__execution__descriptor, &ran, err))
        return false;
    const Nv__Validation *validation = (const Nv__Validation *)judged;
    const Nv__Execution *execution = (const Nv__Execution *)ran;
    *out = NULL;
    if (validation && !validation->passed && strcmp(validation->blame, "generate") == 0)
        *out = validation->critique;
    else if (execution && strcmp(execution->state, "SUCCESS") != 0)
        *out = execution->message;
    return true;
}

/* The code comes from the mapping alone. Where that gives the very code that failed, another round can only fail like the
 * last one: the run ends with what was found wrong. */
static bool refuse_repetition(agent_task_t *task, nv_mem_t *ctx, const char *code, nv_error_t *err)
{
    ProtobufCMessage *before;
    const char *critique;
    if (!task_latest(task, ctx, "project", &nv__project__descriptor, &before, err))
        return false;
    if (before == NULL || !has_note((const Nv__Project *)before, code))
        return true;
    if (!blamed_on_code(task, ctx, &critique, err))
        return false;
    return critique == NULL ||
           nv_fail(err, NV_FAILED_PRECONDITION,
                   "the mapping gives the same code that failed, so another round would fail again: %.2000s",
                   critique);
}

bool agent_generate(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err)
{
    ProtobufCMessage *message;
    Nv__Project *project;
    *out = (agent_result_t){.outcome = "done", .blame = "", .usage = NV__TASK_USAGE__INIT};
    if (!task_input(task, ctx, "sttm", 0, &nv__sttm__descriptor, &message, err))
        return nv_wrap(err, "generate");
    const Nv__Sttm *sttm = (const Nv__Sttm *)message;
    const Nv__RunSpec *spec = task->assignment->spec;
    if (!codegen_project(ctx, sttm, &project, err))
        return nv_wrap(err, "generate");
    char *code = code_note(ctx, project);
    if (!refuse_repetition(task, ctx, code, err))
        return nv_wrap(err, "generate");
    const Nv__KnowledgeReply *cases = spec && spec->use_knowledge ? recall(task, ctx, sttm) : NULL;
    const Nv__Sttm *described = describe_targets(task, ctx, sttm, cases, &out->usage);
    if (task_cancelled(task))
        return nv_fail(err, NV_CANCELLED, "generate was cancelled");
    if (described && !codegen_project(ctx, described, &project, err))
        return nv_wrap(err, "generate");
    if (described)
        project->method = nv_printf(ctx, "%s+llm", project->method);
    note_cases(ctx, cases, project, code);
    for (size_t i = 1; i < project->n_notes; i++) /* the first one is the code's own name */
        task_say(task, "log", "%s", project->notes[i]);
    if (!store_artifacts(task, ctx, project, err) || !task_write(task, "project", &project->base, err))
        return nv_wrap(err, "generate");
    task_progress(task, "progress", 1, 1, "%zu files for %zu tables", project->n_files, sttm->n_targets);
    return true;
}
