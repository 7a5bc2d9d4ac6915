#include "workspace/multipart.h"

#include "tests/unit/workspace/check.h"

static bool parse(nv_mem_t *mem, const char *type, const char *body, ws_multipart_t *out)
{
    nv_error_t err = NV_ERROR_INIT;
    return ws_multipart_parse(mem, type, body, strlen(body), out, &err);
}

static void reads_parts(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *mem = nv_mem_root("test");
    ws_multipart_t form;
    assert_true(parse(mem, "multipart/form-data; boundary=\"b1\"",
                      "--b1\r\nContent-Disposition: form-data; name=\"path\"\r\n\r\n/x\r\n"
                      "--b1\r\nContent-Disposition: form-data; filename=\"name\"; name=\"content\"\r\n"
                      "Content-Type: text/plain\r\n\r\n--b\r\nb1\r\n\r\n--b1\r\n"
                      "Content-Disposition: form-data; name=\"empty\"\r\n\r\n\r\n--b1--\r\n",
                      &form));
    assert_int_equal(form.count, 3);
    assert_true(nv_bytes_equal(*ws_multipart_find(&form, "path"), nv_bytes_text("/x")));
    assert_true(nv_bytes_equal(*ws_multipart_find(&form, "content"), nv_bytes_text("--b\r\nb1\r\n")));
    assert_int_equal(ws_multipart_find(&form, "empty")->length, 0);
    assert_null(ws_multipart_find(&form, "filename"));
}

static void refuses_nonsense(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"multipart/form-data", "--b\r\n"},
        {"multipart/form-data; boundary=", "--\r\n"},
        {"multipart/form-data; boundary=b", ""},
        {"multipart/form-data; boundary=b", "nothing"},
        {"multipart/form-data; boundary=b", "--b\r\nContent-Disposition: form-data; name=\"x\""},
        {"multipart/form-data; boundary=b",
         "--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\nopen end"},
        {"multipart/form-data; boundary=b", "--b\r\nContent-Type: x\r\n\r\nno name\r\n--b--"},
    };
    NV_MEM_SCOPE nv_mem_t *mem = nv_mem_root("test");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ws_multipart_t form;
        assert_false(parse(mem, cases[i][0], cases[i][1], &form));
    }
}

static void limits_the_parts(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *mem = nv_mem_root("test");
    nv_buf_t body = nv_buf_make(mem, 65536);
    for (int i = 0; i < WS_MULTIPART_MAX_PARTS + 1; i++) {
        nv_buf_puts(&body, "--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\nv\r\n");
    }
    nv_buf_puts(&body, "--b--");
    ws_multipart_t form;
    assert_false(parse(mem, "multipart/form-data; boundary=b", nv_buf_text(&body), &form));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads_parts), cmocka_unit_test(refuses_nonsense),
                                       cmocka_unit_test(limits_the_parts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
