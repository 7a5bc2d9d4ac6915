#include "common/identity/certificate.h"

#include "common/identity/files.h"
#include "common/identity/openssl_util.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* The single URI SAN of a certificate, copied to out. */
static bool single_uri(const X509 *cert, char out[NV_SPIFFE_MAX + 1], nv_error_t *err)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    int found = 0;
    bool fits = true;
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_URI)
            continue;
        const ASN1_IA5STRING *uri = name->d.uniformResourceIdentifier;
        size_t length = (size_t)ASN1_STRING_length(uri);
        const char *text = (const char *)ASN1_STRING_get0_data(uri);
        fits = fits && length <= NV_SPIFFE_MAX && memchr(text, '\0', length) == NULL;
        if (fits) {
            memcpy(out, text, length);
            out[length] = '\0';
        }
        found++;
    }
    GENERAL_NAMES_free(names);
    if (found == 1 && fits)
        return true;
    return nv_fail(err, NV_UNAUTHENTICATED,
                   "certificate: expected exactly one URI SAN (a SPIFFE ID), found %d", found);
}

static bool inspect(const X509 *cert, nv_cert_info_t *out, nv_error_t *err)
{
    memset(out, 0, sizeof *out);
    if (!single_uri(cert, out->spiffe, err))
        return false;
    if (!nv_identity_parse(out->spiffe, &out->identity, err)) {
        err->code = NV_UNAUTHENTICATED;
        return nv_wrap(err, "certificate");
    }
    if (!nv_serial_hex(cert, out->serial, sizeof out->serial))
        return nv_fail(err, NV_UNAUTHENTICATED, "certificate: serial number longer than %d bytes",
                       NV_SERIAL_MAX / 2);
    out->not_before = nv_asn1_seconds(X509_get0_notBefore(cert));
    out->not_after = nv_asn1_seconds(X509_get0_notAfter(cert));
    return true;
}

bool nv_cert_inspect(const char *pem, size_t length, nv_cert_info_t *out, nv_error_t *err)
{
    NV_X509_SCOPE X509 *cert = length <= NV_PEM_MAX ? nv_pem_read_cert(pem, length) : NULL;
    if (!cert)
        return nv_fail_openssl(err, NV_UNAUTHENTICATED, "certificate: not readable as PEM");
    return inspect(cert, out, err);
}

static bool check_dates(const nv_cert_info_t *info, const char *path, int64_t now, nv_error_t *err)
{
    char when[32];
    bool early = now < info->not_before;
    if (!early && now <= info->not_after)
        return true;
    time_t limit = (time_t)(early ? info->not_before : info->not_after);
    struct tm tm;
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&limit, &tm));
    return nv_fail(err, NV_UNAUTHENTICATED, "%s: certificate of %s %s %s", path, info->spiffe,
                   early ? "is not valid before" : "expired at", when);
}

/* Adds every certificate of a PEM text to the store, or to the stack when store is NULL. */
static int add_certificates(const char *pem, size_t length, X509_STORE *store, STACK_OF(X509) * stack)
{
    NV_BIO_SCOPE BIO *bio = BIO_new_mem_buf(pem, (int)length);
    int n = 0;
    for (X509 *cert; bio && (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL; n++) {
        if (store)
            X509_STORE_add_cert(store, cert);
        if (stack)
            sk_X509_push(stack, X509_dup(cert));
        X509_free(cert);
    }
    ERR_clear_error(); /* the end of the text is reported as an error */
    return n;
}

static bool verify_chain(X509 *leaf, X509_STORE *store, STACK_OF(X509) * chain, int64_t now,
                         const char **reason)
{
    X509_STORE_CTX *verify = X509_STORE_CTX_new();
    bool ok = verify && X509_STORE_CTX_init(verify, store, leaf, chain);
    if (ok) {
        X509_STORE_CTX_set_time(verify, 0, (time_t)now);
        ok = X509_verify_cert(verify) == 1;
    }
    *reason = verify ? X509_verify_cert_error_string(X509_STORE_CTX_get_error(verify)) : "out of memory";
    X509_STORE_CTX_free(verify);
    return ok;
}

static bool check_chain(X509 *leaf, const nv_tls_paths_t *paths, const nv_tls_material_t *tls, int64_t now,
                        nv_error_t *err)
{
    X509_STORE *store = X509_STORE_new();
    STACK_OF(X509) *chain = sk_X509_new_null();
    const char *reason = "no certificate in it";
    int anchors = add_certificates(tls->ca_pem, strlen(tls->ca_pem), store, NULL);
    add_certificates(tls->cert_pem, strlen(tls->cert_pem), NULL, chain);
    bool ok = anchors > 0 && verify_chain(leaf, store, chain, now, &reason);
    sk_X509_pop_free(chain, X509_free);
    X509_STORE_free(store);
    ERR_clear_error();
    if (ok)
        return true;
    return nv_fail(err, NV_UNAUTHENTICATED, "%s: not issued by a certificate authority of %s: %s",
                   paths->cert, paths->ca, reason);
}

static bool read_pem(nv_mem_t *ctx, const char *path, char **out, nv_error_t *err)
{
    size_t length;
    return nv_read_file(ctx, path, NV_PEM_MAX, out, &length, err);
}

bool nv_tls_load(nv_mem_t *ctx, const nv_tls_paths_t *paths, int64_t now, nv_tls_material_t *out,
                 nv_error_t *err)
{
    if (!read_pem(ctx, paths->ca, &out->ca_pem, err) || !read_pem(ctx, paths->cert, &out->cert_pem, err) ||
        !read_pem(ctx, paths->key, &out->key_pem, err))
        return nv_wrap(err, "TLS");
    NV_X509_SCOPE X509 *leaf = nv_pem_read_cert(out->cert_pem, strlen(out->cert_pem));
    if (!leaf)
        return nv_fail_openssl(err, NV_UNAUTHENTICATED, "TLS: %s: expected a PEM certificate", paths->cert);
    NV_PKEY_SCOPE EVP_PKEY *key = nv_pem_read_key(out->key_pem, strlen(out->key_pem));
    if (!key)
        return nv_fail_openssl(err, NV_UNAUTHENTICATED, "TLS: %s: expected an unencrypted PEM private key",
                               paths->key);
    if (X509_check_private_key(leaf, key) != 1) {
        ERR_clear_error();
        return nv_fail(err, NV_UNAUTHENTICATED, "TLS: %s is not the key of %s", paths->key, paths->cert);
    }
    if (!inspect(leaf, &out->info, err))
        return nv_wrap(err, "TLS: %s", paths->cert);
    if (!check_dates(&out->info, paths->cert, now, err) || !check_chain(leaf, paths, out, now, err))
        return nv_wrap(err, "TLS");
    return true;
}
