#include "workspace/token.h"

#include "workspace/request.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAC_HEX = 64 };

static char *mac_hex(nv_mem_t *mem, const ws_token_key_t *key, const char *purpose, const char *payload)
{
    const char *message = nv_printf(mem, "%s\n%s", purpose, payload);
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    if (!HMAC(EVP_sha256(), key->bytes, sizeof key->bytes, (const unsigned char *)message, strlen(message),
              mac, &length)) {
        abort();
    }
    char *hex = nv_alloc(mem, MAC_HEX + 1);
    for (unsigned int i = 0; i < length && i * 2 < MAC_HEX; i++) {
        snprintf(hex + i * 2, 3, "%02x", mac[i]);
    }
    return hex;
}

char *ws_token_issue(nv_mem_t *mem, const ws_token_key_t *key, const char *purpose, int64_t expires_at_s)
{
    const char *payload = nv_printf(mem, "%" PRId64 "-%s", expires_at_s, ws_random_hex(mem, 16));
    return nv_printf(mem, "nvt.%s.%s", payload, mac_hex(mem, key, purpose, payload));
}

bool ws_token_check(const ws_token_key_t *key, const char *purpose, const char *token, int64_t now_s,
                    nv_error_t *err)
{
    const char *mac = token ? strrchr(token, '.') : NULL;
    if (!mac || strncmp(token, "nvt.", 4) != 0 || mac < token + 4 || strlen(token) > 256) {
        return nv_fail(err, NV_UNAUTHENTICATED,
                       "Credential was not sent or was of an unsupported type for this API.");
    }
    NV_MEM_SCOPE nv_mem_t *mem = nv_mem_root("token");
    const char *payload = nv_strndup(mem, token + 4, (size_t)(mac - token - 4));
    if (!ws_secret_equal(mac_hex(mem, key, purpose, payload), mac + 1)) {
        return nv_fail(err, NV_UNAUTHENTICATED, "Invalid access token.");
    }
    if (strtoll(payload, NULL, 10) <= now_s) {
        return nv_fail(err, NV_UNAUTHENTICATED, "Access token has expired.");
    }
    return true;
}

bool ws_secret_equal(const char *a, const char *b)
{
    size_t length = strlen(a);
    return length == strlen(b) && CRYPTO_memcmp(a, b, length) == 0;
}
