#include "worker/profiling/parse_sql.h"

#include <string.h>

#include "common/core/buf.h"

enum { SQL_MAX = 64 << 20 };

/* Named options of read_csv; everything that was detected, so that DuckDB guesses nothing. */
static void put_options(nv_mem_t *ctx, nv_buf_t *out, const Nv__TableProfile *table)
{
    const Nv__Dialect *d = table->dialect;
    nv_buf_printf(out, ", auto_detect = false, delim = %s", sql_literal(ctx, SQL_DUCKDB, d->delimiter));
    nv_buf_printf(out, ", quote = %s", sql_literal(ctx, SQL_DUCKDB, d->quote));
    nv_buf_printf(out, ", escape = %s", sql_literal(ctx, SQL_DUCKDB, d->escape));
    nv_buf_printf(out, ", header = %s, skip = %d", d->has_header ? "true" : "false", d->skip_lines);
    nv_buf_printf(out, ", encoding = %s", sql_literal(ctx, SQL_DUCKDB, d->encoding));
    nv_buf_printf(out,
                  ", strict_mode = %s, null_padding = false, ignore_errors = true, max_line_size = 16777216",
                  d->mixed_line_ends ? "false" : "true"); /* the strict one wants one kind of line end */
    nv_buf_printf(out, ", compression = '%s', nullstr = '', filename = 'nuvyn_file', columns = {",
                  d->compression && d->compression[0] ? d->compression : "none");
    for (size_t i = 0; i < table->n_columns; i++)
        nv_buf_printf(out, "%s%s: 'VARCHAR'", i ? ", " : "",
                      sql_literal(ctx, SQL_DUCKDB, table->columns[i]->name));
    nv_buf_puts(out, "}");
    if (table->rejected_count) /* after a broken quote, DuckDB's parallel reader loses the rest of its part */
        nv_buf_puts(out, ", parallel = false");
}

/* DuckDB finds a broken value only in columns that are read, so where lines were rejected all of them must be. */
static void put_filter(nv_mem_t *ctx, nv_buf_t *out, const Nv__TableProfile *table)
{
    if (!table->rejected_count)
        return;
    nv_buf_puts(out, " WHERE NOT contains(concat(''");
    for (size_t i = 0; i < table->n_columns; i++)
        nv_buf_printf(out, ", %s", sql_identifier(ctx, SQL_DUCKDB, table->columns[i]->name));
    nv_buf_puts(out, "), chr(0))");
}

/* Files that are read alike: the same batch and the same header. */
static bool reads_alike(const Nv__SourceFile *a, const Nv__SourceFile *b)
{
    bool same = a->batch == b->batch && a->n_columns == b->n_columns;
    for (size_t i = 0; same && i < a->n_columns; i++)
        same = strcmp(a->columns[i], b->columns[i]) == 0;
    return same;
}

/* The table as `count` of its files hold it: with their own header, where they have one. */
static Nv__TableProfile part_of(nv_mem_t *ctx, const Nv__TableProfile *table, size_t first, size_t count)
{
    const Nv__SourceFile *file = table->files[first];
    Nv__TableProfile part = *table;
    part.files = table->files + first;
    part.n_files = count;
    if (file->n_columns == 0)
        return part;
    part.n_columns = file->n_columns;
    part.columns = NV_NEW_ARRAY(ctx, Nv__ColumnProfile *, file->n_columns);
    for (size_t i = 0; i < file->n_columns; i++) {
        part.columns[i] = NV_NEW(ctx, Nv__ColumnProfile);
        nv__column_profile__init(part.columns[i]);
        part.columns[i]->name = file->columns[i];
    }
    return part;
}

static bool is_format(const Nv__TableProfile *table, const char *format)
{
    return table->dialect->format && strcmp(table->dialect->format, format) == 0;
}

/* RFC 6901: the value of a name, whatever stands in it. */
static char *json_pointer(nv_mem_t *ctx, const char *name)
{
    nv_buf_t out = nv_buf_make(ctx, SQL_MAX);
    nv_buf_putc(&out, '/');
    for (; *name; name++) {
        if (*name == '~' || *name == '/')
            nv_buf_puts(&out, *name == '~' ? "~0" : "~1");
        else
            nv_buf_putc(&out, *name);
    }
    return out.data;
}

/* A Parquet value as text: nested ones as JSON, moments with a time zone as their UTC time, the rest as DuckDB writes them. */
static char *parquet_text_sql(nv_mem_t *ctx, const char *column)
{
    return nv_printf(
        ctx,
        "CASE WHEN typeof(%s) LIKE '%%]' OR typeof(%s) LIKE 'STRUCT%%' OR typeof(%s) LIKE 'MAP%%' "
        "THEN CAST(to_json(%s) AS VARCHAR) WHEN typeof(%s) = 'TIMESTAMP WITH TIME ZONE' THEN "
        "CAST(TRY_CAST(CAST(%s AS VARCHAR) AS TIMESTAMPTZ) AT TIME ZONE 'UTC' AS VARCHAR) ELSE "
        "CAST(%s AS VARCHAR) END",
        column, column, column, column, column, column, column);
}

char *parquet_texts_sql(nv_mem_t *ctx, const char *path, char *const *names, size_t n)
{
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("parquet sql");
    nv_buf_t out = nv_buf_make(scratch, SQL_MAX);
    nv_buf_puts(&out, "SELECT ");
    for (size_t i = 0; i < n; i++)
        nv_buf_printf(&out, "%s%s", i ? ", " : "",
                      parquet_text_sql(scratch, sql_identifier(scratch, SQL_DUCKDB, names[i])));
    nv_buf_printf(&out, " FROM read_parquet(%s)", sql_literal(scratch, SQL_DUCKDB, path));
    return nv_strdup(ctx, nv_buf_text(&out));
}

/* Files with a header of their own may lack a column of the table: there it is null. */
static bool lacks(const Nv__TableProfile *part, const char *name)
{
    const Nv__SourceFile *file = part->n_files ? part->files[0] : NULL;
    for (size_t i = 0; file && i < file->n_columns; i++)
        if (strcmp(file->columns[i], name) == 0)
            return false;
    return file && file->n_columns > 0;
}

/* The column as the files hold it, under its own name. */
static void put_column(nv_mem_t *ctx, nv_buf_t *out, const Nv__TableProfile *table, const char *name)
{
    char *column = sql_identifier(ctx, SQL_DUCKDB, name);
    if (lacks(table, name))
        nv_buf_printf(out, "CAST(NULL AS VARCHAR) AS %s, ", column);
    else if (is_format(table, "jsonl"))
        nv_buf_printf(out, "json_extract_string(json, %s) AS %s, ",
                      sql_literal(ctx, SQL_DUCKDB, json_pointer(ctx, name)), column);
    else if (is_format(table, "parquet"))
        nv_buf_printf(out, "%s AS %s, ", parquet_text_sql(ctx, column), column);
    else
        nv_buf_printf(out, "%s, ", column);
}

static void put_files(nv_mem_t *ctx, nv_buf_t *out, const Nv__TableProfile *part)
{
    const char *reader = is_format(part, "jsonl")     ? "read_ndjson_objects"
                         : is_format(part, "parquet") ? "read_parquet"
                                                      : "read_csv";
    nv_buf_printf(out, "nuvyn_file FROM %s([", reader);
    for (size_t i = 0; i < part->n_files; i++)
        nv_buf_printf(out, "%s%s", i ? ", " : "", sql_literal(ctx, SQL_DUCKDB, part->files[i]->path));
    nv_buf_puts(out, "]");
    if (is_format(part, "jsonl")) {
        const char *compression = part->dialect->compression;
        nv_buf_printf(
            out,
            ", ignore_errors = true, maximum_object_size = 16777216, compression = '%s', filename = "
            "'nuvyn_file') WHERE json_type(json) = 'OBJECT'",
            compression && compression[0] ? compression : "uncompressed");
    } else if (is_format(part, "parquet")) {
        nv_buf_puts(out, ", filename = 'nuvyn_file', union_by_name = true)");
    } else {
        put_options(ctx, out, part);
        nv_buf_puts(out, ")");
        put_filter(ctx, out, part);
    }
}

/* A later batch sorts after an earlier one, whatever its folder is called. */
static void put_part(nv_mem_t *ctx, nv_buf_t *out, const Nv__TableProfile *table,
                     const Nv__TableProfile *part, const bool *chosen)
{
    nv_buf_puts(out, "SELECT ");
    for (size_t i = 0; i < table->n_columns; i++)
        if (!chosen || chosen[i])
            put_column(ctx, out, part, table->columns[i]->name);
    if (part->n_files > 0 && part->files[0]->batch > 0)
        nv_buf_printf(out, "chr(1114111) || '%09d' || ", part->files[0]->batch);
    put_files(ctx, out, part);
}

char *raw_scan_sql(nv_mem_t *ctx, const Nv__TableProfile *table)
{
    return raw_scan_some_sql(ctx, table, NULL);
}

char *raw_scan_some_sql(nv_mem_t *ctx, const Nv__TableProfile *table, const bool *chosen)
{
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("scan sql");
    nv_buf_t out = nv_buf_make(scratch, SQL_MAX);
    nv_buf_puts(&out, "(");
    for (size_t i = 0, n; i == 0 || i < table->n_files; i += n) {
        n = 1;
        while (i + n < table->n_files && reads_alike(table->files[i], table->files[i + n]))
            n++;
        Nv__TableProfile part = table->n_files ? part_of(scratch, table, i, n) : *table;
        nv_buf_puts(&out, i ? " UNION ALL " : "");
        put_part(scratch, &out, table, &part, chosen);
    }
    nv_buf_puts(&out, ")");
    return nv_strdup(ctx, nv_buf_text(&out));
}
