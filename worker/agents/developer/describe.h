/* The Developer's question to the model: what tables and columns mean, where the mapping says it only mechanically. */
#ifndef WORKER_AGENTS_DEVELOPER_DESCRIBE_H
#define WORKER_AGENTS_DEVELOPER_DESCRIBE_H

#include "nuvyn/proposal.pb-c.h"
#include "nuvyn/sttm.pb-c.h"
#include "worker/agents/task/task.h"

typedef struct describe_outcome {
    int taken;
    int refused;
} describe_outcome_t;

/* How many targets and columns have no description, or one that only repeats names. */
size_t describe_wanted(const Nv__Sttm *sttm);

/* Puts a proposal's descriptions into a mapping (below ctx): only where describe_wanted counts, only for targets and columns that exist,
 * and only well-formed ones: one line, no control or formatting characters, at most 400 bytes for a table and 250 for a column.
 * Nothing but descriptions changes. */
void describe_apply(nv_mem_t *ctx, const Nv__DescriptionProposal *proposal, Nv__Sttm *sttm,
                    describe_outcome_t *out);

/* Asks the tenant's model and gives a copy of the mapping with its descriptions, below ctx; NULL when the run wants no model, there is
 * none, it did not help or nothing it said could be used (an "llm" event says which), and the mapping stands as it is. Usage is added to
 * *usage. cases may be NULL. */
Nv__Sttm *describe_targets(agent_task_t *task, nv_mem_t *ctx, const Nv__Sttm *sttm,
                           const Nv__KnowledgeReply *cases, Nv__TaskUsage *usage);

#endif
