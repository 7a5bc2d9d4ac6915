/* Between supervisor and scheduler, and from the scheduler to the workers' streams. */
#include "controlplane/service/engine_internal.h"

#include "common/contract/codec.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { MAX_ROUNDS_OF_EFFECTS = 64 };

typedef struct inputs {
    nv_mem_t *ctx;
    Nv__DocumentRef **list;
    size_t n, capacity;
} inputs_t;

void cp_dispatch(cp_engine_t *engine, cp_run_t *run, uint64_t task, uint32_t attempt, nv_node_id_t node)
{
    nv_error_t err = NV_ERROR_INIT;
    const nv_graph_t *graph = nv_graph_run_graph(nv_super_graph_run(run->super));
    nv_sched_task_t submitted = {.lease = {.run = run->id, .task = task, .attempt = attempt},
                                 .tenant = run->tenant,
                                 .pool = run->pool,
                                 .kind = nv_graph_node_name(graph, node),
                                 .priority = NV_SCHED_PRIORITY_DEFAULT};
    if (nv_sched_submit(engine->sched, &submitted, nv_rpc_now_ms(), engine->sched_effects, &err)) {
        cp_sched_apply(engine);
        return;
    }
    if (err.code == NV_ALREADY_EXISTS)
        return;
    nv_log(engine->config.log, NV_WARN, "engine", "task not queued", "run", run->id, "reason", err.message,
           NULL);
    nv_super_result_t failed = {.task = task,
                                .attempt = attempt,
                                .code = err.code,
                                .error = err.message,
                                .retryable = nv_code_is_transient(err.code),
                                .random = cp_random(engine)};
    if (nv_super_result(run->super, &failed, cp_unix_ms(), run->effects, &err))
        cp_run_commit(engine, run, &(cp_change_t){0});
}

/* ---- assignments ---- */

static void add_input(const char *name, nv_bytes_t reference, void *user)
{
    inputs_t *inputs = user;
    nv_error_t err = NV_ERROR_INIT;
    ProtobufCMessage *message;
    if (!nv_unpack(inputs->ctx, &nv__document_ref__descriptor, reference.data, reference.length, &message,
                   &err))
        return; /* packed by ourselves; a damaged one shows as a missing input at the worker */
    Nv__DocumentRef *ref = (Nv__DocumentRef *)message;
    ref->name = nv_strdup(inputs->ctx, name);
    NV_PUSH(inputs->ctx, inputs->list, inputs->n, inputs->capacity) = ref;
}

/* Small inputs that are at hand save the worker a call each. The store is not asked: this thread never waits for it. */
static void add_inlines(cp_engine_t *engine, nv_mem_t *ctx, const cp_run_t *run, Nv__TaskAssignment *out)
{
    size_t total = 0;
    out->inline_inputs = NV_NEW_ARRAY(ctx, Nv__InlineDocument *, out->n_inputs);
    for (size_t i = 0; i < out->n_inputs; i++) {
        const Nv__DocumentRef *ref = out->inputs[i];
        nv_bytes_t content;
        char *name = nv_printf(ctx, "%s/%s", run->tenant, ref->sha256);
        if (ref->bytes > CP_INLINE_MAX || total + (size_t)ref->bytes > CP_INLINE_TOTAL_MAX ||
            !nv_blob_cache_get(engine->config.documents, ctx, name, &content))
            continue;
        Nv__InlineDocument *document = NV_NEW(ctx, Nv__InlineDocument);
        nv__inline_document__init(document);
        document->sha256 = ref->sha256;
        document->data.data = (uint8_t *)(uintptr_t)content.data;
        document->data.len = content.length;
        out->inline_inputs[out->n_inline_inputs++] = document;
        total += content.length;
    }
}

static nv_super_node_t node_of(const char *kind)
{
    for (int i = 0; i < NV_SUPER_NODES; i++)
        if (strcmp(nv_super_node_name((nv_super_node_t)i), kind) == 0)
            return (nv_super_node_t)i;
    return NV_SUPER_NODES;
}

static void fill_lease(nv_mem_t *ctx, Nv__Lease *out, const char *tenant, const nv_lease_t *lease)
{
    nv__lease__init(out);
    out->tenant = nv_message_text(tenant);
    out->run_id = nv_message_text(lease->run);
    out->task_id = nv_printf(ctx, "%" PRIu64, lease->task);
    out->attempt = (int32_t)lease->attempt;
    out->epoch = (int64_t)lease->epoch;
}

static bool fill_assignment(cp_engine_t *engine, nv_mem_t *ctx, const cp_run_t *run,
                            const nv_sched_effect_t *effect, const nv_task_view_t *view,
                            Nv__TaskAssignment *out)
{
    inputs_t inputs = {.ctx = ctx};
    nv_super_status_t status;
    nv_super_node_t node = node_of(effect->task_kind);
    const nv_graph_t *graph = nv_graph_run_graph(nv_super_graph_run(run->super));
    if (node == NV_SUPER_NODES)
        return false;
    nv_super_status(run->super, &status);
    nv_super_each_input(run->super, node, add_input, &inputs);
    out->lease = NV_NEW(ctx, Nv__Lease);
    fill_lease(ctx, out->lease, run->tenant, &effect->lease);
    out->kind = nv_message_text(effect->task_kind);
    out->item = nv_strndup(ctx, view->argument.length ? view->argument.data : "", view->argument.length);
    out->inputs = inputs.list;
    out->n_inputs = inputs.n;
    if (engine->config.documents)
        add_inlines(engine, ctx, run, out);
    out->spec = run->spec;
    out->round = (int32_t)status.round;
    out->timeout_ms = (int32_t)nv_graph_node_timeout_ms(graph, view->node);
    out->idempotency_token = nv_printf(ctx, "%.40s-%" PRIu64, run->id, effect->lease.task);
    out->traceparent = cp_trace_parent(ctx, run);
    out->run_started_unix_ms = run->created_ms;
    out->run_usage = (Nv__TaskUsage *)(uintptr_t)&run->usage;
    return true;
}

static void send_control(cp_engine_t *engine, const char *session_id, const Nv__ControlMessage *message)
{
    nv_error_t err = NV_ERROR_INIT;
    cp_session_t *session = cp_session_find(engine, session_id);
    if (session && !nv_rpc_stream_send(session->stream, &message->base, &err))
        nv_log(engine->config.log, NV_DEBUG, "engine", "worker not reached", "session", session_id, "reason",
               err.message, NULL);
}

static cp_holder_t holder_of(const cp_run_t *run, const nv_sched_effect_t *effect,
                             const cp_session_t *session)
{
    cp_holder_t holder = {
        .task = effect->lease.task, .attempt = effect->lease.attempt, .epoch = effect->lease.epoch};
    holder.scheduled_us = cp_now_us() - effect->queued_ms * 1000;
    snprintf(holder.run, sizeof holder.run, "%s", run->id);
    snprintf(holder.tenant, sizeof holder.tenant, "%s", run->tenant);
    snprintf(holder.pool, sizeof holder.pool, "%s", session->pool);
    snprintf(holder.session, sizeof holder.session, "%s", session->id);
    snprintf(holder.worker, sizeof holder.worker, "%s", session->spiffe);
    return holder;
}

void cp_assign(cp_engine_t *engine, const nv_sched_effect_t *effect)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("assignment");
    nv_error_t err = NV_ERROR_INIT;
    cp_run_t *run = cp_run_find(engine, effect->lease.run);
    const cp_session_t *session = cp_session_find(engine, effect->worker);
    Nv__TaskAssignment assignment = NV__TASK_ASSIGNMENT__INIT;
    Nv__ControlMessage message = NV__CONTROL_MESSAGE__INIT;
    nv_task_view_t view;
    /* Without run or session the lease simply runs out; both are rare moments between two events. */
    if (!run || !session || !nv_sched_check(engine->sched, effect->worker, &effect->lease, &err) ||
        !nv_graph_task_find(nv_super_graph_run(run->super), effect->lease.task, &view) ||
        !fill_assignment(engine, ctx, run, effect, &view, &assignment))
        return;
    cp_holder_t holder = holder_of(run, effect, session);
    cp_leases_grant(engine->config.leases, &holder);
    message.body_case = NV__CONTROL_MESSAGE__BODY_ASSIGNMENT;
    message.assignment = &assignment;
    send_control(engine, effect->worker, &message);
    nv_counter_add(engine->assigned, 1);
    nv_histogram_observe(engine->dispatch_seconds, (double)effect->queued_ms / 1000);
}

static void assign(cp_engine_t *engine, const nv_sched_effect_t *effect)
{
    cp_run_t *run = cp_run_find(engine, effect->lease.run);
    const cp_session_t *session = cp_session_find(engine, effect->worker);
    if (!run || !session || !cp_lease_outdated(run, &effect->lease)) {
        cp_assign(engine, effect);
        return;
    }
    if (run->broken || run->finished)
        return;
    cp_holder_t holder = holder_of(run, effect, session);
    cp_change_t change = {.lease = &holder};
    change.after.assign = effect;
    run->effects->count = 0; /* nothing of the run itself changes */
    run->effects->more = false;
    cp_run_commit(engine, run, &change);
}

/* ---- the rest ---- */

static void tell_cancel(cp_engine_t *engine, const nv_sched_effect_t *effect, const char *reason)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("cancel");
    Nv__Lease lease;
    Nv__CancelTask cancel = NV__CANCEL_TASK__INIT;
    Nv__ControlMessage message = NV__CONTROL_MESSAGE__INIT;
    fill_lease(ctx, &lease, effect->tenant, &effect->lease);
    cancel.lease = &lease;
    cancel.reason = nv_message_text(reason);
    message.body_case = NV__CONTROL_MESSAGE__BODY_CANCEL;
    message.cancel = &cancel;
    send_control(engine, effect->worker, &message);
}

static void lost(cp_engine_t *engine, const nv_sched_effect_t *effect)
{
    cp_run_t *run = cp_run_find(engine, effect->lease.run);
    nv_error_t err = NV_ERROR_INIT;
    cp_leases_end(engine->config.leases, effect->lease.epoch);
    if (!run || run->broken)
        return;
    nv_super_result_t failed = {.task = effect->lease.task,
                                .attempt = effect->lease.attempt,
                                .code = NV_UNAVAILABLE,
                                .error = "every worker that got this task went silent",
                                .retryable = true,
                                .random = cp_random(engine)};
    if (nv_super_result(run->super, &failed, cp_unix_ms(), run->effects, &err))
        cp_run_commit(engine, run, &(cp_change_t){0});
}

static void requeued(cp_engine_t *engine, const nv_sched_effect_t *effect)
{
    char delivery[32];
    snprintf(delivery, sizeof delivery, "%" PRIu32, effect->delivery);
    cp_leases_end(engine->config.leases, effect->lease.epoch);
    nv_log(engine->config.log, NV_WARN, "engine", "lease ran out; task queued again", "run",
           effect->lease.run, "delivery", delivery, NULL);
}

static void drained(cp_engine_t *engine, const nv_sched_effect_t *effect)
{
    cp_session_t *session = effect->worker ? cp_session_find(engine, effect->worker) : NULL;
    Nv__Drain drain = NV__DRAIN__INIT;
    Nv__ControlMessage message = NV__CONTROL_MESSAGE__INIT;
    if (!session || session->drain_sent)
        return;
    session->drain_sent = true;
    drain.reason = nv_message_text("drained by an operator");
    message.body_case = NV__CONTROL_MESSAGE__BODY_DRAIN;
    message.drain = &drain;
    send_control(engine, effect->worker, &message);
}

static void carry_out(cp_engine_t *engine, const nv_sched_effect_t *effect)
{
    switch (effect->kind) {
    case NV_SCHED_ASSIGN:
        assign(engine, effect);
        break;
    case NV_SCHED_CANCEL:
        tell_cancel(engine, effect, "cancelled");
        break;
    case NV_SCHED_REVOKE:
        cp_leases_end(engine->config.leases, effect->lease.epoch);
        tell_cancel(engine, effect, "no longer this worker's");
        break;
    case NV_SCHED_REQUEUED:
        requeued(engine, effect);
        break;
    case NV_SCHED_LOST:
        lost(engine, effect);
        break;
    case NV_SCHED_CANCELLED:
        cp_leases_end(engine->config.leases, effect->lease.epoch);
        break;
    case NV_SCHED_DRAINED:
        drained(engine, effect);
        break;
    }
}

nv_sched_effect_t *cp_sched_effect_copy(nv_mem_t *ctx, const nv_sched_effect_t *effect)
{
    nv_sched_effect_t *copy = nv_memdup(ctx, effect, sizeof *effect);
    copy->lease.run = nv_strdup(ctx, effect->lease.run ? effect->lease.run : "");
    copy->worker = effect->worker ? nv_strdup(ctx, effect->worker) : NULL;
    copy->tenant = effect->tenant ? nv_strdup(ctx, effect->tenant) : NULL;
    copy->task_kind = nv_strdup(ctx, effect->task_kind ? effect->task_kind : "");
    return copy;
}

/* The scheduler's list is borrowed until its next call, and carrying out may call it: so work on a copy. */
void cp_sched_apply(cp_engine_t *engine)
{
    nv_sched_effects_t *effects = engine->sched_effects;
    size_t n = effects->count;
    if (n == 0)
        return;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("effects");
    nv_sched_effect_t **list = NV_NEW_ARRAY(ctx, nv_sched_effect_t *, n);
    for (size_t i = 0; i < n; i++)
        list[i] = cp_sched_effect_copy(ctx, &effects->list[i]);
    effects->count = 0;
    for (size_t i = 0; i < n; i++)
        carry_out(engine, list[i]);
}

void cp_sched_run(cp_engine_t *engine)
{
    for (int i = 0; i < MAX_ROUNDS_OF_EFFECTS; i++) {
        nv_sched_step(engine->sched, nv_rpc_now_ms(), engine->sched_effects);
        if (engine->sched_effects->count == 0)
            return;
        cp_sched_apply(engine);
    }
}
