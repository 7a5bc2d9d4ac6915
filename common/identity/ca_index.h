/* Inside common/identity: the list of what an authority issued (issued.tsv). */
#ifndef NV_IDENTITY_CA_INDEX_H
#define NV_IDENTITY_CA_INDEX_H

#include "common/identity/ca.h"

bool nv_ca_index_add(const char *dir, const nv_cert_request_t *request, const char *serial,
                     nv_error_t *err) NV_MUST_CHECK;

/* "a,b" -> {"a", "b"} below ctx. */
const char *const *nv_ca_index_split(nv_mem_t *ctx, const char *joined, size_t *n);

#endif
