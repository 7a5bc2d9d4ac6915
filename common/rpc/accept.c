#include "common/rpc/server_internal.h"

#include <grpc/support/alloc.h>
#include <grpc/support/time.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const nv_rpc_stream_ops_t no_ops = {0};

const nv_rpc_method_t *nv_rpc_find_method(const nv_rpc_server_t *server, const char *path)
{
    for (size_t i = 0; i < server->n_methods; i++)
        if (strcmp(server->methods[i].path, path) == 0)
            return &server->methods[i];
    return NULL;
}

static void copy_slice(char *out, size_t size, grpc_slice slice)
{
    size_t length = GRPC_SLICE_LENGTH(slice);
    if (length >= size)
        length = size - 1;
    memcpy(out, GRPC_SLICE_START_PTR(slice), length);
    out[length] = '\0';
}

static int64_t deadline_of(const grpc_call_details *details)
{
    if (gpr_time_cmp(details->deadline, gpr_inf_future(details->deadline.clock_type)) == 0)
        return INT64_MAX;
    gpr_timespec left = gpr_time_sub(gpr_convert_clock_type(details->deadline, GPR_CLOCK_MONOTONIC),
                                     gpr_now(GPR_CLOCK_MONOTONIC));
    return nv_rpc_now_ms() + gpr_time_to_millis(left);
}

static void retired(nv_rpc_stream_t *stream, void *owner)
{
    nv_rpc_server_t *server = owner;
    pthread_mutex_lock(&server->lock);
    if (stream->prev)
        stream->prev->next = stream->next;
    else
        server->streams = stream->next;
    if (stream->next)
        stream->next->prev = stream->prev;
    server->n_streams--;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
}

/* Counted from the first moment, so that a stopping server waits for it; listed once all that others read is set. */
static void count_stream(nv_rpc_server_t *server, nv_rpc_stream_t *stream)
{
    pthread_mutex_lock(&server->lock);
    server->n_streams++;
    pthread_mutex_unlock(&server->lock);
    stream->retired = retired;
    stream->owner = server;
}

static void enlist(nv_rpc_server_t *server, nv_rpc_stream_t *stream)
{
    pthread_mutex_lock(&server->lock);
    stream->next = server->streams;
    if (stream->next)
        stream->next->prev = stream;
    server->streams = stream;
    pthread_mutex_unlock(&server->lock);
}

static bool admit(nv_rpc_server_t *server, nv_rpc_stream_t *stream, grpc_call *call, nv_error_t *err)
{
    const nv_rpc_server_config_t *config = &server->config;
    if (!nv_rpc_peer_of(call, &stream->peer, err))
        return false;
    if (stream->peer.not_after < (int64_t)time(NULL))
        return nv_fail(err, NV_UNAUTHENTICATED, "certificate of %s: expired", stream->peer.spiffe);
    if (config->revoked && config->revoked(config->arg, &stream->peer))
        return nv_fail(err, NV_UNAUTHENTICATED, "certificate %s of %s: revoked", stream->peer.serial,
                       stream->peer.spiffe);
    if (atomic_load(&server->stopping))
        return nv_fail(err, NV_UNAVAILABLE, "shutting down");
    return true;
}

static bool open_method(nv_rpc_server_t *server, nv_rpc_stream_t *stream, nv_error_t *err)
{
    const nv_rpc_server_config_t *config = &server->config;
    const nv_rpc_method_t *method = nv_rpc_find_method(server, stream->method);
    if (!method)
        return nv_fail(err, NV_UNIMPLEMENTED, "%s: no such method", stream->method);
    if (config->authorize && !config->authorize(config->arg, &stream->peer.identity, stream->method, err))
        return false;
    stream->input = method->input;
    stream->one_message = method->kind != NV_RPC_BIDI;
    if (method->kind == NV_RPC_UNARY) {
        stream->ops = &nv_rpc_unary_ops;
        stream->user = nv_rpc_unary_open(server, method);
        return true;
    }
    if (method->open && !method->open(method->service, stream, &stream->user, err))
        return false;
    stream->ops = method->ops;
    return true;
}

static void take_call(nv_rpc_request_t *request)
{
    nv_rpc_server_t *server = request->server;
    nv_error_t err = NV_ERROR_INIT;
    nv_rpc_stream_t *stream = nv_rpc_stream_make(true, &server->limits);
    copy_slice(stream->method, sizeof stream->method, request->details.method);
    stream->deadline_ms = deadline_of(&request->details);
    stream->ops = &no_ops;
    count_stream(server, stream);
    if (!admit(server, stream, request->call, &err) || !open_method(server, stream, &err)) {
        nv_log(server->config.log, NV_DEBUG, "rpc", "call refused", "method", stream->method, "peer",
               stream->peer.spiffe, "reason", err.message, NULL);
        nv_rpc_stream_finish(stream, &err);
    }
    enlist(server, stream);
    nv_rpc_stream_start(stream, request->call);
}

static void call_arrived(void *owner, bool ok)
{
    nv_rpc_request_t *request = owner;
    if (ok)
        take_call(request);
    grpc_call_details_destroy(&request->details);
    grpc_metadata_array_destroy(&request->metadata);
    /* After shutdown began, asking again would spin: every request comes back at once. */
    if (ok && !atomic_load(&request->server->stopping))
        nv_rpc_request_call(request);
}

void nv_rpc_request_call(nv_rpc_request_t *request)
{
    request->tag = (nv_rpc_tag_t){call_arrived, request};
    request->call = NULL;
    grpc_call_details_init(&request->details);
    grpc_metadata_array_init(&request->metadata);
    NV_RPC_HAND_OVER(&request->tag);
    if (grpc_server_request_call(request->server->server, &request->call, &request->details,
                                 &request->metadata, request->queue, request->queue,
                                 &request->tag) != GRPC_CALL_OK) {
        grpc_call_details_destroy(&request->details);
        grpc_metadata_array_destroy(&request->metadata);
    }
}
