/* No task ever reaches a worker whose pool does not serve its tenant. */
#include "fixture.h"

static void a_dedicated_pool_takes_only_its_tenants_tasks(void **state)
{
    (void)state;
    nv_error_t err = NV_ERROR_INIT;
    fixture_t *f = fixture_new(NULL);
    nv_sched_task_t task = {.lease = {"r", 1, 1, 0}, .tenant = "t2", .pool = "own", .kind = "profile"};
    assert_false(nv_sched_submit(f->sched, &task, 0, f->effects, &err));
    assert_int_equal(err.code, NV_PERMISSION_DENIED);
    assert_false(nv_sched_pool_serves(f->sched, "own", "t2"));
    assert_true(nv_sched_pool_serves(f->sched, "own", "t1"));
    assert_true(nv_sched_pool_serves(f->sched, "shared", "t2"));
    assert_false(nv_sched_pool_serves(f->sched, "shared", "stranger"));
    assert_false(nv_sched_pool_serves(f->sched, "nowhere", "t1"));
    fixture_free(f);
}

static void a_worker_of_another_pool_stays_idle(void **state)
{
    (void)state;
    fixture_t *f = fixture_new(NULL);
    join(f, "o", "own", 4);
    submit(f, "t1", "r1", 1); /* even t1's own tasks, when they went to the shared pool */
    submit(f, "t2", "r2", 1);
    step(f, 0);
    assert_int_equal(effect_count(f, NV_SCHED_ASSIGN), 0);
    fixture_free(f);
}

static void a_pool_never_changes_whom_it_serves(void **state)
{
    (void)state;
    nv_error_t err = NV_ERROR_INIT;
    fixture_t *f = fixture_new(NULL);
    assert_true(nv_sched_set_pool(f->sched, "own", "t1", &err));
    assert_false(nv_sched_set_pool(f->sched, "own", "t2", &err));
    assert_int_equal(err.code, NV_FAILED_PRECONDITION);
    assert_false(nv_sched_set_pool(f->sched, "own", NULL, &err));
    assert_false(nv_sched_set_pool(f->sched, "shared", "t1", &err));
    assert_false(nv_sched_set_pool(f->sched, "new", "stranger", &err));
    assert_int_equal(err.code, NV_NOT_FOUND);
    fixture_free(f);
}

static void a_worker_of_the_same_name_in_another_pool_gets_no_lease(void **state)
{
    (void)state;
    nv_error_t err = NV_ERROR_INIT;
    fixture_t *f = fixture_new(NULL);
    join(f, "w", "shared", 1);
    submit(f, "t2", "r1", 1);
    step(f, 0);
    nv_lease_t lease = effect_of(f, NV_SCHED_ASSIGN).lease;
    nv_sched_worker_t twin = {.session = "twin", .name = "w", .pool = "own", .slots = 1};
    assert_true(nv_sched_join(f->sched, &twin, &lease, 1, 0, f->effects, &err));
    assert_int_equal(effect_count(f, NV_SCHED_REVOKE), 1);
    assert_false(nv_sched_check(f->sched, "twin", &lease, &err));
    fixture_free(f);
}

/* A long random walk; the audit after each step holds isolation, exclusivity and all counters. */
static uint32_t next(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void random_walk(uint32_t seed)
{
    nv_error_t err = NV_ERROR_INIT;
    fixture_t *f = fixture_new(&(nv_sched_config_t){.queue_max = 50, .deliveries_max = 3});
    static const char *const tenants[] = {"t1", "t2", "t3"}, *const pools[] = {"shared", "own"},
                             *const kinds[] = {"a", "b", "c"};
    nv_lease_t held[4096];
    char sessions[4096][16];
    size_t held_count = 0, joined = 0;
    assert_true(nv_sched_set_tenant(f->sched, "t3", 2, 3, &err));
    for (int i = 0; i < 3000; i++) {
        char name[16];
        uint32_t what = next(&seed) % 10;
        if (what == 0 && joined < 4000) {
            snprintf(name, sizeof name, "w%zu", joined++);
            const char *able[] = {kinds[next(&seed) % 3], kinds[next(&seed) % 3]};
            nv_sched_worker_t worker = {.session = name,
                                        .name = name,
                                        .pool = pools[next(&seed) % 2],
                                        .slots = 1 + next(&seed) % 3,
                                        .kinds = able,
                                        .kind_count = next(&seed) % 3};
            assert_true(nv_sched_join(f->sched, &worker, NULL, 0, f->now, f->effects, &err));
        } else if (what == 1 && joined) {
            snprintf(name, sizeof name, "w%u", next(&seed) % (uint32_t)joined);
            nv_sched_leave(f->sched, name, f->now, f->effects);
        } else if (what <= 5) {
            snprintf(name, sizeof name, "r%u", next(&seed) % 5);
            const char *tenant = tenants[next(&seed) % 3], *pool = pools[next(&seed) % 2];
            nv_sched_task_t task = {.lease = {name, next(&seed) % 40, 1 + next(&seed) % 3, 0},
                                    .tenant = tenant,
                                    .pool = pool,
                                    .kind = kinds[next(&seed) % 3],
                                    .priority = next(&seed) % NV_SCHED_PRIORITIES};
            bool taken = nv_sched_submit(f->sched, &task, f->now, f->effects, &err);
            assert_false(taken && strcmp(pool, "own") == 0 && strcmp(tenant, "t1") != 0);
        } else if (what == 6 && held_count) {
            size_t at = next(&seed) % held_count;
            (void)!nv_sched_complete(f->sched, sessions[at], &held[at], f->now, f->effects, &err);
        } else if (what == 7 && held_count) {
            size_t at = next(&seed) % held_count;
            nv_sched_cancel(f->sched, held[at].run, held[at].task, 0, f->now, f->effects);
        } else if (joined) {
            snprintf(name, sizeof name, "w%u", next(&seed) % (uint32_t)joined);
            beat(f, name, NULL);
        }
        step(f, f->now + next(&seed) % 400);
        for (size_t k = 0; k < f->effects->count; k++) {
            const nv_sched_effect_t *effect = &f->effects->list[k];
            if (effect->kind != NV_SCHED_ASSIGN || held_count == 4096)
                continue;
            assert_true(nv_sched_pool_serves(f->sched, effect->pool, effect->tenant));
            held[held_count] = effect->lease;
            held[held_count].run = nv_strdup(f->ctx, effect->lease.run);
            snprintf(sessions[held_count++], 16, "%s", effect->worker);
        }
    }
    fixture_free(f);
}

static void random_walks_keep_every_invariant(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 20; seed++)
        random_walk(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dedicated_pool_takes_only_its_tenants_tasks),
        cmocka_unit_test(a_worker_of_another_pool_stays_idle),
        cmocka_unit_test(a_pool_never_changes_whom_it_serves),
        cmocka_unit_test(a_worker_of_the_same_name_in_another_pool_gets_no_lease),
        cmocka_unit_test(random_walks_keep_every_invariant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
