/* What changes between the records of one thing: the evidence for slowly changing attributes. */
#ifndef WORKER_DISCOVERY_CHANGES_H
#define WORKER_DISCOVERY_CHANGES_H

#include "worker/discovery/discovery.h"

/* Counts, for each table whose key without its dates repeats (a history, files of several days), how often each further column has
 * another value for the same key: relations->changes, below ctx. Nothing where nobody can count. */
bool changes_observe(nv_mem_t *ctx, const Nv__Profile *profile, const discovery_exact_t *exact,
                     Nv__Relations *relations, nv_error_t *err) NV_MUST_CHECK;

#endif
