/* PostgreSQL under faults: a server killed amid commits, dropped connections, and a COMMIT whose answer never comes. */
#include "crash_load.h"
#include "postgres_proxy.h"

static void execute(fixture_t *f, const char *sql)
{
    PGconn *conn = PQconnectdb(f->url + strlen("postgresql:"));
    PGresult *result = PQexec(conn, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        fail_msg("%s", PQerrorMessage(conn));
    PQclear(result);
    PQfinish(conn);
}

#define DROP_ALL "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'nuvyn'"

static void test_dropped_connections_come_back(void **state)
{
    fixture_t *f = *state;
    assert_ok(f, load_create(f->store, &f->err));
    for (int64_t step = 1; step <= 5; step++) {
        execute(f, DROP_ALL); /* idle ones: nothing can have been lost */
        assert_ok(f, load_step(f->store, 0, step, &f->err));
        assert_int_equal(load_check(f->store, 0), step);
    }
    store_status_t status;
    store_get_status(f->store, &status);
    assert_true(status.reconnects >= 4);
}

typedef struct loader {
    store_t *store;
    int run;
    int64_t acked;
    int unknown;
    atomic_bool *stop;
    nv_error_t last;
} loader_t;

/* As the service does: after any error it reads the run anew and goes on from there. */
static void *load_through_faults(void *arg)
{
    loader_t *l = arg;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("loader");
    while (!atomic_load(l->stop)) {
        nv_error_t err = NV_ERROR_INIT;
        store_run_t run;
        if (load_step(l->store, l->run, l->acked + 1, &err)) {
            l->acked++;
            continue;
        }
        l->unknown += err.code == NV_UNKNOWN;
        l->last = err;
        while (!store_run_get(l->store, ctx, "acme", load_run_id(l->run), &run, &err) &&
               !atomic_load(l->stop))
            sleep_ms(20);
        if (run.last_checkpoint < l->acked)
            break; /* an acknowledged commit is gone: the check below says so */
        l->acked = run.last_checkpoint;
    }
    return NULL;
}

static void test_server_killed_amid_commits(void **state)
{
    fixture_t *f = *state;
    assert_ok(f, load_create(f->store, &f->err));
    atomic_bool stop = false;
    loader_t loaders[LOAD_RUNS];
    pthread_t threads[LOAD_RUNS];
    for (int i = 0; i < LOAD_RUNS; i++) {
        loaders[i] = (loader_t){.store = f->store, .run = i, .stop = &stop};
        pthread_create(&threads[i], NULL, load_through_faults, &loaders[i]);
    }
    for (int round = 0; round < 3; round++) {
        sleep_ms(400);
        assert_true(server_do("kill"));
        assert_true(server_do("resume"));
    }
    sleep_ms(600);
    atomic_store(&stop, true);
    int64_t total = 0;
    for (int i = 0; i < LOAD_RUNS; i++) {
        pthread_join(threads[i], NULL);
        int64_t now = load_check(f->store, i);
        if (now < loaders[i].acked || now > loaders[i].acked + 1)
            fail_msg("run %d: stored %d, acknowledged %d", i, (int)now, (int)loaders[i].acked);
        total += now;
    }
    print_message("%d commits over 3 kills of the server; last error: %s\n", (int)total,
                  loaders[0].last.message);
    assert_true(total > 20);
}

/* The fixture's store again, through the proxy. */
static void reopen_through(fixture_t *f, proxy_t *p)
{
    store_close(f->store);
    snprintf(f->url, sizeof f->url, "postgresql:host=%s user=nuvyn dbname=t%d", p->folder, databases_made);
    f->options.busy_ms = 1000;
    assert_ok(f, store_open(&f->options, &f->store, &f->err));
}

static void test_lost_answer_is_found_out(void **state)
{
    fixture_t *f = *state;
    static proxy_t p;
    assert_ok(f, load_create(f->store, &f->err));
    proxy_start(&p);
    reopen_through(f, &p);
    assert_ok(f, load_step(f->store, 0, 1, &f->err));
    atomic_store(&p.lose_commit, true);
    assert_ok(f, load_step(f->store, 0, 2, &f->err)); /* the server was asked how the transaction ended */
    assert_false(atomic_load(&p.lose_commit));
    assert_int_equal(load_check(f->store, 0), 2); /* once */
    store_close(f->store);
    f->store = NULL;
    proxy_stop(&p);
}

static void test_lost_answer_and_lost_server_is_unknown(void **state)
{
    fixture_t *f = *state;
    static proxy_t p;
    assert_ok(f, load_create(f->store, &f->err));
    proxy_start(&p);
    reopen_through(f, &p);
    assert_ok(f, load_step(f->store, 0, 1, &f->err));
    atomic_store(&p.deaf_after, true);
    atomic_store(&p.lose_commit, true);
    assert_fails(f, NV_UNKNOWN, load_step(f->store, 0, 2, &f->err));
    assert_fails(f, NV_UNAVAILABLE, load_step(f->store, 0, 2, &f->err)); /* no line at all: surely nothing */
    atomic_store(&p.deaf, false);
    assert_int_equal(load_check(f->store, 0), 2); /* the caller reads, and finds that it had landed */
    assert_fails(f, NV_ABORTED, load_step(f->store, 0, 2, &f->err)); /* doing it blindly again is refused */
    assert_ok(f, load_step(f->store, 0, 3, &f->err));
    store_close(f->store);
    f->store = NULL;
    proxy_stop(&p);
}

int main(void)
{
    if (!server_start())
        return 1;
    suite_engine = (suite_engine_t){server_fresh, NULL, "exact scan"};
    const struct CMUnitTest tests[] = {
        SUITE_CASE(test_dropped_connections_come_back),
        SUITE_CASE(test_server_killed_amid_commits),
        SUITE_CASE(test_lost_answer_is_found_out),
        SUITE_CASE(test_lost_answer_and_lost_server_is_unknown),
    };
    int failed = cmocka_run_group_tests_name("store: server faults", tests, NULL, NULL);
    return failed + !server_do("stop");
}
