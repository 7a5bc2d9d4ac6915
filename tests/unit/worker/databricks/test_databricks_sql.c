/* Statements: inline, chunked, by external link, failing with 200, cancelled; and warehouses. */
#include "scripted.h"

#define MANIFEST                                                                                             \
    "\"manifest\":{\"schema\":{\"columns\":[{\"name\":\"a\",\"type_text\":\"BIGINT\",\"type_name\":"         \
    "\"LONG\"},"                                                                                             \
    "{\"name\":\"b\",\"type_text\":\"STRING\"}]},\"truncated\":false}"

static const databricks_statement_t query = {
    .warehouse_id = "w1", .sql = "SELECT a, b FROM t", .repeatable = true};

static void test_inline(void **state)
{
    (void)state;
    static const route_t routes[] = {
        {"POST /api/2.0/sql/statements",
         {{200, "{\"statement_id\":\"s1\",\"status\":{\"state\":\"SUCCEEDED\"}," MANIFEST
                ",\"result\":{\"data_array\":[[\"9007199254740993\",null],[\"2\",\"x\"]]}}"}}},
        {0}};
    script_t *s = script_start(routes);
    nv_error_t err = NV_ERROR_INIT;
    databricks_parameter_t parameters[] = {{"p", "1"}, {"q", NULL}};
    databricks_statement_t statement = query;
    statement.catalog = "main";
    statement.parameters = parameters;
    statement.n_parameters = 2;
    databricks_result_t result;
    OK_OR_FAIL(databricks_execute(s->db, s->ctx, &statement, &result, &err));
    assert_int_equal(result.n_rows, 2);
    assert_string_equal(result.columns[0].type_text, "BIGINT");
    assert_string_equal(databricks_cell(&result, 0, 0), "9007199254740993");
    assert_null(databricks_cell(&result, 0, 1));
    assert_string_equal(databricks_cell(&result, 1, 1), "x");
    assert_non_null(strstr(s->seen[0], "\"parameters\":[{\"name\":\"p\",\"value\":\"1\"},{\"name\":\"q\"}]"));
    assert_non_null(strstr(s->seen[0], "\"catalog\":\"main\""));
    script_stop(s);
}

static void test_polling_and_chunks(void **state)
{
    (void)state;
    static const route_t routes[] = {
        {"POST /api/2.0/sql/statements",
         {{200, "{\"statement_id\":\"s1\",\"status\":{\"state\":\"PENDING\"}}"}}},
        {"GET /api/2.0/sql/statements/s1/result/chunks/1",
         {{503, ""}, {200, "{\"data_array\":[[\"2\",\"y\"]],\"next_chunk_index\":2}"}}},
        {"GET /api/2.0/sql/statements/s1/result/chunks/2", {{200, "{\"data_array\":[[\"3\",\"z\"]]}"}}},
        {"GET /api/2.0/sql/statements/s1",
         {{200, "{\"statement_id\":\"s1\",\"status\":{\"state\":\"RUNNING\"}}"},
          {200, "{\"statement_id\":\"s1\",\"status\":{\"state\":\"SUCCEEDED\"}," MANIFEST
                ",\"result\":{\"data_array\":[[\"1\",\"x\"]],\"next_chunk_index\":1}}"}}},
        {0}};
    script_t *s = script_start(routes);
    nv_error_t err = NV_ERROR_INIT;
    databricks_result_t result;
    OK_OR_FAIL(databricks_execute(s->db, s->ctx, &query, &result, &err));
    assert_int_equal(result.n_rows, 3);
    assert_string_equal(databricks_cell(&result, 2, 1), "z");
    script_stop(s);
}

static void test_external_links(void **state)
{
    (void)state;
    route_t routes[] = {
        {"POST /api/2.0/sql/statements",
         {{200, "{\"statement_id\":\"s1\",\"status\":{\"state\":\"FAILED\",\"error\":{\"error_code\":\"BAD_"
                "REQUEST\","
                "\"message\":\"Inline byte limit exceeded. Use disposition=EXTERNAL_LINKS\"}}}"},
          {200, NULL}}},
        {"GET /blob/0", {{200, "[[\"1\",\"x\"]]"}}},
        {"GET /blob/1", {{200, "[[\"2\",null]]"}}},
        {"GET /api/2.0/sql/statements/s2/result/chunks/1", {{200, NULL}}},
        {0}};
    script_t *s = script_start(routes);
    const char *url = fault_server_url(s->server);
    routes[0].answers[1].body =
        nv_printf(s->ctx,
                  "{\"statement_id\":\"s2\",\"status\":{\"state\":\"SUCCEEDED\"}," MANIFEST ",\"result\":{"
                  "\"external_links\":[{\"external_link\":\"%s/blob/0\",\"next_chunk_index\":1,"
                  "\"http_headers\":{\"x-key\":\"v\"}}]}}",
                  url);
    routes[3].answers[0].body =
        nv_printf(s->ctx, "{\"external_links\":[{\"external_link\":\"%s/blob/1\"}]}", url);
    nv_error_t err = NV_ERROR_INIT;
    databricks_result_t result;
    OK_OR_FAIL(databricks_execute(s->db, s->ctx, &query, &result, &err));
    assert_int_equal(result.n_rows, 2);
    assert_null(databricks_cell(&result, 1, 1));
    assert_string_equal(s->authorization, ""); /* the last request was a link: our token stays at home */
    assert_non_null(strstr(s->seen[1], "EXTERNAL_LINKS"));
    script_stop(s);
}

static void test_failures(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        nv_code_t code;
        const char *message;
    } cases[] = {
        {"{\"statement_id\":\"s\",\"status\":{\"state\":\"FAILED\",\"error\":{\"error_code\":\"BAD_REQUEST\","
         "\"message\":\"[TABLE_OR_VIEW_NOT_FOUND] t\"}}}",
         NV_FAILED_PRECONDITION, "statement s FAILED BAD_REQUEST: [TABLE_OR_VIEW_NOT_FOUND] t"},
        {"{\"statement_id\":\"s\",\"status\":{\"state\":\"FAILED\",\"error\":{\"error_code\":\"TEMPORARILY_"
         "UNAVAILABLE\"}}}",
         NV_UNAVAILABLE, "TEMPORARILY_UNAVAILABLE"},
        {"{\"statement_id\":\"s\",\"status\":{\"state\":\"CLOSED\"}}", NV_FAILED_PRECONDITION, "CLOSED"},
        {"{\"statement_id\":\"s\",\"status\":{\"state\":\"SUCCEEDED\"}," MANIFEST
         ",\"result\":{\"data_array\":[[\"1\"]]}}",
         NV_INTERNAL, "row 0 has 1 cells: expected 2"},
        {"{\"statement_id\":\"s\",\"status\":{\"state\":\"SUCCEEDED\"}," MANIFEST
         ",\"result\":{\"data_array\":[],\"next_chunk_index\":0}}",
         NV_INTERNAL, "circles"},
        {"{\"status\":{\"state\":\"SUCCEEDED\"}}", NV_INVALID_ARGUMENT, "statement_id: expected a string"},
        {"{\"statement_id\":\"s\",\"status\":{\"state\":\"SUCCEEDED\"}," MANIFEST
         ",\"result\":{\"external_links\":[{\"external_link\":\"http://169.254.169.254/x\"}]}}",
         NV_INTERNAL, "not https"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        route_t routes[] = {{"POST /api/2.0/sql/statements", {{200, cases[i].body}}}, {0}};
        script_t *s = script_start(routes);
        nv_error_t err = NV_ERROR_INIT;
        databricks_result_t result;
        assert_false(databricks_execute(s->db, s->ctx, &query, &result, &err));
        if (err.code != cases[i].code || !strstr(err.message, cases[i].message))
            fail_msg("case %zu: %s %s", i, nv_code_name(err.code), err.message);
        script_stop(s);
    }
}

static void test_lost_answers(void **state)
{
    (void)state;
    static const route_t routes[] = {
        {"POST /api/2.0/sql/statements",
         {{CUT_AFTER}, {200, "{\"statement_id\":\"s\",\"status\":{\"state\":\"SUCCEEDED\"}," MANIFEST "}"}}},
        {0}};
    nv_error_t err = NV_ERROR_INIT;
    databricks_result_t result;
    script_t *s = script_start(routes);
    OK_OR_FAIL(databricks_execute(s->db, s->ctx, &query, &result, &err));
    assert_int_equal(result.n_rows, 0);
    script_stop(s);
    s = script_start(routes);
    databricks_statement_t insert = {.warehouse_id = "w", .sql = "INSERT INTO t VALUES (1)"};
    assert_false(databricks_execute(s->db, s->ctx, &insert, &result, &err));
    assert_non_null(strstr(err.message, "the answer was lost, the statement may have run"));
    assert_int_equal(s->n_seen, 1);
    script_stop(s);
}

static void test_cancel_and_timeout(void **state)
{
    (void)state;
    static const route_t routes[] = {
        {"POST /api/2.0/sql/statements/s1/cancel", {{200, ""}}},
        {"POST /api/2.0/sql/statements",
         {{200, "{\"statement_id\":\"s1\",\"status\":{\"state\":\"PENDING\"}}"}}},
        {"GET /api/2.0/sql/statements/s1",
         {{200, "{\"statement_id\":\"s1\",\"status\":{\"state\":\"RUNNING\"}}"}}},
        {0}};
    nv_error_t err = NV_ERROR_INIT;
    databricks_result_t result;
    script_t *s = script_start(routes);
    s->cancel_at = 2;
    assert_false(databricks_execute(s->db, s->ctx, &query, &result, &err));
    assert_int_equal(err.code, NV_CANCELLED);
    assert_int_equal(script_count(s, "POST /api/2.0/sql/statements/s1/cancel"), 1);
    script_stop(s);
    s = script_start(routes);
    databricks_statement_t hasty = query;
    hasty.timeout_ms = 150;
    assert_false(databricks_execute(s->db, s->ctx, &hasty, &result, &err));
    assert_int_equal(err.code, NV_DEADLINE_EXCEEDED);
    assert_int_equal(script_count(s, "POST /api/2.0/sql/statements/s1/cancel"), 1);
    script_stop(s);
}

/* What databricks_execute_all told, as a line of words. */
typedef struct told {
    char words[256];
    const char *stop_at; /* ends the whole when it is told */
} told_t;

static bool note(void *arg, size_t index, const databricks_result_t *result, const nv_error_t *failure,
                 nv_error_t *err)
{
    told_t *told = arg;
    char word[64];
    snprintf(word, sizeof word, "%zu=%s", index,
             failure ? nv_code_name(failure->code) : databricks_cell(result, 0, 0));
    strcat(strcat(told->words, told->words[0] ? " " : ""), word);
    return !told->stop_at || strcmp(word, told->stop_at) != 0 || nv_fail(err, NV_ABORTED, "stopped");
}

#define STARTED(id) "{\"statement_id\":\"" id "\",\"status\":{\"state\":\"PENDING\"}}"
#define RUNS "{\"status\":{\"state\":\"RUNNING\"}}"
#define DONE(cell)                                                                                           \
    "{\"status\":{\"state\":\"SUCCEEDED\"}," MANIFEST ",\"result\":{\"data_array\":[[\"" cell "\",null]]}}"
#define BROKEN                                                                                               \
    "{\"status\":{\"state\":\"FAILED\",\"error\":{\"error_code\":\"BAD_REQUEST\",\"message\":\"no\"}}}"

static int place_of(const script_t *s, const char *start, int nth)
{
    for (int i = 0; i < s->n_seen; i++)
        if (strncmp(s->seen[i], start, strlen(start)) == 0 && nth-- == 0)
            return i;
    fail_msg("no such request: %s", start);
    return -1;
}

static const databricks_statement_t four[] = {
    {.warehouse_id = "w", .sql = "SELECT 1", .repeatable = true},
    {.warehouse_id = "w", .sql = "SELECT 2", .repeatable = true},
    {.warehouse_id = "w", .sql = "SELECT 3", .repeatable = true},
    {.warehouse_id = "w", .sql = "SELECT 4", .repeatable = true},
};

/* Two at a time; the first is the slowest, the second fails, the third is sent again after a 429. */
static void test_several_at_once(void **state)
{
    (void)state;
    static const route_t routes[] = {
        {"POST /api/2.0/sql/statements",
         {{200, STARTED("s1")},
          {200, STARTED("s2")},
          {429, "", "Retry-After: 1\r\n"},
          {200, STARTED("s3")},
          {200, STARTED("s4")}}},
        {"GET /api/2.0/sql/statements/s1", {{200, RUNS}, {200, RUNS}, {200, RUNS}, {200, DONE("a")}}},
        {"GET /api/2.0/sql/statements/s2", {{200, BROKEN}}},
        {"GET /api/2.0/sql/statements/s3", {{200, DONE("c")}}},
        {"GET /api/2.0/sql/statements/s4", {{200, DONE("d")}}},
        {0}};
    script_t *s = script_start(routes);
    nv_error_t err = NV_ERROR_INIT;
    told_t told = {0};
    OK_OR_FAIL(databricks_execute_all(s->db, s->ctx, four, 4, 2, note, &told, &err));
    assert_string_equal(told.words, "0=a 1=FAILED_PRECONDITION 2=c 3=d");
    assert_true(place_of(s, "GET /api/2.0/sql/statements/s2", 0) < place_of(s, "POST", 2));
    assert_true(place_of(s, "POST", 1) < place_of(s, "GET", 0));
    assert_int_equal(script_count(s, "POST /api/2.0/sql/statements"), 5);
    assert_non_null(strstr(s->seen[0], "\"wait_timeout\":\"0s\""));
    script_stop(s);
}

/* Those that run are cancelled, those behind them never sent. */
static void test_several_end_together(void **state)
{
    (void)state;
    static const route_t routes[] = {
        {"POST /api/2.0/sql/statements/", {{200, ""}}},
        {"POST /api/2.0/sql/statements", {{200, STARTED("s1")}, {200, STARTED("s2")}, {200, STARTED("s3")}}},
        {"GET /api/2.0/sql/statements/s1", {{200, DONE("a")}}},
        {"GET /api/2.0/sql/statements/", {{200, RUNS}}},
        {0}};
    nv_error_t err = NV_ERROR_INIT;
    told_t told = {.stop_at = "0=a"};
    script_t *s = script_start(routes);
    assert_false(databricks_execute_all(s->db, s->ctx, four, 4, 3, note, &told, &err));
    assert_int_equal(err.code, NV_ABORTED);
    assert_int_equal(script_count(s, "POST /api/2.0/sql/statements/s1/cancel"), 0);
    assert_int_equal(script_count(s, "POST /api/2.0/sql/statements/s2/cancel"), 1);
    assert_int_equal(script_count(s, "POST /api/2.0/sql/statements/s3/cancel"), 1);
    assert_int_equal(script_count(s, "POST /api/2.0/sql/statements "), 3);
    script_stop(s);

    told = (told_t){0};
    s = script_start(routes);
    s->cancel_at = 4; /* the first poll */
    assert_false(databricks_execute_all(s->db, s->ctx, four, 4, 3, note, &told, &err));
    assert_int_equal(err.code, NV_CANCELLED);
    assert_int_equal(script_count(s, "POST /api/2.0/sql/statements/s2/cancel"), 1);
    assert_int_equal(script_count(s, "POST /api/2.0/sql/statements/s3/cancel"), 1);
    script_stop(s);
}

static void test_result_is_bounded(void **state)
{
    (void)state;
    static const route_t routes[] = {
        {"POST /api/2.0/sql/statements",
         {{200, "{\"statement_id\":\"s1\",\"status\":{\"state\":\"SUCCEEDED\"}," MANIFEST
                ",\"result\":{\"data_array\":[[\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\",\"b\"]]}}"}}},
        {0}};
    nv_error_t err = NV_ERROR_INIT;
    databricks_result_t result;
    databricks_statement_t small = query;
    small.max_bytes = 32;
    script_t *s = script_start(routes);
    assert_false(databricks_execute(s->db, s->ctx, &small, &result, &err));
    assert_int_equal(err.code, NV_RESOURCE_EXHAUSTED);
    script_stop(s);
}

static void test_warehouses(void **state)
{
    (void)state;
    static const route_t routes[] = {
        {"GET /api/2.0/sql/warehouses?page_token=2",
         {{200,
           "{\"warehouses\":[{\"id\":\"b\",\"state\":\"STOPPED\",\"enable_serverless_compute\":true}]}"}}},
        {"GET /api/2.0/sql/warehouses/b",
         {{200, "{\"id\":\"b\",\"state\":\"STARTING\"}"}, {200, "{\"id\":\"b\",\"state\":\"RUNNING\"}"}}},
        {"GET /api/2.0/sql/warehouses/gone",
         {{404, "{\"error_code\":\"RESOURCE_DOES_NOT_EXIST\",\"message\":\"gone\"}"}}},
        {"GET /api/2.0/sql/warehouses",
         {{200, "{\"warehouses\":[{\"id\":\"a\",\"state\":\"DELETED\"},{\"id\":\"c\",\"state\":\"STOPPED\"}],"
                "\"next_page_token\":\"2\"}"}}},
        {"POST /api/2.0/sql/warehouses/b/start", {{200, "{}"}}},
        {0}};
    nv_error_t err = NV_ERROR_INIT;
    databricks_warehouse_t warehouse;
    script_t *s = script_start(routes);
    OK_OR_FAIL(databricks_use_warehouse(s->db, s->ctx, "", 5000, &warehouse, &err));
    assert_string_equal(warehouse.id, "b");
    assert_string_equal(warehouse.state, "RUNNING");
    assert_int_equal(script_count(s, "POST /api/2.0/sql/warehouses/b/start"), 1);
    assert_false(databricks_use_warehouse(s->db, s->ctx, "gone", 5000, &warehouse, &err));
    assert_int_equal(err.code, NV_NOT_FOUND);
    script_stop(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_inline),
        cmocka_unit_test(test_polling_and_chunks),
        cmocka_unit_test(test_external_links),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_lost_answers),
        cmocka_unit_test(test_cancel_and_timeout),
        cmocka_unit_test(test_several_at_once),
        cmocka_unit_test(test_several_end_together),
        cmocka_unit_test(test_result_is_bounded),
        cmocka_unit_test(test_warehouses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
