/* Histories of another dimension's members: customer_addresses (customer_id, valid_from, …) of customers.
 *
 * Kimball gives two ways: the attributes become type 2 ones of the customer, or a dimension of their own whose key stands in the
 * facts beside the customer's (a mini-dimension, type 4). The second is taken. The two tables date their changes by different
 * clocks (the history by its own dates, the customer by what each batch shows), so that versions of both in one table would claim
 * moments that no source tells; and a customer without a history would have no row to stand in. The fact's day finds the version.
 */
#include <string.h>

#include "worker/design/plan.h"
#include "worker/discovery/discovery.h"

static bool stands_in(char *const *columns, size_t n, const char *column)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(columns[i], column) == 0)
            return true;
    }
    return false;
}

/* The columns of the join are the key, but for the date of the version. */
static bool is_key_without_date(const plan_table_t *table, const Nv__Join *join)
{
    size_t n = 0;
    for (size_t i = 0; i < table->key->n_columns; i++) {
        if (strcmp(table->key->columns[i], table->version) == 0)
            continue;
        if (!stands_in(join->columns, join->n_columns, table->key->columns[i]))
            return false;
        n++;
    }
    return n > 0 && n == join->n_columns;
}

static bool leads_to_member(const plan_table_t *to, const Nv__Join *join)
{
    if (to->kind != PLAN_DIMENSION || to->key == NULL || to->key->n_columns != join->n_to_columns)
        return false;
    for (size_t i = 0; i < to->key->n_columns; i++) {
        if (!stands_in(join->to_columns, join->n_to_columns, to->key->columns[i]))
            return false;
    }
    return true;
}

const plan_join_t *plan_history_of(const plan_t *plan, int t)
{
    const plan_table_t *table = &plan->tables[t];
    for (size_t j = 0; table->kind == PLAN_DIMENSION && table->history && j < plan->n_joins; j++) {
        const plan_join_t *join = &plan->joins[j];
        if (join->from == t && join->to != t && !join->avoided && is_key_without_date(table, join->join) &&
            leads_to_member(&plan->tables[join->to], join->join))
            return join;
    }
    return NULL;
}

static bool knows_its_day(const plan_t *plan, const Nv__FactDesign *fact)
{
    for (size_t i = 0; i < fact->n_dates; i++) {
        int t = plan_find(plan, fact->dates[i]->source->table);
        int c = t >= 0 ? schema_find_column(plan->tables[t].t, fact->dates[i]->source->column) : -1;
        if (c >= 0 && column_dates_events(&plan->tables[t].t->columns[c]))
            return true;
    }
    return false;
}

/* The fact's reference to the member, led on to the member's history. */
static Nv__Join *led_on(const plan_t *plan, const Nv__Join *to_member, const plan_join_t *history)
{
    nv_mem_t *ctx = plan->ctx;
    Nv__Join *out = plan_copy_join(ctx, to_member);
    out->to = nv_strdup(ctx, history->join->from);
    out->columns = NV_NEW_ARRAY(ctx, char *, history->join->n_columns);
    out->to_columns = NV_NEW_ARRAY(ctx, char *, history->join->n_columns);
    out->n_columns = out->n_to_columns = 0;
    for (size_t i = 0; i < history->join->n_columns; i++) {
        for (size_t k = 0; k < to_member->n_to_columns; k++) {
            if (strcmp(to_member->to_columns[k], history->join->to_columns[i]) != 0)
                continue;
            out->columns[out->n_columns++] = nv_strdup(ctx, to_member->columns[k]);
            out->to_columns[out->n_to_columns++] = nv_strdup(ctx, history->join->columns[i]);
        }
    }
    out->probability = to_member->probability * history->join->probability;
    out->coverage = out->orphans = 0; /* the review counts it */
    out->cardinality = NV__CARDINALITY__CARDINALITY_MANY_TO_ONE;
    out->decided_by = nv_strdup(ctx, "history");
    out->evidence = NV_NEW_ARRAY(ctx, Nv__Evidence *, 1);
    out->evidence[out->n_evidence++] = discovery_evidence(
        ctx, "history", out->probability, "%s keeps what changes about %s: the version of the event's day",
        history->join->from, history->join->to);
    return out;
}

static void link_fact(plan_t *plan, Nv__FactDesign *fact, int t, const plan_join_t *history)
{
    const size_t n = fact->n_dimensions; /* what is added is not looked at */
    size_t cap = n;
    for (size_t i = 0; i < n; i++) {
        const Nv__DimensionUse *member = fact->dimensions[i];
        if (strcmp(member->join->to, history->join->to) != 0)
            continue;
        Nv__Join *join = led_on(plan, member->join, history);
        if (join->n_columns != history->join->n_columns)
            continue;
        if (plan_is_criticised(plan, join)) {
            plan_note(plan,
                      "%s does not refer to %s: the review found that too few of its rows find a version.",
                      fact->name, plan->tables[t].dimension->name);
            continue;
        }
        Nv__DimensionUse *use = NV_NEW(plan->ctx, Nv__DimensionUse);
        nv__dimension_use__init(use);
        use->dimension = nv_strdup(plan->ctx, plan->tables[t].dimension->name);
        use->role = nv_strdup(plan->ctx, member->role);
        use->join = join;
        NV_PUSH(plan->ctx, fact->dimensions, fact->n_dimensions, cap) = use;
    }
}

/* A reference of its own to the history is there already. */
static bool refers_to(const Nv__FactDesign *fact, const char *dimension)
{
    for (size_t i = 0; i < fact->n_dimensions; i++) {
        if (strcmp(fact->dimensions[i]->dimension, dimension) == 0)
            return true;
    }
    return false;
}

void star_link_histories(plan_t *plan)
{
    for (int t = 0; t < plan->n_tables; t++) {
        const plan_join_t *history = plan_history_of(plan, t);
        if (history == NULL || plan->tables[t].dimension == NULL)
            continue;
        for (size_t f = 0; f < plan->star->n_facts; f++) {
            Nv__FactDesign *fact = plan->star->facts[f];
            if (knows_its_day(plan, fact) && !refers_to(fact, plan->tables[t].dimension->name))
                link_fact(plan, fact, t, history);
        }
    }
}
