#include "worker/pushdown/sql.h"

char *sql_replace_all(nv_mem_t *ctx, sql_dialect_t dialect, const char *value, const char *pattern,
                      const char *with)
{
    return nv_printf(ctx, SQL_PICK(dialect, "regexp_replace(%s, %s, %s, 'g')", "regexp_replace(%s, %s, %s)"),
                     value, sql_literal(ctx, dialect, pattern), sql_literal(ctx, dialect, with));
}

char *sql_matches(nv_mem_t *ctx, sql_dialect_t dialect, const char *value, const char *pattern)
{
    return nv_printf(ctx, SQL_PICK(dialect, "regexp_matches(%s, %s)", "%s RLIKE %s"), value,
                     sql_literal(ctx, dialect, pattern));
}

char *sql_bytes(nv_mem_t *ctx, sql_dialect_t dialect, const char *value)
{
    return nv_printf(ctx, SQL_PICK(dialect, "strlen(%s)", "octet_length(%s)"), value);
}

char *sql_trimmed(nv_mem_t *ctx, sql_dialect_t dialect, const char *value)
{
    return nv_printf(ctx,
                     SQL_PICK(dialect, "trim(%s, ' ' || chr(9) || chr(10) || chr(11) || chr(12) || chr(13))",
                              "trim(BOTH ' \\t\\n\\u000B\\u000C\\r' FROM %s)"),
                     value);
}

char *sql_hash(nv_mem_t *ctx, sql_dialect_t dialect, const char *value)
{
    return nv_printf(ctx, SQL_PICK(dialect, "hash(%s)", "xxhash64(%s)"), value);
}

char *sql_unpivot(nv_mem_t *ctx, sql_dialect_t dialect, char *const *items, const size_t *indices, size_t n,
                  const char *from)
{
    nv_buf_t numbers = nv_buf_make(ctx, PUSHDOWN_SQL_MAX), values = nv_buf_make(ctx, PUSHDOWN_SQL_MAX);
    for (size_t i = 0; i < n; i++) {
        size_t index = indices ? indices[i] : i;
        const char *comma = i ? ", " : "";
        if (dialect == SQL_DUCKDB) {
            nv_buf_printf(&numbers, "%s%zu", comma, index);
            nv_buf_printf(&values, "%s%s", comma, items[i]);
        } else {
            nv_buf_printf(&values, ", %zu, %s", index, items[i]);
        }
    }
    if (dialect == SQL_DUCKDB)
        return nv_printf(ctx, "SELECT unnest([%s]) AS c, unnest([%s]) AS t FROM %s", nv_buf_text(&numbers),
                         nv_buf_text(&values), from);
    return nv_printf(ctx, "SELECT stack(%zu%s) AS (c, t) FROM %s", n, nv_buf_text(&values), from);
}

char *sql_canonical(nv_mem_t *ctx, sql_dialect_t dialect, const Nv__ColumnProfile *column, const char *value)
{
    const char *text = nv_printf(ctx, SQL_PICK(dialect, "CAST(%s AS VARCHAR)", "CAST(%s AS STRING)"), value);
    switch (column->type) {
    case NV__VALUE_TYPE__VALUE_TYPE_DECIMAL:
        return column->scale > 0 ? sql_replace_all(ctx, dialect, text, "[.]?0+$", "") : nv_strdup(ctx, text);
    case NV__VALUE_TYPE__VALUE_TYPE_TIMESTAMP:
        text = nv_printf(ctx,
                         SQL_PICK(dialect, "strftime(%s, '%%Y-%%m-%%dT%%H:%%M:%%S.%%f')",
                                  "date_format(%s, 'yyyy-MM-dd\\'T\\'HH:mm:ss.SSSSSS')"),
                         value);
        return sql_replace_all(ctx, dialect, text, "[.]?0+$|[.]$", "");
    default:
        return nv_strdup(ctx, text);
    }
}
