/* Inside common/rpc: one call, of a server or of a client.
 *
 * Fields are in two groups: those of the queue thread, which need no lock, and those under `lock`. Batches that touch the
 * call are posted by the queue thread only; from other threads come only empty batches ("kick") and cancellation.
 */
#ifndef NV_RPC_STREAM_H
#define NV_RPC_STREAM_H

#include "common/rpc/wire.h"

#include <pthread.h>
#include <stdatomic.h>

typedef struct nv_rpc_node {
    struct nv_rpc_node *next;
    grpc_byte_buffer *buffer;
    size_t bytes;
} nv_rpc_node_t;

struct nv_rpc_stream {
    /* set at birth */
    bool server;
    bool one_message; /* unary or server-streaming: only one request message is read */
    const ProtobufCMessageDescriptor *input;
    const nv_rpc_stream_ops_t *ops;
    void *user;
    nv_rpc_limits_t limits;
    char method[160];
    nv_cert_info_t peer;
    int64_t deadline_ms;
    void (*retired)(nv_rpc_stream_t *stream, void *owner);
    void *owner;
    nv_rpc_stream_t *prev, *next; /* the owner's list, under the owner's lock */

    atomic_int refs;

    pthread_mutex_t lock;
    grpc_call *call; /* NULL once retired */
    nv_rpc_node_t *head, *tail;
    size_t queued_bytes, queued_messages;
    bool kicked, closed, finishing, paused;
    nv_error_t status;

    /* queue thread only */
    unsigned pending;
    bool opened, receiving, sending, ending, ended, half_closed, got_message;
    grpc_byte_buffer *receive_buffer;
    grpc_byte_buffer *send_buffer;
    grpc_metadata_array initial, trailing;
    grpc_status_code end_code;
    grpc_slice end_details;
    int cancelled;
    nv_rpc_tag_t on_receive, on_send, on_initial, on_receive_initial, on_end, on_finish, on_kick;
};

/* A stream with one reference, of the queue thread, dropped after closed(). */
nv_rpc_stream_t *nv_rpc_stream_make(bool server, const nv_rpc_limits_t *limits);
/* Hands the call to the stream and wakes its queue thread, which does the rest. Any thread, once. */
void nv_rpc_stream_start(nv_rpc_stream_t *stream, grpc_call *call);

#endif
