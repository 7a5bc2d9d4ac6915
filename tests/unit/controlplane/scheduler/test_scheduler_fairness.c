/* Who goes first. */
#include "fixture.h"

/* Lets one worker finish `count` tasks one after the other; counts those of each tenant. */
static void serve(fixture_t *f, size_t count, size_t *first, size_t *second)
{
    *first = *second = 0;
    for (size_t i = 0; i < count; i++) {
        f->now += 1;
        step(f, f->now);
        nv_sched_effect_t given = effect_of(f, NV_SCHED_ASSIGN);
        ++*(strcmp(given.tenant, "t1") == 0 ? first : second);
        done(f, given.worker, given.lease);
        beat(f, given.worker, NULL);
    }
}

static void tenants_share_by_weight(void **state)
{
    (void)state;
    nv_error_t err = NV_ERROR_INIT;
    fixture_t *f = fixture_new(NULL);
    assert_true(nv_sched_set_tenant(f->sched, "t2", 3, 0, &err));
    join(f, "w", "shared", 1);
    for (uint64_t i = 0; i < 400; i++)
        submit(f, "t1", "r1", i); /* t1 was first, with everything */
    for (uint64_t i = 0; i < 400; i++)
        submit(f, "t2", "r2", i);
    size_t first, second;
    serve(f, 400, &first, &second);
    assert_in_range(first, 99, 101);
    assert_in_range(second, 299, 301);
    fixture_free(f);
}

static void who_was_away_does_not_get_it_back(void **state)
{
    (void)state;
    fixture_t *f = fixture_new(NULL);
    join(f, "w", "shared", 1);
    size_t first, second;
    for (uint64_t i = 0; i < 200; i++)
        submit(f, "t1", "r1", i);
    serve(f, 100, &first, &second);
    for (uint64_t i = 0; i < 200; i++)
        submit(f, "t2", "r2", i);
    serve(f, 20, &first, &second);
    assert_in_range(first, 9, 11);
    fixture_free(f);
}

static void runs_of_a_tenant_take_turns(void **state)
{
    (void)state;
    fixture_t *f = fixture_new(NULL);
    join(f, "w", "shared", 1);
    for (uint64_t i = 0; i < 10; i++)
        submit(f, "t1", "large", i);
    submit(f, "t1", "small", 1);
    for (int i = 0; i < 2; i++) {
        step(f, f->now);
        nv_sched_effect_t given = effect_of(f, NV_SCHED_ASSIGN);
        assert_string_equal(given.lease.run, i == 0 ? "large" : "small");
        done(f, "w", given.lease);
    }
    fixture_free(f);
}

static void higher_priority_goes_first_within_a_tenant(void **state)
{
    (void)state;
    nv_error_t err = NV_ERROR_INIT;
    fixture_t *f = fixture_new(NULL);
    join(f, "w", "shared", 1);
    submit(f, "t1", "r1", 1);
    nv_sched_task_t urgent = {.lease = {"r2", 2, 1, 0}, .tenant = "t1", .pool = "shared", .kind = "profile"};
    assert_true(nv_sched_submit(f->sched, &urgent, 0, f->effects, &err));
    step(f, 0);
    assert_string_equal(effect_of(f, NV_SCHED_ASSIGN).lease.run, "r2");
    urgent.priority = 5;
    urgent.lease.task = 3;
    assert_false(nv_sched_submit(f->sched, &urgent, 0, f->effects, &err));
    assert_int_equal(err.code, NV_INVALID_ARGUMENT);
    fixture_free(f);
}

static void tasks_of_a_run_are_first_come_first_served(void **state)
{
    (void)state;
    fixture_t *f = fixture_new(NULL);
    join(f, "w", "shared", 1);
    for (uint64_t i = 1; i <= 5; i++)
        submit(f, "t1", "r1", i);
    for (uint64_t i = 1; i <= 5; i++) {
        step(f, 0);
        nv_sched_effect_t given = effect_of(f, NV_SCHED_ASSIGN);
        assert_int_equal(given.lease.task, i);
        done(f, "w", given.lease);
    }
    fixture_free(f);
}

static void a_tenants_quota_holds_over_all_pools(void **state)
{
    (void)state;
    nv_error_t err = NV_ERROR_INIT;
    fixture_t *f = fixture_new(NULL);
    assert_true(nv_sched_set_tenant(f->sched, "t1", 1, 2, &err));
    join(f, "w", "shared", 8);
    join(f, "o", "own", 8);
    for (uint64_t i = 0; i < 4; i++)
        submit(f, "t1", "r1", i);
    nv_sched_task_t own = {.lease = {"r1", 9, 1, 0}, .tenant = "t1", .pool = "own", .kind = "profile"};
    assert_true(nv_sched_submit(f->sched, &own, 0, f->effects, &err));
    submit(f, "t2", "r2", 1);
    step(f, 0);
    assert_int_equal(effect_count(f, NV_SCHED_ASSIGN), 3); /* 2 of t1, 1 of t2 */
    nv_sched_tenant_stats_t stats;
    assert_true(nv_sched_tenant_stats(f->sched, "t1", &stats));
    assert_int_equal(stats.running, 2);
    assert_int_equal(stats.waiting, 3);
    assert_true(nv_sched_set_tenant(f->sched, "t1", 1, 0, &err));
    step(f, 0);
    assert_int_equal(effect_count(f, NV_SCHED_ASSIGN), 3); /* the rest, once the quota is gone */
    fixture_free(f);
}

static void queues_are_bounded(void **state)
{
    (void)state;
    nv_error_t err = NV_ERROR_INIT;
    fixture_t *f = fixture_new(&(nv_sched_config_t){.queue_max = 2});
    submit(f, "t1", "r1", 1);
    submit(f, "t1", "r1", 2);
    nv_sched_task_t third = {.lease = {"r1", 3, 1, 0}, .tenant = "t1", .pool = "shared", .kind = "profile"};
    assert_false(nv_sched_submit(f->sched, &third, 0, f->effects, &err));
    assert_int_equal(err.code, NV_RESOURCE_EXHAUSTED);
    join(f, "w", "shared", 1);
    step(f, 0);
    assert_true(nv_sched_submit(f->sched, &third, 0, f->effects, &err));
    fixture_free(f);
}

static void backlog_is_visible(void **state)
{
    (void)state;
    fixture_t *f = fixture_new(NULL);
    f->now = 100;
    submit(f, "t1", "r1", 1);
    f->now = 400;
    submit(f, "t1", "r1", 2);
    nv_sched_pool_stats_t stats;
    assert_true(nv_sched_pool_stats(f->sched, "shared", 1000, &stats));
    assert_int_equal(stats.waiting, 2);
    assert_int_equal(stats.oldest_waiting_ms, 900);
    join(f, "w", "shared", 1);
    step(f, 1000);
    assert_true(nv_sched_pool_stats(f->sched, "shared", 1000, &stats));
    assert_int_equal(stats.waiting, 1);
    assert_int_equal(stats.running, 1);
    assert_int_equal(stats.oldest_waiting_ms, 600);
    assert_false(nv_sched_pool_stats(f->sched, "nowhere", 0, &stats));
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tenants_share_by_weight),
        cmocka_unit_test(who_was_away_does_not_get_it_back),
        cmocka_unit_test(runs_of_a_tenant_take_turns),
        cmocka_unit_test(higher_priority_goes_first_within_a_tenant),
        cmocka_unit_test(tasks_of_a_run_are_first_come_first_served),
        cmocka_unit_test(a_tenants_quota_holds_over_all_pools),
        cmocka_unit_test(queues_are_bounded),
        cmocka_unit_test(backlog_is_visible),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
