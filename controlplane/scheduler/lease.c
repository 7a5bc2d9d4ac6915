/* Leases: assignment, renewal's counterpart expiry, and the end. */
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "controlplane/scheduler/internal.h"

static void expiry_push(nv_sched_t *sched, int64_t due_ms, uint64_t epoch)
{
    NV_PUSH(sched, sched->expiries, sched->expiry_count, sched->expiry_capacity) = (expiry_t){due_ms, epoch};
    expiry_t *heap = sched->expiries;
    for (size_t at = sched->expiry_count - 1; at && heap[at].due_ms < heap[(at - 1) / 2].due_ms;
         at = (at - 1) / 2) {
        expiry_t t = heap[at];
        heap[at] = heap[(at - 1) / 2];
        heap[(at - 1) / 2] = t;
    }
}

static expiry_t expiry_pop(nv_sched_t *sched)
{
    expiry_t *heap = sched->expiries;
    expiry_t first = heap[0];
    heap[0] = heap[--sched->expiry_count];
    for (size_t at = 0;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < sched->expiry_count; child++)
            if (heap[child].due_ms < heap[least].due_ms)
                least = child;
        if (least == at)
            return first;
        expiry_t t = heap[at];
        heap[at] = heap[least];
        heap[least] = t;
        at = least;
    }
}

int64_t nv_sched_lease_ms(const nv_sched_t *sched)
{
    int64_t beats = 3 * nv_sched_heartbeat_interval(sched);
    return beats > sched->config.lease_ms ? beats : sched->config.lease_ms;
}

int64_t nv_sched_next_ms(const nv_sched_t *sched)
{
    return sched->expiry_count ? sched->expiries[0].due_ms : INT64_MAX;
}

/* The books of a lease that begins: of a new one and of one read back alike. */
static void lease_begin(nv_sched_t *sched, task_t *task, worker_t *worker, uint64_t epoch, int64_t now_ms)
{
    share_t *share = task->share;
    assert(worker->pool == share->pool && sched_serves(worker->pool, share->tenant)); /* tenant isolation */
    task->worker = worker;
    task->epoch = epoch;
    task->deliveries++;
    task->expires_ms = now_ms + nv_sched_lease_ms(sched);
    task->progress = 0;
    task->progress_ms = now_ms;
    DL_APPEND(worker->leases, task);
    HASH_ADD(hh_epoch, sched->leases, epoch, sizeof task->epoch, task);
    expiry_push(sched, task->expires_ms, task->epoch);
    worker->running++;
    share->pool->running++;
    share->tenant->running++;
    worker_update_free(sched, worker);
    queue_tenant_changed(sched, share->tenant);
}

void lease_assign(nv_sched_t *sched, task_t *task, worker_t *worker, int64_t now_ms,
                  nv_sched_effects_t *effects)
{
    share_t *share = task->share;
    assert(worker->running < worker->slots && !worker->draining && worker->connected);
    assert(queue_tenant_may_run(share->tenant));
    queue_charge(share);
    queue_remove(sched, task);
    share->tenant->assigned++;
    lease_begin(sched, task, worker, sched->next_epoch++, now_ms);
    nv_sched_effect_t *effect = sched_effect(effects, NV_SCHED_ASSIGN, task);
    effect->task_kind = sched->kinds[task->kind];
    effect->lease_ms = nv_sched_lease_ms(sched);
    effect->queued_ms = now_ms - task->queued_ms;
}

void lease_restore(nv_sched_t *sched, task_t *task, worker_t *worker, uint64_t epoch, int64_t now_ms)
{
    assert(!task->queue && !worker->connected);
    lease_begin(sched, task, worker, epoch, now_ms);
}

void lease_end(nv_sched_t *sched, task_t *task)
{
    worker_t *worker = task->worker;
    assert(worker && worker->running > 0);
    DL_DELETE(worker->leases, task);
    HASH_DELETE(hh_epoch, sched->leases, task);
    task->worker = NULL;
    task->epoch = 0;
    worker->running--;
    task->share->pool->running--;
    task->share->tenant->running--;
    worker_update_free(sched, worker);
    queue_tenant_changed(sched, task->share->tenant);
}

void task_forget(nv_sched_t *sched, task_t *task)
{
    assert(!task->worker);
    if (task->queue)
        queue_remove(sched, task);
    run_t *run = task->run;
    HASH_DEL(sched->tasks, task);
    DL_DELETE2(run->tasks, task, run_prev, run_next);
    sched_bury(sched, task);
    if (run->tasks)
        return;
    assert(!run->queues);
    HASH_DEL(sched->runs, run);
    sched_bury(sched, run);
}

static void expire(nv_sched_t *sched, task_t *task, nv_sched_effects_t *effects)
{
    worker_t *worker = task->worker;
    bool cancelled = task->cancelling;
    bool give_up = task->deliveries >= sched->config.deliveries_max;
    sched_effect(effects, cancelled ? NV_SCHED_CANCELLED : give_up ? NV_SCHED_LOST : NV_SCHED_REQUEUED, task);
    lease_end(sched, task);
    if (cancelled || give_up)
        task_forget(sched, task);
    else
        queue_add(sched, task, true);
    worker_after_release(sched, worker, effects);
}

void lease_expire_due(nv_sched_t *sched, int64_t now_ms, nv_sched_effects_t *effects)
{
    while (sched->expiry_count && sched->expiries[0].due_ms <= now_ms) {
        expiry_t due = expiry_pop(sched);
        task_t *task = sched_lease(sched, due.epoch);
        if (!task)
            continue;
        if (task->expires_ms > now_ms)
            expiry_push(sched, task->expires_ms, task->epoch); /* it was renewed since */
        else
            expire(sched, task, effects);
    }
}

static bool same_lease(const task_t *task, const nv_lease_t *lease)
{
    return task && task->key.task == lease->task && task->attempt == lease->attempt && lease->run &&
           strcmp(task->run->name, lease->run) == 0;
}

static task_t *held(nv_sched_t *sched, const char *session, const nv_lease_t *lease, nv_error_t *err)
{
    task_t *task = sched_lease(sched, lease->epoch);
    if (!same_lease(task, lease) || strcmp(task->worker->session, session) != 0) {
        nv_fail(err, NV_ABORTED, "stale lease: task %" PRIu64 " attempt %u epoch %" PRIu64 " of run \"%s\"",
                lease->task, lease->attempt, lease->epoch, lease->run ? lease->run : "");
        return NULL;
    }
    return task;
}

bool nv_sched_check(nv_sched_t *sched, const char *session, const nv_lease_t *lease, nv_error_t *err)
{
    const task_t *task = held(sched, session, lease, err);
    if (!task)
        return false;
    if (task->cancelling)
        return nv_fail(err, NV_ABORTED, "task %" PRIu64 " of run \"%s\" was cancelled", lease->task,
                       lease->run);
    return true;
}

bool nv_sched_complete(nv_sched_t *sched, const char *session, const nv_lease_t *lease, int64_t now_ms,
                       nv_sched_effects_t *effects, nv_error_t *err)
{
    (void)now_ms;
    sched_begin(sched, effects);
    task_t *task = held(sched, session, lease, err);
    if (!task)
        return false;
    worker_t *worker = task->worker;
    bool cancelled = task->cancelling;
    if (cancelled)
        sched_effect(effects, NV_SCHED_CANCELLED, task);
    lease_end(sched, task);
    task_forget(sched, task);
    worker_after_release(sched, worker, effects);
    if (cancelled)
        return nv_fail(err, NV_ABORTED, "task %" PRIu64 " of run \"%s\" was cancelled", lease->task,
                       lease->run);
    return true;
}

static void cancel(nv_sched_t *sched, task_t *task, int64_t now_ms, nv_sched_effects_t *effects)
{
    if (!task->worker) {
        sched_effect(effects, NV_SCHED_CANCELLED, task);
        task_forget(sched, task);
        return;
    }
    if (task->cancelling)
        return;
    task->cancelling = true;
    task->cancel_pushed_ms = now_ms;
    sched_effect(effects, NV_SCHED_CANCEL, task);
}

bool nv_sched_cancel(nv_sched_t *sched, const char *run, uint64_t id, uint32_t attempt, int64_t now_ms,
                     nv_sched_effects_t *effects)
{
    sched_begin(sched, effects);
    task_t *task = sched_task(sched, run, id);
    if (!task || (attempt && task->attempt != attempt))
        return false;
    cancel(sched, task, now_ms, effects);
    return true;
}

void nv_sched_cancel_run(nv_sched_t *sched, const char *name, int64_t now_ms, nv_sched_effects_t *effects)
{
    sched_begin(sched, effects);
    run_t *run;
    HASH_FIND_STR(sched->runs, name, run);
    if (!run)
        return;
    task_t *task, *following;
    DL_FOREACH_SAFE2(run->tasks, task, following, run_next)
    cancel(sched, task, now_ms, effects);
}

bool nv_sched_cancel_ack(nv_sched_t *sched, const char *session, const nv_lease_t *lease, int64_t now_ms,
                         nv_sched_effects_t *effects, nv_error_t *err)
{
    (void)now_ms;
    sched_begin(sched, effects);
    task_t *task = held(sched, session, lease, err);
    if (!task)
        return false;
    if (!task->cancelling)
        return nv_fail(err, NV_FAILED_PRECONDITION, "task %" PRIu64 " of run \"%s\" was not cancelled",
                       lease->task, lease->run);
    worker_t *worker = task->worker;
    sched_effect(effects, NV_SCHED_CANCELLED, task);
    lease_end(sched, task);
    task_forget(sched, task);
    worker_after_release(sched, worker, effects);
    return true;
}

static void fill_pool(nv_sched_t *sched, pool_t *pool, int64_t now_ms, nv_sched_effects_t *effects)
{
    size_t without = 0; /* workers in a row that found nothing */
    while (pool->heap_count && pool->free && without < pool->free_count) {
        worker_t *worker = pool->free;
        pool->free = worker->next; /* by turns */
        task_t *task = worker_is_silent(sched, worker, now_ms) ? NULL : queue_pick(pool, worker);
        if (!task) {
            without++;
            continue;
        }
        without = 0;
        lease_assign(sched, task, worker, now_ms, effects);
    }
}

void nv_sched_step(nv_sched_t *sched, int64_t now_ms, nv_sched_effects_t *effects)
{
    sched_begin(sched, effects);
    lease_expire_due(sched, now_ms, effects);
    while (sched->dirty) {
        pool_t *pool = sched->dirty;
        sched->dirty = pool->next_dirty;
        pool->next_dirty = NULL;
        fill_pool(sched, pool, now_ms, effects);
        pool->dirty = false; /* only now: assigning marks it again */
    }
}
