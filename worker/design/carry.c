#include "worker/design/carry.h"

#include <stdbool.h>
#include <string.h>

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
    if (!earlier || earlier->scd == NV__SCD_TYPE__SCD_TYPE_UNSPECIFIED || earlier->scd == now->scd)
        return 0;
    now->scd = earlier->scd;
    now->reason = nv_printf(ctx, "as a person decided in %s", run);
    return 1;
}

static size_t carry_measure(nv_mem_t *ctx, const Nv__MeasureDesign *earlier, const char *run,
                            Nv__MeasureDesign *now)
{
    if (!earlier)
        return 0;
    bool unit = earlier->unit[0] && strcmp(earlier->unit, now->unit) != 0;
    bool sums = earlier->additivity != NV__ADDITIVITY__ADDITIVITY_UNSPECIFIED &&
                earlier->additivity != now->additivity;
    if (unit)
        now->unit = nv_strdup(ctx, earlier->unit);
    if (sums)
        now->additivity = earlier->additivity;
    if (unit || sums)
        now->reason = nv_printf(ctx, "as a person decided in %s", run);
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
