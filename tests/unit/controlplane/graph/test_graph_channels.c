/* How channels combine what one superstep wrote. A fan-out of three workers writes; a second node sees the result. */
#include "harness.h"

#include <string.h>

static nv_graph_t *fan_graph(const nv_channel_spec_t *spec)
{
    nv_error_t err = NV_ERROR_INIT;
    nv_graph_t *graph = nv_graph_new(NULL, "fan");
    nv_channel_id_t channel = nv_graph_add_channel(graph, spec);
    static const char *const names[] = {"a", "b", "c"};
    nv_node_id_t after = NV_GRAPH_NONE;
    for (int i = 0; i < 3; i++) {
        nv_node_id_t node = nv_graph_add_node(
            graph, &(nv_node_spec_t){.name = names[i], .writes = &channel, .write_count = 1});
        nv_graph_add_edge(graph, NV_GRAPH_START, node);
    }
    after = nv_graph_add_node(graph, &(nv_node_spec_t){.name = "after"});
    nv_node_id_t last = nv_graph_add_node(graph, &(nv_node_spec_t){.name = "last"});
    nv_graph_add_edge(graph, 0, after);
    nv_graph_add_edge(graph, after, last);
    assert_true(nv_graph_compile(graph, &err));
    return graph;
}

/* Workers finish in the order c, a, b. */
static harness_t *run_fan(const nv_channel_spec_t *spec)
{
    harness_t *h = harness_new(fan_graph(spec));
    harness_start(h, NULL, 0);
    harness_done(h, "c", "x", "3");
    harness_reload(h); /* what c wrote survives */
    harness_done(h, "a", "x", "1");
    harness_done(h, "b", "x", "2");
    return h;
}

static void end(harness_t *h)
{
    nv_mem_free((void *)(uintptr_t)h->graph);
    harness_free(h);
}

static void last_refuses_two_values_in_one_superstep(void **state)
{
    (void)state;
    harness_t *h = run_fan(&(nv_channel_spec_t){.name = "x", .kind = NV_CHANNEL_LAST});
    assert_int_equal(nv_graph_run_phase(h->run), NV_RUN_FAILED);
    const char *text;
    assert_int_equal(nv_graph_run_reason(h->run, &text), NV_INVALID_ARGUMENT);
    assert_non_null(strstr(text, "more than one value"));
    nv_error_t err = NV_ERROR_INIT;
    assert_false(harness_send(h, &(nv_graph_event_t){.kind = NV_EVENT_RETRY}, &err));
    harness_reload(h);
    assert_int_equal(nv_graph_run_phase(h->run), NV_RUN_FAILED);
    assert_false(harness_send(h, &(nv_graph_event_t){.kind = NV_EVENT_RETRY}, &err));
    end(h);
}

static void topic_appends_in_path_order(void **state)
{
    (void)state;
    harness_t *h = run_fan(&(nv_channel_spec_t){.name = "x", .kind = NV_CHANNEL_TOPIC});
    assert_items(h, "x", "1,2,3"); /* not 3,1,2 */
    harness_reload(h);
    assert_items(h, "x", "1,2,3");
    harness_done(h, "after", NULL, NULL);
    assert_items(h, "x", "1,2,3");
    end(h);
}

static void transient_topic_lasts_one_superstep(void **state)
{
    (void)state;
    harness_t *h = run_fan(&(nv_channel_spec_t){.name = "x", .kind = NV_CHANNEL_TOPIC, .transient = true});
    assert_items(h, "x", "1,2,3");
    harness_reload(h);
    harness_done(h, "after", NULL, NULL);
    assert_items(h, "x", "");
    harness_reload(h);
    assert_items(h, "x", "");
    end(h);
}

static void concatenate(nv_bytes_t current, nv_bytes_t update, nv_buf_t *out, void *user)
{
    nv_buf_add(out, current.data, current.length);
    nv_buf_puts(out, user);
    nv_buf_add(out, update.data, update.length);
}

static void reduce_combines_in_path_order(void **state)
{
    (void)state;
    char plus[] = "+";
    harness_t *h = run_fan(
        &(nv_channel_spec_t){.name = "x", .kind = NV_CHANNEL_REDUCE, .reduce = concatenate, .user = plus});
    assert_text(h, "x", "1+2+3");
    harness_reload(h);
    assert_text(h, "x", "1+2+3");
    end(h);
}

/* nodes a, b, c write (key, value) pairs and numbers given here */
static harness_t *run_writes(const nv_channel_spec_t *spec, const nv_graph_write_t *writes)
{
    harness_t *h = harness_new(fan_graph(spec));
    harness_start(h, NULL, 0);
    static const char *const order[] = {"b", "c", "a"};
    for (int i = 0; i < 3; i++) {
        given_t given = harness_take(h, order[i]);
        harness_must(h, &(nv_graph_event_t){.kind = NV_EVENT_TASK_DONE,
                                            .task = given.task,
                                            .attempt = 1,
                                            .writes = &writes[order[i][0] - 'a'],
                                            .write_count = 1});
        harness_reload(h);
    }
    return h;
}

static nv_graph_write_t pair(const char *key, const char *value)
{
    return (nv_graph_write_t){.key = nv_bytes_text(key), .value = nv_bytes_text(value)};
}

static void merge_keeps_key_order_and_the_last_of_a_key(void **state)
{
    (void)state;
    nv_graph_write_t writes[] = {pair("z", "first"), pair("m", "mid"), pair("z", "second")};
    harness_t *h = run_writes(&(nv_channel_spec_t){.name = "x", .kind = NV_CHANNEL_MERGE}, writes);
    assert_items(h, "x", "m=mid,z=second");
    nv_bytes_t value;
    assert_true(nv_graph_read_key(h->run, ch(h, "x"), nv_bytes_text("z"), &value));
    assert_int_equal(value.length, 6);
    assert_false(nv_graph_read_key(h->run, ch(h, "x"), nv_bytes_text("a"), &value));
    end(h);
}

static void merge_needs_a_key(void **state)
{
    (void)state;
    nv_error_t err = NV_ERROR_INIT;
    harness_t *h = harness_new(fan_graph(&(nv_channel_spec_t){.name = "x", .kind = NV_CHANNEL_MERGE}));
    nv_graph_write_t write = pair("", "v");
    assert_false(harness_send(
        h, &(nv_graph_event_t){.kind = NV_EVENT_START, .writes = &write, .write_count = 1}, &err));
    assert_int_equal(err.code, NV_INVALID_ARGUMENT);
    end(h);
}

static int64_t number_of(nv_channel_op_t op, int64_t a, int64_t b, int64_t c, nv_run_phase_t expected)
{
    nv_graph_write_t writes[] = {{.number = a}, {.number = b}, {.number = c}};
    harness_t *h = run_writes(&(nv_channel_spec_t){.name = "x", .kind = NV_CHANNEL_NUMBER, .op = op}, writes);
    assert_int_equal(nv_graph_run_phase(h->run), expected);
    int64_t number = nv_graph_read_number(h->run, ch(h, "x"));
    end(h);
    return number;
}

static void numbers_have_operators(void **state)
{
    (void)state;
    assert_int_equal(number_of(NV_CHANNEL_SUM, 5, -7, 9, NV_RUN_RUNNING), 7);
    assert_int_equal(number_of(NV_CHANNEL_MIN, 5, -7, 9, NV_RUN_RUNNING), -7);
    assert_int_equal(number_of(NV_CHANNEL_MAX, 5, -7, 9, NV_RUN_RUNNING), 9);
    assert_int_equal(number_of(NV_CHANNEL_SET, 5, -7, 9, NV_RUN_RUNNING), 9);
    assert_int_equal(number_of(NV_CHANNEL_SUM, INT64_MAX - 1, 1, 0, NV_RUN_RUNNING), INT64_MAX);
}

static void a_sum_that_overflows_fails_the_run(void **state)
{
    (void)state;
    number_of(NV_CHANNEL_SUM, INT64_MAX, 1, 0, NV_RUN_FAILED);
}

static void items_are_bounded(void **state)
{
    (void)state;
    nv_error_t err = NV_ERROR_INIT;
    nv_graph_t *graph = nv_graph_new(NULL, "g");
    nv_channel_id_t x =
        nv_graph_add_channel(graph, &(nv_channel_spec_t){.name = "x", .kind = NV_CHANNEL_TOPIC});
    nv_node_id_t a = nv_graph_add_node(graph, &(nv_node_spec_t){.name = "a", .writes = &x, .write_count = 1});
    nv_graph_add_edge(graph, NV_GRAPH_START, a);
    nv_graph_set_limits(graph, &(nv_graph_limits_t){.items = 1, .value_bytes = 8});
    assert_true(nv_graph_compile(graph, &err));
    harness_t *h = harness_new(graph);
    nv_graph_write_t in = text_write(h, "x", "in");
    harness_start(h, &in, 1);
    nv_graph_write_t large = text_write(h, "x", "123456789");
    given_t given = harness_take(h, "a");
    nv_graph_event_t event = {
        .kind = NV_EVENT_TASK_DONE, .task = given.task, .attempt = 1, .writes = &large, .write_count = 1};
    assert_false(harness_send(h, &event, &err));
    assert_int_equal(err.code, NV_RESOURCE_EXHAUSTED);
    large.value.length = 2;
    harness_must(h, &event);
    assert_int_equal(nv_graph_run_phase(h->run), NV_RUN_FAILED);
    assert_false(nv_graph_fork(h->run, NV_GRAPH_NONE, 0, NULL, 0, 0, h->effects, &err));
    end(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(last_refuses_two_values_in_one_superstep),
        cmocka_unit_test(topic_appends_in_path_order),
        cmocka_unit_test(transient_topic_lasts_one_superstep),
        cmocka_unit_test(reduce_combines_in_path_order),
        cmocka_unit_test(merge_keeps_key_order_and_the_last_of_a_key),
        cmocka_unit_test(merge_needs_a_key),
        cmocka_unit_test(numbers_have_operators),
        cmocka_unit_test(a_sum_that_overflows_fails_the_run),
        cmocka_unit_test(items_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
