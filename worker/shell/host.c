/* What agents ask of their host, answered over the stream. The host pointer is the running task. */
#include "worker/shell/internal.h"

#include "common/contract/codec.h"
#include "common/core/buf.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

enum { PROGRESS_INTERVAL_MS = 100, EVENT_TEXT_MAX = 4096, FETCH_TIMEOUT_MS = 60000 };

/* ---- input documents ---- */

/* "profile/orders" is a document of channel "profile"; "design" one of channel "design". */
static bool on_channel(const char *name, const char *channel)
{
    size_t length = strlen(channel);
    return strncmp(name, channel, length) == 0 && (name[length] == '\0' || name[length] == '/');
}

static size_t host_input_count(void *self, const char *channel)
{
    const running_t *task = self;
    size_t count = 0;
    for (size_t i = 0; i < task->assignment->n_inputs; i++)
        count += on_channel(task->assignment->inputs[i]->name, channel);
    return count;
}

static const Nv__DocumentRef *find_input(const running_t *task, const char *channel, size_t index)
{
    for (size_t i = 0; i < task->assignment->n_inputs; i++)
        if (on_channel(task->assignment->inputs[i]->name, channel) && index-- == 0)
            return task->assignment->inputs[i];
    return NULL;
}

static const ProtobufCBinaryData *find_inline(const running_t *task, const char *sha256)
{
    for (size_t i = 0; i < task->assignment->n_inline_inputs; i++)
        if (strcmp(task->assignment->inline_inputs[i]->sha256, sha256) == 0)
            return &task->assignment->inline_inputs[i]->data;
    return NULL;
}

static bool read_chunks(nv_rpc_reader_t *reader, nv_buf_t *buf, nv_error_t *err)
{
    for (bool last = false; !last;) {
        NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("chunk");
        ProtobufCMessage *message = NULL;
        if (!nv_rpc_reader_next(reader, ctx, &message, err))
            return false;
        if (!message)
            return nv_fail(err, NV_DATA_LOSS, "the download ended before its last chunk");
        const Nv__DocumentChunk *chunk = (const Nv__DocumentChunk *)message;
        if (chunk->offset != (int64_t)buf->length)
            return nv_fail(err, NV_DATA_LOSS, "a chunk is missing at byte %zu", buf->length);
        nv_buf_add(buf, chunk->data.data, chunk->data.len);
        last = chunk->last;
    }
    return nv_buf_ok(buf, "the document", err);
}

static void hash_hex(const void *data, size_t length, char out[65])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    EVP_Digest(data, length, digest, &size, EVP_sha256(), NULL);
    for (unsigned i = 0; i < 32; i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

static bool download(running_t *task, nv_mem_t *ctx, const Nv__DocumentRef *ref, const uint8_t **data,
                     size_t *length, nv_error_t *err)
{
    Nv__GetDocumentRequest request = NV__GET_DOCUMENT_REQUEST__INIT;
    request.lease = task->assignment->lease;
    request.sha256 = ref->sha256;
    nv_rpc_reader_t *reader = NULL;
    if (!nv_rpc_client_open(task->shell->client, "/nuvyn.v1.WorkerService/GetDocument", &request.base,
                            &nv__document_chunk__descriptor, FETCH_TIMEOUT_MS, &reader, err))
        return false;
    nv_buf_t buf = nv_buf_make(ctx, TASK_DOCUMENT_MAX_BYTES);
    bool ok = read_chunks(reader, &buf, err);
    nv_rpc_reader_free(reader);
    char actual[65];
    hash_hex(nv_buf_text(&buf), buf.length, actual);
    if (ok && strcmp(actual, ref->sha256) != 0)
        ok = nv_fail(err, NV_DATA_LOSS, "the content's hash is %s, expected %s", actual, ref->sha256);
    *data = (const uint8_t *)nv_buf_text(&buf);
    *length = buf.length;
    return ok;
}

/* Documents are known by their content, so one that was read before need not be read again, whichever task reads it. */
static bool fetch(running_t *task, nv_mem_t *ctx, const Nv__DocumentRef *ref, const uint8_t **data,
                  size_t *length, nv_error_t *err)
{
    nv_bytes_t known;
    if (nv_blob_cache_get(task->shell->documents, ctx, ref->sha256, &known)) {
        *data = known.data;
        *length = known.length;
        return true;
    }
    if (!download(task, ctx, ref, data, length, err))
        return false;
    nv_blob_cache_put(task->shell->documents, ref->sha256, *data, *length);
    return true;
}

/* Sent along, small and not signed by its name: so it is checked as a download is. */
static bool take_inlined(const ProtobufCBinaryData *inlined, const char *sha256, const uint8_t **data,
                         size_t *length)
{
    char actual[65];
    if (!inlined)
        return false;
    hash_hex(inlined->data, inlined->len, actual);
    *data = inlined->data;
    *length = inlined->len;
    return strcmp(actual, sha256) == 0;
}

static bool host_input(void *self, nv_mem_t *ctx, const char *channel, size_t index,
                       const ProtobufCMessageDescriptor *type, ProtobufCMessage **out, nv_error_t *err)
{
    running_t *task = self;
    const Nv__DocumentRef *ref = find_input(task, channel, index);
    if (!ref)
        return nv_fail(err, NV_NOT_FOUND, "channel %s has no document %zu", channel, index);
    const uint8_t *data;
    size_t length;
    if (!take_inlined(find_inline(task, ref->sha256), ref->sha256, &data, &length) &&
        !fetch(task, ctx, ref, &data, &length, err))
        return nv_wrap(err, "document %s", ref->name);
    return nv_unpack(ctx, type, data, length, out, err) || nv_wrap(err, "document %s", ref->name);
}

/* ---- output documents ---- */

static bool hold(running_t *task, held_document_t document, size_t length, nv_error_t *err)
{
    if (length > TASK_DOCUMENT_MAX_BYTES - task->document_bytes)
        return nv_fail(err, NV_RESOURCE_EXHAUSTED, "%s: a task may write %d MiB in all", document.ref.name,
                       TASK_DOCUMENT_MAX_BYTES / 1024 / 1024);
    char hex[65];
    hash_hex(document.data, length, hex);
    document.ref.sha256 = nv_strdup(task->ctx, hex);
    document.ref.bytes = (int64_t)length;
    task->document_bytes += length;
    NV_PUSH(task->ctx, task->documents, task->n_documents, task->documents_capacity) = document;
    atomic_fetch_add(&task->progress, 1);
    return true;
}

static bool host_write(void *self, const char *channel, const ProtobufCMessage *value, nv_error_t *err)
{
    running_t *task = self;
    const char *item = task->assignment->item;
    held_document_t document = {.ref = NV__DOCUMENT_REF__INIT};
    document.ref.name =
        item[0] ? nv_printf(task->ctx, "%s/%s", channel, item) : nv_strdup(task->ctx, channel);
    document.ref.media_type = (char *)"application/x-protobuf";
    document.ref.message_type = nv_strdup(task->ctx, value->descriptor->name);
    uint8_t *data = NULL;
    size_t length = 0;
    nv_pack(task->ctx, value, &data, &length);
    document.data = data;
    return hold(task, document, length, err);
}

static bool host_artifact(void *self, const char *name, const char *media_type, const void *data,
                          size_t length, nv_error_t *err)
{
    running_t *task = self;
    held_document_t document = {.ref = NV__DOCUMENT_REF__INIT, .artifact = true};
    document.ref.name = nv_strdup(task->ctx, name);
    document.ref.media_type = nv_strdup(task->ctx, media_type);
    document.data = nv_memdup(task->ctx, data, length);
    return hold(task, document, length, err);
}

/* ---- news ---- */

/* Progress that would flood is left out between its steps; the last step always goes. */
static bool too_soon(running_t *task, const char *kind, int64_t done, int64_t total)
{
    if (strcmp(kind, "progress") != 0 || done >= total)
        return false;
    int64_t now = nv_rpc_now_ms();
    if (now - atomic_load(&task->last_progress_ms) < PROGRESS_INTERVAL_MS)
        return true;
    atomic_store(&task->last_progress_ms, now);
    return false;
}

static void host_emit(void *self, const char *kind, const char *text, int64_t done, int64_t total)
{
    running_t *task = self;
    atomic_fetch_add(&task->progress, 1);
    if (too_soon(task, kind, done, total))
        return;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("event");
    Nv__WorkerMessage message = NV__WORKER_MESSAGE__INIT;
    Nv__TaskEvent event = NV__TASK_EVENT__INIT;
    message.body_case = NV__WORKER_MESSAGE__BODY_EVENT;
    message.event = &event;
    event.lease = task->assignment->lease;
    event.kind = nv_strdup(ctx, kind);
    event.text = nv_strdup(ctx, text ? text : "");
    if (strlen(event.text) > EVENT_TEXT_MAX) {
        size_t cut = EVENT_TEXT_MAX;
        while (cut > 0 && ((unsigned char)event.text[cut] & 0xC0) == 0x80)
            cut--;
        event.text[cut] = '\0';
    }
    event.done = done;
    event.total = total;
    shell_send_event(task->shell, &message);
}

/* ---- credentials and knowledge ---- */

static bool ask_credential(running_t *task, nv_mem_t *ctx, const char *kind, Nv__CredentialReply **out,
                           nv_error_t *err)
{
    Nv__WorkerMessage message = NV__WORKER_MESSAGE__INIT;
    Nv__CredentialRequest request = NV__CREDENTIAL_REQUEST__INIT;
    message.body_case = NV__WORKER_MESSAGE__BODY_CREDENTIAL_REQUEST;
    message.credential_request = &request;
    request.lease = task->assignment->lease;
    request.kind = (char *)kind;
    ProtobufCMessage *reply = NULL;
    if (!shell_ask(task->shell, task, &message, &request.request_id, ctx, &reply, err))
        return nv_wrap(err, "%s credential", kind);
    *out = (Nv__CredentialReply *)reply;
    if ((*out)->error_code == NV_NOT_FOUND)
        return nv_fail(err, NV_NOT_FOUND, "none is configured for this tenant");
    if ((*out)->error_code)
        return nv_fail(err, (nv_code_t)(*out)->error_code, "%s credential: %s", kind, (*out)->error_message);
    return true;
}

static bool host_databricks(void *self, nv_mem_t *ctx, Nv__DatabricksCredential **out, nv_error_t *err)
{
    running_t *task = self;
    Nv__CredentialReply *reply = NULL;
    if (!ask_credential(task, ctx, "databricks", &reply, err))
        return false;
    const Nv__DatabricksCredential *own = task->shell->config->own_databricks;
    if (reply->use_environment)
        *out = own ? (Nv__DatabricksCredential *)nv_message_copy(ctx, &own->base) : NULL;
    else
        *out = reply->databricks;
    return *out || nv_fail(err, NV_NOT_FOUND, "no Databricks workspace is configured%s",
                           reply->use_environment ? " in this worker's environment" : "");
}

static bool host_llm(void *self, nv_mem_t *ctx, Nv__LlmCredential **out, nv_error_t *err)
{
    running_t *task = self;
    Nv__CredentialReply *reply = NULL;
    if (!ask_credential(task, ctx, "llm", &reply, err))
        return false;
    const Nv__LlmCredential *own = task->shell->config->own_llm;
    if (reply->use_environment)
        *out = own ? (Nv__LlmCredential *)nv_message_copy(ctx, &own->base) : NULL;
    else
        *out = reply->llm;
    return *out || nv_fail(err, NV_NOT_FOUND, "no language model is configured%s",
                           reply->use_environment ? " in this worker's environment" : "");
}

static bool host_knowledge_search(void *self, nv_mem_t *ctx, const Nv__KnowledgeQuery *query,
                                  Nv__KnowledgeReply **out, nv_error_t *err)
{
    running_t *task = self;
    Nv__WorkerMessage message = NV__WORKER_MESSAGE__INIT;
    Nv__KnowledgeQuery request = *query;
    message.body_case = NV__WORKER_MESSAGE__BODY_KNOWLEDGE_QUERY;
    message.knowledge_query = &request;
    request.lease = task->assignment->lease;
    ProtobufCMessage *reply = NULL;
    if (!shell_ask(task->shell, task, &message, &request.request_id, ctx, &reply, err))
        return nv_wrap(err, "knowledge search");
    *out = (Nv__KnowledgeReply *)reply;
    return (*out)->error_code == 0 ||
           nv_fail(err, (nv_code_t)(*out)->error_code, "knowledge search: %s", (*out)->error_message);
}

static bool host_knowledge_add(void *self, const Nv__KnowledgeCase *added, nv_error_t *err)
{
    running_t *task = self;
    Nv__WorkerMessage message = NV__WORKER_MESSAGE__INIT;
    Nv__KnowledgeAdd request = NV__KNOWLEDGE_ADD__INIT;
    message.body_case = NV__WORKER_MESSAGE__BODY_KNOWLEDGE_ADD;
    message.knowledge_add = &request;
    request.lease = task->assignment->lease;
    request.added = (Nv__KnowledgeCase *)added;
    ProtobufCMessage *reply = NULL;
    if (!shell_ask(task->shell, task, &message, &request.request_id, task->ctx, &reply, err))
        return nv_wrap(err, "knowledge case");
    const Nv__KnowledgeReply *answer = (const Nv__KnowledgeReply *)reply;
    return answer->error_code == 0 ||
           nv_fail(err, (nv_code_t)answer->error_code, "knowledge case: %s", answer->error_message);
}

static bool host_cancelled(void *self)
{
    return atomic_load(&((running_t *)self)->cancelled);
}

const agent_host_ops_t shell_host_ops = {
    .input_count = host_input_count,
    .input = host_input,
    .write = host_write,
    .artifact = host_artifact,
    .emit = host_emit,
    .databricks = host_databricks,
    .llm = host_llm,
    .knowledge_search = host_knowledge_search,
    .knowledge_add = host_knowledge_add,
    .cancelled = host_cancelled,
};
