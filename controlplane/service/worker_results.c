/* What workers bring: documents in parts, and results that name them. */
#include "common/contract/codec.h"
#include "controlplane/service/worker_link.h"

#include <stdio.h>
#include <string.h>

enum { DOCUMENTS_MAX = 10000, ITEMS_MAX = 10000, SCORECARD_MAX_BYTES = 16 * 1024 * 1024 };

static worker_upload_t **find_upload(worker_link_t *link, int64_t epoch, const char *name)
{
    worker_upload_t **free_slot = NULL;
    for (int i = 0; i < UPLOADS_MAX; i++) {
        worker_upload_t *upload = link->uploads[i];
        if (upload && upload->epoch == epoch && strcmp(upload->name, name) == 0)
            return &link->uploads[i];
        if (!upload && !free_slot)
            free_slot = &link->uploads[i];
    }
    return free_slot;
}

static void drop_upload(worker_upload_t **slot)
{
    nv_mem_free(*slot);
    *slot = NULL;
}

static bool begin_upload(worker_link_t *link, worker_upload_t **slot, const Nv__DocumentUpload *message,
                         const char *tenant, nv_error_t *err)
{
    worker_upload_t *upload = NV_NEW(NULL, worker_upload_t);
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

bool cp_worker_chunk(worker_link_t *link, const Nv__DocumentUpload *message, nv_error_t *err)
{
    cp_holder_t holder;
    if (!message->document || !message->lease || strlen(message->document->name) > STORE_PATH_MAX)
        return nv_fail(err, NV_INVALID_ARGUMENT, "upload: expected a lease and a document with a name");
    if (message->data.len > STORE_CHUNK_BYTES)
        return nv_fail(err, NV_INVALID_ARGUMENT, "upload: chunks are at most %d bytes", STORE_CHUNK_BYTES);
    if (!cp_leases_find(link->service->leases, message->lease, cp_worker_spiffe(link), link->session, &holder,
                        err))
        return false;
    worker_upload_t **slot = find_upload(link, message->lease->epoch, message->document->name);
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
static bool check_documents(worker_link_t *link, const char *tenant, Nv__DocumentRef **list, size_t n,
                            nv_error_t *err)
{
    for (size_t i = 0; i < n; i++)
        if (!store_document_stat(link->service->store, tenant, list[i]->sha256, &list[i]->bytes, err))
            return nv_wrap(err, "document \"%.80s\" of the result", list[i]->name);
    return true;
}

static bool check_result(worker_link_t *link, const Nv__TaskResult *result, nv_error_t *err)
{
    cp_holder_t holder;
    if (!cp_leases_find(link->service->leases, result->lease, cp_worker_spiffe(link), link->session, &holder,
                        err))
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
static bool read_score(worker_link_t *link, nv_mem_t *ctx, const Nv__TaskResult *result, double *out)
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
    if (!cp_leases_find(link->service->leases, result->lease, cp_worker_spiffe(link), link->session, &holder,
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

void cp_worker_result(worker_link_t *link, nv_mem_t *ctx, Nv__WorkerMessage *message)
{
    double score;
    nv_error_t err = NV_ERROR_INIT;
    Nv__TaskResult *result = message->result;
    if (result->ok && !check_result(link, result, &err)) {
        nv_log(link->service->log, NV_WARN, "worker", "result not usable", "worker", cp_worker_spiffe(link),
               "reason", err.message, NULL);
        result->ok = false;
        result->error_code = err.code;
        result->error_message = nv_strdup(ctx, err.message);
        result->retryable = nv_code_is_transient(err.code) || err.code == NV_NOT_FOUND;
    }
    if (read_score(link, ctx, result, &score))
        cp_engine_scored_message(link->service->engine, link->session, ctx, message, score);
    else
        cp_engine_message(link->service->engine, link->session, ctx, message);
}
