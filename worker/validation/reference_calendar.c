/* The attributes of a day, in DuckDB. */
#include "worker/validation/reference_internal.h"

#include <string.h>

static const struct {
    const char *name;
    const char *expression;
} attributes[] = {
    {"date_key", "strftime(day, '%Y%m%d')"},
    {"date", "day"},
    {"full_date", "day"},
    {"year", "year(day)"},
    {"half", "CASE WHEN month(day) <= 6 THEN 1 ELSE 2 END"},
    {"half_year", "CASE WHEN month(day) <= 6 THEN 1 ELSE 2 END"},
    {"quarter", "quarter(day)"},
    {"quarter_name", "concat('Q', quarter(day))"},
    {"year_quarter", "concat(year(day), '-Q', quarter(day))"},
    {"month", "month(day)"},
    {"month_name", "strftime(day, '%B')"},
    {"month_short", "strftime(day, '%b')"},
    {"year_month", "strftime(day, '%Y-%m')"},
    {"month_start", "date_trunc('month', day)"},
    {"month_end", "last_day(day)"},
    {"week", "week(day)"},
    {"week_of_year", "week(day)"},
    {"iso_week", "week(day)"},
    {"iso_year", "isoyear(day)"},
    {"week_start", "date_trunc('week', day)"},
    {"day", "day(day)"},
    {"day_of_month", "day(day)"},
    {"day_of_year", "dayofyear(day)"},
    {"day_of_week", "isodow(day)"},
    {"day_name", "strftime(day, '%A')"},
    {"day_short", "strftime(day, '%a')"},
    {"is_weekend", "isodow(day) >= 6"},
    {"is_month_start", "day(day) = 1"},
    {"is_month_end", "last_day(day) = day"},
};

static const char *attribute(const char *name)
{
    for (size_t i = 0; i < sizeof attributes / sizeof attributes[0]; i++)
        if (strcmp(attributes[i].name, name) == 0)
            return attributes[i].expression;
    return "NULL";
}

/* What the mapping calls the key is one, whichever operation it names. */
static const char *expression_of(const Nv__SttmColumn *column)
{
    switch (column->transform->op) {
    case NV__TRANSFORM_OP__TRANSFORM_OP_SURROGATE:
    case NV__TRANSFORM_OP__TRANSFORM_OP_DATE_KEY:
        return attribute("date_key");
    case NV__TRANSFORM_OP__TRANSFORM_OP_CALENDAR:
        return attribute(column->transform->constant);
    default:
        return NULL;
    }
}

char *reference_calendar(const planner_t *p, const Nv__SttmTarget *target)
{
    nv_buf_t sql = nv_buf_make(p->ctx, PLAN_SQL_MAX);
    for (size_t i = 0; i < target->n_columns; i++) {
        const Nv__SttmColumn *c = target->columns[i];
        const char *expression = expression_of(c);
        if (expression)
            nv_buf_printf(&sql, "%s CAST(%s AS %s) AS %s", sql.length ? "," : "SELECT", expression,
                          type_sql(p->ctx, SQL_DUCKDB, c->type, c->precision, c->scale),
                          sql_identifier(p->ctx, SQL_DUCKDB, c->name));
    }
    return sql.data;
}
