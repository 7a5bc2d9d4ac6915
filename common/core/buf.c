#include "common/core/buf.h"

#include <stdio.h>
#include <string.h>

nv_buf_t nv_buf_make(nv_mem_t *ctx, size_t maximum)
{
    return (nv_buf_t){.ctx = ctx, .maximum = maximum};
}

/* Room for extra bytes and the NUL; false (and sticky overflow) where that would pass the maximum. */
static bool reserve(nv_buf_t *buf, size_t extra)
{
    if (buf->overflowed || extra > buf->maximum - buf->length) {
        buf->overflowed = true;
        return false;
    }
    size_t needed = buf->length + extra + 1;
    if (needed <= buf->capacity)
        return true;
    size_t capacity = buf->capacity ? buf->capacity : 256;
    while (capacity < needed)
        capacity *= 2;
    buf->data = nv_realloc_array(buf->ctx, buf->data, 1, capacity);
    buf->capacity = capacity;
    return true;
}

void nv_buf_add(nv_buf_t *buf, const void *data, size_t length)
{
    if (!reserve(buf, length))
        return;
    if (length)
        memcpy(buf->data + buf->length, data, length);
    buf->length += length;
    buf->data[buf->length] = '\0';
}

void nv_buf_puts(nv_buf_t *buf, const char *text)
{
    nv_buf_add(buf, text, strlen(text));
}

void nv_buf_putc(nv_buf_t *buf, char c)
{
    nv_buf_add(buf, &c, 1);
}

void nv_buf_printf(nv_buf_t *buf, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    va_list again;
    va_copy(again, args);
    int needed = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (needed >= 0 && reserve(buf, (size_t)needed)) {
        vsnprintf(buf->data + buf->length, (size_t)needed + 1, fmt, again);
        buf->length += (size_t)needed;
    }
    va_end(again);
}

void nv_buf_reset(nv_buf_t *buf)
{
    buf->length = 0;
    buf->overflowed = false;
    if (buf->data)
        buf->data[0] = '\0';
}

bool nv_buf_ok(const nv_buf_t *buf, const char *what, nv_error_t *err)
{
    if (buf->overflowed)
        return nv_fail(err, NV_RESOURCE_EXHAUSTED, "%s is larger than %zu bytes", what, buf->maximum);
    return true;
}

const char *nv_buf_text(const nv_buf_t *buf)
{
    return buf->data ? buf->data : "";
}
