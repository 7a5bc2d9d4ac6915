#include "fixture.h"

#include "nuvyn/health.pb-c.h"
#include "nuvyn/reflection.pb-c.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static nv_rpc_client_t *worker_of(fixture_t *fixture)
{
    return fixture_client(fixture, &fixture->worker_tls, NV_IDENTITY_CONTROLPLANE);
}

/* ---- unary ---- */

static void a_unary_call_comes_back(void **state)
{
    nv_rpc_client_t *client = worker_of(*state);
    nv_error_t err = NV_ERROR_INIT;
    char out[64] = "";
    if (!fixture_echo(client, "hello", 5000, out, sizeof out, &err))
        fail_msg("%s", err.message);
    assert_string_equal(out, "hello");
    nv_rpc_client_free(client);
}

static void an_error_crosses_unchanged(void **state)
{
    nv_rpc_client_t *client = worker_of(*state);
    nv_error_t err = NV_ERROR_INIT;
    assert_false(fixture_echo(client, "fail", 5000, NULL, 0, &err));
    assert_int_equal(err.code, NV_FAILED_PRECONDITION);
    assert_string_equal(err.message, "broken: \xc3\xa4 % \"quoted\"");
    nv_rpc_client_free(client);
}

static void a_deadline_ends_the_wait(void **state)
{
    nv_rpc_client_t *client = worker_of(*state);
    nv_error_t err = NV_ERROR_INIT;
    int64_t before = nv_rpc_now_ms();
    assert_true(fixture_echo(client, "warm", 5000, NULL, 0, &err));
    assert_false(fixture_echo(client, "sleep", 50, NULL, 0, &err));
    assert_int_equal(err.code, NV_DEADLINE_EXCEEDED);
    assert_true(nv_rpc_now_ms() - before < 3000);
    nv_rpc_client_free(client);
}

static void an_unknown_method_is_unimplemented(void **state)
{
    nv_rpc_client_t *client = worker_of(*state);
    nv_error_t err = NV_ERROR_INIT;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    Nv__GetRunRequest request = NV__GET_RUN_REQUEST__INIT;
    ProtobufCMessage *reply;
    assert_false(nv_rpc_client_call(client, "/nuvyn.v1.RunService/Nothing", &request.base,
                                    &nv__run__descriptor, 5000, ctx, &reply, &err));
    assert_int_equal(err.code, NV_UNIMPLEMENTED);
    nv_rpc_client_free(client);
}

static void oversized_messages_are_refused_both_ways(void **state)
{
    nv_rpc_client_t *client = worker_of(*state);
    nv_error_t err = NV_ERROR_INIT;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    char *big = nv_alloc(ctx, 5 << 20);
    memset(big, 'y', (5 << 20) - 1);
    assert_false(fixture_echo(client, big, 5000, NULL, 0, &err));
    assert_int_equal(err.code, NV_RESOURCE_EXHAUSTED);
    assert_false(fixture_echo(client, "big", 5000, NULL, 0, &err));
    assert_int_equal(err.code, NV_RESOURCE_EXHAUSTED);
    /* and past the client's own limit, the server's holds */
    nv_rpc_client_config_t loose = {.address = ((fixture_t *)*state)->address,
                                    .tls = ((fixture_t *)*state)->worker_tls,
                                    .limits = {.max_message_bytes = 32 << 20}};
    nv_rpc_client_t *other;
    assert_true(nv_rpc_client_new(&loose, &other, &err));
    assert_false(fixture_echo(other, big, 5000, NULL, 0, &err));
    assert_int_equal(err.code, NV_RESOURCE_EXHAUSTED);
    nv_rpc_client_free(other);
    nv_rpc_client_free(client);
}

static void bytes_that_are_no_message_are_refused(void **state)
{
    nv_rpc_client_t *client = worker_of(*state);
    nv_error_t err = NV_ERROR_INIT;
    assert_false(fixture_echo(client, "bad\xff\xfe utf-8", 5000, NULL, 0, &err));
    assert_int_equal(err.code, NV_INVALID_ARGUMENT);
    nv_rpc_client_free(client);
}

/* ---- server streams ---- */

static nv_rpc_reader_t *open_reader(nv_rpc_client_t *client, const char *name)
{
    nv_error_t err = NV_ERROR_INIT;
    Nv__GetArtifactRequest request = NV__GET_ARTIFACT_REQUEST__INIT;
    nv_rpc_reader_t *reader;
    request.name = (char *)(uintptr_t)name;
    assert_true(nv_rpc_client_open(client, STREAM, &request.base, &nv__document_chunk__descriptor, -1,
                                   &reader, &err));
    return reader;
}

static void a_server_stream_arrives_whole_and_in_order(void **state)
{
    nv_rpc_client_t *client = worker_of(*state);
    nv_rpc_reader_t *reader = open_reader(client, "7");
    nv_error_t err = NV_ERROR_INIT;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    ProtobufCMessage *message;
    int n = 0;
    for (;;) {
        assert_true(nv_rpc_reader_next(reader, ctx, &message, &err));
        if (!message)
            break;
        assert_int_equal(((Nv__DocumentChunk *)message)->offset, n++);
    }
    assert_int_equal(n, 7);
    nv_rpc_reader_free(reader);
    nv_rpc_client_free(client);
}

static void a_slow_reader_is_ended_not_buffered(void **state)
{
    fixture_t *fixture = *state;
    nv_rpc_client_t *client = worker_of(fixture);
    nv_rpc_reader_t *reader = open_reader(client, "flood");
    nv_error_t err = NV_ERROR_INIT;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    ProtobufCMessage *message;
    assert_true(fixture_wait(&fixture->overflowed, 1));
    do {
        if (!nv_rpc_reader_next(reader, ctx, &message, &err))
            break;
    } while (message);
    assert_int_equal(err.code, NV_RESOURCE_EXHAUSTED);
    nv_rpc_reader_free(reader);
    nv_rpc_client_free(client);
}

static void *cancel_soon(void *reader)
{
    usleep(100000);
    nv_rpc_reader_cancel(reader);
    return NULL;
}

static void cancelling_wakes_the_reader_and_the_server(void **state)
{
    fixture_t *fixture = *state;
    nv_rpc_client_t *client = worker_of(fixture);
    nv_rpc_reader_t *reader = open_reader(client, "silent");
    nv_error_t err = NV_ERROR_INIT;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    ProtobufCMessage *message;
    pthread_t thread;
    pthread_create(&thread, NULL, cancel_soon, reader);
    assert_false(nv_rpc_reader_next(reader, ctx, &message, &err));
    assert_int_equal(err.code, NV_CANCELLED);
    pthread_join(thread, NULL);
    nv_rpc_reader_free(reader);
    assert_true(fixture_wait(&fixture->cancelled, 1));
    nv_rpc_client_free(client);
}

static void cancelling_at_every_moment_leaks_no_stream(void **state)
{
    fixture_t *fixture = *state;
    nv_rpc_client_t *client = worker_of(fixture);
    nv_error_t err = NV_ERROR_INIT;
    assert_true(fixture_echo(client, "warm", 5000, NULL, 0, &err));
    for (int i = 0; i < 60; i++) {
        nv_rpc_reader_t *reader = open_reader(client, i % 3 == 0 ? "silent" : i % 3 == 1 ? "3" : "flood");
        if (i % 4)
            usleep((useconds_t)(i * 37));
        nv_rpc_reader_free(reader);
    }
    for (int i = 0; i < 500 && atomic_load(&fixture->closed) < atomic_load(&fixture->opened); i++)
        usleep(10000);
    assert_int_equal(atomic_load(&fixture->closed), atomic_load(&fixture->opened));
    assert_true(fixture_echo(client, "alive", 5000, NULL, 0, &err));
    nv_rpc_client_free(client);
}

/* ---- bidirectional ---- */

typedef struct bidi {
    atomic_int messages, closed;
    nv_code_t code;
    char last[64];
} bidi_t;

static void bidi_got(nv_rpc_stream_t *stream, void *user, nv_mem_t *ctx, ProtobufCMessage *message)
{
    bidi_t *bidi = user;
    (void)stream;
    const Nv__ControlMessage *got = (const Nv__ControlMessage *)message;
    if (got->body_case == NV__CONTROL_MESSAGE__BODY_WELCOME)
        snprintf(bidi->last, sizeof bidi->last, "%s", got->welcome->session_id);
    atomic_fetch_add(&bidi->messages, 1);
    nv_mem_free(ctx);
}

static void bidi_closed(nv_rpc_stream_t *stream, void *user, const nv_error_t *status)
{
    bidi_t *bidi = user;
    (void)stream;
    bidi->code = status->code;
    atomic_fetch_add(&bidi->closed, 1);
}

static const nv_rpc_stream_ops_t bidi_ops = {.message = bidi_got, .closed = bidi_closed};

static nv_rpc_stream_t *open_bidi(nv_rpc_client_t *client, bidi_t *bidi)
{
    nv_error_t err = NV_ERROR_INIT;
    nv_rpc_stream_t *stream;
    assert_true(
        nv_rpc_client_stream(client, BIDI, &nv__control_message__descriptor, &bidi_ops, bidi, &stream, &err));
    return stream;
}

static bool say_hello(nv_rpc_stream_t *stream, const char *name, nv_error_t *err)
{
    Nv__Hello hello = NV__HELLO__INIT;
    Nv__WorkerMessage message = NV__WORKER_MESSAGE__INIT;
    hello.hostname = (char *)(uintptr_t)name;
    message.body_case = NV__WORKER_MESSAGE__BODY_HELLO;
    message.hello = &hello;
    return nv_rpc_stream_send(stream, &message.base, err);
}

static void a_stream_carries_both_ways_and_ends_well(void **state)
{
    nv_rpc_client_t *client = worker_of(*state);
    bidi_t bidi = {0};
    nv_error_t err = NV_ERROR_INIT;
    nv_rpc_stream_t *stream = open_bidi(client, &bidi);
    for (int i = 0; i < 200; i++)
        assert_true(say_hello(stream, "h1", &err));
    assert_true(fixture_wait(&bidi.messages, 200));
    assert_string_equal(bidi.last, "h1");
    nv_rpc_stream_finish(stream, NULL);
    assert_true(fixture_wait(&bidi.closed, 1));
    assert_int_equal(bidi.code, NV_OK);
    assert_false(say_hello(stream, "late", &err));
    nv_rpc_stream_unref(stream);
    nv_rpc_client_free(client);
}

typedef struct sender {
    nv_rpc_stream_t *stream;
    int n;
} sender_t;

static void *send_many(void *arg)
{
    sender_t *sender = arg;
    nv_error_t err = NV_ERROR_INIT;
    for (int i = 0; i < 200; i++) {
        while (!say_hello(sender->stream, "t", &err) && err.code != NV_UNAVAILABLE)
            usleep(1000);
        usleep(200);
    }
    return NULL;
}

static void four_threads_send_on_one_stream(void **state)
{
    nv_rpc_client_t *client = worker_of(*state);
    bidi_t bidi = {0};
    pthread_t threads[4];
    sender_t sender = {open_bidi(client, &bidi), 0};
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, send_many, &sender);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_true(fixture_wait(&bidi.messages, 800));
    nv_rpc_stream_abort(sender.stream, NV_CANCELLED, "done");
    assert_true(fixture_wait(&bidi.closed, 1));
    nv_rpc_stream_unref(sender.stream);
    nv_rpc_client_free(client);
}

/* ---- shutdown ---- */

static void *kick_forever(void *arg)
{
    fixture_t *fixture = arg;
    Nv__ControlMessage message = NV__CONTROL_MESSAGE__INIT;
    nv_error_t err = NV_ERROR_INIT;
    pthread_mutex_lock(&fixture->lock);
    nv_rpc_stream_t *held = fixture->held;
    pthread_mutex_unlock(&fixture->lock);
    while (nv_rpc_stream_send(held, &message.base, &err) || err.code != NV_UNAVAILABLE)
        usleep(50);
    return NULL;
}

static void sending_while_the_server_stops_is_safe(void **state)
{
    fixture_t *fixture = *state;
    nv_rpc_client_t *client = worker_of(fixture);
    bidi_t bidi = {0};
    nv_error_t err = NV_ERROR_INIT;
    pthread_t threads[3];
    atomic_store(&fixture->hold, true);
    nv_rpc_stream_t *stream = open_bidi(client, &bidi);
    assert_true(say_hello(stream, "h", &err));
    assert_true(fixture_wait(&bidi.messages, 1));
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, kick_forever, fixture);
    usleep(20000);
    nv_rpc_server_stop(fixture->server, 50);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    assert_true(fixture_wait(&bidi.closed, 1));
    assert_int_equal(atomic_load(&fixture->closed), 1);
    nv_rpc_stream_unref(stream);
    nv_rpc_client_free(client);
}

static void a_busy_port_is_a_clear_error(void **state)
{
    fixture_t *fixture = *state;
    nv_error_t err = NV_ERROR_INIT;
    nv_rpc_server_t *second;
    nv_rpc_server_config_t config = {.listen = fixture->address, .tls = fixture->server_tls};
    assert_true(nv_rpc_server_new(&config, &second, &err));
    assert_false(nv_rpc_server_start(second, &err));
    assert_int_equal(err.code, NV_FAILED_PRECONDITION);
    assert_non_null(strstr(err.message, fixture->address));
    nv_rpc_server_free(second);
}

/* ---- health and reflection ---- */

static void health_watch_tells_now_and_then_changes(void **state)
{
    fixture_t *fixture = *state;
    nv_rpc_client_t *client = worker_of(fixture);
    nv_error_t err = NV_ERROR_INIT;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    NvHealth__HealthCheckRequest request = NV_HEALTH__HEALTH_CHECK_REQUEST__INIT;
    nv_rpc_reader_t *reader;
    ProtobufCMessage *message;
    request.service = (char *)(uintptr_t) "x.Y";
    assert_true(nv_rpc_client_open(client, "/grpc.health.v1.Health/Watch", &request.base,
                                   &nv_health__health_check_response__descriptor, 5000, &reader, &err));
    for (int expected = 0; expected < 3; expected++) {
        static const int states[] = {3, 1, 2}; /* SERVICE_UNKNOWN, SERVING, NOT_SERVING */
        assert_true(nv_rpc_reader_next(reader, ctx, &message, &err));
        assert_int_equal(((NvHealth__HealthCheckResponse *)message)->status, states[expected]);
        nv_rpc_server_set_health(fixture->server, "x.Y", expected == 0);
    }
    nv_rpc_reader_free(reader);
    assert_false(
        nv_rpc_client_call(client, "/grpc.health.v1.Health/Check",
                           &(NvHealth__HealthCheckRequest){
                               .base = PROTOBUF_C_MESSAGE_INIT(&nv_health__health_check_request__descriptor),
                               .service = (char *)(uintptr_t) "none"}
                                .base,
                           &nv_health__health_check_response__descriptor, 5000, ctx, &message, &err));
    assert_int_equal(err.code, NV_NOT_FOUND);
    nv_rpc_client_free(client);
}

typedef struct reflected {
    atomic_int answers, closed;
    size_t files, services;
    bool error;
} reflected_t;

static void reflected_got(nv_rpc_stream_t *stream, void *user, nv_mem_t *ctx, ProtobufCMessage *message)
{
    reflected_t *got = user;
    const NvReflection__ServerReflectionResponse *r = (NvReflection__ServerReflectionResponse *)message;
    (void)stream;
    if (r->message_response_case ==
        NV_REFLECTION__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE)
        got->files += r->file_descriptor_response->n_file_descriptor_proto;
    if (r->message_response_case ==
        NV_REFLECTION__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_LIST_SERVICES_RESPONSE)
        got->services = r->list_services_response->n_service;
    if (r->message_response_case ==
        NV_REFLECTION__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ERROR_RESPONSE)
        got->error = true;
    atomic_fetch_add(&got->answers, 1);
    nv_mem_free(ctx);
}

static void reflected_closed(nv_rpc_stream_t *stream, void *user, const nv_error_t *status)
{
    (void)stream;
    (void)status;
    atomic_fetch_add(&((reflected_t *)user)->closed, 1);
}

static void reflect(void **state, const char *method)
{
    static const nv_rpc_stream_ops_t ops = {.message = reflected_got, .closed = reflected_closed};
    nv_rpc_client_t *client = worker_of(*state);
    nv_error_t err = NV_ERROR_INIT;
    nv_rpc_stream_t *stream;
    reflected_t got = {0};
    NvReflection__ServerReflectionRequest request = NV_REFLECTION__SERVER_REFLECTION_REQUEST__INIT;
    assert_true(nv_rpc_client_stream(client, method, &nv_reflection__server_reflection_response__descriptor,
                                     &ops, &got, &stream, &err));
    request.message_request_case =
        NV_REFLECTION__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL;
    request.file_containing_symbol = (char *)(uintptr_t) "nuvyn.v1.RunService.GetRun";
    assert_true(nv_rpc_stream_send(stream, &request.base, &err));
    request.file_containing_symbol = (char *)(uintptr_t) "nuvyn.v1.None";
    assert_true(nv_rpc_stream_send(stream, &request.base, &err));
    request.message_request_case = NV_REFLECTION__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_LIST_SERVICES;
    request.list_services = (char *)(uintptr_t) "";
    assert_true(nv_rpc_stream_send(stream, &request.base, &err));
    assert_true(fixture_wait(&got.answers, 3));
    assert_true(got.files >= 3);
    assert_true(got.services >= 6);
    assert_true(got.error);
    nv_rpc_stream_finish(stream, NULL);
    assert_true(fixture_wait(&got.closed, 1));
    nv_rpc_stream_unref(stream);
    nv_rpc_client_free(client);
}

static void reflection_serves_both_versions(void **state)
{
    reflect(state, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo");
    reflect(state, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo");
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, fixture_open, fixture_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(a_unary_call_comes_back),
        WITH_SERVER(an_error_crosses_unchanged),
        WITH_SERVER(a_deadline_ends_the_wait),
        WITH_SERVER(an_unknown_method_is_unimplemented),
        WITH_SERVER(oversized_messages_are_refused_both_ways),
        WITH_SERVER(bytes_that_are_no_message_are_refused),
        WITH_SERVER(a_server_stream_arrives_whole_and_in_order),
        WITH_SERVER(a_slow_reader_is_ended_not_buffered),
        WITH_SERVER(cancelling_wakes_the_reader_and_the_server),
        WITH_SERVER(cancelling_at_every_moment_leaks_no_stream),
        WITH_SERVER(a_stream_carries_both_ways_and_ends_well),
        WITH_SERVER(four_threads_send_on_one_stream),
        WITH_SERVER(sending_while_the_server_stops_is_safe),
        WITH_SERVER(a_busy_port_is_a_clear_error),
        WITH_SERVER(health_watch_tells_now_and_then_changes),
        WITH_SERVER(reflection_serves_both_versions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
