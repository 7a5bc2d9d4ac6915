#include "worker/design/sttm_check.h"

#include <string.h>

#include "worker/design/identifiers.h"
#include "worker/design/name_index.h"
#include "worker/design/value_kind.h"

typedef struct checker {
    nv_mem_t *ctx;
    const Nv__Sttm *sttm;
    sttm_problems_t *out;
    name_index_t *names; /* silver columns by source, columns by target; first of a name */
    name_index_t *used;  /* silver columns that some target reads, by source */
    /* columns in sttm.unmapped, by the first entry of their table; the entry itself for all columns */
    name_index_t *unread;
} checker_t;

static void problem(checker_t *k, const char *path, const char *fmt, ...) NV_PRINTF(3, 4);

static void problem(checker_t *k, const char *path, const char *fmt, ...)
{
    if (k->out->n >= STTM_PROBLEMS_MAX)
        return;
    va_list args;
    va_start(args, fmt);
    const char *text = nv_vprintf(k->ctx, fmt, args);
    va_end(args);
    NV_PUSH(k->ctx, k->out->text, k->out->n, k->out->cap) = nv_printf(k->ctx, "%s: %s", path, text);
}

static const Nv__SttmSource *find_source(const checker_t *k, const char *name)
{
    for (size_t i = 0; i < k->sttm->n_sources; i++) {
        if (strcmp(k->sttm->sources[i]->name, name) == 0)
            return k->sttm->sources[i];
    }
    return NULL;
}

static const Nv__SttmSourceColumn *find_silver(const checker_t *k, const Nv__SttmSource *source,
                                               const char *column)
{
    return source != NULL ? name_index_find(k->names, source, column) : NULL;
}

static const Nv__SttmColumn *find_column(const checker_t *k, const Nv__SttmTarget *target, const char *name)
{
    return target != NULL ? name_index_find(k->names, target, name) : NULL;
}

/* The target if it stands before position `before`. */
static const Nv__SttmTarget *find_target(const checker_t *k, const char *name, size_t before)
{
    for (size_t i = 0; i < k->sttm->n_targets && i < before; i++) {
        if (strcmp(k->sttm->targets[i]->name, name) == 0)
            return k->sttm->targets[i];
    }
    return NULL;
}

static const Nv__SttmSource *alias_source(const checker_t *k, const Nv__SttmTarget *target, const char *alias,
                                          size_t joins)
{
    if (strcmp(alias, "d") == 0)
        return find_source(k, target->driving_source);
    for (size_t i = 0; i < target->n_joins && i < joins; i++) {
        if (strcmp(target->joins[i]->alias, alias) == 0)
            return find_source(k, target->joins[i]->source);
    }
    return NULL;
}

static void check_rules(checker_t *k, const char *path, Nv__QualityRule *const *rules, size_t n,
                        const Nv__SttmSource *source, const Nv__SttmTarget *target)
{
    for (size_t i = 0; i < n; i++) {
        const char *at = nv_printf(k->ctx, "%s.rules[%zu]", path, i);
        if (rules[i]->kind == NV__RULE_KIND__RULE_KIND_UNSPECIFIED ||
            rules[i]->severity == NV__SEVERITY__SEVERITY_UNSPECIFIED)
            problem(k, at, "expected a kind and a severity");
        for (size_t c = 0; c < rules[i]->n_columns; c++) {
            bool known = source != NULL ? find_silver(k, source, rules[i]->columns[c]) != NULL
                                        : find_column(k, target, rules[i]->columns[c]) != NULL;
            if (!known)
                problem(k, at, "\"%s\": expected a column that exists here", rules[i]->columns[c]);
        }
        bool reference = rules[i]->kind == NV__RULE_KIND__RULE_KIND_REFERENCE;
        if (reference && find_target(k, rules[i]->ref_target, k->sttm->n_targets) == NULL &&
            find_source(k, rules[i]->ref_target) == NULL)
            problem(k, at, "ref_target \"%s\": expected a source or target", rules[i]->ref_target);
    }
}

static void check_source(checker_t *k, size_t i)
{
    const Nv__SttmSource *source = k->sttm->sources[i];
    const char *path = nv_printf(k->ctx, "sttm.sources[%zu]", i);
    if (!identifier_is_valid(source->silver_name))
        problem(k, path, "silver_name \"%.80s\": expected a lower-case identifier that is no reserved word",
                source->silver_name);
    for (size_t j = 0; j < i; j++) {
        if (strcmp(k->sttm->sources[j]->silver_name, source->silver_name) == 0 ||
            strcmp(k->sttm->sources[j]->name, source->name) == 0)
            problem(k, path, "\"%s\": expected a name of its own", source->name);
    }
    if (source->dialect == NULL)
        problem(k, path, "dialect: expected how the files are read");
    for (size_t c = 0; c < source->n_columns; c++) {
        const Nv__SttmSourceColumn *column = source->columns[c];
        const char *at = nv_printf(k->ctx, "%s.columns[%zu]", path, c);
        if (!identifier_is_valid(column->silver_name) ||
            find_silver(k, source, column->silver_name) != column)
            problem(k, at, "silver_name \"%.80s\": expected a lower-case identifier of its own",
                    column->silver_name);
        if (column->type == NV__VALUE_TYPE__VALUE_TYPE_UNSPECIFIED)
            problem(k, at, "type: expected a value type");
        if (column->type == NV__VALUE_TYPE__VALUE_TYPE_DECIMAL &&
            (column->precision < 1 || column->precision > 38 || column->scale < 0 ||
             column->scale > column->precision))
            problem(k, at, "DECIMAL(%d,%d): expected a precision of 1 to 38 and a scale within it",
                    column->precision, column->scale);
    }
    for (size_t c = 0; c < source->n_key; c++) {
        if (find_silver(k, source, source->key[c]) == NULL)
            problem(k, path, "key[%zu]: \"%s\": expected a silver column of %s", c, source->key[c],
                    source->name);
    }
    for (size_t c = 0; c < source->n_latest_by; c++) {
        if (find_silver(k, source, source->latest_by[c]) == NULL)
            problem(k, path, "latest_by[%zu]: \"%s\": expected a silver column of %s", c,
                    source->latest_by[c], source->name);
    }
    check_rules(k, path, source->rules, source->n_rules, source, NULL);
}

static void check_joins(checker_t *k, const char *path, const Nv__SttmTarget *target)
{
    for (size_t i = 0; i < target->n_joins; i++) {
        const Nv__SttmSourceJoin *join = target->joins[i];
        const char *at = nv_printf(k->ctx, "%s.joins[%zu]", path, i);
        const Nv__SttmSource *parent = alias_source(k, target, join->parent_alias, i),
                             *source = find_source(k, join->source);
        if (source == NULL)
            problem(k, at, "source \"%s\": expected a source of this mapping", join->source);
        if (parent == NULL)
            problem(k, at, "parent_alias \"%s\": expected \"d\" or an earlier alias", join->parent_alias);
        if (alias_source(k, target, join->alias, i) != NULL)
            problem(k, at, "alias \"%s\": expected a name of its own", join->alias);
        if (join->n_columns == 0 || join->n_columns != join->n_to_columns)
            problem(k, at, "expected as many columns as to_columns, and at least one");
        for (size_t c = 0; c < join->n_columns && c < join->n_to_columns && source != NULL && parent != NULL;
             c++) {
            const Nv__SttmSourceColumn *from = find_silver(k, parent, join->columns[c]),
                                       *to = find_silver(k, source, join->to_columns[c]);
            if (from == NULL || to == NULL)
                problem(k, at, "\"%s\" = \"%s\": expected silver columns of %s and %s", join->columns[c],
                        join->to_columns[c], parent->name, source->name);
            else if (value_is_moment(from->type) && !value_is_moment(to->type))
                problem(k, at, "\"%s\" = \"%s\": expected columns of comparable types", join->columns[c],
                        join->to_columns[c]);
        }
    }
}

static void check_inputs(checker_t *k, const char *path, const Nv__SttmTarget *target,
                         const Nv__SttmColumn *column)
{
    for (size_t i = 0; i < column->transform->n_inputs; i++) {
        const Nv__SttmInput *input = column->transform->inputs[i];
        const Nv__SttmSource *source = alias_source(k, target, input->alias, target->n_joins);
        if (source == NULL)
            problem(k, path, "transform.inputs[%zu].alias: \"%s\": expected \"d\" or an alias of a join", i,
                    input->alias);
        else if (find_silver(k, source, input->column) == NULL)
            problem(k, path, "transform.inputs[%zu].column: \"%s\": expected a silver column of %s", i,
                    input->column, source->name);
    }
}

static const Nv__SttmSourceColumn *input_column(const checker_t *k, const Nv__SttmTarget *target,
                                                const Nv__SttmColumn *column, size_t i)
{
    if (i >= column->transform->n_inputs)
        return NULL;
    const Nv__SttmInput *input = column->transform->inputs[i];
    return find_silver(k, alias_source(k, target, input->alias, target->n_joins), input->column);
}

static void check_lookup(checker_t *k, const char *path, size_t at, const Nv__SttmColumn *column)
{
    const Nv__SttmTarget *target = k->sttm->targets[at];
    const Nv__SttmTarget *dimension = find_target(k, column->transform->dimension, at);
    if (dimension == NULL || dimension->kind != NV__TARGET_KIND__TARGET_KIND_DIMENSION) {
        problem(k, path, "transform.dimension: \"%s\": expected a dimension that is loaded before",
                column->transform->dimension);
        return;
    }
    size_t n = 0;
    for (size_t i = 0; i < dimension->n_columns; i++) {
        if (dimension->columns[i]->key_role != NV__KEY_ROLE__KEY_ROLE_BUSINESS)
            continue;
        const Nv__SttmSourceColumn *input = input_column(k, target, column, n++);
        if (input != NULL && value_is_moment(input->type) && !value_is_moment(dimension->columns[i]->type))
            problem(k, path, "transform.inputs[%zu]: expected a type comparable with %s.%s", n - 1,
                    dimension->name, dimension->columns[i]->name);
    }
    if (n != column->transform->n_inputs)
        problem(k, path, "transform.inputs: %zu: expected one for each of the %zu business key columns of %s",
                column->transform->n_inputs, n, dimension->name);
}

static void check_copy(checker_t *k, const char *path, const Nv__SttmTarget *target,
                       const Nv__SttmColumn *column)
{
    const Nv__SttmSourceColumn *input = input_column(k, target, column, 0);
    if (column->transform->n_inputs != 1)
        problem(k, path, "transform.inputs: %zu: expected one", column->transform->n_inputs);
    if (input == NULL || input->type == column->type || column->type == NV__VALUE_TYPE__VALUE_TYPE_STRING)
        return;
    bool widens = value_is_number(input->type) && value_is_number(column->type) &&
                  column->type != NV__VALUE_TYPE__VALUE_TYPE_INT64;
    bool dates = input->type == NV__VALUE_TYPE__VALUE_TYPE_DATE &&
                 column->type == NV__VALUE_TYPE__VALUE_TYPE_TIMESTAMP;
    if (!widens && !dates)
        problem(k, path, "type: expected that of %s, or one that loses nothing", input->silver_name);
}

static void check_column(checker_t *k, size_t at, size_t c)
{
    const Nv__SttmTarget *target = k->sttm->targets[at];
    const Nv__SttmColumn *column = target->columns[c];
    const char *path = nv_printf(k->ctx, "sttm.targets[%zu].columns[%zu]", at, c);
    if (!identifier_is_valid(column->name))
        problem(k, path, "name \"%.80s\": expected a lower-case identifier that is no reserved word",
                column->name);
    if (find_column(k, target, column->name) != column)
        problem(k, path, "name \"%s\": expected a name of its own", column->name);
    if (column->type == NV__VALUE_TYPE__VALUE_TYPE_UNSPECIFIED)
        problem(k, path, "type: expected a value type");
    if (column->transform == NULL || column->transform->op == NV__TRANSFORM_OP__TRANSFORM_OP_UNSPECIFIED) {
        problem(k, path, "transform: expected an operation");
        return;
    }
    check_inputs(k, path, target, column);
    if (column->transform->op == NV__TRANSFORM_OP__TRANSFORM_OP_LOOKUP)
        check_lookup(k, path, at, column);
    if (column->transform->op == NV__TRANSFORM_OP__TRANSFORM_OP_COPY)
        check_copy(k, path, target, column);
    const Nv__SttmSourceColumn *input = input_column(k, target, column, 0);
    if (column->transform->op == NV__TRANSFORM_OP__TRANSFORM_OP_DATE_KEY &&
        (input == NULL || !value_is_moment(input->type)))
        problem(k, path, "transform.inputs[0]: expected a date or timestamp");
    if (column->measure &&
        (!value_is_number(column->type) || column->additivity == NV__ADDITIVITY__ADDITIVITY_UNSPECIFIED))
        problem(k, path, "measure: expected a number with its additivity");
    check_rules(k, path, column->rules, column->n_rules, NULL, target);
}

static void check_hierarchies(checker_t *k, const char *path, const Nv__SttmTarget *target)
{
    for (size_t h = 0; h < target->n_hierarchies; h++) {
        const Nv__Hierarchy *hierarchy = target->hierarchies[h];
        for (size_t i = 0; i < hierarchy->n_levels; i++) {
            if (find_column(k, target, hierarchy->levels[i]->column) == NULL)
                problem(k, path, "hierarchies[%zu].levels[%zu]: \"%s\": expected a column of %s", h, i,
                        hierarchy->levels[i]->column, target->name);
        }
    }
}

static void check_target(checker_t *k, size_t at)
{
    const Nv__SttmTarget *target = k->sttm->targets[at];
    const char *path = nv_printf(k->ctx, "sttm.targets[%zu]", at);
    bool dates = target->kind == NV__TARGET_KIND__TARGET_KIND_DATE_DIMENSION;
    if (!identifier_is_valid(target->name) || find_target(k, target->name, at) != NULL)
        problem(k, path, "name \"%.80s\": expected a lower-case identifier of its own", target->name);
    if (target->kind == NV__TARGET_KIND__TARGET_KIND_UNSPECIFIED ||
        target->load == NV__LOAD_STRATEGY__LOAD_STRATEGY_UNSPECIFIED)
        problem(k, path, "expected a kind and a load strategy");
    if (!dates && find_source(k, target->driving_source) == NULL)
        problem(k, path, "driving_source \"%s\": expected a source of this mapping", target->driving_source);
    if (target->n_grain_columns == 0)
        problem(k, path, "grain_columns: expected at least one");
    for (size_t i = 0; i < target->n_grain_columns; i++) {
        if (find_column(k, target, target->grain_columns[i]) == NULL)
            problem(k, path, "grain_columns[%zu]: \"%s\": expected a column of %s", i,
                    target->grain_columns[i], target->name);
    }
    for (size_t i = 0; i < target->n_depends_on; i++) {
        if (find_target(k, target->depends_on[i], at) == NULL)
            problem(k, path, "depends_on[%zu]: \"%s\": expected a target that is loaded before", i,
                    target->depends_on[i]);
    }
    for (size_t i = 0; i < target->n_cluster_by; i++) {
        if (find_column(k, target, target->cluster_by[i]) == NULL)
            problem(k, path, "cluster_by[%zu]: \"%s\": expected a column of %s", i, target->cluster_by[i],
                    target->name);
    }
    check_hierarchies(k, path, target);
    check_joins(k, path, target);
    for (size_t c = 0; c < target->n_columns; c++)
        check_column(k, at, c);
    check_rules(k, path, target->rules, target->n_rules, NULL, target);
    if (target->effective_from[0] != '\0' &&
        find_silver(k, find_source(k, target->driving_source), target->effective_from) == NULL)
        problem(k, path, "effective_from \"%s\": expected a silver column of %s", target->effective_from,
                target->driving_source);
}

/* --- coverage ------------------------------------------------------------------------------------------------------------------ */

static void note_use(checker_t *k, const Nv__SttmSource *source, const char *silver)
{
    if (source != NULL)
        name_index_add(k->used, source, silver, source);
}

static void note_uses(checker_t *k, const Nv__SttmTarget *target)
{
    for (size_t j = 0; j < target->n_joins; j++) {
        const Nv__SttmSourceJoin *join = target->joins[j];
        for (size_t c = 0; c < join->n_to_columns; c++)
            note_use(k, find_source(k, join->source), join->to_columns[c]);
        for (size_t c = 0; c < join->n_columns; c++)
            note_use(k, alias_source(k, target, join->parent_alias, j), join->columns[c]);
    }
    for (size_t c = 0; c < target->n_columns; c++) {
        const Nv__Transform *transform = target->columns[c]->transform;
        for (size_t i = 0; transform != NULL && i < transform->n_inputs; i++)
            note_use(k, alias_source(k, target, transform->inputs[i]->alias, target->n_joins),
                     transform->inputs[i]->column);
    }
}

/* A table's columns stand under its first entry; an entry without a column speaks of them all. */
static void note_unmapped(checker_t *k)
{
    for (size_t i = 0; i < k->sttm->n_unmapped; i++) {
        const Nv__UnmappedSource *entry = k->sttm->unmapped[i];
        if (entry->source == NULL || entry->reason[0] == '\0')
            continue;
        name_index_add(k->unread, NULL, entry->source->table, entry);
        name_index_add(k->unread, name_index_find(k->unread, NULL, entry->source->table),
                       entry->source->column, entry);
    }
}

static bool is_unmapped(const checker_t *k, const char *table, const char *column)
{
    const void *entries = name_index_find(k->unread, NULL, table);
    return entries != NULL && (name_index_find(k->unread, entries, "") != NULL ||
                               name_index_find(k->unread, entries, column) != NULL);
}

static void check_coverage(checker_t *k, size_t i)
{
    const Nv__SttmSource *source = k->sttm->sources[i];
    for (size_t c = 0; c < source->n_columns; c++) {
        const Nv__SttmSourceColumn *column = source->columns[c];
        if (!is_unmapped(k, source->name, column->name) &&
            name_index_find(k->used, source, column->silver_name) == NULL)
            problem(k, nv_printf(k->ctx, "sttm.sources[%zu].columns[%zu]", i, c),
                    "\"%s\" of %s: expected to be mapped, or to stand in sttm.unmapped with a reason",
                    column->name, source->name);
    }
}

static void check_tables(checker_t *k, const Nv__Profile *profile)
{
    for (size_t i = 0; profile != NULL && i < profile->n_tables; i++) {
        const Nv__TableProfile *table = profile->tables[i];
        const Nv__SttmSource *source = find_source(k, table->name);
        if (source == NULL && !is_unmapped(k, table->name, ""))
            problem(k, "sttm.sources",
                    "\"%s\": expected to be a source, or to stand in sttm.unmapped with a reason",
                    table->name);
        if (source != NULL && source->n_columns != table->n_columns)
            problem(k, "sttm.sources", "\"%s\": %zu columns: expected the %zu that were profiled",
                    table->name, source->n_columns, table->n_columns);
    }
}

static void index_names(checker_t *k)
{
    const Nv__Sttm *sttm = k->sttm;
    k->names = name_index_new(k->ctx);
    k->used = name_index_new(k->ctx);
    k->unread = name_index_new(k->ctx);
    for (size_t i = 0; i < sttm->n_sources; i++) {
        for (size_t c = 0; c < sttm->sources[i]->n_columns; c++)
            name_index_add(k->names, sttm->sources[i], sttm->sources[i]->columns[c]->silver_name,
                           sttm->sources[i]->columns[c]);
    }
    for (size_t i = 0; i < sttm->n_targets; i++) {
        for (size_t c = 0; c < sttm->targets[i]->n_columns; c++)
            name_index_add(k->names, sttm->targets[i], sttm->targets[i]->columns[c]->name,
                           sttm->targets[i]->columns[c]);
        note_uses(k, sttm->targets[i]);
    }
    note_unmapped(k);
}

sttm_problems_t sttm_find_problems(nv_mem_t *ctx, const Nv__Sttm *sttm, const Nv__Profile *profile)
{
    sttm_problems_t out = {0};
    checker_t k = {.ctx = ctx, .sttm = sttm, .out = &out};
    index_names(&k);
    if (sttm->n_sources == 0 || sttm->n_targets == 0)
        problem(&k, "sttm", "expected at least one source and one target");
    for (size_t i = 0; i < sttm->n_sources; i++)
        check_source(&k, i);
    for (size_t i = 0; i < sttm->n_targets; i++)
        check_target(&k, i);
    for (size_t i = 0; i < sttm->n_sources; i++)
        check_coverage(&k, i);
    check_tables(&k, profile);
    nv_mem_free(k.names);
    nv_mem_free(k.used);
    nv_mem_free(k.unread);
    return out;
}

bool sttm_check(const Nv__Sttm *sttm, const Nv__Profile *profile, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("sttm check");
    sttm_problems_t problems = sttm_find_problems(ctx, sttm, profile);
    if (problems.n == 0)
        return true;
    return nv_fail(err, NV_INVALID_ARGUMENT, "%s%s", problems.text[0],
                   problems.n > 1 ? nv_printf(ctx, " (and %zu more)", problems.n - 1) : "");
}
