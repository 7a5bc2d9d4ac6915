#include "workspace/path.h"

#include "tests/unit/workspace/check.h"

static void normalizes(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"/a/b", "/a/b"},     {"/a//b/", "/a/b"},
        {"/", "/"},           {"///", "/"},
        {"/a b/ü", "/a b/ü"}, {"/Workspace/Users/x", "/Users/x"},
        {"/Workspace", "/"},  {"/Workspaces/x", "/Workspaces/x"},
        {"/a/...", "/a/..."},
    };
    NV_MEM_SCOPE nv_mem_t *mem = nv_mem_root("test");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nv_error_t err = NV_ERROR_INIT;
        const char *out = NULL;
        assert_true(ws_path_normalize(mem, cases[i][0], &out, &err));
        assert_string_equal(out, cases[i][1]);
    }
}

static void refuses_bad_paths(void **state)
{
    (void)state;
    static const char *const cases[] = {"a",    "",      "/a/../b", "/..",
                                        "/./a", "/a\nb", "/a\x7f",  "relative/path"};
    NV_MEM_SCOPE nv_mem_t *mem = nv_mem_root("test");
    const char *out = NULL;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nv_error_t err = NV_ERROR_INIT;
        assert_false(ws_path_normalize(mem, cases[i], &out, &err));
        assert_int_equal(err.code, NV_INVALID_ARGUMENT);
    }
    char *wide = nv_alloc(mem, 400);
    memset(wide, 'x', 300);
    wide[0] = '/';
    nv_error_t err = NV_ERROR_INIT;
    assert_false(ws_path_normalize(mem, wide, &out, &err)); /* a segment of 299 bytes */
    char *deep = nv_alloc(mem, 1200);
    for (int i = 0; i < 550; i++) {
        memcpy(deep + i * 2, "/x", 2);
    }
    assert_false(ws_path_normalize(mem, deep, &out, &err));
}

static void finds_parents(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *mem = nv_mem_root("test");
    assert_string_equal(ws_path_parent(mem, "/a/b"), "/a");
    assert_string_equal(ws_path_parent(mem, "/a"), "/");
    assert_string_equal(ws_path_parent(mem, "/"), "/");
}

static void checks_names(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *mem = nv_mem_root("test");
    nv_error_t err = NV_ERROR_INIT;
    const char *out = NULL;
    assert_true(ws_name_check(mem, "schema", "Bronze_1", &out, &err));
    assert_string_equal(out, "bronze_1");
    static const char *const bad[] = {"", "a-b", "a.b", "../x", "ü", "a b", "a/b"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(ws_name_check(mem, "schema", bad[i], &out, &err));
    }
    /* main__x could not be told from schema x of main in the session catalog. */
    assert_true(ws_name_check(mem, "schema", "a__b_", &out, &err));
    assert_false(ws_name_check(mem, "catalog", "a__b", &out, &err));
    assert_false(ws_name_check(mem, "catalog", "a_", &out, &err));
}

static void takes_volume_paths_apart(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *mem = nv_mem_root("test");
    nv_error_t err = NV_ERROR_INIT;
    ws_volume_path_t path;
    assert_true(ws_volume_path_parse(mem, "/Volumes/Main/s/V/a//b/", &path, &err));
    assert_string_equal(path.catalog, "main");
    assert_string_equal(path.volume, "v");
    assert_string_equal(path.rest, "a/b");
    assert_true(ws_volume_path_parse(mem, "/Volumes/main/s", &path, &err));
    assert_null(path.volume);
    static const char *const bad[] = {"/Volumes",          "/Volumes/main",
                                      "/volumes/a/b/c/d",  "/etc/passwd",
                                      "/Volumes/a/b/../c", "/Volumes/a/b/c/../../../d",
                                      "/Volumes/a/b-b/c",  ""};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(ws_volume_path_parse(mem, bad[i], &path, &err));
    }
}

static void reads_ranges(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        int64_t size;
        bool ok, partial;
        int64_t first, last;
    } cases[] = {
        {NULL, 10, true, false, 0, 9},
        {"bytes=0-0", 10, true, true, 0, 0},
        {"bytes=2-4", 10, true, true, 2, 4},
        {"bytes=2-400", 10, true, true, 2, 9},
        {"bytes=9-", 10, true, true, 9, 9},
        {"bytes=-3", 10, true, true, 7, 9},
        {"bytes=-30", 10, true, true, 0, 9},
        {"bytes=10-", 10, false, false, 0, 0},
        {"bytes=0-", 0, false, false, 0, 0},
        {"bytes=4-2", 10, true, false, 0, 9},
        {"bytes=1-2,4-5", 10, true, false, 0, 9},
        {"bytes=-", 10, true, false, 0, 9},
        {"lines=1-2", 10, true, false, 0, 9},
        {"bytes=99999999999999999999-", 10, false, false, 0, 0},
        {"bytes=1x2", 10, true, false, 0, 9},
        {"bytes=", 10, true, false, 0, 9},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        nv_error_t err = NV_ERROR_INIT;
        bool partial = false;
        int64_t first = 0;
        int64_t last = 0;
        bool ok = ws_range_parse(cases[i].header, cases[i].size, &partial, &first, &last, &err);
        assert_int_equal(ok, cases[i].ok);
        if (ok) {
            assert_int_equal(partial, cases[i].partial);
            assert_int_equal(first, cases[i].first);
            assert_int_equal(last, cases[i].last);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(normalizes),
        cmocka_unit_test(refuses_bad_paths),
        cmocka_unit_test(finds_parents),
        cmocka_unit_test(checks_names),
        cmocka_unit_test(takes_volume_paths_apart),
        cmocka_unit_test(reads_ranges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
