/* An HTTP client on libcurl: bounded, cancellable, and clear about what may have happened.
 *
 * One client belongs to one thread at a time and keeps its connections. TLS trusts the system's roots plus the PEM given.
 * Proxies from the environment are used except for loopback hosts. Redirects are not followed. Nothing secret is logged:
 * a log line has method, URL without query, status and time, never a header or a body.
 *
 * Retries: a request that surely never reached the server may always be repeated. After the first byte has left,
 * an error is *ambiguous*: the effect may have landed although no answer came. Then only a request marked idempotent is
 * repeated; for the others the caller looks before it leaps (response.outcome says NV_HTTP_AMBIGUOUS).
 */
#ifndef NV_HTTP_HTTP_H
#define NV_HTTP_HTTP_H

#include "common/core/error.h"
#include "common/core/log.h"
#include "common/core/mem.h"

#include <stddef.h>
#include <stdint.h>

/* Once per process, from main, before any thread; and at its end. */
bool nv_http_global_init(nv_error_t *err) NV_MUST_CHECK;
void nv_http_global_cleanup(void);

typedef struct nv_http nv_http_t;

typedef struct nv_http_options {
    const char *user_agent;       /* copied; NULL: "nuvyn_bldr/<version>" */
    const char *traceparent;      /* copied; sent with every request; NULL or "": none */
    const char *ca_pem;           /* copied; extra trust anchors, NULL or "" for none */
    int connect_timeout_ms;       /* 0: 30,000 */
    int inactivity_s;             /* no byte in either direction for so long fails; 0: 60 */
    bool (*cancelled)(void *arg); /* asked every 20 ms at least; true ends the request with NV_CANCELLED */
    void *cancelled_arg;
    nv_log_t *log; /* may be NULL; one debug line per attempt */
} nv_http_options_t;

/* Fails on a ca_pem without a certificate in it. Free with nv_http_free (or by freeing ctx). */
bool nv_http_new(nv_mem_t *ctx, const nv_http_options_t *options, nv_http_t **out,
                 nv_error_t *err) NV_MUST_CHECK;
void nv_http_free(nv_http_t *http);

typedef struct nv_http_header {
    const char *name;
    const char *value;
} nv_http_header_t;

typedef enum nv_http_outcome {
    NV_HTTP_NOT_SENT,  /* no byte of the request left: it had no effect */
    NV_HTTP_AMBIGUOUS, /* it left, no full answer came: the effect may have landed */
    NV_HTTP_ANSWERED,
} nv_http_outcome_t;

typedef struct nv_http_response {
    nv_http_outcome_t outcome; /* set on failure as well */
    int status;
    nv_http_header_t *headers; /* names in lower case */
    size_t n_headers;
    char *body; /* NUL-terminated; empty where on_body took it */
    size_t body_length;
    int attempts;
} nv_http_response_t;

typedef struct nv_http_request {
    const char *method; /* "GET", "POST" … */
    const char *url;
    const nv_http_header_t *headers;
    size_t n_headers;
    const void *body; /* in memory; NULL: none */
    size_t body_length;
    const char *upload_path; /* or a file, streamed */
    size_t max_response;     /* bytes of body kept in memory; 0: 16 MiB. More fails with RESOURCE_EXHAUSTED */
    int64_t total_timeout_ms; /* of one attempt; 0: none */
    /* A POST or PATCH that may be sent twice. Without it such a request gets a connection of its own: libcurl silently
     * sends again when a kept connection turns out dead, although the first try may have had its effect. */
    bool repeatable;
    /* Takes the body of a 2xx answer as it comes, instead of response.body. head has status and headers. False ends the
     * transfer with *err. */
    bool (*on_body)(void *arg, const nv_http_response_t *head, const char *data, size_t length,
                    nv_error_t *err);
    void *on_body_arg;
} nv_http_request_t;

/* One attempt. True when an HTTP answer came, whatever its status. Codes on failure: UNAVAILABLE (not reachable, cut),
 * DEADLINE_EXCEEDED, CANCELLED, RESOURCE_EXHAUSTED (too large), UNAUTHENTICATED (TLS trust), INVALID_ARGUMENT. Results
 * are below ctx. */
bool nv_http_send(nv_http_t *http, nv_mem_t *ctx, const nv_http_request_t *request, nv_http_response_t *out,
                  nv_error_t *err) NV_MUST_CHECK;

/* When to try again. Zero fields take the defaults in brackets. */
typedef struct nv_http_retry {
    bool idempotent;   /* may be repeated after an ambiguous failure and after 500, 502, 504 */
    int max_attempts;  /* [5] */
    int64_t budget_ms; /* sleeping and trying together [300,000]; a Retry-After beyond it is not waited for */
    int base_ms;       /* first wait; doubles [500] */
    int cap_ms;        /* longest wait of our own choosing [8,000] */
    uint64_t jitter_seed; /* waits are multiplied by 0.75 … 1; [from the clock] */
    /* More statuses or bodies to repeat (true), beyond 429, 503 and the idempotent ones. */
    bool (*also)(void *arg, const nv_http_response_t *response);
    void *also_arg;
    /* Statuses never to repeat although they would be (429 insufficient_quota). */
    bool (*never)(void *arg, const nv_http_response_t *response);
    void *never_arg;
} nv_http_retry_t;

/* Attempts until an answer that is not to be repeated, or the policy ends: then the last answer or error stands. With
 * on_body set, an answer whose body has begun is never repeated. */
bool nv_http_send_retrying(nv_http_t *http, nv_mem_t *ctx, const nv_http_request_t *request,
                           const nv_http_retry_t *retry, nv_http_response_t *out,
                           nv_error_t *err) NV_MUST_CHECK;

/* The value of a header (case does not matter), or NULL. */
const char *nv_http_header(const nv_http_response_t *response, const char *name);

/* Milliseconds a server asks to wait (retry-after-ms, Retry-After in seconds or as a date), or -1. now_unix_s is the
 * wall clock. */
int64_t nv_http_retry_after_ms(const nv_http_response_t *response, int64_t now_unix_s);

/* The wait before attempt number `attempt` + 1 (1-based), pure: exponential with jitter, or what the server asked. */
int64_t nv_http_backoff_ms(const nv_http_retry_t *retry, int attempt, int64_t asked_ms, uint64_t *seed);

/* Sleeps in slices, ending early with NV_CANCELLED. */
bool nv_http_sleep(nv_http_t *http, int64_t ms, nv_error_t *err) NV_MUST_CHECK;

/* The error class of a status: 400 INVALID_ARGUMENT, 401 UNAUTHENTICATED, 403 PERMISSION_DENIED, 404 NOT_FOUND,
 * 409 ALREADY_EXISTS, 429 RESOURCE_EXHAUSTED, 5xx UNAVAILABLE or INTERNAL … */
nv_code_t nv_http_status_code(int status);

#endif
