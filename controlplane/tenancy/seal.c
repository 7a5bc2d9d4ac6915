/* AES-256-GCM sealing (NIST SP 800-38D) with everything that the blob is for in the authenticated data. */
#include "controlplane/tenancy/seal.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <string.h>

#include "common/core/buf.h"
#include "controlplane/tenancy/internal.h"

enum {
    MAGIC_BYTES = 4,
    NONCE_BYTES = 12,
    TAG_BYTES = 16,
    HEADER_BYTES = MAGIC_BYTES + KEY_ID_BYTES + NONCE_BYTES
};
_Static_assert(HEADER_BYTES + TAG_BYTES == TENANCY_SEAL_OVERHEAD, "the overhead is as documented");
static const uint8_t magic[MAGIC_BYTES] = {'N', 'V', 'S', '1'};

void key_id(const uint8_t *key, uint8_t out[KEY_ID_BYTES])
{
    uint8_t digest[SHA256_DIGEST_LENGTH];
    SHA256(key, TENANCY_KEY_BYTES, digest);
    memcpy(out, digest, KEY_ID_BYTES);
    OPENSSL_cleanse(digest, sizeof digest);
}

static int wipe(void *secret)
{
    secret_block_t *block = secret;
    OPENSSL_cleanse(block->data, block->length);
    return 0;
}

uint8_t *secret_new(nv_mem_t *ctx, size_t length)
{
    secret_block_t *block = nv_alloc(ctx, sizeof *block + length + 1);
    block->length = length;
    nv_on_free(block, wipe);
    return block->data;
}

/* Lengths before contents: no two different (purpose, tenant, kind) make the same bytes. */
static void build_aad(nv_buf_t *aad, const char *purpose, const char *tenant, const char *kind)
{
    nv_buf_add(aad, magic, sizeof magic);
    nv_buf_printf(aad, "|%zu:%s|%zu:%s|%zu:%s", strlen(purpose), purpose, strlen(tenant), tenant,
                  strlen(kind), kind);
}

typedef struct gcm {
    EVP_CIPHER_CTX *cipher;
    int (*init)(EVP_CIPHER_CTX *, const EVP_CIPHER *, ENGINE *, const unsigned char *, const unsigned char *);
    int (*update)(EVP_CIPHER_CTX *, unsigned char *, int *, const unsigned char *, int);
} gcm_t;

static bool gcm_start(const gcm_t *gcm, const uint8_t *key, const uint8_t *nonce, const nv_buf_t *aad)
{
    int ignored;
    return gcm->cipher && gcm->init(gcm->cipher, EVP_aes_256_gcm(), NULL, key, nonce) == 1 &&
           gcm->update(gcm->cipher, NULL, &ignored, (const uint8_t *)aad->data, (int)aad->length) == 1;
}

static bool encrypt(const uint8_t *key, const nv_buf_t *aad, nv_bytes_t plain, uint8_t *out)
{
    uint8_t *text = out + HEADER_BYTES;
    gcm_t gcm = {EVP_CIPHER_CTX_new(), EVP_EncryptInit_ex, EVP_EncryptUpdate};
    int length = 0, last = 0;
    bool ok = gcm_start(&gcm, key, out + MAGIC_BYTES + KEY_ID_BYTES, aad) &&
              EVP_EncryptUpdate(gcm.cipher, text, &length, plain.data, (int)plain.length) == 1 &&
              EVP_EncryptFinal_ex(gcm.cipher, text + length, &last) == 1 &&
              EVP_CIPHER_CTX_ctrl(gcm.cipher, EVP_CTRL_GCM_GET_TAG, TAG_BYTES, text + plain.length) == 1;
    EVP_CIPHER_CTX_free(gcm.cipher);
    return ok;
}

static bool decrypt(const uint8_t *key, const nv_buf_t *aad, const uint8_t *sealed, size_t n, uint8_t *out)
{
    uint8_t tag[TAG_BYTES];
    const uint8_t *text = sealed + HEADER_BYTES;
    memcpy(tag, text + n, sizeof tag);
    gcm_t gcm = {EVP_CIPHER_CTX_new(), EVP_DecryptInit_ex, EVP_DecryptUpdate};
    int length = 0, last = 0;
    bool ok = gcm_start(&gcm, key, sealed + MAGIC_BYTES + KEY_ID_BYTES, aad) &&
              EVP_DecryptUpdate(gcm.cipher, out, &length, text, (int)n) == 1 &&
              EVP_CIPHER_CTX_ctrl(gcm.cipher, EVP_CTRL_GCM_SET_TAG, TAG_BYTES, tag) == 1 &&
              EVP_DecryptFinal_ex(gcm.cipher, out + length, &last) == 1;
    EVP_CIPHER_CTX_free(gcm.cipher);
    return ok;
}

bool tenancy_seal(nv_mem_t *ctx, const uint8_t *key, const char *purpose, const char *tenant,
                  const char *kind, nv_bytes_t plain, nv_bytes_t *out, nv_error_t *err)
{
    if (plain.length > TENANCY_SECRET_MAX)
        return nv_fail(err, NV_INVALID_ARGUMENT, "a secret of %zu bytes: expected at most %d", plain.length,
                       TENANCY_SECRET_MAX);
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("seal");
    nv_buf_t aad = nv_buf_make(scratch, 4096);
    build_aad(&aad, purpose, tenant, kind);
    if (!nv_buf_ok(&aad, "tenant and kind", err))
        return false;
    size_t length = TENANCY_SEAL_OVERHEAD + plain.length;
    uint8_t *sealed = nv_alloc(ctx, length);
    memcpy(sealed, magic, sizeof magic);
    key_id(key, sealed + MAGIC_BYTES);
    nv_bytes_t text = plain.data ? plain : nv_bytes("", 0);
    if (RAND_bytes(sealed + MAGIC_BYTES + KEY_ID_BYTES, NONCE_BYTES) != 1 ||
        !encrypt(key, &aad, text, sealed))
        return nv_fail(err, NV_INTERNAL, "sealing failed");
    *out = nv_bytes(sealed, length);
    return true;
}

bool sealed_key_id(nv_bytes_t sealed, uint8_t out[KEY_ID_BYTES], nv_error_t *err)
{
    const uint8_t *bytes = sealed.data;
    if (sealed.length < TENANCY_SEAL_OVERHEAD || sealed.length > TENANCY_SEAL_OVERHEAD + TENANCY_SECRET_MAX ||
        memcmp(bytes, magic, sizeof magic) != 0)
        return nv_fail(err, NV_DATA_LOSS, "a sealed value is damaged: expected one that this system wrote");
    memcpy(out, bytes + MAGIC_BYTES, KEY_ID_BYTES);
    return true;
}

bool tenancy_unseal(nv_mem_t *ctx, const uint8_t *key, const char *purpose, const char *tenant,
                    const char *kind, nv_bytes_t sealed, nv_bytes_t *out, nv_error_t *err)
{
    uint8_t needed[KEY_ID_BYTES], have[KEY_ID_BYTES];
    if (!sealed_key_id(sealed, needed, err))
        return false;
    key_id(key, have);
    if (CRYPTO_memcmp(needed, have, sizeof have) != 0)
        return nv_fail(err, NV_FAILED_PRECONDITION, "a value is sealed with a key that is not at hand");
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("unseal");
    nv_buf_t aad = nv_buf_make(scratch, 4096);
    build_aad(&aad, purpose, tenant, kind);
    if (!nv_buf_ok(&aad, "tenant and kind", err))
        return false;
    size_t length = sealed.length - TENANCY_SEAL_OVERHEAD;
    uint8_t *plain = secret_new(ctx, length);
    if (!decrypt(key, &aad, sealed.data, length, plain)) {
        OPENSSL_cleanse(plain, length);
        return nv_fail(err, NV_DATA_LOSS, "a sealed value does not open: it is damaged, or was moved here");
    }
    *out = nv_bytes(plain, length);
    return true;
}
