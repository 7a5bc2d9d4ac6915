/* Memory: hierarchical contexts (talloc) that abort when memory is out.
 *
 * A request, a task or a document owns a context; everything made for it hangs below and goes with it. A talloc
 * context must be used by one thread at a time; there is no shared root, so contexts of different threads never meet.
 */
#ifndef NV_CORE_MEM_H
#define NV_CORE_MEM_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

/* A memory context. Any pointer from this module may serve as one. */
typedef void nv_mem_t;

/* A new root context; name is borrowed and must be a literal. */
nv_mem_t *nv_mem_root(const char *name);
/* A child context of parent. */
nv_mem_t *nv_mem_child(nv_mem_t *parent, const char *name);
/* Frees a context and all below; NULL is fine. */
void nv_mem_free(void *ptr);
/* Cleanup attribute: NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("x"); */
void nv_mem_cleanup(void *ptr_to_ptr);
#define NV_MEM_SCOPE __attribute__((cleanup(nv_mem_cleanup)))

/* Zeroed memory below ctx. The array form aborts on size overflow. */
void *nv_alloc(nv_mem_t *ctx, size_t size);
void *nv_alloc_array(nv_mem_t *ctx, size_t element_size, size_t count);
/* Resizes an array (new elements are not zeroed). ptr may be NULL. */
void *nv_realloc_array(nv_mem_t *ctx, void *ptr, size_t element_size, size_t count);
#define NV_NEW(ctx, type) ((type *)nv_alloc((ctx), sizeof(type)))
#define NV_NEW_ARRAY(ctx, type, count) ((type *)nv_alloc_array((ctx), sizeof(type), (count)))

/* Makes room for one more in a growing array (doubling): NV_PUSH(ctx, list, n, cap) = value; */
void *nv_grow(nv_mem_t *ctx, void *ptr, size_t element_size, size_t count, size_t *capacity);
#define NV_PUSH(ctx, array, count, capacity)                                                                 \
    (*((array) = nv_grow((ctx), (array), sizeof *(array), (count), &(capacity)), &(array)[(count)++]))

char *nv_strdup(nv_mem_t *ctx, const char *text);
char *nv_strndup(nv_mem_t *ctx, const char *text, size_t length);
void *nv_memdup(nv_mem_t *ctx, const void *data, size_t length);
char *nv_printf(nv_mem_t *ctx, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
char *nv_vprintf(nv_mem_t *ctx, const char *fmt, va_list args) __attribute__((format(printf, 2, 0)));
/* The texts in their order with the separator between them; "" for none. */
char *nv_join(nv_mem_t *ctx, const char *separator, char *const *texts, size_t count);

/* Moves ptr below new_parent; returns ptr. */
void *nv_steal(nv_mem_t *new_parent, void *ptr);
/* Calls fn(ptr) when ptr (made by this module) is freed. One per ptr. */
void nv_on_free(void *ptr, int (*fn)(void *ptr));

/* An allocator for protobuf-c that puts everything below ctx. The result is stored in *out and borrows ctx; do not call
 * *_free_unpacked on what it made: free the context. */
void nv_mem_protobuf(nv_mem_t *ctx, ProtobufCAllocator *out);

#endif
