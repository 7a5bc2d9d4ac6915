/* Rows of files and tables that know their columns by name: JSON lines, Parquet, tables of the Unity Catalog. Spark SQL. */
#include <string.h>

#include "worker/pushdown/remote_survey.h"
#include "worker/pushdown/scan_part.h"
#include "worker/pushdown/sql.h"

char *scan_table_name(nv_mem_t *ctx, const char *path)
{
    const char *rest = path + strlen(SOURCE_CATALOG_PREFIX);
    char *out = nv_strdup(ctx, "");
    for (size_t n; *rest; rest += n + (rest[n] == '/')) {
        n = strcspn(rest, "/");
        out = nv_printf(ctx, "%s%s%s", out, *out ? "." : "",
                        sql_identifier(ctx, SQL_SPARK, nv_strndup(ctx, rest, n)));
    }
    return out;
}

/* A path as Spark itself tells one: percent signs are escaped. */
static char *told_path(nv_mem_t *ctx, const char *path)
{
    nv_buf_t out = nv_buf_make(ctx, PUSHDOWN_SQL_MAX);
    for (; *path; path++)
        nv_buf_puts(&out, *path == '%' ? "%25" : (char[]){*path, '\0'});
    return sql_literal(ctx, SQL_SPARK, nv_buf_text(&out));
}

/* A value of any type as text: nested ones as JSON, moments in UTC, the rest as Spark writes them. Each branch is valid for every
 * type, so that the type need not be known here; Spark keeps the one that applies. */
static char *text_of(nv_mem_t *ctx, const char *name)
{
    char *c = sql_identifier(ctx, SQL_SPARK, name);
    char *json = nv_printf(ctx, "to_json(named_struct('v', %s), map('ignoreNullFields', 'false'))", c);
    return nv_printf(
        ctx,
        "CASE WHEN %s IS NULL THEN NULL WHEN typeof(%s) RLIKE '^(struct|array|map|variant)' THEN "
        "substring(%s, 6, length(%s) - 6) WHEN typeof(%s) = 'timestamp' THEN "
        "CAST(convert_timezone(current_timezone(), 'UTC', CAST(CAST(%s AS STRING) AS "
        "TIMESTAMP_NTZ)) AS STRING) ELSE CAST(%s AS STRING) END",
        c, c, json, json, c, c, c);
}

static char *texts(nv_mem_t *ctx, const Nv__TableProfile *table)
{
    nv_buf_t list = nv_buf_make(ctx, PUSHDOWN_SQL_MAX);
    for (size_t i = 0; i < table->n_columns; i++)
        nv_buf_printf(&list, "%s AS r%zu, ", text_of(ctx, table->columns[i]->name), i);
    return nv_strdup(ctx, nv_buf_text(&list));
}

char *scan_parquet_sql(nv_mem_t *ctx, const Nv__TableProfile *table, bool rejected)
{
    char *list = nv_printf(ctx, "%s_metadata.file_path AS nuvyn_file%s", texts(ctx, table),
                           rejected ? ", CAST(NULL AS STRING) AS nuvyn_corrupt" : "");
    return scan_select_files(ctx, table, list, "format => 'parquet'", "");
}

char *scan_catalog_sql(nv_mem_t *ctx, const Nv__TableProfile *table, bool rejected)
{
    char *list = texts(ctx, table);
    nv_buf_t out = nv_buf_make(ctx, PUSHDOWN_SQL_MAX);
    for (size_t i = 0; i < table->n_files; i++)
        nv_buf_printf(&out, "%sSELECT %s%s AS nuvyn_file%s FROM %s", i ? " UNION ALL " : "", list,
                      told_path(ctx, table->files[i]->path),
                      rejected ? ", CAST(NULL AS STRING) AS nuvyn_corrupt" : "",
                      scan_table_name(ctx, table->files[i]->path));
    return nv_strdup(ctx, nv_buf_text(&out));
}

/* Lines with their object's members. A blank line is no record. */
static char *json_lines(nv_mem_t *ctx, const Nv__TableProfile *table, const char *further)
{
    char *list = nv_printf(
        ctx,
        "from_json(value, 'map<string,string>') AS nuvyn_map, value, _metadata.file_path AS nuvyn_file%s",
        further);
    return scan_select_files(ctx, table, list, "format => 'text'", " WHERE value <> ''");
}

char *scan_jsonl_sql(nv_mem_t *ctx, const Nv__TableProfile *table, bool rejected)
{
    nv_buf_t list = nv_buf_make(ctx, PUSHDOWN_SQL_MAX);
    for (size_t i = 0; i < table->n_columns; i++)
        nv_buf_printf(&list, "try_element_at(nuvyn_map, %s) AS r%zu, ",
                      sql_literal(ctx, SQL_SPARK, table->columns[i]->name), i);
    return nv_printf(ctx, "SELECT %snuvyn_file%s FROM (%s) j%s", nv_buf_text(&list),
                     rejected ? ", CASE WHEN nuvyn_map IS NULL THEN value END AS nuvyn_corrupt" : "",
                     json_lines(ctx, table, ""), rejected ? "" : " WHERE nuvyn_map IS NOT NULL");
}

char *scan_json_names_sql(nv_mem_t *ctx, const Nv__TableProfile *table, size_t most)
{
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("names");
    return nv_printf(
        ctx,
        "SELECT k FROM (SELECT nuvyn_row, posexplode(map_keys(nuvyn_map)) AS (p, k) FROM (%s) j) n "
        "GROUP BY k ORDER BY min(named_struct('r', nuvyn_row, 'p', p)), k LIMIT %zu",
        json_lines(scratch, table, ", monotonically_increasing_id() AS nuvyn_row"), most);
}

/* Rows in any order have one: nuvyn_table.fingerprint in nuvyn_bronze.py computes the same. */
char *scan_catalog_fingerprint_sql(nv_mem_t *ctx, const Nv__TableProfile *table)
{
    nv_buf_t values = nv_buf_make(ctx, PUSHDOWN_SQL_MAX);
    for (size_t i = 0; i < table->n_columns; i++)
        nv_buf_printf(&values, "%scoalesce(concat('v', r%zu), 'n')", i ? ", " : "", i);
    return nv_printf(ctx,
                     "SELECT nuvyn_file, 0, sha2(concat_ws('|', CAST(count(*) AS STRING), CAST(sum(CAST(h AS "
                     "DECIMAL(38,0))) AS STRING), CAST(bit_xor(h) AS STRING)), 256) FROM (SELECT nuvyn_file, "
                     "xxhash64(%s) AS h FROM (%s) z) y GROUP BY nuvyn_file",
                     nv_buf_text(&values), scan_catalog_sql(ctx, table, false));
}

bool scan_describe(nv_mem_t *ctx, const pushdown_engine_t *engine, const char *path, scan_column_t **out,
                   size_t *n, nv_error_t *err)
{
    pushdown_rows_t rows;
    const char *from =
        engine->dialect == SQL_DUCKDB ? nv_printf(ctx, "read_parquet(%s)", sql_literal(ctx, SQL_DUCKDB, path))
        : source_kind(path) == SOURCE_CATALOG
            ? scan_table_name(ctx, path)
            : nv_printf(ctx, "read_files(%s, format => 'parquet')", sql_literal(ctx, SQL_SPARK, path));
    char *sql = nv_printf(
        ctx, SQL_PICK(engine->dialect, "DESCRIBE SELECT * FROM %s", "DESCRIBE QUERY SELECT * FROM %s"), from);
    if (!engine->query(engine->arg, ctx, sql, &rows, err))
        return nv_wrap(err, "columns of %s", path);
    *n = rows.n_rows;
    *out = NV_NEW_ARRAY(ctx, scan_column_t, rows.n_rows + 1);
    for (size_t i = 0; i < rows.n_rows; i++) {
        const char *name = pushdown_cell(&rows, i, 0), *type = pushdown_cell(&rows, i, 1);
        (*out)[i].name = nv_strdup(ctx, name ? name : "");
        static const char *const nested[] = {"struct", "array", "map", "variant", "STRUCT", "MAP"};
        for (size_t k = 0; type && k < sizeof nested / sizeof nested[0]; k++)
            (*out)[i].nested |= strncmp(type, nested[k], strlen(nested[k])) == 0;
        size_t length = type ? strlen(type) : 0;
        (*out)[i].nested |= length && type[length - 1] == ']';
    }
    return true;
}
