/* Private to the client: list prices. Estimates for people; never a reason to do or not to do something. */
#ifndef WORKER_LLM_PRICE_H
#define WORKER_LLM_PRICE_H

#include <stdbool.h>
#include <stdint.h>

/* The cost in USD; false when no price is known for the model. local: a model on this machine costs nothing. */
bool llm_price(const char *provider, const char *model, bool local, int64_t input_tokens,
               int64_t output_tokens, double *usd);

#endif
