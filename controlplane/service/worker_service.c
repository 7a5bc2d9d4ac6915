/* WorkerService.Connect: one stream per worker.
 *
 * What needs the store (uploads, and results, which must come after their uploads) goes through a strand: one job at a
 * time per stream, in order, on the pool. Requests that ask third parties (credentials, knowledge) are jobs of their own,
 * so that a slow token endpoint holds back nothing. The rest goes to the engine at once.
 */
#include "common/contract/codec.h"
#include "controlplane/knowledge/knowledge.h"
#include "controlplane/service/service.h"
#include "controlplane/store/documents.h"
#include "controlplane/tenancy/tenancy.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

enum {
    STRAND_PAUSE = 32,
    STRAND_RESUME = 8,
    UPLOADS_MAX = 64,
    REQUESTS_MAX = 32,
    DOCUMENTS_MAX = 10000,
    ITEMS_MAX = 10000,
    SCORECARD_MAX_BYTES = 16 * 1024 * 1024
};

typedef struct item {
    struct item *next;
    nv_mem_t *ctx;
    Nv__WorkerMessage *message;
} item_t;

typedef struct upload {
    int64_t epoch;
    char name[STORE_PATH_MAX + 1];
    store_upload_t *store;
} upload_t;

/* One worker's connection. References: the stream's and one per job. */
typedef struct link {
    cp_service_t *service;
    nv_rpc_stream_t *stream;
    char session[CP_SESSION_MAX + 1];
    bool greeted;
    atomic_int refs, requests;
    pthread_mutex_t lock; /* of the strand's queue */
    item_t *head, *tail;
    size_t queued;
    bool running, paused;
    upload_t *uploads[UPLOADS_MAX]; /* the strand's own */
} link_t;

static void link_unref(link_t *link)
{
    if (atomic_fetch_sub(&link->refs, 1) != 1)
        return;
    for (item_t *item = link->head, *next; item; item = next) {
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

static const char *spiffe_of(const link_t *link)
{
    return nv_rpc_stream_peer(link->stream)->spiffe;
}

/* ---- uploads ---- */

static upload_t **find_upload(link_t *link, int64_t epoch, const char *name)
{
    upload_t **free_slot = NULL;
    for (int i = 0; i < UPLOADS_MAX; i++) {
        upload_t *upload = link->uploads[i];
        if (upload && upload->epoch == epoch && strcmp(upload->name, name) == 0)
            return &link->uploads[i];
        if (!upload && !free_slot)
            free_slot = &link->uploads[i];
    }
    return free_slot;
}

static void drop_upload(upload_t **slot)
{
    nv_mem_free(*slot);
    *slot = NULL;
}

static bool begin_upload(link_t *link, upload_t **slot, const Nv__DocumentUpload *message, const char *tenant,
                         nv_error_t *err)
{
    upload_t *upload = NV_NEW(NULL, upload_t);
    upload->epoch = message->lease->epoch;
    snprintf(upload->name, sizeof upload->name, "%s", message->document->name);
    if (!store_upload_begin(link->service->store, tenant, &upload->store, err)) {
        nv_mem_free(upload);
        return false;
    }
    *slot = upload;
    return true;
}

/* A whole document in one chunk: those who read it next get it with their assignment. */
static void keep_document(cp_service_t *service, const char *tenant, const char *sha256, const void *data,
                          size_t length)
{
    char name[NV_IDENTITY_NAME_MAX + 1 + 64 + 1];
    snprintf(name, sizeof name, "%s/%.64s", tenant, sha256);
    nv_blob_cache_put(service->documents, name, data, length);
}

static bool take_chunk(link_t *link, const Nv__DocumentUpload *message, nv_error_t *err)
{
    cp_holder_t holder;
    if (!message->document || !message->lease || strlen(message->document->name) > STORE_PATH_MAX)
        return nv_fail(err, NV_INVALID_ARGUMENT, "upload: expected a lease and a document with a name");
    if (message->data.len > STORE_CHUNK_BYTES)
        return nv_fail(err, NV_INVALID_ARGUMENT, "upload: chunks are at most %d bytes", STORE_CHUNK_BYTES);
    if (!cp_leases_find(link->service->leases, message->lease, spiffe_of(link), link->session, &holder, err))
        return false;
    upload_t **slot = find_upload(link, message->lease->epoch, message->document->name);
    if (!slot)
        return nv_fail(err, NV_RESOURCE_EXHAUSTED, "upload: more than %d documents at once", UPLOADS_MAX);
    if (*slot && message->offset == 0) { /* begun again, after an earlier one failed half-way */
        store_upload_abort((*slot)->store);
        drop_upload(slot);
    }
    if (!*slot && !begin_upload(link, slot, message, holder.tenant, err))
        return false;
    if (!store_upload_add((*slot)->store, message->offset, message->data.data, message->data.len, err)) {
        store_upload_abort((*slot)->store);
        drop_upload(slot);
        return false;
    }
    if (!message->last)
        return true;
    bool ok = store_upload_finish((*slot)->store, message->document->sha256, NULL, err);
    if (ok && message->offset == 0)
        keep_document(link->service, holder.tenant, message->document->sha256, message->data.data,
                      message->data.len);
    drop_upload(slot);
    return ok;
}

/* ---- results ---- */

/* Every document a result names must be in the tenant's store, with the size it has there. */
static bool check_documents(link_t *link, const char *tenant, Nv__DocumentRef **list, size_t n,
                            nv_error_t *err)
{
    for (size_t i = 0; i < n; i++)
        if (!store_document_stat(link->service->store, tenant, list[i]->sha256, &list[i]->bytes, err))
            return nv_wrap(err, "document \"%.80s\" of the result", list[i]->name);
    return true;
}

static bool check_result(link_t *link, const Nv__TaskResult *result, nv_error_t *err)
{
    cp_holder_t holder;
    if (!cp_leases_find(link->service->leases, result->lease, spiffe_of(link), link->session, &holder, err))
        return true; /* the engine refuses it as stale, and says so */
    if (result->n_writes + result->n_artifacts > DOCUMENTS_MAX || result->n_items > ITEMS_MAX)
        return nv_fail(err, NV_INVALID_ARGUMENT, "result: expected at most %d documents and %d items",
                       DOCUMENTS_MAX, ITEMS_MAX);
    for (size_t i = 0; i < result->n_artifacts; i++)
        if (!cp_artifact_name_check(result->artifacts[i]->name, err))
            return false;
    return check_documents(link, holder.tenant, result->writes, result->n_writes, err) &&
           check_documents(link, holder.tenant, result->artifacts, result->n_artifacts, err);
}

/* The score that the result's scorecard gives the run; false when it brings none. */
static bool read_score(link_t *link, nv_mem_t *ctx, const Nv__TaskResult *result, double *out)
{
    cp_holder_t holder;
    nv_error_t err = NV_ERROR_INIT;
    nv_bytes_t bytes;
    ProtobufCMessage *scorecard;
    const char *sha256 = NULL;
    for (size_t i = 0; result->ok && i < result->n_writes; i++)
        if (strcmp(result->writes[i]->name, "scorecard") == 0)
            sha256 = result->writes[i]->sha256;
    if (!sha256)
        return false;
    if (!cp_leases_find(link->service->leases, result->lease, spiffe_of(link), link->session, &holder,
                        &err) ||
        !store_document_get(link->service->store, ctx, holder.tenant, sha256, SCORECARD_MAX_BYTES, &bytes,
                            &err) ||
        !nv_unpack(ctx, &nv__scorecard__descriptor, bytes.data, bytes.length, &scorecard, &err)) {
        nv_log(link->service->log, NV_WARN, "worker", "scorecard not readable", "reason", err.message, NULL);
        return false;
    }
    *out = ((Nv__Scorecard *)scorecard)->score;
    return *out >= 0 && *out <= 100;
}

static void forward_result(link_t *link, item_t *item)
{
    double score;
    nv_error_t err = NV_ERROR_INIT;
    Nv__TaskResult *result = item->message->result;
    if (result->ok && !check_result(link, result, &err)) {
        nv_log(link->service->log, NV_WARN, "worker", "result not usable", "worker", spiffe_of(link),
               "reason", err.message, NULL);
        result->ok = false;
        result->error_code = err.code;
        result->error_message = nv_strdup(item->ctx, err.message);
        result->retryable = nv_code_is_transient(err.code) || err.code == NV_NOT_FOUND;
    }
    if (read_score(link, item->ctx, result, &score))
        cp_engine_scored_message(link->service->engine, link->session, item->ctx, item->message, score);
    else
        cp_engine_message(link->service->engine, link->session, item->ctx, item->message);
}

/* ---- the strand ---- */

static item_t *next_item(link_t *link)
{
    pthread_mutex_lock(&link->lock);
    item_t *item = link->head;
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

static void run_item(link_t *link, item_t *item)
{
    nv_error_t err = NV_ERROR_INIT;
    if (item->message->body_case == NV__WORKER_MESSAGE__BODY_RESULT) {
        forward_result(link, item); /* hands ctx on */
        return;
    }
    if (!take_chunk(link, item->message->upload, &err) && err.code != NV_ABORTED)
        nv_log(link->service->log, NV_WARN, "worker", "upload refused", "worker", spiffe_of(link), "reason",
               err.message, NULL);
    nv_mem_free(item->ctx);
}

static void run_strand(void *arg)
{
    link_t *link = arg;
    for (item_t *item; (item = next_item(link)) != NULL;)
        run_item(link, item);
    link_unref(link);
}

static void on_strand(link_t *link, nv_mem_t *ctx, Nv__WorkerMessage *message)
{
    item_t *item = NV_NEW(ctx, item_t);
    *item = (item_t){.ctx = ctx, .message = message};
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
    link_t *link;
    nv_mem_t *ctx;
    Nv__WorkerMessage *message;
} request_t;

static void reply(link_t *link, Nv__ControlMessage *message)
{
    nv_error_t err = NV_ERROR_INIT;
    if (!nv_rpc_stream_send(link->stream, &message->base, &err))
        nv_log(link->service->log, NV_DEBUG, "worker", "reply not sent", "reason", err.message, NULL);
}

static void answer_credential(link_t *link, nv_mem_t *ctx, const Nv__CredentialRequest *asked)
{
    Nv__CredentialReply out = NV__CREDENTIAL_REPLY__INIT;
    Nv__ControlMessage message = NV__CONTROL_MESSAGE__INIT;
    cp_holder_t holder;
    nv_error_t err = NV_ERROR_INIT;
    out.request_id = asked->request_id;
    if (cp_leases_find(link->service->leases, asked->lease, spiffe_of(link), link->session, &holder, &err))
        cp_credential_reply(link->service, ctx, holder.tenant, holder.pool, asked->kind, &out);
    else
        cp_error_reply(ctx, &err, &out.error_code, &out.error_message);
    message.body_case = NV__CONTROL_MESSAGE__BODY_CREDENTIAL;
    message.credential = &out;
    reply(link, &message);
}

static bool search(link_t *link, nv_mem_t *ctx, const Nv__KnowledgeQuery *asked, Nv__KnowledgeReply *out,
                   nv_error_t *err)
{
    cp_holder_t holder;
    knowledge_query_t query;
    Nv__KnowledgeHits *hits;
    if (!cp_leases_find(link->service->leases, asked->lease, spiffe_of(link), link->session, &holder, err) ||
        !tenancy_authorize(link->service->store, holder.pool, holder.tenant, err) ||
        !knowledge_query_from(asked, holder.tenant, &query, err) ||
        !knowledge_search(link->service->store, ctx, &query, &hits, err))
        return false;
    out->hits = hits->hits;
    out->n_hits = hits->n_hits;
    return true;
}

static bool add_case(link_t *link, nv_mem_t *ctx, const Nv__KnowledgeAdd *asked, nv_error_t *err)
{
    cp_holder_t holder;
    bool passed = false;
    if (!asked->added)
        return nv_fail(err, NV_INVALID_ARGUMENT, "knowledge: no case");
    if (!cp_leases_find(link->service->leases, asked->lease, spiffe_of(link), link->session, &holder, err) ||
        !tenancy_authorize(link->service->store, holder.pool, holder.tenant, err) ||
        !cp_engine_run_passed(link->service->engine, holder.run, &passed, err))
        return false;
    knowledge_proof_t proof = {.run_id = holder.run, .outcome = passed ? "pass" : "fail"};
    return knowledge_add(link->service->store, ctx, holder.tenant, asked->added, &proof, cp_unix_ms(), NULL,
                         err);
}

static void answer_knowledge(link_t *link, nv_mem_t *ctx, const Nv__WorkerMessage *asked)
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

static void on_request(link_t *link, nv_mem_t *ctx, Nv__WorkerMessage *message)
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
    link_t *link = NV_NEW(NULL, link_t);
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
    link_t *link = user;
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
    link_t *link = user;
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
