#include "worker/discovery/graph.h"

#include <assert.h>
#include <math.h>
#include <string.h>

typedef struct edmonds_arc {
    int from, to;
    double cost;
    int origin; /* arc of the level above */
} edmonds_arc_t;

/* Cheapest arc into each node; ties go to the lower index, so that the result does not depend on anything else. */
static bool cheapest_in(int n, int root, const edmonds_arc_t *arcs, size_t n_arcs, int *in)
{
    for (int v = 0; v < n; v++)
        in[v] = -1;
    for (size_t i = 0; i < n_arcs; i++) {
        int to = arcs[i].to;
        if (to == root || arcs[i].from == to)
            continue;
        if (in[to] < 0 || arcs[i].cost < arcs[in[to]].cost)
            in[to] = (int)i;
    }
    for (int v = 0; v < n; v++) {
        if (v != root && in[v] < 0)
            return false;
    }
    return true;
}

/* Numbers the cycles made by the cheapest arcs; component[v] = new node of v. Returns the number of new nodes, n when there is
 * no cycle. */
static int contract(nv_mem_t *ctx, int n, int root, const edmonds_arc_t *arcs, const int *in, int *component,
                    bool *in_cycle)
{
    int *mark = NV_NEW_ARRAY(ctx, int, (size_t)n), count = 0;
    bool any = false;
    for (int v = 0; v < n; v++) {
        component[v] = -1;
        mark[v] = -1;
    }
    for (int v = 0; v < n; v++) {
        int u = v;
        while (u != root && mark[u] != v && component[u] < 0) {
            mark[u] = v;
            u = arcs[in[u]].from;
        }
        if (u == root || component[u] >= 0 || mark[u] != v)
            continue;
        any = true;
        for (int w = u;;) {
            component[w] = count;
            in_cycle[w] = true;
            w = arcs[in[w]].from;
            if (w == u)
                break;
        }
        count++;
    }
    if (!any)
        return n;
    for (int v = 0; v < n; v++) {
        if (component[v] < 0)
            component[v] = count++;
    }
    return count;
}

static bool edmonds(nv_mem_t *ctx, int n, int root, const edmonds_arc_t *arcs, size_t n_arcs, int *picked)
{
    int *in = NV_NEW_ARRAY(ctx, int, (size_t)n), *component = NV_NEW_ARRAY(ctx, int, (size_t)n);
    bool *in_cycle = NV_NEW_ARRAY(ctx, bool, (size_t)n);
    if (!cheapest_in(n, root, arcs, n_arcs, in))
        return false;
    int m = contract(ctx, n, root, arcs, in, component, in_cycle);
    if (m == n) {
        memcpy(picked, in, sizeof *in * (size_t)n);
        return true;
    }
    edmonds_arc_t *inner = NV_NEW_ARRAY(ctx, edmonds_arc_t, n_arcs + 1);
    size_t n_inner = 0;
    for (size_t i = 0; i < n_arcs; i++) {
        int from = component[arcs[i].from], to = component[arcs[i].to];
        if (from == to || arcs[i].to == root)
            continue;
        double saved = in_cycle[arcs[i].to] ? arcs[in[arcs[i].to]].cost : 0;
        inner[n_inner++] =
            (edmonds_arc_t){.from = from, .to = to, .cost = arcs[i].cost - saved, .origin = (int)i};
    }
    int *inner_picked = NV_NEW_ARRAY(ctx, int, (size_t)m);
    if (!edmonds(ctx, m, component[root], inner, n_inner, inner_picked))
        return false;
    for (int v = 0; v < n; v++)
        picked[v] = v == root ? -1 : in[v];
    for (int c = 0; c < m; c++) {
        if (inner_picked[c] >= 0) {
            int arc = inner[inner_picked[c]].origin;
            picked[arcs[arc].to] = arc;
        }
    }
    return true;
}

bool graph_arborescence(nv_mem_t *ctx, int n, int root, const graph_arc_t *arcs, size_t n_arcs, int *picked,
                        double *cost)
{
    nv_mem_t *scratch = nv_mem_child(ctx, "arborescence");
    edmonds_arc_t *list = NV_NEW_ARRAY(scratch, edmonds_arc_t, n_arcs + 1);
    for (size_t i = 0; i < n_arcs; i++)
        list[i] = (edmonds_arc_t){.from = arcs[i].from, .to = arcs[i].to, .cost = arcs[i].cost};
    bool found = edmonds(scratch, n, root, list, n_arcs, picked);
    *cost = 0;
    for (int v = 0; found && v < n; v++) {
        if (picked[v] >= 0)
            *cost += arcs[picked[v]].cost;
    }
    nv_mem_free(scratch);
    return found;
}

typedef struct search {
    nv_mem_t *ctx;
    int n;             /* tables; node n is the artificial root */
    graph_arc_t *arcs; /* joins first, then one root arc per table */
    size_t n_joins, n_arcs;
    bool *banned;
    bool *best;
    double best_cost;
    int64_t left;
} search_t;

static bool solve(search_t *search, int *picked, double *cost)
{
    nv_mem_t *scratch = nv_mem_child(search->ctx, "forest");
    graph_arc_t *open = NV_NEW_ARRAY(scratch, graph_arc_t, search->n_arcs);
    int *index = NV_NEW_ARRAY(scratch, int, search->n_arcs);
    size_t n_open = 0;
    for (size_t i = 0; i < search->n_arcs; i++) {
        if (search->banned[i])
            continue;
        index[n_open] = (int)i;
        open[n_open++] = search->arcs[i];
    }
    bool found = graph_arborescence(scratch, search->n + 1, search->n, open, n_open, picked, cost);
    for (int v = 0; found && v <= search->n; v++)
        picked[v] = picked[v] >= 0 ? index[picked[v]] : -1;
    nv_mem_free(scratch);
    return found;
}

/* The first group used more than once, or -1. */
static int conflict(const search_t *search, const int *picked)
{
    for (int v = 0; v < search->n; v++) {
        if (picked[v] < 0 || (size_t)picked[v] >= search->n_joins)
            continue;
        for (int u = v + 1; u < search->n; u++) {
            if (picked[u] >= 0 && (size_t)picked[u] < search->n_joins &&
                search->arcs[picked[u]].group == search->arcs[picked[v]].group)
                return search->arcs[picked[v]].group;
        }
    }
    return -1;
}

static void branch(search_t *search)
{
    if (search->left-- <= 0)
        return;
    int *picked = NV_NEW_ARRAY(search->ctx, int, (size_t)search->n + 1);
    double cost = 0;
    if (!solve(search, picked, &cost) || cost >= search->best_cost - 1e-12) {
        nv_mem_free(picked);
        return;
    }
    int group = conflict(search, picked);
    if (group < 0) {
        search->best_cost = cost;
        memset(search->best, 0, search->n_joins);
        for (int v = 0; v < search->n; v++) {
            if (picked[v] >= 0 && (size_t)picked[v] < search->n_joins)
                search->best[picked[v]] = true;
        }
        nv_mem_free(picked);
        return;
    }
    /* One branch per arc of the violated group that was used: it alone survives. Arcs of the group that were not used stay
     * reachable in the last branch, where all the used ones are banned. */
    size_t used[64], n_used = 0;
    for (int v = 0; v < search->n && n_used < 64; v++) {
        if (picked[v] >= 0 && (size_t)picked[v] < search->n_joins && search->arcs[picked[v]].group == group)
            used[n_used++] = (size_t)picked[v];
    }
    nv_mem_free(picked);
    size_t *banned_here = NV_NEW_ARRAY(search->ctx, size_t, search->n_joins + 1), n_banned = 0;
    for (size_t keep = 0; keep <= n_used; keep++) {
        n_banned = 0;
        for (size_t i = 0; i < search->n_joins; i++) {
            bool ban = search->arcs[i].group == group && !search->banned[i];
            if (keep < n_used)
                ban = ban && i != used[keep];
            else {
                bool was_used = false;
                for (size_t k = 0; k < n_used; k++)
                    was_used = was_used || used[k] == i;
                ban = ban && was_used;
            }
            if (ban) {
                search->banned[i] = true;
                banned_here[n_banned++] = i;
            }
        }
        branch(search);
        for (size_t i = 0; i < n_banned; i++)
            search->banned[banned_here[i]] = false;
    }
    nv_mem_free(banned_here);
}

bool graph_best_forest(nv_mem_t *ctx, int n, const graph_arc_t *arcs, size_t n_arcs, double split_cost,
                       int64_t limit, bool *chosen)
{
    nv_mem_t *scratch = nv_mem_child(ctx, "branch and bound");
    search_t search = {.ctx = scratch,
                       .n = n,
                       .n_joins = n_arcs,
                       .n_arcs = n_arcs + (size_t)n,
                       .best_cost = INFINITY,
                       .left = limit};
    search.arcs = NV_NEW_ARRAY(scratch, graph_arc_t, search.n_arcs + 1);
    if (n_arcs > 0)
        memcpy(search.arcs, arcs, sizeof *arcs * n_arcs);
    for (int v = 0; v < n; v++)
        search.arcs[n_arcs + (size_t)v] =
            (graph_arc_t){.from = n, .to = v, .cost = split_cost, .group = -1 - v};
    search.banned = NV_NEW_ARRAY(scratch, bool, search.n_arcs + 1);
    search.best = chosen;
    memset(chosen, 0, n_arcs * sizeof *chosen);
    branch(&search);
    bool proven = search.left > 0;
    nv_mem_free(scratch);
    return proven;
}
