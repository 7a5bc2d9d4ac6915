/* A gRPC client with mutual TLS. The connection is made on first use. Of several addresses (control planes that share a
 * database, of which one serves) a call goes to one that answers: the last one that did, or else the first in turn. A call
 * is never sent twice.
 *
 * The server must show a certificate of our authority, valid for the host dialled, whose SPIFFE ID is `expect`.
 */
#ifndef NV_RPC_CLIENT_H
#define NV_RPC_CLIENT_H

#include "common/rpc/rpc.h"

typedef struct nv_rpc_client nv_rpc_client_t;
typedef struct nv_rpc_reader nv_rpc_reader_t;

enum { NV_RPC_ADDRESSES_MAX = 16 };

typedef struct nv_rpc_client_config {
    const char *address; /* "host:port", or several of them separated by commas */
    nv_tls_paths_t tls;
    nv_identity_kind_t expect; /* NV_IDENTITY_NONE: any identity of our authority's trust domain */
    nv_rpc_limits_t limits;
} nv_rpc_client_config_t;

bool nv_rpc_client_new(const nv_rpc_client_config_t *config, nv_rpc_client_t **out,
                       nv_error_t *err) NV_MUST_CHECK;
/* All streams must be closed and readers freed. NULL is fine. */
void nv_rpc_client_free(nv_rpc_client_t *client);

/* Any thread; blocks until the answer, an error or the deadline. */
bool nv_rpc_client_call(nv_rpc_client_t *client, const char *method, const ProtobufCMessage *request,
                        const ProtobufCMessageDescriptor *output, int timeout_ms, nv_mem_t *ctx,
                        ProtobufCMessage **reply, nv_error_t *err) NV_MUST_CHECK;

/* A server-streaming call, read message by message by one thread. timeout_ms < 0: no deadline. */
bool nv_rpc_client_open(nv_rpc_client_t *client, const char *method, const ProtobufCMessage *request,
                        const ProtobufCMessageDescriptor *output, int timeout_ms, nv_rpc_reader_t **out,
                        nv_error_t *err) NV_MUST_CHECK;
/* Blocks for the next message, below ctx. At the good end: true with *out NULL. */
bool nv_rpc_reader_next(nv_rpc_reader_t *reader, nv_mem_t *ctx, ProtobufCMessage **out,
                        nv_error_t *err) NV_MUST_CHECK;
/* Any thread: makes the pending next() return CANCELLED soon. */
void nv_rpc_reader_cancel(nv_rpc_reader_t *reader);
/* Cancels if still open; NULL is fine. */
void nv_rpc_reader_free(nv_rpc_reader_t *reader);

/* A bidirectional call with callbacks, on the client's own queue thread. The caller gets one reference. */
bool nv_rpc_client_stream(nv_rpc_client_t *client, const char *method,
                          const ProtobufCMessageDescriptor *input, const nv_rpc_stream_ops_t *ops, void *user,
                          nv_rpc_stream_t **out, nv_error_t *err) NV_MUST_CHECK;

#endif
