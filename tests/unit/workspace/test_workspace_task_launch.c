#include "workspace/task_launch.h"

#include "tests/unit/workspace/check.h"

static const char *lookup(void *arg, nv_mem_t *mem, const char *name)
{
    (void)arg;
    return strcmp(name, "job.id") == 0 ? nv_strdup(mem, "42") : strcmp(name, "x") == 0 ? "{{x}}" : NULL;
}

static void fills_references(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", ""},
        {"plain", "plain"},
        {"{{job.id}}", "42"},
        {"a{{ job.id }}b{{job.id}}", "a42b42"},
        {"{{unknown}} {{job.id}}", "{{unknown}} 42"},
        {"{{job.id", "{{job.id"},
        {"{{x}}", "{{x}}"}, /* what is filled in is not filled in again */
        {"{{}}", "{{}}"},
        {"{{  }}", "{{  }}"},
        {"}}{{job.id}}", "}}42"},
    };
    NV_MEM_SCOPE nv_mem_t *mem = nv_mem_root("test");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_string_equal(ws_fill_references(mem, cases[i][0], lookup, NULL), cases[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(fills_references)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
