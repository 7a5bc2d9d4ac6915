#include "common/rpc/stream.h"

#include <grpc/support/alloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void advance(nv_rpc_stream_t *stream);
static void open_call(nv_rpc_stream_t *stream);

static void drop_queue(nv_rpc_stream_t *stream)
{
    for (nv_rpc_node_t *node = stream->head, *next; node; node = next) {
        next = node->next;
        grpc_byte_buffer_destroy(node->buffer);
        free(node);
    }
    stream->head = stream->tail = NULL;
    stream->queued_bytes = stream->queued_messages = 0;
}

/* Posts one operation; false (and no tag will come) when core refuses, which means that the call is dying. */
static bool post(nv_rpc_stream_t *stream, grpc_op op, nv_rpc_tag_t *tag)
{
    NV_RPC_HAND_OVER(tag);
    if (grpc_call_start_batch(stream->call, &op, 1, tag, NULL) != GRPC_CALL_OK)
        return false;
    stream->pending++;
    return true;
}

/* ---- life ---- */

nv_rpc_stream_t *nv_rpc_stream_ref(nv_rpc_stream_t *stream)
{
    atomic_fetch_add(&stream->refs, 1);
    return stream;
}

void nv_rpc_stream_unref(nv_rpc_stream_t *stream)
{
    if (!stream || atomic_fetch_sub(&stream->refs, 1) != 1)
        return;
    drop_queue(stream);
    pthread_mutex_destroy(&stream->lock);
    nv_mem_free(stream);
}

/* True once nothing can touch the call any more: it is over, every tag came back, and no kick is on its way. */
static bool retire(nv_rpc_stream_t *stream)
{
    pthread_mutex_lock(&stream->lock);
    bool now = stream->ended && stream->pending == 0 && !stream->kicked && !stream->closed;
    grpc_call *call = stream->call;
    if (now) {
        stream->closed = true;
        stream->call = NULL;
        drop_queue(stream);
    }
    pthread_mutex_unlock(&stream->lock);
    if (!now)
        return false;
    grpc_metadata_array_destroy(&stream->initial);
    grpc_metadata_array_destroy(&stream->trailing);
    grpc_slice_unref(stream->end_details);
    grpc_call_unref(call);
    if (stream->ops->closed)
        stream->ops->closed(stream, stream->user, &stream->status);
    if (stream->retired)
        stream->retired(stream, stream->owner);
    nv_rpc_stream_unref(stream);
    return true;
}

/* ---- receiving ---- */

static void request_message(nv_rpc_stream_t *stream)
{
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &stream->receive_buffer};
    if (post(stream, op, &stream->on_receive))
        stream->receiving = true;
}

static void end_of_messages(nv_rpc_stream_t *stream)
{
    stream->half_closed = true;
    if (stream->ended || grpc_call_failed_before_recv_message(stream->call))
        return; /* cancelled, not half-closed: the end event says the rest */
    if (stream->one_message && !stream->got_message) {
        nv_error_t none = {.code = NV_INVALID_ARGUMENT};
        snprintf(none.message, sizeof none.message, "%s: no request message", stream->method);
        nv_rpc_stream_finish(stream, &none);
    } else if (stream->ops->half_closed) {
        stream->ops->half_closed(stream, stream->user);
    }
}

static void deliver(nv_rpc_stream_t *stream, grpc_byte_buffer *buffer)
{
    nv_error_t err = NV_ERROR_INIT;
    nv_mem_t *ctx = nv_mem_root("message");
    ProtobufCMessage *message;
    stream->got_message = true;
    if (nv_rpc_unpack(ctx, stream->input, buffer, stream->limits.max_message_bytes, &message, &err)) {
        if (stream->ops->message)
            stream->ops->message(stream, stream->user, ctx, message);
        else
            nv_mem_free(ctx);
        return;
    }
    nv_mem_free(ctx);
    nv_rpc_stream_abort(stream, err.code, err.message);
}

static void received(void *owner, bool ok)
{
    nv_rpc_stream_t *stream = owner;
    grpc_byte_buffer *buffer = stream->receive_buffer;
    stream->receive_buffer = NULL;
    stream->pending--;
    stream->receiving = false;
    if (ok && buffer && !stream->ended)
        deliver(stream, buffer);
    else if (!stream->half_closed)
        end_of_messages(stream);
    if (buffer)
        grpc_byte_buffer_destroy(buffer);
    advance(stream);
}

/* ---- sending ---- */

static void sent(void *owner, bool ok)
{
    nv_rpc_stream_t *stream = owner;
    stream->pending--;
    stream->sending = false;
    grpc_byte_buffer_destroy(stream->send_buffer);
    stream->send_buffer = NULL;
    pthread_mutex_lock(&stream->lock);
    if (!ok)
        drop_queue(stream);
    bool empty = stream->head == NULL && !stream->finishing;
    pthread_mutex_unlock(&stream->lock);
    if (ok && empty && !stream->ended && stream->ops->writable)
        stream->ops->writable(stream, stream->user);
    advance(stream);
}

static void send_next(nv_rpc_stream_t *stream)
{
    pthread_mutex_lock(&stream->lock);
    nv_rpc_node_t *node = stream->head;
    if (node) {
        stream->head = node->next;
        if (!stream->head)
            stream->tail = NULL;
        stream->queued_bytes -= node->bytes;
        stream->queued_messages--;
    }
    pthread_mutex_unlock(&stream->lock);
    if (!node)
        return;
    stream->send_buffer = node->buffer;
    free(node);
    grpc_op op = {.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = stream->send_buffer};
    stream->sending = post(stream, op, &stream->on_send);
    if (!stream->sending) {
        grpc_byte_buffer_destroy(stream->send_buffer);
        stream->send_buffer = NULL;
    }
}

static void post_server_status(nv_rpc_stream_t *stream)
{
    grpc_slice details = grpc_slice_from_copied_string(stream->status.message);
    grpc_op op = {.op = GRPC_OP_SEND_STATUS_FROM_SERVER};
    op.data.send_status_from_server.status = (grpc_status_code)stream->status.code;
    op.data.send_status_from_server.status_details = &details;
    post(stream, op, &stream->on_finish);
    grpc_slice_unref(details);
}

static void end_if_wanted(nv_rpc_stream_t *stream)
{
    pthread_mutex_lock(&stream->lock);
    bool now = stream->finishing && stream->head == NULL && !stream->sending && !stream->ending;
    if (now)
        stream->ending = true;
    pthread_mutex_unlock(&stream->lock);
    if (!now)
        return;
    if (stream->server)
        post_server_status(stream);
    else
        post(stream, (grpc_op){.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT}, &stream->on_finish);
}

static bool wants_message(nv_rpc_stream_t *stream)
{
    if (stream->receiving || stream->half_closed || (stream->one_message && stream->got_message))
        return false;
    pthread_mutex_lock(&stream->lock);
    bool wanted = !stream->paused && !(stream->server && stream->finishing);
    pthread_mutex_unlock(&stream->lock);
    return wanted;
}

/* Does whatever is possible now. The stream may be gone when this returns. */
static void advance(nv_rpc_stream_t *stream)
{
    if (!stream->ended) {
        if (!stream->sending)
            send_next(stream);
        end_if_wanted(stream);
        if (wants_message(stream))
            request_message(stream);
    }
    retire(stream);
}

/* ---- other events ---- */

static void step_done(void *owner, bool ok)
{
    nv_rpc_stream_t *stream = owner;
    (void)ok;
    stream->pending--;
    advance(stream);
}

static void kicked(void *owner, bool ok)
{
    nv_rpc_stream_t *stream = owner;
    (void)ok;
    pthread_mutex_lock(&stream->lock);
    stream->kicked = false;
    pthread_mutex_unlock(&stream->lock);
    if (!stream->opened)
        open_call(stream);
    advance(stream);
}

static void note_server_end(nv_rpc_stream_t *stream)
{
    if (!stream->cancelled || stream->ending)
        return;
    pthread_mutex_lock(&stream->lock);
    if (!stream->finishing) {
        stream->finishing = true;
        nv_fail(&stream->status, NV_CANCELLED, "%s: the caller went away", stream->method);
    }
    pthread_mutex_unlock(&stream->lock);
}

static void ended(void *owner, bool ok)
{
    nv_rpc_stream_t *stream = owner;
    (void)ok;
    stream->pending--;
    stream->ended = true;
    if (stream->server) {
        note_server_end(stream);
    } else {
        pthread_mutex_lock(&stream->lock);
        stream->finishing = true;
        nv_rpc_status(stream->end_code, stream->end_details, &stream->status);
        pthread_mutex_unlock(&stream->lock);
    }
    advance(stream);
}

/* Wakes the queue thread; under the lock, so that the call cannot retire meanwhile. */
static void kick_locked(nv_rpc_stream_t *stream)
{
    if (stream->kicked || stream->closed || !stream->call)
        return;
    NV_RPC_HAND_OVER(&stream->on_kick);
    stream->kicked = grpc_call_start_batch(stream->call, NULL, 0, &stream->on_kick, NULL) == GRPC_CALL_OK;
}

/* ---- any thread ---- */

static bool enqueue_locked(nv_rpc_stream_t *stream, grpc_byte_buffer *buffer, nv_error_t *err)
{
    size_t bytes = grpc_byte_buffer_length(buffer);
    if (stream->closed || stream->finishing)
        return nv_fail(err, NV_UNAVAILABLE, "%s: the stream is over", stream->method);
    if (stream->queued_messages >= stream->limits.queue_messages ||
        stream->queued_bytes + bytes > stream->limits.queue_bytes + stream->limits.max_message_bytes)
        return nv_fail(err, NV_RESOURCE_EXHAUSTED,
                       "%s: the peer reads too slowly: %zu messages of %zu bytes wait", stream->method,
                       stream->queued_messages, stream->queued_bytes);
    nv_rpc_node_t *node = calloc(1, sizeof *node);
    if (!node)
        abort();
    *node = (nv_rpc_node_t){.buffer = buffer, .bytes = bytes};
    if (stream->tail)
        stream->tail->next = node;
    else
        stream->head = node;
    stream->tail = node;
    stream->queued_bytes += bytes;
    stream->queued_messages++;
    kick_locked(stream);
    return true;
}

bool nv_rpc_stream_send(nv_rpc_stream_t *stream, const ProtobufCMessage *message, nv_error_t *err)
{
    grpc_byte_buffer *buffer;
    if (!nv_rpc_pack(message, stream->limits.max_message_bytes, &buffer, err))
        return false;
    pthread_mutex_lock(&stream->lock);
    bool ok = enqueue_locked(stream, buffer, err);
    pthread_mutex_unlock(&stream->lock);
    if (ok)
        return true;
    grpc_byte_buffer_destroy(buffer);
    if (err->code == NV_RESOURCE_EXHAUSTED)
        nv_rpc_stream_abort(stream, err->code, err->message);
    return false;
}

void nv_rpc_stream_finish(nv_rpc_stream_t *stream, const nv_error_t *status)
{
    pthread_mutex_lock(&stream->lock);
    if (!stream->finishing && !stream->closed) {
        stream->finishing = true;
        if (status)
            stream->status = *status;
        kick_locked(stream);
    }
    pthread_mutex_unlock(&stream->lock);
}

void nv_rpc_stream_abort(nv_rpc_stream_t *stream, nv_code_t code, const char *message)
{
    pthread_mutex_lock(&stream->lock);
    if (!stream->closed && stream->call) {
        if (!stream->finishing)
            nv_fail(&stream->status, code, "%s", message);
        stream->finishing = true;
        drop_queue(stream);
        /* On a server this sends the status even when flow control holds back a message. */
        grpc_call_cancel_with_status(stream->call, (grpc_status_code)code, message, NULL);
    }
    pthread_mutex_unlock(&stream->lock);
}

void nv_rpc_stream_pause(nv_rpc_stream_t *stream)
{
    pthread_mutex_lock(&stream->lock);
    stream->paused = true;
    pthread_mutex_unlock(&stream->lock);
}

void nv_rpc_stream_resume(nv_rpc_stream_t *stream)
{
    pthread_mutex_lock(&stream->lock);
    stream->paused = false;
    kick_locked(stream);
    pthread_mutex_unlock(&stream->lock);
}

bool nv_rpc_stream_over(const nv_rpc_stream_t *stream)
{
    nv_rpc_stream_t *s = (nv_rpc_stream_t *)(uintptr_t)stream;
    pthread_mutex_lock(&s->lock);
    bool over = s->closed || s->finishing;
    pthread_mutex_unlock(&s->lock);
    return over;
}

const nv_cert_info_t *nv_rpc_stream_peer(const nv_rpc_stream_t *stream)
{
    return &stream->peer;
}

const char *nv_rpc_stream_method(const nv_rpc_stream_t *stream)
{
    return stream->method;
}

int64_t nv_rpc_stream_deadline_ms(const nv_rpc_stream_t *stream)
{
    return stream->deadline_ms;
}

/* ---- birth ---- */

nv_rpc_stream_t *nv_rpc_stream_make(bool server, const nv_rpc_limits_t *limits)
{
    nv_rpc_stream_t *stream = NV_NEW(NULL, nv_rpc_stream_t);
    stream->server = server;
    stream->limits = *limits;
    stream->deadline_ms = INT64_MAX;
    atomic_init(&stream->refs, 1);
    pthread_mutex_init(&stream->lock, NULL);
    grpc_metadata_array_init(&stream->initial);
    grpc_metadata_array_init(&stream->trailing);
    stream->end_details = grpc_empty_slice();
    stream->on_receive = (nv_rpc_tag_t){received, stream};
    stream->on_send = (nv_rpc_tag_t){sent, stream};
    stream->on_initial = (nv_rpc_tag_t){step_done, stream};
    stream->on_receive_initial = (nv_rpc_tag_t){step_done, stream};
    stream->on_end = (nv_rpc_tag_t){ended, stream};
    stream->on_finish = (nv_rpc_tag_t){step_done, stream};
    stream->on_kick = (nv_rpc_tag_t){kicked, stream};
    return stream;
}

static void post_end_watch(nv_rpc_stream_t *stream)
{
    grpc_op op = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER};
    if (stream->server) {
        op.data.recv_close_on_server.cancelled = &stream->cancelled;
    } else {
        op.op = GRPC_OP_RECV_STATUS_ON_CLIENT;
        op.data.recv_status_on_client.trailing_metadata = &stream->trailing;
        op.data.recv_status_on_client.status = &stream->end_code;
        op.data.recv_status_on_client.status_details = &stream->end_details;
    }
    post(stream, op, &stream->on_end);
}

/* On the queue thread, by the first kick: so that no completion can overtake the setup. */
static void open_call(nv_rpc_stream_t *stream)
{
    stream->opened = true;
    post_end_watch(stream);
    post(stream, (grpc_op){.op = GRPC_OP_SEND_INITIAL_METADATA}, &stream->on_initial);
    if (stream->server)
        return;
    grpc_op op = {.op = GRPC_OP_RECV_INITIAL_METADATA};
    op.data.recv_initial_metadata.recv_initial_metadata = &stream->initial;
    post(stream, op, &stream->on_receive_initial);
}

void nv_rpc_stream_start(nv_rpc_stream_t *stream, grpc_call *call)
{
    pthread_mutex_lock(&stream->lock);
    stream->call = call;
    kick_locked(stream);
    pthread_mutex_unlock(&stream->lock);
}
