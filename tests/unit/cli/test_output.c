/* Text of strangers on a terminal: readable, and unable to command it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/cli.h"

static void controls_are_shown_not_obeyed(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    assert_string_equal(cli_safe(ctx, "a\033[2Jb\x07\x7f"), "a?[2Jb??");
    assert_string_equal(cli_safe(ctx, "one\ntwo\tthree\r"), "one two three?");
    assert_string_equal(cli_safe(ctx, "\xc2\x9b"
                                      "31m"),
                        "??31m");
    assert_string_equal(cli_safe(ctx, "Größe é €😀"), "Größe é €😀");
    assert_string_equal(cli_safe(ctx, "cut \xc2"), "cut \xc2");
}

static void model_text_keeps_its_lines(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    assert_string_equal(cli_safe_lines(ctx, "{\n\t\"a\": \033]0;title\x07\r\n}"),
                        "{\n\t\"a\": ?]0;title??\n}");
    assert_string_equal(cli_safe_lines(ctx, "\xc2\x85x"), "??x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(controls_are_shown_not_obeyed),
        cmocka_unit_test(model_text_keeps_its_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
