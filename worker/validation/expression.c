#include "worker/validation/expression.h"

#include "common/core/buf.h"

enum { SQL_MAX = 4 * 1024 * 1024 };

char *sql_column(nv_mem_t *ctx, sql_dialect_t dialect, const char *alias, const char *column)
{
    return nv_printf(ctx, "%s.%s", sql_identifier(ctx, dialect, alias), sql_identifier(ctx, dialect, column));
}

char *sql_table(nv_mem_t *ctx, sql_dialect_t dialect, const char *catalog, const char *schema,
                const char *table)
{
    return nv_printf(ctx, "%s.%s.%s", sql_identifier(ctx, dialect, catalog),
                     sql_identifier(ctx, dialect, schema), sql_identifier(ctx, dialect, table));
}

char *type_sql(nv_mem_t *ctx, sql_dialect_t dialect, Nv__ValueType type, int precision, int scale)
{
    Nv__ColumnProfile column = NV__COLUMN_PROFILE__INIT;
    column.type = type;
    column.precision = precision;
    column.scale = scale;
    return parse_type_sql(ctx, dialect, &column);
}

char *canonical_text(nv_mem_t *ctx, sql_dialect_t dialect, Nv__ValueType type, const char *value)
{
    bool duckdb = dialect == SQL_DUCKDB;
    if (type == NV__VALUE_TYPE__VALUE_TYPE_TIMESTAMP)
        return nv_printf(ctx,
                         duckdb ? "strftime(%s, '%%Y-%%m-%%d %%H:%%M:%%S.%%f')"
                                : "date_format(%s, 'yyyy-MM-dd HH:mm:ss.SSSSSS')",
                         value);
    if (type == NV__VALUE_TYPE__VALUE_TYPE_TIME && duckdb)
        return nv_printf(ctx, "strftime(DATE '1970-01-01' + %s, '%%H:%%M:%%S')", value);
    return nv_printf(ctx, duckdb ? "CAST(%s AS VARCHAR)" : "CAST(%s AS STRING)", value);
}

char *checksum_sql(nv_mem_t *ctx, sql_dialect_t dialect, const char *text)
{
    if (dialect == SQL_DUCKDB)
        return nv_printf(
            ctx,
            "concat(count(%s), ':', coalesce(CAST(sum(CAST('0x' || substr(md5(%s), 1, 12) AS BIGINT)) AS "
            "VARCHAR), '0'))",
            text, text);
    return nv_printf(ctx,
                     "concat(count(%s), ':', coalesce(CAST(sum(CAST(conv(substr(md5(%s), 1, 12), 16, 10) AS "
                     "DECIMAL(20,0))) AS STRING), '0'))",
                     text, text);
}

static char *typed(nv_mem_t *ctx, sql_dialect_t dialect, const char *value, const char *type)
{
    return nv_printf(ctx, "CAST(%s AS %s)", sql_literal(ctx, dialect, value), type);
}

static void put_column_rule(nv_mem_t *ctx, nv_buf_t *buf, sql_dialect_t dialect, const Nv__QualityRule *rule,
                            const char *column, const char *type)
{
    switch (rule->kind) {
    case NV__RULE_KIND__RULE_KIND_NOT_NULL:
        nv_buf_printf(buf, "%s IS NOT NULL", column);
        return;
    case NV__RULE_KIND__RULE_KIND_RANGE:
        nv_buf_puts(buf, "true");
        if (rule->low[0])
            nv_buf_printf(buf, " AND %s >= %s", column, typed(ctx, dialect, rule->low, type));
        if (rule->high[0])
            nv_buf_printf(buf, " AND %s <= %s", column, typed(ctx, dialect, rule->high, type));
        return;
    case NV__RULE_KIND__RULE_KIND_ACCEPTED:
        nv_buf_puts(buf, "(false");
        for (size_t i = 0; i < rule->n_values; i++)
            nv_buf_printf(buf, " OR %s = %s", column, typed(ctx, dialect, rule->values[i], type));
        nv_buf_putc(buf, ')');
        return;
    default:
        nv_buf_printf(buf, dialect == SQL_DUCKDB ? "regexp_matches(%s, %s)" : "%s RLIKE %s", column,
                      sql_literal(ctx, dialect, rule->low));
    }
}

char *rule_sql(nv_mem_t *ctx, sql_dialect_t dialect, const Nv__QualityRule *rule, char *const *columns,
               size_t n_columns, const char *type)
{
    bool of_row =
        rule->kind == NV__RULE_KIND__RULE_KIND_NOT_NULL || rule->kind == NV__RULE_KIND__RULE_KIND_RANGE ||
        rule->kind == NV__RULE_KIND__RULE_KIND_ACCEPTED || rule->kind == NV__RULE_KIND__RULE_KIND_PATTERN;
    if (!of_row || n_columns == 0)
        return NULL;
    nv_buf_t buf = nv_buf_make(ctx, SQL_MAX);
    for (size_t i = 0; i < n_columns; i++) {
        nv_buf_puts(&buf, i ? " AND (" : "(");
        put_column_rule(ctx, &buf, dialect, rule, columns[i], type);
        nv_buf_putc(&buf, ')');
    }
    return nv_printf(ctx, "coalesce(%s, true)", nv_buf_text(&buf));
}
