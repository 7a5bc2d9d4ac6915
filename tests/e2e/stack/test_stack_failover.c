/* Two control planes on one real PostgreSQL: whichever leads may die, leave or freeze; runs, workers and watchers go on at the
 * other, and nothing is done twice. */
#include "stack.h"
#include "tests/unit/controlplane/store/postgres_proxy.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static int open_both(void **state)
{
    char url[512];
    server_fresh(url, sizeof url);
    setenv("STACK_STORE", url, 1);
    if (stack_open(state) != 0)
        return -1;
    stack_start_standby(*state);
    return 0;
}

/* A run whose execution takes seconds, and where it is under way. */
static char *start_run(plane_stack_t *stack, char **began)
{
    *began = nv_printf(stack->ctx, "%s/began", stack->dir);
    stack_make_tenant(stack, "acme");
    stack_start_worker(stack, 0, "default");
    char *run = stack_submit(
        stack, "acme", nv_printf(stack->ctx, "tables=3,slow=execute,slow_ms=6000,began=%s", *began), "");
    stack_wait_running(stack, "acme", run, "execute");
    usleep(200000);
    return run;
}

static void succeeds_once(plane_stack_t *stack, const char *run)
{
    events_t events = {0};
    stack_watch_through(stack, "acme", run, &events);
    stack_check_events(&events);
    stack_wait_run(stack, "acme", run, "succeeded", 5);
    assert_int_equal(stack_count(&events, "run", "succeeded"), 1);
    assert_int_equal(stack_count(&events, "task", "done"), 3 + 11);
}

static void finish_run(plane_stack_t *stack, const char *run, const char *began)
{
    succeeds_once(stack, run);
    assert_int_equal(stack_count_words(stack, began, "execute"), 1);
}

/* nuvynctl, told of both, follows the run from before the change of leaders to its end. */
static FILE *follow(plane_stack_t *stack, const char *run)
{
    FILE *pipe =
        popen(nv_printf(stack->ctx,
                        "timeout 60 " BIN_DIR "/nuvynctl run watch %s --tenant acme --address %s --ca %s "
                        "--cert %s --key %s 2>&1",
                        run, stack->address, stack->op.ca, stack->op.cert, stack->op.key),
              "r");
    assert_non_null(pipe);
    return pipe;
}

static void followed(FILE *pipe)
{
    static char out[65536];
    size_t n = fread(out, 1, sizeof out - 1, pipe);
    out[n] = '\0';
    if (pclose(pipe) != 0 || !strstr(out, "succeeded"))
        fail_msg("nuvynctl run watch: %s", out);
}

static void a_killed_leader_is_succeeded(void **state)
{
    plane_stack_t *stack = *state;
    char *began, *run = start_run(stack, &began);
    events_t events = {0};
    assert_true(stack_watch(stack, "acme", run, 0, 3, &events));
    FILE *watcher = follow(stack, run);
    usleep(500000);
    stack_kill_control(stack, SIGKILL);
    finish_run(stack, run, began);
    followed(watcher);
    assert_true(stack_log_has(stack, "standby", "worker goes on with its task", 1));
    stack_start_control(stack); /* as a standby, for the address that answers is the other's */
    assert_true(stack_logged(stack, "standing by", 5));
}

static void a_leader_that_stops_hands_over_at_once(void **state)
{
    plane_stack_t *stack = *state;
    char *began, *run = start_run(stack, &began);
    stack_kill_control(stack, SIGTERM);
    assert_true(stack_log_has(stack, "standby", "leading", 2));
    finish_run(stack, run, began);
}

static void a_frozen_leader_wakes_up_to_nothing(void **state)
{
    plane_stack_t *stack = *state;
    char *began, *run = start_run(stack, &began);
    int status;
    kill(stack->control, SIGSTOP);
    assert_true(stack_log_has(stack, "standby", "leading", 8));
    kill(stack->control, SIGCONT);
    assert_int_equal(waitpid(stack->control, &status, 0), stack->control);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 0);
    stack->control = 0;
    assert_true(stack_logged(stack, "another control plane leads now", 1));
    finish_run(stack, run, began);
}

typedef struct request {
    plane_stack_t *stack;
    nv_rpc_client_t *client;
    Nv__Run *run;
    nv_code_t code;
} request_t;

static void *submit_there(void *arg)
{
    request_t *request = arg;
    Nv__SubmitRunRequest submit = NV__SUBMIT_RUN_REQUEST__INIT;
    Nv__RunSpec spec = NV__RUN_SPEC__INIT;
    ProtobufCMessage *reply = NULL;
    spec.source = stack_text("tables=3");
    submit.tenant = stack_text("acme");
    submit.spec = &spec;
    request->code = stack_try(request->stack, request->client, "RunService/SubmitRun", &submit.base,
                              &nv__run__descriptor, &reply);
    request->run = (Nv__Run *)reply;
    return NULL;
}

/* Its follower has read the open runs already: a run that the old leader begins now, nobody would ever go on with. */
static void a_run_begun_at_a_thawed_leader_is_refused_or_done(void **state)
{
    plane_stack_t *stack = *state;
    pthread_t thread;
    char *both = stack->address;
    stack_make_tenant(stack, "acme");
    stack_start_worker(stack, 0, "default");
    stack->address = stack->listen;
    request_t request = {.stack = stack, .client = stack_client(stack, "operator/late")};
    stack->address = both;
    submit_there(&request); /* the connection is there before it freezes */
    assert_int_equal(request.code, NV_OK);
    stack_wait_run(stack, "acme", request.run->run_id, "succeeded", 20);
    kill(stack->control, SIGSTOP);
    assert_int_equal(pthread_create(&thread, NULL, submit_there, &request), 0);
    assert_true(stack_log_has(stack, "standby", "leading", 8));
    kill(stack->control, SIGCONT);
    pthread_join(thread, NULL);
    if (request.code == NV_OK)
        stack_wait_run(stack, "acme", request.run->run_id, "succeeded", 20);
    else
        print_message("refused: %s\n", nv_code_name(request.code));
    waitpid(stack->control, NULL, 0);
    stack->control = 0;
    nv_rpc_client_free(request.client);
}

/* ---- one control plane behind a line that breaks ---- */

static proxy_t proxy;

static int open_behind_the_proxy(void **state)
{
    char url[512];
    server_fresh(url, sizeof url);
    proxy_start(&proxy);
    snprintf(url, sizeof url, "postgresql:host=%s user=nuvyn dbname=t%d", proxy.folder, databases_made);
    setenv("STACK_STORE", url, 1);
    return stack_open(state);
}

static int close_and_stop_the_proxy(void **state)
{
    int failed = stack_close(state);
    proxy_stop(&proxy);
    return failed;
}

/* The commit has landed and nobody hears of it: the run is read again and goes on from there, once. The task under way is given out
 * again, with the token of before: its worker's lease ended with what was known of the run. */
static void a_commit_whose_outcome_is_unknown_is_read_again(void **state)
{
    plane_stack_t *stack = *state;
    char *began, *run = start_run(stack, &began);
    atomic_store(&proxy.deaf_after, true);
    proxy.lose_after = "EVENT_INSERT"; /* a run's, not that of a renewed lead */
    atomic_store(&proxy.lose_commit, true);
    for (int i = 0; i < 200 && !atomic_load(&proxy.deaf); i++)
        sleep_ms(50);
    /* A server that was restarted meanwhile cannot tell any more. */
    assert_true(server_do("kill") && server_do("resume"));
    atomic_store(&proxy.deaf, false);
    assert_true(stack_logged(stack, "outcome is unknown", 15));
    succeeds_once(stack, run);
    assert_in_range(stack_count_words(stack, began, "execute"), 1, 2);
}

#define WITH_BOTH(test) cmocka_unit_test_setup_teardown(test, open_both, stack_close)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        WITH_BOTH(a_killed_leader_is_succeeded),
        WITH_BOTH(a_leader_that_stops_hands_over_at_once),
        WITH_BOTH(a_frozen_leader_wakes_up_to_nothing),
        WITH_BOTH(a_run_begun_at_a_thawed_leader_is_refused_or_done),
        cmocka_unit_test_setup_teardown(a_commit_whose_outcome_is_unknown_is_read_again,
                                        open_behind_the_proxy, close_and_stop_the_proxy),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    if (!server_start())
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return failed + !server_do("stop");
}
