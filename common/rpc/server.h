/* A gRPC server with mutual TLS.
 *
 * One completion queue per thread; a call lives on one of them. Unary handlers run on a bounded pool of their own threads.
 * A peer without exactly one SPIFFE ID is refused; then `revoked`, then `authorize` decide; then the handler sees it.
 * Calls to unknown methods are answered UNIMPLEMENTED. Certificates are reloaded when their files change; a bad new set
 * is logged and the old one kept.
 */
#ifndef NV_RPC_SERVER_H
#define NV_RPC_SERVER_H

#include "common/rpc/rpc.h"

typedef struct nv_rpc_server nv_rpc_server_t;

typedef enum nv_rpc_kind { NV_RPC_UNARY, NV_RPC_SERVER_STREAM, NV_RPC_BIDI } nv_rpc_kind_t;

typedef struct nv_rpc_call {
    const nv_cert_info_t *peer;
    const char *method;
    int64_t deadline_ms; /* CLOCK_MONOTONIC */
    nv_rpc_stream_t *stream;
} nv_rpc_call_t;

/* Runs on a pool thread; may block. *reply is made below ctx (or borrowed for as long as ctx lives). */
typedef bool (*nv_rpc_unary_fn)(void *service, const nv_rpc_call_t *call, nv_mem_t *ctx,
                                const ProtobufCMessage *request, ProtobufCMessage **reply, nv_error_t *err);

/* Runs on the queue thread when a streaming call begins; what it stores in *user goes to the callbacks. Failing refuses
 * the call (then no callback comes). For NV_RPC_SERVER_STREAM the request comes as the one message(). */
typedef bool (*nv_rpc_open_fn)(void *service, nv_rpc_stream_t *stream, void **user, nv_error_t *err);

typedef struct nv_rpc_method {
    const char *path; /* "/nuvyn.v1.RunService/GetRun"; borrowed for the server's life */
    nv_rpc_kind_t kind;
    const ProtobufCMessageDescriptor *input;
    const ProtobufCMessageDescriptor *output;
    nv_rpc_unary_fn unary;
    nv_rpc_open_fn open;
    const nv_rpc_stream_ops_t *ops;
    void *service;
} nv_rpc_method_t;

typedef struct nv_rpc_server_config {
    const char *listen; /* "127.0.0.1:7443", "[::]:0" */
    nv_tls_paths_t tls;
    nv_rpc_limits_t limits;
    int queue_threads;      /* 0: 2 */
    int pool_threads;       /* 0: 4 */
    int max_streams;        /* concurrent per connection; 0: 256 */
    int reload_interval_ms; /* how often certificates and peers are looked at again; 0: 1000 */
    bool reflection;
    nv_log_t *log; /* borrowed; may be NULL */
    /* Both run on queue threads and must not block. NULL: everyone with an identity. */
    bool (*authorize)(void *arg, const nv_identity_t *peer, const char *method, nv_error_t *err);
    bool (*revoked)(void *arg, const nv_cert_info_t *cert);
    void *arg;
} nv_rpc_server_config_t;

/* Everything is copied except what is said to be borrowed. Does not listen yet. */
bool nv_rpc_server_new(const nv_rpc_server_config_t *config, nv_rpc_server_t **out,
                       nv_error_t *err) NV_MUST_CHECK;

/* Before start. The method's fields are copied. */
void nv_rpc_server_add(nv_rpc_server_t *server, const nv_rpc_method_t *method);
/* Several of one service, which each is handed. */
void nv_rpc_server_add_all(nv_rpc_server_t *server, void *service, const nv_rpc_method_t *methods, size_t n);

/* Loads the certificates, binds, starts the threads. A busy port is FAILED_PRECONDITION, naming it. */
bool nv_rpc_server_start(nv_rpc_server_t *server, nv_error_t *err) NV_MUST_CHECK;
int nv_rpc_server_port(const nv_rpc_server_t *server);

/* Any thread: the health service's answer for a service name ("" is the whole server). */
void nv_rpc_server_set_health(nv_rpc_server_t *server, const char *service, bool serving);

/* Any thread: ends every open call whose peer is now revoked or whose certificate has expired; also done periodically. */
void nv_rpc_server_recheck_peers(nv_rpc_server_t *server);

/* Health goes NOT_SERVING, new calls are refused, streams end with UNAVAILABLE once what they have queued was sent, unary
 * calls have until grace_ms to end; what is left is cancelled; then all threads are joined. */
void nv_rpc_server_stop(nv_rpc_server_t *server, int grace_ms);
/* Stops at once if still running; NULL is fine. */
void nv_rpc_server_free(nv_rpc_server_t *server);

#endif
