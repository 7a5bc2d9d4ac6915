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
    p->group->n_asked = asked;
    p->group->oracle_sql = asked ? oracle.data : NULL;
}

void mark_source(const planner_t *p, const Nv__SttmSource *source, bool *needs)
{
    needs[planner_source_index(p, source)] = true;
    for (size_t i = 0; i < source->n_rules; i++) {
        const Nv__QualityRule *rule = source->rules[i];
        const Nv__SttmSource *other = rule->kind == NV__RULE_KIND__RULE_KIND_REFERENCE &&
                                              rule->severity == NV__SEVERITY__SEVERITY_QUARANTINE
                                          ? model_source(p->in->sttm, rule->ref_target)
                                          : NULL;
        if (other)
            needs[planner_source_index(p, other)] = true;
    }
}

static bool has_later_batch(const Nv__SttmSource *source)
{
    for (size_t i = 0; i < source->n_files; i++)
        if (source->files[i]->batch > 0)
            return true;
    return false;
}

/* A later file has columns that the load adds to silver, where they are part of what makes a row of a source without a key. */
static bool grows_identity(const Nv__SttmSource *source)
{
    if (source->n_key > 0 || source->policy->new_columns != NV__DRIFT_ACTION__DRIFT_ACTION_ADD)
        return false;
    for (size_t i = 0; i < source->n_files; i++)
        if (source->files[i]->n_columns > source->n_columns)
            return true;
    return false;
}

/* What a mapping may ask of the pipeline and the oracle does not compute: then it must not be asked, rather than be wrong. */
static const char *not_told_of_source(const planner_t *p, const Nv__SttmSource *source)
{
    Nv__DeleteMode deletes = source_deletes(source);
    if (!p->in->widened && source->policy &&
        source->policy->changed_types == NV__DRIFT_ACTION__DRIFT_ACTION_WIDEN)
        return "its types may be widened, which the second computation does not follow";
    if (source->policy && grows_identity(source))
        return "it has no key, and columns that a later file added tell its rows apart";
    if (deletes == NV__DELETE_MODE__DELETE_MODE_SNAPSHOT && source_rejected_lines(p, source) > 0)
        return "lines of it are no rows, but may show that a key is still there";
    if (deletes != NV__DELETE_MODE__DELETE_MODE_UNSPECIFIED && p->oracle == SQL_SPARK &&
        has_later_batch(source))
        return "its rows may be deleted, and in the workspace the files do not tell which batch brought them";
    return NULL;
}

/* The oracle knows of a reference only whether it leads anywhere. */
static bool is_foretold(const Nv__QualityRule *rule, const Nv__SttmTarget *target, const char *column)
{
    const Nv__SttmColumn *c = model_column(target, column);
    bool refuses =
        rule->severity == NV__SEVERITY__SEVERITY_QUARANTINE || rule->severity == NV__SEVERITY__SEVERITY_DROP;
    if (!refuses ||
        (c && target_computes(target, c) && c->transform->op != NV__TRANSFORM_OP__TRANSFORM_OP_LOOKUP))
        return true;
    return c && target_computes(target, c) && !model_is_history(target) &&
           (rule->kind == NV__RULE_KIND__RULE_KIND_NOT_NULL ||
            (rule->kind == NV__RULE_KIND__RULE_KIND_RANGE && !rule->high[0] && strcmp(rule->low, "0") == 0));
}

static const char *not_told_of_target(const planner_t *p, const Nv__SttmTarget *target)
{
    static const char *const refused =
        "a rule refuses rows of it by a column that the second computation does not know";
    const Nv__SttmSource *source = model_source(p->in->sttm, target->driving_source);
    if (source && target->effective_from[0] && model_is_history(target) &&
        source_deletes(source) != NV__DELETE_MODE__DELETE_MODE_UNSPECIFIED)
        return "its versions are dated by the data and its members may be deleted: whether a deletion comes "
               "before a "
               "version, only the batches' times tell";
    if (source && model_is_history(target) && source_deletes(source) == NV__DELETE_MODE__DELETE_MODE_MARKER)
        return "rows mark its members as deleted: one that comes and goes within a batch leaves no version";
    for (size_t i = 0; i < target->n_rules; i++)
        for (size_t k = 0; k < target->rules[i]->n_columns; k++)
            if (!is_foretold(target->rules[i], target, target->rules[i]->columns[k]))
                return refused;
    for (size_t i = 0; i < target->n_columns; i++)
        for (size_t k = 0; k < target->columns[i]->n_rules; k++)
            if (!is_foretold(target->columns[i]->rules[k], target, target->columns[i]->name))
                return refused;
    return NULL;
}

const char *planner_not_told(const planner_t *p, const Nv__SttmTarget *target)
{
    const char *reason = not_told_of_target(p, target);
    for (size_t i = 0; !reason && i < target->n_columns; i++) {
        const Nv__Transform *t = target->columns[i]->transform;
        if (t->op == NV__TRANSFORM_OP__TRANSFORM_OP_LOOKUP)
            reason = not_told_of_target(p, model_target(p->in->sttm, t->dimension));
    }
    return reason;
}

static void note_not_told(planner_t *p)
{
    const Nv__Sttm *sttm = p->in->sttm;
    p->plan->not_told = NV_NEW_ARRAY(p->ctx, const char *, sttm->n_sources + 1);
    for (size_t i = 0; i < sttm->n_sources; i++)
        p->plan->not_told[i] = not_told_of_source(p, sttm->sources[i]);
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
        plan_typed(&p, input->sttm->sources[i]);
    for (size_t i = 0; i < input->sttm->n_sources; i++)
        plan_rows(&p, input->sttm->sources[i]);
    for (size_t i = 0; i < input->sttm->n_sources; i++)
        plan_source(&p, input->sttm->sources[i]);
    for (size_t i = 0; i < input->sttm->n_targets; i++)
        plan_target(&p, input->sttm->targets[i]);
    return p.plan;
}
