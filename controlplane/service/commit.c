/* From effects to one transaction, and, once that is durable, to everything that others can see. */
#include "controlplane/service/engine_internal.h"

#include "common/contract/codec.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { RELOAD_AFTER_MS = 500 };

/* One submitted transaction. Owns all memory of its batch and copies of what is to be done after it. */
typedef struct commit {
    cp_engine_t *engine;
    char run_id[CP_RUN_ID_MAX + 1];
    store_batch_t batch;
    store_run_t create;
    store_run_change_t change;
    store_result_t result;
    nv_graph_effect_t *later;
    size_t n_later, later_capacity;
    size_t checkpoints_capacity, pending_capacity, events_capacity, interrupts_capacity, artifacts_capacity,
        documents_capacity;
    store_task_t lease_row;
    nv_sched_effect_t *assign;
    cp_future_t *future;
    char *session;
    Nv__Lease *lease;
    nv_super_status_t status;
    int64_t submitted_ms;
} commit_t;

/* ---- building ---- */

static bool add_checkpoint(commit_t *commit, cp_run_t *run, const nv_graph_effect_t *effect, int64_t now_ms,
                           nv_error_t *err)
{
    const nv_graph_run_t *graph = nv_super_graph_run(run->super);
    nv_bytes_t data;
    if (!nv_graph_encode_checkpoint(graph, effect->snapshot, commit, &data, err))
        return false;
    store_checkpoint_t *list = (store_checkpoint_t *)(uintptr_t)commit->batch.checkpoints;
    NV_PUSH(commit, list, commit->batch.n_checkpoints, commit->checkpoints_capacity) =
        (store_checkpoint_t){.seq = (int64_t)effect->seq,
                             .parent = (int64_t)effect->seq - 1,
                             .step = (int64_t)nv_graph_run_step_count(graph),
                             .snapshot = effect->snapshot,
                             .created_unix_ms = now_ms,
                             .nodes = cp_run_take_ran(commit, run),
                             .data = data};
    commit->batch.checkpoints = list;
    /* Task records are kept under step + 1, because the store counts from 1. */
    commit->batch.clear_pending_through = (int64_t)nv_graph_run_step_count(graph);
    return true;
}

static bool add_task(commit_t *commit, const cp_run_t *run, const nv_graph_effect_t *effect, nv_error_t *err)
{
    const nv_graph_run_t *graph = nv_super_graph_run(run->super);
    nv_bytes_t data;
    if (!nv_graph_encode_task(graph, effect->task, commit, &data, err))
        return false;
    store_pending_t *list = (store_pending_t *)(uintptr_t)commit->batch.pending;
    NV_PUSH(commit, list, commit->batch.n_pending, commit->pending_capacity) =
        (store_pending_t){.step = (int64_t)nv_graph_run_step_count(graph) + 1,
                          .task_id = nv_printf(commit, "%" PRIu64, effect->task),
                          .data = data};
    commit->batch.pending = list;
    return true;
}

static void add_event(commit_t *commit, cp_run_t *run, const nv_graph_effect_t *effect,
                      const cp_change_t *change, int64_t now_ms)
{
    uint8_t *packed;
    size_t length;
    cp_run_note_times(run, effect, now_ms);
    nv_pack(commit, &cp_event_of(commit, run, effect, change, now_ms)->base, &packed, &length);
    store_event_t *list = (store_event_t *)(uintptr_t)commit->batch.events;
    NV_PUSH(commit, list, commit->batch.n_events, commit->events_capacity) =
        (store_event_t){.seq = (int64_t)effect->seq, .data = nv_bytes(packed, length)};
    commit->batch.events = list;
}

static void add_interrupt(commit_t *commit, const store_interrupt_t *interrupt)
{
    store_interrupt_t *list = (store_interrupt_t *)(uintptr_t)commit->batch.interrupts;
    NV_PUSH(commit, list, commit->batch.n_interrupts, commit->interrupts_capacity) = *interrupt;
    commit->batch.interrupts = list;
}

static void add_question(commit_t *commit, const cp_run_t *run, const nv_graph_effect_t *effect,
                         int64_t now_ms)
{
    const nv_graph_t *graph = nv_graph_run_graph(nv_super_graph_run(run->super));
    nv_bytes_t question = effect->argument;
    store_interrupt_t interrupt = {
        .interrupt_id = nv_printf(commit, "%" PRIu64 ".%s", effect->task, effect->text),
        .task_id = nv_printf(commit, "%" PRIu64, effect->task),
        .node = nv_graph_node_name(graph, effect->node),
        .question = nv_strndup(commit, question.length ? question.data : "", question.length),
        .asked_unix_ms = now_ms};
    add_interrupt(commit, &interrupt);
}

/* What is not durable is done later, when the run may have moved on: so it is copied. */
static void keep_for_later(commit_t *commit, const nv_graph_effect_t *effect)
{
    nv_graph_effect_t copy = *effect;
    copy.text = effect->text ? nv_strdup(commit, effect->text) : NULL;
    if (effect->argument.length)
        copy.argument = nv_bytes(nv_memdup(commit, effect->argument.data, effect->argument.length),
                                 effect->argument.length);
    NV_PUSH(commit, commit->later, commit->n_later, commit->later_capacity) = copy;
}

static bool add_effect(commit_t *commit, cp_run_t *run, const nv_graph_effect_t *effect,
                       const cp_change_t *change, int64_t now_ms, nv_error_t *err)
{
    switch (effect->kind) {
    case NV_EFFECT_PERSIST_CHECKPOINT:
        return add_checkpoint(commit, run, effect, now_ms, err);
    case NV_EFFECT_PERSIST_TASK:
        return add_task(commit, run, effect, err);
    case NV_EFFECT_PRUNE:
        commit->batch.prune_below = (int64_t)effect->seq;
        return true;
    case NV_EFFECT_EMIT:
        add_event(commit, run, effect, change, now_ms);
        return true;
    case NV_EFFECT_ASK:
        add_question(commit, run, effect, now_ms);
        return true;
    default:
        keep_for_later(commit, effect);
        return true;
    }
}

static void add_document(commit_t *commit, const char *sha256)
{
    const char **list = (const char **)(uintptr_t)commit->batch.documents;
    NV_PUSH(commit, list, commit->batch.n_documents, commit->documents_capacity) = nv_strdup(commit, sha256);
    commit->batch.documents = (const char *const *)list;
}

static void add_result(commit_t *commit, const Nv__TaskResult *result, int64_t now_ms)
{
    for (size_t i = 0; i < result->n_writes; i++)
        add_document(commit, result->writes[i]->sha256);
    for (size_t i = 0; i < result->n_artifacts; i++) {
        const Nv__DocumentRef *ref = result->artifacts[i];
        store_artifact_t *list = (store_artifact_t *)(uintptr_t)commit->batch.artifacts;
        NV_PUSH(commit, list, commit->batch.n_artifacts, commit->artifacts_capacity) =
            (store_artifact_t){.name = nv_strdup(commit, ref->name),
                               .sha256 = nv_strdup(commit, ref->sha256),
                               .media_type = nv_strdup(commit, ref->media_type),
                               .message_type = nv_strdup(commit, ref->message_type),
                               .created_unix_ms = now_ms};
        commit->batch.artifacts = list;
    }
}

static void set_columns(commit_t *commit, cp_run_t *run, const cp_change_t *change, int64_t now_ms)
{
    const char *state;
    nv_super_status(run->super, &commit->status);
    state = nv_super_state_name(commit->status.state);
    nv_bytes_t summary = cp_run_summary(commit, run, &commit->status);
    bool over = commit->status.state >= NV_SUPER_SUCCEEDED;
    commit->batch.tenant = nv_strdup(commit, run->tenant);
    commit->batch.run_id = commit->run_id;
    if (change->create) {
        uint8_t *spec;
        size_t length;
        nv_pack(commit, &run->spec->base, &spec, &length);
        commit->create = (store_run_t){.tenant = commit->batch.tenant,
                                       .run_id = commit->run_id,
                                       .pool = nv_strdup(commit, run->pool),
                                       .state = state,
                                       .reason = "",
                                       .owner = nv_strdup(commit, commit->engine->config.owner),
                                       .forked_from = nv_strdup(commit, run->forked_from),
                                       .epoch = run->epoch,
                                       .created_unix_ms = run->created_ms,
                                       .spec = nv_bytes(spec, length),
                                       .summary = summary};
        commit->batch.create = &commit->create;
        commit->batch.request_id = change->request_id ? nv_strdup(commit, change->request_id) : NULL;
        return;
    }
    commit->change = (store_run_change_t){.state = state,
                                          .reason = commit->status.reason,
                                          .owner = change->new_epoch ? commit->engine->config.owner : NULL,
                                          .finished_unix_ms = over                ? now_ms
                                                              : change->new_epoch ? 0
                                                                                  : -1,
                                          .round = commit->status.round,
                                          .score = run->score,
                                          .summary = summary};
    commit->batch.change = &commit->change;
    commit->batch.expect_epoch = change->new_epoch ? change->new_epoch - 1 : run->epoch;
    commit->batch.new_epoch = change->new_epoch;
}

static bool build(commit_t *commit, cp_run_t *run, const cp_change_t *change, nv_error_t *err)
{
    int64_t now_ms = cp_unix_ms();
    for (size_t i = 0; i < run->effects->count; i++)
        if (!add_effect(commit, run, &run->effects->list[i], change, now_ms, err))
            return false;
    if (change->result)
        add_result(commit, change->result, now_ms);
    for (size_t i = 0; i < change->n_documents; i++)
        add_document(commit, change->documents[i]);
    if (change->answered)
        add_interrupt(commit, change->answered);
    if (change->lease) {
        commit->lease_row = cp_lease_row(commit, run, change->lease, now_ms);
        commit->batch.tasks = &commit->lease_row;
        commit->batch.n_tasks = 1;
    }
    set_columns(commit, run, change, now_ms);
    return true;
}

/* ---- after ---- */

static void send_ack(cp_engine_t *engine, const char *session_id, Nv__Lease *lease, bool accepted)
{
    cp_session_t *session = session_id ? cp_session_find(engine, session_id) : NULL;
    nv_error_t err = NV_ERROR_INIT;
    if (!session)
        return;
    Nv__ResultAck ack = NV__RESULT_ACK__INIT;
    Nv__ControlMessage message = NV__CONTROL_MESSAGE__INIT;
    ack.lease = lease;
    ack.accepted = accepted;
    message.body_case = NV__CONTROL_MESSAGE__BODY_RESULT_ACK;
    message.result_ack = &ack;
    if (!nv_rpc_stream_send(session->stream, &message.base, &err))
        nv_log(engine->config.log, NV_DEBUG, "engine", "no acknowledgement sent", "reason", err.message,
               NULL);
}

static void finish_run(cp_engine_t *engine, cp_run_t *run, const nv_super_status_t *status)
{
    run->finished = true;
    run->due_ms = INT64_MAX;
    nv_sched_cancel_run(engine->sched, run->id, nv_rpc_now_ms(), engine->sched_effects);
    cp_sched_apply(engine);
    cp_trace_end(engine, run, status);
    nv_log(engine->config.log, NV_INFO, "engine", "run ended", "run", run->id, "tenant", run->tenant, "state",
           nv_super_state_name(status->state), "reason", status->reason, NULL);
}

static void carry_out(cp_engine_t *engine, cp_run_t *run, const commit_t *commit,
                      const nv_graph_effect_t *effect)
{
    switch (effect->kind) {
    case NV_EFFECT_DISPATCH:
        cp_dispatch(engine, run, effect->task, effect->attempt, effect->node);
        break;
    case NV_EFFECT_CANCEL:
        nv_sched_cancel(engine->sched, run->id, effect->task, effect->attempt, nv_rpc_now_ms(),
                        engine->sched_effects);
        cp_sched_apply(engine);
        break;
    case NV_EFFECT_TIMER:
        run->due_ms = effect->due_ms;
        if (run->due_ms < engine->next_due_ms)
            engine->next_due_ms = run->due_ms;
        break;
    case NV_EFFECT_FINISH:
        finish_run(engine, run, &commit->status);
        break;
    default:
        break;
    }
}

static void drop_run(cp_engine_t *engine, cp_run_t *run)
{
    HASH_DEL(engine->runs, run);
    cp_run_free(run);
}

static void settled(cp_engine_t *engine, cp_run_t *run, commit_t *commit)
{
    for (size_t i = 0; i < commit->n_later; i++)
        carry_out(engine, run, commit, &commit->later[i]);
    if (commit->assign)
        cp_assign(engine, commit->assign);
    send_ack(engine, commit->session, commit->lease, true);
    nv_counter_add(engine->committed, 1);
    nv_histogram_observe(engine->commit_seconds, (double)(nv_rpc_now_ms() - commit->submitted_ms) / 1000);
    cp_watch_notify(engine, run->tenant, run->id);
    cp_future_set(commit->future, NULL);
    if (run->finished && run->in_flight == 0)
        drop_run(engine, run);
}

static void mark_broken(cp_engine_t *engine, cp_run_t *run, const nv_error_t *err)
{
    bool gone = err->code == NV_NOT_FOUND || err->code == NV_ALREADY_EXISTS;
    nv_counter_add(engine->commit_failures, 1);
    nv_log(engine->config.log, gone ? NV_INFO : NV_ERROR, "engine", "change not stored", "run", run->id,
           "reason", err->message, NULL);
    /* The first failure decides: what was submitted behind it fails on its gap, as ABORTED. A first failure that is ABORTED is
     * no other owner's doing, for the store lets only the leader write: a change whose outcome was unknown has landed since. */
    if (!run->broken)
        run->reload = !gone;
    run->broken = true;
}

void cp_run_recover(cp_engine_t *engine, cp_run_t *run)
{
    nv_sched_cancel_run(engine->sched, run->id, nv_rpc_now_ms(), engine->sched_effects);
    cp_sched_apply(engine);
    if (run->reload)
        cp_reload_later(engine, run->tenant, run->id);
    drop_run(engine, run);
}

/* On the engine's thread: the outcome is known. */
static void committed(cp_engine_t *engine, void *arg)
{
    commit_t *commit = arg;
    cp_run_t *run = cp_run_find(engine, commit->run_id);
    if (run) {
        run->in_flight--;
        if (commit->result.error.code == NV_OK && !run->broken) {
            settled(engine, run, commit);
        } else {
            mark_broken(engine, run, &commit->result.error);
            cp_future_set(commit->future, &commit->result.error);
            if (run->in_flight == 0)
                cp_run_recover(engine, run);
        }
    }
    nv_mem_free(commit);
}

/* On the store's thread. */
static void stored(const store_result_t *result, void *arg)
{
    commit_t *commit = arg;
    commit->result = *result;
    cp_post(commit->engine, committed, commit);
}

/* ---- submitting ---- */

static void give_up(cp_engine_t *engine, cp_run_t *run, commit_t *commit, const nv_error_t *err)
{
    mark_broken(engine, run, err);
    cp_future_set(commit->future, err);
    nv_mem_free(commit);
    if (run->in_flight == 0)
        cp_run_recover(engine, run);
}

static void submit_one(cp_engine_t *engine, cp_run_t *run, const cp_change_t *change)
{
    nv_error_t err = NV_ERROR_INIT;
    commit_t *commit = NV_NEW(NULL, commit_t);
    commit->engine = engine;
    commit->submitted_ms = nv_rpc_now_ms();
    memcpy(commit->run_id, run->id, sizeof commit->run_id);
    commit->future = change->after.future;
    commit->session = change->after.session ? nv_strdup(commit, change->after.session) : NULL;
    commit->assign = change->after.assign ? cp_sched_effect_copy(commit, change->after.assign) : NULL;
    if (change->after.lease)
        commit->lease = (Nv__Lease *)nv_message_copy(commit, &change->after.lease->base);
    run->in_flight++;
    if (!build(commit, run, change, &err) ||
        !store_submit(engine->config.store, &commit->batch, stored, commit, &err)) {
        run->in_flight--;
        give_up(engine, run, commit, &err);
    }
}

void cp_run_commit(cp_engine_t *engine, cp_run_t *run, const cp_change_t *change)
{
    char id[CP_RUN_ID_MAX + 1];
    nv_error_t err = NV_ERROR_INIT;
    memcpy(id, run->id, sizeof id);
    bool more = run->effects->more;
    submit_one(engine, run, change);
    /* Order of submission is order of commits, so the next step need not wait for the disk. */
    while (more && (run = cp_run_find(engine, id)) != NULL && !run->broken) {
        if (!nv_super_continue(run->super, cp_unix_ms(), run->effects, &err)) {
            nv_log(engine->config.log, NV_ERROR, "engine", "run does not go on", "run", id, "reason",
                   err.message, NULL);
            return;
        }
        more = run->effects->more;
        submit_one(engine, run, &(cp_change_t){0});
    }
}

void cp_run_free(cp_run_t *run)
{
    nv_mem_free(run);
}
