#include "tests/property/policies.h"

#include "tests/property/case.h"
#include "worker/codegen/model.h"

#include <string.h>

/* As generate.c has them; the last two are what a policy is about. */
static const char *const kept[] = {"amber", "basalt", "cedar", "delta", "ember", "fjord", "N/A"};
static const char *const singled_out = "cedar";

typedef struct declarer {
    nv_mem_t *ctx;
    Nv__Sttm *sttm;
    dice_t dice;
    int declared;
} declarer_t;

static const Nv__SttmSourceColumn *word_column(const Nv__SttmSource *source)
{
    static const char *const names[] = {"segment", "status", "city"};
    for (size_t i = 0; i < source->n_columns; i++)
        for (size_t k = 0; k < sizeof names / sizeof names[0]; k++)
            if (strcmp(source->columns[i]->silver_name, names[k]) == 0)
                return source->columns[i];
    return NULL;
}

static Nv__QualityRule *add_rule(declarer_t *d, Nv__SttmSource *source, Nv__RuleKind kind, size_t n_columns)
{
    Nv__QualityRule *rule = NV_NEW(d->ctx, Nv__QualityRule);
    Nv__QualityRule **rules = NV_NEW_ARRAY(d->ctx, Nv__QualityRule *, source->n_rules + 1);
    nv__quality_rule__init(rule);
    for (size_t i = 0; i < source->n_rules; i++)
        rules[i] = source->rules[i];
    rule->id = nv_printf(d->ctx, "P%zu", source->n_rules);
    rule->kind = kind;
    rule->severity = NV__SEVERITY__SEVERITY_QUARANTINE;
    rule->columns = NV_NEW_ARRAY(d->ctx, char *, n_columns);
    rule->n_columns = n_columns;
    rules[source->n_rules++] = rule;
    source->rules = rules;
    d->declared++;
    return rule;
}

/* Some words are accepted, others drop or refuse the row. */
static void accept_words(declarer_t *d, Nv__SttmSource *source, const Nv__SttmSourceColumn *column)
{
    Nv__QualityRule *rule = add_rule(d, source, NV__RULE_KIND__RULE_KIND_ACCEPTED, 1);
    rule->columns[0] = column->silver_name;
    rule->values = (char **)kept;
    rule->n_values = sizeof kept / sizeof kept[0];
    if (dice_chance(&d->dice, 0.5))
        rule->severity = NV__SEVERITY__SEVERITY_DROP;
}

static void change_parsing(declarer_t *d, Nv__SttmSource *source)
{
    for (size_t i = 0; i < source->n_rules; i++)
        if (source->rules[i]->kind == NV__RULE_KIND__RULE_KIND_PARSES && dice_chance(&d->dice, 0.5)) {
            source->rules[i]->severity =
                dice_chance(&d->dice, 0.5) ? NV__SEVERITY__SEVERITY_DROP : NV__SEVERITY__SEVERITY_WARN;
            d->declared++;
        }
}

static const Nv__SttmSourceColumn *named(const Nv__SttmSource *source, const char *name)
{
    for (size_t i = 0; i < source->n_columns; i++)
        if (strcmp(source->columns[i]->name, name) == 0)
            return source->columns[i];
    return NULL;
}

/* A row that refers to nothing waits in the quarantine. */
static void refuse_orphans(declarer_t *d, Nv__SttmSource *source)
{
    const Nv__Join *join = source->n_joins ? source->joins[0] : NULL;
    const Nv__SttmSource *other = join ? model_source(d->sttm, join->to) : NULL;
    if (!other || other == source)
        return;
    Nv__QualityRule *rule = add_rule(d, source, NV__RULE_KIND__RULE_KIND_REFERENCE, join->n_columns);
    rule->ref_target = other->name;
    rule->ref_columns = NV_NEW_ARRAY(d->ctx, char *, join->n_columns);
    rule->n_ref_columns = join->n_columns;
    for (size_t k = 0; k < join->n_columns; k++) {
        rule->columns[k] = named(source, join->columns[k])->silver_name;
        rule->ref_columns[k] = named(other, join->to_columns[k])->silver_name;
    }
}

static void delete_rows(declarer_t *d, Nv__SttmSource *source, const Nv__SttmSourceColumn *column)
{
    Nv__SourcePolicy *policy = NV_NEW(d->ctx, Nv__SourcePolicy);
    nv__source_policy__init(policy);
    source->policy = policy;
    d->declared++;
    if (!column || dice_chance(&d->dice, 0.4)) {
        policy->deletes = NV__DELETE_MODE__DELETE_MODE_SNAPSHOT;
        policy->max_delete_share = 1;
        return;
    }
    policy->deletes = NV__DELETE_MODE__DELETE_MODE_MARKER;
    policy->delete_column = column->silver_name;
    policy->delete_values = (char **)&singled_out;
    policy->n_delete_values = 1;
}

static void infer_members(declarer_t *d, Nv__SttmTarget *dimension)
{
    Nv__SttmColumn *column = NV_NEW(d->ctx, Nv__SttmColumn);
    Nv__SttmColumn **columns = NV_NEW_ARRAY(d->ctx, Nv__SttmColumn *, dimension->n_columns + 1);
    nv__sttm_column__init(column);
    for (size_t i = 0; i < dimension->n_columns; i++)
        columns[i] = dimension->columns[i];
    column->mapping_id = nv_strdup(d->ctx, "M9999");
    column->name = nv_strdup(d->ctx, "is_inferred");
    column->type = NV__VALUE_TYPE__VALUE_TYPE_BOOLEAN;
    column->transform = NV_NEW(d->ctx, Nv__Transform);
    nv__transform__init(column->transform);
    column->transform->op = NV__TRANSFORM_OP__TRANSFORM_OP_AUDIT;
    column->transform->constant = nv_strdup(d->ctx, "inferred");
    columns[dimension->n_columns++] = column;
    dimension->columns = columns;
    d->declared++;
}

int policies_declare(nv_mem_t *ctx, Nv__Sttm *sttm, uint64_t seed)
{
    declarer_t d = {.ctx = ctx, .sttm = sttm, .dice = {.state = seed ^ 0xbb67ae8584caa73bu}};
    for (size_t i = 0; seed % 2 == 1 && i < sttm->n_sources; i++) {
        Nv__SttmSource *source = sttm->sources[i];
        const Nv__SttmSourceColumn *words = word_column(source);
        if (words && dice_chance(&d.dice, 0.4))
            accept_words(&d, source, words);
        if (dice_chance(&d.dice, 0.4))
            change_parsing(&d, source);
        if (dice_chance(&d.dice, 0.4))
            refuse_orphans(&d, source);
        if (source->n_key > 0 && dice_chance(&d.dice, 0.4))
            delete_rows(&d, source, words);
    }
    for (size_t i = 0; seed % 2 == 1 && i < sttm->n_targets; i++)
        if (model_is_dimension(sttm->targets[i]) && dice_chance(&d.dice, 0.3))
            infer_members(&d, sttm->targets[i]);
    return d.declared;
}

bool policies_by_snapshot(const Nv__Sttm *sttm)
{
    for (size_t i = 0; i < sttm->n_sources; i++)
        if (sttm->sources[i]->policy &&
            sttm->sources[i]->policy->deletes == NV__DELETE_MODE__DELETE_MODE_SNAPSHOT)
            return true;
    return false;
}
