#include "workspace/router.h"

#include "tests/unit/workspace/check.h"

static void matches_patterns(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *mem = nv_mem_root("test");
    const char *params[WS_MAX_PARAMS] = {0};
    assert_true(ws_route_match(mem, "/a/{x}/b", "/a/1%2F2/b", params));
    assert_string_equal(params[0], "1/2");
    assert_true(ws_route_match(mem, "/f{p...}", "/f/x/y", params));
    assert_string_equal(params[0], "/x/y");
    assert_true(ws_route_match(mem, "/f{p...}", "/f", params));
    assert_string_equal(params[0], "");
    assert_true(ws_route_match(mem, "/{a}/{b}", "/1/2", params));
    assert_string_equal(params[1], "2");
    assert_false(ws_route_match(mem, "/a/{x}/b", "/a//b", params));
    assert_false(ws_route_match(mem, "/a/{x}", "/a/1/2", params));
    assert_false(ws_route_match(mem, "/a", "/ab", params));
    assert_false(ws_route_match(mem, "/ab", "/a", params));
    assert_false(ws_route_match(mem, "/a/{x}", "/a/%zz", params));
    assert_false(ws_route_match(mem, "/a/{x}", "/a/%00", params));
}

static void decodes_percent(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *mem = nv_mem_root("test");
    assert_string_equal(ws_percent_decode(mem, "a%20b+c", 7, false), "a b+c");
    assert_string_equal(ws_percent_decode(mem, "a+b", 3, true), "a b");
    assert_string_equal(ws_percent_decode(mem, "%C3%bc", 6, false), "ü");
    static const char *const bad[] = {"%", "%1", "%g0", "%00", "a%"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_null(ws_percent_decode(mem, bad[i], strlen(bad[i]), false));
    }
    assert_string_equal(ws_percent_encode(mem, "/a ü", true), "/a%20%C3%BC");
    assert_string_equal(ws_percent_encode(mem, "/a", false), "%2Fa");
}

static void reads_queries(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *mem = nv_mem_root("test");
    ws_request_t request = {
        .mem = mem, .method = "GET", .query = "a=1&bc=x%20y&big=8800000000010000019&flag=true&bad=1x"};
    nv_error_t err = NV_ERROR_INIT;
    int64_t number = 0;
    assert_string_equal(ws_query(&request, "bc"), "x y");
    assert_null(ws_query(&request, "b"));
    assert_true(ws_query_bool(&request, "flag"));
    assert_false(ws_query_bool(&request, "a2"));
    assert_true(ws_query_int64(&request, "big", 0, &number, &err));
    assert_true(number == INT64_C(8800000000010000019));
    assert_true(ws_query_int64(&request, "none", 7, &number, &err));
    assert_int_equal(number, 7);
    assert_false(ws_query_int64(&request, "bad", 0, &number, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(matches_patterns), cmocka_unit_test(decodes_percent),
                                       cmocka_unit_test(reads_queries)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
