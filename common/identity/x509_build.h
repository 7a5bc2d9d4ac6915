/* Inside common/identity: making keys and certificates. Results are owned by the caller (nv_x509_cleanup
 * etc.). */
#ifndef NV_IDENTITY_X509_BUILD_H
#define NV_IDENTITY_X509_BUILD_H

#include "common/identity/ca.h"

#include <openssl/evp.h>
#include <openssl/x509.h>

bool nv_x509_make_key(EVP_PKEY **out, nv_error_t *err) NV_MUST_CHECK;
bool nv_x509_make_ca(const char *domain, EVP_PKEY *key, int64_t not_before, int64_t not_after, X509 **out,
                     nv_error_t *err) NV_MUST_CHECK;
bool nv_x509_make_leaf(const nv_cert_request_t *request, EVP_PKEY *key, X509 *ca_cert, EVP_PKEY *ca_key,
                       X509 **out, nv_error_t *err) NV_MUST_CHECK;
bool nv_x509_key_pem(nv_mem_t *ctx, EVP_PKEY *key, char **out, size_t *length, nv_error_t *err) NV_MUST_CHECK;
bool nv_x509_cert_pem(nv_mem_t *ctx, X509 *cert, char **out, size_t *length, nv_error_t *err) NV_MUST_CHECK;

#endif
