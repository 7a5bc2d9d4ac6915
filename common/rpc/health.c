/* grpc.health.v1.Health. Watchers are told the current state at once and then each change; a slow one only gets the
 * latest, because a state is queued only when the one before was sent. */
#include "common/rpc/server_internal.h"
#include "nuvyn/health.pb-c.h"

#include <stdio.h>
#include <string.h>

typedef NvHealth__HealthCheckResponse__ServingStatus status_t;
#define SERVING NV_HEALTH__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
#define NOT_SERVING NV_HEALTH__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING
#define SERVICE_UNKNOWN NV_HEALTH__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN

enum { MAX_SERVICES = 32, SERVICE_NAME_MAX = 128 };

typedef struct watcher {
    struct watcher *prev, *next;
    nv_rpc_health_t *health;
    nv_rpc_stream_t *stream;
    char service[SERVICE_NAME_MAX];
    bool asked;
    bool told, in_flight;
    status_t last;
} watcher_t;

struct nv_rpc_health {
    pthread_mutex_t lock;
    struct {
        char name[SERVICE_NAME_MAX];
        bool serving;
    } services[MAX_SERVICES];
    size_t n;
    bool stopped;
    watcher_t *watchers;
};

nv_rpc_health_t *nv_rpc_health_new(void)
{
    nv_rpc_health_t *health = NV_NEW(NULL, nv_rpc_health_t);
    pthread_mutex_init(&health->lock, NULL);
    return health;
}

void nv_rpc_health_free(nv_rpc_health_t *health)
{
    if (!health)
        return;
    pthread_mutex_destroy(&health->lock);
    nv_mem_free(health);
}

static status_t state_locked(const nv_rpc_health_t *health, const char *service)
{
    for (size_t i = 0; i < health->n; i++)
        if (strcmp(health->services[i].name, service) == 0)
            return health->services[i].serving && !health->stopped ? SERVING : NOT_SERVING;
    return SERVICE_UNKNOWN;
}

/* Sends the state when it differs from what the watcher knows and the last one has left. */
static void tell_locked(watcher_t *watcher)
{
    status_t now = state_locked(watcher->health, watcher->service);
    if (!watcher->asked || watcher->in_flight || (watcher->told && now == watcher->last))
        return;
    NvHealth__HealthCheckResponse reply = NV_HEALTH__HEALTH_CHECK_RESPONSE__INIT;
    nv_error_t err = NV_ERROR_INIT;
    reply.status = now;
    watcher->in_flight = nv_rpc_stream_send(watcher->stream, &reply.base, &err);
    watcher->told = true;
    watcher->last = now;
}

static void tell_all_locked(nv_rpc_health_t *health)
{
    for (watcher_t *watcher = health->watchers; watcher; watcher = watcher->next)
        tell_locked(watcher);
}

static void set_locked(nv_rpc_health_t *health, const char *service, bool serving)
{
    size_t i = 0;
    while (i < health->n && strcmp(health->services[i].name, service) != 0)
        i++;
    if (i == MAX_SERVICES || strlen(service) >= SERVICE_NAME_MAX)
        return;
    if (i == health->n)
        snprintf(health->services[health->n++].name, SERVICE_NAME_MAX, "%s", service);
    health->services[i].serving = serving;
    tell_all_locked(health);
}

void nv_rpc_health_set(nv_rpc_health_t *health, const char *service, bool serving)
{
    pthread_mutex_lock(&health->lock);
    set_locked(health, service, serving);
    pthread_mutex_unlock(&health->lock);
}

void nv_rpc_health_stop(nv_rpc_health_t *health)
{
    pthread_mutex_lock(&health->lock);
    health->stopped = true;
    tell_all_locked(health);
    pthread_mutex_unlock(&health->lock);
}

static bool check(void *service, const nv_rpc_call_t *call, nv_mem_t *ctx, const ProtobufCMessage *request,
                  ProtobufCMessage **reply, nv_error_t *err)
{
    nv_rpc_health_t *health = service;
    const NvHealth__HealthCheckRequest *asked = (const NvHealth__HealthCheckRequest *)request;
    NvHealth__HealthCheckResponse *out = NV_NEW(ctx, NvHealth__HealthCheckResponse);
    (void)call;
    nv_health__health_check_response__init(out);
    pthread_mutex_lock(&health->lock);
    out->status = state_locked(health, asked->service);
    pthread_mutex_unlock(&health->lock);
    if (out->status == SERVICE_UNKNOWN)
        return nv_fail(err, NV_NOT_FOUND, "service \"%.100s\": unknown", asked->service);
    *reply = &out->base;
    return true;
}

static bool watch_open(void *service, nv_rpc_stream_t *stream, void **user, nv_error_t *err)
{
    nv_rpc_health_t *health = service;
    watcher_t *watcher = NV_NEW(NULL, watcher_t);
    (void)err;
    *user = watcher;
    watcher->health = health;
    watcher->stream = stream;
    pthread_mutex_lock(&health->lock);
    watcher->next = health->watchers;
    if (watcher->next)
        watcher->next->prev = watcher;
    health->watchers = watcher;
    pthread_mutex_unlock(&health->lock);
    return true;
}

static void watch_asked(nv_rpc_stream_t *stream, void *user, nv_mem_t *ctx, ProtobufCMessage *message)
{
    watcher_t *watcher = user;
    const NvHealth__HealthCheckRequest *asked = (const NvHealth__HealthCheckRequest *)message;
    nv_error_t err = NV_ERROR_INIT;
    if (strlen(asked->service) >= SERVICE_NAME_MAX) {
        nv_fail(&err, NV_INVALID_ARGUMENT, "service: expected a name of at most %d bytes",
                SERVICE_NAME_MAX - 1);
        nv_rpc_stream_finish(stream, &err);
    } else {
        pthread_mutex_lock(&watcher->health->lock);
        snprintf(watcher->service, sizeof watcher->service, "%s", asked->service);
        watcher->asked = true;
        tell_locked(watcher);
        pthread_mutex_unlock(&watcher->health->lock);
    }
    nv_mem_free(ctx);
}

static void watch_writable(nv_rpc_stream_t *stream, void *user)
{
    watcher_t *watcher = user;
    (void)stream;
    pthread_mutex_lock(&watcher->health->lock);
    watcher->in_flight = false;
    tell_locked(watcher);
    pthread_mutex_unlock(&watcher->health->lock);
}

static void watch_closed(nv_rpc_stream_t *stream, void *user, const nv_error_t *status)
{
    watcher_t *watcher = user;
    nv_rpc_health_t *health = watcher->health;
    (void)stream;
    (void)status;
    pthread_mutex_lock(&health->lock);
    if (watcher->prev)
        watcher->prev->next = watcher->next;
    else
        health->watchers = watcher->next;
    if (watcher->next)
        watcher->next->prev = watcher->prev;
    pthread_mutex_unlock(&health->lock);
    nv_mem_free(watcher);
}

void nv_rpc_health_register(nv_rpc_server_t *server)
{
    static const nv_rpc_stream_ops_t watch_ops = {
        .message = watch_asked, .writable = watch_writable, .closed = watch_closed};
    nv_rpc_method_t method = {.path = "/grpc.health.v1.Health/Check",
                              .kind = NV_RPC_UNARY,
                              .input = &nv_health__health_check_request__descriptor,
                              .output = &nv_health__health_check_response__descriptor,
                              .unary = check,
                              .service = server->health};
    nv_rpc_server_add(server, &method);
    method = (nv_rpc_method_t){.path = "/grpc.health.v1.Health/Watch",
                               .kind = NV_RPC_SERVER_STREAM,
                               .input = &nv_health__health_check_request__descriptor,
                               .output = &nv_health__health_check_response__descriptor,
                               .open = watch_open,
                               .ops = &watch_ops,
                               .service = server->health};
    nv_rpc_server_add(server, &method);
}
