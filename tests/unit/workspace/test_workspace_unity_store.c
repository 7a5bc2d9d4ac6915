#include "workspace/unity_store.h"

#include "tests/unit/workspace/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static char root[64];

static int set_up(void **state)
{
    (void)state;
    nv_error_t err = NV_ERROR_INIT;
    strcpy(root, "/tmp/nuvyn-test-unity-XXXXXX");
    assert_non_null(mkdtemp(root));
    return ws_unity_open(root, &err) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    return system(command);
}

static ws_full_name_t name(nv_mem_t *mem, ws_securable_kind_t kind, const char *text)
{
    ws_full_name_t out;
    nv_error_t err = NV_ERROR_INIT;
    assert_true(ws_full_name_parse(mem, kind, text, &out, &err));
    return out;
}

static void parses_names(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *mem = nv_mem_root("test");
    nv_error_t err = NV_ERROR_INIT;
    ws_full_name_t out = name(mem, WS_TABLE, "Main.Bronze.T");
    assert_string_equal(ws_full_name_text(mem, &out), "main.bronze.t");
    out = ws_full_name_parent(&out);
    assert_int_equal(out.kind, WS_SCHEMA);
    assert_string_equal(ws_full_name_text(mem, &out), "main.bronze");
    assert_false(ws_full_name_parse(mem, WS_TABLE, "a.b", &out, &err));
    assert_false(ws_full_name_parse(mem, WS_TABLE, "a.b.c.d", &out, &err));
    assert_false(ws_full_name_parse(mem, WS_SCHEMA, "a..b", &out, &err));
    assert_false(ws_full_name_parse(mem, WS_CATALOG, "../x", &out, &err));
}

static void has_main_from_the_start(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *mem = nv_mem_root("test");
    ws_full_name_t schema = name(mem, WS_SCHEMA, "main.default");
    assert_true(ws_unity_exists(root, &schema));
}

static void makes_lists_and_removes(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *mem = nv_mem_root("test");
    nv_error_t err = NV_ERROR_INIT;
    const char **names = NULL;
    size_t count = 0;
    ws_full_name_t schema = name(mem, WS_SCHEMA, "main.s");
    ws_full_name_t volume = name(mem, WS_VOLUME, "main.s.v");
    const nv_json_t *entry = NULL;
    assert_true(ws_unity_write(mem, root, &schema, "words", 0, json(mem, "{\"a\":\"b\"}"), &err));
    assert_true(ws_unity_write(mem, root, &volume, NULL, 0, NULL, &err));
    assert_true(ws_unity_read(mem, root, &schema, &entry, &err));
    assert_string_equal(nv_json_string_or(entry, "comment", ""), "words");
    assert_string_equal(nv_json_string_or(entry, "properties.a", ""), "b");
    ws_full_name_t catalog = name(mem, WS_CATALOG, "main");
    assert_true(ws_unity_list(mem, root, WS_SCHEMA, &catalog, &names, &count, &err));
    assert_int_equal(count, 2);
    assert_string_equal(names[1], "s");
    assert_true(ws_unity_list(mem, root, WS_VOLUME, &schema, &names, &count, &err));
    assert_int_equal(count, 1);
    assert_true(ws_unity_remove(mem, root, &volume, &err));
    assert_false(ws_unity_exists(root, &volume));
    assert_true(ws_unity_remove(mem, root, &schema, &err));
    assert_false(ws_unity_list(mem, root, WS_VOLUME, &schema, &names, &count, &err));
    assert_int_equal(err.code, NV_NOT_FOUND);
}

static void table_exists_with_its_first_commit(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *mem = nv_mem_root("test");
    ws_full_name_t table = name(mem, WS_TABLE, "main.default.t");
    char command[256];
    snprintf(command, sizeof command,
             "mkdir -p %s/main/default/tables/t/_delta_log && touch %s/main/default/tables/t/x.parquet", root,
             root);
    assert_int_equal(system(command), 0);
    assert_false(ws_unity_exists(root, &table)); /* data without a commit is no table */
    snprintf(command, sizeof command, "touch %s/main/default/tables/t/_delta_log/00000000000000000000.json",
             root);
    assert_int_equal(system(command), 0);
    assert_true(ws_unity_exists(root, &table));
    assert_false(ws_unity_is_external(root, &table));
}

#define WITH_ROOT(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(parses_names), WITH_ROOT(has_main_from_the_start),
                                       WITH_ROOT(makes_lists_and_removes),
                                       WITH_ROOT(table_exists_with_its_first_commit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
