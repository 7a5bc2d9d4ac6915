/* A star that came from outside: every reference must resolve before a mapping is written from it. */
#include <string.h>

#include "worker/design/design.h"
#include "worker/design/identifiers.h"
#include "worker/design/value_kind.h"

typedef struct checker {
    const Nv__Profile *profile;
    const Nv__StarSchema *star;
    name_index_t *columns; /* of the profile's tables */
    nv_error_t *err;
} checker_t;

static const Nv__TableProfile *find_table(const checker_t *k, const char *name)
{
    for (size_t i = 0; i < k->profile->n_tables; i++) {
        if (strcmp(k->profile->tables[i]->name, name) == 0)
            return k->profile->tables[i];
    }
    return NULL;
}

static const Nv__ColumnProfile *find_column(const checker_t *k, const Nv__TableProfile *table,
                                            const char *name)
{
    return name_index_find(k->columns, table, name);
}

static name_index_t *index_columns(nv_mem_t *ctx, const Nv__Profile *profile)
{
    name_index_t *out = name_index_new(ctx);
    for (size_t t = 0; t < profile->n_tables; t++) {
        const Nv__TableProfile *table = profile->tables[t];
        for (size_t c = 0; c < table->n_columns; c++)
            name_index_add(out, table, table->columns[c]->name, table->columns[c]);
    }
    return out;
}

static bool check_table(checker_t *k, const char *path, const char *table)
{
    if (find_table(k, table) != NULL)
        return true;
    return nv_fail(k->err, NV_INVALID_ARGUMENT, "%s: \"%.100s\": expected a profiled table", path, table);
}

static bool check_columns(checker_t *k, const char *path, const char *table, char *const *columns, size_t n)
{
    const Nv__TableProfile *found = find_table(k, table);
    for (size_t i = 0; found != NULL && i < n; i++) {
        if (find_column(k, found, columns[i]) == NULL)
            return nv_fail(k->err, NV_INVALID_ARGUMENT,
                           "%s[%zu]: \"%.100s\": expected a column of \"%.100s\"", path, i, columns[i],
                           table);
    }
    return found != NULL || check_table(k, path, table);
}

static bool check_ref(checker_t *k, const char *path, const Nv__ColumnRef *ref)
{
    if (ref == NULL)
        return nv_fail(k->err, NV_INVALID_ARGUMENT, "%s: expected a table and a column", path);
    return check_columns(k, path, ref->table, &ref->column, 1);
}

static bool check_join(checker_t *k, const char *path, const Nv__Join *join)
{
    if (join == NULL || join->n_columns == 0 || join->n_columns != join->n_to_columns)
        return nv_fail(k->err, NV_INVALID_ARGUMENT,
                       "%s: expected as many columns as to_columns, and at least one", path);
    if (!check_columns(k, path, join->from, join->columns, join->n_columns) ||
        !check_columns(k, path, join->to, join->to_columns, join->n_to_columns))
        return false;
    for (size_t i = 0; i < join->n_columns; i++) {
        const Nv__ColumnProfile *a = find_column(k, find_table(k, join->from), join->columns[i]);
        const Nv__ColumnProfile *b = find_column(k, find_table(k, join->to), join->to_columns[i]);
        bool both_filled = a->distinct_count > 0 && b->distinct_count > 0;
        bool fits = value_is_moment(a->type) == value_is_moment(b->type);
        if (both_filled && !fits)
            return nv_fail(k->err, NV_INVALID_ARGUMENT,
                           "%s: \"%.100s\" and \"%.100s\": expected columns of comparable types", path,
                           a->name, b->name);
    }
    return true;
}

static bool check_uses(checker_t *k, nv_mem_t *ctx, const char *path, Nv__DimensionUse *const *uses, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *at = nv_printf(ctx, "%s.dimensions[%zu]", path, i);
        const Nv__DimensionDesign *dimension = NULL;
        for (size_t d = 0; d < k->star->n_dimensions; d++) {
            if (strcmp(k->star->dimensions[d]->name, uses[i]->dimension) == 0)
                dimension = k->star->dimensions[d];
        }
        if (dimension == NULL)
            return nv_fail(k->err, NV_INVALID_ARGUMENT,
                           "%s.dimension: \"%.100s\": expected a dimension of this design", at,
                           uses[i]->dimension);
        if (!check_join(k, nv_printf(ctx, "%s.join", at), uses[i]->join))
            return false;
        if (strcmp(uses[i]->join->to, dimension->source) != 0)
            return nv_fail(k->err, NV_INVALID_ARGUMENT,
                           "%s.join.to: \"%.100s\": expected \"%.100s\", the source of %s", at,
                           uses[i]->join->to, dimension->source, dimension->name);
    }
    return true;
}

static bool names_level(const Nv__DimensionDesign *dimension, const char *level)
{
    for (size_t i = 0; i < dimension->n_attributes; i++) {
        if (strcmp(dimension->attributes[i]->name, level) == 0)
            return true;
    }
    for (size_t i = 0; i < dimension->n_business_key; i++) {
        if (strcmp(dimension->business_key[i], level) == 0)
            return true;
    }
    return false;
}

static bool check_hierarchies(checker_t *k, const char *path, const Nv__DimensionDesign *dimension)
{
    for (size_t i = 0; i < dimension->n_hierarchies; i++) {
        const Nv__Hierarchy *hierarchy = dimension->hierarchies[i];
        if (hierarchy->n_levels < 2)
            return nv_fail(k->err, NV_INVALID_ARGUMENT, "%s.hierarchies[%zu].levels: expected two or more",
                           path, i);
        for (size_t l = 0; l < hierarchy->n_levels; l++) {
            if (!names_level(dimension, hierarchy->levels[l]->column))
                return nv_fail(
                    k->err, NV_INVALID_ARGUMENT,
                    "%s.hierarchies[%zu].levels[%zu].column: \"%.100s\": expected an attribute or the "
                    "business key of %s",
                    path, i, l, hierarchy->levels[l]->column, dimension->name);
        }
    }
    return true;
}

static bool check_dimension(checker_t *k, nv_mem_t *ctx, size_t i)
{
    const Nv__DimensionDesign *dimension = k->star->dimensions[i];
    const char *path = nv_printf(ctx, "design.dimensions[%zu]", i);
    if (dimension->name[0] == '\0' || dimension->n_business_key == 0)
        return nv_fail(k->err, NV_INVALID_ARGUMENT, "%s: expected a name and a business key", path);
    if (!check_table(k, nv_printf(ctx, "%s.source", path), dimension->source) ||
        !check_columns(k, nv_printf(ctx, "%s.business_key", path), dimension->source, dimension->business_key,
                       dimension->n_business_key))
        return false;
    for (size_t a = 0; a < dimension->n_attributes; a++) {
        if (!check_ref(k, nv_printf(ctx, "%s.attributes[%zu].source", path, a),
                       dimension->attributes[a]->source))
            return false;
    }
    for (size_t j = 0; j < dimension->n_flattened; j++) {
        if (!check_join(k, nv_printf(ctx, "%s.flattened[%zu]", path, j), dimension->flattened[j]))
            return false;
    }
    if (!check_hierarchies(k, path, dimension))
        return false;
    char *effective = dimension->effective_from;
    return effective[0] == '\0' ||
           check_columns(k, nv_printf(ctx, "%s.effective_from", path), dimension->source, &effective, 1);
}

static bool check_refs(checker_t *k, nv_mem_t *ctx, const char *path, const char *field,
                       Nv__ColumnRef *const *refs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!check_ref(k, nv_printf(ctx, "%s.%s[%zu]", path, field, i), refs[i]))
            return false;
    }
    return true;
}

static bool check_fact(checker_t *k, nv_mem_t *ctx, size_t i)
{
    const Nv__FactDesign *fact = k->star->facts[i];
    const char *path = nv_printf(ctx, "design.facts[%zu]", i);
    if (fact->name[0] == '\0' || fact->n_grain_columns == 0)
        return nv_fail(k->err, NV_INVALID_ARGUMENT, "%s: expected a name and grain columns", path);
    if (!check_table(k, nv_printf(ctx, "%s.source", path), fact->source) ||
        !check_columns(k, nv_printf(ctx, "%s.grain_columns", path), fact->source, fact->grain_columns,
                       fact->n_grain_columns) ||
        !check_uses(k, ctx, path, fact->dimensions, fact->n_dimensions) ||
        !check_refs(k, ctx, path, "degenerate", fact->degenerate, fact->n_degenerate) ||
        !check_refs(k, ctx, path, "attributes", fact->attributes, fact->n_attributes))
        return false;
    for (size_t j = 0; j < fact->n_parents; j++) {
        if (!check_join(k, nv_printf(ctx, "%s.parents[%zu]", path, j), fact->parents[j]))
            return false;
    }
    for (size_t j = 0; j < fact->n_dates; j++) {
        if (!check_ref(k, nv_printf(ctx, "%s.dates[%zu].source", path, j), fact->dates[j]->source))
            return false;
    }
    for (size_t j = 0; j < fact->n_measures; j++) {
        if (!check_ref(k, nv_printf(ctx, "%s.measures[%zu].source", path, j), fact->measures[j]->source))
            return false;
    }
    return fact->n_dates == 0 || k->star->date != NULL ||
           nv_fail(k->err, NV_INVALID_ARGUMENT,
                   "design.date: expected a date dimension, because %s uses dates", fact->name);
}

static bool check_names(checker_t *k, nv_mem_t *ctx)
{
    size_t n = 0;
    const char **names =
        NV_NEW_ARRAY(ctx, const char *, k->star->n_dimensions + k->star->n_facts + k->star->n_bridges + 1);
    for (size_t i = 0; i < k->star->n_dimensions; i++)
        names[n++] = k->star->dimensions[i]->name;
    for (size_t i = 0; i < k->star->n_facts; i++)
        names[n++] = k->star->facts[i]->name;
    for (size_t i = 0; i < k->star->n_bridges; i++)
        names[n++] = k->star->bridges[i]->name;
    if (k->star->date != NULL)
        names[n++] = k->star->date->name;
    for (size_t i = 0; i < n; i++) {
        if (!identifier_is_valid(names[i]))
            return nv_fail(k->err, NV_INVALID_ARGUMENT,
                           "design: \"%.100s\": expected a lower-case identifier that is no reserved word",
                           names[i]);
        for (size_t j = 0; j < i; j++) {
            if (strcmp(names[i], names[j]) == 0)
                return nv_fail(k->err, NV_INVALID_ARGUMENT,
                               "design: \"%.100s\" names two targets: expected a name of its own for each",
                               names[i]);
        }
    }
    return n > 0 || nv_fail(k->err, NV_INVALID_ARGUMENT, "design: expected at least one fact or dimension");
}

bool design_check_star(const Nv__Profile *profile, const Nv__StarSchema *star, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("check star");
    checker_t k = {.profile = profile, .star = star, .columns = index_columns(ctx, profile), .err = err};
    if (!check_names(&k, ctx))
        return false;
    for (size_t i = 0; i < star->n_dimensions; i++) {
        if (!check_dimension(&k, ctx, i))
            return false;
    }
    for (size_t i = 0; i < star->n_facts; i++) {
        if (!check_fact(&k, ctx, i))
            return false;
    }
    for (size_t i = 0; i < star->n_bridges; i++) {
        const Nv__BridgeDesign *bridge = star->bridges[i];
        const char *path = nv_printf(ctx, "design.bridges[%zu]", i);
        if (bridge->n_grain_columns == 0)
            return nv_fail(err, NV_INVALID_ARGUMENT, "%s.grain_columns: expected at least one", path);
        if (!check_table(&k, nv_printf(ctx, "%s.source", path), bridge->source) ||
            !check_columns(&k, nv_printf(ctx, "%s.grain_columns", path), bridge->source,
                           bridge->grain_columns, bridge->n_grain_columns) ||
            !check_uses(&k, ctx, path, bridge->dimensions, bridge->n_dimensions) ||
            !check_refs(&k, ctx, path, "attributes", bridge->attributes, bridge->n_attributes))
            return false;
    }
    return true;
}
