/* OAuth 2.0 client credentials (RFC 6749, 4.4) and what Databricks adds: finding the token endpoint of a workspace.
 * Used by the control plane, which keeps the secret, and by a worker in a pool with its own environment. */
#ifndef NV_HTTP_OAUTH_H
#define NV_HTTP_OAUTH_H

#include "common/http/http.h"

typedef struct nv_oauth_token {
    char *access_token;   /* below ctx; secret */
    int64_t expires_in_s; /* as told by the server, a number or a string; 3600 where it says nothing */
} nv_oauth_token_t;

/* One token for client id and secret. UNAUTHENTICATED names the server's reason; never the secret. Retries 429 and 5xx
 * within a minute. token_endpoint must be https, or http to a loopback host. */
bool nv_oauth_client_credentials(nv_http_t *http, nv_mem_t *ctx, const char *token_endpoint,
                                 const char *client_id, const char *client_secret, const char *scope,
                                 nv_oauth_token_t *out, nv_error_t *err) NV_MUST_CHECK;

/* The token endpoint of a Databricks workspace: discovery (/.well-known/databricks-config, then the authorization
 * server's metadata), else <host>/oidc/v1/token. host as people type it. */
bool nv_databricks_token_endpoint(nv_http_t *http, nv_mem_t *ctx, const char *host, char **out,
                                  nv_error_t *err) NV_MUST_CHECK;

/* OAuth M2M of a Databricks workspace: endpoint and token in one. */
bool nv_databricks_token(nv_http_t *http, nv_mem_t *ctx, const char *host, const char *client_id,
                         const char *client_secret, nv_oauth_token_t *out, nv_error_t *err) NV_MUST_CHECK;

#endif
