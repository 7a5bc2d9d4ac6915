#include "common/rpc/server_internal.h"

#include <errno.h>
#include <grpc/grpc_security.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* ---- making ---- */

static void copy_config(nv_rpc_server_t *server, const nv_rpc_server_config_t *config)
{
    server->config = *config;
    server->config.listen = nv_strdup(server, config->listen);
    server->limits = nv_rpc_limits_or_default(&config->limits);
    if (config->queue_threads <= 0)
        server->config.queue_threads = 2;
    if (server->config.queue_threads > NV_RPC_MAX_QUEUES)
        server->config.queue_threads = NV_RPC_MAX_QUEUES;
    if (config->pool_threads <= 0)
        server->config.pool_threads = 4;
    if (config->max_streams <= 0)
        server->config.max_streams = 256;
    if (config->reload_interval_ms <= 0)
        server->config.reload_interval_ms = 1000;
}

bool nv_rpc_server_new(const nv_rpc_server_config_t *config, nv_rpc_server_t **out, nv_error_t *err)
{
    nv_rpc_tls_t *tls;
    if (!nv_rpc_tls_new(&config->tls, &tls, err))
        return false;
    nv_rpc_server_t *server = NV_NEW(NULL, nv_rpc_server_t);
    copy_config(server, config);
    server->tls = tls;
    server->health = nv_rpc_health_new();
    pthread_mutex_init(&server->lock, NULL);
    pthread_cond_init(&server->changed, NULL);
    nv_rpc_health_register(server);
    if (config->reflection && !nv_rpc_reflection_register(server, err)) {
        nv_rpc_server_free(server);
        return false;
    }
    *out = server;
    return true;
}

void nv_rpc_server_add(nv_rpc_server_t *server, const nv_rpc_method_t *method)
{
    if (server->started || server->n_methods == NV_RPC_MAX_METHODS)
        __builtin_trap(); /* a programming error, not an input */
    server->methods[server->n_methods++] = *method;
}

void nv_rpc_server_add_all(nv_rpc_server_t *server, void *service, const nv_rpc_method_t *methods, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        nv_rpc_method_t method = methods[i];
        method.service = service;
        nv_rpc_server_add(server, &method);
    }
}

void nv_rpc_server_set_health(nv_rpc_server_t *server, const char *service, bool serving)
{
    nv_rpc_health_set(server->health, service, serving);
}

int nv_rpc_server_port(const nv_rpc_server_t *server)
{
    return server->port;
}

/* ---- periodic: certificates and peers ---- */

void nv_rpc_server_recheck_peers(nv_rpc_server_t *server)
{
    int64_t now = (int64_t)time(NULL);
    const nv_rpc_server_config_t *config = &server->config;
    pthread_mutex_lock(&server->lock);
    for (nv_rpc_stream_t *stream = server->streams; stream; stream = stream->next) {
        if (!stream->peer.spiffe[0])
            continue;
        if (stream->peer.not_after < now)
            nv_rpc_stream_abort(stream, NV_UNAUTHENTICATED, "certificate expired");
        else if (config->revoked && config->revoked(config->arg, &stream->peer))
            nv_rpc_stream_abort(stream, NV_UNAUTHENTICATED, "certificate revoked");
    }
    pthread_mutex_unlock(&server->lock);
}

static void reload_once(nv_rpc_server_t *server, char last[NV_ERROR_TEXT_MAX])
{
    nv_error_t err = NV_ERROR_INIT;
    bool changed;
    if (!nv_rpc_tls_reload(server->tls, &changed, &err)) {
        if (strcmp(last, err.message) != 0) /* once per reason, not once per second */
            nv_log(server->config.log, NV_ERROR, "rpc", "keeping the old certificate", "reason", err.message,
                   NULL);
        memcpy(last, err.message, NV_ERROR_TEXT_MAX);
    } else if (changed) {
        nv_cert_info_t info = nv_rpc_tls_identity(server->tls);
        nv_log(server->config.log, NV_INFO, "rpc", "certificate reloaded", "serial", info.serial, NULL);
        last[0] = '\0';
    }
    nv_rpc_server_recheck_peers(server);
}

static struct timespec from_now(int ms)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    int64_t ns = until.tv_nsec + (int64_t)ms * 1000000;
    until.tv_sec += ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    return until;
}

static void *reload_loop(void *arg)
{
    nv_rpc_server_t *server = arg;
    char last[NV_ERROR_TEXT_MAX] = "";
    struct timespec until = from_now(server->config.reload_interval_ms);
    pthread_mutex_lock(&server->lock);
    while (!server->reload_stop) {
        if (pthread_cond_timedwait(&server->changed, &server->lock, &until) != ETIMEDOUT)
            continue;
        pthread_mutex_unlock(&server->lock);
        reload_once(server, last);
        until = from_now(server->config.reload_interval_ms);
        pthread_mutex_lock(&server->lock);
    }
    pthread_mutex_unlock(&server->lock);
    return NULL;
}

/* ---- starting ---- */

static grpc_arg integer(const char *key, int value)
{
    return (grpc_arg){.type = GRPC_ARG_INTEGER, .key = (char *)(uintptr_t)key, .value.integer = value};
}

static grpc_server *make_core_server(const nv_rpc_server_t *server)
{
    const nv_rpc_limits_t *limits = &server->limits;
    grpc_arg args[] = {
        integer(GRPC_ARG_ALLOW_REUSEPORT, 0), /* a second process on the port must fail, not share it */
        integer(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, (int)limits->max_message_bytes),
        integer(GRPC_ARG_MAX_SEND_MESSAGE_LENGTH, (int)limits->max_message_bytes),
        integer(GRPC_ARG_MAX_CONCURRENT_STREAMS, server->config.max_streams),
        integer(GRPC_ARG_MAX_METADATA_SIZE, 16384),
        integer(GRPC_ARG_HTTP2_BDP_PROBE, 0), /* else 4 MB per unread stream are accepted */
        integer(GRPC_ARG_KEEPALIVE_TIME_MS, limits->keepalive_ms),
        integer(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, limits->keepalive_timeout_ms),
        integer(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1),
        integer(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0),
        integer(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, limits->keepalive_ms / 2),
    };
    grpc_channel_args all = {sizeof args / sizeof *args, args};
    return grpc_server_create(&all, NULL);
}

static bool bind_port(nv_rpc_server_t *server, nv_error_t *err)
{
    grpc_server_credentials *credentials = nv_rpc_tls_server_credentials(server->tls);
    server->port = grpc_server_add_http2_port(server->server, server->config.listen, credentials);
    grpc_server_credentials_release(credentials);
    if (server->port > 0)
        return true;
    return nv_fail(err, NV_FAILED_PRECONDITION,
                   "listening on %s: cannot bind: the port is in use, or the address is not this machine's",
                   server->config.listen);
}

static void make_queues(nv_rpc_server_t *server)
{
    size_t n = (size_t)server->config.queue_threads;
    server->queues = NV_NEW_ARRAY(server, nv_rpc_queue_t, n);
    for (size_t i = 0; i < n; i++) {
        server->queues[i].queue = grpc_completion_queue_create_for_next(NULL);
        grpc_server_register_completion_queue(server->server, server->queues[i].queue, NULL);
    }
    server->n_queues = n;
}

static void start_threads(nv_rpc_server_t *server)
{
    for (size_t i = 0; i < server->n_queues; i++) {
        nv_rpc_queue_t *queue = &server->queues[i];
        for (size_t r = 0; r < NV_RPC_OUTSTANDING; r++) {
            queue->requests[r].server = server;
            queue->requests[r].queue = queue->queue;
            nv_rpc_request_call(&queue->requests[r]);
        }
        if (pthread_create(&queue->thread, NULL, nv_rpc_run_queue, queue->queue) != 0)
            __builtin_trap();
    }
    if (pthread_create(&server->reload_thread, NULL, reload_loop, server) != 0)
        __builtin_trap();
}

bool nv_rpc_server_start(nv_rpc_server_t *server, nv_error_t *err)
{
    server->pool = nv_workpool_new((size_t)server->config.pool_threads, 256, err);
    if (!server->pool)
        return false;
    grpc_init();
    server->server = make_core_server(server);
    if (!bind_port(server, err)) {
        grpc_server_destroy(server->server); /* never started, so nothing to shut down */
        server->server = NULL;
        grpc_shutdown_blocking();
        return false;
    }
    make_queues(server);
    grpc_server_start(server->server);
    server->started = true;
    start_threads(server);
    nv_rpc_health_set(server->health, "", true);
    return true;
}

/* ---- stopping ---- */

static void shut_down(void *owner, bool ok)
{
    nv_rpc_server_t *server = owner;
    (void)ok;
    pthread_mutex_lock(&server->lock);
    server->shut_down = true;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
}

static bool wait_drained(nv_rpc_server_t *server, int64_t until_ms)
{
    pthread_mutex_lock(&server->lock);
    while ((server->n_streams > 0 || !server->shut_down) && nv_rpc_now_ms() < until_ms) {
        struct timespec until = from_now(20);
        pthread_cond_timedwait(&server->changed, &server->lock, &until);
    }
    bool drained = server->n_streams == 0 && server->shut_down;
    pthread_mutex_unlock(&server->lock);
    return drained;
}

static void stop_reload(nv_rpc_server_t *server)
{
    pthread_mutex_lock(&server->lock);
    server->reload_stop = true;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
    pthread_join(server->reload_thread, NULL);
}

static void join_queues(nv_rpc_server_t *server)
{
    for (size_t i = 0; i < server->n_queues; i++) {
        grpc_completion_queue_shutdown(server->queues[i].queue);
        pthread_join(server->queues[i].thread, NULL);
        grpc_completion_queue_destroy(server->queues[i].queue);
    }
    server->n_queues = 0;
}

/* Streams do not end by themselves; unary calls do. */
static void finish_streams(nv_rpc_server_t *server)
{
    nv_error_t stopping = NV_ERROR_INIT;
    nv_fail(&stopping, NV_UNAVAILABLE, "the server is stopping");
    pthread_mutex_lock(&server->lock);
    for (nv_rpc_stream_t *stream = server->streams; stream; stream = stream->next)
        if (stream->ops != &nv_rpc_unary_ops)
            nv_rpc_stream_finish(stream, &stopping);
    pthread_mutex_unlock(&server->lock);
}

void nv_rpc_server_stop(nv_rpc_server_t *server, int grace_ms)
{
    if (!server->started || atomic_exchange(&server->stopping, true))
        return;
    nv_rpc_health_stop(server->health);
    stop_reload(server);
    finish_streams(server);
    server->on_shutdown = (nv_rpc_tag_t){shut_down, server};
    NV_RPC_HAND_OVER(&server->on_shutdown);
    grpc_server_shutdown_and_notify(server->server, server->queues[0].queue, &server->on_shutdown);
    if (!wait_drained(server, nv_rpc_now_ms() + grace_ms)) {
        grpc_server_cancel_all_calls(server->server);
        wait_drained(server, INT64_MAX);
    }
    nv_workpool_stop(server->pool);
    grpc_server_destroy(server->server);
    server->server = NULL;
    join_queues(server);
    grpc_shutdown_blocking();
    server->started = false;
}

void nv_rpc_server_free(nv_rpc_server_t *server)
{
    if (!server)
        return;
    nv_rpc_server_stop(server, 0);
    nv_workpool_free(server->pool);
    nv_rpc_health_free(server->health);
    nv_rpc_tls_free(server->tls);
    pthread_cond_destroy(&server->changed);
    pthread_mutex_destroy(&server->lock);
    nv_mem_free(server);
}
