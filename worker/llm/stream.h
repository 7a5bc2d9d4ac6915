/* Private to the client: an answer's state, from the events of a stream or from one JSON document. Pure. */
#ifndef WORKER_LLM_STREAM_H
#define WORKER_LLM_STREAM_H

#include "common/core/buf.h"
#include "common/core/json.h"

enum { LLM_ANSWER_MAX = 1024 * 1024, LLM_EVENT_MAX = 4 * 1024 * 1024 };

typedef struct llm_stream {
    nv_mem_t *ctx;
    bool anthropic;
    nv_buf_t text;
    bool finished;   /* a finish reason, [DONE] or message_stop came */
    char finish[48]; /* the provider's word for it */
    bool refused;
    bool has_usage;
    int64_t input_tokens;
    int64_t output_tokens;
    const nv_json_t *error; /* an error inside the stream, as it came */
    void (*on_token)(void *arg, const char *text, size_t length);
    void *on_token_arg;
} llm_stream_t;

llm_stream_t llm_stream_make(nv_mem_t *ctx, bool anthropic);

/* One server-sent event. False with *err for what cannot be read, or ABORTED for an error the provider sent (then
 * stream->error is set). */
bool llm_stream_event(llm_stream_t *stream, const char *name, const char *data, size_t length,
                      nv_error_t *err) NV_MUST_CHECK;

/* A whole answer that came as one JSON document. */
bool llm_stream_document(llm_stream_t *stream, const char *json, size_t length,
                         nv_error_t *err) NV_MUST_CHECK;

#endif
