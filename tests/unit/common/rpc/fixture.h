/* A server with a few methods that misbehave on demand, and clients for it. Messages are those of the worker stream. */
#ifndef TESTS_RPC_FIXTURE_H
#define TESTS_RPC_FIXTURE_H

#include "common/rpc/client.h"
#include "common/rpc/server.h"
#include "nuvyn/control.pb-c.h"
#include "nuvyn/worker.pb-c.h"
#include "tests/support/pki/pki.h"

#include <pthread.h>
#include <stdatomic.h>

#define ECHO                                                                                                 \
    "/nuvyn.v1.RunService/GetRun" /* unary: run_id comes back; "fail", "sleep", "big" do what they say */
#define STREAM "/nuvyn.v1.RunService/GetArtifact" /* server stream: name chunks ("3", "flood", "silent") */
#define BIDI "/nuvyn.v1.WorkerService/Connect"    /* bidi: each hello is answered by a welcome */

typedef struct fixture {
    pki_t pki;
    nv_tls_paths_t server_tls, worker_tls;
    nv_rpc_server_t *server;
    char address[64];
    atomic_int opened, closed, cancelled, overflowed, unary_runs;
    atomic_bool hold;      /* bidi: keep a reference to the latest stream */
    nv_rpc_stream_t *held; /* under lock */
    pthread_mutex_t lock;
    atomic_bool revoke_all;
} fixture_t;

int fixture_open(void **state);
int fixture_close(void **state);

nv_rpc_client_t *fixture_client(fixture_t *fixture, const nv_tls_paths_t *tls, nv_identity_kind_t expect);
/* One unary call with the worker's identity; out (may be NULL) gets the echoed text. */
bool fixture_echo(nv_rpc_client_t *client, const char *text, int timeout_ms, char *out, size_t size,
                  nv_error_t *err);
/* Waits up to five seconds. */
bool fixture_wait(atomic_int *counter, int at_least);

#endif
