#include "harness.h"

#include <string.h>

static void expect_refused(nv_graph_t *graph, const char *text)
{
    nv_error_t err = NV_ERROR_INIT;
    assert_false(nv_graph_compile(graph, &err));
    if (!strstr(err.message, text))
        fail_msg("\"%s\" does not say \"%s\"", err.message, text);
    nv_mem_free(graph);
}

static nv_node_id_t node(nv_graph_t *graph, const char *name)
{
    return nv_graph_add_node(graph, &(nv_node_spec_t){.name = name});
}

static void refuses_an_empty_graph(void **state)
{
    (void)state;
    expect_refused(nv_graph_new(NULL, "g"), "has no nodes");
}

static void refuses_two_nodes_of_one_name(void **state)
{
    (void)state;
    nv_graph_t *graph = nv_graph_new(NULL, "g");
    node(graph, "a");
    node(graph, "a");
    expect_refused(graph, "node \"a\" is defined twice");
}

static void refuses_two_channels_of_one_name(void **state)
{
    (void)state;
    nv_graph_t *graph = nv_graph_new(NULL, "g");
    nv_graph_add_channel(graph, &(nv_channel_spec_t){.name = "c"});
    nv_graph_add_channel(graph, &(nv_channel_spec_t){.name = "c"});
    expect_refused(graph, "channel \"c\" is defined twice");
}

static void refuses_an_unreachable_node(void **state)
{
    (void)state;
    nv_graph_t *graph = nv_graph_new(NULL, "g");
    nv_graph_add_edge(graph, NV_GRAPH_START, node(graph, "a"));
    node(graph, "island");
    expect_refused(graph, "\"island\" cannot be reached");
}

static void refuses_an_edge_to_nowhere(void **state)
{
    (void)state;
    nv_graph_t *graph = nv_graph_new(NULL, "g");
    nv_node_id_t a = node(graph, "a");
    nv_graph_add_edge(graph, a, 77);
    expect_refused(graph, "there is no node number 77");
}

static void refuses_a_write_to_an_unknown_channel(void **state)
{
    (void)state;
    nv_graph_t *graph = nv_graph_new(NULL, "g");
    nv_channel_id_t wrong = 3;
    nv_graph_add_node(graph, &(nv_node_spec_t){.name = "a", .writes = &wrong, .write_count = 1});
    expect_refused(graph, "writes channel number 3");
}

static void refuses_an_error_channel_of_numbers(void **state)
{
    (void)state;
    nv_graph_t *graph = nv_graph_new(NULL, "g");
    nv_channel_id_t n =
        nv_graph_add_channel(graph, &(nv_channel_spec_t){.name = "n", .kind = NV_CHANNEL_NUMBER});
    nv_graph_add_node(graph, &(nv_node_spec_t){.name = "a", .catches = true, .error_channel = n});
    expect_refused(graph, "holds numbers");
}

static void refuses_channels_of_the_engines_own_kinds(void **state)
{
    (void)state;
    nv_graph_t *graph = nv_graph_new(NULL, "g");
    nv_graph_add_channel(graph, &(nv_channel_spec_t){.name = "c", .kind = NV_CHANNEL_BARRIER});
    node(graph, "a");
    expect_refused(graph, "made by the engine");
}

static void refuses_too_long_names(void **state)
{
    (void)state;
    char name[300];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = 0;
    nv_graph_t *graph = nv_graph_new(NULL, "g");
    node(graph, name);
    expect_refused(graph, "expected 1 to 128 bytes");
}

static void finds_parts_by_name(void **state)
{
    (void)state;
    nv_error_t err = NV_ERROR_INIT;
    nv_graph_t *graph = nv_graph_new(NULL, "g");
    nv_channel_id_t c =
        nv_graph_add_channel(graph, &(nv_channel_spec_t){.name = "c", .kind = NV_CHANNEL_TOPIC});
    nv_node_id_t a = nv_graph_add_node(graph, &(nv_node_spec_t){.name = "a", .timeout_ms = 5});
    nv_graph_add_edge(graph, NV_GRAPH_START, a);
    assert_true(nv_graph_compile(graph, &err));
    assert_int_equal(nv_graph_find_channel(graph, "c"), c);
    assert_int_equal(nv_graph_find_channel(graph, "to:a"), NV_GRAPH_NONE); /* inboxes are not for callers */
    assert_int_equal(nv_graph_find_node(graph, "a"), a);
    assert_int_equal(nv_graph_find_node(graph, "b"), NV_GRAPH_NONE);
    assert_int_equal(nv_graph_node_timeout_ms(graph, a), 5);
    assert_int_equal(nv_graph_channel_kind(graph, c), NV_CHANNEL_TOPIC);
    nv_mem_free(graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_an_empty_graph),
        cmocka_unit_test(refuses_two_nodes_of_one_name),
        cmocka_unit_test(refuses_two_channels_of_one_name),
        cmocka_unit_test(refuses_an_unreachable_node),
        cmocka_unit_test(refuses_an_edge_to_nowhere),
        cmocka_unit_test(refuses_a_write_to_an_unknown_channel),
        cmocka_unit_test(refuses_an_error_channel_of_numbers),
        cmocka_unit_test(refuses_channels_of_the_engines_own_kinds),
        cmocka_unit_test(refuses_too_long_names),
        cmocka_unit_test(finds_parts_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
