#include "worker/llm/price.h"

#include <stddef.h>
#include <string.h>

typedef struct price {
    const char *provider;
    const char *model; /* a prefix; the first that fits counts, so longer ones stand first */
    double input;      /* USD per million tokens */
    double output;
} price_t;

/* Published list prices at the end of 2025. */
static const price_t prices[] = {
    {"openai", "gpt-4.1-mini", 0.40, 1.60},
    {"openai", "gpt-4.1-nano", 0.10, 0.40},
    {"openai", "gpt-4.1", 2.00, 8.00},
    {"openai", "gpt-4o-mini", 0.15, 0.60},
    {"openai", "gpt-4o", 2.50, 10.00},
    {"openai", "gpt-5-mini", 0.25, 2.00},
    {"openai", "gpt-5-nano", 0.05, 0.40},
    {"openai", "gpt-5", 1.25, 10.00},
    {"groq", "openai/gpt-oss-120b", 0.15, 0.60},
    {"groq", "openai/gpt-oss-20b", 0.075, 0.30},
    {"groq", "llama-3.3-70b", 0.59, 0.79},
    {"groq", "llama-3.1-8b", 0.05, 0.08},
    {"anthropic", "claude-opus-4-5", 5.00, 25.00},
    {"anthropic", "claude-sonnet-4", 3.00, 15.00},
    {"anthropic", "claude-haiku-4-5", 1.00, 5.00},
    {"anthropic", "claude-3-5-haiku", 0.80, 4.00},
};

bool llm_price(const char *provider, const char *model, bool local, int64_t input_tokens,
               int64_t output_tokens, double *usd)
{
    *usd = 0;
    if (local)
        return true;
    for (size_t i = 0; i < sizeof prices / sizeof prices[0]; i++)
        if (strcmp(provider, prices[i].provider) == 0 &&
            strncmp(model, prices[i].model, strlen(prices[i].model)) == 0) {
            *usd = ((double)input_tokens * prices[i].input + (double)output_tokens * prices[i].output) / 1e6;
            return true;
        }
    return false;
}
