/* A borrowed run of bytes; not NUL-terminated. */
#ifndef NV_CORE_BYTES_H
#define NV_CORE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

typedef struct nv_bytes {
    const void *data;
    size_t length;
} nv_bytes_t;

static inline nv_bytes_t nv_bytes(const void *data, size_t length)
{
    return (nv_bytes_t){data, length};
}

/* The bytes of a string, without its NUL; NULL gives none. */
static inline nv_bytes_t nv_bytes_text(const char *text)
{
    return (nv_bytes_t){text, text ? strlen(text) : 0};
}

static inline bool nv_bytes_equal(nv_bytes_t a, nv_bytes_t b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

/* Order as memcmp, a prefix first. */
static inline int nv_bytes_compare(nv_bytes_t a, nv_bytes_t b)
{
    size_t shorter = a.length < b.length ? a.length : b.length;
    int order = shorter ? memcmp(a.data, b.data, shorter) : 0;
    return order ? order : (a.length > b.length) - (a.length < b.length);
}

#endif
