/* execute: runs the deployed job once and follows it. The task's idempotency token makes every attempt of this task the
 * same job run; the run's id names the batch, so that a repeated run is a repetition of the same batch. */
#include "worker/agents/connection/connection.h"
#include "worker/agents/developer/blame.h"
#include "worker/agents/increment/increment.h"
#include "worker/agents/task/task.h"

#include <inttypes.h>
#include <string.h>

enum { OUTPUT_MAX = 64 * 1024, ERROR_MAX = 8 * 1024, MAX_REPETITIONS = 2, RUN_TIMEOUT_MS = 6 * 3600 * 1000 };

typedef struct follower {
    agent_task_t *task;
    uint64_t last; /* fingerprint of the states last told */
} follower_t;

static const char *task_state(const databricks_task_run_t *task)
{
    return task->result && task->result[0] ? task->result : task->life_cycle;
}

static uint64_t states_fingerprint(const databricks_run_t *run)
{
    uint64_t h = 1469598103934665603U; /* FNV-1a */
    for (size_t i = 0; i < run->n_tasks; i++)
        for (const char *p = task_state(&run->tasks[i]); *p; p++)
            h = (h ^ (unsigned char)*p) * 1099511628211U;
    return h;
}

/* Tells what runs now, whenever a task's state changed. */
static void on_progress(void *arg, const databricks_run_t *run)
{
    follower_t *f = arg;
    uint64_t now = states_fingerprint(run);
    if (now == f->last)
        return;
    f->last = now;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("job progress");
    size_t ended = 0;
    char *running = nv_strdup(ctx, "");
    for (size_t i = 0; i < run->n_tasks; i++) {
        const databricks_task_run_t *t = &run->tasks[i];
        ended += t->result && t->result[0];
        if (strcmp(t->life_cycle, "RUNNING") == 0)
            running = nv_printf(ctx, "%s%s%s", running, *running ? ", " : "", t->key);
    }
    const char *text = *running ? running : run->ended ? "all tasks ended" : "waiting";
    task_progress(f->task, "spark", (int64_t)ended, (int64_t)run->n_tasks, "%s", text);
}

/* Valid UTF-8 text of at most `most` bytes. */
static char *bounded(nv_mem_t *ctx, const char *text, size_t most)
{
    size_t n = text ? strlen(text) : 0;
    if (n > most)
        for (n = most; n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80;)
            n--;
    return nv_strndup(ctx, text ? text : "", n);
}

static bool add_task(connection_t *to, nv_mem_t *ctx, const databricks_task_run_t *t, Nv__Execution *out,
                     nv_error_t *err)
{
    Nv__ExecutedTask *done = NV_NEW(ctx, Nv__ExecutedTask);
    databricks_output_t output = {0};
    nv__executed_task__init(done);
    done->key = nv_strdup(ctx, t->key);
    done->run_id = t->run_id;
    done->state = nv_strdup(ctx, task_state(t));
    done->milliseconds = t->start_ms && t->end_ms > t->start_ms ? t->end_ms - t->start_ms : 0;
    out->tasks[out->n_tasks++] = done;
    bool ran = strcmp(done->state, "SUCCESS") == 0 || strcmp(done->state, "FAILED") == 0;
    if (!ran)
        return true;
    if (!databricks_get_output(to->db, ctx, t->run_id, &output, err))
        return nv_wrap(err, "output of %s", t->key);
    done->output = bounded(ctx, output.result, OUTPUT_MAX);
    done->error = bounded(ctx, output.error && output.error[0] ? output.error : t->message, ERROR_MAX);
    if (strcmp(done->state, "SUCCESS") == 0)
        done->error = nv_strdup(ctx, "");
    return true;
}

static bool collect(connection_t *to, nv_mem_t *ctx, const databricks_run_t *run, Nv__Execution *out,
                    nv_error_t *err)
{
    nv__execution__init(out);
    out->job_id = run->job_id;
    out->run_id = run->run_id;
    out->state = nv_strdup(ctx, run->result && run->result[0] ? run->result : run->life_cycle);
    out->run_page_url = nv_strdup(ctx, run->page_url ? run->page_url : "");
    out->message = bounded(ctx, run->message, ERROR_MAX);
    out->tasks = NV_NEW_ARRAY(ctx, Nv__ExecutedTask *, run->n_tasks + 1);
    for (size_t i = 0; i < run->n_tasks; i++)
        if (!add_task(to, ctx, &run->tasks[i], out, err))
            return false;
    return true;
}

/* The first task that failed by itself decides. */
static const char *judge(agent_task_t *task, nv_mem_t *ctx, Nv__Execution *run)
{
    for (size_t i = 0; i < run->n_tasks; i++) {
        const Nv__ExecutedTask *t = run->tasks[i];
        if (strcmp(t->state, "FAILED") != 0)
            continue;
        task_say(task, "finding", "%s failed: %s", t->key, t->error);
        run->message = nv_printf(ctx, "%s: %s", t->key, t->error);
        return blame_of_error(t->error);
    }
    return "";
}

static void sum_usage(const Nv__Execution *run, const databricks_run_t *ended, Nv__TaskUsage *out)
{
    for (size_t i = 0; i < run->n_tasks; i++)
        out->spark_milliseconds += run->tasks[i]->milliseconds;
    if (ended->end_ms > ended->start_ms)
        out->milliseconds += ended->end_ms - ended->start_ms;
}

static bool succeeded(const Nv__Execution *run)
{
    return strcmp(run->state, "SUCCESS") == 0;
}

/* A run in full answers for all that is in the star, and so does a batch that failed before: what came into the tables by another
 * way is then computed anew, not only found by the Tester. A batch at first, like the tenant's own schedule, looks at what is new. */
static bool computes_all(const agent_task_t *task)
{
    return !increment_is(task) || task->assignment->round > 0;
}

/* Runs the job to its end. The token of a repetition follows from the first one, so that every attempt of this task walks
 * through the same runs. */
static bool run_once(agent_task_t *task, nv_mem_t *ctx, connection_t *to, const Nv__Deployment *where,
                     int repetition, Nv__Execution *out, databricks_run_t *ended, nv_error_t *err)
{
    const Nv__TaskAssignment *assignment = task->assignment;
    databricks_parameter_t parameters[] = {{"batch_id", assignment->lease->run_id}, {"load", "everything"}};
    size_t n_parameters = computes_all(task) ? 2 : 1;
    char *token = assignment->idempotency_token;
    if (repetition > 0)
        token = nv_printf(ctx, "%.58s-r%d", assignment->idempotency_token, repetition);
    follower_t follower = {.task = task};
    int64_t run_id;
    if (!databricks_run_now(to->db, where->job_id, parameters, n_parameters, token, &run_id, err))
        return nv_wrap(err, "start of job %" PRId64, where->job_id);
    return databricks_wait_run(to->db, ctx, run_id, RUN_TIMEOUT_MS, on_progress, &follower, ended, err) &&
           collect(to, ctx, ended, out, err);
}

/* A run that failed without fault of the mapping or the code is repeated. */
static bool run_job(agent_task_t *task, nv_mem_t *ctx, connection_t *to, const Nv__Deployment *where,
                    Nv__Execution *out, const char **blame, Nv__TaskUsage *usage, nv_error_t *err)
{
    databricks_run_t ended;
    for (int repetition = 0; repetition <= MAX_REPETITIONS; repetition++) {
        if (!run_once(task, ctx, to, where, repetition, out, &ended, err))
            return false;
        sum_usage(out, &ended, usage);
        *blame = succeeded(out) ? "" : judge(task, ctx, out);
        if (succeeded(out) || **blame)
            return true;
        task_say(task, "log", "job run %" PRId64 ": %s", out->run_id, out->message);
    }
    return nv_fail(err, NV_INTERNAL,
                   "job %" PRId64 ": %d runs failed on the workspace's side, the last (%" PRId64 ", %s): %s",
                   out->job_id, MAX_REPETITIONS + 1, out->run_id, out->state, out->message);
}

/* What the Evaluator learns from, should a later round pass. */
static bool leave_critique(agent_task_t *task, const Nv__Execution *execution, const char *blame,
                           nv_error_t *err)
{
    if (succeeded(execution))
        return true;
    Nv__Validation critique = NV__VALIDATION__INIT;
    critique.critique = execution->message;
    critique.blame = (char *)blame;
    return task_write(task, "critique", &critique.base, err);
}

bool agent_execute(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err)
{
    ProtobufCMessage *message;
    connection_t to;
    Nv__Execution *execution = NV_NEW(ctx, Nv__Execution);
    if (!task_input(task, ctx, "deployment", 0, &nv__deployment__descriptor, &message, err))
        return nv_wrap(err, "execute");
    const Nv__Deployment *where = (const Nv__Deployment *)message;
    nv__task_usage__init(&out->usage);
    if (!connection_open(task, ctx, where->schema, &to, err) ||
        !run_job(task, ctx, &to, where, execution, &out->blame, &out->usage, err) ||
        !task_write(task, "execution", &execution->base, err) ||
        !leave_critique(task, execution, out->blame, err))
        return nv_wrap(err, "execute");
    out->outcome = succeeded(execution) ? "pass" : "fail";
    return true;
}
