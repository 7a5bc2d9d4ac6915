/* Quantiles and histogram of a column from its exact counts or its samples. Pure. */
#ifndef WORKER_PROFILING_DISTRIBUTION_H
#define WORKER_PROFILING_DISTRIBUTION_H

#include "nuvyn/profile.pb-c.h"
#include "worker/profiling/colstats.h"

/* Fills quantiles and, where wanted, the histogram of out, whose type is set; needs numbers or points in time. */
void distribution_report(nv_mem_t *ctx, const colstats_t *stats, bool histogram, Nv__ColumnProfile *out);

#endif
