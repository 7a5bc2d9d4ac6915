/* RunService: how people steer runs that exist, with forks, retries and answers. What they hand in becomes documents of the
 * tenant. */
#include "common/contract/codec.h"
#include "controlplane/service/service.h"
#include "controlplane/store/documents.h"
#include "nuvyn/design.pb-c.h"

#include <string.h>

/* A message that a person hands in becomes a document of the tenant. */
static bool store_message(cp_service_t *service, nv_mem_t *ctx, const char *tenant, const char *name,
                          const ProtobufCMessage *message, Nv__DocumentRef **out, nv_error_t *err)
{
    uint8_t *packed;
    size_t length;
    char *sha = nv_alloc(ctx, 65);
    nv_pack(ctx, message, &packed, &length);
    if (!store_document_put(service->store, tenant, packed, length, sha, err))
        return nv_wrap(err, "%s", name);
    Nv__DocumentRef *ref = *out = NV_NEW(ctx, Nv__DocumentRef);
    nv__document_ref__init(ref);
    ref->name = nv_message_text(name);
    ref->sha256 = sha;
    ref->bytes = (int64_t)length;
    ref->media_type = nv_message_text("application/x-protobuf");
    ref->message_type = nv_message_text(message->descriptor->name);
    return true;
}

/* What the fork begins with instead of what the checkpoint has: each field of RunState but the spec is a channel's document. */
static bool store_state(cp_service_t *service, nv_mem_t *ctx, const Nv__RunState *state, cp_fork_t *fork,
                        nv_error_t *err)
{
    const ProtobufCMessageDescriptor *type = &nv__run_state__descriptor;
    if (!state)
        return true;
    if (state->spec && !cp_spec_check(state->spec, err))
        return nv_wrap(err, "state");
    fork->spec = state->spec;
    Nv__DocumentRef **documents = NV_NEW_ARRAY(ctx, Nv__DocumentRef *, type->n_fields);
    fork->documents = documents;
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCMessage *value;
        memcpy(&value, (const char *)state + type->fields[i].offset, sizeof value);
        if (!value || value->descriptor == &nv__run_spec__descriptor)
            continue;
        if (!store_message(service, ctx, fork->tenant, type->fields[i].name, value,
                           &documents[fork->n_documents], err))
            return nv_wrap(err, "state");
        fork->n_documents++;
    }
    return true;
}

static bool fork_run(void *arg, const nv_rpc_call_t *call, nv_mem_t *ctx, const ProtobufCMessage *request,
                     ProtobufCMessage **reply, nv_error_t *err)
{
    cp_service_t *service = arg;
    const Nv__ForkRunRequest *asked = (const Nv__ForkRunRequest *)request;
    const char *tenant;
    char run_id[CP_RUN_ID_MAX + 1];
    if (!cp_tenant_of(call, asked->tenant, &tenant, err) || !cp_may_begin(service, tenant, err))
        return false;
    cp_new_run_id(run_id);
    cp_fork_t fork = {.tenant = tenant,
                      .from_run = asked->run_id,
                      .new_run = run_id,
                      .step = asked->checkpoint,
                      .request_id = asked->request_id,
                      .by = call->peer->spiffe};
    if (!store_state(service, ctx, asked->state, &fork, err))
        return false;
    if (cp_engine_fork_run(service->engine, &fork, cp_time_left(call), err))
        return cp_run_reply(service, ctx, tenant, run_id, reply, err);
    if (err->code == NV_ALREADY_EXISTS && *asked->request_id)
        return cp_earlier_run(service, ctx, tenant, asked->request_id, reply, err);
    return false;
}

static bool retry(void *arg, const nv_rpc_call_t *call, nv_mem_t *ctx, const ProtobufCMessage *request,
                  ProtobufCMessage **reply, nv_error_t *err)
{
    cp_service_t *service = arg;
    const Nv__GetRunRequest *asked = (const Nv__GetRunRequest *)request;
    const char *tenant;
    char run_id[CP_RUN_ID_MAX + 1];
    if (!cp_tenant_of(call, asked->tenant, &tenant, err) || !cp_may_begin(service, tenant, err))
        return false;
    cp_new_run_id(run_id);
    return cp_engine_retry_run(service->engine, tenant, asked->run_id, run_id, call->peer->spiffe,
                               cp_time_left(call), err) &&
           cp_run_reply(service, ctx, tenant, run_id, reply, err);
}

static bool store_answer(cp_service_t *service, nv_mem_t *ctx, const char *name,
                         const ProtobufCMessage *message, cp_answer_t *answer, nv_error_t *err)
{
    uint8_t *packed;
    size_t length;
    Nv__DocumentRef *ref;
    if (!store_message(service, ctx, answer->tenant, name, message, &ref, err))
        return false;
    nv_pack(ctx, &ref->base, &packed, &length);
    answer->document_ref = nv_bytes(packed, length);
    answer->document_sha256 = ref->sha256;
    return true;
}

static bool store_design(cp_service_t *service, nv_mem_t *ctx, ProtobufCBinaryData json, cp_answer_t *answer,
                         nv_error_t *err)
{
    ProtobufCMessage *design;
    return nv_json_decode(ctx, &nv__star_schema__descriptor, "design", (const char *)json.data, json.len, 0,
                          &design, err) &&
           store_answer(service, ctx, "human_design", design, answer, err);
}

/* Why a design is sent back: a critique like that of a review, in a person's words. */
static bool store_critique(cp_service_t *service, nv_mem_t *ctx, cp_answer_t *answer, nv_error_t *err)
{
    Nv__Validation critique = NV__VALIDATION__INIT;
    critique.critique = nv_message_text(answer->comment);
    critique.blame = nv_message_text("design");
    critique.by = nv_message_text(answer->by);
    return store_answer(service, ctx, "critique", &critique.base, answer, err);
}

static bool store_documents(cp_service_t *service, nv_mem_t *ctx, ProtobufCBinaryData design,
                            cp_answer_t *answer, nv_error_t *err)
{
    if (design.len > 0)
        return store_design(service, ctx, design, answer, err);
    return strcmp(answer->answer, "revise") != 0 || store_critique(service, ctx, answer, err);
}

static bool answer(void *arg, const nv_rpc_call_t *call, nv_mem_t *ctx, const ProtobufCMessage *request,
                   ProtobufCMessage **reply, nv_error_t *err)
{
    cp_service_t *service = arg;
    const Nv__AnswerInterruptRequest *asked = (const Nv__AnswerInterruptRequest *)request;
    const char *tenant;
    if (!cp_tenant_of(call, asked->tenant, &tenant, err))
        return false;
    cp_answer_t given = {.tenant = tenant,
                         .run_id = asked->run_id,
                         .interrupt_id = asked->interrupt_id,
                         .by = call->peer->spiffe,
                         .comment = asked->comment,
                         .answer = asked->answer};
    return store_documents(service, ctx, asked->design_json, &given, err) &&
           cp_engine_answer(service->engine, &given, cp_time_left(call), err) &&
           cp_run_reply(service, ctx, tenant, asked->run_id, reply, err);
}

void cp_steering_register(cp_service_t *service, nv_rpc_server_t *server)
{
    const nv_rpc_method_t methods[] = {
        {.path = "/nuvyn.v1.RunService/ForkRun",
         .input = &nv__fork_run_request__descriptor,
         .unary = fork_run},
        {.path = "/nuvyn.v1.RunService/RetryRun", .input = &nv__get_run_request__descriptor, .unary = retry},
        {.path = "/nuvyn.v1.RunService/AnswerInterrupt",
         .input = &nv__answer_interrupt_request__descriptor,
         .unary = answer},
    };
    nv_rpc_server_add_all(server, service, methods, sizeof methods / sizeof *methods);
}
