/* The control plane's shell, as the real one works, over the simulated store and network. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

static void configure(sim_t *sim)
{
    nv_error_t err = NV_ERROR_INIT;
    control_t *control = sim->control;
    bool ok = true;
    for (int i = 0; i < TENANTS; i++) {
        uint32_t weight = tenant_weights[i] * (sim->mutation == MUTATION_UNFAIR && i == 3 ? 1000 : 1);
        ok = ok && nv_sched_set_tenant(control->sched, tenant_names[i], weight, tenant_quotas[i], &err);
    }
    ok = ok && nv_sched_set_pool(control->sched, pool_names[0], NULL, &err) &&
         nv_sched_set_pool(control->sched, pool_names[1], tenant_names[0], &err);
    if (!ok)
        sim_violation(sim, "configuration: %s", err.message);
}

void control_start(sim_t *sim)
{
    int plane = sim->control->plane;
    memset(sim->control, 0, sizeof *sim->control);
    sim->control->plane = plane;
    sim->control->life = ++sim->lives;
    sim_trace(sim, "control plane %d stands by", plane);
    sim_schedule(sim, 0, EVENT_CONTROL_TICK)->b = sim->control->life;
}

void control_lead(sim_t *sim)
{
    control_t *control = sim->control;
    nv_super_config_t config = behave_config();
    memset(sim->checks.passed_over, 0, sizeof sim->checks.passed_over); /* a new queue */
    control->up = true;
    control->renewed_ms = sim->now;
    control->boot = store_boot(sim);
    control->ctx = nv_mem_root("control plane");
    control->super = nv_super_new(control->ctx, &config);
    nv_sched_config_t sched = {.deliveries_max = 3, .queue_max = 6};
    control->sched = nv_sched_new(control->ctx, &sched, control->boot);
    control->effects = nv_sched_effects_new(control->ctx);
    configure(sim);
    sim->takeovers++;
    sim_trace(sim, "control plane %d leads, boot %d", control->plane, (int)control->boot);
    for (int i = 0; i < sim->run_count && control->up; i++)
        if (sim->store[i].submitted && !sim->store[i].ended)
            (void)control_load(sim, i);
    control_drain(sim);
    if (control->up)
        sim_schedule(sim, SWEEP_MS, EVENT_SWEEP)->b = control->life;
}

void control_crash(sim_t *sim)
{
    control_t *control = sim->control;
    sim_trace(sim, "control plane %d is gone", control->plane);
    sim->crashes += control->up;
    if (control->up)
        nv_steal(sim->dead, control->ctx);
    control->up = false;
    control->life = 0;
    sim_schedule(sim, 50 + (int64_t)sim_below(sim, 3000), EVENT_CONTROL_START);
}

static void on_tick(sim_t *sim)
{
    control_t *control = sim->control;
    uint64_t life = control->life;
    if (!control->up) {
        if (store_claim_lead(sim))
            control_lead(sim);
    } else if (sim->now - control->renewed_ms >= LEAD_TTL_MS / 3) {
        if (store_renew_lead(sim))
            control->renewed_ms = sim->now;
        else
            control_crash(sim);
    }
    if (control->life == life)
        sim_schedule(sim, 250, EVENT_CONTROL_TICK)->b = life;
}

static void on_sweep(sim_t *sim)
{
    store_sweep(sim);
    sim_schedule(sim, SWEEP_MS, EVENT_SWEEP)->b = sim->control->life;
}

static control_run_t *loaded(sim_t *sim, int run)
{
    control_run_t *found = &sim->control->runs[run];
    return found->run ? found : NULL;
}

static void reply(sim_t *sim, const message_t *to, message_kind_t kind)
{
    message_t message = {.kind = kind, .worker = to->worker, .lease = to->lease};
    memcpy(message.session, to->session, sizeof message.session);
    sim_send(sim, EVENT_TO_WORKER, &message);
}

/* A lease of an earlier life, whose worker came back: its task runs, as far as the run is concerned. */
static void resumed(sim_t *sim, const char *session, const lease_t *held)
{
    nv_error_t err = NV_ERROR_INIT;
    nv_lease_t lease = lease_of(held);
    control_run_t *run = loaded(sim, held->run);
    nv_task_view_t task;
    if (!run || !nv_sched_check(sim->control->sched, session, &lease, &err) ||
        !nv_graph_task_find(nv_super_graph_run(run->run), lease.task, &task) ||
        task.attempt != lease.attempt || task.state != NV_TASK_QUEUED)
        return;
    sim->resumed++;
    sim_trace(sim, "%s goes on with %s task %llx", session, run_name(held->run),
              (unsigned long long)lease.task);
    if (nv_super_started(run->run, lease.task, lease.attempt, sim->now, run->effects, &err))
        (void)control_commit_lease(sim, held, session);
}

static void on_hello(sim_t *sim, const message_t *message)
{
    nv_error_t err = NV_ERROR_INIT;
    const sim_worker_t *worker = &sim->workers[message->worker];
    nv_sched_worker_t joining = {.session = message->session,
                                 .name = worker->name,
                                 .pool = pool_names[worker->pool],
                                 .slots = worker->slots};
    nv_lease_t held[SLOTS_MAX];
    for (size_t i = 0; i < message->held_count; i++)
        held[i] = lease_of(&message->held[i]);
    /* the connection of its session before, if any, is gone with this one */
    char before[TEXT_MAX * 2];
    const char *number = strchr(message->session, '#') + 1;
    for (int old = atoi(number) - 1; old > 0 && old > atoi(number) - 4; old--) {
        snprintf(before, sizeof before, "%s#%d", worker->name, old);
        nv_sched_leave(sim->control->sched, before, sim->now, sim->control->effects);
        control_note(sim);
    }
    if (!nv_sched_join(sim->control->sched, &joining, held, message->held_count, sim->now,
                       sim->control->effects, &err)) {
        sim_trace(sim, "join refused: %s", err.message);
        return;
    }
    control_note(sim);
    for (size_t i = 0; i < message->held_count && sim->control->up; i++)
        resumed(sim, message->session, &message->held[i]);
}

static void on_heartbeat(sim_t *sim, const message_t *message)
{
    nv_error_t err = NV_ERROR_INIT;
    nv_lease_t held[SLOTS_MAX];
    int64_t interval;
    for (size_t i = 0; i < message->held_count; i++)
        held[i] = lease_of(&message->held[i]);
    if (nv_sched_heartbeat(sim->control->sched, message->session, held, message->progress,
                           message->held_count, sim->now, &interval, sim->control->effects, &err))
        control_note(sim);
    else
        reply(sim, message, MESSAGE_RECONNECT);
}

static void on_accepted(sim_t *sim, const message_t *message)
{
    nv_error_t err = NV_ERROR_INIT;
    nv_lease_t lease = lease_of(&message->lease);
    control_run_t *run = loaded(sim, message->lease.run);
    if (!run || !nv_sched_check(sim->control->sched, message->session, &lease, &err))
        return;
    if (nv_super_started(run->run, lease.task, lease.attempt, sim->now, run->effects, &err))
        (void)control_commit_lease(sim, &message->lease, message->session);
}

static bool still_open(sim_t *sim, const lease_t *lease)
{
    control_run_t *run = loaded(sim, lease->run);
    nv_task_view_t task;
    return run && nv_graph_run_phase(nv_super_graph_run(run->run)) == NV_RUN_RUNNING &&
           nv_graph_task_find(nv_super_graph_run(run->run), lease->task, &task) &&
           task.attempt == lease->attempt && (task.state == NV_TASK_QUEUED || task.state == NV_TASK_RUNNING);
}

/* True: the run has it (or refused it for good); the worker need not keep it. */
static bool hand_to_run(sim_t *sim, const message_t *message)
{
    nv_error_t err = NV_ERROR_INIT;
    control_run_t *run = loaded(sim, message->lease.run);
    if (!run)
        return false;
    behaviour_t doing;
    behave(sim->run_seed[message->lease.run], message->node, message->lease.task, message->item, &doing);
    run->documents = behave_documents(&doing.result);
    doing.result.attempt = message->lease.attempt;
    if (sim->mutation == MUTATION_NO_FENCING) {
        nv_task_view_t task;
        if (nv_graph_task_find(nv_super_graph_run(run->run), message->lease.task, &task))
            doing.result.attempt = task.attempt;
    }
    bool missing = sim->mutation != MUTATION_UNCHECKED_DOCUMENTS &&
                   !store_has(sim, sim->run_tenant[message->lease.run], run->documents);
    if (missing)
        sim->documents_missing++;
    if (message->retryable_error || missing) {
        run->documents = 0;
        doing.result.ok = false;
        doing.result.retryable = true;
        doing.result.code = NV_UNAVAILABLE;
        doing.result.error = "the workspace answered 503";
        doing.result.random = (uint32_t)sim_random(sim);
        sim->retries++;
    }
    if (!nv_super_result(run->run, &doing.result, sim->now, run->effects, &err)) {
        if (err.code != NV_ABORTED)
            sim_violation(sim, "a good result was refused: %s", err.message);
        return true;
    }
    sim->results++;
    if (!control_commit(sim, message->lease.run))
        return sim->control->up && sim->control->term == sim->lead.term && !still_open(sim, &message->lease);
    return true;
}

static void on_result(sim_t *sim, const message_t *message)
{
    nv_error_t err = NV_ERROR_INIT;
    nv_lease_t lease = lease_of(&message->lease);
    if (sim->mutation != MUTATION_NO_FENCING &&
        !nv_sched_check(sim->control->sched, message->session, &lease, &err)) {
        sim->stale_refused++;
        sim_trace(sim, "refused: %s", err.message);
        reply(sim, message, MESSAGE_RESULT_ACK);
        return;
    }
    uint64_t before = sim->results;
    bool taken = hand_to_run(sim, message);
    if (taken && sim->results > before)
        check_accepted(sim, &message->lease);
    if (!taken || !sim->control->up || control_crash_here(sim))
        return;
    if (nv_sched_complete(sim->control->sched, message->session, &lease, sim->now, sim->control->effects,
                          &err))
        control_note(sim);
    reply(sim, message, MESSAGE_RESULT_ACK);
}

static void on_cancel_ack(sim_t *sim, const message_t *message)
{
    nv_error_t err = NV_ERROR_INIT;
    nv_lease_t lease = lease_of(&message->lease);
    if (nv_sched_cancel_ack(sim->control->sched, message->session, &lease, sim->now, sim->control->effects,
                            &err))
        control_note(sim);
}

static void on_message(sim_t *sim, const message_t *message)
{
    switch (message->kind) {
    case MESSAGE_HELLO:
        on_hello(sim, message);
        break;
    case MESSAGE_HEARTBEAT:
        on_heartbeat(sim, message);
        break;
    case MESSAGE_ACCEPTED:
        on_accepted(sim, message);
        break;
    case MESSAGE_RESULT:
        on_result(sim, message);
        break;
    case MESSAGE_CANCEL_ACK:
        on_cancel_ack(sim, message);
        break;
    default:
        break;
    }
}

static void on_submit(sim_t *sim, int run)
{
    if (sim->store[run].submitted)
        return; /* asked for at the other one before */
    if (store_begin_run(sim, run))
        (void)control_load(sim, run);
    else
        sim_schedule(sim, 500 + (int64_t)sim_below(sim, 1000), EVENT_SUBMIT)->a = run;
}

static void on_cancel(sim_t *sim, int index)
{
    nv_error_t err = NV_ERROR_INIT;
    control_run_t *run = loaded(sim, index);
    if (!run)
        return;
    sim->store[index].cancel_asked = true;
    if (nv_super_cancel(run->run, "by its owner", sim->now, run->effects, &err))
        (void)control_commit(sim, index);
}

/* Somebody looks at what waits, now and then. */
static void on_answer(sim_t *sim, int index)
{
    nv_error_t err = NV_ERROR_INIT;
    control_run_t *run = loaded(sim, index);
    if (!run || !nv_graph_run_is_waiting(nv_super_graph_run(run->run)))
        return;
    nv_task_view_t task;
    nv_graph_task_at(nv_super_graph_run(run->run), 0, &task);
    nv_super_answer_t answer;
    behave_answer(sim->run_seed[index], task.task, &answer);
    run->documents = answer.design.length ? behave_document(answer.design) : 0;
    store_upload(sim, sim->run_tenant[index], run->documents);
    if (nv_super_answer(run->run, &answer, sim->now, run->effects, &err))
        (void)control_commit(sim, index);
    else
        sim_trace(sim, "answer refused: %s", err.message);
}

static void on_timer(sim_t *sim, const event_t *event)
{
    nv_error_t err = NV_ERROR_INIT;
    control_run_t *run = loaded(sim, event->a);
    if (run && nv_super_timer(run->run, (uint32_t)sim_random(sim), sim->now, run->effects, &err))
        (void)control_commit(sim, event->a);
}

/* A request of somebody who tries again until it is heard. */
static void again_later(sim_t *sim, const event_t *event)
{
    event_t *again = sim_schedule(sim, 500 + (int64_t)sim_below(sim, 1000), event->kind);
    again->a = event->a;
}

void control_event(sim_t *sim, const event_t *event)
{
    control_t *control = sim->control;
    bool own =
        event->kind == EVENT_CONTROL_TICK || event->kind == EVENT_RUN_TIMER || event->kind == EVENT_SWEEP;
    if (own && event->b != control->life)
        return; /* of an earlier life */
    if (!control->up && event->kind == EVENT_TO_CONTROL) {
        sim_worker_t *worker = &sim->workers[event->message->worker];
        worker->refused |= worker->plane == control->plane;
    }
    if (!control->up && event->kind != EVENT_CONTROL_TICK)
        return;
    switch (event->kind) {
    case EVENT_TO_CONTROL:
        on_message(sim, event->message);
        break;
    case EVENT_CONTROL_TICK:
        on_tick(sim);
        break;
    case EVENT_SWEEP:
        on_sweep(sim);
        break;
    case EVENT_SUBMIT:
    case EVENT_SUBMIT_LATE:
        on_submit(sim, event->a);
        break;
    case EVENT_CANCEL:
        on_cancel(sim, event->a);
        break;
    case EVENT_ANSWER:
        if (!sim->store[event->a].ended)
            again_later(sim, event);
        on_answer(sim, event->a);
        break;
    case EVENT_RUN_TIMER:
        on_timer(sim, event);
        break;
    default:
        break;
    }
    control_drain(sim);
}
