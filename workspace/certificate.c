#include "workspace/certificate.h"

#include "common/core/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/x509err.h>
#include <pthread.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* What tells one version of the files from another. */
typedef struct version {
    struct stat chain, key;
} version_t;

struct ws_certificate {
    const char *chain_file;
    const char *key_file;
    nv_log_t *log;
    pthread_mutex_t lock; /* over all below */
    SSL_CTX *current;     /* holds certificate, chain and key; serves no connection itself */
    version_t version;    /* last looked at, usable or not */
    time_t looked;
    bool told_expired; /* that the current one has expired since it was loaded */
};

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static version_t version_of(const ws_certificate_t *certificate)
{
    version_t version = {0};
    (void)stat(certificate->chain_file, &version.chain); /* a missing file is noticed when it is read */
    (void)stat(certificate->key_file, &version.key);
    return version;
}

/* OpenSSL says no more than "system lib" of a file that it cannot open. */
static bool check_file(const char *what, const char *path, nv_error_t *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return nv_fail_errno(err, errno, "%s %s", what, path);
    }
    close(fd);
    return true;
}

static bool fail_openssl(const char *what, const char *path, nv_error_t *err)
{
    /* The first of them; the later ones only say where it came through. */
    const char *why = ERR_reason_error_string(ERR_peek_error());
    nv_fail(err, NV_INVALID_ARGUMENT, "%s %s: %s; expected PEM", what, path, why ? why : "cannot be used");
    ERR_clear_error();
    return false;
}

/* A client would refuse it, and the reason would be told there only. */
static bool check_dates(const SSL_CTX *context, const char *path, nv_error_t *err)
{
    X509 *leaf = SSL_CTX_get0_certificate(context);
    bool early = X509_cmp_current_time(X509_get0_notBefore(leaf)) > 0;
    if (!early && X509_cmp_current_time(X509_get0_notAfter(leaf)) > 0) {
        return true;
    }
    struct tm tm;
    char when[40] = "an unreadable date";
    if (ASN1_TIME_to_tm(early ? X509_get0_notBefore(leaf) : X509_get0_notAfter(leaf), &tm) == 1) {
        strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &tm);
    }
    return nv_fail(err, NV_FAILED_PRECONDITION, "certificate %s: %s %s; expected one that is valid now", path,
                   early ? "is not valid before" : "expired at", when);
}

static bool load_into(SSL_CTX *context, const ws_certificate_t *from, nv_error_t *err)
{
    ERR_clear_error();
    if (!check_file("certificate", from->chain_file, err) || !check_file("key", from->key_file, err)) {
        return false;
    }
    if (SSL_CTX_use_certificate_chain_file(context, from->chain_file) != 1) {
        return fail_openssl("certificate", from->chain_file, err);
    }
    if (SSL_CTX_use_PrivateKey_file(context, from->key_file, SSL_FILETYPE_PEM) == 1) {
        return check_dates(context, from->chain_file, err);
    }
    int why = ERR_GET_REASON(ERR_peek_error());
    if (why != X509_R_KEY_VALUES_MISMATCH && why != X509_R_KEY_TYPE_MISMATCH) {
        return fail_openssl("key", from->key_file, err);
    }
    ERR_clear_error();
    return nv_fail(err, NV_INVALID_ARGUMENT, "key %s: does not belong to certificate %s", from->key_file,
                   from->chain_file);
}

static SSL_CTX *load(const ws_certificate_t *certificate, nv_error_t *err)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (!context) {
        fail_openssl("certificate", certificate->chain_file, err);
    } else if (!load_into(context, certificate, err)) {
        SSL_CTX_free(context);
        context = NULL;
    }
    return context;
}

/* Under the lock. Connections go on with it: nothing better is there, and clients say why they refuse it. */
static void tell_expiry(ws_certificate_t *certificate)
{
    nv_error_t err = NV_ERROR_INIT;
    if (certificate->told_expired || check_dates(certificate->current, certificate->chain_file, &err)) {
        return;
    }
    certificate->told_expired = true;
    nv_log(certificate->log, NV_ERROR, "http", "clients refuse the certificate from now on", "error",
           err.message, NULL);
}

/* Under the lock. */
static void look_again(ws_certificate_t *certificate)
{
    time_t now = time(NULL);
    if (now == certificate->looked) {
        return;
    }
    certificate->looked = now;
    version_t version = version_of(certificate);
    if (same_file(&version.chain, &certificate->version.chain) &&
        same_file(&version.key, &certificate->version.key)) {
        tell_expiry(certificate);
        return;
    }
    certificate->version = version;
    nv_error_t err = NV_ERROR_INIT;
    SSL_CTX *renewed = load(certificate, &err);
    if (!renewed) {
        nv_log(certificate->log, NV_WARN, "http",
               "the changed certificate cannot be used; the one before stays", "error", err.message, NULL);
        return;
    }
    SSL_CTX_free(certificate->current);
    certificate->current = renewed;
    certificate->told_expired = false;
    nv_log(certificate->log, NV_INFO, "http", "certificate reloaded", "file", certificate->chain_file, NULL);
}

/* OpenSSL asks in each handshake. */
static int choose(SSL *ssl, void *arg)
{
    ws_certificate_t *certificate = arg;
    STACK_OF(X509) *chain = NULL;
    pthread_mutex_lock(&certificate->lock);
    look_again(certificate);
    SSL_CTX *current = certificate->current;
    SSL_CTX_get0_chain_certs(current, &chain);
    int used = SSL_use_cert_and_key(ssl, SSL_CTX_get0_certificate(current), SSL_CTX_get0_privatekey(current),
                                    chain, 1);
    pthread_mutex_unlock(&certificate->lock);
    return used;
}

bool ws_certificate_open(const char *chain_file, const char *key_file, nv_log_t *log, ws_certificate_t **out,
                         nv_error_t *err)
{
    ws_certificate_t *certificate = NV_NEW(NULL, ws_certificate_t);
    certificate->chain_file = chain_file;
    certificate->key_file = key_file;
    certificate->log = log;
    pthread_mutex_init(&certificate->lock, NULL);
    certificate->version = version_of(certificate);
    certificate->current = load(certificate, err);
    if (!certificate->current) {
        ws_certificate_free(certificate);
        return false;
    }
    *out = certificate;
    return true;
}

void ws_certificate_serve(ws_certificate_t *certificate, SSL_CTX *context)
{
    SSL_CTX_set_cert_cb(context, choose, certificate);
}

void ws_certificate_free(ws_certificate_t *certificate)
{
    if (!certificate) {
        return;
    }
    SSL_CTX_free(certificate->current);
    pthread_mutex_destroy(&certificate->lock);
    nv_mem_free(certificate);
}
