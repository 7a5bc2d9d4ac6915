/* What relate and design share: the profile gathered from its channel, the knowledge base, and the language model. Private to the
 * Analyst. */
#ifndef WORKER_AGENTS_ANALYST_ANALYST_H
#define WORKER_AGENTS_ANALYST_ANALYST_H

#include "common/core/buf.h"
#include "nuvyn/design.pb-c.h"
#include "nuvyn/profile.pb-c.h"
#include "nuvyn/proposal.pb-c.h"
#include "worker/agents/task/task.h"
#include "worker/discovery/discovery.h"
#include "worker/prompts/prompts.h"

/* All documents of the channel "profile" as one Profile, with the survey's source and skipped files. */
bool analyst_profile(agent_task_t *task, nv_mem_t *ctx, Nv__Profile **out, nv_error_t *err) NV_MUST_CHECK;

/* Cases of similar tables, told as "retrieval" events; an empty reply when there are none, when the run does not want them, or when the
 * knowledge base does not answer (which is said). *fingerprint is that of the profile. */
Nv__KnowledgeReply *analyst_recall(agent_task_t *task, nv_mem_t *ctx, const Nv__Profile *profile,
                                   const char *stage, const char **fingerprint);

/* The design in a case; NULL where there is none, or where it cannot be read, which is said as a "retrieval" event. */
Nv__StarSchema *analyst_case_design(agent_task_t *task, nv_mem_t *ctx, const Nv__KnowledgeCase *found);

typedef struct analyst_question {
    prompt_about_t about;
    const Nv__Profile *profile;
    const Nv__Relations *relations;
    const Nv__KnowledgeReply *cases;
    const char *critique; /* NULL or "" */
    /* As in model_question_t. */
    void (*check)(void *arg, const ProtobufCMessage *proposal, nv_buf_t *complaints);
    void *check_arg;
} analyst_question_t;

/* Asks the tenant's model; as model_ask. */
Nv__DesignProposal *analyst_ask(agent_task_t *task, nv_mem_t *ctx, const analyst_question_t *question,
                                Nv__TaskUsage *usage, const char **why);

/* What of a proposal contradicts the data, a line each for the model; nothing but complaints is changed. */
typedef struct proposal_check {
    nv_mem_t *ctx;
    const Nv__Profile *profile;
    const Nv__Relations *relations;
    const discovery_exact_t *exact; /* NULL: sketches only */
    const Nv__StarSchema *star;     /* NULL: joins and roles are open, measures are not there yet */
} proposal_check_t;

/* arg is a proposal_check_t, proposal an nv.DesignProposal: names that are not in the profile; joins and roles that the data contradicts
 * (without a star); measures that would be summed more freely than their rule allows (with one). */
void proposal_check(void *arg, const ProtobufCMessage *proposal, nv_buf_t *complaints);

#endif
