#include "common/http/http.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { DEFAULT_ATTEMPTS = 5, DEFAULT_BUDGET_MS = 300000, DEFAULT_BASE_MS = 500, DEFAULT_CAP_MS = 8000 };

static int64_t clock_ms(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t nv_http_retry_after_ms(const nv_http_response_t *response, int64_t now_unix_s)
{
    const double most = 1e12;
    const char *ms = nv_http_header(response, "retry-after-ms");
    const char *text = ms ? ms : nv_http_header(response, "retry-after");
    if (!text || !*text)
        return -1;
    char *end;
    double number = strtod(text, &end);
    if (end != text && *end == '\0')
        return number >= 0 && number < most ? (int64_t)(number * (ms ? 1 : 1000)) : -1;
    time_t date = curl_getdate(text, NULL);
    if (date == -1)
        return -1;
    return (int64_t)date > now_unix_s ? ((int64_t)date - now_unix_s) * 1000 : 0;
}

/* splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t draw(uint64_t *seed)
{
    uint64_t z = *seed += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

int64_t nv_http_backoff_ms(const nv_http_retry_t *retry, int attempt, int64_t asked_ms, uint64_t *seed)
{
    int64_t cap = retry->cap_ms ? retry->cap_ms : DEFAULT_CAP_MS;
    int64_t wait = retry->base_ms ? retry->base_ms : DEFAULT_BASE_MS;
    for (int i = 1; i < attempt && wait < cap; i++)
        wait *= 2;
    if (wait > cap)
        wait = cap;
    wait -= (int64_t)((uint64_t)wait / 4 * (draw(seed) >> 40) >> 24); /* × 0.75 … 1 */
    return asked_ms > wait ? asked_ms : wait;
}

static bool wants_repeat(const nv_http_retry_t *retry, bool ok, const nv_http_response_t *response,
                         nv_code_t code)
{
    if (!ok) {
        if (!nv_code_is_transient(code) || code == NV_RESOURCE_EXHAUSTED)
            return false;
        return response->outcome == NV_HTTP_NOT_SENT || retry->idempotent;
    }
    if (retry->never && retry->never(retry->never_arg, response))
        return false;
    if (response->status == 429 || response->status == 503)
        return true;
    if (retry->idempotent && (response->status == 500 || response->status == 502 || response->status == 504))
        return true;
    return retry->also && retry->also(retry->also_arg, response);
}

/* Notes whether a streaming consumer has seen bytes: what it has seen cannot be taken back. */
typedef struct watched {
    const nv_http_request_t *request;
    bool begun;
} watched_t;

static bool watch_body(void *arg, const nv_http_response_t *head, const char *data, size_t length,
                       nv_error_t *err)
{
    watched_t *watched = arg;
    watched->begun = true;
    return watched->request->on_body(watched->request->on_body_arg, head, data, length, err);
}

bool nv_http_send_retrying(nv_http_t *http, nv_mem_t *ctx, const nv_http_request_t *request,
                           const nv_http_retry_t *retry, nv_http_response_t *out, nv_error_t *err)
{
    int attempts = retry->max_attempts ? retry->max_attempts : DEFAULT_ATTEMPTS;
    int64_t deadline = clock_ms(CLOCK_MONOTONIC) + (retry->budget_ms ? retry->budget_ms : DEFAULT_BUDGET_MS);
    uint64_t seed = retry->jitter_seed ? retry->jitter_seed : (uint64_t)clock_ms(CLOCK_MONOTONIC);
    watched_t watched = {.request = request};
    nv_http_request_t mine = *request;
    mine.repeatable = request->repeatable || retry->idempotent;
    if (request->on_body) {
        mine.on_body = watch_body;
        mine.on_body_arg = &watched;
    }
    for (int attempt = 1;; attempt++) {
        bool ok = nv_http_send(http, ctx, &mine, out, err);
        out->attempts = attempt;
        if (attempt == attempts || watched.begun || !wants_repeat(retry, ok, out, err->code))
            return ok;
        int64_t asked = ok ? nv_http_retry_after_ms(out, clock_ms(CLOCK_REALTIME) / 1000) : -1;
        int64_t wait = nv_http_backoff_ms(retry, attempt, asked, &seed);
        if (clock_ms(CLOCK_MONOTONIC) + wait > deadline)
            return ok;
        if (!nv_http_sleep(http, wait, err))
            return false;
        nv_error_clear(err);
    }
}
