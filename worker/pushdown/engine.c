#include "worker/pushdown/engine.h"

#include <stdlib.h>

enum { QUERY_MS = 60 * 60 * 1000, RESULT_BYTES = 64 << 20 };

const char *pushdown_cell(const pushdown_rows_t *rows, size_t row, size_t column)
{
    return rows->cells[row * rows->n_columns + column];
}

int64_t pushdown_number(const pushdown_rows_t *rows, size_t row, size_t column)
{
    const char *text = pushdown_cell(rows, row, column);
    return text ? strtoll(text, NULL, 10) : 0;
}

typedef struct warehouse {
    databricks_t *db;
    const char *id;
} warehouse_t;

static bool query(void *arg, nv_mem_t *ctx, const char *sql, pushdown_rows_t *out, nv_error_t *err)
{
    const warehouse_t *warehouse = arg;
    databricks_statement_t statement = {.warehouse_id = warehouse->id,
                                        .sql = sql,
                                        .timeout_ms = QUERY_MS,
                                        .max_bytes = RESULT_BYTES,
                                        .repeatable = true};
    databricks_result_t result;
    if (!databricks_execute(warehouse->db, ctx, &statement, &result, err))
        return false;
    if (result.truncated)
        return nv_fail(err, NV_RESOURCE_EXHAUSTED, "warehouse %s: a result was cut off", warehouse->id);
    *out = (pushdown_rows_t){result.cells, result.n_rows, result.n_columns};
    return true;
}

pushdown_engine_t pushdown_on_warehouse(nv_mem_t *ctx, databricks_t *db, const char *warehouse_id)
{
    warehouse_t *warehouse = NV_NEW(ctx, warehouse_t);
    *warehouse = (warehouse_t){db, warehouse_id};
    return (pushdown_engine_t){.dialect = SQL_SPARK,
                               .name = nv_printf(ctx, "warehouse %s", warehouse_id),
                               .query = query,
                               .arg = warehouse};
}
