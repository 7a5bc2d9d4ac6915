/* A growable byte buffer with a hard maximum; always NUL-terminated one past its end, so that it reads as a string.
 *
 * Writes past the maximum set a sticky overflow flag and are dropped; check it once at the end with nv_buf_ok(), which
 * reports RESOURCE_EXHAUSTED. The bytes live below the context given at creation. Threads: one at a time.
 */
#ifndef NV_CORE_BUF_H
#define NV_CORE_BUF_H

#include "common/core/error.h"
#include "common/core/mem.h"

#include <stddef.h>
#include <stdint.h>

typedef struct nv_buf {
    nv_mem_t *ctx;
    char *data;
    size_t length;
    size_t capacity;
    size_t maximum;
    bool overflowed;
} nv_buf_t;

/* An empty buffer below ctx that holds at most maximum bytes. */
nv_buf_t nv_buf_make(nv_mem_t *ctx, size_t maximum);
void nv_buf_add(nv_buf_t *buf, const void *data, size_t length);
void nv_buf_puts(nv_buf_t *buf, const char *text);
void nv_buf_putc(nv_buf_t *buf, char c);
void nv_buf_printf(nv_buf_t *buf, const char *fmt, ...) NV_PRINTF(2, 3);
/* Drops the content, keeps the memory, clears the overflow. */
void nv_buf_reset(nv_buf_t *buf);
/* False with RESOURCE_EXHAUSTED, naming `what`, when anything was dropped. */
bool nv_buf_ok(const nv_buf_t *buf, const char *what, nv_error_t *err) NV_MUST_CHECK;
/* The content as a string (never NULL); borrowed until the next write. */
const char *nv_buf_text(const nv_buf_t *buf);

#endif
