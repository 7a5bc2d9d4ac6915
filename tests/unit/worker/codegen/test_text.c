#include "worker/codegen/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void python_strings_hold_anything(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    assert_string_equal(py_string(ctx, ""), "\"\"");
    assert_string_equal(py_string(ctx, "a\"b\\c'"), "\"a\\\"b\\\\c'\"");
    assert_string_equal(py_string(ctx, "x\n# COMMAND ----------\r\t\x01"),
                        "\"x\\n# COMMAND ----------\\r\\t\\x01\"");
    assert_string_equal(py_string(ctx, "Zoë 🦆"), "\"Zoë 🦆\"");
    assert_string_equal(py_string(ctx, "a\xE2\x80\xAE"
                                       "b\xE2\x80\xA8"),
                        "\"a\\u202eb\\u2028\"");
    assert_string_equal(py_string(ctx, "\xEF\xBB\xBFx\xC2\x85"), "\"\\ufeffx\\x85\"");
}

static void tuples(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    char first[] = "a";
    char second[] = "b\"c";
    char *texts[] = {first, second};
    assert_string_equal(py_tuple(ctx, texts, 0), "()");
    assert_string_equal(py_tuple(ctx, texts, 1), "(\"a\",)");
    assert_string_equal(py_tuple(ctx, texts, 2), "(\"a\", \"b\\\"c\")");
}

static void comments_stay_on_their_line(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    assert_string_equal(py_comment(ctx, "a\nimport os\xE2\x80\xA9x", 100), "a import os x");
    assert_string_equal(py_comment(ctx, "ääää", 4), "ää…");
}

static void spark_names_and_literals(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    assert_string_equal(spark_name(ctx, "a`b"), "`a``b`");
    assert_string_equal(spark_literal(ctx, "O'Neill \\ x"), "'O\\'Neill \\\\ x'");
    assert_string_equal(spark_column(ctx, "d", "order_id"), "F.col(\"d.order_id\")");
    assert_string_equal(spark_column(ctx, "d", "order id\""), "F.col(\"d.`order id\\\"`\")");
}

static void python_names(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    assert_string_equal(py_name(ctx, "order_key"), "order_key");
    assert_string_equal(py_name(ctx, "1st-ä"), "_1st___");
    assert_string_equal(py_name(ctx, ""), "_");
    assert_true(is_plain_name("_a1"));
    assert_false(is_plain_name("1a"));
    assert_false(is_plain_name("a b"));
    assert_false(is_plain_name(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(python_strings_hold_anything),
        cmocka_unit_test(tuples),
        cmocka_unit_test(comments_stay_on_their_line),
        cmocka_unit_test(spark_names_and_literals),
        cmocka_unit_test(python_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
