/* What the versions of a member must be, where the raw files at hand tell it. */
#include "worker/validation/plan.h"

#include <string.h>

bool history_is_told(const planner_t *p, const Nv__SttmTarget *target)
{
    if (!model_is_history(target) || !target->effective_from[0])
        return false;
    const Nv__SttmSource *source = model_source(p->in->sttm, target->driving_source);
    for (size_t i = 0; i < source->n_key; i++)
        if (strcmp(source->key[i], target->effective_from) == 0)
            return true;
    return false;
}

char *planner_versions(const planner_t *p, const Nv__SttmTarget *target)
{
    size_t i = 0;
    while (i < p->in->sttm->n_targets && p->in->sttm->targets[i] != target)
        i++;
    return planner_relation(p, nv_printf(p->ctx, "versions_of_want_%zu", i));
}

static const Nv__SttmColumn *from_column(const Nv__SttmTarget *target)
{
    return model_with_op(target, NV__TRANSFORM_OP__TRANSFORM_OP_SCD_FROM);
}

/* A value that comes with a version; what it refers to does not. */
static bool is_value(const Nv__SttmTarget *target, const Nv__SttmColumn *column)
{
    return target_computes(target, column) && column->transform->op != NV__TRANSFORM_OP__TRANSFORM_OP_LOOKUP;
}

/* A column that decides whether an event is a version. */
static bool is_tracked(const Nv__SttmTarget *target, const Nv__SttmColumn *column)
{
    return column->scd == NV__SCD_TYPE__SCD_TYPE_2 && is_value(target, column);
}

static char *key_list(const planner_t *p, const Nv__SttmTarget *target)
{
    char **key;
    size_t n = model_key(p->ctx, target, &key);
    char *text = nv_strdup(p->ctx, "");
    for (size_t i = 0; i < n; i++)
        text = nv_printf(p->ctx, "%s%s%s", text, i ? ", " : "", sql_identifier(p->ctx, p->oracle, key[i]));
    return text;
}

static char *keys_given(const planner_t *p, const Nv__SttmTarget *target)
{
    char **key;
    size_t n = model_key(p->ctx, target, &key);
    char *text = nv_strdup(p->ctx, "true");
    for (size_t i = 0; i < n; i++)
        text = nv_printf(p->ctx, "%s AND %s IS NOT NULL", text, sql_identifier(p->ctx, p->oracle, key[i]));
    return text;
}

/* "a, b, " */
static char *value_names(const planner_t *p, const Nv__SttmTarget *target)
{
    char *text = nv_strdup(p->ctx, "");
    for (size_t i = 0; i < target->n_columns; i++)
        if (is_value(target, target->columns[i]))
            text = nv_printf(p->ctx, "%s%s, ", text,
                             sql_identifier(p->ctx, p->oracle, target->columns[i]->name));
    return text;
}

/* One row per version: the events of a day are one, the greatest of them, as the mapping orders them; an event that changes
 * nothing that is tracked is none. */
char *history_relation(const planner_t *p, const Nv__SttmTarget *target)
{
    nv_buf_t values = nv_buf_make(p->ctx, PLAN_SQL_MAX);
    nv_buf_t order = nv_buf_make(p->ctx, PLAN_SQL_MAX);
    nv_buf_t joins = nv_buf_make(p->ctx, PLAN_SQL_MAX);
    char *tracked = nv_strdup(p->ctx, "0");
    const Nv__SttmColumn *from = from_column(target);
    for (size_t i = 0; i < target->n_columns; i++) {
        const Nv__SttmColumn *c = target->columns[i];
        char *name = sql_identifier(p->ctx, p->oracle, c->name);
        if (!is_value(target, c))
            continue;
        nv_buf_printf(&values, "%s AS %s, ", relation_value(p, target, c), name);
        nv_buf_printf(&order, "%s%s DESC NULLS LAST", order.length ? ", " : "", name);
        if (is_tracked(target, c))
            tracked = nv_printf(p->ctx, "%s, %s", tracked, name);
    }
    relation_joins(p, &joins, target);
    char *by = key_list(p, target), *names = value_names(p, target);
    const char *events =
        nv_printf(p->ctx,
                  "SELECT * FROM (SELECT %sCAST(coalesce(CAST(%s AS TIMESTAMP), TIMESTAMP '1900-01-01') AS "
                  "%s) AS nuvyn_from "
                  "FROM %s AS d%s) AS dated WHERE %s AND NOT (%s OR %s)",
                  nv_buf_text(&values), sql_column(p->ctx, p->oracle, "d", target->effective_from),
                  type_sql(p->ctx, p->oracle, from->type, from->precision, from->scale),
                  planner_clean(p, model_source(p->in->sttm, target->driving_source)), nv_buf_text(&joins),
                  keys_given(p, target), target_refuses(p, target, NV__SEVERITY__SEVERITY_QUARANTINE),
                  target_refuses(p, target, NV__SEVERITY__SEVERITY_DROP));
    events = planner_first(p, events, nv_printf(p->ctx, "%s, nuvyn_from", by), nv_buf_text(&order));
    const char *in_order = nv_printf(p->ctx, "WINDOW w AS (PARTITION BY %s ORDER BY nuvyn_from)", by);
    const char *row = p->oracle == SQL_DUCKDB ? "row" : "struct";
    char *versions = nv_printf(
        p->ctx,
        "SELECT %snuvyn_from, CASE WHEN lag(nuvyn_from) OVER w IS NOT NULL THEN nuvyn_from END AS "
        "nuvyn_starts, "
        "lead(nuvyn_from) OVER w AS nuvyn_ends FROM (SELECT *, row_number() OVER w = 1 OR lag(%s(%s)) OVER w "
        "IS "
        "DISTINCT FROM %s(%s) AS nuvyn_changes FROM (%s) AS events %s) AS versions WHERE nuvyn_changes %s",
        names, row, tracked, row, tracked, events, in_order, in_order);
    if (!model_inferred(target))
        return versions;
    return nv_printf(
        p->ctx,
        "%s UNION ALL SELECT %sCAST('1900-01-01' AS %s), NULL, NULL FROM %s WHERE nuvyn_is = 'inferred'",
        versions, names, type_sql(p->ctx, p->oracle, from->type, from->precision, from->scale),
        planner_want(p, target));
}

/* Key, start and tracked attributes of a version, as one text. */
static char *version_text(const planner_t *p, sql_dialect_t dialect, const Nv__SttmTarget *target,
                          const char *from)
{
    char **key;
    size_t n = model_key(p->ctx, target, &key);
    char *text = nv_strdup(p->ctx, "'|'");
    for (size_t i = 0; i < n; i++)
        text = nv_printf(p->ctx, "%s, %s", text,
                         canonical_text(p->ctx, dialect, model_column(target, key[i])->type,
                                        sql_identifier(p->ctx, dialect, key[i])));
    text =
        nv_printf(p->ctx, "%s, %s", text, canonical_text(p->ctx, dialect, from_column(target)->type, from));
    for (size_t i = 0; i < target->n_columns; i++) {
        const Nv__SttmColumn *c = target->columns[i];
        if (is_tracked(target, c) && c->type != NV__VALUE_TYPE__VALUE_TYPE_DOUBLE)
            text =
                nv_printf(p->ctx, "%s, coalesce(%s, '~')", text,
                          canonical_text(p->ctx, dialect, c->type, sql_identifier(p->ctx, dialect, c->name)));
    }
    return nv_printf(p->ctx, "concat_ws(%s)", text);
}

void history_check(planner_t *p, const Nv__SttmTarget *target)
{
    char *surrogate =
        sql_identifier(p->ctx, p->warehouse, model_with_role(target, NV__KEY_ROLE__KEY_ROLE_SURROGATE)->name);
    char *from = sql_identifier(p->ctx, p->warehouse, from_column(target)->name);
    planner_check(p, "reconcile_versions", target->name, "generate", VALIDATION_EQUAL,
                  nv_printf(p->ctx, "(SELECT %s FROM %s WHERE %s >= 0)",
                            checksum_sql(p->ctx, p->warehouse, version_text(p, p->warehouse, target, from)),
                            sql_table(p->ctx, p->warehouse, p->in->catalog, p->in->schema, target->name),
                            surrogate),
                  nv_printf(p->ctx, "(SELECT %s FROM %s)",
                            checksum_sql(p->ctx, p->oracle, version_text(p, p->oracle, target, "nuvyn_from")),
                            planner_versions(p, target)));
}
