#include "workspace/job_settings.h"

#include "tests/unit/workspace/check.h"

#define NOTEBOOK "\"notebook_task\":{\"notebook_path\":\"/x\"}"

static void checks_settings(void **state)
{
    (void)state;
    static const struct {
        const char *settings;
        const char *complaint; /* NULL: fine */
    } cases[] = {
        {"{\"tasks\":[{\"task_key\":\"a\"," NOTEBOOK "}]}", NULL},
        {"{\"tasks\":[{\"task_key\":\"a\"," NOTEBOOK ",\"max_retries\":-1,\"timeout_seconds\":null}]}", NULL},
        {"{\"tasks\":[{\"task_key\":\"a\"," NOTEBOOK "},{\"task_key\":\"b\"," NOTEBOOK
         ",\"depends_on\":[{\"task_key\":\"a\"}],\"run_if\":\"ALL_DONE\"}]}",
         NULL},
        {"{}", "tasks"},
        {"[]", "missing"},
        {"{\"tasks\":[]}", "1 to 1000"},
        {"{\"tasks\":[{" NOTEBOOK "}]}", "tasks[0]"},
        {"{\"tasks\":[{\"task_key\":\"a b\"," NOTEBOOK "}]}", "task_key \"a b\""},
        {"{\"tasks\":[{\"task_key\":\"a\"}]}", "no task type"},
        {"{\"tasks\":[{\"task_key\":\"a\",\"dbt_task\":{}}]}", "dbt_task"},
        {"{\"tasks\":[{\"task_key\":\"a\",\"notebook_task\":{}}]}", "notebook_path"},
        {"{\"tasks\":[{\"task_key\":\"a\"," NOTEBOOK ",\"max_retries\":\"many\"}]}", "max_retries"},
        {"{\"tasks\":[{\"task_key\":\"a\"," NOTEBOOK ",\"timeout_seconds\":99999999999}]}", "out of range"},
        {"{\"tasks\":[{\"task_key\":\"a\"," NOTEBOOK ",\"run_if\":\"MAYBE\"}]}", "MAYBE"},
        {"{\"tasks\":[{\"task_key\":\"a\"," NOTEBOOK ",\"depends_on\":[{\"task_key\":\"a\"}]}]}", "cycle"},
        {"{\"tasks\":[{\"task_key\":\"a\"," NOTEBOOK "},{\"task_key\":\"a\"," NOTEBOOK "}]}", "twice"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        NV_MEM_SCOPE nv_mem_t *mem = nv_mem_root("test");
        nv_error_t err = NV_ERROR_INIT;
        bool ok = ws_job_settings_check(json(mem, cases[i].settings), &err);
        if (ok != !cases[i].complaint || (!ok && !strstr(err.message, cases[i].complaint))) {
            fail_msg("%s: %s", cases[i].settings, err.message);
        }
    }
}

static void builds_the_graph(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *mem = nv_mem_root("test");
    ws_graph_t *graph = ws_job_settings_graph(
        mem,
        json(mem,
             "{\"tasks\":[{\"task_key\":\"b\",\"depends_on\":[{\"task_key\":\"c\"},{\"task_key\":\"a\"}],"
             "\"run_if\":\"ALL_DONE\"},{\"task_key\":\"a\"},{\"task_key\":\"c\"}]}"));
    assert_int_equal(graph->count, 3);
    assert_int_equal(graph->tasks[0].run_if, WS_RUN_IF_ALL_DONE);
    assert_int_equal(graph->tasks[0].dependency_count, 2);
    assert_int_equal(graph->tasks[0].depends_on[0], 2);
    assert_int_equal(graph->tasks[0].depends_on[1], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(checks_settings), cmocka_unit_test(builds_the_graph)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
