/* The suite on a real PostgreSQL server. NUVYN_PG_BIN chooses another one, such as one with pgvector. */
#include "controlplane/store/statements.h"
#include "postgres_server.h"
#include "store_suite.h"

static void test_newer_schema_is_refused(void **state)
{
    fixture_t *f = *state;
    PGconn *conn = PQconnectdb(f->url + strlen("postgresql:"));
    PQclear(PQexec(conn, "UPDATE nuvyn_meta SET value = 99 WHERE name = 'schema_version'"));
    PQfinish(conn);
    store_t *other = NULL;
    assert_fails(f, NV_FAILED_PRECONDITION, store_open(&f->options, &other, &f->err));
    assert_non_null(strstr(f->err.message, "schema version 99"));
}

static void test_two_control_planes(void **state)
{
    fixture_t *f = *state;
    suite_create_run(f, "acme", "r1");
    store_t *other;
    assert_ok(f, store_open(&f->options, &other, &f->err));
    store_batch_t take = {.tenant = "acme", .run_id = "r1", .expect_epoch = 1, .new_epoch = 2};
    assert_ok(f, store_commit(other, &take, NULL, &f->err));
    store_batch_t late = {.tenant = "acme", .run_id = "r1", .expect_epoch = 1};
    assert_fails(f, NV_ABORTED, store_commit(f->store, &late, NULL, &f->err));
    store_close(other);
}

static void test_no_server(void **state)
{
    fixture_t *f = *state;
    store_options_t options = {.url = "postgresql:host=/nonexistent dbname=x user=y password=hunter2"};
    store_t *other = NULL;
    assert_fails(f, NV_UNAVAILABLE, store_open(&options, &other, &f->err));
    assert_null(strstr(f->err.message, "hunter2"));
}

/* The plan of a step's compare-and-set, as it is cached while nothing is known about the table. */
static void test_a_run_is_found_by_its_key(void **state)
{
    static const char *const script[] = {"SET plan_cache_mode = force_generic_plan",
                                         "SET enable_seqscan = off",
                                         "EXPLAIN EXECUTE advance(0, 0, 0, NULL, 'acme', 'r1', 1, 0, 0)"};
    fixture_t *f = *state;
    PGconn *conn = PQconnectdb(f->url + strlen("postgresql:"));
    PQclear(PQprepare(conn, "advance", db_statement_sql(DB_RUN_ADVANCE), 0, NULL));
    PGresult *plan = NULL;
    for (size_t i = 0; i < sizeof script / sizeof *script; i++) {
        PQclear(plan);
        plan = PQexec(conn, script[i]);
    }
    assert_int_equal(PQresultStatus(plan), PGRES_TUPLES_OK);
    assert_non_null(strstr(PQgetvalue(plan, 1, 0), "runs_pkey"));
    PQclear(plan);
    PQfinish(conn);
}

static int suite_server(void)
{
    const struct CMUnitTest tests[] = {
        SUITE_CASE(test_newer_schema_is_refused),
        SUITE_CASE(test_two_control_planes),
        SUITE_CASE(test_no_server),
        SUITE_CASE(test_a_run_is_found_by_its_key),
    };
    return cmocka_run_group_tests_name("store: server", tests, NULL, NULL);
}

int main(void)
{
    if (!server_start())
        return 1;
    const char *expected = getenv("NUVYN_PG_VECTOR"); /* "pgvector" where the chosen server has it */
    suite_engine = (suite_engine_t){server_fresh, NULL, expected ? expected : "exact scan"};
    int failed = suite_runs() + suite_supersteps() + suite_tenants() + suite_writer() + suite_documents() +
                 suite_cases() + suite_leaders() + suite_server();
    failed += !server_do("stop");
    return failed;
}
