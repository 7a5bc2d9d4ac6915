#include "tests/support/pki/pki.h"

#include "common/identity/files.h"
#include "common/identity/openssl_util.h"
#include "common/identity/x509_build.h"

#include <ftw.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void must(bool ok, const nv_error_t *err)
{
    if (ok)
        return;
    fprintf(stderr, "pki: %s\n", err->message);
    abort();
}

void pki_open(pki_t *pki)
{
    nv_error_t err = NV_ERROR_INIT;
    pki->ctx = nv_mem_root("pki");
    pki->dir = nv_strdup(pki->ctx, "/tmp/nuvyn-pki-XXXXXX");
    if (!mkdtemp(pki->dir))
        abort();
    must(nv_ca_init(pki->dir, "test.nuvyn", 30, &err), &err);
    pki->ca = nv_printf(pki->ctx, "%s/ca.crt", pki->dir);
}

static int drop(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void pki_close(pki_t *pki)
{
    nftw(pki->dir, drop, 8, FTW_DEPTH | FTW_PHYS);
    nv_mem_free(pki->ctx);
}

static nv_tls_paths_t paths_of(pki_t *pki, const char *file)
{
    return (nv_tls_paths_t){pki->ca, nv_printf(pki->ctx, "%s/%s.crt", pki->dir, file),
                            nv_printf(pki->ctx, "%s/%s.key", pki->dir, file)};
}

nv_tls_paths_t pki_issue(pki_t *pki, const char *spiffe, const char *file, bool server, int from, int to)
{
    static const char *const dns[] = {"localhost"}, *const ips[] = {"127.0.0.1"};
    nv_error_t err = NV_ERROR_INIT;
    int64_t now = (int64_t)time(NULL);
    nv_cert_request_t request = {.spiffe = spiffe,
                                 .file = file,
                                 .server = server,
                                 .dns = dns,
                                 .n_dns = server,
                                 .ips = ips,
                                 .n_ips = server,
                                 .not_before = now + from,
                                 .not_after = now + to};
    must(nv_ca_issue(pki->dir, &request, NULL, &err), &err);
    return paths_of(pki, file);
}

static GENERAL_NAME *uri(const char *text)
{
    return a2i_GENERAL_NAME(NULL, NULL, NULL, GEN_URI, text, 0);
}

/* Takes an issued certificate, replaces its names and signs it again. */
nv_tls_paths_t pki_issue_two_uris(pki_t *pki, const char *first, const char *second, const char *file)
{
    nv_error_t err = NV_ERROR_INIT;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("pki");
    nv_tls_paths_t paths = pki_issue(pki, first, file, false, 0, 3600);
    char *pem;
    size_t length;
    must(nv_read_file(ctx, paths.cert, NV_PEM_MAX, &pem, &length, &err), &err);
    NV_X509_SCOPE X509 *cert = nv_pem_read_cert(pem, length);
    must(nv_read_file(ctx, nv_printf(ctx, "%s/ca.key", pki->dir), NV_PEM_MAX, &pem, &length, &err), &err);
    NV_PKEY_SCOPE EVP_PKEY *ca_key = nv_pem_read_key(pem, length);
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
    sk_GENERAL_NAME_push(names, uri(first));
    sk_GENERAL_NAME_push(names, uri(second));
    if (X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0, X509V3_ADD_REPLACE) != 1 ||
        X509_sign(cert, ca_key, EVP_sha256()) == 0)
        abort();
    sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
    must(nv_x509_cert_pem(ctx, cert, &pem, &length, &err), &err);
    must(nv_write_file_atomic(paths.cert, pem, length, 0644, &err), &err);
    return paths;
}
