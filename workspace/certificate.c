#include "workspace/certificate.h"

#include "common/core/mem.h"

#include <openssl/err.h>
#include <pthread.h>
#include <sys/stat.h>
#include <time.h>

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

static SSL_CTX *load(const ws_certificate_t *certificate, nv_error_t *err)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    const char *what = NULL;
    ERR_clear_error();
    if (!context) {
        what = "OpenSSL";
    } else if (SSL_CTX_use_certificate_chain_file(context, certificate->chain_file) != 1) {
        what = certificate->chain_file;
    } else if (SSL_CTX_use_PrivateKey_file(context, certificate->key_file, SSL_FILETYPE_PEM) != 1) {
        what = certificate->key_file;
    } else if (SSL_CTX_check_private_key(context) != 1) {
        what = "the key does not belong to the certificate";
    }
    if (!what) {
        return context;
    }
    const char *why = ERR_reason_error_string(ERR_peek_last_error());
    nv_fail(err, NV_INVALID_ARGUMENT, "%s: %s", what, why ? why : "cannot be used");
    ERR_clear_error();
    SSL_CTX_free(context);
    return NULL;
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
