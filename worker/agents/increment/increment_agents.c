/* The agents of a run that brings a batch to a deployed project: they decide nothing that was decided already. */
#include "worker/agents/increment/increment_agents.h"
#include "common/contract/codec.h"
#include "worker/agents/increment/increment.h"

#include <string.h>

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
    for (size_t i = 0; i < batch.n_findings; i++)
        task->ops->emit(task->host, "finding", batch.findings[i], 0, 0);
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

bool increment_review(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err)
{
    ProtobufCMessage *message;
    done(out);
    out->outcome = "pass";
    if (!task->ops->input(task->host, ctx, "sttm", 0, &nv__sttm__descriptor, &message, err))
        return nv_wrap(err, "review");
    Nv__Review review = NV__REVIEW__INIT;
    Nv__Check check = NV__CHECK__INIT;
    Nv__Check *checks[] = {&check};
    review.passed = true;
    review.checks = checks;
    review.n_checks = 1;
    check.id = nv_strdup(ctx, "R001");
    check.name = nv_strdup(ctx, "batch_fits");
    check.subject = ((Nv__Sttm *)message)->name;
    check.status = NV__CHECK_STATUS__CHECK_STATUS_PASS;
    check.expected = nv_strdup(ctx, "every column that the pipeline reads, separated and encoded as before");
    check.actual = nv_strdup(ctx, "so");
    if (!task->ops->write(task->host, "review", &review.base, err))
        return nv_wrap(err, "review");
    task->ops->emit(task->host, "log", "the batch can be read by the deployed pipeline", 0, 0);
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
