#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/core/mem.h"

static void texts_are_joined_in_their_order(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    char *texts[] = {(char *)"order_id", (char *)"", (char *)"line_no"};
    assert_string_equal(nv_join(ctx, ", ", texts, 0), "");
    assert_string_equal(nv_join(ctx, ", ", texts, 1), "order_id");
    assert_string_equal(nv_join(ctx, ", ", texts, 3), "order_id, , line_no");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(texts_are_joined_in_their_order)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
