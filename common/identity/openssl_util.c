#include "common/identity/openssl_util.h"

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

void nv_x509_cleanup(X509 **p)
{
    X509_free(*p);
}

void nv_pkey_cleanup(EVP_PKEY **p)
{
    EVP_PKEY_free(*p);
}

void nv_bio_cleanup(BIO **p)
{
    BIO_free_all(*p);
}

bool nv_fail_openssl(nv_error_t *err, nv_code_t code, const char *fmt, ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    unsigned long first = ERR_get_error();
    const char *reason = first ? ERR_reason_error_string(first) : NULL;
    ERR_clear_error();
    return nv_fail(err, code, "%s: %s", text, reason ? reason : "OpenSSL gives no reason");
}

X509 *nv_pem_read_cert(const char *pem, size_t length)
{
    NV_BIO_SCOPE BIO *bio = BIO_new_mem_buf(pem, (int)length);
    return bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
}

EVP_PKEY *nv_pem_read_key(const char *pem, size_t length)
{
    NV_BIO_SCOPE BIO *bio = BIO_new_mem_buf(pem, (int)length);
    char no_password[] = "";
    return bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, no_password) : NULL;
}

int64_t nv_asn1_seconds(const ASN1_TIME *time)
{
    struct tm tm = {0};
    if (!ASN1_TIME_to_tm(time, &tm))
        return 0;
    return (int64_t)timegm(&tm);
}

bool nv_serial_hex(const X509 *cert, char *out, size_t size)
{
    const ASN1_INTEGER *serial = X509_get0_serialNumber(cert);
    int length = ASN1_STRING_length(serial);
    const unsigned char *data = ASN1_STRING_get0_data(serial);
    if (length <= 0 || (size_t)length * 2 >= size)
        return false;
    for (int i = 0; i < length; i++)
        snprintf(out + 2 * i, 3, "%02x", data[i]);
    return true;
}
