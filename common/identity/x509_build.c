#include "common/identity/x509_build.h"

#include "common/identity/openssl_util.h"

#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <string.h>

bool nv_x509_make_key(EVP_PKEY **out, nv_error_t *err)
{
    *out = EVP_EC_gen("P-256");
    return *out ? true : nv_fail_openssl(err, NV_INTERNAL, "generating an EC P-256 key");
}

static bool set_serial(X509 *cert)
{
    unsigned char bytes[16];
    if (RAND_bytes(bytes, sizeof bytes) != 1)
        return false;
    bytes[0] = (unsigned char)((bytes[0] & 0x7f) | 0x40); /* positive, and always 16 bytes long */
    return ASN1_STRING_set(X509_get_serialNumber(cert), bytes, sizeof bytes) == 1;
}

static bool set_name(X509_NAME *name, const char *field, const char *text)
{
    return X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, (const unsigned char *)text, -1, -1, 0) ==
           1;
}

static bool set_frame(X509 *cert, EVP_PKEY *key, int64_t not_before, int64_t not_after)
{
    return X509_set_version(cert, X509_VERSION_3) && set_serial(cert) &&
           ASN1_TIME_set(X509_getm_notBefore(cert), (time_t)not_before) &&
           ASN1_TIME_set(X509_getm_notAfter(cert), (time_t)not_after) && X509_set_pubkey(cert, key);
}

static bool add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool ok = extension && X509_add_ext(cert, extension, -1);
    X509_EXTENSION_free(extension);
    return ok;
}

bool nv_x509_make_ca(const char *domain, EVP_PKEY *key, int64_t not_before, int64_t not_after, X509 **out,
                     nv_error_t *err)
{
    X509 *cert = *out = X509_new();
    if (cert && set_frame(cert, key, not_before, not_after) &&
        set_name(X509_get_subject_name(cert), "O", "Nuvyn") &&
        set_name(X509_get_subject_name(cert), "CN", domain) &&
        X509_set_issuer_name(cert, X509_get_subject_name(cert)) &&
        add_extension(cert, cert, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
        add_extension(cert, cert, NID_key_usage, "critical,keyCertSign,cRLSign") &&
        add_extension(cert, cert, NID_subject_key_identifier, "hash") && X509_sign(cert, key, EVP_sha256()))
        return true;
    return nv_fail_openssl(err, NV_INTERNAL, "making the authority's certificate");
}

static bool push_name(GENERAL_NAMES *names, int type, const char *text)
{
    GENERAL_NAME *name = a2i_GENERAL_NAME(NULL, NULL, NULL, type, text, 0);
    if (!name)
        return false;
    return sk_GENERAL_NAME_push(names, name) > 0;
}

/* Built from objects, not from a configuration string, so that no name can smuggle in another. */
static bool add_names(X509 *cert, const nv_cert_request_t *request, nv_error_t *err)
{
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
    bool ok = names && push_name(names, GEN_URI, request->spiffe);
    for (size_t i = 0; ok && i < request->n_dns; i++)
        ok = push_name(names, GEN_DNS, request->dns[i]);
    for (size_t i = 0; ok && i < request->n_ips; i++)
        if (!(ok = push_name(names, GEN_IPADD, request->ips[i])))
            nv_fail(err, NV_INVALID_ARGUMENT, "IP address \"%.80s\": expected IPv4 or IPv6", request->ips[i]);
    ok = ok && X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) == 1;
    sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
    return ok;
}

bool nv_x509_make_leaf(const nv_cert_request_t *request, EVP_PKEY *key, X509 *ca_cert, EVP_PKEY *ca_key,
                       X509 **out, nv_error_t *err)
{
    const char *usage = request->server ? "serverAuth,clientAuth" : "clientAuth";
    X509 *cert = *out = X509_new();
    nv_error_clear(err);
    if (cert && set_frame(cert, key, request->not_before, request->not_after) &&
        set_name(X509_get_subject_name(cert), "O", "Nuvyn") &&
        set_name(X509_get_subject_name(cert), "CN", request->file) &&
        X509_set_issuer_name(cert, X509_get_subject_name(ca_cert)) &&
        add_extension(cert, ca_cert, NID_basic_constraints, "critical,CA:FALSE") &&
        add_extension(cert, ca_cert, NID_key_usage, "critical,digitalSignature") &&
        add_extension(cert, ca_cert, NID_ext_key_usage, usage) &&
        add_extension(cert, ca_cert, NID_subject_key_identifier, "hash") &&
        add_extension(cert, ca_cert, NID_authority_key_identifier, "keyid:always") &&
        add_names(cert, request, err) && X509_sign(cert, ca_key, EVP_sha256()))
        return true;
    return err->code ? false : nv_fail_openssl(err, NV_INTERNAL, "making a certificate");
}

static bool take_bio(nv_mem_t *ctx, BIO *bio, char **out, size_t *length)
{
    char *data;
    long n = BIO_get_mem_data(bio, &data);
    *out = nv_strndup(ctx, data, (size_t)n);
    *length = (size_t)n;
    return n > 0;
}

bool nv_x509_key_pem(nv_mem_t *ctx, EVP_PKEY *key, char **out, size_t *length, nv_error_t *err)
{
    NV_BIO_SCOPE BIO *bio = BIO_new(BIO_s_mem());
    if (bio && PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) &&
        take_bio(ctx, bio, out, length))
        return true;
    return nv_fail_openssl(err, NV_INTERNAL, "writing a key as PEM");
}

bool nv_x509_cert_pem(nv_mem_t *ctx, X509 *cert, char **out, size_t *length, nv_error_t *err)
{
    NV_BIO_SCOPE BIO *bio = BIO_new(BIO_s_mem());
    if (bio && PEM_write_bio_X509(bio, cert) && take_bio(ctx, bio, out, length))
        return true;
    return nv_fail_openssl(err, NV_INTERNAL, "writing a certificate as PEM");
}
