#include "common/http/http.h"

#include "common/http/transfer.h"
#include "common/http/url.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { CANCEL_CHECK_MS = 20 };

struct nv_http {
    CURLM *multi; /* holds the connections; also lets a waiting request hear of its cancellation */
    CURL *easy;
    STACK_OF(X509) * anchors;
    nv_http_options_t options;
};

bool nv_http_global_init(nv_error_t *err)
{
    CURLcode code = curl_global_init(CURL_GLOBAL_ALL);
    return code == CURLE_OK || nv_fail(err, NV_INTERNAL, "libcurl: %s", curl_easy_strerror(code));
}

void nv_http_global_cleanup(void)
{
    curl_global_cleanup();
}

static int release(void *ptr)
{
    nv_http_t *http = ptr;
    curl_easy_cleanup(http->easy);
    curl_multi_cleanup(http->multi);
    sk_X509_pop_free(http->anchors, X509_free);
    return 0;
}

/* Reads the extra trust anchors once; they are added to the store of each TLS context. */
static bool read_anchors(nv_http_t *http, const char *pem, nv_error_t *err)
{
    http->anchors = sk_X509_new_null();
    if (!pem || !*pem)
        return true;
    BIO *bio = BIO_new_mem_buf(pem, -1);
    for (X509 *cert; bio && (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL));)
        if (!sk_X509_push(http->anchors, cert))
            X509_free(cert);
    BIO_free(bio);
    ERR_clear_error(); /* the end of the text reads as an error */
    if (sk_X509_num(http->anchors) == 0)
        return nv_fail(err, NV_INVALID_ARGUMENT, "extra trust anchors: expected PEM certificates");
    return true;
}

static CURLcode add_anchors(CURL *easy, void *ssl_ctx, void *arg)
{
    (void)easy;
    const nv_http_t *http = arg;
    X509_STORE *store = SSL_CTX_get_cert_store(ssl_ctx);
    for (int i = 0; i < sk_X509_num(http->anchors); i++)
        X509_STORE_add_cert(store, sk_X509_value(http->anchors, i));
    ERR_clear_error();
    return CURLE_OK;
}

static nv_http_options_t copy_options(nv_mem_t *ctx, const nv_http_options_t *from)
{
    nv_http_options_t options = *from;
    options.traceparent = from->traceparent ? nv_strdup(ctx, from->traceparent) : NULL;
    options.user_agent = nv_strdup(ctx, from->user_agent ? from->user_agent : "nuvyn_bldr/" NV_VERSION);
    options.ca_pem = NULL; /* read into anchors */
    if (!options.connect_timeout_ms)
        options.connect_timeout_ms = 30000;
    if (!options.inactivity_s)
        options.inactivity_s = 60;
    return options;
}

bool nv_http_new(nv_mem_t *ctx, const nv_http_options_t *options, nv_http_t **out, nv_error_t *err)
{
    nv_http_t *http = NV_NEW(ctx, nv_http_t);
    nv_on_free(http, release);
    http->options = copy_options(http, options);
    http->multi = curl_multi_init();
    http->easy = curl_easy_init();
    if (!http->multi || !http->easy) {
        nv_mem_free(http);
        return nv_fail(err, NV_RESOURCE_EXHAUSTED, "libcurl: no handle");
    }
    if (!read_anchors(http, options->ca_pem, err)) {
        nv_mem_free(http);
        return false;
    }
    *out = http;
    return true;
}

void nv_http_free(nv_http_t *http)
{
    nv_mem_free(http);
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool is_cancelled(const nv_http_t *http)
{
    return http->options.cancelled && http->options.cancelled(http->options.cancelled_arg);
}

/* What holds for all requests of this client. */
static void prepare_handle(nv_http_t *http, const char *url)
{
    CURL *easy = http->easy;
    curl_easy_reset(easy); /* keeps connections, sessions and the DNS cache */
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_USERAGENT, http->options.user_agent);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)http->options.connect_timeout_ms);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)http->options.inactivity_s);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    if (nv_url_is_loopback(url))
        curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    if (sk_X509_num(http->anchors) > 0) {
        curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, add_anchors);
        curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, http);
    }
}

/* The transfer's verdict once libcurl has one. */
static bool verdict(nv_http_t *http, CURLcode *code)
{
    int left;
    for (CURLMsg *message; (message = curl_multi_info_read(http->multi, &left));)
        if (message->msg == CURLMSG_DONE) {
            *code = message->data.result;
            return true;
        }
    return false;
}

static bool run(nv_http_t *http, CURLcode *code, nv_error_t *err)
{
    for (;;) {
        int running;
        CURLMcode result = curl_multi_perform(http->multi, &running);
        if (result != CURLM_OK)
            return nv_fail(err, NV_INTERNAL, "libcurl: %s", curl_multi_strerror(result));
        if (verdict(http, code))
            return true;
        if (is_cancelled(http))
            return nv_fail(err, NV_CANCELLED, "cancelled");
        result = curl_multi_poll(http->multi, NULL, 0, CANCEL_CHECK_MS, NULL);
        if (result != CURLM_OK)
            return nv_fail(err, NV_INTERNAL, "libcurl: %s", curl_multi_strerror(result));
    }
}

static void log_attempt(const nv_http_t *http, const transfer_t *t, int64_t started, bool ok,
                        const nv_error_t *err)
{
    if (!http->options.log)
        return;
    char status[16];
    char ms[32];
    snprintf(status, sizeof status, "%d", t->response->status);
    snprintf(ms, sizeof ms, "%lld", (long long)(now_ms() - started));
    nv_log(http->options.log, NV_DEBUG, "http", ok ? "answered" : "failed", "method", t->request->method,
           "url", transfer_public_url(t->ctx, t->request->url), "status", status, "ms", ms, "error",
           ok ? NULL : err->message, NULL);
}

static bool perform(nv_http_t *http, transfer_t *t, nv_error_t *err)
{
    CURLcode code = CURLE_OK;
    if (curl_multi_add_handle(http->multi, t->easy) != CURLM_OK)
        return nv_fail(err, NV_INTERNAL, "libcurl: no transfer");
    bool ended = run(http, &code, err);
    curl_multi_remove_handle(http->multi, t->easy);
    if (ended)
        return transfer_finish(t, code, err);
    transfer_settle(t);
    return false;
}

bool nv_http_send(nv_http_t *http, nv_mem_t *ctx, const nv_http_request_t *request, nv_http_response_t *out,
                  nv_error_t *err)
{
    *out = (nv_http_response_t){.outcome = NV_HTTP_NOT_SENT, .attempts = 1};
    if (is_cancelled(http))
        return nv_fail(err, NV_CANCELLED, "cancelled");
    int64_t started = now_ms();
    transfer_t t = {.ctx = ctx,
                    .request = request,
                    .response = out,
                    .traceparent = http->options.traceparent,
                    .easy = http->easy};
    prepare_handle(http, request->url);
    bool ok = transfer_prepare(&t, err) && perform(http, &t, err);
    transfer_end(&t);
    log_attempt(http, &t, started, ok, err);
    return ok;
}

bool nv_http_sleep(nv_http_t *http, int64_t ms, nv_error_t *err)
{
    int64_t until = now_ms() + ms;
    for (int64_t left = ms; left > 0; left = until - now_ms()) {
        if (is_cancelled(http))
            return nv_fail(err, NV_CANCELLED, "cancelled");
        int64_t slice = left < CANCEL_CHECK_MS ? left : CANCEL_CHECK_MS;
        nanosleep(&(struct timespec){.tv_nsec = slice * 1000000}, NULL);
    }
    return true;
}

const char *nv_http_header(const nv_http_response_t *response, const char *name)
{
    for (size_t i = 0; i < response->n_headers; i++)
        if (strcasecmp(response->headers[i].name, name) == 0)
            return response->headers[i].value;
    return NULL;
}

nv_code_t nv_http_status_code(int status)
{
    switch (status) {
    case 400:
    case 413:
    case 422:
        return NV_INVALID_ARGUMENT;
    case 401:
        return NV_UNAUTHENTICATED;
    case 403:
        return NV_PERMISSION_DENIED;
    case 404:
        return NV_NOT_FOUND;
    case 408:
    case 504:
        return NV_DEADLINE_EXCEEDED;
    case 409:
        return NV_ALREADY_EXISTS;
    case 412:
        return NV_FAILED_PRECONDITION;
    case 429:
        return NV_RESOURCE_EXHAUSTED;
    case 499:
        return NV_CANCELLED;
    case 501:
        return NV_UNIMPLEMENTED;
    case 502:
    case 503:
        return NV_UNAVAILABLE;
    default:
        return status >= 500 ? NV_INTERNAL : status >= 200 && status < 300 ? NV_OK : NV_UNKNOWN;
    }
}
