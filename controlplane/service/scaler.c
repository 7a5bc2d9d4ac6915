/* KEDA's external scaler: how many workers a pool should have.
 *
 * The metric is the tasks that wait or run, the target is what one worker does at once; KEDA divides. Tasks that run count,
 * too, so that busy workers are not taken away. Who streams is told each change, looked at by cp_scaler_tick().
 */
#include "controlplane/service/service.h"
#include "controlplane/store/tenants.h"
#include "nuvyn/externalscaler.pb-c.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS_DEFAULT = 4, SLOTS_MAX = 1024, STREAMS_MAX = 1000 };

static char metric_name[] = "nuvyn-tasks";

typedef struct streamer {
    struct streamer *prev, *next;
    struct cp_scaler *scaler;
    nv_rpc_stream_t *stream;
    char pool[NV_IDENTITY_NAME_MAX + 1];
    bool told, active;
} streamer_t;

struct cp_scaler {
    cp_service_t *service;
    pthread_mutex_t lock;
    streamer_t *streams;
    size_t n;
};

static const char *metadata(const Keda__ScaledObjectRef *ref, const char *key)
{
    for (size_t i = 0; ref && i < ref->n_scalermetadata; i++)
        if (strcmp(ref->scalermetadata[i]->key, key) == 0)
            return ref->scalermetadata[i]->value;
    return "";
}

static bool slots_of(const Keda__ScaledObjectRef *ref, int64_t *out, nv_error_t *err)
{
    const char *text = metadata(ref, "slots");
    char *end;
    *out = SLOTS_DEFAULT;
    if (!*text)
        return true;
    errno = 0;
    *out = strtol(text, &end, 10);
    return (!*end && errno == 0 && *out >= 1 && *out <= SLOTS_MAX) ||
           nv_fail(err, NV_INVALID_ARGUMENT, "scalerMetadata.slots \"%.40s\": expected 1 to %d", text,
                   SLOTS_MAX);
}

static bool tasks_of(cp_service_t *service, const char *name, int64_t *out, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("scaler");
    Nv__Pool pool = NV__POOL__INIT;
    store_pool_t stored;
    if (!*name)
        return nv_fail(err, NV_INVALID_ARGUMENT, "scalerMetadata.pool: expected a pool's name");
    if (!store_pool_get(service->store, ctx, name, &stored, err))
        return false;
    pool.name = nv_strdup(ctx, name);
    if (!cp_engine_pool_stats(service->engine, &pool, err))
        return false;
    *out = (int64_t)pool.running + pool.backlog;
    return true;
}

static bool is_active(void *arg, const nv_rpc_call_t *call, nv_mem_t *ctx, const ProtobufCMessage *request,
                      ProtobufCMessage **reply, nv_error_t *err)
{
    const struct cp_scaler *scaler = arg;
    int64_t tasks;
    (void)call;
    if (!tasks_of(scaler->service, metadata((const Keda__ScaledObjectRef *)request, "pool"), &tasks, err))
        return false;
    Keda__IsActiveResponse *out = NV_NEW(ctx, Keda__IsActiveResponse);
    keda__is_active_response__init(out);
    out->result = tasks > 0;
    *reply = &out->base;
    return true;
}

static bool metric_spec(void *arg, const nv_rpc_call_t *call, nv_mem_t *ctx, const ProtobufCMessage *request,
                        ProtobufCMessage **reply, nv_error_t *err)
{
    Keda__GetMetricSpecResponse *out = NV_NEW(ctx, Keda__GetMetricSpecResponse);
    Keda__MetricSpec *spec = NV_NEW(ctx, Keda__MetricSpec);
    (void)arg;
    (void)call;
    keda__get_metric_spec_response__init(out);
    keda__metric_spec__init(spec);
    if (!slots_of((const Keda__ScaledObjectRef *)request, &spec->targetsize, err))
        return false;
    spec->metricname = metric_name;
    spec->targetsizefloat = (double)spec->targetsize;
    out->metricspecs = NV_NEW_ARRAY(ctx, Keda__MetricSpec *, 1);
    out->metricspecs[out->n_metricspecs++] = spec;
    *reply = &out->base;
    return true;
}

static bool metrics(void *arg, const nv_rpc_call_t *call, nv_mem_t *ctx, const ProtobufCMessage *request,
                    ProtobufCMessage **reply, nv_error_t *err)
{
    const struct cp_scaler *scaler = arg;
    const Keda__GetMetricsRequest *asked = (const Keda__GetMetricsRequest *)request;
    Keda__GetMetricsResponse *out = NV_NEW(ctx, Keda__GetMetricsResponse);
    Keda__MetricValue *value = NV_NEW(ctx, Keda__MetricValue);
    (void)call;
    keda__get_metrics_response__init(out);
    keda__metric_value__init(value);
    if (*asked->metricname && strcmp(asked->metricname, metric_name) != 0)
        return nv_fail(err, NV_NOT_FOUND, "metric \"%.80s\": expected %s", asked->metricname, metric_name);
    if (!tasks_of(scaler->service, metadata(asked->scaledobjectref, "pool"), &value->metricvalue, err))
        return false;
    value->metricname = metric_name;
    value->metricvaluefloat = (double)value->metricvalue;
    out->metricvalues = NV_NEW_ARRAY(ctx, Keda__MetricValue *, 1);
    out->metricvalues[out->n_metricvalues++] = value;
    *reply = &out->base;
    return true;
}

/* ---- StreamIsActive ---- */

static void tell(streamer_t *streamer)
{
    Keda__IsActiveResponse out = KEDA__IS_ACTIVE_RESPONSE__INIT;
    nv_error_t err = NV_ERROR_INIT;
    int64_t tasks;
    if (!tasks_of(streamer->scaler->service, streamer->pool, &tasks, &err)) {
        nv_rpc_stream_finish(streamer->stream, &err);
        return;
    }
    out.result = tasks > 0;
    if (streamer->told && streamer->active == out.result)
        return;
    streamer->told = nv_rpc_stream_send(streamer->stream, &out.base, &err); /* else again at the next tick */
    streamer->active = out.result;
}

void cp_scaler_tick(cp_scaler_t *scaler)
{
    pthread_mutex_lock(&scaler->lock);
    for (streamer_t *streamer = scaler->streams; streamer; streamer = streamer->next)
        if (*streamer->pool && !nv_rpc_stream_over(streamer->stream))
            tell(streamer);
    pthread_mutex_unlock(&scaler->lock);
}

static bool opened(void *service, nv_rpc_stream_t *stream, void **user, nv_error_t *err)
{
    cp_scaler_t *scaler = service;
    pthread_mutex_lock(&scaler->lock);
    bool room = scaler->n < STREAMS_MAX;
    if (room) {
        streamer_t *streamer = NV_NEW(NULL, streamer_t);
        streamer->scaler = scaler;
        streamer->stream = nv_rpc_stream_ref(stream);
        streamer->next = scaler->streams;
        if (streamer->next)
            streamer->next->prev = streamer;
        scaler->streams = streamer;
        scaler->n++;
        *user = streamer;
    }
    pthread_mutex_unlock(&scaler->lock);
    return room || nv_fail(err, NV_RESOURCE_EXHAUSTED, "more than %d scalers at once", STREAMS_MAX);
}

static void asked_to_stream(nv_rpc_stream_t *stream, void *user, nv_mem_t *ctx, ProtobufCMessage *message)
{
    streamer_t *streamer = user;
    nv_error_t err = NV_ERROR_INIT;
    const char *pool = metadata((const Keda__ScaledObjectRef *)message, "pool");
    if (nv_identity_name_check(pool, "scalerMetadata.pool", &err)) {
        pthread_mutex_lock(&streamer->scaler->lock);
        memcpy(streamer->pool, pool, strlen(pool) + 1); /* told at the next tick */
        pthread_mutex_unlock(&streamer->scaler->lock);
    } else {
        nv_rpc_stream_finish(stream, &err);
    }
    nv_mem_free(ctx);
}

static void closed(nv_rpc_stream_t *stream, void *user, const nv_error_t *status)
{
    streamer_t *streamer = user;
    cp_scaler_t *scaler = streamer->scaler;
    (void)stream;
    (void)status;
    pthread_mutex_lock(&scaler->lock);
    if (streamer->prev)
        streamer->prev->next = streamer->next;
    else
        scaler->streams = streamer->next;
    if (streamer->next)
        streamer->next->prev = streamer->prev;
    scaler->n--;
    pthread_mutex_unlock(&scaler->lock);
    nv_rpc_stream_unref(streamer->stream);
    nv_mem_free(streamer);
}

cp_scaler_t *cp_scaler_new(cp_service_t *service)
{
    cp_scaler_t *scaler = NV_NEW(NULL, cp_scaler_t);
    scaler->service = service;
    pthread_mutex_init(&scaler->lock, NULL);
    return scaler;
}

void cp_scaler_free(cp_scaler_t *scaler)
{
    if (scaler)
        pthread_mutex_destroy(&scaler->lock);
    nv_mem_free(scaler);
}

void cp_scaler_register(cp_scaler_t *scaler, nv_rpc_server_t *server)
{
    static const nv_rpc_stream_ops_t ops = {.message = asked_to_stream, .closed = closed};
    const nv_rpc_method_t methods[] = {
        {.path = "/externalscaler.ExternalScaler/IsActive",
         .input = &keda__scaled_object_ref__descriptor,
         .output = &keda__is_active_response__descriptor,
         .unary = is_active},
        {.path = "/externalscaler.ExternalScaler/GetMetricSpec",
         .input = &keda__scaled_object_ref__descriptor,
         .output = &keda__get_metric_spec_response__descriptor,
         .unary = metric_spec},
        {.path = "/externalscaler.ExternalScaler/GetMetrics",
         .input = &keda__get_metrics_request__descriptor,
         .output = &keda__get_metrics_response__descriptor,
         .unary = metrics},
        {.path = "/externalscaler.ExternalScaler/StreamIsActive",
         .kind = NV_RPC_SERVER_STREAM,
         .input = &keda__scaled_object_ref__descriptor,
         .output = &keda__is_active_response__descriptor,
         .open = opened,
         .ops = &ops},
    };
    nv_rpc_server_add_all(server, scaler, methods, sizeof methods / sizeof *methods);
}
