#include <arpa/inet.h>
#include <math.h>
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

#include "common/telemetry/metrics_server.h"

static char *text_of(nv_mem_t *ctx, nv_metrics_t *metrics)
{
    nv_buf_t buf = nv_buf_make(ctx, 1 << 20);
    nv_metrics_write(metrics, &buf);
    return nv_strdup(ctx, nv_buf_text(&buf));
}

static void test_exposition(void **state)
{
    (void)state;
    NV_METRICS_SCOPE nv_metrics_t *metrics = nv_metrics_new();
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    nv_buf_t labels = nv_buf_make(ctx, 256);
    nv_metric_label(&labels, "pool", "a\"b\\c\nd");
    nv_metric_label(&labels, "kind", "profile");
    nv_counter_t *counter = nv_counter(metrics, "nuvyn_tasks_total", nv_buf_text(&labels), "Tasks\nended.");
    nv_counter_add(counter, 3);
    assert_ptr_equal(counter,
                     nv_counter(metrics, "nuvyn_tasks_total", nv_buf_text(&labels), "Tasks\nended."));
    nv_gauge_t *gauge = nv_gauge(metrics, "nuvyn_queue_tasks", "", "Waiting.");
    nv_gauge_set(gauge, 1.5);
    const double bounds[] = {0.1, 1};
    nv_histogram_t *histogram = nv_histogram(metrics, "nuvyn_seconds", "", "Time.", bounds, 2);
    const double seen[] = {0.05, 0.1, 0.5, 7, NAN};
    for (size_t i = 0; i < 5; i++)
        nv_histogram_observe(histogram, seen[i]);
    const char *expected = "# HELP nuvyn_tasks_total Tasks\\nended.\n"
                           "# TYPE nuvyn_tasks_total counter\n"
                           "nuvyn_tasks_total{pool=\"a\\\"b\\\\c\\nd\",kind=\"profile\"} 3\n"
                           "# HELP nuvyn_queue_tasks Waiting.\n"
                           "# TYPE nuvyn_queue_tasks gauge\n"
                           "nuvyn_queue_tasks 1.5\n"
                           "# HELP nuvyn_seconds Time.\n"
                           "# TYPE nuvyn_seconds histogram\n"
                           "nuvyn_seconds_bucket{le=\"0.1\"} 2\n"
                           "nuvyn_seconds_bucket{le=\"1\"} 3\n"
                           "nuvyn_seconds_bucket{le=\"+Inf\"} 4\n"
                           "nuvyn_seconds_sum 7.65\n"
                           "nuvyn_seconds_count 4\n";
    assert_string_equal(text_of(ctx, metrics), expected);
}

static void test_null_registry_is_off(void **state)
{
    (void)state;
    nv_counter_t *counter = nv_counter(NULL, "x_total", "", "");
    assert_null(counter);
    nv_counter_add(counter, 1);
    assert_int_equal(nv_counter_value(counter), 0);
    nv_gauge_set(nv_gauge(NULL, "x", "", ""), 1);
    nv_histogram_observe(nv_histogram(NULL, "x", "", "", nv_latency_bounds, NV_LATENCY_BOUNDS), 1);
}

enum { THREADS = 4, EACH = 20000 };
typedef struct shared {
    nv_metrics_t *metrics;
    nv_counter_t *counter;
    nv_gauge_t *gauge;
    nv_histogram_t *histogram;
} shared_t;

static void *hammer(void *arg)
{
    shared_t *s = arg;
    for (int i = 0; i < EACH; i++) {
        nv_counter_add(s->counter, 1);
        nv_gauge_set(s->gauge, i + 1);
        nv_histogram_observe(s->histogram, 0.001 * (i % 20));
        if (i % 5000 == 0)
            nv_counter(s->metrics, "late_total", i % 10000 ? "a=\"1\"" : "", "Registered meanwhile.");
    }
    return NULL;
}

static void test_concurrent_updates_are_exact(void **state)
{
    (void)state;
    NV_METRICS_SCOPE nv_metrics_t *metrics = nv_metrics_new();
    shared_t s = {metrics, nv_counter(metrics, "c_total", "", ""), nv_gauge(metrics, "g", "", ""),
                  nv_histogram(metrics, "h", "", "", nv_latency_bounds, NV_LATENCY_BOUNDS)};
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, hammer, &s);
    for (int i = 0; i < 20; i++) {
        NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
        text_of(ctx, metrics);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(nv_counter_value(s.counter), THREADS * EACH);
    assert_true(nv_gauge_value(s.gauge) == EACH);
    assert_int_equal(nv_histogram_count(s.histogram), THREADS * EACH);
}

/* ---- the endpoint ---- */

static void exchange(int port, const char *request, char *out, size_t size)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    ssize_t sent = send(fd, request, strlen(request), MSG_NOSIGNAL);
    (void)sent;
    size_t n = 0;
    ssize_t got;
    while (n < size - 1 && (got = read(fd, out + n, size - 1 - n)) > 0)
        n += (size_t)got;
    out[n] = '\0';
    close(fd);
}

static bool is_ready(void *arg, nv_error_t *err)
{
    return *(bool *)arg || nv_fail(err, NV_UNAVAILABLE, "the store is away");
}

static void set_on_collect(nv_metrics_t *metrics, void *arg)
{
    nv_gauge_set(nv_gauge(metrics, "collected", "", "At scrape."), ++*(int *)arg);
}

static void test_endpoint(void **state)
{
    (void)state;
    NV_METRICS_SCOPE nv_metrics_t *metrics = nv_metrics_new();
    nv_error_t err = NV_ERROR_INIT;
    bool ready = false;
    int scrapes = 0;
    nv_metrics_on_collect(metrics, set_on_collect, &scrapes);
    nv_metrics_server_t *server;
    assert_true(nv_metrics_server_start("127.0.0.1:0", metrics, is_ready, &ready, &server, &err));
    int port = nv_metrics_server_port(server);
    char answer[16384];
    exchange(port, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", answer, sizeof answer);
    assert_non_null(strstr(answer, "200 OK"));
    assert_non_null(strstr(answer, "text/plain; version=0.0.4"));
    assert_non_null(strstr(answer, "\ncollected 1\n"));
    exchange(port, "GET /healthz HTTP/1.0\r\n\r\n", answer, sizeof answer);
    assert_non_null(strstr(answer, "200 OK"));
    exchange(port, "GET /readyz HTTP/1.0\r\n\r\n", answer, sizeof answer);
    assert_non_null(strstr(answer, "503"));
    assert_non_null(strstr(answer, "not ready: the store is away"));
    ready = true;
    exchange(port, "GET /readyz HTTP/1.0\r\n\r\n", answer, sizeof answer);
    assert_non_null(strstr(answer, "200 OK"));
    exchange(port, "GET /../etc/passwd HTTP/1.0\r\n\r\n", answer, sizeof answer);
    assert_non_null(strstr(answer, "404"));
    exchange(port, "POST /metrics HTTP/1.0\r\nContent-Length: 0\r\n\r\n", answer, sizeof answer);
    assert_non_null(strstr(answer, "405"));
    char *large = malloc(20000);
    memset(large, 'a', 20000);
    memcpy(large, "GET /metrics HTTP/1.0\r\nX: ", 26);
    memcpy(large + 19995, "\r\n\r\n", 5);
    exchange(port, large, answer, sizeof answer);
    assert_null(strstr(answer, "200 OK"));
    free(large);
    nv_metrics_server_stop(server);
}

static void test_bad_addresses(void **state)
{
    (void)state;
    NV_METRICS_SCOPE nv_metrics_t *metrics = nv_metrics_new();
    nv_metrics_server_t *server, *second;
    nv_error_t err = NV_ERROR_INIT;
    static const char *const bad[] = {"", "9464", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:70000", ":1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(nv_metrics_server_start(bad[i], metrics, NULL, NULL, &server, &err));
        assert_int_equal(err.code, NV_INVALID_ARGUMENT);
    }
    assert_true(nv_metrics_server_start("127.0.0.1:0", metrics, NULL, NULL, &server, &err));
    char busy[32];
    snprintf(busy, sizeof busy, "127.0.0.1:%d", nv_metrics_server_port(server));
    assert_false(nv_metrics_server_start(busy, metrics, NULL, NULL, &second, &err));
    assert_non_null(strstr(err.message, busy));
    nv_metrics_server_stop(server);
    nv_metrics_server_stop(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exposition),
        cmocka_unit_test(test_null_registry_is_off),
        cmocka_unit_test(test_concurrent_updates_are_exact),
        cmocka_unit_test(test_endpoint),
        cmocka_unit_test(test_bad_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
