/* Read-outs, and the audit of every internal invariant. */
#include <string.h>

#include "controlplane/scheduler/internal.h"

static void fill(const pool_t *pool, int64_t now_ms, nv_sched_pool_stats_t *out)
{
    int64_t oldest = pool->oldest ? pool->oldest->queued_ms : now_ms;
    *out = (nv_sched_pool_stats_t){
        .pool = pool->name,
        .dedicated_to = pool->dedicated ? pool->dedicated->name : NULL,
        .workers = pool->workers,
        .draining = pool->draining,
        .slots = pool->slots,
        .running = pool->running,
        .waiting = pool->waiting,
        .oldest_waiting_ms = now_ms > oldest ? now_ms - oldest : 0,
    };
}

bool nv_sched_pool_stats(const nv_sched_t *sched, const char *name, int64_t now_ms,
                         nv_sched_pool_stats_t *out)
{
    const pool_t *pool = sched_pool(sched, name);
    if (pool)
        fill(pool, now_ms, out);
    return pool != NULL;
}

void nv_sched_each_pool(const nv_sched_t *sched, int64_t now_ms,
                        void (*visit)(const nv_sched_pool_stats_t *stats, void *user), void *user)
{
    for (const pool_t *pool = sched->pools; pool; pool = pool->hh.next) {
        nv_sched_pool_stats_t stats;
        fill(pool, now_ms, &stats);
        visit(&stats, user);
    }
}

void nv_sched_each_worker(const nv_sched_t *sched,
                          void (*visit)(const nv_sched_worker_stats_t *stats, void *user), void *user)
{
    for (const worker_t *worker = sched->workers; worker; worker = worker->hh.next) {
        nv_sched_worker_stats_t stats = {
            .session = worker->session,
            .name = worker->name,
            .pool = worker->pool->name,
            .slots = worker->slots,
            .running = worker->running,
            .joined_ms = worker->joined_ms,
            .last_beat_ms = worker->last_beat_ms,
            .connected = worker->connected,
            .draining = worker->draining,
        };
        visit(&stats, user);
    }
}

bool nv_sched_tenant_stats(const nv_sched_t *sched, const char *name, nv_sched_tenant_stats_t *out)
{
    const tenant_t *tenant = sched_tenant(sched, name);
    if (!tenant)
        return false;
    *out = (nv_sched_tenant_stats_t){
        .tenant = tenant->name,
        .weight = tenant->weight,
        .max_running = tenant->max_running,
        .running = tenant->running,
        .waiting = tenant->waiting,
        .assigned = tenant->assigned,
    };
    return true;
}

static nv_sched_wait_t why_waiting(const nv_sched_t *sched, const task_t *task)
{
    const pool_t *pool = task->share->pool;
    bool able = false;
    if (pool->workers == 0)
        return NV_SCHED_WAIT_WORKER;
    if (pool->draining >= pool->workers)
        return NV_SCHED_WAIT_DRAINING;
    for (const worker_t *worker = sched->workers; worker && !able; worker = worker->hh.next)
        able = worker->pool == pool && worker->connected && !worker->draining &&
               (worker->kinds >> task->kind & 1);
    if (!able)
        return NV_SCHED_WAIT_KIND;
    return queue_tenant_may_run(task->share->tenant) ? NV_SCHED_WAIT_SLOT : NV_SCHED_WAIT_TENANT;
}

bool nv_sched_run_stats(const nv_sched_t *sched, const char *name, int64_t now_ms, nv_sched_run_stats_t *out)
{
    const run_t *run;
    const task_t *oldest = NULL;
    *out = (nv_sched_run_stats_t){.wait = NV_SCHED_WAIT_NONE};
    HASH_FIND_STR(sched->runs, name, run);
    for (const task_t *task = run ? run->tasks : NULL; task; task = task->run_next) {
        out->running += task->worker != NULL;
        out->waiting += task->queue != NULL;
        if (task->queue && (!oldest || task->queued_ms < oldest->queued_ms))
            oldest = task;
    }
    if (!oldest)
        return run != NULL;
    out->wait = why_waiting(sched, oldest);
    out->pool = oldest->share->pool->name;
    out->kind = sched->kinds[oldest->kind];
    out->oldest_waiting_ms = now_ms > oldest->queued_ms ? now_ms - oldest->queued_ms : 0;
    out->max_running = oldest->share->tenant->max_running;
    return true;
}

bool nv_sched_find(const nv_sched_t *sched, const char *run, uint64_t id, nv_lease_t *lease,
                   const char **session)
{
    const task_t *task = sched_task(sched, run, id);
    if (!task)
        return false;
    *lease = sched_lease_of(task);
    *session = task->worker ? task->worker->session : NULL;
    return true;
}

static bool audit_task(const nv_sched_t *sched, const task_t *task, nv_error_t *err)
{
    const share_t *share = task->share;
    if (!sched_serves(share->pool, share->tenant))
        return nv_fail(err, NV_INTERNAL, "tenant isolation: a task of \"%s\" is in pool \"%s\"",
                       share->tenant->name, share->pool->name);
    if ((task->worker != NULL) == (task->queue != NULL))
        return nv_fail(err, NV_INTERNAL, "a task is neither or both waiting and leased");
    if (task->worker &&
        (task->worker->pool != share->pool || task->epoch == 0 || sched_lease(sched, task->epoch) != task))
        return nv_fail(err, NV_INTERNAL, "a lease is not where its epoch says, or in another pool");
    return true;
}

static bool audit_worker(const worker_t *worker, nv_error_t *err)
{
    uint32_t leases = 0;
    for (const task_t *task = worker->leases; task; task = task->next) {
        if (task->worker != worker)
            return nv_fail(err, NV_INTERNAL, "lease exclusivity: a lease is listed by two workers");
        leases++;
    }
    if (leases != worker->running)
        return nv_fail(err, NV_INTERNAL, "worker \"%s\" counts %u leases and holds %u", worker->name,
                       worker->running, leases);
    bool is_free = worker->connected && !worker->draining && worker->running < worker->slots;
    if (is_free != worker->is_free)
        return nv_fail(err, NV_INTERNAL, "worker \"%s\" is free and not listed so, or the reverse",
                       worker->name);
    return true;
}

static bool audit_tenant(const tenant_t *tenant, nv_error_t *err)
{
    uint32_t waiting = 0;
    for (const share_t *share = tenant->shares; share; share = share->next_of_tenant) {
        waiting += share->waiting;
        if ((share->heap_at != 0) != (share->waiting && queue_tenant_may_run(tenant)))
            return nv_fail(err, NV_INTERNAL, "tenant \"%s\" is in the wrong place of a pool's order",
                           tenant->name);
        if (share->heap_at && share->pool->heap[share->heap_at - 1] != share)
            return nv_fail(err, NV_INTERNAL, "tenant \"%s\": broken heap", tenant->name);
    }
    if (waiting != tenant->waiting)
        return nv_fail(err, NV_INTERNAL, "tenant \"%s\" counts %u waiting and has %u", tenant->name,
                       tenant->waiting, waiting);
    return true;
}

bool nv_sched_audit(const nv_sched_t *sched, nv_error_t *err)
{
    for (const task_t *task = sched->tasks; task; task = task->hh.next)
        if (!audit_task(sched, task, err))
            return false;
    for (const worker_t *worker = sched->workers; worker; worker = worker->hh.next)
        if (!audit_worker(worker, err))
            return false;
    for (const tenant_t *tenant = sched->tenants; tenant; tenant = tenant->hh.next)
        if (!audit_tenant(tenant, err))
            return false;
    for (const pool_t *pool = sched->pools; pool; pool = pool->hh.next)
        for (size_t i = 1; i < pool->heap_count; i++)
            if (pool->heap[i]->pass < pool->heap[(i - 1) / 2]->pass)
                return nv_fail(err, NV_INTERNAL, "pool \"%s\": heap order", pool->name);
    return true;
}
