/* Inside common/rpc: messages to and from gRPC's byte buffers, statuses, and the tags of completion queues. */
#ifndef NV_RPC_WIRE_H
#define NV_RPC_WIRE_H

#include "common/rpc/rpc.h"

#include <grpc/byte_buffer.h>
#include <grpc/grpc.h>

/* What crosses gRPC (a tag through a completion queue, a pointer to a callback) is ordered by locks inside the library,
 * which ThreadSanitizer cannot see because it is not instrumented: so it is told. */
#if defined(__SANITIZE_THREAD__)
#define NV_RPC_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define NV_RPC_TSAN 1
#endif
#endif
#ifdef NV_RPC_TSAN
void __tsan_acquire(void *address);
void __tsan_release(void *address);
#define NV_RPC_HAND_OVER(pointer) __tsan_release(pointer)
#define NV_RPC_TAKE_OVER(pointer) __tsan_acquire(pointer)
#else
#define NV_RPC_HAND_OVER(pointer) ((void)(pointer))
#define NV_RPC_TAKE_OVER(pointer) ((void)(pointer))
#endif

/* A tag. Every accepted batch returns its tag once; done runs then, on the queue's thread. */
typedef struct nv_rpc_tag {
    void (*done)(void *owner, bool ok);
    void *owner;
} nv_rpc_tag_t;

/* Runs tags until the queue has shut down and drained. arg: grpc_completion_queue *. */
void *nv_rpc_run_queue(void *arg);

/* Packs straight into a slice. RESOURCE_EXHAUSTED over maximum bytes. */
bool nv_rpc_pack(const ProtobufCMessage *message, size_t maximum, grpc_byte_buffer **out,
                 nv_error_t *err) NV_MUST_CHECK;
bool nv_rpc_unpack(nv_mem_t *ctx, const ProtobufCMessageDescriptor *type, grpc_byte_buffer *buffer,
                   size_t maximum, ProtobufCMessage **out, nv_error_t *err) NV_MUST_CHECK;

/* Fills err from a received status. True when it is OK. */
bool nv_rpc_status(grpc_status_code code, grpc_slice details, nv_error_t *err);

nv_rpc_limits_t nv_rpc_limits_or_default(const nv_rpc_limits_t *given);

/* A deadline of `timeout_ms` from now; negative: never. */
gpr_timespec nv_rpc_deadline(int timeout_ms);

#endif
