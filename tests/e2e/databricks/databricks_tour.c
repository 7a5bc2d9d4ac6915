/* Every call of the client once against a workspace that really runs Spark; started by run.py, which sets TOUR_HOST,
 * TOUR_SECRET and TOUR_CA. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/http/http.h"
#include "common/http/oauth.h"
#include "worker/databricks/databricks.h"

typedef struct tour {
    nv_mem_t *ctx;
    char *ca;
    databricks_t *db;
    const char *warehouse;
    char *folder;
    char *schema;
    volatile bool cancel;
} tour_t;

#define OK_OR_FAIL(call)                                                                                     \
    do {                                                                                                     \
        if (!(call))                                                                                         \
            fail_msg("%s", err.message);                                                                     \
    } while (0)

static bool cancelled(void *arg)
{
    return ((tour_t *)arg)->cancel;
}

static char *read_file(nv_mem_t *ctx, const char *path)
{
    char *text = nv_alloc(ctx, 65536);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_true(fread(text, 1, 65535, file) > 0);
    fclose(file);
    return text;
}

static int setup(void **state)
{
    nv_mem_t *ctx = nv_mem_root("tour");
    tour_t *t = NV_NEW(ctx, tour_t);
    nv_error_t err = NV_ERROR_INIT;
    t->ctx = ctx;
    t->ca = read_file(ctx, getenv("TOUR_CA"));
    databricks_options_t options = {.host = getenv("TOUR_HOST"),
                                    .client_id = "nuvyn",
                                    .client_secret = getenv("TOUR_SECRET"),
                                    .ca_pem = t->ca,
                                    .cancelled = cancelled,
                                    .cancelled_arg = t};
    if (!databricks_new(ctx, &options, &t->db, &err)) {
        fprintf(stderr, "%s\n", err.message);
        return -1;
    }
    t->folder = nv_printf(ctx, "/Shared/tour %ld", (long)getpid());
    t->schema = nv_printf(ctx, "tour_%ld", (long)getpid());
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    tour_t *t = *state;
    nv_mem_free(t->ctx);
    return 0;
}

static void tour_identity(void **state)
{
    tour_t *t = *state;
    nv_error_t err = NV_ERROR_INIT;
    databricks_user_t me;
    databricks_warehouse_t warehouse;
    OK_OR_FAIL(databricks_me(t->db, t->ctx, &me, &err));
    assert_string_equal(me.user_name, "nuvyn");
    OK_OR_FAIL(databricks_use_warehouse(t->db, t->ctx, NULL, 60000, &warehouse, &err));
    t->warehouse = warehouse.id;
}

/* Without the extra anchor the certificate is not trusted; with a wrong secret there is no token. */
static void tour_refusals(void **state)
{
    tour_t *t = *state;
    nv_error_t err = NV_ERROR_INIT;
    databricks_t *other;
    databricks_user_t me;
    databricks_options_t options = {
        .host = getenv("TOUR_HOST"), .client_id = "nuvyn", .client_secret = "wrong"};
    assert_true(databricks_new(t->ctx, &options, &other, &err));
    assert_false(databricks_me(other, t->ctx, &me, &err));
    assert_int_equal(err.code, NV_UNAUTHENTICATED);
    assert_non_null(strstr(err.message, "certificate"));
    databricks_free(other);
    options.ca_pem = t->ca;
    assert_true(databricks_new(t->ctx, &options, &other, &err));
    assert_false(databricks_me(other, t->ctx, &me, &err));
    assert_int_equal(err.code, NV_UNAUTHENTICATED);
    assert_non_null(strstr(err.message, "invalid_client"));
    databricks_free(other);
    options = (databricks_options_t){.host = getenv("TOUR_HOST"), .token = "made up", .ca_pem = t->ca};
    assert_true(databricks_new(t->ctx, &options, &other, &err));
    assert_false(databricks_me(other, t->ctx, &me, &err));
    assert_int_equal(err.code, NV_UNAUTHENTICATED);
}

static void tour_workspace(void **state)
{
    tour_t *t = *state;
    nv_error_t err = NV_ERROR_INIT;
    static const char source[] = "# Databricks notebook source\ndbutils.widgets.text(\"n\", \"1\")\n"
                                 "n = int(dbutils.widgets.get(\"n\"))\nimport time\n"
                                 "for _ in range(n * 20 if n > 10 else 0):\n    time.sleep(0.05)\n"
                                 "dbutils.notebook.exit(str(spark.range(n).count()))\n";
    char *notebook = nv_printf(t->ctx, "%s/count", t->folder);
    databricks_object_t object;
    databricks_object_t *objects;
    uint8_t *bytes;
    size_t n;
    OK_OR_FAIL(databricks_mkdirs(t->db, t->folder, &err));
    OK_OR_FAIL(databricks_mkdirs(t->db, t->folder, &err));
    OK_OR_FAIL(databricks_import_notebook(t->db, notebook, "PYTHON", source, &err));
    OK_OR_FAIL(databricks_import_notebook(t->db, notebook, "PYTHON", source, &err));
    OK_OR_FAIL(databricks_import_file(t->db, nv_printf(t->ctx, "%s/notes.txt", t->folder), "x", 1, &err));
    OK_OR_FAIL(databricks_get_status(t->db, t->ctx, notebook, &object, &err));
    assert_string_equal(object.type, "NOTEBOOK");
    assert_true(object.id > 0);
    OK_OR_FAIL(databricks_list_workspace(t->db, t->ctx, t->folder, &objects, &n, &err));
    assert_int_equal(n, 2);
    OK_OR_FAIL(databricks_export(t->db, t->ctx, notebook, "SOURCE", &bytes, &n, &err));
    assert_int_equal(n, strlen(source));
    assert_memory_equal(bytes, source, n);
    assert_false(databricks_get_status(t->db, t->ctx, "/no/such", &object, &err));
    assert_int_equal(err.code, NV_NOT_FOUND);
}

static void tour_catalog_and_volumes(void **state)
{
    tour_t *t = *state;
    nv_error_t err = NV_ERROR_INIT;
    char path[] = "/tmp/nuvyn-tour-XXXXXX";
    int fd = mkstemp(path);
    FILE *file = fdopen(fd, "w");
    fputs("id,name\n", file);
    for (int i = 0; i < 100000; i++)
        fprintf(file, "%d,name %d\n", i, i);
    long bytes = ftell(file);
    fclose(file);
    OK_OR_FAIL(databricks_ensure_catalog(t->db, "main", &err));
    OK_OR_FAIL(databricks_ensure_schema(t->db, "main", t->schema, &err));
    OK_OR_FAIL(databricks_ensure_schema(t->db, "main", t->schema, &err));
    OK_OR_FAIL(databricks_ensure_volume(t->db, "main", t->schema, "raw", &err));
    char *volume = nv_printf(t->ctx, "/Volumes/main/%s/raw", t->schema);
    char *target = nv_printf(t->ctx, "%s/in/a b%%.csv", volume);
    OK_OR_FAIL(databricks_make_directory(t->db, nv_printf(t->ctx, "%s/in", volume), &err));
    OK_OR_FAIL(databricks_upload(t->db, target, path, true, &err));
    unlink(path);
    int64_t size;
    OK_OR_FAIL(databricks_file_size(t->db, target, &size, &err));
    assert_int_equal(size, bytes);
    assert_false(databricks_upload_bytes(t->db, target, "x", 1, false, &err));
    assert_int_equal(err.code, NV_ALREADY_EXISTS);
    databricks_entry_t *entries;
    size_t n;
    OK_OR_FAIL(
        databricks_list_directory(t->db, t->ctx, nv_printf(t->ctx, "%s/in", volume), &entries, &n, &err));
    assert_int_equal(n, 1);
    assert_string_equal(entries[0].name, "a b%.csv");
    char *data;
    OK_OR_FAIL(databricks_download(t->db, t->ctx, target, 10 << 20, &data, &n, &err));
    assert_int_equal(n, bytes);
    assert_false(
        databricks_download(t->db, t->ctx, nv_printf(t->ctx, "%s/none", volume), 100, &data, &n, &err));
    assert_int_equal(err.code, NV_NOT_FOUND);
    OK_OR_FAIL(databricks_delete_file(t->db, target, &err));
}

static bool execute(tour_t *t, const char *sql, databricks_result_t *out, nv_error_t *err)
{
    databricks_statement_t statement = {
        .warehouse_id = t->warehouse, .catalog = "main", .schema = t->schema, .sql = sql, .repeatable = true};
    return databricks_execute(t->db, t->ctx, &statement, out, err);
}

static void tour_statements(void **state)
{
    tour_t *t = *state;
    nv_error_t err = NV_ERROR_INIT;
    databricks_result_t r;
    OK_OR_FAIL(execute(
        t, "CREATE TABLE IF NOT EXISTS t AS SELECT id, concat('x', id) AS name FROM range(20000)", &r, &err));
    OK_OR_FAIL(execute(t, "SELECT id, name, CAST(NULL AS DECIMAL(12,2)) AS d FROM t ORDER BY id", &r,
                       &err)); /* in chunks */
    assert_int_equal(r.n_rows, 20000);
    assert_string_equal(databricks_cell(&r, 19999, 1), "x19999");
    assert_null(databricks_cell(&r, 0, 2));
    assert_string_equal(r.columns[2].type_name, "DECIMAL");
    OK_OR_FAIL(execute(t, "SELECT 9223372036854775807", &r, &err));
    assert_string_equal(databricks_cell(&r, 0, 0), "9223372036854775807");
    assert_false(execute(t, "SELECT * FROM no_such_table", &r, &err));
    assert_int_equal(err.code, NV_FAILED_PRECONDITION);
    assert_non_null(strstr(err.message, "TABLE_OR_VIEW_NOT_FOUND"));
    databricks_parameter_t parameter = {"low", "19998"};
    databricks_statement_t named = {
        .warehouse_id = t->warehouse,
        .sql = nv_printf(t->ctx, "SELECT count(*) FROM main.%s.t WHERE id >= :low", t->schema),
        .parameters = &parameter,
        .n_parameters = 1,
        .repeatable = true};
    OK_OR_FAIL(databricks_execute(t->db, t->ctx, &named, &r, &err));
    assert_string_equal(databricks_cell(&r, 0, 0), "2");
    databricks_table_t table;
    OK_OR_FAIL(databricks_get_table(t->db, t->ctx, nv_printf(t->ctx, "main.%s.t", t->schema), &table, &err));
    assert_int_equal(table.n_columns, 2);
    databricks_table_t *tables;
    size_t n;
    OK_OR_FAIL(databricks_list_tables(t->db, t->ctx, "main", t->schema, &tables, &n, &err));
    assert_int_equal(n, 1);
}

static void tour_jobs(void **state)
{
    tour_t *t = *state;
    nv_error_t err = NV_ERROR_INIT;
    char *settings = nv_printf(
        t->ctx,
        "{\"name\":\"tour %ld\",\"parameters\":[{\"name\":\"n\",\"default\":\"3\"}],\"tasks\":[{\"task_key\":"
        "\"count\",\"notebook_task\":{\"notebook_path\":\"%s/count\"}}]}",
        (long)getpid(), t->folder);
    int64_t job, again, run, same;
    bool created;
    OK_OR_FAIL(databricks_put_job(t->db, settings, &job, &created, &err));
    assert_true(created);
    OK_OR_FAIL(databricks_put_job(t->db, settings, &again, &created, &err));
    assert_true(!created && again == job);
    databricks_parameter_t five = {"n", "5"};
    char *token = nv_printf(t->ctx, "tour-%ld", (long)getpid());
    OK_OR_FAIL(databricks_run_now(t->db, job, &five, 1, token, &run, &err));
    OK_OR_FAIL(databricks_run_now(t->db, job, &five, 1, token, &same, &err));
    assert_true(run == same);
    databricks_run_t ended;
    OK_OR_FAIL(databricks_wait_run(t->db, t->ctx, run, 120000, NULL, NULL, &ended, &err));
    assert_string_equal(ended.result, "SUCCESS");
    assert_int_equal(ended.n_tasks, 1);
    databricks_output_t output;
    OK_OR_FAIL(databricks_get_output(t->db, t->ctx, ended.tasks[0].run_id, &output, &err));
    assert_string_equal(output.result, "5");
    assert_false(databricks_get_run(t->db, t->ctx, 12345, &ended, &err));
    assert_int_equal(err.code, NV_NOT_FOUND);

    databricks_parameter_t slow = {"n", "60"};
    OK_OR_FAIL(databricks_run_now(t->db, job, &slow, 1, nv_printf(t->ctx, "%s-slow", token), &run, &err));
    assert_false(databricks_wait_run(t->db, t->ctx, run, 500, NULL, NULL, &ended, &err));
    assert_int_equal(err.code, NV_DEADLINE_EXCEEDED);
    t->cancel = true;
    assert_false(databricks_wait_run(t->db, t->ctx, run, 0, NULL, NULL, &ended, &err));
    t->cancel = false;
    assert_int_equal(err.code, NV_CANCELLED);
    OK_OR_FAIL(databricks_wait_run(t->db, t->ctx, run, 30000, NULL, NULL, &ended, &err));
    assert_string_equal(ended.result, "CANCELED");
    OK_OR_FAIL(databricks_delete_job(t->db, job, &err));
}

static void fault(tour_t *t, const char *json)
{
    nv_error_t err = NV_ERROR_INIT;
    nv_http_t *http;
    nv_oauth_token_t token;
    nv_http_response_t reply;
    nv_http_options_t options = {.ca_pem = t->ca};
    OK_OR_FAIL(nv_http_new(t->ctx, &options, &http, &err));
    OK_OR_FAIL(
        nv_databricks_token(http, t->ctx, getenv("TOUR_HOST"), "nuvyn", getenv("TOUR_SECRET"), &token, &err));
    nv_http_header_t headers[] = {{"Authorization", nv_printf(t->ctx, "Bearer %s", token.access_token)},
                                  {"Content-Type", "application/json"}};
    nv_http_request_t request = {.method = "POST",
                                 .url = nv_printf(t->ctx, "%s/test/faults", getenv("TOUR_HOST")),
                                 .headers = headers,
                                 .n_headers = 2,
                                 .body = json,
                                 .body_length = strlen(json)};
    OK_OR_FAIL(nv_http_send(http, t->ctx, &request, &reply, &err));
    assert_int_equal(reply.status, 200);
    nv_http_free(http);
}

/* The job is created and the line is cut before the answer: one job, not two. */
static void tour_cut_after_the_effect(void **state)
{
    tour_t *t = *state;
    nv_error_t err = NV_ERROR_INIT;
    char *name = nv_printf(t->ctx, "cut %ld", (long)getpid());
    char *settings =
        nv_printf(t->ctx,
                  "{\"name\":\"%s\",\"tasks\":[{\"task_key\":\"count\",\"notebook_task\":{\"notebook_path\":"
                  "\"%s/count\"}}]}",
                  name, t->folder);
    int64_t job;
    bool created;
    fault(t, "{\"method\":\"POST\",\"path\":\"/api/2.*/jobs/create\",\"count\":1}");
    OK_OR_FAIL(databricks_put_job(t->db, settings, &job, &created, &err));
    assert_true(created);
    int64_t *ids;
    size_t n;
    OK_OR_FAIL(databricks_find_jobs(t->db, t->ctx, name, &ids, &n, &err));
    assert_int_equal(n, 1);
    fault(t, "{\"method\":\"POST\",\"path\":\"/api/2.*/jobs/run-now\",\"count\":1}");
    int64_t run;
    OK_OR_FAIL(databricks_run_now(t->db, job, NULL, 0, name, &run, &err));
    databricks_run_t ended;
    OK_OR_FAIL(databricks_wait_run(t->db, t->ctx, run, 60000, NULL, NULL, &ended, &err));
    assert_string_equal(ended.result, "SUCCESS");
    fault(t, "{\"method\":\"*\",\"path\":\"/api/2.*\",\"count\":2,\"status\":503,\"body\":\"{}\"}");
    OK_OR_FAIL(databricks_delete_job(t->db, job, &err));
    OK_OR_FAIL(databricks_delete_workspace(t->db, t->folder, true, &err));
}

int main(void)
{
    nv_error_t err = NV_ERROR_INIT;
    if (!getenv("TOUR_HOST") || !getenv("TOUR_SECRET") || !getenv("TOUR_CA") || !nv_http_global_init(&err)) {
        fputs("databricks_tour is started by run.py\n", stderr);
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tour_identity),
        cmocka_unit_test(tour_refusals),
        cmocka_unit_test(tour_workspace),
        cmocka_unit_test(tour_catalog_and_volumes),
        cmocka_unit_test(tour_statements),
        cmocka_unit_test(tour_jobs),
        cmocka_unit_test(tour_cut_after_the_effect),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
