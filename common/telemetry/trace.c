/* Tracer: spans, the bounded queue of ended ones, and the thread that delivers them. */
#include "common/telemetry/trace.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "common/core/utf8.h"
#include "common/http/http.h"
#include "common/telemetry/span.h"

enum {
    QUEUE_DEFAULT = 2048,
    INTERVAL_DEFAULT_MS = 2000,
    BATCH_MAX = 512,
    SEND_TIMEOUT_MS = 2000,
    HEADERS_MAX = 16
};

struct nv_tracer {
    char *url;
    const char *service;
    const char *instance;
    nv_http_header_t headers[HEADERS_MAX + 1];
    size_t n_headers;
    size_t queue_max;
    int interval_ms;
    nv_log_t *log;
    nv_counter_t *exported;
    nv_counter_t *dropped;
    nv_http_t *http;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    nv_span_t *head;
    nv_span_t **tail;
    size_t queued;
    atomic_bool stopping; /* set under the lock; the transfer asks without it */
    int64_t stop_by_ms;   /* monotonic; written before stopping is set */
};

static int64_t clock_ns(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* ---- spans ---- */

/* Ids must differ, not be secret; where the kernel gives none (early boot), a zero id makes the span invalid: not sent. */
static void random_bytes(uint8_t *out, size_t n)
{
    if (getrandom(out, n, GRND_NONBLOCK) != (ssize_t)n)
        memset(out, 0, n);
}

nv_span_t *nv_span_start(nv_tracer_t *tracer, const nv_trace_context_t *parent, const char *name,
                         nv_span_kind_t kind)
{
    if (!tracer)
        return NULL;
    nv_span_t *span = NV_NEW(NULL, nv_span_t);
    span->tracer = tracer;
    span->kind = kind;
    span->name = nv_strdup(span, name);
    span->started_unix_ns = clock_ns(CLOCK_REALTIME);
    span->has_parent = parent && nv_trace_context_is_valid(parent);
    if (span->has_parent) {
        span->context = *parent;
        memcpy(span->parent_id, parent->span_id, sizeof span->parent_id);
    } else {
        random_bytes(span->context.trace_id, sizeof span->context.trace_id);
        span->context.flags = 1;
    }
    random_bytes(span->context.span_id, sizeof span->context.span_id);
    return span;
}

void nv_trace_context_new(nv_trace_context_t *out)
{
    random_bytes(out->trace_id, sizeof out->trace_id);
    random_bytes(out->span_id, sizeof out->span_id);
    out->flags = 1;
}

nv_span_t *nv_span_resume(nv_tracer_t *tracer, const nv_trace_context_t *self,
                          const nv_trace_context_t *parent, const char *name, nv_span_kind_t kind,
                          int64_t started_unix_ms)
{
    nv_span_t *span = nv_span_start(tracer, parent, name, kind);
    if (!span)
        return NULL;
    span->context = *self;
    span->started_unix_ns = started_unix_ms * 1000000;
    return span;
}

static span_attribute_t *add_attribute(nv_span_t *span, const char *key)
{
    if (!span || span->n_attributes == SPAN_ATTRIBUTES_MAX)
        return NULL;
    span_attribute_t *attribute = &span->attributes[span->n_attributes++];
    attribute->key = nv_strdup(span, key);
    return attribute;
}

/* At most SPAN_TEXT_MAX bytes of valid UTF-8: a collector refuses a whole batch for one bad byte. */
static char *clean_text(nv_mem_t *ctx, const char *value)
{
    size_t length = strlen(value);
    if (!nv_utf8_valid(value, length))
        return nv_strdup(ctx, "(not UTF-8)");
    return nv_strndup(ctx, value, length > SPAN_TEXT_MAX ? nv_utf8_floor(value, SPAN_TEXT_MAX) : length);
}

void nv_span_text(nv_span_t *span, const char *key, const char *value)
{
    span_attribute_t *attribute = add_attribute(span, key);
    if (attribute)
        attribute->text = clean_text(span, value ? value : "");
}

void nv_span_int(nv_span_t *span, const char *key, int64_t value)
{
    span_attribute_t *attribute = add_attribute(span, key);
    if (attribute)
        attribute->number = value;
}

void nv_span_context(const nv_span_t *span, nv_trace_context_t *out)
{
    *out = span ? span->context : (nv_trace_context_t){.flags = 0};
}

void nv_span_end(nv_span_t *span, const nv_error_t *error)
{
    if (!span)
        return;
    nv_tracer_t *tracer = span->tracer;
    span->ended_unix_ns = clock_ns(CLOCK_REALTIME);
    if (error && error->code != NV_OK) {
        span->code = error->code;
        span->message = clean_text(span, error->message);
    }
    bool wanted = (span->context.flags & 1) != 0 && nv_trace_context_is_valid(&span->context);
    pthread_mutex_lock(&tracer->lock);
    bool full = tracer->queued >= tracer->queue_max;
    if (wanted && !full) {
        *tracer->tail = span;
        tracer->tail = &span->next;
        tracer->queued++;
        span = NULL;
        if (tracer->queued == BATCH_MAX)
            pthread_cond_signal(&tracer->wake);
    }
    pthread_mutex_unlock(&tracer->lock);
    if (span && wanted)
        nv_counter_add(tracer->dropped, 1);
    nv_mem_free(span);
}

/* ---- delivery ---- */

static void free_spans(nv_span_t *span)
{
    while (span) {
        nv_span_t *next = span->next;
        nv_mem_free(span);
        span = next;
    }
}

/* Up to BATCH_MAX of the queue; under the lock. */
static nv_span_t *take_batch(nv_tracer_t *tracer, size_t *count)
{
    nv_span_t *first = tracer->head, **end = &tracer->head;
    for (*count = 0; *end && *count < BATCH_MAX; ++*count)
        end = &(*end)->next;
    nv_span_t *rest = *end;
    *end = NULL;
    tracer->head = rest;
    if (!rest)
        tracer->tail = &tracer->head;
    tracer->queued -= *count;
    return first;
}

static bool post(nv_tracer_t *tracer, nv_mem_t *ctx, const nv_span_t *spans, nv_error_t *err)
{
    char *body;
    size_t length;
    if (!otlp_encode(ctx, tracer->service, tracer->instance, spans, &body, &length, err))
        return false;
    nv_http_request_t request = {.method = "POST",
                                 .url = tracer->url,
                                 .headers = tracer->headers,
                                 .n_headers = tracer->n_headers,
                                 .body = body,
                                 .body_length = length,
                                 .max_response = 64 * 1024,
                                 .total_timeout_ms = SEND_TIMEOUT_MS,
                                 .repeatable = true};
    nv_http_response_t response;
    if (!nv_http_send(tracer->http, ctx, &request, &response, err))
        return false;
    return response.status / 100 == 2 ||
           nv_fail(err, nv_http_status_code(response.status), "the collector answered %d", response.status);
}

static void deliver(nv_tracer_t *tracer, nv_span_t *spans, size_t count)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("trace export");
    nv_error_t err = NV_ERROR_INIT;
    bool ok = post(tracer, ctx, spans, &err);
    nv_counter_add(ok ? tracer->exported : tracer->dropped, count);
    if (!ok)
        nv_log(tracer->log, NV_DEBUG, "trace", "spans were dropped", "error", err.message, NULL);
    free_spans(spans);
}

static void wait_for_spans(nv_tracer_t *tracer)
{
    struct timespec until;
    int64_t at = clock_ns(CLOCK_MONOTONIC) + (int64_t)tracer->interval_ms * 1000000;
    until.tv_sec = at / 1000000000;
    until.tv_nsec = at % 1000000000;
    while (!tracer->stopping && tracer->queued < BATCH_MAX &&
           pthread_cond_timedwait(&tracer->wake, &tracer->lock, &until) != ETIMEDOUT)
        ;
}

static bool time_is_up(const nv_tracer_t *tracer)
{
    return tracer->stopping && clock_ns(CLOCK_MONOTONIC) / 1000000 >= tracer->stop_by_ms;
}

static void *deliver_main(void *arg)
{
    nv_tracer_t *tracer = arg;
    pthread_mutex_lock(&tracer->lock);
    while (!tracer->stopping || (tracer->head && !time_is_up(tracer))) {
        wait_for_spans(tracer);
        size_t count;
        nv_span_t *spans = take_batch(tracer, &count);
        pthread_mutex_unlock(&tracer->lock);
        if (spans)
            deliver(tracer, spans, count);
        pthread_mutex_lock(&tracer->lock);
    }
    pthread_mutex_unlock(&tracer->lock);
    return NULL;
}

/* ---- life ---- */

static bool give_up(void *arg)
{
    return time_is_up(arg);
}

/* "key=value,key=value" (OTEL_EXPORTER_OTLP_HEADERS). The error shows no value: they are secrets. */
static bool parse_headers(nv_tracer_t *tracer, const char *text, nv_error_t *err)
{
    tracer->headers[tracer->n_headers++] = (nv_http_header_t){"Content-Type", "application/json"};
    while (text && *text) {
        size_t length = strcspn(text, ",");
        char *pair = nv_strndup(tracer, text, length);
        char *equals = strchr(pair, '=');
        if (!equals || equals == pair || strpbrk(pair, "\r\n"))
            return nv_fail(err, NV_INVALID_ARGUMENT,
                           "trace headers: expected key=value pairs, separated by commas");
        if (tracer->n_headers > HEADERS_MAX)
            return nv_fail(err, NV_INVALID_ARGUMENT, "trace headers: expected at most %d", HEADERS_MAX);
        *equals = '\0';
        tracer->headers[tracer->n_headers++] = (nv_http_header_t){pair, equals + 1};
        text += length + (text[length] == ',');
    }
    return true;
}

static bool set_url(nv_tracer_t *tracer, const char *endpoint, nv_error_t *err)
{
    if (strncmp(endpoint, "http://", 7) != 0 && strncmp(endpoint, "https://", 8) != 0)
        return nv_fail(err, NV_INVALID_ARGUMENT, "trace endpoint: expected http://HOST:PORT or https://…");
    size_t length = strlen(endpoint);
    while (length && endpoint[length - 1] == '/')
        length--;
    tracer->url = nv_printf(tracer, "%.*s/v1/traces", (int)length, endpoint);
    return true;
}

static int destroy(void *ptr)
{
    nv_tracer_t *tracer = ptr;
    nv_http_free(tracer->http);
    pthread_cond_destroy(&tracer->wake);
    pthread_mutex_destroy(&tracer->lock);
    return 0;
}

static nv_tracer_t *tracer_new(const nv_tracer_options_t *options)
{
    nv_tracer_t *tracer = NV_NEW(NULL, nv_tracer_t);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&tracer->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&tracer->lock, NULL);
    nv_on_free(tracer, destroy);
    tracer->tail = &tracer->head;
    tracer->service = nv_strdup(tracer, options->service);
    tracer->instance = options->instance ? nv_strdup(tracer, options->instance) : NULL;
    tracer->queue_max = options->queue_max ? options->queue_max : QUEUE_DEFAULT;
    tracer->interval_ms = options->interval_ms > 0 ? options->interval_ms : INTERVAL_DEFAULT_MS;
    tracer->log = options->log;
    tracer->exported =
        nv_counter(options->metrics, "nuvyn_trace_spans_exported_total", "", "Spans delivered.");
    tracer->dropped = nv_counter(options->metrics, "nuvyn_trace_spans_dropped_total", "",
                                 "Spans lost: queue full or not delivered.");
    return tracer;
}

static bool begin(nv_tracer_t *tracer, const nv_tracer_options_t *options, nv_error_t *err)
{
    nv_http_options_t http = {.cancelled = give_up, .cancelled_arg = tracer};
    if (!set_url(tracer, options->endpoint, err) || !parse_headers(tracer, options->headers, err) ||
        !nv_http_new(NULL, &http, &tracer->http, err))
        return false;
    int failed = pthread_create(&tracer->thread, NULL, deliver_main, tracer);
    return failed == 0 || nv_fail_errno(err, failed, "trace exporter");
}

bool nv_tracer_start(const nv_tracer_options_t *options, nv_tracer_t **out, nv_error_t *err)
{
    *out = NULL;
    if (!options->endpoint || !*options->endpoint)
        return true;
    nv_tracer_t *tracer = tracer_new(options);
    if (!begin(tracer, options, err)) {
        nv_mem_free(tracer);
        return false;
    }
    *out = tracer;
    return true;
}

void nv_tracer_stop(nv_tracer_t *tracer)
{
    if (!tracer)
        return;
    pthread_mutex_lock(&tracer->lock);
    tracer->stop_by_ms = clock_ns(CLOCK_MONOTONIC) / 1000000 + SEND_TIMEOUT_MS;
    tracer->stopping = true;
    pthread_cond_signal(&tracer->wake);
    pthread_mutex_unlock(&tracer->lock);
    pthread_join(tracer->thread, NULL);
    nv_counter_add(tracer->dropped, tracer->queued);
    free_spans(tracer->head);
    nv_mem_free(tracer);
}
