#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/core/json.h"
#include "common/http/http.h"
#include "common/telemetry/trace.h"

#define GOOD "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

static void test_traceparent_roundtrip(void **state)
{
    (void)state;
    nv_trace_context_t context;
    nv_error_t err = NV_ERROR_INIT;
    assert_true(nv_traceparent_parse(GOOD, &context, &err));
    assert_int_equal(context.trace_id[0], 0x4b);
    assert_int_equal(context.span_id[7], 0xb7);
    assert_int_equal(context.flags, 1);
    char text[NV_TRACEPARENT_LENGTH + 1];
    nv_traceparent_format(&context, text);
    assert_string_equal(text, GOOD);
    assert_true(nv_traceparent_parse("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-comes",
                                     &context, &err));
}

static void test_traceparent_hostile(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "00",
        GOOD "-",
        GOOD "0",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
        "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.what",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        nv_trace_context_t context;
        nv_error_t err = NV_ERROR_INIT;
        if (nv_traceparent_parse(bad[i], &context, &err))
            fail_msg("\"%s\" was taken", bad[i]);
        assert_int_equal(err.code, NV_INVALID_ARGUMENT);
    }
}

static void test_off_costs_nothing(void **state)
{
    (void)state;
    nv_tracer_t *tracer;
    nv_error_t err = NV_ERROR_INIT;
    nv_tracer_options_t options = {.endpoint = "", .service = "t"};
    assert_true(nv_tracer_start(&options, &tracer, &err));
    assert_null(tracer);
    nv_span_t *span = nv_span_start(tracer, NULL, "x", NV_SPAN_INTERNAL);
    assert_null(span);
    nv_span_text(span, "a", "b");
    nv_trace_context_t context;
    nv_span_context(span, &context);
    assert_false(nv_trace_context_is_valid(&context));
    nv_span_end(span, NULL);
    nv_tracer_stop(tracer);
}

static void test_bad_options(void **state)
{
    (void)state;
    nv_tracer_t *tracer;
    nv_error_t err = NV_ERROR_INIT;
    nv_tracer_options_t options = {.endpoint = "localhost:4318", .service = "t"};
    assert_false(nv_tracer_start(&options, &tracer, &err));
    options = (nv_tracer_options_t){.endpoint = "http://127.0.0.1:1", .headers = "hunter2", .service = "t"};
    assert_false(nv_tracer_start(&options, &tracer, &err));
    assert_null(strstr(err.message, "hunter2"));
}

/* ---- a collector that keeps what it is sent ---- */

typedef struct collector {
    int fd;
    int port;
    int status;
    char request[1 << 16];
    size_t length;
    pthread_t thread;
} collector_t;

/* Reads one request whole (Content-Length) and answers; then one more connection may come. */
static void *collect(void *arg)
{
    collector_t *c = arg;
    int fd = accept(c->fd, NULL, NULL);
    if (fd < 0)
        return NULL;
    ssize_t got;
    size_t needed = SIZE_MAX;
    while (c->length < needed &&
           (got = read(fd, c->request + c->length, sizeof c->request - 1 - c->length)) > 0) {
        c->length += (size_t)got;
        c->request[c->length] = '\0';
        char *body = strstr(c->request, "\r\n\r\n"), *length = strcasestr(c->request, "content-length:");
        if (body && length)
            needed = (size_t)(body - c->request) + 4 + strtoul(length + 15, NULL, 10);
    }
    char answer[128];
    int n = snprintf(answer, sizeof answer,
                     "HTTP/1.1 %d X\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}", c->status);
    got = write(fd, answer, (size_t)n);
    close(fd);
    return NULL;
}

static void collector_start(collector_t *c, int status)
{
    *c = (collector_t){.status = status};
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in at = {.sin_family = AF_INET};
    inet_pton(AF_INET, "127.0.0.1", &at.sin_addr);
    socklen_t length = sizeof at;
    assert_int_equal(bind(c->fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(c->fd, 8), 0);
    getsockname(c->fd, (struct sockaddr *)&at, &length);
    c->port = ntohs(at.sin_port);
    pthread_create(&c->thread, NULL, collect, c);
}

static void collector_stop(collector_t *c)
{
    shutdown(c->fd, SHUT_RDWR);
    pthread_join(c->thread, NULL);
    close(c->fd);
}

static void test_export(void **state)
{
    (void)state;
    collector_t *c = calloc(1, sizeof *c);
    collector_start(c, 200);
    NV_METRICS_SCOPE nv_metrics_t *metrics = nv_metrics_new();
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    nv_error_t err = NV_ERROR_INIT;
    nv_tracer_t *tracer;
    nv_tracer_options_t options = {.endpoint = nv_printf(ctx, "http://127.0.0.1:%d/", c->port),
                                   .headers = "x-key=s3",
                                   .service = "nuvyn-test",
                                   .interval_ms = 60000,
                                   .metrics = metrics};
    assert_true(nv_tracer_start(&options, &tracer, &err));
    nv_trace_context_t parent;
    assert_true(nv_traceparent_parse(GOOD, &parent, &err));
    nv_span_t *span = nv_span_start(tracer, &parent, "profile", NV_SPAN_SERVER);
    nv_span_text(span, "table", "orders \"x\"");
    nv_span_text(span, "bad", "\xff");
    nv_span_int(span, "rows", INT64_MAX);
    nv_error_t failed = {.code = NV_UNAVAILABLE, .message = "gone"};
    nv_span_end(span, &failed);
    nv_tracer_stop(tracer); /* delivers */
    collector_stop(c);
    assert_non_null(strstr(c->request, "POST /v1/traces HTTP/1.1"));
    assert_non_null(strcasestr(c->request, "x-key: s3"));
    const char *body = strstr(c->request, "\r\n\r\n") + 4;
    const nv_json_t *json, *first;
    assert_true(nv_json_parse(ctx, "export", body, strlen(body), &json, &err));
    first = nv_json_get(json, "resourceSpans[0].scopeSpans[0].spans[0]");
    assert_string_equal(nv_json_string_or(first, "traceId", ""), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_string_equal(nv_json_string_or(first, "parentSpanId", ""), "00f067aa0ba902b7");
    assert_int_equal(nv_json_int64_or(first, "kind", 0), NV_SPAN_SERVER);
    assert_int_equal(nv_json_int64_or(first, "status.code", 0), 2);
    assert_string_equal(nv_json_string_or(first, "attributes[0].value.stringValue", ""), "orders \"x\"");
    assert_string_equal(nv_json_string_or(first, "attributes[2].value.intValue", ""), "9223372036854775807");
    assert_int_equal(nv_counter_value(nv_counter(metrics, "nuvyn_trace_spans_exported_total", "", "")), 1);
    free(c);
}

static void test_what_does_not_fit_is_counted(void **state)
{
    (void)state;
    NV_METRICS_SCOPE nv_metrics_t *metrics = nv_metrics_new();
    nv_error_t err = NV_ERROR_INIT;
    nv_tracer_t *tracer;
    nv_tracer_options_t options = {.endpoint = "http://127.0.0.1:1",
                                   .service = "t",
                                   .queue_max = 3,
                                   .interval_ms = 60000,
                                   .metrics = metrics};
    assert_true(nv_tracer_start(&options, &tracer, &err));
    for (int i = 0; i < 10; i++)
        nv_span_end(nv_span_start(tracer, NULL, "x", NV_SPAN_INTERNAL), NULL);
    nv_counter_t *dropped = nv_counter(metrics, "nuvyn_trace_spans_dropped_total", "", "");
    assert_int_equal(nv_counter_value(dropped), 7);
    nv_trace_context_t unsampled;
    assert_true(
        nv_traceparent_parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", &unsampled, &err));
    nv_span_end(nv_span_start(tracer, &unsampled, "x", NV_SPAN_INTERNAL), NULL);
    assert_int_equal(nv_counter_value(dropped), 7);
    nv_tracer_stop(tracer); /* nobody listens there */
    assert_int_equal(nv_counter_value(dropped), 10);
}

int main(void)
{
    nv_error_t err = NV_ERROR_INIT;
    if (!nv_http_global_init(&err))
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_traceparent_roundtrip),
        cmocka_unit_test(test_traceparent_hostile),
        cmocka_unit_test(test_off_costs_nothing),
        cmocka_unit_test(test_bad_options),
        cmocka_unit_test(test_export),
        cmocka_unit_test(test_what_does_not_fit_is_counted),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    nv_http_global_cleanup();
    return failed;
}
