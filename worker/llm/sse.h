/* Server-sent events, incrementally: a pure state machine over bytes.
 *
 * Source: the WHATWG HTML standard, "Server-sent events", 9.2.6 (interpreting an event stream). Bytes may be split
 * anywhere, inside UTF-8 and CR LF included. An event that the stream's end cuts off is not delivered, as the standard
 * says; the consumer tells truncation from the payload ([DONE], message_stop). Threads: one at a time.
 */
#ifndef WORKER_LLM_SSE_H
#define WORKER_LLM_SSE_H

#include "common/core/buf.h"

/* Receives one event; name is "" when the stream gave none. Both are borrowed until it returns. False ends the feed. */
typedef bool (*sse_handler_t)(void *arg, const char *name, const char *data, size_t length, nv_error_t *err);

typedef struct sse {
    nv_buf_t line;
    nv_buf_t data;
    char event[64];
    bool has_data;
    bool after_cr; /* the last byte was CR: a following LF belongs to it */
    bool started;  /* the byte order mark can no longer come */
    sse_handler_t handler;
    void *arg;
} sse_t;

/* A line or an event beyond max_bytes fails with RESOURCE_EXHAUSTED. */
sse_t sse_make(nv_mem_t *ctx, size_t max_bytes, sse_handler_t handler, void *arg);
bool sse_feed(sse_t *sse, const char *bytes, size_t length, nv_error_t *err) NV_MUST_CHECK;

#endif
