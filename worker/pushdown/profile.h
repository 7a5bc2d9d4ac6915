/* The profile of one table whose files only the workspace reaches, computed there by SQL.
 *
 * The result contract is that of profile_table (worker/profiling/profile.h), and so are the decisions: the dialect comes from the
 * head of the files, types from counted classes of all values (fold.h), keys from the same search. What is fetched is bounded: heads of files, representatives, aggregates, the most frequent values, sketches. Two things
 * differ: rejected lines have no line number, and distinct counts are exact and quantiles too, where a local profile of a large table
 * estimates.
 */
#ifndef WORKER_PUSHDOWN_PROFILE_H
#define WORKER_PUSHDOWN_PROFILE_H

#include "nuvyn/profile.pb-c.h"
#include "worker/profiling/profile.h"
#include "worker/pushdown/engine.h"

typedef struct pushdown_options {
    const survey_reader_t *reader;                 /* for the heads of the files */
    void (*progress)(void *arg, int done, int of); /* statements; may be NULL */
    void *arg;
} pushdown_options_t;

/* Below ctx. */
bool pushdown_profile(nv_mem_t *ctx, const pushdown_engine_t *engine, const pushdown_options_t *options,
                      const Nv__SurveyTable *table, Nv__TableProfile **out, nv_error_t *err) NV_MUST_CHECK;

#endif
