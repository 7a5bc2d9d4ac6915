/* Unique column sets and functional dependencies of one table, from the hashes of its rows. Pure.
 *
 * Where the trace holds all rows every statement is exact; else `exact` is false. Method: levelwise search with pruning
 * by uniqueness (Heise et al., "Scalable discovery of unique column combinations", 2013), dependencies by comparing
 * groups (g3 error: rows to remove; Kivinen and Mannila 1995).
 */
#ifndef WORKER_PROFILING_KEYS_H
#define WORKER_PROFILING_KEYS_H

#include "worker/profiling/scan.h"

bool keys_report(nv_mem_t *ctx, const profile_options_t *options, const scan_result_t *scan,
                 Nv__TableProfile *out, nv_error_t *err) NV_MUST_CHECK;

#endif
