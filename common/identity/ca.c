#include "common/identity/ca.h"

#include "common/identity/ca_index.h"
#include "common/identity/files.h"
#include "common/identity/openssl_util.h"
#include "common/identity/x509_build.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

static void path_of(char out[PATH_MAX], const char *dir, const char *file, const char *suffix)
{
    snprintf(out, PATH_MAX, "%s/%s%s", dir, file, suffix);
}

/* Writers of one folder take turns. */
static int lock_dir(const char *dir, nv_error_t *err)
{
    char path[PATH_MAX];
    path_of(path, dir, "lock", "");
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        nv_fail_errno(err, errno, "%s", path);
        return -1;
    }
    while (flock(fd, LOCK_EX) != 0) {
        if (errno == EINTR)
            continue;
        nv_fail_errno(err, errno, "%s", path);
        close(fd);
        return -1;
    }
    return fd;
}

static bool write_pair(const char *dir, const char *file, EVP_PKEY *key, X509 *cert, nv_error_t *err)
{
    char path[PATH_MAX];
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("pem");
    char *pem;
    size_t length;
    path_of(path, dir, file, ".key");
    if (!nv_x509_key_pem(ctx, key, &pem, &length, err) || !nv_write_file_atomic(path, pem, length, 0600, err))
        return false;
    path_of(path, dir, file, ".crt");
    return nv_x509_cert_pem(ctx, cert, &pem, &length, err) &&
           nv_write_file_atomic(path, pem, length, 0644, err);
}

static bool init_locked(const char *dir, const char *domain, int days, nv_error_t *err)
{
    char path[PATH_MAX];
    path_of(path, dir, "ca", ".key");
    if (access(path, F_OK) == 0)
        return nv_fail(err, NV_ALREADY_EXISTS, "%s: this folder already has a certificate authority", path);
    int64_t now = (int64_t)time(NULL);
    NV_PKEY_SCOPE EVP_PKEY *key = NULL;
    NV_X509_SCOPE X509 *cert = NULL;
    return nv_x509_make_key(&key, err) &&
           nv_x509_make_ca(domain, key, now, now + (int64_t)days * 86400, &cert, err) &&
           write_pair(dir, "ca", key, cert, err);
}

bool nv_ca_init(const char *dir, const char *domain, int days, nv_error_t *err)
{
    char spiffe[NV_SPIFFE_MAX + 1];
    nv_identity_t probe;
    snprintf(spiffe, sizeof spiffe, "spiffe://%s/controlplane", domain);
    if (!nv_identity_parse(spiffe, &probe, err))
        return nv_wrap(err, "trust domain \"%.80s\"", domain);
    if (!nv_private_dir(dir, err))
        return false;
    int lock = lock_dir(dir, err);
    if (lock < 0)
        return false;
    bool ok = init_locked(dir, domain, days, err);
    close(lock);
    return ok;
}

static bool load_ca(const char *dir, EVP_PKEY **key, X509 **cert, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("ca");
    char path[PATH_MAX], *pem;
    size_t length;
    path_of(path, dir, "ca", ".key");
    if (!nv_read_file(ctx, path, NV_PEM_MAX, &pem, &length, err))
        return nv_wrap(err, "certificate authority");
    *key = nv_pem_read_key(pem, length);
    if (!*key)
        return nv_fail_openssl(err, NV_DATA_LOSS, "certificate authority: %s", path);
    path_of(path, dir, "ca", ".crt");
    if (!nv_read_file(ctx, path, NV_PEM_MAX, &pem, &length, err))
        return nv_wrap(err, "certificate authority");
    *cert = nv_pem_read_cert(pem, length);
    return *cert ? true : nv_fail_openssl(err, NV_DATA_LOSS, "certificate authority: %s", path);
}

static bool issue_locked(const char *dir, const nv_cert_request_t *request, char *serial, nv_error_t *err)
{
    NV_PKEY_SCOPE EVP_PKEY *ca_key = NULL;
    NV_X509_SCOPE X509 *ca_cert = NULL;
    NV_PKEY_SCOPE EVP_PKEY *key = NULL;
    NV_X509_SCOPE X509 *cert = NULL;
    char number[NV_SERIAL_MAX + 1];
    if (!load_ca(dir, &ca_key, &ca_cert, err) || !nv_x509_make_key(&key, err) ||
        !nv_x509_make_leaf(request, key, ca_cert, ca_key, &cert, err))
        return false;
    if (!nv_serial_hex(cert, number, sizeof number))
        return nv_fail(err, NV_INTERNAL, "serial number too long");
    /* Recorded first: a certificate that exists but is not listed could never be revoked by identity or seen.
     */
    if (!nv_ca_index_add(dir, request, number, err) || !write_pair(dir, request->file, key, cert, err))
        return false;
    if (serial)
        memcpy(serial, number, sizeof number);
    return true;
}

bool nv_ca_issue(const char *dir, const nv_cert_request_t *request, char serial[NV_SERIAL_MAX + 1],
                 nv_error_t *err)
{
    nv_identity_t identity;
    if (!nv_identity_parse(request->spiffe, &identity, err) ||
        !nv_identity_name_check(request->file, "file", err))
        return false;
    if (strcmp(request->file, "ca") == 0)
        return nv_fail(err, NV_INVALID_ARGUMENT, "file \"ca\": that is the authority's own");
    if (request->not_after <= request->not_before)
        return nv_fail(err, NV_INVALID_ARGUMENT, "certificate of %s: would end before it begins",
                       request->spiffe);
    int lock = lock_dir(dir, err);
    if (lock < 0)
        return false;
    bool ok = issue_locked(dir, request, serial, err);
    close(lock);
    return ok ? true : nv_wrap(err, "issuing a certificate to %s", request->spiffe);
}

static const nv_cert_record_t *latest_of(const nv_cert_record_t *records, size_t n, const char *file)
{
    for (size_t i = n; i-- > 0;)
        if (strcmp(records[i].file, file) == 0)
            return &records[i];
    return NULL;
}

bool nv_ca_rotate(const char *dir, const char *file, int64_t now, int64_t not_after,
                  char serial[NV_SERIAL_MAX + 1], nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("rotate");
    nv_cert_record_t *records;
    size_t n;
    if (!nv_ca_list(ctx, dir, &records, &n, err))
        return false;
    const nv_cert_record_t *old = latest_of(records, n, file);
    if (!old)
        return nv_fail(err, NV_NOT_FOUND, "certificate \"%s\": none was issued under this name in %s", file,
                       dir);
    nv_cert_request_t request = {
        .spiffe = old->spiffe, .file = file, .server = old->server, .not_before = now};
    request.not_after = not_after ? not_after : now + (old->not_after - old->not_before);
    request.dns = nv_ca_index_split(ctx, old->dns, &request.n_dns);
    request.ips = nv_ca_index_split(ctx, old->ips, &request.n_ips);
    return nv_ca_issue(dir, &request, serial, err);
}
