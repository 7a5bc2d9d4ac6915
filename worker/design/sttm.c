/* The mapping of a star: sources, then targets in load order, then what is not mapped. */
#include <string.h>

#include "worker/design/sttm_internal.h"

static const char *const unknown_text = "Unknown";

static void mark_table(sttm_builder_t *b, const char *table)
{
    int t = schema_find_table(b->schema, table);
    if (t >= 0)
        b->is_source[t] = true;
}

/* A raw table stands in the mapping when something of it is used. */
static void mark_sources(sttm_builder_t *b)
{
    for (size_t i = 0; i < b->star->n_dimensions; i++) {
        mark_table(b, b->star->dimensions[i]->source);
        for (size_t k = 0; k < b->star->dimensions[i]->n_flattened; k++)
            mark_table(b, b->star->dimensions[i]->flattened[k]->to);
    }
    for (size_t i = 0; i < b->star->n_facts; i++) {
        mark_table(b, b->star->facts[i]->source);
        for (size_t k = 0; k < b->star->facts[i]->n_parents; k++)
            mark_table(b, b->star->facts[i]->parents[k]->to);
    }
    for (size_t i = 0; i < b->star->n_bridges; i++)
        mark_table(b, b->star->bridges[i]->source);
}

static void name_columns(sttm_builder_t *b)
{
    b->silver = NV_NEW_ARRAY(b->ctx, char **, (size_t)b->schema->n_tables + 1);
    for (int t = 0; t < b->schema->n_tables; t++) {
        namer_t names = namer_make(b->ctx);
        b->silver[t] = NV_NEW_ARRAY(b->ctx, char *, (size_t)b->schema->tables[t].n_columns + 1);
        for (int c = 0; c < b->schema->tables[t].n_columns; c++)
            b->silver[t][c] =
                namer_take(&names, identifier_make(b->ctx, b->schema->tables[t].columns[c].p->name,
                                                   nv_printf(b->ctx, "column%d", c + 1)));
    }
}

/* --- dimensions ---------------------------------------------------------------------------------------------------------- */

static const char *base_of(const char *dimension)
{
    return strncmp(dimension, "dim_", 4) == 0 ? dimension + 4 : dimension;
}

static void surrogate(target_builder_t *t, const Nv__DimensionDesign *design, bool versioned)
{
    nv_mem_t *ctx = t->b->ctx;
    const char *rule =
        nv_printf(ctx, "64-bit key, stable for the business key%s; -1 unknown, -2 not applicable",
                  versioned ? " and version" : "");
    Nv__SttmColumn *column =
        sttm_column(t, nv_printf(ctx, "%s_key", base_of(design->name)), NV__VALUE_TYPE__VALUE_TYPE_INT64,
                    NV__KEY_ROLE__KEY_ROLE_SURROGATE, NV__TRANSFORM_OP__TRANSFORM_OP_SURROGATE, rule);
    column->description = nv_printf(ctx, "surrogate key of %s", design->name);
    for (size_t i = 0; i < design->n_business_key; i++) {
        int ti = 0, c = 0;
        const dsc_column_t *source = sttm_find(t->b, design->source, design->business_key[i], &ti, &c);
        if (source != NULL)
            sttm_input(t, column, "d", source);
    }
}

static void business_keys(target_builder_t *t, const Nv__DimensionDesign *design)
{
    nv_mem_t *ctx = t->b->ctx;
    t->out->grain_columns = NV_NEW_ARRAY(ctx, char *, design->n_business_key + 1);
    for (size_t i = 0; i < design->n_business_key; i++) {
        int ti = 0, c = 0;
        const dsc_column_t *source = sttm_find(t->b, design->source, design->business_key[i], &ti, &c);
        if (source == NULL)
            continue;
        const char *name = identifier_make(ctx, source->label, "id");
        bool bare = source->bare.core == 0 && !source->made_up && strstr(name, base_of(design->name)) == NULL;
        if (bare)
            name = identifier_make(ctx, nv_printf(ctx, "%s_%s", base_of(design->name), source->label), "id");
        Nv__SttmColumn *column = sttm_copy(t, name, "d", source, NV__KEY_ROLE__KEY_ROLE_BUSINESS);
        column->nullable = false;
        column->scd = NV__SCD_TYPE__SCD_TYPE_0;
        column->unknown_member =
            nv_strdup(ctx, column->type == NV__VALUE_TYPE__VALUE_TYPE_STRING ? unknown_text : "");
        column->description = nv_printf(ctx, "%s of %s: the business key", source->p->name, design->source);
        t->out->grain_columns[t->out->n_grain_columns++] = nv_strdup(ctx, column->name);
    }
}

/* Which time this source column stands in the list of attributes: a parent flattened in two roles appears twice. */
static int occurrence_of(const Nv__DimensionDesign *design, size_t at)
{
    int n = 0;
    for (size_t i = 0; i < at; i++) {
        const Nv__ColumnRef *a = design->attributes[i]->source, *b = design->attributes[at]->source;
        n += strcmp(a->table, b->table) == 0 && strcmp(a->column, b->column) == 0;
    }
    return n;
}

/* The target column of each attribute; NULL where its source is not joined. */
static const Nv__SttmColumn **attributes(target_builder_t *t, const Nv__DimensionDesign *design)
{
    nv_mem_t *ctx = t->b->ctx;
    const Nv__SttmColumn **columns = NV_NEW_ARRAY(ctx, const Nv__SttmColumn *, design->n_attributes + 1);
    for (size_t i = 0; i < design->n_attributes; i++) {
        const Nv__AttributeDesign *attribute = design->attributes[i];
        int ti = 0, c = 0;
        const dsc_column_t *source =
            sttm_find(t->b, attribute->source->table, attribute->source->column, &ti, &c);
        const char *alias = source != NULL ? sttm_alias(t, ti, occurrence_of(design, i)) : NULL;
        if (alias == NULL)
            continue;
        Nv__SttmColumn *column = sttm_copy(t, identifier_make(ctx, attribute->name, "column"), alias, source,
                                           NV__KEY_ROLE__KEY_ROLE_NONE);
        columns[i] = column;
        column->scd = attribute->scd;
        column->description = nv_strdup(ctx, attribute->description);
        column->unknown_member =
            nv_strdup(ctx, column->type == NV__VALUE_TYPE__VALUE_TYPE_STRING ? unknown_text : "");
        column->confidence = design->confidence;
        column->evidence = NV_NEW_ARRAY(ctx, Nv__Evidence *, 1);
        column->evidence[0] = NV_NEW(ctx, Nv__Evidence);
        nv__evidence__init(column->evidence[0]);
        column->evidence[0]->kind = nv_strdup(ctx, "scd");
        column->evidence[0]->text = nv_strdup(ctx, attribute->reason);
        column->n_evidence = 1;
        if (attribute->pii[0] != '\0')
            column->pii = nv_strdup(ctx, attribute->pii);
        if (strcmp(alias, "d") != 0)
            column->nullable = true;
    }
    return columns;
}

static Nv__Hierarchy *add_hierarchy(target_builder_t *t, size_t n_levels)
{
    nv_mem_t *ctx = t->b->ctx;
    size_t cap = t->out->n_hierarchies;
    Nv__Hierarchy *out = NV_NEW(ctx, Nv__Hierarchy);
    nv__hierarchy__init(out);
    out->levels = NV_NEW_ARRAY(ctx, Nv__HierarchyLevel *, n_levels);
    NV_PUSH(ctx, t->out->hierarchies, t->out->n_hierarchies, cap) = out;
    return out;
}

static void add_level(target_builder_t *t, Nv__Hierarchy *to, const char *column, int64_t members)
{
    Nv__HierarchyLevel *level = NV_NEW(t->b->ctx, Nv__HierarchyLevel);
    nv__hierarchy_level__init(level);
    level->column = nv_strdup(t->b->ctx, column);
    level->members = members;
    to->levels[to->n_levels++] = level;
}

/* The target column of a level: that of its attribute, or of the business key. */
static const char *level_column(const target_builder_t *t, const Nv__DimensionDesign *design,
                                const Nv__SttmColumn *const *columns, const char *level)
{
    for (size_t i = 0; i < design->n_attributes; i++) {
        if (columns[i] != NULL && strcmp(design->attributes[i]->name, level) == 0)
            return columns[i]->name;
    }
    for (size_t i = 0; i < design->n_business_key && i < t->out->n_grain_columns; i++) {
        if (strcmp(design->business_key[i], level) == 0)
            return t->out->grain_columns[i];
    }
    return NULL;
}

static void hierarchies(target_builder_t *t, const Nv__DimensionDesign *design,
                        const Nv__SttmColumn *const *columns)
{
    for (size_t i = 0; i < design->n_hierarchies; i++) {
        const Nv__Hierarchy *hierarchy = design->hierarchies[i];
        Nv__Hierarchy *out = add_hierarchy(t, hierarchy->n_levels);
        out->evidence = hierarchy->evidence;
        out->n_evidence = hierarchy->n_evidence;
        for (size_t k = 0; k < hierarchy->n_levels; k++) {
            const char *column = level_column(t, design, columns, hierarchy->levels[k]->column);
            if (column != NULL)
                add_level(t, out, column, hierarchy->levels[k]->members);
        }
    }
}

static void version_columns(target_builder_t *t, const Nv__DimensionDesign *design)
{
    const char *dates = design->effective_from[0] != '\0' ? design->effective_from : "the batch";
    Nv__SttmColumn *from = sttm_column(t, "valid_from", NV__VALUE_TYPE__VALUE_TYPE_TIMESTAMP,
                                       NV__KEY_ROLE__KEY_ROLE_NONE, NV__TRANSFORM_OP__TRANSFORM_OP_SCD_FROM,
                                       nv_printf(t->b->ctx, "start of the version, dated by %s", dates));
    Nv__SttmColumn *to = sttm_column(t, "valid_to", NV__VALUE_TYPE__VALUE_TYPE_TIMESTAMP,
                                     NV__KEY_ROLE__KEY_ROLE_NONE, NV__TRANSFORM_OP__TRANSFORM_OP_SCD_TO,
                                     "end of the version, exclusive; null while it is current");
    int ti = 0, c = 0;
    const dsc_column_t *source = design->effective_from[0] != '\0'
                                     ? sttm_find(t->b, design->source, design->effective_from, &ti, &c)
                                     : NULL;
    if (source != NULL)
        sttm_input(t, from, "d", source);
    Nv__SttmColumn *current =
        sttm_column(t, "is_current", NV__VALUE_TYPE__VALUE_TYPE_BOOLEAN, NV__KEY_ROLE__KEY_ROLE_NONE,
                    NV__TRANSFORM_OP__TRANSFORM_OP_SCD_CURRENT, "true for the one version in force");
    from->description = from->rule;
    to->description = to->rule;
    to->nullable = true;
    current->description = current->rule;
}

static bool has_versions(const Nv__DimensionDesign *design)
{
    for (size_t i = 0; i < design->n_attributes; i++) {
        if (design->attributes[i]->scd == NV__SCD_TYPE__SCD_TYPE_2)
            return true;
    }
    return false;
}

void sttm_write_dimension(sttm_builder_t *b, const Nv__DimensionDesign *design)
{
    bool versioned = has_versions(design) && !design->from_flat;
    target_builder_t t =
        sttm_target(b, design->name, NV__TARGET_KIND__TARGET_KIND_DIMENSION,
                    versioned ? NV__LOAD_STRATEGY__LOAD_STRATEGY_SCD2 : NV__LOAD_STRATEGY__LOAD_STRATEGY_SCD1,
                    design->source);
    t.out->description = nv_strdup(b->ctx, design->description);
    t.out->grain =
        nv_printf(b->ctx, "one row per %s%s", base_of(design->name), versioned ? " and version" : "");
    t.out->confidence = design->confidence;
    t.out->evidence = design->evidence;
    t.out->n_evidence = design->n_evidence;
    t.out->distinct_rows = design->from_flat;
    int ti = 0, c = 0;
    if (versioned && design->effective_from[0] != '\0' &&
        sttm_find(b, design->source, design->effective_from, &ti, &c) != NULL)
        t.out->effective_from = nv_strdup(b->ctx, b->silver[ti][c]);
    surrogate(&t, design, versioned);
    business_keys(&t, design);
    for (size_t i = 0; i < design->n_flattened; i++)
        (void)sttm_join(&t, design->flattened[i]);
    hierarchies(&t, design, attributes(&t, design));
    if (versioned)
        version_columns(&t, design);
    sttm_audit(&t);
    Nv__QualityRule *unique = sttm_rule(b, NV__RULE_KIND__RULE_KIND_UNIQUE, NV__SEVERITY__SEVERITY_FAIL,
                                        t.out->columns[0]->name, "the surrogate key of %s", design->name);
    sttm_target_rule(&t, unique);
    sttm_target_rule(&t, sttm_rule(b, NV__RULE_KIND__RULE_KIND_NOT_NULL, NV__SEVERITY__SEVERITY_FAIL,
                                   t.out->columns[0]->name, "every member of %s has a key", design->name));
    sttm_finish(&t);
}

/* "date", "year" and "month" are words of SQL: their columns get names that need no quoting. */
static void calendar_columns(target_builder_t *t)
{
    static const struct {
        const char *name, *attribute, *words;
        Nv__ValueType type;
    } columns[] = {
        {"date_key", "date_key", "yyyymmdd", NV__VALUE_TYPE__VALUE_TYPE_INT64},
        {"full_date", "date", "the day", NV__VALUE_TYPE__VALUE_TYPE_DATE},
        {"calendar_year", "year", "calendar year", NV__VALUE_TYPE__VALUE_TYPE_INT64},
        {"quarter", "quarter", "1 to 4", NV__VALUE_TYPE__VALUE_TYPE_INT64},
        {"calendar_month", "month", "1 to 12", NV__VALUE_TYPE__VALUE_TYPE_INT64},
        {"month_name", "month_name", "January to December", NV__VALUE_TYPE__VALUE_TYPE_STRING},
        {"year_month", "year_month", "2025-03", NV__VALUE_TYPE__VALUE_TYPE_STRING},
        {"week_of_year", "week_of_year", "ISO week", NV__VALUE_TYPE__VALUE_TYPE_INT64},
        {"day_of_month", "day_of_month", "1 to 31", NV__VALUE_TYPE__VALUE_TYPE_INT64},
        {"day_of_week", "day_of_week", "1 is Monday", NV__VALUE_TYPE__VALUE_TYPE_INT64},
        {"day_name", "day_name", "Monday to Sunday", NV__VALUE_TYPE__VALUE_TYPE_STRING},
        {"is_weekend", "is_weekend", "Saturday or Sunday", NV__VALUE_TYPE__VALUE_TYPE_BOOLEAN},
    };
    nv_mem_t *ctx = t->b->ctx;
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        Nv__SttmColumn *column =
            sttm_column(t, columns[i].name, columns[i].type,
                        i == 0 ? NV__KEY_ROLE__KEY_ROLE_SURROGATE : NV__KEY_ROLE__KEY_ROLE_NONE,
                        NV__TRANSFORM_OP__TRANSFORM_OP_CALENDAR, columns[i].words);
        column->transform->constant = nv_strdup(ctx, columns[i].attribute);
        column->description = nv_strdup(ctx, columns[i].words);
        column->nullable = i > 0;
        column->unknown_member =
            nv_strdup(ctx, columns[i].type == NV__VALUE_TYPE__VALUE_TYPE_STRING ? unknown_text : "");
    }
}

/* Quarters and months are numbered from 1 in each year, so only "2025-03" lies between day and year. */
static void calendar_hierarchy(target_builder_t *t)
{
    static const char *const levels[] = {"full_date", "year_month", "calendar_year"};
    size_t n = sizeof levels / sizeof levels[0];
    Nv__Hierarchy *out = add_hierarchy(t, n);
    for (size_t i = 0; i < n; i++)
        add_level(t, out, levels[i], 0);
}

void sttm_write_date(sttm_builder_t *b, const Nv__DateDimensionDesign *design)
{
    target_builder_t t = sttm_target(b, design->name, NV__TARGET_KIND__TARGET_KIND_DATE_DIMENSION,
                                     NV__LOAD_STRATEGY__LOAD_STRATEGY_GENERATED, "");
    t.out->description = nv_printf(b->ctx, "Calendar from %s to %s.", design->first_day, design->last_day);
    t.out->grain = nv_strdup(b->ctx, "one row per day");
    t.out->date_first = nv_strdup(b->ctx, design->first_day);
    t.out->date_last = nv_strdup(b->ctx, design->last_day);
    t.out->confidence = 1;
    calendar_columns(&t);
    calendar_hierarchy(&t);
    t.out->grain_columns = NV_NEW_ARRAY(b->ctx, char *, 1);
    t.out->grain_columns[t.out->n_grain_columns++] = nv_strdup(b->ctx, "date_key");
    sttm_target_rule(&t, sttm_rule(b, NV__RULE_KIND__RULE_KIND_UNIQUE, NV__SEVERITY__SEVERITY_FAIL,
                                   "date_key", "one row per day"));
    sttm_finish(&t);
}

/* --- what is not mapped ------------------------------------------------------------------------------------------------------ */

static void unmapped(sttm_builder_t *b)
{
    b->out->unmapped = NV_NEW_ARRAY(b->ctx, Nv__UnmappedSource *, b->star->n_left_out + 1);
    for (size_t i = 0; i < b->star->n_left_out; i++) {
        Nv__UnmappedSource *entry = NV_NEW(b->ctx, Nv__UnmappedSource);
        nv__unmapped_source__init(entry);
        entry->source = b->star->left_out[i]->source;
        entry->reason = nv_strdup(b->ctx, b->star->left_out[i]->reason);
        b->out->unmapped[b->out->n_unmapped++] = entry;
    }
}

static void first_change(sttm_builder_t *b, const char *version)
{
    Nv__SttmChange *change = NV_NEW(b->ctx, Nv__SttmChange);
    nv__sttm_change__init(change);
    change->version = nv_strdup(b->ctx, version);
    change->author = nv_strdup(b->ctx, strncmp(b->star->method, "human", 5) == 0 ? "human" : "analyst");
    change->text = nv_printf(b->ctx, "%zu sources to %zu targets, by %s", b->out->n_sources,
                             b->out->n_targets, b->star->method);
    b->out->changes = NV_NEW_ARRAY(b->ctx, Nv__SttmChange *, 1);
    b->out->changes[b->out->n_changes++] = change;
}

static bool write_targets(sttm_builder_t *b, nv_error_t *err)
{
    if (b->star->date != NULL)
        sttm_write_date(b, b->star->date);
    for (size_t i = 0; i < b->star->n_dimensions; i++)
        sttm_write_dimension(b, b->star->dimensions[i]);
    for (size_t i = 0; i < b->star->n_bridges; i++) {
        if (!sttm_write_bridge(b, b->star->bridges[i], err))
            return false;
    }
    for (size_t i = 0; i < b->star->n_facts; i++) {
        if (!sttm_write_fact(b, b->star->facts[i], err))
            return false;
    }
    return true;
}

bool design_sttm(nv_mem_t *ctx, const design_input_t *input, const Nv__StarSchema *star, const char *version,
                 Nv__Sttm **out, nv_error_t *err)
{
    if (!design_check_star(input->profile, star, err))
        return false;
    sttm_builder_t b = {.ctx = ctx, .input = input, .star = star, .tables = namer_make(ctx)};
    if (!schema_build(ctx, input->profile, &b.schema, err))
        return false;
    b.is_source = NV_NEW_ARRAY(ctx, bool, (size_t)b.schema->n_tables + 1);
    b.out = NV_NEW(ctx, Nv__Sttm);
    nv__sttm__init(b.out);
    b.out->name = identifier_make(ctx, star->name[0] != '\0' ? star->name : input->name, "warehouse");
    b.out->version = nv_strdup(ctx, version);
    b.out->method = nv_strdup(ctx, star->method);
    b.out->source_root = nv_strdup(ctx, input->profile->source);
    name_columns(&b);
    mark_sources(&b);
    sttm_write_sources(&b);
    if (!write_targets(&b, err))
        return false;
    unmapped(&b);
    first_change(&b, version);
    *out = b.out;
    return true;
}
