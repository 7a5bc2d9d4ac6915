/* Dimensions, histories, facts and bridges of the reference. */
#include "worker/validation/reference_internal.h"

#include <string.h>

static const char *const beginning = "1900-01-01";

static bool is_audit(const Nv__SttmColumn *column)
{
    return column->transform->op == NV__TRANSFORM_OP__TRANSFORM_OP_AUDIT;
}

/* A column whose value comes with the row; keys and validity are made afterwards. */
static bool is_projected(const Nv__SttmTarget *target, const Nv__SttmColumn *column)
{
    return target_computes(target, column);
}

static char *name_of(const planner_t *p, const char *name)
{
    return sql_identifier(p->ctx, SQL_DUCKDB, name);
}

static char *type_of(const planner_t *p, const Nv__SttmColumn *column)
{
    return type_sql(p->ctx, SQL_DUCKDB, column->type, column->precision, column->scale);
}

static char *list_of(const planner_t *p, const char *prefix, char *const *names, size_t n)
{
    char *text = nv_strdup(p->ctx, "");
    for (size_t i = 0; i < n; i++)
        text = nv_printf(p->ctx, "%s%s%s%s", text, i ? ", " : "", prefix, name_of(p, names[i]));
    return text;
}

static char *surrogate_of(const planner_t *p, const Nv__SttmTarget *target)
{
    return name_of(p, model_with_role(target, NV__KEY_ROLE__KEY_ROLE_SURROGATE)->name);
}

/* 63 bits of a hash, as stable as the pipeline's. */
static char *key_expression(const planner_t *p, const Nv__SttmTarget *target, const char *version)
{
    char **key;
    size_t n = model_key(p->ctx, target, &key);
    return nv_printf(p->ctx, "CAST(hash(row(%s%s)) >> 1 AS BIGINT)", list_of(p, "", key, n), version);
}

void reference_create_target(planner_t *p, const Nv__SttmTarget *target)
{
    nv_buf_t sql = nv_buf_make(p->ctx, PLAN_SQL_MAX);
    size_t n = 0;
    for (size_t i = 0; i < target->n_columns; i++)
        if (!is_audit(target->columns[i]))
            nv_buf_printf(&sql, "%s%s %s", n++ ? ", " : "", name_of(p, target->columns[i]->name),
                          type_of(p, target->columns[i]));
    planner_setup(
        p, nv_printf(p->ctx, "CREATE TABLE %s (%s)", reference_table(p, target->name), nv_buf_text(&sql)));
}

/* ---- lookups ---- */

/* The members that a lookup finds, as "member", "key…" and, where it is dated, "starts" and "ends". */
static char *members_of(const planner_t *p, const Nv__SttmTarget *dimension, bool dated)
{
    char **key;
    size_t n = model_key(p->ctx, dimension, &key);
    char *keys = list_of(p, "", key, n);
    char *surrogate = surrogate_of(p, dimension);
    if (!model_is_history(dimension))
        return nv_printf(p->ctx, "SELECT %s AS nuvyn_member, %s FROM %s WHERE %s >= 0", surrogate, keys,
                         reference_table(p, dimension->name), surrogate);
    char *from = name_of(p, model_with_op(dimension, NV__TRANSFORM_OP__TRANSFORM_OP_SCD_FROM)->name);
    char *to = name_of(p, model_with_op(dimension, NV__TRANSFORM_OP__TRANSFORM_OP_SCD_TO)->name);
    return nv_printf(
        p->ctx,
        "SELECT %s AS nuvyn_member, %s, %s AS nuvyn_ends, CASE WHEN lag(%s) OVER (PARTITION BY %s "
        "ORDER BY %s) IS NOT NULL THEN %s END AS nuvyn_starts FROM %s WHERE %s >= 0 QUALIFY %s",
        surrogate, keys, to, from, keys, from, from, reference_table(p, dimension->name), surrogate,
        dated ? "true" : nv_printf(p->ctx, "%s IS NULL", to));
}

static void put_lookup_join(const planner_t *p, nv_buf_t *sql, const Nv__SttmColumn *column, size_t n)
{
    const Nv__Transform *t = column->transform;
    const Nv__SttmTarget *dimension = model_target(p->in->sttm, t->dimension);
    bool dated = lookup_is_dated(dimension, t);
    char **key;
    size_t n_key = model_key(p->ctx, dimension, &key);
    nv_buf_printf(sql, " LEFT JOIN (%s) AS m%zu ON true", members_of(p, dimension, dated), n);
    for (size_t k = 0; k < n_key && k < t->n_inputs; k++)
        nv_buf_printf(sql, " AND m%zu.%s = %s", n, name_of(p, key[k]), relation_input(p, t, k));
    if (dated)
        nv_buf_puts(sql, relation_in_force(p, t, n));
}

/* ---- rows as the mapping projects them ---- */

static char *newest_change(const planner_t *p, const Nv__SttmTarget *target)
{
    char *text = nv_strdup(p->ctx, "d._changed_at");
    for (size_t i = 0; i < target->n_joins; i++)
        text = nv_printf(p->ctx, "%s, %s", text,
                         sql_column(p->ctx, SQL_DUCKDB, target->joins[i]->alias, "_changed_at"));
    return nv_printf(p->ctx, "greatest(%s)", text);
}

/* SELECT <projected columns>, <extra> FROM the driving silver table with its joins and lookups. */
static char *projected_rows(const planner_t *p, const Nv__SttmTarget *target, const char *extra)
{
    nv_buf_t sql = nv_buf_make(p->ctx, PLAN_SQL_MAX);
    nv_buf_puts(&sql, "SELECT ");
    for (size_t i = 0; i < target->n_columns; i++) {
        const Nv__SttmColumn *c = target->columns[i];
        if (!is_projected(target, c))
            continue;
        char *value = c->transform->op == NV__TRANSFORM_OP__TRANSFORM_OP_LOOKUP
                          ? nv_printf(p->ctx, "CASE WHEN %s THEN -2 ELSE coalesce(m%zu.nuvyn_member, -1) END",
                                      relation_any_null(p, c->transform), i)
                          : relation_value(p, target, c);
        nv_buf_printf(&sql, "%s AS %s, ", value, name_of(p, c->name));
    }
    nv_buf_printf(&sql, "%s FROM %s AS d", extra,
                  planner_clean(p, model_source(p->in->sttm, target->driving_source)));
    relation_joins(p, &sql, target);
    for (size_t i = 0; i < target->n_columns; i++)
        if (target->columns[i]->transform->op == NV__TRANSFORM_OP__TRANSFORM_OP_LOOKUP)
            put_lookup_join(p, &sql, target->columns[i], i);
    return sql.data;
}

/* One row per key: the newest; among equals the greatest, column by column. */
static char *one_per_key(const planner_t *p, const Nv__SttmTarget *target, const char *partition,
                         const char *newest)
{
    nv_buf_t sql = nv_buf_make(p->ctx, PLAN_SQL_MAX);
    nv_buf_printf(&sql, " QUALIFY row_number() OVER (PARTITION BY %s ORDER BY %s DESC NULLS LAST", partition,
                  newest);
    for (size_t i = 0; i < target->n_columns; i++)
        if (is_projected(target, target->columns[i]))
            nv_buf_printf(&sql, ", %s DESC NULLS LAST", name_of(p, target->columns[i]->name));
    nv_buf_puts(&sql, ") = 1");
    return sql.data;
}

static char *keys_given(const planner_t *p, const Nv__SttmTarget *target)
{
    char **key;
    size_t n = model_key(p->ctx, target, &key);
    char *text = nv_strdup(p->ctx, "true");
    for (size_t i = 0; i < n; i++)
        text = nv_printf(p->ctx, "%s AND %s IS NOT NULL", text, name_of(p, key[i]));
    return text;
}

static char *key_list(const planner_t *p, const Nv__SttmTarget *target)
{
    char **key;
    size_t n = model_key(p->ctx, target, &key);
    return list_of(p, "", key, n);
}

/* The rows for references that lead nowhere and that do not apply. */
static void insert_unknown(planner_t *p, const Nv__SttmTarget *target, int first, int last)
{
    nv_buf_t sql = nv_buf_make(p->ctx, PLAN_SQL_MAX);
    for (size_t i = 0; i < target->n_columns; i++) {
        const Nv__SttmColumn *c = target->columns[i];
        const char *value = "NULL";
        if (is_audit(c))
            continue;
        if (c->key_role == NV__KEY_ROLE__KEY_ROLE_SURROGATE)
            value = "k";
        else if (c->transform->op == NV__TRANSFORM_OP__TRANSFORM_OP_SCD_FROM)
            value = sql_literal(p->ctx, SQL_DUCKDB, beginning);
        else if (c->transform->op == NV__TRANSFORM_OP__TRANSFORM_OP_SCD_CURRENT)
            value = "true";
        else if (c->unknown_member[0])
            value = sql_literal(p->ctx, SQL_DUCKDB, c->unknown_member);
        nv_buf_printf(&sql, "%sTRY_CAST(%s AS %s) AS %s", sql.length ? ", " : "", value, type_of(p, c),
                      name_of(p, c->name));
    }
    planner_setup(p, nv_printf(p->ctx, "INSERT INTO %s BY NAME SELECT %s FROM range(%d, %d) AS r(k)",
                               reference_table(p, target->name), nv_buf_text(&sql), first, last + 1));
}

/* ---- the four loads ---- */

/* Overwritten where it changed; a member that silver no longer has stays. */
static void load_members(planner_t *p, const Nv__SttmTarget *target)
{
    char *table = reference_table(p, target->name);
    char *surrogate = surrogate_of(p, target);
    planner_setup(
        p, nv_printf(p->ctx,
                     "CREATE TEMP TABLE members AS SELECT %s AS %s, * EXCLUDE (nuvyn_effective) FROM "
                     "(%s) WHERE %s%s",
                     key_expression(p, target, ""), surrogate,
                     projected_rows(p, target,
                                    nv_printf(p->ctx, "%s AS nuvyn_effective", newest_change(p, target))),
                     keys_given(p, target), one_per_key(p, target, key_list(p, target), "nuvyn_effective")));
    planner_setup(p, nv_printf(p->ctx, "DELETE FROM %s WHERE %s < 0 OR %s IN (SELECT %s FROM members)", table,
                               surrogate, surrogate, surrogate));
    planner_setup(p, nv_printf(p->ctx, "INSERT INTO %s BY NAME SELECT * FROM members", table));
    planner_setup(p, "DROP TABLE members");
    insert_unknown(p, target, -2, -1);
}

static bool is_key(const planner_t *p, const Nv__SttmTarget *target, const char *name)
{
    char **key;
    size_t n = model_key(p->ctx, target, &key);
    for (size_t i = 0; i < n; i++)
        if (strcmp(key[i], name) == 0)
            return true;
    return false;
}

/* SCD1 attributes of all versions follow the newest one, SCD0 attributes the first. */
static char *settled_columns(const planner_t *p, const Nv__SttmTarget *target)
{
    nv_buf_t sql = nv_buf_make(p->ctx, PLAN_SQL_MAX);
    for (size_t i = 0; i < target->n_columns; i++) {
        const Nv__SttmColumn *c = target->columns[i];
        if (!is_projected(target, c))
            continue;
        char *name = name_of(p, c->name);
        const char *pick = c->scd == NV__SCD_TYPE__SCD_TYPE_2   ? NULL
                           : c->scd == NV__SCD_TYPE__SCD_TYPE_0 ? "first_value"
                                                                : "last_value";
        if (is_key(p, target, c->name) || !pick)
            nv_buf_printf(&sql, "%s, ", name);
        else
            nv_buf_printf(
                &sql,
                "%s(%s) OVER (PARTITION BY %s ORDER BY nuvyn_from ROWS BETWEEN UNBOUNDED PRECEDING AND "
                "UNBOUNDED FOLLOWING) AS %s, ",
                pick, name, key_list(p, target), name);
    }
    return nv_strdup(p->ctx, nv_buf_text(&sql));
}

/* The attributes whose change makes a version. */
static char *tracked_columns(const planner_t *p, const Nv__SttmTarget *target)
{
    char *text = nv_strdup(p->ctx, "0");
    for (size_t i = 0; i < target->n_columns; i++)
        if (target->columns[i]->scd == NV__SCD_TYPE__SCD_TYPE_2 && is_projected(target, target->columns[i]))
            text = nv_printf(p->ctx, "%s, %s", text, name_of(p, target->columns[i]->name));
    return nv_printf(p->ctx, "row(%s)", text);
}

/* events: what silver says now, and the versions that the table holds; of both on one day silver's word. */
static void setup_events(planner_t *p, const Nv__SttmTarget *target)
{
    const Nv__SttmColumn *from = model_with_op(target, NV__TRANSFORM_OP__TRANSFORM_OP_SCD_FROM);
    char *effective = target->effective_from[0]
                          ? nv_printf(p->ctx, "CAST(%s AS TIMESTAMP)",
                                      sql_column(p->ctx, SQL_DUCKDB, "d", target->effective_from))
                          : newest_change(p, target);
    nv_buf_t held = nv_buf_make(p->ctx, PLAN_SQL_MAX);
    for (size_t i = 0; i < target->n_columns; i++)
        if (is_projected(target, target->columns[i]))
            nv_buf_printf(&held, "%s, ", name_of(p, target->columns[i]->name));
    char *rows = projected_rows(p, target,
                                nv_printf(p->ctx,
                                          "CAST(coalesce(%s, TIMESTAMP '%s') AS %s) AS nuvyn_from, 1 AS "
                                          "nuvyn_incoming",
                                          effective, beginning, type_of(p, from)));
    planner_setup(
        p,
        nv_printf(p->ctx,
                  "CREATE TEMP TABLE events AS SELECT * FROM (SELECT * FROM (%s) WHERE %s UNION ALL BY NAME "
                  "SELECT %s%s AS nuvyn_from, 0 AS nuvyn_incoming FROM %s WHERE %s >= 0)%s",
                  rows, keys_given(p, target), nv_buf_text(&held), name_of(p, from->name),
                  reference_table(p, target->name), surrogate_of(p, target),
                  one_per_key(p, target, nv_printf(p->ctx, "%s, nuvyn_from", key_list(p, target)),
                              "nuvyn_incoming")));
}

/* versions: events that change a tracked attribute, each valid until the next. */
static void setup_versions(planner_t *p, const Nv__SttmTarget *target)
{
    const Nv__SttmColumn *from = model_with_op(target, NV__TRANSFORM_OP__TRANSFORM_OP_SCD_FROM);
    const Nv__SttmColumn *to = model_with_op(target, NV__TRANSFORM_OP__TRANSFORM_OP_SCD_TO);
    const Nv__SttmColumn *current = model_with_op(target, NV__TRANSFORM_OP__TRANSFORM_OP_SCD_CURRENT);
    char *by = key_list(p, target);
    char *tracked = tracked_columns(p, target);
    char *start =
        target->effective_from[0]
            ? nv_strdup(p->ctx, "nuvyn_from")
            : nv_printf(p->ctx,
                        "CASE WHEN row_number() OVER (PARTITION BY %s ORDER BY nuvyn_from) = 1 THEN "
                        "CAST('%s' AS %s) ELSE nuvyn_from END",
                        by, beginning, type_of(p, from));
    planner_setup(
        p, nv_printf(p->ctx,
                     "CREATE TEMP TABLE changes AS SELECT %snuvyn_from FROM events QUALIFY row_number() OVER "
                     "(PARTITION BY %s ORDER BY nuvyn_from) = 1 OR lag(%s) OVER (PARTITION BY %s ORDER BY "
                     "nuvyn_from) IS DISTINCT FROM %s",
                     settled_columns(p, target), by, tracked, by, tracked));
    planner_setup(
        p, nv_printf(p->ctx,
                     "CREATE TEMP TABLE versions AS SELECT * EXCLUDE (nuvyn_from), %s AS %s, "
                     "lead(nuvyn_from) OVER (PARTITION BY %s ORDER BY nuvyn_from) AS %s, "
                     "lead(nuvyn_from) OVER (PARTITION BY %s ORDER BY nuvyn_from) IS NULL AS %s FROM changes",
                     start, name_of(p, from->name), by, name_of(p, to->name), by, name_of(p, current->name)));
}

static void load_history(planner_t *p, const Nv__SttmTarget *target)
{
    const Nv__SttmColumn *from = model_with_op(target, NV__TRANSFORM_OP__TRANSFORM_OP_SCD_FROM);
    char *table = reference_table(p, target->name);
    setup_events(p, target);
    setup_versions(p, target);
    planner_setup(p, nv_printf(p->ctx, "DELETE FROM %s", table));
    planner_setup(p, nv_printf(p->ctx, "INSERT INTO %s BY NAME SELECT *, %s AS %s FROM versions", table,
                               key_expression(p, target, nv_printf(p->ctx, ", %s", name_of(p, from->name))),
                               surrogate_of(p, target)));
    planner_setup(p, "DROP TABLE events");
    planner_setup(p, "DROP TABLE changes");
    planner_setup(p, "DROP TABLE versions");
    insert_unknown(p, target, -2, -1);
}

/* Facts and bridges are what silver says now. */
static void load_rows(planner_t *p, const Nv__SttmTarget *target)
{
    char *table = reference_table(p, target->name);
    char *extra = nv_printf(p->ctx, "%s AS nuvyn_effective", newest_change(p, target));
    char *keys = key_list(p, target);
    planner_setup(p, nv_printf(p->ctx, "DELETE FROM %s", table));
    planner_setup(p,
                  nv_printf(p->ctx, "INSERT INTO %s BY NAME SELECT * EXCLUDE (nuvyn_effective) FROM (%s)%s",
                            table, projected_rows(p, target, extra),
                            keys[0] ? one_per_key(p, target, keys, "nuvyn_effective") : ""));
}

static void load_dates(planner_t *p, const Nv__SttmTarget *target)
{
    char *table = reference_table(p, target->name);
    planner_setup(p, nv_printf(p->ctx, "DELETE FROM %s", table));
    planner_setup(
        p,
        nv_printf(p->ctx,
                  "INSERT INTO %s BY NAME %s FROM (SELECT CAST(unnest(generate_series(DATE %s, DATE "
                  "%s, INTERVAL 1 DAY)) AS DATE) AS day)",
                  table, reference_calendar(p, target), sql_literal(p->ctx, SQL_DUCKDB, target->date_first),
                  sql_literal(p->ctx, SQL_DUCKDB, target->date_last)));
    insert_unknown(p, target, -1, -1);
}

void reference_load_target(planner_t *p, const Nv__SttmTarget *target)
{
    if (target->kind == NV__TARGET_KIND__TARGET_KIND_DATE_DIMENSION)
        load_dates(p, target);
    else if (model_is_history(target))
        load_history(p, target);
    else if (model_is_dimension(target))
        load_members(p, target);
    else
        load_rows(p, target);
}
