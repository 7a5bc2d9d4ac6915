#include "common/http/oauth.h"

#include "common/core/base64.h"
#include "common/core/json.h"
#include "common/http/url.h"

#include <string.h>

enum { TOKEN_BUDGET_MS = 60000, TOKEN_REPLY_MAX = 1024 * 1024, DEFAULT_TOKEN_S = 3600 };

/* "error: description" of a refusal, in the spellings that identity providers use; never the request. */
static bool refused(nv_mem_t *ctx, const char *endpoint, const nv_http_response_t *reply, nv_error_t *err)
{
    nv_error_t ignored = NV_ERROR_INIT;
    const nv_json_t *root = NULL;
    const char *code = "";
    const char *text = "";
    if (nv_json_parse(ctx, "token reply", reply->body, reply->body_length, &root, &ignored)) {
        code = nv_json_string_or(root, "error", nv_json_string_or(root, "errorCode", ""));
        text = nv_json_string_or(root, "error_description", nv_json_string_or(root, "errorSummary", ""));
    }
    nv_code_t class = reply->status >= 400 && reply->status < 500 && reply->status != 429
                          ? NV_UNAUTHENTICATED
                          : nv_http_status_code(reply->status);
    return nv_fail(err, class, "%s answered %d to the token request%s%s%s%s", endpoint, reply->status,
                   *code ? ": " : "", code, *text ? ": " : "", text);
}

static bool read_token(nv_mem_t *ctx, const nv_http_response_t *reply, nv_oauth_token_t *out, nv_error_t *err)
{
    const nv_json_t *root;
    const char *token;
    if (!nv_json_parse(ctx, "token reply", reply->body, reply->body_length, &root, err) ||
        !nv_json_string(root, "access_token", &token, err))
        return false;
    if (!*token)
        return nv_fail(err, NV_INVALID_ARGUMENT, "token reply: access_token is empty");
    out->access_token = nv_strdup(ctx, token);
    out->expires_in_s = nv_json_int64_or(root, "expires_in", DEFAULT_TOKEN_S);
    return true;
}

bool nv_oauth_client_credentials(nv_http_t *http, nv_mem_t *ctx, const char *token_endpoint,
                                 const char *client_id, const char *client_secret, const char *scope,
                                 nv_oauth_token_t *out, nv_error_t *err)
{
    if (!nv_url_is_safe(token_endpoint))
        return nv_fail(err, NV_INVALID_ARGUMENT, "token endpoint %.200s: expected https", token_endpoint);
    /* RFC 6749 2.3.1: both are form-encoded before Basic puts them together */
    char *pair = nv_printf(ctx, "%s:%s", nv_url_escape(ctx, client_id), nv_url_escape(ctx, client_secret));
    char *body = nv_printf(ctx, "grant_type=client_credentials&scope=%s", nv_url_escape(ctx, scope));
    nv_http_header_t headers[] = {
        {"Authorization", nv_printf(ctx, "Basic %s", nv_base64_encode(ctx, pair, strlen(pair)))},
        {"Content-Type", "application/x-www-form-urlencoded"},
        {"Accept", "application/json"},
    };
    nv_http_request_t request = {.method = "POST",
                                 .url = token_endpoint,
                                 .headers = headers,
                                 .n_headers = sizeof headers / sizeof headers[0],
                                 .body = body,
                                 .body_length = strlen(body),
                                 .max_response = TOKEN_REPLY_MAX};
    nv_http_retry_t retry = {
        .idempotent = true, .max_attempts = 6, .budget_ms = TOKEN_BUDGET_MS, .cap_ms = 10000};
    nv_http_response_t reply;
    if (!nv_http_send_retrying(http, ctx, &request, &retry, &reply, err))
        return nv_wrap(err, "token");
    if (reply.status != 200)
        return refused(ctx, token_endpoint, &reply, err);
    return read_token(ctx, &reply, out, err);
}

/* A JSON document at url; false where there is none, for whatever reason but a cancellation. */
static const nv_json_t *fetch_metadata(nv_http_t *http, nv_mem_t *ctx, const char *url, nv_error_t *err)
{
    nv_http_request_t request = {.method = "GET", .url = url, .max_response = TOKEN_REPLY_MAX};
    nv_http_retry_t retry = {.idempotent = true, .max_attempts = 3, .budget_ms = 10000};
    nv_http_response_t reply;
    const nv_json_t *root;
    if (!nv_url_is_safe(url) || !nv_http_send_retrying(http, ctx, &request, &retry, &reply, err) ||
        reply.status != 200 || !nv_json_parse(ctx, url, reply.body, reply.body_length, &root, err))
        return NULL;
    return root;
}

/* "https://x/oidc/accounts/{account_id}" with the id put in. */
static char *fill_account(nv_mem_t *ctx, const char *endpoint, const char *account)
{
    const char *mark = strstr(endpoint, "{account_id}");
    if (!mark)
        return nv_strdup(ctx, endpoint);
    return nv_printf(ctx, "%.*s%s%s", (int)(mark - endpoint), endpoint, nv_url_escape(ctx, account),
                     mark + strlen("{account_id}"));
}

bool nv_databricks_token_endpoint(nv_http_t *http, nv_mem_t *ctx, const char *host, char **out,
                                  nv_error_t *err)
{
    char *origin;
    nv_error_clear(err);
    if (!nv_url_origin(ctx, host, &origin, err))
        return false;
    *out = nv_printf(ctx, "%s/oidc/v1/token", origin);
    const nv_json_t *config =
        fetch_metadata(http, ctx, nv_printf(ctx, "%s/.well-known/databricks-config", origin), err);
    if (!config &&
        (err->code == NV_CANCELLED || err->code == NV_UNAUTHENTICATED || err->code == NV_UNAVAILABLE))
        return nv_wrap(err, "Databricks host %s",
                       origin); /* not there, or not whom we trust: no fallback mends that */
    nv_error_clear(err);
    const char *oidc = nv_json_string_or(config, "oidc_endpoint", NULL);
    if (!oidc)
        oidc = nv_printf(ctx, "%s/oidc", origin);
    oidc = fill_account(ctx, oidc, nv_json_string_or(config, "account_id", ""));
    const nv_json_t *server =
        fetch_metadata(http, ctx, nv_printf(ctx, "%s/.well-known/oauth-authorization-server", oidc), err);
    if (!server && err->code == NV_CANCELLED)
        return false;
    nv_error_clear(err);
    const char *endpoint = nv_json_string_or(server, "token_endpoint", NULL);
    if (endpoint && nv_url_is_safe(endpoint))
        *out = nv_strdup(ctx, endpoint);
    return true;
}

bool nv_databricks_token(nv_http_t *http, nv_mem_t *ctx, const char *host, const char *client_id,
                         const char *client_secret, nv_oauth_token_t *out, nv_error_t *err)
{
    char *endpoint;
    return nv_databricks_token_endpoint(http, ctx, host, &endpoint, err) &&
           nv_oauth_client_credentials(http, ctx, endpoint, client_id, client_secret, "all-apis", out, err);
}
