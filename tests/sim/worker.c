/* Workers: take assignments, work for a while, report until they are heard. */
#include <stdio.h>
#include <string.h>

#include "sim.h"

static message_t from(const sim_worker_t *worker, const sim_t *sim, message_kind_t kind)
{
    message_t message = {.kind = kind, .worker = (int)(worker - sim->workers), .plane = worker->plane};
    memcpy(message.session, worker->session, sizeof message.session);
    return message;
}

static void add_held(const sim_worker_t *worker, message_t *message, int64_t now)
{
    for (int i = 0; i < SLOTS_MAX; i++)
        if (worker->tasks[i].state != SLOT_FREE) {
            message->progress[message->held_count] = (uint64_t)now;
            message->held[message->held_count++] = worker->tasks[i].lease;
        }
}

static void hello(sim_t *sim, sim_worker_t *worker)
{
    snprintf(worker->session, sizeof worker->session, "%s#%u", worker->name, ++worker->sessions);
    message_t message = from(worker, sim, MESSAGE_HELLO);
    add_held(worker, &message, sim->now);
    sim_send(sim, EVENT_TO_CONTROL, &message);
}

void worker_start(sim_t *sim, int index)
{
    hello(sim, &sim->workers[index]);
    sim_schedule(sim, 1000, EVENT_WORKER_TICK)->a = index;
}

/* Killed and started again: it remembers nothing. */
void worker_restart(sim_t *sim, int index)
{
    sim_worker_t *worker = &sim->workers[index];
    sim_trace(sim, "worker %s is killed and starts again", worker->name);
    memset(worker->tasks, 0, sizeof worker->tasks);
    worker->paused_until = 0;
    hello(sim, worker);
}

/* Its documents go ahead; they are not always sent again with it. */
static void upload(sim_t *sim, const worker_task_t *task)
{
    behaviour_t doing;
    if (task->sent_ms && sim_below(sim, 2))
        return;
    behave(sim->run_seed[task->lease.run], task->node, task->lease.task, task->item, &doing);
    store_upload(sim, sim->run_tenant[task->lease.run], behave_documents(&doing.result));
}

static void send_result(sim_t *sim, sim_worker_t *worker, worker_task_t *task)
{
    upload(sim, task);
    message_t message = from(worker, sim, MESSAGE_RESULT);
    message.lease = task->lease;
    message.node = task->node;
    memcpy(message.item, task->item, sizeof message.item);
    message.retryable_error = task->error;
    task->sent_ms = sim->now;
    sim_send(sim, EVENT_TO_CONTROL, &message);
}

/* Its control plane is gone or does not answer: the other one, with what it holds. */
static void look_elsewhere(sim_t *sim, sim_worker_t *worker)
{
    const control_t *plane = &sim->planes[worker->plane];
    bool silent = plane->paused_until > sim->now && sim->now - plane->paused_since > 1500;
    if (!worker->refused && !silent)
        return;
    worker->refused = false;
    worker->plane = (worker->plane + 1) % PLANES;
    hello(sim, worker);
}

static void tick(sim_t *sim, sim_worker_t *worker)
{
    look_elsewhere(sim, worker);
    message_t message = from(worker, sim, MESSAGE_HEARTBEAT);
    add_held(worker, &message, sim->now);
    sim_send(sim, EVENT_TO_CONTROL, &message);
    for (int i = 0; i < SLOTS_MAX; i++)
        if (worker->tasks[i].state == SLOT_FINISHED && sim->now - worker->tasks[i].sent_ms >= 1500)
            send_result(sim, worker, &worker->tasks[i]);
    sim_schedule(sim, 1000, EVENT_WORKER_TICK)->a = (int)(worker - sim->workers);
}

static bool same(const lease_t *a, const lease_t *b)
{
    return a->run == b->run && a->task == b->task && a->attempt == b->attempt && a->epoch == b->epoch;
}

static worker_task_t *find(sim_worker_t *worker, const lease_t *lease)
{
    for (int i = 0; i < SLOTS_MAX; i++)
        if (worker->tasks[i].state != SLOT_FREE && same(&worker->tasks[i].lease, lease))
            return &worker->tasks[i];
    return NULL;
}

static void begin(sim_t *sim, sim_worker_t *worker, const message_t *message)
{
    if (find(worker, &message->lease))
        return; /* doubled on the way */
    int slot = 0;
    while (slot < SLOTS_MAX && worker->tasks[slot].state != SLOT_FREE)
        slot++;
    if (slot == SLOTS_MAX)
        return;
    worker_task_t *task = &worker->tasks[slot];
    *task = (worker_task_t){.state = SLOT_WORKING,
                            .lease = message->lease,
                            .node = message->node,
                            .generation = ++worker->generation,
                            .error = sim_chance(sim, 60)};
    memcpy(task->item, message->item, sizeof task->item);
    message_t accepted = from(worker, sim, MESSAGE_ACCEPTED);
    accepted.lease = message->lease;
    sim_send(sim, EVENT_TO_CONTROL, &accepted);
    event_t *done = sim_schedule(sim, 5 + (int64_t)sim_below(sim, 600), EVENT_WORK_DONE);
    done->a = (int)(worker - sim->workers);
    done->b = (uint64_t)slot << 32 | task->generation;
}

static void finish(sim_t *sim, sim_worker_t *worker, uint64_t which)
{
    worker_task_t *task = &worker->tasks[which >> 32];
    if (task->state != SLOT_WORKING || task->generation != (which & UINT32_MAX))
        return;
    task->state = SLOT_FINISHED;
    send_result(sim, worker, task);
}

static void receive(sim_t *sim, sim_worker_t *worker, const message_t *message)
{
    worker_task_t *task = find(worker, &message->lease);
    if (message->plane != worker->plane)
        return; /* that connection is closed */
    switch (message->kind) {
    case MESSAGE_ASSIGN:
        begin(sim, worker, message);
        break;
    case MESSAGE_CANCEL: {
        if (task)
            task->state = SLOT_FREE;
        message_t ack = from(worker, sim, MESSAGE_CANCEL_ACK);
        ack.lease = message->lease;
        sim_send(sim, EVENT_TO_CONTROL, &ack);
        break;
    }
    case MESSAGE_REVOKE:
    case MESSAGE_RESULT_ACK:
        if (task)
            task->state = SLOT_FREE;
        break;
    case MESSAGE_RECONNECT:
        if (strcmp(message->session, worker->session) == 0)
            hello(sim, worker);
        break;
    default:
        break;
    }
}

void worker_event(sim_t *sim, const event_t *event)
{
    int index = event->kind == EVENT_TO_WORKER ? event->message->worker : event->a;
    sim_worker_t *worker = &sim->workers[index];
    if (worker->paused_until > sim->now) { /* it all happens when it thaws, in some order */
        event_t *later =
            sim_schedule(sim, worker->paused_until - sim->now + (int64_t)sim_below(sim, 20), event->kind);
        later->a = event->a;
        later->b = event->b;
        later->message = event->message;
        return;
    }
    if (event->kind == EVENT_WORKER_TICK)
        tick(sim, worker);
    else if (event->kind == EVENT_WORK_DONE)
        finish(sim, worker, event->b);
    else
        receive(sim, worker, event->message);
}
