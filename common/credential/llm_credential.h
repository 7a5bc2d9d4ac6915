/* Which language model to ask, and where: what people set, made complete by what is known of the providers. */
#ifndef NV_CREDENTIAL_LLM_H
#define NV_CREDENTIAL_LLM_H

#include "common/core/error.h"
#include "common/core/mem.h"
#include "nuvyn/worker.pb-c.h"

/* The model that the environment names, below ctx; NULL when it names none. get returns a variable's value, or NULL or
 * "" when unset. The first of these that is complete wins:
 *
 *   NUVYN_LLM_BASE_URL (+ NUVYN_LLM_API_KEY)        any OpenAI-compatible endpoint: vLLM, llama.cpp, Ollama, a gateway
 *   GROQ_API_KEY
 *   OPENAI_API_KEY (+ OPENAI_BASE_URL)
 *   ANTHROPIC_API_KEY (+ ANTHROPIC_BASE_URL)
 *   AZURE_OPENAI_API_KEY + AZURE_OPENAI_ENDPOINT + AZURE_OPENAI_DEPLOYMENT (+ AZURE_OPENAI_API_VERSION)
 *   NUVYN_LLM_DATABRICKS_ENDPOINT + DATABRICKS_HOST + DATABRICKS_TOKEN    a serving endpoint
 *
 * NUVYN_LLM_MODEL replaces the provider's default model. */
Nv__LlmCredential *llm_credential_from_environment(nv_mem_t *ctx,
                                                   const char *(*get)(void *arg, const char *variable),
                                                   void *arg);

/* Fills what was left open: "compatible" for an endpoint without a provider, else the provider's endpoint and model.
 * Strings are made below ctx. INVALID_ARGUMENT, naming what is missing, for what could not be asked. */
bool llm_credential_complete(nv_mem_t *ctx, Nv__LlmCredential *credential, nv_error_t *err) NV_MUST_CHECK;

#endif
