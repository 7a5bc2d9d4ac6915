/* A fixed number of threads that run jobs from a bounded queue, first in first out: where slow work (SQL, HTTP, crypto)
 * goes, so that no I/O thread ever blocks. All functions are safe from any thread. */
#ifndef NV_CORE_WORKPOOL_H
#define NV_CORE_WORKPOOL_H

#include "common/core/error.h"

#include <stddef.h>

typedef struct nv_workpool nv_workpool_t;
typedef void (*nv_job_fn)(void *arg);

/* threads >= 1; at most max_queued jobs wait. NULL (with err) when a thread cannot be started. */
nv_workpool_t *nv_workpool_new(size_t threads, size_t max_queued, nv_error_t *err);

/* RESOURCE_EXHAUSTED when the queue is full, UNAVAILABLE after nv_workpool_stop. On failure fn is never called. */
bool nv_workpool_submit(nv_workpool_t *pool, nv_job_fn fn, void *arg, nv_error_t *err) NV_MUST_CHECK;

/* Refuses new jobs, runs all that were accepted, joins the threads. May be called twice. */
void nv_workpool_stop(nv_workpool_t *pool);
/* Stops, then frees; NULL is fine. */
void nv_workpool_free(nv_workpool_t *pool);

#endif
