/* Dimensions, histories, facts and bridges of the reference. */
#include "worker/validation/reference_internal.h"

#include <string.h>

static const char *const beginning = "1900-01-01";

/* An audit column that says something of the member. */
static bool is_said(const Nv__SttmTarget *target, const Nv__SttmColumn *column, const char *what)
{
    return model_is_dimension(target) && column->transform->op == NV__TRANSFORM_OP__TRANSFORM_OP_AUDIT &&
           strcmp(column->transform->constant, what) == 0;
}

static bool is_stamp(const Nv__SttmTarget *target, const Nv__SttmColumn *column)
{
    return column->transform->op == NV__TRANSFORM_OP__TRANSFORM_OP_AUDIT &&
           !is_said(target, column, "inferred") && !is_said(target, column, "deleted_at");
}

/* A column whose value comes with the row; keys and validity are made afterwards. */
static bool is_projected(const Nv__SttmTarget *target, const Nv__SttmColumn *column)
{
    return target_computes(target, column) || is_said(target, column, "deleted_at");
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
        if (!is_stamp(target, target->columns[i]))
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
    return nv_printf(
        p->ctx,
        "SELECT %s AS nuvyn_member, %s, lead(%s) OVER w AS nuvyn_ends, CASE WHEN lag(%s) OVER w IS NOT NULL "
        "THEN %s END AS nuvyn_starts FROM %s WHERE %s >= 0 WINDOW w AS (PARTITION BY %s ORDER BY %s) QUALIFY "
        "%s",
        surrogate, keys, from, from, from, reference_table(p, dimension->name), surrogate, keys, from,
        dated ? "true" : nv_printf(p->ctx, "lead(%s) OVER w IS NULL", from));
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
                      : is_said(target, c, "deleted_at") ? nv_strdup(p->ctx, "d._deleted_at")
                                                         : relation_value(p, target, c);
        nv_buf_printf(&sql, "%s AS %s, ", value, name_of(p, c->name));
    }
    nv_buf_printf(&sql, "d._deleted_at AS nuvyn_deleted_at, d._ended_at AS nuvyn_ended_at, %s FROM %s AS d",
                  extra, planner_clean(p, model_source(p->in->sttm, target->driving_source)));
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

static bool refers(const Nv__SttmTarget *target, const Nv__SttmColumn *column)
{
    Nv__TransformOp op = column->transform->op;
    return target->kind != NV__TARGET_KIND__TARGET_KIND_DATE_DIMENSION &&
           (op == NV__TRANSFORM_OP__TRANSFORM_OP_LOOKUP || op == NV__TRANSFORM_OP__TRANSFORM_OP_DATE_KEY);
}

/* The rows for references that lead nowhere and that do not apply. */
static void insert_unknown(planner_t *p, const Nv__SttmTarget *target, int first, int last)
{
    nv_buf_t sql = nv_buf_make(p->ctx, PLAN_SQL_MAX);
    for (size_t i = 0; i < target->n_columns; i++) {
        const Nv__SttmColumn *c = target->columns[i];
        const char *value = "NULL";
        if (is_stamp(target, c))
            continue;
        if (c->key_role == NV__KEY_ROLE__KEY_ROLE_SURROGATE)
            value = "k";
        else if (c->transform->op == NV__TRANSFORM_OP__TRANSFORM_OP_SCD_FROM)
            value = sql_literal(p->ctx, SQL_DUCKDB, beginning);
        else if (c->transform->op == NV__TRANSFORM_OP__TRANSFORM_OP_SCD_CURRENT)
            value = "true";
        else if (is_said(target, c, "inferred"))
            value = "false";
        else if (refers(target, c))
            value = "-1";
        else if (c->unknown_member[0])
            value = sql_literal(p->ctx, SQL_DUCKDB, c->unknown_member);
        nv_buf_printf(&sql, "%sTRY_CAST(%s AS %s) AS %s", sql.length ? ", " : "", value, type_of(p, c),
                      name_of(p, c->name));
    }
    planner_setup(p, nv_printf(p->ctx, "INSERT INTO %s BY NAME SELECT %s FROM range(%d, %d) AS r(k)",
                               reference_table(p, target->name), nv_buf_text(&sql), first, last + 1));
}

/* ---- what a table's rules refuse ---- */

static char *refused_table(const planner_t *p, const Nv__SttmTarget *target)
{
    return reference_table(p, nv_printf(p->ctx, "%s_refused", target->name));
}

/* The rows of a table that keep the rules; those that a rule of tier QUARANTINE refuses stand aside afterwards. Stops the load where a
 * rule is broken by more than its share. */
static void refuse(planner_t *p, const Nv__SttmTarget *target, const char *table)
{
    char *held = target_refuses(p, target, NV__SEVERITY__SEVERITY_QUARANTINE);
    char *dropped = target_refuses(p, target, NV__SEVERITY__SEVERITY_DROP);
    target_stops(p, target, table);
    if (target_has_refusing(target, NV__SEVERITY__SEVERITY_QUARANTINE))
        planner_setup(p, nv_printf(p->ctx, "CREATE OR REPLACE TABLE %s AS SELECT * FROM %s WHERE %s",
                                   refused_table(p, target), table, held));
    planner_setup(p, nv_printf(p->ctx, "DELETE FROM %s WHERE %s OR %s", table, held, dropped));
}

/* ---- the four loads ---- */

/* Keys that are known by references only become members with nothing else in `members`. */
static void insert_inferred(planner_t *p, const Nv__SttmTarget *target, const char *members)
{
    char *keys = model_inferred(target) ? members_referred(p, target, members) : NULL;
    bool history = model_is_history(target);
    nv_buf_t names = nv_buf_make(p->ctx, PLAN_SQL_MAX), values = nv_buf_make(p->ctx, PLAN_SQL_MAX);
    if (!keys)
        return;
    for (size_t i = 0; i < target->n_columns; i++) {
        const Nv__SttmColumn *c = target->columns[i];
        Nv__TransformOp op = c->transform->op;
        const char *value = NULL;
        if (target_computes(target, c))
            value = member_value(p, target, c);
        else if (is_said(target, c, "inferred") || op == NV__TRANSFORM_OP__TRANSFORM_OP_SCD_CURRENT)
            value = "true";
        else if (op == NV__TRANSFORM_OP__TRANSFORM_OP_SCD_FROM)
            value = nv_printf(p->ctx, "CAST('%s' AS %s)", beginning, type_of(p, c));
        else if (c->key_role == NV__KEY_ROLE__KEY_ROLE_SURROGATE && !history) /* a history's comes last */
            value = key_expression(p, target, "");
        if (!value)
            continue;
        nv_buf_printf(&names, "%s%s", names.length ? ", " : "", name_of(p, c->name));
        nv_buf_printf(&values, "%s%s", values.length ? ", " : "", value);
    }
    planner_setup(p, nv_printf(p->ctx, "INSERT INTO %s (%s) SELECT %s FROM (%s) AS k", members,
                               nv_buf_text(&names), nv_buf_text(&values), keys));
}

/* "inferred", or "false" where the dimension has none. */
static char *is_inferred(const planner_t *p, const Nv__SttmTarget *target)
{
    const Nv__SttmColumn *c = model_inferred(target);
    return c ? name_of(p, c->name) : nv_strdup(p->ctx, "false");
}

/* ", false AS inferred" */
static char *not_inferred(const planner_t *p, const Nv__SttmTarget *target)
{
    const Nv__SttmColumn *c = model_inferred(target);
    return c ? nv_printf(p->ctx, ", false AS %s", name_of(p, c->name)) : nv_strdup(p->ctx, "");
}

/* Overwritten where it changed; a member that silver no longer has stays. */
static void load_members(planner_t *p, const Nv__SttmTarget *target)
{
    char *table = reference_table(p, target->name);
    char *surrogate = surrogate_of(p, target);
    planner_setup(
        p, nv_printf(p->ctx,
                     "CREATE TEMP TABLE members AS SELECT %s AS %s, * EXCLUDE (nuvyn_effective, "
                     "nuvyn_deleted_at, nuvyn_ended_at)%s FROM "
                     "(%s) WHERE %s%s",
                     key_expression(p, target, ""), surrogate, not_inferred(p, target),
                     projected_rows(p, target,
                                    nv_printf(p->ctx, "%s AS nuvyn_effective", newest_change(p, target))),
                     keys_given(p, target), one_per_key(p, target, key_list(p, target), "nuvyn_effective")));
    refuse(p, target, "members");
    insert_inferred(p, target, "members");
    planner_setup(p, nv_printf(p->ctx, "DELETE FROM %s WHERE %s < 0 OR %s OR %s IN (SELECT %s FROM members)",
                               table, surrogate, is_inferred(p, target), surrogate, surrogate));
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

/* SCD1 attributes of all versions follow the newest one, SCD0 attributes the first; a deletion says nothing of them. */
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
                "(%s(CASE WHEN NOT nuvyn_gone THEN struct_pack(v := %s) END IGNORE NULLS) OVER (PARTITION "
                "BY %s ORDER BY nuvyn_from ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)).v "
                "AS %s, ",
                pick, name, key_list(p, target), name);
    }
    return nv_strdup(p->ctx, nv_buf_text(&sql));
}

/* The attributes whose change makes a version; NULL of a deletion. */
static char *tracked_columns(const planner_t *p, const Nv__SttmTarget *target)
{
    char *text = nv_strdup(p->ctx, "0");
    for (size_t i = 0; i < target->n_columns; i++)
        if (target->columns[i]->scd == NV__SCD_TYPE__SCD_TYPE_2 && is_projected(target, target->columns[i]))
            text = nv_printf(p->ctx, "%s, %s", text, name_of(p, target->columns[i]->name));
    return nv_printf(p->ctx, "CASE WHEN NOT nuvyn_gone THEN row(%s) END", text);
}

/* given: what silver says now, dated. */
static void setup_given(planner_t *p, const Nv__SttmTarget *target)
{
    const Nv__SttmColumn *from = model_with_op(target, NV__TRANSFORM_OP__TRANSFORM_OP_SCD_FROM);
    char *effective = target->effective_from[0]
                          ? nv_printf(p->ctx, "CAST(%s AS TIMESTAMP)",
                                      sql_column(p->ctx, SQL_DUCKDB, "d", target->effective_from))
                          : newest_change(p, target);
    char *rows = projected_rows(p, target,
                                nv_printf(p->ctx, "CAST(coalesce(%s, TIMESTAMP '%s') AS %s) AS nuvyn_from",
                                          effective, beginning, type_of(p, from)));
    planner_setup(p, nv_printf(p->ctx, "CREATE TEMP TABLE given AS SELECT * FROM (%s) WHERE %s", rows,
                               keys_given(p, target)));
    refuse(p, target, "given");
}

/* When members were deleted, by what silver says: at the end that the data date, or in the batch that showed the last row gone. */
static char *endings(const planner_t *p, const Nv__SttmTarget *target)
{
    const Nv__SttmColumn *from = model_with_op(target, NV__TRANSFORM_OP__TRANSFORM_OP_SCD_FROM);
    const Nv__SttmSource *driving = model_source(p->in->sttm, target->driving_source);
    char *keys = key_list(p, target);
    if (model_ended(p->ctx, p->in->sttm, driving) == target)
        return nv_printf(p->ctx,
                         "SELECT %s, CAST(nuvyn_ended_at AS %s) AS nuvyn_from, 2 AS nuvyn_said, true AS "
                         "nuvyn_gone FROM given WHERE nuvyn_ended_at IS NOT NULL",
                         keys, type_of(p, from));
    return nv_printf(p->ctx,
                     "SELECT %s, CAST(max(nuvyn_deleted_at) AS %s) AS nuvyn_from, 2 AS nuvyn_said, true "
                     "AS nuvyn_gone FROM "
                     "given GROUP BY %s HAVING bool_and(nuvyn_deleted_at IS NOT NULL)",
                     keys, type_of(p, from), keys);
}

/* What the table itself tells of deletions: a version ends and no other begins, and silver has no living row from that time or later.
 * Of a history of which silver has every version, silver says it all. */
static char *gaps(const planner_t *p, const Nv__SttmTarget *target)
{
    const Nv__SttmColumn *from = model_with_op(target, NV__TRANSFORM_OP__TRANSFORM_OP_SCD_FROM);
    char *ends = name_of(p, model_with_op(target, NV__TRANSFORM_OP__TRANSFORM_OP_SCD_TO)->name);
    char *keys = key_list(p, target), *starts = name_of(p, from->name);
    return nv_printf(p->ctx,
                     "SELECT %s, %s AS nuvyn_from, 2 AS nuvyn_said, true AS nuvyn_gone FROM (SELECT *, "
                     "lead(%s) OVER (PARTITION BY %s ORDER BY %s) AS nuvyn_next FROM %s WHERE %s >= 0 AND "
                     "NOT %s) LEFT JOIN (SELECT %s, max(nuvyn_from) AS nuvyn_lives_from FROM given WHERE "
                     "nuvyn_deleted_at IS NULL GROUP BY %s) USING (%s) WHERE %s IS NOT NULL AND %s IS "
                     "DISTINCT FROM nuvyn_next AND (nuvyn_lives_from IS NULL OR %s < nuvyn_lives_from)",
                     keys, ends, starts, keys, starts, reference_table(p, target->name),
                     surrogate_of(p, target), is_inferred(p, target), keys, keys, keys, ends, ends, ends);
}

static char *deletions(const planner_t *p, const Nv__SttmTarget *target)
{
    if (model_has_versions(p->ctx, p->in->sttm, target))
        return endings(p, target);
    return nv_printf(p->ctx, "%s UNION ALL BY NAME %s", endings(p, target), gaps(p, target));
}

/* events: what silver says now, the versions that the table holds, and deletions; of several at one time a deletion, then silver's
 * word. */
static void setup_events(planner_t *p, const Nv__SttmTarget *target)
{
    const Nv__SttmColumn *from = model_with_op(target, NV__TRANSFORM_OP__TRANSFORM_OP_SCD_FROM);
    nv_buf_t held = nv_buf_make(p->ctx, PLAN_SQL_MAX);
    for (size_t i = 0; i < target->n_columns; i++)
        if (is_projected(target, target->columns[i]))
            nv_buf_printf(&held, "%s, ", name_of(p, target->columns[i]->name));
    planner_setup(p,
                  nv_printf(p->ctx,
                            "CREATE TEMP TABLE events AS SELECT * FROM (SELECT %snuvyn_from, 1 AS "
                            "nuvyn_said, false AS nuvyn_gone FROM "
                            "given UNION ALL BY NAME SELECT %s%s AS nuvyn_from, 0 AS nuvyn_said, false AS "
                            "nuvyn_gone FROM %s WHERE %s >= "
                            "0 AND NOT %s UNION ALL BY NAME %s)%s",
                            nv_buf_text(&held), nv_buf_text(&held), name_of(p, from->name),
                            reference_table(p, target->name), surrogate_of(p, target), is_inferred(p, target),
                            deletions(p, target),
                            one_per_key(p, target, nv_printf(p->ctx, "%s, nuvyn_from", key_list(p, target)),
                                        "nuvyn_said")));
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
        p,
        nv_printf(
            p->ctx,
            "CREATE TEMP TABLE changes AS SELECT %snuvyn_from, nuvyn_gone FROM events QUALIFY nuvyn_gone OR "
            "row_number() OVER (PARTITION BY %s ORDER BY nuvyn_from) = 1 OR lag(%s) OVER (PARTITION BY %s "
            "ORDER BY "
            "nuvyn_from) IS DISTINCT FROM %s",
            settled_columns(p, target), by, tracked, by, tracked));
    planner_setup(p, nv_printf(p->ctx,
                               "CREATE TEMP TABLE versions AS SELECT * EXCLUDE (nuvyn_gone)%s FROM (SELECT * "
                               "EXCLUDE (nuvyn_from), %s AS "
                               "%s, lead(nuvyn_from) OVER (PARTITION BY %s ORDER BY nuvyn_from) AS %s, "
                               "lead(nuvyn_from) OVER (PARTITION "
                               "BY %s ORDER BY nuvyn_from) IS NULL AS %s FROM changes) WHERE NOT nuvyn_gone",
                               not_inferred(p, target), start, name_of(p, from->name), by,
                               name_of(p, to->name), by, name_of(p, current->name)));
    insert_inferred(p, target, "versions");
}

static void load_history(planner_t *p, const Nv__SttmTarget *target)
{
    const Nv__SttmColumn *from = model_with_op(target, NV__TRANSFORM_OP__TRANSFORM_OP_SCD_FROM);
    static const char *const steps[] = {"given", "events", "changes", "versions"};
    char *table = reference_table(p, target->name);
    setup_given(p, target);
    setup_events(p, target);
    setup_versions(p, target);
    planner_setup(p, nv_printf(p->ctx, "DELETE FROM %s", table));
    planner_setup(p, nv_printf(p->ctx, "INSERT INTO %s BY NAME SELECT *, %s AS %s FROM versions", table,
                               key_expression(p, target, nv_printf(p->ctx, ", %s", name_of(p, from->name))),
                               surrogate_of(p, target)));
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        planner_setup(p, nv_printf(p->ctx, "DROP TABLE %s", steps[i]));
    insert_unknown(p, target, -2, -1);
}

/* Facts and bridges are what silver says now and has not deleted. */
static void load_rows(planner_t *p, const Nv__SttmTarget *target)
{
    char *table = reference_table(p, target->name);
    char *extra = nv_printf(p->ctx, "%s AS nuvyn_effective", newest_change(p, target));
    char *keys = key_list(p, target);
    planner_setup(p, nv_printf(p->ctx,
                               "CREATE TEMP TABLE wanted AS SELECT * EXCLUDE (nuvyn_effective, "
                               "nuvyn_deleted_at, nuvyn_ended_at) FROM (%s) WHERE "
                               "nuvyn_deleted_at IS NULL%s",
                               projected_rows(p, target, extra),
                               keys[0] ? one_per_key(p, target, keys, "nuvyn_effective") : ""));
    refuse(p, target, "wanted");
    planner_setup(p, nv_printf(p->ctx, "DELETE FROM %s", table));
    planner_setup(p, nv_printf(p->ctx, "INSERT INTO %s BY NAME SELECT * FROM wanted", table));
    planner_setup(p, "DROP TABLE wanted");
}

static void load_dates(planner_t *p, const Nv__SttmTarget *target)
{
    char *table = reference_table(p, target->name);
    planner_setup(p, nv_printf(p->ctx, "DELETE FROM %s", table));
    planner_setup(
        p, nv_printf(
               p->ctx,
               "INSERT INTO %s BY NAME %s FROM (SELECT CAST(unnest(generate_series(nuvyn_first, nuvyn_last, "
               "INTERVAL 1 DAY)) AS DATE) AS day FROM (%s))",
               table, reference_calendar(p, target), calendar_span(p, target)));
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
