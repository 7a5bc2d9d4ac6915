/* The store: tenants, pools, credentials, revocations (rules: controlplane/tenancy). Threads, errors and ownership as in store.h. */
#ifndef CONTROLPLANE_STORE_TENANTS_H
#define CONTROLPLANE_STORE_TENANTS_H

#include "controlplane/store/store.h"

typedef struct store_tenant {
    const char *name;
    const char *display_name;
    int64_t created_unix_ms;
    int64_t max_concurrent_tasks; /* 0: no limit of its own */
    int64_t weight;
    nv_bytes_t wrapped_key; /* the tenant's data key, wrapped; empty until the first credential */
} store_tenant_t;

typedef struct store_pool {
    const char *name;
    const char *dedicated_to; /* "" shared */
    bool own_credentials;
    int64_t created_unix_ms;
} store_pool_t;

typedef struct store_credential {
    const char *kind; /* "databricks", "llm" */
    nv_bytes_t sealed;
    int64_t updated_unix_ms;
} store_credential_t;

typedef struct store_revocation {
    const char *serial;    /* lower-case hex, or "" */
    const char *spiffe_id; /* or "": every certificate of this identity issued until revoked_unix_ms */
    const char *reason;
    int64_t revoked_unix_ms;
} store_revocation_t;

bool store_tenant_create(store_t *store, const store_tenant_t *tenant, nv_error_t *err) NV_MUST_CHECK;
bool store_tenant_get(store_t *store, nv_mem_t *ctx, const char *name, store_tenant_t *out,
                      nv_error_t *err) NV_MUST_CHECK;
bool store_tenant_list(store_t *store, nv_mem_t *ctx, store_tenant_t **out, size_t *n,
                       nv_error_t *err) NV_MUST_CHECK;
/* Replaces the wrapped key where it is still `expected` (empty: none yet); ABORTED otherwise. */
bool store_tenant_set_key(store_t *store, const char *name, nv_bytes_t expected, nv_bytes_t wrapped,
                          nv_error_t *err) NV_MUST_CHECK;

bool store_pool_create(store_t *store, const store_pool_t *pool, nv_error_t *err) NV_MUST_CHECK;
bool store_pool_get(store_t *store, nv_mem_t *ctx, const char *name, store_pool_t *out,
                    nv_error_t *err) NV_MUST_CHECK;
bool store_pool_list(store_t *store, nv_mem_t *ctx, store_pool_t **out, size_t *n,
                     nv_error_t *err) NV_MUST_CHECK;

bool store_credential_put(store_t *store, const char *tenant, const store_credential_t *credential,
                          nv_error_t *err) NV_MUST_CHECK;
/* NOT_FOUND when there is none. */
bool store_credential_delete(store_t *store, const char *tenant, const char *kind,
                             nv_error_t *err) NV_MUST_CHECK;
bool store_credential_get(store_t *store, nv_mem_t *ctx, const char *tenant, const char *kind,
                          store_credential_t *out, nv_error_t *err) NV_MUST_CHECK;
bool store_credential_list(store_t *store, nv_mem_t *ctx, const char *tenant, store_credential_t **out,
                           size_t *n, nv_error_t *err) NV_MUST_CHECK;

/* The same revocation twice is fine; *out_added tells. */
bool store_revocation_add(store_t *store, const store_revocation_t *revocation, bool *out_added,
                          nv_error_t *err) NV_MUST_CHECK;
bool store_revocation_list(store_t *store, nv_mem_t *ctx, store_revocation_t **out, size_t *n,
                           nv_error_t *err) NV_MUST_CHECK;

#endif
