/* Inside common/rpc: what the parts of the server share. */
#ifndef NV_RPC_SERVER_INTERNAL_H
#define NV_RPC_SERVER_INTERNAL_H

#include "common/core/workpool.h"
#include "common/rpc/server.h"
#include "common/rpc/stream.h"
#include "common/rpc/tls.h"

enum { NV_RPC_OUTSTANDING = 128, NV_RPC_MAX_METHODS = 128, NV_RPC_MAX_QUEUES = 16 };

typedef struct nv_rpc_health nv_rpc_health_t;

/* One request for a new call, kept outstanding on a queue. */
typedef struct nv_rpc_request {
    nv_rpc_tag_t tag;
    nv_rpc_server_t *server;
    grpc_completion_queue *queue;
    grpc_call *call;
    grpc_call_details details;
    grpc_metadata_array metadata;
} nv_rpc_request_t;

typedef struct nv_rpc_queue {
    grpc_completion_queue *queue;
    pthread_t thread;
    nv_rpc_request_t requests[NV_RPC_OUTSTANDING];
} nv_rpc_queue_t;

struct nv_rpc_server {
    nv_rpc_server_config_t config;
    nv_rpc_limits_t limits;
    nv_rpc_method_t methods[NV_RPC_MAX_METHODS];
    size_t n_methods;
    nv_rpc_tls_t *tls;
    nv_workpool_t *pool;
    nv_rpc_health_t *health;
    grpc_server *server;
    nv_rpc_queue_t *queues;
    size_t n_queues;
    int port;
    bool started;
    atomic_bool stopping;

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    nv_rpc_stream_t *streams;
    size_t n_streams;
    bool shut_down; /* core said so */
    bool reload_stop;
    pthread_t reload_thread;
    nv_rpc_tag_t on_shutdown;
};

/* accept.c: keeps one request outstanding; takes a call that came. */
void nv_rpc_request_call(nv_rpc_request_t *request);
const nv_rpc_method_t *nv_rpc_find_method(const nv_rpc_server_t *server, const char *path);

/* unary.c: callbacks that turn a stream into a unary call. user is an nv_rpc_unary_t * made by nv_rpc_unary_open. */
extern const nv_rpc_stream_ops_t nv_rpc_unary_ops;
void *nv_rpc_unary_open(nv_rpc_server_t *server, const nv_rpc_method_t *method);

/* health.c */
nv_rpc_health_t *nv_rpc_health_new(void);
void nv_rpc_health_free(nv_rpc_health_t *health);
void nv_rpc_health_set(nv_rpc_health_t *health, const char *service, bool serving);
void nv_rpc_health_stop(nv_rpc_health_t *health); /* all NOT_SERVING, for good */
void nv_rpc_health_register(nv_rpc_server_t *server);

/* reflection.c */
bool nv_rpc_reflection_register(nv_rpc_server_t *server, nv_error_t *err) NV_MUST_CHECK;

#endif
