#include "controlplane/store/tenants.h"
#include "controlplane/tenancy/tenancy.h"
#include "temp_store.h"

static int setup(void **state)
{
    *state = temp_store_new(NULL);
    return 0;
}

static int teardown(void **state)
{
    temp_store_free(*state);
    return 0;
}

static void add_tenant(temp_store_t *t, const char *name)
{
    store_tenant_t tenant = {.name = name};
    assert_ok(t, tenancy_tenant_create(t->store, &tenant, &t->err));
}

static void add_pool(temp_store_t *t, const char *name, const char *dedicated_to)
{
    store_pool_t pool = {.name = name, .dedicated_to = dedicated_to};
    assert_ok(t, tenancy_pool_create(t->store, &pool, &t->err));
}

static void test_names(void **state)
{
    temp_store_t *t = *state;
    static const char *const good[] = {
        "a",      "0",    "acme",
        "acme-2", "a--b", "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk"};
    static const char *const bad[] = {
        "",     "-a",       "a-",
        "Acme", "a_b",      "a.b",
        "a/b",  "a b",      "ä",
        "../x", "operator", "controlplane",
        "all",  "a\n",      "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkl"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_ok(t, tenancy_name_check("tenant", good[i], &t->err));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_fails(t, NV_INVALID_ARGUMENT, tenancy_name_check("tenant", bad[i], &t->err));
    assert_fails(t, NV_INVALID_ARGUMENT, tenancy_name_check("pool", NULL, &t->err));
    assert_fails(t, NV_INVALID_ARGUMENT, tenancy_name_check("pool", "A\x1b[2J", &t->err));
    assert_null(strchr(t->err.message, '\x1b')); /* nothing for the terminal to obey */
}

static void test_bootstrap_is_idempotent(void **state)
{
    temp_store_t *t = *state;
    for (int i = 0; i < 2; i++)
        assert_ok(t, tenancy_bootstrap(t->store, "local", 5, &t->err));
    store_pool_t pool;
    assert_ok(t, tenancy_pool_choose(t->store, t->ctx, "local", NULL, &pool, &t->err));
    assert_string_equal(pool.name, "default");
    store_tenant_t tenant;
    assert_ok(t, store_tenant_get(t->store, t->ctx, "local", &tenant, &t->err));
    assert_int_equal(tenant.weight, 1);
}

static void test_who_serves_whom(void **state)
{
    temp_store_t *t = *state;
    assert_ok(t, tenancy_bootstrap(t->store, NULL, 1, &t->err));
    add_tenant(t, "acme");
    add_tenant(t, "evil");
    add_pool(t, "gold", "acme");
    add_pool(t, "burst", "");
    assert_ok(t, tenancy_authorize(t->store, "default", "evil", &t->err));
    assert_ok(t, tenancy_authorize(t->store, "gold", "acme", &t->err));
    assert_fails(t, NV_PERMISSION_DENIED, tenancy_authorize(t->store, "gold", "evil", &t->err));
    assert_null(strstr(t->err.message, "acme"));
    assert_fails(t, NV_NOT_FOUND, tenancy_authorize(t->store, "nope", "acme", &t->err));
    assert_fails(t, NV_NOT_FOUND, tenancy_authorize(t->store, "default", "nobody", &t->err));
    assert_fails(t, NV_INVALID_ARGUMENT, tenancy_authorize(t->store, "gold", "", &t->err));
    store_pool_t pool;
    assert_ok(t, tenancy_pool_choose(t->store, t->ctx, "acme", "", &pool, &t->err));
    assert_string_equal(pool.name, "gold");
    assert_ok(t, tenancy_pool_choose(t->store, t->ctx, "acme", "burst", &pool, &t->err));
    assert_string_equal(pool.name, "burst");
    assert_ok(t, tenancy_pool_choose(t->store, t->ctx, "evil", NULL, &pool, &t->err));
    assert_string_equal(pool.name, "default");
    assert_fails(t, NV_PERMISSION_DENIED,
                 tenancy_pool_choose(t->store, t->ctx, "evil", "gold", &pool, &t->err));
    store_pool_t *pools;
    size_t n;
    assert_ok(t, tenancy_pools_of(t->store, t->ctx, "acme", &pools, &n, &t->err));
    assert_int_equal(n, 3);
    assert_string_equal(pools[0].name, "gold");
    assert_string_equal(pools[1].name, "burst");
    assert_ok(t, tenancy_pools_of(t->store, t->ctx, "evil", &pools, &n, &t->err));
    assert_int_equal(n, 2);
}

static void test_creation_rules(void **state)
{
    temp_store_t *t = *state;
    store_tenant_t tenant = {.name = "acme", .weight = -1};
    assert_fails(t, NV_INVALID_ARGUMENT, tenancy_tenant_create(t->store, &tenant, &t->err));
    tenant.weight = TENANCY_WEIGHT_MAX + 1;
    assert_fails(t, NV_INVALID_ARGUMENT, tenancy_tenant_create(t->store, &tenant, &t->err));
    tenant = (store_tenant_t){.name = "acme", .max_concurrent_tasks = TENANCY_TASKS_MAX + 1};
    assert_fails(t, NV_INVALID_ARGUMENT, tenancy_tenant_create(t->store, &tenant, &t->err));
    add_tenant(t, "acme");
    tenant = (store_tenant_t){.name = "acme"};
    assert_fails(t, NV_ALREADY_EXISTS, tenancy_tenant_create(t->store, &tenant, &t->err));
    store_pool_t pool = {.name = "x", .dedicated_to = "nobody"};
    assert_fails(t, NV_NOT_FOUND, tenancy_pool_create(t->store, &pool, &t->err));
    pool = (store_pool_t){.name = "x", .own_credentials = true};
    assert_fails(t, NV_INVALID_ARGUMENT, tenancy_pool_create(t->store, &pool, &t->err));
    pool = (store_pool_t){.name = "default", .dedicated_to = "acme"};
    assert_fails(t, NV_INVALID_ARGUMENT, tenancy_pool_create(t->store, &pool, &t->err));
    pool = (store_pool_t){.name = "X"};
    assert_fails(t, NV_INVALID_ARGUMENT, tenancy_pool_create(t->store, &pool, &t->err));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {CASE(test_names), CASE(test_bootstrap_is_idempotent),
                                       CASE(test_who_serves_whom), CASE(test_creation_rules)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
