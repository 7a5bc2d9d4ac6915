/* Private to the client: what an error answer means and what to do about it. Pure. */
#ifndef WORKER_LLM_FAILURE_H
#define WORKER_LLM_FAILURE_H

#include "common/core/error.h"
#include "common/core/json.h"
#include "common/http/http.h"

typedef enum llm_action {
    LLM_FAIL,
    LLM_RETRY,
    LLM_RETRY_SLOW,  /* overload: wait longer than for a hiccup */
    LLM_SHRINK,      /* the prompt is too long */
    LLM_NEXT_FORMAT, /* this way of asking for JSON is not supported */
    LLM_BAD_OUTPUT, /* the provider's own check refused what the model wrote: once more, then another format */
    LLM_NO_TEMPERATURE,
    LLM_COMPLETION_TOKENS, /* wants max_completion_tokens */
    LLM_NO_STREAM_OPTIONS,
} llm_action_t;

typedef struct llm_failure {
    llm_action_t action;
    nv_code_t code;
    const char *text; /* "<type>: <message>", bounded, below ctx */
} llm_failure_t;

/* From an answer that is not 2xx. */
llm_failure_t llm_failure_of_answer(nv_mem_t *ctx, const nv_http_response_t *reply);
/* From an error object inside a stream. */
llm_failure_t llm_failure_of_event(nv_mem_t *ctx, const nv_json_t *error);

/* Milliseconds of "2m59.56s", "7.66s", "120ms", "1h2m"; -1 when it is none. */
int64_t llm_parse_duration_ms(const char *text);

#endif
