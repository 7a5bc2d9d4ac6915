/* What an agent is: a function from a task to a result, and what it may ask of its host while it works.
 *
 * The host is the worker's connection to the control plane, or, for `nuvyn-worker analyze` and for tests, an in-process
 * one. An agent never sees a socket, a certificate or a secret it did not ask for. One task runs on one thread; host
 * functions may be called from that thread only, except `cancelled` and `emit`, which are safe from any.
 *
 * Documents on channels are packed contract messages (common/contract/codec.h); artifacts are files for people.
 */
#ifndef WORKER_AGENT_H
#define WORKER_AGENT_H

#include "common/core/error.h"
#include "common/core/mem.h"
#include "nuvyn/quality.pb-c.h"
#include "nuvyn/worker.pb-c.h"

#include <stddef.h>
#include <stdint.h>

typedef struct agent_host_ops {
    /* Number of input documents on a channel ("relations" -> 0 or 1; "profile" -> one per table). */
    size_t (*input_count)(void *host, const char *channel);
    /* The index-th input document of a channel, decoded below ctx as `type`. NOT_FOUND when there is none. */
    bool (*input)(void *host, nv_mem_t *ctx, const char *channel, size_t index,
                  const ProtobufCMessageDescriptor *type, ProtobufCMessage **out, nv_error_t *err);
    /* Writes a channel value; visible to others only if the task succeeds. */
    bool (*write)(void *host, const char *channel, const ProtobufCMessage *value, nv_error_t *err);
    /* Stores a file for people; name is a relative path below the run's output folder. */
    bool (*artifact)(void *host, const char *name, const char *media_type, const void *data, size_t length,
                     nv_error_t *err);
    /* Live news: kinds "progress", "token", "log", "finding", "retrieval", "llm",
     * "spark", "learned", and "summary" (told when the run has ended). Never fails; may coalesce. */
    void (*emit)(void *host, const char *kind, const char *text, int64_t done, int64_t total);
    /* The tenant's short-lived credentials. NOT_FOUND when the tenant has none of this kind. Call again when expired. */
    bool (*databricks)(void *host, nv_mem_t *ctx, Nv__DatabricksCredential **out, nv_error_t *err);
    bool (*llm)(void *host, nv_mem_t *ctx, Nv__LlmCredential **out, nv_error_t *err);
    /* The tenant's knowledge base. */
    bool (*knowledge_search)(void *host, nv_mem_t *ctx, const Nv__KnowledgeQuery *query,
                             Nv__KnowledgeReply **out, nv_error_t *err);
    bool (*knowledge_add)(void *host, const Nv__KnowledgeCase *added, nv_error_t *err);
    /* True once the task was cancelled or its lease lost: stop soon, with NV_CANCELLED. */
    bool (*cancelled)(void *host);
} agent_host_ops_t;

typedef struct agent_task {
    const Nv__TaskAssignment *assignment; /* kind, item, spec, round, idempotency_token */
    const agent_host_ops_t *ops;
    void *host;
    int statements_at_once; /* most SQL statements that it may have on the warehouse at a time; 0: 1 */
} agent_task_t;

typedef struct agent_result {
    const char *outcome; /* "pass", "fail", "done"; borrowed from ctx or static */
    const char *blame;   /* "", "design", "generate" */
    const char **items;  /* fan-out keys, below ctx */
    size_t n_items;
    Nv__TaskUsage usage; /* fill what applies */
} agent_result_t;

/* ctx lives as long as the result is needed. A failure marked transient (nv_code_is_transient) is retried. */
typedef bool (*agent_fn)(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err);

/* The agents, by task kind; each lives in its folder below worker/agents. */
bool agent_survey(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err);   /* analyst */
bool agent_profile(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err);  /* analyst */
bool agent_relate(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err);   /* analyst */
bool agent_design(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err);   /* analyst */
bool agent_review(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err);   /* tester */
bool agent_generate(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err); /* developer */
bool agent_deploy(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err);   /* developer */
bool agent_execute(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err);  /* developer */
bool agent_validate(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err); /* tester */
bool agent_evaluate(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err); /* evaluator */
bool agent_learn(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err);    /* evaluator */

#endif
