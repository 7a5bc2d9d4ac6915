#include "worker/agents/developer/blame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void data_and_mapping_go_to_design(void **state)
{
    (void)state;
    assert_string_equal(
        blame_of_error("RuntimeError: quality checks failed: fact_order: unique: order_id (2 rows)"),
        "design");
    assert_string_equal(
        blame_of_error("ValueError: orders: columns missing in the file: status; found: a, b"), "design");
    assert_string_equal(
        blame_of_error("[DELTA_MULTIPLE_SOURCE_ROW_MATCHING_TARGET_ROW_IN_MERGE] Cannot perform"), "design");
}

static void wrong_code_goes_to_generate(void **state)
{
    (void)state;
    assert_string_equal(blame_of_error("NameError: name 'x' is not defined"), "generate");
    assert_string_equal(blame_of_error("AnalysisException: [UNRESOLVED_COLUMN.WITH_SUGGESTION] A column"),
                        "generate");
}

static void the_workspace_is_nobodys_fault(void **state)
{
    (void)state;
    assert_string_equal(blame_of_error("java.lang.OutOfMemoryError: Java heap space"), "");
    assert_string_equal(
        blame_of_error("py4j.protocol.Py4JNetworkError: Answer from Java side is empty; NameError"), "");
    assert_string_equal(blame_of_error("something nobody has seen"), "");
    assert_string_equal(blame_of_error(""), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(data_and_mapping_go_to_design),
        cmocka_unit_test(wrong_code_goes_to_generate),
        cmocka_unit_test(the_workspace_is_nobodys_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
