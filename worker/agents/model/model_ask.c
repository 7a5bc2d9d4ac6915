#include "worker/agents/model/model_ask.h"

#include "worker/llm/llm.h"

#include <string.h>

enum { LLM_CALLS = 6, LLM_TOKENS = 60000, LLM_MS = 120000, REPAIRS = 1 };

static void on_token(void *arg, const char *text, size_t length)
{
    const agent_task_t *task = arg;
    char piece[512];
    if (text == NULL) {
        task_say(task, "llm", "the answer begins anew");
        return;
    }
    while (length > 0) {
        size_t n = length < sizeof piece - 1 ? length : sizeof piece - 1;
        while (n > 1 && n < length && ((unsigned char)text[n] & 0xC0) == 0x80)
            n--;
        memcpy(piece, text, n);
        piece[n] = '\0';
        task_say(task, "token", "%s", piece);
        text += n;
        length -= n;
    }
}

/* What a check is wrapped in, so that people see why the model is asked again. */
typedef struct told_check {
    agent_task_t *task;
    const model_question_t *question;
} told_check_t;

static void check_and_tell(void *arg, const ProtobufCMessage *proposal, nv_buf_t *complaints)
{
    const told_check_t *told = arg;
    size_t before = complaints->length;
    told->question->check(told->question->check_arg, proposal, complaints);
    if (complaints->length == before)
        return;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("complaints");
    const char *first = nv_buf_text(complaints) + before;
    size_t lines = 0;
    for (const char *p = first; (p = strchr(p, '\n')) != NULL; p++)
        lines++;
    char *text = nv_printf(ctx, "the data contradicts the answer: %.*s", (int)strcspn(first, "\n"), first);
    if (lines > 1)
        text = nv_printf(ctx, "%s (and %zu more)", text, lines - 1);
    task_say(told->task, "llm", "%s", text);
}

static ProtobufCMessage *propose(agent_task_t *task, nv_mem_t *ctx, llm_t *llm,
                                 const model_question_t *question, nv_error_t *err)
{
    told_check_t told = {.task = task, .question = question};
    llm_proposal_t request = {.system = question->prompt.system,
                              .user = question->prompt.user,
                              .type = question->type,
                              .name = question->name,
                              .describe = prompt_describe_field,
                              .check = question->check ? check_and_tell : NULL,
                              .check_arg = &told,
                              .max_repairs = REPAIRS,
                              .max_output_tokens = question->max_output_tokens};
    ProtobufCMessage *message = NULL;
    const char *complaints = NULL;
    task_say(task, "llm", "asking %s", llm_name(llm));
    if (!llm_propose(llm, ctx, &request, &message, &complaints, err))
        return NULL;
    if (complaints != NULL && complaints[0] != '\0')
        task_say(task, "llm", "what remains wrong in the proposal is checked item by item: %s", complaints);
    return message;
}

static void add_usage(const llm_t *llm, Nv__TaskUsage *usage)
{
    llm_usage_t used = llm_usage(llm);
    usage->llm_calls += used.calls;
    usage->llm_input_tokens += used.input_tokens;
    usage->llm_output_tokens += used.output_tokens;
    usage->llm_cost_usd += used.cost_usd;
}

ProtobufCMessage *model_ask(agent_task_t *task, nv_mem_t *ctx, const model_question_t *question,
                            Nv__TaskUsage *usage, const char **why)
{
    nv_error_t err = NV_ERROR_INIT;
    Nv__LlmCredential *credential = NULL;
    llm_t *llm = NULL;
    *why = "no language model was asked for";
    if (task->assignment->spec != NULL && !task->assignment->spec->use_llm)
        return NULL;
    if (!task->ops->llm(task->host, ctx, &credential, &err)) {
        *why = err.code == NV_NOT_FOUND ? "no language model is configured"
                                        : nv_printf(ctx, "no language model: %s", err.message);
        return NULL;
    }
    llm_options_t options = {.credential = credential,
                             .budget = {.max_calls = LLM_CALLS, .max_tokens = LLM_TOKENS, .max_ms = LLM_MS},
                             .cancelled = task_cancelled,
                             .cancelled_arg = task,
                             .on_token = on_token,
                             .on_token_arg = task};
    ProtobufCMessage *proposal = NULL;
    if (llm_new(ctx, &options, &llm, &err)) {
        proposal = propose(task, ctx, llm, question, &err);
        add_usage(llm, usage);
        llm_free(llm);
    }
    *why = proposal != NULL ? "" : nv_printf(ctx, "the language model did not help: %s", err.message);
    return proposal;
}
