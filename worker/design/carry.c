#include "worker/design/carry.h"

#include <stdbool.h>
#include <string.h>

static const char decided[] = "decided by a person", decided_before[] = "as a person decided in ",
                  human_source[] = "human";

static bool was_decided(const char *reason)
{
    return strcmp(reason, decided) == 0 || strncmp(reason, decided_before, sizeof decided_before - 1) == 0;
}

static bool same_column(const Nv__ColumnRef *a, const Nv__ColumnRef *b)
{
    return a && b && strcmp(a->table, b->table) == 0 && strcmp(a->column, b->column) == 0;
}

static const Nv__AttributeDesign *find_attribute(const Nv__StarSchema *star, const char *source,
                                                 const Nv__ColumnRef *column)
{
    for (size_t i = 0; i < star->n_dimensions; i++) {
        const Nv__DimensionDesign *dimension = star->dimensions[i];
        for (size_t k = 0; strcmp(dimension->source, source) == 0 && k < dimension->n_attributes; k++)
            if (same_column(dimension->attributes[k]->source, column))
                return dimension->attributes[k];
    }
    return NULL;
}

static const Nv__MeasureDesign *find_measure(const Nv__StarSchema *star, const char *source,
                                             const Nv__ColumnRef *column)
{
    for (size_t i = 0; i < star->n_facts; i++) {
        const Nv__FactDesign *fact = star->facts[i];
        for (size_t k = 0; strcmp(fact->source, source) == 0 && k < fact->n_measures; k++)
            if (same_column(fact->measures[k]->source, column))
                return fact->measures[k];
    }
    return NULL;
}

static size_t carry_attribute(nv_mem_t *ctx, const Nv__AttributeDesign *earlier, const char *run,
                              Nv__AttributeDesign *now)
{
    if (!earlier || !was_decided(earlier->reason) || earlier->scd == NV__SCD_TYPE__SCD_TYPE_UNSPECIFIED ||
        earlier->scd == now->scd)
        return 0;
    now->scd = earlier->scd;
    now->reason = nv_printf(ctx, "%s%s", decided_before, run);
    return 1;
}

static size_t carry_measure(nv_mem_t *ctx, const Nv__MeasureDesign *earlier, const char *run,
                            Nv__MeasureDesign *now)
{
    if (!earlier || !was_decided(earlier->reason))
        return 0;
    bool unit = earlier->unit[0] && strcmp(earlier->unit, now->unit) != 0;
    bool sums = earlier->additivity != NV__ADDITIVITY__ADDITIVITY_UNSPECIFIED &&
                earlier->additivity != now->additivity;
    if (unit)
        now->unit = nv_strdup(ctx, earlier->unit);
    if (sums)
        now->additivity = earlier->additivity;
    if (unit || sums)
        now->reason = nv_printf(ctx, "%s%s", decided_before, run);
    return (size_t)unit + (size_t)sums;
}

size_t design_carry(nv_mem_t *ctx, const Nv__StarSchema *earlier, const char *run, Nv__StarSchema *star)
{
    size_t carried = 0;
    for (size_t i = 0; i < star->n_dimensions; i++) {
        Nv__DimensionDesign *dimension = star->dimensions[i];
        /* The versions of a history table are the data's own. */
        for (size_t k = 0; !dimension->effective_from[0] && k < dimension->n_attributes; k++) {
            Nv__AttributeDesign *now = dimension->attributes[k];
            carried +=
                carry_attribute(ctx, find_attribute(earlier, dimension->source, now->source), run, now);
        }
    }
    for (size_t i = 0; i < star->n_facts; i++)
        for (size_t k = 0; k < star->facts[i]->n_measures; k++) {
            Nv__MeasureDesign *now = star->facts[i]->measures[k];
            carried +=
                carry_measure(ctx, find_measure(earlier, star->facts[i]->source, now->source), run, now);
        }
    return carried;
}

/* ---- noting ---- */

static void mark_attributes(nv_mem_t *ctx, const Nv__StarSchema *asked, const Nv__DimensionDesign *dimension)
{
    for (size_t i = 0; i < dimension->n_attributes; i++) {
        Nv__AttributeDesign *now = dimension->attributes[i];
        const Nv__AttributeDesign *before = find_attribute(asked, dimension->source, now->source);
        if (before && before->scd != now->scd)
            now->reason = nv_strdup(ctx, decided);
    }
}

static void mark_measures(nv_mem_t *ctx, const Nv__StarSchema *asked, const Nv__FactDesign *fact)
{
    for (size_t i = 0; i < fact->n_measures; i++) {
        Nv__MeasureDesign *now = fact->measures[i];
        const Nv__MeasureDesign *before = find_measure(asked, fact->source, now->source);
        if (before && (before->additivity != now->additivity || strcmp(before->unit, now->unit) != 0))
            now->reason = nv_strdup(ctx, decided);
    }
}

static bool same_list(char **a, size_t n_a, char **b, size_t n_b)
{
    bool same = n_a == n_b;
    for (size_t i = 0; same && i < n_a; i++)
        same = strcmp(a[i], b[i]) == 0;
    return same;
}

static bool has_join(const Nv__Relations *relations, const Nv__Join *join)
{
    for (size_t i = 0; i < relations->n_joins; i++) {
        const Nv__Join *other = relations->joins[i];
        if (strcmp(other->from, join->from) == 0 && strcmp(other->to, join->to) == 0 &&
            same_list(other->columns, other->n_columns, join->columns, join->n_columns) &&
            same_list(other->to_columns, other->n_to_columns, join->to_columns, join->n_to_columns))
            return true;
    }
    return false;
}

static bool has_role(const Nv__Relations *relations, const Nv__SourceRole *role)
{
    for (size_t i = 0; i < relations->n_roles; i++)
        if (strcmp(relations->roles[i]->table, role->table) == 0)
            return relations->roles[i]->role == role->role;
    return false;
}

static bool role_was_decided(const Nv__SourceRole *role)
{
    for (size_t i = 0; i < role->n_evidence; i++)
        if (strcmp(role->evidence[i]->kind, human_source) == 0 &&
            strcmp(role->evidence[i]->text, decided) == 0)
            return true;
    return false;
}

static void mark_role(nv_mem_t *ctx, Nv__SourceRole *role)
{
    Nv__Evidence *evidence = NV_NEW(ctx, Nv__Evidence);
    nv__evidence__init(evidence);
    evidence->kind = nv_strdup(ctx, human_source);
    evidence->text = nv_strdup(ctx, decided);
    evidence->weight = 1;
    Nv__Evidence **list = NV_NEW_ARRAY(ctx, Nv__Evidence *, role->n_evidence + 1);
    if (role->n_evidence > 0)
        memcpy(list, role->evidence, role->n_evidence * sizeof(Nv__Evidence *));
    list[role->n_evidence++] = evidence;
    role->evidence = list;
}

static void mark_relations(nv_mem_t *ctx, const Nv__Relations *asked, Nv__Relations *human)
{
    for (size_t i = 0; i < human->n_joins; i++)
        if (!has_join(asked, human->joins[i]))
            human->joins[i]->decided_by = nv_strdup(ctx, human_source);
    for (size_t i = 0; i < human->n_roles; i++)
        if (!has_role(asked, human->roles[i]) && !role_was_decided(human->roles[i]))
            mark_role(ctx, human->roles[i]);
}

void design_mark_decisions(nv_mem_t *ctx, const Nv__StarSchema *asked, Nv__StarSchema *human)
{
    if (!asked)
        return;
    for (size_t i = 0; i < human->n_dimensions; i++)
        mark_attributes(ctx, asked, human->dimensions[i]);
    for (size_t i = 0; i < human->n_facts; i++)
        mark_measures(ctx, asked, human->facts[i]);
    if (asked->relations && human->relations && asked->relations != human->relations)
        mark_relations(ctx, asked->relations, human->relations);
}

Nv__Relations *design_decided_relations(nv_mem_t *ctx, const Nv__Relations *relations)
{
    Nv__Relations *out = NV_NEW(ctx, Nv__Relations);
    nv__relations__init(out);
    out->joins = NV_NEW_ARRAY(ctx, Nv__Join *, relations->n_joins + 1);
    out->roles = NV_NEW_ARRAY(ctx, Nv__SourceRole *, relations->n_roles + 1);
    for (size_t i = 0; i < relations->n_joins; i++)
        if (strcmp(relations->joins[i]->decided_by, human_source) == 0)
            out->joins[out->n_joins++] = relations->joins[i];
    for (size_t i = 0; i < relations->n_roles; i++)
        if (role_was_decided(relations->roles[i]))
            out->roles[out->n_roles++] = relations->roles[i];
    return out;
}
