/* RunService: beginning, looking at and ending runs. */
#include "common/contract/codec.h"
#include "controlplane/service/service.h"
#include "controlplane/tenancy/tenancy.h"

#include <string.h>

enum { TEXT_MAX = 1024, SOURCE_MAX = 4096 };

static Nv__Run *run_message(nv_mem_t *ctx, const store_run_t *stored)
{
    nv_error_t err = NV_ERROR_INIT;
    ProtobufCMessage *message;
    Nv__Run *run = NULL;
    if (stored->summary.length > 0 &&
        nv_unpack(ctx, &nv__run__descriptor, stored->summary.data, stored->summary.length, &message, &err))
        run = (Nv__Run *)message;
    if (!run) {
        run = NV_NEW(ctx, Nv__Run);
        nv__run__init(run);
    }
    if (nv_unpack(ctx, &nv__run_spec__descriptor, stored->spec.data, stored->spec.length, &message, &err))
        run->spec = (Nv__RunSpec *)message;
    run->run_id = nv_message_text(stored->run_id);
    run->tenant = nv_message_text(stored->tenant);
    run->pool = nv_message_text(stored->pool);
    run->state = nv_message_text(stored->state);
    run->reason = nv_message_text(stored->reason);
    run->forked_from = nv_message_text(stored->forked_from);
    run->created_unix_ms = stored->created_unix_ms;
    run->finished_unix_ms = stored->finished_unix_ms;
    run->epoch = stored->epoch;
    run->last_event = stored->last_event;
    run->round = (int32_t)stored->round;
    run->score = stored->score;
    return run;
}

bool cp_run_reply(cp_service_t *service, nv_mem_t *ctx, const char *tenant, const char *run_id,
                  ProtobufCMessage **reply, nv_error_t *err)
{
    store_run_t stored;
    if (!store_run_get(service->store, ctx, tenant, run_id, &stored, err))
        return false;
    *reply = &run_message(ctx, &stored)->base;
    return true;
}

/* ---- submitting ---- */

static bool one_of(const char *what, const char *given, const char *a, const char *b, nv_error_t *err)
{
    if (!*given || strcmp(given, a) == 0 || strcmp(given, b) == 0)
        return true;
    return nv_fail(err, NV_INVALID_ARGUMENT, "spec.%s \"%.40s\": expected %s or %s", what, given, a, b);
}

bool cp_spec_check(const Nv__RunSpec *spec, nv_error_t *err)
{
    if (!spec)
        return nv_fail(err, NV_INVALID_ARGUMENT, "spec: missing");
    if (strlen(spec->traceparent) > TEXT_MAX)
        return nv_fail(err, NV_INVALID_ARGUMENT, "spec.traceparent: longer than %d bytes", TEXT_MAX);
    size_t source = strlen(spec->source);
    if (source == 0 || source > SOURCE_MAX)
        return nv_fail(err, NV_INVALID_ARGUMENT, "spec.source: expected a folder or URI of 1 to %d bytes",
                       SOURCE_MAX);
    if (strlen(spec->name) > TEXT_MAX || strlen(spec->catalog) > TEXT_MAX ||
        strlen(spec->schema) > TEXT_MAX || strlen(spec->increment_of) > TEXT_MAX)
        return nv_fail(err, NV_INVALID_ARGUMENT, "spec: names are at most %d bytes", TEXT_MAX);
    if (spec->max_rounds < 0 || spec->max_rounds > 20)
        return nv_fail(err, NV_INVALID_ARGUMENT, "spec.max_rounds: %d: expected 0 to 20", spec->max_rounds);
    return one_of("mode", spec->mode, "full", "analyze", err) &&
           one_of("approval", spec->approval, "auto", "ask", err) &&
           (strcmp(spec->mode, "analyze") != 0 || strcmp(spec->approval, "ask") != 0 ||
            nv_fail(
                err, NV_INVALID_ARGUMENT,
                "spec.approval \"ask\": a run of mode \"analyze\" builds nothing that could be approved")) &&
           one_of("discovery_mode", spec->discovery_mode, "full", "safe", err);
}

bool cp_earlier_run(cp_service_t *service, nv_mem_t *ctx, const char *tenant, const char *request_id,
                    ProtobufCMessage **reply, nv_error_t *err)
{
    char *run_id;
    nv_error_clear(err);
    return store_request_find(service->store, ctx, tenant, request_id, &run_id, err) &&
           cp_run_reply(service, ctx, tenant, run_id, reply, err);
}

static bool submit(void *arg, const nv_rpc_call_t *call, nv_mem_t *ctx, const ProtobufCMessage *request,
                   ProtobufCMessage **reply, nv_error_t *err)
{
    cp_service_t *service = arg;
    const Nv__SubmitRunRequest *asked = (const Nv__SubmitRunRequest *)request;
    const char *tenant;
    char run_id[CP_RUN_ID_MAX + 1];
    store_pool_t pool;
    if (!cp_tenant_of(call, asked->tenant, &tenant, err) || !cp_spec_check(asked->spec, err) ||
        !cp_may_begin(service, tenant, err) ||
        !tenancy_pool_choose(service->store, ctx, tenant, asked->pool, &pool, err))
        return false;
    cp_new_run_id(run_id);
    cp_submit_t run = {.tenant = tenant,
                       .pool = pool.name,
                       .run_id = run_id,
                       .request_id = asked->request_id,
                       .spec = asked->spec};
    if (cp_engine_submit(service->engine, &run, cp_time_left(call), err))
        return cp_run_reply(service, ctx, tenant, run_id, reply, err);
    if (err->code == NV_ALREADY_EXISTS && *asked->request_id)
        return cp_earlier_run(service, ctx, tenant, asked->request_id, reply, err);
    return false;
}

bool cp_may_begin(cp_service_t *service, const char *tenant, nv_error_t *err)
{
    pthread_mutex_lock(&service->rate_lock);
    bool ok = cp_rate_take(service->rate, tenant, nv_rpc_now_ms(), err);
    pthread_mutex_unlock(&service->rate_lock);
    return ok;
}

/* ---- looking ---- */

static bool get(void *arg, const nv_rpc_call_t *call, nv_mem_t *ctx, const ProtobufCMessage *request,
                ProtobufCMessage **reply, nv_error_t *err)
{
    cp_service_t *service = arg;
    const Nv__GetRunRequest *asked = (const Nv__GetRunRequest *)request;
    const char *tenant;
    return cp_tenant_of(call, asked->tenant, &tenant, err) &&
           cp_run_reply(service, ctx, tenant, asked->run_id, reply, err) &&
           cp_engine_run_waits(service->engine, ctx, tenant, asked->run_id, &((Nv__Run *)*reply)->waits, err);
}

static bool list(void *arg, const nv_rpc_call_t *call, nv_mem_t *ctx, const ProtobufCMessage *request,
                 ProtobufCMessage **reply, nv_error_t *err)
{
    cp_service_t *service = arg;
    const Nv__ListRunsRequest *asked = (const Nv__ListRunsRequest *)request;
    const char *tenant;
    store_run_t *runs;
    size_t n;
    Nv__ListRunsReply *out = NV_NEW(ctx, Nv__ListRunsReply);
    nv__list_runs_reply__init(out);
    if (asked->page_size < 0 || asked->page_size > STORE_PAGE_MAX)
        return nv_fail(err, NV_INVALID_ARGUMENT, "page_size: %d: expected 0 to %d", asked->page_size,
                       STORE_PAGE_MAX);
    if (!cp_tenant_of(call, asked->tenant, &tenant, err) || !cp_tenant_check(service, tenant, err) ||
        !store_run_list(service->store, ctx, tenant, asked->state, asked->page_size, asked->page_token, &runs,
                        &n, &out->next_page_token, err))
        return false;
    out->runs = NV_NEW_ARRAY(ctx, Nv__Run *, n);
    for (size_t i = 0; i < n; i++)
        out->runs[out->n_runs++] = run_message(ctx, &runs[i]);
    *reply = &out->base;
    return true;
}

/* ---- changing ---- */

static bool cancel(void *arg, const nv_rpc_call_t *call, nv_mem_t *ctx, const ProtobufCMessage *request,
                   ProtobufCMessage **reply, nv_error_t *err)
{
    cp_service_t *service = arg;
    const Nv__GetRunRequest *asked = (const Nv__GetRunRequest *)request;
    const char *tenant;
    if (!cp_tenant_of(call, asked->tenant, &tenant, err) ||
        !cp_run_reply(service, ctx, tenant, asked->run_id, reply, err))
        return false;
    const char *reason = nv_printf(ctx, "cancelled by %s", call->peer->spiffe);
    if (!cp_engine_cancel_run(service->engine, tenant, asked->run_id, reason, cp_time_left(call), err))
        return false;
    return cp_run_reply(service, ctx, tenant, asked->run_id, reply, err);
}

void cp_run_service_register(cp_service_t *service, nv_rpc_server_t *server)
{
    const nv_rpc_method_t methods[] = {
        {.path = "/nuvyn.v1.RunService/SubmitRun",
         .input = &nv__submit_run_request__descriptor,
         .unary = submit},
        {.path = "/nuvyn.v1.RunService/GetRun", .input = &nv__get_run_request__descriptor, .unary = get},
        {.path = "/nuvyn.v1.RunService/ListRuns", .input = &nv__list_runs_request__descriptor, .unary = list},
        {.path = "/nuvyn.v1.RunService/CancelRun",
         .input = &nv__get_run_request__descriptor,
         .unary = cancel},
    };
    nv_rpc_server_add_all(server, service, methods, sizeof methods / sizeof *methods);
}
