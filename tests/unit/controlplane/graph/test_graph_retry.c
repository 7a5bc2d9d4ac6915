/* Failures: retries with back-off, timeouts, error channels, failed runs taken up again. */
#include "harness.h"

#include <string.h>

typedef struct options {
    nv_retry_policy_t retry;
    uint32_t timeout_ms, queue_timeout_ms;
    bool catches;
} options_t;

/* a and b side by side, then c; only a has options. */
static harness_t *pair(options_t o)
{
    nv_error_t err = NV_ERROR_INIT;
    nv_graph_t *graph = nv_graph_new(NULL, "g");
    nv_channel_id_t log =
        nv_graph_add_channel(graph, &(nv_channel_spec_t){.name = "log", .kind = NV_CHANNEL_TOPIC});
    nv_channel_id_t errors =
        nv_graph_add_channel(graph, &(nv_channel_spec_t){.name = "errors", .kind = NV_CHANNEL_TOPIC});
    nv_node_id_t a = nv_graph_add_node(graph, &(nv_node_spec_t){.name = "a",
                                                                .writes = &log,
                                                                .write_count = 1,
                                                                .retry = o.retry,
                                                                .timeout_ms = o.timeout_ms,
                                                                .queue_timeout_ms = o.queue_timeout_ms,
                                                                .catches = o.catches,
                                                                .error_channel = errors});
    nv_node_id_t b =
        nv_graph_add_node(graph, &(nv_node_spec_t){.name = "b", .writes = &log, .write_count = 1});
    nv_node_id_t c =
        nv_graph_add_node(graph, &(nv_node_spec_t){.name = "c", .writes = &log, .write_count = 1});
    nv_graph_add_edge(graph, NV_GRAPH_START, a);
    nv_graph_add_edge(graph, NV_GRAPH_START, b);
    nv_graph_add_join(graph, (nv_node_id_t[]){a, b}, 2, c);
    assert_true(nv_graph_compile(graph, &err));
    harness_t *h = harness_new(graph);
    harness_start(h, NULL, 0);
    return h;
}

static void end(harness_t *h)
{
    nv_mem_free((void *)(uintptr_t)h->graph);
    harness_free(h);
}

static void back_off_grows_to_the_cap(void **state)
{
    (void)state;
    harness_t *h = pair((options_t){
        .retry = {.max_attempts = 6, .initial_ms = 100, .factor_permille = 3000, .cap_ms = 1000}});
    static const int64_t delays[] = {100, 300, 900, 1000, 1000};
    for (size_t i = 0; i < 5; i++) {
        harness_fail(h, "a", false);
        assert_int_equal(h->timer, h->now + delays[i]);
        harness_tick(h, h->timer - 1); /* too early */
        assert_false(harness_has(h, "a"));
        if (i == 2)
            harness_reload(h); /* the wait survives a restart; b is given again */
        harness_tick(h, h->timer);
        assert_true(harness_has(h, "a"));
    }
    harness_done(h, "a", "log", "a");
    harness_done(h, "b", "log", "b");
    assert_items(h, "log", "a,b");
    assert_true(harness_has(h, "c"));
    end(h);
}

static void jitter_shortens_the_delay_by_its_share_only(void **state)
{
    (void)state;
    for (uint32_t random = 0; random < 3000; random += 333) {
        harness_t *h =
            pair((options_t){.retry = {.max_attempts = 2, .initial_ms = 1000, .jitter_permille = 250}});
        given_t given = harness_take(h, "a");
        harness_must(h,
                     &(nv_graph_event_t){
                         .kind = NV_EVENT_TASK_FAILED, .task = given.task, .attempt = 1, .random = random});
        assert_in_range(h->timer - h->now, 750, 1000);
        end(h);
    }
}

static void the_last_failure_fails_the_run_and_keeps_siblings_writes(void **state)
{
    (void)state;
    harness_t *h = pair((options_t){.retry = {.max_attempts = 2}});
    harness_done(h, "b", "log", "b");
    harness_fail(h, "a", false);
    harness_tick(h, h->timer);
    harness_fail(h, "a", false);
    assert_int_equal(h->phase, NV_RUN_FAILED);
    const char *text;
    assert_int_equal(nv_graph_run_reason(h->run, &text), NV_UNAVAILABLE);
    assert_string_equal(text, "a: it broke");
    harness_reload(h);
    assert_int_equal(nv_graph_run_phase(h->run), NV_RUN_FAILED);
    harness_must(h, &(nv_graph_event_t){.kind = NV_EVENT_RETRY});
    assert_int_equal(h->given_count, 1); /* b is not done again */
    given_t given = harness_take(h, "a");
    assert_int_equal(given.attempt, 3); /* never an attempt twice */
    harness_must(h, &(nv_graph_event_t){.kind = NV_EVENT_TASK_DONE, .task = given.task, .attempt = 3});
    assert_items(h, "log", "b");
    assert_true(harness_has(h, "c"));
    harness_reload(h);
    harness_done(h, "c", NULL, NULL);
    assert_int_equal(h->phase, NV_RUN_DONE);
    end(h);
}

static void a_failure_cancels_siblings_that_still_run(void **state)
{
    (void)state;
    harness_t *h = pair((options_t){0});
    given_t b = h->given[1];
    harness_fail(h, "a", false); /* no retry policy: once is enough */
    assert_int_equal(h->phase, NV_RUN_FAILED);
    assert_int_equal(h->cancelled_count, 1);
    assert_int_equal(h->cancelled[0].task, b.task);
    nv_error_t err = NV_ERROR_INIT;
    assert_false(
        harness_send(h, &(nv_graph_event_t){.kind = NV_EVENT_TASK_DONE, .task = b.task, .attempt = 1}, &err));
    h->given_count = 0;
    harness_must(h, &(nv_graph_event_t){.kind = NV_EVENT_RETRY});
    assert_int_equal(h->given_count, 2);
    assert_int_equal(h->given[1].attempt, 2);
    assert_false(harness_send(h, &(nv_graph_event_t){.kind = NV_EVENT_RETRY}, &err));
    end(h);
}

static void a_final_failure_is_not_retried(void **state)
{
    (void)state;
    harness_t *h = pair((options_t){.retry = {.max_attempts = 5}});
    harness_fail(h, "a", true);
    assert_int_equal(h->phase, NV_RUN_FAILED);
    end(h);
}

static void a_caught_failure_is_a_value_and_an_outcome(void **state)
{
    (void)state;
    harness_t *h = pair((options_t){.catches = true});
    harness_fail(h, "a", true);
    harness_reload(h); /* the caught error is kept while b still works */
    harness_done(h, "b", "log", "b");
    assert_items(h, "errors", "a: it broke");
    assert_items(h, "log", "b");
    assert_true(harness_has(h, "c"));
    end(h);
}

static void a_caught_failure_may_end_the_superstep(void **state)
{
    (void)state;
    harness_t *h = pair((options_t){.catches = true});
    harness_done(h, "b", "log", "b");
    harness_fail(h, "a", true);
    assert_items(h, "errors", "a: it broke");
    assert_true(harness_has(h, "c"));
    harness_reload(h);
    end(h);
}

static void a_started_task_times_out_and_its_late_result_is_refused(void **state)
{
    (void)state;
    nv_error_t err = NV_ERROR_INIT;
    harness_t *h = pair((options_t){.timeout_ms = 500, .retry = {.max_attempts = 2, .initial_ms = 10}});
    assert_int_equal(h->timer, NV_GRAPH_NO_TIMER); /* waiting for a worker is not limited here */
    given_t first = harness_take(h, "a");
    h->now = 5000;
    harness_must(h, &(nv_graph_event_t){.kind = NV_EVENT_TASK_STARTED, .task = first.task, .attempt = 1});
    assert_int_equal(h->timer, 5500);
    harness_tick(h, 5500);
    assert_int_equal(h->cancelled_count, 1);
    assert_false(harness_send(
        h, &(nv_graph_event_t){.kind = NV_EVENT_TASK_DONE, .task = first.task, .attempt = 1}, &err));
    assert_int_equal(err.code, NV_ABORTED);
    harness_tick(h, h->timer);
    assert_false(harness_send(
        h, &(nv_graph_event_t){.kind = NV_EVENT_TASK_DONE, .task = first.task, .attempt = 1}, &err));
    given_t second = harness_take(h, "a");
    assert_int_equal(second.attempt, 2);
    harness_must(h, &(nv_graph_event_t){.kind = NV_EVENT_TASK_STARTED, .task = second.task, .attempt = 2});
    harness_tick(h, h->timer);
    const char *text;
    assert_int_equal(nv_graph_run_reason(h->run, &text), NV_DEADLINE_EXCEEDED);
    assert_string_equal(text, "a: no result within 500 ms");
    end(h);
}

static void nobody_took_it_in_time(void **state)
{
    (void)state;
    harness_t *h = pair((options_t){.queue_timeout_ms = 300});
    assert_int_equal(h->timer, 1300);
    harness_tick(h, 1300);
    const char *text;
    nv_graph_run_reason(h->run, &text);
    assert_string_equal(text, "a: no worker took it within 300 ms");
    end(h);
}

static void timers_may_fire_at_any_time(void **state)
{
    (void)state;
    harness_t *h = pair((options_t){.timeout_ms = 500});
    for (int i = 0; i < 5; i++)
        harness_tick(h, h->now + 1);
    given_t given = harness_take(h, "a");
    harness_must(h, &(nv_graph_event_t){.kind = NV_EVENT_TASK_STARTED, .task = given.task, .attempt = 1});
    int64_t due = h->timer;
    harness_tick(h, due - 1);
    assert_int_equal(h->timer, due); /* announced again, since the caller's timer is spent */
    harness_must(h, &(nv_graph_event_t){.kind = NV_EVENT_TASK_DONE, .task = given.task, .attempt = 1});
    harness_done(h, "b", NULL, NULL);
    harness_done(h, "c", NULL, NULL);
    harness_tick(h, due + 1000);
    assert_int_equal(h->phase, NV_RUN_DONE);
    end(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(back_off_grows_to_the_cap),
        cmocka_unit_test(jitter_shortens_the_delay_by_its_share_only),
        cmocka_unit_test(the_last_failure_fails_the_run_and_keeps_siblings_writes),
        cmocka_unit_test(a_failure_cancels_siblings_that_still_run),
        cmocka_unit_test(a_final_failure_is_not_retried),
        cmocka_unit_test(a_caught_failure_is_a_value_and_an_outcome),
        cmocka_unit_test(a_caught_failure_may_end_the_superstep),
        cmocka_unit_test(a_started_task_times_out_and_its_late_result_is_refused),
        cmocka_unit_test(nobody_took_it_in_time),
        cmocka_unit_test(timers_may_fire_at_any_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
