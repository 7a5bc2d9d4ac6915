/* The certificate authority of one state directory, through OpenSSL's API.
 *
 * Below `dir` (mode 0700): ca.key (0600), ca.crt, issued.tsv (one line per certificate issued), revoked.tsv,
 * and what is issued, <name>.crt and <name>.key. Keys are EC P-256. Writers of one folder exclude each other
 * by a lock file; files are replaced atomically, so readers need no lock. Times are seconds since the Unix
 * epoch.
 */
#ifndef NV_IDENTITY_CA_H
#define NV_IDENTITY_CA_H

#include "common/core/error.h"
#include "common/core/mem.h"
#include "common/identity/certificate.h"

#include <stdint.h>

enum { NV_CERT_DAYS_DEFAULT = 90, NV_CA_DAYS_DEFAULT = 3650 };

/* Makes the authority: ALREADY_EXISTS when the folder holds one. */
bool nv_ca_init(const char *dir, const char *domain, int days, nv_error_t *err) NV_MUST_CHECK;

typedef struct nv_cert_request {
    const char *spiffe;
    const char *file;       /* base name of <file>.crt and <file>.key below dir */
    const char *const *dns; /* DNS SANs */
    size_t n_dns;
    const char *const *ips; /* IP SANs */
    size_t n_ips;
    bool server; /* serverAuth beside clientAuth */
    int64_t not_before;
    int64_t not_after;
} nv_cert_request_t;

/* Issues a key and a certificate and records them. The two files appear key first. serial (may be NULL) gets
 * the number. */
bool nv_ca_issue(const char *dir, const nv_cert_request_t *request, char serial[NV_SERIAL_MAX + 1],
                 nv_error_t *err) NV_MUST_CHECK;

typedef struct nv_cert_record {
    char *serial;
    char *spiffe;
    char *file;
    char *dns; /* comma-separated */
    char *ips; /* comma-separated */
    bool server;
    int64_t not_before;
    int64_t not_after;
    bool revoked;
} nv_cert_record_t;

/* What was issued, oldest first; *out below ctx. */
bool nv_ca_list(nv_mem_t *ctx, const char *dir, nv_cert_record_t **out, size_t *n,
                nv_error_t *err) NV_MUST_CHECK;

/* Issues a new key and certificate for the identity of the latest certificate of `file`, with its names and
 * lifetime (not_after 0: as long as the old one), replacing the two files. */
bool nv_ca_rotate(const char *dir, const char *file, int64_t now, int64_t not_after,
                  char serial[NV_SERIAL_MAX + 1], nv_error_t *err) NV_MUST_CHECK;

#endif
