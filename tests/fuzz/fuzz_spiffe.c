/* A SPIFFE ID that is accepted must be exactly what formatting gives back, and the policy must take any method name. */
#include "common/identity/policy.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    nv_error_t err = NV_ERROR_INIT;
    nv_identity_t identity;
    char back[NV_SPIFFE_MAX + 1];
    char *text = malloc(size + 1);
    if (!text)
        abort();
    memcpy(text, data, size);
    text[size] = '\0';
    if (nv_identity_parse(text, &identity, &err)) {
        nv_identity_format(&identity, back);
        if (strcmp(text, back) != 0)
            abort();
        if (nv_policy_allow(&identity, text, &err))
            abort(); /* no method looks like a SPIFFE ID */
    } else if (err.code == NV_OK || !err.message[0]) {
        abort();
    }
    free(text);
    return 0;
}
