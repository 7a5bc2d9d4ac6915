/* The host without a control plane: what one task writes and spends, the next one sees. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "nuvyn/profile.pb-c.h"
#include "worker/local/local_host.h"

static Nv__TaskUsage seen; /* what the last task was told */

static bool spend(agent_task_t *task, agent_result_t *out)
{
    seen = *task->assignment->run_usage;
    out->outcome = "done";
    out->usage.llm_calls = 2;
    out->usage.llm_input_tokens = 100;
    out->usage.llm_output_tokens = 30;
    out->usage.llm_cost_usd = 0.25;
    out->usage.milliseconds = 7;
    out->usage.spark_milliseconds = 5;
    return true;
}

static bool spending(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err)
{
    Nv__TableProfile *note = NV_NEW(ctx, Nv__TableProfile);
    nv__table_profile__init(note);
    note->name = nv_strdup(ctx, task->assignment->item);
    return spend(task, out) && task->ops->write(task->host, "profile", &note->base, err);
}

static bool failing(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err)
{
    return spending(task, ctx, out, err) && nv_fail(err, NV_UNAVAILABLE, "the model went away");
}

static bool idle(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err)
{
    (void)ctx, (void)err;
    seen = *task->assignment->run_usage;
    out->outcome = "done";
    return true;
}

static bool run(local_host_t *host, agent_fn agent, const char *item, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("task");
    Nv__TaskAssignment assignment = NV__TASK_ASSIGNMENT__INIT;
    assignment.kind = nv_strdup(ctx, "thing");
    assignment.item = nv_strdup(ctx, item);
    agent_result_t result;
    return local_host_run(host, agent, &assignment, ctx, &result, err);
}

static void what_tasks_spent_reaches_the_next(void **state)
{
    (void)state;
    local_host_options_t options = {0};
    LOCAL_HOST_SCOPE local_host_t *host = local_host_new(&options);
    nv_error_t err = NV_ERROR_INIT;
    assert_true(run(host, spending, "a", &err));
    assert_int_equal(seen.llm_calls, 0);
    assert_true(run(host, spending, "b", &err));
    assert_int_equal(seen.llm_calls, 2);
    assert_true(run(host, idle, "", &err));
    assert_int_equal(seen.llm_calls, 4);
    assert_int_equal(seen.llm_input_tokens, 200);
    assert_int_equal(seen.llm_output_tokens, 60);
    assert_int_equal(seen.milliseconds, 14);
    assert_int_equal(seen.spark_milliseconds, 10);
    assert_true(seen.llm_cost_usd > 0.49 && seen.llm_cost_usd < 0.51);
}

static void a_failed_task_spent_but_wrote_nothing(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    local_host_options_t options = {0};
    LOCAL_HOST_SCOPE local_host_t *host = local_host_new(&options);
    nv_error_t err = NV_ERROR_INIT;
    ProtobufCMessage *message;
    assert_false(run(host, failing, "a", &err));
    assert_non_null(strstr(err.message, "thing a: the model went away"));
    nv_error_clear(&err);
    assert_true(run(host, idle, "", &err));
    assert_int_equal(seen.llm_calls, 2);
    assert_false(local_host_read(host, ctx, "profile", &nv__table_profile__descriptor, &message, &err));
    assert_int_equal(err.code, NV_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_tasks_spent_reaches_the_next),
        cmocka_unit_test(a_failed_task_spent_but_wrote_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
