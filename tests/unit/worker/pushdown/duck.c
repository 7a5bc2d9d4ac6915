#include "duck.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <duckdb.h>

typedef struct duck {
    duckdb_database database;
    duckdb_connection connection;
} duck_t;

static int close_duck(void *ptr)
{
    duck_t *duck = ptr;
    duckdb_disconnect(&duck->connection);
    duckdb_close(&duck->database);
    return 0;
}

static bool query(void *arg, nv_mem_t *ctx, const char *sql, pushdown_rows_t *out, nv_error_t *err)
{
    duck_t *duck = arg;
    duckdb_result result;
    if (duckdb_query(duck->connection, sql, &result) != DuckDBSuccess) {
        (void)nv_fail(err, NV_INTERNAL, "DuckDB: %.900s", duckdb_result_error(&result));
        duckdb_destroy_result(&result);
        return false;
    }
    size_t rows = duckdb_row_count(&result), columns = duckdb_column_count(&result);
    const char **cells = NV_NEW_ARRAY(ctx, const char *, rows *columns + 1);
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < columns; c++) {
            char *text = duckdb_value_varchar(&result, c, r);
            cells[r * columns + c] = text ? nv_strdup(ctx, text) : NULL;
            duckdb_free(text);
        }
    duckdb_destroy_result(&result);
    *out = (pushdown_rows_t){cells, rows, columns};
    return true;
}

pushdown_engine_t duck_engine(nv_mem_t *ctx)
{
    duck_t *duck = NV_NEW(ctx, duck_t);
    assert_int_equal(duckdb_open(NULL, &duck->database), DuckDBSuccess);
    assert_int_equal(duckdb_connect(duck->database, &duck->connection), DuckDBSuccess);
    nv_on_free(duck, close_duck);
    return (pushdown_engine_t){.dialect = SQL_DUCKDB, .name = "duckdb", .query = query, .arg = duck};
}
