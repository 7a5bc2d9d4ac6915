/* Exact questions to raw data that only the workspace reaches, counted there: inclusion, uniqueness, fan-out. The answers mean what
 * those of worker/rawdata mean. Many questions go into one statement. */
#ifndef WORKER_PUSHDOWN_COUNTS_H
#define WORKER_PUSHDOWN_COUNTS_H

#include "worker/discovery/discovery.h"
#include "worker/pushdown/engine.h"

typedef struct pushdown_counts pushdown_counts_t;

/* Below ctx; engine and profile must outlive it. */
pushdown_counts_t *pushdown_counts(nv_mem_t *ctx, const pushdown_engine_t *engine,
                                   const Nv__Profile *profile);
discovery_exact_t pushdown_counts_exact(pushdown_counts_t *counts);
/* The SQL of the last question; borrowed until the next one. */
const char *pushdown_counts_last_sql(const pushdown_counts_t *counts);

#endif
