/* What the references of a table lead to. */
#include "worker/validation/plan.h"

#include <string.h>

/* ", text" per column that says which row it is; a value in the right column of the wrong row is wrong. */
static char *key_texts(const planner_t *p, sql_dialect_t dialect, const Nv__SttmTarget *target,
                       const char *prefix)
{
    char **key;
    size_t n = model_key(p->ctx, target, &key);
    char *text = nv_strdup(p->ctx, "");
    for (size_t i = 0; i < n; i++) {
        const Nv__SttmColumn *c = model_column(target, key[i]);
        if (c && planner_is_comparable(target, c))
            text = nv_printf(
                p->ctx, "%s, coalesce(%s, '~')", text,
                canonical_text(p->ctx, dialect, c->type,
                               nv_printf(p->ctx, "%s%s", prefix, sql_identifier(p->ctx, dialect, c->name))));
    }
    return text;
}

static const Nv__SttmTarget *referenced(const planner_t *p, const Nv__SttmColumn *column)
{
    if (column->transform->op == NV__TRANSFORM_OP__TRANSFORM_OP_LOOKUP)
        return model_target(p->in->sttm, column->transform->dimension);
    return model_date_dimension(p->in->sttm);
}

/* A reference while its checks are planned. */
typedef struct reference {
    const Nv__SttmTarget *target;
    const Nv__SttmColumn *column;
    const Nv__SttmTarget *dimension;
    char *name; /* quoted, as all SQL here */
    char *key;  /* of the dimension */
    bool joined;
    char *texts; /* ", text" per part of what says which member, and which version of it, the row refers to */
} reference_t;

/* The member's key, or what says which member it is (part), as the statement of a fact or bridge names it. */
static char *joined_name(const planner_t *p, const Nv__SttmColumn *column, int part)
{
    char *name = part < 0 ? nv_printf(p->ctx, "nuvyn_of_%s", column->name)
                          : nv_printf(p->ctx, "nuvyn_%d_of_%s", part, column->name);
    return sql_identifier(p->ctx, p->warehouse, name);
}

/* The columns that say which member a row is. */
static size_t identity(const planner_t *p, const reference_t *r, const Nv__SttmColumn ***out)
{
    char **key;
    size_t n = model_key(p->ctx, r->dimension, &key);
    *out = NV_NEW_ARRAY(p->ctx, const Nv__SttmColumn *, n + 1);
    for (size_t i = 0; i < n; i++)
        (*out)[i] = model_column(r->dimension, key[i]);
    if (lookup_is_dated(r->dimension, r->column->transform) && history_is_told(p, r->dimension))
        (*out)[n++] = model_with_op(r->dimension, NV__TRANSFORM_OP__TRANSFORM_OP_SCD_FROM);
    return n;
}

/* A fact or bridge is joined once with each dimension, by one row per key, so that members who share a key cost no more than the
 * check that finds them. A dimension's own references are asked about in subqueries: its unknown members and former versions
 * refer as well, and the statement is about the others. */
static void join_dimension(planner_t *p, reference_t *r, bool lookup)
{
    const Nv__SttmColumn **parts = NULL;
    size_t n = lookup ? identity(p, r, &parts) : 0;
    char *of = joined_name(p, r->column, -1);
    r->texts = nv_strdup(p->ctx, "");
    if (r->joined)
        nv_buf_printf(&p->joins, " LEFT JOIN (SELECT %s AS %s", r->key, of);
    for (size_t i = 0; i < n; i++) {
        char *name = r->joined ? joined_name(p, r->column, (int)i)
                               : sql_column(p->ctx, p->warehouse, "k", parts[i]->name);
        r->texts =
            nv_printf(p->ctx, "%s, %s", r->texts, canonical_text(p->ctx, p->warehouse, parts[i]->type, name));
        if (r->joined)
            nv_buf_printf(&p->joins, ", any_value(%s) AS %s",
                          sql_identifier(p->ctx, p->warehouse, parts[i]->name), name);
    }
    if (r->joined)
        nv_buf_printf(&p->joins, " FROM %s GROUP BY %s) ON %s = %s", planner_table(p, r->dimension), r->key,
                      r->name, of);
}

/* The right members: as many unknown and not applicable as the oracle finds, and the others the same. */
static void check_members(planner_t *p, const reference_t *r)
{
    char *subject = planner_subject(p, r->target, r->column->name);
    char *want = sql_identifier(p->ctx, p->oracle, r->column->name);
    char *found = sql_identifier(p->ctx, p->oracle, nv_printf(p->ctx, "%s#", r->column->name));
    char *text = nv_printf(p->ctx, "concat_ws('|'%s%s)", r->texts,
                           key_texts(p, p->warehouse, r->target, r->joined ? "" : "f."));
    planner_check(p, "unknown_share", subject, "data", VALIDATION_WARN,
                  nv_printf(p->ctx, "count(*) FILTER (WHERE %s = -1)", r->name), NULL);
    planner_check(
        p, "reconcile_unknown", subject, "generate", VALIDATION_EQUAL,
        nv_printf(p->ctx, "concat(count(*) FILTER (WHERE %s = -1), '/', count(*) FILTER (WHERE %s = -2))",
                  r->name, r->name),
        nv_printf(p->ctx, "concat(count(*) FILTER (WHERE %s = -1), '/', count(*) FILTER (WHERE %s = -2))",
                  want, want));
    char *of_table = r->joined
                         ? checksum_sql(p->ctx, p->warehouse,
                                        nv_printf(p->ctx, "CASE WHEN %s >= 0 AND %s IS NOT NULL THEN %s END",
                                                  r->name, joined_name(p, r->column, -1), text))
                         : nv_printf(p->ctx, "(SELECT %s FROM %s f JOIN %s k ON f.%s = k.%s WHERE f.%s >= 0)",
                                     checksum_sql(p->ctx, p->warehouse, text), planner_table(p, r->target),
                                     planner_table(p, r->dimension), r->name, r->key, r->name);
    planner_check(p, "reconcile_reference", subject, "generate", VALIDATION_EQUAL, of_table,
                  checksum_sql(p->ctx, p->oracle,
                               nv_printf(p->ctx, "CASE WHEN %s IS NOT NULL THEN concat_ws('|', %s%s) END",
                                         found, found, key_texts(p, p->oracle, r->target, ""))));
}

void plan_reference(planner_t *p, const Nv__SttmTarget *target, const Nv__SttmColumn *column)
{
    bool lookup = column->transform->op == NV__TRANSFORM_OP__TRANSFORM_OP_LOOKUP;
    reference_t r = {.target = target,
                     .column = column,
                     .dimension = referenced(p, column),
                     .name = sql_identifier(p->ctx, p->warehouse, column->name),
                     .joined = !model_with_role(target, NV__KEY_ROLE__KEY_ROLE_SURROGATE)};
    const Nv__SttmColumn *key = model_with_role(r.dimension, NV__KEY_ROLE__KEY_ROLE_SURROGATE);
    r.key = sql_identifier(p->ctx, p->warehouse, key->name);
    join_dimension(p, &r, lookup);
    if (lookup)
        check_members(p, &r);
    char *lost = r.joined
                     ? nv_printf(p->ctx, "count(*) FILTER (WHERE %s IS NULL)", joined_name(p, column, -1))
                     : nv_printf(p->ctx, "(SELECT count(*) FROM %s f ANTI JOIN %s k ON f.%s = k.%s)",
                                 planner_table(p, target), planner_table(p, r.dimension), r.name, r.key);
    planner_check(p, "referential_integrity", planner_subject(p, target, column->name), "generate",
                  VALIDATION_ZERO, lost, NULL);
}
