/* Workers come, go, come back, drain, and can do different things. */
#include "fixture.h"

static void rejoin(fixture_t *f, const char *session, const char *name, const nv_lease_t *held)
{
    nv_error_t err = NV_ERROR_INIT;
    nv_sched_worker_t worker = {.session = session, .name = name, .pool = "shared", .slots = 1};
    assert_true(nv_sched_join(f->sched, &worker, held, 1, f->now, f->effects, &err));
}

static void a_reconnected_worker_keeps_its_lease(void **state)
{
    (void)state;
    fixture_t *f = fixture_new(NULL);
    join(f, "w", "shared", 1);
    submit(f, "t1", "r1", 1);
    step(f, 0);
    nv_lease_t lease = effect_of(f, NV_SCHED_ASSIGN).lease;
    nv_sched_leave(f->sched, "w", 100, f->effects);
    f->now = 2000;
    rejoin(f, "w-again", "w", &lease);
    assert_int_equal(f->effects->count, 0);
    step(f, 5000); /* past the first expiry */
    assert_int_equal(effect_count(f, NV_SCHED_REQUEUED), 0);
    nv_error_t err = NV_ERROR_INIT;
    assert_false(nv_sched_check(f->sched, "w", &lease, &err)); /* the old session is over */
    done(f, "w-again", lease);
    fixture_free(f);
}

static void a_lease_does_not_go_to_another_worker_that_claims_it(void **state)
{
    (void)state;
    fixture_t *f = fixture_new(NULL);
    join(f, "w", "shared", 1);
    submit(f, "t1", "r1", 1);
    step(f, 0);
    nv_lease_t lease = effect_of(f, NV_SCHED_ASSIGN).lease;
    rejoin(f, "thief", "thief", &lease);
    assert_int_equal(effect_count(f, NV_SCHED_REVOKE), 1);
    nv_error_t err = NV_ERROR_INIT;
    assert_true(nv_sched_check(f->sched, "w", &lease, &err));
    fixture_free(f);
}

static void leases_of_a_worker_that_left_expire(void **state)
{
    (void)state;
    fixture_t *f = fixture_new(NULL);
    join(f, "w", "shared", 1);
    submit(f, "t1", "r1", 1);
    step(f, 0);
    nv_sched_leave(f->sched, "w", 0, f->effects);
    f->now = 3900;
    join(f, "v", "shared", 1);
    step(f, 4000);
    assert_string_equal(effect_of(f, NV_SCHED_ASSIGN).worker, "v");
    fixture_free(f);
}

static void silent_workers_get_nothing(void **state)
{
    (void)state;
    fixture_t *f = fixture_new(NULL);
    join(f, "w", "shared", 1);
    f->now = 6000;
    submit(f, "t1", "r1", 1);
    step(f, 6000);
    assert_int_equal(effect_count(f, NV_SCHED_ASSIGN), 0);
    beat(f, "w", NULL);
    step(f, 6000);
    assert_int_equal(effect_count(f, NV_SCHED_ASSIGN), 1);
    fixture_free(f);
}

static void tasks_go_to_workers_that_can_do_them(void **state)
{
    (void)state;
    nv_error_t err = NV_ERROR_INIT;
    fixture_t *f = fixture_new(NULL);
    const char *kinds[] = {"execute"};
    nv_sched_worker_t worker = {
        .session = "x", .name = "x", .pool = "shared", .slots = 4, .kinds = kinds, .kind_count = 1};
    assert_true(nv_sched_join(f->sched, &worker, NULL, 0, 0, f->effects, &err));
    submit(f, "t1", "r1", 1); /* profile */
    nv_sched_task_t task = {.lease = {"r2", 2, 1, 0}, .tenant = "t2", .pool = "shared", .kind = "execute"};
    assert_true(nv_sched_submit(f->sched, &task, 0, f->effects, &err));
    step(f, 0);
    assert_string_equal(effect_of(f, NV_SCHED_ASSIGN).lease.run, "r2");
    join(f, "y", "shared", 1);
    step(f, 0);
    assert_string_equal(effect_of(f, NV_SCHED_ASSIGN).worker, "y");
    fixture_free(f);
}

static void work_is_spread_over_workers(void **state)
{
    (void)state;
    fixture_t *f = fixture_new(NULL);
    join(f, "w1", "shared", 4);
    join(f, "w2", "shared", 4);
    submit(f, "t1", "r1", 1);
    submit(f, "t1", "r1", 2);
    step(f, 0);
    assert_int_equal(effect_count(f, NV_SCHED_ASSIGN), 2);
    assert_string_not_equal(f->effects->list[0].worker, f->effects->list[1].worker);
    fixture_free(f);
}

static void a_drained_worker_finishes_and_gets_nothing_new(void **state)
{
    (void)state;
    nv_error_t err = NV_ERROR_INIT;
    fixture_t *f = fixture_new(NULL);
    join(f, "blue-1", "shared", 1);
    submit(f, "t1", "r1", 1);
    step(f, 0);
    nv_lease_t lease = effect_of(f, NV_SCHED_ASSIGN).lease;
    assert_true(nv_sched_drain(f->sched, "shared", "blue-*", f->effects, &err));
    assert_int_equal(effect_count(f, NV_SCHED_DRAINED), 0);
    submit(f, "t1", "r1", 2);
    join(f, "blue-2", "shared", 1); /* drained from its first moment */
    assert_int_equal(effect_count(f, NV_SCHED_DRAINED), 1);
    done(f, "blue-1", lease);
    assert_string_equal(effect_of(f, NV_SCHED_DRAINED).worker, "blue-1");
    step(f, 0);
    assert_int_equal(effect_count(f, NV_SCHED_ASSIGN), 0);
    join(f, "green-1", "shared", 1);
    step(f, 0);
    assert_string_equal(effect_of(f, NV_SCHED_ASSIGN).worker, "green-1");
    submit(f, "t1", "r1", 3);
    assert_false(nv_sched_undrain(f->sched, NULL, "blue-*")); /* that drain is of one pool */
    assert_true(nv_sched_undrain(f->sched, "shared", "blue-*"));
    step(f, 0);
    assert_int_equal(effect_count(f, NV_SCHED_ASSIGN), 1);
    fixture_free(f);
}

static void the_heartbeat_interval_sheds_load(void **state)
{
    (void)state;
    fixture_t *f = fixture_new(&(nv_sched_config_t){.heartbeats_per_second = 2, .lease_ms = 4000});
    assert_int_equal(nv_sched_heartbeat_interval(f->sched), 1000);
    char name[16];
    for (int i = 0; i < 10; i++) {
        snprintf(name, sizeof name, "w%d", i);
        join(f, name, "shared", 1);
    }
    assert_int_equal(nv_sched_heartbeat_interval(f->sched), 5000);
    assert_int_equal(nv_sched_lease_ms(f->sched), 15000); /* leases outlast a lost beat */
    fixture_free(f);
}

static void join_is_checked(void **state)
{
    (void)state;
    nv_error_t err = NV_ERROR_INIT;
    fixture_t *f = fixture_new(NULL);
    join(f, "w", "shared", 1);
    nv_sched_worker_t bad[] = {
        {.session = "w", .name = "w", .pool = "shared", .slots = 1},
        {.session = "x", .name = "x", .pool = "nowhere", .slots = 1},
        {.session = "x", .name = "x", .pool = "shared", .slots = 0},
        {.session = "x", .name = "", .pool = "shared", .slots = 1},
        {.session = NULL, .name = "x", .pool = "shared", .slots = 1},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(nv_sched_join(f->sched, &bad[i], NULL, 0, 0, f->effects, &err));
    nv_lease_t lease = {"r", 1, 1, 1};
    int64_t interval;
    assert_false(nv_sched_heartbeat(f->sched, "nobody", &lease, NULL, 1, 0, &interval, f->effects, &err));
    fixture_free(f);
}

static nv_sched_run_stats_t stats_of(fixture_t *f, const char *run)
{
    nv_sched_run_stats_t stats;
    assert_true(nv_sched_run_stats(f->sched, run, f->now, &stats));
    return stats;
}

static void a_run_knows_why_it_waits(void **state)
{
    (void)state;
    fixture_t *f = fixture_new(NULL);
    nv_error_t err = NV_ERROR_INIT;
    nv_sched_run_stats_t stats;
    assert_false(nv_sched_run_stats(f->sched, "r1", 0, &stats));
    submit(f, "t1", "r1", 1);
    submit(f, "t1", "r1", 2);
    f->now = 700;
    assert_int_equal(stats_of(f, "r1").wait, NV_SCHED_WAIT_WORKER);
    assert_int_equal(stats_of(f, "r1").waiting, 2);
    assert_int_equal(stats_of(f, "r1").oldest_waiting_ms, 700);
    join(f, "w", "shared", 1);
    assert_true(nv_sched_drain(f->sched, "shared", "w", f->effects, &err));
    assert_int_equal(stats_of(f, "r1").wait, NV_SCHED_WAIT_DRAINING);
    static const char *const other[] = {"something-else"};
    nv_sched_worker_t worker = {
        .session = "v", .name = "v", .pool = "shared", .slots = 1, .kinds = other, .kind_count = 1};
    assert_true(nv_sched_join(f->sched, &worker, NULL, 0, f->now, f->effects, &err));
    assert_int_equal(stats_of(f, "r1").wait, NV_SCHED_WAIT_KIND);
    assert_true(nv_sched_undrain(f->sched, "shared", "w"));
    step(f, 800);
    assert_int_equal(stats_of(f, "r1").running, 1);
    assert_int_equal(stats_of(f, "r1").wait, NV_SCHED_WAIT_SLOT);
    assert_true(nv_sched_set_tenant(f->sched, "t1", 1, 1, &err));
    assert_int_equal(stats_of(f, "r1").wait, NV_SCHED_WAIT_TENANT);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reconnected_worker_keeps_its_lease),
        cmocka_unit_test(a_lease_does_not_go_to_another_worker_that_claims_it),
        cmocka_unit_test(leases_of_a_worker_that_left_expire),
        cmocka_unit_test(silent_workers_get_nothing),
        cmocka_unit_test(tasks_go_to_workers_that_can_do_them),
        cmocka_unit_test(work_is_spread_over_workers),
        cmocka_unit_test(a_drained_worker_finishes_and_gets_nothing_new),
        cmocka_unit_test(the_heartbeat_interval_sheds_load),
        cmocka_unit_test(join_is_checked),
        cmocka_unit_test(a_run_knows_why_it_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
