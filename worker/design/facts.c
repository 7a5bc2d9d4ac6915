/* Facts: one per table of events, at the grain of its rows, with what its headers know. */
#include <math.h>
#include <string.h>

#include "worker/design/plan.h"
#include "worker/discovery/discovery.h"
#include "worker/discovery/lexicon.h"

enum { PARENT_DEPTH_MAX = 3, PARENTS_MAX = 8 };

typedef struct builder {
    plan_t *plan;
    Nv__FactDesign *out;
    int table;
    int seen[PARENTS_MAX + 1], n_seen; /* the table itself and its parents */
    size_t cap_parents, cap_dimensions, cap_dates, cap_measures, cap_degenerate, cap_attributes, cap_evidence;
    namer_t measures, roles;
    bool whole_row; /* no key: the row itself is the grain */
    int semi, open_dates;
} builder_t;

static bool is_measure_here(const plan_t *plan, int t, const dsc_column_t *column)
{
    return !plan_is_key(&plan->tables[t], column->p->name) &&
           plan_join_of(plan, t, column->p->name) == NULL && column_is_measure(column) && column->filled > 0;
}

bool plan_has_measure(const plan_t *plan, int t)
{
    for (int c = 0; c < plan->tables[t].t->n_columns; c++) {
        if (is_measure_here(plan, t, &plan->tables[t].t->columns[c]))
            return true;
    }
    return false;
}

bool plan_leads_to_header(const plan_t *plan, const plan_join_t *join)
{
    const plan_table_t *to = &plan->tables[join->to];
    if (join->avoided || join->from == join->to || to->kind != PLAN_FACT || to->key == NULL)
        return false; /* a few rows that share a key are dirt: silver holds one row of each */
    if (to->key->n_columns != join->join->n_to_columns)
        return false;
    for (size_t i = 0; i < join->join->n_to_columns; i++) {
        if (!plan_is_key(to, join->join->to_columns[i]))
            return false;
    }
    return true;
}

/* A header without numbers of its own lives on in its lines. */
static bool is_absorbed(const plan_t *plan, int t, int *line)
{
    if (plan_has_measure(plan, t))
        return false;
    for (size_t j = 0; j < plan->n_joins; j++) {
        const plan_join_t *join = &plan->joins[j];
        if (join->to != t || plan->tables[join->from].kind != PLAN_FACT || !plan_leads_to_header(plan, join))
            continue;
        const dsc_table_t *child = plan->tables[join->from].t;
        /* Only the lines of a header absorb it: every header has lines, and the lines are named or keyed after it. */
        bool named = name_speaks_of(&child->name, &plan->tables[t].t->name) > 0.6 ||
                     schema_table_is(child, LEXICON_LINE);
        if (named && child->rows >= plan->tables[t].t->rows &&
            plan_is_key(&plan->tables[join->from], join->join->columns[0])) {
            *line = join->from;
            return true;
        }
    }
    return false;
}

static void add_degenerate(builder_t *b, int t, const char *column)
{
    for (size_t i = 0; i < b->out->n_degenerate; i++) {
        if (strcmp(b->out->degenerate[i]->column, column) == 0 &&
            strcmp(b->out->degenerate[i]->table, b->plan->tables[t].t->p->name) == 0)
            return;
    }
    NV_PUSH(b->plan->ctx, b->out->degenerate, b->out->n_degenerate, b->cap_degenerate) =
        plan_ref(b->plan->ctx, b->plan->tables[t].t->p->name, column);
    plan_cover(b->plan, t, column);
}

static void add_attribute(builder_t *b, int t, const char *column)
{
    NV_PUSH(b->plan->ctx, b->out->attributes, b->out->n_attributes, b->cap_attributes) =
        plan_ref(b->plan->ctx, b->plan->tables[t].t->p->name, column);
    plan_cover(b->plan, t, column);
}

static void add_measure(builder_t *b, int t, const dsc_column_t *column)
{
    nv_mem_t *ctx = b->plan->ctx;
    Nv__MeasureDesign *measure = NV_NEW(ctx, Nv__MeasureDesign);
    nv__measure_design__init(measure);
    const char *reason = "";
    measure->source = plan_ref(ctx, b->plan->tables[t].t->p->name, column->p->name);
    measure->name = namer_take(&b->measures, identifier_make(ctx, column->label, "measure"));
    measure->additivity = column_additivity(column, &reason);
    measure->reason = nv_strdup(ctx, reason);
    measure->unit = nv_strdup(ctx, column_unit(column));
    measure->description = nv_printf(ctx, "%s of each %s", column->p->name, plan_base_name(b->plan, t));
    b->semi += measure->additivity == NV__ADDITIVITY__ADDITIVITY_SEMI;
    NV_PUSH(ctx, b->out->measures, b->out->n_measures, b->cap_measures) = measure;
    plan_cover(b->plan, t, column->p->name);
}

/* "order" of order_date, created of created_at; the table's own name where nothing is left. */
static char *date_role(builder_t *b, int t, const dsc_column_t *column)
{
    nv_mem_t *ctx = b->plan->ctx;
    char *role = nv_strdup(ctx, "");
    for (int i = 0; i < column->bare.n; i++) {
        const char *word = column->bare.word[i];
        if (lexicon_has(LEXICON_MOMENT, word))
            continue;
        role = nv_printf(ctx, "%s%s%s", role, role[0] != '\0' ? "_" : "", word);
    }
    char *glued = strlen(role) > 4 && strcmp(role + strlen(role) - 4, "date") == 0
                      ? nv_strndup(ctx, role, strlen(role) - 4)
                      : role;
    if (glued[0] == '\0')
        glued = plan_base_name(b->plan, t);
    char *clean = identifier_make(ctx, glued, "event");
    if (clean[strlen(clean) - 1] == '_')
        clean[strlen(clean) - 1] = '\0';
    if (namer_has(&b->roles, clean) && t != b->table)
        clean = nv_printf(ctx, "%s_%s", plan_base_name(b->plan, t), clean);
    return namer_take(&b->roles, clean);
}

static void add_date(builder_t *b, int t, const dsc_column_t *column)
{
    Nv__DateUse *use = NV_NEW(b->plan->ctx, Nv__DateUse);
    nv__date_use__init(use);
    use->source = plan_ref(b->plan->ctx, b->plan->tables[t].t->p->name, column->p->name);
    use->role = date_role(b, t, column);
    b->open_dates += column->null_share > 0;
    NV_PUSH(b->plan->ctx, b->out->dates, b->out->n_dates, b->cap_dates) = use;
    plan_cover(b->plan, t, column->p->name);
    /* The key keeps the day only. */
    if (column->p->type == NV__VALUE_TYPE__VALUE_TYPE_TIMESTAMP && t == b->table)
        add_attribute(b, t, column->p->name);
}

static bool uses_dimension(const builder_t *b, const char *dimension, const char *role)
{
    for (size_t i = 0; i < b->out->n_dimensions; i++) {
        const Nv__DimensionUse *use = b->out->dimensions[i];
        if (strcmp(use->dimension, dimension) == 0 && (role == NULL || strcmp(use->role, role) == 0))
            return true;
    }
    return false;
}

static void use_dimension(builder_t *b, const plan_join_t *join, bool inherited)
{
    plan_t *plan = b->plan;
    const Nv__DimensionDesign *dimension = plan->tables[join->to].dimension;
    if (dimension == NULL)
        return;
    const char *role = join->join->role;
    /* As it will be written: "order" is a reserved word, and two uses as "order_" would be one. */
    if (role[0] != '\0')
        role = identifier_make(plan->ctx, role, "other");
    if (inherited && uses_dimension(b, dimension->name, role))
        role = identifier_make(plan->ctx, plan_base_name(plan, join->from), "other");
    for (int k = 2; uses_dimension(b, dimension->name, role); k++)
        role = k == 2 && role[0] == '\0'
                   ? identifier_make(plan->ctx, join->join->columns[0], "other")
                   : nv_printf(plan->ctx, "%s%s%d", role,
                               role[0] != '\0' && role[strlen(role) - 1] == '_' ? "" : "_", k);
    Nv__DimensionUse *use = NV_NEW(plan->ctx, Nv__DimensionUse);
    nv__dimension_use__init(use);
    use->dimension = nv_strdup(plan->ctx, dimension->name);
    use->role = nv_strdup(plan->ctx, role);
    use->join = plan_copy_join(plan->ctx, join->join);
    NV_PUSH(plan->ctx, b->out->dimensions, b->out->n_dimensions, b->cap_dimensions) = use;
    for (size_t i = 0; i < join->join->n_columns; i++)
        plan_cover(plan, join->from, join->join->columns[i]);
}

static bool has_seen(const builder_t *b, int t)
{
    for (int i = 0; i < b->n_seen; i++) {
        if (b->seen[i] == t)
            return true;
    }
    return false;
}

/* The direct references first, then those of the headers, nearest first. */
static void walk_joins(builder_t *b, int t, int depth)
{
    plan_t *plan = b->plan;
    for (size_t j = 0; j < plan->n_joins; j++) {
        const plan_join_t *join = &plan->joins[j];
        if (join->from == t && !join->avoided && join->to != t &&
            plan->tables[join->to].kind == PLAN_DIMENSION)
            use_dimension(b, join, depth > 0);
    }
    for (size_t j = 0; j < plan->n_joins; j++) {
        const plan_join_t *join = &plan->joins[j];
        if (join->from != t || depth >= PARENT_DEPTH_MAX || b->n_seen > PARENTS_MAX ||
            !plan_leads_to_header(plan, join) || has_seen(b, join->to))
            continue;
        b->seen[b->n_seen++] = join->to;
        NV_PUSH(plan->ctx, b->out->parents, b->out->n_parents, b->cap_parents) =
            plan_copy_join(plan->ctx, join->join);
        for (size_t i = 0; i < join->join->n_columns && t == b->table; i++)
            add_degenerate(b, t, join->join->columns[i]);
        walk_joins(b, join->to, depth + 1);
    }
}

static void take_column(builder_t *b, int t, const dsc_column_t *column)
{
    plan_t *plan = b->plan;
    const plan_table_t *table = &plan->tables[t];
    const char *name = column->p->name;
    const char *junk = column_junk_reason(table, column, plan->ctx);
    int c = column->index;
    if (junk != NULL) {
        plan_leave_out(plan, t, name, junk);
        return;
    }
    const plan_join_t *join = plan_join_of(plan, t, name);
    bool to_dimension = join != NULL && plan->tables[join->to].dimension != NULL && join->from != join->to;
    bool tells_apart =
        to_dimension || column->kind == CLASS_DATE || star_split_part(plan, t, name) == SPLIT_KEY;
    if (plan_is_key(table, name) || (b->whole_row && tells_apart))
        add_degenerate(b, t, name);
    else if (join != NULL && !to_dimension)
        add_degenerate(b, t, name);
    if (to_dimension)
        return;
    if (column_is_event_date(column)) {
        add_date(b, t, column);
        return;
    }
    if (table->covered[c])
        return;
    if (is_measure_here(plan, t, column))
        add_measure(b, t, column);
    else
        add_attribute(b, t, name);
}

/* What the lines inherit from a header: its dates always; its plain columns only if it has no fact of its own. */
static void take_parent(builder_t *b, int t, bool absorbed)
{
    const dsc_table_t *table = b->plan->tables[t].t;
    for (int c = 0; c < table->n_columns; c++) {
        const dsc_column_t *column = &table->columns[c];
        if (plan_join_of(b->plan, t, column->p->name) != NULL ||
            column_junk_reason(&b->plan->tables[t], column, b->plan->ctx) != NULL)
            continue;
        if (column_is_event_date(column) && !plan_is_key(&b->plan->tables[t], column->p->name) &&
            !schema_mentions(column, LEXICON_VERSION))
            add_date(b, t, column);
        else if (absorbed && !plan_is_key(&b->plan->tables[t], column->p->name))
            add_attribute(b, t, column->p->name);
    }
}

static void set_grain(builder_t *b)
{
    plan_t *plan = b->plan;
    const plan_table_t *table = &plan->tables[b->table];
    b->whole_row = table->key == NULL;
    size_t n = b->whole_row ? (size_t)table->t->n_columns : table->key->n_columns;
    b->out->grain_columns = NV_NEW_ARRAY(plan->ctx, char *, n + 1);
    for (size_t i = 0; i < n; i++) {
        const char *column = b->whole_row ? table->t->columns[i].p->name : table->key->columns[i];
        if (b->whole_row && (column_junk_reason(table, &table->t->columns[i], plan->ctx) != NULL ||
                             star_split_part(plan, b->table, column) == SPLIT_ATTRIBUTE))
            continue;
        b->out->grain_columns[b->out->n_grain_columns++] = nv_strdup(plan->ctx, column);
    }
    b->out->grain =
        b->whole_row
            ? nv_printf(plan->ctx, "one row per distinct record of %s (no key was found)", table->t->p->name)
            : nv_printf(plan->ctx, "one row per %s", plan_base_name(plan, b->table));
}

static bool is_dated_key(const builder_t *b)
{
    const plan_table_t *table = &b->plan->tables[b->table];
    for (size_t i = 0; table->key != NULL && i < table->key->n_columns; i++) {
        int c = schema_find_column(table->t, table->key->columns[i]);
        const plan_join_t *join = plan_join_of(b->plan, b->table, table->key->columns[i]);
        bool to_date = join != NULL && strstr(plan_base_name(b->plan, join->to), "date") != NULL;
        if ((c >= 0 && table->t->columns[c].kind == CLASS_DATE) || to_date)
            return true;
    }
    return false;
}

/* In a snapshot what is not named as something that happened is a level, too. */
static void settle_levels(builder_t *b)
{
    for (size_t i = 0; i < b->out->n_measures; i++) {
        Nv__MeasureDesign *measure = b->out->measures[i];
        int c = schema_find_column(b->plan->tables[b->table].t, measure->source->column);
        const dsc_column_t *column = &b->plan->tables[b->table].t->columns[c];
        if (measure->additivity != NV__ADDITIVITY__ADDITIVITY_ADDITIVE ||
            schema_mentions(column, LEXICON_ADDITIVE))
            continue;
        measure->additivity = NV__ADDITIVITY__ADDITIVITY_SEMI;
        measure->reason = nv_strdup(
            b->plan->ctx, "counted when the snapshot was taken: may be summed over everything but time");
    }
}

/* A table of balances or holdings has nothing but levels, whatever its columns are called. */
static void settle_balances(builder_t *b)
{
    const name_words_t *name = &b->plan->tables[b->table].t->name;
    bool levels = false;
    for (int i = 0; i < name->n; i++)
        levels = levels || strcmp(name->word[i], "balance") == 0 || strcmp(name->word[i], "holding") == 0;
    for (size_t i = 0; levels && i < b->out->n_measures; i++) {
        Nv__MeasureDesign *measure = b->out->measures[i];
        if (measure->additivity != NV__ADDITIVITY__ADDITIVITY_ADDITIVE)
            continue;
        measure->additivity = NV__ADDITIVITY__ADDITIVITY_SEMI;
        measure->reason =
            nv_strdup(b->plan->ctx, "the table holds levels: may be summed over everything but time");
        b->semi++;
    }
}

static void describe(builder_t *b)
{
    nv_mem_t *ctx = b->plan->ctx;
    const plan_table_t *table = &b->plan->tables[b->table];
    const char *kind = "transaction";
    settle_balances(b);
    if (b->out->n_measures == 0)
        kind = "factless";
    else if (b->semi > 0 && (is_dated_key(b) || b->out->n_dates == 0))
        kind = "periodic_snapshot";
    else if (b->out->n_dates >= 3 && b->open_dates > 0)
        kind = "accumulating";
    b->out->kind = nv_strdup(ctx, kind);
    if (strcmp(kind, "periodic_snapshot") == 0)
        settle_levels(b);
    b->out->confidence = table->role_confidence;
    b->out->description = nv_printf(ctx, "%s facts from %s: %s.", kind, table->t->p->name, b->out->grain);
    b->out->evidence = NV_NEW_ARRAY(ctx, Nv__Evidence *, 4);
    b->out->evidence[b->out->n_evidence++] =
        discovery_evidence(ctx, "grain", table->key != NULL ? table->key->confidence : 0,
                           "%.0f rows, %zu dimensions, %zu dates, %zu measures", table->t->rows,
                           b->out->n_dimensions, b->out->n_dates, b->out->n_measures);
    if (b->out->n_parents > 0)
        b->out->evidence[b->out->n_evidence++] = discovery_evidence(
            ctx, "header", 0.5,
            "brings the columns of %zu parent tables to its grain; their amounts stay with their own facts",
            b->out->n_parents);
}

/* Neither measured nor dated nor linked to anything: no fact. */
static bool is_void(const Nv__FactDesign *fact)
{
    return fact->n_measures == 0 && fact->n_dimensions == 0 && fact->n_dates == 0 && fact->n_degenerate < 2;
}

static void leave_out_void(plan_t *plan, int t, const Nv__FactDesign *fact)
{
    static const char reason[] = "its table has no measure, no date and no reference that leads anywhere";
    for (size_t i = 0; i < fact->n_degenerate; i++)
        plan_leave_out(plan, t, fact->degenerate[i]->column, reason);
    for (size_t i = 0; i < fact->n_attributes; i++)
        plan_leave_out(plan, t, fact->attributes[i]->column, reason);
}

static void make_fact(plan_t *plan, int t, size_t *cap)
{
    builder_t b = {.plan = plan,
                   .table = t,
                   .seen = {t},
                   .n_seen = 1,
                   .measures = namer_make(plan->ctx),
                   .roles = namer_make(plan->ctx)};
    b.out = NV_NEW(plan->ctx, Nv__FactDesign);
    nv__fact_design__init(b.out);
    b.cap_dimensions = b.out->n_dimensions;
    b.out->name = namer_take(&plan->names, nv_printf(plan->ctx, "fact_%s", plan_base_name(plan, t)));
    b.out->source = nv_strdup(plan->ctx, plan->tables[t].t->p->name);
    set_grain(&b);
    walk_joins(&b, t, 0);
    for (int c = 0; c < plan->tables[t].t->n_columns; c++)
        take_column(&b, t, &plan->tables[t].t->columns[c]);
    for (int i = 1; i < b.n_seen; i++) {
        int line = -1;
        take_parent(&b, b.seen[i], is_absorbed(plan, b.seen[i], &line) && line == t);
    }
    if (is_void(b.out)) {
        leave_out_void(plan, t, b.out);
        return;
    }
    describe(&b);
    NV_PUSH(plan->ctx, plan->star->facts, plan->star->n_facts, *cap) = b.out;
}

/* What an absorbed header's lines do not carry either. */
static void leave_junk_out(plan_t *plan, int t)
{
    for (int c = 0; c < plan->tables[t].t->n_columns; c++) {
        const dsc_column_t *column = &plan->tables[t].t->columns[c];
        const char *junk = column_junk_reason(&plan->tables[t], column, plan->ctx);
        if (junk != NULL)
            plan_leave_out(plan, t, column->p->name, junk);
    }
}

void star_make_facts(plan_t *plan)
{
    size_t cap = plan->star->n_facts;
    for (int t = 0; t < plan->n_tables; t++) {
        int line = -1;
        if (plan->tables[t].kind != PLAN_FACT)
            continue;
        if (is_absorbed(plan, t, &line)) {
            plan_note(plan, "\"%s\" has no measure of its own: its columns went to the line grain of \"%s\".",
                      plan->tables[t].t->p->name, plan->tables[line].t->p->name);
            leave_junk_out(plan, t);
            memset(plan->tables[t].covered, 1, sizeof(bool) * (size_t)plan->tables[t].t->n_columns);
            continue;
        }
        make_fact(plan, t, &cap);
    }
}
