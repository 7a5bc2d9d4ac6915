#include "worker/validation/plan.h"

#include <string.h>

int planner_source_index(const planner_t *p, const Nv__SttmSource *source)
{
    for (size_t i = 0; i < p->in->sttm->n_sources; i++)
        if (p->in->sttm->sources[i] == source)
            return (int)i;
    return -1;
}

char *planner_clean(const planner_t *p, const Nv__SttmSource *source)
{
    if (p->of_reference)
        return sql_table(p->ctx, SQL_DUCKDB, p->in->catalog, p->in->schema, source->silver_name);
    return planner_relation(p, nv_printf(p->ctx, "clean_%d", planner_source_index(p, source)));
}

char *planner_want(const planner_t *p, const Nv__SttmTarget *target)
{
    size_t i = 0;
    while (i < p->in->sttm->n_targets && p->in->sttm->targets[i] != target)
        i++;
    return planner_relation(p, nv_printf(p->ctx, "want_%zu", i));
}

void planner_setup(planner_t *p, const char *sql)
{
    NV_PUSH(p->ctx, p->plan->setup, p->plan->n_setup, p->cap_setup) = sql;
}

char *planner_relation(const planner_t *p, const char *name)
{
    if (p->oracle == SQL_DUCKDB)
        return nv_strdup(p->ctx, name);
    return sql_table(p->ctx, SQL_SPARK, p->in->catalog, p->in->schema,
                     nv_printf(p->ctx, "nuvyn_proof_%s", name));
}

void planner_create(planner_t *p, const char *relation, const char *select)
{
    if (p->oracle == SQL_DUCKDB) {
        planner_setup(p, nv_printf(p->ctx, "CREATE TEMP TABLE %s AS %s", relation, select));
        return;
    }
    char *drop = nv_printf(p->ctx, "DROP TABLE IF EXISTS %s", relation);
    planner_setup(p, drop);
    planner_setup(p, nv_printf(p->ctx, "CREATE TABLE %s AS %s", relation, select));
    NV_PUSH(p->ctx, p->plan->cleanup, p->plan->n_cleanup, p->cap_cleanup) = drop;
}

char *planner_first(const planner_t *p, const char *select, const char *partition, const char *order)
{
    return nv_printf(
        p->ctx,
        "SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY %s ORDER BY %s) AS nuvyn_rank FROM "
        "(%s) AS all_rows) AS ranked WHERE nuvyn_rank = 1",
        partition, order, select);
}

validation_group_t *planner_group(planner_t *p, const char *table)
{
    NV_PUSH(p->ctx, p->plan->groups, p->plan->n_groups, p->cap_groups) =
        (validation_group_t){.table = nv_strdup(p->ctx, table),
                             .needs = NV_NEW_ARRAY(p->ctx, bool, p->in->sttm->n_sources + 1),
                             .source = -1};
    p->cap_checks = 0;
    p->group = &p->plan->groups[p->plan->n_groups - 1];
    return p->group;
}

void planner_check(planner_t *p, const char *name, const char *subject, const char *blame,
                   validation_compare_t compare, const char *warehouse, const char *oracle)
{
    NV_PUSH(p->ctx, p->group->checks, p->group->n_checks, p->cap_checks) =
        (validation_check_t){.name = name,
                             .subject = nv_strdup(p->ctx, subject),
                             .blame = blame,
                             .compare = compare,
                             .warehouse = warehouse,
                             .oracle = oracle};
}

void planner_close(planner_t *p, const char *warehouse_from, const char *oracle_from)
{
    nv_buf_t warehouse = nv_buf_make(p->ctx, PLAN_SQL_MAX);
    nv_buf_t oracle = nv_buf_make(p->ctx, PLAN_SQL_MAX);
    size_t asked = 0;
    nv_buf_puts(&warehouse, "SELECT ");
    nv_buf_puts(&oracle, "SELECT ");
    for (size_t i = 0; i < p->group->n_checks; i++) {
        validation_check_t *check = &p->group->checks[i];
        check->warehouse_at = i;
        nv_buf_printf(&warehouse, "%s%s AS c%zu", i ? ", " : "", check->warehouse, i);
        if (!check->oracle)
            continue;
        check->oracle_at = asked;
        nv_buf_printf(&oracle, "%s%s AS c%zu", asked ? ", " : "", check->oracle, asked);
        asked++;
    }
    if (*warehouse_from)
        nv_buf_printf(&warehouse, " FROM %s", warehouse_from);
    if (oracle_from && *oracle_from)
        nv_buf_printf(&oracle, " FROM %s", oracle_from);
    p->group->warehouse_sql = warehouse.data;
    p->group->oracle_sql = asked ? oracle.data : NULL;
}

/* What a mapping may ask of the pipeline and the oracle does not compute: then it must not be asked, rather than be wrong. */
static const char *not_told(const Nv__SttmSource *source)
{
    if (source->policy && source->policy->deletes != NV__DELETE_MODE__DELETE_MODE_UNSPECIFIED)
        return "its rows may be deleted, which the second computation does not follow";
    if (source->policy && source->policy->changed_types == NV__DRIFT_ACTION__DRIFT_ACTION_WIDEN)
        return "its types may be widened, which the second computation does not follow";
    for (size_t i = 0; i < source->n_rules; i++) {
        const Nv__QualityRule *rule = source->rules[i];
        bool of_others =
            rule->kind == NV__RULE_KIND__RULE_KIND_REFERENCE || rule->kind == NV__RULE_KIND__RULE_KIND_UNIQUE;
        if (rule->severity == NV__SEVERITY__SEVERITY_DROP ||
            (of_others && rule->severity == NV__SEVERITY__SEVERITY_QUARANTINE))
            return "rows are kept out by a rule that the second computation does not follow";
    }
    return NULL;
}

static bool keeps_rows_out(Nv__QualityRule *const *rules, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (rules[i]->severity == NV__SEVERITY__SEVERITY_QUARANTINE ||
            rules[i]->severity == NV__SEVERITY__SEVERITY_DROP)
            return true;
    return false;
}

static const char *not_told_of_target(const Nv__SttmTarget *target)
{
    const char *refused = "a table refuses rows of it, which the second computation does not follow";
    if (keeps_rows_out(target->rules, target->n_rules))
        return refused;
    for (size_t i = 0; i < target->n_columns; i++) {
        const Nv__Transform *t = target->columns[i]->transform;
        if (keeps_rows_out(target->columns[i]->rules, target->columns[i]->n_rules))
            return refused;
        if (t->op == NV__TRANSFORM_OP__TRANSFORM_OP_AUDIT && strcmp(t->constant, "inferred") == 0)
            return "its dimension infers members, which the second computation does not follow";
    }
    return NULL;
}

static void note_not_told(planner_t *p)
{
    const Nv__Sttm *sttm = p->in->sttm;
    p->plan->not_told = NV_NEW_ARRAY(p->ctx, const char *, sttm->n_sources + 1);
    for (size_t i = 0; i < sttm->n_sources; i++)
        p->plan->not_told[i] = not_told(sttm->sources[i]);
    for (size_t i = 0; i < sttm->n_targets; i++) {
        const Nv__SttmSource *source = model_source(sttm, sttm->targets[i]->driving_source);
        const char *reason = not_told_of_target(sttm->targets[i]);
        if (source && reason)
            p->plan->not_told[planner_source_index(p, source)] = reason;
    }
}

validation_plan_t *validation_plan(nv_mem_t *ctx, const validation_input_t *input)
{
    planner_t p = {.ctx = ctx,
                   .in = input,
                   .warehouse = input->duckdb_warehouse ? SQL_DUCKDB : SQL_SPARK,
                   .oracle = input->pushed_down ? SQL_SPARK : SQL_DUCKDB,
                   .plan = NV_NEW(ctx, validation_plan_t)};
    note_not_told(&p);
    for (size_t i = 0; i < input->sttm->n_sources; i++)
        plan_source(&p, input->sttm->sources[i]);
    for (size_t i = 0; i < input->sttm->n_targets; i++)
        plan_target(&p, input->sttm->targets[i]);
    return p.plan;
}
