#include "workspace/certificate.h"

#include "common/identity/ca.h"
#include "tests/unit/workspace/check.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* A folder with an authority; "server" is issued by it. */
typedef struct pki {
    nv_mem_t *mem;
    char dir[64];
    const char *chain;
    const char *key;
    int log_fd;
    nv_log_t *log;
} pki_t;

static void issue(pki_t *pki, int64_t from, int64_t to)
{
    nv_error_t err = NV_ERROR_INIT;
    const char *const ips[] = {"127.0.0.1"};
    nv_cert_request_t request = {.spiffe = "spiffe://test/workspace",
                                 .file = "server",
                                 .ips = ips,
                                 .n_ips = 1,
                                 .server = true,
                                 .not_before = time(NULL) + from,
                                 .not_after = time(NULL) + to};
    if (!nv_ca_issue(pki->dir, &request, NULL, &err))
        fail_msg("%s", err.message);
}

static int set_up(void **state)
{
    nv_error_t err = NV_ERROR_INIT;
    nv_mem_t *mem = nv_mem_root("pki");
    pki_t *pki = NV_NEW(mem, pki_t);
    pki->mem = mem;
    snprintf(pki->dir, sizeof pki->dir, "/tmp/nuvyn-certificate-XXXXXX");
    assert_non_null(mkdtemp(pki->dir));
    if (!nv_ca_init(pki->dir, "test", 30, &err))
        fail_msg("%s", err.message);
    pki->chain = nv_printf(mem, "%s/server.crt", pki->dir);
    pki->key = nv_printf(mem, "%s/server.key", pki->dir);
    char path[] = "/tmp/nuvyn-certificate-log-XXXXXX";
    pki->log_fd = mkstemp(path);
    unlink(path);
    pki->log = nv_log_new(pki->log_fd, "test", NV_DEBUG, NV_LOG_TEXT);
    *state = pki;
    return 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)st, (void)type, (void)where;
    return remove(path);
}

static int tear_down(void **state)
{
    pki_t *pki = *state;
    nftw(pki->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    nv_log_free(pki->log);
    close(pki->log_fd);
    nv_mem_free(pki->mem);
    return 0;
}

/* The error of a start with these files. */
static const char *refused(pki_t *pki, const char *chain, const char *key)
{
    ws_certificate_t *certificate = NULL;
    nv_error_t err = NV_ERROR_INIT;
    assert_false(ws_certificate_open(chain, key, pki->log, &certificate, &err));
    return nv_strdup(pki->mem, err.message);
}

static void assert_says(const char *text, const char *word)
{
    if (!strstr(text, word))
        fail_msg("\"%s\" does not say \"%s\"", text, word);
}

static void a_file_that_cannot_be_used_is_named(void **state)
{
    pki_t *pki = *state;
    issue(pki, -60, 3600);
    const char *gone = nv_printf(pki->mem, "%s/gone.pem", pki->dir);
    const char *text = refused(pki, gone, pki->key);
    assert_says(text, nv_printf(pki->mem, "certificate %s: No such file", gone));
    assert_says(refused(pki, pki->chain, gone), nv_printf(pki->mem, "key %s: No such file", gone));
    assert_says(refused(pki, pki->key, pki->key), nv_printf(pki->mem, "certificate %s: no start", pki->key));
    text = refused(pki, nv_printf(pki->mem, "%s/ca.crt", pki->dir), pki->key);
    assert_says(text, "does not belong to certificate");
}

static void a_certificate_that_is_not_valid_now_is_refused(void **state)
{
    pki_t *pki = *state;
    issue(pki, -7200, -3600);
    const char *text = refused(pki, pki->chain, pki->key);
    assert_says(text, pki->chain);
    assert_says(text, "expired at 20");
    issue(pki, 3600, 7200);
    assert_says(refused(pki, pki->chain, pki->key), "is not valid before 20");
}

/* notAfter of what a client is shown. */
static time_t shown_until(SSL_CTX *server)
{
    SSL_CTX *client = SSL_CTX_new(TLS_client_method());
    SSL *there = SSL_new(server), *here = SSL_new(client);
    BIO *a = NULL, *b = NULL;
    assert_int_equal(BIO_new_bio_pair(&a, 0, &b, 0), 1);
    SSL_set_bio(there, a, a);
    SSL_set_bio(here, b, b);
    SSL_set_accept_state(there);
    SSL_set_connect_state(here);
    for (int i = 0; i < 20 && !SSL_is_init_finished(here); i++) {
        SSL_do_handshake(here);
        SSL_do_handshake(there);
    }
    X509 *shown = SSL_get1_peer_certificate(here);
    assert_non_null(shown);
    struct tm tm;
    assert_int_equal(ASN1_TIME_to_tm(X509_get0_notAfter(shown), &tm), 1);
    X509_free(shown);
    SSL_free(there);
    SSL_free(here);
    SSL_CTX_free(client);
    return timegm(&tm);
}

static size_t times_logged(const pki_t *pki, const char *words)
{
    char text[8192] = "";
    size_t found = 0;
    assert_true(pread(pki->log_fd, text, sizeof text - 1, 0) >= 0);
    for (const char *at = text; (at = strstr(at, words)); at++)
        found++;
    return found;
}

static void expiry_is_told_once_and_an_expired_renewal_changes_nothing(void **state)
{
    pki_t *pki = *state;
    nv_error_t err = NV_ERROR_INIT;
    ws_certificate_t *certificate = NULL;
    issue(pki, -60, 2);
    time_t until = time(NULL) + 2;
    if (!ws_certificate_open(pki->chain, pki->key, pki->log, &certificate, &err))
        fail_msg("%s", err.message);
    SSL_CTX *server = SSL_CTX_new(TLS_server_method());
    ws_certificate_serve(certificate, server);
    assert_int_equal(times_logged(pki, "clients refuse the certificate"), 0);
    while (time(NULL) <= until + 1)
        usleep(100 * 1000);
    time_t shown = shown_until(server);
    usleep(1100 * 1000); /* the files are looked at once a second */
    assert_int_equal(shown_until(server), shown);
    assert_int_equal(times_logged(pki, "clients refuse the certificate"), 1);
    assert_int_equal(times_logged(pki, "expired at"), 1);

    issue(pki, -60, -30);
    usleep(1100 * 1000);
    assert_int_equal(shown_until(server), shown);
    assert_int_equal(times_logged(pki, "the one before stays"), 1);
    issue(pki, -60, 3600);
    usleep(1100 * 1000);
    assert_true(shown_until(server) > time(NULL) + 3000);
    SSL_CTX_free(server);
    ws_certificate_free(certificate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_file_that_cannot_be_used_is_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_certificate_that_is_not_valid_now_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(expiry_is_told_once_and_an_expired_renewal_changes_nothing, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
