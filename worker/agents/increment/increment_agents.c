/* The agents of a run that brings a batch to a deployed project: they decide nothing that was decided already. */
#include "worker/agents/increment/increment_agents.h"
#include "common/contract/codec.h"
#include "worker/agents/increment/increment.h"

#include <string.h>
#include <sys/stat.h>

static void done(agent_result_t *out)
{
    *out = (agent_result_t){.outcome = "done", .blame = ""};
    nv__task_usage__init(&out->usage);
}

static bool load_profiles(agent_task_t *task, nv_mem_t *ctx, const Nv__TableProfile ***out, size_t *n,
                          nv_error_t *err)
{
    *n = task->ops->input_count(task->host, "profile");
    *out = NV_NEW_ARRAY(ctx, const Nv__TableProfile *, *n + 1);
    for (size_t i = 0; i < *n; i++) {
        ProtobufCMessage *message;
        if (!task->ops->input(task->host, ctx, "profile", i, &nv__table_profile__descriptor, &message, err))
            return false;
        (*out)[i] = (const Nv__TableProfile *)message;
    }
    return true;
}

bool increment_relate(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err)
{
    Nv__DeployedProject *deployed;
    done(out);
    if (!increment_load(task, ctx, &deployed, err))
        return nv_wrap(err, "relate");
    task->ops->emit(task->host, "log",
                    nv_printf(ctx, "a further batch of %s: keys and joins stay as run %s found them",
                              deployed->sttm->name, deployed->run_id),
                    0, 0);
    return true;
}

static bool was_replaced(const Nv__SourceFile *file)
{
    struct stat status;
    return stat(file->path, &status) == 0 && file->bytes > 0 && status.st_size != file->bytes;
}

/* A delivery folder that is used again holds other files under the names of earlier ones. What an earlier batch loaded
 * cannot be computed from those: its path is made one that is not there, so that the proof says so. */
static void disown_replaced(agent_task_t *task, nv_mem_t *ctx, Nv__Sttm *sttm, int32_t batch)
{
    for (size_t i = 0; i < sttm->n_sources; i++)
        for (size_t k = 0; k < sttm->sources[i]->n_files; k++) {
            Nv__SourceFile *file = sttm->sources[i]->files[k];
            if (file->batch >= batch || !was_replaced(file))
                continue;
            task->ops->emit(task->host, "finding",
                            nv_printf(ctx,
                                      "%s was replaced since it was loaded: tables made from it cannot be "
                                      "computed again here",
                                      file->path),
                            0, 0);
            file->path = nv_printf(ctx, "%s (replaced since it was loaded)", file->path);
        }
}

static bool store_json(agent_task_t *task, nv_mem_t *ctx, const char *name, const ProtobufCMessage *message,
                       nv_error_t *err)
{
    char *json = NULL;
    size_t length = 0;
    return nv_json_encode(ctx, message, NV_CODEC_PRETTY | NV_CODEC_NUMBERS, &json, &length, err) &&
           task->ops->artifact(task->host, name, "application/json", json, length, err);
}

static bool write_decision(agent_task_t *task, nv_mem_t *ctx, const Nv__StarSchema *design,
                           const Nv__Sttm *sttm, nv_error_t *err)
{
    return (design == NULL || (task->ops->write(task->host, "design", &design->base, err) &&
                               store_json(task, ctx, "design.json", &design->base, err))) &&
           task->ops->write(task->host, "sttm", &sttm->base, err) &&
           store_json(task, ctx, "sttm.json", &sttm->base, err);
}

bool increment_design(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err)
{
    Nv__DeployedProject *deployed;
    const Nv__TableProfile **profiles;
    size_t n;
    increment_batch_t batch;
    done(out);
    if (task->ops->input_count(task->host, "human_design") > 0)
        return nv_fail(
            err, NV_FAILED_PRECONDITION,
            "a batch does not change the design of %s: approve or reject it, or run in full with the "
            "corrected design",
            task->assignment->spec->increment_of);
    if (!increment_load(task, ctx, &deployed, err) || !load_profiles(task, ctx, &profiles, &n, err) ||
        !increment_adopt(ctx, deployed->sttm, task->assignment->spec->source, profiles, n, &batch, err))
        return nv_wrap(err, "design");
    disown_replaced(task, ctx, batch.sttm, batch.number);
    for (size_t i = 0; i < batch.n_findings; i++)
        task->ops->emit(task->host, "finding", nv_printf(ctx, INCREMENT_DRIFT ": %s", batch.findings[i]), 0,
                        0);
    if (!write_decision(task, ctx, deployed->design, batch.sttm, err))
        return nv_wrap(err, "design");
    task->ops->emit(
        task->host, "log",
        nv_printf(ctx, "the design of %s stays; %zu new files for %zu of its %zu tables%s",
                  deployed->sttm->name, batch.n_new, batch.n_tables, deployed->sttm->n_sources,
                  batch.n_known ? nv_printf(ctx, ", %zu files known already", batch.n_known) : ""),
        0, 0);
    return true;
}

static Nv__Check *add_check(nv_mem_t *ctx, Nv__Review *review, const char *name, const char *subject)
{
    Nv__Check *check = NV_NEW(ctx, Nv__Check);
    nv__check__init(check);
    check->id = nv_printf(ctx, "R%03zu", review->n_checks + 1);
    check->name = nv_strdup(ctx, name);
    check->subject = nv_strdup(ctx, subject);
    review->checks[review->n_checks++] = check;
    return check;
}

/* What the batch is held against is the deployed mapping, so that a person who approves sees all that differs. */
bool increment_review(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err)
{
    Nv__DeployedProject *deployed;
    const Nv__TableProfile **profiles;
    size_t n;
    increment_batch_t batch;
    Nv__Review review = NV__REVIEW__INIT;
    done(out);
    out->outcome = "pass";
    if (!increment_load(task, ctx, &deployed, err) || !load_profiles(task, ctx, &profiles, &n, err) ||
        !increment_adopt(ctx, deployed->sttm, task->assignment->spec->source, profiles, n, &batch, err))
        return nv_wrap(err, "review");
    review.passed = true;
    review.checks = NV_NEW_ARRAY(ctx, Nv__Check *, batch.n_findings + 1);
    Nv__Check *fits = add_check(ctx, &review, "batch_fits", deployed->sttm->name);
    fits->status = NV__CHECK_STATUS__CHECK_STATUS_PASS;
    fits->expected = nv_strdup(ctx, "every column that the pipeline reads, separated and encoded as before");
    fits->actual = nv_printf(ctx, "so in %zu tables", batch.n_tables);
    for (size_t i = 0; i < batch.n_findings; i++) {
        Nv__Check *drift = add_check(ctx, &review, INCREMENT_DRIFT, deployed->sttm->name);
        drift->status = NV__CHECK_STATUS__CHECK_STATUS_WARN;
        drift->message = batch.findings[i];
    }
    if (!task->ops->write(task->host, "review", &review.base, err))
        return nv_wrap(err, "review");
    task->ops->emit(task->host, "log", "the deployed pipeline can read the batch", 0, 0);
    return true;
}

bool increment_generate(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err)
{
    (void)ctx;
    (void)err;
    done(out);
    task->ops->emit(task->host, "log", "nothing: the deployed notebooks and job stay as they are", 0, 0);
    return true;
}

bool increment_learn(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err)
{
    (void)ctx;
    (void)err;
    done(out);
    task->ops->emit(task->host, "log", "nothing: a batch decides no design", 0, 0);
    return true;
}
