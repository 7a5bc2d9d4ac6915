/* The oracle's engine: DuckDB in memory, over the raw files. One oracle belongs to one thread at a time. */
#ifndef WORKER_VALIDATION_ORACLE_H
#define WORKER_VALIDATION_ORACLE_H

#include "common/core/error.h"
#include "common/core/mem.h"

#include <stddef.h>

typedef struct oracle oracle_t;

/* At most memory_mb of memory; what does not fit is spilled into spill_folder (may be NULL: not spilled). Freed with
 * ctx. */
bool oracle_open(nv_mem_t *ctx, int memory_mb, const char *spill_folder, oracle_t **out,
                 nv_error_t *err) NV_MUST_CHECK;

/* One statement without a result. cancelled (may be NULL) is not asked while it runs. */
bool oracle_run(oracle_t *oracle, const char *sql, nv_error_t *err) NV_MUST_CHECK;

/* The first row of a query as texts below ctx; NULL is SQL NULL. NOT_FOUND when there is none. */
bool oracle_row(oracle_t *oracle, nv_mem_t *ctx, const char *sql, const char ***out, size_t *n,
                nv_error_t *err) NV_MUST_CHECK;

#endif
