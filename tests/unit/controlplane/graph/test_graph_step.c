/* Supersteps: edges, cycles, joins, sends, routers, subscriptions, limits. */
#include "harness.h"

#include <string.h>

typedef struct parts {
    nv_graph_t *graph;
    nv_channel_id_t log; /* topic */
} parts_t;

static parts_t begin(void)
{
    parts_t p = {nv_graph_new(NULL, "g"), 0};
    p.log = nv_graph_add_channel(p.graph, &(nv_channel_spec_t){.name = "log", .kind = NV_CHANNEL_TOPIC});
    return p;
}

static nv_node_id_t node(parts_t *p, const char *name)
{
    return nv_graph_add_node(p->graph, &(nv_node_spec_t){.name = name, .writes = &p->log, .write_count = 1});
}

static harness_t *compile(parts_t *p)
{
    nv_error_t err = NV_ERROR_INIT;
    if (!nv_graph_compile(p->graph, &err))
        fail_msg("%s", err.message);
    return harness_new(p->graph);
}

static void end(harness_t *h)
{
    nv_mem_free((void *)(uintptr_t)h->graph);
    harness_free(h);
}

static void a_chain_runs_in_order_and_ends(void **state)
{
    (void)state;
    parts_t p = begin();
    nv_node_id_t a = node(&p, "a"), b = node(&p, "b"), c = node(&p, "c");
    nv_graph_add_edge(p.graph, NV_GRAPH_START, a);
    nv_graph_add_edge(p.graph, a, b);
    nv_graph_add_edge(p.graph, b, c);
    nv_graph_add_edge(p.graph, c, NV_GRAPH_END);
    harness_t *h = compile(&p);
    harness_start(h, NULL, 0);
    harness_done(h, "a", "log", "a");
    assert_false(harness_has(h, "c"));
    harness_reload(h);
    harness_done(h, "b", "log", "b");
    harness_done(h, "c", "log", "c");
    assert_int_equal(h->finished, 1);
    assert_int_equal(h->phase, NV_RUN_DONE);
    assert_items(h, "log", "a,b,c");
    assert_int_equal(nv_graph_run_step_count(h->run), 3);
    assert_int_equal(h->checkpoint_count, 4); /* the input, and one per superstep */
    harness_reload(h);
    assert_int_equal(nv_graph_run_phase(h->run), NV_RUN_DONE);
    assert_int_equal(h->finished, 2); /* told again after a restart */
    assert_int_equal(nv_graph_node_visits(h->run, b), 1);
    end(h);
}

static void outcomes_choose_edges_and_cycles_loop(void **state)
{
    (void)state;
    parts_t p = begin();
    nv_node_id_t work = node(&p, "work"), check = node(&p, "check");
    nv_graph_add_edge(p.graph, NV_GRAPH_START, work);
    nv_graph_add_edge(p.graph, work, check);
    nv_graph_add_edge_on(p.graph, check, 1, work);
    harness_t *h = compile(&p);
    harness_start(h, NULL, 0);
    for (int i = 0; i < 3; i++) {
        harness_done(h, "work", "log", "w");
        harness_reload(h);
        harness_done_outcome(h, "check", i < 2);
    }
    assert_int_equal(h->phase, NV_RUN_DONE);
    assert_items(h, "log", "w,w,w");
    assert_int_equal(nv_graph_node_visits(h->run, work), 3);
    end(h);
}

static void the_recursion_limit_ends_a_cycle(void **state)
{
    (void)state;
    parts_t p = begin();
    nv_node_id_t a = node(&p, "a");
    nv_graph_add_edge(p.graph, NV_GRAPH_START, a);
    nv_graph_add_edge(p.graph, a, a);
    nv_graph_set_limits(p.graph, &(nv_graph_limits_t){.recursion = 5});
    harness_t *h = compile(&p);
    harness_start(h, NULL, 0);
    for (int i = 0; i < 5; i++)
        harness_done(h, "a", NULL, NULL);
    assert_int_equal(h->phase, NV_RUN_FAILED);
    const char *text;
    assert_int_equal(nv_graph_run_reason(h->run, &text), NV_OUT_OF_RANGE);
    assert_non_null(strstr(text, "5 supersteps"));
    end(h);
}

static void a_join_waits_for_branches_of_unequal_length(void **state)
{
    (void)state;
    parts_t p = begin();
    nv_node_id_t a = node(&p, "a"), b1 = node(&p, "b1"), b2 = node(&p, "b2"), j = node(&p, "join");
    nv_graph_add_edge(p.graph, NV_GRAPH_START, a);
    nv_graph_add_edge(p.graph, NV_GRAPH_START, b1);
    nv_graph_add_edge(p.graph, b1, b2);
    nv_graph_add_join(p.graph, (nv_node_id_t[]){a, b2}, 2, j);
    nv_graph_add_edge_on(p.graph, j, 1, a);
    nv_graph_add_edge_on(p.graph, j, 1, b1);
    harness_t *h = compile(&p);
    harness_start(h, NULL, 0);
    for (int round = 0; round < 2; round++) {
        harness_done(h, "a", "log", "a");
        harness_done(h, "b1", "log", "b1");
        assert_false(harness_has(h, "join"));
        harness_reload(h);
        assert_false(harness_has(h, "join"));
        harness_done(h, "b2", "log", "b2");
        harness_reload(h);
        harness_done_outcome(h, "join", round == 0);
    }
    assert_int_equal(h->phase, NV_RUN_DONE);
    assert_int_equal(nv_graph_node_visits(h->run, j), 2); /* the barrier starts over */
    end(h);
}

static void sends_fan_out_with_arguments_and_join(void **state)
{
    (void)state;
    parts_t p = begin();
    nv_node_id_t plan = node(&p, "plan"), each = node(&p, "each"), sum = node(&p, "sum");
    nv_graph_add_edge(p.graph, NV_GRAPH_START, plan);
    nv_graph_allow_send(p.graph, plan, each);
    nv_graph_add_edge(p.graph, each, sum);
    harness_t *h = compile(&p);
    harness_start(h, NULL, 0);
    given_t given = harness_take(h, "plan");
    nv_graph_send_t sends[] = {
        {each, nv_bytes_text("x")}, {each, nv_bytes_text("y")}, {each, nv_bytes_text("z")}};
    harness_must(
        h,
        &(nv_graph_event_t){
            .kind = NV_EVENT_TASK_DONE, .task = given.task, .attempt = 1, .sends = sends, .send_count = 3});
    assert_int_equal(h->given_count, 3);
    harness_reload(h);
    assert_string_equal(h->given[1].argument, "y");
    harness_done(h, "each", "log", "x");
    harness_reload(h); /* x is not done again */
    assert_int_equal(h->given_count, 2);
    harness_done(h, "each", "log", "y");
    assert_false(harness_has(h, "sum"));
    harness_done(h, "each", "log", "z");
    assert_items(h, "log", "x,y,z");
    assert_int_equal(h->given_count, 1); /* one sum, not three */
    harness_done(h, "sum", NULL, NULL);
    assert_int_equal(h->phase, NV_RUN_DONE);
    end(h);
}

static void sends_must_be_allowed(void **state)
{
    (void)state;
    nv_error_t err = NV_ERROR_INIT;
    parts_t p = begin();
    nv_node_id_t a = node(&p, "a"), b = node(&p, "b");
    nv_graph_add_edge(p.graph, NV_GRAPH_START, a);
    nv_graph_add_edge(p.graph, a, b);
    harness_t *h = compile(&p);
    harness_start(h, NULL, 0);
    given_t given = harness_take(h, "a");
    nv_graph_send_t send = {b, nv_bytes_text("x")};
    nv_graph_event_t event = {
        .kind = NV_EVENT_TASK_DONE, .task = given.task, .attempt = 1, .sends = &send, .send_count = 1};
    assert_false(harness_send(h, &event, &err));
    assert_int_equal(err.code, NV_PERMISSION_DENIED);
    event.send_count = 0;
    harness_must(h, &event); /* a refused event changed nothing */
    assert_true(harness_has(h, "b"));
    end(h);
}

static void by_log_length(const nv_graph_run_t *run, nv_route_t *route, void *user)
{
    const nv_node_id_t *targets = user;
    if (nv_graph_read_count(run, 0) < 3)
        nv_route_to(route, targets[0]);
    else
        nv_route_send(route, targets[1], nv_bytes_text("enough"));
}

static void routers_read_the_state_after_the_superstep(void **state)
{
    (void)state;
    parts_t p = begin();
    nv_node_id_t a = node(&p, "a"), b = node(&p, "b");
    nv_node_id_t targets[] = {a, b};
    nv_graph_add_edge(p.graph, NV_GRAPH_START, a);
    nv_graph_add_router(p.graph, a, by_log_length, targets, targets, 2);
    harness_t *h = compile(&p);
    harness_start(h, NULL, 0);
    for (int i = 0; i < 3; i++)
        harness_done(h, "a", "log", "x");
    assert_int_equal(h->given_count, 1);
    assert_string_equal(h->given[0].argument, "enough");
    harness_done(h, "b", NULL, NULL);
    assert_int_equal(h->phase, NV_RUN_DONE);
    end(h);
}

static void a_subscriber_runs_when_its_channel_changes(void **state)
{
    (void)state;
    parts_t p = begin();
    nv_node_id_t a = node(&p, "a");
    nv_graph_add_node(p.graph,
                      &(nv_node_spec_t){.name = "watch", .subscribes = &p.log, .subscribe_count = 1});
    nv_graph_add_edge(p.graph, NV_GRAPH_START, a);
    nv_graph_add_edge_on(p.graph, a, 0, a);
    nv_graph_set_limits(p.graph, &(nv_graph_limits_t){.recursion = 50});
    harness_t *h = compile(&p);
    harness_start(h, NULL, 0);
    assert_false(harness_has(h, "watch"));
    harness_done(h, "a", NULL, NULL);
    assert_false(harness_has(h, "watch"));
    harness_done(h, "a", "log", "x");
    assert_true(harness_has(h, "watch"));
    harness_done(h, "watch", NULL, NULL);
    harness_done(h, "a", NULL, NULL);
    assert_false(harness_has(h, "watch")); /* seen this version already */
    end(h);
}

static bool count_down(nv_node_call_t *call, void *user, nv_error_t *err)
{
    (void)err;
    const nv_graph_run_t *run = nv_node_call_run(call);
    nv_node_call_outcome(call, nv_graph_read_count(run, 0) < *(const size_t *)user);
    nv_node_call_write(call, &(nv_graph_write_t){.channel = 0, .value = nv_bytes_text("t")});
    return true;
}

static void local_nodes_run_without_a_worker_one_checkpoint_each(void **state)
{
    (void)state;
    parts_t p = begin();
    size_t rounds = 3;
    nv_node_id_t a = nv_graph_add_node(
        p.graph, &(nv_node_spec_t){
                     .name = "a", .local = count_down, .user = &rounds, .writes = &p.log, .write_count = 1});
    nv_graph_add_edge(p.graph, NV_GRAPH_START, a);
    nv_graph_add_edge_on(p.graph, a, 1, a);
    harness_t *h = compile(&p);
    harness_start(h, NULL, 0);
    assert_int_equal(h->phase, NV_RUN_DONE);
    assert_items(h, "log", "t,t,t,t");
    assert_int_equal(h->checkpoint_count, 5);
    assert_int_equal(h->given_count, 0);
    end(h);
}

static bool oversteps(nv_node_call_t *call, void *user, nv_error_t *err)
{
    (void)user;
    (void)err;
    nv_node_call_write(call, &(nv_graph_write_t){.channel = 0, .value = nv_bytes_text("t")});
    return true;
}

static void a_local_node_may_not_write_what_it_did_not_declare(void **state)
{
    (void)state;
    parts_t p = begin();
    nv_node_id_t a = nv_graph_add_node(p.graph, &(nv_node_spec_t){.name = "a", .local = oversteps});
    nv_graph_add_edge(p.graph, NV_GRAPH_START, a);
    harness_t *h = compile(&p);
    harness_start(h, NULL, 0);
    assert_int_equal(h->phase, NV_RUN_FAILED);
    const char *text;
    assert_int_equal(nv_graph_run_reason(h->run, &text), NV_PERMISSION_DENIED);
    end(h);
}

static void a_graph_without_entry_tasks_ends_at_once(void **state)
{
    (void)state;
    parts_t p = begin();
    nv_graph_add_node(p.graph,
                      &(nv_node_spec_t){.name = "watch", .subscribes = &p.log, .subscribe_count = 1});
    harness_t *h = compile(&p);
    harness_start(h, NULL, 0);
    assert_int_equal(h->phase, NV_RUN_DONE);
    end(h);
}

static void stale_and_double_results_are_refused(void **state)
{
    (void)state;
    nv_error_t err = NV_ERROR_INIT;
    parts_t p = begin();
    nv_node_id_t a = node(&p, "a"), b = node(&p, "b");
    nv_graph_add_edge(p.graph, NV_GRAPH_START, a);
    nv_graph_add_edge(p.graph, a, b);
    harness_t *h = compile(&p);
    harness_start(h, NULL, 0);
    given_t given = harness_take(h, "a");
    nv_graph_event_t event = {.kind = NV_EVENT_TASK_DONE, .task = given.task, .attempt = 2};
    assert_false(harness_send(h, &event, &err)); /* an attempt that was never given */
    assert_int_equal(err.code, NV_ABORTED);
    event.attempt = 1;
    harness_must(h, &event);
    uint64_t events = h->last_event;
    assert_false(harness_send(h, &event, &err)); /* the same result twice */
    assert_int_equal(err.code, NV_ABORTED);
    event.task = UINT64_MAX;
    assert_false(harness_send(h, &event, &err));
    assert_int_equal(nv_graph_run_last_event(h->run), events);
    end(h);
}

static void cancel_reaches_what_is_running_and_nothing_follows(void **state)
{
    (void)state;
    nv_error_t err = NV_ERROR_INIT;
    parts_t p = begin();
    nv_node_id_t a = node(&p, "a"), b = node(&p, "b"), c = node(&p, "c");
    nv_graph_add_edge(p.graph, NV_GRAPH_START, a);
    nv_graph_add_edge(p.graph, NV_GRAPH_START, b);
    nv_graph_add_edge(p.graph, a, c);
    harness_t *h = compile(&p);
    harness_start(h, NULL, 0);
    given_t kept = h->given[1];
    harness_done(h, "a", "log", "a");
    harness_must(h, &(nv_graph_event_t){.kind = NV_EVENT_CANCEL, .text = "enough"});
    assert_int_equal(h->phase, NV_RUN_CANCELLED);
    assert_int_equal(h->cancelled_count, 1);
    assert_int_equal(h->cancelled[0].node, b);
    assert_false(harness_send(
        h, &(nv_graph_event_t){.kind = NV_EVENT_TASK_DONE, .task = kept.task, .attempt = 1}, &err));
    assert_false(harness_send(h, &(nv_graph_event_t){.kind = NV_EVENT_CANCEL}, &err));
    harness_reload(h);
    assert_int_equal(h->cancelled_count, 2); /* called back again after a restart */
    assert_int_equal(h->cancelled[1].task, kept.task);
    assert_int_equal(nv_graph_run_phase(h->run), NV_RUN_CANCELLED);
    const char *text;
    nv_graph_run_reason(h->run, &text);
    assert_string_equal(text, "enough");
    end(h);
}

static void notes_take_numbers_in_the_stream(void **state)
{
    (void)state;
    parts_t p = begin();
    nv_graph_add_edge(p.graph, NV_GRAPH_START, node(&p, "a"));
    harness_t *h = compile(&p);
    harness_start(h, NULL, 0);
    uint64_t before = h->last_event;
    harness_must(h, &(nv_graph_event_t){.kind = NV_EVENT_NOTE, .task = h->given[0].task, .text = "half way"});
    assert_int_equal(h->last_event, before + 1);
    assert_int_equal(h->news[before + 1], NV_NEWS_NOTE);
    assert_string_equal(h->effects->list[0].text, "half way");
    harness_reload(h); /* although no state record was written with it */
    harness_done(h, "a", NULL, NULL);
    nv_error_t err = NV_ERROR_INIT;
    assert_false(harness_send(h, &(nv_graph_event_t){.kind = NV_EVENT_NOTE, .text = "late"}, &err));
    end(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chain_runs_in_order_and_ends),
        cmocka_unit_test(outcomes_choose_edges_and_cycles_loop),
        cmocka_unit_test(the_recursion_limit_ends_a_cycle),
        cmocka_unit_test(a_join_waits_for_branches_of_unequal_length),
        cmocka_unit_test(sends_fan_out_with_arguments_and_join),
        cmocka_unit_test(sends_must_be_allowed),
        cmocka_unit_test(routers_read_the_state_after_the_superstep),
        cmocka_unit_test(a_subscriber_runs_when_its_channel_changes),
        cmocka_unit_test(local_nodes_run_without_a_worker_one_checkpoint_each),
        cmocka_unit_test(a_local_node_may_not_write_what_it_did_not_declare),
        cmocka_unit_test(a_graph_without_entry_tasks_ends_at_once),
        cmocka_unit_test(stale_and_double_results_are_refused),
        cmocka_unit_test(cancel_reaches_what_is_running_and_nothing_follows),
        cmocka_unit_test(notes_take_numbers_in_the_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
