/* What agents ask of their host, as functions of the task: reading channels, writing values, telling news.
 *
 * Threads as in agent.h: the task's own, except task_cancelled and task_say, which are safe from any.
 */
#ifndef WORKER_AGENTS_TASK_H
#define WORKER_AGENTS_TASK_H

#include "nuvyn/profile.pb-c.h"
#include "worker/agents/agent.h"

/* ---- reading ---- */

/* Number of documents on a channel. */
size_t task_input_count(const agent_task_t *task, const char *channel);
/* The index-th document of a channel, decoded below ctx; NOT_FOUND when there is none. */
bool task_input(const agent_task_t *task, nv_mem_t *ctx, const char *channel, size_t index,
                const ProtobufCMessageDescriptor *type, ProtobufCMessage **out,
                nv_error_t *err) NV_MUST_CHECK;
/* The last document of a channel, or NULL (and success) when there is none. */
bool task_latest(const agent_task_t *task, nv_mem_t *ctx, const char *channel,
                 const ProtobufCMessageDescriptor *type, ProtobufCMessage **out,
                 nv_error_t *err) NV_MUST_CHECK;
/* Every table's profile, below ctx. */
bool task_profiles(const agent_task_t *task, nv_mem_t *ctx, Nv__TableProfile ***tables, size_t *n,
                   nv_error_t *err) NV_MUST_CHECK;

/* ---- writing ---- */

bool task_write(const agent_task_t *task, const char *channel, const ProtobufCMessage *value,
                nv_error_t *err) NV_MUST_CHECK;
bool task_artifact(const agent_task_t *task, const char *name, const char *media_type, const void *data,
                   size_t length, nv_error_t *err) NV_MUST_CHECK;
/* A message as a JSON file for people; nothing for NULL. */
bool task_artifact_json(const agent_task_t *task, const char *name, const ProtobufCMessage *message,
                        nv_error_t *err) NV_MUST_CHECK;

/* ---- while it runs ---- */

/* True once the task was cancelled or its lease lost. The argument is the agent_task_t: fits where a callback is asked for. */
bool task_cancelled(void *task);
/* News of a kind (see agent_host_ops_t.emit), in printf's words. */
void task_say(const agent_task_t *task, const char *kind, const char *fmt, ...) NV_PRINTF(3, 4);
/* The same, with how far it is. */
void task_progress(const agent_task_t *task, const char *kind, int64_t done, int64_t total, const char *fmt,
                   ...) NV_PRINTF(5, 6);

#endif
