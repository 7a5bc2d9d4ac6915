/* kill -9 and SIGSTOP while runs are going: they complete once, and the event stream loses and doubles nothing. */
#include "stack.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void a_killed_worker_costs_only_time(void **state)
{
    plane_stack_t *stack = *state;
    events_t events = {0};
    stack_make_tenant(stack, "acme");
    stack_start_worker(stack, 0, "default");
    char *run = stack_submit(stack, "acme", "tables=6,ms=150", "");
    for (int i = 0; i < 4; i++) {
        usleep(300000);
        stack_kill_worker(stack, 0);
        stack_start_worker(stack, 0, "default");
    }
    stack_watch_through(stack, "acme", run, &events);
    stack_check_events(&events);
    stack_wait_run(stack, "acme", run, "succeeded", 5);
    assert_int_equal(stack_count(&events, "run", "succeeded"), 1);
    assert_int_equal(stack_count(&events, "task", "done"), 6 + 11);
}

static void a_killed_control_plane_goes_on_where_it_was(void **state)
{
    plane_stack_t *stack = *state;
    events_t events = {0};
    unsigned seed = 1;
    stack_make_tenant(stack, "acme");
    stack_start_worker(stack, 0, "default");
    stack_start_worker(stack, 1, "default");
    char *run = stack_submit(stack, "acme", "tables=8,ms=60", "");
    for (int i = 0; i < 6; i++) {
        usleep(100000 + (useconds_t)(rand_r(&seed) % 300000));
        stack_kill_control(stack, SIGKILL);
        stack_start_control(stack);
        int64_t last = events.n ? events.list[events.n - 1]->seq : 0;
        (void)!stack_watch(stack, "acme", run, last, 4, &events); /* a reader that comes and goes */
    }
    stack_watch_through(stack, "acme", run, &events);
    stack_check_events(&events);
    stack_wait_run(stack, "acme", run, "succeeded", 5);
    assert_int_equal(stack_count(&events, "run", "succeeded"), 1);
    assert_int_equal(stack_count(&events, "task", "done"), 8 + 11);
}

/* A run whose node "execute" is at work, for so long; each time it begins, the file *began has a word more. */
static char *run_to_a_long_task(plane_stack_t *stack, int ms, char **began)
{
    *began = nv_printf(stack->ctx, "%s/began", stack->dir);
    char *script = nv_printf(stack->ctx, "tables=1,slow=execute,slow_ms=%d,began=%s", ms, *began);
    char *run = stack_submit(stack, "acme", script, "");
    stack_wait_running(stack, "acme", run, "execute");
    return run;
}

static void a_long_task_survives_the_control_plane(void **state)
{
    plane_stack_t *stack = *state;
    events_t events = {0};
    stack_make_tenant(stack, "acme");
    stack_start_worker(stack, 0, "default");
    char *began, *run = run_to_a_long_task(stack, 5000, &began);
    usleep(300000);
    stack_kill_control(stack, SIGKILL);
    usleep(2500000); /* longer than a lease */
    stack_start_control(stack);
    stack_watch_through(stack, "acme", run, &events);
    stack_check_events(&events);
    stack_wait_run(stack, "acme", run, "succeeded", 5);
    assert_int_equal(stack_count_words(stack, began, "execute"), 1); /* not done again */
}

static void both_killed_at_once(void **state)
{
    plane_stack_t *stack = *state;
    events_t events = {0};
    stack_make_tenant(stack, "acme");
    stack_start_worker(stack, 0, "default");
    char *run = stack_submit(stack, "acme", "tables=4,ms=50", "");
    for (int i = 0; i < 3; i++) {
        usleep(170000);
        kill(stack->control, SIGKILL);
        stack_kill_worker(stack, 0);
        stack_kill_control(stack, SIGKILL);
        stack_start_control(stack);
        stack_start_worker(stack, 0, "default");
    }
    stack_watch_through(stack, "acme", run, &events);
    stack_check_events(&events);
    assert_int_equal(stack_count(&events, "task", "done"), 4 + 11);
}

static void a_thawed_worker_is_refused(void **state)
{
    plane_stack_t *stack = *state;
    events_t events = {0};
    stack_make_tenant(stack, "acme");
    stack_start_worker(stack, 0, "default");
    char *run = stack_submit(stack, "acme", "tables=1,ms=600", "");
    stack_wait_running(stack, "acme", run, NULL);
    stack_signal_worker(stack, 0, SIGSTOP);
    stack_start_worker(stack, 1, "default");
    assert_true(stack_logged(stack, "lease ran out", 10));
    usleep(900000); /* the other has begun, and may be done */
    stack_signal_worker(stack, 0, SIGCONT);
    stack_watch_through(stack, "acme", run, &events);
    stack_check_events(&events);
    stack_wait_run(stack, "acme", run, "succeeded", 5);
    assert_int_equal(stack_count(&events, "task", "done"), 1 + 11);
    assert_int_equal(stack_count(&events, "run", "succeeded"), 1);
}

static void a_drained_worker_gets_nothing_new(void **state)
{
    plane_stack_t *stack = *state;
    Nv__DrainWorkerRequest drain = NV__DRAIN_WORKER_REQUEST__INIT;
    stack_make_tenant(stack, "acme");
    stack_start_worker(stack, 0, "default");
    char *first = stack_submit(stack, "acme", "tables=1", "");
    stack_wait_run(stack, "acme", first, "succeeded", 10);
    drain.name = stack_text("w*");
    drain.pool = stack_text("default");
    const Nv__Worker *drained = (const Nv__Worker *)stack_call(stack, "AdminService/DrainWorker", &drain.base,
                                                               &nv__worker__descriptor);
    assert_int_equal(drained->slots, 2);
    assert_string_equal(drained->state, "drained"); /* it had nothing to do */
    char *run = stack_submit(stack, "acme", "tables=1", "");
    usleep(700000);
    Nv__Run *still = stack_wait_run(stack, "acme", run, "running", 1);
    assert_int_equal(still->nodes[0]->done, 0);
    drain.undo = true;
    stack_call(stack, "AdminService/DrainWorker", &drain.base, &nv__worker__descriptor);
    stack_wait_run(stack, "acme", run, "succeeded", 10);
}

static void a_leaving_worker_hands_its_work_on(void **state)
{
    plane_stack_t *stack = *state;
    events_t events = {0};
    stack_make_tenant(stack, "acme");
    stack_start_worker(stack, 0, "default");
    stack_start_worker(stack, 1, "default");
    char *run = stack_submit(stack, "acme", "tables=6,ms=100", "");
    usleep(250000);
    stack_signal_worker(stack, 0, SIGTERM);
    stack_watch_through(stack, "acme", run, &events);
    stack_check_events(&events);
    assert_int_equal(stack_count(&events, "task", "retrying"), 0); /* what it had, it finished */
    stack_wait_run(stack, "acme", run, "succeeded", 5);
}

/* The result of a worker that leaves reaches a control plane that restarts meanwhile. */
static void a_leaving_worker_waits_for_a_restart(void **state)
{
    plane_stack_t *stack = *state;
    events_t events = {0};
    stack_make_tenant(stack, "acme");
    stack_start_worker(stack, 0, "default");
    char *began, *run = run_to_a_long_task(stack, 4000, &began);
    stack_kill_control(stack, SIGKILL);
    stack_signal_worker(stack, 0, SIGTERM);
    usleep(1500000);
    stack_start_control(stack);
    stack_start_worker(stack, 1, "default"); /* for what comes after */
    stack_watch_through(stack, "acme", run, &events);
    stack_check_events(&events);
    stack_wait_run(stack, "acme", run, "succeeded", 5);
    assert_int_equal(stack_count_words(stack, began, "execute"), 1); /* not done again */
}

static int seconds_until_gone(pid_t pid, int most)
{
    for (int i = 0; i < most * 10; i++) {
        if (waitpid(pid, NULL, WNOHANG) == pid)
            return i / 10;
        usleep(100000);
    }
    return most;
}

static void a_leaving_worker_does_not_wait_for_nobody(void **state)
{
    plane_stack_t *stack = *state;
    stack_make_tenant(stack, "acme");
    stack_start_worker(stack, 0, "default");
    char *began;
    (void)run_to_a_long_task(stack, 60000, &began);
    stack_kill_control(stack, SIGKILL);
    usleep(300000);
    stack_signal_worker(stack, 0, SIGTERM);
    assert_in_range(seconds_until_gone(stack->workers[0], 30), 7,
                    20); /* ten, and a restart would have been in time */
    stack->workers[0] = 0;
    stack_start_control(stack);
}

/* With the grace that real workers have. */
static int patient_worker(void **state)
{
    return setenv("NUVYN_TEST_DRAIN_MS", "30000", 1) == 0 ? stack_open(state) : -1;
}

static int close_patient(void **state)
{
    unsetenv("NUVYN_TEST_DRAIN_MS");
    return stack_close(state);
}

static void many_runs_survive_a_crash_together(void **state)
{
    plane_stack_t *stack = *state;
    char *runs[12];
    stack_make_tenant(stack, "acme");
    stack_make_tenant(stack, "other");
    stack_start_worker(stack, 0, "default");
    stack_start_worker(stack, 1, "default");
    for (int i = 0; i < 12; i++)
        runs[i] = stack_submit(stack, i % 2 ? "acme" : "other", "tables=3,ms=10", "");
    usleep(400000);
    stack_kill_control(stack, SIGKILL);
    stack_start_control(stack);
    for (int i = 0; i < 12; i++) {
        events_t events = {0};
        stack_watch_through(stack, i % 2 ? "acme" : "other", runs[i], &events);
        stack_check_events(&events);
        assert_int_equal(stack_count(&events, "task", "done"), 3 + 11);
    }
}

#define WITH_STACK(test) cmocka_unit_test_setup_teardown(test, stack_open, stack_close)

/* Two by mistake on one SQLite file: the younger one has it; the older one, even an idle one, goes. */
static void a_second_one_on_the_same_file_takes_over(void **state)
{
    plane_stack_t *stack = *state;
    pid_t first = stack->control;
    int status;
    stack_make_tenant(stack, "acme");
    stack->address = stack->listen = stack_free_address(stack);
    stack_start_control(stack);
    assert_int_equal(waitpid(first, &status, 0), first);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 0);
    assert_true(stack_logged(stack, "another control plane leads now", 1));
    stack_start_worker(stack, 0, "default");
    stack_wait_run(stack, "acme", stack_submit(stack, "acme", "tables=3", ""), "succeeded", 20);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        WITH_STACK(a_second_one_on_the_same_file_takes_over),
        WITH_STACK(a_killed_worker_costs_only_time),
        WITH_STACK(a_killed_control_plane_goes_on_where_it_was),
        WITH_STACK(a_long_task_survives_the_control_plane),
        WITH_STACK(both_killed_at_once),
        WITH_STACK(a_thawed_worker_is_refused),
        WITH_STACK(a_drained_worker_gets_nothing_new),
        WITH_STACK(a_leaving_worker_hands_its_work_on),
        cmocka_unit_test_setup_teardown(a_leaving_worker_waits_for_a_restart, patient_worker, close_patient),
        cmocka_unit_test_setup_teardown(a_leaving_worker_does_not_wait_for_nobody, patient_worker,
                                        close_patient),
        WITH_STACK(many_runs_survive_a_crash_together),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
