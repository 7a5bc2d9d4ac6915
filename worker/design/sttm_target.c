/* Building blocks of targets: columns, joins, lookups, grains. */
#include <assert.h>
#include <string.h>

#include "worker/design/sttm_internal.h"

const dsc_column_t *sttm_find(const sttm_builder_t *b, const char *table, const char *column, int *t, int *c)
{
    *t = schema_find_table(b->schema, table);
    *c = *t >= 0 ? schema_find_column(&b->schema->tables[*t], column) : -1;
    return *c >= 0 ? &b->schema->tables[*t].columns[*c] : NULL;
}

Nv__QualityRule *sttm_rule(sttm_builder_t *b, Nv__RuleKind kind, Nv__Severity severity, const char *column,
                           const char *fmt, ...)
{
    Nv__QualityRule *rule = NV_NEW(b->ctx, Nv__QualityRule);
    nv__quality_rule__init(rule);
    rule->id = nv_printf(b->ctx, "Q%04d", ++b->rules);
    rule->kind = kind;
    rule->severity = severity;
    if (column != NULL) {
        rule->columns = NV_NEW_ARRAY(b->ctx, char *, 1);
        rule->columns[rule->n_columns++] = nv_strdup(b->ctx, column);
    }
    va_list args;
    va_start(args, fmt);
    rule->description = nv_vprintf(b->ctx, fmt, args);
    va_end(args);
    return rule;
}

target_builder_t sttm_target(sttm_builder_t *b, const char *name, Nv__TargetKind kind, Nv__LoadStrategy load,
                             const char *source)
{
    target_builder_t t = {.b = b, .driving = schema_find_table(b->schema, source)};
    t.columns = namer_make(b->ctx);
    t.aliases = namer_make(b->ctx);
    (void)namer_take(&t.aliases, "d");
    t.out = NV_NEW(b->ctx, Nv__SttmTarget);
    nv__sttm_target__init(t.out);
    t.out->id = nv_printf(b->ctx, "T%02zu", b->out->n_targets + 1);
    t.out->name = nv_strdup(b->ctx, name);
    t.out->kind = kind;
    t.out->load = load;
    t.out->driving_source = nv_strdup(b->ctx, source);
    return t;
}

void sttm_finish(target_builder_t *t)
{
    sttm_builder_t *b = t->b;
    NV_PUSH(b->ctx, b->out->targets, b->out->n_targets, b->cap_targets) = t->out;
}

Nv__SttmColumn *sttm_column(target_builder_t *t, const char *name, Nv__ValueType type, Nv__KeyRole role,
                            Nv__TransformOp op, const char *rule)
{
    nv_mem_t *ctx = t->b->ctx;
    Nv__SttmColumn *column = NV_NEW(ctx, Nv__SttmColumn);
    nv__sttm_column__init(column);
    column->mapping_id = nv_printf(ctx, "M%04d", ++t->b->mappings);
    column->name = namer_take(&t->columns, name);
    column->type = type;
    column->key_role = role;
    column->rule = nv_strdup(ctx, rule);
    column->confidence = 1;
    column->transform = NV_NEW(ctx, Nv__Transform);
    nv__transform__init(column->transform);
    column->transform->op = op;
    NV_PUSH(ctx, t->out->columns, t->out->n_columns, t->cap_columns) = column;
    return column;
}

void sttm_input(target_builder_t *t, Nv__SttmColumn *column, const char *alias, const dsc_column_t *source)
{
    nv_mem_t *ctx = t->b->ctx;
    Nv__SttmInput *input = NV_NEW(ctx, Nv__SttmInput);
    nv__sttm_input__init(input);
    input->alias = nv_strdup(ctx, alias);
    input->column = nv_strdup(ctx, t->b->silver[source->table][source->index]);
    input->source = nv_strdup(ctx, t->b->schema->tables[source->table].p->name);
    input->source_column = nv_strdup(ctx, source->p->name);
    size_t n = column->transform->n_inputs;
    column->transform->inputs =
        nv_realloc_array(ctx, column->transform->inputs, sizeof *column->transform->inputs, n + 1);
    column->transform->inputs[column->transform->n_inputs++] = input;
}

static const char *type_word(Nv__ValueType type)
{
    static const char *const words[] = {"text",   "text", "boolean",   "integer", "decimal",
                                        "number", "date", "timestamp", "time"};
    return (size_t)type < sizeof words / sizeof words[0] ? words[type] : "text";
}

static char *parse_words(nv_mem_t *ctx, const dsc_column_t *column)
{
    const Nv__ParseRule *parse = column->p->parse;
    char *text = nv_printf(ctx, "as %s", type_word(column->p->type));
    if (parse == NULL)
        return text;
    for (size_t i = 0; i < parse->n_datetime_formats && i < 4; i++)
        text = nv_printf(ctx, "%s%s%s", text, i == 0 ? " from " : " or ", parse->datetime_formats[i]);
    if (parse->decimal_separator[0] == ',')
        text = nv_printf(ctx, "%s with a decimal comma", text);
    if (parse->n_currency_marks > 0)
        text = nv_printf(ctx, "%s without %s", text, parse->currency_marks[0]);
    if (parse->n_null_spellings > 0)
        text = nv_printf(ctx, "%s; \"%s\"%s is null", text, parse->null_spellings[0],
                         parse->n_null_spellings > 1 ? " and its like" : "");
    return text;
}

Nv__SttmColumn *sttm_copy(target_builder_t *t, const char *name, const char *alias,
                          const dsc_column_t *column, Nv__KeyRole role)
{
    nv_mem_t *ctx = t->b->ctx;
    const Nv__ColumnProfile *p = column->p;
    Nv__ValueType type =
        p->type == NV__VALUE_TYPE__VALUE_TYPE_UNSPECIFIED ? NV__VALUE_TYPE__VALUE_TYPE_STRING : p->type;
    const char *rule = nv_printf(ctx, "%s.%s %s", t->b->schema->tables[column->table].p->name, p->name,
                                 parse_words(ctx, column));
    Nv__SttmColumn *out = sttm_column(t, name, type, role, NV__TRANSFORM_OP__TRANSFORM_OP_COPY, rule);
    if (type == NV__VALUE_TYPE__VALUE_TYPE_DECIMAL)
        sttm_decimal(p, &out->precision, &out->scale);
    out->nullable = p->null_count + p->invalid_count > 0 || strcmp(alias, "d") != 0;
    out->pii = nv_strdup(ctx, p->pii);
    sttm_input(t, out, alias, column);
    return out;
}

void sttm_audit(target_builder_t *t)
{
    static const struct {
        const char *name, *rule;
        Nv__ValueType type;
    } audit[] = {
        {"batch_id", "the batch that last changed the row", NV__VALUE_TYPE__VALUE_TYPE_STRING},
        {"loaded_at", "when that batch was loaded", NV__VALUE_TYPE__VALUE_TYPE_TIMESTAMP},
        {"row_hash", "hash of the row's content, to find changes", NV__VALUE_TYPE__VALUE_TYPE_STRING}};
    for (size_t i = 0; i < sizeof audit / sizeof audit[0]; i++) {
        Nv__SttmColumn *column = sttm_column(
            t,
            namer_has(&t->columns, audit[i].name) ? nv_printf(t->b->ctx, "nuvyn_%s", audit[i].name)
                                                  : audit[i].name,
            audit[i].type, NV__KEY_ROLE__KEY_ROLE_NONE, NV__TRANSFORM_OP__TRANSFORM_OP_AUDIT, audit[i].rule);
        column->transform->constant = nv_strdup(t->b->ctx, audit[i].name);
        column->description = nv_strdup(t->b->ctx, audit[i].rule);
    }
}

void sttm_depend(target_builder_t *t, const char *target)
{
    for (size_t i = 0; i < t->out->n_depends_on; i++) {
        if (strcmp(t->out->depends_on[i], target) == 0)
            return;
    }
    NV_PUSH(t->b->ctx, t->out->depends_on, t->out->n_depends_on, t->cap_depends) =
        nv_strdup(t->b->ctx, target);
}

void sttm_target_rule(target_builder_t *t, Nv__QualityRule *rule)
{
    NV_PUSH(t->b->ctx, t->out->rules, t->out->n_rules, t->cap_rules) = rule;
}

const char *sttm_alias(const target_builder_t *t, int table, int occurrence)
{
    if (table == t->driving && occurrence <= 0)
        return "d";
    const char *found = NULL;
    int seen = table == t->driving;
    for (size_t i = 0; i < t->out->n_joins; i++) {
        if (t->alias_table[i] != table)
            continue;
        found = t->out->joins[i]->alias;
        if (seen++ == occurrence)
            return found;
    }
    return found;
}

static char **silver_list(target_builder_t *t, int table, char *const *columns, size_t n)
{
    char **list = NV_NEW_ARRAY(t->b->ctx, char *, n + 1);
    for (size_t i = 0; i < n; i++) {
        int c = schema_find_column(&t->b->schema->tables[table], columns[i]);
        assert(c >= 0);
        list[i] = nv_strdup(t->b->ctx, t->b->silver[table][c]);
    }
    return list;
}

const char *sttm_join(target_builder_t *t, const Nv__Join *join)
{
    nv_mem_t *ctx = t->b->ctx;
    int from = schema_find_table(t->b->schema, join->from), to = schema_find_table(t->b->schema, join->to);
    const char *parent = sttm_alias(t, from, from == t->driving ? 0 : 1 << 20);
    Nv__SttmSourceJoin *out = NV_NEW(ctx, Nv__SttmSourceJoin);
    nv__sttm_source_join__init(out);
    char *wanted = identifier_make(
        ctx, join->role[0] != '\0' ? nv_printf(ctx, "%s_%s", join->role, join->to) : join->to, "parent");
    out->source = nv_strdup(ctx, join->to);
    out->alias = namer_take(&t->aliases, wanted);
    out->parent_alias = nv_strdup(ctx, parent != NULL ? parent : "d");
    out->n_columns = out->n_to_columns = join->n_columns;
    out->columns = silver_list(t, from, join->columns, join->n_columns);
    out->to_columns = silver_list(t, to, join->to_columns, join->n_to_columns);
    t->alias_table = nv_realloc_array(ctx, t->alias_table, sizeof *t->alias_table, t->out->n_joins + 1);
    t->alias_table[t->out->n_joins] = to;
    NV_PUSH(ctx, t->out->joins, t->out->n_joins, t->cap_joins) = out;
    return out->alias;
}

Nv__SttmTarget *sttm_find_target(const sttm_builder_t *b, const char *name)
{
    for (size_t i = 0; i < b->out->n_targets; i++) {
        if (strcmp(b->out->targets[i]->name, name) == 0)
            return b->out->targets[i];
    }
    return NULL;
}

static const Nv__DimensionDesign *find_dimension(const sttm_builder_t *b, const char *name)
{
    for (size_t i = 0; i < b->star->n_dimensions; i++) {
        if (strcmp(b->star->dimensions[i]->name, name) == 0)
            return b->star->dimensions[i];
    }
    return NULL;
}

/* Position of the business key column in the join's target columns; -1 when the join leads to another key. */
static int position_in(const Nv__Join *join, const char *column)
{
    for (size_t i = 0; i < join->n_to_columns; i++) {
        if (strcmp(join->to_columns[i], column) == 0)
            return (int)i;
    }
    return -1;
}

static bool leads_to_business_key(const Nv__Join *join, const Nv__DimensionDesign *dimension)
{
    for (size_t i = 0; i < dimension->n_business_key; i++) {
        if (position_in(join, dimension->business_key[i]) < 0)
            return false;
    }
    return dimension->n_business_key > 0;
}

static const char *dimension_base(const char *name)
{
    return strncmp(name, "dim_", 4) == 0 ? name + 4 : name;
}

/* "customer_key", "ship_customer_key"; a role that already ends in the dimension's name says it once. */
static char *key_name(nv_mem_t *ctx, const char *role, const char *dimension)
{
    const char *base = dimension_base(dimension);
    size_t n = strlen(role), m = strlen(base);
    if (n == 0)
        return nv_printf(ctx, "%s_key", base);
    bool said = n >= m && strcmp(role + n - m, base) == 0;
    return said ? nv_printf(ctx, "%s_key", role) : nv_printf(ctx, "%s_%s_key", role, base);
}

static void lookup_inputs(target_builder_t *t, Nv__SttmColumn *column, const Nv__DimensionUse *use,
                          const Nv__DimensionDesign *dimension, const char *alias)
{
    int ti = 0, c = 0;
    bool direct = leads_to_business_key(use->join, dimension);
    const char *via = direct ? alias : sttm_join(t, use->join);
    for (size_t i = 0; i < dimension->n_business_key; i++) {
        int at = position_in(use->join, dimension->business_key[i]);
        const dsc_column_t *source =
            direct ? sttm_find(t->b, use->join->from, use->join->columns[at], &ti, &c)
                   : sttm_find(t->b, dimension->source, dimension->business_key[i], &ti, &c);
        sttm_input(t, column, via, source);
    }
}

bool sttm_lookup(target_builder_t *t, const Nv__DimensionUse *use, const char *as_of, nv_error_t *err)
{
    nv_mem_t *ctx = t->b->ctx;
    const Nv__DimensionDesign *dimension = find_dimension(t->b, use->dimension);
    const Nv__SttmTarget *target = sttm_find_target(t->b, use->dimension);
    int from = schema_find_table(t->b->schema, use->join->from);
    const char *alias = sttm_alias(t, from, 0);
    if (dimension == NULL || target == NULL || alias == NULL)
        return nv_fail(err, NV_INVALID_ARGUMENT,
                       "%s: use of \"%s\": expected a dimension of the design, referenced from \"%s\" or one "
                       "of its parents",
                       t->out->name, use->dimension, t->out->driving_source);
    bool versioned = target->load == NV__LOAD_STRATEGY__LOAD_STRATEGY_SCD2;
    bool dated = versioned && as_of[0] != '\0';
    const char *rule = nv_printf(
        ctx, "surrogate key of %s for %s.%s%s%s; -1 when it is not found, -2 when it is empty",
        use->dimension, use->join->from, use->join->columns[0], dated ? " as of " : "", dated ? as_of : "");
    Nv__SttmColumn *column =
        sttm_column(t, key_name(ctx, use->role, use->dimension), NV__VALUE_TYPE__VALUE_TYPE_INT64,
                    NV__KEY_ROLE__KEY_ROLE_FOREIGN, NV__TRANSFORM_OP__TRANSFORM_OP_LOOKUP, rule);
    column->transform->dimension = nv_strdup(ctx, use->dimension);
    column->transform->as_of = nv_strdup(ctx, dated ? as_of : "");
    column->role = nv_strdup(ctx, use->role);
    column->confidence = use->join->probability;
    column->default_value = nv_strdup(ctx, "-1");
    column->description =
        nv_printf(ctx, "%s%s%s", use->role, use->role[0] != '\0' ? " " : "", dimension_base(use->dimension));
    lookup_inputs(t, column, use, dimension, alias);
    Nv__QualityRule *reference =
        sttm_rule(t->b, NV__RULE_KIND__RULE_KIND_REFERENCE, NV__SEVERITY__SEVERITY_FAIL, column->name,
                  "%s leads to a member of %s", column->name, use->dimension);
    reference->ref_target = nv_strdup(ctx, use->dimension);
    reference->ref_columns = NV_NEW_ARRAY(ctx, char *, 1);
    reference->ref_columns[reference->n_ref_columns++] = nv_strdup(ctx, target->columns[0]->name);
    sttm_target_rule(t, reference);
    sttm_depend(t, use->dimension);
    return true;
}

static const Nv__SttmColumn *copy_of(const target_builder_t *t, const char *source_column)
{
    for (size_t i = 0; i < t->out->n_columns; i++) {
        const Nv__SttmColumn *column = t->out->columns[i];
        if (column->transform->op == NV__TRANSFORM_OP__TRANSFORM_OP_COPY &&
            strcmp(column->transform->inputs[0]->alias, "d") == 0 &&
            strcmp(column->transform->inputs[0]->source_column, source_column) == 0)
            return column;
    }
    return NULL;
}

bool sttm_grain(target_builder_t *t, char *const *columns, size_t n, nv_error_t *err)
{
    nv_mem_t *ctx = t->b->ctx;
    t->out->grain_columns = NV_NEW_ARRAY(ctx, char *, n + 1);
    Nv__QualityRule *unique = sttm_rule(t->b, NV__RULE_KIND__RULE_KIND_UNIQUE, NV__SEVERITY__SEVERITY_FAIL,
                                        NULL, "the grain of %s", t->out->name);
    unique->columns = NV_NEW_ARRAY(ctx, char *, n + 1);
    for (size_t i = 0; i < n; i++) {
        const Nv__SttmColumn *column = copy_of(t, columns[i]);
        if (column == NULL)
            return nv_fail(err, NV_INVALID_ARGUMENT,
                           "%s: grain column \"%s\": expected a column of \"%s\" that the design keeps",
                           t->out->name, columns[i], t->out->driving_source);
        t->out->grain_columns[t->out->n_grain_columns++] = nv_strdup(ctx, column->name);
        unique->columns[unique->n_columns++] = nv_strdup(ctx, column->name);
    }
    sttm_target_rule(t, unique);
    return true;
}
