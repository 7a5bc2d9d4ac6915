#include "common/rpc/client.h"

#include "common/rpc/stream.h"
#include "common/rpc/tls.h"

#include <grpc/support/alloc.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct target {
    char *address;
    grpc_channel *channel;
} target_t;

struct nv_rpc_client {
    nv_rpc_tls_t *tls;
    nv_rpc_limits_t limits;
    char *address; /* as configured, for errors */
    nv_cert_info_t identity;
    nv_identity_kind_t expect;
    pthread_mutex_t lock; /* of the channels, at and checked_ms */
    target_t targets[NV_RPC_ADDRESSES_MAX];
    size_t n_targets, at;
    int64_t checked_ms;           /* when the certificate files were looked at */
    grpc_completion_queue *queue; /* of the bidirectional streams */
    pthread_t thread;
};

/* A blocking call, alone on its own queue. Only `call` is touched by another thread (cancel). */
struct nv_rpc_reader {
    nv_rpc_client_t *client;
    const ProtobufCMessageDescriptor *output;
    grpc_completion_queue *queue;
    grpc_call *call;
    grpc_byte_buffer *request, *received;
    grpc_metadata_array initial, trailing;
    grpc_status_code code;
    grpc_slice details;
    const char *error_string;
    unsigned pending;
    bool status_known;
    char method[160];
};

enum { RECHECK_MS = 1000, CONNECT_MS = 2000, POLL_US = 5000 };
enum { TAG_SEND = 1, TAG_INITIAL, TAG_RECEIVE, TAG_STATUS };

/* ---- the channel ---- */

static grpc_arg integer(const char *key, int value)
{
    return (grpc_arg){.type = GRPC_ARG_INTEGER, .key = (char *)(uintptr_t)key, .value.integer = value};
}

static grpc_channel *make_channel(nv_rpc_client_t *client, const char *address)
{
    const nv_rpc_limits_t *limits = &client->limits;
    grpc_arg args[] = {
        integer(GRPC_ARG_ENABLE_RETRIES, 0), /* would keep 256 KiB per call for replay; we retry above */
        integer(GRPC_ARG_ENABLE_HTTP_PROXY, 0),
        integer(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1),
        integer(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1),
        integer(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100),
        integer(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 5000), /* also the time a connection attempt may take */
        integer(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 5000),
        integer(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, (int)limits->max_message_bytes),
        integer(GRPC_ARG_MAX_SEND_MESSAGE_LENGTH, (int)limits->max_message_bytes),
        integer(GRPC_ARG_MAX_METADATA_SIZE, 16384),
        integer(GRPC_ARG_HTTP2_BDP_PROBE, 0),
        integer(GRPC_ARG_KEEPALIVE_TIME_MS, limits->keepalive_ms),
        integer(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, limits->keepalive_timeout_ms),
        integer(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0),
    };
    grpc_channel_args all = {sizeof args / sizeof *args, args};
    grpc_channel_credentials *credentials = nv_rpc_tls_channel_credentials(client->tls, client->expect);
    grpc_channel *channel = grpc_channel_create(address, credentials, &all);
    grpc_channel_credentials_release(credentials);
    return channel;
}

/* "a:1, b:2": each without its blanks. */
static bool split_addresses(nv_rpc_client_t *client, nv_error_t *err)
{
    for (const char *at = client->address; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
        at += strspn(at, " ");
        size_t length = strcspn(at, ", ");
        if (length == 0)
            return nv_fail(err, NV_INVALID_ARGUMENT, "address \"%.200s\": expected HOST:PORT[,HOST:PORT…]",
                           client->address);
        if (client->n_targets == NV_RPC_ADDRESSES_MAX)
            return nv_fail(err, NV_INVALID_ARGUMENT, "address: more than %d", NV_RPC_ADDRESSES_MAX);
        client->targets[client->n_targets++].address = nv_strndup(client, at, length);
    }
    return true;
}

bool nv_rpc_client_new(const nv_rpc_client_config_t *config, nv_rpc_client_t **out, nv_error_t *err)
{
    nv_rpc_tls_t *tls;
    nv_rpc_client_t *client = NV_NEW(NULL, nv_rpc_client_t);
    client->address = nv_strdup(client, config->address);
    if (!split_addresses(client, err) || !nv_rpc_tls_new(&config->tls, &tls, err)) {
        nv_mem_free(client);
        return false;
    }
    grpc_init();
    client->tls = tls;
    client->identity = nv_rpc_tls_identity(tls);
    client->limits = nv_rpc_limits_or_default(&config->limits);
    client->expect = config->expect;
    client->checked_ms = nv_rpc_now_ms();
    pthread_mutex_init(&client->lock, NULL);
    for (size_t i = 0; i < client->n_targets; i++)
        client->targets[i].channel = make_channel(client, client->targets[i].address);
    client->queue = grpc_completion_queue_create_for_next(NULL);
    if (pthread_create(&client->thread, NULL, nv_rpc_run_queue, client->queue) != 0)
        __builtin_trap();
    *out = client;
    return true;
}

void nv_rpc_client_free(nv_rpc_client_t *client)
{
    if (!client)
        return;
    grpc_completion_queue_shutdown(client->queue);
    pthread_join(client->thread, NULL);
    grpc_completion_queue_destroy(client->queue);
    for (size_t i = 0; i < client->n_targets; i++)
        grpc_channel_destroy(client->targets[i].channel);
    pthread_mutex_destroy(&client->lock);
    nv_rpc_tls_free(client->tls);
    nv_mem_free(client);
    grpc_shutdown_blocking();
}

/* A rotated certificate needs a new channel; calls under way keep the old one alive. A bad new certificate is ignored: the
 * old one serves until it expires, and then the server says so. */
static void refresh_locked(nv_rpc_client_t *client)
{
    nv_error_t err = NV_ERROR_INIT;
    bool changed = false;
    int64_t now = nv_rpc_now_ms();
    if (now - client->checked_ms < RECHECK_MS)
        return;
    client->checked_ms = now;
    if (!nv_rpc_tls_reload(client->tls, &changed, &err) || !changed)
        return;
    for (size_t i = 0; i < client->n_targets; i++) {
        grpc_channel_destroy(client->targets[i].channel);
        client->targets[i].channel = make_channel(client, client->targets[i].address);
    }
}

/* True when one is connected; each of the others is told to try. */
static bool find_ready(nv_rpc_client_t *client)
{
    for (size_t i = 0; i < client->n_targets; i++) {
        size_t at = (client->at + i) % client->n_targets;
        if (grpc_channel_check_connectivity_state(client->targets[at].channel, 1) == GRPC_CHANNEL_READY) {
            client->at = at;
            return true;
        }
    }
    return false;
}

/* Among several, only a connected one gets the call, so that no call has to be sent again. Where none answers in time, the
 * call itself tells why. */
static grpc_channel *choose_locked(nv_rpc_client_t *client)
{
    int64_t until = nv_rpc_now_ms() + CONNECT_MS;
    while (client->n_targets > 1 && !find_ready(client) && nv_rpc_now_ms() < until)
        usleep(POLL_US);
    return client->targets[client->at].channel;
}

static grpc_call *make_call(nv_rpc_client_t *client, grpc_completion_queue *queue, const char *method,
                            int timeout_ms)
{
    grpc_slice path = grpc_slice_from_copied_string(method);
    pthread_mutex_lock(&client->lock);
    refresh_locked(client);
    grpc_call *call = grpc_channel_create_call(choose_locked(client), NULL, GRPC_PROPAGATE_DEFAULTS, queue,
                                               path, NULL, nv_rpc_deadline(timeout_ms), NULL);
    pthread_mutex_unlock(&client->lock);
    grpc_slice_unref(path);
    return call;
}

/* ---- blocking calls ---- */

static void post(nv_rpc_reader_t *reader, const grpc_op *ops, size_t n, intptr_t tag)
{
    /* Only a misuse of the API makes this fail; the operations and their order are fixed. */
    if (grpc_call_start_batch(reader->call, ops, n, (void *)tag, NULL) != GRPC_CALL_OK)
        __builtin_trap();
    reader->pending++;
}

static void start(nv_rpc_reader_t *reader)
{
    grpc_op out[3] = {{.op = GRPC_OP_SEND_INITIAL_METADATA},
                      {.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = reader->request},
                      {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT}};
    post(reader, out, 3, TAG_SEND);
    grpc_op in = {.op = GRPC_OP_RECV_INITIAL_METADATA};
    in.data.recv_initial_metadata.recv_initial_metadata = &reader->initial;
    post(reader, &in, 1, TAG_INITIAL);
    grpc_op end = {.op = GRPC_OP_RECV_STATUS_ON_CLIENT};
    end.data.recv_status_on_client.trailing_metadata = &reader->trailing;
    end.data.recv_status_on_client.status = &reader->code;
    end.data.recv_status_on_client.status_details = &reader->details;
    end.data.recv_status_on_client.error_string = &reader->error_string;
    post(reader, &end, 1, TAG_STATUS);
}

/* Takes one event; false when none is outstanding. */
static bool take_event(nv_rpc_reader_t *reader, intptr_t *tag)
{
    if (reader->pending == 0)
        return false;
    grpc_event event = grpc_completion_queue_next(reader->queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
    reader->pending--;
    *tag = (intptr_t)event.tag;
    if (*tag == TAG_STATUS)
        reader->status_known = true;
    return true;
}

bool nv_rpc_client_open(nv_rpc_client_t *client, const char *method, const ProtobufCMessage *request,
                        const ProtobufCMessageDescriptor *output, int timeout_ms, nv_rpc_reader_t **out,
                        nv_error_t *err)
{
    grpc_byte_buffer *packed;
    if (!nv_rpc_pack(request, client->limits.max_message_bytes, &packed, err))
        return nv_wrap(err, "%s", method);
    nv_rpc_reader_t *reader = NV_NEW(NULL, nv_rpc_reader_t);
    reader->client = client;
    reader->output = output;
    reader->request = packed;
    reader->details = grpc_empty_slice();
    snprintf(reader->method, sizeof reader->method, "%s", method);
    grpc_metadata_array_init(&reader->initial);
    grpc_metadata_array_init(&reader->trailing);
    reader->queue = grpc_completion_queue_create_for_next(NULL);
    reader->call = make_call(client, reader->queue, method, timeout_ms);
    start(reader);
    *out = reader;
    return true;
}

static bool end_status(nv_rpc_reader_t *reader, nv_error_t *err)
{
    intptr_t tag;
    while (!reader->status_known && take_event(reader, &tag))
        continue;
    if (nv_rpc_status(reader->code, reader->details, err))
        return true;
    if (err->code == NV_UNAVAILABLE || err->code == NV_UNAUTHENTICATED)
        return nv_wrap(err, "control plane at %.300s", reader->client->address);
    return false;
}

bool nv_rpc_reader_next(nv_rpc_reader_t *reader, nv_mem_t *ctx, ProtobufCMessage **out, nv_error_t *err)
{
    *out = NULL;
    if (reader->status_known)
        return end_status(reader, err);
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &reader->received};
    post(reader, &op, 1, TAG_RECEIVE);
    intptr_t tag = 0;
    while (tag != TAG_RECEIVE && take_event(reader, &tag))
        continue;
    if (!reader->received)
        return end_status(reader, err);
    bool ok = nv_rpc_unpack(ctx, reader->output, reader->received, reader->client->limits.max_message_bytes,
                            out, err);
    grpc_byte_buffer_destroy(reader->received);
    reader->received = NULL;
    return ok ? true : nv_wrap(err, "%s", reader->method);
}

void nv_rpc_reader_cancel(nv_rpc_reader_t *reader)
{
    grpc_call_cancel(reader->call, NULL);
}

void nv_rpc_reader_free(nv_rpc_reader_t *reader)
{
    intptr_t tag;
    if (!reader)
        return;
    if (!reader->status_known)
        grpc_call_cancel(reader->call, NULL);
    while (take_event(reader, &tag))
        continue;
    if (reader->received)
        grpc_byte_buffer_destroy(reader->received);
    grpc_byte_buffer_destroy(reader->request);
    grpc_metadata_array_destroy(&reader->initial);
    grpc_metadata_array_destroy(&reader->trailing);
    grpc_slice_unref(reader->details);
    gpr_free((void *)(uintptr_t)reader->error_string);
    grpc_call_unref(reader->call);
    grpc_completion_queue_shutdown(reader->queue);
    while (grpc_completion_queue_next(reader->queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL).type !=
           GRPC_QUEUE_SHUTDOWN)
        continue;
    grpc_completion_queue_destroy(reader->queue);
    nv_mem_free(reader);
}

bool nv_rpc_client_call(nv_rpc_client_t *client, const char *method, const ProtobufCMessage *request,
                        const ProtobufCMessageDescriptor *output, int timeout_ms, nv_mem_t *ctx,
                        ProtobufCMessage **reply, nv_error_t *err)
{
    nv_rpc_reader_t *reader;
    if (!nv_rpc_client_open(client, method, request, output, timeout_ms, &reader, err))
        return false;
    bool ok = nv_rpc_reader_next(reader, ctx, reply, err);
    if (ok && !*reply)
        ok = nv_fail(err, NV_INTERNAL, "%s: the server sent no answer", method);
    else if (ok)
        ok = end_status(reader, err);
    nv_rpc_reader_free(reader);
    return ok;
}

/* ---- streams with callbacks ---- */

bool nv_rpc_client_stream(nv_rpc_client_t *client, const char *method,
                          const ProtobufCMessageDescriptor *input, const nv_rpc_stream_ops_t *ops, void *user,
                          nv_rpc_stream_t **out, nv_error_t *err)
{
    nv_rpc_stream_t *stream = nv_rpc_stream_make(false, &client->limits);
    stream->input = input;
    stream->ops = ops;
    stream->user = user;
    snprintf(stream->method, sizeof stream->method, "%s", method);
    grpc_call *call = make_call(client, client->queue, method, -1);
    if (!call) {
        nv_rpc_stream_unref(stream);
        return nv_fail(err, NV_UNAVAILABLE, "%s: cannot begin a call", method);
    }
    *out = nv_rpc_stream_ref(stream);
    nv_rpc_stream_start(stream, call);
    return true;
}
