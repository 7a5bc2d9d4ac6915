/* Where pushed-down SQL runs: the workspace's SQL warehouse, or, in tests, DuckDB. One engine belongs to one thread. */
#ifndef WORKER_PUSHDOWN_ENGINE_H
#define WORKER_PUSHDOWN_ENGINE_H

#include "common/core/error.h"
#include "common/core/mem.h"
#include "worker/databricks/databricks.h"
#include "worker/profiling/parse_sql.h"

#include <stddef.h>
#include <stdint.h>

/* A result: text cells, row by row; NULL is SQL NULL. */
typedef struct pushdown_rows {
    const char *const *cells;
    size_t n_rows;
    size_t n_columns;
} pushdown_rows_t;

const char *pushdown_cell(const pushdown_rows_t *rows, size_t row, size_t column);
/* The cell as a number; 0 for SQL NULL. */
int64_t pushdown_number(const pushdown_rows_t *rows, size_t row, size_t column);

typedef struct pushdown_engine {
    sql_dialect_t dialect;
    const char *name; /* "warehouse <id>": TableProfile.engine */
    /* One query; rows below ctx, at most a few megabytes. Fails when cancelled. */
    bool (*query)(void *arg, nv_mem_t *ctx, const char *sql, pushdown_rows_t *out, nv_error_t *err);
    void *arg;
} pushdown_engine_t;

/* An engine on a running warehouse; db and warehouse_id must outlive it. Below ctx. */
pushdown_engine_t pushdown_on_warehouse(nv_mem_t *ctx, databricks_t *db, const char *warehouse_id);

#endif
