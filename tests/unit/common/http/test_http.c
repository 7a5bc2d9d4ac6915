/* The HTTP client against a server that answers, refuses, cuts, drips, floods and lies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/http/http.h"
#include "fault_server.h"

typedef struct fixture {
    nv_mem_t *ctx;
    nv_http_t *http;
    fault_server_t *server;
    int cancel_after_ms; /* 0: never */
    int64_t started;
    int log_fds[2];
    nv_log_t *log;
} fixture_t;

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool cancelled(void *arg)
{
    fixture_t *f = arg;
    return f->cancel_after_ms && now_ms() - f->started > f->cancel_after_ms;
}

/* What happens is chosen by the path. */
static void handle(void *arg, fault_connection_t *c, const fault_request_t *r)
{
    (void)arg;
    if (strcmp(r->path, "/echo") == 0)
        fault_reply(c, 200, "X-Test:  a b \r\n", r->body);
    else if (strcmp(r->path, "/head") == 0)
        fault_reply(c, 200, "Content-Type: text/plain\r\n", r->head);
    else if (strcmp(r->path, "/503-once") == 0)
        fault_json(c, r->number == 1 ? 503 : 200, "{}");
    else if (strcmp(r->path, "/429-once") == 0)
        fault_reply(c, r->number == 1 ? 429 : 200, "Retry-After: 1\r\n", "{}");
    else if (strcmp(r->path, "/500") == 0)
        fault_json(c, 500, "{}");
    else if (strcmp(r->path, "/429-long") == 0)
        fault_reply(c, 429, "Retry-After: 3600\r\n", "{}");
    else if (strcmp(r->path, "/cut") == 0)
        fault_cut(c);
    else if (strcmp(r->path, "/cut-once") == 0 && r->number == 1)
        fault_cut(c); /* the effect has landed, the answer is lost */
    else if (strcmp(r->path, "/cut-once") == 0)
        fault_json(c, 200, "{\"again\":true}");
    else if (strcmp(r->path, "/half") == 0) {
        fault_text(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
        fault_cut(c);
    } else if (strcmp(r->path, "/garbage") == 0) {
        fault_text(c, "\x16\x03\x01 no http");
        fault_cut(c);
    } else if (strcmp(r->path, "/hang") == 0)
        fault_sleep(c, 5000);
    else if (strcmp(r->path, "/drip") == 0) {
        fault_text(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
        for (int i = 0; i < 5; i++) {
            fault_sleep(c, 50);
            fault_raw(c, "x", 1);
        }
    } else if (strcmp(r->path, "/flood") == 0) {
        fault_text(c, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
        static const char block[65536];
        for (int i = 0; i < 64; i++)
            fault_raw(c, block, sizeof block);
        fault_cut(c);
    } else if (strcmp(r->path, "/headers") == 0) {
        fault_text(c, "HTTP/1.1 200 OK\r\n");
        for (int i = 0; i < 2000; i++)
            fault_text(c, "X-Filler: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n");
        fault_cut(c);
    } else
        fault_json(c, 404, "{\"error\":\"no\"}");
}

static int setup(void **state)
{
    nv_mem_t *ctx = nv_mem_root("http test");
    fixture_t *f = NV_NEW(ctx, fixture_t);
    nv_error_t err = NV_ERROR_INIT;
    f->ctx = ctx;
    f->started = now_ms();
    assert_int_equal(pipe(f->log_fds), 0);
    f->log = nv_log_new(f->log_fds[1], "test", NV_DEBUG, NV_LOG_TEXT);
    f->server = fault_server_start(handle, f);
    nv_http_options_t options = {
        .cancelled = cancelled, .cancelled_arg = f, .log = f->log, .inactivity_s = 1};
    assert_true(nv_http_new(ctx, &options, &f->http, &err));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture_t *f = *state;
    nv_http_free(f->http);
    fault_server_stop(f->server);
    nv_log_free(f->log);
    close(f->log_fds[0]);
    close(f->log_fds[1]);
    nv_mem_free(f->ctx);
    return 0;
}

static nv_http_request_t request(fixture_t *f, const char *method, const char *path)
{
    return (nv_http_request_t){.method = method,
                               .url = nv_printf(f->ctx, "%s%s", fault_server_url(f->server), path)};
}

static bool get(fixture_t *f, const char *path, nv_http_response_t *out, nv_error_t *err)
{
    nv_http_request_t r = request(f, "GET", path);
    return nv_http_send(f->http, f->ctx, &r, out, err);
}

static void test_answer(void **state)
{
    fixture_t *f = *state;
    nv_error_t err = NV_ERROR_INIT;
    nv_http_response_t out;
    nv_http_request_t r = request(f, "POST", "/echo");
    r.body = "hello";
    r.body_length = 5;
    if (!nv_http_send(f->http, f->ctx, &r, &out, &err))
        fail_msg("%s", err.message);
    assert_int_equal(out.status, 200);
    assert_int_equal(out.outcome, NV_HTTP_ANSWERED);
    assert_string_equal(out.body, "hello");
    assert_string_equal(nv_http_header(&out, "x-test"), "a b");
    assert_true(get(f, "/nowhere", &out, &err));
    assert_int_equal(out.status, 404);
}

static void test_request_headers(void **state)
{
    fixture_t *f = *state;
    nv_error_t err = NV_ERROR_INIT;
    nv_http_response_t out;
    nv_http_request_t r = request(f, "PUT", "/head");
    nv_http_header_t headers[] = {{"Authorization", "Bearer s3cret"}, {"X-Empty", ""}};
    r.headers = headers;
    r.n_headers = 2;
    assert_true(nv_http_send(f->http, f->ctx, &r, &out, &err));
    assert_non_null(strstr(out.body, "PUT /head HTTP/1.1\r\n"));
    assert_non_null(strstr(out.body, "User-Agent: nuvyn_bldr/"));
    assert_non_null(strstr(out.body, "Authorization: Bearer s3cret\r\n"));
    assert_non_null(strstr(out.body, "Content-Length: 0\r\n"));
    assert_null(strstr(out.body, "Expect:"));
    headers[0].value = "a\r\nX-Injected: 1";
    assert_false(nv_http_send(f->http, f->ctx, &r, &out, &err));
    assert_int_equal(err.code, NV_INVALID_ARGUMENT);
    assert_int_equal(out.outcome, NV_HTTP_NOT_SENT);
}

static void test_trace_context_goes_along(void **state)
{
    fixture_t *f = *state;
    nv_error_t err = NV_ERROR_INIT;
    nv_http_t *http;
    nv_http_response_t out;
    nv_http_request_t r = request(f, "GET", "/head");
    nv_http_options_t options = {.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"};
    assert_true(nv_http_new(f->ctx, &options, &http, &err));
    assert_true(nv_http_send(http, f->ctx, &r, &out, &err));
    assert_non_null(
        strstr(out.body, "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n"));
    nv_http_free(http);
    assert_true(nv_http_send(f->http, f->ctx, &r, &out, &err));
    assert_null(strstr(out.body, "traceparent"));
}

static void test_log_has_no_secret(void **state)
{
    fixture_t *f = *state;
    nv_error_t err = NV_ERROR_INIT;
    nv_http_response_t out;
    nv_http_request_t r = request(f, "GET", "/head?token=hidden");
    nv_http_header_t header = {"Authorization", "Bearer s3cret"};
    r.headers = &header;
    r.n_headers = 1;
    assert_true(nv_http_send(f->http, f->ctx, &r, &out, &err));
    char text[4096] = "";
    assert_true(read(f->log_fds[0], text, sizeof text - 1) > 0);
    assert_non_null(strstr(text, "/head"));
    assert_null(strstr(text, "s3cret"));
    assert_null(strstr(text, "hidden"));
}

static void test_upload_from_file(void **state)
{
    fixture_t *f = *state;
    nv_error_t err = NV_ERROR_INIT;
    nv_http_response_t out;
    char path[] = "/tmp/nuvyn-http-test-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    char *content = nv_alloc(f->ctx, 3000001);
    memset(content, 'q', 3000000);
    assert_int_equal(write(fd, content, 3000000), 3000000);
    close(fd);
    nv_http_request_t r = request(f, "PUT", "/echo");
    r.upload_path = path;
    bool ok = nv_http_send(f->http, f->ctx, &r, &out, &err);
    unlink(path);
    if (!ok)
        fail_msg("%s", err.message);
    assert_int_equal(out.body_length, 3000000);
    assert_string_equal(out.body, content);
    r.upload_path = "/nonexistent/file";
    assert_false(nv_http_send(f->http, f->ctx, &r, &out, &err));
    assert_int_equal(err.code, NV_NOT_FOUND);
    assert_non_null(strstr(err.message, "/nonexistent/file"));
}

static void test_nobody_listens(void **state)
{
    fixture_t *f = *state;
    nv_error_t err = NV_ERROR_INIT;
    nv_http_response_t out;
    nv_http_request_t r = {.method = "POST", .url = "http://127.0.0.1:1/x?secret=1"};
    assert_false(nv_http_send(f->http, f->ctx, &r, &out, &err));
    assert_int_equal(err.code, NV_UNAVAILABLE);
    assert_int_equal(out.outcome, NV_HTTP_NOT_SENT);
    assert_non_null(strstr(err.message, "POST http://127.0.0.1:1/x: "));
}

static void test_cut_is_ambiguous(void **state)
{
    fixture_t *f = *state;
    nv_error_t err = NV_ERROR_INIT;
    nv_http_response_t out;
    nv_http_retry_t retry = {.base_ms = 1};
    nv_http_request_t r = request(f, "POST", "/cut-once");
    assert_false(nv_http_send_retrying(f->http, f->ctx, &r, &retry, &out, &err));
    assert_int_equal(out.outcome, NV_HTTP_AMBIGUOUS);
    assert_int_equal(err.code, NV_UNAVAILABLE);
    assert_int_equal(fault_server_count(f->server), 1); /* it was not repeated behind the caller's back */
}

/* libcurl itself sends again when a kept connection dies; a POST must be spared that. */
static void test_cut_of_a_kept_connection(void **state)
{
    fixture_t *f = *state;
    nv_error_t err = NV_ERROR_INIT;
    nv_http_response_t out;
    assert_true(get(f, "/nowhere", &out, &err));
    nv_http_request_t r = request(f, "POST", "/cut");
    assert_false(nv_http_send(f->http, f->ctx, &r, &out, &err));
    assert_int_equal(out.outcome, NV_HTTP_AMBIGUOUS);
    assert_int_equal(fault_server_count(f->server), 2);
}

static void test_cut_is_repeated_when_idempotent(void **state)
{
    fixture_t *f = *state;
    nv_error_t err = NV_ERROR_INIT;
    nv_http_response_t out;
    nv_http_retry_t retry = {.base_ms = 1, .idempotent = true};
    nv_http_request_t r = request(f, "POST", "/cut-once");
    if (!nv_http_send_retrying(f->http, f->ctx, &r, &retry, &out, &err))
        fail_msg("%s", err.message);
    assert_int_equal(out.attempts, 2);
    assert_string_equal(out.body, "{\"again\":true}");
}

static void test_broken_answers(void **state)
{
    fixture_t *f = *state;
    nv_error_t err = NV_ERROR_INIT;
    nv_http_response_t out;
    assert_false(get(f, "/half", &out, &err));
    assert_int_equal(err.code, NV_UNAVAILABLE);
    assert_int_equal(out.outcome, NV_HTTP_AMBIGUOUS);
    assert_string_equal(out.body, "half");
    assert_false(get(f, "/garbage", &out, &err));
    assert_int_equal(err.code, NV_UNAVAILABLE);
}

static void test_statuses_are_repeated(void **state)
{
    fixture_t *f = *state;
    nv_error_t err = NV_ERROR_INIT;
    nv_http_response_t out;
    nv_http_retry_t retry = {.base_ms = 1, .max_attempts = 3};
    nv_http_request_t r = request(f, "POST", "/503-once");
    assert_true(nv_http_send_retrying(f->http, f->ctx, &r, &retry, &out, &err));
    assert_int_equal(out.status, 200);
    assert_int_equal(out.attempts, 2);
    r = request(f, "POST", "/500");
    assert_true(nv_http_send_retrying(f->http, f->ctx, &r, &retry, &out, &err));
    assert_int_equal(out.attempts, 1); /* not idempotent: it may have done its work */
    retry.idempotent = true;
    assert_true(nv_http_send_retrying(f->http, f->ctx, &r, &retry, &out, &err));
    assert_int_equal(out.status, 500);
    assert_int_equal(out.attempts, 3);
}

static void test_retry_after(void **state)
{
    fixture_t *f = *state;
    nv_error_t err = NV_ERROR_INIT;
    nv_http_response_t out;
    nv_http_retry_t retry = {.base_ms = 1, .budget_ms = 5000};
    nv_http_request_t r = request(f, "GET", "/429-once");
    int64_t start = now_ms();
    assert_true(nv_http_send_retrying(f->http, f->ctx, &r, &retry, &out, &err));
    assert_int_equal(out.status, 200);
    assert_in_range(now_ms() - start, 1000, 2000);
    r = request(f, "GET", "/429-long");
    start = now_ms();
    assert_true(nv_http_send_retrying(f->http, f->ctx, &r, &retry, &out, &err));
    assert_int_equal(out.status, 429); /* an hour is beyond the budget */
    assert_int_equal(out.attempts, 1);
    assert_in_range(now_ms() - start, 0, 500);
}

static void test_retry_after_forms(void **state)
{
    (void)state;
    nv_http_header_t header = {"retry-after", "2.5"};
    nv_http_response_t r = {.headers = &header, .n_headers = 1};
    assert_int_equal(nv_http_retry_after_ms(&r, 0), 2500);
    header.value = "Sun, 06 Nov 1994 08:49:37 GMT";
    assert_int_equal(nv_http_retry_after_ms(&r, 784111777 - 30), 30000);
    assert_int_equal(nv_http_retry_after_ms(&r, 784111777 + 30), 0);
    header.value = "soon";
    assert_int_equal(nv_http_retry_after_ms(&r, 0), -1);
    header.value = "-5";
    assert_int_equal(nv_http_retry_after_ms(&r, 0), -1);
    header = (nv_http_header_t){"retry-after-ms", "120"};
    assert_int_equal(nv_http_retry_after_ms(&r, 0), 120);
}

static void test_backoff_is_bounded(void **state)
{
    (void)state;
    nv_http_retry_t retry = {.base_ms = 100, .cap_ms = 1000};
    uint64_t seed = 7;
    for (int attempt = 1; attempt < 100; attempt++) {
        int64_t full = attempt > 4 ? 1000 : 100 << (attempt - 1);
        int64_t wait = nv_http_backoff_ms(&retry, attempt, -1, &seed);
        assert_in_range(wait, full * 3 / 4 - 1, full);
    }
    assert_int_equal(nv_http_backoff_ms(&retry, 1, 5000, &seed), 5000);
}

static void test_inactivity(void **state)
{
    fixture_t *f = *state;
    nv_error_t err = NV_ERROR_INIT;
    nv_http_response_t out;
    assert_true(get(f, "/drip", &out, &err)); /* slow, but moving */
    assert_string_equal(out.body, "xxxxx");
    int64_t start = now_ms();
    assert_false(get(f, "/hang", &out, &err));
    assert_int_equal(err.code, NV_DEADLINE_EXCEEDED);
    assert_int_equal(out.outcome, NV_HTTP_AMBIGUOUS);
    assert_in_range(now_ms() - start, 500, 4000);
}

static void test_cancellation_is_prompt(void **state)
{
    fixture_t *f = *state;
    nv_error_t err = NV_ERROR_INIT;
    nv_http_response_t out;
    f->started = now_ms();
    f->cancel_after_ms = 100;
    assert_false(get(f, "/hang", &out, &err));
    assert_int_equal(err.code, NV_CANCELLED);
    assert_in_range(now_ms() - f->started, 100, 200);
    assert_int_equal(out.outcome, NV_HTTP_AMBIGUOUS);
    assert_false(nv_http_sleep(f->http, 10000, &err));
}

static void test_size_limits(void **state)
{
    fixture_t *f = *state;
    nv_error_t err = NV_ERROR_INIT;
    nv_http_response_t out;
    nv_http_request_t r = request(f, "GET", "/flood");
    r.max_response = 100000;
    assert_false(nv_http_send(f->http, f->ctx, &r, &out, &err));
    assert_int_equal(err.code, NV_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(err.message, "/flood: the answer is larger than 100000 bytes"));
    assert_false(get(f, "/headers", &out, &err));
    assert_int_equal(err.code, NV_RESOURCE_EXHAUSTED);
}

typedef struct sink {
    size_t bytes;
    size_t stop_at;
    int status;
} sink_t;

static bool sink_body(void *arg, const nv_http_response_t *head, const char *data, size_t length,
                      nv_error_t *err)
{
    (void)data;
    sink_t *sink = arg;
    sink->status = head->status;
    sink->bytes += length;
    if (sink->stop_at && sink->bytes >= sink->stop_at)
        return nv_fail(err, NV_OUT_OF_RANGE, "enough");
    return true;
}

static void test_streaming(void **state)
{
    fixture_t *f = *state;
    nv_error_t err = NV_ERROR_INIT;
    nv_http_response_t out;
    sink_t sink = {0};
    nv_http_request_t r = request(f, "GET", "/flood");
    r.on_body = sink_body;
    r.on_body_arg = &sink;
    if (!nv_http_send(f->http, f->ctx, &r, &out, &err))
        fail_msg("%s", err.message);
    assert_int_equal(sink.bytes, 64 * 65536);
    assert_int_equal(sink.status, 200);
    assert_string_equal(out.body, "");
    sink = (sink_t){.stop_at = 1};
    assert_false(nv_http_send(f->http, f->ctx, &r, &out, &err));
    assert_int_equal(err.code, NV_OUT_OF_RANGE);
    sink = (sink_t){0};
    r = request(f, "GET", "/nowhere");
    r.on_body = sink_body;
    r.on_body_arg = &sink;
    assert_true(nv_http_send(f->http, f->ctx, &r, &out, &err));
    assert_int_equal(sink.bytes, 0); /* an error's body is kept for the caller */
    assert_string_equal(out.body, "{\"error\":\"no\"}");
}

static void test_a_begun_stream_is_not_repeated(void **state)
{
    fixture_t *f = *state;
    nv_error_t err = NV_ERROR_INIT;
    nv_http_response_t out;
    sink_t sink = {0};
    nv_http_retry_t retry = {.base_ms = 1, .idempotent = true};
    nv_http_request_t r = request(f, "GET", "/half");
    r.on_body = sink_body;
    r.on_body_arg = &sink;
    assert_false(nv_http_send_retrying(f->http, f->ctx, &r, &retry, &out, &err));
    assert_int_equal(out.attempts, 1);
    assert_int_equal(sink.bytes, 4);
}

static void test_bad_anchors(void **state)
{
    fixture_t *f = *state;
    nv_error_t err = NV_ERROR_INIT;
    nv_http_t *http;
    nv_http_options_t options = {.ca_pem = "not a certificate"};
    assert_false(nv_http_new(f->ctx, &options, &http, &err));
    assert_int_equal(err.code, NV_INVALID_ARGUMENT);
}

int main(void)
{
    nv_error_t err = NV_ERROR_INIT;
    if (!nv_http_global_init(&err))
        return 1;
#define HTTP_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        HTTP_TEST(test_answer),
        HTTP_TEST(test_request_headers),
        HTTP_TEST(test_trace_context_goes_along),
        HTTP_TEST(test_log_has_no_secret),
        HTTP_TEST(test_upload_from_file),
        HTTP_TEST(test_nobody_listens),
        HTTP_TEST(test_cut_is_ambiguous),
        HTTP_TEST(test_cut_of_a_kept_connection),
        HTTP_TEST(test_cut_is_repeated_when_idempotent),
        HTTP_TEST(test_broken_answers),
        HTTP_TEST(test_statuses_are_repeated),
        HTTP_TEST(test_retry_after),
        HTTP_TEST(test_retry_after_forms),
        HTTP_TEST(test_backoff_is_bounded),
        HTTP_TEST(test_inactivity),
        HTTP_TEST(test_cancellation_is_prompt),
        HTTP_TEST(test_size_limits),
        HTTP_TEST(test_streaming),
        HTTP_TEST(test_a_begun_stream_is_not_repeated),
        HTTP_TEST(test_bad_anchors),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    nv_http_global_cleanup();
    return failed;
}
