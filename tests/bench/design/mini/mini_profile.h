/* A profiler in memory, for unit tests and for fitting on hundreds of generated sets: small CSV files, ISO dates, one pass.
 * It keeps the cells, so it can also answer discovery's exact checks. Of worker/profiling it uses the search for unique column sets
 * alone, so that a fit meets the sets that are unique by accident as the product does. */
#ifndef TESTS_BENCH_DESIGN_MINI_PROFILE_H
#define TESTS_BENCH_DESIGN_MINI_PROFILE_H

#include "worker/discovery/discovery.h"

typedef struct mini mini_t;

mini_t *mini_new(nv_mem_t *ctx);
/* One table from CSV text (header row, comma, RFC 4180 quotes). */
bool mini_add_csv(mini_t *mini, const char *table, const char *csv, nv_error_t *err) NV_MUST_CHECK;
/* Every *.csv of a folder; the table is named after the file. */
bool mini_add_folder(mini_t *mini, const char *folder, nv_error_t *err) NV_MUST_CHECK;
/* The profile so far; lives as long as mini. */
Nv__Profile *mini_profile(mini_t *mini);
/* Exact checks over the cells; lives as long as mini. */
discovery_exact_t mini_exact(mini_t *mini);

#endif
