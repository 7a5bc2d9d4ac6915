#include "common/rpc/wire.h"

#include "common/contract/codec.h"

#include <grpc/byte_buffer_reader.h>
#include <grpc/support/log.h>
#include <grpc/support/time.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

void *nv_rpc_run_queue(void *arg)
{
    for (;;) {
        grpc_event event = grpc_completion_queue_next(arg, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
        if (event.type == GRPC_QUEUE_SHUTDOWN)
            return NULL;
        if (event.type != GRPC_OP_COMPLETE)
            continue;
        nv_rpc_tag_t *tag = event.tag;
        NV_RPC_TAKE_OVER(tag);
        tag->done(tag->owner, event.success != 0);
    }
}

bool nv_rpc_pack(const ProtobufCMessage *message, size_t maximum, grpc_byte_buffer **out, nv_error_t *err)
{
    size_t length = protobuf_c_message_get_packed_size(message);
    if (length > maximum)
        return nv_fail(err, NV_RESOURCE_EXHAUSTED, "message %s of %zu bytes: at most %zu are sent",
                       message->descriptor->name, length, maximum);
    grpc_slice slice = grpc_slice_malloc(length);
    protobuf_c_message_pack(message, GRPC_SLICE_START_PTR(slice));
    *out = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    return true;
}

bool nv_rpc_unpack(nv_mem_t *ctx, const ProtobufCMessageDescriptor *type, grpc_byte_buffer *buffer,
                   size_t maximum, ProtobufCMessage **out, nv_error_t *err)
{
    if (grpc_byte_buffer_length(buffer) > maximum)
        return nv_fail(err, NV_RESOURCE_EXHAUSTED, "message %s of %zu bytes: at most %zu are accepted",
                       type->name, grpc_byte_buffer_length(buffer), maximum);
    grpc_byte_buffer_reader reader;
    if (!grpc_byte_buffer_reader_init(&reader, buffer))
        return nv_fail(err, NV_INVALID_ARGUMENT, "message %s: cannot be decompressed", type->name);
    grpc_slice all = grpc_byte_buffer_reader_readall(&reader);
    grpc_byte_buffer_reader_destroy(&reader);
    bool ok = nv_unpack(ctx, type, GRPC_SLICE_START_PTR(all), GRPC_SLICE_LENGTH(all), out, err);
    grpc_slice_unref(all);
    return ok;
}

bool nv_rpc_status(grpc_status_code code, grpc_slice details, nv_error_t *err)
{
    static const char untrusted[] = "certificate verify failed";
    int length = (int)GRPC_SLICE_LENGTH(details);
    nv_error_clear(err);
    if (code == GRPC_STATUS_OK)
        return true;
    /* gRPC calls every failed connection UNAVAILABLE; that this one cannot be mended by trying again, only the text tells. */
    if (code == GRPC_STATUS_UNAVAILABLE &&
        memmem(GRPC_SLICE_START_PTR(details), (size_t)length, untrusted, sizeof untrusted - 1))
        return nv_fail(err, NV_UNAUTHENTICATED,
                       "the server's certificate is not of the authority in the trust bundle, or not for the "
                       "name dialled "
                       "(%.*s)",
                       length < 400 ? length : 400, (const char *)GRPC_SLICE_START_PTR(details));
    nv_code_t known = code > 0 && code <= GRPC_STATUS_UNAUTHENTICATED ? (nv_code_t)code : NV_UNKNOWN;
    return nv_fail(err, known, "%.*s", length, (const char *)GRPC_SLICE_START_PTR(details));
}

nv_rpc_limits_t nv_rpc_limits_or_default(const nv_rpc_limits_t *given)
{
    nv_rpc_limits_t limits = *given;
    if (limits.max_message_bytes == 0)
        limits.max_message_bytes = 4 << 20;
    if (limits.queue_bytes == 0)
        limits.queue_bytes = 4 << 20;
    if (limits.queue_messages == 0)
        limits.queue_messages = 1024;
    if (limits.keepalive_ms == 0)
        limits.keepalive_ms = 20000;
    if (limits.keepalive_timeout_ms == 0)
        limits.keepalive_timeout_ms = 10000;
    return limits;
}

gpr_timespec nv_rpc_deadline(int timeout_ms)
{
    if (timeout_ms < 0)
        return gpr_inf_future(GPR_CLOCK_MONOTONIC);
    return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(timeout_ms, GPR_TIMESPAN));
}

int64_t nv_rpc_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void drop_log(gpr_log_func_args *args)
{
    (void)args;
}

void nv_rpc_quiet(void)
{
    gpr_set_log_function(drop_log);
}
