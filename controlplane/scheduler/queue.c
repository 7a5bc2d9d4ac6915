/* Waiting tasks: pool -> tenants by pass (a heap) -> priorities -> runs by turns -> tasks in order of arrival. */
#include <assert.h>

#include "controlplane/scheduler/internal.h"

static bool before(const share_t *a, const share_t *b)
{
    return a->pass != b->pass ? a->pass < b->pass : a->order < b->order;
}

static void heap_put(pool_t *pool, size_t at, share_t *share)
{
    pool->heap[at] = share;
    share->heap_at = at + 1;
}

static void heap_up(pool_t *pool, size_t at)
{
    share_t *share = pool->heap[at];
    for (; at && before(share, pool->heap[(at - 1) / 2]); at = (at - 1) / 2)
        heap_put(pool, at, pool->heap[(at - 1) / 2]);
    heap_put(pool, at, share);
}

static void heap_down(pool_t *pool, size_t at)
{
    share_t *share = pool->heap[at];
    for (;;) {
        size_t child = 2 * at + 1;
        if (child + 1 < pool->heap_count && before(pool->heap[child + 1], pool->heap[child]))
            child++;
        if (child >= pool->heap_count || !before(pool->heap[child], share))
            break;
        heap_put(pool, at, pool->heap[child]);
        at = child;
    }
    heap_put(pool, at, share);
}

static void heap_add(nv_sched_t *sched, share_t *share)
{
    pool_t *pool = share->pool;
    if (share->heap_at)
        return;
    /* who was away does not get its absence back */
    share->pass = share->pass > pool->pass ? share->pass : pool->pass;
    NV_PUSH(sched, pool->heap, pool->heap_count, pool->heap_capacity) = share;
    heap_up(pool, pool->heap_count - 1);
}

static void heap_remove(share_t *share)
{
    pool_t *pool = share->pool;
    if (!share->heap_at)
        return;
    size_t at = share->heap_at - 1;
    share->heap_at = 0;
    share_t *last = pool->heap[--pool->heap_count];
    if (last == share)
        return;
    heap_put(pool, at, last);
    heap_down(pool, at);
    heap_up(pool, last->heap_at - 1);
}

bool queue_tenant_may_run(const tenant_t *tenant)
{
    return tenant->max_running == 0 || tenant->running < tenant->max_running;
}

static void update_heap(nv_sched_t *sched, share_t *share)
{
    if (share->waiting && queue_tenant_may_run(share->tenant)) {
        heap_add(sched, share);
        sched_mark_dirty(sched, share->pool);
    } else {
        heap_remove(share);
    }
}

void queue_tenant_changed(nv_sched_t *sched, tenant_t *tenant)
{
    for (share_t *share = tenant->shares; share; share = share->next_of_tenant)
        update_heap(sched, share);
}

void queue_charge(share_t *share)
{
    share->pool->pass = share->pass;
    share->pass += STRIDE_ONE / share->tenant->weight;
    if (share->heap_at)
        heap_down(share->pool, share->heap_at - 1);
}

share_t *share_of(nv_sched_t *sched, tenant_t *tenant, pool_t *pool)
{
    assert(sched_serves(pool, tenant)); /* tenant isolation */
    for (share_t *share = tenant->shares; share; share = share->next_of_tenant)
        if (share->pool == pool)
            return share;
    share_t *share = NV_NEW(sched, share_t);
    share->tenant = tenant;
    share->pool = pool;
    share->order = sched->next_order++;
    share->next_of_tenant = tenant->shares;
    tenant->shares = share;
    return share;
}

static runq_t *queue_of(nv_sched_t *sched, task_t *task)
{
    for (runq_t *queue = task->run->queues; queue; queue = queue->next_of_run)
        if (queue->share == task->share && queue->priority == task->priority)
            return queue;
    runq_t *queue = NV_NEW(sched, runq_t);
    queue->run = task->run;
    queue->share = task->share;
    queue->priority = task->priority;
    queue->next_of_run = task->run->queues;
    task->run->queues = queue;
    CDL_APPEND(task->share->turns[task->priority], queue);
    return queue;
}

static void drop_queue(nv_sched_t *sched, runq_t *queue)
{
    CDL_DELETE(queue->share->turns[queue->priority], queue);
    runq_t **link = &queue->run->queues;
    while (*link != queue)
        link = &(*link)->next_of_run;
    *link = queue->next_of_run;
    nv_mem_free(queue);
    (void)sched;
}

static void count(uint64_t *kinds, uint32_t *counts, uint32_t kind, int change)
{
    counts[kind] += (uint32_t)change;
    if (counts[kind])
        *kinds |= UINT64_C(1) << kind;
    else
        *kinds &= ~(UINT64_C(1) << kind);
}

/* first: a task that had its turn and came back goes ahead of those that wait. */
void queue_add(nv_sched_t *sched, task_t *task, bool first)
{
    share_t *share = task->share;
    assert(sched_serves(share->pool, share->tenant) && !task->worker && !task->queue);
    runq_t *queue = task->queue = queue_of(sched, task);
    if (first) {
        DL_PREPEND(queue->tasks, task);
        DL_PREPEND2(share->pool->oldest, task, arrival_prev, arrival_next);
    } else {
        DL_APPEND(queue->tasks, task);
        DL_APPEND2(share->pool->oldest, task, arrival_prev, arrival_next);
    }
    count(&queue->kinds, queue->kind_counts, task->kind, 1);
    count(&share->kinds, share->kind_counts, task->kind, 1);
    share->waiting++;
    share->pool->waiting++;
    share->tenant->waiting++;
    update_heap(sched, share);
}

void queue_remove(nv_sched_t *sched, task_t *task)
{
    share_t *share = task->share;
    runq_t *queue = task->queue;
    DL_DELETE(queue->tasks, task);
    DL_DELETE2(share->pool->oldest, task, arrival_prev, arrival_next);
    task->queue = NULL;
    count(&queue->kinds, queue->kind_counts, task->kind, -1);
    count(&share->kinds, share->kind_counts, task->kind, -1);
    share->waiting--;
    share->pool->waiting--;
    share->tenant->waiting--;
    if (!queue->tasks)
        drop_queue(sched, queue);
    update_heap(sched, share);
}

static task_t *first_of_kinds(const runq_t *queue, uint64_t kinds)
{
    for (task_t *task = queue->tasks; task; task = task->next)
        if (kinds >> task->kind & 1)
            return task;
    return NULL;
}

static task_t *pick_in_share(share_t *share, uint64_t kinds)
{
    for (uint32_t priority = 0; priority < NV_SCHED_PRIORITIES; priority++) {
        runq_t *head = share->turns[priority];
        for (runq_t *queue = head; queue; queue = queue->next == head ? NULL : queue->next)
            if (queue->kinds & kinds) {
                share->turns[priority] = queue->next; /* the next run has the next turn */
                return first_of_kinds(queue, kinds);
            }
    }
    return NULL;
}

task_t *queue_pick(pool_t *pool, const worker_t *worker)
{
    if (pool->heap_count == 0)
        return NULL;
    share_t *best = pool->heap[0];
    if (!(best->kinds & worker->kinds)) {
        best = NULL; /* the first in line has nothing for this worker: look at all, rare */
        for (size_t i = 0; i < pool->heap_count; i++)
            if ((pool->heap[i]->kinds & worker->kinds) && (!best || before(pool->heap[i], best)))
                best = pool->heap[i];
    }
    return best ? pick_in_share(best, worker->kinds) : NULL;
}
