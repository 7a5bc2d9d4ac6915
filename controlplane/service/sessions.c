/* What workers say, on the engine's thread. */
#include "controlplane/service/engine_internal.h"

#include "common/contract/codec.h"
#include "common/identity/spiffe.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

enum { EVENT_TEXT_MAX = 16 * 1024 };

/* One message of a session on its way to the engine. */
typedef struct said {
    char session[CP_SESSION_MAX + 1];
    nv_identity_t worker;
    nv_rpc_stream_t *stream;
    nv_mem_t *ctx;
    const Nv__Hello *hello;
    const Nv__WorkerMessage *message;
    bool scored;
    double score;
} said_t;

static said_t *said_new(const char *session)
{
    said_t *said = NV_NEW(NULL, said_t);
    snprintf(said->session, sizeof said->session, "%s", session);
    return said;
}

static void said_free(said_t *said)
{
    nv_mem_free(said->ctx);
    nv_mem_free(said);
}

static nv_lease_t lease_of(const Nv__Lease *lease)
{
    return (nv_lease_t){.run = lease->run_id,
                        .task = cp_task_number(lease->task_id),
                        .attempt = (uint32_t)lease->attempt,
                        .epoch = (uint64_t)lease->epoch};
}

static void send_to(cp_engine_t *engine, cp_session_t *session, Nv__ControlMessage__BodyCase kind, void *body)
{
    Nv__ControlMessage message = NV__CONTROL_MESSAGE__INIT;
    nv_error_t err = NV_ERROR_INIT;
    message.body_case = kind;
    message.welcome = body; /* the union's members are pointers of one representation */
    if (!nv_rpc_stream_send(session->stream, &message.base, &err))
        nv_log(engine->config.log, NV_DEBUG, "engine", "worker not reached", "worker", session->name,
               "reason", err.message, NULL);
}

/* ---- joining and leaving ---- */

static void drop_session(cp_engine_t *engine, cp_session_t *session)
{
    HASH_DEL(engine->sessions, session);
    nv_rpc_stream_unref(session->stream);
    nv_mem_free(session);
}

static cp_session_t *make_session(const said_t *said)
{
    cp_session_t *session = NV_NEW(NULL, cp_session_t);
    memcpy(session->id, said->session, sizeof session->id);
    nv_identity_format(&said->worker, session->spiffe);
    memcpy(session->name, said->worker.name, sizeof session->name);
    memcpy(session->pool, said->worker.pool, sizeof session->pool);
    snprintf(session->version, sizeof session->version, "%s", said->hello->version);
    snprintf(session->hostname, sizeof session->hostname, "%s", said->hello->hostname);
    session->pid = said->hello->pid;
    session->connected_unix_ms = session->last_beat_unix_ms = cp_unix_ms();
    session->stream = said->stream;
    return session;
}

/* Of what the worker says it holds, what the scheduler now knows as this session's; the rest is named as lost. */
static void sort_held(cp_engine_t *engine, const said_t *said, Nv__Welcome *welcome)
{
    nv_error_t err = NV_ERROR_INIT;
    welcome->lost = NV_NEW_ARRAY(said->ctx, Nv__Lease *, said->hello->n_held);
    for (size_t i = 0; i < said->hello->n_held; i++) {
        nv_lease_t lease = lease_of(said->hello->held[i]);
        if (nv_sched_check(engine->sched, said->session, &lease, &err))
            cp_leases_move(engine->config.leases, lease.epoch, said->session);
        else
            welcome->lost[welcome->n_lost++] = said->hello->held[i];
    }
}

static void resume_held(cp_engine_t *engine, const said_t *said, const cp_session_t *session)
{
    nv_error_t err = NV_ERROR_INIT;
    for (size_t i = 0; i < said->hello->n_held; i++) {
        nv_lease_t lease = lease_of(said->hello->held[i]);
        if (nv_sched_check(engine->sched, session->id, &lease, &err))
            cp_lease_resumed(engine, session, &lease);
    }
}

static bool join_scheduler(cp_engine_t *engine, const said_t *said, const cp_session_t *session,
                           nv_error_t *err)
{
    const Nv__Hello *hello = said->hello;
    nv_sched_worker_t worker = {.session = session->id,
                                .name = session->name,
                                .pool = session->pool,
                                .slots = (uint32_t)hello->slots,
                                .kinds = (const char *const *)hello->capabilities,
                                .kind_count = hello->n_capabilities};
    nv_lease_t *held = NV_NEW_ARRAY(said->ctx, nv_lease_t, hello->n_held);
    for (size_t i = 0; i < hello->n_held; i++)
        held[i] = lease_of(hello->held[i]);
    if (hello->slots < 1 || hello->slots > 1024)
        return nv_fail(err, NV_INVALID_ARGUMENT, "hello.slots: %d: expected 1 to 1024", hello->slots);
    return nv_sched_join(engine->sched, &worker, held, hello->n_held, nv_rpc_now_ms(), engine->sched_effects,
                         err);
}

static void joined(cp_engine_t *engine, void *arg)
{
    said_t *said = arg;
    nv_error_t err = NV_ERROR_INIT;
    cp_session_t *session = make_session(said);
    HASH_ADD_STR(engine->sessions, id, session);
    if (!join_scheduler(engine, said, session, &err)) {
        nv_log(engine->config.log, NV_WARN, "engine", "worker refused", "worker", session->spiffe, "reason",
               err.message, NULL);
        nv_rpc_stream_finish(session->stream, &err);
        drop_session(engine, session);
        said_free(said);
        return;
    }
    Nv__Welcome welcome = NV__WELCOME__INIT;
    welcome.session_id = session->id;
    welcome.heartbeat_interval_ms = (int32_t)nv_sched_heartbeat_interval(engine->sched);
    welcome.lease_ms = (int32_t)nv_sched_lease_ms(engine->sched);
    welcome.resume_ms = (int32_t)engine->config.resume_ms;
    sort_held(engine, said, &welcome);
    send_to(engine, session, NV__CONTROL_MESSAGE__BODY_WELCOME, &welcome);
    cp_sched_apply(engine);
    resume_held(engine, said, session);
    nv_log(engine->config.log, NV_INFO, "engine", "worker joined", "worker", session->spiffe, "session",
           session->id, NULL);
    said_free(said);
}

void cp_engine_join(cp_engine_t *engine, const char *session, const nv_identity_t *worker,
                    nv_rpc_stream_t *stream, nv_mem_t *ctx, const Nv__Hello *hello)
{
    said_t *said = said_new(session);
    said->worker = *worker;
    said->stream = nv_rpc_stream_ref(stream);
    said->ctx = ctx;
    said->hello = hello;
    cp_post(engine, joined, said);
}

static void left(cp_engine_t *engine, void *arg)
{
    said_t *said = arg;
    cp_session_t *session = cp_session_find(engine, said->session);
    if (session) {
        nv_log(engine->config.log, NV_INFO, "engine", "worker left", "worker", session->spiffe, NULL);
        nv_sched_leave(engine->sched, session->id, nv_rpc_now_ms(), engine->sched_effects);
        if (session->leaving)
            nv_sched_undrain(engine->sched, session->pool, session->name);
        drop_session(engine, session);
        cp_sched_apply(engine);
    }
    said_free(said);
}

void cp_engine_leave(cp_engine_t *engine, const char *session)
{
    cp_post(engine, left, said_new(session));
}

/* ---- heartbeats ---- */

static void heartbeat(cp_engine_t *engine, cp_session_t *session, const said_t *said)
{
    const Nv__Heartbeat *beat = said->message->heartbeat;
    nv_error_t err = NV_ERROR_INIT;
    Nv__HeartbeatAck ack = NV__HEARTBEAT_ACK__INIT;
    int64_t interval = nv_sched_heartbeat_interval(engine->sched);
    nv_lease_t *leases = NV_NEW_ARRAY(said->ctx, nv_lease_t, beat->n_leases);
    uint64_t *progress = NV_NEW_ARRAY(said->ctx, uint64_t, beat->n_leases);
    for (size_t i = 0; i < beat->n_leases; i++) {
        leases[i] = lease_of(beat->leases[i]);
        if (i < beat->n_progress)
            progress[i] = XXH3_64bits(beat->progress[i], strlen(beat->progress[i]));
    }
    session->last_beat_unix_ms = cp_unix_ms();
    if (!nv_sched_heartbeat(engine->sched, session->id, leases, progress, beat->n_leases, nv_rpc_now_ms(),
                            &interval, engine->sched_effects, &err))
        nv_log(engine->config.log, NV_WARN, "engine", "heartbeat refused", "worker", session->name, "reason",
               err.message, NULL);
    cp_sched_apply(engine);
    ack.lost = NV_NEW_ARRAY(said->ctx, Nv__Lease *, beat->n_leases);
    for (size_t i = 0; i < beat->n_leases; i++)
        if (!nv_sched_check(engine->sched, session->id, &leases[i], &err))
            ack.lost[ack.n_lost++] = beat->leases[i];
    ack.heartbeat_interval_ms = (int32_t)interval;
    send_to(engine, session, NV__CONTROL_MESSAGE__BODY_HEARTBEAT_ACK, &ack);
}

/* ---- tasks ---- */

/* The run of a lease that this session holds now; NULL for a stale one. */
static cp_run_t *run_of(cp_engine_t *engine, cp_session_t *session, const Nv__Lease *lease, nv_lease_t *out)
{
    nv_error_t err = NV_ERROR_INIT;
    if (!lease)
        return NULL;
    *out = lease_of(lease);
    if (!nv_sched_check(engine->sched, session->id, out, &err))
        return NULL;
    cp_run_t *run = cp_run_find(engine, lease->run_id);
    return run && !run->broken && !run->finished ? run : NULL;
}

static void accepted(cp_engine_t *engine, cp_session_t *session, const Nv__TaskAccepted *message)
{
    nv_lease_t lease;
    nv_error_t err = NV_ERROR_INIT;
    cp_holder_t holder;
    cp_run_t *run = run_of(engine, session, message->lease, &lease);
    if (run &&
        cp_leases_find(engine->config.leases, message->lease, session->spiffe, session->id, &holder, &err))
        nv_histogram_observe(engine->start_seconds, (double)(cp_now_us() - holder.scheduled_us) / 1e6);
    else
        return;
    if (nv_super_started(run->super, lease.task, lease.attempt, cp_unix_ms(), run->effects, &err))
        cp_run_commit(engine, run, &(cp_change_t){.worker = session->name, .lease = &holder});
}

/* The kinds a task may speak in; "run", "task" and the like are the control plane's own words. */
static bool may_say(const Nv__TaskEvent *message)
{
    static const char *const kinds[] = {"progress", "token", "log",     "finding", "retrieval",
                                        "llm",      "spark", "learned", "summary"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i], message->kind) == 0)
            return strlen(message->text) <= EVENT_TEXT_MAX;
    return false;
}

static void event(cp_engine_t *engine, cp_session_t *session, const Nv__TaskEvent *message)
{
    nv_lease_t lease;
    nv_error_t err = NV_ERROR_INIT;
    if (!may_say(message)) {
        nv_log(engine->config.log, NV_WARN, "engine", "event refused", "worker", session->name, "kind",
               message->kind, NULL);
        return;
    }
    cp_run_t *run = run_of(engine, session, message->lease, &lease);
    if (run && nv_super_note(run->super, lease.task, "", cp_unix_ms(), run->effects, &err))
        cp_run_commit(engine, run, &(cp_change_t){.worker = session->name, .note = message});
}

static void add_usage(cp_run_t *run, const Nv__TaskUsage *usage)
{
    if (!usage)
        return;
    run->usage.llm_calls += usage->llm_calls;
    run->usage.llm_input_tokens += usage->llm_input_tokens;
    run->usage.llm_output_tokens += usage->llm_output_tokens;
    run->usage.llm_cost_usd += usage->llm_cost_usd;
    run->usage.milliseconds += usage->milliseconds;
    run->usage.spark_milliseconds += usage->spark_milliseconds;
}

static nv_super_result_t result_of(cp_engine_t *engine, nv_mem_t *ctx, const Nv__TaskResult *message,
                                   const nv_lease_t *lease)
{
    nv_super_result_t out = {.task = lease->task,
                             .attempt = lease->attempt,
                             .ok = message->ok,
                             .outcome = message->outcome,
                             .blame = message->blame,
                             .items = (const char *const *)message->items,
                             .item_count = message->n_items,
                             .code = message->error_code > 0 && message->error_code <= 16
                                         ? (nv_code_t)message->error_code
                                         : NV_UNKNOWN,
                             .error = message->error_message,
                             .retryable = message->retryable,
                             .random = cp_random(engine)};
    nv_super_document_t *documents = NV_NEW_ARRAY(ctx, nv_super_document_t, message->n_writes);
    for (size_t i = 0; i < message->n_writes; i++) {
        uint8_t *packed;
        size_t length;
        nv_pack(ctx, &message->writes[i]->base, &packed, &length);
        documents[i] = (nv_super_document_t){message->writes[i]->name, nv_bytes(packed, length)};
    }
    out.documents = documents;
    out.document_count = message->n_writes;
    return out;
}

static bool take_result(cp_engine_t *engine, cp_run_t *run, nv_super_result_t *result, nv_error_t *err)
{
    if (nv_super_result(run->super, result, cp_unix_ms(), run->effects, err))
        return true;
    if (err->code == NV_ABORTED)
        return false;
    /* The worker's mistake (an undeclared channel, an unknown outcome): without an end the task would wait for ever. */
    nv_log(engine->config.log, NV_WARN, "engine", "result refused", "run", run->id, "reason", err->message,
           NULL);
    nv_super_result_t failed = {.task = result->task,
                                .attempt = result->attempt,
                                .code = err->code,
                                .error = err->message,
                                .random = result->random};
    nv_error_t again = NV_ERROR_INIT;
    return nv_super_result(run->super, &failed, cp_unix_ms(), run->effects, &again);
}

static void refuse_result(cp_engine_t *engine, cp_session_t *session, Nv__Lease *lease)
{
    Nv__ResultAck ack = NV__RESULT_ACK__INIT;
    ack.lease = lease;
    nv_counter_add(engine->stale, 1);
    nv_log(engine->config.log, NV_INFO, "engine", "stale result refused", "worker", session->name, "run",
           lease ? lease->run_id : "", NULL);
    send_to(engine, session, NV__CONTROL_MESSAGE__BODY_RESULT_ACK, &ack);
}

static void result(cp_engine_t *engine, cp_session_t *session, const said_t *said)
{
    const Nv__TaskResult *message = said->message->result;
    nv_lease_t lease;
    nv_error_t err = NV_ERROR_INIT;
    cp_run_t *run = run_of(engine, session, message->lease, &lease);
    if (!run) {
        refuse_result(engine, session, message->lease);
        return;
    }
    nv_super_result_t outcome = result_of(engine, said->ctx, message, &lease);
    bool taken = take_result(engine, run, &outcome, &err);
    if (!nv_sched_complete(engine->sched, session->id, &lease, nv_rpc_now_ms(), engine->sched_effects, &err))
        nv_log(engine->config.log, NV_WARN, "engine", "lease not ended", "run", run->id, "reason",
               err.message, NULL);
    cp_leases_end(engine->config.leases, lease.epoch);
    cp_lease_forget(run, lease.task);
    cp_sched_apply(engine);
    if (!taken) {
        refuse_result(engine, session, message->lease);
        return;
    }
    add_usage(run, message->usage);
    if (said->scored)
        run->score = said->score;
    cp_change_t change = {.worker = session->name, .result = message->ok ? message : NULL};
    change.after.session = session->id;
    change.after.lease = message->lease;
    cp_run_commit(engine, run, &change);
}

static void cancel_ack(cp_engine_t *engine, cp_session_t *session, const Nv__CancelAck *message)
{
    nv_error_t err = NV_ERROR_INIT;
    if (!message->lease)
        return;
    nv_lease_t lease = lease_of(message->lease);
    if (nv_sched_cancel_ack(engine->sched, session->id, &lease, nv_rpc_now_ms(), engine->sched_effects, &err))
        cp_sched_apply(engine);
    cp_leases_end(engine->config.leases, lease.epoch);
}

/* A worker that is stopping takes no more; what an operator's drain made it say is no news. */
static void drain_ack(cp_engine_t *engine, cp_session_t *session)
{
    nv_error_t err = NV_ERROR_INIT;
    if (session->drain_sent || session->leaving)
        return;
    session->leaving =
        nv_sched_drain(engine->sched, session->pool, session->name, engine->sched_effects, &err);
    session->drain_sent = session->leaving;
    cp_sched_apply(engine);
}

static void said_something(cp_engine_t *engine, void *arg)
{
    said_t *said = arg;
    cp_session_t *session = cp_session_find(engine, said->session);
    const Nv__WorkerMessage *message = said->message;
    if (session) {
        switch (message->body_case) {
        case NV__WORKER_MESSAGE__BODY_HEARTBEAT:
            heartbeat(engine, session, said);
            break;
        case NV__WORKER_MESSAGE__BODY_ACCEPTED:
            accepted(engine, session, message->accepted);
            break;
        case NV__WORKER_MESSAGE__BODY_EVENT:
            event(engine, session, message->event);
            break;
        case NV__WORKER_MESSAGE__BODY_RESULT:
            result(engine, session, said);
            break;
        case NV__WORKER_MESSAGE__BODY_CANCEL_ACK:
            cancel_ack(engine, session, message->cancel_ack);
            break;
        case NV__WORKER_MESSAGE__BODY_DRAIN_ACK:
            drain_ack(engine, session);
            break;
        default:
            break;
        }
    }
    said_free(said);
}

void cp_engine_message(cp_engine_t *engine, const char *session, nv_mem_t *ctx,
                       const Nv__WorkerMessage *message)
{
    said_t *said = said_new(session);
    said->ctx = ctx;
    said->message = message;
    cp_post(engine, said_something, said);
}

void cp_engine_scored_message(cp_engine_t *engine, const char *session, nv_mem_t *ctx,
                              const Nv__WorkerMessage *message, double score)
{
    said_t *said = said_new(session);
    said->ctx = ctx;
    said->message = message;
    said->scored = true;
    said->score = score;
    cp_post(engine, said_something, said);
}
