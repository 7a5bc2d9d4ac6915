/* Fact and bridge targets. */
#include <string.h>

#include "worker/design/plan.h"
#include "worker/design/sttm_internal.h"

static const char *fact_base(const char *name)
{
    const char *underscore = strchr(name, '_');
    return underscore != NULL ? underscore + 1 : name;
}

/* A bare "id" or "name" says on its own what it belongs to. */
static char *column_name(target_builder_t *t, const char *owner, const dsc_column_t *column)
{
    nv_mem_t *ctx = t->b->ctx;
    char *name = identifier_make(ctx, column->label, "column");
    bool generic = !column->made_up && (column->bare.core == 0 || (!column->specific && column->bare.n == 1));
    bool foreign = column->table != t->driving && namer_has(&t->columns, name);
    if ((generic && strstr(name, owner) == NULL) || foreign)
        name = identifier_make(ctx, nv_printf(ctx, "%s_%s", owner, column->label), "column");
    return name;
}

static const char *owner_of(const target_builder_t *t, const dsc_column_t *column)
{
    if (column->table == t->driving)
        return fact_base(t->out->name);
    const name_words_t *name = &t->b->schema->tables[column->table].name;
    char *text = nv_strdup(t->b->ctx, "");
    for (int i = 0; i < name->n; i++)
        text = nv_printf(t->b->ctx, "%s%s%s", text, i > 0 ? "_" : "", name->word[i]);
    return identifier_make(t->b->ctx, text, "parent");
}

static bool copy_refs(target_builder_t *t, Nv__ColumnRef *const *refs, size_t n, Nv__KeyRole role,
                      nv_error_t *err)
{
    for (size_t i = 0; i < n; i++) {
        int ti = 0, c = 0;
        const dsc_column_t *source = sttm_find(t->b, refs[i]->table, refs[i]->column, &ti, &c);
        const char *alias = source != NULL ? sttm_alias(t, ti, 0) : NULL;
        if (alias == NULL)
            return nv_fail(err, NV_INVALID_ARGUMENT,
                           "%s: column \"%s\" of \"%s\": expected the driving table or one of its parents",
                           t->out->name, refs[i]->column, refs[i]->table);
        Nv__SttmColumn *column =
            sttm_copy(t, column_name(t, owner_of(t, source), source), alias, source, role);
        column->description = nv_printf(t->b->ctx, "%s of %s", source->p->name, refs[i]->table);
    }
    return true;
}

/* The date that says when the event happened: the driving table's first, else a header's. "alias.column", or "". */
static const char *event_time(const target_builder_t *t, const Nv__FactDesign *design)
{
    const char *found = "";
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < design->n_dates; i++) {
            int ti = 0, c = 0;
            const dsc_column_t *source =
                sttm_find(t->b, design->dates[i]->source->table, design->dates[i]->source->column, &ti, &c);
            const char *alias = source != NULL ? sttm_alias(t, ti, 0) : NULL;
            if (alias != NULL && (ti == t->driving) == (pass == 0) && column_dates_events(source) &&
                found[0] == '\0')
                found = nv_printf(t->b->ctx, "%s.%s", alias, t->b->silver[ti][c]);
        }
    }
    return found;
}

static bool date_keys(target_builder_t *t, const Nv__FactDesign *design, nv_error_t *err)
{
    nv_mem_t *ctx = t->b->ctx;
    if (design->n_dates > 0 && t->b->star->date == NULL)
        return nv_fail(err, NV_INVALID_ARGUMENT, "%s: dates: expected a date dimension in the design",
                       design->name);
    for (size_t i = 0; i < design->n_dates; i++) {
        const Nv__DateUse *use = design->dates[i];
        int ti = 0, c = 0;
        const dsc_column_t *source = sttm_find(t->b, use->source->table, use->source->column, &ti, &c);
        const char *alias = source != NULL ? sttm_alias(t, ti, 0) : NULL;
        if (alias == NULL)
            return nv_fail(err, NV_INVALID_ARGUMENT,
                           "%s: date \"%s\" of \"%s\": expected the driving table or one of its parents",
                           design->name, use->source->column, use->source->table);
        const char *name = use->role[0] != '\0'
                               ? identifier_make(ctx, nv_printf(ctx, "%s_date_key", use->role), "date_key")
                               : "date_key";
        const char *rule = nv_printf(ctx, "%s.%s as yyyymmdd; -1 when empty or outside the calendar",
                                     use->source->table, use->source->column);
        Nv__SttmColumn *column =
            sttm_column(t, name, NV__VALUE_TYPE__VALUE_TYPE_INT64, NV__KEY_ROLE__KEY_ROLE_FOREIGN,
                        NV__TRANSFORM_OP__TRANSFORM_OP_DATE_KEY, rule);
        column->transform->dimension = nv_strdup(ctx, t->b->star->date->name);
        column->role = nv_strdup(ctx, use->role);
        column->default_value = nv_strdup(ctx, "-1");
        column->description = nv_printf(ctx, "%s date", use->role);
        sttm_input(t, column, alias, source);
        sttm_depend(t, t->b->star->date->name);
        if (t->out->n_cluster_by == 0) {
            t->out->cluster_by = NV_NEW_ARRAY(ctx, char *, 1);
            t->out->cluster_by[t->out->n_cluster_by++] = nv_strdup(ctx, column->name);
        }
    }
    return true;
}

static bool measures(target_builder_t *t, const Nv__FactDesign *design, nv_error_t *err)
{
    for (size_t i = 0; i < design->n_measures; i++) {
        const Nv__MeasureDesign *measure = design->measures[i];
        int ti = 0, c = 0;
        const dsc_column_t *source =
            sttm_find(t->b, measure->source->table, measure->source->column, &ti, &c);
        const char *alias = source != NULL ? sttm_alias(t, ti, 0) : NULL;
        if (alias == NULL)
            return nv_fail(err, NV_INVALID_ARGUMENT,
                           "%s: measure \"%s\": expected a column of the driving table or one of its parents",
                           design->name, measure->name);
        Nv__SttmColumn *column = sttm_copy(t, identifier_make(t->b->ctx, measure->name, "measure"), alias,
                                           source, NV__KEY_ROLE__KEY_ROLE_NONE);
        column->measure = true;
        column->additivity = measure->additivity;
        column->unit = nv_strdup(t->b->ctx, measure->unit);
        column->description = nv_printf(t->b->ctx, "%s (%s)", measure->description, measure->reason);
    }
    return true;
}

static bool lookups(target_builder_t *t, Nv__DimensionUse *const *uses, size_t n, const char *as_of,
                    nv_error_t *err)
{
    for (size_t i = 0; i < n; i++) {
        if (!sttm_lookup(t, uses[i], as_of, err))
            return nv_wrap(err, "%s", t->out->name);
    }
    return true;
}

bool sttm_write_fact(sttm_builder_t *b, const Nv__FactDesign *design, nv_error_t *err)
{
    target_builder_t t = sttm_target(b, design->name, NV__TARGET_KIND__TARGET_KIND_FACT,
                                     NV__LOAD_STRATEGY__LOAD_STRATEGY_MERGE, design->source);
    t.out->description = nv_strdup(b->ctx, design->description);
    t.out->grain = nv_strdup(b->ctx, design->grain);
    t.out->confidence = design->confidence;
    t.out->evidence = design->evidence;
    t.out->n_evidence = design->n_evidence;
    for (size_t i = 0; i < design->n_parents; i++)
        (void)sttm_join(&t, design->parents[i]);
    if (!lookups(&t, design->dimensions, design->n_dimensions, event_time(&t, design), err) ||
        !date_keys(&t, design, err) ||
        !copy_refs(&t, design->degenerate, design->n_degenerate, NV__KEY_ROLE__KEY_ROLE_DEGENERATE, err) ||
        !measures(&t, design, err) ||
        !copy_refs(&t, design->attributes, design->n_attributes, NV__KEY_ROLE__KEY_ROLE_NONE, err))
        return false;
    sttm_audit(&t);
    if (!sttm_grain(&t, design->grain_columns, design->n_grain_columns, err))
        return false;
    sttm_finish(&t);
    return true;
}

/* Key columns of a bridge stay beside the surrogate keys: two unknown members must not fall together. */
static bool bridge_keys(target_builder_t *t, const Nv__BridgeDesign *design, nv_error_t *err)
{
    for (size_t i = 0; i < design->n_grain_columns; i++) {
        int ti = 0, c = 0;
        const dsc_column_t *source = sttm_find(t->b, design->source, design->grain_columns[i], &ti, &c);
        if (source == NULL)
            return nv_fail(err, NV_INVALID_ARGUMENT, "%s: grain column \"%s\": expected a column of \"%s\"",
                           design->name, design->grain_columns[i], design->source);
        Nv__SttmColumn *column = sttm_copy(t, column_name(t, fact_base(design->name), source), "d", source,
                                           NV__KEY_ROLE__KEY_ROLE_DEGENERATE);
        column->description = nv_printf(t->b->ctx, "%s of %s", source->p->name, design->source);
    }
    return true;
}

static bool is_grain(const Nv__BridgeDesign *design, const Nv__ColumnRef *ref)
{
    for (size_t i = 0; i < design->n_grain_columns; i++) {
        if (strcmp(design->grain_columns[i], ref->column) == 0)
            return true;
    }
    return false;
}

bool sttm_write_bridge(sttm_builder_t *b, const Nv__BridgeDesign *design, nv_error_t *err)
{
    target_builder_t t = sttm_target(b, design->name, NV__TARGET_KIND__TARGET_KIND_BRIDGE,
                                     NV__LOAD_STRATEGY__LOAD_STRATEGY_MERGE, design->source);
    t.out->description = nv_strdup(b->ctx, design->description);
    t.out->grain = nv_printf(b->ctx, "one row per link of %s", design->source);
    t.out->confidence = design->confidence;
    t.out->evidence = design->evidence;
    t.out->n_evidence = design->n_evidence;
    if (!lookups(&t, design->dimensions, design->n_dimensions, "", err) || !bridge_keys(&t, design, err))
        return false;
    for (size_t i = 0; i < design->n_attributes; i++) {
        Nv__ColumnRef *one[1] = {design->attributes[i]};
        if (!is_grain(design, one[0]) && !copy_refs(&t, one, 1, NV__KEY_ROLE__KEY_ROLE_NONE, err))
            return false;
    }
    sttm_audit(&t);
    if (!sttm_grain(&t, design->grain_columns, design->n_grain_columns, err))
        return false;
    sttm_finish(&t);
    return true;
}
