/* The agents of a run that brings a batch to a deployed project: they decide nothing that was decided already. */
#include "worker/agents/increment/increment_agents.h"
#include "worker/agents/increment/increment.h"

#include <string.h>
#include <sys/stat.h>

static void done(agent_result_t *out)
{
    *out = (agent_result_t){.outcome = "done", .blame = ""};
    nv__task_usage__init(&out->usage);
}

bool increment_relate(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err)
{
    Nv__DeployedProject *deployed;
    done(out);
    if (!increment_load(task, ctx, &deployed, err))
        return nv_wrap(err, "relate");
    task_say(task, "log", "a further batch of %s: keys and joins stay as run %s found them",
             deployed->sttm->name, deployed->run_id);
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
            task_say(task, "finding",
                     "%s was replaced since it was loaded: tables made from it cannot be "
                     "computed again here",
                     file->path);
            file->path = nv_printf(ctx, "%s (replaced since it was loaded)", file->path);
        }
}

static bool write_decision(agent_task_t *task, const Nv__StarSchema *design, const Nv__Sttm *sttm,
                           nv_error_t *err)
{
    return (design == NULL || (task_write(task, "design", &design->base, err) &&
                               task_artifact_json(task, "design.json", &design->base, err))) &&
           task_write(task, "sttm", &sttm->base, err) &&
           task_artifact_json(task, "sttm.json", &sttm->base, err);
}

/* What is deployed, and the batch in its terms. */
static bool load_batch(agent_task_t *task, nv_mem_t *ctx, Nv__DeployedProject **deployed,
                       increment_batch_t *batch, nv_error_t *err)
{
    Nv__TableProfile **profiles;
    size_t n;
    return increment_load(task, ctx, deployed, err) && task_profiles(task, ctx, &profiles, &n, err) &&
           increment_adopt(ctx, (*deployed)->sttm, task->assignment->spec->source,
                           (const Nv__TableProfile *const *)profiles, n, batch, err);
}

bool increment_design(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err)
{
    Nv__DeployedProject *deployed;
    increment_batch_t batch;
    done(out);
    if (task_input_count(task, "human_design") > 0)
        return nv_fail(
            err, NV_FAILED_PRECONDITION,
            "a batch does not change the design of %s: approve or reject it, or run in full with the "
            "corrected design",
            task->assignment->spec->increment_of);
    if (!load_batch(task, ctx, &deployed, &batch, err))
        return nv_wrap(err, "design");
    disown_replaced(task, ctx, batch.sttm, batch.number);
    for (size_t i = 0; i < batch.n_findings; i++)
        task_say(task, "finding", INCREMENT_DRIFT ": %s", batch.findings[i]);
    if (!write_decision(task, deployed->design, batch.sttm, err))
        return nv_wrap(err, "design");
    task_say(task, "log", "the design of %s stays; %zu new files for %zu of its %zu tables%s",
             deployed->sttm->name, batch.n_new, batch.n_tables, deployed->sttm->n_sources,
             batch.n_known ? nv_printf(ctx, ", %zu files known already", batch.n_known) : "");
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
    increment_batch_t batch;
    Nv__Review review = NV__REVIEW__INIT;
    done(out);
    out->outcome = "pass";
    if (!load_batch(task, ctx, &deployed, &batch, err))
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
    if (!task_write(task, "review", &review.base, err))
        return nv_wrap(err, "review");
    task_say(task, "log", "the deployed pipeline can read the batch");
    return true;
}

bool increment_generate(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err)
{
    (void)ctx;
    (void)err;
    done(out);
    task_say(task, "log", "nothing: the deployed notebooks and job stay as they are");
    return true;
}

bool increment_learn(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err)
{
    (void)ctx;
    (void)err;
    done(out);
    task_say(task, "log", "nothing: a batch decides no design");
    return true;
}
