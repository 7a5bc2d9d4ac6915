#include "workspace/run_graph.h"

#include "tests/unit/workspace/check.h"

#define N WS_OUTCOME_NONE
#define S WS_OUTCOME_SUCCESS
#define F WS_OUTCOME_FAILED
#define C WS_OUTCOME_CANCELED
#define X WS_OUTCOME_EXCLUDED

/* Task 2 depends on tasks 0 and 1. */
static ws_graph_t *join_of_two(nv_mem_t *mem, ws_run_if_t run_if)
{
    ws_graph_t *graph = NV_NEW(mem, ws_graph_t);
    graph->count = 3;
    graph->tasks = NV_NEW_ARRAY(mem, ws_graph_task_t, 3);
    graph->tasks[0].key = "a";
    graph->tasks[1].key = "b";
    graph->tasks[2] = (ws_graph_task_t){.key = "c", .run_if = run_if, .dependency_count = 2};
    graph->tasks[2].depends_on = NV_NEW_ARRAY(mem, size_t, 2);
    graph->tasks[2].depends_on[1] = 1;
    return graph;
}

static void follows_run_if(void **state)
{
    (void)state;
    static const struct {
        ws_run_if_t run_if;
        ws_outcome_t a, b;
        ws_decision_t decision;
        ws_outcome_t skipped_as;
    } cases[] = {
        {WS_RUN_IF_ALL_SUCCESS, S, N, WS_TASK_WAIT, N},
        {WS_RUN_IF_ALL_SUCCESS, F, N, WS_TASK_WAIT, N},
        {WS_RUN_IF_ALL_SUCCESS, S, S, WS_TASK_START, N},
        {WS_RUN_IF_ALL_SUCCESS, S, X, WS_TASK_START, N},
        {WS_RUN_IF_ALL_SUCCESS, X, X, WS_TASK_SKIP, WS_OUTCOME_EXCLUDED},
        {WS_RUN_IF_ALL_SUCCESS, S, F, WS_TASK_SKIP, WS_OUTCOME_UPSTREAM_FAILED},
        {WS_RUN_IF_ALL_SUCCESS, S, C, WS_TASK_SKIP, WS_OUTCOME_UPSTREAM_CANCELED},
        {WS_RUN_IF_ALL_SUCCESS, F, C, WS_TASK_SKIP, WS_OUTCOME_UPSTREAM_FAILED},
        {WS_RUN_IF_ALL_SUCCESS, S, WS_OUTCOME_TIMEDOUT, WS_TASK_SKIP, WS_OUTCOME_UPSTREAM_FAILED},
        {WS_RUN_IF_AT_LEAST_ONE_SUCCESS, S, F, WS_TASK_START, N},
        {WS_RUN_IF_AT_LEAST_ONE_SUCCESS, F, F, WS_TASK_SKIP, WS_OUTCOME_UPSTREAM_FAILED},
        {WS_RUN_IF_NONE_FAILED, S, S, WS_TASK_START, N},
        {WS_RUN_IF_NONE_FAILED, S, F, WS_TASK_SKIP, WS_OUTCOME_UPSTREAM_FAILED},
        {WS_RUN_IF_ALL_DONE, F, C, WS_TASK_START, N},
        {WS_RUN_IF_ALL_DONE, N, C, WS_TASK_WAIT, N},
        {WS_RUN_IF_AT_LEAST_ONE_FAILED, S, F, WS_TASK_START, N},
        {WS_RUN_IF_AT_LEAST_ONE_FAILED, S, S, WS_TASK_SKIP, WS_OUTCOME_EXCLUDED},
        {WS_RUN_IF_ALL_FAILED, F, F, WS_TASK_START, N},
        {WS_RUN_IF_ALL_FAILED, F, S, WS_TASK_SKIP, WS_OUTCOME_EXCLUDED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        NV_MEM_SCOPE nv_mem_t *mem = nv_mem_root("test");
        ws_outcome_t outcomes[] = {cases[i].a, cases[i].b, N};
        ws_outcome_t skipped_as = N;
        assert_int_equal(ws_graph_decide(join_of_two(mem, cases[i].run_if), outcomes, 2, &skipped_as),
                         cases[i].decision);
        assert_int_equal(skipped_as, cases[i].skipped_as);
    }
}

static void sums_up_results(void **state)
{
    (void)state;
    static const struct {
        ws_outcome_t outcomes[3];
        const char *result;
    } cases[] = {
        {{S, S, S}, "SUCCESS"},
        {{F, S, S}, "SUCCESS_WITH_FAILURES"},
        {{F, S, WS_OUTCOME_UPSTREAM_FAILED}, "FAILED"},
        {{S, S, F}, "FAILED"},
        {{S, S, C}, "CANCELED"},
        {{S, S, X}, "SUCCESS"},
        {{C, S, WS_OUTCOME_UPSTREAM_CANCELED}, "CANCELED"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        NV_MEM_SCOPE nv_mem_t *mem = nv_mem_root("test");
        const ws_graph_t *graph = join_of_two(mem, WS_RUN_IF_ALL_DONE);
        assert_string_equal(ws_graph_result(mem, graph, cases[i].outcomes), cases[i].result);
    }
}

static void finds_cycles(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *mem = nv_mem_root("test");
    ws_graph_t *graph = join_of_two(mem, WS_RUN_IF_ALL_SUCCESS);
    assert_int_equal(ws_graph_find_cycle(mem, graph), 3);
    graph->tasks[0].dependency_count = 1;
    graph->tasks[0].depends_on = NV_NEW_ARRAY(mem, size_t, 1);
    graph->tasks[0].depends_on[0] = 2;
    assert_int_equal(ws_graph_find_cycle(mem, graph), 0);
}

static void names_round_trip(void **state)
{
    (void)state;
    for (int i = WS_OUTCOME_SUCCESS; i <= WS_OUTCOME_EXCLUDED; i++) {
        assert_int_equal(ws_outcome_parse(ws_outcome_name((ws_outcome_t)i)), i);
    }
    assert_int_equal(ws_outcome_parse(NULL), WS_OUTCOME_NONE);
    assert_int_equal(ws_run_if_parse("SOMETIMES"), WS_RUN_IF_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(follows_run_if), cmocka_unit_test(sums_up_results),
                                       cmocka_unit_test(finds_cycles), cmocka_unit_test(names_round_trip)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
