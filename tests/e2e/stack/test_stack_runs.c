/* Runs from the outside: they complete, are watched, cancelled, answered, forked, tried again, downloaded. */
#include "stack.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void a_run_completes_and_its_events_are_dense(void **state)
{
    plane_stack_t *stack = *state;
    events_t events = {0};
    stack_make_tenant(stack, "acme");
    stack_start_worker(stack, 0, "default");
    char *run = stack_submit(stack, "acme", "tables=5", "");
    assert_true(stack_watch(stack, "acme", run, 0, 0, &events));
    stack_check_events(&events);
    assert_int_equal(stack_count(&events, "task", "done"), 5 + 11); /* with the approval, which runs inside */
    assert_int_equal(stack_count(&events, "run", "succeeded"), 1);
    Nv__Run *done = stack_wait_run(stack, "acme", run, "succeeded", 5);
    assert_int_equal(done->last_event, (int64_t)events.n);
    assert_int_equal(done->n_nodes, 12);
    assert_true(done->score > 87 && done->score < 88); /* as its scorecard says */
    for (size_t i = 0; i < done->n_nodes; i++)
        assert_string_equal(done->nodes[i]->state, "done");
}

static void a_watcher_resumes_where_it_left_off(void **state)
{
    plane_stack_t *stack = *state;
    events_t all = {0}, parts = {0};
    stack_make_tenant(stack, "acme");
    stack_start_worker(stack, 0, "default");
    char *run = stack_submit(stack, "acme", "tables=4,ms=30", "");
    int64_t last = 0;
    for (int i = 0; i < 200; i++) {
        assert_true(stack_watch(stack, "acme", run, last, 7, &parts));
        if (parts.n && parts.list[parts.n - 1]->seq == last)
            break;
        last = parts.n ? parts.list[parts.n - 1]->seq : 0;
    }
    assert_true(stack_watch(stack, "acme", run, 0, 0, &all));
    stack_check_events(&all);
    assert_int_equal(all.n, parts.n);
    stack_check_events(&parts);
}

static void the_same_request_twice_makes_one_run(void **state)
{
    plane_stack_t *stack = *state;
    Nv__SubmitRunRequest request = NV__SUBMIT_RUN_REQUEST__INIT;
    Nv__RunSpec spec = NV__RUN_SPEC__INIT;
    stack_make_tenant(stack, "acme");
    spec.source = stack_text("tables=1");
    request.tenant = stack_text("acme");
    request.spec = &spec;
    request.request_id = stack_text("once");
    Nv__Run *a = (Nv__Run *)stack_call(stack, "RunService/SubmitRun", &request.base, &nv__run__descriptor);
    Nv__Run *b = (Nv__Run *)stack_call(stack, "RunService/SubmitRun", &request.base, &nv__run__descriptor);
    assert_string_equal(a->run_id, b->run_id);
}

static void cancelling_reaches_a_busy_worker(void **state)
{
    plane_stack_t *stack = *state;
    Nv__GetRunRequest request = NV__GET_RUN_REQUEST__INIT;
    stack_make_tenant(stack, "acme");
    stack_start_worker(stack, 0, "default");
    char *run = stack_submit(stack, "acme", "tables=2,ms=60000", "");
    stack_wait_running(stack, "acme", run, NULL);
    request.tenant = stack_text("acme");
    request.run_id = run;
    stack_call(stack, "RunService/CancelRun", &request.base, &nv__run__descriptor);
    stack_wait_run(stack, "acme", run, "cancelled", 5);
    /* the slot is free again */
    char *next = stack_submit(stack, "acme", "tables=1", "");
    stack_wait_run(stack, "acme", next, "succeeded", 10);
    assert_int_equal(
        stack_try(stack, stack->client, "RunService/CancelRun", &request.base, &nv__run__descriptor, NULL),
        NV_FAILED_PRECONDITION);
}

static Nv__Interrupt *wait_interrupt(plane_stack_t *stack, const char *tenant)
{
    Nv__ListInterruptsRequest request = NV__LIST_INTERRUPTS_REQUEST__INIT;
    request.tenant = stack_text(tenant);
    for (int i = 0; i < 200; i++, usleep(50000)) {
        Nv__ListInterruptsReply *reply = (Nv__ListInterruptsReply *)stack_call(
            stack, "RunService/ListInterrupts", &request.base, &nv__list_interrupts_reply__descriptor);
        if (reply->n_interrupts)
            return reply->interrupts[0];
    }
    fail_msg("no interrupt");
    return NULL;
}

static void an_approval_waits_for_its_answer_even_over_a_restart(void **state)
{
    plane_stack_t *stack = *state;
    Nv__AnswerInterruptRequest answer = NV__ANSWER_INTERRUPT_REQUEST__INIT;
    stack_make_tenant(stack, "acme");
    stack_start_worker(stack, 0, "default");
    char *run = stack_submit(stack, "acme", "tables=1", "ask");
    stack_wait_run(stack, "acme", run, "waiting", 10);
    stack_kill_control(stack, SIGKILL);
    stack_start_control(stack);
    Nv__Interrupt *interrupt = wait_interrupt(stack, "acme");
    assert_string_equal(interrupt->node, "approve");
    answer.tenant = stack_text("acme");
    answer.run_id = run;
    answer.interrupt_id = interrupt->interrupt_id;
    answer.answer = stack_text("maybe");
    assert_int_equal(stack_try(stack, stack->client, "RunService/AnswerInterrupt", &answer.base,
                               &nv__run__descriptor, NULL),
                     NV_INVALID_ARGUMENT);
    answer.answer = stack_text("approve");
    stack_call(stack, "RunService/AnswerInterrupt", &answer.base, &nv__run__descriptor);
    stack_wait_run(stack, "acme", run, "succeeded", 20);
    assert_int_not_equal(stack_try(stack, stack->client, "RunService/AnswerInterrupt", &answer.base,
                                   &nv__run__descriptor, NULL),
                         NV_OK);
}

static void a_run_is_forked_from_a_checkpoint(void **state)
{
    plane_stack_t *stack = *state;
    Nv__GetRunRequest request = NV__GET_RUN_REQUEST__INIT;
    Nv__GetCheckpointRequest get = NV__GET_CHECKPOINT_REQUEST__INIT;
    Nv__ForkRunRequest fork = NV__FORK_RUN_REQUEST__INIT;
    events_t events = {0};
    stack_make_tenant(stack, "acme");
    stack_start_worker(stack, 0, "default");
    char *run = stack_submit(stack, "acme", "tables=2", "");
    stack_wait_run(stack, "acme", run, "succeeded", 10);
    request.tenant = get.tenant = fork.tenant = stack_text("acme");
    request.run_id = get.run_id = fork.run_id = run;
    Nv__ListCheckpointsReply *list = (Nv__ListCheckpointsReply *)stack_call(
        stack, "RunService/ListCheckpoints", &request.base, &nv__list_checkpoints_reply__descriptor);
    assert_true(list->n_checkpoints >= 12);
    assert_int_equal(list->checkpoints[2]->n_nodes, 1);
    assert_string_equal(list->checkpoints[2]->nodes[0], "profile");
    get.step = fork.checkpoint = 3;
    Nv__Checkpoint *third = (Nv__Checkpoint *)stack_call(stack, "RunService/GetCheckpoint", &get.base,
                                                         &nv__checkpoint__descriptor);
    assert_true(third->n_channels >= 3);
    Nv__Run *forked = (Nv__Run *)stack_call(stack, "RunService/ForkRun", &fork.base, &nv__run__descriptor);
    assert_true(stack_watch(stack, "acme", forked->run_id, 0, 0, &events));
    stack_check_events(&events);
    stack_wait_run(stack, "acme", forked->run_id, "succeeded", 10);
    assert_int_equal(stack_count(&events, "run", "succeeded"), 1);
    get.step = 4000;
    assert_int_equal(stack_try(stack, stack->client, "RunService/GetCheckpoint", &get.base,
                               &nv__checkpoint__descriptor, NULL),
                     NV_NOT_FOUND);
}

/* A script that fails at `generate`, and a fork before that with another script and a critique. */
static void a_fork_begins_with_another_state(void **state)
{
    plane_stack_t *stack = *state;
    Nv__ForkRunRequest fork = NV__FORK_RUN_REQUEST__INIT;
    Nv__GetCheckpointRequest get = NV__GET_CHECKPOINT_REQUEST__INIT;
    Nv__RunState other = NV__RUN_STATE__INIT;
    Nv__Validation critique = NV__VALIDATION__INIT;
    events_t events = {0};
    stack_make_tenant(stack, "acme");
    stack_start_worker(stack, 0, "default");
    char *run = stack_submit(stack, "acme", "tables=1,fail=generate", "");
    Nv__Run *failed = stack_wait_run(stack, "acme", run, "failed", 20);
    critique.critique = stack_text("call it dim_person");
    other.spec = failed->spec;
    other.critique = &critique;
    fork.tenant = get.tenant = stack_text("acme");
    fork.run_id = run;
    fork.checkpoint = 3;
    fork.state = &other;
    other.spec->max_rounds = 21;
    assert_int_equal(
        stack_try(stack, stack->client, "RunService/ForkRun", &fork.base, &nv__run__descriptor, NULL),
        NV_INVALID_ARGUMENT);
    other.spec->max_rounds = 2;
    other.spec->source = stack_text("tables=1");
    Nv__Run *forked = (Nv__Run *)stack_call(stack, "RunService/ForkRun", &fork.base, &nv__run__descriptor);
    assert_string_equal(forked->spec->source, "tables=1");
    stack_wait_run(stack, "acme", forked->run_id, "succeeded", 20);
    assert_true(stack_watch(stack, "acme", forked->run_id, 0, 0, &events));
    assert_non_null(strstr(events.list[0]->text, "@3 by spiffe://"));
    assert_non_null(strstr(events.list[0]->text, "with another spec, critique"));
    get.run_id = forked->run_id;
    get.step = 3;
    Nv__Checkpoint *first = (Nv__Checkpoint *)stack_call(stack, "RunService/GetCheckpoint", &get.base,
                                                         &nv__checkpoint__descriptor);
    bool found = false;
    for (size_t i = 0; i < first->n_channels; i++)
        found |= strcmp(first->channels[i]->name, "critique") == 0 &&
                 strcmp(first->channels[i]->message_type, "nuvyn.v1.Validation") == 0;
    assert_true(found);
}

static void a_failed_run_says_why_and_is_tried_again(void **state)
{
    plane_stack_t *stack = *state;
    Nv__GetRunRequest request = NV__GET_RUN_REQUEST__INIT;
    stack_make_tenant(stack, "acme");
    stack_start_worker(stack, 0, "default");
    char *run = stack_submit(stack, "acme", "tables=1,fail=generate", "");
    Nv__Run *failed = stack_wait_run(stack, "acme", run, "failed", 20);
    assert_non_null(strstr(failed->reason, "scripted to fail"));
    request.tenant = stack_text("acme");
    request.run_id = run;
    Nv__Run *again = (Nv__Run *)stack_call(stack, "RunService/RetryRun", &request.base, &nv__run__descriptor);
    assert_string_not_equal(again->run_id, run);
    assert_true(strncmp(again->forked_from, run, strlen(run)) == 0);
    stack_wait_run(stack, "acme", again->run_id, "failed", 20); /* the script has not changed */
}

static void what_may_pass_is_tried_again_by_itself(void **state)
{
    plane_stack_t *stack = *state;
    events_t events = {0};
    stack_make_tenant(stack, "acme");
    stack_start_worker(stack, 0, "default");
    char *run = stack_submit(stack, "acme", "tables=1,retry=deploy", "");
    assert_true(stack_watch(stack, "acme", run, 0, 0, &events));
    stack_check_events(&events);
    assert_int_equal(stack_count(&events, "task", "retrying"), 1);
    stack_wait_run(stack, "acme", run, "succeeded", 5);
}

static void artifacts_are_listed_and_downloaded_whole(void **state)
{
    plane_stack_t *stack = *state;
    Nv__GetRunRequest request = NV__GET_RUN_REQUEST__INIT;
    Nv__GetArtifactRequest get = NV__GET_ARTIFACT_REQUEST__INIT;
    nv_error_t err = NV_ERROR_INIT;
    nv_rpc_reader_t *reader;
    size_t bytes = 0;
    stack_make_tenant(stack, "acme");
    stack_start_worker(stack, 0, "default");
    char *run = stack_submit(stack, "acme", "tables=1", "");
    stack_wait_run(stack, "acme", run, "succeeded", 10);
    request.tenant = get.tenant = stack_text("acme");
    request.run_id = get.run_id = run;
    Nv__ListArtifactsReply *list = (Nv__ListArtifactsReply *)stack_call(
        stack, "RunService/ListArtifacts", &request.base, &nv__list_artifacts_reply__descriptor);
    assert_int_equal(list->n_artifacts, 2);
    get.name = stack_text("report.html");
    assert_true(nv_rpc_client_open(stack->client, "/nuvyn.v1.RunService/GetArtifact", &get.base,
                                   &nv__document_chunk__descriptor, 10000, &reader, &err));
    for (;;) {
        ProtobufCMessage *message;
        if (!nv_rpc_reader_next(reader, stack->ctx, &message, &err))
            fail_msg("%s", err.message);
        if (!message)
            break;
        assert_int_equal(((Nv__DocumentChunk *)message)->offset, (int64_t)bytes);
        bytes += ((Nv__DocumentChunk *)message)->data.len;
    }
    assert_int_equal(bytes, 3u << 20);
    nv_rpc_reader_free(reader);
}

#define WITH_STACK(test) cmocka_unit_test_setup_teardown(test, stack_open, stack_close)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        WITH_STACK(a_run_completes_and_its_events_are_dense),
        WITH_STACK(a_watcher_resumes_where_it_left_off),
        WITH_STACK(the_same_request_twice_makes_one_run),
        WITH_STACK(cancelling_reaches_a_busy_worker),
        WITH_STACK(an_approval_waits_for_its_answer_even_over_a_restart),
        WITH_STACK(a_run_is_forked_from_a_checkpoint),
        WITH_STACK(a_fork_begins_with_another_state),
        WITH_STACK(a_failed_run_says_why_and_is_tried_again),
        WITH_STACK(what_may_pass_is_tried_again_by_itself),
        WITH_STACK(artifacts_are_listed_and_downloaded_whole),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
