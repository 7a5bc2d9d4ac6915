/* The best set of joins over all tables together.
 *
 * k-MCA with the FK-once constraint after Auto-BI (arXiv 2306.12515): an artificial root reaches every table for a price, so a
 * minimum-cost arborescence of the whole splits into k trees at just the joins whose probability is below one half; the price
 * of a join is -log P. The arborescence is Chu-Liu/Edmonds. "One source column set references one target" is enforced by
 * branch and bound on the first violated set. Pure; any thread.
 */
#ifndef WORKER_DISCOVERY_GRAPH_H
#define WORKER_DISCOVERY_GRAPH_H

#include "common/core/mem.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct graph_arc {
    int from, to; /* a join from table `from` makes `to` its child; from != to */
    double cost;  /* -log P, >= 0 */
    int group;    /* arcs of one group exclude one another: same source columns */
} graph_arc_t;

/* Minimum-cost arborescence rooted at `root` of n nodes; picked[i] = index of the arc into node i, -1 for the root and for
 * nodes that cannot be reached (then false). */
bool graph_arborescence(nv_mem_t *ctx, int n, int root, const graph_arc_t *arcs, size_t n_arcs, int *picked,
                        double *cost);

/* chosen[i] = arc i belongs to the optimum. Returns false when `limit` nodes of the search did not suffice: chosen is then the
 * best found. split_cost is the price of one more tree. */
bool graph_best_forest(nv_mem_t *ctx, int n, const graph_arc_t *arcs, size_t n_arcs, double split_cost,
                       int64_t limit, bool *chosen);

#endif
