/* RPC over gRPC's C core: what server and client have in common.
 *
 * A stream is one call. Its callbacks run on one queue thread, one after another; they must not block. Everything named
 * "any thread" may be called from elsewhere. Sending packs in the caller's thread and queues; the queue of each stream is
 * bounded in bytes and in messages, and a peer that reads too slowly ends its stream with RESOURCE_EXHAUSTED.
 *
 * gRPC's own types appear nowhere outside common/rpc.
 */
#ifndef NV_RPC_RPC_H
#define NV_RPC_RPC_H

#include "common/core/error.h"
#include "common/core/log.h"
#include "common/core/mem.h"
#include "common/identity/certificate.h"

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

typedef struct nv_rpc_stream nv_rpc_stream_t;

typedef struct nv_rpc_limits {
    size_t max_message_bytes; /* received or sent; 0: 4 MiB */
    size_t queue_bytes;       /* per stream, waiting to be sent; 0: 4 MiB */
    size_t queue_messages;    /* 0: 1024 */
    int keepalive_ms;         /* ping interval; 0: 20000 */
    int keepalive_timeout_ms; /* 0: 10000 */
} nv_rpc_limits_t;

/* All optional. Run on the stream's queue thread. */
typedef struct nv_rpc_stream_ops {
    /* A message arrived. The callee owns ctx, which holds it. The next one is read after the return, unless paused. */
    void (*message)(nv_rpc_stream_t *stream, void *user, nv_mem_t *ctx, ProtobufCMessage *message);
    /* The peer will send no more. */
    void (*half_closed)(nv_rpc_stream_t *stream, void *user);
    /* The send queue has run empty after something was sent. */
    void (*writable)(nv_rpc_stream_t *stream, void *user);
    /* Last callback, always called once: the call is over. On a client, status is what the server said. On a server,
     * CANCELLED when the peer went away, else what was sent. */
    void (*closed)(nv_rpc_stream_t *stream, void *user, const nv_error_t *status);
} nv_rpc_stream_ops_t;

/* Any thread. UNAVAILABLE when the stream is over or finishing, RESOURCE_EXHAUSTED on overflow (which also ends it). */
bool nv_rpc_stream_send(nv_rpc_stream_t *stream, const ProtobufCMessage *message,
                        nv_error_t *err) NV_MUST_CHECK;

/* Any thread. Ends after what is queued was sent: a server with the status (NULL: OK), a client by half-closing. */
void nv_rpc_stream_finish(nv_rpc_stream_t *stream, const nv_error_t *status);

/* Any thread. Ends at once, dropping what is queued. */
void nv_rpc_stream_abort(nv_rpc_stream_t *stream, nv_code_t code, const char *message);

/* Inbound backpressure: pause inside message(); resume from any thread. */
void nv_rpc_stream_pause(nv_rpc_stream_t *stream);
void nv_rpc_stream_resume(nv_rpc_stream_t *stream);

/* Any thread: true once the call is over, so nobody waits for an answer. */
bool nv_rpc_stream_over(const nv_rpc_stream_t *stream);

/* References keep the memory, not the call; any thread. All must be dropped before the server or client is freed. */
nv_rpc_stream_t *nv_rpc_stream_ref(nv_rpc_stream_t *stream);
void nv_rpc_stream_unref(nv_rpc_stream_t *stream);

/* Server side: who calls, what, and until when (CLOCK_MONOTONIC ms; INT64_MAX: no deadline). Borrowed from the stream. */
const nv_cert_info_t *nv_rpc_stream_peer(const nv_rpc_stream_t *stream);
const char *nv_rpc_stream_method(const nv_rpc_stream_t *stream);
int64_t nv_rpc_stream_deadline_ms(const nv_rpc_stream_t *stream);

/* Milliseconds of CLOCK_MONOTONIC. */
int64_t nv_rpc_now_ms(void);

/* Sends gRPC's own diagnostics (handshake failures …) nowhere. Process-wide; for command-line programs, at start. */
void nv_rpc_quiet(void);

#endif
