/* Internal to colstats: what adding values and merging lanes have in common. */
#ifndef WORKER_PROFILING_COLSTATS_PARTS_H
#define WORKER_PROFILING_COLSTATS_PARTS_H

#include "worker/profiling/colstats.h"

/* Minimum and maximum of texts. */
void colstats_widen(colstats_t *stats, const char *text, size_t length);
/* From the log to estimating: what was logged goes into the sketch. */
void colstats_give_up_log(colstats_t *stats);
/* The filter anew from the texts in hot. */
void colstats_filter_hot(colstats_t *stats);

#endif
