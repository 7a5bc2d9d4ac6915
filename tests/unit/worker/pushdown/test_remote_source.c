/* What a source that only the workspace reaches is called, and how its tables are read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "worker/pushdown/remote_survey.h"
#include "worker/pushdown/scan.h"

static void test_kinds(void **state)
{
    (void)state;
    assert_int_equal(source_kind("data/ecommerce"), SOURCE_LOCAL);
    assert_int_equal(source_kind("/Volumes/main/raw/landing"), SOURCE_VOLUME);
    assert_int_equal(source_kind("dbfs:/Volumes/main/raw/landing"), SOURCE_VOLUME);
    assert_int_equal(source_kind("abfss://c@a.dfs.core.windows.net/raw"), SOURCE_CLOUD);
    assert_int_equal(source_kind("uc://main.raw"), SOURCE_CATALOG);
}

static void test_one_form(void **state)
{
    (void)state;
    static const char *const forms[][2] = {
        {"/Volumes/a/b/c/", "/Volumes/a/b/c"},         {"dbfs:/Volumes/a/b/c", "/Volumes/a/b/c"},
        {"dbfs:///Volumes/a/b/c//", "/Volumes/a/b/c"}, {"uc://main.raw", "uc://main/raw"},
        {"uc://main.raw.t1/", "uc://main/raw/t1"},     {"uc://main/raw/t1", "uc://main/raw/t1"},
        {"s3://bucket/x.y/z/", "s3://bucket/x.y/z"},   {"s3://", "s3://"}};
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
        assert_string_equal(source_canonical(ctx, forms[i][0]), forms[i][1]);
}

static void test_bad_names_of_the_catalog(void **state)
{
    (void)state;
    static const char *const bad[] = {"uc://", "uc://main", "uc://a/b/c/d", "uc://a//c", "uc:///b"};
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        nv_error_t err = NV_ERROR_INIT;
        Nv__Survey *survey;
        assert_false(catalog_survey(ctx, NULL, bad[i], &survey, &err));
        assert_int_equal(err.code, NV_INVALID_ARGUMENT);
        assert_non_null(strstr(err.message, "uc://catalog.schema"));
    }
}

static void test_paths(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    assert_string_equal(scan_table_name(ctx, "uc://main/raw/a`b c"), "`main`.`raw`.`a``b c`");
    assert_string_equal(scan_path(ctx, "dbfs:/Volumes/a/b/c/x%20y.csv"), "/Volumes/a/b/c/x y.csv");
    assert_string_equal(scan_path(ctx, "file:/tmp/x.csv"), "file:///tmp/x.csv");
    assert_string_equal(scan_path(ctx, "file:///tmp/x.csv"), "file:///tmp/x.csv");
    assert_string_equal(scan_path(ctx, "s3://bucket/100%25.csv"), "s3://bucket/100%.csv");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_one_form),
        cmocka_unit_test(test_bad_names_of_the_catalog),
        cmocka_unit_test(test_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
