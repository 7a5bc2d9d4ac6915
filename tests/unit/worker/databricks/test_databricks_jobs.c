/* Jobs and runs: found by name, created once whatever happens to the answer, waited for, cancelled. */
#include "scripted.h"

static const char settings[] = "{\"name\":\"nuvyn: shop\",\"tasks\":[]}";

static void test_create(void **state)
{
    (void)state;
    static const route_t routes[] = {
        {"GET /api/2.2/jobs/list?limit=100&name=nuvyn%3A%20shop", {{200, "{}"}}},
        {"POST /api/2.2/jobs/create", {{200, "{\"job_id\":8812345678901234567}"}}},
        {0}};
    script_t *s = script_start(routes);
    nv_error_t err = NV_ERROR_INIT;
    int64_t id;
    bool created;
    OK_OR_FAIL(databricks_put_job(s->db, settings, &id, &created, &err));
    assert_true(id == 8812345678901234567 && created);
    script_stop(s);
}

static void test_reset_the_oldest_of_the_exact_name(void **state)
{
    (void)state;
    static const route_t routes[] = {
        {"GET /api/2.2/jobs/list?limit=100&name=nuvyn%3A%20shop&page_token=n",
         {{200, "{\"jobs\":[{\"job_id\":8800000000000000001,\"settings\":{\"name\":\"nuvyn: shop\"}}]}"}}},
        {"GET /api/2.2/jobs/list",
         {{200, "{\"jobs\":[{\"job_id\":5,\"settings\":{\"name\":\"NUVYN: shop\"}},"
                "{\"job_id\":8800000000000000002,\"settings\":{\"name\":\"nuvyn: "
                "shop\"}}],\"next_page_token\":\"n\"}"}}},
        {"POST /api/2.2/jobs/reset", {{200, "{}"}}},
        {0}};
    script_t *s = script_start(routes);
    nv_error_t err = NV_ERROR_INIT;
    int64_t id;
    bool created;
    OK_OR_FAIL(databricks_put_job(s->db, settings, &id, &created, &err));
    assert_true(id == 8800000000000000001 && !created);
    assert_int_equal(
        script_count(s, "POST /api/2.2/jobs/reset {\"job_id\":8800000000000000001,\"new_settings\":{"), 1);
    script_stop(s);
}

/* The job is made, the answer is lost: it must be found, not made twice. */
static void test_cut_after_create(void **state)
{
    (void)state;
    static const route_t routes[] = {
        {"GET /api/2.2/jobs/list",
         {{200, "{}"}, {200, "{\"jobs\":[{\"job_id\":42,\"settings\":{\"name\":\"nuvyn: shop\"}}]}"}}},
        {"POST /api/2.2/jobs/create", {{CUT_AFTER}}},
        {"POST /api/2.2/jobs/reset", {{200, "{}"}}},
        {0}};
    script_t *s = script_start(routes);
    nv_error_t err = NV_ERROR_INIT;
    int64_t id;
    bool created;
    OK_OR_FAIL(databricks_put_job(s->db, settings, &id, &created, &err));
    assert_true(id == 42 && created);
    assert_int_equal(script_count(s, "POST /api/2.2/jobs/create"), 1);
    script_stop(s);
}

/* The line was cut before anything happened: then it is made. A 500 is just as unclear. */
static void test_cut_before_create(void **state)
{
    (void)state;
    static const route_t routes[] = {
        {"GET /api/2.2/jobs/list", {{200, "{}"}}},
        {"POST /api/2.2/jobs/create", {{CUT_BEFORE}, {500, "{}"}, {200, "{\"job_id\":\"43\"}"}}},
        {0}};
    script_t *s = script_start(routes);
    nv_error_t err = NV_ERROR_INIT;
    int64_t id;
    bool created;
    OK_OR_FAIL(databricks_put_job(s->db, settings, &id, &created, &err));
    assert_true(id == 43 && created);
    assert_int_equal(script_count(s, "GET /api/2.2/jobs/list"), 3);
    script_stop(s);
}

static void test_job_errors(void **state)
{
    (void)state;
    static const route_t routes[] = {
        {"GET /api/2.2/jobs/list", {{200, "{}"}}},
        {"POST /api/2.2/jobs/create",
         {{403, "{\"error_code\":\"PERMISSION_DENIED\",\"message\":\"not allowed\"}"}}},
        {0}};
    script_t *s = script_start(routes);
    nv_error_t err = NV_ERROR_INIT;
    int64_t id;
    bool created;
    assert_false(databricks_put_job(s->db, settings, &id, &created, &err));
    assert_int_equal(err.code, NV_PERMISSION_DENIED);
    assert_non_null(strstr(err.message, "job \"nuvyn: shop\": "));
    assert_false(databricks_put_job(s->db, "{}", &id, &created, &err));
    assert_false(databricks_put_job(s->db, "not json", &id, &created, &err));
    script_stop(s);
}

static void test_run_now_is_repeated_with_its_token(void **state)
{
    (void)state;
    static const route_t routes[] = {
        {"POST /api/2.2/jobs/run-now", {{CUT_AFTER}, {200, "{\"run_id\":9007199254740993}"}}}, {0}};
    script_t *s = script_start(routes);
    nv_error_t err = NV_ERROR_INIT;
    int64_t id;
    databricks_parameter_t parameters[] = {{"batch", "b\"1"}};
    OK_OR_FAIL(databricks_run_now(s->db, 8812345678901234567, parameters, 1, "task-1", &id, &err));
    assert_true(id == 9007199254740993);
    assert_int_equal(s->n_seen, 2);
    assert_string_equal(s->seen[0], s->seen[1]);
    assert_string_equal(s->seen[0],
                        "POST /api/2.2/jobs/run-now {\"job_id\":8812345678901234567,"
                        "\"idempotency_token\":\"task-1\",\"job_parameters\":{\"batch\":\"b\\\"1\"}}");
    assert_false(databricks_run_now(s->db, 1, NULL, 0, "", &id, &err));
    assert_false(databricks_run_now(
        s->db, 1, NULL, 0, "12345678901234567890123456789012345678901234567890123456789012345", &id, &err));
    script_stop(s);
}

#define RUN(life, result, tasks)                                                                             \
    "{\"run_id\":9007199254740993,\"job_id\":3,\"state\":{\"life_cycle_state\":\"" life                      \
    "\",\"result_state\":\"" result                                                                          \
    "\",\"state_message\":\"m\"},\"run_page_url\":\"https://h/r\",\"tasks\":[" tasks "]}"

static void count_progress(void *arg, const databricks_run_t *run)
{
    assert_int_equal(run->n_tasks, 1);
    ++*(int *)arg;
}

static void test_wait(void **state)
{
    (void)state;
    static const char task[] =
        "{\"task_key\":\"bronze\",\"run_id\":9007199254740995,\"state\":{\"life_cycle_state\":"
        "\"RUNNING\"},\"start_time\":1700000000123}";
    char pending[1024];
    char ended[1024];
    snprintf(pending, sizeof pending, RUN("RUNNING", "", "%s"), task);
    snprintf(ended, sizeof ended, RUN("TERMINATED", "FAILED", "%s"), task);
    const route_t routes[] = {
        {"GET /api/2.2/jobs/runs/get?run_id=9007199254740993",
         {{200, pending}, {200, pending}, {503, ""}, {200, ended}}},
        {"GET /api/2.2/jobs/runs/get-output?run_id=9007199254740995",
         {{200, "{\"notebook_output\":{\"result\":\"{}\",\"truncated\":false},\"error\":\"boom\"}"}}},
        {0}};
    script_t *s = script_start(routes);
    nv_error_t err = NV_ERROR_INIT;
    databricks_run_t run;
    databricks_output_t output;
    int calls = 0;
    OK_OR_FAIL(databricks_wait_run(s->db, s->ctx, 9007199254740993, 0, count_progress, &calls, &run, &err));
    assert_int_equal(calls, 3);
    assert_string_equal(run.result, "FAILED");
    assert_true(run.ended && run.tasks[0].run_id == 9007199254740995 &&
                run.tasks[0].start_ms == 1700000000123);
    OK_OR_FAIL(databricks_get_output(s->db, s->ctx, run.tasks[0].run_id, &output, &err));
    assert_string_equal(output.error, "boom");
    script_stop(s);
}

static void test_wait_ends(void **state)
{
    (void)state;
    static const route_t routes[] = {{"GET /api/2.2/jobs/runs/get", {{200, RUN("RUNNING", "", "")}}},
                                     {"POST /api/2.2/jobs/runs/cancel", {{200, "{}"}}},
                                     {0}};
    nv_error_t err = NV_ERROR_INIT;
    databricks_run_t run;
    script_t *s = script_start(routes);
    assert_false(databricks_wait_run(s->db, s->ctx, 9007199254740993, 150, NULL, NULL, &run, &err));
    assert_int_equal(err.code, NV_DEADLINE_EXCEEDED);
    assert_int_equal(script_count(s, "POST"), 0);
    script_stop(s);
    s = script_start(routes);
    s->cancel_at = 2;
    assert_false(databricks_wait_run(s->db, s->ctx, 9007199254740993, 0, NULL, NULL, &run, &err));
    assert_int_equal(err.code, NV_CANCELLED);
    assert_int_equal(script_count(s, "POST /api/2.2/jobs/runs/cancel {\"run_id\":9007199254740993}"), 1);
    script_stop(s);
}

static void test_run_with_paged_tasks(void **state)
{
    (void)state;
    static const route_t routes[] = {
        {"GET /api/2.2/jobs/runs/get?run_id=1&page_token=p",
         {{200, "{\"tasks\":[{\"task_key\":\"b\",\"run_id\":3}]}"}}},
        {"GET /api/2.2/jobs/runs/get?run_id=1",
         {{200, "{\"run_id\":1,\"status\":{\"state\":\"TERMINATED\",\"termination_details\":{\"message\":"
                "\"why\"}},"
                "\"tasks\":[{\"task_key\":\"a\",\"run_id\":2}],\"next_page_token\":\"p\"}"}}},
        {"GET /api/2.2/jobs/runs/get?run_id=9",
         {{400, "{\"error_code\":\"INVALID_PARAMETER_VALUE\",\"message\":\"Run 9 does not exist.\"}"}}},
        {0}};
    script_t *s = script_start(routes);
    nv_error_t err = NV_ERROR_INIT;
    databricks_run_t run;
    OK_OR_FAIL(databricks_get_run(s->db, s->ctx, 1, &run, &err));
    assert_int_equal(run.n_tasks, 2);
    assert_string_equal(run.message, "why");
    assert_false(databricks_get_run(s->db, s->ctx, 9, &run, &err));
    assert_int_equal(err.code, NV_NOT_FOUND);
    script_stop(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create),
        cmocka_unit_test(test_reset_the_oldest_of_the_exact_name),
        cmocka_unit_test(test_cut_after_create),
        cmocka_unit_test(test_cut_before_create),
        cmocka_unit_test(test_job_errors),
        cmocka_unit_test(test_run_now_is_repeated_with_its_token),
        cmocka_unit_test(test_wait),
        cmocka_unit_test(test_wait_ends),
        cmocka_unit_test(test_run_with_paged_tasks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
