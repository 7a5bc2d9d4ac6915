#include "worker/local/local_host.h"

#include "common/contract/codec.h"
#include "common/identity/files.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct document {
    char *channel;
    char *item;
    uint8_t *data;
    size_t length;
} document_t;

struct local_host {
    local_host_options_t options;
    pthread_mutex_t lock; /* what follows */
    document_t *documents;
    size_t n_documents;
    size_t capacity;
    Nv__TaskUsage usage; /* of all tasks that ended, failed ones included */
};

/* One running task: what it writes waits here until it has succeeded. */
typedef struct local_task {
    local_host_t *host;
    const char *item;
    nv_mem_t *ctx;
    document_t *writes;
    size_t n_writes;
    size_t capacity;
} local_task_t;

static document_t *nth(local_host_t *host, const char *channel, size_t index)
{
    for (size_t i = 0; i < host->n_documents; i++)
        if (strcmp(host->documents[i].channel, channel) == 0 && index-- == 0)
            return &host->documents[i];
    return NULL;
}

static size_t count_locked(local_host_t *host, const char *channel)
{
    size_t count = 0;
    for (size_t i = 0; i < host->n_documents; i++)
        count += strcmp(host->documents[i].channel, channel) == 0;
    return count;
}

static size_t task_input_count(void *self, const char *channel)
{
    local_host_t *host = ((local_task_t *)self)->host;
    pthread_mutex_lock(&host->lock);
    size_t count = count_locked(host, channel);
    pthread_mutex_unlock(&host->lock);
    return count;
}

static bool read_document(local_host_t *host, nv_mem_t *ctx, const char *channel, size_t index,
                          const ProtobufCMessageDescriptor *type, ProtobufCMessage **out, nv_error_t *err)
{
    pthread_mutex_lock(&host->lock);
    document_t *document = nth(host, channel, index);
    uint8_t *data = document ? nv_memdup(ctx, document->data, document->length) : NULL;
    size_t length = document ? document->length : 0;
    pthread_mutex_unlock(&host->lock);
    if (!data)
        return nv_fail(err, NV_NOT_FOUND, "channel %s has no document %zu", channel, index);
    return nv_unpack(ctx, type, data, length, out, err) || nv_wrap(err, "channel %s", channel);
}

static bool task_input(void *self, nv_mem_t *ctx, const char *channel, size_t index,
                       const ProtobufCMessageDescriptor *type, ProtobufCMessage **out, nv_error_t *err)
{
    return read_document(((local_task_t *)self)->host, ctx, channel, index, type, out, err);
}

static bool task_write(void *self, const char *channel, const ProtobufCMessage *value, nv_error_t *err)
{
    (void)err;
    local_task_t *task = self;
    document_t document = {.channel = nv_strdup(task->ctx, channel),
                           .item = nv_strdup(task->ctx, task->item)};
    nv_pack(task->ctx, value, &document.data, &document.length);
    NV_PUSH(task->ctx, task->writes, task->n_writes, task->capacity) = document;
    return true;
}

static bool make_parents(char *path, nv_error_t *err)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, 0755) != 0 && errno != EEXIST)
            return nv_fail_errno(err, errno, "folder %s", path);
        *slash = '/';
    }
    return true;
}

static bool task_artifact(void *self, const char *name, const char *media_type, const void *data,
                          size_t length, nv_error_t *err)
{
    (void)media_type;
    local_task_t *task = self;
    if (!task->host->options.artifact_dir)
        return true;
    char *path = nv_printf(task->ctx, "%s/%s", task->host->options.artifact_dir, name);
    return make_parents(path, err) && nv_write_file_atomic(path, data, length, 0644, err);
}

static void task_emit(void *self, const char *kind, const char *text, int64_t done, int64_t total)
{
    const local_host_options_t *options = &((local_task_t *)self)->host->options;
    if (options->news)
        options->news(options->news_arg, kind, text, done, total);
}

static bool task_databricks(void *self, nv_mem_t *ctx, Nv__DatabricksCredential **out, nv_error_t *err)
{
    (void)self, (void)ctx, (void)out;
    return nv_fail(err, NV_NOT_FOUND, "no workspace: this analysis runs without one");
}

static bool task_llm(void *self, nv_mem_t *ctx, Nv__LlmCredential **out, nv_error_t *err)
{
    const Nv__LlmCredential *given = ((local_task_t *)self)->host->options.llm;
    if (!given)
        return nv_fail(err, NV_NOT_FOUND, "no language model is configured");
    *out = (Nv__LlmCredential *)nv_message_copy(ctx, &given->base);
    return true;
}

static bool task_knowledge_search(void *self, nv_mem_t *ctx, const Nv__KnowledgeQuery *query,
                                  Nv__KnowledgeReply **out, nv_error_t *err)
{
    (void)self, (void)ctx, (void)query, (void)out;
    return nv_fail(err, NV_NOT_FOUND, "no knowledge base: this analysis runs without one");
}

static bool task_knowledge_add(void *self, const Nv__KnowledgeCase *added, nv_error_t *err)
{
    (void)self, (void)added;
    return nv_fail(err, NV_NOT_FOUND, "no knowledge base: this analysis runs without one");
}

static bool task_cancelled(void *self)
{
    (void)self;
    return false;
}

static const agent_host_ops_t ops = {
    .input_count = task_input_count,
    .input = task_input,
    .write = task_write,
    .artifact = task_artifact,
    .emit = task_emit,
    .databricks = task_databricks,
    .llm = task_llm,
    .knowledge_search = task_knowledge_search,
    .knowledge_add = task_knowledge_add,
    .cancelled = task_cancelled,
};

local_host_t *local_host_new(const local_host_options_t *options)
{
    local_host_t *host = NV_NEW(NULL, local_host_t);
    host->options = *options;
    nv__task_usage__init(&host->usage);
    pthread_mutex_init(&host->lock, NULL);
    return host;
}

void local_host_free(local_host_t *host)
{
    if (!host)
        return;
    pthread_mutex_destroy(&host->lock);
    nv_mem_free(host);
}

void local_host_cleanup(local_host_t **host)
{
    local_host_free(*host);
}

/* Only `profile` accumulates; on every other channel the last writer wins. */
static bool accumulates(const char *channel)
{
    return strcmp(channel, "profile") == 0;
}

static int by_item(const void *a, const void *b)
{
    return strcmp(((const document_t *)a)->item, ((const document_t *)b)->item);
}

static void publish(local_host_t *host, const document_t *write)
{
    document_t *slot = accumulates(write->channel) ? NULL : nth(host, write->channel, 0);
    document_t copy = {.channel = nv_strdup(host, write->channel),
                       .item = nv_strdup(host, write->item),
                       .data = nv_memdup(host, write->data, write->length),
                       .length = write->length};
    if (slot)
        *slot = copy;
    else
        NV_PUSH(host, host->documents, host->n_documents, host->capacity) = copy;
}

static Nv__TaskUsage usage_so_far(local_host_t *host)
{
    pthread_mutex_lock(&host->lock);
    Nv__TaskUsage usage = host->usage;
    pthread_mutex_unlock(&host->lock);
    return usage;
}

static void add_usage(local_host_t *host, const Nv__TaskUsage *used)
{
    pthread_mutex_lock(&host->lock);
    host->usage.llm_calls += used->llm_calls;
    host->usage.llm_input_tokens += used->llm_input_tokens;
    host->usage.llm_output_tokens += used->llm_output_tokens;
    host->usage.llm_cost_usd += used->llm_cost_usd;
    host->usage.milliseconds += used->milliseconds;
    host->usage.spark_milliseconds += used->spark_milliseconds;
    pthread_mutex_unlock(&host->lock);
}

bool local_host_run(local_host_t *host, agent_fn agent, const Nv__TaskAssignment *assignment, nv_mem_t *ctx,
                    agent_result_t *out, nv_error_t *err)
{
    local_task_t running = {.host = host, .item = assignment->item, .ctx = ctx};
    Nv__TaskUsage so_far = usage_so_far(host);
    Nv__TaskAssignment handed = *assignment;
    handed.run_usage = &so_far;
    agent_task_t task = {.assignment = &handed, .ops = &ops, .host = &running};
    *out = (agent_result_t){.outcome = "", .blame = "", .usage = NV__TASK_USAGE__INIT};
    bool done = agent(&task, ctx, out, err);
    add_usage(host, &out->usage); /* what a failed task spent is spent */
    if (!done) {
        size_t n = strlen(assignment->kind);
        bool named = strncmp(err->message, assignment->kind, n) == 0 &&
                     (err->message[n] == ':' || err->message[n] == ' ');
        return named ? false
                     : nv_wrap(err, "%s%s%s", assignment->kind, assignment->item[0] ? " " : "",
                               assignment->item);
    }
    pthread_mutex_lock(&host->lock);
    for (size_t i = 0; i < running.n_writes; i++)
        publish(host, &running.writes[i]);
    /* Fan-out tasks finish in any order; readers see them ordered by item (a stable order for equal items is not needed:
     * only `profile` has several, with distinct items). */
    if (assignment->item[0])
        qsort(host->documents, host->n_documents, sizeof *host->documents, by_item);
    pthread_mutex_unlock(&host->lock);
    return true;
}

bool local_host_read(local_host_t *host, nv_mem_t *ctx, const char *channel,
                     const ProtobufCMessageDescriptor *type, ProtobufCMessage **out, nv_error_t *err)
{
    pthread_mutex_lock(&host->lock);
    size_t count = count_locked(host, channel);
    pthread_mutex_unlock(&host->lock);
    if (count == 0)
        return nv_fail(err, NV_NOT_FOUND, "channel %s has no document", channel);
    return read_document(host, ctx, channel, count - 1, type, out, err);
}
