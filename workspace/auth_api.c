/* Discovery, OAuth M2M and the caller's identity. */
#include "common/core/base64.h"
#include "workspace/router.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

static bool config(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    nv_json_writer_t w = ws_reply_writer(request);
    nv_json_open_object(&w, NULL);
    nv_json_put_string(&w, "oidc_endpoint", nv_printf(request->mem, "%s/oidc", app->base_url));
    nv_json_put_string(&w, "workspace_id", nv_printf(request->mem, "%" PRId64, app->workspace_id));
    nv_json_put_string(&w, "cloud", "AWS");
    nv_json_put_string(&w, "host_type", "workspace");
    nv_json_close_object(&w);
    return ws_reply_json(request, &w, err);
}

static bool discovery(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    nv_json_writer_t w = ws_reply_writer(request);
    nv_json_open_object(&w, NULL);
    nv_json_put_string(&w, "issuer", nv_printf(request->mem, "%s/oidc", app->base_url));
    nv_json_put_string(&w, "authorization_endpoint",
                       nv_printf(request->mem, "%s/oidc/v1/authorize", app->base_url));
    nv_json_put_string(&w, "token_endpoint", nv_printf(request->mem, "%s/oidc/v1/token", app->base_url));
    nv_json_open_array(&w, "grant_types_supported");
    nv_json_put_string(&w, NULL, "client_credentials");
    nv_json_close_array(&w);
    nv_json_close_object(&w);
    return ws_reply_json(request, &w, err);
}

static bool oauth_error(ws_request_t *request, int status, const char *code, const char *description,
                        nv_error_t *err)
{
    nv_json_writer_t w = ws_reply_writer(request);
    nv_json_open_object(&w, NULL);
    nv_json_put_string(&w, "error", code);
    nv_json_put_string(&w, "error_description", description);
    nv_json_put_string(&w, "request_id", request->id);
    nv_json_close_object(&w);
    request->reply.status = status;
    return ws_reply_json(request, &w, err);
}

/* The value of a form field, decoded; NULL when it is not there. */
static const char *form_field(ws_request_t *request, const char *name)
{
    ws_request_t form = {.mem = request->mem, .query = request->body ? request->body : ""};
    return ws_query(&form, name);
}

/* id and secret, from the Authorization header or the form. */
static void credentials(ws_request_t *request, const char **id, const char **secret)
{
    *id = form_field(request, "client_id");
    *secret = form_field(request, "client_secret");
    const char *header = request->authorization;
    if (!header || strncasecmp(header, "Basic ", 6) != 0) {
        return;
    }
    uint8_t *raw = NULL;
    size_t length = 0;
    if (!nv_base64_decode(request->mem, header + 6, strlen(header + 6), &raw, &length)) {
        return;
    }
    char *text = nv_strndup(request->mem, (const char *)raw, length);
    char *colon = strchr(text, ':');
    if (colon) {
        *colon = '\0';
        *id = ws_percent_decode(request->mem, text, strlen(text), false); /* Go encodes, Python does not */
        *secret = ws_percent_decode(request->mem, colon + 1, strlen(colon + 1), false);
    }
}

static bool token(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    const char *grant = form_field(request, "grant_type");
    if (!grant || strcmp(grant, "client_credentials") != 0) {
        return oauth_error(request, 400, "unsupported_grant_type",
                           "the local workspace grants client_credentials only", err);
    }
    const char *id = NULL;
    const char *secret = NULL;
    credentials(request, &id, &secret);
    if (!id || !secret || !ws_secret_equal(id, app->client_id) ||
        !ws_secret_equal(secret, app->client_secret)) {
        return oauth_error(request, 401, "invalid_client", "Client authentication failed", err);
    }
    nv_json_writer_t w = ws_reply_writer(request);
    nv_json_open_object(&w, NULL);
    nv_json_put_string(
        &w, "access_token",
        ws_token_issue(request->mem, app->token_key, "access", ws_now_ms() / 1000 + WS_TOKEN_TTL_S));
    nv_json_put_string(&w, "token_type", "Bearer");
    nv_json_put_int64(&w, "expires_in", WS_TOKEN_TTL_S);
    nv_json_put_string(&w, "scope", "all-apis");
    nv_json_close_object(&w);
    request->reply.headers = "Cache-Control: no-store\r\n";
    return ws_reply_json(request, &w, err);
}

static bool me(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    nv_json_writer_t w = ws_reply_writer(request);
    nv_json_open_object(&w, NULL);
    nv_json_put_string(&w, "id", "1000000001");
    nv_json_put_string(&w, "userName", app->client_id);
    nv_json_put_string(&w, "displayName", "Local workspace user");
    nv_json_put_bool(&w, "active", true);
    nv_json_open_array(&w, "emails");
    nv_json_open_object(&w, NULL);
    nv_json_put_string(&w, "type", "work");
    nv_json_put_string(&w, "value", app->client_id);
    nv_json_put_bool(&w, "primary", true);
    nv_json_close_object(&w);
    nv_json_close_array(&w);
    nv_json_open_array(&w, "groups");
    nv_json_open_object(&w, NULL);
    nv_json_put_string(&w, "display", "admins");
    nv_json_close_object(&w);
    nv_json_close_array(&w);
    nv_json_close_object(&w);
    request->reply.headers =
        nv_printf(request->mem, "X-Databricks-Org-Id: %" PRId64 "\r\n", app->workspace_id);
    return ws_reply_json(request, &w, err);
}

/* Whether the server lives, and whether Spark is ready. */
static bool health(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    static const char *const names[] = {"starting", "ready", "broken", "stopped"};
    const char *reason = "";
    ws_kernel_state_t state = ws_kernel_status(app->kernel, request->mem, &reason);
    nv_json_writer_t w = ws_reply_writer(request);
    nv_json_open_object(&w, NULL);
    nv_json_put_string(&w, "status", "ok");
    nv_json_put_string(&w, "version", NV_VERSION);
    nv_json_put_string(&w, "spark", names[state]);
    if (*reason) {
        nv_json_put_string(&w, "spark_message", reason);
    }
    nv_json_close_object(&w);
    return ws_reply_json(request, &w, err);
}

const ws_route_t ws_routes_auth[] = {
    {"GET", "/.well-known/databricks-config", config, WS_ROUTE_OPEN},
    {"GET", "/oidc/.well-known/oauth-authorization-server", discovery, WS_ROUTE_OPEN},
    {"GET", "/oidc/.well-known/openid-configuration", discovery, WS_ROUTE_OPEN},
    {"POST", "/oidc/v1/token", token, WS_ROUTE_OPEN},
    {"GET", "/api/2.0/preview/scim/v2/Me", me, 0},
    {"GET", "/health", health, WS_ROUTE_OPEN},
    {0},
};
