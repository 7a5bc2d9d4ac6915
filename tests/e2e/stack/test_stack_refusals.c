/* What the programs refuse, and how they say it. */
#include "stack.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* Runs a shell command; its exit status, and what it printed on either stream. */
NV_PRINTF(3, 4) static int run(plane_stack_t *stack, char out[8192], const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *command = nv_vprintf(stack->ctx, format, args);
    va_end(args);
    FILE *pipe = popen(nv_printf(stack->ctx, "timeout 20 %s 2>&1", command), "r");
    assert_non_null(pipe);
    size_t n = fread(out, 1, 8191, pipe);
    out[n] = '\0';
    int status = pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int control(plane_stack_t *stack, char out[8192], const char *listen, const nv_tls_paths_t *tls)
{
    return run(stack, out,
               BIN_DIR "/nuvyn-controlplane --state-dir %s/second --listen %s --ca %s --cert %s --key %s",
               stack->dir, listen, tls->ca, tls->cert, tls->key);
}

static int ctl(plane_stack_t *stack, char out[8192], const char *words)
{
    return run(stack, out, BIN_DIR "/nuvynctl %s --address %s --ca %s --cert %s --key %s", words,
               stack->address, stack->op.ca, stack->op.cert, stack->op.key);
}

static void a_busy_port_is_named(void **state)
{
    plane_stack_t *stack = *state;
    char out[8192];
    nv_tls_paths_t tls = pki_issue(&stack->pki, "spiffe://test.nuvyn/controlplane", "plane2", true, 0, 60);
    assert_int_not_equal(control(stack, out, stack->address, &tls), 0);
    assert_non_null(strstr(out, stack->address));
    assert_non_null(strstr(out, "in use"));
}

static void certificates_that_do_not_fit_are_named(void **state)
{
    plane_stack_t *stack = *state;
    char out[8192];
    nv_tls_paths_t worker = pki_issue(&stack->pki, "spiffe://test.nuvyn/pool/p/worker/w", "w", false, 0, 60);
    assert_int_not_equal(control(stack, out, "127.0.0.1:0", &worker), 0);
    assert_non_null(strstr(out, "expected …/controlplane"));
    nv_tls_paths_t old = pki_issue(&stack->pki, "spiffe://test.nuvyn/controlplane", "old", true, -60, -1);
    assert_int_not_equal(control(stack, out, "127.0.0.1:0", &old), 0);
    assert_non_null(strstr(out, "expired at"));
    nv_tls_paths_t missing = {stack->pki.ca, "/nonexistent.crt", "/nonexistent.key"};
    assert_int_not_equal(control(stack, out, "127.0.0.1:0", &missing), 0);
    assert_non_null(strstr(out, "/nonexistent.crt"));
}

static void the_cli_exits_with_a_meaning(void **state)
{
    plane_stack_t *stack = *state;
    char out[8192];
    assert_int_equal(ctl(stack, out, "health"), 0);
    assert_int_equal(ctl(stack, out, "status"), 0);
    assert_int_equal(ctl(stack, out, "frobnicate"), 64);
    assert_int_equal(ctl(stack, out, "tenant describe nobody"), 66);
    assert_int_equal(ctl(stack, out, "tenant create UPPER_CASE"), 65);
    assert_int_equal(ctl(stack, out, "tenant create acme"), 0);
    assert_int_equal(ctl(stack, out, "tenant create acme"), 73);
    assert_int_equal(ctl(stack, out, "run list --tenant nobody"), 66); /* a slip is not an empty list */
    assert_int_equal(ctl(stack, out, "interrupt list --tenant nobody"), 66);
    assert_int_equal(ctl(stack, out, "kb search words --tenant nobody"), 66);
    assert_int_equal(ctl(stack, out, "run watch r-none --tenant acme"), 66);
    assert_null(strstr(out, "run r-none\n"));
    assert_int_equal(ctl(stack, out, "run describe r-none --tenant acme"), 66);
    char *address = stack->address;
    stack->address = stack_text("127.0.0.1:1");
    assert_int_equal(ctl(stack, out, "health"), 69);
    stack->address = address;
}

/* Nothing happens, and whoever looks on is told why. */
static void the_cli_says_why_a_run_waits(void **state)
{
    plane_stack_t *stack = *state;
    char out[8192];
    stack_make_tenant(stack, "acme");
    char *run_id = stack_submit(stack, "acme", "tables=1", "");
    usleep(300000);
    (void)run(stack, out,
              "timeout 2 " BIN_DIR
              "/nuvynctl run watch %s --tenant acme --address %s --ca %s --cert %s --key %s",
              run_id, stack->address, stack->op.ca, stack->op.cert, stack->op.key);
    assert_non_null(strstr(out, "no worker of it is connected"));
}

static void the_cli_follows_a_run_and_fetches_it(void **state)
{
    plane_stack_t *stack = *state;
    char out[8192];
    stack_make_tenant(stack, "acme");
    stack_start_worker(stack, 0, "default");
    assert_int_equal(
        ctl(stack, out,
            nv_printf(stack->ctx, "run submit --source tables=2 --tenant acme --watch --fetch-to %s/out",
                      stack->dir)),
        0);
    assert_non_null(strstr(out, "succeeded"));
    assert_int_equal(run(stack, out, "find %s/out -type f", stack->dir), 0);
    assert_non_null(strstr(out, "report.html"));
    assert_non_null(strstr(out, "notebooks/10_bronze.py"));
    assert_int_equal(ctl(stack, out, "run list --tenant acme -o json"), 0);
    assert_non_null(strstr(out, "\"succeeded\""));
    assert_int_equal(ctl(stack, out, "run submit --source tables=1,fail=design --tenant acme --watch"), 1);
    assert_non_null(strstr(out, "scripted to fail"));
    assert_int_equal(ctl(stack, out, "pool list"), 0);
    assert_int_equal(ctl(stack, out, "worker list -o json"), 0);
    assert_non_null(strstr(out, "w0"));
}

/* nuvynctl with any certificate and trust bundle. */
static int ctl_as(plane_stack_t *stack, char out[8192], const nv_tls_paths_t *tls)
{
    return run(stack, out, BIN_DIR "/nuvynctl status --address %s --ca %s --cert %s --key %s", stack->address,
               tls->ca, tls->cert, tls->key);
}

static int worker_as(plane_stack_t *stack, char out[8192], const nv_tls_paths_t *tls)
{
    return run(stack, out, BIN_DIR "/nuvyn-test-worker %s %s %s %s", stack->address, tls->ca, tls->cert,
               tls->key);
}

static void says(const char *out, const char *expected)
{
    if (!strstr(out, expected))
        fail_msg("expected \"%s\" in:\n%s", expected, out);
}

static void an_expired_certificate_is_named(void **state)
{
    plane_stack_t *stack = *state;
    char out[8192];
    nv_tls_paths_t old = pki_issue(&stack->pki, "spiffe://test.nuvyn/operator/old", "old-op", false, -60, -1);
    assert_int_equal(ctl_as(stack, out, &old), 77);
    says(out, "expired at");
    says(out, "old-op.crt");
    old = pki_issue(&stack->pki, "spiffe://test.nuvyn/pool/default/worker/old", "old-w", false, -60, -1);
    assert_int_equal(worker_as(stack, out, &old), 77);
    says(out, "expired at");
    says(out, "old-w.crt");
}

/* Valid when it starts; the control plane ends its stream when it is over, and the worker says why it stops. */
static void a_certificate_that_expires_ends_its_stream(void **state)
{
    plane_stack_t *stack = *state;
    char out[8192];
    nv_tls_paths_t soon =
        pki_issue(&stack->pki, "spiffe://test.nuvyn/pool/default/worker/soon", "soon", false, 0, 3);
    assert_int_equal(worker_as(stack, out, &soon), 77);
    says(out, "expired");
}

static void another_authority_is_named(void **state)
{
    plane_stack_t *stack = *state;
    char out[8192];
    pki_t other;
    pki_open(&other);
    nv_tls_paths_t theirs = pki_issue(&other, "spiffe://test.nuvyn/operator/eve", "eve", false, 0, 60);
    /* Its certificate and our trust bundle: it can tell by itself. */
    nv_tls_paths_t mixed = {stack->pki.ca, theirs.cert, theirs.key};
    assert_int_not_equal(ctl_as(stack, out, &mixed), 0);
    says(out, "eve.crt");
    says(out, "not issued by");
    /* All of it from elsewhere: it does not trust the control plane. */
    assert_int_equal(ctl_as(stack, out, &theirs), 77);
    says(out, "not of the authority in the trust bundle");
    nv_tls_paths_t worker =
        pki_issue(&other, "spiffe://test.nuvyn/pool/default/worker/w", "w-eve", false, 0, 60);
    assert_int_equal(worker_as(stack, out, &worker), 77); /* trying again would not help */
    says(out, "not of the authority in the trust bundle");
    pki_close(&other);
}

static void a_revoked_certificate_is_named(void **state)
{
    plane_stack_t *stack = *state;
    char out[8192];
    nv_tls_paths_t eve = pki_issue(&stack->pki, "spiffe://test.nuvyn/operator/eve", "eve", false, 0, 60);
    assert_int_equal(ctl_as(stack, out, &eve), 0);
    Nv__RevokeCertificateRequest revoke = NV__REVOKE_CERTIFICATE_REQUEST__INIT;
    revoke.spiffe_id = stack_text("spiffe://test.nuvyn/operator/eve");
    revoke.reason = stack_text("test");
    stack_call(stack, "AdminService/RevokeCertificate", &revoke.base,
               &nv__revoke_certificate_reply__descriptor);
    for (int i = 0; i < 40 && ctl_as(stack, out, &eve) == 0; i++)
        usleep(100000); /* the list is looked at each second */
    assert_int_equal(ctl_as(stack, out, &eve), 77);
    says(out, "revoked");
}

static void a_revoked_worker_loses_its_connection_for_good(void **state)
{
    plane_stack_t *stack = *state;
    Nv__RevokeCertificateRequest revoke = NV__REVOKE_CERTIFICATE_REQUEST__INIT;
    stack_make_tenant(stack, "acme");
    stack_start_worker(stack, 0, "default");
    char *first = stack_submit(stack, "acme", "tables=1", "");
    stack_wait_run(stack, "acme", first, "succeeded", 10);
    revoke.spiffe_id = stack_text("spiffe://test.nuvyn/pool/default/worker/w0");
    revoke.reason = stack_text("test");
    stack_call(stack, "AdminService/RevokeCertificate", &revoke.base,
               &nv__revoke_certificate_reply__descriptor);
    int status;
    assert_int_equal(waitpid(stack->workers[0], &status, 0),
                     stack->workers[0]); /* it gives up: refused for good */
    stack->workers[0] = 0;
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 77);
    stack_start_worker(stack, 0, "default");
    assert_int_equal(waitpid(stack->workers[0], &status, 0), stack->workers[0]);
    stack->workers[0] = 0;
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 77);
}

static void a_revocation_in_the_file_counts_too(void **state)
{
    plane_stack_t *stack = *state;
    char out[8192];
    int status;
    stack_make_tenant(stack, "acme");
    stack_start_worker(stack, 0, "default");
    assert_true(stack_logged(stack, "worker joined", 10));
    assert_int_equal(run(stack, out,
                         BIN_DIR "/nuvynctl certs revoke pool/default/worker/w0 --domain test.nuvyn --dir %s",
                         stack->pki.dir),
                     0);
    assert_int_equal(waitpid(stack->workers[0], &status, 0), stack->workers[0]);
    stack->workers[0] = 0;
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 77);
}

#define WITH_STACK(test) cmocka_unit_test_setup_teardown(test, stack_open, stack_close)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        WITH_STACK(a_busy_port_is_named),
        WITH_STACK(certificates_that_do_not_fit_are_named),
        WITH_STACK(the_cli_exits_with_a_meaning),
        WITH_STACK(the_cli_says_why_a_run_waits),
        WITH_STACK(the_cli_follows_a_run_and_fetches_it),
        WITH_STACK(an_expired_certificate_is_named),
        WITH_STACK(a_certificate_that_expires_ends_its_stream),
        WITH_STACK(another_authority_is_named),
        WITH_STACK(a_revoked_certificate_is_named),
        WITH_STACK(a_revoked_worker_loses_its_connection_for_good),
        WITH_STACK(a_revocation_in_the_file_counts_too),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
