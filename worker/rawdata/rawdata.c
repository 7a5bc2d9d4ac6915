#include "worker/rawdata/rawdata.h"

#include <dirent.h>
#include <duckdb.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/core/buf.h"
#include "worker/profiling/parse_sql.h"

enum {
    LIST_MAX = 64 << 20,
    WIDE_COLUMNS = 1000 /* more than DuckDB compares rows by in reasonable time */
};

/* The distinct values of a key in a relation, each with its number of rows; asked for again by other checks. */
typedef struct group {
    char *relation;
    char *columns; /* as they are selected */
} group_t;

/* A copy of some columns of one table, typed. */
typedef struct segment {
    int table;
    bool *columns;
} segment_t;

struct rawdata {
    nv_mem_t *ctx;
    const Nv__Profile *profile;
    rawdata_options_t options;
    duckdb_database database;
    duckdb_connection connection;
    segment_t *segments; /* in the database as s0, s1 … */
    size_t n_segments, cap_segments;
    group_t *groups; /* in the database as g0, g1 … */
    size_t n_groups, cap_groups;
    bool **wanted;  /* per table and column: asked for by the questions at hand */
    bool *distinct; /* per table: u<t> holds its rows without exact duplicates */
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
    raw->wanted = NV_NEW_ARRAY(raw, bool *, profile->n_tables + 1);
    for (size_t t = 0; t < profile->n_tables; t++)
        raw->wanted[t] = NV_NEW_ARRAY(raw, bool, profile->tables[t]->n_columns + 1);
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

/* Nothing but digits and a sign, by the profile: then a cast is the parse rule, and many times faster. */
static bool is_plain_integer(const Nv__ColumnProfile *column)
{
    const Nv__ParseRule *rule = column->parse;
    if (column->type != NV__VALUE_TYPE__VALUE_TYPE_INT64 || column->invalid_count > 0)
        return false;
    if (rule == NULL)
        return true;
    for (size_t i = 0; i < rule->n_null_spellings; i++) {
        if (strpbrk(rule->null_spellings[i], "0123456789") != NULL)
            return false;
    }
    return rule->group_separator[0] == '\0' && rule->n_currency_marks == 0 && !rule->percent &&
           !rule->negative_parentheses && !rule->trailing_minus;
}

static char *value_sql(nv_mem_t *ctx, const Nv__ColumnProfile *column)
{
    const char *name = sql_identifier(ctx, SQL_DUCKDB, column->name);
    if (is_plain_integer(column))
        return nv_printf(ctx, "TRY_CAST(%s AS BIGINT) AS %s", name, name);
    return nv_printf(ctx, "%s AS %s", parse_rule_sql(ctx, SQL_DUCKDB, column, name), name);
}

static const char *column_list(const rawdata_t *raw, nv_mem_t *ctx, int t, const bool *chosen)
{
    const Nv__TableProfile *table = raw->profile->tables[t];
    nv_buf_t columns = nv_buf_make(ctx, LIST_MAX);
    for (size_t c = 0; c < table->n_columns; c++) {
        if (chosen != NULL ? chosen[c] : is_worth_loading(table->columns[c]))
            nv_buf_printf(&columns, "%s%s", columns.length > 0 ? ", " : "",
                          value_sql(ctx, table->columns[c]));
    }
    return nv_buf_text(&columns);
}

static bool covers(const segment_t *segment, const bool *needed, size_t n)
{
    for (size_t c = 0; c < n; c++) {
        if (needed[c] && !segment->columns[c])
            return false;
    }
    return true;
}

static void mark_columns(const rawdata_t *raw, int t, const char *const *names, int n, bool *needed)
{
    for (int i = 0; i < n; i++) {
        for (size_t c = 0; c < raw->profile->tables[t]->n_columns; c++)
            needed[c] = needed[c] || strcmp(raw->profile->tables[t]->columns[c]->name, names[i]) == 0;
    }
}

/* The segment that holds the columns; read from the files now if there is none, together with all that is wanted of the table. */
static bool ensure_segment(rawdata_t *raw, nv_mem_t *ctx, int t, const char *const *names, int n, int *out,
                           nv_error_t *err)
{
    const Nv__TableProfile *table = raw->profile->tables[t];
    bool *needed = NV_NEW_ARRAY(ctx, bool, table->n_columns + 1);
    mark_columns(raw, t, names, n, needed);
    for (size_t i = 0; i < raw->n_segments; i++) {
        *out = (int)i;
        if (raw->segments[i].table == t && covers(&raw->segments[i], needed, table->n_columns))
            return true;
    }
    bool *columns = NV_NEW_ARRAY(raw->ctx, bool, table->n_columns + 1);
    for (size_t c = 0; c < table->n_columns; c++)
        columns[c] = needed[c] || raw->wanted[t][c];
    const char *sql = nv_printf(ctx, "CREATE TEMP TABLE s%zu AS SELECT %s FROM %s", raw->n_segments,
                                column_list(raw, ctx, t, columns), raw_scan_some_sql(ctx, table, columns));
    if (!execute(raw, sql, err))
        return nv_wrap(err, "reading %s", table->name);
    *out = (int)raw->n_segments;
    NV_PUSH(raw->ctx, raw->segments, raw->n_segments, raw->cap_segments) =
        (segment_t){.table = t, .columns = columns};
    return true;
}

/* The relation to ask uniqueness of: where exact duplicates were seen, one that has lost them. */
static bool ensure_distinct(rawdata_t *raw, nv_mem_t *ctx, const discovery_check_t *check, int t,
                            const char **out, nv_error_t *err)
{
    const Nv__TableProfile *table = raw->profile->tables[t];
    if (table->duplicate_row_count == 0) {
        int segment = 0;
        if (!ensure_segment(raw, ctx, t, check->columns, check->n, &segment, err))
            return false;
        *out = nv_printf(ctx, "s%d", segment);
        return true;
    }
    *out = nv_printf(ctx, "u%d", t);
    if (raw->distinct[t])
        return true;
    const char *sql = nv_printf(ctx, "CREATE TEMP TABLE u%d AS SELECT DISTINCT %s FROM %s", t,
                                column_list(raw, ctx, t, NULL), raw_scan_sql(ctx, table));
    raw->distinct[t] = execute(raw, sql, err);
    return raw->distinct[t] || nv_wrap(err, "deduplicating %s", table->name);
}

static bool is_number(const Nv__ColumnProfile *column)
{
    return column->type == NV__VALUE_TYPE__VALUE_TYPE_INT64 ||
           column->type == NV__VALUE_TYPE__VALUE_TYPE_DECIMAL;
}

/* A column as it is compared: as text where the two sides have different types. */
static char *compared(nv_mem_t *ctx, const Nv__ColumnProfile *column, const Nv__ColumnProfile *other)
{
    const char *name = sql_identifier(ctx, SQL_DUCKDB, column->name);
    if (other == NULL || other->type == column->type || (is_number(column) && is_number(other)))
        return nv_strdup(ctx, name);
    return nv_printf(ctx, "CAST(%s AS VARCHAR)", name);
}

/* The relation of distinct keys of `from`: k0, k1 … and n. Counted once, however many checks ask. */
static bool ensure_group(rawdata_t *raw, nv_mem_t *ctx, const char *from, char *const *columns, int n,
                         const char **out, nv_error_t *err)
{
    nv_buf_t selected = nv_buf_make(ctx, LIST_MAX), filled = nv_buf_make(ctx, LIST_MAX);
    for (int i = 0; i < n; i++) {
        nv_buf_printf(&selected, "%s AS k%d, ", columns[i], i);
        nv_buf_printf(&filled, "%s%s IS NOT NULL", i > 0 ? " AND " : "", columns[i]);
    }
    for (size_t i = 0; i < raw->n_groups; i++) {
        *out = nv_printf(ctx, "g%zu", i);
        if (strcmp(raw->groups[i].relation, from) == 0 &&
            strcmp(raw->groups[i].columns, nv_buf_text(&selected)) == 0)
            return true;
    }
    *out = nv_printf(ctx, "g%zu", raw->n_groups);
    if (!execute(raw,
                 nv_printf(ctx,
                           "CREATE TEMP TABLE %s AS SELECT %scount(*) AS n FROM %s WHERE %s GROUP BY ALL",
                           *out, nv_buf_text(&selected), from, nv_buf_text(&filled)),
                 err))
        return nv_wrap(err, "counting keys");
    NV_PUSH(raw->ctx, raw->groups, raw->n_groups, raw->cap_groups) =
        (group_t){nv_strdup(raw->ctx, from), nv_strdup(raw->ctx, nv_buf_text(&selected))};
    return true;
}

/* Rows with a key, of them without a partner, distinct keys, of them with a partner, most partners of one. */
static char *inclusion_sql(nv_mem_t *ctx, const char *source, const char *target, int n)
{
    nv_buf_t equal = nv_buf_make(ctx, LIST_MAX);
    for (int i = 0; i < n; i++)
        nv_buf_printf(&equal, "%ss.k%d = t.k%d", i > 0 ? " AND " : "", i, i);
    return nv_printf(
        ctx,
        "SELECT coalesce(sum(s.n), 0)::BIGINT, coalesce(sum(s.n) FILTER (WHERE t.n IS NULL), "
        "0)::BIGINT, count(*)::BIGINT, count(t.n)::BIGINT, coalesce(max(t.n), 0)::BIGINT FROM %s AS "
        "s LEFT JOIN %s AS t ON %s",
        source, target, nv_buf_text(&equal));
}

static char *uniqueness_sql(nv_mem_t *ctx, const char *keys, const char *from)
{
    return nv_printf(ctx,
                     "SELECT coalesce(sum(n), 0)::BIGINT, ((SELECT count(*) FROM %s) - coalesce(sum(n), "
                     "0))::BIGINT, count(*)::BIGINT, count(*)::BIGINT, coalesce(max(n), 0)::BIGINT FROM %s",
                     from, keys);
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

/* Rows of very many columns cannot be told apart here; the profile has counted without the duplicates. */
static bool can_deduplicate(const rawdata_t *raw, int table)
{
    const Nv__TableProfile *t = raw->profile->tables[table];
    return t->duplicate_row_count == 0 || t->n_columns <= WIDE_COLUMNS;
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

static bool plan_uniqueness(rawdata_t *raw, nv_mem_t *ctx, const discovery_check_t *check, int table,
                            const char **sql, nv_error_t *err)
{
    const char *rows = NULL, *keys = NULL;
    char **columns = NV_NEW_ARRAY(ctx, char *, (size_t)check->n);
    for (int i = 0; i < check->n; i++)
        columns[i] = sql_identifier(ctx, SQL_DUCKDB, check->columns[i]);
    if (!ensure_distinct(raw, ctx, check, table, &rows, err) ||
        !ensure_group(raw, ctx, rows, columns, check->n, &keys, err))
        return false;
    *sql = uniqueness_sql(ctx, keys, rows);
    return true;
}

static bool plan_inclusion(rawdata_t *raw, nv_mem_t *ctx, const discovery_check_t *check, int from, int to,
                           const char **sql, nv_error_t *err)
{
    int segments[2] = {0, 0};
    const char *source = NULL, *target = NULL;
    char **ours = NV_NEW_ARRAY(ctx, char *, (size_t)check->n);
    char **theirs = NV_NEW_ARRAY(ctx, char *, (size_t)check->n);
    for (int i = 0; i < check->n; i++) {
        const Nv__ColumnProfile *a = find_column(raw, from, check->columns[i]),
                                *b = find_column(raw, to, check->to_columns[i]);
        ours[i] = compared(ctx, a, b);
        theirs[i] = compared(ctx, b, a);
    }
    if (!ensure_segment(raw, ctx, from, check->columns, check->n, &segments[0], err) ||
        !ensure_segment(raw, ctx, to, check->to_columns, check->n, &segments[1], err) ||
        !ensure_group(raw, ctx, nv_printf(ctx, "s%d", segments[0]), ours, check->n, &source, err) ||
        !ensure_group(raw, ctx, nv_printf(ctx, "s%d", segments[1]), theirs, check->n, &target, err))
        return false;
    *sql = inclusion_sql(ctx, source, target, check->n);
    return true;
}

bool rawdata_count(rawdata_t *raw, const discovery_check_t *check, discovery_counts_t *out, nv_error_t *err)
{
    *out = (discovery_counts_t){0};
    if (raw->options.cancelled != NULL && raw->options.cancelled(raw->options.cancelled_arg))
        return nv_fail(err, NV_CANCELLED, "counting was cancelled");
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("count");
    int from = find_table(raw, check->from), to = check->to != NULL ? find_table(raw, check->to) : -1;
    if (!can_answer(raw, from, check->columns, check->n) ||
        (check->to != NULL ? !can_answer(raw, to, check->to_columns, check->n) : !can_deduplicate(raw, from)))
        return true;
    const char *sql = NULL;
    if (!(check->to == NULL ? plan_uniqueness(raw, ctx, check, from, &sql, err)
                            : plan_inclusion(raw, ctx, check, from, to, &sql, err)))
        return false;
    nv_mem_free(raw->sql);
    raw->sql = nv_strdup(raw->ctx, sql);
    return fetch_counts(raw, sql, out, err);
}

static bool count_all(void *self, const discovery_check_t *checks, size_t n, discovery_counts_t *out,
                      nv_error_t *err)
{
    rawdata_t *raw = self;
    /* All columns of the batch are read together, so that a file is read once for it. */
    for (size_t i = 0; i < n; i++) {
        int from = find_table(raw, checks[i].from),
            to = checks[i].to != NULL ? find_table(raw, checks[i].to) : -1;
        if (can_answer(raw, from, checks[i].columns, checks[i].n))
            mark_columns(raw, from, checks[i].columns, checks[i].n, raw->wanted[from]);
        if (to >= 0 && can_answer(raw, to, checks[i].to_columns, checks[i].n))
            mark_columns(raw, to, checks[i].to_columns, checks[i].n, raw->wanted[to]);
    }
    for (size_t i = 0; i < n; i++) {
        if (!rawdata_count(raw, &checks[i], &out[i], err))
            return nv_wrap(err, "%s.%s", checks[i].from, checks[i].columns[0]);
    }
    return true;
}

discovery_exact_t rawdata_exact(rawdata_t *raw)
{
    return (discovery_exact_t){.self = raw, .count = count_all};
}
