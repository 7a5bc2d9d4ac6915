/* The engine: one thread that owns supervisor and scheduler, so that neither needs a lock.
 *
 * Everything comes in through a mailbox; every change of a run goes to the store first, and its effects (assignments,
 * acknowledgements, events for watchers, answers to callers) become visible only when the store says it is durable. The
 * thread itself never waits for the store: commits are submitted, and their outcomes come back through the mailbox.
 *
 * Threads: all functions may be called from any thread unless said otherwise; those that wait for durability must not be
 * called from an I/O thread.
 */
#ifndef CONTROLPLANE_SERVICE_ENGINE_H
#define CONTROLPLANE_SERVICE_ENGINE_H

#include "common/core/blob_cache.h"
#include "common/core/log.h"
#include "common/core/workpool.h"
#include "common/rpc/rpc.h"
#include "common/telemetry/metrics.h"
#include "common/telemetry/trace.h"
#include "controlplane/service/leases.h"
#include "controlplane/store/store.h"
#include "nuvyn/control.pb-c.h"
#include "nuvyn/worker.pb-c.h"

typedef struct cp_engine cp_engine_t;

/* A document up to this size goes along with an assignment that reads it; so many bytes in all. */
enum { CP_INLINE_MAX = 16 * 1024, CP_INLINE_TOTAL_MAX = 256 * 1024 };

typedef struct cp_engine_config {
    store_t *store; /* borrowed, as all pointers here */
    cp_leases_t *leases;
    nv_blob_cache_t *documents; /* small ones lately uploaded, by "tenant/sha256"; may be NULL */
    nv_workpool_t *pool;        /* for loading runs */
    nv_log_t *log;
    nv_metrics_t *metrics; /* may be NULL */
    nv_tracer_t *tracer;   /* may be NULL: off */
    const char *owner;     /* SPIFFE ID of this control plane */
    uint64_t boot_epoch;   /* greater than at any earlier start */
    int64_t lease_ms;      /* 0: the scheduler's default */
    int64_t resume_ms;     /* how long workers go on without a control plane */
} cp_engine_config_t;

/* Loads pools, tenants and open runs, takes the runs over, and starts. */
bool cp_engine_start(const cp_engine_config_t *config, cp_engine_t **out, nv_error_t *err) NV_MUST_CHECK;
/* Stops the thread after what is in the mailbox; workers' sessions must be closed already. NULL is fine. */
void cp_engine_stop(cp_engine_t *engine);

/* ---- runs: these wait until the change is durable, at most timeout_ms ---- */

typedef struct cp_submit {
    const char *tenant, *pool, *run_id, *request_id;
    const Nv__RunSpec *spec;
} cp_submit_t;
/* ALREADY_EXISTS: the request id was used before. */
bool cp_engine_submit(cp_engine_t *engine, const cp_submit_t *submit, int timeout_ms,
                      nv_error_t *err) NV_MUST_CHECK;
bool cp_engine_cancel_run(cp_engine_t *engine, const char *tenant, const char *run_id, const char *reason,
                          int timeout_ms, nv_error_t *err) NV_MUST_CHECK;
/* A failed run again, as a new run that begins before the node that failed. */
bool cp_engine_retry_run(cp_engine_t *engine, const char *tenant, const char *run_id, const char *new_run,
                         const char *by, int timeout_ms, nv_error_t *err) NV_MUST_CHECK;
/* A new run from a checkpoint of another. Everything is borrowed for the call. */
typedef struct cp_fork {
    const char *tenant, *from_run, *new_run;
    int64_t step;           /* of the checkpoint */
    const char *request_id; /* NULL or "": none; used before: ALREADY_EXISTS */
    const char *by;         /* whose doing it is: an SPIFFE ID */
    /* The state that differs from the checkpoint's. */
    const Nv__RunSpec *spec;           /* NULL: as it was */
    Nv__DocumentRef *const *documents; /* names are those of channels; the tenant has them */
    size_t n_documents;
} cp_fork_t;
bool cp_engine_fork_run(cp_engine_t *engine, const cp_fork_t *fork, int timeout_ms,
                        nv_error_t *err) NV_MUST_CHECK;

typedef struct cp_answer {
    const char *tenant, *run_id, *interrupt_id, *by, *comment;
    const char *answer; /* "approve", "revise", "reject" */
    /* Packed DocumentRef of a corrected design, or of why it is sent back; empty: none. */
    nv_bytes_t document_ref;
    const char *document_sha256;
} cp_answer_t;
bool cp_engine_answer(cp_engine_t *engine, const cp_answer_t *answer, int timeout_ms,
                      nv_error_t *err) NV_MUST_CHECK;

/* ---- workers: never wait; answers go out on the stream ---- */

/* A worker said hello. Takes ownership of ctx, which holds hello. session is unique for ever. */
void cp_engine_join(cp_engine_t *engine, const char *session, const nv_identity_t *worker,
                    nv_rpc_stream_t *stream, nv_mem_t *ctx, const Nv__Hello *hello);
/* Its stream is over. */
void cp_engine_leave(cp_engine_t *engine, const char *session);
/* Any other message of a session but uploads and requests. Takes ownership of ctx, which holds message. */
void cp_engine_message(cp_engine_t *engine, const char *session, nv_mem_t *ctx,
                       const Nv__WorkerMessage *message);
/* The same for a result that brings the run's score (from its scorecard). */
void cp_engine_scored_message(cp_engine_t *engine, const char *session, nv_mem_t *ctx,
                              const Nv__WorkerMessage *message, double score);

/* ---- administration ---- */

void cp_engine_set_pool(cp_engine_t *engine, const char *name, const char *dedicated_to);
void cp_engine_set_tenant(cp_engine_t *engine, const char *name, int64_t weight, int64_t max_running);
/* Fill a reply below ctx. */
bool cp_engine_list_workers(cp_engine_t *engine, nv_mem_t *ctx, const char *pool, Nv__ListWorkersReply *out,
                            nv_error_t *err) NV_MUST_CHECK;
bool cp_engine_pool_stats(cp_engine_t *engine, Nv__Pool *pool, nv_error_t *err) NV_MUST_CHECK;
/* Why the run does not move on, in words below ctx; "" where it does, has ended, or another control plane drives it. */
bool cp_engine_run_waits(cp_engine_t *engine, nv_mem_t *ctx, const char *tenant, const char *run_id,
                         char **out, nv_error_t *err) NV_MUST_CHECK;
bool cp_engine_status(cp_engine_t *engine, Nv__ClusterStatus *out, nv_error_t *err) NV_MUST_CHECK;
/* Whether the run's validation passed (in mode "analyze": its review): what admits a case to the knowledge base. */
bool cp_engine_run_passed(cp_engine_t *engine, const char *run_id, bool *out, nv_error_t *err) NV_MUST_CHECK;
/* Workers whose name matches stop getting tasks (or get them again). */
bool cp_engine_drain(cp_engine_t *engine, const char *pool, const char *pattern, bool undo,
                     nv_error_t *err) NV_MUST_CHECK;

/* ---- watching ---- */

/* Called on the engine's thread, must not block: the run has new events, or ended. */
typedef void (*cp_watch_fn)(void *arg);
typedef struct cp_watch cp_watch_t;
cp_watch_t *cp_engine_watch(cp_engine_t *engine, const char *tenant, const char *run_id, cp_watch_fn fn,
                            void *arg);
/* After the return fn is not running and will not be called again. */
void cp_engine_unwatch(cp_engine_t *engine, cp_watch_t *watch);

/* Milliseconds of Unix time. */
int64_t cp_unix_ms(void);

#endif
