/* Env files: never a crash; what is taken has well-formed names. */
#include <stdlib.h>
#include <string.h>

#include "common/config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("fuzz");
    nv_env_pair_t *pairs;
    size_t n;
    nv_error_t err = NV_ERROR_INIT;
    if (!nv_env_file_parse(ctx, (const char *)data, size, &pairs, &n, &err)) {
        if (err.code == NV_OK || !*err.message)
            abort();
        return 0;
    }
    for (size_t i = 0; i < n; i++)
        if (!*pairs[i].key || strchr(pairs[i].key, '=') || !pairs[i].value)
            abort();
    return 0;
}
