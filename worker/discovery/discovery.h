/* Discovery: primary keys, joins and table roles of raw tables, from their profiles.
 *
 * The method is that of Auto-BI (Lin et al., arXiv 2306.12515): candidates pruned by sketches, calibrated join probabilities,
 * the best set of joins over all tables together (k-arborescences, each source column used once), then a recall pass for
 * shared dimensions. Primary keys are chosen together with the joins. Everything here is pure: what must be counted in the
 * data is asked of the executor that the caller hands in. Same input, same output, byte for byte.
 */
#ifndef WORKER_DISCOVERY_DISCOVERY_H
#define WORKER_DISCOVERY_DISCOVERY_H

#include "common/core/error.h"
#include "common/core/mem.h"
#include "nuvyn/design.pb-c.h"
#include "nuvyn/profile.pb-c.h"

#include <stdint.h>

enum { DISCOVERY_KEY_COLUMNS_MAX = 5 };

/* "Does every value of from.columns exist in to.to_columns?" With `to` NULL: "do `columns` identify a row of from?". */
typedef struct discovery_check {
    const char *from;
    const char *columns[DISCOVERY_KEY_COLUMNS_MAX];
    const char *to;
    const char *to_columns[DISCOVERY_KEY_COLUMNS_MAX];
    int n;
} discovery_check_t;

/* Inclusion: rows = source rows with every column non-null; missing = those without a target; distinct, distinct_found of
 * source values; fan_out = most target rows per value. Uniqueness: rows without exact duplicates and without nulls in the key;
 * missing = rows with a null in it; distinct = distinct keys. answered = false: could not be counted. */
typedef struct discovery_counts {
    int64_t rows, missing, distinct, distinct_found, fan_out;
    bool answered;
} discovery_counts_t;

typedef struct discovery_exact {
    void *self;
    /* Answers all checks at once. */
    bool (*count)(void *self, const discovery_check_t *checks, size_t n, discovery_counts_t *out,
                  nv_error_t *err);
} discovery_exact_t;

typedef struct discovery_options {
    bool safe;                      /* precision >= .98 before recall */
    const discovery_exact_t *exact; /* NULL: sketches only; evidence then says "estimated" */
    int64_t branch_limit;           /* nodes of the branch and bound; 0: 20,000 */
    bool (*cancelled)(void *arg);   /* may be NULL */
    void *cancelled_arg;
    void (*feature_sink)(void *arg, const char *line); /* for fitting and tests; may be NULL */
    void *feature_arg;
} discovery_options_t;

/* Relations below ctx. The profile must stay alive only during the call. */
bool discovery_relate(nv_mem_t *ctx, const Nv__Profile *profile, const discovery_options_t *options,
                      Nv__Relations **out, nv_error_t *err) NV_MUST_CHECK;

/* Evidence below ctx; weight is rounded to 4 digits so that text and value agree everywhere. */
Nv__Evidence *discovery_evidence(nv_mem_t *ctx, const char *kind, double weight, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#endif
