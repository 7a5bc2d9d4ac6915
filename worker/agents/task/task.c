#include "worker/agents/task/task.h"

#include "common/contract/codec.h"

/* ---- reading ---- */

size_t task_input_count(const agent_task_t *task, const char *channel)
{
    return task->ops->input_count(task->host, channel);
}

bool task_input(const agent_task_t *task, nv_mem_t *ctx, const char *channel, size_t index,
                const ProtobufCMessageDescriptor *type, ProtobufCMessage **out, nv_error_t *err)
{
    return task->ops->input(task->host, ctx, channel, index, type, out, err);
}

bool task_latest(const agent_task_t *task, nv_mem_t *ctx, const char *channel,
                 const ProtobufCMessageDescriptor *type, ProtobufCMessage **out, nv_error_t *err)
{
    size_t n = task_input_count(task, channel);
    *out = NULL;
    return n == 0 || task_input(task, ctx, channel, n - 1, type, out, err);
}

bool task_profiles(const agent_task_t *task, nv_mem_t *ctx, Nv__TableProfile ***tables, size_t *n,
                   nv_error_t *err)
{
    *n = task_input_count(task, "profile");
    *tables = NV_NEW_ARRAY(ctx, Nv__TableProfile *, *n + 1);
    for (size_t i = 0; i < *n; i++) {
        ProtobufCMessage *message = NULL;
        if (!task_input(task, ctx, "profile", i, &nv__table_profile__descriptor, &message, err))
            return nv_wrap(err, "profile %zu", i);
        (*tables)[i] = (Nv__TableProfile *)message;
    }
    return true;
}

/* ---- writing ---- */

bool task_write(const agent_task_t *task, const char *channel, const ProtobufCMessage *value, nv_error_t *err)
{
    return task->ops->write(task->host, channel, value, err);
}

bool task_artifact(const agent_task_t *task, const char *name, const char *media_type, const void *data,
                   size_t length, nv_error_t *err)
{
    return task->ops->artifact(task->host, name, media_type, data, length, err);
}

bool task_artifact_json(const agent_task_t *task, const char *name, const ProtobufCMessage *message,
                        nv_error_t *err)
{
    if (message == NULL)
        return true;
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("artifact");
    char *json = NULL;
    size_t length = 0;
    return nv_json_encode(scratch, message, NV_CODEC_PRETTY | NV_CODEC_NUMBERS, &json, &length, err) &&
           task_artifact(task, name, "application/json", json, length, err);
}

/* ---- while it runs ---- */

bool task_cancelled(void *arg)
{
    const agent_task_t *task = arg;
    return task->ops->cancelled(task->host);
}

void task_say(const agent_task_t *task, const char *kind, const char *fmt, ...)
{
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("news");
    va_list args;
    va_start(args, fmt);
    task->ops->emit(task->host, kind, nv_vprintf(scratch, fmt, args), 0, 0);
    va_end(args);
}

void task_progress(const agent_task_t *task, const char *kind, int64_t done, int64_t total, const char *fmt,
                   ...)
{
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("news");
    va_list args;
    va_start(args, fmt);
    task->ops->emit(task->host, kind, nv_vprintf(scratch, fmt, args), done, total);
    va_end(args);
}
