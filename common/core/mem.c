#include "common/core/mem.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <talloc.h>

static void *must(void *ptr)
{
    if (!ptr) {
        fputs("out of memory\n", stderr);
        abort();
    }
    return ptr;
}

nv_mem_t *nv_mem_root(const char *name)
{
    void *ctx = must(talloc_new(NULL));
    talloc_set_name_const(ctx, name);
    return ctx;
}

nv_mem_t *nv_mem_child(nv_mem_t *parent, const char *name)
{
    void *ctx = must(talloc_new(parent));
    talloc_set_name_const(ctx, name);
    return ctx;
}

void nv_mem_free(void *ptr)
{
    if (ptr)
        talloc_free(ptr);
}

void nv_mem_cleanup(void *ptr_to_ptr)
{
    void *ptr;
    memcpy(&ptr, ptr_to_ptr, sizeof ptr);
    nv_mem_free(ptr);
}

void *nv_alloc(nv_mem_t *ctx, size_t size)
{
    return must(_talloc_zero(ctx, size, "nv_alloc"));
}

static size_t checked_product(size_t a, size_t b)
{
    size_t product;
    if (__builtin_mul_overflow(a, b, &product)) {
        fputs("array size overflow\n", stderr);
        abort();
    }
    return product;
}

void *nv_alloc_array(nv_mem_t *ctx, size_t element_size, size_t count)
{
    return nv_alloc(ctx, checked_product(element_size, count));
}

void *nv_realloc_array(nv_mem_t *ctx, void *ptr, size_t element_size, size_t count)
{
    size_t size = checked_product(element_size, count);
    /* talloc frees on size 0; keep one byte so that the result is always a live pointer. */
    return must(_talloc_realloc(ctx, ptr, size ? size : 1, "nv_realloc_array"));
}

void *nv_grow(nv_mem_t *ctx, void *ptr, size_t element_size, size_t count, size_t *capacity)
{
    if (count < *capacity)
        return ptr;
    *capacity = *capacity ? checked_product(*capacity, 2) : 8;
    return nv_realloc_array(ctx, ptr, element_size, *capacity);
}

char *nv_strdup(nv_mem_t *ctx, const char *text)
{
    return must(talloc_strdup(ctx, text));
}

char *nv_strndup(nv_mem_t *ctx, const char *text, size_t length)
{
    return must(talloc_strndup(ctx, text, length));
}

void *nv_memdup(nv_mem_t *ctx, const void *data, size_t length)
{
    void *copy = nv_alloc(ctx, length ? length : 1);
    if (length)
        memcpy(copy, data, length);
    return copy;
}

char *nv_vprintf(nv_mem_t *ctx, const char *fmt, va_list args)
{
    return must(talloc_vasprintf(ctx, fmt, args));
}

char *nv_printf(nv_mem_t *ctx, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *text = nv_vprintf(ctx, fmt, args);
    va_end(args);
    return text;
}

char *nv_join(nv_mem_t *ctx, const char *separator, char *const *texts, size_t count)
{
    char *text = nv_strdup(ctx, "");
    for (size_t i = 0; i < count; i++) {
        text = must(talloc_strdup_append_buffer(text, i > 0 ? separator : ""));
        text = must(talloc_strdup_append_buffer(text, texts[i]));
    }
    return text;
}

void *nv_steal(nv_mem_t *new_parent, void *ptr)
{
    return _talloc_steal_loc(new_parent, ptr, __location__);
}

void nv_on_free(void *ptr, int (*fn)(void *ptr))
{
    _talloc_set_destructor(ptr, fn);
}

static void *protobuf_alloc(void *ctx, size_t size)
{
    return must(_talloc_zero(ctx, size ? size : 1, "protobuf"));
}

static void protobuf_free(void *ctx, void *ptr)
{
    (void)ctx;
    nv_mem_free(ptr);
}

void nv_mem_protobuf(nv_mem_t *ctx, ProtobufCAllocator *out)
{
    *out = (ProtobufCAllocator){.alloc = protobuf_alloc, .free = protobuf_free, .allocator_data = ctx};
}
