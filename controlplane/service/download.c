/* Documents and artifacts to their readers, chunk by chunk, as fast as each one reads. */
#include "common/identity/policy.h"
#include "controlplane/service/service.h"
#include "controlplane/store/documents.h"
#include "controlplane/tenancy/tenancy.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

enum { CHUNKS_PER_TURN = 4 };

/* References: the stream's and the running job's. Only one job runs at a time: the next is started when what the last one
 * sent has left. */
typedef struct download {
    cp_service_t *service;
    nv_rpc_stream_t *stream;
    atomic_int refs;
    bool artifact;
    nv_mem_t *request_ctx;
    const ProtobufCMessage *request;
    char *tenant, *sha256;
    int64_t offset, bytes;
    pthread_mutex_t lock;
    bool running; /* a job is queued or runs */
    bool left;    /* what it sent has left meanwhile */
} download_t;

static void download_unref(download_t *download)
{
    if (atomic_fetch_sub(&download->refs, 1) != 1)
        return;
    nv_rpc_stream_unref(download->stream);
    pthread_mutex_destroy(&download->lock);
    nv_mem_free(download->request_ctx);
    nv_mem_free(download);
}

/* A worker may read what the run of a task it holds may read. */
static bool authorize_document(download_t *download, nv_error_t *err)
{
    const Nv__GetDocumentRequest *asked = (const Nv__GetDocumentRequest *)download->request;
    const nv_cert_info_t *peer = nv_rpc_stream_peer(download->stream);
    cp_service_t *service = download->service;
    cp_holder_t holder;
    bool has = false;
    if (!cp_leases_find(service->leases, asked->lease, peer->spiffe, NULL, &holder, err)) {
        err->code = NV_PERMISSION_DENIED;
        return false;
    }
    if (!tenancy_authorize(service->store, holder.pool, holder.tenant, err) ||
        !store_run_has_document(service->store, holder.tenant, holder.run, asked->sha256, &has, err))
        return false;
    if (!has)
        return nv_fail(err, NV_NOT_FOUND, "document %.64s: not one of this run", asked->sha256);
    download->tenant = nv_strdup(download, holder.tenant);
    download->sha256 = nv_strdup(download, asked->sha256);
    return true;
}

static bool authorize_artifact(download_t *download, nv_error_t *err)
{
    const Nv__GetArtifactRequest *asked = (const Nv__GetArtifactRequest *)download->request;
    store_artifact_t artifact;
    const char *tenant;
    if (!nv_policy_tenant(&nv_rpc_stream_peer(download->stream)->identity, asked->tenant, &tenant, err) ||
        !cp_artifact_name_check(asked->name, err) ||
        !store_artifact_get(download->service->store, download, tenant, asked->run_id, asked->name, &artifact,
                            err))
        return false;
    download->tenant = nv_strdup(download, tenant);
    download->sha256 = nv_strdup(download, artifact.sha256);
    return true;
}

static bool send_chunk(download_t *download, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("chunk");
    Nv__DocumentChunk chunk = NV__DOCUMENT_CHUNK__INIT;
    nv_bytes_t data;
    if (!store_document_read(download->service->store, ctx, download->tenant, download->sha256,
                             download->offset, STORE_CHUNK_BYTES, &data, err))
        return false;
    if (data.length == 0 && download->offset < download->bytes)
        return nv_fail(err, NV_DATA_LOSS, "document %s: ends at byte %lld of %lld", download->sha256,
                       (long long)download->offset, (long long)download->bytes);
    chunk.offset = download->offset;
    chunk.data.data = (uint8_t *)(uintptr_t)data.data;
    chunk.data.len = data.length;
    download->offset += (int64_t)data.length;
    chunk.last = download->offset >= download->bytes;
    return nv_rpc_stream_send(download->stream, &chunk.base, err);
}

static bool begin(download_t *download, nv_error_t *err)
{
    if (download->sha256)
        return true;
    return (download->artifact ? authorize_artifact(download, err) : authorize_document(download, err)) &&
           store_document_stat(download->service->store, download->tenant, download->sha256, &download->bytes,
                               err);
}

/* Sends a few chunks; *end: that was all. */
static bool send_some(download_t *download, bool *end, nv_error_t *err)
{
    *end = false;
    for (int i = 0; i < CHUNKS_PER_TURN && !*end; i++) {
        if (!send_chunk(download, err))
            return false;
        *end = download->offset >= download->bytes;
    }
    return true;
}

static void turn(void *arg)
{
    download_t *download = arg;
    nv_error_t err = NV_ERROR_INIT;
    bool ok = begin(download, &err), end = false;
    for (bool more = ok; more;) {
        pthread_mutex_lock(&download->lock);
        download->left = false;
        pthread_mutex_unlock(&download->lock);
        ok = send_some(download, &end, &err);
        pthread_mutex_lock(&download->lock);
        more = ok && !end && download->left;
        if (!more)
            download->running = false;
        pthread_mutex_unlock(&download->lock);
    }
    if (!ok || end)
        nv_rpc_stream_finish(download->stream, ok ? NULL : &err);
    download_unref(download);
}

static void schedule(download_t *download)
{
    nv_error_t err = NV_ERROR_INIT;
    atomic_fetch_add(&download->refs, 1);
    if (nv_workpool_submit(download->service->pool, turn, download, &err))
        return;
    nv_rpc_stream_abort(download->stream, err.code, err.message);
    download_unref(download);
}

static bool opened(cp_service_t *service, nv_rpc_stream_t *stream, bool artifact, void **user)
{
    download_t *download = NV_NEW(NULL, download_t);
    download->service = service;
    download->stream = nv_rpc_stream_ref(stream);
    download->artifact = artifact;
    atomic_init(&download->refs, 1);
    pthread_mutex_init(&download->lock, NULL);
    *user = download;
    return true;
}

static bool open_document(void *service, nv_rpc_stream_t *stream, void **user, nv_error_t *err)
{
    (void)err;
    return opened(service, stream, false, user);
}

static bool open_artifact(void *service, nv_rpc_stream_t *stream, void **user, nv_error_t *err)
{
    (void)err;
    return opened(service, stream, true, user);
}

static void asked(nv_rpc_stream_t *stream, void *user, nv_mem_t *ctx, ProtobufCMessage *message)
{
    download_t *download = user;
    (void)stream;
    download->request_ctx = ctx;
    download->request = message;
    download->running = true;
    schedule(download);
}

static void writable(nv_rpc_stream_t *stream, void *user)
{
    download_t *download = user;
    (void)stream;
    pthread_mutex_lock(&download->lock);
    bool start = !download->running;
    download->running = download->left = true;
    pthread_mutex_unlock(&download->lock);
    if (start)
        schedule(download);
}

static void closed(nv_rpc_stream_t *stream, void *user, const nv_error_t *status)
{
    (void)stream;
    (void)status;
    download_unref(user);
}

void cp_download_register(cp_service_t *service, nv_rpc_server_t *server)
{
    static const nv_rpc_stream_ops_t ops = {.message = asked, .writable = writable, .closed = closed};
    nv_rpc_method_t method = {.path = "/nuvyn.v1.WorkerService/GetDocument",
                              .kind = NV_RPC_SERVER_STREAM,
                              .input = &nv__get_document_request__descriptor,
                              .output = &nv__document_chunk__descriptor,
                              .open = open_document,
                              .ops = &ops,
                              .service = service};
    nv_rpc_server_add(server, &method);
    method.path = "/nuvyn.v1.RunService/GetArtifact";
    method.input = &nv__get_artifact_request__descriptor;
    method.open = open_artifact;
    nv_rpc_server_add(server, &method);
}
