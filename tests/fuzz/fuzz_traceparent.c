/* traceparent headers: what is taken is valid, and version 00 comes out as it went in. */
#include <stdlib.h>
#include <string.h>

#include "common/telemetry/trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("fuzz");
    char *text = nv_strndup(ctx, (const char *)data, size);
    nv_trace_context_t context;
    nv_error_t err = NV_ERROR_INIT;
    if (!nv_traceparent_parse(text, &context, &err)) {
        if (err.code != NV_INVALID_ARGUMENT)
            abort();
        return 0;
    }
    char again[NV_TRACEPARENT_LENGTH + 1];
    nv_traceparent_format(&context, again);
    if (!nv_trace_context_is_valid(&context))
        abort();
    if (memcmp(text, "00", 2) == 0 && strcmp(text, again) != 0)
        abort();
    return 0;
}
