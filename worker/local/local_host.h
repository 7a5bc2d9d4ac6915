/* An agent host without a control plane: channels and artifacts in memory or in a folder. It serves `nuvyn-worker
 * analyze` and tests. Credentials and a knowledge base it has none: both answer NOT_FOUND, as a tenant without them does.
 *
 * Threads: tasks may run on several threads at once; the host takes a lock for its channels.
 */
#ifndef WORKER_LOCAL_LOCAL_HOST_H
#define WORKER_LOCAL_LOCAL_HOST_H

#include "worker/agents/agent.h"

typedef struct local_host local_host_t;

/* artifact_dir: where artifacts are written (made when missing), or NULL: they are dropped. news: called for each emitted
 * event, from any thread; may be NULL. llm: a model's credential or NULL. All borrowed. */
typedef struct local_host_options {
    const char *artifact_dir;
    void (*news)(void *arg, const char *kind, const char *text, int64_t done, int64_t total);
    void *news_arg;
    const Nv__LlmCredential *llm;
} local_host_options_t;

local_host_t *local_host_new(const local_host_options_t *options);
void local_host_free(local_host_t *host);
void local_host_cleanup(local_host_t **host);
#define LOCAL_HOST_SCOPE __attribute__((cleanup(local_host_cleanup)))

/* Runs one task of a kind; what it wrote becomes visible on the channels if it succeeds (a fan-out task's writes are
 * ordered by item). The assignment's run_usage is replaced by what the host's tasks have used so far. */
bool local_host_run(local_host_t *host, agent_fn agent, const Nv__TaskAssignment *assignment, nv_mem_t *ctx,
                    agent_result_t *out, nv_error_t *err) NV_MUST_CHECK;

/* The latest document of a channel, decoded below ctx; NOT_FOUND when there is none. */
bool local_host_read(local_host_t *host, nv_mem_t *ctx, const char *channel,
                     const ProtobufCMessageDescriptor *type, ProtobufCMessage **out,
                     nv_error_t *err) NV_MUST_CHECK;

#endif
