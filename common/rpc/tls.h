/* Inside common/rpc: certificates for gRPC, reloaded when their files change.
 *
 * A reload validates with OpenSSL and publishes a generation; gRPC's fetcher callback, which runs at each accepted
 * connection, then only compares numbers. Bad files never replace good ones. Threads: any.
 */
#ifndef NV_RPC_TLS_H
#define NV_RPC_TLS_H

#include "common/rpc/rpc.h"

#include <grpc/grpc_security.h>

typedef struct nv_rpc_tls nv_rpc_tls_t;

bool nv_rpc_tls_new(const nv_tls_paths_t *paths, nv_rpc_tls_t **out, nv_error_t *err) NV_MUST_CHECK;
void nv_rpc_tls_free(nv_rpc_tls_t *tls);

/* Looks at the files; *changed tells whether a new generation was published. */
bool nv_rpc_tls_reload(nv_rpc_tls_t *tls, bool *changed, nv_error_t *err) NV_MUST_CHECK;
nv_cert_info_t nv_rpc_tls_identity(nv_rpc_tls_t *tls);

/* tls is borrowed by the credentials. */
grpc_server_credentials *nv_rpc_tls_server_credentials(nv_rpc_tls_t *tls);
/* The server's identity must be of kind `expect` (NONE: any). */
grpc_channel_credentials *nv_rpc_tls_channel_credentials(nv_rpc_tls_t *tls, nv_identity_kind_t expect);

/* The peer's certificate of a server call. UNAUTHENTICATED unless it names exactly one SPIFFE ID. */
bool nv_rpc_peer_of(grpc_call *call, nv_cert_info_t *out, nv_error_t *err) NV_MUST_CHECK;

#endif
