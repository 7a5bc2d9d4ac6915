#include "worker/design/star_rules.h"

#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include "common/core/error.h"

typedef struct checker {
    nv_mem_t *ctx;
    const Nv__StarSchema *star;
    star_rules_t out;
} checker_t;

static void broken(checker_t *k, const char *subject, const char *fmt, ...) NV_PRINTF(3, 4);

static void broken(checker_t *k, const char *subject, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    const char *text = nv_vprintf(k->ctx, fmt, args);
    va_end(args);
    NV_PUSH(k->ctx, k->out.text, k->out.n, k->out.cap) = nv_printf(k->ctx, "%s: %s", subject, text);
}

static bool same_ref(const Nv__ColumnRef *a, const Nv__ColumnRef *b)
{
    return a != NULL && b != NULL && strcmp(a->table, b->table) == 0 && strcmp(a->column, b->column) == 0;
}

static const Nv__DimensionDesign *find_dimension(const checker_t *k, const char *name)
{
    for (size_t i = 0; i < k->star->n_dimensions; i++) {
        if (strcmp(k->star->dimensions[i]->name, name) == 0)
            return k->star->dimensions[i];
    }
    return NULL;
}

/* Roles keep several uses of one dimension apart. */
static void check_roles(checker_t *k, const char *subject, Nv__DimensionUse *const *uses, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (find_dimension(k, uses[i]->dimension) == NULL)
            broken(k, subject, "uses \"%s\": expected a dimension of this star", uses[i]->dimension);
        for (size_t j = 0; j < i; j++) {
            if (strcmp(uses[i]->dimension, uses[j]->dimension) == 0 &&
                strcmp(uses[i]->role, uses[j]->role) == 0)
                broken(k, subject, "uses %s twice in the role \"%s\": expected a role for each",
                       uses[i]->dimension, uses[i]->role);
        }
    }
}

static void check_dates(checker_t *k, const Nv__FactDesign *fact)
{
    if (fact->n_dates > 0 && k->star->date == NULL)
        broken(k, fact->name, "has dates: expected a date dimension in the star");
    for (size_t i = 0; i < fact->n_dates; i++) {
        for (size_t j = 0; j < i; j++) {
            if (strcmp(fact->dates[i]->role, fact->dates[j]->role) == 0)
                broken(k, fact->name, "two dates in the role \"%s\": expected a role for each",
                       fact->dates[i]->role);
        }
    }
}

/* Only what is measured at the grain is a measure: a header's amount on its lines would be counted once for each line. */
static void check_measures(checker_t *k, const Nv__FactDesign *fact)
{
    for (size_t i = 0; i < fact->n_measures; i++) {
        const Nv__MeasureDesign *measure = fact->measures[i];
        if (measure->additivity == NV__ADDITIVITY__ADDITIVITY_UNSPECIFIED || measure->reason[0] == '\0')
            broken(k, fact->name, "measure %s: expected its additivity and the reason", measure->name);
        if (measure->source != NULL && strcmp(measure->source->table, fact->source) != 0)
            broken(k, fact->name, "measure %s comes from %s: expected an amount at the grain of %s",
                   measure->name, measure->source->table, fact->source);
        for (size_t j = 0; j < fact->n_degenerate; j++) {
            if (same_ref(measure->source, fact->degenerate[j]))
                broken(k, fact->name, "%s is measure and degenerate key: expected one of them",
                       measure->name);
        }
    }
}

/* A fact is of the kind that its measures and dates make it. */
static void check_kind(checker_t *k, const Nv__FactDesign *fact)
{
    bool level = false;
    for (size_t i = 0; i < fact->n_measures; i++)
        level = level || fact->measures[i]->additivity == NV__ADDITIVITY__ADDITIVITY_SEMI;
    if ((strcmp(fact->kind, "factless") == 0) != (fact->n_measures == 0))
        broken(k, fact->name,
               "%zu measures: expected a factless fact to have none, and one without to be called so",
               fact->n_measures);
    if (strcmp(fact->kind, "periodic_snapshot") == 0 && !level)
        broken(k, fact->name, "a periodic snapshot: expected a level, a measure that time does not add up");
    if (strcmp(fact->kind, "accumulating") == 0 && fact->n_dates < 2)
        broken(k, fact->name, "an accumulating snapshot of %zu dates: expected the steps of a process",
               fact->n_dates);
}

static void check_fact(checker_t *k, const Nv__FactDesign *fact)
{
    if (fact->n_grain_columns == 0 || fact->grain[0] == '\0')
        broken(k, fact->name, "expected a declared grain and its columns");
    check_kind(k, fact);
    /* What links two facts (an issue and the one it blocks) keeps both their ids. */
    if (fact->n_measures == 0 && fact->n_dimensions == 0 && fact->n_dates == 0 && fact->n_degenerate < 2)
        broken(k, fact->name, "expected a measure, a dimension, a date or the ids of two facts");
    check_measures(k, fact);
    check_roles(k, fact->name, fact->dimensions, fact->n_dimensions);
    check_dates(k, fact);
}

static bool uses(Nv__DimensionUse *const *list, size_t n, const char *dimension)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(list[i]->dimension, dimension) == 0)
            return true;
    }
    return false;
}

bool star_uses_dimension(const Nv__StarSchema *star, const char *dimension)
{
    for (size_t i = 0; i < star->n_facts; i++) {
        if (uses(star->facts[i]->dimensions, star->facts[i]->n_dimensions, dimension))
            return true;
    }
    for (size_t i = 0; i < star->n_bridges; i++) {
        if (uses(star->bridges[i]->dimensions, star->bridges[i]->n_dimensions, dimension))
            return true;
    }
    return false;
}

/* A dimension that nothing refers to says why it stands there. */
static void check_use(checker_t *k, const Nv__DimensionDesign *dimension)
{
    bool told = star_uses_dimension(k->star, dimension->name);
    for (size_t i = 0; i < dimension->n_evidence; i++)
        told = told || strcmp(dimension->evidence[i]->kind, "unused") == 0;
    if (!told)
        broken(k, dimension->name,
               "no fact and no bridge refers to it: expected one, or the reason in its evidence");
}

/* Drilling up leads through other columns to no more members. */
static void check_hierarchies(checker_t *k, const Nv__DimensionDesign *dimension)
{
    for (size_t h = 0; h < dimension->n_hierarchies; h++) {
        const Nv__Hierarchy *hierarchy = dimension->hierarchies[h];
        for (size_t i = 1; i < hierarchy->n_levels; i++) {
            const Nv__HierarchyLevel *below = hierarchy->levels[i - 1], *above = hierarchy->levels[i];
            if (strcmp(below->column, above->column) == 0 || above->members > below->members)
                broken(k, dimension->name,
                       "hierarchy: %s stands above %s: expected another level, of no more members",
                       above->column, below->column);
        }
    }
}

/* A dimension is built once and shared; its parents are joined into it, or stand beside it with a reason. */
static void check_dimension(checker_t *k, size_t at)
{
    const Nv__DimensionDesign *dimension = k->star->dimensions[at];
    for (size_t i = 0; i < at; i++) {
        const Nv__DimensionDesign *other = k->star->dimensions[i];
        bool shared =
            strcmp(other->source, dimension->source) == 0 && !other->from_flat && !dimension->from_flat;
        if (strcmp(other->name, dimension->name) == 0 || shared)
            broken(k, dimension->name, "built again from %s after %s: expected one conformed dimension",
                   dimension->source, other->name);
    }
    if (dimension->n_business_key == 0)
        broken(k, dimension->name, "expected a business key");
    check_use(k, dimension);
    check_hierarchies(k, dimension);
    for (size_t i = 0; i < dimension->n_outriggers; i++) {
        if (dimension->outriggers[i]->n_evidence == 0)
            broken(k, dimension->name, "outrigger %s: expected the reason in its evidence",
                   dimension->outriggers[i]->to);
    }
    for (size_t i = 0; i < dimension->n_attributes; i++) {
        const Nv__AttributeDesign *attribute = dimension->attributes[i];
        if (attribute->scd == NV__SCD_TYPE__SCD_TYPE_UNSPECIFIED)
            broken(k, dimension->name, "attribute %s: expected how its changes are kept", attribute->name);
    }
}

star_rules_t star_find_broken_rules(nv_mem_t *ctx, const Nv__StarSchema *star)
{
    checker_t k = {.ctx = ctx, .star = star};
    for (size_t i = 0; i < star->n_dimensions; i++)
        check_dimension(&k, i);
    for (size_t i = 0; i < star->n_facts; i++)
        check_fact(&k, star->facts[i]);
    for (size_t i = 0; i < star->n_bridges; i++) {
        const Nv__BridgeDesign *bridge = star->bridges[i];
        if (bridge->n_dimensions < 2)
            broken(&k, bridge->name, "%zu dimensions: expected a bridge to link at least two",
                   bridge->n_dimensions);
        check_roles(&k, bridge->name, bridge->dimensions, bridge->n_dimensions);
    }
    return k.out;
}
