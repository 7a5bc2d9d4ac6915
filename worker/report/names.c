#include "worker/report/report.h"

#include <inttypes.h>

static const char *pick(const char *const *names, size_t count, unsigned index)
{
    return index < count ? names[index] : "?";
}

#define PICK(names, index) pick((names), sizeof(names) / sizeof *(names), (unsigned)(index))

const char *report_type_name(Nv__ValueType type)
{
    static const char *const names[] = {"?",      "string", "boolean",   "int64", "decimal",
                                        "double", "date",   "timestamp", "time"};
    return PICK(names, type);
}

const char *report_target_kind(Nv__TargetKind kind)
{
    static const char *const names[] = {"?", "dimension", "date dimension", "fact", "bridge"};
    return PICK(names, kind);
}

const char *report_key_role(Nv__KeyRole role)
{
    static const char *const names[] = {"", "", "surrogate key", "business key", "foreign key", "degenerate"};
    return PICK(names, role);
}

const char *report_additivity(Nv__Additivity additivity)
{
    static const char *const names[] = {"", "additive", "semi-additive", "non-additive"};
    return PICK(names, additivity);
}

const char *report_load_strategy(Nv__LoadStrategy load)
{
    static const char *const names[] = {"?", "generated", "merge, overwrite (SCD1)", "merge, versions (SCD2)",
                                        "merge on grain"};
    return PICK(names, load);
}

const char *report_scd(Nv__ScdType scd)
{
    static const char *const names[] = {"", "0", "1", "2"};
    return PICK(names, scd);
}

const char *report_rule_kind(Nv__RuleKind kind)
{
    static const char *const names[] = {"?",         "not null", "unique", "range", "accepted values",
                                        "reference", "parses",   "pattern"};
    return PICK(names, kind);
}

const char *report_severity(Nv__Severity severity)
{
    static const char *const names[] = {"?", "warn", "quarantine", "fail"};
    return PICK(names, severity);
}

const char *report_status(Nv__CheckStatus status)
{
    static const char *const names[] = {"?", "pass", "warn", "fail", "error"};
    return PICK(names, status);
}

char *report_full_type(nv_mem_t *ctx, Nv__ValueType type, int precision, int scale)
{
    if (type == NV__VALUE_TYPE__VALUE_TYPE_DECIMAL)
        return nv_printf(ctx, "decimal(%d,%d)", precision, scale);
    return nv_strdup(ctx, report_type_name(type));
}

char *report_inputs(nv_mem_t *ctx, const Nv__Transform *transform)
{
    char *text = nv_strdup(ctx, "");
    for (size_t i = 0; transform && i < transform->n_inputs; i++)
        text = nv_printf(ctx, "%s%s%s.%s", text, i ? ", " : "", transform->inputs[i]->source,
                         transform->inputs[i]->source_column);
    return text;
}

char *report_rule_text(nv_mem_t *ctx, const Nv__QualityRule *rule)
{
    char *columns = nv_join(ctx, ", ", rule->columns, rule->n_columns);
    if (rule->description[0])
        return nv_printf(ctx, "%s: %s", report_severity(rule->severity), rule->description);
    return nv_printf(ctx, "%s: %s(%s)", report_severity(rule->severity), report_rule_kind(rule->kind),
                     columns);
}

char *report_hierarchy(nv_mem_t *ctx, const Nv__Hierarchy *hierarchy)
{
    char *text = nv_strdup(ctx, "");
    for (size_t i = 0; i < hierarchy->n_levels; i++) {
        const Nv__HierarchyLevel *level = hierarchy->levels[i];
        text = nv_printf(ctx, "%s%s%s", text, i ? " → " : "", level->column);
        if (level->members > 0)
            text = nv_printf(ctx, "%s (%" PRId64 ")", text, level->members);
    }
    return text;
}
