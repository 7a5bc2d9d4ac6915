/* One answer: asked for in a form the provider takes, streamed, restarted where that helps, within the budget. */
#include "common/http/http.h"
#include "common/http/url.h"
#include "worker/llm/failure.h"
#include "worker/llm/llm.h"
#include "worker/llm/price.h"
#include "worker/llm/request.h"
#include "worker/llm/sse.h"
#include "worker/llm/stream.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    DEFAULT_ATTEMPTS = 4,
    DEFAULT_INACTIVITY_S = 120,
    LONGEST_WAIT_MS = 120000, /* as the official clients: a longer Retry-After is not waited for */
    LONGEST_PACE_MS = 60000,
    SLOW_MS = 4000,
    BYTES_PER_TOKEN = 4,
};

struct llm {
    Nv__LlmCredential *credential;
    llm_options_t options;
    llm_dialect_t dialect;
    char *name;
    char *url;
    nv_http_t *http;
    llm_usage_t usage;
    int64_t started_ms;
    uint64_t jitter;
    int64_t remaining_tokens; /* of the provider's minute; -1: not told */
    int64_t tokens_reset_ms;  /* monotonic */
};

typedef struct attempt {
    llm_t *llm;
    nv_mem_t *ctx;
    const llm_request_t *request;
    llm_format_t format;
    llm_stream_t stream;
    sse_t sse;
    bool is_events; /* the answer is an event stream, not a document */
    bool head_seen;
    nv_buf_t document;
    bool shown; /* on_token has been called */
    nv_http_response_t reply;
    llm_failure_t failure;
} attempt_t;

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool check_credential(const Nv__LlmCredential *c, llm_provider_t provider, nv_error_t *err)
{
    if (!*c->base_url)
        return nv_fail(err, NV_INVALID_ARGUMENT, "language model %s: no base URL", c->provider);
    if (*c->api_key && !nv_url_is_safe(c->base_url))
        return nv_fail(err, NV_INVALID_ARGUMENT,
                       "language model %s: the key would travel unencrypted to %.200s: expected https",
                       c->provider, c->base_url);
    if (!*c->api_key && provider != LLM_COMPATIBLE)
        return nv_fail(err, NV_INVALID_ARGUMENT, "language model %s: no API key", c->provider);
    return true;
}

static bool build(llm_t *llm, const llm_options_t *options, nv_error_t *err)
{
    llm_provider_t provider;
    Nv__LlmCredential *c = NV_NEW(llm, Nv__LlmCredential);
    nv__llm_credential__init(c);
    c->provider = nv_strdup(llm, options->credential->provider);
    c->base_url = nv_strdup(llm, options->credential->base_url);
    c->model = nv_strdup(llm, options->credential->model);
    c->api_key = nv_strdup(llm, options->credential->api_key);
    if (!llm_provider_parse(c->provider, &provider, err) || !check_credential(c, provider, err))
        return false;
    llm->credential = c;
    llm->dialect = llm_dialect_of(provider, c->model);
    llm->url = llm_request_url(llm, provider, c->base_url);
    llm->name = nv_printf(llm, "%s%s%s", c->provider, *c->model ? " " : "", c->model);
    nv_http_options_t http = {.ca_pem = options->ca_pem,
                              .inactivity_s =
                                  options->inactivity_s ? options->inactivity_s : DEFAULT_INACTIVITY_S,
                              .cancelled = options->cancelled,
                              .cancelled_arg = options->cancelled_arg,
                              .log = options->log};
    return nv_http_new(llm, &http, &llm->http, err);
}

bool llm_new(nv_mem_t *ctx, const llm_options_t *options, llm_t **out, nv_error_t *err)
{
    llm_t *llm = NV_NEW(ctx, llm_t);
    llm->options = *options;
    llm->options.anthropic_version =
        nv_strdup(llm, options->anthropic_version ? options->anthropic_version : "2023-06-01");
    llm->options.credential = NULL;
    llm->options.ca_pem = NULL;
    llm->started_ms = now_ms();
    llm->jitter = (uint64_t)llm->started_ms;
    llm->remaining_tokens = -1;
    llm->usage.cost_known = true;
    if (!build(llm, options, err)) {
        nv_mem_free(llm);
        return false;
    }
    *out = llm;
    return true;
}

void llm_free(llm_t *llm)
{
    nv_mem_free(llm);
}

const char *llm_name(const llm_t *llm)
{
    return llm->name;
}

llm_usage_t llm_usage(const llm_t *llm)
{
    return llm->usage;
}

/* ---- budget and pace ---- */

static int64_t tokens_used(const llm_t *llm)
{
    return llm->usage.input_tokens + llm->usage.output_tokens;
}

/* What this attempt may still use; fails when anything is spent. */
static bool check_budget(const llm_t *llm, int64_t prompt_tokens, int64_t *max_output, int64_t *ms_left,
                         nv_error_t *err)
{
    const llm_budget_t *b = &llm->options.budget;
    *ms_left = 0;
    if (b->max_calls && llm->usage.calls >= b->max_calls)
        return nv_fail(err, NV_RESOURCE_EXHAUSTED, "%s: the budget of %lld calls is spent", llm->name,
                       (long long)b->max_calls);
    if (b->max_tokens) {
        int64_t left = b->max_tokens - tokens_used(llm) - prompt_tokens;
        if (left < 1)
            return nv_fail(err, NV_RESOURCE_EXHAUSTED, "%s: the budget of %lld tokens is spent", llm->name,
                           (long long)b->max_tokens);
        if (*max_output > left)
            *max_output = left;
    }
    if (b->max_ms) {
        *ms_left = b->max_ms - (now_ms() - llm->started_ms);
        if (*ms_left < 1)
            return nv_fail(err, NV_RESOURCE_EXHAUSTED, "%s: the budget of %lld ms is spent", llm->name,
                           (long long)b->max_ms);
    }
    return true;
}

static bool wait_within_budget(llm_t *llm, int64_t ms, nv_error_t *err)
{
    int64_t most = llm->options.budget.max_ms;
    if (most && now_ms() - llm->started_ms + ms > most)
        return nv_fail(err, NV_RESOURCE_EXHAUSTED,
                       "%s: waiting %lld ms more would exceed the budget of %lld ms", llm->name,
                       (long long)ms, (long long)most);
    return nv_http_sleep(llm->http, ms, err);
}

/* Waits for the provider's minute to turn where the request would not fit into what it says is left. */
static bool keep_pace(llm_t *llm, int64_t tokens, nv_error_t *err)
{
    int64_t wait = llm->tokens_reset_ms - now_ms();
    if (llm->remaining_tokens < 0 || tokens <= llm->remaining_tokens || wait <= 0)
        return true;
    llm->remaining_tokens = -1;
    return wait_within_budget(llm, wait < LONGEST_PACE_MS ? wait : LONGEST_PACE_MS, err);
}

static void note_limits(llm_t *llm, const nv_http_response_t *reply)
{
    const char *left = nv_http_header(reply, "x-ratelimit-remaining-tokens");
    const char *reset = nv_http_header(reply, "x-ratelimit-reset-tokens");
    int64_t ms = reset ? llm_parse_duration_ms(reset) : -1;
    long long tokens;
    if (left && ms >= 0 && sscanf(left, "%lld", &tokens) == 1) {
        llm->remaining_tokens = tokens;
        llm->tokens_reset_ms = now_ms() + ms;
    }
}

static void note_usage(attempt_t *a, size_t prompt_bytes)
{
    llm_t *llm = a->llm;
    double usd;
    int64_t input = a->stream.input_tokens;
    int64_t output = a->stream.output_tokens;
    if (!a->stream.has_usage) { /* broken off, or a server that does not count */
        input = (int64_t)(prompt_bytes / BYTES_PER_TOKEN);
        output = (int64_t)(a->stream.text.length / BYTES_PER_TOKEN);
        llm->usage.tokens_estimated = true;
    }
    llm->usage.input_tokens += input;
    llm->usage.output_tokens += output;
    if (!llm_price(llm->credential->provider, llm->credential->model, nv_url_is_loopback(llm->url), input,
                   output, &usd))
        llm->usage.cost_known = false;
    llm->usage.cost_usd += usd;
}

/* ---- one attempt ---- */

static bool take_event(void *arg, const char *name, const char *data, size_t length, nv_error_t *err)
{
    attempt_t *a = arg;
    return llm_stream_event(&a->stream, name, data, length, err);
}

static bool take_bytes(void *arg, const nv_http_response_t *head, const char *data, size_t length,
                       nv_error_t *err)
{
    attempt_t *a = arg;
    if (!a->head_seen) {
        const char *type = nv_http_header(head, "content-type");
        a->is_events = !type || strncmp(type, "application/json", 16) != 0;
        a->head_seen = true;
    }
    if (a->is_events)
        return sse_feed(&a->sse, data, length, err);
    nv_buf_add(&a->document, data, length);
    return nv_buf_ok(&a->document, "the answer", err);
}

static void show_token(void *arg, const char *text, size_t length)
{
    attempt_t *a = arg;
    a->shown = true;
    a->llm->options.on_token(a->llm->options.on_token_arg, text, length);
}

static void begin(attempt_t *a)
{
    llm_t *llm = a->llm;
    a->stream = llm_stream_make(a->ctx, llm->dialect.provider == LLM_ANTHROPIC);
    if (llm->options.on_token) {
        a->stream.on_token = show_token;
        a->stream.on_token_arg = a;
    }
    a->sse = sse_make(a->ctx, LLM_EVENT_MAX, take_event, a);
    a->document = nv_buf_make(a->ctx, LLM_EVENT_MAX);
    a->failure = (llm_failure_t){LLM_RETRY, NV_UNAVAILABLE, ""};
}

/* What a finished transfer amounts to; false with a->failure. */
static bool judge(attempt_t *a, nv_error_t *err)
{
    if (a->reply.status < 200 || a->reply.status >= 300) {
        a->failure = llm_failure_of_answer(a->ctx, &a->reply);
        return nv_fail(err, a->failure.code, "%s", a->failure.text);
    }
    if (a->head_seen && !a->is_events &&
        !llm_stream_document(&a->stream, nv_buf_text(&a->document), a->document.length, err)) {
        if (a->stream.error)
            a->failure = llm_failure_of_event(a->ctx, a->stream.error);
        return false;
    }
    if (!a->stream.finished)
        return nv_fail(err, NV_UNAVAILABLE, "the answer broke off after %zu bytes", a->stream.text.length);
    return true;
}

static bool try_once(attempt_t *a, nv_error_t *err)
{
    llm_t *llm = a->llm;
    char *body;
    size_t length;
    int64_t ms_left;
    int64_t max_output =
        a->request->max_output_tokens ? a->request->max_output_tokens : LLM_DEFAULT_OUTPUT_TOKENS;
    nv_http_header_t headers[LLM_MAX_HEADERS];
    begin(a);
    if (!llm_request_body(a->ctx, &llm->dialect, a->request, a->format, max_output, &body, &length, err))
        return a->failure.action = LLM_FAIL, false;
    int64_t prompt_tokens = (int64_t)(length / BYTES_PER_TOKEN);
    int64_t wanted = max_output;
    if (!check_budget(llm, prompt_tokens, &max_output, &ms_left, err) ||
        !keep_pace(llm, prompt_tokens + max_output, err) ||
        (max_output != wanted &&
         !llm_request_body(a->ctx, &llm->dialect, a->request, a->format, max_output, &body, &length, err)))
        return a->failure.action = LLM_FAIL, false;
    nv_http_request_t request = {
        .method = "POST",
        .url = llm->url,
        .headers = headers,
        .n_headers = llm_request_headers(a->ctx, llm->dialect.provider, llm->credential->api_key,
                                         llm->options.anthropic_version, headers),
        .body = body,
        .body_length = length,
        .max_response = LLM_ANSWER_MAX,
        .total_timeout_ms = ms_left,
        .repeatable = true,
        .on_body = take_bytes,
        .on_body_arg = a,
    };
    int64_t start = now_ms();
    bool ok = nv_http_send(llm->http, a->ctx, &request, &a->reply, err);
    llm->usage.milliseconds += now_ms() - start;
    llm->usage.calls += a->reply.outcome != NV_HTTP_NOT_SENT;
    note_limits(llm, &a->reply);
    if (a->stream.error)
        a->failure = llm_failure_of_event(a->ctx, a->stream.error);
    else if (!ok && (!nv_code_is_transient(err->code) || err->code == NV_RESOURCE_EXHAUSTED))
        a->failure.action = LLM_FAIL; /* an endless answer would be endless again */
    ok = ok && judge(a, err);
    if (a->reply.status >= 200 && a->reply.status < 300)
        note_usage(a, length);
    if (!ok && a->stream.error)
        err->code = a->failure.code;
    return ok;
}

/* ---- attempts ---- */

/* The wait before the next attempt, or -1 when it would be too long. */
static int64_t next_wait(llm_t *llm, const attempt_t *a, int attempt)
{
    nv_http_retry_t policy = {.base_ms = a->failure.action == LLM_RETRY_SLOW ? SLOW_MS : 500, .cap_ms = 8000};
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t asked = nv_http_retry_after_ms(&a->reply, now.tv_sec);
    if (asked > LONGEST_WAIT_MS)
        return -1;
    return nv_http_backoff_ms(&policy, attempt, asked, &llm->jitter);
}

/* Learns how this provider wants to be asked. False when there is no other way. */
static bool adapt(llm_t *llm, attempt_t *a, bool *repeated_output)
{
    switch (a->failure.action) {
    case LLM_NO_TEMPERATURE:
        return !llm->dialect.no_temperature && (llm->dialect.no_temperature = true);
    case LLM_COMPLETION_TOKENS:
        return !llm->dialect.completion_tokens && (llm->dialect.completion_tokens = true);
    case LLM_NO_STREAM_OPTIONS:
        return !llm->dialect.no_stream_options && (llm->dialect.no_stream_options = true);
    case LLM_BAD_OUTPUT:
        if (!*repeated_output)
            return *repeated_output = true;
        break;
    case LLM_NEXT_FORMAT:
        break;
    default:
        return false;
    }
    if (a->format == LLM_TEXT || a->format == LLM_JSON_FENCED)
        return false;
    a->format = a->format == LLM_JSON_SCHEMA && llm->dialect.provider != LLM_ANTHROPIC ? LLM_JSON_OBJECT
                                                                                       : LLM_JSON_FENCED;
    llm->dialect.format = a->format;
    return true;
}

static bool wants_retry(const attempt_t *a)
{
    return a->failure.action == LLM_RETRY || a->failure.action == LLM_RETRY_SLOW;
}

static void restart(attempt_t *a)
{
    if (a->shown)
        a->llm->options.on_token(a->llm->options.on_token_arg, NULL, 0);
    a->shown = false;
}

static void fill_reply(const attempt_t *a, int attempts, llm_reply_t *out)
{
    static const char *const cut[] = {"length", "max_tokens", "model_context_window_exceeded"};
    static const char *const refused[] = {"content_filter", "refusal"};
    *out = (llm_reply_t){.text = nv_strndup(a->ctx, nv_buf_text(&a->stream.text), a->stream.text.length),
                         .length = a->stream.text.length,
                         .stop = a->stream.refused ? LLM_STOP_REFUSED : LLM_STOP_END,
                         .format = a->format,
                         .attempts = attempts};
    for (size_t i = 0; i < sizeof cut / sizeof cut[0]; i++)
        if (strcmp(a->stream.finish, cut[i]) == 0)
            out->stop = LLM_STOP_LENGTH;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
        if (strcmp(a->stream.finish, refused[i]) == 0)
            out->stop = LLM_STOP_REFUSED;
}

static bool find_model(llm_t *llm, nv_error_t *err);

bool llm_complete(llm_t *llm, nv_mem_t *ctx, const llm_request_t *request, llm_reply_t *out, nv_error_t *err)
{
    attempt_t a = {.llm = llm, .ctx = ctx, .request = request};
    a.format = request->schema ? llm->dialect.format : LLM_TEXT;
    int most = llm->options.max_attempts ? llm->options.max_attempts : DEFAULT_ATTEMPTS;
    bool repeated_output = false;
    if (!find_model(llm, err))
        return false;
    for (int attempt = 1, retries = 0;; attempt++) {
        if (try_once(&a, err)) {
            fill_reply(&a, attempt, out);
            return true;
        }
        restart(&a);
        if (adapt(llm, &a, &repeated_output))
            continue;
        int64_t wait = wants_retry(&a) && ++retries < most ? next_wait(llm, &a, retries) : -1;
        if (wait < 0)
            return nv_wrap(err, "%s", llm->name);
        nv_error_t cause = *err;
        if (!wait_within_budget(llm, wait, err))
            return nv_wrap(err, "%.300s", cause.message);
    }
}

/* ---- a server that serves one model need not be told which ---- */

static bool find_model(llm_t *llm, nv_error_t *err)
{
    if (*llm->credential->model)
        return true;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("models");
    nv_http_header_t headers[LLM_MAX_HEADERS];
    size_t n = strlen(llm->url) - strlen("/chat/completions");
    nv_http_request_t request = {.method = "GET",
                                 .url = nv_printf(ctx, "%.*s/models", (int)n, llm->url),
                                 .headers = headers,
                                 .n_headers =
                                     llm_request_headers(ctx, llm->dialect.provider, llm->credential->api_key,
                                                         llm->options.anthropic_version, headers)};
    nv_http_retry_t retry = {.idempotent = true, .max_attempts = 3, .budget_ms = 10000};
    nv_http_response_t reply;
    const nv_json_t *root;
    const char *model;
    if (strcmp(llm->credential->provider, "compatible") != 0 || strchr(llm->url, '?'))
        return nv_fail(err, NV_INVALID_ARGUMENT, "%s: no model is named (NUVYN_LLM_MODEL)", llm->name);
    if (!nv_http_send_retrying(llm->http, ctx, &request, &retry, &reply, err))
        return nv_wrap(err, "%s", llm->name);
    if (reply.status != 200) {
        llm_failure_t failure = llm_failure_of_answer(ctx, &reply);
        return nv_fail(err, failure.code, "%s: no model is named, and asking which there are gave %s",
                       llm->name, failure.text);
    }
    if (!nv_json_parse(ctx, "models", reply.body, reply.body_length, &root, err) ||
        !nv_json_string(root, "data[0].id", &model, err))
        return nv_wrap(err, "%s: no model is named (NUVYN_LLM_MODEL)", llm->name);
    llm->credential->model = nv_strdup(llm, model);
    llm->dialect.model = llm->credential->model;
    llm->name = nv_printf(llm, "%s %s", llm->credential->provider, model);
    return true;
}
