#include "fixture.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK = 64 * 1024 };

static bool echo(void *service, const nv_rpc_call_t *call, nv_mem_t *ctx, const ProtobufCMessage *request,
                 ProtobufCMessage **reply, nv_error_t *err)
{
    fixture_t *fixture = service;
    const Nv__GetRunRequest *asked = (const Nv__GetRunRequest *)request;
    Nv__Run *run = NV_NEW(ctx, Nv__Run);
    nv__run__init(run);
    atomic_fetch_add(&fixture->unary_runs, 1);
    if (strcmp(asked->run_id, "fail") == 0)
        return nv_fail(err, NV_FAILED_PRECONDITION, "broken: \xc3\xa4 %% \"quoted\"");
    if (strcmp(asked->run_id, "sleep") == 0)
        usleep(400000);
    run->run_id = asked->run_id;
    run->tenant = nv_strdup(ctx, call->peer->spiffe);
    if (strcmp(asked->run_id, "big") == 0) {
        run->reason = nv_alloc(ctx, 5 << 20);
        memset(run->reason, 'x', (5 << 20) - 1);
    }
    *reply = &run->base;
    return true;
}

static bool opened(void *service, nv_rpc_stream_t *stream, void **user, nv_error_t *err)
{
    fixture_t *fixture = service;
    (void)err;
    *user = fixture;
    atomic_fetch_add(&fixture->opened, 1);
    if (atomic_load(&fixture->hold)) {
        pthread_mutex_lock(&fixture->lock);
        nv_rpc_stream_unref(fixture->held);
        fixture->held = nv_rpc_stream_ref(stream);
        pthread_mutex_unlock(&fixture->lock);
    }
    return true;
}

static void closed(nv_rpc_stream_t *stream, void *user, const nv_error_t *status)
{
    fixture_t *fixture = user;
    (void)stream;
    if (status->code == NV_CANCELLED)
        atomic_fetch_add(&fixture->cancelled, 1);
    if (status->code == NV_RESOURCE_EXHAUSTED)
        atomic_fetch_add(&fixture->overflowed, 1);
    atomic_fetch_add(&fixture->closed, 1);
}

static bool send_chunk(nv_rpc_stream_t *stream, int64_t offset)
{
    static uint8_t bytes[CHUNK];
    Nv__DocumentChunk chunk = NV__DOCUMENT_CHUNK__INIT;
    nv_error_t err = NV_ERROR_INIT;
    chunk.offset = offset;
    chunk.data.data = bytes;
    chunk.data.len = sizeof bytes;
    return nv_rpc_stream_send(stream, &chunk.base, &err);
}

static void stream_asked(nv_rpc_stream_t *stream, void *user, nv_mem_t *ctx, ProtobufCMessage *message)
{
    const Nv__GetArtifactRequest *asked = (const Nv__GetArtifactRequest *)message;
    (void)user;
    if (strcmp(asked->name, "flood") == 0) {
        for (int i = 0; send_chunk(stream, i); i++)
            continue;
    } else if (strcmp(asked->name, "silent") != 0) {
        for (int i = 0; i < atoi(asked->name); i++)
            if (!send_chunk(stream, i))
                break;
        nv_rpc_stream_finish(stream, NULL);
    }
    nv_mem_free(ctx);
}

static void bidi_message(nv_rpc_stream_t *stream, void *user, nv_mem_t *ctx, ProtobufCMessage *message)
{
    const Nv__WorkerMessage *got = (const Nv__WorkerMessage *)message;
    Nv__Welcome welcome = NV__WELCOME__INIT;
    Nv__ControlMessage reply = NV__CONTROL_MESSAGE__INIT;
    nv_error_t err = NV_ERROR_INIT;
    (void)user;
    welcome.session_id =
        got->body_case == NV__WORKER_MESSAGE__BODY_HELLO ? got->hello->hostname : (char *)(uintptr_t) "";
    reply.body_case = NV__CONTROL_MESSAGE__BODY_WELCOME;
    reply.welcome = &welcome;
    if (!nv_rpc_stream_send(stream, &reply.base, &err))
        nv_rpc_stream_abort(stream, err.code, err.message);
    nv_mem_free(ctx);
}

static void bidi_half_closed(nv_rpc_stream_t *stream, void *user)
{
    (void)user;
    nv_rpc_stream_finish(stream, NULL);
}

static bool revoked(void *arg, const nv_cert_info_t *cert)
{
    fixture_t *fixture = arg;
    (void)cert;
    return atomic_load(&fixture->revoke_all);
}

static void add_methods(fixture_t *fixture)
{
    static const nv_rpc_stream_ops_t stream_ops = {.message = stream_asked, .closed = closed};
    static const nv_rpc_stream_ops_t bidi_ops = {
        .message = bidi_message, .half_closed = bidi_half_closed, .closed = closed};
    nv_rpc_method_t methods[] = {
        {.path = ECHO,
         .kind = NV_RPC_UNARY,
         .input = &nv__get_run_request__descriptor,
         .output = &nv__run__descriptor,
         .unary = echo,
         .service = fixture},
        {.path = STREAM,
         .kind = NV_RPC_SERVER_STREAM,
         .input = &nv__get_artifact_request__descriptor,
         .output = &nv__document_chunk__descriptor,
         .open = opened,
         .ops = &stream_ops,
         .service = fixture},
        {.path = BIDI,
         .kind = NV_RPC_BIDI,
         .input = &nv__worker_message__descriptor,
         .output = &nv__control_message__descriptor,
         .open = opened,
         .ops = &bidi_ops,
         .service = fixture},
    };
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        nv_rpc_server_add(fixture->server, &methods[i]);
}

int fixture_open(void **state)
{
    nv_error_t err = NV_ERROR_INIT;
    fixture_t *fixture = calloc(1, sizeof *fixture);
    nv_rpc_quiet();
    pthread_mutex_init(&fixture->lock, NULL);
    pki_open(&fixture->pki);
    fixture->server_tls =
        pki_issue(&fixture->pki, "spiffe://test.nuvyn/controlplane", "plane", true, 0, 3600);
    fixture->worker_tls =
        pki_issue(&fixture->pki, "spiffe://test.nuvyn/pool/p/worker/w", "w", false, 0, 3600);
    nv_rpc_server_config_t config = {.listen = "127.0.0.1:0",
                                     .tls = fixture->server_tls,
                                     .reflection = true,
                                     .reload_interval_ms = 20,
                                     .revoked = revoked,
                                     .arg = fixture};
    config.limits.queue_bytes = 1 << 20;
    if (!nv_rpc_server_new(&config, &fixture->server, &err))
        return -1;
    add_methods(fixture);
    if (!nv_rpc_server_start(fixture->server, &err)) {
        fprintf(stderr, "%s\n", err.message);
        return -1;
    }
    snprintf(fixture->address, sizeof fixture->address, "127.0.0.1:%d", nv_rpc_server_port(fixture->server));
    *state = fixture;
    return 0;
}

int fixture_close(void **state)
{
    fixture_t *fixture = *state;
    nv_rpc_stream_unref(fixture->held);
    nv_rpc_server_free(fixture->server);
    pki_close(&fixture->pki);
    pthread_mutex_destroy(&fixture->lock);
    free(fixture);
    return 0;
}

nv_rpc_client_t *fixture_client(fixture_t *fixture, const nv_tls_paths_t *tls, nv_identity_kind_t expect)
{
    nv_error_t err = NV_ERROR_INIT;
    nv_rpc_client_t *client;
    nv_rpc_client_config_t config = {.address = fixture->address, .tls = *tls, .expect = expect};
    if (!nv_rpc_client_new(&config, &client, &err)) {
        fprintf(stderr, "%s\n", err.message);
        abort();
    }
    return client;
}

bool fixture_echo(nv_rpc_client_t *client, const char *text, int timeout_ms, char *out, size_t size,
                  nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("echo");
    Nv__GetRunRequest request = NV__GET_RUN_REQUEST__INIT;
    ProtobufCMessage *reply;
    request.run_id = (char *)(uintptr_t)text;
    if (!nv_rpc_client_call(client, ECHO, &request.base, &nv__run__descriptor, timeout_ms, ctx, &reply, err))
        return false;
    if (out)
        snprintf(out, size, "%s", ((Nv__Run *)reply)->run_id);
    return true;
}

bool fixture_wait(atomic_int *counter, int at_least)
{
    for (int i = 0; i < 500; i++) {
        if (atomic_load(counter) >= at_least)
            return true;
        usleep(10000);
    }
    return false;
}
