/* What must be in a table of the star, as one SELECT over the clean sources. */
#include "worker/validation/plan.h"

#include <string.h>

typedef Nv__TransformOp op_t;

static bool is_op(const Nv__SttmColumn *column, op_t op)
{
    return column->transform->op == op;
}

bool target_computes(const Nv__SttmTarget *target, const Nv__SttmColumn *column)
{
    switch (column->transform->op) {
    case NV__TRANSFORM_OP__TRANSFORM_OP_COPY:
    case NV__TRANSFORM_OP__TRANSFORM_OP_LOOKUP:
    case NV__TRANSFORM_OP__TRANSFORM_OP_DATE_KEY:
    case NV__TRANSFORM_OP__TRANSFORM_OP_CONSTANT:
    case NV__TRANSFORM_OP__TRANSFORM_OP_CONCAT:
    case NV__TRANSFORM_OP__TRANSFORM_OP_COALESCE:
    case NV__TRANSFORM_OP__TRANSFORM_OP_MULTIPLY:
        return target->kind != NV__TARGET_KIND__TARGET_KIND_DATE_DIMENSION;
    default:
        return false;
    }
}

char *relation_input(const planner_t *p, const Nv__Transform *t, size_t i)
{
    return sql_column(p->ctx, p->oracle, t->inputs[i]->alias, t->inputs[i]->column);
}

static char *input_text(const planner_t *p, const Nv__SttmTarget *target, const Nv__Transform *t, size_t i)
{
    const Nv__SttmSource *source = model_alias(p->in->sttm, target, t->inputs[i]->alias);
    const Nv__SttmSourceColumn *column = model_source_column(source, t->inputs[i]->column);
    return canonical_text(p->ctx, p->oracle, column->type, relation_input(p, t, i));
}

static char *joined(const planner_t *p, const Nv__SttmTarget *target, const Nv__Transform *t,
                    const char *between, bool as_text)
{
    char *text = nv_strdup(p->ctx, "");
    for (size_t i = 0; i < t->n_inputs; i++)
        text = nv_printf(p->ctx, "%s%s%s", text, i ? between : "",
                         as_text ? input_text(p, target, t, i) : relation_input(p, t, i));
    return text;
}

static char *date_key(const planner_t *p, const char *moment)
{
    return nv_printf(p->ctx,
                     "CASE WHEN CAST(%s AS DATE) BETWEEN CAST('%s' AS DATE) AND CAST('%s' AS DATE) THEN "
                     "CAST(%s(%s, %s) AS "
                     "BIGINT) ELSE -1 END",
                     moment, MODEL_FIRST_DAY, MODEL_LAST_DAY,
                     p->oracle == SQL_DUCKDB ? "strftime" : "date_format", moment,
                     p->oracle == SQL_DUCKDB ? "'%Y%m%d'" : "'yyyyMMdd'");
}

char *relation_any_null(const planner_t *p, const Nv__Transform *t)
{
    char *text = nv_strdup(p->ctx, "false");
    for (size_t i = 0; i < t->n_inputs; i++)
        text = nv_printf(p->ctx, "%s OR %s IS NULL", text, relation_input(p, t, i));
    return text;
}

bool lookup_is_dated(const Nv__SttmTarget *dimension, const Nv__Transform *t)
{
    return model_is_history(dimension) && strchr(t->as_of, '.') != NULL;
}

char *relation_in_force(const planner_t *p, const Nv__Transform *t, size_t n)
{
    const char *dot = strchr(t->as_of, '.');
    char *moment = nv_printf(
        p->ctx, "CAST(%s AS TIMESTAMP)",
        sql_column(p->ctx, p->oracle, nv_strndup(p->ctx, t->as_of, (size_t)(dot - t->as_of)), dot + 1));
    return nv_printf(
        p->ctx,
        " AND CASE WHEN %s IS NULL THEN m%zu.nuvyn_ends IS NULL ELSE (m%zu.nuvyn_starts IS NULL OR "
        "%s >= m%zu.nuvyn_starts) AND (m%zu.nuvyn_ends IS NULL OR %s < m%zu.nuvyn_ends) END",
        moment, n, n, moment, n, n, moment, n);
}

/* The version of a dated lookup is known, not only the member. */
static bool finds_version(const planner_t *p, const Nv__Transform *t)
{
    const Nv__SttmTarget *dimension = model_target(p->in->sttm, t->dimension);
    return lookup_is_dated(dimension, t) && history_is_told(p, dimension);
}

/* "fk" and "fk#" of a lookup whose members are joined as m<n>. */
static char *lookup(const planner_t *p, const Nv__SttmTarget *target, const Nv__SttmColumn *column, size_t n)
{
    const Nv__Transform *t = column->transform;
    char *found_name = sql_identifier(p->ctx, p->oracle, nv_printf(p->ctx, "%s#", column->name));
    const Nv__SttmTarget *dimension = model_target(p->in->sttm, t->dimension);
    char *found = joined(p, target, t, ", ", true);
    if (finds_version(p, t))
        found =
            nv_printf(p->ctx, "%s, %s", found,
                      canonical_text(p->ctx, p->oracle,
                                     model_with_op(dimension, NV__TRANSFORM_OP__TRANSFORM_OP_SCD_FROM)->type,
                                     nv_printf(p->ctx, "m%zu.nuvyn_from", n)));
    return nv_printf(p->ctx,
                     "CASE WHEN %s THEN -2 WHEN m%zu.nuvyn_found IS NULL THEN -1 ELSE 0 END AS %s, CASE WHEN "
                     "m%zu.nuvyn_found THEN concat_ws('|', %s) END AS %s",
                     relation_any_null(p, t), n, sql_identifier(p->ctx, p->oracle, column->name), n, found,
                     found_name);
}

/* Concatenation and products as the mapping says them; everything typed as the target. */
char *relation_value(const planner_t *p, const Nv__SttmTarget *target, const Nv__SttmColumn *column)
{
    const Nv__Transform *t = column->transform;
    char *type = type_sql(p->ctx, p->oracle, column->type, column->precision, column->scale);
    char *text;
    if (is_op(column, NV__TRANSFORM_OP__TRANSFORM_OP_DATE_KEY))
        return date_key(p, relation_input(p, t, 0));
    if (is_op(column, NV__TRANSFORM_OP__TRANSFORM_OP_CONSTANT))
        return nv_printf(p->ctx, "CAST(%s AS %s)", sql_literal(p->ctx, p->oracle, t->constant), type);
    if (is_op(column, NV__TRANSFORM_OP__TRANSFORM_OP_CONCAT))
        text = nv_printf(p->ctx, "concat_ws(%s, %s)", sql_literal(p->ctx, p->oracle, t->constant),
                         joined(p, target, t, ", ", false));
    else if (is_op(column, NV__TRANSFORM_OP__TRANSFORM_OP_COALESCE))
        text = nv_printf(p->ctx, "coalesce(%s)", joined(p, target, t, ", ", false));
    else if (is_op(column, NV__TRANSFORM_OP__TRANSFORM_OP_MULTIPLY))
        text = joined(p, target, t, " * ", false);
    else
        text = relation_input(p, t, 0);
    text = nv_printf(p->ctx, "CAST(%s AS %s)", text, type);
    if (!column->default_value[0])
        return text;
    return nv_printf(p->ctx, "coalesce(%s, CAST(%s AS %s))", text,
                     sql_literal(p->ctx, p->oracle, column->default_value), type);
}

void relation_joins(const planner_t *p, nv_buf_t *sql, const Nv__SttmTarget *target)
{
    for (size_t i = 0; i < target->n_joins; i++) {
        const Nv__SttmSourceJoin *join = target->joins[i];
        nv_buf_printf(sql, " LEFT JOIN %s AS %s ON true",
                      planner_clean(p, model_source(p->in->sttm, join->source)),
                      sql_identifier(p->ctx, p->oracle, join->alias));
        for (size_t k = 0; k < join->n_columns; k++)
            nv_buf_printf(sql, " AND %s = %s",
                          sql_column(p->ctx, p->oracle, join->parent_alias, join->columns[k]),
                          sql_column(p->ctx, p->oracle, join->alias, join->to_columns[k]));
    }
}

/* The members that a lookup can find, one row each. */
static void put_members(const planner_t *p, nv_buf_t *sql, const Nv__SttmColumn *column, size_t n)
{
    const Nv__Transform *t = column->transform;
    const Nv__SttmTarget *dimension = model_target(p->in->sttm, t->dimension);
    char **key;
    size_t n_key = model_key(p->ctx, dimension, &key);
    bool version = finds_version(p, t);
    nv_buf_printf(sql, " LEFT JOIN (SELECT DISTINCT true AS nuvyn_found%s",
                  version ? ", nuvyn_from, nuvyn_starts, nuvyn_ends" : "");
    for (size_t k = 0; k < n_key; k++)
        nv_buf_printf(sql, ", %s", sql_identifier(p->ctx, p->oracle, key[k]));
    nv_buf_printf(sql, " FROM %s%s) AS m%zu ON true",
                  version ? planner_versions(p, dimension) : planner_want(p, dimension),
                  version ? "" : " WHERE nuvyn_is IN (" WANT_MEMBERS ")", n);
    for (size_t k = 0; k < n_key && k < t->n_inputs; k++)
        nv_buf_printf(sql, " AND m%zu.%s = %s", n, sql_identifier(p->ctx, p->oracle, key[k]),
                      relation_input(p, t, k));
    if (version)
        nv_buf_puts(sql, relation_in_force(p, t, n));
}

/* One row per member: the current one of a history; of several, the greatest column by column, as the mapping orders
 * them. */
static char *one_per_member(const planner_t *p, const char *rows, const Nv__SttmTarget *target)
{
    char **key;
    size_t n_key = model_key(p->ctx, target, &key);
    nv_buf_t by = nv_buf_make(p->ctx, PLAN_SQL_MAX), given = nv_buf_make(p->ctx, PLAN_SQL_MAX);
    nv_buf_t order = nv_buf_make(p->ctx, PLAN_SQL_MAX);
    for (size_t i = 0; i < n_key; i++) {
        char *name = sql_identifier(p->ctx, p->oracle, key[i]);
        nv_buf_printf(&by, "%s%s", i ? ", " : "", name);
        nv_buf_printf(&given, "%s%s IS NOT NULL", i ? " AND " : "", name);
    }
    nv_buf_puts(&order, "nuvyn_version DESC NULLS LAST");
    for (size_t i = 0; i < target->n_columns; i++)
        if (target_computes(target, target->columns[i]))
            nv_buf_printf(&order, ", %s DESC NULLS LAST",
                          sql_identifier(p->ctx, p->oracle, target->columns[i]->name));
    rows = nv_printf(
        p->ctx,
        "SELECT *, bool_and(nuvyn_deleted IS NOT NULL) OVER (PARTITION BY %s) AS nuvyn_gone FROM (%s) AS "
        "members WHERE %s",
        nv_buf_text(&by), rows, nv_buf_text(&given));
    return planner_first(p, rows, nv_buf_text(&by), nv_buf_text(&order));
}

/* The driving rows as the mapping projects them, and nuvyn_deleted. */
static char *projected(const planner_t *p, const Nv__SttmTarget *target)
{
    nv_buf_t sql = nv_buf_make(p->ctx, PLAN_SQL_MAX);
    const Nv__SttmSource *driving = model_source(p->in->sttm, target->driving_source);
    nv_buf_printf(&sql, "SELECT d.nuvyn_deleted, %s AS nuvyn_version",
                  model_is_dimension(target) && target->effective_from[0]
                      ? sql_column(p->ctx, p->oracle, "d", target->effective_from)
                      : "CAST(NULL AS INTEGER)");
    for (size_t i = 0; i < target->n_columns; i++) {
        const Nv__SttmColumn *c = target->columns[i];
        if (!target_computes(target, c))
            continue;
        if (is_op(c, NV__TRANSFORM_OP__TRANSFORM_OP_LOOKUP))
            nv_buf_printf(&sql, ", %s", lookup(p, target, c, i));
        else
            nv_buf_printf(&sql, ", %s AS %s", relation_value(p, target, c),
                          sql_identifier(p->ctx, p->oracle, c->name));
    }
    nv_buf_printf(&sql, " FROM %s AS d", planner_clean(p, driving));
    relation_joins(p, &sql, target);
    for (size_t i = 0; i < target->n_columns; i++)
        if (is_op(target->columns[i], NV__TRANSFORM_OP__TRANSFORM_OP_LOOKUP))
            put_members(p, &sql, target->columns[i], i);
    return sql.data;
}

char *target_relation(const planner_t *p, const Nv__SttmTarget *target)
{
    char *rows = projected(p, target);
    char *held = target_refuses(p, target, NV__SEVERITY__SEVERITY_QUARANTINE);
    char *dropped = target_refuses(p, target, NV__SEVERITY__SEVERITY_DROP);
    if (model_is_history(target))
        return nv_printf(
            p->ctx, "SELECT *, CASE WHEN nuvyn_gone THEN 'gone' ELSE 'row' END AS nuvyn_is FROM (%s) AS w",
            one_per_member(
                p, nv_printf(p->ctx, "SELECT * FROM (%s) AS given WHERE NOT (%s OR %s)", rows, held, dropped),
                target));
    rows = model_is_dimension(target)
               ? one_per_member(p, rows, target)
               : nv_printf(p->ctx, "SELECT * FROM (%s) AS living WHERE nuvyn_deleted IS NULL", rows);
    return nv_printf(
        p->ctx,
        "SELECT *, CASE WHEN %s THEN 'held' WHEN %s THEN 'dropped' ELSE 'row' END AS nuvyn_is FROM (%s) AS w",
        held, dropped, rows);
}
