/* A throw-away certificate authority in a temporary folder, for tests that speak TLS. */
#ifndef TESTS_SUPPORT_PKI_H
#define TESTS_SUPPORT_PKI_H

#include "common/identity/ca.h"

typedef struct pki {
    nv_mem_t *ctx; /* of all paths */
    char *dir;
    char *ca;
} pki_t;

/* Makes the folder and an authority for "test.nuvyn"; aborts on failure. */
void pki_open(pki_t *pki);
/* Removes the folder. */
void pki_close(pki_t *pki);

/* Issues a certificate valid from `from` to `to` seconds from now; the paths stay valid until pki_close. */
nv_tls_paths_t pki_issue(pki_t *pki, const char *spiffe, const char *file, bool server, int from, int to);
/* One with two URI SANs, which our own issuer would never make. */
nv_tls_paths_t pki_issue_two_uris(pki_t *pki, const char *first, const char *second, const char *file);

#endif
