/* The course of discovery: candidates, counting, keys and joins together, the optimum, roles, and the report. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "worker/discovery/candidates.h"
#include "worker/discovery/changes.h"
#include "worker/discovery/graph.h"
#include "worker/discovery/keys_internal.h"
#include "worker/discovery/priors.h"
#include "worker/discovery/report.h"
#include "worker/discovery/roles.h"

static const double cycle_probability = 0.9; /* what a join needs to close a cycle between tables */
static const double safe_precision = 0.98;

static bool same_source(const join_candidate_t *a, const join_candidate_t *b)
{
    if (a->from != b->from || a->n != b->n)
        return false;
    for (int i = 0; i < a->n; i++) {
        bool found = false;
        for (int k = 0; k < b->n; k++)
            found = found || a->columns[i] == b->columns[k];
        if (!found)
            return false;
    }
    return true;
}

/* b says the same as a, read backwards: two tables that share a key. */
static bool is_reverse(const join_candidate_t *a, const join_candidate_t *b)
{
    return a->from == b->to && a->to == b->from && a->n == b->n && a->columns[0] == b->to_columns[0] &&
           a->to_columns[0] == b->columns[0];
}

static size_t collect_arcs(dsc_state_t *state, graph_arc_t *arcs, size_t *which)
{
    size_t n = 0;
    for (size_t i = 0; i < state->n_joins; i++) {
        const join_candidate_t *join = &state->joins[i];
        /* Below one half a join costs more than a new tree and can never be chosen. */
        if (join->from == join->to || join->p < 0.5)
            continue;
        int group = (int)n;
        for (size_t k = 0; k < n; k++) {
            if (same_source(&state->joins[which[k]], join)) {
                group = arcs[k].group;
                break;
            }
        }
        arcs[n] = (graph_arc_t){
            .from = join->from, .to = join->to, .cost = -log(fmin(join->p, 1 - 1e-12)), .group = group};
        which[n++] = i;
    }
    return n;
}

static void choose_forest(dsc_state_t *state)
{
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("forest");
    graph_arc_t *arcs = NV_NEW_ARRAY(scratch, graph_arc_t, state->n_joins + 1);
    size_t *which = NV_NEW_ARRAY(scratch, size_t, state->n_joins + 1);
    size_t n = collect_arcs(state, arcs, which);
    bool *chosen = NV_NEW_ARRAY(scratch, bool, n + 1);
    int64_t limit = state->options->branch_limit > 0 ? state->options->branch_limit : 20000;
    state->branch_bounded =
        !graph_best_forest(scratch, state->schema->n_tables, arcs, n, -log(0.5), limit, chosen);
    for (size_t i = 0; i < n; i++) {
        if (chosen[i]) {
            state->joins[which[i]].chosen = true;
            state->joins[which[i]].decided_by = "tree";
        }
    }
}

/* Can `to` be reached from `from` over chosen joins? */
static bool reaches(const dsc_state_t *state, int from, int to, bool *seen)
{
    if (from == to)
        return true;
    seen[from] = true;
    for (size_t i = 0; i < state->n_joins; i++) {
        const join_candidate_t *join = &state->joins[i];
        if (join->chosen && join->from == from && !seen[join->to] && reaches(state, join->to, to, seen))
            return true;
    }
    return false;
}

static bool may_add(const dsc_state_t *state, const join_candidate_t *join, bool *seen)
{
    for (size_t i = 0; i < state->n_joins; i++) {
        const join_candidate_t *other = &state->joins[i];
        if (other->chosen && (same_source(other, join) || is_reverse(other, join)))
            return false;
    }
    if (join->from == join->to)
        return true;
    memset(seen, 0, sizeof *seen * (size_t)state->schema->n_tables);
    return !reaches(state, join->to, join->from, seen) ||
           (join->p >= cycle_probability && !join->unique_source);
}

typedef struct ranked {
    size_t index;
    double p;
} ranked_t;

static int by_probability(const void *a, const void *b)
{
    const ranked_t *x = a, *y = b;
    if (x->p != y->p)
        return x->p > y->p ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

/* Shared dimensions have several parents, which no tree allows: the rest with P >= .5, best first. */
static void recall_joins(dsc_state_t *state)
{
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("recall");
    ranked_t *order = NV_NEW_ARRAY(scratch, ranked_t, state->n_joins + 1);
    bool *seen = NV_NEW_ARRAY(scratch, bool, (size_t)state->schema->n_tables + 1);
    size_t n = 0;
    for (size_t i = 0; i < state->n_joins; i++) {
        if (!state->joins[i].chosen && state->joins[i].p >= 0.5)
            order[n++] = (ranked_t){.index = i, .p = state->joins[i].p};
    }
    qsort(order, n, sizeof *order, by_probability);
    for (size_t i = 0; i < n; i++) {
        join_candidate_t *join = &state->joins[order[i].index];
        if (!may_add(state, join, seen))
            continue;
        join->chosen = true;
        join->decided_by = "recall";
    }
}

/* The columns of `whole`'s target that stand for some of its source columns; false when it does not hold them all. */
static bool follow(const join_candidate_t *whole, const int *columns, int n, int *out)
{
    for (int i = 0; i < n; i++) {
        out[i] = -1;
        for (int k = 0; k < whole->n; k++)
            out[i] = whole->columns[k] == columns[i] ? whole->to_columns[k] : out[i];
        if (out[i] < 0)
            return false;
    }
    return true;
}

static bool leads_to(const join_candidate_t *last, const join_candidate_t *join, const int *columns)
{
    int end[KEY_MAX];
    return last->chosen && last->to == join->to && last->n == join->n &&
           follow(last, columns, join->n, end) &&
           memcmp(end, join->to_columns, sizeof *end * (size_t)join->n) == 0;
}

/* Most steps over larger chosen references after which the columns of `table` refer to what `join` refers to; 0: they do not. */
static int implied_steps(const dsc_state_t *state, const join_candidate_t *join, int table,
                         const int *columns, int depth)
{
    enum { DEPTH_MAX = 4 };
    int most = 0;
    for (size_t i = 0; i < state->n_joins && depth < DEPTH_MAX; i++) {
        const join_candidate_t *whole = &state->joins[i];
        int next[KEY_MAX];
        if (!whole->chosen || whole->from != table || whole->n <= join->n ||
            !follow(whole, columns, join->n, next))
            continue;
        int more = implied_steps(state, join, whole->to, next, depth + 1);
        most = more > 0 && more + 1 > most ? more + 1 : most;
        for (size_t k = 0; k < state->n_joins && most == 0; k++)
            most = state->joins[k].from == whole->to && leads_to(&state->joins[k], join, next);
    }
    return most;
}

/* A line of an order of a customer of a district refers to the order; that its columns are found among customers, districts and
 * warehouses too follows from that. A single column is left alone where only one step lies between: a returned line's product. */
static void drop_implied(dsc_state_t *state)
{
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("implied");
    bool *implied = NV_NEW_ARRAY(scratch, bool, state->n_joins + 1);
    for (size_t i = 0; i < state->n_joins; i++) {
        const join_candidate_t *join = &state->joins[i];
        int steps = join->chosen ? implied_steps(state, join, join->from, join->columns, 0) : 0;
        implied[i] = join->n > 1 ? steps > 0 : steps > 1;
    }
    for (size_t i = 0; i < state->n_joins; i++)
        state->joins[i].chosen = state->joins[i].chosen && !implied[i];
}

/* Safe mode: the longest list, best first, whose expected precision (mean probability) stays at the bound. */
static void keep_safe(dsc_state_t *state)
{
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("safe");
    ranked_t *order = NV_NEW_ARRAY(scratch, ranked_t, state->n_joins + 1);
    size_t n = 0;
    for (size_t i = 0; i < state->n_joins; i++) {
        if (state->joins[i].chosen)
            order[n++] = (ranked_t){.index = i, .p = state->joins[i].p};
    }
    qsort(order, n, sizeof *order, by_probability);
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += order[i].p;
        if (sum / (double)(i + 1) < safe_precision || order[i].p < 0.9)
            state->joins[order[i].index].chosen = false;
    }
}

/* A table that two candidates for the same key join to: keep to the primary key of the target where there is one. */
static void drop_shadowed(dsc_state_t *state)
{
    size_t kept = 0;
    for (size_t i = 0; i < state->n_joins; i++) {
        join_candidate_t *join = &state->joins[i];
        bool shadowed = false;
        for (size_t k = 0; k < state->n_joins && !shadowed; k++) {
            const join_candidate_t *other = &state->joins[k];
            shadowed = k != i && other->to == join->to && same_source(other, join) &&
                       (other->p > join->p || (other->p == join->p && k < i));
        }
        /* Only single joins of the same column to the same table shadow each other. */
        if (!shadowed)
            state->joins[kept++] = *join;
    }
    state->n_joins = kept;
}

/* Composite joins lead to the key that was chosen in the end, or nowhere. */
static void drop_other_keys(dsc_state_t *state)
{
    size_t kept = 0;
    for (size_t i = 0; i < state->n_joins; i++) {
        const join_candidate_t *join = &state->joins[i];
        if (join->n == 1 || key_is_chosen(state, join->to, join->to_columns, join->n))
            state->joins[kept++] = *join;
    }
    state->n_joins = kept;
}

static bool run(dsc_state_t *state, nv_error_t *err)
{
    keys_collect(state);
    state->emit = true;
    keys_score(state, false);
    state->emit = false;
    joins_enumerate(state);
    joins_score(state);
    if (!joins_count(state, 0, err) || !keys_extend(state, err))
        return false;
    joins_score(state);
    keys_score(state, true);
    /* Twice: what refers to a composite key may be a composite key itself, and be referred to. */
    for (int round = 0; round < 2; round++) {
        size_t composites = state->n_joins;
        joins_enumerate_composite(state);
        if (!joins_count(state, composites, err))
            return false;
        joins_score(state);
        if (!keys_extend_by_references(state, err))
            return false;
        keys_score(state, true);
    }
    size_t composites = state->n_joins;
    joins_enumerate_composite(state);
    if (!joins_count(state, composites, err))
        return false;
    joins_score(state);
    state->emit = true;
    keys_score(state, true);
    joins_score(state);
    return true;
}

static void bound_joins(dsc_state_t *state)
{
    for (size_t i = 0; i < state->n_joins; i++)
        state->joins[i].p = fmin(state->joins[i].p, priors_join_bound(state, &state->joins[i]));
}

static const discovery_options_t default_options = {0};

bool discovery_relate(nv_mem_t *ctx, const Nv__Profile *profile, const discovery_options_t *options,
                      Nv__Relations **out, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("discovery");
    dsc_schema_t *schema = NULL;
    if (!schema_build(scratch, profile, &schema, err))
        return false;
    dsc_state_t state = {
        .ctx = scratch, .schema = schema, .options = options != NULL ? options : &default_options};
    state.keys = NV_NEW_ARRAY(scratch, table_keys_t, (size_t)schema->n_tables + 1);
    if (!run(&state, err))
        return false;
    if (state.options->cancelled != NULL && state.options->cancelled(state.options->cancelled_arg))
        return nv_fail(err, NV_CANCELLED, "discovery was cancelled");
    drop_other_keys(&state);
    bound_joins(&state);
    drop_shadowed(&state);
    joins_choose_targets(&state);
    bound_joins(&state);
    choose_forest(&state);
    recall_joins(&state);
    drop_implied(&state);
    if (state.options->safe)
        keep_safe(&state);
    *out = report_relations(&state, ctx, roles_decide(&state, ctx));
    return changes_observe(ctx, profile, state.options->exact, *out, err);
}
