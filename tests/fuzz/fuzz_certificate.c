/* Whatever a peer shows: an identity or a reason. */
#include "common/identity/certificate.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    nv_error_t err = NV_ERROR_INIT;
    nv_cert_info_t info;
    bool ok = nv_cert_inspect((const char *)data, size, &info, &err);
    if (ok ? info.identity.kind == NV_IDENTITY_NONE : err.code != NV_UNAUTHENTICATED)
        abort();
    return 0;
}
