/* Tenants, pools, credentials, revocations. */
#include "controlplane/store/tenants.h"
#include "store_suite.h"

static void test_tenants_pools_credentials(void **state)
{
    fixture_t *f = *state;
    store_tenant_t tenant = {.name = "acme",
                             .display_name = "Acme Ltd",
                             .created_unix_ms = 5,
                             .weight = 2,
                             .max_concurrent_tasks = 8};
    assert_ok(f, store_tenant_create(f->store, &tenant, &f->err));
    assert_fails(f, NV_ALREADY_EXISTS, store_tenant_create(f->store, &tenant, &f->err));
    nv_bytes_t none = nv_bytes(NULL, 0), key = nv_bytes("K", 1);
    assert_ok(f, store_tenant_set_key(f->store, "acme", none, key, &f->err));
    assert_fails(f, NV_ABORTED, store_tenant_set_key(f->store, "acme", none, key, &f->err));
    assert_ok(f, store_tenant_get(f->store, f->ctx, "acme", &tenant, &f->err));
    assert_int_equal(tenant.max_concurrent_tasks, 8);
    assert_true(nv_bytes_equal(tenant.wrapped_key, key));
    assert_fails(f, NV_NOT_FOUND, store_tenant_get(f->store, f->ctx, "x", &tenant, &f->err));
    store_pool_t pool = {.name = "gold", .dedicated_to = "acme", .own_credentials = true};
    assert_ok(f, store_pool_create(f->store, &pool, &f->err));
    assert_fails(f, NV_ALREADY_EXISTS, store_pool_create(f->store, &pool, &f->err));
    store_pool_t *pools;
    size_t n;
    assert_ok(f, store_pool_list(f->store, f->ctx, &pools, &n, &f->err));
    assert_int_equal(n, 1);
    assert_true(pools[0].own_credentials);
    store_credential_t credential = {.kind = "llm", .sealed = nv_bytes("\0S", 2), .updated_unix_ms = 3};
    assert_ok(f, store_credential_put(f->store, "acme", &credential, &f->err));
    credential.sealed = nv_bytes("N", 1);
    assert_ok(f, store_credential_put(f->store, "acme", &credential, &f->err));
    assert_ok(f, store_credential_get(f->store, f->ctx, "acme", "llm", &credential, &f->err));
    assert_int_equal(credential.sealed.length, 1);
    assert_fails(f, NV_NOT_FOUND,
                 store_credential_get(f->store, f->ctx, "evil", "llm", &credential, &f->err));
    assert_fails(f, NV_NOT_FOUND, store_credential_delete(f->store, "evil", "llm", &f->err));
    assert_fails(f, NV_NOT_FOUND, store_credential_delete(f->store, "acme", "databricks", &f->err));
    assert_ok(f, store_credential_delete(f->store, "acme", "llm", &f->err));
    assert_fails(f, NV_NOT_FOUND,
                 store_credential_get(f->store, f->ctx, "acme", "llm", &credential, &f->err));
}

static void test_revocations(void **state)
{
    fixture_t *f = *state;
    bool added;
    store_revocation_t serial = {.serial = "0a1b", .reason = "lost", .revoked_unix_ms = 10};
    store_revocation_t identity = {.spiffe_id = "spiffe://d/operator/eve", .revoked_unix_ms = 20};
    assert_ok(f, store_revocation_add(f->store, &serial, &added, &f->err));
    assert_true(added);
    serial.revoked_unix_ms = 11;
    assert_ok(f, store_revocation_add(f->store, &serial, &added, &f->err));
    assert_false(added);
    assert_ok(f, store_revocation_add(f->store, &identity, &added, &f->err));
    identity.revoked_unix_ms = 30; /* certificates issued since then, too */
    assert_ok(f, store_revocation_add(f->store, &identity, &added, &f->err));
    assert_true(added);
    store_revocation_t *list;
    size_t n;
    assert_ok(f, store_revocation_list(f->store, f->ctx, &list, &n, &f->err));
    assert_int_equal(n, 2);
    assert_int_equal(list[1].revoked_unix_ms, 30);
    store_revocation_t both = {.serial = "1", .spiffe_id = "x"};
    assert_fails(f, NV_INVALID_ARGUMENT, store_revocation_add(f->store, &both, &added, &f->err));
}

int suite_tenants(void)
{
    const struct CMUnitTest tests[] = {SUITE_CASE(test_tenants_pools_credentials),
                                       SUITE_CASE(test_revocations)};
    return cmocka_run_group_tests_name("store: tenants", tests, NULL, NULL);
}
