#include "worker/databricks/client.h"

#include "common/http/oauth.h"

#include <string.h>
#include <time.h>

enum { TOKEN_EARLY_MS = 60000, POLL_FIRST_MS = 100, POLL_MOST_MS = 2000 };

struct databricks {
    char *host;
    nv_http_t *http;
    databricks_options_t options;
    char *token;             /* replaced as a whole; child of this object */
    int64_t token_expiry_ms; /* monotonic; 0: not known */
    bool shielded;
    bool ambiguous;
};

int64_t db_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t db_next_poll_ms(int64_t previous_ms)
{
    int64_t next = previous_ms ? previous_ms + previous_ms / 2 : POLL_FIRST_MS;
    return next > POLL_MOST_MS ? POLL_MOST_MS : next;
}

static bool is_cancelled(void *arg)
{
    const databricks_t *db = arg;
    return !db->shielded && db->options.cancelled && db->options.cancelled(db->options.cancelled_arg);
}

bool db_is_cancelled(databricks_t *db)
{
    return is_cancelled(db);
}

static char *copy_or_null(nv_mem_t *ctx, const char *text)
{
    return text && *text ? nv_strdup(ctx, text) : NULL;
}

/* Product first, as partner validation demands; then what helps the service's support. */
static char *user_agent(nv_mem_t *ctx, const databricks_options_t *options)
{
    return nv_printf(ctx, "nuvyn_bldr/%s lang/c os/linux auth/%s", NV_VERSION,
                     options->client_id ? "oauth-m2m" : "pat");
}

bool databricks_new(nv_mem_t *ctx, const databricks_options_t *options, databricks_t **out, nv_error_t *err)
{
    databricks_t *db = NV_NEW(ctx, databricks_t);
    db->options = *options;
    db->options.client_id = copy_or_null(db, options->client_id);
    db->options.client_secret = copy_or_null(db, options->client_secret);
    db->token = copy_or_null(db, options->token);
    nv_http_options_t http = {.user_agent = user_agent(db, &db->options),
                              .ca_pem = options->ca_pem,
                              .traceparent = options->traceparent,
                              .cancelled = is_cancelled,
                              .cancelled_arg = db,
                              .log = options->log};
    bool both = db->options.client_id && db->options.client_secret;
    bool ok = true;
    if (!options->host || !*options->host)
        ok = nv_fail(err, NV_INVALID_ARGUMENT, "Databricks: no host is configured");
    else if (!db->token && !both && !options->refresh)
        ok =
            nv_fail(err, NV_INVALID_ARGUMENT, "Databricks: expected a token, or a client id with its secret");
    ok = ok && nv_url_origin(db, options->host, &db->host, err) && nv_http_new(db, &http, &db->http, err);
    if (!ok) {
        nv_mem_free(db);
        return false;
    }
    *out = db;
    return true;
}

void databricks_free(databricks_t *db)
{
    nv_mem_free(db);
}

const char *databricks_host(const databricks_t *db)
{
    return db->host;
}

void databricks_shield(databricks_t *db, bool shielded)
{
    db->shielded = shielded;
}

nv_http_t *db_http(databricks_t *db)
{
    return db->http;
}

bool db_was_ambiguous(const databricks_t *db)
{
    return db->ambiguous;
}

static void keep_token(databricks_t *db, const char *token, int64_t expires_in_s)
{
    nv_mem_free(db->token);
    db->token = nv_strdup(db, token);
    db->token_expiry_ms = expires_in_s > 0 ? db_now_ms() + expires_in_s * 1000 : 0;
}

static bool can_refresh(const databricks_t *db)
{
    return (db->options.client_id && db->options.client_secret) || db->options.refresh;
}

static bool fetch_token(databricks_t *db, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("token");
    if (db->options.client_id && db->options.client_secret) {
        nv_oauth_token_t token;
        if (!nv_databricks_token(db->http, ctx, db->host, db->options.client_id, db->options.client_secret,
                                 &token, err))
            return false;
        keep_token(db, token.access_token, token.expires_in_s);
        return true;
    }
    char *token;
    if (!db->options.refresh(db->options.refresh_arg, ctx, &token, err))
        return false;
    keep_token(db, token, 0);
    return true;
}

static bool ensure_token(databricks_t *db, nv_error_t *err)
{
    bool late = db->token_expiry_ms && db_now_ms() > db->token_expiry_ms - TOKEN_EARLY_MS;
    if (db->token && !(late && can_refresh(db)))
        return true;
    return fetch_token(db, err);
}

static bool is_retriable(void *arg, const nv_http_response_t *reply)
{
    (void)arg;
    return reply->status >= 400 && db_is_retriable_text(reply->body);
}

static bool is_safe_method(const char *method)
{
    return strcmp(method, "POST") != 0 && strcmp(method, "PATCH") != 0;
}

static bool send_once(databricks_t *db, nv_mem_t *ctx, const db_call_t *call, nv_http_response_t *reply,
                      nv_error_t *err)
{
    const char *type = call->body ? "application/json" : "application/octet-stream";
    nv_http_header_t headers[] = {
        {"Authorization", nv_printf(ctx, "Bearer %s", db->token)},
        {"Accept", "application/json"},
        {"Content-Type", type},
    };
    bool has_body = call->body || call->data || call->upload_path;
    if (call->range)
        headers[2] = (nv_http_header_t){"Range", call->range}; /* only of a GET */
    nv_http_request_t request = {.method = call->method,
                                 .url = nv_printf(ctx, "%s%s", db->host, call->path),
                                 .headers = headers,
                                 .n_headers = has_body || call->range ? 3 : 2,
                                 .body = call->body ? call->body : call->data,
                                 .body_length = call->body ? strlen(call->body) : call->data_length,
                                 .upload_path = call->upload_path,
                                 .max_response = call->max_response};
    nv_http_retry_t retry = {.idempotent = call->idempotent || is_safe_method(call->method),
                             .max_attempts = 20,
                             .budget_ms = db->options.retry_budget_ms,
                             .also = is_retriable};
    bool ok = nv_http_send_retrying(db->http, ctx, &request, &retry, reply, err);
    db->ambiguous = !ok && reply->outcome == NV_HTTP_AMBIGUOUS;
    return ok;
}

bool db_send(databricks_t *db, nv_mem_t *ctx, const db_call_t *call, nv_http_response_t *reply,
             nv_error_t *err)
{
    nv_http_response_t own;
    reply = reply ? reply : &own;
    db->ambiguous = false;
    if (!ensure_token(db, err) || !send_once(db, ctx, call, reply, err))
        return nv_wrap(err, "Databricks");
    if (reply->status == 401 && can_refresh(db))
        if (!fetch_token(db, err) || !send_once(db, ctx, call, reply, err))
            return nv_wrap(err, "Databricks");
    if (reply->status >= 200 && reply->status < 300)
        return true;
    db->ambiguous = reply->status == 500 || reply->status == 502 || reply->status == 504;
    db_fail(ctx, call, reply, err);
    return nv_wrap(err, "Databricks");
}

bool db_call(databricks_t *db, nv_mem_t *ctx, const db_call_t *call, const nv_json_t **out, nv_error_t *err)
{
    nv_http_response_t reply;
    if (!db_send(db, ctx, call, &reply, err))
        return false;
    const char *body = reply.body_length ? reply.body : "{}";
    size_t length = reply.body_length ? reply.body_length : 2;
    char *what =
        nv_printf(ctx, "Databricks: %s %.*s", call->method, (int)strcspn(call->path, "?"), call->path);
    if (!nv_json_parse(ctx, what, body, length, out, err)) {
        err->code = NV_INTERNAL; /* the service's fault, not the caller's */
        return false;
    }
    return true;
}

bool db_get(databricks_t *db, nv_mem_t *ctx, const char *path, const nv_json_t **out, nv_error_t *err)
{
    db_call_t call = {.method = "GET", .path = path};
    return db_call(db, ctx, &call, out, err);
}

bool db_post(databricks_t *db, const char *path, const char *body, bool idempotent, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("post");
    db_call_t call = {.method = "POST", .path = path, .body = body, .idempotent = idempotent};
    return db_send(db, ctx, &call, NULL, err);
}
