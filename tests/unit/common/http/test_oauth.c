/* OAuth client credentials and the discovery of a workspace's token endpoint. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/http/oauth.h"
#include "fault_server.h"

typedef enum mode {
    DISCOVERY,
    NO_DISCOVERY,
    ACCOUNT,
    WRONG_SECRET,
    BUSY_ONCE,
    ODD_EXPIRY,
    NO_TOKEN,
    EVIL
} server_mode_t;

typedef struct fixture {
    nv_mem_t *ctx;
    nv_http_t *http;
    fault_server_t *server;
    server_mode_t mode;
    char authorization[256];
    char form[256];
    char token_path[256];
} fixture_t;

static void answer_token(fixture_t *f, fault_connection_t *c, const fault_request_t *r)
{
    char buffer[256];
    const char *authorization = fault_header(r, "authorization", buffer, sizeof buffer);
    snprintf(f->authorization, sizeof f->authorization, "%s", authorization ? authorization : "");
    snprintf(f->form, sizeof f->form, "%s", r->body);
    snprintf(f->token_path, sizeof f->token_path, "%.250s", r->path);
    if (f->mode == WRONG_SECRET)
        fault_json(c, 401,
                   "{\"error\":\"invalid_client\",\"error_description\":\"Client authentication failed\"}");
    else if (f->mode == BUSY_ONCE && r->number < 4)
        fault_reply(c, 503, "", "busy");
    else if (f->mode == ODD_EXPIRY)
        fault_json(c, 200, "{\"access_token\":\"tok\",\"expires_in\":\"7200\"}");
    else if (f->mode == NO_TOKEN)
        fault_json(c, 200, "{\"token_type\":\"Bearer\"}");
    else
        fault_json(c, 200, "{\"access_token\":\"tok\",\"token_type\":\"Bearer\",\"expires_in\":900}");
}

static void handle(void *arg, fault_connection_t *c, const fault_request_t *r)
{
    fixture_t *f = arg;
    char body[512];
    const char *url = fault_server_url(f->server);
    if (strstr(r->path, "token"))
        answer_token(f, c, r);
    else if (f->mode == NO_DISCOVERY)
        fault_json(c, 404, "{\"error_code\":\"ENDPOINT_NOT_FOUND\",\"message\":\"no\"}");
    else if (strcmp(r->path, "/.well-known/databricks-config") == 0) {
        snprintf(body, sizeof body, "{\"oidc_endpoint\":\"%s/%s\",\"account_id\":\"a1\"}", url,
                 f->mode == ACCOUNT ? "oidc/accounts/{account_id}" : "oidc");
        fault_json(c, 200, body);
    } else if (strstr(r->path, "/.well-known/oauth-authorization-server")) {
        snprintf(body, sizeof body, "{\"token_endpoint\":\"%s%.*s/special/token\"}",
                 f->mode == EVIL ? "http://evil.example" : url,
                 (int)(strstr(r->path, "/.well-known") - r->path), r->path);
        fault_json(c, 200, body);
    } else
        fault_json(c, 404, "{}");
}

static int setup(void **state)
{
    nv_mem_t *ctx = nv_mem_root("oauth test");
    fixture_t *f = NV_NEW(ctx, fixture_t);
    nv_error_t err = NV_ERROR_INIT;
    nv_http_options_t options = {0};
    f->ctx = ctx;
    assert_true(nv_http_new(ctx, &options, &f->http, &err));
    f->server = fault_server_start(handle, f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture_t *f = *state;
    nv_http_free(f->http);
    fault_server_stop(f->server);
    nv_mem_free(f->ctx);
    return 0;
}

static bool ask(fixture_t *f, server_mode_t mode, nv_oauth_token_t *token, nv_error_t *err)
{
    f->mode = mode;
    return nv_databricks_token(f->http, f->ctx, fault_server_url(f->server), "id", "s/ecret", token, err);
}

static void test_token(void **state)
{
    fixture_t *f = *state;
    nv_error_t err = NV_ERROR_INIT;
    nv_oauth_token_t token;
    if (!ask(f, DISCOVERY, &token, &err))
        fail_msg("%s", err.message);
    assert_string_equal(token.access_token, "tok");
    assert_int_equal(token.expires_in_s, 900);
    assert_string_equal(f->token_path, "/oidc/special/token");
    assert_string_equal(f->authorization, "Basic aWQ6cyUyRmVjcmV0"); /* id:s%2Fecret */
    assert_string_equal(f->form, "grant_type=client_credentials&scope=all-apis");
}

static void test_variants(void **state)
{
    fixture_t *f = *state;
    nv_error_t err = NV_ERROR_INIT;
    nv_oauth_token_t token;
    assert_true(ask(f, NO_DISCOVERY, &token, &err));
    assert_string_equal(f->token_path, "/oidc/v1/token");
    assert_true(ask(f, ACCOUNT, &token, &err));
    assert_string_equal(f->token_path, "/oidc/accounts/a1/special/token");
    assert_true(ask(f, ODD_EXPIRY, &token, &err));
    assert_int_equal(token.expires_in_s, 7200);
    assert_true(ask(f, EVIL, &token, &err)); /* an endpoint in the clear elsewhere is not believed */
    assert_string_equal(f->token_path, "/oidc/v1/token");
}

static void test_busy(void **state)
{
    fixture_t *f = *state;
    nv_error_t err = NV_ERROR_INIT;
    nv_oauth_token_t token;
    assert_true(ask(f, BUSY_ONCE, &token, &err));
    assert_int_equal(fault_server_count(f->server), 4);
}

static void test_refusals(void **state)
{
    fixture_t *f = *state;
    nv_error_t err = NV_ERROR_INIT;
    nv_oauth_token_t token;
    assert_false(ask(f, WRONG_SECRET, &token, &err));
    assert_int_equal(err.code, NV_UNAUTHENTICATED);
    assert_non_null(strstr(err.message, "invalid_client: Client authentication failed"));
    assert_null(strstr(err.message, "ecret"));
    assert_false(ask(f, NO_TOKEN, &token, &err));
    assert_non_null(strstr(err.message, "access_token: expected a string"));
    assert_false(nv_databricks_token(f->http, f->ctx, "http://127.0.0.1:1", "id", "x", &token, &err));
    assert_int_equal(err.code, NV_UNAVAILABLE);
    assert_false(nv_databricks_token(f->http, f->ctx, "http://example.com", "id", "x", &token, &err));
    assert_int_equal(err.code, NV_INVALID_ARGUMENT);
}

int main(void)
{
    nv_error_t err = NV_ERROR_INIT;
    if (!nv_http_global_init(&err))
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_token, setup, teardown),
        cmocka_unit_test_setup_teardown(test_variants, setup, teardown),
        cmocka_unit_test_setup_teardown(test_busy, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    nv_http_global_cleanup();
    return failed;
}
