/* Carrying out effects, with a chance to die between any two. */
#include <stdio.h>
#include <string.h>

#include "sim.h"

bool control_crash_here(sim_t *sim)
{
    if (!sim->control->up)
        return true;
    if (!sim_chance(sim, 2))
        return false;
    control_crash(sim);
    return true;
}

static void add_item(sim_t *sim, batch_t *batch, const nv_graph_effect_t *effect, control_run_t *run)
{
    nv_error_t err = NV_ERROR_INIT;
    nv_graph_run_t *graph = nv_super_graph_run(run->run);
    item_t item = {.id = effect->seq, .step = effect->step, .task = effect->task, .news = effect->news};
    bool ok = true;
    switch (effect->kind) {
    case NV_EFFECT_PERSIST_CHECKPOINT:
        item.kind = ITEM_CHECKPOINT;
        item.snapshot = effect->snapshot;
        ok = nv_graph_encode_checkpoint(graph, effect->snapshot, sim->ctx, &item.bytes, &err);
        break;
    case NV_EFFECT_PERSIST_TASK:
        item.kind = ITEM_TASK;
        item.id = effect->task;
        item.step = nv_graph_run_step_count(graph);
        ok = nv_graph_encode_task(graph, effect->task, sim->ctx, &item.bytes, &err);
        break;
    case NV_EFFECT_EMIT:
        item.kind = ITEM_EVENT;
        break;
    default:
        item.kind = ITEM_PRUNE;
    }
    if (!ok)
        sim_violation(sim, "encoding: %s", err.message);
    NV_PUSH(sim->ctx, batch->items, batch->count, batch->capacity) = item;
}

static void add_lease(sim_t *sim, batch_t *batch, control_run_t *run)
{
    if (!run->lease)
        return;
    NV_PUSH(sim->ctx, batch->items, batch->count, batch->capacity) = *run->lease;
    store_keep_lease(sim->control->ctx, &run->leases, &run->lease_count, &run->lease_capacity, run->lease);
    run->lease = NULL;
}

static batch_t *make_batch(sim_t *sim, int index)
{
    control_run_t *run = &sim->control->runs[index];
    batch_t *batch = NV_NEW(sim->ctx, batch_t);
    batch->run = index;
    batch->epoch = run->epoch;
    batch->term = sim->control->term;
    batch->documents = run->documents;
    run->documents = 0;
    batch->after_event = nv_graph_run_last_event(nv_super_graph_run(run->run));
    for (size_t i = 0; i < run->effects->count; i++) {
        const nv_graph_effect_t *effect = &run->effects->list[i];
        if (!nv_graph_effect_is_durable(effect))
            continue;
        batch->after_event -= effect->kind == NV_EFFECT_EMIT;
        add_item(sim, batch, effect, run);
    }
    add_lease(sim, batch, run);
    return batch;
}

/* The process dies with its request on the way to the store. */
static bool crash_before_commit(sim_t *sim, batch_t *batch)
{
    if (!control_crash_here(sim))
        return false;
    if (sim_below(sim, 2))
        sim_schedule(sim, 1 + (int64_t)sim_below(sim, 6000), EVENT_LATE_COMMIT)->batch = batch;
    return true;
}

static void submit(sim_t *sim, int index, const nv_graph_effect_t *effect)
{
    nv_error_t err = NV_ERROR_INIT;
    control_t *control = sim->control;
    int tenant = sim->run_tenant[index];
    nv_sched_task_t task = {.lease = {run_name(index), effect->task, effect->attempt, 0},
                            .tenant = tenant_names[tenant],
                            .pool = pool_names[tenant_pool(tenant)],
                            .kind = nv_super_node_name((nv_super_node_t)effect->node),
                            .priority = NV_SCHED_PRIORITY_DEFAULT};
    bool ok = nv_sched_submit(control->sched, &task, sim->now, control->effects, &err);
    control_note(sim);
    if (ok || err.code == NV_ALREADY_EXISTS)
        return;
    if (err.code != NV_RESOURCE_EXHAUSTED) {
        sim_violation(sim, "submit: %s", err.message);
        return;
    }
    nv_graph_effect_t later = *effect; /* the queue is full: backpressure */
    later.step = (uint64_t)index;
    NV_PUSH(control->ctx, control->unsubmitted, control->unsubmitted_count, control->unsubmitted_capacity) =
        later;
}

static void act(sim_t *sim, int index, const nv_graph_effect_t *effect)
{
    control_t *control = sim->control;
    switch (effect->kind) {
    case NV_EFFECT_DISPATCH:
        submit(sim, index, effect);
        break;
    case NV_EFFECT_CANCEL:
        nv_sched_cancel(control->sched, run_name(index), effect->task, effect->attempt, sim->now,
                        control->effects);
        control_note(sim);
        break;
    case NV_EFFECT_TIMER:
        if (effect->due_ms != NV_GRAPH_NO_TIMER) {
            int64_t delay = effect->due_ms > sim->now ? effect->due_ms - sim->now : 0;
            event_t *timer = sim_schedule(sim, delay, EVENT_RUN_TIMER);
            timer->a = index;
            timer->b = control->life;
        }
        break;
    case NV_EFFECT_FINISH:
        sim_trace(sim, "%s ends", run_name(index));
        break;
    default:
        break;
    }
}

static bool carry_out(sim_t *sim, int index)
{
    const nv_graph_effects_t *effects = sim->control->runs[index].effects;
    for (size_t i = 0; i < effects->count; i++) {
        if (nv_graph_effect_is_durable(&effects->list[i]))
            continue;
        if (control_crash_here(sim))
            return false;
        act(sim, index, &effects->list[i]);
    }
    return true;
}

static void drop(sim_t *sim, control_run_t *run)
{
    nv_steal(sim->dead, run->run);
    run->run = NULL;
}

bool control_commit(sim_t *sim, int index)
{
    control_run_t *run = &sim->control->runs[index];
    for (;;) {
        nv_error_t err = NV_ERROR_INIT;
        batch_t *batch = make_batch(sim, index);
        if (batch->count) {
            if (crash_before_commit(sim, batch))
                return false;
            commit_result_t result = store_commit(sim, batch);
            if (result == COMMIT_DEPOSED) {
                drop(sim, run); /* whose it is now will go on with it */
                return false;
            }
            if (result != COMMIT_OK && sim->mutation != MUTATION_FORGET_TIMEOUT) {
                (void)control_load(sim, index); /* who knows what is stored: look */
                return false;
            }
            bool checkpoint = false;
            for (size_t i = 0; i < batch->count; i++)
                checkpoint = checkpoint || batch->items[i].kind == ITEM_CHECKPOINT;
            if (checkpoint && !sim->violated && sim_below(sim, 8) == 0)
                check_roundtrip(sim, index);
        }
        if (!carry_out(sim, index))
            return false;
        if (!run->effects->more)
            return true;
        if (!nv_super_continue(run->run, sim->now, run->effects, &err)) {
            sim_violation(sim, "continue: %s", err.message);
            return false;
        }
    }
}

bool control_commit_lease(sim_t *sim, const lease_t *lease, const char *session)
{
    item_t item = {.kind = ITEM_LEASE, .lease = *lease};
    snprintf(item.session, sizeof item.session, "%s", session);
    sim->control->runs[lease->run].lease = &item;
    return control_commit(sim, lease->run);
}

static int worker_of(sim_t *sim, const char *session);

/* What the store knows to be leased is leased on, so that its worker may come back to it. */
static void restore(sim_t *sim, int index)
{
    control_t *control = sim->control;
    control_run_t *run = &control->runs[index];
    const stored_run_t *stored = &sim->store[index];
    int tenant = sim->run_tenant[index];
    run->leases = NULL;
    run->lease_count = run->lease_capacity = 0;
    for (size_t i = 0; i < stored->lease_count; i++) {
        const item_t *item = &stored->leases[i];
        nv_error_t err = NV_ERROR_INIT;
        nv_task_view_t task;
        store_keep_lease(control->ctx, &run->leases, &run->lease_count, &run->lease_capacity, item);
        if (!nv_graph_task_find(nv_super_graph_run(run->run), item->lease.task, &task) ||
            task.attempt != item->lease.attempt || task.state != NV_TASK_QUEUED)
            continue;
        nv_sched_task_t given = {.lease = lease_of(&item->lease),
                                 .tenant = tenant_names[tenant],
                                 .pool = pool_names[tenant_pool(tenant)],
                                 .kind = nv_super_node_name((nv_super_node_t)task.node),
                                 .priority = NV_SCHED_PRIORITY_DEFAULT};
        const char *name = sim->workers[worker_of(sim, item->session)].name;
        sim->restored += nv_sched_restore(control->sched, &given, item->session, name, sim->now, &err);
    }
}

/* From the store, under a new epoch; what is not there yet starts. */
bool control_load(sim_t *sim, int index)
{
    nv_error_t err = NV_ERROR_INIT;
    control_t *control = sim->control;
    control_run_t *run = &control->runs[index];
    const stored_run_t *stored = &sim->store[index];
    if (sim->violated)
        return false;
    if (run->run) {
        drop(sim, run);
        if (sim_below(sim, 2)) { /* some shells call everything back before they load a run again */
            nv_sched_cancel_run(control->sched, run_name(index), sim->now, control->effects);
            control_note(sim);
        }
    }
    if (stored->deleted)
        return false;
    run->run = nv_super_run_new(control->ctx, control->super);
    run->effects = nv_graph_effects_new(control->ctx);
    run->epoch = store_claim(sim, index);
    run->lease = NULL;
    run->documents = 0;
    bool ok;
    if (stored->checkpoint_count == 0) {
        nv_super_spec_t spec = behave_spec(sim->run_seed[index], sim->run_asks[index]);
        ok = nv_super_start(run->run, &spec, sim->now, run->effects, &err);
    } else {
        if (!store_load(sim, index, run->run))
            return false;
        ok = nv_graph_resume(nv_super_graph_run(run->run), stored->last_event, sim->now, run->effects, &err);
        if (sim->mutation == MUTATION_NO_RESUME)
            return true;
        if (ok)
            restore(sim, index);
    }
    if (!ok) {
        sim_violation(sim, "%s cannot be taken up: %s", run_name(index), err.message);
        return false;
    }
    return control_commit(sim, index);
}

void control_note(sim_t *sim)
{
    control_t *control = sim->control;
    for (size_t i = 0; i < control->effects->count; i++) {
        const nv_sched_effect_t *effect = &control->effects->list[i];
        sched_news_t news = {.kind = effect->kind, .tenant = -1, .pool = -1};
        news.lease = (lease_t){-1, effect->lease.task, effect->lease.attempt, effect->lease.epoch};
        for (int r = 0; r < sim->run_count && effect->lease.run; r++)
            if (strcmp(run_name(r), effect->lease.run) == 0)
                news.lease.run = r;
        for (int t = 0; t < TENANTS && effect->tenant; t++)
            if (strcmp(tenant_names[t], effect->tenant) == 0)
                news.tenant = t;
        snprintf(news.session, sizeof news.session, "%s", effect->worker ? effect->worker : "");
        NV_PUSH(control->ctx, control->outbox, control->outbox_count, control->outbox_capacity) = news;
    }
    control->effects->count = 0;
}

static int worker_of(sim_t *sim, const char *session)
{
    for (int i = 0; i < sim->worker_count; i++) {
        size_t length = strlen(sim->workers[i].name);
        if (strncmp(session, sim->workers[i].name, length) == 0 && session[length] == '#')
            return i;
    }
    return 0;
}

/* Where the store names another lease of this attempt, it has to know of the new one first: else a restart would give the
 * task back to a worker that was replaced. False: not known to be stored; the lease just runs out. */
static bool tell_store_first(sim_t *sim, const sched_news_t *news)
{
    nv_error_t err = NV_ERROR_INIT;
    control_run_t *run = &sim->control->runs[news->lease.run];
    nv_lease_t lease = lease_of(&news->lease);
    if (!run->run)
        return false;
    for (size_t i = 0; i < run->lease_count && sim->mutation != MUTATION_QUIET_REASSIGN; i++) {
        const lease_t *stored = &run->leases[i].lease;
        if (stored->task != lease.task || stored->attempt != lease.attempt || stored->epoch == lease.epoch)
            continue;
        run->effects->count = 0;
        run->effects->more = false;
        return control_commit_lease(sim, &news->lease, news->session) &&
               nv_sched_check(sim->control->sched, news->session, &lease, &err);
    }
    return true;
}

static void assign(sim_t *sim, const sched_news_t *news)
{
    int worker = worker_of(sim, news->session);
    if (sim->mutation == MUTATION_WRONG_WORKER)
        worker = (int)sim_below(sim, (uint64_t)sim->worker_count);
    check_fairness(sim, sim->run_tenant[news->lease.run]);
    if (!tell_store_first(sim, news))
        return;
    if (!sim->control->runs[news->lease.run].run)
        return;
    check_assignment(sim, news, worker);
    nv_task_view_t task;
    nv_graph_run_t *graph = nv_super_graph_run(sim->control->runs[news->lease.run].run);
    if (!nv_graph_task_find(graph, news->lease.task, &task))
        return; /* the run went on without it; its lease will run out or be cancelled */
    message_t message = {
        .kind = MESSAGE_ASSIGN, .worker = worker, .lease = news->lease, .node = (nv_super_node_t)task.node};
    snprintf(message.session, sizeof message.session, "%s", news->session);
    snprintf(message.item, sizeof message.item, "%.*s", (int)task.argument.length,
             task.argument.data ? (const char *)task.argument.data : "");
    sim_trace(sim, "assign %s task %llx attempt %u epoch %llx to %s", run_name(news->lease.run),
              (unsigned long long)news->lease.task, news->lease.attempt,
              (unsigned long long)news->lease.epoch, news->session);
    sim_send(sim, EVENT_TO_WORKER, &message);
}

static void tell(sim_t *sim, const sched_news_t *news, message_kind_t kind)
{
    message_t message = {.kind = kind, .worker = worker_of(sim, news->session), .lease = news->lease};
    snprintf(message.session, sizeof message.session, "%s", news->session);
    sim_send(sim, EVENT_TO_WORKER, &message);
}

static void lost(sim_t *sim, const sched_news_t *news)
{
    nv_error_t err = NV_ERROR_INIT;
    control_run_t *run = &sim->control->runs[news->lease.run];
    nv_super_result_t result = {.task = news->lease.task,
                                .attempt = news->lease.attempt,
                                .code = NV_UNAVAILABLE,
                                .error = "its workers were lost",
                                .retryable = true};
    if (run->run && nv_super_result(run->run, &result, sim->now, run->effects, &err))
        (void)control_commit(sim, news->lease.run);
}

static void say(sim_t *sim, const sched_news_t *news)
{
    switch (news->kind) {
    case NV_SCHED_ASSIGN:
        assign(sim, news);
        break;
    case NV_SCHED_CANCEL:
        tell(sim, news, MESSAGE_CANCEL);
        break;
    case NV_SCHED_REVOKE:
        tell(sim, news, MESSAGE_REVOKE);
        break;
    case NV_SCHED_LOST:
        lost(sim, news);
        break;
    case NV_SCHED_REQUEUED:
        sim->redelivered++;
        break;
    default:
        break;
    }
}

static void submit_what_waits(sim_t *sim)
{
    control_t *control = sim->control;
    size_t count = control->unsubmitted_count;
    control->unsubmitted_count = 0;
    for (size_t i = 0; i < count; i++) {
        nv_graph_effect_t effect = control->unsubmitted[i];
        int index = (int)effect.step;
        nv_task_view_t task;
        if (control->runs[index].run &&
            nv_graph_task_find(nv_super_graph_run(control->runs[index].run), effect.task, &task) &&
            task.attempt == effect.attempt && task.state == NV_TASK_QUEUED)
            submit(sim, index, &effect);
    }
}

void control_drain(sim_t *sim)
{
    control_t *control = sim->control;
    if (!control->up || sim->violated)
        return;
    submit_what_waits(sim);
    nv_sched_step(control->sched, sim->now, control->effects);
    control_note(sim);
    for (size_t i = 0; i < control->outbox_count && control->up && !sim->violated; i++) {
        sched_news_t news = control->outbox[i];
        if (control_crash_here(sim))
            return;
        say(sim, &news);
    }
    control->outbox_count = 0;
}
