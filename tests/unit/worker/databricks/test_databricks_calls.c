/* Identity, workspace, volumes, Unity Catalog: the calls, the error forms, the faults. */
#include "scripted.h"

#include <stdlib.h>
#include <unistd.h>

static void test_me(void **state)
{
    (void)state;
    static const route_t routes[] = {
        {"GET /api/2.0/preview/scim/v2/Me",
         {{200, "{\"id\":\"7\",\"userName\":\"sp-1\",\"displayName\":\"Robot\"}"}}},
        {0}};
    script_t *s = script_start(routes);
    nv_error_t err = NV_ERROR_INIT;
    databricks_user_t me;
    OK_OR_FAIL(databricks_me(s->db, s->ctx, &me, &err));
    assert_string_equal(me.user_name, "sp-1");
    assert_string_equal(s->authorization, "Bearer first");
    assert_int_equal(strncmp(s->agent, "nuvyn_bldr/", 11), 0);
    script_stop(s);
}

static void test_401_refreshes_once(void **state)
{
    (void)state;
    static const route_t once[] = {
        {"GET /api/2.0/preview/scim/v2/Me",
         {{401, "{\"error_code\":\"UNAUTHENTICATED\"}"}, {200, "{\"userName\":\"u\"}"}}},
        {0}};
    static const route_t always[] = {
        {"GET /api/2.0/preview/scim/v2/Me",
         {{401, "{\"error_code\":\"401\",\"message\":\"Credential was not sent\"}"}}},
        {0}};
    nv_error_t err = NV_ERROR_INIT;
    databricks_user_t me;
    script_t *s = script_start(once);
    OK_OR_FAIL(databricks_me(s->db, s->ctx, &me, &err));
    assert_string_equal(s->authorization, "Bearer fresh1");
    script_stop(s);
    s = script_start(always);
    assert_false(databricks_me(s->db, s->ctx, &me, &err));
    assert_int_equal(err.code, NV_UNAUTHENTICATED);
    assert_int_equal(s->refreshed, 1);
    assert_null(strstr(err.message, "fresh"));
    script_stop(s);
}

typedef struct error_form {
    answer_t answer;
    nv_code_t code;
    const char *message;
} error_form_t;

static void test_error_forms(void **state)
{
    (void)state;
    static const error_form_t forms[] = {
        {{404, "{\"error_code\":\"RESOURCE_DOES_NOT_EXIST\",\"message\":\"Path (/x) doesn't exist.\"}"},
         NV_NOT_FOUND,
         "404 RESOURCE_DOES_NOT_EXIST: Path (/x) doesn't exist."},
        {{400, "{\"error_code\":\"RESOURCE_ALREADY_EXISTS\",\"message\":\"m\"}"}, NV_ALREADY_EXISTS, "m"},
        {{409, "{\"error_code\":\"ABORTED\",\"message\":\"m\"}"}, NV_ABORTED, "409 ABORTED: m"},
        {{400, "{\"error_code\":\"INVALID_PARAMETER_VALUE\",\"message\":\"Run 5 does not exist.\"}"},
         NV_NOT_FOUND,
         "Run 5"},
        {{400, "{\"error_code\":\"INVALID_PARAMETER_VALUE\",\"message\":\"bad\"}"},
         NV_INVALID_ARGUMENT,
         "bad"},
        {{400, "{\"error_code\":400,\"message\":\"int code\"}"}, NV_INVALID_ARGUMENT, "400 400: int code"},
        {{403, "{\"detail\":\"null\",\"status\":\"403\"}"},
         NV_PERMISSION_DENIED,
         "SCIM_403: SCIM API Internal Error"},
        {{403, "{\"error\":\"old style\"}"}, NV_PERMISSION_DENIED, "old style"},
        {{403, "PERMISSION_DENIED: not yours"}, NV_PERMISSION_DENIED, "403 PERMISSION_DENIED: not yours"},
        {{403, "<html><title>No</title><body><pre> because </pre></body></html>"},
         NV_PERMISSION_DENIED,
         ": because"},
        {{404, "<html><head><title>Not Found</title></head></html>"}, NV_NOT_FOUND, ": Not Found"},
        {{500, "garbage \x01"}, NV_INTERNAL, "UNKNOWN: garbage"},
        {{501, ""}, NV_UNIMPLEMENTED, "501"},
        {{302, "", "Location: https://h/login.html?error=private-link-validation-error:1\r\n"},
         NV_PERMISSION_DENIED,
         "PRIVATE_LINK_VALIDATION_ERROR"},
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        route_t routes[] = {{"POST /api/2.0/workspace/mkdirs", {forms[i].answer}}, {0}};
        script_t *s = script_start(routes);
        nv_error_t err = NV_ERROR_INIT;
        databricks_object_t out;
        routes[0].match = "GET /api/2.0/workspace/get-status";
        if (forms[i].answer.status == 500) /* would be repeated on a GET; a POST shows the form at once */
            routes[0].match = "POST /api/2.0/sql/statements";
        databricks_statement_t statement = {.warehouse_id = "w", .sql = "X"};
        databricks_result_t result;
        bool ok = forms[i].answer.status == 500 ? databricks_execute(s->db, s->ctx, &statement, &result, &err)
                                                : databricks_get_status(s->db, s->ctx, "/x", &out, &err);
        assert_false(ok);
        if (err.code != forms[i].code || !strstr(err.message, forms[i].message))
            fail_msg("form %zu: %s %s, expected %s …%s", i, nv_code_name(err.code), err.message,
                     nv_code_name(forms[i].code), forms[i].message);
        script_stop(s);
    }
}

static void test_transient_faults_are_ridden_out(void **state)
{
    (void)state;
    static const route_t routes[] = {
        {"POST /api/2.0/workspace/mkdirs",
         {{429, "{}", "Retry-After: 1\r\n"},
          {503, "busy"},
          {CUT_AFTER},
          {500, "{\"message\":\"Please try again later or try a faster operation.\"}"},
          {200, "{}"}}},
        {0}};
    script_t *s = script_start(routes);
    nv_error_t err = NV_ERROR_INIT;
    OK_OR_FAIL(databricks_mkdirs(s->db, "/Shared/x", &err));
    assert_int_equal(s->n_seen, 5);
    assert_string_equal(s->seen[0], "POST /api/2.0/workspace/mkdirs {\"path\":\"/Shared/x\"}");
    script_stop(s);
}

static void test_bad_answers(void **state)
{
    (void)state;
    static const answer_t bad[] = {
        {200, "{\"userName\":"}, {200, "[]"}, {200, "{\"userName\":7}"}, {200, "<html>login"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        route_t routes[] = {{"GET /api/2.0/preview/scim/v2/Me", {bad[i]}}, {0}};
        script_t *s = script_start(routes);
        nv_error_t err = NV_ERROR_INIT;
        databricks_user_t me;
        assert_false(databricks_me(s->db, s->ctx, &me, &err));
        assert_non_null(strstr(err.message, "scim/v2/Me"));
        script_stop(s);
    }
}

static void test_half_an_answer_is_asked_again(void **state)
{
    (void)state;
    static const route_t routes[] = {
        {"GET /api/2.0/preview/scim/v2/Me", {{HALF}, {200, "{\"userName\":\"u\"}"}}}, {0}};
    script_t *s = script_start(routes);
    nv_error_t err = NV_ERROR_INIT;
    databricks_user_t me;
    OK_OR_FAIL(databricks_me(s->db, s->ctx, &me, &err));
    assert_int_equal(s->n_seen, 2);
    script_stop(s);
}

static void test_workspace(void **state)
{
    (void)state;
    static const route_t routes[] = {
        {"POST /api/2.0/workspace/import", {{200, "{}"}}},
        {"GET /api/2.0/workspace/export?path=%2FA%20b&format=SOURCE",
         {{200, "{\"content\":\"cHJpbnQoMSk=\"}"}}},
        {"GET /api/2.0/workspace/get-status?path=%2FA%20b",
         {{200, "{\"object_type\":\"NOTEBOOK\",\"path\":\"/A "
                "b\",\"object_id\":8812345678901234567,\"language\":\"PYTHON\"}"}}},
        {"GET /api/2.0/workspace/list", {{200, "{}"}}},
        {0}};
    script_t *s = script_start(routes);
    nv_error_t err = NV_ERROR_INIT;
    OK_OR_FAIL(databricks_import_notebook(s->db, "/A b", "PYTHON", "print(1)", &err));
    assert_non_null(strstr(
        s->seen[0], "{\"path\":\"/A b\",\"format\":\"SOURCE\",\"language\":\"PYTHON\",\"overwrite\":true,"
                    "\"content\":\"cHJpbnQoMSk=\"}"));
    uint8_t *bytes;
    size_t n;
    OK_OR_FAIL(databricks_export(s->db, s->ctx, "/A b", "SOURCE", &bytes, &n, &err));
    assert_int_equal(n, 8);
    assert_memory_equal(bytes, "print(1)", 8);
    databricks_object_t object;
    OK_OR_FAIL(databricks_get_status(s->db, s->ctx, "/A b", &object, &err));
    assert_true(object.id == 8812345678901234567);
    databricks_object_t *objects;
    OK_OR_FAIL(databricks_list_workspace(s->db, s->ctx, "/A b", &objects, &n, &err));
    assert_int_equal(n, 0);
    char *big = nv_alloc(s->ctx, DATABRICKS_IMPORT_MAX + 2);
    assert_false(databricks_import_file(s->db, "/big", big, DATABRICKS_IMPORT_MAX + 1, &err));
    assert_non_null(strstr(err.message, "/big: 10485761 bytes"));
    script_stop(s);
}

static void test_volumes(void **state)
{
    (void)state;
    static const route_t routes[] = {
        {"PUT /api/2.0/fs/files/Volumes/c/s/v/a%20b.csv?overwrite=true", {{503, ""}, {204, ""}}},
        {"PUT /api/2.0/fs/files/", {{409, "{\"error_code\":\"ALREADY_EXISTS\",\"message\":\"there\"}"}}},
        {"GET /api/2.0/fs/files/Volumes/c/s/v/a%20b.csv",
         {{200, "id\n1\n", "Content-Type: application/octet-stream\r\n"}}},
        {"PUT /api/2.0/fs/directories/Volumes/c/s/v/d", {{204, ""}}},
        {"GET /api/2.0/fs/directories/Volumes/c/s/v?page_token=p2",
         {{200, "{\"contents\":[{\"name\":\"x\",\"path\":\"/Volumes/c/s/v/x\",\"is_directory\":true}]}"}}},
        {"GET /api/2.0/fs/directories/Volumes/c/s/v",
         {{200, "{\"contents\":[{\"name\":\"a b.csv\",\"path\":\"/Volumes/c/s/v/a b.csv\",\"file_size\":5}],"
                "\"next_page_token\":\"p2\"}"}}},
        {0}};
    script_t *s = script_start(routes);
    nv_error_t err = NV_ERROR_INIT;
    char path[] = "/tmp/nuvyn-db-test-XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, "id\n1\n", 5), 5);
    close(fd);
    OK_OR_FAIL(databricks_upload(s->db, "/Volumes/c/s/v/a b.csv", path, true, &err));
    unlink(path);
    assert_non_null(strstr(s->seen[1], " id\n1\n")); /* sent whole again after the 503 */
    assert_false(databricks_upload_bytes(s->db, "/Volumes/c/s/v/z", "", 0, false, &err));
    assert_int_equal(err.code, NV_ALREADY_EXISTS);
    char *data;
    size_t n;
    OK_OR_FAIL(databricks_download(s->db, s->ctx, "/Volumes/c/s/v/a b.csv", 100, &data, &n, &err));
    assert_string_equal(data, "id\n1\n");
    assert_false(databricks_download(s->db, s->ctx, "/Volumes/c/s/v/a b.csv", 3, &data, &n, &err));
    assert_int_equal(err.code, NV_RESOURCE_EXHAUSTED);
    OK_OR_FAIL(databricks_make_directory(s->db, "/Volumes/c/s/v/d", &err));
    databricks_entry_t *entries;
    OK_OR_FAIL(databricks_list_directory(s->db, s->ctx, "/Volumes/c/s/v", &entries, &n, &err));
    assert_int_equal(n, 2);
    assert_true(entries[0].bytes == 5 && entries[1].is_directory);
    assert_false(databricks_make_directory(s->db, "/etc", &err));
    assert_false(databricks_delete_file(s->db, "/Volumes/c/s/v/../../x", &err));
    assert_int_equal(err.code, NV_INVALID_ARGUMENT);
    script_stop(s);
}

static void test_unity_catalog(void **state)
{
    (void)state;
    static const route_t routes[] = {
        {"GET /api/2.1/unity-catalog/catalogs/main", {{200, "{\"name\":\"main\"}"}}},
        {"GET /api/2.1/unity-catalog/schemas/main.s", {{404, "{\"error_code\":\"SCHEMA_DOES_NOT_EXIST\"}"}}},
        {"POST /api/2.1/unity-catalog/schemas", {{409, "{\"error_code\":\"SCHEMA_ALREADY_EXISTS\"}"}}},
        {"GET /api/2.1/unity-catalog/volumes/main.s.v",
         {{403, "{\"error_code\":\"PERMISSION_DENIED\",\"message\":\"no\"}"}}},
        {"GET /api/2.1/unity-catalog/tables/main.s.t",
         {{200, "{\"name\":\"t\",\"full_name\":\"main.s.t\",\"columns\":[{\"name\":\"a\",\"type_text\":"
                "\"bigint\"}]}"}}},
        {0}};
    script_t *s = script_start(routes);
    nv_error_t err = NV_ERROR_INIT;
    OK_OR_FAIL(databricks_ensure_catalog(s->db, "main", &err));
    OK_OR_FAIL(databricks_ensure_schema(s->db, "main", "s", &err)); /* somebody else was quicker */
    assert_int_equal(
        script_count(s, "POST /api/2.1/unity-catalog/schemas {\"name\":\"s\",\"catalog_name\":\"main\"}"), 1);
    assert_false(databricks_ensure_volume(s->db, "main", "s", "v", &err));
    assert_int_equal(err.code, NV_PERMISSION_DENIED);
    assert_non_null(strstr(err.message, "main.s.v: "));
    databricks_table_t table;
    OK_OR_FAIL(databricks_get_table(s->db, s->ctx, "main.s.t", &table, &err));
    assert_string_equal(table.columns[0].type_text, "bigint");
    script_stop(s);
}

static void test_options(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("options");
    nv_error_t err = NV_ERROR_INIT;
    databricks_t *db;
    databricks_options_t options = {.host = "h"};
    assert_false(databricks_new(ctx, &options, &db, &err));
    assert_non_null(strstr(err.message, "expected a token, or a client id"));
    options = (databricks_options_t){.token = "t"};
    assert_false(databricks_new(ctx, &options, &db, &err));
    options = (databricks_options_t){.host = "http://h", .token = "t"};
    assert_false(databricks_new(ctx, &options, &db, &err));
    assert_non_null(strstr(err.message, "expected https"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_me),
        cmocka_unit_test(test_401_refreshes_once),
        cmocka_unit_test(test_error_forms),
        cmocka_unit_test(test_transient_faults_are_ridden_out),
        cmocka_unit_test(test_bad_answers),
        cmocka_unit_test(test_half_an_answer_is_asked_again),
        cmocka_unit_test(test_workspace),
        cmocka_unit_test(test_volumes),
        cmocka_unit_test(test_unity_catalog),
        cmocka_unit_test(test_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
