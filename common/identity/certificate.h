/* Reading and checking certificates: what a TLS endpoint loads, and what a peer showed.
 *
 * Times are seconds since the Unix epoch. Safe from any thread.
 */
#ifndef NV_IDENTITY_CERTIFICATE_H
#define NV_IDENTITY_CERTIFICATE_H

#include "common/core/error.h"
#include "common/core/mem.h"
#include "common/identity/spiffe.h"

#include <stdint.h>

enum { NV_SERIAL_MAX = 40, NV_PEM_MAX = 1024 * 1024 };

typedef struct nv_cert_info {
    nv_identity_t identity;
    char spiffe[NV_SPIFFE_MAX + 1];
    char serial[NV_SERIAL_MAX + 1]; /* lower-case hex */
    int64_t not_before;
    int64_t not_after;
} nv_cert_info_t;

/* The first certificate of a PEM text. UNAUTHENTICATED unless it has exactly one URI SAN and that is one of
 * our SPIFFE IDs (fail closed: two URI SANs name two identities, so none). */
bool nv_cert_inspect(const char *pem, size_t length, nv_cert_info_t *out, nv_error_t *err) NV_MUST_CHECK;

typedef struct nv_tls_paths {
    const char *ca;   /* trust bundle, PEM */
    const char *cert; /* own chain, leaf first, PEM */
    const char *key;  /* own private key, PEM */
} nv_tls_paths_t;

/* What an endpoint needs, checked; texts are PEM, below the context it was loaded with. */
typedef struct nv_tls_material {
    char *ca_pem;
    char *cert_pem;
    char *key_pem;
    nv_cert_info_t info;
} nv_tls_material_t;

/* Loads the three files and checks: key and certificate match, the chain leads to the trust bundle, valid at
 * `now`, one SPIFFE ID. Each failure names the file and the reason. */
bool nv_tls_load(nv_mem_t *ctx, const nv_tls_paths_t *paths, int64_t now, nv_tls_material_t *out,
                 nv_error_t *err) NV_MUST_CHECK;

#endif
