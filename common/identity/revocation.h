/* The revocation list: certificates that must not be believed although their dates and signature are good.
 *
 * A text file, one entry per line, tab-separated: what, when (Unix seconds), reason. `what` is a serial
 * number in hex, or "spiffe:<id>", which means every certificate of this identity issued until then. A
 * missing file is an empty list; a damaged line makes loading fail, because forgetting a revocation must not
 * be silent.
 */
#ifndef NV_IDENTITY_REVOCATION_H
#define NV_IDENTITY_REVOCATION_H

#include "common/core/error.h"
#include "common/core/mem.h"
#include "common/identity/certificate.h"

typedef struct nv_revocation nv_revocation_t;

/* Loads the list below ctx. The result is immutable, so it may be read from any thread. */
bool nv_revocation_load(nv_mem_t *ctx, const char *path, nv_revocation_t **out,
                        nv_error_t *err) NV_MUST_CHECK;

bool nv_revocation_has(const nv_revocation_t *list, const nv_cert_info_t *cert);

/* Appends an entry durably. Exactly one of serial and spiffe is given. Revoking twice is fine. */
bool nv_revocation_add(const char *path, const char *serial, const char *spiffe, int64_t now,
                       const char *reason, nv_error_t *err) NV_MUST_CHECK;

#endif
