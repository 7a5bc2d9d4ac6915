/* Shared by the files of this folder only. */
#ifndef NV_SCHEDULER_INTERNAL_H
#define NV_SCHEDULER_INTERNAL_H

#include <uthash.h>
#include <utlist.h>

#include "controlplane/scheduler/scheduler.h"

enum { NAME_MAX_BYTES = 256, EPOCH_BITS = 40, DRAINS_MAX = 1000 };
#define STRIDE_ONE (UINT64_C(1) << 32)

typedef struct share share_t;
typedef struct worker worker_t;
typedef struct task task_t;

typedef struct tenant {
    const char *name;
    uint32_t weight, max_running;
    uint32_t running, waiting;
    uint64_t assigned;
    share_t *shares; /* list by next_of_tenant */
    UT_hash_handle hh;
} tenant_t;

typedef struct pool {
    const char *name;
    tenant_t *dedicated; /* NULL: shared */
    uint64_t pass;       /* of the tenant served last: where newcomers start */
    share_t **heap;      /* shares that may be served, least pass first */
    size_t heap_count, heap_capacity;
    uint32_t waiting, running, workers, slots, draining;
    worker_t *free; /* circular: connected, not draining, with a free slot */
    size_t free_count;
    task_t *oldest; /* waiting tasks in order of arrival, by arrival_prev/next */
    bool dirty;
    struct pool *next_dirty;
    UT_hash_handle hh;
} pool_t;

/* The tasks of one run in one share and priority, first come first served. */
typedef struct runq {
    struct run *run;
    share_t *share;
    uint32_t priority;
    task_t *tasks;  /* list */
    uint64_t kinds; /* bit per kind that is waiting */
    uint32_t kind_counts[NV_SCHED_KINDS_MAX];
    struct runq *prev, *next; /* circular, by turns */
    struct runq *next_of_run;
} runq_t;

/* A tenant in a pool. */
struct share {
    tenant_t *tenant;
    pool_t *pool;
    uint64_t pass;
    uint64_t order; /* tie-break: creation */
    size_t heap_at; /* index + 1; 0: not in the heap */
    uint32_t waiting;
    uint64_t kinds;
    uint32_t kind_counts[NV_SCHED_KINDS_MAX];
    runq_t *turns[NV_SCHED_PRIORITIES];
    share_t *next_of_tenant;
};

typedef struct run {
    char *name;
    task_t *tasks; /* list by run_prev/run_next */
    runq_t *queues;
    UT_hash_handle hh;
} run_t;

typedef struct task_key {
    const run_t *run;
    uint64_t task;
} task_key_t;

struct task {
    task_key_t key;
    run_t *run;
    share_t *share;
    runq_t *queue;    /* NULL: leased */
    worker_t *worker; /* NULL: waiting */
    uint64_t epoch;   /* 0: waiting */
    uint32_t attempt;
    uint32_t priority;
    uint32_t kind;
    uint32_t deliveries;
    int64_t queued_ms;
    int64_t expires_ms;
    int64_t stall_ms, progress_ms;
    uint64_t progress;
    int64_t cancel_pushed_ms;
    bool cancelling;
    bool lost;           /* dead; waits to be freed */
    task_t *prev, *next; /* in its run queue, or in its worker's leases */
    task_t *run_prev, *run_next;
    task_t *arrival_prev, *arrival_next; /* in its pool's waiting list */
    UT_hash_handle hh;                   /* by key */
    UT_hash_handle hh_epoch;
};

struct worker {
    const char *session;
    const char *name;
    pool_t *pool;
    uint32_t slots, running;
    uint64_t kinds;
    int64_t joined_ms, last_beat_ms;
    bool connected, draining, drained_told;
    bool is_free;
    task_t *leases;
    worker_t *prev, *next; /* in the pool's free list */
    UT_hash_handle hh;
};

typedef struct drain {
    char *pool; /* NULL: all */
    char *pattern;
} drain_t;

typedef struct expiry {
    int64_t due_ms;
    uint64_t epoch;
} expiry_t;

struct nv_sched {
    nv_sched_config_t config;
    uint64_t next_epoch;
    uint64_t next_order;
    tenant_t *tenants;
    pool_t *pools;
    worker_t *workers;
    run_t *runs;
    task_t *tasks;
    task_t *leases; /* by epoch */
    pool_t *dirty;
    char *kinds[NV_SCHED_KINDS_MAX];
    uint32_t kind_count;
    uint32_t connected;
    drain_t *drains;
    size_t drain_count, drain_capacity;
    expiry_t *expiries; /* min-heap with lazy deletion */
    size_t expiry_count, expiry_capacity;
    void **dead; /* freed at the next call, so that effects may point at them */
    size_t dead_count, dead_capacity;
};

/* scheduler.c */
void sched_begin(nv_sched_t *sched, nv_sched_effects_t *effects);
void sched_bury(nv_sched_t *sched, void *object);
bool sched_kind(nv_sched_t *sched, const char *kind, uint32_t *out, nv_error_t *err);
bool sched_check_name(const char *what, const char *name, nv_error_t *err);
tenant_t *sched_tenant(const nv_sched_t *sched, const char *name);
pool_t *sched_pool(const nv_sched_t *sched, const char *name);
worker_t *sched_worker(const nv_sched_t *sched, const char *session);
task_t *sched_task(const nv_sched_t *sched, const char *run, uint64_t task);
task_t *sched_lease(const nv_sched_t *sched, uint64_t epoch);
void sched_mark_dirty(nv_sched_t *sched, pool_t *pool);
bool sched_serves(const pool_t *pool, const tenant_t *tenant);
nv_sched_effect_t *sched_effect(nv_sched_effects_t *effects, nv_sched_effect_kind_t kind, const task_t *task);
nv_lease_t sched_lease_of(const task_t *task);

/* queue.c */
share_t *share_of(nv_sched_t *sched, tenant_t *tenant, pool_t *pool);
void queue_add(nv_sched_t *sched, task_t *task, bool first);
void queue_remove(nv_sched_t *sched, task_t *task);
/* The task that this worker should get next, still in its queue; NULL: none. */
task_t *queue_pick(pool_t *pool, const worker_t *worker);
/* After the tenant's running count or limit changed. */
void queue_tenant_changed(nv_sched_t *sched, tenant_t *tenant);
void queue_charge(share_t *share);
bool queue_tenant_may_run(const tenant_t *tenant);

/* lease.c */
void lease_assign(nv_sched_t *sched, task_t *task, worker_t *worker, int64_t now_ms,
                  nv_sched_effects_t *effects);
/* A lease of an earlier life: the task is neither waiting nor leased, the worker not connected. */
void lease_restore(nv_sched_t *sched, task_t *task, worker_t *worker, uint64_t epoch, int64_t now_ms);
/* Takes the task from its worker and frees the slot; the task is then neither waiting nor leased. */
void lease_end(nv_sched_t *sched, task_t *task);
void lease_expire_due(nv_sched_t *sched, int64_t now_ms, nv_sched_effects_t *effects);
void task_forget(nv_sched_t *sched, task_t *task);

/* worker.c */
void worker_update_free(nv_sched_t *sched, worker_t *worker);
void worker_after_release(nv_sched_t *sched, worker_t *worker, nv_sched_effects_t *effects);
/* The session, or one that is not connected (as after nv_sched_leave()). */
worker_t *worker_absent(nv_sched_t *sched, const char *session, const char *name, pool_t *pool,
                        int64_t now_ms);
bool worker_is_silent(const nv_sched_t *sched, const worker_t *worker, int64_t now_ms);

#endif
