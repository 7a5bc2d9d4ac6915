/* Private to the client: the body and headers of a request, per provider. Pure. */
#ifndef WORKER_LLM_REQUEST_H
#define WORKER_LLM_REQUEST_H

#include "common/http/http.h"
#include "worker/llm/llm.h"

typedef enum llm_provider {
    LLM_OPENAI,
    LLM_GROQ,
    LLM_AZURE,
    LLM_ANTHROPIC,
    LLM_DATABRICKS,
    LLM_COMPATIBLE,
} llm_provider_t;

enum { LLM_DEFAULT_OUTPUT_TOKENS = 4096, LLM_MAX_HEADERS = 6 };

/* How this provider and model want to be asked; what an error teaches stays for the client's life. */
typedef struct llm_dialect {
    llm_provider_t provider;
    const char *model;
    llm_format_t format; /* the strictest JSON form known to work, or yet untried */
    bool completion_tokens;
    bool no_temperature;
    bool no_stream_options;
} llm_dialect_t;

bool llm_provider_parse(const char *text, llm_provider_t *out, nv_error_t *err) NV_MUST_CHECK;

/* What is known about the model before the first request. */
llm_dialect_t llm_dialect_of(llm_provider_t provider, const char *model);

/* The URL to post to: base with the path put before its query. */
char *llm_request_url(nv_mem_t *ctx, llm_provider_t provider, const char *base_url);

/* The body. max_output is what the budget leaves. */
bool llm_request_body(nv_mem_t *ctx, const llm_dialect_t *dialect, const llm_request_t *request,
                      llm_format_t format, int64_t max_output, char **out, size_t *out_length,
                      nv_error_t *err) NV_MUST_CHECK;

/* Fills headers (LLM_MAX_HEADERS); returns how many. */
size_t llm_request_headers(nv_mem_t *ctx, llm_provider_t provider, const char *api_key,
                           const char *anthropic_version, nv_http_header_t *out);

#endif
