/* The reader and writer of foreign JSON, and the small codecs below them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <talloc.h>

#include "common/core/base64.h"
#include "common/core/json.h"
#include "common/core/json_lexer.h"
#include "common/core/utf8.h"

static const nv_json_t *parse(nv_mem_t *ctx, const char *text)
{
    nv_error_t err = NV_ERROR_INIT;
    const nv_json_t *root;
    if (!nv_json_parse(ctx, "doc", text, strlen(text), &root, &err))
        fail_msg("%s", err.message);
    return root;
}

static const char document[] = "{\"jobs\":[{\"job_id\":8812345678901234567,\"name\":\"a\",\"ok\":true,"
                               "\"share\":0.25},{\"job_id\":\"9007199254740993\"}],"
                               "\"empty\":null,\"a.b\":1,\"twice\":1,\"twice\":2,\"nul\":\"x\\u0000y\"}";

static void test_getters(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("json");
    nv_error_t err = NV_ERROR_INIT;
    const nv_json_t *root = parse(ctx, document);
    int64_t id;
    const char *text;
    bool flag;
    double number;
    assert_true(nv_json_int64(root, "jobs[0].job_id", &id, &err) && id == 8812345678901234567);
    assert_true(nv_json_int64(root, "jobs[1].job_id", &id, &err) && id == 9007199254740993);
    assert_true(nv_json_string(root, "jobs[0].name", &text, &err) && strcmp(text, "a") == 0);
    assert_true(nv_json_bool(root, "jobs[0].ok", &flag, &err) && flag);
    assert_true(nv_json_double(root, "jobs[0].share", &number, &err) && number == 0.25);
    assert_int_equal(nv_json_int64_or(root, "twice", 0), 2);
    assert_int_equal(nv_json_size(nv_json_get(root, "jobs")), 2);
    assert_string_equal(nv_json_key_at(root, 1), "empty");
    assert_non_null(nv_json_member(root, "a.b"));
    assert_null(nv_json_get(root, "a.b"));
    assert_int_equal(nv_json_kind(nv_json_get(root, "empty")), NV_JSON_NULL);
    assert_string_equal(nv_json_string_or(root, "nul", "cut"), "cut");
    assert_null(nv_json_get(root, "jobs[7].x.y[0]"));
}

/* A document that is refused leaves nothing below the context it was read for. */
static void test_refused_leaves_nothing(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("json");
    static const char text[] = "\"a long enough string \\q with an unknown escape\"";
    nv_json_lexer_t lexer = nv_json_lexer_make(ctx, text, sizeof text - 1);
    nv_json_token_t token;
    nv_error_t err = NV_ERROR_INIT;
    assert_false(nv_json_lexer_next(&lexer, &token, &err));
    assert_int_equal(talloc_total_blocks(ctx), 1);
}

static void test_errors_name_the_place(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("json");
    nv_error_t err = NV_ERROR_INIT;
    const nv_json_t *root = parse(ctx, document);
    const char *text;
    int64_t id;
    assert_false(nv_json_string(root, "jobs[0].missing", &text, &err));
    assert_string_equal(err.message,
                        "doc: jobs[0].missing: expected a string (without NUL), but it is missing");
    assert_false(nv_json_int64(nv_json_get(root, "jobs[0]"), "name", &id, &err));
    assert_string_equal(err.message, "doc: jobs[0].name: expected a 64-bit integer, got \"a\"");
    assert_false(nv_json_int64(root, "jobs[0].share", &id, &err));
    assert_string_equal(err.message, "doc: jobs[0].share: expected a 64-bit integer, got 0.25");
    assert_false(nv_json_string(root, "jobs", &text, &err));
    assert_string_equal(err.message, "doc: jobs: expected a string (without NUL), got an array");
}

static void test_refusals(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",       "{",  "[1,]",  "{\"a\":}", "{a:1}",    "[1 2]",    "01",    "1.",          ".5",
        "+1",     "1e", "nul",   "\"\\x\"",  "\"\x01\"", "\"\xff\"", "[1] x", "\"\\ud800\"", "{\"a\"1}",
        "\"open", "-",  "tru e", "[\"a\":1]"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("json");
        nv_error_t err = NV_ERROR_INIT;
        const nv_json_t *root;
        if (nv_json_parse(ctx, "doc", bad[i], strlen(bad[i]), &root, &err))
            fail_msg("accepted %s", bad[i]);
        assert_int_equal(err.code, NV_INVALID_ARGUMENT);
        assert_int_equal(strncmp(err.message, "doc: line 1, column ", 20), 0);
    }
}

static void test_limits(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("json");
    nv_error_t err = NV_ERROR_INIT;
    const nv_json_t *root;
    char deep[2 * NV_JSON_MAX_DEPTH + 8];
    memset(deep, '[', sizeof deep);
    assert_false(nv_json_parse(ctx, "doc", deep, sizeof deep, &root, &err));
    assert_non_null(strstr(err.message, "nested deeper than 128"));
    memset(deep, '[', NV_JSON_MAX_DEPTH);
    memset(deep + NV_JSON_MAX_DEPTH, ']', NV_JSON_MAX_DEPTH);
    assert_true(nv_json_parse(ctx, "doc", deep, 2 * NV_JSON_MAX_DEPTH, &root, &err));
    nv_json_writer_t w = nv_json_writer_make(ctx, 200000, true);
    char *text;
    nv_json_open_array(&w, NULL);
    nv_json_put_value(&w, NULL, root);
    nv_json_close_array(&w);
    assert_true(nv_json_write_end(&w, "copy", &text, NULL, &err));
}

static void test_writer(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("json");
    nv_error_t err = NV_ERROR_INIT;
    char *text;
    nv_json_writer_t w = nv_json_writer_make(ctx, 10000, false);
    nv_json_open_object(&w, NULL);
    nv_json_put_string(&w, "s", "q\"\\\n\x7f é");
    nv_json_put_int64(&w, "i", INT64_MIN);
    nv_json_put_uint64(&w, "u", UINT64_MAX);
    nv_json_put_double(&w, "d", 0.1);
    nv_json_put_bool(&w, "b", false);
    nv_json_put_null(&w, "n");
    nv_json_open_array(&w, "a");
    nv_json_put_raw(&w, NULL, "{}");
    nv_json_put_value(&w, NULL, parse(ctx, "[8812345678901234567,1.50]"));
    nv_json_close_array(&w);
    nv_json_close_object(&w);
    assert_true(nv_json_write_end(&w, "doc", &text, NULL, &err));
    assert_string_equal(
        text,
        "{\"s\":\"q\\\"\\\\\\n\\u007f é\",\"i\":-9223372036854775808,\"u\":18446744073709551615,\"d\":0.1,"
        "\"b\":false,\"n\":null,\"a\":[{},[8812345678901234567,1.50]]}");
    w = nv_json_writer_make(ctx, 100, false);
    nv_json_open_object(&w, NULL);
    nv_json_put_string(&w, "name", "\xff");
    nv_json_close_object(&w);
    assert_false(nv_json_write_end(&w, "doc", &text, NULL, &err));
    assert_string_equal(err.message, "doc: name: text is not UTF-8");
    w = nv_json_writer_make(ctx, 4, false);
    nv_json_put_string(&w, NULL, "too long");
    assert_false(nv_json_write_end(&w, "doc", &text, NULL, &err));
    assert_int_equal(err.code, NV_RESOURCE_EXHAUSTED);
}

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
        int64_t value;
    } cases[] = {
        {"0", true, 0},
        {"-0", true, 0},
        {"9223372036854775807", true, INT64_MAX},
        {"-9223372036854775808", true, INT64_MIN},
        {"9223372036854775808", false, 0},
        {"1.0", true, 1},
        {"12.50e1", true, 125},
        {"1e18", true, 1000000000000000000},
        {"1e19", false, 0},
        {"1.5", false, 0},
        {"0e999999999", true, 0},
        {"1e-1", false, 0},
        {"10e-1", true, 1},
        {"1e99999999999999999999", false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t value;
        bool integral;
        bool ok = nv_json_text_int64(cases[i].text, strlen(cases[i].text), &value, &integral);
        if (ok != cases[i].ok || (ok && value != cases[i].value))
            fail_msg("%s", cases[i].text);
    }
    uint64_t positive;
    bool integral;
    assert_true(nv_json_text_uint64("18446744073709551615", 20, &positive, &integral) &&
                positive == UINT64_MAX);
    assert_false(nv_json_text_uint64("-1", 2, &positive, &integral));
}

static void test_utf8(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool valid;
    } cases[] = {
        {"plain ascii, long enough for the stride", true},
        {"é漢😀", true},
        {"\xC0\x80", false},         /* overlong NUL */
        {"\xE0\x80\x80", false},     /* overlong */
        {"\xED\xA0\x80", false},     /* surrogate */
        {"\xF4\x90\x80\x80", false}, /* above U+10FFFF */
        {"\xF4\x8F\xBF\xBF", true},
        {"\x80", false},
        {"abcdefgh\xC3", false}, /* cut */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(nv_utf8_valid(cases[i].text, strlen(cases[i].text)), cases[i].valid);
    assert_int_equal(nv_utf8_floor("aé", 2), 1);
    for (uint32_t c = 0; c <= 0x10FFFF; c++) {
        char out[4];
        if (c == 0xD800)
            c = 0xE000;
        assert_int_equal(nv_utf8_sequence(out, nv_utf8_encode(c, out)), c < 0x80      ? 1
                                                                        : c < 0x800   ? 2
                                                                        : c < 0x10000 ? 3
                                                                                      : 4);
    }
}

static void test_base64(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("base64");
    static const char *const pairs[][2] = {
        {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}};
    static const char *const bad[] = {"Z", "Zg=", "Zg===", "Z!==", "Zm9v=", "Zh==", "Zm 9v", "=", "Zg==Zg=="};
    uint8_t *out;
    size_t n;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        assert_string_equal(nv_base64_encode(ctx, pairs[i][0], strlen(pairs[i][0])), pairs[i][1]);
        assert_true(nv_base64_decode(ctx, pairs[i][1], strlen(pairs[i][1]), &out, &n));
        assert_int_equal(n, strlen(pairs[i][0]));
        assert_memory_equal(out, pairs[i][0], n);
    }
    assert_true(nv_base64_decode(ctx, "_-8", 3, &out, &n) && n == 2 && out[0] == 0xFF && out[1] == 0xEF);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (nv_base64_decode(ctx, bad[i], strlen(bad[i]), &out, &n))
            fail_msg("accepted %s", bad[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_getters),
        cmocka_unit_test(test_refused_leaves_nothing),
        cmocka_unit_test(test_errors_name_the_place),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_writer),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_base64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
