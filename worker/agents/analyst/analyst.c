#include "worker/agents/analyst/analyst.h"

#include "common/contract/codec.h"
#include "worker/agents/model/model_ask.h"
#include "worker/knowledge/fingerprint.h"
#include "worker/knowledge/likeness.h"
#include "worker/prompts/prompts.h"

#include <string.h>

enum { CANDIDATES = 20, CASES = 3 };

bool analyst_profile(agent_task_t *task, nv_mem_t *ctx, Nv__Profile **out, nv_error_t *err)
{
    Nv__Profile *profile = NV_NEW(ctx, Nv__Profile);
    nv__profile__init(profile);
    ProtobufCMessage *message = NULL;
    if (!task_latest(task, ctx, "survey", &nv__survey__descriptor, &message, err))
        return nv_wrap(err, "survey");
    if (message != NULL) {
        Nv__Survey *survey = (Nv__Survey *)message;
        profile->source = survey->source;
        profile->skipped = survey->skipped;
        profile->n_skipped = survey->n_skipped;
    } else if (task->assignment->spec != NULL) {
        profile->source = task->assignment->spec->source;
    }
    if (!task_profiles(task, ctx, &profile->tables, &profile->n_tables, err))
        return false;
    if (profile->n_tables == 0)
        return nv_fail(err, NV_FAILED_PRECONDITION, "no table was profiled");
    *out = profile;
    return true;
}

Nv__KnowledgeReply *analyst_recall(agent_task_t *task, nv_mem_t *ctx, const Nv__Profile *profile,
                                   const char *stage, const char **fingerprint)
{
    Nv__KnowledgeReply *reply = NULL;
    nv_error_t err = NV_ERROR_INIT;
    *fingerprint = fingerprint_make(ctx, (const Nv__TableProfile *const *)profile->tables, profile->n_tables);
    const Nv__RunSpec *spec = task->assignment->spec;
    bool wanted = spec == NULL || spec->use_knowledge;
    if (wanted &&
        !task->ops->knowledge_search(task->host, ctx, fingerprint_query(ctx, *fingerprint, stage, CANDIDATES),
                                     &reply, &err)) {
        task_say(task, "retrieval", "knowledge base: %s", err.message);
        reply = NULL;
    }
    if (reply == NULL) {
        reply = NV_NEW(ctx, Nv__KnowledgeReply);
        nv__knowledge_reply__init(reply);
        return reply;
    }
    likeness_keep(ctx, *fingerprint, CASES, reply);
    for (size_t i = 0; i < reply->n_hits; i++)
        task_progress(task, "retrieval", (int64_t)i + 1, (int64_t)reply->n_hits, "similar case %s (%.2f): %s",
                      reply->hits[i]->found->id, reply->hits[i]->similarity, reply->hits[i]->found->lesson);
    if (reply->n_hits == 0)
        task_say(task, "retrieval", "no similar case for %s", stage);
    return reply;
}

Nv__StarSchema *analyst_case_design(agent_task_t *task, nv_mem_t *ctx, const Nv__KnowledgeCase *found)
{
    ProtobufCMessage *message = NULL;
    nv_error_t err = NV_ERROR_INIT;
    if (found->document[0] == '\0')
        return NULL;
    if (nv_json_decode(ctx, &nv__star_schema__descriptor, "design", found->document, strlen(found->document),
                       NV_CODEC_IGNORE_UNKNOWN, &message, &err))
        return (Nv__StarSchema *)message;
    task_say(task, "retrieval", "the design of %s cannot be read, so it decides nothing: %s",
             found->run_id[0] ? found->run_id : found->id, err.message);
    return NULL;
}

Nv__DesignProposal *analyst_ask(agent_task_t *task, nv_mem_t *ctx, const analyst_question_t *question,
                                Nv__TaskUsage *usage, const char **why)
{
    nv_error_t err = NV_ERROR_INIT;
    prompt_design_evidence_t evidence = {.about = question->about,
                                         .tables = question->profile->tables,
                                         .n_tables = question->profile->n_tables,
                                         .relations = question->relations,
                                         .hits = question->cases->hits,
                                         .n_hits = question->cases->n_hits,
                                         .critique = question->critique};
    model_question_t asked = {.type = &nv__design_proposal__descriptor,
                              .name = "design_proposal",
                              .check = question->check,
                              .check_arg = question->check_arg};
    if (!prompt_design(ctx, &evidence, 0, &asked.prompt, &err)) {
        *why = nv_printf(ctx, "the evidence does not fit a question: %s", err.message);
        return NULL;
    }
    return (Nv__DesignProposal *)model_ask(task, ctx, &asked, usage, why);
}
