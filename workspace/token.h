/* Access tokens: "nvt." + base64url of (expiry, random) + "." + HMAC-SHA256 under a key of the workspace's own. Nothing is
 * stored, so that a token outlives a restart and ends with its time. Pure but for the randomness of issuing. */
#ifndef NV_WORKSPACE_TOKEN_H
#define NV_WORKSPACE_TOKEN_H

#include "common/core/error.h"
#include "common/core/mem.h"

#include <stdint.h>

enum { WS_TOKEN_KEY_BYTES = 32, WS_TOKEN_TTL_S = 3600 };

typedef struct ws_token_key {
    unsigned char bytes[WS_TOKEN_KEY_BYTES];
} ws_token_key_t;

/* purpose separates tokens of different use ("access", "link:…"): one is never valid as the other. */
char *ws_token_issue(nv_mem_t *mem, const ws_token_key_t *key, const char *purpose, int64_t expires_at_s);
/* UNAUTHENTICATED when it is not ours or has expired. */
bool ws_token_check(const ws_token_key_t *key, const char *purpose, const char *token, int64_t now_s,
                    nv_error_t *err) NV_MUST_CHECK;
/* Equal without telling by time where they differ. */
bool ws_secret_equal(const char *a, const char *b);

#endif
