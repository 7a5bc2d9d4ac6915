/* Sealed values: bytes that this system did not seal never open. The first byte chooses how much of a true header the
 * input gets, so that the search reaches behind the magic and the key's id. */
#include <stdlib.h>
#include <string.h>

#include "controlplane/tenancy/seal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t key[TENANCY_KEY_BYTES] = {1, 2, 3, 4};
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("fuzz");
    nv_error_t err = NV_ERROR_INIT;
    nv_bytes_t own, plain;
    if (size == 0)
        return 0;
    if (!tenancy_seal(ctx, key, "data", "acme", "llm", nv_bytes(data, size > 64 ? 64 : size), &own, &err))
        abort();
    size_t header = data[0] % 13; /* magic (4) and key id (8) */
    uint8_t *blob = nv_memdup(ctx, data, size);
    if (header < size)
        memcpy(blob, own.data, header);
    if (tenancy_unseal(ctx, key, "data", "acme", "llm", nv_bytes(blob, size), &plain, &err))
        abort();
    if (err.code != NV_DATA_LOSS && err.code != NV_FAILED_PRECONDITION)
        abort();
    return 0;
}
