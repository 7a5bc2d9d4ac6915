/* A table of the star: what it must fulfil by itself, and what it must share with the oracle's relation. */
#include "worker/validation/plan.h"

#include <string.h>

char *planner_table(const planner_t *p, const Nv__SttmTarget *target)
{
    return sql_table(p->ctx, p->warehouse, p->in->catalog, p->in->schema, target->name);
}

char *planner_subject(const planner_t *p, const Nv__SttmTarget *target, const char *column)
{
    return nv_printf(p->ctx, "%s.%s", target->name, column);
}

bool planner_keeps_original(const Nv__SttmTarget *target, const Nv__SttmColumn *column)
{
    return model_is_history(target) && column->scd == NV__SCD_TYPE__SCD_TYPE_0;
}

bool planner_is_comparable(const Nv__SttmTarget *target, const Nv__SttmColumn *column)
{
    return column->transform->op != NV__TRANSFORM_OP__TRANSFORM_OP_LOOKUP &&
           target_computes(target, column) && column->type != NV__VALUE_TYPE__VALUE_TYPE_DOUBLE &&
           !planner_keeps_original(target, column);
}

/* The rows of a table that stand for something known, and of a history the current ones. */
static char *real_rows(const planner_t *p, const Nv__SttmTarget *target)
{
    const Nv__SttmColumn *surrogate = model_with_role(target, NV__KEY_ROLE__KEY_ROLE_SURROGATE);
    if (!surrogate)
        return nv_strdup(p->ctx, "true");
    char *real = nv_printf(p->ctx, "%s >= 0", sql_identifier(p->ctx, p->warehouse, surrogate->name));
    if (!model_is_history(target))
        return real;
    const Nv__SttmColumn *current = model_with_op(target, NV__TRANSFORM_OP__TRANSFORM_OP_SCD_CURRENT);
    return nv_printf(p->ctx, "%s AND %s", real, sql_identifier(p->ctx, p->warehouse, current->name));
}

static char *name_list(const planner_t *p, char *const *names, size_t n)
{
    char *text = nv_strdup(p->ctx, "");
    for (size_t i = 0; i < n; i++)
        text =
            nv_printf(p->ctx, "%s%s%s", text, i ? ", " : "", sql_identifier(p->ctx, p->warehouse, names[i]));
    return text;
}

static void check_keys(planner_t *p, const Nv__SttmTarget *target)
{
    char **key;
    size_t n = model_key(p->ctx, target, &key);
    const Nv__SttmColumn *surrogate = model_with_role(target, NV__KEY_ROLE__KEY_ROLE_SURROGATE);
    if (n > 0)
        planner_check(p, "grain_unique", target->name, "design", VALIDATION_ZERO,
                      nv_printf(p->ctx, "count(*) - count(DISTINCT %s(%s))",
                                p->warehouse == SQL_SPARK ? "struct" : "row", name_list(p, key, n)),
                      NULL);
    if (!surrogate)
        return;
    char *name = sql_identifier(p->ctx, p->warehouse, surrogate->name);
    char *table = planner_table(p, target);
    bool dates = target->kind == NV__TARGET_KIND__TARGET_KIND_DATE_DIMENSION;
    planner_check(p, "key_unique", planner_subject(p, target, surrogate->name), "generate", VALIDATION_ZERO,
                  nv_printf(p->ctx, "(SELECT count(*) - count(DISTINCT %s) FROM %s)", name, table), NULL);
    planner_check(
        p, "unknown_members", target->name, "generate", VALIDATION_ZERO,
        nv_printf(p->ctx, "%d - (SELECT count(*) FROM %s WHERE %s < 0)", dates ? 1 : 2, table, name), NULL);
}

/* Half-open intervals that follow each other without gap or overlap, the last one open; only deletions leave gaps. */
static void check_history(planner_t *p, const Nv__SttmTarget *target)
{
    if (!model_is_history(target))
        return;
    char **key;
    size_t n = model_key(p->ctx, target, &key);
    char *by = name_list(p, key, n);
    char *from = sql_identifier(p->ctx, p->warehouse,
                                model_with_op(target, NV__TRANSFORM_OP__TRANSFORM_OP_SCD_FROM)->name);
    char *to = sql_identifier(p->ctx, p->warehouse,
                              model_with_op(target, NV__TRANSFORM_OP__TRANSFORM_OP_SCD_TO)->name);
    char *current = sql_identifier(p->ctx, p->warehouse,
                                   model_with_op(target, NV__TRANSFORM_OP__TRANSFORM_OP_SCD_CURRENT)->name);
    char *surrogate =
        sql_identifier(p->ctx, p->warehouse, model_with_role(target, NV__KEY_ROLE__KEY_ROLE_SURROGATE)->name);
    /* While a member was deleted, no version of it is in force. */
    bool gaps = source_deletes(model_source(p->in->sttm, target->driving_source)) !=
                NV__DELETE_MODE__DELETE_MODE_UNSPECIFIED;
    char *apart =
        gaps ? nv_printf(p->ctx, "coalesce(%s > nuvyn_next, %s IS NULL AND nuvyn_next IS NOT NULL)", to, to)
             : nv_printf(p->ctx, "%s IS DISTINCT FROM nuvyn_next", to);
    planner_check(
        p, "history_intervals", target->name, "generate", VALIDATION_ZERO,
        nv_printf(
            p->ctx,
            "(SELECT count(*) FILTER (WHERE %s OR %s IS DISTINCT FROM (%s IS "
            "NULL) OR "
            "coalesce(%s <= %s, false)) "
            "FROM (SELECT *, lead(%s) OVER (PARTITION BY %s ORDER BY %s) AS nuvyn_next FROM %s WHERE %s "
            ">= 0))",
            apart, current, to, to, from, from, by, from, planner_table(p, target), surrogate),
        NULL);
}

/* No member of a level belongs to two of the next: as many pairs as members. Of the data, because the design found it so in those
 * that it knew. */
static void check_hierarchies(planner_t *p, const Nv__SttmTarget *target)
{
    for (size_t h = 0; h < target->n_hierarchies; h++) {
        const Nv__Hierarchy *hierarchy = target->hierarchies[h];
        for (size_t i = 1; i < hierarchy->n_levels; i++) {
            char *member = sql_identifier(p->ctx, p->warehouse, hierarchy->levels[i - 1]->column);
            char *above = sql_identifier(p->ctx, p->warehouse, hierarchy->levels[i]->column);
            planner_check(
                p, "hierarchy_holds",
                nv_printf(p->ctx, "%s.%s -> %s", target->name, hierarchy->levels[i - 1]->column,
                          hierarchy->levels[i]->column),
                "data", VALIDATION_WARN,
                nv_printf(p->ctx,
                          "count(DISTINCT CASE WHEN %s IS NOT NULL AND %s IS NOT NULL THEN %s(%s, %s) "
                          "END) - count(DISTINCT CASE WHEN %s IS NOT NULL THEN %s END)",
                          member, above, p->warehouse == SQL_SPARK ? "struct" : "row", member, above, above,
                          member),
                NULL);
        }
    }
}

static void check_sum(planner_t *p, const Nv__SttmTarget *target, const Nv__SttmColumn *column)
{
    char *name = sql_identifier(p->ctx, p->warehouse, column->name);
    char *want = sql_identifier(p->ctx, p->oracle, column->name);
    bool exact = column->type != NV__VALUE_TYPE__VALUE_TYPE_DOUBLE;
    planner_check(p, "reconcile_sum", planner_subject(p, target, column->name), "generate",
                  exact ? VALIDATION_EQUAL : VALIDATION_ABOUT,
                  nv_printf(p->ctx, "CAST(sum(%s) AS STRING)", name),
                  nv_printf(p->ctx, "CAST(sum(%s) AS STRING)", want));
}

static void check_content(planner_t *p, const Nv__SttmTarget *target, const Nv__SttmColumn *column)
{
    char *name = sql_identifier(p->ctx, p->warehouse, column->name);
    char *want = sql_identifier(p->ctx, p->oracle, column->name);
    if (column->type == NV__VALUE_TYPE__VALUE_TYPE_DOUBLE)
        return;
    planner_check(
        p, "reconcile_content", planner_subject(p, target, column->name), "generate", VALIDATION_EQUAL,
        checksum_sql(p->ctx, p->warehouse, canonical_text(p->ctx, p->warehouse, column->type, name)),
        checksum_sql(p->ctx, p->oracle, canonical_text(p->ctx, p->oracle, column->type, want)));
}

static char *record_text(const planner_t *p, sql_dialect_t dialect, const Nv__SttmTarget *target)
{
    char *text = nv_strdup(p->ctx, "'|'");
    for (size_t i = 0; i < target->n_columns; i++)
        if (planner_is_comparable(target, target->columns[i]))
            text = nv_printf(p->ctx, "%s, coalesce(%s, '~')", text,
                             canonical_text(p->ctx, dialect, target->columns[i]->type,
                                            sql_identifier(p->ctx, dialect, target->columns[i]->name)));
    return nv_printf(p->ctx, "concat_ws(%s)", text);
}

/* Whole rows: every column may hold the right values and still each of them in another row. */
static void check_records(planner_t *p, const Nv__SttmTarget *target)
{
    planner_check(p, "reconcile_records", target->name, "generate", VALIDATION_EQUAL,
                  checksum_sql(p->ctx, p->warehouse, record_text(p, p->warehouse, target)),
                  checksum_sql(p->ctx, p->oracle, record_text(p, p->oracle, target)));
}

static bool is_number(const Nv__SttmColumn *column)
{
    return column->type == NV__VALUE_TYPE__VALUE_TYPE_INT64 ||
           column->type == NV__VALUE_TYPE__VALUE_TYPE_DECIMAL ||
           column->type == NV__VALUE_TYPE__VALUE_TYPE_DOUBLE;
}

static void check_column(planner_t *p, const Nv__SttmTarget *target, const Nv__SttmColumn *column)
{
    Nv__TransformOp op = column->transform->op;
    bool dates = target->kind == NV__TARGET_KIND__TARGET_KIND_DATE_DIMENSION;
    if (op == NV__TRANSFORM_OP__TRANSFORM_OP_LOOKUP ||
        (op == NV__TRANSFORM_OP__TRANSFORM_OP_DATE_KEY && !dates))
        plan_reference(p, target, column);
    if (op == NV__TRANSFORM_OP__TRANSFORM_OP_LOOKUP || !target_computes(target, column) ||
        planner_keeps_original(target, column))
        return;
    if (column->measure && is_number(column))
        check_sum(p, target, column);
    check_content(p, target, column);
}

static void check_rule(planner_t *p, const Nv__SttmTarget *target, const Nv__QualityRule *rule,
                       char *const *columns, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const Nv__SttmColumn *c = model_column(target, columns[i]);
        if (!c)
            continue;
        char *name = sql_identifier(p->ctx, p->warehouse, c->name);
        char *condition = rule_sql(p->ctx, p->warehouse, rule, &name, 1,
                                   type_sql(p->ctx, p->warehouse, c->type, c->precision, c->scale));
        if (!condition)
            continue;
        static const char *const names[] = {[NV__RULE_KIND__RULE_KIND_NOT_NULL] = "not_null",
                                            [NV__RULE_KIND__RULE_KIND_RANGE] = "range",
                                            [NV__RULE_KIND__RULE_KIND_ACCEPTED] = "accepted_values",
                                            [NV__RULE_KIND__RULE_KIND_PATTERN] = "pattern"};
        bool fails = rule->severity == NV__SEVERITY__SEVERITY_FAIL && rule->threshold <= 0;
        planner_check(p, names[rule->kind], planner_subject(p, target, c->name), fails ? "design" : "data",
                      fails ? VALIDATION_ZERO : VALIDATION_WARN,
                      nv_printf(p->ctx, "count(*) FILTER (WHERE NOT %s)", condition), NULL);
    }
}

static void check_rules(planner_t *p, const Nv__SttmTarget *target)
{
    for (size_t i = 0; i < target->n_rules; i++)
        check_rule(p, target, target->rules[i], target->rules[i]->columns, target->rules[i]->n_columns);
    for (size_t i = 0; i < target->n_columns; i++)
        for (size_t k = 0; k < target->columns[i]->n_rules; k++)
            check_rule(p, target, target->columns[i]->rules[k], &target->columns[i]->name, 1);
}

static void check_not_null(planner_t *p, const Nv__SttmTarget *target)
{
    for (size_t i = 0; i < target->n_columns; i++) {
        const Nv__SttmColumn *c = target->columns[i];
        bool key = c->key_role == NV__KEY_ROLE__KEY_ROLE_SURROGATE ||
                   c->key_role == NV__KEY_ROLE__KEY_ROLE_FOREIGN ||
                   (c->key_role == NV__KEY_ROLE__KEY_ROLE_BUSINESS && model_is_dimension(target));
        if (!key)
            continue;
        /* A row without a surrogate key stands outside of the real rows: it is looked for in the whole table. */
        char *name = sql_identifier(p->ctx, p->warehouse, c->name);
        char *nulls = c->key_role == NV__KEY_ROLE__KEY_ROLE_SURROGATE
                          ? nv_printf(p->ctx, "(SELECT count(*) FROM %s WHERE %s IS NULL)",
                                      planner_table(p, target), name)
                          : nv_printf(p->ctx, "count(*) FILTER (WHERE %s IS NULL)", name);
        planner_check(p, "not_null", planner_subject(p, target, c->name), "generate", VALIDATION_ZERO, nulls,
                      NULL);
    }
}

static void mark_alias(const planner_t *p, const Nv__SttmTarget *target, const char *alias, bool *needs)
{
    mark_source(p, model_alias(p->in->sttm, target, alias), needs);
}

/* Whoever refers to the dimension has a part in who its members are. */
static void mark_referring(const planner_t *p, const Nv__SttmTarget *dimension, bool *needs)
{
    for (size_t i = 0; model_inferred(dimension) && i < p->in->sttm->n_targets; i++) {
        const Nv__SttmTarget *target = p->in->sttm->targets[i];
        for (size_t c = 0; c < target->n_columns; c++)
            if (target->columns[c]->transform->op == NV__TRANSFORM_OP__TRANSFORM_OP_LOOKUP &&
                strcmp(target->columns[c]->transform->dimension, dimension->name) == 0)
                mark_alias(p, target, target->columns[c]->transform->inputs[0]->alias, needs);
    }
}

static void mark_dated(const planner_t *p, bool *needs)
{
    model_date_use_t *uses;
    size_t n = model_date_uses(p->ctx, p->in->sttm, &uses);
    for (size_t i = 0; i < n; i++)
        mark_source(p, uses[i].source, needs);
}

/* The oracle side needs the target's sources, and those of the dimensions it looks into. */
static void mark_needs(const planner_t *p, const Nv__SttmTarget *target, bool *needs)
{
    if (target->kind == NV__TARGET_KIND__TARGET_KIND_DATE_DIMENSION) {
        mark_dated(p, needs);
        return;
    }
    mark_alias(p, target, "d", needs);
    for (size_t i = 0; i < target->n_joins; i++)
        mark_alias(p, target, target->joins[i]->alias, needs);
    mark_referring(p, target, needs);
    for (size_t i = 0; i < target->n_columns; i++) {
        const Nv__Transform *t = target->columns[i]->transform;
        const Nv__SttmTarget *dimension =
            t->op == NV__TRANSFORM_OP__TRANSFORM_OP_LOOKUP ? model_target(p->in->sttm, t->dimension) : NULL;
        if (!dimension)
            continue;
        mark_alias(p, dimension, "d", needs);
        mark_referring(p, dimension, needs);
    }
}

static const Nv__SttmColumn *audit_column(const Nv__SttmTarget *target, const char *what)
{
    for (size_t i = 0; model_is_dimension(target) && i < target->n_columns; i++)
        if (target->columns[i]->transform->op == NV__TRANSFORM_OP__TRANSFORM_OP_AUDIT &&
            strcmp(target->columns[i]->transform->constant, what) == 0)
            return target->columns[i];
    return NULL;
}

/* Rows that are there, or aside, because the mapping declares a policy. */
static void check_policies(planner_t *p, const Nv__SttmTarget *target)
{
    char *want = planner_want(p, target);
    const Nv__SttmColumn *inferred = model_inferred(target), *deleted = audit_column(target, "deleted_at");
    if (inferred)
        planner_check(p, "reconcile_inferred", target->name, "generate", VALIDATION_EQUAL,
                      nv_printf(p->ctx, "count(*) FILTER (WHERE %s)",
                                sql_identifier(p->ctx, p->warehouse, inferred->name)),
                      "count(*) FILTER (WHERE nuvyn_is = 'inferred')");
    if (deleted && !model_is_history(target))
        planner_check(p, "reconcile_deleted", target->name, "generate", VALIDATION_EQUAL,
                      nv_printf(p->ctx, "count(%s)", sql_identifier(p->ctx, p->warehouse, deleted->name)),
                      "count(nuvyn_deleted)");
    if (target_has_refusing(target, NV__SEVERITY__SEVERITY_QUARANTINE) && !model_is_history(target))
        planner_check(p, "reconcile_refused", target->name, "generate", VALIDATION_EQUAL,
                      nv_printf(p->ctx, "(SELECT count(*) FROM %s)",
                                sql_table(p->ctx, p->warehouse, p->in->catalog, p->in->schema,
                                          nv_printf(p->ctx, "%s_refused", target->name))),
                      nv_printf(p->ctx, "(SELECT count(*) FROM %s WHERE nuvyn_is = 'held')", want));
}

/* As many days as the span has, from its first to its last. */
static void check_days(planner_t *p, const Nv__SttmTarget *target)
{
    bool duckdb = p->oracle == SQL_DUCKDB;
    char *key =
        sql_identifier(p->ctx, p->warehouse, model_with_role(target, NV__KEY_ROLE__KEY_ROLE_SURROGATE)->name);
    planner_check(p, "reconcile_rows", target->name, "generate", VALIDATION_EQUAL, "count(*)",
                  duckdb ? "date_diff('day', nuvyn_first, nuvyn_last) + 1"
                         : "datediff(nuvyn_last, nuvyn_first) + 1");
    planner_check(
        p, "reconcile_span", target->name, "generate", VALIDATION_EQUAL,
        nv_printf(p->ctx, "concat(min(%s), '-', max(%s))", key, key),
        duckdb ? "strftime(nuvyn_first, '%Y%m%d') || '-' || strftime(nuvyn_last, '%Y%m%d')"
               : "concat(date_format(nuvyn_first, 'yyyyMMdd'), '-', date_format(nuvyn_last, 'yyyyMMdd'))");
}

static void check_rows(planner_t *p, const Nv__SttmTarget *target)
{
    planner_check(p, "reconcile_rows", target->name, "generate", VALIDATION_EQUAL, "count(*)", "count(*)");
    check_records(p, target);
    check_policies(p, target);
    if (history_is_told(p, target))
        history_check(p, target);
}

void plan_target(planner_t *p, const Nv__SttmTarget *target)
{
    bool dates = target->kind == NV__TARGET_KIND__TARGET_KIND_DATE_DIMENSION;
    char *want = planner_want(p, target);
    planner_create(p, want,
                   dates ? calendar_span(p, target) : with_inferred(p, target, target_relation(p, target)));
    if (history_is_told(p, target))
        planner_create(p, planner_versions(p, target), history_relation(p, target));
    validation_group_t *group = planner_group(p, target->name);
    p->joins = nv_buf_make(p->ctx, PLAN_SQL_MAX);
    mark_needs(p, target, group->needs);
    group->not_told = planner_not_told(p, target);
    if (dates)
        check_days(p, target);
    else
        check_rows(p, target);
    check_keys(p, target);
    check_history(p, target);
    check_hierarchies(p, target);
    check_not_null(p, target);
    for (size_t i = 0; i < target->n_columns; i++)
        check_column(p, target, target->columns[i]);
    check_rules(p, target);
    planner_close(p,
                  nv_printf(p->ctx, "%s%s WHERE %s", planner_table(p, target), nv_buf_text(&p->joins),
                            real_rows(p, target)),
                  dates ? want : nv_printf(p->ctx, "%s WHERE nuvyn_is IN (" WANT_REAL ")", want));
}
