/* Retention: deletes what is old enough, in small transactions, now and then, on a thread of its own. */
#ifndef CONTROLPLANE_SERVICE_JANITOR_H
#define CONTROLPLANE_SERVICE_JANITOR_H

#include "common/core/log.h"
#include "common/telemetry/metrics.h"
#include "controlplane/store/store.h"

/* Ages in milliseconds; 0: kept for ever. */
typedef struct cp_retention {
    int64_t runs_ms;        /* since they finished: the run with its events, artifacts and all */
    int64_t checkpoints_ms; /* of runs that finished so long ago: all but what the end needs */
    int64_t documents_ms;   /* since they were uploaded, when no run refers to them */
    int64_t interval_ms;    /* between sweeps */
} cp_retention_t;

typedef struct cp_janitor cp_janitor_t;

/* All pointers are borrowed; metrics may be NULL. */
bool cp_janitor_start(store_t *store, const cp_retention_t *retention, nv_log_t *log, nv_metrics_t *metrics,
                      cp_janitor_t **out, nv_error_t *err) NV_MUST_CHECK;
/* NULL is fine. */
void cp_janitor_stop(cp_janitor_t *janitor);

typedef struct cp_swept {
    int64_t runs, checkpoints, documents;
    bool more; /* a batch was full: there is more to do */
} cp_swept_t;
/* One sweep, at most a batch of runs of each kind. *trimmed says how far checkpoints were looked at (below ctx); zero-initialise
 * it once. */
bool cp_sweep(store_t *store, const cp_retention_t *retention, int64_t now_unix_ms, nv_mem_t *ctx,
              store_finished_t *trimmed, cp_swept_t *out, nv_error_t *err) NV_MUST_CHECK;

#endif
