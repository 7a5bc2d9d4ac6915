/* A client for language models: OpenAI-compatible chat completions (OpenAI, Groq, Azure, Databricks serving, Ollama, vLLM,
 * llama.cpp, any gateway) and Anthropic messages; streaming, bounded, within a budget.
 *
 * What comes back is text or JSON from outside: hostile, possibly truncated, possibly valid JSON with nonsense in it.
 * Structured answers go through llm_propose, which decodes them with the contract codec and feeds what is wrong back to the
 * model; whether they are *true* only the caller can check, against the data.
 *
 * One client belongs to one thread at a time. The key is sent to the provider and nowhere else.
 */
#ifndef WORKER_LLM_LLM_H
#define WORKER_LLM_LLM_H

#include "common/core/buf.h"
#include "common/core/error.h"
#include "common/core/log.h"
#include "common/core/mem.h"
#include "nuvyn/worker.pb-c.h"

#include <protobuf-c/protobuf-c.h>

typedef struct llm llm_t;

/* Limits over the life of a client; 0: none. */
typedef struct llm_budget {
    int64_t max_calls;
    int64_t max_tokens; /* input and output */
    int64_t max_ms;     /* wall-clock, from llm_new */
} llm_budget_t;

typedef struct llm_options {
    const Nv__LlmCredential *credential; /* copied */
    llm_budget_t budget;
    const char *ca_pem;            /* extra trust anchors, or NULL */
    const char *anthropic_version; /* NULL: "2023-06-01" */
    int inactivity_s;              /* no byte for so long ends a call; 0: 120 */
    int max_attempts;              /* per call; 0: 4 */
    bool (*cancelled)(void *arg);
    void *cancelled_arg;
    /* The answer's text as it comes. After a restart it begins anew: text is then NULL once. May be NULL. */
    void (*on_token)(void *arg, const char *text, size_t length);
    void *on_token_arg;
    nv_log_t *log; /* may be NULL */
} llm_options_t;

/* INVALID_ARGUMENT for an unknown provider, a missing URL or key, or a key that would travel unencrypted. No request is
 * made yet. Free with llm_free or by freeing ctx. */
bool llm_new(nv_mem_t *ctx, const llm_options_t *options, llm_t **out, nv_error_t *err) NV_MUST_CHECK;
void llm_free(llm_t *llm);
/* "groq openai/gpt-oss-120b"; borrowed. */
const char *llm_name(const llm_t *llm);

typedef struct llm_usage {
    int64_t calls; /* requests that reached the provider, failed ones included */
    int64_t input_tokens;
    int64_t output_tokens;
    int64_t milliseconds;
    double cost_usd;       /* by list prices, an estimate */
    bool cost_known;       /* false: no price is known for this model, cost_usd is 0 */
    bool tokens_estimated; /* at least one answer came without usage: four bytes were taken for a token */
} llm_usage_t;

llm_usage_t llm_usage(const llm_t *llm);

typedef enum llm_role { LLM_USER, LLM_ASSISTANT } llm_role_t;

typedef struct llm_message {
    llm_role_t role;
    const char *text;
} llm_message_t;

/* How JSON is asked for, from the strictest down; a provider that refuses one form is asked in the next. */
typedef enum llm_format {
    LLM_TEXT,        /* free text */
    LLM_JSON_SCHEMA, /* constrained by the schema (Anthropic: a forced tool) */
    LLM_JSON_OBJECT, /* any JSON object; the schema stands in the prompt */
    LLM_JSON_FENCED, /* plain text with the schema in the prompt; JSON is looked for in the answer */
} llm_format_t;

typedef struct llm_request {
    const char *system;
    const llm_message_t *messages;
    size_t n_messages;
    const char *schema;      /* JSON Schema text, or NULL for free text */
    const char *schema_name; /* identifier */
    int max_output_tokens;   /* 0: 4,096 */
    double temperature;      /* 0 … 1 */
} llm_request_t;

typedef enum llm_stop {
    LLM_STOP_END,
    LLM_STOP_LENGTH,  /* the answer is cut off at max_output_tokens */
    LLM_STOP_REFUSED, /* content filter or refusal */
} llm_stop_t;

typedef struct llm_reply {
    char *text; /* below ctx */
    size_t length;
    llm_stop_t stop;
    llm_format_t format; /* that was used */
    int attempts;
} llm_reply_t;

/* One answer. Restarts on 408, 409, 429, 5xx, overload, lost connections and truncated streams. Codes on failure:
 * RESOURCE_EXHAUSTED (budget or quota spent, rate limit longer than we wait), OUT_OF_RANGE (the prompt is too long for the
 * model: send less), UNAUTHENTICATED, PERMISSION_DENIED, NOT_FOUND (model), CANCELLED, UNAVAILABLE, INVALID_ARGUMENT. */
bool llm_complete(llm_t *llm, nv_mem_t *ctx, const llm_request_t *request, llm_reply_t *out,
                  nv_error_t *err) NV_MUST_CHECK;

typedef struct llm_proposal {
    const char *system;
    const char *user;
    const ProtobufCMessageDescriptor *type; /* what to propose */
    const char *name;                       /* identifier: "design_proposal" */
    /* Description of a field for the schema, or NULL; may be NULL. */
    const char *(*describe)(const char *field, void *arg);
    void *describe_arg;
    /* Adds to complaints what is wrong with the facts, in words for the model; may be NULL. */
    void (*check)(void *arg, const ProtobufCMessage *proposal, nv_buf_t *complaints);
    void *check_arg;
    int max_repairs;       /* rounds in which the model hears what was wrong; 0: 2, -1: none */
    int max_output_tokens; /* 0: 4,096 */
} llm_proposal_t;

/* A decoded proposal, below ctx. When complaints remain after the last repair the last proposal is returned all the same
 * and *complaints (may be NULL) holds them: each item is still to be checked. Fails with FAILED_PRECONDITION when no
 * answer could be decoded, naming the last path; other codes as llm_complete. */
bool llm_propose(llm_t *llm, nv_mem_t *ctx, const llm_proposal_t *proposal, ProtobufCMessage **out,
                 const char **complaints, nv_error_t *err) NV_MUST_CHECK;

#endif
