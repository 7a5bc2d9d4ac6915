#include "worker/agents/analyst/analyst.h"

#include <string.h>

#include "worker/knowledge/fingerprint.h"
#include "worker/llm/llm.h"
#include "worker/prompts/prompts.h"

enum { CASES = 3, LLM_CALLS = 6, LLM_TOKENS = 60000, LLM_MS = 120000, REPAIRS = 1 };

bool analyst_is_cancelled(void *arg)
{
    const agent_task_t *task = arg;
    return task->ops->cancelled(task->host);
}

bool analyst_optional(agent_task_t *task, nv_mem_t *ctx, const char *channel,
                      const ProtobufCMessageDescriptor *type, ProtobufCMessage **out, nv_error_t *err)
{
    size_t n = task->ops->input_count(task->host, channel);
    *out = NULL;
    return n == 0 || task->ops->input(task->host, ctx, channel, n - 1, type, out, err);
}

bool analyst_profile(agent_task_t *task, nv_mem_t *ctx, Nv__Profile **out, nv_error_t *err)
{
    Nv__Profile *profile = NV_NEW(ctx, Nv__Profile);
    nv__profile__init(profile);
    ProtobufCMessage *message = NULL;
    if (!analyst_optional(task, ctx, "survey", &nv__survey__descriptor, &message, err))
        return nv_wrap(err, "survey");
    if (message != NULL) {
        Nv__Survey *survey = (Nv__Survey *)message;
        profile->source = survey->source;
        profile->skipped = survey->skipped;
        profile->n_skipped = survey->n_skipped;
    } else if (task->assignment->spec != NULL) {
        profile->source = task->assignment->spec->source;
    }
    size_t n = task->ops->input_count(task->host, "profile");
    if (n == 0)
        return nv_fail(err, NV_FAILED_PRECONDITION, "no table was profiled");
    profile->tables = NV_NEW_ARRAY(ctx, Nv__TableProfile *, n);
    for (size_t i = 0; i < n; i++) {
        if (!task->ops->input(task->host, ctx, "profile", i, &nv__table_profile__descriptor, &message, err))
            return nv_wrap(err, "profile %zu", i);
        profile->tables[profile->n_tables++] = (Nv__TableProfile *)message;
    }
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
    if (wanted && !task->ops->knowledge_search(
                      task->host, ctx, fingerprint_query(ctx, *fingerprint, stage, CASES), &reply, &err)) {
        task->ops->emit(task->host, "retrieval", nv_printf(ctx, "knowledge base: %s", err.message), 0, 0);
        reply = NULL;
    }
    if (reply == NULL) {
        reply = NV_NEW(ctx, Nv__KnowledgeReply);
        nv__knowledge_reply__init(reply);
        return reply;
    }
    for (size_t i = 0; i < reply->n_hits; i++)
        task->ops->emit(task->host, "retrieval",
                        nv_printf(ctx, "similar case %s (%.2f): %s", reply->hits[i]->found->id,
                                  reply->hits[i]->similarity, reply->hits[i]->found->lesson),
                        (int64_t)i + 1, (int64_t)reply->n_hits);
    if (reply->n_hits == 0)
        task->ops->emit(task->host, "retrieval", nv_printf(ctx, "no similar case for %s", stage), 0, 0);
    return reply;
}

static void on_token(void *arg, const char *text, size_t length)
{
    const agent_task_t *task = arg;
    char piece[512];
    if (text == NULL) {
        task->ops->emit(task->host, "llm", "the answer begins anew", 0, 0);
        return;
    }
    while (length > 0) {
        size_t n = length < sizeof piece - 1 ? length : sizeof piece - 1;
        while (n > 1 && n < length && ((unsigned char)text[n] & 0xC0) == 0x80)
            n--;
        memcpy(piece, text, n);
        piece[n] = '\0';
        task->ops->emit(task->host, "token", piece, 0, 0);
        text += n;
        length -= n;
    }
}

static Nv__DesignProposal *propose(agent_task_t *task, nv_mem_t *ctx, llm_t *llm, const prompt_t *prompt,
                                   nv_error_t *err)
{
    llm_proposal_t request = {.system = prompt->system,
                              .user = prompt->user,
                              .type = &nv__design_proposal__descriptor,
                              .name = "design_proposal",
                              .describe = prompt_describe_field,
                              .max_repairs = REPAIRS};
    ProtobufCMessage *message = NULL;
    const char *complaints = NULL;
    if (!llm_propose(llm, ctx, &request, &message, &complaints, err))
        return NULL;
    if (complaints != NULL && complaints[0] != '\0')
        task->ops->emit(
            task->host, "llm",
            nv_printf(ctx, "what remains wrong in the proposal is checked item by item: %s", complaints), 0,
            0);
    return (Nv__DesignProposal *)message;
}

static void add_usage(const llm_t *llm, Nv__TaskUsage *usage)
{
    llm_usage_t used = llm_usage(llm);
    usage->llm_calls += used.calls;
    usage->llm_input_tokens += used.input_tokens;
    usage->llm_output_tokens += used.output_tokens;
    usage->llm_cost_usd += used.cost_usd;
}

Nv__DesignProposal *analyst_ask(agent_task_t *task, nv_mem_t *ctx, const Nv__Profile *profile,
                                const Nv__Relations *relations, const Nv__KnowledgeReply *cases,
                                const char *critique, Nv__TaskUsage *usage, const char **why)
{
    nv_error_t err = NV_ERROR_INIT;
    Nv__LlmCredential *credential = NULL;
    llm_t *llm = NULL;
    *why = "no language model was asked for";
    if (task->assignment->spec != NULL && !task->assignment->spec->use_llm)
        return NULL;
    if (!task->ops->llm(task->host, ctx, &credential, &err)) {
        *why = nv_printf(ctx, "no language model: %s", err.message);
        return NULL;
    }
    llm_options_t options = {.credential = credential,
                             .budget = {.max_calls = LLM_CALLS, .max_tokens = LLM_TOKENS, .max_ms = LLM_MS},
                             .cancelled = analyst_is_cancelled,
                             .cancelled_arg = task,
                             .on_token = on_token,
                             .on_token_arg = task};
    prompt_design_evidence_t evidence = {.tables = profile->tables,
                                         .n_tables = profile->n_tables,
                                         .relations = relations,
                                         .hits = cases->hits,
                                         .n_hits = cases->n_hits,
                                         .critique = critique};
    prompt_t prompt;
    Nv__DesignProposal *proposal = NULL;
    if (llm_new(ctx, &options, &llm, &err) && prompt_design(ctx, &evidence, 0, &prompt, &err)) {
        task->ops->emit(task->host, "llm", nv_printf(ctx, "asking %s", llm_name(llm)), 0, 0);
        proposal = propose(task, ctx, llm, &prompt, &err);
    }
    if (llm != NULL) {
        add_usage(llm, usage);
        llm_free(llm);
    }
    *why = proposal != NULL ? "" : nv_printf(ctx, "the language model did not help: %s", err.message);
    return proposal;
}
