/* A run is one trace: the caller's context, the control plane's span of the run, the workers' spans of its tasks. A small
 * collector takes what the processes export over OTLP. */
#include "fault_server.h"
#include "stack.h"

#include "common/core/json.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define CALLER "00f067aa0ba902b7"

typedef struct span {
    char trace[33], id[17], parent[17], name[32];
} span_t;

typedef struct collector {
    pthread_mutex_t lock;
    span_t spans[256];
    size_t n;
} collector_t;

static collector_t collector = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void take(const nv_json_t *span)
{
    span_t *out = &collector.spans[collector.n];
    if (collector.n == 256)
        return;
    snprintf(out->trace, sizeof out->trace, "%s", nv_json_string_or(span, "traceId", ""));
    snprintf(out->id, sizeof out->id, "%s", nv_json_string_or(span, "spanId", ""));
    snprintf(out->parent, sizeof out->parent, "%s", nv_json_string_or(span, "parentSpanId", ""));
    snprintf(out->name, sizeof out->name, "%s", nv_json_string_or(span, "name", ""));
    collector.n++;
}

static void collect(void *arg, fault_connection_t *connection, const fault_request_t *request)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("spans");
    nv_error_t err = NV_ERROR_INIT;
    const nv_json_t *json;
    (void)arg;
    if (nv_json_parse(ctx, "export", request->body, request->body_length, &json, &err)) {
        pthread_mutex_lock(&collector.lock);
        for (int i = 0;; i++) {
            const nv_json_t *span =
                nv_json_get(json, nv_printf(ctx, "resourceSpans[0].scopeSpans[0].spans[%d]", i));
            if (!span)
                break;
            take(span);
        }
        pthread_mutex_unlock(&collector.lock);
    }
    fault_json(connection, 200, "{}");
}

static const span_t *named(const char *name, const char *trace)
{
    for (size_t i = 0; i < collector.n; i++)
        if (strcmp(collector.spans[i].name, name) == 0 && strcmp(collector.spans[i].trace, trace) == 0)
            return &collector.spans[i];
    return NULL;
}

static char *submit_traced(plane_stack_t *stack, const char *traceparent)
{
    Nv__SubmitRunRequest request = NV__SUBMIT_RUN_REQUEST__INIT;
    Nv__RunSpec spec = NV__RUN_SPEC__INIT;
    spec.source = stack_text("tables=2,ms=5");
    spec.traceparent = stack_text(traceparent);
    request.tenant = stack_text("acme");
    request.spec = &spec;
    return ((Nv__Run *)stack_call(stack, "RunService/SubmitRun", &request.base, &nv__run__descriptor))
        ->run_id;
}

static void wait_for_run_span(void)
{
    for (int i = 0; i < 500; i++, usleep(20000)) {
        pthread_mutex_lock(&collector.lock);
        bool there = named("run", TRACE) != NULL;
        pthread_mutex_unlock(&collector.lock);
        if (there)
            return;
    }
    fail_msg("the span of the run did not come");
}

static size_t tasks_below(const char *trace, const char *parent)
{
    size_t n = 0;
    for (size_t i = 0; i < collector.n; i++)
        n += strcmp(collector.spans[i].trace, trace) == 0 && strcmp(collector.spans[i].parent, parent) == 0 &&
             strcmp(collector.spans[i].name, "run") != 0;
    return n;
}

static void a_run_is_one_trace(void **state)
{
    plane_stack_t *stack = *state;
    stack_make_tenant(stack, "acme");
    stack_start_worker(stack, 0, "default");
    char *with = submit_traced(stack, "00-" TRACE "-" CALLER "-01");
    stack_wait_run(stack, "acme", with, "succeeded", 20);
    wait_for_run_span();
    char *broken = submit_traced(stack, "no trace at all");
    stack_kill_control(stack, SIGKILL); /* the context must survive that */
    stack_start_control(stack);
    stack_wait_run(stack, "acme", broken, "succeeded", 20);
    stack_signal_worker(stack, 0, SIGTERM); /* delivers what is left */
    stack_kill_control(stack, SIGTERM);
    usleep(500000);
    pthread_mutex_lock(&collector.lock);
    const span_t *run = named("run", TRACE);
    assert_non_null(run);
    assert_string_equal(run->parent, CALLER);
    assert_int_equal(tasks_below(TRACE, run->id), 2 + 11 - 1); /* approve runs in the control plane */
    const span_t *other = NULL;
    for (size_t i = 0; i < collector.n; i++)
        if (strcmp(collector.spans[i].name, "run") == 0 && strcmp(collector.spans[i].trace, TRACE) != 0)
            other = &collector.spans[i];
    assert_non_null(other);
    assert_string_equal(other->parent, ""); /* the root of a trace of its own */
    assert_true(tasks_below(other->trace, other->id) >= 2 + 11 - 1);
    pthread_mutex_unlock(&collector.lock);
}

int main(void)
{
    fault_server_t *server = fault_server_start(collect, NULL);
    setenv("OTEL_EXPORTER_OTLP_ENDPOINT", fault_server_url(server), 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_run_is_one_trace, stack_open, stack_close),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    fault_server_stop(server);
    return failed;
}
