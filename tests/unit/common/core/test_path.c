/* The last part of a path, however it is written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/core/path.h"

static void test_base(void **state)
{
    (void)state;
    static const char *const cases[][2] = {{"data/shop", "shop"},
                                           {"data/shop//", "shop"},
                                           {"/shop", "shop"},
                                           {"shop", "shop"},
                                           {"/", ""},
                                           {"///", ""},
                                           {"", ""},
                                           {"s3://bucket/a/", "a"},
                                           {"main.raw", "main.raw"},
                                           {"/Volumes/a/b/c/", "c"}};
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("path");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(nv_path_base(ctx, cases[i][0]), cases[i][1]);
}

static void test_trimmed(void **state)
{
    (void)state;
    assert_int_equal(nv_path_trimmed("a/b//"), 3);
    assert_int_equal(nv_path_trimmed("/"), 1);
    assert_int_equal(nv_path_trimmed(""), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_base), cmocka_unit_test(test_trimmed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
