#include "worker/pushdown/scan.h"

#include <stdlib.h>
#include <string.h>

#include "worker/pushdown/scan_part.h"
#include "worker/pushdown/sql.h"

/* As in nuvyn_runtime.py: larger files are told apart by size and time. */
#define HASHED_FILE_BYTES "268435456"

static const char *charset(const char *encoding)
{
    if (strcmp(encoding, "latin-1") == 0)
        return "ISO-8859-1";
    return strcmp(encoding, "utf-16") == 0 ? "UTF-16" : "UTF-8";
}

bool scan_can_read(const Nv__TableProfile *table, nv_error_t *err)
{
    for (size_t i = 0; i < table->n_files; i++)
        if (strpbrk(table->files[i]->path, "*?[]{}\\^,"))
            return nv_fail(err, NV_UNIMPLEMENTED,
                           "%s: a path with one of * ? [ ] { } \\ ^ , cannot be read in the warehouse",
                           table->files[i]->path);
    if (table->dialect->skip_lines)
        return nv_fail(err, NV_UNIMPLEMENTED,
                       "table %s: %d lines stand before its header; in the warehouse such files are not read",
                       table->name, table->dialect->skip_lines);
    return true;
}

static size_t folder_length(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) : 0;
}

static bool same_folder(const char *a, const char *b)
{
    size_t n = folder_length(a);
    return n == folder_length(b) && strncmp(a, b, n) == 0;
}

/* One glob for the files of one folder: "/Volumes/…/{a.csv,b.csv}". Counts how many it took. */
static char *glob_of(nv_mem_t *ctx, const Nv__TableProfile *table, size_t first, bool *taken)
{
    const char *path = table->files[first]->path;
    size_t n = folder_length(path), members = 0;
    nv_buf_t out = nv_buf_make(ctx, PUSHDOWN_SQL_MAX);
    for (size_t i = first; i < table->n_files; i++) {
        if (taken[i] || !same_folder(path, table->files[i]->path))
            continue;
        taken[i] = true;
        nv_buf_printf(&out, "%s%s", members++ ? "," : "", table->files[i]->path + n + 1);
    }
    return nv_printf(ctx, members > 1 ? "%.*s/{%s}" : "%.*s/%s", (int)n, path, nv_buf_text(&out));
}

char *scan_select_files(nv_mem_t *ctx, const Nv__TableProfile *table, const char *list, const char *options,
                        const char *where)
{
    nv_buf_t out = nv_buf_make(ctx, PUSHDOWN_SQL_MAX);
    bool *taken = NV_NEW_ARRAY(ctx, bool, table->n_files + 1);
    for (size_t i = 0; i < table->n_files; i++)
        if (!taken[i])
            nv_buf_printf(&out, "%sSELECT %s FROM read_files(%s, %s)%s", out.length ? " UNION ALL " : "",
                          list, sql_literal(ctx, SQL_SPARK, glob_of(ctx, table, i, taken)), options, where);
    return out.data;
}

static char *csv_options(nv_mem_t *ctx, const Nv__TableProfile *table)
{
    const Nv__Dialect *d = table->dialect;
    const char *escape = d->escape[0] ? d->escape : d->quote;
    nv_buf_t schema = nv_buf_make(ctx, PUSHDOWN_SQL_MAX);
    for (size_t i = 0; i < table->n_columns; i++)
        nv_buf_printf(&schema, "r%zu STRING, ", i);
    return nv_printf(ctx,
                     "format => 'csv', schema => '%snuvyn_corrupt STRING', header => %s, sep => %s, quote => "
                     "%s, escape => %s, encoding => '%s', multiLine => true, mode => 'PERMISSIVE', "
                     "columnNameOfCorruptRecord => 'nuvyn_corrupt'",
                     nv_buf_text(&schema), d->has_header ? "true" : "false",
                     sql_literal(ctx, SQL_SPARK, d->delimiter[0] ? d->delimiter : ","),
                     sql_literal(ctx, SQL_SPARK, d->quote), sql_literal(ctx, SQL_SPARK, escape),
                     charset(d->encoding));
}

static bool is_format(const Nv__TableProfile *table, const char *format)
{
    return table->dialect->format && strcmp(table->dialect->format, format) == 0;
}

static char *csv_sql(nv_mem_t *ctx, const Nv__TableProfile *table, bool rejected)
{
    nv_buf_t list = nv_buf_make(ctx, PUSHDOWN_SQL_MAX);
    for (size_t i = 0; i < table->n_columns; i++)
        nv_buf_printf(&list, "r%zu, ", i);
    nv_buf_printf(&list, "_metadata.file_path AS nuvyn_file%s", rejected ? ", nuvyn_corrupt" : "");
    return scan_select_files(ctx, table, nv_buf_text(&list), csv_options(ctx, table),
                             rejected ? "" : " WHERE nuvyn_corrupt IS NULL");
}

static char *spark_sql(nv_mem_t *ctx, const Nv__TableProfile *table, bool rejected)
{
    char *rows = is_format(table, "jsonl")     ? scan_jsonl_sql(ctx, table, rejected)
                 : is_format(table, "parquet") ? scan_parquet_sql(ctx, table, rejected)
                 : is_format(table, "table")   ? scan_catalog_sql(ctx, table, rejected)
                                               : csv_sql(ctx, table, rejected);
    return nv_printf(ctx, "(%s)", rows);
}

static char *duckdb_sql(nv_mem_t *ctx, const Nv__TableProfile *table)
{
    nv_buf_t list = nv_buf_make(ctx, PUSHDOWN_SQL_MAX);
    for (size_t i = 0; i < table->n_columns; i++)
        nv_buf_printf(&list, "%s AS r%zu, ", sql_identifier(ctx, SQL_DUCKDB, table->columns[i]->name), i);
    return nv_printf(ctx, "(SELECT %snuvyn_file FROM %s)", nv_buf_text(&list), raw_scan_sql(ctx, table));
}

char *scan_sql(nv_mem_t *ctx, sql_dialect_t dialect, const Nv__TableProfile *table, bool rejected)
{
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("scan");
    return nv_strdup(ctx, dialect == SQL_DUCKDB ? duckdb_sql(scratch, table)
                                                : spark_sql(scratch, table, rejected));
}

char *scan_named_sql(nv_mem_t *ctx, const Nv__TableProfile *table)
{
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("scan");
    nv_buf_t list = nv_buf_make(scratch, PUSHDOWN_SQL_MAX);
    for (size_t i = 0; i < table->n_columns; i++)
        nv_buf_printf(&list, "r%zu AS %s, ", i, sql_identifier(scratch, SQL_SPARK, table->columns[i]->name));
    return nv_printf(ctx, "(SELECT %snuvyn_file, monotonically_increasing_id() AS nuvyn_row FROM %s)",
                     nv_buf_text(&list), spark_sql(scratch, table, false));
}

char *scan_fingerprint_sql(nv_mem_t *ctx, const Nv__TableProfile *table)
{
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("scan");
    if (is_format(table, "table"))
        return nv_strdup(ctx, scan_catalog_fingerprint_sql(scratch, table));
    return nv_strdup(ctx, scan_select_files(scratch, table,
                                            "path, length, CASE WHEN length <= " HASHED_FILE_BYTES
                                            " THEN sha2(content, 256) ELSE concat_ws('@', length, "
                                            "modificationTime) END AS fingerprint",
                                            "format => 'binaryFile'", ""));
}

static int hex(char c)
{
    return c >= '0' && c <= '9'                     ? c - '0'
           : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
                                                    : -1;
}

char *scan_path(nv_mem_t *ctx, const char *path)
{
    const char *volumes = strstr(path, "/Volumes/");
    bool file = strncmp(path, "file:/", 6) == 0;
    const char *from = volumes && (file || strncmp(path, "dbfs:", 5) == 0) ? volumes : path;
    if (file && from == path && path[6] != '/') /* Spark writes file:///folder in either way */
        from = nv_printf(ctx, "file:///%s", path + 6);
    char *out = nv_strdup(ctx, from), *to = out;
    for (const char *p = out; *p; p++) {
        bool escaped = p[0] == '%' && hex(p[1]) >= 0 && hex(p[2]) >= 0;
        *to++ = escaped ? (char)(hex(p[1]) * 16 + hex(p[2])) : *p;
        p += escaped ? 2 : 0;
    }
    *to = '\0';
    return out;
}
