#include "common/identity/ca.h"
#include "common/identity/files.h"
#include "common/identity/policy.h"
#include "common/identity/revocation.h"
#include "common/identity/spiffe.h"
#include "tests/support/pki/pki.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- SPIFFE IDs ---- */

static void parses_every_form_and_formats_it_back(void **state)
{
    static const char *const ids[] = {"spiffe://nuvyn.local/controlplane", "spiffe://nuvyn.local/workspace",
                                      "spiffe://nuvyn.local/pool/default/worker/w-1",
                                      "spiffe://nuvyn.local/tenant/acme/user/jo.doe",
                                      "spiffe://nuvyn.local/operator/root_1"};
    (void)state;
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        nv_identity_t identity;
        nv_error_t err = NV_ERROR_INIT;
        char back[NV_SPIFFE_MAX + 1];
        assert_true(nv_identity_parse(ids[i], &identity, &err));
        nv_identity_format(&identity, back);
        assert_string_equal(back, ids[i]);
    }
}

static void a_worker_id_gives_its_parts(void **state)
{
    nv_identity_t identity;
    nv_error_t err = NV_ERROR_INIT;
    (void)state;
    assert_true(nv_identity_parse("spiffe://d.example/pool/gold/worker/w7", &identity, &err));
    assert_int_equal(identity.kind, NV_IDENTITY_WORKER);
    assert_string_equal(identity.domain, "d.example");
    assert_string_equal(identity.pool, "gold");
    assert_string_equal(identity.name, "w7");
    assert_string_equal(identity.tenant, "");
}

static void refuses_whatever_is_not_exactly_a_known_form(void **state)
{
    static const char *const ids[] = {
        "",
        "spiffe://",
        "spiffe:///controlplane",
        "spiffe://d",
        "spiffe://d/",
        "spiffe://D/controlplane",
        "https://d/controlplane",
        "SPIFFE://d/controlplane",
        "spiffe://d/controlplane/",
        "spiffe://d//controlplane",
        "spiffe://d/controlplane?x",
        "spiffe://d/controlplanes",
        "spiffe://d/pool/p/worker/",
        "spiffe://d/pool//worker/w",
        "spiffe://d/pool/../worker/w",
        "spiffe://d/pool/./worker/w",
        "spiffe://d/pool/p/worker/w/x",
        "spiffe://d/pool/p q/worker/w",
        "spiffe://d/pool/p%2f/worker/w",
        "spiffe://d/tenant/t/worker/w",
        "spiffe://d/operator/0123456789012345678901234567890123456789012345678901234567890123",
        "spiffe://user@d/controlplane",
    };
    (void)state;
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        nv_identity_t identity;
        nv_error_t err = NV_ERROR_INIT;
        if (nv_identity_parse(ids[i], &identity, &err))
            fail_msg("accepted %s", ids[i]);
        assert_int_equal(err.code, NV_INVALID_ARGUMENT);
    }
}

/* ---- policy ---- */

static bool allowed(const char *spiffe, const char *method)
{
    nv_identity_t identity;
    nv_error_t err = NV_ERROR_INIT;
    assert_true(nv_identity_parse(spiffe, &identity, &err));
    return nv_policy_allow(&identity, method, &err);
}

static void policy_denies_by_default(void **state)
{
    static const char worker[] = "spiffe://d/pool/p/worker/w", user[] = "spiffe://d/tenant/t/user/u",
                      op[] = "spiffe://d/operator/o", plane[] = "spiffe://d/controlplane";
    (void)state;
    assert_true(allowed(worker, "/nuvyn.v1.WorkerService/Connect"));
    assert_false(allowed(user, "/nuvyn.v1.WorkerService/Connect"));
    assert_false(allowed(op, "/nuvyn.v1.WorkerService/Connect"));
    assert_false(allowed(plane, "/nuvyn.v1.WorkerService/Connect"));
    assert_false(allowed(worker, "/nuvyn.v1.RunService/GetRun"));
    assert_true(allowed(user, "/nuvyn.v1.RunService/GetRun"));
    assert_false(allowed(user, "/nuvyn.v1.AdminService/ListTenants"));
    assert_true(allowed(user, "/nuvyn.v1.AdminService/DescribeTenant"));
    assert_false(allowed(worker, "/nuvyn.v1.AdminService/SetCredential"));
    assert_true(allowed(op, "/nuvyn.v1.AdminService/RevokeCertificate"));
    assert_false(allowed(user, "/nuvyn.v1.AdminService/DescribeTenantX"));
    assert_true(allowed(worker, "/grpc.health.v1.Health/Check"));
    assert_false(allowed(worker, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"));
    assert_false(allowed(op, "/nuvyn.v1.NoService/Anything"));
    assert_false(allowed(op, ""));
}

static void a_user_reaches_its_own_tenant_only(void **state)
{
    nv_identity_t user = {.kind = NV_IDENTITY_USER, .tenant = "acme", .name = "jo"};
    nv_identity_t op = {.kind = NV_IDENTITY_OPERATOR, .name = "o"};
    nv_identity_t worker = {.kind = NV_IDENTITY_WORKER, .pool = "p", .name = "w"};
    nv_error_t err = NV_ERROR_INIT;
    const char *tenant;
    (void)state;
    assert_true(nv_policy_tenant(&user, "", &tenant, &err));
    assert_string_equal(tenant, "acme");
    assert_true(nv_policy_tenant(&user, "acme", &tenant, &err));
    assert_false(nv_policy_tenant(&user, "other", &tenant, &err));
    assert_int_equal(err.code, NV_PERMISSION_DENIED);
    assert_true(nv_policy_tenant(&op, "other", &tenant, &err));
    assert_string_equal(tenant, "other");
    assert_false(nv_policy_tenant(&op, "", &tenant, &err));
    assert_int_equal(err.code, NV_INVALID_ARGUMENT);
    assert_false(nv_policy_tenant(&op, "../x", &tenant, &err));
    assert_false(nv_policy_tenant(&worker, "acme", &tenant, &err));
    assert_int_equal(err.code, NV_PERMISSION_DENIED);
}

/* ---- certificates ---- */

static int open_pki(void **state)
{
    pki_t *pki = calloc(1, sizeof *pki);
    pki_open(pki);
    *state = pki;
    return 0;
}

static int close_pki(void **state)
{
    pki_close(*state);
    free(*state);
    return 0;
}

static bool loads(const nv_tls_paths_t *paths, nv_tls_material_t *out, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    return nv_tls_load(ctx, paths, (int64_t)time(NULL), out, err);
}

static void modes_are_private(void **state)
{
    pki_t *pki = *state;
    struct stat st;
    nv_tls_paths_t paths = pki_issue(pki, "spiffe://test.nuvyn/operator/o", "op", false, 0, 60);
    assert_int_equal(stat(pki->dir, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(stat(paths.key, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void an_issued_certificate_loads_with_its_identity(void **state)
{
    nv_tls_paths_t paths = pki_issue(*state, "spiffe://test.nuvyn/pool/p/worker/w1", "w1", false, 0, 60);
    nv_tls_material_t tls;
    nv_error_t err = NV_ERROR_INIT;
    if (!loads(&paths, &tls, &err))
        fail_msg("%s", err.message);
    assert_string_equal(tls.info.identity.pool, "p");
    assert_int_equal(strlen(tls.info.serial), 32);
}

static void expired_and_early_certificates_are_refused_by_date(void **state)
{
    nv_tls_material_t tls;
    nv_error_t err = NV_ERROR_INIT;
    nv_tls_paths_t old = pki_issue(*state, "spiffe://test.nuvyn/operator/o", "old", false, -120, -60);
    nv_tls_paths_t early = pki_issue(*state, "spiffe://test.nuvyn/operator/o", "early", false, 60, 120);
    assert_false(loads(&old, &tls, &err));
    assert_non_null(strstr(err.message, "expired at"));
    assert_false(loads(&early, &tls, &err));
    assert_non_null(strstr(err.message, "not valid before"));
}

static void another_authority_is_refused(void **state)
{
    pki_t other;
    nv_tls_material_t tls;
    nv_error_t err = NV_ERROR_INIT;
    pki_open(&other);
    nv_tls_paths_t paths = pki_issue(*state, "spiffe://test.nuvyn/operator/o", "op", false, 0, 60);
    paths.ca = other.ca;
    assert_false(loads(&paths, &tls, &err));
    assert_non_null(strstr(err.message, "not issued by"));
    pki_close(&other);
}

static void a_foreign_key_is_refused(void **state)
{
    nv_tls_material_t tls;
    nv_error_t err = NV_ERROR_INIT;
    nv_tls_paths_t a = pki_issue(*state, "spiffe://test.nuvyn/operator/a", "a", false, 0, 60);
    nv_tls_paths_t b = pki_issue(*state, "spiffe://test.nuvyn/operator/b", "b", false, 0, 60);
    a.key = b.key;
    assert_false(loads(&a, &tls, &err));
    assert_non_null(strstr(err.message, "is not the key of"));
}

static void two_uri_names_are_no_identity(void **state)
{
    nv_tls_material_t tls;
    nv_error_t err = NV_ERROR_INIT;
    nv_tls_paths_t paths =
        pki_issue_two_uris(*state, "spiffe://test.nuvyn/operator/a", "spiffe://test.nuvyn/operator/b", "two");
    assert_false(loads(&paths, &tls, &err));
    assert_int_equal(err.code, NV_UNAUTHENTICATED);
    assert_non_null(strstr(err.message, "exactly one URI SAN"));
}

static void a_missing_file_is_named(void **state)
{
    nv_tls_material_t tls;
    nv_error_t err = NV_ERROR_INIT;
    nv_tls_paths_t paths = pki_issue(*state, "spiffe://test.nuvyn/operator/a", "a", false, 0, 60);
    paths.key = "/nonexistent/x.key";
    assert_false(loads(&paths, &tls, &err));
    assert_non_null(strstr(err.message, "/nonexistent/x.key"));
}

static void a_second_authority_is_not_made(void **state)
{
    pki_t *pki = *state;
    nv_error_t err = NV_ERROR_INIT;
    assert_false(nv_ca_init(pki->dir, "test.nuvyn", 30, &err));
    assert_int_equal(err.code, NV_ALREADY_EXISTS);
}

static void names_cannot_smuggle_records(void **state)
{
    pki_t *pki = *state;
    nv_error_t err = NV_ERROR_INIT;
    static const char *const dns[] = {"x\tspiffe://evil/operator/root"};
    nv_cert_request_t request = {
        .spiffe = "spiffe://test.nuvyn/operator/a", .file = "a", .not_after = 1, .dns = dns, .n_dns = 1};
    assert_false(nv_ca_issue(pki->dir, &request, NULL, &err));
    request.n_dns = 0;
    request.file = "../a";
    assert_false(nv_ca_issue(pki->dir, &request, NULL, &err));
    request.file = "ca";
    assert_false(nv_ca_issue(pki->dir, &request, NULL, &err));
}

static void rotation_keeps_identity_and_names(void **state)
{
    pki_t *pki = *state;
    nv_error_t err = NV_ERROR_INIT;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    nv_tls_material_t before, after;
    nv_cert_record_t *records;
    size_t n;
    char serial[NV_SERIAL_MAX + 1];
    nv_tls_paths_t paths = pki_issue(pki, "spiffe://test.nuvyn/controlplane", "plane", true, 0, 3600);
    assert_true(loads(&paths, &before, &err));
    assert_true(nv_ca_rotate(pki->dir, "plane", (int64_t)time(NULL), 0, serial, &err));
    assert_true(loads(&paths, &after, &err));
    assert_string_equal(after.info.spiffe, before.info.spiffe);
    assert_string_not_equal(after.info.serial, before.info.serial);
    assert_string_equal(after.info.serial, serial);
    assert_true(nv_ca_list(ctx, pki->dir, &records, &n, &err));
    assert_int_equal(n, 2);
    assert_string_equal(records[1].dns, "localhost");
    assert_string_equal(records[1].ips, "127.0.0.1");
    assert_false(nv_ca_rotate(pki->dir, "nobody", 0, 0, NULL, &err));
    assert_int_equal(err.code, NV_NOT_FOUND);
}

/* ---- revocation ---- */

static void revocation_by_serial_and_by_identity(void **state)
{
    pki_t *pki = *state;
    nv_error_t err = NV_ERROR_INIT;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    const char *path = nv_printf(ctx, "%s/revoked.tsv", pki->dir);
    nv_cert_info_t cert = {.serial = "0a1b", .spiffe = "spiffe://d/operator/o", .not_before = 100};
    nv_revocation_t *list;
    assert_true(nv_revocation_load(ctx, path, &list, &err));
    assert_false(nv_revocation_has(list, &cert));
    assert_true(nv_revocation_add(path, "0a1b", NULL, 5, "lost\tlaptop", &err));
    assert_true(nv_revocation_load(ctx, path, &list, &err));
    assert_true(nv_revocation_has(list, &cert));
    strcpy(cert.serial, "ffff");
    assert_false(nv_revocation_has(list, &cert));
    assert_true(nv_revocation_add(path, NULL, "spiffe://d/operator/o", 100, "", &err));
    assert_true(nv_revocation_load(ctx, path, &list, &err));
    assert_true(nv_revocation_has(list, &cert));
    cert.not_before = 101; /* issued after the revocation */
    assert_false(nv_revocation_has(list, &cert));
}

static void a_damaged_revocation_list_is_an_error(void **state)
{
    pki_t *pki = *state;
    nv_error_t err = NV_ERROR_INIT;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    const char *path = nv_printf(ctx, "%s/revoked.tsv", pki->dir);
    nv_revocation_t *list;
    assert_true(nv_append_line(path, "what is this", 0600, &err));
    assert_false(nv_revocation_load(ctx, path, &list, &err));
    assert_int_equal(err.code, NV_DATA_LOSS);
    assert_non_null(strstr(err.message, ":1"));
    assert_false(nv_revocation_add(path, "XYZ", NULL, 0, "", &err));
    assert_false(nv_revocation_add(path, NULL, NULL, 0, "", &err));
}

#define WITH_PKI(test) cmocka_unit_test_setup_teardown(test, open_pki, close_pki)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_every_form_and_formats_it_back),
        cmocka_unit_test(a_worker_id_gives_its_parts),
        cmocka_unit_test(refuses_whatever_is_not_exactly_a_known_form),
        cmocka_unit_test(policy_denies_by_default),
        cmocka_unit_test(a_user_reaches_its_own_tenant_only),
        WITH_PKI(modes_are_private),
        WITH_PKI(an_issued_certificate_loads_with_its_identity),
        WITH_PKI(expired_and_early_certificates_are_refused_by_date),
        WITH_PKI(another_authority_is_refused),
        WITH_PKI(a_foreign_key_is_refused),
        WITH_PKI(two_uri_names_are_no_identity),
        WITH_PKI(a_missing_file_is_named),
        WITH_PKI(a_second_authority_is_not_made),
        WITH_PKI(names_cannot_smuggle_records),
        WITH_PKI(rotation_keeps_identity_and_names),
        WITH_PKI(revocation_by_serial_and_by_identity),
        WITH_PKI(a_damaged_revocation_list_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
