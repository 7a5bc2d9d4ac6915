/* Numbers that grew (policy WIDEN): as wide as the raw files ask, found by a query of its own. */
#include "worker/codegen/model.h"
#include "worker/pushdown/scan.h"
#include "worker/pushdown/sql.h"
#include "worker/validation/plan.h"
#include "worker/validation/validation.h"

#include <stdlib.h>
#include <string.h>

enum { INT64_DIGITS = 18, SCALE_MOST = 18, PRECISION_MOST = 38 };

static bool is_number(Nv__ValueType type)
{
    return type == NV__VALUE_TYPE__VALUE_TYPE_INT64 || type == NV__VALUE_TYPE__VALUE_TYPE_DECIMAL;
}

static bool may_widen(const Nv__SttmSource *source)
{
    return source->policy && source->policy->changed_types == NV__DRIFT_ACTION__DRIFT_ACTION_WIDEN &&
           source->n_files > 0;
}

/* What is left of a raw number without marks, signs and groups: digits and the point. */
static char *bare_number(nv_mem_t *ctx, sql_dialect_t dialect, const Nv__ParseRule *parse, const char *raw,
                         const char *point)
{
    char *text = nv_strdup(ctx, raw);
    for (size_t i = 0; parse && i < parse->n_currency_marks; i++)
        text =
            nv_printf(ctx, "replace(%s, %s, '')", text, sql_literal(ctx, dialect, parse->currency_marks[i]));
    return nv_printf(
        ctx,
        SQL_PICK(dialect, "regexp_replace(%s, '[^0-9%s]', '', 'g')", "regexp_replace(%s, '[^0-9%s]', '')"),
        text, point);
}

/* max(digits before the point), max(digits after it), of the texts that are a plain number, whatever its size. */
static void put_extent(nv_mem_t *ctx, sql_dialect_t dialect, nv_buf_t *sql, const Nv__ColumnProfile *profile)
{
    Nv__ColumnProfile any = *profile;
    any.type = NV__VALUE_TYPE__VALUE_TYPE_DOUBLE;
    const char *point = any.parse && any.parse->decimal_separator[0] ? any.parse->decimal_separator : ".";
    char *raw = sql_identifier(ctx, dialect, any.name);
    char *bare = bare_number(ctx, dialect, any.parse, raw, point);
    char *given =
        nv_printf(ctx,
                  SQL_PICK(dialect, "FILTER (WHERE %s IS NOT NULL AND NOT regexp_matches(%s, '[0-9.,][eE]'))",
                           "FILTER (WHERE %s IS NOT NULL AND NOT regexp_like(%s, '[0-9.,][eE]'))"),
                  parse_rule_sql(ctx, dialect, &any, raw), raw);
    for (int part = 1; part <= 2; part++)
        nv_buf_printf(sql, "%scoalesce(max(length(split_part(%s, %s, %d))) %s, 0)", sql->length ? ", " : "",
                      bare, sql_literal(ctx, dialect, point), part, given);
}

char *validation_widths_sql(nv_mem_t *ctx, const Nv__SttmSource *source, bool pushed_down)
{
    sql_dialect_t dialect = pushed_down ? SQL_SPARK : SQL_DUCKDB;
    nv_buf_t sql = nv_buf_make(ctx, PLAN_SQL_MAX);
    if (!may_widen(source))
        return NULL;
    Nv__TableProfile *table = source_profile(ctx, source);
    for (size_t i = 0; i < table->n_columns; i++)
        if (is_number(table->columns[i]->type))
            put_extent(ctx, dialect, &sql, table->columns[i]);
    return sql.length ? nv_printf(ctx, "SELECT %s FROM %s AS nuvyn_raw", nv_buf_text(&sql),
                                  pushed_down ? scan_named_sql(ctx, table) : raw_scan_sql(ctx, table))
                      : NULL;
}

/* The columns of the star that copy it follow. */
static void widen_copies(Nv__Sttm *sttm, const Nv__SttmSource *source, const Nv__SttmSourceColumn *column)
{
    for (size_t t = 0; t < sttm->n_targets; t++)
        for (size_t i = 0; i < sttm->targets[t]->n_columns; i++) {
            Nv__SttmColumn *copy = sttm->targets[t]->columns[i];
            const Nv__Transform *from = copy->transform;
            if (!is_number(copy->type) || from->op != NV__TRANSFORM_OP__TRANSFORM_OP_COPY ||
                from->n_inputs == 0 || strcmp(from->inputs[0]->column, column->silver_name) != 0 ||
                model_alias(sttm, sttm->targets[t], from->inputs[0]->alias) != source)
                continue;
            copy->type = column->type;
            copy->precision = column->precision;
            copy->scale = column->scale;
        }
}

static void widen_column(Nv__SttmSourceColumn *column, long whole, long fraction)
{
    bool integer = column->type == NV__VALUE_TYPE__VALUE_TYPE_INT64;
    int declared = integer ? 0 : column->scale;
    int most = integer ? INT64_DIGITS : column->precision - declared;
    int asked = fraction < SCALE_MOST ? (int)fraction : SCALE_MOST;
    if (asked <= declared && whole <= most)
        return;
    column->type = NV__VALUE_TYPE__VALUE_TYPE_DECIMAL;
    column->precision = PRECISION_MOST;
    column->scale = asked > declared ? asked : declared;
}

void validation_widen(Nv__Sttm *sttm, size_t source, const char *const *digits)
{
    size_t n = 0;
    for (size_t i = 0; i < sttm->sources[source]->n_columns; i++) {
        Nv__SttmSourceColumn *column = sttm->sources[source]->columns[i];
        if (!is_number(column->type))
            continue;
        Nv__ValueType before = column->type;
        int scale = column->scale, precision = column->precision;
        widen_column(column, strtol(digits[n], NULL, 10), strtol(digits[n + 1], NULL, 10));
        n += 2;
        if (column->type != before || column->scale != scale || column->precision != precision)
            widen_copies(sttm, sttm->sources[source], column);
    }
}
