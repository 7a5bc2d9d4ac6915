/* The event stream and the answer's state over it: the same bytes in one piece and split must give the same events. The
 * first byte picks provider and piece size. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "worker/llm/sse.h"
#include "worker/llm/stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct sink {
    nv_buf_t events;
    llm_stream_t answer;
} sink_t;

static bool take(void *arg, const char *name, const char *data, size_t length, nv_error_t *err)
{
    sink_t *sink = arg;
    nv_buf_printf(&sink->events, "%s|%zu|", name, length);
    nv_buf_add(&sink->events, data, length);
    nv_error_t answer_err = NV_ERROR_INIT;
    (void)err;
    if (!sink->answer.error && !llm_stream_event(&sink->answer, name, data, length, &answer_err))
        assert(answer_err.code != NV_OK);
    return true;
}

static bool feed(nv_mem_t *ctx, sink_t *sink, bool anthropic, const char *bytes, size_t size, size_t piece)
{
    nv_error_t err = NV_ERROR_INIT;
    *sink = (sink_t){.events = nv_buf_make(ctx, 1 << 22), .answer = llm_stream_make(ctx, anthropic)};
    sse_t sse = sse_make(ctx, 1 << 16, take, sink);
    for (size_t at = 0; at < size; at += piece)
        if (!sse_feed(&sse, bytes + at, size - at < piece ? size - at : piece, &err))
            return false;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("fuzz");
    sink_t whole;
    sink_t split;
    bool anthropic = data[0] & 1;
    const char *bytes = (const char *)data + 1;
    bool a = feed(ctx, &whole, anthropic, bytes, size - 1, size);
    bool b = feed(ctx, &split, anthropic, bytes, size - 1, 1 + (data[0] >> 1) % 7);
    assert(a == b);
    assert(whole.events.length == split.events.length);
    assert(strcmp(nv_buf_text(&whole.answer.text), nv_buf_text(&split.answer.text)) == 0);
    return 0;
}
