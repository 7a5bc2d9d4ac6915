#include "worker/rawdata/rawdata.h"

#include <dirent.h>
#include <duckdb.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "worker/profiling/parse_sql.h"

struct rawdata {
    nv_mem_t *ctx;
    const Nv__Profile *profile;
    rawdata_options_t options;
    duckdb_database database;
    duckdb_connection connection;
    bool *loaded;   /* per table: all rows, typed */
    bool *distinct; /* per table: without exact duplicates */
    char *folder;
    char *sql;
};

static void remove_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    struct dirent *entry = NULL;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            (void)unlinkat(dirfd(dir), entry->d_name, 0);
    }
    if (dir != NULL)
        (void)closedir(dir);
    (void)rmdir(folder);
}

static int close_rawdata(void *ptr)
{
    rawdata_t *raw = ptr;
    if (raw->connection != NULL)
        duckdb_disconnect(&raw->connection);
    if (raw->database != NULL)
        duckdb_close(&raw->database);
    if (raw->folder != NULL)
        remove_folder(raw->folder);
    return 0;
}

static bool execute(rawdata_t *raw, const char *sql, nv_error_t *err)
{
    duckdb_result result;
    bool ok = duckdb_query(raw->connection, sql, &result) == DuckDBSuccess;
    if (!ok)
        (void)nv_fail(err, NV_INTERNAL, "DuckDB: %.600s", duckdb_result_error(&result));
    duckdb_destroy_result(&result);
    return ok;
}

static bool configure(rawdata_t *raw, nv_error_t *err)
{
    duckdb_config config = NULL;
    char *message = NULL;
    if (duckdb_create_config(&config) == DuckDBError)
        return nv_fail(err, NV_RESOURCE_EXHAUSTED, "DuckDB: no configuration");
    char memory[32], threads[16];
    (void)snprintf(memory, sizeof memory, "%lldMB",
                   (long long)(raw->options.memory_mb > 0 ? raw->options.memory_mb : 1024));
    (void)snprintf(threads, sizeof threads, "%d", raw->options.threads > 0 ? raw->options.threads : 2);
    (void)duckdb_set_config(config, "memory_limit", memory);
    (void)duckdb_set_config(config, "threads", threads);
    (void)duckdb_set_config(config, "temp_directory", raw->folder);
    (void)duckdb_set_config(config, "autoinstall_known_extensions", "false");
    (void)duckdb_set_config(config, "preserve_insertion_order", "false");
    char *path = nv_printf(raw->ctx, "%s/raw.duckdb", raw->folder);
    bool ok = duckdb_open_ext(path, &raw->database, config, &message) == DuckDBSuccess &&
              duckdb_connect(raw->database, &raw->connection) == DuckDBSuccess;
    if (!ok)
        (void)nv_fail(err, NV_UNAVAILABLE, "DuckDB: %.400s", message != NULL ? message : "cannot connect");
    duckdb_free(message);
    duckdb_destroy_config(&config);
    return ok;
}

static bool are_local(const Nv__Profile *profile, nv_error_t *err)
{
    for (size_t t = 0; t < profile->n_tables; t++) {
        for (size_t f = 0; f < profile->tables[t]->n_files; f++) {
            const char *path = profile->tables[t]->files[f]->path;
            if (strncmp(profile->tables[t]->engine, "warehouse", 9) == 0 || strstr(path, "://") != NULL ||
                access(path, R_OK) != 0)
                return nv_fail(err, NV_UNIMPLEMENTED, "%s: cannot be read from here", path);
        }
    }
    return true;
}

bool rawdata_open(nv_mem_t *ctx, const Nv__Profile *profile, const rawdata_options_t *options,
                  rawdata_t **out, nv_error_t *err)
{
    if (!are_local(profile, err))
        return false;
    rawdata_t *raw = NV_NEW(ctx, rawdata_t);
    raw->ctx = raw;
    raw->profile = profile;
    if (options != NULL)
        raw->options = *options;
    raw->loaded = NV_NEW_ARRAY(raw, bool, profile->n_tables + 1);
    raw->distinct = NV_NEW_ARRAY(raw, bool, profile->n_tables + 1);
    const char *base = getenv("TMPDIR");
    char *folder = nv_printf(raw, "%s/nuvyn-raw-XXXXXX", base != NULL && base[0] != '\0' ? base : "/tmp");
    if (mkdtemp(folder) == NULL)
        return nv_fail_errno(err, errno, "temporary folder %s", folder);
    raw->folder = folder;
    nv_on_free(raw, close_rawdata);
    if (!configure(raw, err))
        return false;
    *out = raw;
    return true;
}

const char *rawdata_last_sql(const rawdata_t *raw)
{
    return raw->sql != NULL ? raw->sql : "";
}

static int find_table(const rawdata_t *raw, const char *name)
{
    for (size_t t = 0; t < raw->profile->n_tables; t++) {
        if (strcmp(raw->profile->tables[t]->name, name) == 0)
            return (int)t;
    }
    return -1;
}

static const Nv__ColumnProfile *find_column(const rawdata_t *raw, int table, const char *name)
{
    for (size_t c = 0; table >= 0 && c < raw->profile->tables[table]->n_columns; c++) {
        if (strcmp(raw->profile->tables[table]->columns[c]->name, name) == 0)
            return raw->profile->tables[table]->columns[c];
    }
    return NULL;
}

/* Long texts are no keys: leaving them out keeps the database small, and a row's identity never hangs on them alone. */
static bool is_worth_loading(const Nv__ColumnProfile *column)
{
    return column->type != NV__VALUE_TYPE__VALUE_TYPE_DOUBLE && column->length_mean <= 200;
}

static char *load_sql(rawdata_t *raw, nv_mem_t *ctx, int t)
{
    const Nv__TableProfile *table = raw->profile->tables[t];
    char *columns = nv_strdup(ctx, "");
    for (size_t c = 0; c < table->n_columns; c++) {
        if (is_worth_loading(table->columns[c]))
            columns = nv_printf(ctx, "%s%s%s", columns, columns[0] != '\0' ? ", " : "",
                                sql_identifier(ctx, SQL_DUCKDB, table->columns[c]->name));
    }
    return nv_printf(ctx, "CREATE TABLE t%d AS SELECT %s FROM (%s)", t,
                     columns[0] != '\0' ? columns : "1 AS \"1\"", typed_scan_sql(ctx, table));
}

static bool ensure_loaded(rawdata_t *raw, nv_mem_t *ctx, int t, bool distinct, nv_error_t *err)
{
    const Nv__TableProfile *table = raw->profile->tables[t];
    if (!raw->loaded[t]) {
        if (!execute(raw, load_sql(raw, ctx, t), err))
            return nv_wrap(err, "reading %s", table->name);
        raw->loaded[t] = true;
    }
    if (!distinct || raw->distinct[t])
        return true;
    const char *form = table->duplicate_row_count > 0 ? "CREATE TABLE u%d AS SELECT DISTINCT * FROM t%d"
                                                      : "CREATE VIEW u%d AS SELECT * FROM t%d";
    char sql[128];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    (void)snprintf(sql, sizeof sql, form, t, t);
#pragma GCC diagnostic pop
    raw->distinct[t] = execute(raw, sql, err);
    return raw->distinct[t] || nv_wrap(err, "deduplicating %s", table->name);
}

/* A column as it is compared: as text where the two sides have different types. */
static char *compared(nv_mem_t *ctx, const Nv__ColumnProfile *column, const Nv__ColumnProfile *other)
{
    const char *name = sql_identifier(ctx, SQL_DUCKDB, column->name);
    if (other == NULL || other->type == column->type)
        return nv_strdup(ctx, name);
    return nv_printf(ctx, "CAST(%s AS VARCHAR)", name);
}

static char *inclusion_sql(rawdata_t *raw, nv_mem_t *ctx, const discovery_check_t *check, int from, int to)
{
    char *source = nv_strdup(ctx, ""), *target = nv_strdup(ctx, ""), *filled = nv_strdup(ctx, ""),
         *equal = nv_strdup(ctx, "");
    char *target_filled = nv_strdup(ctx, "");
    for (int i = 0; i < check->n; i++) {
        const Nv__ColumnProfile *a = find_column(raw, from, check->columns[i]),
                                *b = find_column(raw, to, check->to_columns[i]);
        const char *comma = i > 0 ? ", " : "", *and = i > 0 ? " AND " : "";
        source = nv_printf(ctx, "%s%s%s AS k%d", source, comma, compared(ctx, a, b), i);
        target = nv_printf(ctx, "%s%s%s AS k%d", target, comma, compared(ctx, b, a), i);
        filled = nv_printf(ctx, "%s%s%s IS NOT NULL", filled, and, sql_identifier(ctx, SQL_DUCKDB, a->name));
        target_filled = nv_printf(ctx, "%s%s%s IS NOT NULL", target_filled, and,
                                  sql_identifier(ctx, SQL_DUCKDB, b->name));
        equal = nv_printf(ctx, "%s%ss.k%d = t.k%d", equal, and, i, i);
    }
    return nv_printf(ctx,
                     "WITH s AS (SELECT *, count(*) AS n FROM (SELECT %s FROM t%d WHERE %s) GROUP BY ALL), "
                     "t AS (SELECT *, count(*) AS m FROM (SELECT %s FROM t%d WHERE %s) GROUP BY ALL) "
                     "SELECT coalesce(sum(n), 0)::BIGINT, coalesce(sum(n) FILTER (WHERE m IS NULL), "
                     "0)::BIGINT, count(*)::BIGINT, "
                     "count(m)::BIGINT, coalesce(max(m), 0)::BIGINT FROM s LEFT JOIN t ON %s",
                     source, from, filled, target, to, target_filled, equal);
}

static char *uniqueness_sql(nv_mem_t *ctx, const discovery_check_t *check, int from)
{
    char *columns = nv_strdup(ctx, ""), *filled = nv_strdup(ctx, "");
    for (int i = 0; i < check->n; i++) {
        const char *name = sql_identifier(ctx, SQL_DUCKDB, check->columns[i]);
        columns = nv_printf(ctx, "%s%s%s", columns, i > 0 ? ", " : "", name);
        filled = nv_printf(ctx, "%s%s%s IS NOT NULL", filled, i > 0 ? " AND " : "", name);
    }
    return nv_printf(ctx,
                     "WITH k AS (SELECT %s, count(*) AS n FROM u%d WHERE %s GROUP BY ALL) "
                     "SELECT coalesce(sum(n), 0)::BIGINT, ((SELECT count(*) FROM u%d) - coalesce(sum(n), "
                     "0))::BIGINT, count(*)::BIGINT, "
                     "count(*)::BIGINT, coalesce(max(n), 0)::BIGINT FROM k",
                     columns, from, filled, from);
}

static bool fetch_counts(rawdata_t *raw, const char *sql, discovery_counts_t *out, nv_error_t *err)
{
    duckdb_result result;
    if (duckdb_query(raw->connection, sql, &result) != DuckDBSuccess) {
        (void)nv_fail(err, NV_INTERNAL, "DuckDB: %.600s", duckdb_result_error(&result));
        duckdb_destroy_result(&result);
        return false;
    }
    duckdb_data_chunk chunk = duckdb_fetch_chunk(result);
    bool ok = chunk != NULL && duckdb_data_chunk_get_size(chunk) == 1 &&
              duckdb_data_chunk_get_column_count(chunk) == 5;
    int64_t values[5] = {0};
    for (idx_t i = 0; ok && i < 5; i++)
        values[i] = ((int64_t *)duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, i)))[0];
    if (ok)
        *out = (discovery_counts_t){.rows = values[0],
                                    .missing = values[1],
                                    .distinct = values[2],
                                    .distinct_found = values[3],
                                    .fan_out = values[4],
                                    .answered = true};
    else
        (void)nv_fail(err, NV_INTERNAL, "DuckDB: a count returned no row");
    if (chunk != NULL)
        duckdb_destroy_data_chunk(&chunk);
    duckdb_destroy_result(&result);
    return ok;
}

static bool can_answer(const rawdata_t *raw, int table, const char *const *columns, int n)
{
    for (int i = 0; i < n; i++) {
        const Nv__ColumnProfile *column = find_column(raw, table, columns[i]);
        if (column == NULL || !is_worth_loading(column))
            return false;
    }
    return table >= 0 && n > 0;
}

bool rawdata_count(rawdata_t *raw, const discovery_check_t *check, discovery_counts_t *out, nv_error_t *err)
{
    *out = (discovery_counts_t){0};
    if (raw->options.cancelled != NULL && raw->options.cancelled(raw->options.cancelled_arg))
        return nv_fail(err, NV_CANCELLED, "counting was cancelled");
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("count");
    int from = find_table(raw, check->from), to = check->to != NULL ? find_table(raw, check->to) : -1;
    if (!can_answer(raw, from, check->columns, check->n) ||
        (check->to != NULL && !can_answer(raw, to, check->to_columns, check->n)))
        return true;
    if (!ensure_loaded(raw, ctx, from, check->to == NULL, err) ||
        (to >= 0 && !ensure_loaded(raw, ctx, to, false, err)))
        return false;
    const char *sql =
        check->to != NULL ? inclusion_sql(raw, ctx, check, from, to) : uniqueness_sql(ctx, check, from);
    nv_mem_free(raw->sql);
    raw->sql = nv_strdup(raw->ctx, sql);
    return fetch_counts(raw, sql, out, err);
}

static bool count_all(void *self, const discovery_check_t *checks, size_t n, discovery_counts_t *out,
                      nv_error_t *err)
{
    for (size_t i = 0; i < n; i++) {
        if (!rawdata_count(self, &checks[i], &out[i], err))
            return nv_wrap(err, "%s.%s", checks[i].from, checks[i].columns[0]);
    }
    return true;
}

discovery_exact_t rawdata_exact(rawdata_t *raw)
{
    return (discovery_exact_t){.self = raw, .count = count_all};
}
