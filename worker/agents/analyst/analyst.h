/* What relate and design share: the profile gathered from its channel, the knowledge base, and the language model. Private to the
 * Analyst. */
#ifndef WORKER_AGENTS_ANALYST_ANALYST_H
#define WORKER_AGENTS_ANALYST_ANALYST_H

#include "nuvyn/profile.pb-c.h"
#include "nuvyn/proposal.pb-c.h"
#include "worker/agents/agent.h"

/* All documents of the channel "profile" as one Profile, with the survey's source and skipped files. */
bool analyst_profile(agent_task_t *task, nv_mem_t *ctx, Nv__Profile **out, nv_error_t *err) NV_MUST_CHECK;

/* The latest document of a channel, or NULL when it is empty. */
bool analyst_optional(agent_task_t *task, nv_mem_t *ctx, const char *channel,
                      const ProtobufCMessageDescriptor *type, ProtobufCMessage **out,
                      nv_error_t *err) NV_MUST_CHECK;

/* Cases of similar tables, told as "retrieval" events; an empty reply when there are none, when the run does not want them, or when the
 * knowledge base does not answer (which is said). *fingerprint is that of the profile. */
Nv__KnowledgeReply *analyst_recall(agent_task_t *task, nv_mem_t *ctx, const Nv__Profile *profile,
                                   const char *stage, const char **fingerprint);

/* Asks the tenant's model about relations. NULL when there is no model, it is not wanted, or it fails; *why then says it for people, and
 * the run goes on by evidence. Usage is added to *usage. */
Nv__DesignProposal *analyst_ask(agent_task_t *task, nv_mem_t *ctx, const Nv__Profile *profile,
                                const Nv__Relations *relations, const Nv__KnowledgeReply *cases,
                                const char *critique, Nv__TaskUsage *usage, const char **why);

bool analyst_is_cancelled(void *task);

#endif
