#include "support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <duckdb.h>
#include <ftw.h>
#include <unistd.h>

static int remove_entry(const char *path, const struct stat *info, int flag, struct FTW *place)
{
    (void)info;
    (void)flag;
    (void)place;
    return remove(path);
}

static int remove_folder(void *ptr)
{
    return nftw(ptr, remove_entry, 16, FTW_DEPTH | FTW_PHYS) == 0 ? 0 : 0;
}

const char *support_folder(nv_mem_t *ctx)
{
    const char *base = getenv("TMPDIR");
    char *path = nv_printf(ctx, "%s/nuvyn-profile-XXXXXX", base ? base : "/tmp");
    assert_non_null(mkdtemp(path));
    nv_on_free(path, remove_folder);
    return path;
}

const char *support_write(nv_mem_t *ctx, const char *folder, const char *name, const void *data,
                          size_t length)
{
    char *path = nv_printf(ctx, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
    return path;
}

const char *support_text(nv_mem_t *ctx, const char *folder, const char *name, const char *text)
{
    return support_write(ctx, folder, name, text, strlen(text));
}

Nv__TableProfile *support_profile(nv_mem_t *ctx, const char *folder, const profile_options_t *options)
{
    nv_error_t err = NV_ERROR_INIT;
    Nv__Survey *survey;
    if (!survey_folder(ctx, folder, options, &survey, &err))
        fail_msg("%s", err.message);
    assert_int_equal(survey->n_tables, 1);
    Nv__TableProfile *table;
    if (!profile_table(ctx, options, survey->tables[0], &table, &err))
        fail_msg("%s", err.message);
    return table;
}

Nv__TableProfile *support_profile_text(nv_mem_t *ctx, const char *text)
{
    const char *folder = support_folder(ctx);
    support_text(ctx, folder, "t.csv", text);
    return support_profile(ctx, folder, NULL);
}

const Nv__ColumnProfile *support_column(const Nv__TableProfile *table, const char *name)
{
    for (size_t i = 0; i < table->n_columns; i++)
        if (strcmp(table->columns[i]->name, name) == 0)
            return table->columns[i];
    fail_msg("no column %s", name);
    return NULL;
}

const char *support_query(nv_mem_t *ctx, const char *sql)
{
    duckdb_database db;
    duckdb_connection connection;
    duckdb_result result;
    assert_int_equal(duckdb_open(NULL, &db), DuckDBSuccess);
    assert_int_equal(duckdb_connect(db, &connection), DuckDBSuccess);
    if (duckdb_query(connection, sql, &result) != DuckDBSuccess)
        fail_msg("%s\nin: %.4000s", duckdb_result_error(&result), sql);
    char *cell = duckdb_value_varchar(&result, 0, 0);
    const char *out = nv_strdup(ctx, cell ? cell : "");
    duckdb_free(cell);
    duckdb_destroy_result(&result);
    duckdb_disconnect(&connection);
    duckdb_close(&db);
    return out;
}

/* The canonical text of a DuckDB value of the column's type. */
static const char *canonical_sql(nv_mem_t *ctx, const Nv__ColumnProfile *column, const char *value)
{
    switch (column->type) {
    case NV__VALUE_TYPE__VALUE_TYPE_DECIMAL:
        return column->scale ? nv_printf(ctx, "rtrim(rtrim(CAST(%s AS VARCHAR), '0'), '.')", value)
                             : nv_printf(ctx, "CAST(%s AS VARCHAR)", value);
    case NV__VALUE_TYPE__VALUE_TYPE_TIMESTAMP:
        return nv_printf(ctx, "replace(CAST(%s AS VARCHAR), ' ', 'T')", value);
    default:
        return nv_printf(ctx, "CAST(%s AS VARCHAR)", value);
    }
}

static void compare(const Nv__TableProfile *table, const Nv__ColumnProfile *column, const char *what,
                    const char *duckdb, const char *ours)
{
    if (strcmp(duckdb, ours) != 0)
        fail_msg("%s.%s: %s: DuckDB says \"%s\", the profile \"%s\"", table->name, column->name, what, duckdb,
                 ours);
}

static void column_agrees(const Nv__TableProfile *table, const Nv__ColumnProfile *column)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("column");
    const char *from = raw_scan_sql(ctx, table);
    const char *name = sql_identifier(ctx, SQL_DUCKDB, column->name);
    const char *value = parse_rule_sql(ctx, SQL_DUCKDB, column, name);
    const char *min = canonical_sql(ctx, column, nv_printf(ctx, "min(%s)", value));
    const char *max = canonical_sql(ctx, column, nv_printf(ctx, "max(%s)", value));
    compare(table, column, "nulls",
            support_query(ctx, nv_printf(ctx, "SELECT count(*) FILTER (%s) FROM %s",
                                         parse_null_sql(ctx, SQL_DUCKDB, column, name), from)),
            nv_printf(ctx, "%lld", (long long)column->null_count));
    compare(table, column, "invalid",
            support_query(ctx, nv_printf(ctx, "SELECT count(*) FILTER (%s) FROM %s",
                                         parse_invalid_sql(ctx, SQL_DUCKDB, column, name), from)),
            nv_printf(ctx, "%lld", (long long)column->invalid_count));
    if (column->distinct_exact)
        compare(table, column, "distinct",
                support_query(ctx, nv_printf(ctx, "SELECT count(DISTINCT %s) FROM %s", value, from)),
                nv_printf(ctx, "%lld", (long long)column->distinct_count));
    if (column->type == NV__VALUE_TYPE__VALUE_TYPE_DOUBLE || column->length_max > 200)
        return;
    compare(table, column, "minimum", support_query(ctx, nv_printf(ctx, "SELECT %s FROM %s", min, from)),
            column->min);
    compare(table, column, "maximum", support_query(ctx, nv_printf(ctx, "SELECT %s FROM %s", max, from)),
            column->max);
}

void support_agrees(const Nv__TableProfile *table)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("agrees");
    const char *rows =
        support_query(ctx, nv_printf(ctx, "SELECT count(*) FROM %s", raw_scan_sql(ctx, table)));
    if (strtoll(rows, NULL, 10) != table->row_count)
        fail_msg("%s: DuckDB reads %s rows, the profile has %lld", table->name, rows,
                 (long long)table->row_count);
    for (size_t i = 0; i < table->n_columns; i++)
        column_agrees(table, table->columns[i]);
}
