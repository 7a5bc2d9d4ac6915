#include "controlplane/tenancy/tenancy.h"
#include "controlplane/store/tenants.h"

#include <string.h>

static bool is_label_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

static bool is_label(const char *name)
{
    size_t length = strnlen(name, TENANCY_NAME_MAX + 1);
    if (length == 0 || length > TENANCY_NAME_MAX || name[0] == '-' || name[length - 1] == '-')
        return false;
    for (size_t i = 0; i < length; i++)
        if (!is_label_char(name[i]))
            return false;
    return true;
}

/* Printable part of a hostile name, for the error. */
static void quote(const char *name, char *out, size_t size)
{
    size_t n = 0;
    for (; name && *name && n + 1 < size; name++)
        out[n++] = *name >= 0x20 && *name < 0x7F ? *name : '?';
    out[n] = '\0';
}

bool tenancy_name_check(const char *what, const char *name, nv_error_t *err)
{
    static const char *const reserved[] = {"operator", "controlplane", "all"};
    char shown[TENANCY_NAME_MAX + 1];
    quote(name, shown, sizeof shown);
    if (!name || !is_label(name))
        return nv_fail(err, NV_INVALID_ARGUMENT,
                       "%s \"%s\": expected 1 to %d of a-z, 0-9 and \"-\", with no \"-\" at either end", what,
                       shown, TENANCY_NAME_MAX);
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++)
        if (strcmp(name, reserved[i]) == 0)
            return nv_fail(err, NV_INVALID_ARGUMENT, "%s \"%s\": the name is reserved; expected another",
                           what, shown);
    return true;
}

bool tenancy_pool_serves(const store_pool_t *pool, const char *tenant)
{
    return *pool->dedicated_to == '\0' || strcmp(pool->dedicated_to, tenant) == 0;
}

/* ---- creating ---- */

bool tenancy_tenant_create(store_t *store, const store_tenant_t *tenant, nv_error_t *err)
{
    if (!tenancy_name_check("tenant", tenant->name, err))
        return false;
    if (tenant->max_concurrent_tasks < 0 || tenant->max_concurrent_tasks > TENANCY_TASKS_MAX)
        return nv_fail(err, NV_INVALID_ARGUMENT, "tenant \"%s\": concurrent tasks: expected 0 to %d",
                       tenant->name, TENANCY_TASKS_MAX);
    if (tenant->weight < 0 || tenant->weight > TENANCY_WEIGHT_MAX)
        return nv_fail(err, NV_INVALID_ARGUMENT, "tenant \"%s\": weight: expected 0 to %d", tenant->name,
                       TENANCY_WEIGHT_MAX);
    store_tenant_t made = *tenant;
    made.weight = tenant->weight ? tenant->weight : 1;
    made.wrapped_key = nv_bytes(NULL, 0);
    return store_tenant_create(store, &made, err);
}

bool tenancy_pool_create(store_t *store, const store_pool_t *pool, nv_error_t *err)
{
    if (!tenancy_name_check("pool", pool->name, err))
        return false;
    bool dedicated = pool->dedicated_to && *pool->dedicated_to;
    if (!dedicated && pool->own_credentials)
        return nv_fail(err, NV_INVALID_ARGUMENT,
                       "pool \"%s\": own credentials: expected a pool that is dedicated to one tenant",
                       pool->name);
    if (dedicated) {
        NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("pool");
        store_tenant_t tenant;
        if (strcmp(pool->name, TENANCY_DEFAULT_POOL) == 0)
            return nv_fail(err, NV_INVALID_ARGUMENT, "pool \"%s\" is shared; expected another name",
                           pool->name);
        if (!store_tenant_get(store, ctx, pool->dedicated_to, &tenant, err))
            return nv_wrap(err, "pool \"%s\"", pool->name);
    }
    return store_pool_create(store, pool, err);
}

static bool accept_existing(bool ok, nv_error_t *err)
{
    if (!ok && err->code == NV_ALREADY_EXISTS) {
        nv_error_clear(err);
        return true;
    }
    return ok;
}

bool tenancy_bootstrap(store_t *store, const char *tenant, int64_t now_unix_ms, nv_error_t *err)
{
    store_pool_t pool = {.name = TENANCY_DEFAULT_POOL, .created_unix_ms = now_unix_ms};
    if (!accept_existing(tenancy_pool_create(store, &pool, err), err))
        return false;
    if (!tenant)
        return true;
    store_tenant_t local = {.name = tenant, .created_unix_ms = now_unix_ms};
    return accept_existing(tenancy_tenant_create(store, &local, err), err);
}

/* ---- who serves whom ---- */

bool tenancy_authorize(store_t *store, const char *pool, const char *tenant, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("authorize");
    store_tenant_t found_tenant;
    store_pool_t found_pool;
    if (!store_tenant_get(store, ctx, tenant, &found_tenant, err) ||
        !store_pool_get(store, ctx, pool, &found_pool, err))
        return false;
    return tenancy_pool_serves(&found_pool, tenant) ||
           nv_fail(err, NV_PERMISSION_DENIED, "pool \"%s\" does not serve tenant \"%s\"", pool, tenant);
}

static int compare_for(const char *tenant, const store_pool_t *a, const store_pool_t *b)
{
    bool own_a = strcmp(a->dedicated_to, tenant) == 0, own_b = strcmp(b->dedicated_to, tenant) == 0;
    return own_a != own_b ? own_b - own_a : strcmp(a->name, b->name);
}

/* Insertion sort: pools are few, and qsort has no room for the tenant. */
static void sort_for(const char *tenant, store_pool_t *pools, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        store_pool_t moving = pools[i];
        size_t at = i;
        for (; at > 0 && compare_for(tenant, &moving, &pools[at - 1]) < 0; at--)
            pools[at] = pools[at - 1];
        pools[at] = moving;
    }
}

bool tenancy_pools_of(store_t *store, nv_mem_t *ctx, const char *tenant, store_pool_t **out, size_t *n,
                      nv_error_t *err)
{
    store_tenant_t found;
    store_pool_t *pools;
    size_t count, kept = 0;
    if (!store_tenant_get(store, ctx, tenant, &found, err) ||
        !store_pool_list(store, ctx, &pools, &count, err))
        return false;
    for (size_t i = 0; i < count; i++)
        if (tenancy_pool_serves(&pools[i], tenant))
            pools[kept++] = pools[i];
    sort_for(tenant, pools, kept);
    *out = pools;
    *n = kept;
    return true;
}

bool tenancy_pool_choose(store_t *store, nv_mem_t *ctx, const char *tenant, const char *wanted,
                         store_pool_t *out, nv_error_t *err)
{
    store_pool_t *pools;
    size_t n;
    if (wanted && *wanted)
        return tenancy_authorize(store, wanted, tenant, err) && store_pool_get(store, ctx, wanted, out, err);
    if (!tenancy_pools_of(store, ctx, tenant, &pools, &n, err))
        return false;
    bool has_own = n > 0 && strcmp(pools[0].dedicated_to, tenant) == 0;
    if (!has_own)
        return store_pool_get(store, ctx, TENANCY_DEFAULT_POOL, out, err);
    *out = pools[0];
    return true;
}
