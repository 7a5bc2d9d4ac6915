#include "worker/codegen/rules.h"

#include "worker/codegen/text.h"

#include <string.h>

enum { CONDITION_MAX = 1024 * 1024 };

char *rule_source_type(nv_mem_t *ctx, const void *source, const char *column)
{
    const Nv__SttmSourceColumn *found = model_source_column(source, column);
    return found ? codegen_type(ctx, found->type, found->precision, found->scale) : nv_strdup(ctx, "STRING");
}

char *rule_target_type(nv_mem_t *ctx, const void *target, const char *column)
{
    const Nv__SttmColumn *found = model_column(target, column);
    return found ? codegen_type(ctx, found->type, found->precision, found->scale) : nv_strdup(ctx, "STRING");
}

bool rule_is_of_row(const Nv__QualityRule *rule)
{
    return rule->kind == NV__RULE_KIND__RULE_KIND_NOT_NULL || rule->kind == NV__RULE_KIND__RULE_KIND_RANGE ||
           rule->kind == NV__RULE_KIND__RULE_KIND_ACCEPTED || rule->kind == NV__RULE_KIND__RULE_KIND_PATTERN;
}

const char *rule_tier(const Nv__QualityRule *rule)
{
    switch (rule->severity) {
    case NV__SEVERITY__SEVERITY_QUARANTINE:
        return "quarantine";
    case NV__SEVERITY__SEVERITY_FAIL:
        return "fail";
    case NV__SEVERITY__SEVERITY_DROP:
        return "drop";
    default:
        return "warn";
    }
}

bool rule_refuses(const Nv__QualityRule *rule)
{
    return rule->severity == NV__SEVERITY__SEVERITY_QUARANTINE ||
           rule->severity == NV__SEVERITY__SEVERITY_DROP;
}

/* A value in its type; text stays text. */
static char *typed(nv_mem_t *ctx, const char *value, const char *type)
{
    char *text = spark_literal(ctx, value);
    return strcmp(type, "STRING") == 0 ? text : nv_printf(ctx, "CAST(%s AS %s)", text, type);
}

static void put_accepted(nv_mem_t *ctx, nv_buf_t *buf, const Nv__QualityRule *rule, const char *name,
                         const char *type)
{
    nv_buf_printf(buf, "%s IN (", name);
    for (size_t i = 0; i < rule->n_values; i++)
        nv_buf_printf(buf, "%s%s", i ? ", " : "", typed(ctx, rule->values[i], type));
    nv_buf_puts(buf, rule->n_values ? ")" : "NULL)");
}

static void put_range(nv_mem_t *ctx, nv_buf_t *buf, const Nv__QualityRule *rule, const char *name,
                      const char *type)
{
    if (rule->low[0])
        nv_buf_printf(buf, "%s >= %s", name, typed(ctx, rule->low, type));
    if (rule->low[0] && rule->high[0])
        nv_buf_puts(buf, " AND ");
    if (rule->high[0])
        nv_buf_printf(buf, "%s <= %s", name, typed(ctx, rule->high, type));
    if (!rule->low[0] && !rule->high[0])
        nv_buf_puts(buf, "true");
}

char *rule_condition(nv_mem_t *ctx, const Nv__QualityRule *rule, rule_type_fn type_of, const void *table)
{
    nv_buf_t buf = nv_buf_make(ctx, CONDITION_MAX);
    for (size_t i = 0; i < rule->n_columns; i++) {
        char *name = spark_name(ctx, rule->columns[i]);
        char *type = type_of(ctx, table, rule->columns[i]);
        if (i)
            nv_buf_puts(&buf, " AND ");
        if (rule->kind == NV__RULE_KIND__RULE_KIND_NOT_NULL)
            nv_buf_printf(&buf, "%s IS NOT NULL", name);
        else if (rule->kind == NV__RULE_KIND__RULE_KIND_RANGE)
            put_range(ctx, &buf, rule, name, type);
        else if (rule->kind == NV__RULE_KIND__RULE_KIND_ACCEPTED)
            put_accepted(ctx, &buf, rule, name, type);
        else
            nv_buf_printf(&buf, "%s RLIKE %s", name, spark_literal(ctx, rule->low));
    }
    return buf.length ? buf.data : nv_strdup(ctx, "true");
}

char *rule_declaration(nv_mem_t *ctx, const Nv__QualityRule *rule, rule_type_fn type_of, const void *table)
{
    char *threshold = rule->threshold > 0 ? nv_printf(ctx, ", %.6g", rule->threshold) : nv_strdup(ctx, "");
    return nv_printf(ctx, "Rule(%s, \"%s\", %s, %s%s)", py_string(ctx, rule->id), rule_tier(rule),
                     py_string(ctx, rule_condition(ctx, rule, type_of, table)),
                     py_string(ctx, rule->description), threshold);
}

Nv__QualityRule *rule_of_column(nv_mem_t *ctx, const Nv__QualityRule *rule, const Nv__SttmColumn *column)
{
    Nv__QualityRule *copy = nv_memdup(ctx, rule, sizeof *rule);
    if (copy->n_columns == 0) {
        copy->columns = NV_NEW_ARRAY(ctx, char *, 1);
        copy->columns[0] = column->name;
        copy->n_columns = 1;
    }
    return copy;
}

size_t rule_all(nv_mem_t *ctx, const Nv__SttmTarget *target, const Nv__QualityRule *const **out)
{
    size_t n = 0, most = target->n_rules;
    for (size_t i = 0; i < target->n_columns; i++)
        most += target->columns[i]->n_rules;
    const Nv__QualityRule **rules = NV_NEW_ARRAY(ctx, const Nv__QualityRule *, most + 1);
    for (size_t i = 0; i < target->n_rules; i++)
        rules[n++] = target->rules[i];
    for (size_t i = 0; i < target->n_columns; i++)
        for (size_t k = 0; k < target->columns[i]->n_rules; k++)
            rules[n++] = rule_of_column(ctx, target->columns[i]->rules[k], target->columns[i]);
    *out = rules;
    return n;
}
