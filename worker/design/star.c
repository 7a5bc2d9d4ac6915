/* The course of a design, the date dimension, and what is left out. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/design/plan.h"
#include "worker/design/star_rules.h"
#include "worker/discovery/discovery.h"

/* Days outside are typing errors or sentinels such as 9999-12-31; their facts get the unknown date. */
enum { FIRST_YEAR = 1900, LAST_YEAR = 2100 };

static const dsc_column_t *find_source(const plan_t *plan, const Nv__ColumnRef *ref)
{
    int t = plan_find(plan, ref->table);
    int c = t >= 0 ? schema_find_column(plan->tables[t].t, ref->column) : -1;
    return c >= 0 ? &plan->tables[t].t->columns[c] : NULL;
}

static void widen(const char *text, int *low, int *high, bool *outside)
{
    int year = 0;
    if (text == NULL || sscanf(text, "%d-", &year) != 1)
        return;
    if (year < FIRST_YEAR || year > LAST_YEAR) {
        *outside = true;
        return;
    }
    *low = year < *low ? year : *low;
    *high = year > *high ? year : *high;
}

void star_make_date(plan_t *plan)
{
    int low = LAST_YEAR + 1, high = FIRST_YEAR - 1;
    bool outside = false, any = false;
    for (size_t f = 0; f < plan->star->n_facts; f++) {
        for (size_t d = 0; d < plan->star->facts[f]->n_dates; d++) {
            const dsc_column_t *column = find_source(plan, plan->star->facts[f]->dates[d]->source);
            any = true;
            if (column == NULL)
                continue;
            widen(column->p->min, &low, &high, &outside);
            widen(column->p->max, &low, &high, &outside);
        }
    }
    if (!any)
        return;
    if (low > high) {
        low = 2000;
        high = 2030;
    }
    Nv__DateDimensionDesign *date = NV_NEW(plan->ctx, Nv__DateDimensionDesign);
    nv__date_dimension_design__init(date);
    date->name = namer_take(&plan->names, namer_has(&plan->names, "dim_date") ? "dim_calendar" : "dim_date");
    date->first_day = nv_printf(plan->ctx, "%04d-01-01", low);
    date->last_day = nv_printf(plan->ctx, "%04d-12-31", high);
    plan->star->date = date;
    if (outside)
        plan_note(plan, "Some dates lie outside %d … %d; their rows get the unknown date.", FIRST_YEAR,
                  LAST_YEAR);
}

/* A link without two ends is no bridge. */
static void demote_bridges(plan_t *plan)
{
    for (int t = 0; t < plan->n_tables; t++) {
        int ends = 0;
        for (size_t j = 0; j < plan->n_joins; j++) {
            plan_kind_t to = plan->tables[plan->joins[j].to].kind;
            ends += !plan->joins[j].avoided && plan->joins[j].from == t && plan->joins[j].to != t &&
                    to == PLAN_DIMENSION;
        }
        if (plan->tables[t].kind == PLAN_BRIDGE && ends < 2)
            plan->tables[t].kind = PLAN_FACT;
    }
}

/* The fact stands on the table, or inherits its columns. */
static bool knows_table(const Nv__FactDesign *fact, const char *table)
{
    bool known = strcmp(fact->source, table) == 0;
    for (size_t i = 0; i < fact->n_parents; i++)
        known = known || strcmp(fact->parents[i]->to, table) == 0;
    return known;
}

static Nv__DimensionUse *use_of_flat(const plan_t *plan, const Nv__DimensionDesign *dimension)
{
    Nv__DimensionUse *use = NV_NEW(plan->ctx, Nv__DimensionUse);
    nv__dimension_use__init(use);
    use->dimension = nv_strdup(plan->ctx, dimension->name);
    use->join = NV_NEW(plan->ctx, Nv__Join);
    nv__join__init(use->join);
    use->join->from = use->join->to = nv_strdup(plan->ctx, dimension->source);
    use->join->columns = use->join->to_columns = dimension->business_key;
    use->join->n_columns = use->join->n_to_columns = dimension->n_business_key;
    use->join->cardinality = NV__CARDINALITY__CARDINALITY_MANY_TO_ONE;
    use->join->probability = dimension->confidence;
    use->join->coverage = 1;
    use->join->decided_by = nv_strdup(plan->ctx, "dependency");
    return use;
}

/* The facts that a dimension split out of them serves, and those that inherit from them. */
static void use_flat_dimensions(plan_t *plan)
{
    for (size_t d = 0; d < plan->star->n_dimensions; d++) {
        Nv__DimensionDesign *dimension = plan->star->dimensions[d];
        int uses = 0;
        for (size_t f = 0; dimension->from_flat && f < plan->star->n_facts; f++) {
            Nv__FactDesign *fact = plan->star->facts[f];
            if (!knows_table(fact, dimension->source))
                continue;
            size_t cap = fact->n_dimensions;
            NV_PUSH(plan->ctx, fact->dimensions, fact->n_dimensions, cap) = use_of_flat(plan, dimension);
            uses++;
        }
        dimension->conformed = dimension->conformed || uses > 1;
    }
}

static const char *reason_to_stand(const plan_t *plan, const Nv__DimensionDesign *dimension)
{
    int t = plan_find(plan, dimension->source);
    const plan_join_t *history = t >= 0 ? plan_history_of(plan, t) : NULL;
    if (history != NULL)
        return nv_printf(plan->ctx, "no fact that refers to %s has a date that tells its version",
                         history->join->to);
    if (t >= 0 && plan_is_calendar(&plan->tables[t]))
        return nv_printf(plan->ctx, "a calendar of the source: facts refer to %s",
                         plan->star->date != NULL ? plan->star->date->name : "no date");
    return "reference data with a key of its own, kept for facts to come: nothing in these sources refers to "
           "it";
}

/* No dimension stands there unused without a reason. */
static void explain_unused(plan_t *plan)
{
    for (size_t d = 0; d < plan->star->n_dimensions; d++) {
        Nv__DimensionDesign *dimension = plan->star->dimensions[d];
        if (star_uses_dimension(plan->star, dimension->name))
            continue;
        const char *reason = reason_to_stand(plan, dimension);
        size_t cap = dimension->n_evidence;
        NV_PUSH(plan->ctx, dimension->evidence, dimension->n_evidence, cap) =
            discovery_evidence(plan->ctx, "unused", 0, "%s", reason);
        plan_note(plan, "%s is used by no fact and no bridge: %s.", dimension->name, reason);
    }
}

static void leave_rest_out(plan_t *plan)
{
    for (int t = 0; t < plan->n_tables; t++) {
        const plan_table_t *table = &plan->tables[t];
        if (table->kind == PLAN_OUT) {
            plan_leave_out(plan, t, "",
                           table->t->rows <= 0
                               ? "empty, and nothing refers to it"
                               : "technical or unkeyed reference data: nothing refers to it by a key");
            continue;
        }
        for (int c = 0; c < table->t->n_columns; c++) {
            if (!table->covered[c])
                plan_leave_out(plan, t, table->t->columns[c].p->name,
                               "the same value is kept under the key that refers to it");
        }
    }
}

/* A rule that our own star breaks is said, not hidden. */
static void note_broken_rules(plan_t *plan)
{
    star_rules_t rules = star_find_broken_rules(plan->ctx, plan->star);
    for (size_t i = 0; i < rules.n; i++)
        plan_note(plan, "Design rule broken: %s", rules.text[i]);
}

static bool refuse_empty(const plan_t *plan, nv_error_t *err)
{
    if (plan->star->n_facts + plan->star->n_dimensions + plan->star->n_bridges > 0)
        return true;
    return nv_fail(
        err, NV_FAILED_PRECONDITION,
        "design: none of the %d tables can be a fact or a dimension: no key was found in any of them",
        plan->n_tables);
}

bool design_star(nv_mem_t *ctx, const design_input_t *input, Nv__StarSchema **out, nv_error_t *err)
{
    plan_t *plan = NULL;
    if (!plan_build(ctx, input, &plan, err))
        return false;
    plan->star->name = identifier_make(ctx, input->name, "warehouse");
    plan->star->relations = (Nv__Relations *)input->relations;
    plan->star->method = nv_strdup(ctx, input->relations->method);
    demote_bridges(plan);
    star_split_flat(plan);
    star_gather_junk(plan);
    star_make_dimensions(plan);
    star_find_hierarchies(plan);
    star_make_facts(plan);
    use_flat_dimensions(plan);
    star_link_histories(plan);
    star_make_bridges(plan);
    star_make_date(plan);
    explain_unused(plan);
    leave_rest_out(plan);
    if (!refuse_empty(plan, err))
        return false;
    note_broken_rules(plan);
    *out = plan->star;
    return true;
}
