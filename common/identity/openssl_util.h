/* Inside common/identity: OpenSSL's handles with their cleanups, and its error queue as text. */
#ifndef NV_IDENTITY_OPENSSL_UTIL_H
#define NV_IDENTITY_OPENSSL_UTIL_H

#include "common/core/error.h"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stddef.h>
#include <stdint.h>

void nv_x509_cleanup(X509 **p);
void nv_pkey_cleanup(EVP_PKEY **p);
void nv_bio_cleanup(BIO **p);
#define NV_X509_SCOPE __attribute__((cleanup(nv_x509_cleanup)))
#define NV_PKEY_SCOPE __attribute__((cleanup(nv_pkey_cleanup)))
#define NV_BIO_SCOPE __attribute__((cleanup(nv_bio_cleanup)))

/* Fails with the first reason of OpenSSL's error queue, which it empties. Always false. */
bool nv_fail_openssl(nv_error_t *err, nv_code_t code, const char *fmt, ...) NV_PRINTF(3, 4);

X509 *nv_pem_read_cert(const char *pem, size_t length);
EVP_PKEY *nv_pem_read_key(const char *pem, size_t length);
int64_t nv_asn1_seconds(const ASN1_TIME *time);
/* Lower-case hex of the certificate's serial number; false when it is longer than out. */
bool nv_serial_hex(const X509 *cert, char *out, size_t size);

#endif
