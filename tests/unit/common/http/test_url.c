#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/http/url.h"

static void test_escape(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("url");
    assert_string_equal(nv_url_escape(ctx, "a b/c%é~"), "a%20b%2Fc%25%C3%A9~");
    assert_string_equal(nv_url_escape_path(ctx, "/Volumes/c/s/v/a b#?.csv"),
                        "/Volumes/c/s/v/a%20b%23%3F.csv");
    char *url = nv_url_with_query(ctx, "https://h/x", "path", "/a b");
    assert_string_equal(nv_url_with_query(ctx, url, "n", "1"), "https://h/x?path=%2Fa%20b&n=1");
}

static void test_origin(void **state)
{
    (void)state;
    static const char *const good[][2] = {
        {"adb-1.2.azuredatabricks.net", "https://adb-1.2.azuredatabricks.net"},
        {"https://dbc-1.cloud.databricks.com/?o=123", "https://dbc-1.cloud.databricks.com"},
        {"https://h:8443/path/", "https://h:8443"},
        {"http://127.0.0.1:8080/", "http://127.0.0.1:8080"},
        {"http://localhost:1", "http://localhost:1"},
        {"http://[::1]:80", "http://[::1]:80"},
    };
    static const char *const bad[] = {
        "http://example.com", "ftp://127.0.0.1",           "",
        "https://",           "http://127.0.0.1.evil.com", "http://user@example.com@127.0.0.1x"};
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("url");
    nv_error_t err = NV_ERROR_INIT;
    char *out;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        if (!nv_url_origin(ctx, good[i][0], &out, &err))
            fail_msg("%s", err.message);
        assert_string_equal(out, good[i][1]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (nv_url_origin(ctx, bad[i], &out, &err))
            fail_msg("accepted %s as %s", bad[i], out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_escape), cmocka_unit_test(test_origin)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
