/* The optimum against brute force over all subsets of arcs. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "worker/discovery/graph.h"

static unsigned next_random(unsigned *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* A forest: at most one arc into each node, no cycle, at most one arc per group. */
static bool is_valid(int n, const graph_arc_t *arcs, size_t n_arcs, unsigned mask)
{
    int parent[16];
    for (int v = 0; v < n; v++)
        parent[v] = -1;
    for (size_t i = 0; i < n_arcs; i++) {
        if (!(mask >> i & 1))
            continue;
        if (parent[arcs[i].to] >= 0)
            return false;
        parent[arcs[i].to] = arcs[i].from;
        for (size_t j = 0; j < i; j++) {
            if ((mask >> j & 1) && arcs[j].group == arcs[i].group)
                return false;
        }
    }
    for (int v = 0; v < n; v++) {
        int u = v;
        for (int steps = 0; u >= 0; u = parent[u]) {
            if (++steps > n)
                return false;
        }
    }
    return true;
}

static double cost_of(int n, const graph_arc_t *arcs, size_t n_arcs, unsigned mask, double split)
{
    double cost = 0;
    int trees = n;
    for (size_t i = 0; i < n_arcs; i++) {
        if (mask >> i & 1) {
            cost += arcs[i].cost;
            trees--;
        }
    }
    return cost + trees * split;
}

static void test_against_brute_force(void **state)
{
    (void)state;
    unsigned seed = 7;
    for (int round = 0; round < 300; round++) {
        int n = 2 + (int)(next_random(&seed) % 5);
        size_t n_arcs = 1 + next_random(&seed) % 10;
        graph_arc_t arcs[10];
        for (size_t i = 0; i < n_arcs; i++) {
            arcs[i].from = (int)(next_random(&seed) % (unsigned)n);
            arcs[i].to = (arcs[i].from + 1 + (int)(next_random(&seed) % (unsigned)(n - 1))) % n;
            arcs[i].cost = (1 + next_random(&seed) % 1000) / 1000.0;
            arcs[i].group = (int)(next_random(&seed) % 6);
        }
        double split = -log(0.5), best = INFINITY;
        for (unsigned mask = 0; mask < 1u << n_arcs; mask++) {
            if (is_valid(n, arcs, n_arcs, mask))
                best = fmin(best, cost_of(n, arcs, n_arcs, mask, split));
        }
        NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
        bool chosen[10];
        assert_true(graph_best_forest(ctx, n, arcs, n_arcs, split, 100000, chosen));
        unsigned mask = 0;
        for (size_t i = 0; i < n_arcs; i++)
            mask |= (unsigned)chosen[i] << i;
        assert_true(is_valid(n, arcs, n_arcs, mask));
        assert_true(fabs(cost_of(n, arcs, n_arcs, mask, split) - best) < 1e-9);
    }
}

static void test_a_cut_search_says_so(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    graph_arc_t arcs[] = {{0, 1, 0.1, 1}, {0, 2, 0.1, 1}};
    bool chosen[2];
    assert_false(graph_best_forest(ctx, 3, arcs, 2, 0.7, 1, chosen));
    assert_true(graph_best_forest(ctx, 3, arcs, 2, 0.7, 100, chosen));
    assert_int_equal(chosen[0] + chosen[1], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_against_brute_force),
                                       cmocka_unit_test(test_a_cut_search_says_so)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
