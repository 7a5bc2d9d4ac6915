/* Who a peer is: a SPIFFE ID in the single URI SAN of its certificate.
 *
 *   spiffe://<domain>/controlplane               the control plane
 *   spiffe://<domain>/workspace                  the local workspace
 *   spiffe://<domain>/pool/<pool>/worker/<name>  a worker of a pool
 *   spiffe://<domain>/tenant/<tenant>/user/<name>  a tenant's user
 *   spiffe://<domain>/operator/<name>            an operator of the installation
 *   spiffe://<domain>/scaler/<name>              what sets the number of workers (KEDA)
 *
 * Source: the SPIFFE-ID specification (trust domain: lower-case letters, digits, ".", "-", "_"; no query, no
 * fragment, no empty, "." or ".." segment). All functions are pure and safe from any thread.
 */
#ifndef NV_IDENTITY_SPIFFE_H
#define NV_IDENTITY_SPIFFE_H

#include "common/core/error.h"

#include <stddef.h>

enum { NV_IDENTITY_NAME_MAX = 63, NV_IDENTITY_DOMAIN_MAX = 255, NV_SPIFFE_MAX = 512 };

typedef enum nv_identity_kind {
    NV_IDENTITY_NONE = 0,
    NV_IDENTITY_CONTROLPLANE = 1,
    NV_IDENTITY_WORKSPACE = 2,
    NV_IDENTITY_WORKER = 4,
    NV_IDENTITY_USER = 8,
    NV_IDENTITY_OPERATOR = 16,
    NV_IDENTITY_SCALER = 32,
} nv_identity_kind_t;

/* Fields that do not apply to the kind are empty. */
typedef struct nv_identity {
    nv_identity_kind_t kind;
    char domain[NV_IDENTITY_DOMAIN_MAX + 1];
    char pool[NV_IDENTITY_NAME_MAX + 1];
    char tenant[NV_IDENTITY_NAME_MAX + 1];
    char name[NV_IDENTITY_NAME_MAX + 1];
} nv_identity_t;

/* Parses a whole SPIFFE ID; anything that is not exactly one of the forms above is INVALID_ARGUMENT. */
bool nv_identity_parse(const char *uri, nv_identity_t *out, nv_error_t *err) NV_MUST_CHECK;

/* Writes the SPIFFE ID; out holds at least NV_SPIFFE_MAX + 1 bytes. */
void nv_identity_format(const nv_identity_t *identity, char out[NV_SPIFFE_MAX + 1]);

/* A name as it may stand in an identity: 1 to 63 of [A-Za-z0-9._-], beginning with a letter or digit. `what`
 * names it in the error. */
bool nv_identity_name_check(const char *name, const char *what, nv_error_t *err) NV_MUST_CHECK;

/* "controlplane", "worker" …; borrowed, static. */
const char *nv_identity_kind_name(nv_identity_kind_t kind);

#endif
