/* Administration on the engine's thread: pools, tenants, workers, numbers. */
#include "controlplane/service/engine_internal.h"

#include <stdio.h>
#include <string.h>

/* One question, answered on the engine's thread while the asker waits for as long as it takes: the answer is written to
 * the asker's memory. */
typedef struct question {
    cp_future_t *future;
    void (*answer)(cp_engine_t *engine, struct question *question);
    nv_mem_t *ctx;
    const char *pool, *pattern;
    bool undo;
    void *out;
    nv_error_t err;
} question_t;

static void answer_question(cp_engine_t *engine, void *arg)
{
    question_t *question = arg;
    question->answer(engine, question);
    cp_future_set(question->future, &question->err);
}

static bool ask(cp_engine_t *engine, question_t *question, nv_error_t *err)
{
    question->future = cp_future_new();
    cp_future_t *future = question->future;
    cp_post(engine, answer_question, question);
    return cp_future_wait(future, INT32_MAX, err);
}

/* ---- workers ---- */

typedef struct listing {
    cp_engine_t *engine;
    question_t *question;
    size_t capacity;
} listing_t;

static void add_worker(const nv_sched_worker_stats_t *stats, void *user)
{
    listing_t *listing = user;
    nv_mem_t *ctx = listing->question->ctx;
    Nv__ListWorkersReply *reply = listing->question->out;
    const char *pool = listing->question->pool;
    const cp_session_t *session = cp_session_find(listing->engine, stats->session);
    if (pool && *pool && strcmp(pool, stats->pool) != 0)
        return;
    if (!session)
        return; /* gone, its leases still run */
    Nv__Worker *worker = NV_NEW(ctx, Nv__Worker);
    nv__worker__init(worker);
    worker->session_id = nv_strdup(ctx, stats->session);
    worker->name = nv_strdup(ctx, stats->name);
    worker->pool = nv_strdup(ctx, stats->pool);
    worker->slots = (int32_t)stats->slots;
    worker->running = (int32_t)stats->running;
    worker->state = nv_strdup(ctx, !stats->draining ? "ready" : stats->running ? "draining" : "drained");
    worker->version = nv_strdup(ctx, session->version);
    worker->hostname = nv_strdup(ctx, session->hostname);
    worker->pid = session->pid;
    worker->connected_unix_ms = session->connected_unix_ms;
    worker->last_heartbeat_unix_ms = session->last_beat_unix_ms;
    NV_PUSH(ctx, reply->workers, reply->n_workers, listing->capacity) = worker;
}

static void answer_workers(cp_engine_t *engine, question_t *question)
{
    listing_t listing = {.engine = engine, .question = question};
    nv_sched_each_worker(engine->sched, add_worker, &listing);
}

bool cp_engine_list_workers(cp_engine_t *engine, nv_mem_t *ctx, const char *pool, Nv__ListWorkersReply *out,
                            nv_error_t *err)
{
    question_t question = {.answer = answer_workers, .ctx = ctx, .pool = pool, .out = out};
    return ask(engine, &question, err);
}

/* ---- pools ---- */

static void answer_pool(cp_engine_t *engine, question_t *question)
{
    Nv__Pool *pool = question->out;
    nv_sched_pool_stats_t stats;
    if (!nv_sched_pool_stats(engine->sched, pool->name, nv_rpc_now_ms(), &stats))
        return; /* made on another control plane; numbers are zero here */
    pool->workers = (int32_t)stats.workers;
    pool->slots = (int32_t)stats.slots;
    pool->running = (int32_t)stats.running;
    pool->backlog = (int32_t)stats.waiting;
    pool->oldest_backlog_ms = stats.oldest_waiting_ms;
}

bool cp_engine_pool_stats(cp_engine_t *engine, Nv__Pool *pool, nv_error_t *err)
{
    question_t question = {.answer = answer_pool, .out = pool};
    return ask(engine, &question, err);
}

static void answer_set_pool(cp_engine_t *engine, question_t *question)
{
    if (!nv_sched_set_pool(engine->sched, question->pool, question->pattern, &question->err))
        nv_log(engine->config.log, NV_ERROR, "engine", "pool not taken", "pool", question->pool, "reason",
               question->err.message, NULL);
}

void cp_engine_set_pool(cp_engine_t *engine, const char *name, const char *dedicated_to)
{
    nv_error_t err = NV_ERROR_INIT;
    question_t question = {.answer = answer_set_pool,
                           .pool = name,
                           .pattern = dedicated_to && *dedicated_to ? dedicated_to : NULL};
    (void)!ask(engine, &question, &err); /* logged */
}

typedef struct shares {
    int64_t weight, max_running;
} shares_t;

static void answer_set_tenant(cp_engine_t *engine, question_t *question)
{
    const shares_t *shares = question->out;
    if (!nv_sched_set_tenant(engine->sched, question->pool, (uint32_t)shares->weight,
                             (uint32_t)shares->max_running, &question->err))
        nv_log(engine->config.log, NV_ERROR, "engine", "tenant not taken", "tenant", question->pool, "reason",
               question->err.message, NULL);
}

void cp_engine_set_tenant(cp_engine_t *engine, const char *name, int64_t weight, int64_t max_running)
{
    nv_error_t err = NV_ERROR_INIT;
    shares_t shares = {weight, max_running};
    question_t question = {.answer = answer_set_tenant, .pool = name, .out = &shares};
    (void)!ask(engine, &question, &err); /* logged */
}

/* ---- drain ---- */

static void tell_drain(const nv_sched_worker_stats_t *stats, void *user)
{
    cp_engine_t *engine = user;
    cp_session_t *session = cp_session_find(engine, stats->session);
    nv_error_t err = NV_ERROR_INIT;
    if (!session || !stats->draining || session->drain_sent)
        return;
    Nv__Drain drain = NV__DRAIN__INIT;
    Nv__ControlMessage message = NV__CONTROL_MESSAGE__INIT;
    char reason[] = "drained by an operator";
    drain.reason = reason;
    message.body_case = NV__CONTROL_MESSAGE__BODY_DRAIN;
    message.drain = &drain;
    session->drain_sent = nv_rpc_stream_send(session->stream, &message.base, &err);
}

static void answer_drain(cp_engine_t *engine, question_t *question)
{
    const char *pool = question->pool && *question->pool ? question->pool : NULL;
    if (question->undo) {
        if (!nv_sched_undrain(engine->sched, pool, question->pattern))
            nv_fail(&question->err, NV_NOT_FOUND, "drain \"%.80s\": there is none", question->pattern);
    } else if (nv_sched_drain(engine->sched, pool, question->pattern, engine->sched_effects,
                              &question->err)) {
        cp_sched_apply(engine);
        nv_sched_each_worker(engine->sched, tell_drain, engine);
    }
}

bool cp_engine_drain(cp_engine_t *engine, const char *pool, const char *pattern, bool undo, nv_error_t *err)
{
    question_t question = {.answer = answer_drain, .pool = pool, .pattern = pattern, .undo = undo};
    return ask(engine, &question, err);
}

/* ---- numbers ---- */

static void add_pool_numbers(const nv_sched_pool_stats_t *stats, void *user)
{
    Nv__ClusterStatus *status = user;
    status->tasks_running += (int32_t)stats->running;
    status->tasks_waiting += (int32_t)stats->waiting;
}

static void answer_status(cp_engine_t *engine, question_t *question)
{
    Nv__ClusterStatus *status = question->out;
    nv_sched_each_pool(engine->sched, nv_rpc_now_ms(), add_pool_numbers, status);
    status->runs_active = (int32_t)HASH_COUNT(engine->runs);
    status->workers = (int32_t)HASH_COUNT(engine->sessions);
    status->started_unix_ms = engine->started_unix_ms;
}

bool cp_engine_status(cp_engine_t *engine, Nv__ClusterStatus *out, nv_error_t *err)
{
    question_t question = {.answer = answer_status, .out = out};
    return ask(engine, &question, err);
}

static void answer_waits(cp_engine_t *engine, question_t *question)
{
    *(char **)question->out = cp_run_waits(engine, question->ctx, question->pattern, question->pool);
}

bool cp_engine_run_waits(cp_engine_t *engine, nv_mem_t *ctx, const char *tenant, const char *run_id,
                         char **out, nv_error_t *err)
{
    question_t question = {.answer = answer_waits, .ctx = ctx, .pool = run_id, .pattern = tenant, .out = out};
    return ask(engine, &question, err);
}

static void answer_passed(cp_engine_t *engine, question_t *question)
{
    bool *out = question->out;
    nv_bytes_t summary;
    const cp_run_t *run = cp_run_find(engine, question->pool);
    *out = false;
    if (!run)
        nv_fail(&question->err, NV_NOT_FOUND, "run \"%.80s\": not running", question->pool);
    else if (!nv_super_last_outcome(run->super, NV_SUPER_VALIDATE, out, &summary) &&
             !nv_super_last_outcome(run->super, NV_SUPER_REVIEW, out, &summary))
        *out = false;
}

bool cp_engine_run_passed(cp_engine_t *engine, const char *run_id, bool *out, nv_error_t *err)
{
    question_t question = {.answer = answer_passed, .pool = run_id, .out = out};
    return ask(engine, &question, err);
}
