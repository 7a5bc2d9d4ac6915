/* RunService: checkpoints, interrupts and artifacts of a run, read from the store. */
#include "common/contract/codec.h"
#include "controlplane/service/service.h"
#include "controlplane/supervisor/supervisor.h"

#include <inttypes.h>
#include <string.h>

/* ---- checkpoints ---- */

static Nv__Checkpoint *checkpoint_message(nv_mem_t *ctx, const store_checkpoint_t *stored)
{
    Nv__Checkpoint *out = NV_NEW(ctx, Nv__Checkpoint);
    nv__checkpoint__init(out);
    out->step = stored->step;
    out->unix_ms = stored->created_unix_ms;
    out->snapshot = stored->snapshot;
    out->bytes = stored->bytes;
    char *rest = stored->nodes && *stored->nodes ? nv_strdup(ctx, stored->nodes) : NULL;
    size_t capacity = 0;
    for (char *node; (node = strsep(&rest, ",")) != NULL;)
        NV_PUSH(ctx, out->nodes, out->n_nodes, capacity) = node;
    return out;
}

static bool list_checkpoints(void *arg, const nv_rpc_call_t *call, nv_mem_t *ctx,
                             const ProtobufCMessage *request, ProtobufCMessage **reply, nv_error_t *err)
{
    cp_service_t *service = arg;
    const Nv__GetRunRequest *asked = (const Nv__GetRunRequest *)request;
    const char *tenant;
    store_checkpoint_t *list;
    store_run_t run;
    size_t n;
    if (!cp_tenant_of(call, asked->tenant, &tenant, err) ||
        !store_run_get(service->store, ctx, tenant, asked->run_id, &run, err) ||
        !store_checkpoint_list(service->store, ctx, tenant, asked->run_id, &list, &n, err))
        return false;
    Nv__ListCheckpointsReply *out = NV_NEW(ctx, Nv__ListCheckpointsReply);
    nv__list_checkpoints_reply__init(out);
    out->checkpoints = NV_NEW_ARRAY(ctx, Nv__Checkpoint *, n);
    for (size_t i = 0; i < n; i++)
        out->checkpoints[out->n_checkpoints++] = checkpoint_message(ctx, &list[i]);
    *reply = &out->base;
    return true;
}

typedef struct channels {
    nv_mem_t *ctx;
    Nv__Checkpoint *out;
    size_t capacity;
} channels_t;

static void add_channel(const char *name, nv_bytes_t reference, void *user)
{
    channels_t *channels = user;
    nv_error_t err = NV_ERROR_INIT;
    ProtobufCMessage *message;
    if (!nv_unpack(channels->ctx, &nv__document_ref__descriptor, reference.data, reference.length, &message,
                   &err))
        return;
    ((Nv__DocumentRef *)message)->name = nv_strdup(channels->ctx, name);
    NV_PUSH(channels->ctx, channels->out->channels, channels->out->n_channels, channels->capacity) =
        (Nv__DocumentRef *)message;
}

static void add_next(nv_mem_t *ctx, const nv_super_run_t *run, Nv__Checkpoint *out)
{
    out->next = NV_NEW_ARRAY(ctx, char *, NV_SUPER_NODES);
    for (int i = 0; i < NV_SUPER_NODES; i++) {
        nv_super_node_status_t status;
        nv_super_node_status(run, (nv_super_node_t)i, &status);
        if (strcmp(status.state, "running") == 0 || strcmp(status.state, "interrupted") == 0)
            out->next[out->n_next++] = nv_message_text(status.name);
    }
}

static bool decode_chain(nv_super_run_t *run, const store_checkpoint_t *list, size_t n, nv_error_t *err)
{
    for (size_t i = 0; i < n; i++)
        if (!nv_graph_decode_checkpoint(nv_super_graph_run(run), list[i].data, err))
            return nv_wrap(err, "checkpoint %" PRId64, list[i].seq);
    return true;
}

static bool find_step(cp_service_t *service, nv_mem_t *ctx, const char *tenant,
                      const Nv__GetCheckpointRequest *asked, store_checkpoint_t *out, nv_error_t *err)
{
    store_checkpoint_t *list;
    size_t n;
    if (!store_checkpoint_list(service->store, ctx, tenant, asked->run_id, &list, &n, err))
        return false;
    for (size_t i = n; i-- > 0;)
        if (list[i].step == asked->step) {
            *out = list[i];
            return true;
        }
    return nv_fail(err, NV_NOT_FOUND, "checkpoint %" PRId64 " of run \"%.80s\": there is none", asked->step,
                   asked->run_id);
}

static bool get_checkpoint(void *arg, const nv_rpc_call_t *call, nv_mem_t *ctx,
                           const ProtobufCMessage *request, ProtobufCMessage **reply, nv_error_t *err)
{
    cp_service_t *service = arg;
    const Nv__GetCheckpointRequest *asked = (const Nv__GetCheckpointRequest *)request;
    const char *tenant;
    store_checkpoint_t found, *chain;
    size_t n;
    if (!cp_tenant_of(call, asked->tenant, &tenant, err) ||
        !find_step(service, ctx, tenant, asked, &found, err) ||
        !store_checkpoint_chain(service->store, ctx, tenant, asked->run_id, found.seq, &chain, &n, err))
        return false;
    nv_super_run_t *run = nv_super_run_new(ctx, nv_super_new(ctx, NULL));
    if (!decode_chain(run, chain, n, err))
        return false;
    Nv__Checkpoint *out = checkpoint_message(ctx, &found);
    channels_t channels = {.ctx = ctx, .out = out};
    nv_super_each_document(run, add_channel, &channels);
    add_next(ctx, run, out);
    *reply = &out->base;
    return true;
}

/* ---- interrupts ---- */

static bool list_interrupts(void *arg, const nv_rpc_call_t *call, nv_mem_t *ctx,
                            const ProtobufCMessage *request, ProtobufCMessage **reply, nv_error_t *err)
{
    cp_service_t *service = arg;
    const Nv__ListInterruptsRequest *asked = (const Nv__ListInterruptsRequest *)request;
    const char *tenant;
    store_interrupt_t *list;
    size_t n;
    if (!cp_tenant_of(call, asked->tenant, &tenant, err) || !cp_tenant_check(service, tenant, err) ||
        !store_interrupt_list(service->store, ctx, tenant, asked->run_id, !*asked->run_id, &list, &n, err))
        return false;
    Nv__ListInterruptsReply *out = NV_NEW(ctx, Nv__ListInterruptsReply);
    nv__list_interrupts_reply__init(out);
    out->interrupts = NV_NEW_ARRAY(ctx, Nv__Interrupt *, n);
    for (size_t i = 0; i < n; i++) {
        Nv__Interrupt *interrupt = NV_NEW(ctx, Nv__Interrupt);
        nv__interrupt__init(interrupt);
        interrupt->interrupt_id = nv_message_text(list[i].interrupt_id);
        interrupt->run_id = nv_message_text(list[i].run_id);
        interrupt->node = nv_message_text(list[i].node);
        interrupt->question = nv_message_text(list[i].question);
        interrupt->asked_unix_ms = list[i].asked_unix_ms;
        interrupt->answer = nv_message_text(list[i].answer);
        interrupt->answered_by = nv_message_text(list[i].answered_by);
        out->interrupts[out->n_interrupts++] = interrupt;
    }
    *reply = &out->base;
    return true;
}

/* ---- artifacts ---- */

static bool list_artifacts(void *arg, const nv_rpc_call_t *call, nv_mem_t *ctx,
                           const ProtobufCMessage *request, ProtobufCMessage **reply, nv_error_t *err)
{
    cp_service_t *service = arg;
    const Nv__GetRunRequest *asked = (const Nv__GetRunRequest *)request;
    const char *tenant;
    store_run_t run;
    store_artifact_t *list;
    size_t n;
    if (!cp_tenant_of(call, asked->tenant, &tenant, err) ||
        !store_run_get(service->store, ctx, tenant, asked->run_id, &run, err) ||
        !store_artifact_list(service->store, ctx, tenant, asked->run_id, &list, &n, err))
        return false;
    Nv__ListArtifactsReply *out = NV_NEW(ctx, Nv__ListArtifactsReply);
    nv__list_artifacts_reply__init(out);
    out->artifacts = NV_NEW_ARRAY(ctx, Nv__DocumentRef *, n);
    for (size_t i = 0; i < n; i++) {
        Nv__DocumentRef *ref = NV_NEW(ctx, Nv__DocumentRef);
        nv__document_ref__init(ref);
        ref->name = nv_message_text(list[i].name);
        ref->sha256 = nv_message_text(list[i].sha256);
        ref->bytes = list[i].bytes;
        ref->media_type = nv_message_text(list[i].media_type);
        ref->message_type = nv_message_text(list[i].message_type);
        out->artifacts[out->n_artifacts++] = ref;
    }
    *reply = &out->base;
    return true;
}

void cp_history_register(cp_service_t *service, nv_rpc_server_t *server)
{
    const nv_rpc_method_t methods[] = {
        {.path = "/nuvyn.v1.RunService/ListCheckpoints",
         .input = &nv__get_run_request__descriptor,
         .unary = list_checkpoints},
        {.path = "/nuvyn.v1.RunService/GetCheckpoint",
         .input = &nv__get_checkpoint_request__descriptor,
         .unary = get_checkpoint},
        {.path = "/nuvyn.v1.RunService/ListInterrupts",
         .input = &nv__list_interrupts_request__descriptor,
         .unary = list_interrupts},
        {.path = "/nuvyn.v1.RunService/ListArtifacts",
         .input = &nv__get_run_request__descriptor,
         .unary = list_artifacts},
    };
    nv_rpc_server_add_all(server, service, methods, sizeof methods / sizeof *methods);
}
