/* Leases: fencing, renewal, expiry, cancel. */
#include "fixture.h"

static bool check(fixture_t *f, const char *session, nv_lease_t lease)
{
    nv_error_t err = NV_ERROR_INIT;
    bool ok = nv_sched_check(f->sched, session, &lease, &err);
    assert_true(ok || err.code == NV_ABORTED);
    return ok;
}

static void a_task_is_assigned_completed_and_forgotten(void **state)
{
    (void)state;
    fixture_t *f = fixture_new(NULL);
    join(f, "w1", "shared", 1);
    submit(f, "t1", "r1", 7);
    step(f, 10);
    nv_sched_effect_t given = effect_of(f, NV_SCHED_ASSIGN);
    assert_string_equal(given.worker, "w1");
    assert_string_equal(given.lease.run, "r1");
    assert_int_equal(given.delivery, 1);
    assert_int_equal(given.queued_ms, 10);
    assert_true(check(f, "w1", given.lease));
    done(f, "w1", given.lease);
    assert_false(check(f, "w1", given.lease)); /* a second result is stale */
    nv_lease_t lease;
    const char *session;
    assert_false(nv_sched_find(f->sched, "r1", 7, &lease, &session));
    fixture_free(f);
}

static void only_the_exact_lease_is_heard(void **state)
{
    (void)state;
    fixture_t *f = fixture_new(NULL);
    join(f, "w1", "shared", 1);
    join(f, "w2", "shared", 1);
    submit(f, "t1", "r1", 7);
    step(f, 0);
    nv_lease_t lease = effect_of(f, NV_SCHED_ASSIGN).lease;
    const char *holder = effect_of(f, NV_SCHED_ASSIGN).worker;
    nv_lease_t other = lease;
    other.attempt++;
    assert_false(check(f, holder, other));
    other = lease;
    other.epoch++;
    assert_false(check(f, holder, other));
    other = lease;
    other.run = "r2";
    assert_false(check(f, holder, other));
    other = lease;
    other.task = 8;
    assert_false(check(f, holder, other));
    assert_false(check(f, strcmp(holder, "w1") ? "w1" : "w2", lease));
    assert_true(check(f, holder, lease));
    fixture_free(f);
}

/* LG#8796: A is paused, B finishes, A thaws and must be refused. */
static void a_thawed_worker_changes_nothing(void **state)
{
    (void)state;
    fixture_t *f = fixture_new(NULL);
    join(f, "a", "shared", 1);
    submit(f, "t1", "r1", 7);
    step(f, 0);
    nv_lease_t old = effect_of(f, NV_SCHED_ASSIGN).lease;
    f->now = 3000;
    join(f, "b", "shared", 1);
    step(f, 4000);
    nv_sched_effect_t again = effect_of(f, NV_SCHED_ASSIGN);
    assert_int_equal(effect_count(f, NV_SCHED_REQUEUED), 1);
    assert_string_equal(again.worker, "b"); /* not a, which is silent */
    assert_int_equal(again.delivery, 2);
    assert_true(again.lease.epoch > old.epoch);
    assert_int_equal(again.lease.attempt, old.attempt);
    assert_false(check(f, "a", old));
    assert_true(beat(f, "a", &old)); /* alive, but told to stop */
    nv_sched_effect_t revoked = effect_of(f, NV_SCHED_REVOKE);
    assert_string_equal(revoked.worker, "a");
    assert_int_equal(revoked.lease.epoch, old.epoch);
    done(f, "b", again.lease);
    assert_false(check(f, "a", old));
    fixture_free(f);
}

static void heartbeats_renew_what_they_name(void **state)
{
    (void)state;
    fixture_t *f = fixture_new(NULL);
    join(f, "w", "shared", 2);
    submit(f, "t1", "r1", 1);
    step(f, 0);
    nv_lease_t first = effect_of(f, NV_SCHED_ASSIGN).lease;
    submit(f, "t1", "r1", 2); /* its assignment gets lost: the worker never names it */
    step(f, 0);
    for (int64_t now = 1000; now <= 3000; now += 1000) {
        f->now = now;
        beat(f, "w", &first);
        step(f, now);
        assert_int_equal(effect_count(f, NV_SCHED_REQUEUED), 0);
    }
    f->now = 4000;
    beat(f, "w", &first);
    step(f, 4000);
    assert_int_equal(effect_of(f, NV_SCHED_REQUEUED).lease.task, 2);
    assert_int_equal(effect_of(f, NV_SCHED_ASSIGN).delivery, 2);
    assert_true(check(f, "w", first));
    fixture_free(f);
}

static void a_task_that_stalls_is_taken_away(void **state)
{
    (void)state;
    nv_error_t err = NV_ERROR_INIT;
    fixture_t *f = fixture_new(NULL);
    join(f, "w", "shared", 1);
    nv_sched_task_t given = {
        .lease = {"r", 1, 1, 0}, .tenant = "t1", .pool = "shared", .kind = "execute", .stall_ms = 2000};
    assert_true(nv_sched_submit(f->sched, &given, 0, f->effects, &err));
    step(f, 0);
    nv_lease_t lease = effect_of(f, NV_SCHED_ASSIGN).lease;
    int64_t interval;
    size_t expired = 0;
    for (int64_t now = 1000; now <= 12000; now += 1000) {
        uint64_t progress =
            now <= 5000 ? (uint64_t)now : 5000; /* alive to the end, but stands still at 5 s */
        f->now = now;
        if (expired == 0)
            assert_true(
                nv_sched_heartbeat(f->sched, "w", &lease, &progress, 1, now, &interval, f->effects, &err));
        step(f, now);
        expired += effect_count(f, NV_SCHED_REQUEUED);
        if (now < 8000)
            assert_int_equal(expired, 0);
    }
    assert_true(expired > 0);
    fixture_free(f);
}

static void an_attempt_is_given_up_after_some_deliveries(void **state)
{
    (void)state;
    fixture_t *f = fixture_new(&(nv_sched_config_t){.deliveries_max = 3});
    join(f, "w", "shared", 1);
    submit(f, "t1", "r1", 1);
    int64_t now = 0;
    for (uint32_t delivery = 1; delivery <= 3; delivery++, now += 4000) {
        step(f, now);
        assert_int_equal(effect_of(f, NV_SCHED_ASSIGN).delivery, delivery);
        for (int64_t t = now + 1000; t < now + 4000; t += 1000) {
            f->now = t;
            beat(f, "w", NULL); /* crashes on the task each time, and comes back */
        }
    }
    step(f, now);
    assert_int_equal(effect_of(f, NV_SCHED_LOST).delivery, 3);
    assert_int_equal(effect_count(f, NV_SCHED_ASSIGN), 0);
    fixture_free(f);
}

static void a_newer_attempt_replaces_the_older(void **state)
{
    (void)state;
    nv_error_t err = NV_ERROR_INIT;
    fixture_t *f = fixture_new(NULL);
    join(f, "w", "shared", 1);
    submit(f, "t1", "r1", 1);
    step(f, 0);
    nv_lease_t old = effect_of(f, NV_SCHED_ASSIGN).lease;
    nv_sched_task_t given = {.lease = {"r1", 1, 1, 0}, .tenant = "t1", .pool = "shared", .kind = "profile"};
    assert_false(nv_sched_submit(f->sched, &given, 0, f->effects, &err));
    assert_int_equal(err.code, NV_ALREADY_EXISTS);
    given.lease.attempt = 2;
    assert_true(nv_sched_submit(f->sched, &given, 0, f->effects, &err));
    assert_int_equal(effect_of(f, NV_SCHED_REVOKE).lease.epoch, old.epoch);
    assert_false(check(f, "w", old));
    step(f, 0);
    assert_int_equal(effect_of(f, NV_SCHED_ASSIGN).lease.attempt, 2);
    fixture_free(f);
}

static void cancel_is_pushed_again_until_it_is_acknowledged(void **state)
{
    (void)state;
    nv_error_t err = NV_ERROR_INIT;
    fixture_t *f = fixture_new(NULL);
    join(f, "w", "shared", 1);
    submit(f, "t1", "r1", 1);
    step(f, 0);
    nv_lease_t lease = effect_of(f, NV_SCHED_ASSIGN).lease;
    assert_false(nv_sched_cancel_ack(f->sched, "w", &lease, 0, f->effects, &err));
    assert_true(nv_sched_cancel(f->sched, "r1", 1, 0, 0, f->effects));
    assert_string_equal(effect_of(f, NV_SCHED_CANCEL).worker, "w");
    assert_false(check(f, "w", lease)); /* its result no longer counts */
    f->now = 500;
    beat(f, "w", &lease);
    assert_int_equal(f->effects->count, 0);
    f->now = 1000;
    beat(f, "w", &lease); /* it still names it: the message was lost */
    assert_int_equal(effect_count(f, NV_SCHED_CANCEL), 1);
    assert_true(nv_sched_cancel_ack(f->sched, "w", &lease, 1000, f->effects, &err));
    assert_int_equal(effect_count(f, NV_SCHED_CANCELLED), 1);
    assert_false(nv_sched_cancel_ack(f->sched, "w", &lease, 1000, f->effects, &err));
    fixture_free(f);
}

/* A run that was dropped and loaded again cancels what it had out, and gives the same attempts out again. */
static void a_task_being_cancelled_can_be_submitted_again(void **state)
{
    (void)state;
    nv_error_t err = NV_ERROR_INIT;
    fixture_t *f = fixture_new(NULL);
    join(f, "w", "shared", 1);
    submit(f, "t1", "r1", 1);
    step(f, 0);
    nv_lease_t old = effect_of(f, NV_SCHED_ASSIGN).lease;
    nv_sched_cancel_run(f->sched, "r1", 0, f->effects);
    submit(f, "t1", "r1", 1);
    assert_int_equal(effect_of(f, NV_SCHED_REVOKE).lease.epoch, old.epoch);
    step(f, 0);
    nv_sched_effect_t again = effect_of(f, NV_SCHED_ASSIGN);
    assert_true(again.lease.epoch > old.epoch);
    assert_false(
        nv_sched_cancel_ack(f->sched, "w", &old, 0, f->effects, &err)); /* late, and of the old lease */
    done(f, "w", again.lease);
    fixture_free(f);
}

static void a_cancel_that_is_never_acknowledged_ends_with_the_lease(void **state)
{
    (void)state;
    fixture_t *f = fixture_new(NULL);
    join(f, "w", "shared", 1);
    submit(f, "t1", "r1", 1);
    step(f, 0);
    nv_lease_t lease = effect_of(f, NV_SCHED_ASSIGN).lease;
    nv_sched_cancel_run(f->sched, "r1", 0, f->effects);
    for (f->now = 1000; f->now < 4000; f->now += 1000)
        beat(f, "w", &lease);
    step(f, 4000);
    assert_int_equal(effect_count(f, NV_SCHED_CANCELLED), 1);
    assert_int_equal(effect_count(f, NV_SCHED_ASSIGN), 0); /* not delivered again */
    fixture_free(f);
}

static void a_waiting_task_is_cancelled_at_once(void **state)
{
    (void)state;
    fixture_t *f = fixture_new(NULL);
    submit(f, "t1", "r1", 1);
    submit(f, "t1", "r1", 2);
    submit(f, "t1", "r2", 1);
    assert_false(nv_sched_cancel(f->sched, "r1", 9, 0, 0, f->effects));
    assert_false(nv_sched_cancel(f->sched, "r1", 1, 2, 0, f->effects)); /* another attempt */
    nv_sched_cancel_run(f->sched, "r1", 0, f->effects);
    assert_int_equal(effect_count(f, NV_SCHED_CANCELLED), 2);
    nv_sched_pool_stats_t stats;
    assert_true(nv_sched_pool_stats(f->sched, "shared", 0, &stats));
    assert_int_equal(stats.waiting, 1);
    fixture_free(f);
}

static bool restore(fixture_t *f, uint64_t task, uint64_t epoch, nv_error_t *err)
{
    nv_sched_task_t given = {.lease = {"r1", task, 1, epoch},
                             .tenant = "t1",
                             .pool = "shared",
                             .kind = "profile",
                             .priority = NV_SCHED_PRIORITY_DEFAULT};
    return nv_sched_restore(f->sched, &given, "w-before", "w", f->now, err);
}

static void join_holding(fixture_t *f, const char *session, const char *name, const nv_lease_t *held)
{
    nv_error_t err = NV_ERROR_INIT;
    nv_sched_worker_t worker = {.session = session, .name = name, .pool = "shared", .slots = 2};
    assert_true(nv_sched_join(f->sched, &worker, held, 1, f->now, f->effects, &err));
}

static void a_worker_resumes_the_lease_of_an_earlier_life(void **state)
{
    (void)state;
    nv_error_t err = NV_ERROR_INIT;
    fixture_t *f = fixture_new(NULL);
    assert_true(restore(f, 1, 7, &err));
    assert_false(restore(f, 1, 7, &err)); /* the same once more */
    assert_int_equal(err.code, NV_ALREADY_EXISTS);
    step(f, 1000);
    nv_lease_t lease = {"r1", 1, 1, 7}, other = {"r1", 1, 1, 8};
    join_holding(f, "x-now", "x", &lease); /* not its own */
    assert_int_equal(effect_count(f, NV_SCHED_REVOKE), 1);
    join_holding(f, "w-wrong", "w", &other); /* not this lease */
    assert_int_equal(effect_count(f, NV_SCHED_REVOKE), 1);
    join_holding(f, "w-now", "w", &lease);
    assert_int_equal(effect_count(f, NV_SCHED_REVOKE), 0);
    step(f, 4500); /* renewed by the join */
    assert_int_equal(effect_count(f, NV_SCHED_ASSIGN), 0);
    done(f, "w-now", lease);
    fixture_free(f);
}

static void a_lease_that_nobody_resumes_runs_out(void **state)
{
    (void)state;
    nv_error_t err = NV_ERROR_INIT;
    fixture_t *f = fixture_new(NULL);
    assert_true(restore(f, 1, 7, &err));
    assert_true(restore(f, 2, 9, &err)); /* two of one session */
    join(f, "other", "shared", 2);
    for (f->now = 1000; f->now < 4000; f->now += 1000) {
        beat(f, "other", NULL);
        step(f, f->now);
        assert_int_equal(effect_count(f, NV_SCHED_ASSIGN), 0);
    }
    step(f, 4000);
    assert_int_equal(effect_count(f, NV_SCHED_REQUEUED), 2);
    assert_int_equal(effect_count(f, NV_SCHED_ASSIGN), 2);
    nv_lease_t late = {"r1", 1, 1, 7};
    join_holding(f, "w-late", "w", &late);
    assert_int_equal(effect_count(f, NV_SCHED_REVOKE), 1);
    fixture_free(f);
}

static void a_lease_of_this_life_is_not_restored(void **state)
{
    (void)state;
    nv_error_t err = NV_ERROR_INIT;
    fixture_t *f = fixture_new(NULL);
    assert_false(restore(f, 1, 0, &err));
    assert_int_equal(err.code, NV_INVALID_ARGUMENT);
    assert_false(restore(f, 1, UINT64_MAX, &err));
    assert_int_equal(err.code, NV_INVALID_ARGUMENT);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_task_is_assigned_completed_and_forgotten),
        cmocka_unit_test(only_the_exact_lease_is_heard),
        cmocka_unit_test(a_thawed_worker_changes_nothing),
        cmocka_unit_test(heartbeats_renew_what_they_name),
        cmocka_unit_test(a_task_that_stalls_is_taken_away),
        cmocka_unit_test(an_attempt_is_given_up_after_some_deliveries),
        cmocka_unit_test(a_newer_attempt_replaces_the_older),
        cmocka_unit_test(cancel_is_pushed_again_until_it_is_acknowledged),
        cmocka_unit_test(a_task_being_cancelled_can_be_submitted_again),
        cmocka_unit_test(a_cancel_that_is_never_acknowledged_ends_with_the_lease),
        cmocka_unit_test(a_waiting_task_is_cancelled_at_once),
        cmocka_unit_test(a_worker_resumes_the_lease_of_an_earlier_life),
        cmocka_unit_test(a_lease_that_nobody_resumes_runs_out),
        cmocka_unit_test(a_lease_of_this_life_is_not_restored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
