#include "worker/profiling/parse_sql.h"

#include <string.h>

#include "common/core/buf.h"

enum { SQL_MAX = 64 << 20 };

char *sql_identifier(nv_mem_t *ctx, sql_dialect_t dialect, const char *name)
{
    char quote = dialect == SQL_DUCKDB ? '"' : '`';
    nv_buf_t out = nv_buf_make(ctx, SQL_MAX);
    nv_buf_putc(&out, quote);
    for (; *name; name++) {
        if (*name == quote)
            nv_buf_putc(&out, quote);
        nv_buf_putc(&out, *name);
    }
    nv_buf_putc(&out, quote);
    return out.data;
}

char *sql_literal(nv_mem_t *ctx, sql_dialect_t dialect, const char *text)
{
    nv_buf_t out = nv_buf_make(ctx, SQL_MAX);
    nv_buf_putc(&out, '\'');
    for (; *text; text++) {
        if (dialect == SQL_SPARK && (*text == '\\' || *text == '\''))
            nv_buf_putc(&out, '\\');
        else if (*text == '\'')
            nv_buf_putc(&out, '\'');
        nv_buf_putc(&out, *text);
    }
    nv_buf_putc(&out, '\'');
    return out.data;
}

char *parse_type_sql(nv_mem_t *ctx, sql_dialect_t dialect, const Nv__ColumnProfile *column)
{
    static const char *const duckdb[] = {"VARCHAR", "VARCHAR", "BOOLEAN",   "BIGINT", "",
                                         "DOUBLE",  "DATE",    "TIMESTAMP", "TIME"};
    static const char *const spark[] = {"STRING", "STRING", "BOOLEAN",   "BIGINT", "",
                                        "DOUBLE", "DATE",   "TIMESTAMP", "STRING"};
    if (column->type == NV__VALUE_TYPE__VALUE_TYPE_DECIMAL)
        return nv_printf(ctx, "DECIMAL(%d,%d)", column->precision, column->scale);
    size_t type = (size_t)column->type < sizeof duckdb / sizeof duckdb[0] ? (size_t)column->type : 1;
    return nv_strdup(ctx, dialect == SQL_DUCKDB ? duckdb[type] : spark[type]);
}

/* What the builders below share. */
typedef struct sql {
    nv_mem_t *ctx;
    sql_dialect_t dialect;
    const Nv__ColumnProfile *column;
    const Nv__ParseRule *rule;
    const char *text; /* the raw value, trimmed where the rule says so */
} sql_t;

static const char *trimmed(nv_mem_t *ctx, sql_dialect_t dialect, const Nv__ParseRule *rule, const char *raw)
{
    if (!rule->trim)
        return raw;
    if (dialect == SQL_DUCKDB)
        return nv_printf(ctx, "trim(%s, ' ' || chr(9) || chr(10) || chr(11) || chr(12) || chr(13))", raw);
    return nv_printf(ctx, "trim(BOTH ' \\t\\n\\u000B\\u000C\\r' FROM %s)", raw);
}

static sql_t begin(nv_mem_t *ctx, sql_dialect_t dialect, const Nv__ColumnProfile *column, const char *raw)
{
    static const Nv__ParseRule no_rule = NV__PARSE_RULE__INIT;
    const Nv__ParseRule *rule = column->parse ? column->parse : &no_rule;
    return (sql_t){ctx, dialect, column, rule, trimmed(ctx, dialect, rule, raw)};
}

static const char *matches(const sql_t *sql, const char *pattern)
{
    if (sql->dialect == SQL_DUCKDB)
        return nv_printf(sql->ctx, "regexp_full_match(%s, %s)", sql->text,
                         sql_literal(sql->ctx, sql->dialect, pattern));
    return nv_printf(sql->ctx, "%s RLIKE %s", sql->text,
                     sql_literal(sql->ctx, sql->dialect, nv_printf(sql->ctx, "^(?:%s)$", pattern)));
}

static const char *replace_all(const sql_t *sql, const char *value, const char *pattern, const char *with)
{
    const char *p = sql_literal(sql->ctx, sql->dialect, pattern);
    const char *w = sql_literal(sql->ctx, sql->dialect, with);
    return nv_printf(sql->ctx,
                     sql->dialect == SQL_DUCKDB ? "regexp_replace(%s, %s, %s, 'g')"
                                                : "regexp_replace(%s, %s, %s)",
                     value, p, w);
}

/* Text as a regular expression: everything special goes into a class of its own, which both engines read alike. */
static void put_quoted(nv_buf_t *out, const char *text)
{
    for (; *text; text++) {
        if (strchr("\\^$.|?*+()[]{}/-", *text))
            nv_buf_printf(out, *text == '\\' || *text == '^' ? "\\%c" : "[%c]", *text);
        else
            nv_buf_putc(out, *text);
    }
}

static const char *list(const sql_t *sql, char *const *items, size_t n)
{
    nv_buf_t out = nv_buf_make(sql->ctx, SQL_MAX);
    for (size_t i = 0; i < n; i++)
        nv_buf_printf(&out, "%s%s", i ? ", " : "", sql_literal(sql->ctx, sql->dialect, items[i]));
    return nv_buf_text(&out);
}

static const char *boolean_sql(const sql_t *sql)
{
    const Nv__ParseRule *rule = sql->rule;
    nv_buf_t out = nv_buf_make(sql->ctx, SQL_MAX);
    nv_buf_puts(&out, "CASE");
    if (rule->n_true_spellings)
        nv_buf_printf(&out, " WHEN lower(%s) IN (%s) THEN true", sql->text,
                      list(sql, rule->true_spellings, rule->n_true_spellings));
    if (rule->n_false_spellings)
        nv_buf_printf(&out, " WHEN lower(%s) IN (%s) THEN false", sql->text,
                      list(sql, rule->false_spellings, rule->n_false_spellings));
    nv_buf_puts(&out, " END");
    return rule->n_true_spellings + rule->n_false_spellings ? nv_buf_text(&out) : "CAST(NULL AS BOOLEAN)";
}

static const char *body_pattern(const sql_t *sql)
{
    const char *decimal =
        sql->rule->decimal_separator && strcmp(sql->rule->decimal_separator, ",") == 0 ? "," : "[.]";
    nv_buf_t group = nv_buf_make(sql->ctx, 64);
    nv_buf_puts(&group, "[0-9");
    if (sql->rule->group_separator && sql->rule->group_separator[0])
        nv_buf_printf(&group, "%s", sql->rule->group_separator);
    nv_buf_puts(&group, "]*");
    if (sql->column->type == NV__VALUE_TYPE__VALUE_TYPE_DOUBLE)
        return nv_printf(sql->ctx, "(?:[0-9]%s(?:%s[0-9]*)?|%s[0-9]+)(?:[eE][-+]?[0-9]+)?",
                         nv_buf_text(&group), decimal, decimal);
    if (sql->column->type == NV__VALUE_TYPE__VALUE_TYPE_INT64 || sql->column->scale == 0)
        return nv_printf(sql->ctx, "[0-9]%s", nv_buf_text(&group));
    return nv_printf(sql->ctx, "(?:[0-9]%s(?:%s[0-9]{1,%d})?|%s[0-9]{1,%d})", nv_buf_text(&group), decimal,
                     sql->column->scale, decimal, sql->column->scale);
}

static const char *currency_pattern(const sql_t *sql)
{
    if (!sql->rule->n_currency_marks)
        return NULL;
    nv_buf_t out = nv_buf_make(sql->ctx, 4096);
    nv_buf_puts(&out, "(?:");
    for (size_t i = 0; i < sql->rule->n_currency_marks; i++) {
        nv_buf_puts(&out, i ? "|" : "");
        put_quoted(&out, sql->rule->currency_marks[i]);
    }
    nv_buf_puts(&out, ")");
    return nv_buf_text(&out);
}

/* The whole number, mirroring number.c: parentheses or a minus behind all, sign, one currency mark at either end, within it
 * parentheses or a sign, percent, digits. */
static const char *number_pattern(const sql_t *sql)
{
    const char *body = nv_printf(sql->ctx, "%s%s", body_pattern(sql), sql->rule->percent ? "(?: *%)?" : "");
    const char *mark = currency_pattern(sql);
    nv_buf_t out = nv_buf_make(sql->ctx, SQL_MAX);
    nv_buf_printf(&out, "[-+]?%s", body);
    if (mark)
        nv_buf_printf(&out, "|(?:[-+]%s *|%s *[-+]?)%s|[-+]?%s *%s", mark, mark, body, body, mark);
    const char *bare =
        mark ? nv_printf(sql->ctx, "(?:%s|%s *%s|%s *%s)", body, mark, body, body, mark) : body;
    if (sql->rule->negative_parentheses)
        nv_buf_printf(&out, "|[(]%s[)]", bare);
    if (sql->rule->negative_parentheses && mark)
        nv_buf_printf(&out, "|%s *[(]%s[)]|[(]%s[)] *%s", mark, body, body, mark);
    if (sql->rule->trailing_minus)
        nv_buf_printf(&out, "|%s-", bare);
    return nv_buf_text(&out);
}

static const char *number_sql(const sql_t *sql)
{
    const Nv__ParseRule *rule = sql->rule;
    bool comma = rule->decimal_separator && strcmp(rule->decimal_separator, ",") == 0;
    bool floating = sql->column->type == NV__VALUE_TYPE__VALUE_TYPE_DOUBLE;
    const char *digits = sql->text;
    for (size_t i = 0; floating && i < rule->n_currency_marks; i++)
        digits = nv_printf(sql->ctx, "replace(%s, %s, '')", digits,
                           sql_literal(sql->ctx, sql->dialect, rule->currency_marks[i]));
    digits = replace_all(sql, digits,
                         nv_printf(sql->ctx, floating ? "[^0-9eE%s+-]" : "[^0-9%s]", comma ? "," : "."), "");
    if (comma)
        digits = nv_printf(sql->ctx, "replace(%s, ',', '.')", digits);
    const char *negative = nv_printf(
        sql->ctx, floating ? "%s LIKE '%%(%%' OR %s LIKE '%%-'" : "%s LIKE '%%(%%' OR %s LIKE '%%-%%'",
        sql->text, sql->text);
    if (floating)
        digits = replace_all(sql, digits, "^[+]|-$", "");
    const char *type = parse_type_sql(sql->ctx, sql->dialect, sql->column);
    const char *cast = sql->dialect == SQL_DUCKDB ? "TRY_CAST" : "try_cast";
    const char *value = nv_printf(sql->ctx, "%s(concat(CASE WHEN %s THEN '-' ELSE '' END, %s) AS %s)", cast,
                                  negative, digits, type);
    if (floating) /* 1e400 is none */
        value = nv_printf(
            sql->ctx, "nullif(nullif(%s, CAST('Infinity' AS DOUBLE)), CAST('-Infinity' AS DOUBLE))", value);
    return nv_printf(sql->ctx, "CASE WHEN %s THEN %s END", matches(sql, number_pattern(sql)), value);
}

static const char *const month_brief = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec";
static const char *const month_full =
    "january|february|march|april|may|june|july|august|september|october|november|december";

/* The texts a format takes, as a regular expression over the lower-cased text. */
static const char *format_pattern(const sql_t *sql, const char *format)
{
    nv_buf_t out = nv_buf_make(sql->ctx, 4096);
    for (const char *f = format; *f; f++) {
        char one[2] = {*f == 'T' ? 't' : *f == 'Z' ? 'z' : *f, 0};
        if (*f != '%' || !f[1]) {
            put_quoted(&out, one);
            continue;
        }
        switch (*++f) {
        case 'Y':
            nv_buf_puts(&out, "[0-9]{4}");
            break;
        case 'y':
        case 'M':
        case 'S':
            nv_buf_puts(&out, "[0-9]{2}");
            break;
        case 'f':
            nv_buf_puts(&out, "[0-9]{1,9}");
            break;
        case 'b':
            nv_buf_printf(&out, "(?:%s)", month_brief);
            break;
        case 'B':
            nv_buf_printf(&out, "(?:%s)", month_full);
            break;
        case 'p':
            nv_buf_puts(&out, "[ap]m");
            break;
        case 'z':
            nv_buf_puts(&out, "[-+][0-9]{2}(?::?[0-9]{2})?");
            break;
        default:
            nv_buf_puts(&out, strstr(format, "%m%d") ? "[0-9]{2}" : "[0-9]{1,2}");
        }
    }
    return nv_buf_text(&out);
}

/* The format without its zone offset, in the dialect's own letters. */
static const char *format_letters(const sql_t *sql, const char *format)
{
    static const struct {
        char directive;
        const char *spark;
    } letters[] = {{'Y', "yyyy"}, {'y', "yy"}, {'m', "M"},   {'d', "d"},         {'H', "H"},    {'I', "h"},
                   {'M', "mm"},   {'S', "ss"}, {'b', "MMM"}, {'f', "SSSSSSSSS"}, {'B', "MMMM"}, {'p', "a"}};
    nv_buf_t out = nv_buf_make(sql->ctx, 4096);
    for (const char *f = format; *f; f++) {
        if (*f == '%' && f[1] == 'z') {
            f++;
        } else if (sql->dialect == SQL_DUCKDB) {
            nv_buf_putc(&out, *f);
        } else if (*f != '%') {
            bool letter = (*f | 0x20) >= 'a' && (*f | 0x20) <= 'z';
            nv_buf_printf(&out, letter ? "'%c'" : "%c", *f);
        } else {
            f++;
            bool packed = strstr(format, "%m%d") && (*f == 'm' || *f == 'd');
            for (size_t i = 0; i < sizeof letters / sizeof letters[0]; i++)
                if (letters[i].directive == *f)
                    nv_buf_printf(&out, packed ? "%s%s" : "%s", letters[i].spark, letters[i].spark);
        }
    }
    return nv_buf_text(&out);
}

/* Minutes east of UTC at the end of the text. */
static const char *offset_sql(const sql_t *sql)
{
    const char *pattern = sql_literal(sql->ctx, sql->dialect, "([-+])([0-9]{2}):?([0-9]{2})?$");
    const char *part[4];
    for (int i = 1; i <= 3; i++)
        part[i] = nv_printf(sql->ctx, "regexp_extract(%s, %s, %d)", sql->text, pattern, i);
    return nv_printf(
        sql->ctx,
        "(CASE WHEN %s = '-' THEN -1 ELSE 1 END * (CAST(%s AS INT) * 60 + coalesce(CAST(nullif(%s, '') AS "
        "INT), 0)))",
        part[1], part[2], part[3]);
}

/* One format's value as a timestamp, NULL where the text has another form. */
static const char *format_sql(const sql_t *sql, const char *format)
{
    sql_t lower = *sql;
    lower.text = nv_printf(sql->ctx, "lower(%s)", sql->text);
    const char *test = matches(&lower, format_pattern(sql, format));
    bool zone = strstr(format, "%z") != NULL;
    const char *text = zone ? replace_all(sql, sql->text, "[-+][0-9]{2}:?([0-9]{2})?$", "") : sql->text;
    if (strstr(format, "%f") && sql->dialect == SQL_DUCKDB)
        text = replace_all(sql, text, "([.][0-9]{6})[0-9]*", "\\1");
    if (sql->dialect == SQL_SPARK && (strstr(format, "%b") || strstr(format, "%B")))
        text = nv_printf(sql->ctx, "initcap(%s)", text);
    if (sql->dialect == SQL_SPARK && strstr(format, "%p"))
        text = nv_printf(sql->ctx, "upper(%s)", text);
    const char *parse = sql->dialect == SQL_DUCKDB ? "try_strptime" : "try_to_timestamp";
    const char *value = nv_printf(sql->ctx, "%s(%s, %s)", parse, text,
                                  sql_literal(sql->ctx, sql->dialect, format_letters(sql, format)));
    if (sql->dialect == SQL_SPARK && strstr(format, "%y"))
        value = nv_printf(sql->ctx, "CASE WHEN year(%s) >= 2069 THEN %s - INTERVAL '100' YEAR ELSE %s END",
                          value, value, value);
    if (zone && sql->dialect == SQL_DUCKDB)
        value = nv_printf(sql->ctx, "%s - to_minutes(%s)", value, offset_sql(sql));
    else if (zone)
        value = nv_printf(sql->ctx, "%s - make_dt_interval(0, 0, %s, 0)", value, offset_sql(sql));
    return nv_printf(sql->ctx, "CASE WHEN %s THEN %s END", test, value);
}

static const char *datetime_sql(const sql_t *sql)
{
    const Nv__ParseRule *rule = sql->rule;
    const char *type = parse_type_sql(sql->ctx, sql->dialect, sql->column);
    if (!rule->n_datetime_formats)
        return nv_printf(sql->ctx, "CAST(NULL AS %s)", type);
    nv_buf_t out = nv_buf_make(sql->ctx, SQL_MAX);
    nv_buf_puts(&out, "coalesce(");
    for (size_t i = 0; i < rule->n_datetime_formats; i++)
        nv_buf_printf(&out, "%s%s", i ? ", " : "", format_sql(sql, rule->datetime_formats[i]));
    nv_buf_puts(&out, ")");
    bool spark_time = sql->dialect == SQL_SPARK && sql->column->type == NV__VALUE_TYPE__VALUE_TYPE_TIME;
    if (spark_time) /* Spark has no time of day */
        return nv_printf(sql->ctx, "date_format(%s, 'HH:mm:ss')", nv_buf_text(&out));
    return nv_printf(sql->ctx, "CAST(%s AS %s)", nv_buf_text(&out), type);
}

static const char *null_sql(const sql_t *sql, const char *raw)
{
    nv_buf_t out = nv_buf_make(sql->ctx, SQL_MAX);
    nv_buf_printf(&out, "(%s IS NULL OR %s IN (''", raw, sql->text);
    if (sql->rule->n_null_spellings)
        nv_buf_printf(&out, ", %s", list(sql, sql->rule->null_spellings, sql->rule->n_null_spellings));
    nv_buf_puts(&out, "))");
    return nv_buf_text(&out);
}

static const char *value_sql(const sql_t *sql)
{
    switch (sql->column->type) {
    case NV__VALUE_TYPE__VALUE_TYPE_BOOLEAN:
        return boolean_sql(sql);
    case NV__VALUE_TYPE__VALUE_TYPE_INT64:
    case NV__VALUE_TYPE__VALUE_TYPE_DECIMAL:
    case NV__VALUE_TYPE__VALUE_TYPE_DOUBLE:
        return number_sql(sql);
    case NV__VALUE_TYPE__VALUE_TYPE_DATE:
    case NV__VALUE_TYPE__VALUE_TYPE_TIMESTAMP:
    case NV__VALUE_TYPE__VALUE_TYPE_TIME:
        return datetime_sql(sql);
    default:
        return sql->text;
    }
}

char *parse_null_sql(nv_mem_t *ctx, sql_dialect_t dialect, const Nv__ColumnProfile *column, const char *raw)
{
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("sql");
    sql_t sql = begin(scratch, dialect, column, raw);
    return nv_strdup(ctx, null_sql(&sql, raw));
}

char *parse_rule_sql(nv_mem_t *ctx, sql_dialect_t dialect, const Nv__ColumnProfile *column, const char *raw)
{
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("sql");
    sql_t sql = begin(scratch, dialect, column, raw);
    return nv_printf(ctx, "CASE WHEN NOT %s THEN %s END", null_sql(&sql, raw), value_sql(&sql));
}

char *parse_invalid_sql(nv_mem_t *ctx, sql_dialect_t dialect, const Nv__ColumnProfile *column,
                        const char *raw)
{
    if (column->type <= NV__VALUE_TYPE__VALUE_TYPE_STRING)
        return nv_strdup(ctx, "false");
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("sql");
    sql_t sql = begin(scratch, dialect, column, raw);
    return nv_printf(ctx, "(NOT %s AND (%s) IS NULL)", null_sql(&sql, raw), value_sql(&sql));
}
