/* Time travel: any checkpoint can become the start of another run. */
#include "harness.h"

#include <string.h>

/* a -> each(x, y) -> b -> c; all write "log", b also "note" (last value). */
static harness_t *finished(void)
{
    nv_error_t err = NV_ERROR_INIT;
    nv_graph_t *graph = nv_graph_new(NULL, "g");
    nv_channel_id_t channels[2];
    channels[0] = nv_graph_add_channel(graph, &(nv_channel_spec_t){.name = "log", .kind = NV_CHANNEL_TOPIC});
    channels[1] = nv_graph_add_channel(graph, &(nv_channel_spec_t){.name = "note"});
    static const char *const names[] = {"a", "each", "b", "c"};
    for (int i = 0; i < 4; i++)
        nv_graph_add_node(graph, &(nv_node_spec_t){.name = names[i], .writes = channels, .write_count = 2});
    nv_graph_add_edge(graph, NV_GRAPH_START, 0);
    nv_graph_allow_send(graph, 0, 1);
    nv_graph_add_edge(graph, 1, 2);
    nv_graph_add_edge_on(graph, 2, 0, 3);
    nv_graph_set_limits(graph, &(nv_graph_limits_t){.snapshot_every = 3});
    assert_true(nv_graph_compile(graph, &err));
    harness_t *h = harness_new(graph);
    harness_start(h, NULL, 0);
    given_t a = harness_take(h, "a");
    nv_graph_send_t sends[] = {{1, nv_bytes_text("x")}, {1, nv_bytes_text("y")}};
    harness_must(
        h, &(nv_graph_event_t){
               .kind = NV_EVENT_TASK_DONE, .task = a.task, .attempt = 1, .sends = sends, .send_count = 2});
    harness_done(h, "each", "log", "x");
    harness_done(h, "each", "log", "y");
    harness_done(h, "b", "note", "first");
    harness_done(h, "c", "log", "c");
    assert_int_equal(h->phase, NV_RUN_DONE);
    assert_int_equal(h->checkpoint_count, 5);
    return h;
}

static void end(harness_t *h)
{
    nv_mem_free((void *)(uintptr_t)h->graph);
    harness_free(h);
}

/* The harness goes on with a fork from checkpoint seq, in a store of its own. */
static bool fork_at(harness_t *h, uint64_t seq, nv_node_id_t as, uint32_t outcome,
                    const nv_graph_write_t *writes, size_t count, nv_error_t *err)
{
    h->run = harness_load_at(h, seq);
    if (!nv_graph_fork(h->run, as, outcome, writes, count, h->now, h->effects, err))
        return false;
    h->checkpoint_count = h->record_count = h->given_count = 0;
    h->last_event = 0;
    h->finished = 0;
    /* commit what the fork asked for */
    nv_graph_effects_t *effects = h->effects;
    for (size_t i = 0; i < effects->count; i++) {
        const nv_graph_effect_t *effect = &effects->list[i];
        if (effect->kind == NV_EFFECT_PERSIST_CHECKPOINT) {
            assert_true(effect->snapshot);
            assert_int_equal(effect->seq, 1);
            stored_t *stored = &h->checkpoints[h->checkpoint_count++];
            *stored = (stored_t){.id = 1, .snapshot = true};
            assert_true(nv_graph_encode_checkpoint(h->run, true, h->ctx, &stored->bytes, err));
        } else if (effect->kind == NV_EFFECT_EMIT) {
            assert_int_equal(effect->seq, ++h->last_event);
        } else if (effect->kind == NV_EFFECT_DISPATCH) {
            given_t *given = &h->given[h->given_count++];
            *given = (given_t){effect->task, effect->attempt, effect->node, {0}};
            snprintf(given->argument, sizeof given->argument, "%.*s", (int)effect->argument.length,
                     effect->argument.data ? (const char *)effect->argument.data : "");
        } else if (effect->kind == NV_EFFECT_FINISH) {
            h->finished++;
            h->phase = effect->phase;
        }
    }
    return true;
}

static void every_checkpoint_can_be_replayed(void **state)
{
    (void)state;
    nv_error_t err = NV_ERROR_INIT;
    for (uint64_t seq = 1; seq <= 4; seq++) {
        harness_t *h = finished();
        assert_true(fork_at(h, seq, NV_GRAPH_NONE, 0, NULL, 0, &err));
        harness_reload(h);
        if (seq == 1) {
            given_t a = harness_take(h, "a");
            nv_graph_send_t send = {1, nv_bytes_text("z")};
            harness_must(h, &(nv_graph_event_t){.kind = NV_EVENT_TASK_DONE,
                                                .task = a.task,
                                                .attempt = 1,
                                                .sends = &send,
                                                .send_count = 1});
            harness_done(h, "each", "log", "z");
        }
        if (seq == 2) {
            assert_int_equal(h->given_count, 2);
            assert_string_equal(h->given[0].argument, "x"); /* sends are part of the state */
            harness_done(h, "each", "log", "x2");
            harness_done(h, "each", "log", "y2");
        }
        if (seq <= 3)
            harness_done(h, "b", "note", "second");
        harness_done(h, "c", "log", "c2");
        assert_int_equal(h->phase, NV_RUN_DONE);
        assert_items(h, "log", seq == 1 ? "z,c2" : seq == 2 ? "x2,y2,c2" : "x,y,c2");
        assert_text(h, "note", seq <= 3 ? "second" : "first");
        end(h);
    }
}

static void a_finished_checkpoint_has_nothing_left(void **state)
{
    (void)state;
    nv_error_t err = NV_ERROR_INIT;
    harness_t *h = finished();
    assert_false(fork_at(h, 5, NV_GRAPH_NONE, 0, NULL, 0, &err));
    assert_int_equal(err.code, NV_FAILED_PRECONDITION);
    end(h);
}

static void edits_change_state_and_move_nothing(void **state)
{
    (void)state;
    nv_error_t err = NV_ERROR_INIT;
    harness_t *h = finished();
    nv_graph_write_t edit = text_write(h, "note", "edited");
    assert_true(fork_at(h, 4, NV_GRAPH_NONE, 0, &edit, 1, &err));
    assert_text(h, "note", "edited");
    harness_reload(h);
    assert_int_equal(h->given_count, 1);
    harness_done(h, "c", "log", "c2");
    assert_text(h, "note", "edited");
    assert_items(h, "log", "x,y,c2");
    end(h);
}

static void writes_as_a_node_are_followed_by_what_follows_it(void **state)
{
    (void)state;
    nv_error_t err = NV_ERROR_INIT;
    harness_t *h = finished();
    nv_graph_write_t edit = text_write(h, "note", "by hand");
    assert_true(fork_at(h, 2, nd(h, "b"), 0, &edit, 1, &err)); /* each was next; now it is c */
    assert_int_equal(h->given_count, 1);
    harness_reload(h);
    harness_done(h, "c", "log", "c2");
    assert_items(h, "log", "c2");
    assert_text(h, "note", "by hand");
    end(h);
}

static void an_outcome_as_a_node_may_end_the_run(void **state)
{
    (void)state;
    nv_error_t err = NV_ERROR_INIT;
    harness_t *h = finished();
    assert_true(fork_at(h, 3, nd(h, "b"), 9, NULL, 0, &err)); /* no edge for outcome 9 */
    assert_int_equal(h->finished, 1);
    assert_int_equal(h->phase, NV_RUN_DONE);
    end(h);
}

static void a_fork_of_a_finished_run_as_a_node_goes_on(void **state)
{
    (void)state;
    nv_error_t err = NV_ERROR_INIT;
    harness_t *h = finished();
    assert_true(fork_at(h, 5, nd(h, "b"), 0, NULL, 0, &err));
    assert_true(harness_has(h, "c"));
    end(h);
}

static void forks_are_checked(void **state)
{
    (void)state;
    nv_error_t err = NV_ERROR_INIT;
    harness_t *h = finished();
    assert_false(fork_at(h, 3, 99, 0, NULL, 0, &err));
    nv_graph_write_t wrong = {.channel = 50};
    assert_false(fork_at(h, 3, NV_GRAPH_NONE, 0, &wrong, 1, &err));
    nv_graph_write_t twice[] = {text_write(h, "note", "1"), text_write(h, "note", "2")};
    assert_false(fork_at(h, 3, NV_GRAPH_NONE, 0, twice, 2, &err));
    h->run = nv_graph_run_new(h->ctx, h->graph);
    assert_false(nv_graph_fork(h->run, NV_GRAPH_NONE, 0, NULL, 0, 0, h->effects, &err));
    end(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_checkpoint_can_be_replayed),
        cmocka_unit_test(a_finished_checkpoint_has_nothing_left),
        cmocka_unit_test(edits_change_state_and_move_nothing),
        cmocka_unit_test(writes_as_a_node_are_followed_by_what_follows_it),
        cmocka_unit_test(an_outcome_as_a_node_may_end_the_run),
        cmocka_unit_test(a_fork_of_a_finished_run_as_a_node_goes_on),
        cmocka_unit_test(forks_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
