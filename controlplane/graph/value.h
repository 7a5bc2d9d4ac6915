/* Reference-counted, immutable byte strings: what channels hold. The engine never looks inside.
 *
 * A value belongs to one run's memory context and to the thread that drives the run (the count is not atomic).
 */
#ifndef NV_GRAPH_VALUE_H
#define NV_GRAPH_VALUE_H

#include <stdint.h>

#include "common/core/bytes.h"
#include "common/core/mem.h"

typedef struct nv_value {
    uint32_t references;
    uint32_t length;
    char data[];
} nv_value_t;

/* A copy of bytes with one reference. Precondition: bytes.length fits in 32 bits. */
nv_value_t *nv_value_new(nv_mem_t *ctx, nv_bytes_t bytes);
/* Both accept NULL. */
nv_value_t *nv_value_ref(nv_value_t *value);
void nv_value_unref(nv_value_t *value);

/* Borrowed; no bytes for NULL. */
static inline nv_bytes_t nv_value_bytes(const nv_value_t *value)
{
    return value ? nv_bytes(value->data, value->length) : nv_bytes(NULL, 0);
}

#endif
