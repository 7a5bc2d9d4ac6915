#include "sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *const mutation_names[MUTATIONS] = {
    "none",
    "no-fencing",
    "no-cas",
    "lose-records",
    "no-resume",
    "wrong-worker",
    "unfair",
    "skip-event",
    "reuse-epochs",
    "quiet-reassign",
    "forget-timeout",
    "no-lead-fence",
    "unchecked-documents",
    "forget-references",
};
const char *const tenant_names[TENANTS] = {"acme", "birch", "cedar", "dahlia"};
const char *const pool_names[POOLS] = {"shared", "acme-own"};
const uint32_t tenant_weights[TENANTS] = {1, 1, 2, 3};
const uint32_t tenant_quotas[TENANTS] = {0, 0, 3, 0};

int tenant_pool(int tenant)
{
    return tenant == 0 ? 1 : 0;
}

bool pool_serves(int pool, int tenant)
{
    return pool == 0 || tenant == 0;
}

const char *run_name(int run)
{
    static const char *const names[RUNS_MAX] = {"run-0", "run-1", "run-2", "run-3", "run-4"};
    return names[run];
}

nv_lease_t lease_of(const lease_t *lease)
{
    return (nv_lease_t){run_name(lease->run), lease->task, lease->attempt, lease->epoch};
}

uint64_t sim_random(sim_t *sim) /* splitmix64 */
{
    uint64_t x = sim->random += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

uint64_t sim_below(sim_t *sim, uint64_t limit)
{
    return sim_random(sim) % limit;
}

bool sim_chance(sim_t *sim, uint32_t per_thousand)
{
    return sim->faults && sim_below(sim, 1000) < per_thousand;
}

void sim_trace(sim_t *sim, const char *fmt, ...)
{
    if (!sim->verbose)
        return;
    va_list args;
    va_start(args, fmt);
    printf("%8lld  ", (long long)sim->now);
    vprintf(fmt, args);
    printf("\n");
    va_end(args);
}

void sim_violation(sim_t *sim, const char *fmt, ...)
{
    if (sim->violated)
        return;
    sim->violated = true;
    va_list args;
    va_start(args, fmt);
    vsnprintf(sim->violation, sizeof sim->violation, fmt, args);
    va_end(args);
    sim_trace(sim, "VIOLATION: %s", sim->violation);
}

static bool before(const event_t *a, const event_t *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

event_t *sim_schedule(sim_t *sim, int64_t delay, event_kind_t kind)
{
    event_t event = {
        .at = sim->now + delay, .order = ++sim->order, .kind = kind, .plane = sim->control->plane};
    NV_PUSH(sim->ctx, sim->heap, sim->heap_count, sim->heap_capacity) = event;
    size_t at = sim->heap_count - 1;
    for (; at && before(&event, &sim->heap[(at - 1) / 2]); at = (at - 1) / 2)
        sim->heap[at] = sim->heap[(at - 1) / 2];
    sim->heap[at] = event;
    return &sim->heap[at]; /* fields other than the time may still be set */
}

static event_t pop(sim_t *sim)
{
    event_t first = sim->heap[0];
    event_t last = sim->heap[--sim->heap_count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child + 1 < sim->heap_count && before(&sim->heap[child + 1], &sim->heap[child]))
            child++;
        if (child >= sim->heap_count || !before(&sim->heap[child], &last))
            break;
        sim->heap[at] = sim->heap[child];
        at = child;
    }
    sim->heap[at] = last;
    return first;
}

void sim_send(sim_t *sim, event_kind_t to, const message_t *message)
{
    int copies = sim_chance(sim, 30) ? 0 : sim_chance(sim, 30) ? 2 : 1;
    for (int i = 0; i < copies; i++) {
        int64_t delay = 1 + (int64_t)sim_below(sim, 5);
        if (sim_chance(sim, 50))
            delay += (int64_t)sim_below(sim, 4000);
        message_t *copy = nv_memdup(sim->ctx, message, sizeof *message);
        if (to == EVENT_TO_WORKER)
            copy->plane = sim->control->plane;
        sim_schedule(sim, delay, to)->message = copy;
    }
}

/* One control plane is killed, told to stop (then it gives up the lead), or frozen for longer than its lead may last. */
static void inject_control(sim_t *sim)
{
    sim->control = &sim->planes[sim_below(sim, PLANES)];
    if (!sim->control->life || sim->control->paused_until > sim->now)
        return;
    if (sim_chance(sim, 30)) {
        control_crash(sim);
    } else if (sim->control->up && sim_chance(sim, 10)) {
        if (sim->control->term == sim->lead.term)
            sim->lead.until = sim->now;
        control_crash(sim);
    } else if (sim_chance(sim, 60)) {
        sim->control->paused_since = sim->now;
        sim->control->paused_until = sim->now + 200 + (int64_t)sim_below(sim, 6000);
        sim_trace(sim, "control plane %d freezes until %lld", sim->control->plane,
                  (long long)sim->control->paused_until);
    }
}

static void inject(sim_t *sim)
{
    int worker = (int)sim_below(sim, (uint64_t)sim->worker_count);
    if (sim_chance(sim, 150)) {
        sim->workers[worker].paused_until = sim->now + 500 + (int64_t)sim_below(sim, 12000);
        sim_trace(sim, "worker %s is paused until %lld", sim->workers[worker].name,
                  (long long)sim->workers[worker].paused_until);
    } else if (sim_chance(sim, 60)) {
        worker_restart(sim, worker);
    } else {
        inject_control(sim);
    }
    sim_schedule(sim, 200, EVENT_FAULT);
}

static void set_up_workers(sim_t *sim)
{
    sim->worker_count = 2 + (int)sim_below(sim, WORKERS_MAX - 1);
    for (int i = 0; i < sim->worker_count; i++) {
        sim_worker_t *worker = &sim->workers[i];
        worker->pool = i == 1 ? 1 : i == 0 ? 0 : (int)sim_below(sim, POOLS);
        worker->slots = 1 + (uint32_t)sim_below(sim, 3);
        snprintf(worker->name, sizeof worker->name, "worker%c", 'A' + i);
        worker_start(sim, i);
    }
}

static void set_up_runs(sim_t *sim)
{
    sim->run_count = 2 + (int)sim_below(sim, RUNS_MAX - 1);
    for (int i = 0; i < sim->run_count; i++) {
        sim->run_tenant[i] = (int)sim_below(sim, TENANTS);
        sim->run_seed[i] = sim_random(sim);
        sim->run_asks[i] = sim_below(sim, 3) == 0;
        sim_schedule(sim, (int64_t)sim_below(sim, 4000), EVENT_SUBMIT)->a = i;
        if (sim->run_asks[i])
            sim_schedule(sim, 1000, EVENT_ANSWER)->a = i;
        if (sim_below(sim, 12) == 0)
            sim_schedule(sim, (int64_t)sim_below(sim, 20000), EVENT_CANCEL)->a = i;
    }
}

static void put_off(sim_t *sim, const event_t *event, int64_t until)
{
    event_t *later = sim_schedule(sim, until - sim->now + (int64_t)sim_below(sim, 20), event->kind);
    later->plane = event->plane;
    later->a = event->a;
    later->b = event->b;
    later->message = event->message;
}

/* What comes to a control plane that is frozen happens when it thaws, in some order. */
static bool reaches(sim_t *sim, const event_t *event)
{
    sim->control = &sim->planes[event->kind == EVENT_TO_CONTROL ? event->message->plane : event->plane];
    if (sim->control->paused_until <= sim->now)
        return true;
    put_off(sim, event, sim->control->paused_until);
    return false;
}

/* People try one address, then the other. Of one that is frozen they hear nothing: their request lies there meanwhile. */
static void ask(sim_t *sim, const event_t *event)
{
    event_t request = *event;
    request.plane = (int)sim_below(sim, PLANES);
    sim->control = &sim->planes[request.plane];
    if (sim->control->up && sim->control->paused_until <= sim->now) {
        control_event(sim, &request);
        return;
    }
    if (sim->control->up && event->kind == EVENT_SUBMIT) {
        event_t *lies = sim_schedule(sim, sim->control->paused_until - sim->now, EVENT_SUBMIT_LATE);
        lies->a = event->a;
    }
    sim_schedule(sim, 500 + (int64_t)sim_below(sim, 1000), event->kind)->a = event->a;
}

static void handle(sim_t *sim, const event_t *event)
{
    switch (event->kind) {
    case EVENT_TO_WORKER:
    case EVENT_WORKER_TICK:
    case EVENT_WORK_DONE:
        worker_event(sim, event);
        break;
    case EVENT_CONTROL_START:
        sim->control = &sim->planes[event->plane];
        control_start(sim);
        break;
    case EVENT_SUBMIT:
    case EVENT_CANCEL:
    case EVENT_ANSWER:
        ask(sim, event);
        break;
    case EVENT_LATE_COMMIT:
        store_apply_late(sim, event->batch);
        break;
    case EVENT_FAULT:
        if (sim->faults)
            inject(sim);
        break;
    default:
        if (reaches(sim, event))
            control_event(sim, event);
    }
}

static bool all_ended(const sim_t *sim)
{
    for (int i = 0; i < sim->run_count; i++)
        if (!sim->store[i].ended)
            return false;
    return true;
}

static void clear_dead(sim_t *sim)
{
    nv_mem_free(sim->dead);
    sim->dead = nv_mem_root("dead");
}

static void live(sim_t *sim)
{
    while (sim->heap_count && !sim->violated && sim->now < END_MS) {
        event_t event = pop(sim);
        sim->now = event.at;
        sim->faults = sim->now < FAULTS_UNTIL_MS;
        handle(sim, &event);
        clear_dead(sim);
        check_scheduler(sim);
        if (!sim->faults && all_ended(sim))
            break;
    }
}

bool sim_run(sim_t *sim, uint64_t seed)
{
    mutation_t mutation = sim->mutation;
    bool verbose = sim->verbose;
    memset(sim, 0, sizeof *sim);
    sim->mutation = mutation;
    sim->verbose = verbose;
    sim->seed = sim->random = seed;
    sim->ctx = nv_mem_root("simulation");
    sim->dead = nv_mem_root("dead");
    sim->faults = true;
    for (int i = 0; i < PLANES; i++) {
        sim->control = &sim->planes[i];
        sim->control->plane = i;
        control_start(sim);
    }
    set_up_workers(sim);
    set_up_runs(sim);
    sim_schedule(sim, 200, EVENT_FAULT);
    live(sim);
    if (!sim->violated)
        check_end(sim);
    for (int i = 0; i < PLANES; i++)
        if (sim->planes[i].up)
            nv_mem_free(sim->planes[i].ctx);
    nv_mem_free(sim->dead);
    nv_mem_free(sim->ctx);
    return !sim->violated;
}
