/* 90_quality: the checks that the tables must pass after every load. */
#include "worker/codegen/emit.h"
#include "worker/codegen/rules.h"
#include "worker/codegen/text.h"

#include <string.h>

/* Rows("table", rules=(…), where="…") with the rules of a row; nothing when there are none. */
static void put_rows(nv_mem_t *ctx, nv_buf_t *buf, const char *table, const char *where,
                     const nv_buf_t *rules)
{
    if (rules->length == 0)
        return;
    nv_buf_printf(buf, "    Rows(%s, rules=(\n%s    )", py_string(ctx, table), nv_buf_text(rules));
    if (*where)
        nv_buf_printf(buf, ", where=%s", py_string(ctx, where));
    nv_buf_puts(buf, "),\n");
}

/* A rule over several rows, at a source or a target. */
static void put_table_rule(nv_mem_t *ctx, nv_buf_t *buf, const Nv__Sttm *sttm, const char *table,
                           const Nv__QualityRule *rule)
{
    const char *tier = rule_tier(rule);
    if (rule_refuses(rule))
        return;
    char *columns = py_tuple(ctx, rule->columns, rule->n_columns);
    if (rule->kind == NV__RULE_KIND__RULE_KIND_UNIQUE)
        nv_buf_printf(buf, "    Unique(%s, %s, tier=\"%s\"),\n", py_string(ctx, table), columns, tier);
    if (rule->kind != NV__RULE_KIND__RULE_KIND_REFERENCE)
        return;
    const Nv__SttmSource *source = model_source(sttm, rule->ref_target);
    const Nv__SttmTarget *target = model_target(sttm, rule->ref_target);
    if (!source && !target)
        return;
    nv_buf_printf(buf, "    Reference(%s, %s, %s, %s, tier=\"%s\"", py_string(ctx, table), columns,
                  py_string(ctx, source ? source->silver_name : target->name),
                  py_tuple(ctx, rule->ref_columns, rule->n_ref_columns), tier);
    if (rule->threshold > 0)
        nv_buf_printf(buf, ", limit=%.6g", rule->threshold);
    nv_buf_puts(buf, "),\n");
}

static void put_source(nv_mem_t *ctx, nv_buf_t *buf, const Nv__Sttm *sttm, const Nv__SttmSource *source)
{
    nv_buf_t rules = nv_buf_make(ctx, NOTEBOOK_MAX);
    for (size_t i = 0; i < source->n_rules; i++)
        if (rule_is_of_row(source->rules[i]) && strcmp(rule_tier(source->rules[i]), "warn") == 0)
            nv_buf_printf(&rules, "        %s,\n",
                          rule_declaration(ctx, source->rules[i], rule_source_type, source));
    put_rows(ctx, buf, source->silver_name, "", &rules);
    for (size_t i = 0; i < source->n_rules; i++)
        put_table_rule(ctx, buf, sttm, source->silver_name, source->rules[i]);
}

/* Members that stand for nothing known are held to no rule. */
static char *real_members(nv_mem_t *ctx, const Nv__SttmTarget *target)
{
    const Nv__SttmColumn *surrogate = model_with_role(target, NV__KEY_ROLE__KEY_ROLE_SURROGATE);
    return surrogate ? nv_printf(ctx, "%s >= 0", spark_name(ctx, surrogate->name)) : nv_strdup(ctx, "");
}

static void put_keys(nv_mem_t *ctx, nv_buf_t *buf, const Nv__SttmTarget *target)
{
    char **key;
    size_t n = model_key(ctx, target, &key);
    const Nv__SttmColumn *surrogate = model_with_role(target, NV__KEY_ROLE__KEY_ROLE_SURROGATE);
    char *where = real_members(ctx, target);
    if (model_is_history(target))
        where = nv_printf(
            ctx, "%s AND %s", where,
            spark_name(ctx, model_with_op(target, NV__TRANSFORM_OP__TRANSFORM_OP_SCD_CURRENT)->name));
    if (surrogate)
        nv_buf_printf(buf, "    Unique(%s, %s),\n", py_string(ctx, target->name),
                      py_tuple(ctx, (char *[]){surrogate->name}, 1));
    if (n == 0 || (surrogate && n == 1 && strcmp(key[0], surrogate->name) == 0))
        return;
    nv_buf_printf(buf, "    Unique(%s, %s", py_string(ctx, target->name), py_tuple(ctx, key, n));
    if (*where)
        nv_buf_printf(buf, ", where=%s", py_string(ctx, where));
    nv_buf_puts(buf, "),\n");
}

static void put_references(nv_mem_t *ctx, nv_buf_t *buf, const Nv__Sttm *sttm, const Nv__SttmTarget *target)
{
    const Nv__SttmTarget *dates = model_date_dimension(sttm);
    for (size_t i = 0; i < target->n_columns; i++) {
        const Nv__SttmColumn *c = target->columns[i];
        bool lookup = c->transform->op == NV__TRANSFORM_OP__TRANSFORM_OP_LOOKUP;
        bool date = c->transform->op == NV__TRANSFORM_OP__TRANSFORM_OP_DATE_KEY && target != dates;
        if (!lookup && !date)
            continue;
        const Nv__SttmTarget *other = lookup ? model_target(sttm, c->transform->dimension) : dates;
        nv_buf_printf(
            buf, "    Reference(%s, %s, %s, %s),\n", py_string(ctx, target->name),
            py_tuple(ctx, (char *[]){c->name}, 1), py_string(ctx, other->name),
            py_tuple(ctx, (char *[]){model_with_role(other, NV__KEY_ROLE__KEY_ROLE_SURROGATE)->name}, 1));
    }
}

static bool is_list(char *const *names, size_t n, char *const *others, size_t n_others)
{
    bool same = n == n_others;
    for (size_t i = 0; same && i < n; i++)
        same = strcmp(names[i], others[i]) == 0;
    return same;
}

static bool is_surrogate(const Nv__SttmTarget *target, char *const *columns, size_t n)
{
    const Nv__SttmColumn *surrogate = model_with_role(target, NV__KEY_ROLE__KEY_ROLE_SURROGATE);
    return surrogate && is_list(columns, n, (char *[]){surrogate->name}, 1);
}

/* What put_keys and put_references check of every table, whether the mapping says it or not. */
static bool is_checked_anyway(nv_mem_t *ctx, const Nv__Sttm *sttm, const Nv__SttmTarget *target,
                              const Nv__QualityRule *rule)
{
    if (strcmp(rule_tier(rule), "fail") != 0 || rule->threshold > 0)
        return false;
    if (rule->kind == NV__RULE_KIND__RULE_KIND_UNIQUE) {
        char **key;
        size_t n = model_key(ctx, target, &key);
        bool has_surrogate = model_with_role(target, NV__KEY_ROLE__KEY_ROLE_SURROGATE) != NULL;
        return has_surrogate ? is_surrogate(target, rule->columns, rule->n_columns)
                             : n > 0 && is_list(rule->columns, rule->n_columns, key, n);
    }
    if (rule->kind != NV__RULE_KIND__RULE_KIND_REFERENCE || rule->n_columns != 1)
        return false;
    const Nv__SttmColumn *c = model_column(target, rule->columns[0]);
    return c && c->transform->op == NV__TRANSFORM_OP__TRANSFORM_OP_LOOKUP &&
           strcmp(c->transform->dimension, rule->ref_target) == 0 &&
           is_surrogate(model_target(sttm, rule->ref_target), rule->ref_columns, rule->n_ref_columns);
}

static bool refuses(nv_mem_t *ctx, const Nv__SttmTarget *target, Nv__Severity severity)
{
    const Nv__QualityRule *const *rules;
    size_t n = rule_all(ctx, target, &rules);
    for (size_t i = 0; i < n; i++)
        if (rules[i]->severity == severity)
            return true;
    return false;
}

/* A measure that is copied as it is: its sum must be that of the source. */
static bool is_summed(const Nv__SttmColumn *c)
{
    return c->measure && c->transform->op == NV__TRANSFORM_OP__TRANSFORM_OP_COPY && !c->default_value[0] &&
           strcmp(c->transform->inputs[0]->alias, "d") == 0 &&
           (c->type == NV__VALUE_TYPE__VALUE_TYPE_INT64 || c->type == NV__VALUE_TYPE__VALUE_TYPE_DECIMAL ||
            c->type == NV__VALUE_TYPE__VALUE_TYPE_DOUBLE);
}

/* Reconciled("fact", "silver", sums=(…)): where a rule leaves rows out, only rows or nothing can be compared. */
static void put_reconciled(nv_mem_t *ctx, nv_buf_t *buf, const Nv__Sttm *sttm, const Nv__SttmTarget *target)
{
    bool rows_of_source = target->kind == NV__TARGET_KIND__TARGET_KIND_FACT ||
                          target->kind == NV__TARGET_KIND__TARGET_KIND_BRIDGE;
    if (!rows_of_source || target->distinct_rows || refuses(ctx, target, NV__SEVERITY__SEVERITY_DROP))
        return;
    nv_buf_printf(buf, "    Reconciled(%s, %s", py_string(ctx, target->name),
                  py_string(ctx, model_source(sttm, target->driving_source)->silver_name));
    if (refuses(ctx, target, NV__SEVERITY__SEVERITY_QUARANTINE)) {
        nv_buf_printf(buf, ", refused=%s),\n", py_string(ctx, nv_printf(ctx, "%s_refused", target->name)));
        return;
    }
    bool any = false;
    for (size_t i = 0; i < target->n_columns; i++) {
        const Nv__SttmColumn *c = target->columns[i];
        if (!is_summed(c))
            continue;
        nv_buf_printf(buf, "%s(%s, %s),", any ? " " : ", sums=(", py_string(ctx, c->name),
                      py_string(ctx, c->transform->inputs[0]->column));
        any = true;
    }
    nv_buf_puts(buf, any ? ")),\n" : "),\n");
}

static void put_target(nv_mem_t *ctx, nv_buf_t *buf, const Nv__Sttm *sttm, const Nv__SttmTarget *target)
{
    nv_buf_t counted = nv_buf_make(ctx, NOTEBOOK_MAX);
    const Nv__QualityRule *const *rules;
    size_t n = rule_all(ctx, target, &rules);
    for (size_t i = 0; i < n; i++)
        if (rule_is_of_row(rules[i]) && !rule_refuses(rules[i]))
            nv_buf_printf(&counted, "        %s,\n",
                          rule_declaration(ctx, rules[i], rule_target_type, target));
    put_rows(ctx, buf, target->name, real_members(ctx, target), &counted);
    put_keys(ctx, buf, target);
    put_references(ctx, buf, sttm, target);
    put_reconciled(ctx, buf, sttm, target);
    for (size_t i = 0; i < target->n_rules; i++)
        if (!is_checked_anyway(ctx, sttm, target, target->rules[i]))
            put_table_rule(ctx, buf, sttm, target->name, target->rules[i]);
}

bool emit_quality(nv_mem_t *ctx, const Nv__Sttm *sttm, Nv__ProjectFile **out, nv_error_t *err)
{
    notebook_t notebook =
        notebook_make(ctx, "notebooks/90_quality.py", "90_quality",
                      "What must hold after every load: nothing lost on the way, keys unique, "
                      "references found, rules met. Every outcome is written to `nuvyn_run_log`.",
                      "nuvyn_sources nuvyn_quality");
    notebook_cell(&notebook, "Raw tables");
    nv_buf_puts(&notebook.text, "checks = [Balance(source) for source in SOURCES]\nchecks += [\n");
    for (size_t i = 0; i < sttm->n_sources; i++)
        put_source(ctx, &notebook.text, sttm, sttm->sources[i]);
    nv_buf_puts(&notebook.text, "]\n");
    for (size_t i = 0; i < sttm->n_targets; i++) {
        notebook_cell(&notebook, sttm->targets[i]->name);
        nv_buf_puts(&notebook.text, "checks += [\n");
        put_target(ctx, &notebook.text, sttm, sttm->targets[i]);
        nv_buf_puts(&notebook.text, "]\n");
    }
    notebook_cell(&notebook, "Verdict");
    nv_buf_puts(&notebook.text, "judge(checks)\n");
    return notebook_finish(ctx, &notebook, out, err);
}
