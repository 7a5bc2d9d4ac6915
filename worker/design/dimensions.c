/* Dimensions: what facts and bridges reference, with the snowflakes behind them flattened in. */
#include <math.h>
#include <string.h>

#include "worker/design/plan.h"
#include "worker/discovery/discovery.h"
#include "worker/discovery/lexicon.h"

enum { FLATTEN_DEPTH_MAX = 4, FLATTEN_COLUMNS_MAX = 40, ATTRIBUTES_MAX = 400 };

static const char from_parent[] = "flattened from its parent";

typedef struct builder {
    plan_t *plan;
    Nv__DimensionDesign *out;
    namer_t columns;
    size_t cap_attributes, cap_flattened, cap_outriggers;
    int path[FLATTEN_DEPTH_MAX + 1];
    int depth;
    bool versioned; /* some own attribute is of type 2 */
} builder_t;

static bool is_own_dimension(const plan_t *plan, int t)
{
    return plan->tables[t].kind == PLAN_DIMENSION;
}

/* A join that leads to the key of its target, so that it cannot multiply rows. */
static bool leads_to_key(const plan_t *plan, const plan_join_t *join)
{
    const plan_table_t *to = &plan->tables[join->to];
    if (join->avoided || to->key == NULL || to->history)
        return false;
    if (to->key->n_columns != join->join->n_to_columns)
        return false;
    for (size_t i = 0; i < join->join->n_to_columns; i++) {
        if (!plan_is_key(to, join->join->to_columns[i]))
            return false;
    }
    return true;
}

static void mark_use(plan_t *plan)
{
    for (size_t j = 0; j < plan->n_joins; j++) {
        const plan_join_t *join = &plan->joins[j];
        plan_kind_t from = plan->tables[join->from].kind;
        if (join->avoided || join->from == join->to || (from != PLAN_FACT && from != PLAN_BRIDGE))
            continue;
        plan->tables[join->to].used_directly = true;
        plan->tables[join->to].facts_using += from == PLAN_FACT;
    }
}

static bool is_referenced(const plan_t *plan, int t)
{
    for (size_t j = 0; j < plan->n_joins; j++) {
        if (!plan->joins[j].avoided && plan->joins[j].to == t && plan->joins[j].from != t)
            return true;
    }
    return false;
}

static void mark_extensions(plan_t *plan)
{
    for (size_t j = 0; j < plan->n_joins; j++) {
        const plan_join_t *join = &plan->joins[j];
        plan_table_t *from = &plan->tables[join->from];
        if (join->join->cardinality != NV__CARDINALITY__CARDINALITY_ONE_TO_ONE || !leads_to_key(plan, join) ||
            join->from == join->to)
            continue;
        if (from->kind == PLAN_DIMENSION && plan->tables[join->to].kind == PLAN_DIMENSION &&
            !is_referenced(plan, join->from) && !from->history)
            from->kind = PLAN_EXTENSION;
    }
}

static void mark_flattened(plan_t *plan)
{
    for (size_t j = 0; j < plan->n_joins; j++) {
        const plan_join_t *join = &plan->joins[j];
        plan_table_t *to = &plan->tables[join->to];
        if (join->from == join->to || !leads_to_key(plan, join) || to->used_directly ||
            to->kind != PLAN_DIMENSION)
            continue;
        if (plan->tables[join->from].kind == PLAN_DIMENSION ||
            plan->tables[join->from].kind == PLAN_FLATTENED)
            to->kind = PLAN_FLATTENED;
    }
}

static const char *attribute_name(builder_t *b, const char *prefix, const dsc_column_t *column)
{
    nv_mem_t *ctx = b->plan->ctx;
    name_words_t words = column->bare;
    const char *base = plan_base_name(b->plan, column->table);
    bool generic = words.core == 0 || (!column->specific && words.n == 1);
    bool tells = strstr(identifier_make(ctx, column->label, "c"), base) != NULL;
    char *own = identifier_make(ctx, column->label, "column");
    if (!column->made_up && b->depth == 0 && generic && !tells)
        own = identifier_make(ctx, nv_printf(ctx, "%s_%s", base, column->label), "column");
    if (prefix[0] != '\0' && strncmp(own, prefix, strlen(prefix)) != 0)
        own = identifier_make(ctx, nv_printf(ctx, "%s_%s", prefix, own), "column");
    return namer_take(&b->columns, own);
}

static void add_attribute(builder_t *b, int t, const dsc_column_t *column, const char *name, Nv__ScdType scd,
                          const char *reason)
{
    nv_mem_t *ctx = b->plan->ctx;
    const plan_table_t *table = &b->plan->tables[t];
    if (b->out->n_attributes >= ATTRIBUTES_MAX) {
        if (!table->covered[column->index])
            plan_leave_out(b->plan, t, column->p->name,
                           nv_printf(ctx, "%s has %d attributes already, the most that a dimension gets",
                                     b->out->name, ATTRIBUTES_MAX));
        return;
    }
    Nv__AttributeDesign *attribute = NV_NEW(ctx, Nv__AttributeDesign);
    nv__attribute_design__init(attribute);
    attribute->source = plan_ref(ctx, table->t->p->name, column->p->name);
    attribute->name = nv_strdup(ctx, name);
    attribute->scd = scd;
    attribute->pii = nv_strdup(ctx, column->p->pii);
    attribute->reason = nv_strdup(ctx, reason);
    attribute->description = nv_printf(ctx, "%s of %s", column->p->name, table->t->p->name);
    NV_PUSH(ctx, b->out->attributes, b->out->n_attributes, b->cap_attributes) = attribute;
    plan_cover(b->plan, t, column->p->name);
}

static bool is_business_key(const builder_t *b, const char *column)
{
    for (size_t i = 0; i < b->out->n_business_key; i++) {
        if (strcmp(b->out->business_key[i], column) == 0)
            return true;
    }
    return false;
}

/* What dates the versions of a history is told by their start. */
static bool is_start(const builder_t *b, const plan_table_t *table, const char *column)
{
    return b->versioned && table->history && strcmp(table->version, column) == 0;
}

static void own_attributes(builder_t *b, int t)
{
    plan_t *plan = b->plan;
    const plan_table_t *table = &plan->tables[t];
    for (int c = 0; c < table->t->n_columns && !b->versioned; c++) {
        const char *reason = "";
        const dsc_column_t *column = &table->t->columns[c];
        b->versioned = !is_business_key(b, column->p->name) &&
                       column_junk_reason(table, column, plan->ctx) == NULL &&
                       column_scd(plan, t, column, &reason) == NV__SCD_TYPE__SCD_TYPE_2;
    }
    for (int c = 0; c < table->t->n_columns; c++) {
        const dsc_column_t *column = &table->t->columns[c];
        if (is_business_key(b, column->p->name) || is_start(b, table, column->p->name)) {
            plan_cover(plan, t, column->p->name);
            continue;
        }
        const char *junk = column_junk_reason(table, column, plan->ctx);
        if (junk != NULL) {
            plan_leave_out(plan, t, column->p->name, junk);
            continue;
        }
        const char *reason = "";
        Nv__ScdType scd = column_scd(plan, t, column, &reason);
        const plan_join_t *join = plan_join_of(plan, t, column->p->name);
        if (join != NULL && join->from != join->to)
            reason = "reference to what is flattened in: moves with it";
        add_attribute(b, t, column, attribute_name(b, "", column), scd, reason);
    }
}

/* A flattened attribute belongs to the reference that leads to it: it changes when that changes. */
static void foreign_attributes(builder_t *b, int t, const char *prefix)
{
    plan_t *plan = b->plan;
    const plan_table_t *table = &plan->tables[t];
    for (int c = 0; c < table->t->n_columns; c++) {
        const dsc_column_t *column = &table->t->columns[c];
        if (plan_is_key(table, column->p->name)) {
            plan_cover(plan, t, column->p->name);
            continue;
        }
        /* Where the parent is a dimension of its own, that one says where it leads. */
        if (is_own_dimension(plan, t) && plan_join_of(plan, t, column->p->name) != NULL)
            continue;
        const char *junk = column_junk_reason(table, column, plan->ctx);
        if (junk != NULL) {
            if (!table->covered[c])
                plan_leave_out(plan, t, column->p->name, junk);
            continue;
        }
        if (table->version != NULL && strcmp(table->version, column->p->name) == 0) {
            if (!table->covered[c])
                plan_leave_out(plan, t, column->p->name,
                               "dates changes of a flattened parent; the dimension dates its own versions");
            continue;
        }
        add_attribute(b, t, column, attribute_name(b, prefix, column), NV__SCD_TYPE__SCD_TYPE_1, from_parent);
    }
}

static bool on_path(const builder_t *b, int t)
{
    for (int i = 0; i <= b->depth; i++) {
        if (b->path[i] == t)
            return true;
    }
    return false;
}

static const char *flatten_prefix(builder_t *b, const Nv__Join *join, int to, const char *outer)
{
    const char *base = plan_base_name(b->plan, to);
    const char *name = join->role[0] != '\0' ? identifier_make(b->plan->ctx, join->role, base) : base;
    bool nested = outer[0] != '\0' && join->role[0] != '\0';
    return nested ? nv_printf(b->plan->ctx, "%s_%s", outer, name) : name;
}

static void add_outrigger(builder_t *b, const plan_join_t *join, const char *reason)
{
    Nv__Join *copy = plan_copy_join(b->plan->ctx, join->join);
    copy->evidence = NV_NEW_ARRAY(b->plan->ctx, Nv__Evidence *, 1);
    copy->evidence[copy->n_evidence++] = discovery_evidence(b->plan->ctx, "outrigger", 0, "%s", reason);
    NV_PUSH(b->plan->ctx, b->out->outriggers, b->out->n_outriggers, b->cap_outriggers) = copy;
}

/* An extension holds the key of its base: read the other way round, the join is from the base to it. */
static void take_extensions(builder_t *b, int t, const char *outer)
{
    plan_t *plan = b->plan;
    for (size_t j = 0; j < plan->n_joins && b->depth < FLATTEN_DEPTH_MAX; j++) {
        const plan_join_t *join = &plan->joins[j];
        if (join->to != t || join->avoided || plan->tables[join->from].kind != PLAN_EXTENSION ||
            join->join->cardinality != NV__CARDINALITY__CARDINALITY_ONE_TO_ONE)
            continue;
        Nv__Join *copy = plan_copy_join(plan->ctx, join->join);
        char *from = copy->from, **columns = copy->columns;
        copy->from = copy->to;
        copy->to = from;
        copy->columns = copy->to_columns;
        copy->to_columns = columns;
        NV_PUSH(plan->ctx, b->out->flattened, b->out->n_flattened, b->cap_flattened) = copy;
        b->path[++b->depth] = join->from;
        const char *base = plan_base_name(plan, join->from);
        bool said = strncmp(base, outer, strlen(outer)) == 0; /* also where there is no outer */
        foreign_attributes(b, join->from, said ? base : nv_printf(plan->ctx, "%s_%s", outer, base));
        b->depth--;
    }
}

/* Why what the join leads to stays a dimension of its own beside this one; NULL: it is flattened in. */
static const char *reason_to_keep(const builder_t *b, const plan_join_t *join)
{
    const plan_t *plan = b->plan;
    bool own = is_own_dimension(plan, join->to);
    if (b->depth == 0 && own && plan_history_of(plan, join->from) == join)
        return "kept as a dimension of its own: this one holds its members' history, and facts refer to both";
    if (!leads_to_key(plan, join))
        return "kept as a dimension of its own: its source holds several versions of one key";
    if (own && plan->tables[join->to].t->n_columns > FLATTEN_COLUMNS_MAX)
        return "kept as a dimension of its own: too wide to be repeated here";
    return NULL;
}

static const dsc_column_t *day_of(const plan_table_t *calendar)
{
    for (int c = 0; c < calendar->t->n_columns; c++) {
        const dsc_column_t *column = &calendar->t->columns[c];
        if (column->kind == CLASS_DATE && column->distinct >= calendar->t->records)
            return column;
    }
    return NULL;
}

/* "first_sales_date" of c_first_sales_date_sk. */
static const char *day_name(builder_t *b, const plan_join_t *join, const char *outer)
{
    const dsc_table_t *from = b->plan->tables[join->from].t;
    const dsc_column_t *column = &from->columns[schema_find_column(from, join->join->columns[0])];
    char *text = nv_strdup(b->plan->ctx, outer);
    for (int i = 0; i < column->bare.core; i++)
        text = nv_printf(b->plan->ctx, "%s%s%s", text, text[0] != '\0' ? "_" : "", column->bare.word[i]);
    return namer_take(&b->columns, identifier_make(b->plan->ctx, text, "day"));
}

static void follow(builder_t *b, const plan_join_t *join)
{
    plan_t *plan = b->plan;
    b->path[++b->depth] = join->to;
    NV_PUSH(plan->ctx, b->out->flattened, b->out->n_flattened, b->cap_flattened) =
        plan_copy_join(plan->ctx, join->join);
}

/* Of a calendar that is a dimension of its own, only the day is worth repeating. */
static bool take_day(builder_t *b, const plan_join_t *join, const char *outer)
{
    const plan_table_t *calendar = &b->plan->tables[join->to];
    if (!is_own_dimension(b->plan, join->to) || !plan_is_calendar(calendar) || join->join->n_columns != 1)
        return false;
    const dsc_column_t *day = day_of(calendar);
    if (day == NULL)
        return false;
    if (plan_is_key(calendar, day->p->name))
        return true; /* the reference is the day */
    follow(b, join);
    add_attribute(b, join->to, day, day_name(b, join, outer), NV__SCD_TYPE__SCD_TYPE_1, from_parent);
    b->depth--;
    return true;
}

static void flatten(builder_t *b, int t, const char *outer)
{
    plan_t *plan = b->plan;
    if (b->depth >= FLATTEN_DEPTH_MAX)
        return;
    for (size_t j = 0; j < plan->n_joins; j++) {
        const plan_join_t *join = &plan->joins[j];
        if (join->from != t || join->avoided || on_path(b, join->to))
            continue;
        bool own = is_own_dimension(plan, join->to);
        if (!own && plan->tables[join->to].kind != PLAN_FLATTENED)
            continue;
        if (own && b->depth > 0 && is_own_dimension(plan, t))
            continue; /* what lies behind another dimension is told by that one */
        const char *kept = reason_to_keep(b, join);
        if (kept != NULL) {
            add_outrigger(b, join, kept);
            continue;
        }
        if (take_day(b, join, outer))
            continue;
        const char *prefix = flatten_prefix(b, join->join, join->to, outer);
        follow(b, join);
        foreign_attributes(b, join->to, prefix);
        take_extensions(b, join->to, prefix);
        flatten(b, join->to, prefix);
        b->depth--;
    }
}

static bool ends_with(const dsc_column_t *column, const char *word)
{
    return column->kind == CLASS_TEXT && column->bare.n > 0 &&
           strcmp(column->bare.word[column->bare.n - 1], word) == 0;
}

static bool is_attribute(const builder_t *b, const dsc_table_t *table, const dsc_column_t *column)
{
    for (size_t i = 0; i < b->out->n_attributes; i++) {
        const Nv__ColumnRef *source = b->out->attributes[i]->source;
        if (strcmp(source->table, table->p->name) == 0 && strcmp(source->column, column->p->name) == 0)
            return true;
    }
    return false;
}

/* The last word of the attributes that say what a member is called; NULL: none does. */
static const char *called_by(const builder_t *b, const dsc_table_t *table)
{
    static const char *const words[] = {"name", "title", "label"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        for (int c = 0; c < table->n_columns; c++) {
            if (ends_with(&table->columns[c], words[i]) && is_attribute(b, table, &table->columns[c]))
                return words[i];
        }
    return NULL;
}

/* How often the dimension takes the table in; the parents of its own rows not counted. */
static int times_in(const builder_t *b, int t)
{
    const char *name = b->plan->tables[t].t->p->name;
    int n = b->path[0] == t;
    for (size_t i = 0; i < b->out->n_flattened; i++) {
        const Nv__Join *join = b->out->flattened[i];
        n += strcmp(join->to, name) == 0 && strcmp(join->from, name) != 0;
    }
    return n;
}

/* A hierarchy within one table (a category's parent category): each member says what its parent is called. */
static void name_parents(builder_t *b)
{
    for (size_t j = 0; j < b->plan->n_joins; j++) {
        const plan_join_t *join = &b->plan->joins[j];
        const dsc_table_t *table = b->plan->tables[join->to].t;
        if (join->from != join->to || !leads_to_key(b->plan, join) || times_in(b, join->to) != 1)
            continue;
        const char *word = called_by(b, table);
        const char *prefix = identifier_make(b->plan->ctx, join->join->role, "parent");
        if (word == NULL)
            continue;
        follow(b, join);
        b->out->flattened[b->out->n_flattened - 1]->role = nv_strdup(b->plan->ctx, prefix);
        for (int c = 0; c < table->n_columns; c++) {
            const dsc_column_t *column = &table->columns[c];
            if (ends_with(column, word) && is_attribute(b, table, column))
                add_attribute(b, join->to, column, attribute_name(b, prefix, column),
                              NV__SCD_TYPE__SCD_TYPE_1, from_parent);
        }
        b->depth--;
    }
}

static void settle_scd(builder_t *b)
{
    for (size_t i = 0; i < b->out->n_attributes && b->versioned; i++) {
        Nv__AttributeDesign *attribute = b->out->attributes[i];
        bool reference = strncmp(attribute->reason, "reference", 9) == 0 ||
                         strncmp(attribute->reason, "flattened", 9) == 0;
        if (reference)
            attribute->scd = NV__SCD_TYPE__SCD_TYPE_2;
    }
}

static void describe(builder_t *b, int t)
{
    plan_t *plan = b->plan;
    const plan_table_t *table = &plan->tables[t];
    b->out->conformed = table->facts_using > 1;
    b->out->confidence = table->role_confidence;
    b->out->effective_from =
        nv_strdup(plan->ctx, b->versioned && table->version != NULL ? table->version : "");
    b->out->description = nv_printf(plan->ctx, "One row per %s%s.", plan_base_name(plan, t),
                                    b->versioned ? " and version" : "");
    b->out->evidence = NV_NEW_ARRAY(plan->ctx, Nv__Evidence *, 2);
    if (table->facts_using > 0)
        b->out->evidence[b->out->n_evidence++] =
            discovery_evidence(plan->ctx, "use", fmin(1, table->facts_using / 3.0),
                               "%d fact tables reference it", table->facts_using);
}

/* Files of several days whose rows do not say theirs. */
static void note_undated(plan_t *plan, const builder_t *b, const plan_table_t *table)
{
    if (b->versioned && !table->history && table->t->p->n_files > 1 && table->key->violations > 0)
        plan_note(
            plan,
            "The %zu files of \"%s\" tell of the same things, and no row says of which day: the last file "
            "counts, and the versions of %s begin with the batches to come.",
            table->t->p->n_files, table->t->p->name, b->out->name);
}

static void make_dimension(plan_t *plan, int t, size_t *cap)
{
    plan_table_t *table = &plan->tables[t];
    builder_t b = {.plan = plan, .columns = namer_make(plan->ctx)};
    b.out = NV_NEW(plan->ctx, Nv__DimensionDesign);
    nv__dimension_design__init(b.out);
    b.path[0] = t;
    b.out->name = namer_take(&plan->names, nv_printf(plan->ctx, "dim_%s", plan_base_name(plan, t)));
    b.out->source = nv_strdup(plan->ctx, table->t->p->name);
    b.out->business_key = NV_NEW_ARRAY(plan->ctx, char *, table->key->n_columns);
    for (size_t i = 0; i < table->key->n_columns; i++) {
        /* Where the source keys its versions, the date of the version is no part of the business key. */
        bool dates = table->version != NULL && strcmp(table->version, table->key->columns[i]) == 0 &&
                     table->key->n_columns > 1;
        if (!dates)
            b.out->business_key[b.out->n_business_key++] = nv_strdup(plan->ctx, table->key->columns[i]);
    }
    own_attributes(&b, t);
    take_extensions(&b, t, "");
    flatten(&b, t, "");
    name_parents(&b);
    settle_scd(&b);
    describe(&b, t);
    note_undated(plan, &b, table);
    table->dimension = b.out;
    NV_PUSH(plan->ctx, plan->star->dimensions, plan->star->n_dimensions, *cap) = b.out;
}

static bool is_covered(const plan_table_t *table)
{
    for (int c = 0; c < table->t->n_columns; c++) {
        if (!table->covered[c])
            return false;
    }
    return true;
}

void star_make_dimensions(plan_t *plan)
{
    size_t cap = plan->star->n_dimensions;
    mark_use(plan);
    mark_extensions(plan);
    mark_flattened(plan);
    for (int t = 0; t < plan->n_tables; t++) {
        if (is_own_dimension(plan, t))
            make_dimension(plan, t, &cap);
    }
    /* Two tables that only reference each other would both count as flattened: the first becomes a dimension after all. */
    for (int t = 0; t < plan->n_tables; t++) {
        plan_table_t *table = &plan->tables[t];
        if ((table->kind != PLAN_FLATTENED && table->kind != PLAN_EXTENSION) || is_covered(table))
            continue;
        table->kind = PLAN_DIMENSION;
        make_dimension(plan, t, &cap);
    }
}
