/* Finding the JSON object in what a model wrote around it. Pure. */
#ifndef WORKER_LLM_EXTRACT_H
#define WORKER_LLM_EXTRACT_H

#include <stdbool.h>
#include <stddef.h>

/* The JSON object in text: the whole of it, the content of a ``` fence, or the first balanced {…} outside of a
 * <think>…</think> part. False when there is no opening brace with its closing one. The result is inside text. */
bool llm_extract_json(const char *text, size_t length, const char **out, size_t *out_length);

#endif
