/* Exact questions to the raw files, answered by DuckDB: does every value exist there, do these columns identify a row, does a join
 * multiply rows.
 *
 * One DuckDB database in a temporary folder over the files of a profile. A table is read once, the first time a question needs it,
 * with its values typed by the profile's parse rules; memory is bounded, the rest goes to disk. One thread at a time.
 */
#ifndef WORKER_RAWDATA_RAWDATA_H
#define WORKER_RAWDATA_RAWDATA_H

#include "common/core/error.h"
#include "common/core/mem.h"
#include "nuvyn/profile.pb-c.h"
#include "worker/discovery/discovery.h"

#include <stdint.h>

typedef struct rawdata rawdata_t;

typedef struct rawdata_options {
    int64_t memory_mb;            /* 0: 1024 */
    int threads;                  /* 0: 2 */
    bool (*cancelled)(void *arg); /* may be NULL; asked between questions */
    void *cancelled_arg;
} rawdata_options_t;

/* Opens an empty database; the profile must outlive it. UNIMPLEMENTED when the files cannot be reached from here (profiled in the
 * workspace). Closed, and its folder removed, when ctx is freed. options may be NULL. */
bool rawdata_open(nv_mem_t *ctx, const Nv__Profile *profile, const rawdata_options_t *options,
                  rawdata_t **out, nv_error_t *err) NV_MUST_CHECK;

/* The executor for discovery; lives as long as rawdata. */
discovery_exact_t rawdata_exact(rawdata_t *raw);

/* As of one check. With check->to NULL: uniqueness. */
bool rawdata_count(rawdata_t *raw, const discovery_check_t *check, discovery_counts_t *out,
                   nv_error_t *err) NV_MUST_CHECK;

/* The SQL of a check's last count, for reports; borrowed until the next one. */
const char *rawdata_last_sql(const rawdata_t *raw);

#endif
