/* Tenants and pools: names, and which pool serves whom.
 *
 * A pool is shared, or dedicated to one tenant. A shared pool serves every tenant; a dedicated one only its
 * own. A tenant with a dedicated pool runs there unless a run names another pool that serves it; without one
 * it runs in the pool "default", which is shared and always exists.
 */
#ifndef CONTROLPLANE_TENANCY_TENANCY_H
#define CONTROLPLANE_TENANCY_TENANCY_H

#include "controlplane/store/store.h"
#include "controlplane/store/tenants.h"

#define TENANCY_DEFAULT_POOL "default"
enum { TENANCY_NAME_MAX = 63, TENANCY_WEIGHT_MAX = 1000, TENANCY_TASKS_MAX = 100000 };

/* DNS label (RFC 1123): 1 to 63 of a-z, 0-9 and '-', neither first nor last a '-'. `what` names it in the
 * error: tenant "A_b": expected …  Tenants and pools may not be called by the reserved words "operator",
 * "controlplane", "all". */
bool tenancy_name_check(const char *what, const char *name, nv_error_t *err) NV_MUST_CHECK;

/* Pure: does the pool serve the tenant? */
bool tenancy_pool_serves(const store_pool_t *pool, const char *tenant);

/* Makes the default pool, and `tenant` too when it is not NULL and missing (the laptop's "local").
 * Idempotent. */
bool tenancy_bootstrap(store_t *store, const char *tenant, int64_t now_unix_ms,
                       nv_error_t *err) NV_MUST_CHECK;

/* Validate names and limits, then create. A pool's tenant must exist. weight 0 becomes 1. */
bool tenancy_tenant_create(store_t *store, const store_tenant_t *tenant, nv_error_t *err) NV_MUST_CHECK;
bool tenancy_pool_create(store_t *store, const store_pool_t *pool, nv_error_t *err) NV_MUST_CHECK;

/* NOT_FOUND for an unknown tenant or pool; PERMISSION_DENIED (naming neither's other tenants) when the pool
 * does not serve the tenant. This is the check before every task, document, secret, event and case. */
bool tenancy_authorize(store_t *store, const char *pool, const char *tenant, nv_error_t *err) NV_MUST_CHECK;

/* The pool a run of this tenant goes to; `wanted` may be NULL or "". Below ctx. */
bool tenancy_pool_choose(store_t *store, nv_mem_t *ctx, const char *tenant, const char *wanted,
                         store_pool_t *out, nv_error_t *err) NV_MUST_CHECK;

/* Pools that serve the tenant: its dedicated ones first, then the shared, each by name. */
bool tenancy_pools_of(store_t *store, nv_mem_t *ctx, const char *tenant, store_pool_t **out, size_t *n,
                      nv_error_t *err) NV_MUST_CHECK;

#endif
