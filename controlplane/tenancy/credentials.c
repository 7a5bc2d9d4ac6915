/* Credentials: a data key per tenant, wrapped by a key-encryption key, seals the tenant's secrets. */
#include <openssl/rand.h>
#include <string.h>

#include "controlplane/store/tenants.h"
#include "controlplane/tenancy/keys.h"

static const char purpose_key[] = "key", purpose_data[] = "data", kind_of_key[] = "tenant";

static bool unwrap(const tenancy_keys_t *keys, nv_mem_t *ctx, const char *tenant, nv_bytes_t wrapped,
                   const uint8_t **out, nv_error_t *err)
{
    uint8_t id[KEY_ID_BYTES];
    nv_bytes_t plain;
    if (!sealed_key_id(wrapped, id, err))
        return nv_wrap(err, "the key of tenant \"%s\"", tenant);
    const uint8_t *kek = keys_find(keys, id);
    if (!kek)
        return nv_fail(err, NV_FAILED_PRECONDITION,
                       "the key of tenant \"%s\" is wrapped by a sealing key that is not at hand: restore "
                       "it, or give it "
                       "behind the new one",
                       tenant);
    if (!tenancy_unseal(ctx, kek, purpose_key, tenant, kind_of_key, wrapped, &plain, err))
        return nv_wrap(err, "the key of tenant \"%s\"", tenant);
    if (plain.length != TENANCY_KEY_BYTES)
        return nv_fail(err, NV_DATA_LOSS, "the key of tenant \"%s\" has %zu bytes: expected %d", tenant,
                       plain.length, TENANCY_KEY_BYTES);
    *out = plain.data;
    return true;
}

/* Makes the tenant's data key. ABORTED when another control plane just did. */
static bool make_key(store_t *store, const tenancy_keys_t *keys, nv_mem_t *ctx, const char *tenant,
                     const uint8_t **out, nv_error_t *err)
{
    uint8_t *key = secret_new(ctx, TENANCY_KEY_BYTES);
    nv_bytes_t wrapped;
    if (RAND_bytes(key, TENANCY_KEY_BYTES) != 1)
        return nv_fail(err, NV_INTERNAL, "no random bytes for a key");
    if (!tenancy_seal(ctx, keys_newest(keys), purpose_key, tenant, kind_of_key,
                      nv_bytes(key, TENANCY_KEY_BYTES), &wrapped, err) ||
        !store_tenant_set_key(store, tenant, nv_bytes(NULL, 0), wrapped, err))
        return false;
    *out = key;
    return true;
}

static bool load_key(store_t *store, const tenancy_keys_t *keys, nv_mem_t *ctx, const char *name, bool make,
                     const uint8_t **out, nv_error_t *err)
{
    store_tenant_t tenant;
    if (!store_tenant_get(store, ctx, name, &tenant, err))
        return false;
    if (tenant.wrapped_key.length == 0 && !make)
        return nv_fail(err, NV_NOT_FOUND, "tenant \"%s\" has no credentials", name);
    if (tenant.wrapped_key.length == 0) {
        if (make_key(store, keys, ctx, name, out, err))
            return true;
        if (err->code != NV_ABORTED)
            return false;
        nv_error_clear(err); /* another was faster: use its key */
        if (!store_tenant_get(store, ctx, name, &tenant, err))
            return false;
    }
    return unwrap(keys, ctx, name, tenant.wrapped_key, out, err);
}

bool tenancy_credential_set(store_t *store, const tenancy_keys_t *keys, const char *tenant, const char *kind,
                            nv_bytes_t secret, int64_t now_unix_ms, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("credential");
    const uint8_t *key;
    store_credential_t credential = {.kind = kind, .updated_unix_ms = now_unix_ms};
    return load_key(store, keys, ctx, tenant, true, &key, err) &&
           tenancy_seal(ctx, key, purpose_data, tenant, kind, secret, &credential.sealed, err) &&
           store_credential_put(store, tenant, &credential, err);
}

bool tenancy_credential_get(store_t *store, const tenancy_keys_t *keys, nv_mem_t *ctx, const char *tenant,
                            const char *kind, nv_bytes_t *out, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("credential");
    const uint8_t *key;
    store_credential_t credential;
    if (!store_credential_get(store, scratch, tenant, kind, &credential, err) ||
        !load_key(store, keys, scratch, tenant, false, &key, err))
        return false;
    return tenancy_unseal(ctx, key, purpose_data, tenant, kind, credential.sealed, out, err) ||
           nv_wrap(err, "credential \"%s\" of tenant \"%s\"", kind, tenant);
}

/* True without a change where the newest key wraps it already. */
static bool rewrap_one(store_t *store, const tenancy_keys_t *keys, const store_tenant_t *tenant,
                       int64_t *count, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("rewrap");
    uint8_t id[KEY_ID_BYTES];
    const uint8_t *key;
    nv_bytes_t wrapped;
    if (tenant->wrapped_key.length == 0)
        return true;
    if (!sealed_key_id(tenant->wrapped_key, id, err))
        return nv_wrap(err, "the key of tenant \"%s\"", tenant->name);
    if (keys_find(keys, id) == keys_newest(keys))
        return true;
    if (!unwrap(keys, ctx, tenant->name, tenant->wrapped_key, &key, err) ||
        !tenancy_seal(ctx, keys_newest(keys), purpose_key, tenant->name, kind_of_key,
                      nv_bytes(key, TENANCY_KEY_BYTES), &wrapped, err) ||
        !store_tenant_set_key(store, tenant->name, tenant->wrapped_key, wrapped, err))
        return false;
    ++*count;
    return true;
}

bool tenancy_rewrap(store_t *store, const tenancy_keys_t *keys, int64_t *out_rewrapped, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("rewrap all");
    store_tenant_t *tenants;
    size_t n;
    *out_rewrapped = 0;
    if (!store_tenant_list(store, ctx, &tenants, &n, err))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!rewrap_one(store, keys, &tenants[i], out_rewrapped, err))
            return false;
    return true;
}
