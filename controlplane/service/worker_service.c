/* WorkerService.Connect: one stream per worker.
 *
 * What needs the store (uploads, and results, which must come after their uploads) goes through a strand: one job at a
 * time per stream, in order, on the pool. Requests that ask third parties (credentials, knowledge) are jobs of their own,
 * so that a slow token endpoint holds back nothing. The rest goes to the engine at once.
 */
#include "common/contract/codec.h"
#include "controlplane/knowledge/knowledge.h"
#include "controlplane/service/worker_link.h"
#include "controlplane/tenancy/tenancy.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

enum { STRAND_PAUSE = 32, STRAND_RESUME = 8, REQUESTS_MAX = 32 };

struct worker_item {
    worker_item_t *next;
    nv_mem_t *ctx;
    Nv__WorkerMessage *message;
};

static void link_unref(worker_link_t *link)
{
    if (atomic_fetch_sub(&link->refs, 1) != 1)
        return;
    for (worker_item_t *item = link->head, *next; item; item = next) {
        next = item->next;
        nv_mem_free(item->ctx);
    }
    for (int i = 0; i < UPLOADS_MAX; i++)
        if (link->uploads[i])
            store_upload_abort(link->uploads[i]->store);
    nv_rpc_stream_unref(link->stream);
    pthread_mutex_destroy(&link->lock);
    nv_mem_free(link);
}

const char *cp_worker_spiffe(const worker_link_t *link)
{
    return nv_rpc_stream_peer(link->stream)->spiffe;
}

/* ---- the strand ---- */

static worker_item_t *next_item(worker_link_t *link)
{
    pthread_mutex_lock(&link->lock);
    worker_item_t *item = link->head;
    if (item) {
        link->head = item->next;
        if (!link->head)
            link->tail = NULL;
        link->queued--;
    } else {
        link->running = false;
    }
    bool resume = link->paused && link->queued <= STRAND_RESUME;
    if (resume)
        link->paused = false;
    pthread_mutex_unlock(&link->lock);
    if (resume)
        nv_rpc_stream_resume(link->stream);
    return item;
}

static void run_item(worker_link_t *link, worker_item_t *item)
{
    nv_error_t err = NV_ERROR_INIT;
    if (item->message->body_case == NV__WORKER_MESSAGE__BODY_RESULT) {
        cp_worker_result(link, item->ctx, item->message); /* hands ctx on */
        return;
    }
    if (!cp_worker_chunk(link, item->message->upload, &err) && err.code != NV_ABORTED)
        nv_log(link->service->log, NV_WARN, "worker", "upload refused", "worker", cp_worker_spiffe(link),
               "reason", err.message, NULL);
    nv_mem_free(item->ctx);
}

static void run_strand(void *arg)
{
    worker_link_t *link = arg;
    for (worker_item_t *item; (item = next_item(link)) != NULL;)
        run_item(link, item);
    link_unref(link);
}

static void on_strand(worker_link_t *link, nv_mem_t *ctx, Nv__WorkerMessage *message)
{
    worker_item_t *item = NV_NEW(ctx, worker_item_t);
    *item = (worker_item_t){.ctx = ctx, .message = message};
    nv_error_t err = NV_ERROR_INIT;
    pthread_mutex_lock(&link->lock);
    if (link->tail)
        link->tail->next = item;
    else
        link->head = item;
    link->tail = item;
    bool start = !link->running;
    link->running = true;
    bool pause = ++link->queued >= STRAND_PAUSE && !link->paused;
    if (pause) {
        link->paused = true;
        nv_rpc_stream_pause(link->stream);
    }
    pthread_mutex_unlock(&link->lock);
    if (!start)
        return;
    atomic_fetch_add(&link->refs, 1);
    if (nv_workpool_submit(link->service->pool, run_strand, link, &err))
        return;
    nv_rpc_stream_abort(link->stream, err.code, err.message); /* the worker comes back and sends again */
    link_unref(link);
}

/* ---- requests ---- */

typedef struct request {
    worker_link_t *link;
    nv_mem_t *ctx;
    Nv__WorkerMessage *message;
} request_t;

static void reply(worker_link_t *link, Nv__ControlMessage *message)
{
    nv_error_t err = NV_ERROR_INIT;
    if (!nv_rpc_stream_send(link->stream, &message->base, &err))
        nv_log(link->service->log, NV_DEBUG, "worker", "reply not sent", "reason", err.message, NULL);
}

static void answer_credential(worker_link_t *link, nv_mem_t *ctx, const Nv__CredentialRequest *asked)
{
    Nv__CredentialReply out = NV__CREDENTIAL_REPLY__INIT;
    Nv__ControlMessage message = NV__CONTROL_MESSAGE__INIT;
    cp_holder_t holder;
    nv_error_t err = NV_ERROR_INIT;
    out.request_id = asked->request_id;
    if (cp_leases_find(link->service->leases, asked->lease, cp_worker_spiffe(link), link->session, &holder,
                       &err))
        cp_credential_reply(link->service, ctx, holder.tenant, holder.pool, asked->kind, &out);
    else
        cp_error_reply(ctx, &err, &out.error_code, &out.error_message);
    message.body_case = NV__CONTROL_MESSAGE__BODY_CREDENTIAL;
    message.credential = &out;
    reply(link, &message);
}

static bool search(worker_link_t *link, nv_mem_t *ctx, const Nv__KnowledgeQuery *asked,
                   Nv__KnowledgeReply *out, nv_error_t *err)
{
    cp_holder_t holder;
    knowledge_query_t query;
    Nv__KnowledgeHits *hits;
    if (!cp_leases_find(link->service->leases, asked->lease, cp_worker_spiffe(link), link->session, &holder,
                        err) ||
        !tenancy_authorize(link->service->store, holder.pool, holder.tenant, err) ||
        !knowledge_query_from(asked, holder.tenant, &query, err) ||
        !knowledge_search(link->service->store, ctx, &query, &hits, err))
        return false;
    out->hits = hits->hits;
    out->n_hits = hits->n_hits;
    return true;
}

static bool add_case(worker_link_t *link, nv_mem_t *ctx, const Nv__KnowledgeAdd *asked, nv_error_t *err)
{
    cp_holder_t holder;
    bool passed = false;
    if (!asked->added)
        return nv_fail(err, NV_INVALID_ARGUMENT, "knowledge: no case");
    if (!cp_leases_find(link->service->leases, asked->lease, cp_worker_spiffe(link), link->session, &holder,
                        err) ||
        !tenancy_authorize(link->service->store, holder.pool, holder.tenant, err) ||
        !cp_engine_run_passed(link->service->engine, holder.run, &passed, err))
        return false;
    knowledge_proof_t proof = {.run_id = holder.run, .outcome = passed ? "pass" : "fail"};
    return knowledge_add(link->service->store, ctx, holder.tenant, asked->added, &proof, cp_unix_ms(), NULL,
                         err);
}

static void answer_knowledge(worker_link_t *link, nv_mem_t *ctx, const Nv__WorkerMessage *asked)
{
    Nv__KnowledgeReply out = NV__KNOWLEDGE_REPLY__INIT;
    Nv__ControlMessage message = NV__CONTROL_MESSAGE__INIT;
    nv_error_t err = NV_ERROR_INIT;
    bool query = asked->body_case == NV__WORKER_MESSAGE__BODY_KNOWLEDGE_QUERY, ok;
    out.request_id = query ? asked->knowledge_query->request_id : asked->knowledge_add->request_id;
    ok = query ? search(link, ctx, asked->knowledge_query, &out, &err)
               : add_case(link, ctx, asked->knowledge_add, &err);
    if (!ok)
        cp_error_reply(ctx, &err, &out.error_code, &out.error_message);
    message.body_case = NV__CONTROL_MESSAGE__BODY_KNOWLEDGE;
    message.knowledge = &out;
    reply(link, &message);
}

static void run_request(void *arg)
{
    request_t request = *(request_t *)arg;
    if (request.message->body_case == NV__WORKER_MESSAGE__BODY_CREDENTIAL_REQUEST)
        answer_credential(request.link, request.ctx, request.message->credential_request);
    else
        answer_knowledge(request.link, request.ctx, request.message);
    nv_mem_free(request.ctx);
    atomic_fetch_sub(&request.link->requests, 1);
    link_unref(request.link);
}

static void on_request(worker_link_t *link, nv_mem_t *ctx, Nv__WorkerMessage *message)
{
    nv_error_t err = NV_ERROR_INIT;
    request_t *request = NV_NEW(ctx, request_t);
    *request = (request_t){link, ctx, message};
    atomic_fetch_add(&link->refs, 1);
    if (atomic_fetch_add(&link->requests, 1) >= REQUESTS_MAX)
        nv_fail(&err, NV_RESOURCE_EXHAUSTED, "more than %d requests at once", REQUESTS_MAX);
    else if (nv_workpool_submit(link->service->pool, run_request, request, &err))
        return;
    atomic_fetch_sub(&link->requests, 1);
    nv_rpc_stream_abort(link->stream, err.code, err.message);
    nv_mem_free(ctx);
    link_unref(link);
}

/* ---- the stream ---- */

static bool opened(void *service, nv_rpc_stream_t *stream, void **user, nv_error_t *err)
{
    uint64_t random;
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
        return nv_fail(err, NV_UNAVAILABLE, "no random numbers");
    worker_link_t *link = NV_NEW(NULL, worker_link_t);
    link->service = service;
    link->stream = nv_rpc_stream_ref(stream);
    atomic_init(&link->refs, 1);
    pthread_mutex_init(&link->lock, NULL);
    snprintf(link->session, sizeof link->session, "s%016llx", (unsigned long long)random);
    *user = link;
    return true;
}

static void message(nv_rpc_stream_t *stream, void *user, nv_mem_t *ctx, ProtobufCMessage *bytes)
{
    worker_link_t *link = user;
    Nv__WorkerMessage *said = (Nv__WorkerMessage *)bytes;
    bool hello = said->body_case == NV__WORKER_MESSAGE__BODY_HELLO;
    if (hello == link->greeted) {
        nv_rpc_stream_abort(stream, NV_INVALID_ARGUMENT, "expected hello first, and once");
        nv_mem_free(ctx);
        return;
    }
    switch (said->body_case) {
    case NV__WORKER_MESSAGE__BODY_HELLO:
        link->greeted = true;
        cp_engine_join(link->service->engine, link->session, &nv_rpc_stream_peer(stream)->identity, stream,
                       ctx, said->hello);
        break;
    case NV__WORKER_MESSAGE__BODY_UPLOAD:
    case NV__WORKER_MESSAGE__BODY_RESULT:
        on_strand(link, ctx, said);
        break;
    case NV__WORKER_MESSAGE__BODY_CREDENTIAL_REQUEST:
    case NV__WORKER_MESSAGE__BODY_KNOWLEDGE_QUERY:
    case NV__WORKER_MESSAGE__BODY_KNOWLEDGE_ADD:
        on_request(link, ctx, said);
        break;
    default:
        cp_engine_message(link->service->engine, link->session, ctx, said);
    }
}

static void half_closed(nv_rpc_stream_t *stream, void *user)
{
    (void)user;
    nv_rpc_stream_finish(stream, NULL);
}

static void closed(nv_rpc_stream_t *stream, void *user, const nv_error_t *status)
{
    worker_link_t *link = user;
    (void)stream;
    (void)status;
    if (link->greeted)
        cp_engine_leave(link->service->engine, link->session);
    link_unref(link);
}

void cp_worker_service_register(cp_service_t *service, nv_rpc_server_t *server)
{
    static const nv_rpc_stream_ops_t ops = {.message = message, .half_closed = half_closed, .closed = closed};
    nv_rpc_method_t method = {.path = "/nuvyn.v1.WorkerService/Connect",
                              .kind = NV_RPC_BIDI,
                              .input = &nv__worker_message__descriptor,
                              .output = &nv__control_message__descriptor,
                              .open = opened,
                              .ops = &ops,
                              .service = service};
    nv_rpc_server_add(server, &method);
}
