#include "controlplane/graph/value.h"

#include <assert.h>

nv_value_t *nv_value_new(nv_mem_t *ctx, nv_bytes_t bytes)
{
    assert(bytes.length <= UINT32_MAX);
    nv_value_t *value = nv_alloc(ctx, sizeof *value + bytes.length + 1);
    value->references = 1;
    value->length = (uint32_t)bytes.length;
    if (bytes.length)
        memcpy(value->data, bytes.data, bytes.length);
    return value;
}

nv_value_t *nv_value_ref(nv_value_t *value)
{
    if (value)
        value->references++;
    return value;
}

void nv_value_unref(nv_value_t *value)
{
    if (!value)
        return;
    assert(value->references > 0);
    if (--value->references == 0)
        nv_mem_free(value);
}
