/* Interrupts: asked by workers and by local nodes; the node goes on once all its questions are answered. */
#include "harness.h"

#include <string.h>

static void end(harness_t *h)
{
    nv_mem_free((void *)(uintptr_t)h->graph);
    harness_free(h);
}

static harness_t *two_workers(void)
{
    nv_error_t err = NV_ERROR_INIT;
    nv_graph_t *graph = nv_graph_new(NULL, "g");
    nv_channel_id_t log =
        nv_graph_add_channel(graph, &(nv_channel_spec_t){.name = "log", .kind = NV_CHANNEL_TOPIC});
    for (int i = 0; i < 2; i++) {
        nv_node_id_t node = nv_graph_add_node(
            graph, &(nv_node_spec_t){.name = i ? "b" : "a", .writes = &log, .write_count = 1});
        nv_graph_add_edge(graph, NV_GRAPH_START, node);
    }
    assert_true(nv_graph_compile(graph, &err));
    harness_t *h = harness_new(graph);
    harness_start(h, NULL, 0);
    return h;
}

static given_t ask(harness_t *h, const char *node, const char *first, const char *second)
{
    given_t given = harness_take(h, node);
    nv_graph_ask_t asks[] = {{nv_bytes_text(first), nv_bytes_text("sure?")},
                             {nv_bytes_text(second), nv_bytes_text("really?")}};
    harness_must(h, &(nv_graph_event_t){.kind = NV_EVENT_TASK_INTERRUPTED,
                                        .task = given.task,
                                        .attempt = given.attempt,
                                        .asks = asks,
                                        .ask_count = second ? 2 : 1});
    return given;
}

static bool answer(harness_t *h, uint64_t task, const char *key, const char *text, nv_error_t *err)
{
    return harness_send(
        h,
        &(nv_graph_event_t){
            .kind = NV_EVENT_ANSWER, .task = task, .key = nv_bytes_text(key), .answer = nv_bytes_text(text)},
        err);
}

static void a_worker_resumes_when_all_its_questions_are_answered(void **state)
{
    (void)state;
    nv_error_t err = NV_ERROR_INIT;
    harness_t *h = two_workers();
    given_t a = ask(h, "a", "q1", "q2");
    assert_int_equal(h->asked, 2);
    assert_false(nv_graph_run_is_waiting(h->run)); /* b still works */
    harness_done(h, "b", "log", "b");
    assert_true(nv_graph_run_is_waiting(h->run));
    assert_true(answer(h, a.task, "q2", "yes", &err));
    assert_false(harness_has(h, "a"));
    h->asked = 0;
    harness_reload(h);
    assert_int_equal(h->asked, 1); /* only the open one */
    assert_true(answer(h, a.task, "q1", "no", &err));
    given_t again = harness_take(h, "a");
    assert_int_equal(again.attempt, 2);
    assert_int_equal(h->given_count, 0); /* b does not run again */
    nv_interrupt_view_t view;
    nv_graph_task_interrupt(h->run, a.task, 1, &view);
    assert_true(view.answered && nv_bytes_equal(view.answer, nv_bytes_text("yes")));
    assert_false(
        harness_send(h, &(nv_graph_event_t){.kind = NV_EVENT_TASK_DONE, .task = a.task, .attempt = 1}, &err));
    harness_must(h, &(nv_graph_event_t){.kind = NV_EVENT_TASK_DONE, .task = a.task, .attempt = 2});
    assert_int_equal(h->phase, NV_RUN_DONE);
    end(h);
}

static void interrupts_of_two_tasks_do_not_mix(void **state)
{
    (void)state;
    nv_error_t err = NV_ERROR_INIT;
    harness_t *h = two_workers();
    given_t a = ask(h, "a", "q", NULL);
    given_t b = ask(h, "b", "q", NULL);
    assert_true(answer(h, b.task, "q", "for b", &err));
    assert_true(harness_has(h, "b"));
    assert_false(harness_has(h, "a"));
    harness_reload(h);
    assert_true(answer(h, a.task, "q", "for a", &err));
    assert_true(harness_has(h, "a"));
    end(h);
}

static void answers_are_checked(void **state)
{
    (void)state;
    nv_error_t err = NV_ERROR_INIT;
    harness_t *h = two_workers();
    given_t a = ask(h, "a", "q", NULL);
    assert_false(answer(h, a.task, "p", "x", &err));
    assert_int_equal(err.code, NV_NOT_FOUND);
    assert_false(answer(h, a.task + 9, "q", "x", &err));
    assert_int_equal(err.code, NV_NOT_FOUND);
    assert_true(answer(h, a.task, "q", "x", &err));
    assert_false(answer(h, a.task, "q", "y", &err));
    assert_int_equal(err.code, NV_ALREADY_EXISTS);
    end(h);
}

static void questions_are_checked(void **state)
{
    (void)state;
    nv_error_t err = NV_ERROR_INIT;
    harness_t *h = two_workers();
    given_t a = harness_take(h, "a");
    nv_graph_ask_t asks[65];
    char keys[65][8];
    for (int i = 0; i < 65; i++) {
        snprintf(keys[i], sizeof keys[i], "k%d", i);
        asks[i] = (nv_graph_ask_t){.key = nv_bytes_text(keys[i])};
    }
    nv_graph_event_t event = {.kind = NV_EVENT_TASK_INTERRUPTED, .task = a.task, .attempt = 1, .asks = asks};
    assert_false(harness_send(h, &event, &err)); /* none */
    event.ask_count = 65;
    assert_false(harness_send(h, &event, &err)); /* too many */
    assert_int_equal(err.code, NV_RESOURCE_EXHAUSTED);
    event.ask_count = 2;
    asks[1].key = asks[0].key;
    assert_false(harness_send(h, &event, &err)); /* twice the same */
    asks[1].key = nv_bytes("a\0b", 3);
    assert_false(harness_send(h, &event, &err));
    event.ask_count = 1;
    harness_must(h, &event);
    end(h);
}

static void a_node_may_ask_more_after_an_answer(void **state)
{
    (void)state;
    nv_error_t err = NV_ERROR_INIT;
    harness_t *h = two_workers();
    given_t a = ask(h, "a", "first", NULL);
    assert_true(answer(h, a.task, "first", "1", &err));
    ask(h, "a", "second", NULL);
    harness_reload(h);
    assert_true(answer(h, a.task, "second", "2", &err));
    given_t third = harness_take(h, "a");
    assert_int_equal(third.attempt, 3);
    nv_task_view_t view;
    assert_true(nv_graph_task_find(h->run, a.task, &view));
    assert_int_equal(view.interrupt_count, 2);
    end(h);
}

static bool gate(nv_node_call_t *call, void *user, nv_error_t *err)
{
    (void)err;
    (*(int *)user)++;
    nv_bytes_t value;
    if (!nv_node_call_answer(call, "go", &value)) {
        nv_node_call_ask(call, &(nv_graph_ask_t){nv_bytes_text("go"), nv_bytes_text("shall we?")});
        return true;
    }
    nv_node_call_write(call, &(nv_graph_write_t){.channel = 0, .value = value});
    return true;
}

static void a_local_node_asks_and_runs_again_from_its_top(void **state)
{
    (void)state;
    nv_error_t err = NV_ERROR_INIT;
    int calls = 0;
    nv_graph_t *graph = nv_graph_new(NULL, "g");
    nv_channel_id_t x = nv_graph_add_channel(graph, &(nv_channel_spec_t){.name = "x"});
    nv_node_id_t node = nv_graph_add_node(
        graph,
        &(nv_node_spec_t){.name = "gate", .local = gate, .user = &calls, .writes = &x, .write_count = 1});
    nv_graph_add_edge(graph, NV_GRAPH_START, node);
    assert_true(nv_graph_compile(graph, &err));
    harness_t *h = harness_new(graph);
    harness_start(h, NULL, 0);
    assert_true(nv_graph_run_is_waiting(h->run));
    assert_int_equal(calls, 1);
    harness_reload(h);
    assert_int_equal(calls, 1); /* a restart does not run it */
    nv_task_view_t task;
    nv_graph_task_at(h->run, 0, &task);
    assert_true(answer(h, task.task, "go", "yes", &err));
    assert_int_equal(calls, 2);
    assert_text(h, "x", "yes");
    assert_int_equal(h->phase, NV_RUN_DONE);
    end(h);
}

static void a_waiting_run_can_be_cancelled(void **state)
{
    (void)state;
    nv_error_t err = NV_ERROR_INIT;
    harness_t *h = two_workers();
    given_t a = ask(h, "a", "q", NULL);
    harness_must(h, &(nv_graph_event_t){.kind = NV_EVENT_CANCEL});
    assert_int_equal(h->phase, NV_RUN_CANCELLED);
    assert_false(answer(h, a.task, "q", "x", &err));
    harness_reload(h);
    assert_int_equal(nv_graph_run_phase(h->run), NV_RUN_CANCELLED);
    end(h);
}

static void a_failed_run_keeps_its_open_questions(void **state)
{
    (void)state;
    nv_error_t err = NV_ERROR_INIT;
    harness_t *h = two_workers();
    given_t a = ask(h, "a", "q", NULL);
    harness_fail(h, "b", true);
    assert_int_equal(h->phase, NV_RUN_FAILED);
    harness_reload(h);
    harness_must(h, &(nv_graph_event_t){.kind = NV_EVENT_RETRY});
    assert_true(answer(h, a.task, "q", "x", &err));
    assert_true(harness_has(h, "a"));
    assert_true(harness_has(h, "b"));
    end(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_worker_resumes_when_all_its_questions_are_answered),
        cmocka_unit_test(interrupts_of_two_tasks_do_not_mix),
        cmocka_unit_test(answers_are_checked),
        cmocka_unit_test(questions_are_checked),
        cmocka_unit_test(a_node_may_ask_more_after_an_answer),
        cmocka_unit_test(a_local_node_asks_and_runs_again_from_its_top),
        cmocka_unit_test(a_waiting_run_can_be_cancelled),
        cmocka_unit_test(a_failed_run_keeps_its_open_questions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
