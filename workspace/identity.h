/* The secrets of a workspace: the OAuth client's secret and the key that signs tokens. Files of mode 0600 in the state
 * directory, made at the first start. */
#ifndef NV_WORKSPACE_IDENTITY_H
#define NV_WORKSPACE_IDENTITY_H

#include "workspace/token.h"

/* Reads the secret in path, or makes one when there is no such file and `create` is true. */
bool ws_identity_secret(nv_mem_t *mem, const char *path, bool create, const char **out,
                        nv_error_t *err) NV_MUST_CHECK;
bool ws_identity_token_key(const char *path, ws_token_key_t *out, nv_error_t *err) NV_MUST_CHECK;
/* A number of this workspace, stable over restarts. */
bool ws_identity_workspace_id(nv_mem_t *mem, const char *path, int64_t *out, nv_error_t *err) NV_MUST_CHECK;

/* Replaces a file whole. */
bool ws_write_file(nv_mem_t *mem, const char *path, const char *text, nv_error_t *err) NV_MUST_CHECK;

#endif
