/* What agents share when they ask the tenant's language model: the credential, the budget of a task, live tokens, and one
 * way to go on without it. */
#ifndef WORKER_AGENTS_MODEL_ASK_H
#define WORKER_AGENTS_MODEL_ASK_H

#include "common/core/buf.h"
#include "worker/agents/task/task.h"
#include "worker/prompts/prompts.h"

typedef struct model_question {
    prompt_t prompt;
    const ProtobufCMessageDescriptor *type; /* what to propose */
    const char *name;                       /* identifier: "design_proposal" */
    /* Adds to complaints what contradicts the data, in words for the model, which then answers once more; may be NULL. */
    void (*check)(void *arg, const ProtobufCMessage *proposal, nv_buf_t *complaints);
    void *check_arg;
    int max_output_tokens; /* 0: the client's */
} model_question_t;

/* The proposal, decoded below ctx; its facts are still to be checked one by one. NULL when the run wants no model, there is none, or it
 * does not help; *why then says it for people, and the agent goes on by evidence. Usage, also of what failed, is added to *usage.
 * Tokens are emitted as "token", what happens as "llm". */
ProtobufCMessage *model_ask(agent_task_t *task, nv_mem_t *ctx, const model_question_t *question,
                            Nv__TaskUsage *usage, const char **why);

#endif
