/* Stored forms: deltas stay small, snapshots come now and then, damaged bytes are refused. */
#include "harness.h"

#include <stdlib.h>
#include <string.h>

/* One node that loops and appends to a topic and a map. */
static harness_t *looping(const nv_graph_limits_t *limits)
{
    nv_error_t err = NV_ERROR_INIT;
    nv_graph_t *graph = nv_graph_new(NULL, "g");
    nv_channel_id_t channels[2];
    channels[0] = nv_graph_add_channel(graph, &(nv_channel_spec_t){.name = "log", .kind = NV_CHANNEL_TOPIC});
    channels[1] = nv_graph_add_channel(graph, &(nv_channel_spec_t){.name = "map", .kind = NV_CHANNEL_MERGE});
    nv_node_id_t a =
        nv_graph_add_node(graph, &(nv_node_spec_t){.name = "a", .writes = channels, .write_count = 2});
    nv_graph_add_edge(graph, NV_GRAPH_START, a);
    nv_graph_add_edge_on(graph, a, 0, a);
    nv_graph_set_limits(graph, limits);
    assert_true(nv_graph_compile(graph, &err));
    harness_t *h = harness_new(graph);
    harness_start(h, NULL, 0);
    return h;
}

static void turn(harness_t *h, int i)
{
    char text[64], key[32];
    given_t given = harness_take(h, "a");
    snprintf(text, sizeof text, "entry number %d of the log", i);
    snprintf(key, sizeof key, "key %d", i % 10);
    nv_graph_write_t writes[] = {text_write(h, "log", text), text_write(h, "map", text)};
    writes[1].key = nv_bytes_text(key);
    harness_must(h, &(nv_graph_event_t){.kind = NV_EVENT_TASK_DONE,
                                        .task = given.task,
                                        .attempt = 1,
                                        .writes = writes,
                                        .write_count = 2});
}

static void end(harness_t *h)
{
    nv_mem_free((void *)(uintptr_t)h->graph);
    harness_free(h);
}

static void deltas_do_not_grow_with_the_state(void **state)
{
    (void)state;
    harness_t *h = looping(&(nv_graph_limits_t){.snapshot_every = 50});
    for (int i = 0; i < 200; i++)
        turn(h, i);
    size_t snapshots = 0, largest_delta = 0, last_snapshot = 0;
    for (size_t i = 0; i < h->checkpoint_count; i++) {
        size_t length = h->checkpoints[i].bytes.length;
        snapshots += h->checkpoints[i].snapshot;
        if (h->checkpoints[i].snapshot)
            last_snapshot = length;
        else if (length > largest_delta)
            largest_delta = length;
    }
    assert_int_equal(snapshots, 5); /* of 201 */
    assert_true(largest_delta < 220);
    assert_true(last_snapshot > 20 * largest_delta);
    harness_reload(h);
    assert_int_equal(nv_graph_read_count(h->run, ch(h, "log")), 200);
    assert_int_equal(nv_graph_read_count(h->run, ch(h, "map")), 10);
    end(h);
}

static void every_checkpoint_loads_as_it_was(void **state)
{
    (void)state;
    harness_t *h = looping(&(nv_graph_limits_t){.snapshot_every = 4});
    for (int i = 0; i < 30; i++)
        turn(h, i);
    for (uint64_t seq = 1; seq <= h->checkpoint_count; seq++) {
        nv_graph_run_t *run = harness_load_at(h, seq);
        assert_int_equal(nv_graph_read_count(run, ch(h, "log")), seq - 1);
        assert_int_equal(nv_graph_run_step_count(run), seq - 1);
        assert_int_equal(nv_graph_run_phase(run), NV_RUN_RUNNING);
    }
    end(h);
}

static void old_snapshots_may_be_pruned(void **state)
{
    (void)state;
    harness_t *h = looping(&(nv_graph_limits_t){.snapshot_every = 4, .keep_snapshots = 2});
    for (int i = 0; i < 30; i++)
        turn(h, i);
    /* snapshots at 1, 5, 9, … 29; the last two stay */
    assert_int_equal(h->pruned_below, 25);
    size_t kept = 0;
    for (size_t i = 0; i < h->checkpoint_count; i++)
        if (h->checkpoints[i].id >= h->pruned_below)
            h->checkpoints[kept++] = h->checkpoints[i];
    h->checkpoint_count = kept;
    harness_reload(h);
    assert_int_equal(nv_graph_read_count(h->run, ch(h, "log")), 30);
    end(h);
}

static bool loads(harness_t *h, size_t first, size_t second, nv_error_t *err)
{
    nv_graph_run_t *run = nv_graph_run_new(h->ctx, h->graph);
    bool ok = nv_graph_decode_checkpoint(run, h->checkpoints[first].bytes, err) &&
              nv_graph_decode_checkpoint(run, h->checkpoints[second].bytes, err);
    nv_graph_run_free(run);
    return ok;
}

static void checkpoints_must_follow_each_other(void **state)
{
    (void)state;
    nv_error_t err = NV_ERROR_INIT;
    harness_t *h = looping(&(nv_graph_limits_t){.snapshot_every = 4});
    for (int i = 0; i < 6; i++)
        turn(h, i);
    assert_true(loads(h, 0, 1, &err));
    assert_false(loads(h, 0, 2, &err)); /* a gap */
    assert_int_equal(err.code, NV_DATA_LOSS);
    assert_false(loads(h, 0, 0, &err)); /* a snapshot upon a state */
    assert_false(loads(h, 1, 2, &err)); /* a delta upon nothing */
    assert_false(loads(h, 0, 5, &err)); /* a delta of another snapshot */
    end(h);
}

static void a_checkpoint_of_another_graph_is_refused(void **state)
{
    (void)state;
    nv_error_t err = NV_ERROR_INIT;
    harness_t *h = looping(&(nv_graph_limits_t){0});
    turn(h, 1);
    nv_graph_t *graph = nv_graph_new(NULL, "g"); /* the same name, without channel "map" and node "a" */
    nv_graph_add_channel(graph, &(nv_channel_spec_t){.name = "log", .kind = NV_CHANNEL_TOPIC});
    nv_graph_add_edge(graph, NV_GRAPH_START, nv_graph_add_node(graph, &(nv_node_spec_t){.name = "z"}));
    assert_true(nv_graph_compile(graph, &err));
    nv_graph_run_t *run = nv_graph_run_new(NULL, graph);
    assert_false(nv_graph_decode_checkpoint(run, h->checkpoints[0].bytes, &err));
    assert_non_null(strstr(err.message, "no channel \"to:a\""));
    nv_graph_run_free(run);
    nv_mem_free(graph);
    end(h);
}

static void a_graph_may_gain_nodes_and_channels(void **state)
{
    (void)state;
    nv_error_t err = NV_ERROR_INIT;
    harness_t *h = looping(&(nv_graph_limits_t){0});
    for (int i = 0; i < 5; i++)
        turn(h, i);
    nv_graph_t *graph = nv_graph_new(NULL, "g");
    nv_graph_add_channel(graph, &(nv_channel_spec_t){.name = "new"});
    nv_channel_id_t log =
        nv_graph_add_channel(graph, &(nv_channel_spec_t){.name = "log", .kind = NV_CHANNEL_TOPIC});
    nv_graph_add_channel(graph, &(nv_channel_spec_t){.name = "map", .kind = NV_CHANNEL_MERGE});
    nv_node_id_t other = nv_graph_add_node(graph, &(nv_node_spec_t){.name = "other"});
    nv_node_id_t a = nv_graph_add_node(graph, &(nv_node_spec_t){.name = "a"});
    nv_graph_add_edge(graph, NV_GRAPH_START, a);
    nv_graph_add_edge_on(graph, a, 0, other);
    assert_true(nv_graph_compile(graph, &err));
    nv_graph_run_t *run = nv_graph_run_new(NULL, graph);
    for (size_t i = 0; i < h->checkpoint_count; i++)
        if (!nv_graph_decode_checkpoint(run, h->checkpoints[i].bytes, &err))
            fail_msg("%s", err.message);
    assert_int_equal(nv_graph_read_count(run, log), 5);
    nv_task_view_t task;
    nv_graph_task_at(run, 0, &task);
    assert_int_equal(task.node, a);
    nv_graph_run_free(run);
    nv_mem_free(graph);
    end(h);
}

/* Every byte flipped, every length cut: refused or taken, never a crash. */
static void try_damaged(harness_t *h, const stored_t *base, nv_bytes_t damaged, bool is_task)
{
    nv_error_t err = NV_ERROR_INIT;
    nv_graph_run_t *run = nv_graph_run_new(h->ctx, h->graph);
    bool ok = true;
    if (base)
        ok = nv_graph_decode_checkpoint(run, base->bytes, &err);
    assert_true(ok);
    ok = is_task ? nv_graph_decode_task(run, damaged, &err) : nv_graph_decode_checkpoint(run, damaged, &err);
    if (ok)
        ok = nv_graph_resume(run, 1000000, 0, h->effects, &err);
    if (ok && nv_graph_run_phase(run) == NV_RUN_RUNNING && !h->effects->more)
        ok = nv_graph_step(run, &(nv_graph_event_t){.kind = NV_EVENT_CANCEL}, 0, h->effects, &err);
    if (!ok)
        assert_true(err.message[0] != 0);
    nv_graph_run_free(run);
}

static void damage(harness_t *h, const stored_t *base, nv_bytes_t bytes, bool is_task)
{
    char *copy = malloc(bytes.length);
    assert_non_null(copy);
    for (size_t i = 0; i < bytes.length; i++) {
        try_damaged(h, base, nv_bytes(bytes.data, i), is_task);
        for (int bit = 0; bit < 8; bit++) {
            memcpy(copy, bytes.data, bytes.length);
            copy[i] ^= (char)(1 << bit);
            try_damaged(h, base, nv_bytes(copy, bytes.length), is_task);
        }
    }
    free(copy);
}

static void damaged_bytes_are_survived(void **state)
{
    (void)state;
    harness_t *h = looping(&(nv_graph_limits_t){.snapshot_every = 2});
    turn(h, 1);
    turn(h, 2);
    damage(h, NULL, h->checkpoints[0].bytes, false);
    damage(h, &h->checkpoints[0], h->checkpoints[1].bytes, false);
    damage(h, NULL, h->checkpoints[2].bytes, false);
    given_t given = harness_take(h, "a");
    nv_graph_ask_t ask = {nv_bytes_text("q"), nv_bytes_text("?")};
    harness_must(h, &(nv_graph_event_t){.kind = NV_EVENT_TASK_INTERRUPTED,
                                        .task = given.task,
                                        .attempt = 1,
                                        .asks = &ask,
                                        .ask_count = 1});
    assert_int_equal(h->record_count, 1);
    damage(h, &h->checkpoints[2], h->records[0].bytes, true);
    end(h);
}

static void a_stream_shorter_than_the_state_is_a_loss(void **state)
{
    (void)state;
    nv_error_t err = NV_ERROR_INIT;
    harness_t *h = looping(&(nv_graph_limits_t){0});
    turn(h, 1);
    nv_graph_run_t *run = harness_load_at(h, 2);
    assert_false(nv_graph_resume(run, h->last_event - 1, 0, h->effects, &err));
    assert_int_equal(err.code, NV_DATA_LOSS);
    end(h);
}

static void a_checkpoint_that_grew_too_large_is_refused(void **state)
{
    (void)state;
    nv_error_t err = NV_ERROR_INIT;
    harness_t *h = looping(&(nv_graph_limits_t){.checkpoint_bytes = 700});
    for (int i = 0; i < 10; i++)
        turn(h, i); /* the deltas fit */
    nv_bytes_t out;
    assert_false(nv_graph_encode_checkpoint(h->run, true, h->ctx, &out, &err));
    assert_int_equal(err.code, NV_RESOURCE_EXHAUSTED);
    end(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deltas_do_not_grow_with_the_state),
        cmocka_unit_test(every_checkpoint_loads_as_it_was),
        cmocka_unit_test(old_snapshots_may_be_pruned),
        cmocka_unit_test(checkpoints_must_follow_each_other),
        cmocka_unit_test(a_checkpoint_of_another_graph_is_refused),
        cmocka_unit_test(a_graph_may_gain_nodes_and_channels),
        cmocka_unit_test(damaged_bytes_are_survived),
        cmocka_unit_test(a_stream_shorter_than_the_state_is_a_loss),
        cmocka_unit_test(a_checkpoint_that_grew_too_large_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
