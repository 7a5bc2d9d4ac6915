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

static void the_source_is_named_as_it_was_given(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    assert_string_equal(cli_as_given(ctx, "3 tables in /a/b; /a/b/c.csv:7", "/a/b", "b"),
                        "3 tables in b; b/c.csv:7");
    assert_string_equal(cli_as_given(ctx, "/a/bc /x/a/b /a/b.csv", "/a/b", "b"), "/a/bc /x/a/b /a/b.csv");
    assert_string_equal(cli_as_given(ctx, "nothing of it", "/a/b", "b"), "nothing of it");
    assert_string_equal(cli_as_given(ctx, "/a/b /", "/", "."), "/a/b /");
}

static void times_are_told_in_their_largest_units(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    assert_string_equal(cli_duration(ctx, -1), "");
    assert_string_equal(cli_duration(ctx, 59940), "59.9 s");
    assert_string_equal(cli_duration(ctx, 245000), "4 m 05 s");
    assert_string_equal(cli_duration(ctx, 2 * 3600000 + 7 * 60000 + 59000), "2 h 07 m");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(controls_are_shown_not_obeyed),
        cmocka_unit_test(model_text_keeps_its_lines),
        cmocka_unit_test(the_source_is_named_as_it_was_given),
        cmocka_unit_test(times_are_told_in_their_largest_units),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
