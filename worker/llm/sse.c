#include "worker/llm/sse.h"

#include <stdio.h>
#include <string.h>

sse_t sse_make(nv_mem_t *ctx, size_t max_bytes, sse_handler_t handler, void *arg)
{
    return (sse_t){.line = nv_buf_make(ctx, max_bytes),
                   .data = nv_buf_make(ctx, max_bytes),
                   .handler = handler,
                   .arg = arg};
}

static bool dispatch(sse_t *sse, nv_error_t *err)
{
    bool ok = true;
    if (sse->has_data)
        ok = sse->handler(sse->arg, sse->event, nv_buf_text(&sse->data), sse->data.length, err);
    nv_buf_reset(&sse->data);
    sse->has_data = false;
    sse->event[0] = '\0';
    return ok;
}

/* One field; its value starts after the colon and one optional blank. */
static void take_field(sse_t *sse, const char *name, size_t name_length, const char *value, size_t length)
{
    if (name_length == 4 && memcmp(name, "data", 4) == 0) {
        if (sse->has_data)
            nv_buf_putc(&sse->data, '\n');
        nv_buf_add(&sse->data, value, length);
        sse->has_data = true;
    } else if (name_length == 5 && memcmp(name, "event", 5) == 0) {
        snprintf(sse->event, sizeof sse->event, "%.*s", (int)(length < sizeof sse->event ? length : 63),
                 value);
    } /* id, retry and unknown fields mean nothing here */
}

static bool take_line(sse_t *sse, nv_error_t *err)
{
    const char *line = nv_buf_text(&sse->line);
    size_t length = sse->line.length;
    if (!nv_buf_ok(&sse->line, "a line of the event stream", err))
        return false;
    bool ok = true;
    if (length == 0) {
        ok = dispatch(sse, err);
    } else if (line[0] != ':') { /* else a comment */
        const char *colon = memchr(line, ':', length);
        size_t name_length = colon ? (size_t)(colon - line) : length;
        size_t at = colon ? name_length + 1 : length;
        if (at < length && line[at] == ' ')
            at++;
        take_field(sse, line, name_length, line + at, length - at);
        ok = nv_buf_ok(&sse->data, "an event", err);
    }
    nv_buf_reset(&sse->line);
    return ok;
}

/* The byte order mark counts only at the very beginning, and may itself come in pieces. */
static void drop_mark(sse_t *sse)
{
    if (!sse->started && sse->line.length >= 3) {
        sse->started = true;
        if (memcmp(sse->line.data, "\xEF\xBB\xBF", 3) == 0) {
            sse->line.length -= 3;
            memmove(sse->line.data, sse->line.data + 3, sse->line.length + 1);
        }
    }
}

bool sse_feed(sse_t *sse, const char *bytes, size_t length, nv_error_t *err)
{
    size_t from = 0;
    for (size_t i = 0; i < length; i++) {
        char c = bytes[i];
        bool second_half = c == '\n' && sse->after_cr;
        sse->after_cr = c == '\r';
        if (second_half) {
            from = i + 1;
            continue;
        }
        if (c != '\n' && c != '\r')
            continue;
        nv_buf_add(&sse->line, bytes + from, i - from);
        from = i + 1;
        drop_mark(sse);
        sse->started = true;
        if (!take_line(sse, err))
            return false;
    }
    nv_buf_add(&sse->line, bytes + from, length - from);
    drop_mark(sse);
    return nv_buf_ok(&sse->line, "a line of the event stream", err);
}
