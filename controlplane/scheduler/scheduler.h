/* Who works on what: pools, workers, queues, leases. Pure: events and the time come in, effects go out.
 *
 * Fairness: within a pool, tenants with something to do share it by weight (stride scheduling: each assignment moves a
 * tenant's pass on by 1/weight, the smallest pass goes first, and a tenant that comes back starts at the pool's present
 * pass; Waldspurger & Weihl 1995, as in Temporal's matching service). Within a tenant, higher priority goes first, then
 * runs take turns, then first come first served.
 *
 * Fencing: each assignment carries a lease (run, task, attempt, epoch). Epochs grow forever (the boot epoch in the upper
 * bits must be greater at each start; the store hands it out), so an assignment can never be mistaken for another one.
 * Only the holder of the current epoch is heard. A lease is renewed by heartbeats that name it; one that is not renewed
 * expires, and its task is queued again with its delivery count visible, up to a limit.
 *
 * Times are milliseconds, monotonic. One thread at a time. Texts handed in are copied. Every function that takes an effect
 * list empties it first; what it then holds is borrowed until the next call that takes one.
 */
#ifndef NV_SCHEDULER_SCHEDULER_H
#define NV_SCHEDULER_SCHEDULER_H

#include <stdint.h>

#include "common/core/error.h"
#include "common/core/mem.h"

typedef struct nv_sched nv_sched_t;

enum { NV_SCHED_PRIORITIES = 5, NV_SCHED_PRIORITY_DEFAULT = 2, NV_SCHED_KINDS_MAX = 64 };

/* Zero fields take their default. */
typedef struct nv_sched_config {
    int64_t lease_ms;               /* default 4,000 */
    int64_t heartbeat_min_ms;       /* default 1,000 */
    int64_t heartbeat_max_ms;       /* default 30,000 */
    uint32_t heartbeats_per_second; /* of all workers together; beyond it the interval grows; default 2,000 */
    uint32_t queue_max;             /* tasks waiting in one pool; default 100,000 */
    uint32_t deliveries_max;        /* of one attempt; default 5 */
    uint32_t tenants_max, pools_max, workers_max; /* defaults 10,000, 10,000, 100,000 */
    int64_t cancel_ack_ms; /* without an acknowledgement the cancel is pushed again; default 1,000 */
} nv_sched_config_t;

/* Names a lease. Texts are borrowed. */
typedef struct nv_lease {
    const char *run;
    uint64_t task;
    uint32_t attempt;
    uint64_t epoch; /* 0: not known */
} nv_lease_t;

typedef enum nv_sched_effect_kind {
    NV_SCHED_ASSIGN,    /* worker, lease, kind, tenant, pool, delivery, lease_ms */
    NV_SCHED_CANCEL,    /* worker, lease: stop it and acknowledge */
    NV_SCHED_REVOKE,    /* worker, lease: no longer this worker's; stop it */
    NV_SCHED_REQUEUED,  /* lease (the one that expired), worker, delivery */
    NV_SCHED_LOST,      /* lease: given up after deliveries_max; the run must treat the attempt as failed */
    NV_SCHED_CANCELLED, /* lease: acknowledged, or its worker is gone */
    NV_SCHED_DRAINED,   /* worker: was draining and has nothing left */
} nv_sched_effect_kind_t;

typedef struct nv_sched_effect {
    nv_sched_effect_kind_t kind;
    nv_lease_t lease;
    const char *worker; /* session */
    const char *tenant;
    const char *pool;
    const char *task_kind;
    uint32_t delivery; /* 1 for the first */
    int64_t lease_ms;
    int64_t queued_ms; /* how long it waited */
} nv_sched_effect_t;

typedef struct nv_sched_effects {
    nv_mem_t *ctx;
    nv_sched_effect_t *list;
    size_t count;
    size_t capacity;
} nv_sched_effects_t;

nv_sched_effects_t *nv_sched_effects_new(nv_mem_t *ctx);

/* boot_epoch: 1 to 2^22, greater than at any earlier start. */
nv_sched_t *nv_sched_new(nv_mem_t *ctx, const nv_sched_config_t *config, uint64_t boot_epoch);
void nv_sched_free(nv_sched_t *sched);

/* Creates or changes. weight 0: 1. max_running 0: no limit of its own. */
bool nv_sched_set_tenant(nv_sched_t *sched, const char *tenant, uint32_t weight, uint32_t max_running,
                         nv_error_t *err) NV_MUST_CHECK;
/* dedicated_to NULL: shared. A pool never changes whom it serves. */
bool nv_sched_set_pool(nv_sched_t *sched, const char *pool, const char *dedicated_to,
                       nv_error_t *err) NV_MUST_CHECK;
bool nv_sched_pool_serves(const nv_sched_t *sched, const char *pool, const char *tenant);

typedef struct nv_sched_task {
    nv_lease_t lease; /* the epoch is for nv_sched_restore() only */
    const char *tenant;
    const char *pool;
    const char *kind;
    uint32_t priority; /* 0 (first) … NV_SCHED_PRIORITIES - 1 */
    int64_t stall_ms;  /* a lease whose progress stands still for so long is not renewed; 0: never */
} nv_sched_task_t;
/* Refused: unknown tenant or pool (NOT_FOUND), a pool that does not serve the tenant (PERMISSION_DENIED), a full queue
 * (RESOURCE_EXHAUSTED; try later), the same or a newer attempt is there already (ALREADY_EXISTS). An older attempt of
 * the task, or the same one while it is being cancelled, is replaced: its holder gets REVOKE. */
bool nv_sched_submit(nv_sched_t *sched, const nv_sched_task_t *task, int64_t now_ms,
                     nv_sched_effects_t *effects, nv_error_t *err) NV_MUST_CHECK;

/* A lease of an earlier life of the control plane, as the store has it (epoch included): as if its worker, known by name
 * and session, had lost its connection just now. It comes back with nv_sched_join(), or the lease runs out. Call before
 * anything else of the task is submitted. ALREADY_EXISTS: the task or the session is there already. */
bool nv_sched_restore(nv_sched_t *sched, const nv_sched_task_t *task, const char *session, const char *name,
                      int64_t now_ms, nv_error_t *err) NV_MUST_CHECK;

typedef struct nv_sched_worker {
    const char *session; /* unique for ever */
    const char *name;
    const char *pool;
    uint32_t slots;
    const char *const *kinds; /* task kinds it can do; none: all */
    size_t kind_count;
} nv_sched_worker_t;
/* held: leases it says it still works on (after a reconnect). Those that are still its name's are kept by the new
 * session; the rest is told off with REVOKE. */
bool nv_sched_join(nv_sched_t *sched, const nv_sched_worker_t *worker, const nv_lease_t *held,
                   size_t held_count, int64_t now_ms, nv_sched_effects_t *effects,
                   nv_error_t *err) NV_MUST_CHECK;
/* The connection is gone. Its leases run on until they expire, so that a reconnect may keep them. */
void nv_sched_leave(nv_sched_t *sched, const char *session, int64_t now_ms, nv_sched_effects_t *effects);
/* progress[i]: any number that changes when leases[i] got further; NULL: unknown. *interval_ms: when to beat next. */
bool nv_sched_heartbeat(nv_sched_t *sched, const char *session, const nv_lease_t *leases,
                        const uint64_t *progress, size_t count, int64_t now_ms, int64_t *interval_ms,
                        nv_sched_effects_t *effects, nv_error_t *err) NV_MUST_CHECK;
int64_t nv_sched_heartbeat_interval(const nv_sched_t *sched);
int64_t nv_sched_lease_ms(const nv_sched_t *sched);

/* Is this session the holder of exactly this lease? Everything a worker says about a task goes through here first.
 * ABORTED: stale. */
bool nv_sched_check(nv_sched_t *sched, const char *session, const nv_lease_t *lease,
                    nv_error_t *err) NV_MUST_CHECK;
/* The worker is done with it (a result of any kind). Checks, then ends the lease and frees the slot. Commit the result
 * between nv_sched_check() and this; a task being cancelled is stale for results. */
bool nv_sched_complete(nv_sched_t *sched, const char *session, const nv_lease_t *lease, int64_t now_ms,
                       nv_sched_effects_t *effects, nv_error_t *err) NV_MUST_CHECK;

/* attempt 0: any. A waiting task is forgotten at once; a running one is cancelled at its worker. False: not there. */
bool nv_sched_cancel(nv_sched_t *sched, const char *run, uint64_t task, uint32_t attempt, int64_t now_ms,
                     nv_sched_effects_t *effects);
void nv_sched_cancel_run(nv_sched_t *sched, const char *run, int64_t now_ms, nv_sched_effects_t *effects);
bool nv_sched_cancel_ack(nv_sched_t *sched, const char *session, const nv_lease_t *lease, int64_t now_ms,
                         nv_sched_effects_t *effects, nv_error_t *err) NV_MUST_CHECK;

/* Workers whose name matches (with * and ?) in the pool (NULL: all) get nothing new; kept for workers yet to come. */
bool nv_sched_drain(nv_sched_t *sched, const char *pool, const char *name_pattern,
                    nv_sched_effects_t *effects, nv_error_t *err) NV_MUST_CHECK;
bool nv_sched_undrain(nv_sched_t *sched, const char *pool, const char *name_pattern);

/* Expires leases and assigns what can be assigned. Call after events and when nv_sched_next_ms() comes. */
void nv_sched_step(nv_sched_t *sched, int64_t now_ms, nv_sched_effects_t *effects);
/* When the next lease could expire; INT64_MAX: never. */
int64_t nv_sched_next_ms(const nv_sched_t *sched);

/* Read-outs (also for KEDA: desired slots = waiting + running). */
typedef struct nv_sched_pool_stats {
    const char *pool;
    const char *dedicated_to; /* NULL: shared */
    uint32_t workers, draining, slots, running, waiting;
    int64_t oldest_waiting_ms; /* age */
} nv_sched_pool_stats_t;
bool nv_sched_pool_stats(const nv_sched_t *sched, const char *pool, int64_t now_ms,
                         nv_sched_pool_stats_t *out);
/* Calls visit for each pool, worker; order of creation. */
void nv_sched_each_pool(const nv_sched_t *sched, int64_t now_ms,
                        void (*visit)(const nv_sched_pool_stats_t *stats, void *user), void *user);
typedef struct nv_sched_worker_stats {
    const char *session;
    const char *name;
    const char *pool;
    uint32_t slots, running;
    int64_t joined_ms, last_beat_ms;
    bool connected, draining;
} nv_sched_worker_stats_t;
void nv_sched_each_worker(const nv_sched_t *sched,
                          void (*visit)(const nv_sched_worker_stats_t *stats, void *user), void *user);
typedef struct nv_sched_tenant_stats {
    const char *tenant;
    uint32_t weight, max_running, running, waiting;
    uint64_t assigned; /* ever */
} nv_sched_tenant_stats_t;
bool nv_sched_tenant_stats(const nv_sched_t *sched, const char *tenant, nv_sched_tenant_stats_t *out);
/* Why the task of a run that waits longest is not assigned. */
typedef enum nv_sched_wait {
    NV_SCHED_WAIT_NONE,     /* nothing waits */
    NV_SCHED_WAIT_WORKER,   /* the pool has no connected worker */
    NV_SCHED_WAIT_DRAINING, /* all of them drain */
    NV_SCHED_WAIT_KIND,     /* those that do not drain cannot do this kind of task */
    NV_SCHED_WAIT_TENANT,   /* the tenant runs as many tasks as it may */
    NV_SCHED_WAIT_SLOT,     /* every slot is busy, or others' turn comes first */
} nv_sched_wait_t;
typedef struct nv_sched_run_stats {
    uint32_t running, waiting;
    nv_sched_wait_t wait;
    const char *pool, *kind;   /* of the task that waits longest; NULL: nothing waits */
    int64_t oldest_waiting_ms; /* its age */
    uint32_t max_running;      /* the tenant's limit; 0: none */
} nv_sched_run_stats_t;
/* Takes as long as there are tasks in the run and workers. False: no task of the run is here. */
bool nv_sched_run_stats(const nv_sched_t *sched, const char *run, int64_t now_ms, nv_sched_run_stats_t *out);
/* The lease a task has now (epoch 0: waiting), and who holds it (NULL: nobody). False: unknown task. */
bool nv_sched_find(const nv_sched_t *sched, const char *run, uint64_t task, nv_lease_t *lease,
                   const char **session);
/* Checks every internal invariant; for tests. False names the broken one. */
bool nv_sched_audit(const nv_sched_t *sched, nv_error_t *err) NV_MUST_CHECK;

#endif
