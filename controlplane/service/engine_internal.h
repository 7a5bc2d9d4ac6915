/* Inside the engine. Everything here belongs to the engine's thread unless it says otherwise. */
#ifndef CONTROLPLANE_SERVICE_ENGINE_INTERNAL_H
#define CONTROLPLANE_SERVICE_ENGINE_INTERNAL_H

#include "controlplane/scheduler/scheduler.h"
#include "controlplane/service/engine.h"
#include "controlplane/supervisor/supervisor.h"

#include <pthread.h>
#include <stdatomic.h>
#include <uthash.h>

typedef void (*cp_engine_fn)(cp_engine_t *engine, void *arg);

typedef struct cp_mail {
    struct cp_mail *next;
    cp_engine_fn fn;
    void *arg;
} cp_mail_t;

/* A caller that waits. Lives on the caller's stack or heap; two references: the caller's and the engine's. */
typedef struct cp_future {
    pthread_mutex_t lock;
    pthread_cond_t done_cond;
    bool done;
    atomic_int refs;
    nv_error_t err;
} cp_future_t;

typedef struct cp_run {
    UT_hash_handle hh; /* by id */
    char id[CP_RUN_ID_MAX + 1];
    char *tenant, *pool, *forked_from;
    Nv__RunSpec *spec;
    nv_super_run_t *super;
    nv_graph_effects_t *effects;
    int64_t epoch, created_ms, due_ms;
    Nv__TaskUsage usage;
    int64_t node_started[NV_SUPER_NODES], node_finished[NV_SUPER_NODES];
    uint32_t visits[NV_SUPER_NODES]; /* of each node, at the last checkpoint */
    double score;
    cp_holder_t *leases; /* of open tasks, as the store has them; see restore.c */
    size_t n_leases, leases_capacity;
    unsigned in_flight; /* commits submitted, outcome not known yet */
    bool broken;        /* a commit failed: memory and store differ; reload when in_flight is 0 */
    bool reload;        /* … by loading it again (else it is someone else's now) */
    bool finished;
} cp_run_t;

typedef struct cp_session {
    UT_hash_handle hh; /* by id */
    char id[CP_SESSION_MAX + 1];
    char spiffe[NV_SPIFFE_MAX + 1];
    char name[NV_IDENTITY_NAME_MAX + 1], pool[NV_IDENTITY_NAME_MAX + 1];
    char version[64], hostname[256];
    int64_t pid, connected_unix_ms, last_beat_unix_ms;
    nv_rpc_stream_t *stream;
    bool drain_sent; /* an operator's drain was told */
    bool leaving;    /* it said itself that it takes no more */
} cp_session_t;

struct cp_watch {
    cp_watch_t *prev, *next;
    char *tenant, *run_id;
    cp_watch_fn fn;
    void *arg;
};

struct cp_engine {
    cp_engine_config_t config;
    nv_super_t *super;
    nv_sched_t *sched;
    nv_sched_effects_t *sched_effects;
    cp_run_t *runs;
    cp_session_t *sessions;
    int64_t next_due_ms; /* no run is due before (Unix ms) */
    int64_t started_unix_ms;
    uint64_t random;
    uint64_t loads; /* runs being loaded */

    pthread_t thread;
    pthread_mutex_t lock; /* of the mailbox */
    pthread_cond_t mail_came;
    cp_mail_t *head, *tail;
    bool stopping;

    pthread_mutex_t watch_lock;
    cp_watch_t *watches;

    nv_counter_t *committed, *commit_failures, *stale, *assigned;
    nv_histogram_t *dispatch_seconds, *commit_seconds, *start_seconds;
};

/* ---- engine.c ---- */
void cp_post(cp_engine_t *engine, cp_engine_fn fn, void *arg); /* any thread */
uint32_t cp_random(cp_engine_t *engine);
int64_t cp_now_us(void); /* CLOCK_MONOTONIC; any thread */
cp_run_t *cp_run_find(cp_engine_t *engine, const char *id);
/* See cp_engine_run_waits(). The engine's thread. */
char *cp_run_waits(cp_engine_t *engine, nv_mem_t *ctx, const char *tenant, const char *run_id);
cp_session_t *cp_session_find(cp_engine_t *engine, const char *id);

cp_future_t *cp_future_new(void); /* any thread */
/* Drops the engine's reference; NULL is fine. */
void cp_future_set(cp_future_t *future, const nv_error_t *err);
/* Drops the caller's. */
bool cp_future_wait(cp_future_t *future, int timeout_ms, nv_error_t *err) NV_MUST_CHECK;

/* ---- requests.c ---- */
/* What the supervisor has to know of a spec; below ctx, which must outlive it. */
bool cp_super_spec(nv_mem_t *ctx, const Nv__RunSpec *spec, nv_super_spec_t *out,
                   nv_error_t *err) NV_MUST_CHECK;

/* ---- commit.c ---- */

/* What to do once the change is durable. */
typedef struct cp_after {
    const nv_sched_effect_t *assign; /* an assignment that waits; borrowed for the call */
    cp_future_t *future;             /* a caller that waits */
    const char *session;             /* a worker that waits for a ResultAck; borrowed for the call */
    const Nv__Lease *lease;
} cp_after_t;

/* Extra things of one change. Borrowed for the call. */
typedef struct cp_change {
    cp_after_t after;
    bool create;
    const char *request_id;
    const char *remark; /* for the first event of a run that begins; NULL: none */
    int64_t new_epoch;
    const Nv__TaskEvent *note; /* the NOTE effect's content */
    const char *worker;        /* whose doing it is, for events */
    const Nv__TaskResult *result;
    const store_interrupt_t *answered;
    const cp_holder_t *lease;     /* a worker's, for the store to know; see restore.c */
    const char *const *documents; /* beyond those of result */
    size_t n_documents;
} cp_change_t;

/* Writes what run->effects says, then (later) carries out the rest. Follows effects->more. On failure the run is marked
 * broken and whoever waits is told. */
void cp_run_commit(cp_engine_t *engine, cp_run_t *run, const cp_change_t *change);
/* After all commits of a broken run came back: forgets it, and loads it again if it is still ours. */
void cp_run_recover(cp_engine_t *engine, cp_run_t *run);
void cp_run_free(cp_run_t *run);
void cp_watch_notify(cp_engine_t *engine, const char *tenant, const char *run_id);

/* ---- events.c: pure ---- */
/* The event of an EMIT effect, below ctx. */
Nv__RunEvent *cp_event_of(nv_mem_t *ctx, const cp_run_t *run, const nv_graph_effect_t *effect,
                          const cp_change_t *change, int64_t now_ms);
/* Names of the nodes that completed a superstep since the last call, separated by commas, below ctx. */
char *cp_run_take_ran(nv_mem_t *ctx, cp_run_t *run);
void cp_run_note_times(cp_run_t *run, const nv_graph_effect_t *effect, int64_t now_ms);
/* What listings show: a packed nuvyn.v1.Run without its spec. */
nv_bytes_t cp_run_summary(nv_mem_t *ctx, const cp_run_t *run, const nv_super_status_t *status);

/* ---- assign.c: what the scheduler wants done ---- */
void cp_dispatch(cp_engine_t *engine, cp_run_t *run, uint64_t task, uint32_t attempt, nv_node_id_t node);
/* Carries out engine->sched_effects, then steps until nothing comes. */
void cp_sched_run(cp_engine_t *engine);
void cp_sched_apply(cp_engine_t *engine);

/* Sends an assignment whose lease, where need be, is stored. */
void cp_assign(cp_engine_t *engine, const nv_sched_effect_t *effect);
nv_sched_effect_t *cp_sched_effect_copy(nv_mem_t *ctx, const nv_sched_effect_t *effect);

/* ---- restore.c: leases over a restart ---- */
/* The store's row for a lease, below ctx, and the note that the store will know it. */
store_task_t cp_lease_row(nv_mem_t *ctx, cp_run_t *run, const cp_holder_t *holder, int64_t now_ms);
/* The store names another lease of this attempt: it has to learn of the new one before the worker does, or a restart would
 * give the task back to a worker that was replaced. */
bool cp_lease_outdated(cp_run_t *run, const nv_lease_t *lease);
/* The task is over. */
void cp_lease_forget(cp_run_t *run, uint64_t task);
/* Reads what is stored. Any thread. */
bool cp_leases_load(store_t *store, cp_run_t *run, nv_error_t *err) NV_MUST_CHECK;
/* Of a resumed run: its open tasks' leases run on, so that their workers may come back to them. */
void cp_leases_restore(cp_engine_t *engine, cp_run_t *run);
/* A worker came back with a lease that was read back: for the run, its task runs again. */
void cp_lease_resumed(cp_engine_t *engine, const cp_session_t *session, const nv_lease_t *lease);

/* ---- tracing.c ---- */
/* Settles the trace of a run that begins. */
void cp_trace_begin(cp_run_t *run);
/* What its tasks' spans hang below; "": no trace. */
char *cp_trace_parent(nv_mem_t *ctx, const cp_run_t *run);
void cp_trace_end(cp_engine_t *engine, const cp_run_t *run, const nv_super_status_t *status);

/* ---- load.c ---- */
/* Any thread: reads a run from the store. step < 0: its present state; else the checkpoint of that step, without tasks. */
bool cp_run_load(store_t *store, const nv_super_t *super, const char *tenant, const char *run_id,
                 int64_t step, cp_run_t **out, int64_t *last_event, nv_error_t *err) NV_MUST_CHECK;
bool cp_load_open_runs(cp_engine_t *engine, nv_error_t *err) NV_MUST_CHECK;
void cp_adopt(cp_engine_t *engine, cp_run_t *run, int64_t last_event);
void cp_reload_later(cp_engine_t *engine, const char *tenant, const char *run_id);

#endif
