#include "fixture.h"

#include "common/identity/files.h"

#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/support/time.h>

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static nv_code_t code_of_call(fixture_t *fixture, const nv_tls_paths_t *tls, nv_identity_kind_t expect,
                              char *message, size_t size)
{
    nv_error_t err = NV_ERROR_INIT;
    nv_rpc_client_t *client = fixture_client(fixture, tls, expect);
    bool ok = fixture_echo(client, "x", 5000, NULL, 0, &err);
    nv_rpc_client_free(client);
    if (message)
        snprintf(message, size, "%s", err.message);
    return ok ? NV_OK : err.code;
}

static void a_good_certificate_is_let_in(void **state)
{
    fixture_t *fixture = *state;
    assert_int_equal(code_of_call(fixture, &fixture->worker_tls, NV_IDENTITY_CONTROLPLANE, NULL, 0), NV_OK);
}

static void a_certificate_that_expired_is_refused_at_the_next_call(void **state)
{
    fixture_t *fixture = *state;
    nv_error_t err = NV_ERROR_INIT;
    nv_tls_paths_t brief =
        pki_issue(&fixture->pki, "spiffe://test.nuvyn/operator/brief", "brief", false, 0, 2);
    nv_rpc_client_t *client = fixture_client(fixture, &brief, NV_IDENTITY_NONE);
    assert_true(fixture_echo(client, "x", 5000, NULL, 0, &err));
    sleep(4);
    assert_false(fixture_echo(client, "x", 5000, NULL, 0, &err));
    assert_int_equal(err.code, NV_UNAUTHENTICATED);
    nv_rpc_client_free(client);
}

/* Runs openssl's own client, which offers what we tell it to. TLS 1.2, where a refused client certificate is part of the
 * handshake; in 1.3 it would only show on the first read. */
static bool handshake_accepted(fixture_t *fixture, const char *options)
{
    char command[4096], out[16384] = "";
    snprintf(command, sizeof command,
             "(sleep 0.5) | timeout 5 openssl s_client -tls1_2 -connect %s -alpn h2 -CAfile %s %s 2>&1",
             fixture->address, fixture->pki.ca, options);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    size_t n = fread(out, 1, sizeof out - 1, pipe);
    out[n] = '\0';
    pclose(pipe);
    assert_non_null(strstr(out, "CONNECTED"));
    return strstr(out, "unexpected eof") == NULL && strstr(out, "alert") == NULL;
}

static void no_certificate_is_refused_in_the_handshake(void **state)
{
    assert_false(handshake_accepted(*state, ""));
}

static void the_right_certificate_passes_the_handshake(void **state)
{
    fixture_t *fixture = *state;
    char options[2048];
    snprintf(options, sizeof options, "-cert %s -key %s", fixture->worker_tls.cert, fixture->worker_tls.key);
    assert_true(handshake_accepted(fixture, options));
}

static void an_expired_certificate_is_refused_in_the_handshake(void **state)
{
    fixture_t *fixture = *state;
    char options[2048];
    nv_tls_paths_t tls = pki_issue(&fixture->pki, "spiffe://test.nuvyn/operator/o", "old", false, -120, -60);
    snprintf(options, sizeof options, "-cert %s -key %s", tls.cert, tls.key);
    assert_false(handshake_accepted(fixture, options));
}

static void a_certificate_of_another_authority_is_refused(void **state)
{
    fixture_t *fixture = *state;
    char options[2048];
    pki_t other;
    pki_open(&other);
    nv_tls_paths_t tls = pki_issue(&other, "spiffe://test.nuvyn/operator/o", "o", false, 0, 60);
    snprintf(options, sizeof options, "-cert %s -key %s", tls.cert, tls.key);
    assert_false(handshake_accepted(fixture, options));
    /* and our own client refuses a server of an authority that it does not know */
    assert_int_equal(code_of_call(fixture, &tls, NV_IDENTITY_CONTROLPLANE, NULL, 0), NV_UNAUTHENTICATED);
    pki_close(&other);
}

static void the_server_must_be_who_we_expect(void **state)
{
    fixture_t *fixture = *state;
    assert_int_equal(code_of_call(fixture, &fixture->worker_tls, NV_IDENTITY_WORKSPACE, NULL, 0),
                     NV_UNAVAILABLE);
}

static void a_client_certificate_does_not_make_a_server(void **state)
{
    fixture_t *fixture = *state;
    nv_error_t err = NV_ERROR_INIT;
    nv_rpc_server_t *impostor;
    char address[64];
    nv_rpc_server_config_t config = {.listen = "127.0.0.1:0", .tls = fixture->worker_tls};
    assert_true(nv_rpc_server_new(&config, &impostor, &err));
    assert_true(nv_rpc_server_start(impostor, &err));
    memcpy(address, fixture->address, sizeof address);
    snprintf(fixture->address, sizeof fixture->address, "127.0.0.1:%d", nv_rpc_server_port(impostor));
    assert_int_equal(code_of_call(fixture, &fixture->worker_tls, NV_IDENTITY_NONE, NULL, 0),
                     NV_UNAUTHENTICATED);
    memcpy(fixture->address, address, sizeof address);
    nv_rpc_server_free(impostor);
}

/* One call straight through gRPC, because our own client refuses to load such a certificate. */
static grpc_status_code raw_call(fixture_t *fixture, const nv_tls_paths_t *tls)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("raw");
    nv_error_t err = NV_ERROR_INIT;
    char *ca, *cert, *key;
    size_t n;
    grpc_status_code code = GRPC_STATUS_OK;
    assert_true(nv_read_file(ctx, tls->ca, NV_PEM_MAX, &ca, &n, &err));
    assert_true(nv_read_file(ctx, tls->cert, NV_PEM_MAX, &cert, &n, &err));
    assert_true(nv_read_file(ctx, tls->key, NV_PEM_MAX, &key, &n, &err));
    grpc_init();
    grpc_ssl_pem_key_cert_pair pair = {key, cert};
    grpc_channel_credentials *credentials = grpc_ssl_credentials_create_ex(ca, &pair, NULL, NULL);
    grpc_channel *channel = grpc_channel_create(fixture->address, credentials, NULL);
    grpc_completion_queue *queue = grpc_completion_queue_create_for_next(NULL);
    grpc_call *call = grpc_channel_create_call(
        channel, NULL, GRPC_PROPAGATE_DEFAULTS, queue, grpc_slice_from_static_string(ECHO), NULL,
        gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_seconds(5, GPR_TIMESPAN)), NULL);
    grpc_metadata_array initial, trailing;
    grpc_slice details = grpc_empty_slice();
    grpc_metadata_array_init(&initial);
    grpc_metadata_array_init(&trailing);
    grpc_op ops[4] = {{.op = GRPC_OP_SEND_INITIAL_METADATA},
                      {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT},
                      {.op = GRPC_OP_RECV_INITIAL_METADATA, .data.recv_initial_metadata = {&initial}},
                      {.op = GRPC_OP_RECV_STATUS_ON_CLIENT}};
    ops[3].data.recv_status_on_client.trailing_metadata = &trailing;
    ops[3].data.recv_status_on_client.status = &code;
    ops[3].data.recv_status_on_client.status_details = &details;
    assert_int_equal(grpc_call_start_batch(call, ops, 4, &ops, NULL), GRPC_CALL_OK);
    grpc_completion_queue_next(queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
    grpc_metadata_array_destroy(&initial);
    grpc_metadata_array_destroy(&trailing);
    grpc_slice_unref(details);
    grpc_call_unref(call);
    grpc_channel_destroy(channel);
    grpc_channel_credentials_release(credentials);
    grpc_completion_queue_shutdown(queue);
    while (grpc_completion_queue_next(queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL).type !=
           GRPC_QUEUE_SHUTDOWN)
        continue;
    grpc_completion_queue_destroy(queue);
    grpc_shutdown_blocking();
    return code;
}

static void two_uri_names_connect_but_are_nobody(void **state)
{
    fixture_t *fixture = *state;
    nv_error_t err = NV_ERROR_INIT;
    nv_tls_paths_t tls = pki_issue_two_uris(&fixture->pki, "spiffe://test.nuvyn/operator/a",
                                            "spiffe://test.nuvyn/operator/b", "two");
    char options[2048];
    nv_rpc_client_t *client;
    nv_rpc_client_config_t bad = {.address = fixture->address, .tls = tls};
    assert_false(nv_rpc_client_new(&bad, &client, &err));
    assert_int_equal(err.code, NV_UNAUTHENTICATED);
    snprintf(options, sizeof options, "-cert %s -key %s", tls.cert, tls.key);
    assert_true(handshake_accepted(fixture, options)); /* TLS alone does not mind */
    assert_int_equal(raw_call(fixture, &tls), GRPC_STATUS_UNAUTHENTICATED);
    assert_int_equal(raw_call(fixture, &fixture->worker_tls),
                     GRPC_STATUS_INVALID_ARGUMENT); /* let in; sent nothing */
    assert_int_equal(atomic_load(&fixture->unary_runs), 0);
}

static void a_revoked_certificate_loses_its_streams_and_calls(void **state)
{
    fixture_t *fixture = *state;
    nv_error_t err = NV_ERROR_INIT;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    nv_rpc_client_t *client = fixture_client(fixture, &fixture->worker_tls, NV_IDENTITY_CONTROLPLANE);
    Nv__GetArtifactRequest request = NV__GET_ARTIFACT_REQUEST__INIT;
    nv_rpc_reader_t *reader;
    ProtobufCMessage *message;
    request.name = (char *)(uintptr_t) "silent";
    assert_true(nv_rpc_client_open(client, STREAM, &request.base, &nv__document_chunk__descriptor, 5000,
                                   &reader, &err));
    assert_true(fixture_wait(&fixture->opened, 1));
    atomic_store(&fixture->revoke_all, true);
    assert_false(nv_rpc_reader_next(reader, ctx, &message, &err));
    assert_int_equal(err.code, NV_UNAUTHENTICATED);
    assert_false(fixture_echo(client, "x", 5000, NULL, 0, &err));
    assert_int_equal(err.code, NV_UNAUTHENTICATED);
    nv_rpc_reader_free(reader);
    nv_rpc_client_free(client);
}

/* ---- rotation ---- */

typedef struct load {
    fixture_t *fixture;
    atomic_bool stop;
    atomic_int calls, failures;
} load_t;

static void *reconnect_and_call(void *arg)
{
    load_t *load = arg;
    while (!atomic_load(&load->stop)) {
        nv_error_t err = NV_ERROR_INIT;
        nv_rpc_client_t *client =
            fixture_client(load->fixture, &load->fixture->worker_tls, NV_IDENTITY_CONTROLPLANE);
        if (!fixture_echo(client, "x", 5000, NULL, 0, &err)) {
            fprintf(stderr, "%s\n", err.message);
            atomic_fetch_add(&load->failures, 1);
        }
        atomic_fetch_add(&load->calls, 1);
        nv_rpc_client_free(client);
    }
    return NULL;
}

static void certificates_rotate_under_load_without_a_failed_call(void **state)
{
    fixture_t *fixture = *state;
    nv_error_t err = NV_ERROR_INIT;
    load_t load = {.fixture = fixture};
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, reconnect_and_call, &load);
    for (int i = 0; i < 20; i++) {
        usleep(50000);
        assert_true(nv_ca_rotate(fixture->pki.dir, "plane", (int64_t)time(NULL), 0, NULL, &err));
    }
    atomic_store(&load.stop, true);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&load.failures), 0);
    assert_true(atomic_load(&load.calls) > 10);
}

static void a_client_takes_up_its_new_certificate(void **state)
{
    fixture_t *fixture = *state;
    nv_error_t err = NV_ERROR_INIT;
    nv_tls_paths_t brief =
        pki_issue(&fixture->pki, "spiffe://test.nuvyn/operator/brief", "brief", false, 0, 3);
    nv_rpc_client_t *client = fixture_client(fixture, &brief, NV_IDENTITY_NONE);
    assert_true(fixture_echo(client, "x", 5000, NULL, 0, &err));
    assert_true(
        nv_ca_rotate(fixture->pki.dir, "brief", (int64_t)time(NULL), (int64_t)time(NULL) + 60, NULL, &err));
    sleep(5); /* the first one is over by now */
    if (!fixture_echo(client, "x", 5000, NULL, 0, &err))
        fail_msg("%s", err.message);
    nv_rpc_client_free(client);
}

static void a_bad_new_certificate_is_not_taken(void **state)
{
    fixture_t *fixture = *state;
    char command[2048];
    snprintf(command, sizeof command, "echo garbage > %s", fixture->server_tls.cert);
    assert_int_equal(system(command), 0);
    usleep(200000);
    assert_int_equal(code_of_call(fixture, &fixture->worker_tls, NV_IDENTITY_CONTROLPLANE, NULL, 0), NV_OK);
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, fixture_open, fixture_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(a_good_certificate_is_let_in),
        WITH_SERVER(a_certificate_that_expired_is_refused_at_the_next_call),
        WITH_SERVER(no_certificate_is_refused_in_the_handshake),
        WITH_SERVER(the_right_certificate_passes_the_handshake),
        WITH_SERVER(an_expired_certificate_is_refused_in_the_handshake),
        WITH_SERVER(a_certificate_of_another_authority_is_refused),
        WITH_SERVER(the_server_must_be_who_we_expect),
        WITH_SERVER(a_client_certificate_does_not_make_a_server),
        WITH_SERVER(two_uri_names_connect_but_are_nobody),
        WITH_SERVER(a_revoked_certificate_loses_its_streams_and_calls),
        WITH_SERVER(certificates_rotate_under_load_without_a_failed_call),
        WITH_SERVER(a_client_takes_up_its_new_certificate),
        WITH_SERVER(a_bad_new_certificate_is_not_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
