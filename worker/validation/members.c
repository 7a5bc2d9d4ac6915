/* Who is a member of a dimension besides those that its source has: rows that its rules refuse are not, keys that others refer to may
 * be. For the Tester's plan and for the reference alike. */
#include "worker/codegen/rules.h"
#include "worker/validation/plan.h"

#include <string.h>

static char *name_of(const planner_t *p, const char *name)
{
    return sql_identifier(p->ctx, p->oracle, name);
}

static char *type_of(const planner_t *p, const Nv__SttmColumn *column)
{
    return type_sql(p->ctx, p->oracle, column->type, column->precision, column->scale);
}

static void put_broken(const planner_t *p, nv_buf_t *sql, const Nv__SttmTarget *target,
                       const Nv__QualityRule *rule, Nv__Severity severity)
{
    for (size_t k = 0; rule->severity == severity && k < rule->n_columns; k++) {
        const Nv__SttmColumn *c = model_column(target, rule->columns[k]);
        char *name = name_of(p, rule->columns[k]);
        char *condition = c ? rule_sql(p->ctx, p->oracle, rule, &name, 1, type_of(p, c)) : NULL;
        if (condition)
            nv_buf_printf(sql, " OR NOT %s", condition);
    }
}

char *target_refuses(const planner_t *p, const Nv__SttmTarget *target, Nv__Severity severity)
{
    nv_buf_t sql = nv_buf_make(p->ctx, PLAN_SQL_MAX);
    nv_buf_puts(&sql, "(false");
    for (size_t i = 0; i < target->n_rules; i++)
        put_broken(p, &sql, target, target->rules[i], severity);
    for (size_t i = 0; i < target->n_columns; i++)
        for (size_t k = 0; k < target->columns[i]->n_rules; k++)
            put_broken(p, &sql, target,
                       rule_of_column(p->ctx, target->columns[i]->rules[k], target->columns[i]), severity);
    nv_buf_putc(&sql, ')');
    return sql.data;
}

bool target_has_refusing(const Nv__SttmTarget *target, Nv__Severity severity)
{
    for (size_t i = 0; i < target->n_rules; i++)
        if (target->rules[i]->severity == severity)
            return true;
    for (size_t i = 0; i < target->n_columns; i++)
        for (size_t k = 0; k < target->columns[i]->n_rules; k++)
            if (target->columns[i]->rules[k]->severity == severity)
                return true;
    return false;
}

static void stop_over(planner_t *p, const Nv__SttmTarget *target, const Nv__QualityRule *rule,
                      const char *rows)
{
    nv_buf_t broken = nv_buf_make(p->ctx, PLAN_SQL_MAX);
    put_broken(p, &broken, target, rule, rule->severity);
    if (!rule_refuses(rule) || rule->threshold <= 0 || broken.length == 0)
        return;
    char *says =
        sql_literal(p->ctx, p->oracle,
                    nv_printf(p->ctx, "quality checks failed: %s: %s is broken", target->name, rule->id));
    planner_setup(
        p,
        nv_printf(p->ctx,
                  "SELECT CASE WHEN count(*) FILTER (false%s) > %.17g * count(*) THEN error(%s) END FROM %s",
                  nv_buf_text(&broken), rule->threshold, says, rows));
}

void target_stops(planner_t *p, const Nv__SttmTarget *target, const char *rows)
{
    for (size_t i = 0; i < target->n_rules; i++)
        stop_over(p, target, target->rules[i], rows);
    for (size_t i = 0; i < target->n_columns; i++)
        for (size_t k = 0; k < target->columns[i]->n_rules; k++)
            stop_over(p, target, rule_of_column(p->ctx, target->columns[i]->rules[k], target->columns[i]),
                      rows);
}

/* ---- members that are known by references only ---- */

static bool looks_up(const Nv__SttmColumn *column, const Nv__SttmTarget *dimension)
{
    const Nv__Transform *t = column->transform;
    return t->op == NV__TRANSFORM_OP__TRANSFORM_OP_LOOKUP && strcmp(t->dimension, dimension->name) == 0;
}

/* SELECT of the keys that one lookup refers to, typed as the dimension's. */
static char *referred_keys(const planner_t *p, const Nv__SttmTarget *dimension, const Nv__SttmTarget *from,
                           const Nv__Transform *t)
{
    char **key;
    size_t n = model_key(p->ctx, dimension, &key);
    char *text = nv_strdup(p->ctx, "");
    for (size_t k = 0; k < n && k < t->n_inputs; k++)
        text = nv_printf(p->ctx, "%s%sTRY_CAST(%s AS %s) AS %s", text, k ? ", " : "",
                         name_of(p, t->inputs[k]->column), type_of(p, model_column(dimension, key[k])),
                         name_of(p, key[k]));
    return nv_printf(p->ctx, "SELECT %s FROM %s", text,
                     planner_clean(p, model_alias(p->in->sttm, from, t->inputs[0]->alias)));
}

char *members_referred(const planner_t *p, const Nv__SttmTarget *dimension, const char *members)
{
    char **key;
    size_t n = model_key(p->ctx, dimension, &key);
    nv_buf_t all = nv_buf_make(p->ctx, PLAN_SQL_MAX);
    char *keys = nv_strdup(p->ctx, ""), *given = nv_strdup(p->ctx, "m.nuvyn_known IS NULL");
    char *same = nv_strdup(p->ctx, "true"), *list = nv_strdup(p->ctx, "");
    for (size_t i = 0; i < p->in->sttm->n_targets; i++)
        for (size_t c = 0; c < p->in->sttm->targets[i]->n_columns; c++)
            if (looks_up(p->in->sttm->targets[i]->columns[c], dimension))
                nv_buf_printf(&all, "%s%s", all.length ? " UNION ALL " : "",
                              referred_keys(p, dimension, p->in->sttm->targets[i],
                                            p->in->sttm->targets[i]->columns[c]->transform));
    if (all.length == 0)
        return NULL;
    for (size_t k = 0; k < n; k++) {
        char *name = name_of(p, key[k]);
        keys = nv_printf(p->ctx, "%s%sr.%s", keys, k ? ", " : "", name);
        list = nv_printf(p->ctx, "%s, %s", list, name);
        given = nv_printf(p->ctx, "%s AND r.%s IS NOT NULL", given, name);
        same = nv_printf(p->ctx, "%s AND r.%s = m.%s", same, name, name);
    }
    return nv_printf(
        p->ctx,
        "SELECT DISTINCT %s FROM (%s) AS r LEFT JOIN (SELECT DISTINCT true AS nuvyn_known%s FROM %s) AS m ON "
        "%s WHERE %s",
        keys, nv_buf_text(&all), list, members, same, given);
}

static bool is_key(const planner_t *p, const Nv__SttmTarget *target, const char *name)
{
    char **key;
    size_t n = model_key(p->ctx, target, &key);
    for (size_t k = 0; k < n; k++)
        if (strcmp(key[k], name) == 0)
            return true;
    return false;
}

char *member_value(const planner_t *p, const Nv__SttmTarget *dimension, const Nv__SttmColumn *column)
{
    Nv__TransformOp op = column->transform->op;
    bool refers =
        op == NV__TRANSFORM_OP__TRANSFORM_OP_LOOKUP || op == NV__TRANSFORM_OP__TRANSFORM_OP_DATE_KEY;
    if (is_key(p, dimension, column->name))
        return name_of(p, column->name);
    return nv_printf(p->ctx, "CAST(%s AS %s)", refers ? "-1" : "NULL", type_of(p, column));
}

char *with_inferred(const planner_t *p, const Nv__SttmTarget *dimension, const char *members)
{
    char *keys =
        model_inferred(dimension)
            ? members_referred(p, dimension, "(SELECT * FROM nuvyn_own WHERE nuvyn_is IN ('row', 'gone'))")
            : NULL;
    if (!keys)
        return nv_strdup(p->ctx, members);
    nv_buf_t own = nv_buf_make(p->ctx, PLAN_SQL_MAX), inferred = nv_buf_make(p->ctx, PLAN_SQL_MAX);
    for (size_t i = 0; i < dimension->n_columns; i++) {
        const Nv__SttmColumn *c = dimension->columns[i];
        if (!target_computes(dimension, c))
            continue;
        nv_buf_printf(&own, "%s, ", name_of(p, c->name));
        nv_buf_printf(&inferred, "%s AS %s, ", member_value(p, dimension, c), name_of(p, c->name));
        if (c->transform->op != NV__TRANSFORM_OP__TRANSFORM_OP_LOOKUP)
            continue;
        char *found = name_of(p, nv_printf(p->ctx, "%s#", c->name));
        nv_buf_printf(&own, "%s, ", found);
        nv_buf_printf(&inferred, "NULL AS %s, ", found);
    }
    return nv_printf(
        p->ctx,
        "WITH nuvyn_own AS (%s) SELECT %snuvyn_deleted, nuvyn_is FROM nuvyn_own UNION ALL SELECT %sNULL AS "
        "nuvyn_deleted, 'inferred' AS nuvyn_is FROM (%s) AS k",
        members, nv_buf_text(&own), nv_buf_text(&inferred), keys);
}
