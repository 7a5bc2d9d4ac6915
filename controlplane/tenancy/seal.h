/* Sealing of credentials: AES-256-GCM, a data key per tenant, wrapped by a key-encryption key (KEK).
 *
 * A sealed blob is  "NVS1" | key id (8) | nonce (12) | ciphertext | tag (16).  The additional authenticated
 * data binds version, purpose, tenant and kind, so a blob moved to another tenant or kind does not open.
 * Nonces are random (96 bit); NIST SP 800-38D allows 2^32 of them per key, a tenant's key sees a handful. A
 * blob is hostile input: anything but a perfect one is DATA_LOSS (damaged, or not ours) or
 * FAILED_PRECONDITION (wrapped by a KEK that we do not have), and tells nothing else. Key memory is wiped
 * (OPENSSL_cleanse) before it is freed, and so is what tenancy_unseal gives out when its context is freed.
 */
#ifndef CONTROLPLANE_TENANCY_SEAL_H
#define CONTROLPLANE_TENANCY_SEAL_H

#include "controlplane/store/store.h"

typedef struct tenancy_keys tenancy_keys_t;

enum { TENANCY_KEY_BYTES = 32, TENANCY_SECRET_MAX = 64 * 1024, TENANCY_SEAL_OVERHEAD = 40 };

/* Where the key-encryption keys are. Exactly one of key and path. */
typedef struct tenancy_keys_options {
    /* From the environment: 64 hex digits or base64 of 32 bytes; newest first, separated by commas. */
    const char *key;
    /* File with such keys, one a line, newest first; made (0600) with a random one when missing. */
    const char *path;
} tenancy_keys_options_t;

/* Refuses a key file that group or others may read (PERMISSION_DENIED). */
bool tenancy_keys_open(const tenancy_keys_options_t *options, tenancy_keys_t **out,
                       nv_error_t *err) NV_MUST_CHECK;
void tenancy_keys_free(tenancy_keys_t *keys);
void tenancy_keys_cleanup(tenancy_keys_t **keys);
#define TENANCY_KEYS_SCOPE __attribute__((cleanup(tenancy_keys_cleanup)))
/* First bytes of SHA-256 of the newest KEK, hex: for `status`, never the key. */
const char *tenancy_keys_id(const tenancy_keys_t *keys);

/* Seals and stores a tenant's credential, making its data key first where there is none. Threads: any. */
bool tenancy_credential_set(store_t *store, const tenancy_keys_t *keys, const char *tenant, const char *kind,
                            nv_bytes_t secret, int64_t now_unix_ms, nv_error_t *err) NV_MUST_CHECK;
/* Below ctx, wiped when freed. NOT_FOUND when the tenant has none of this kind. */
bool tenancy_credential_get(store_t *store, const tenancy_keys_t *keys, nv_mem_t *ctx, const char *tenant,
                            const char *kind, nv_bytes_t *out, nv_error_t *err) NV_MUST_CHECK;
/* Key rotation: wraps every tenant's data key anew with the newest KEK; the sealed blobs stay as they are. Fails with
 * FAILED_PRECONDITION when a key is wrapped by a KEK that is not among `keys`: nothing of that tenant could be opened. */
bool tenancy_rewrap(store_t *store, const tenancy_keys_t *keys, int64_t *out_rewrapped,
                    nv_error_t *err) NV_MUST_CHECK;

/* The primitives, pure but for randomness. key: TENANCY_KEY_BYTES. `purpose` is "data" or "key". */
bool tenancy_seal(nv_mem_t *ctx, const uint8_t *key, const char *purpose, const char *tenant,
                  const char *kind, nv_bytes_t plain, nv_bytes_t *out, nv_error_t *err) NV_MUST_CHECK;
bool tenancy_unseal(nv_mem_t *ctx, const uint8_t *key, const char *purpose, const char *tenant,
                    const char *kind, nv_bytes_t sealed, nv_bytes_t *out, nv_error_t *err) NV_MUST_CHECK;

#endif
