/* Runs: creation, compare-and-set, listing, isolation, deletion. */
#include "controlplane/store/documents.h"
#include "store_suite.h"

static void test_create_and_get(void **state)
{
    fixture_t *f = *state;
    store_run_t run = {.epoch = 3,
                       .state = "running",
                       .pool = "p",
                       .owner = "cp-1",
                       .created_unix_ms = 1234,
                       .score = 0.5,
                       .forked_from = "r0@4",
                       .spec = nv_bytes("\0\1\xff", 3),
                       .summary = nv_bytes("sum", 3)};
    store_event_t events[] = {{1, nv_bytes("e1", 2)}, {2, nv_bytes("", 0)}};
    store_batch_t batch = {.tenant = "acme", .run_id = "r1", .create = &run, .events = events, .n_events = 2};
    store_result_t result;
    assert_ok(f, store_commit(f->store, &batch, &result, &f->err));
    assert_int_equal(result.epoch, 3);
    assert_int_equal(result.revision, 1);
    assert_int_equal(result.last_event, 2);
    store_run_t got;
    assert_ok(f, store_run_get(f->store, f->ctx, "acme", "r1", &got, &f->err));
    assert_string_equal(got.tenant, "acme");
    assert_string_equal(got.owner, "cp-1");
    assert_string_equal(got.forked_from, "r0@4");
    assert_string_equal(got.reason, "");
    assert_int_equal(got.epoch, 3);
    assert_int_equal(got.last_event, 2);
    assert_int_equal(got.created_unix_ms, 1234);
    assert_true(got.score == 0.5);
    assert_true(nv_bytes_equal(got.spec, run.spec));
    assert_fails(f, NV_ALREADY_EXISTS, store_commit(f->store, &batch, NULL, &f->err));
    assert_fails(f, NV_NOT_FOUND, store_run_get(f->store, f->ctx, "acme", "r2", &got, &f->err));
}

static void test_request_id_makes_one_run(void **state)
{
    fixture_t *f = *state;
    store_run_t run = {.epoch = 1, .state = "running"};
    store_batch_t batch = {.tenant = "acme", .run_id = "r1", .create = &run, .request_id = "q"};
    assert_ok(f, store_commit(f->store, &batch, NULL, &f->err));
    batch.run_id = "r2";
    assert_fails(f, NV_ALREADY_EXISTS, store_commit(f->store, &batch, NULL, &f->err));
    char *made;
    assert_ok(f, store_request_find(f->store, f->ctx, "acme", "q", &made, &f->err));
    assert_string_equal(made, "r1");
    store_run_t got;
    assert_fails(f, NV_NOT_FOUND, store_run_get(f->store, f->ctx, "acme", "r2", &got, &f->err));
    batch.tenant = "other"; /* the same id of another tenant is another request */
    assert_ok(f, store_commit(f->store, &batch, NULL, &f->err));
}

static void test_compare_and_set(void **state)
{
    fixture_t *f = *state;
    suite_create_run(f, "acme", "r1");
    store_batch_t batch = suite_change_of("r1");
    store_result_t result;
    assert_ok(f, store_commit(f->store, &batch, &result, &f->err));
    assert_int_equal(result.revision, 2);
    batch.new_epoch = 5;
    assert_ok(f, store_commit(f->store, &batch, &result, &f->err));
    assert_int_equal(result.epoch, 5);
    assert_fails(f, NV_ABORTED, store_commit(f->store, &batch, NULL, &f->err)); /* the old owner, thawed */
    assert_non_null(strstr(f->err.message, "epoch 5"));
    batch.expect_epoch = 5;
    batch.new_epoch = 0;
    batch.expect_revision = 2;
    assert_fails(f, NV_ABORTED, store_commit(f->store, &batch, NULL, &f->err));
    batch.expect_revision = 3;
    assert_ok(f, store_commit(f->store, &batch, &result, &f->err));
    assert_int_equal(result.revision, 4);
    batch.run_id = "nothing";
    assert_fails(f, NV_NOT_FOUND, store_commit(f->store, &batch, NULL, &f->err));
}

static void test_events_are_dense(void **state)
{
    fixture_t *f = *state;
    suite_create_run(f, "acme", "r1");
    store_event_t events[] = {{1, nv_bytes("a", 1)}, {2, nv_bytes("b", 1)}};
    store_batch_t batch = suite_change_of("r1");
    batch.events = events;
    batch.n_events = 2;
    assert_ok(f, store_commit(f->store, &batch, NULL, &f->err));
    assert_fails(f, NV_ABORTED, store_commit(f->store, &batch, NULL, &f->err));
    store_event_t later[] = {{4, nv_bytes("d", 1)}};
    batch.events = later;
    batch.n_events = 1;
    assert_fails(f, NV_ABORTED, store_commit(f->store, &batch, NULL, &f->err));
    store_event_t gap[] = {{3, nv_bytes("c", 1)}, {5, nv_bytes("e", 1)}};
    batch.events = gap;
    batch.n_events = 2;
    assert_fails(f, NV_INVALID_ARGUMENT, store_commit(f->store, &batch, NULL, &f->err));
    store_event_t *list;
    size_t n;
    assert_ok(f, store_event_list(f->store, f->ctx, "acme", "r1", 0, 0, &list, &n, &f->err));
    assert_int_equal(n, 2);
    assert_true(nv_bytes_equal(list[1].data, nv_bytes("b", 1)));
    assert_ok(f, store_event_list(f->store, f->ctx, "acme", "r1", 1, 0, &list, &n, &f->err));
    assert_int_equal(n, 1);
    assert_int_equal(list[0].seq, 2);
    assert_ok(f, store_event_list(f->store, f->ctx, "acme", "r1", 0, 1, &list, &n, &f->err));
    assert_int_equal(n, 1);
}

static void add_run(fixture_t *f, const char *tenant, int number, const char *run_state)
{
    char id[16];
    snprintf(id, sizeof id, "r%02d", number);
    store_run_t run = {.epoch = 1,
                       .state = run_state,
                       .created_unix_ms = 100 + number / 2,
                       .finished_unix_ms = strcmp(run_state, "running") == 0 ? 0 : 999};
    store_batch_t batch = {.tenant = tenant, .run_id = id, .create = &run};
    assert_ok(f, store_commit(f->store, &batch, NULL, &f->err));
}

static void test_listing_pages(void **state)
{
    fixture_t *f = *state;
    for (int i = 0; i < 25; i++)
        add_run(f, "acme", i, i % 5 ? "running" : "succeeded");
    add_run(f, "other", 99, "running");
    store_run_t *runs;
    size_t n, total = 0;
    char *token = NULL;
    char last[16] = "zzz";
    do {
        assert_ok(f, store_run_list(f->store, f->ctx, "acme", NULL, 10, token, &runs, &n, &token, &f->err));
        for (size_t i = 0; i < n; i++, total++) {
            assert_string_equal(runs[i].tenant, "acme");
            assert_true(strcmp(runs[i].run_id, last) < 0); /* newest first, none twice */
            snprintf(last, sizeof last, "%s", runs[i].run_id);
        }
    } while (*token);
    assert_int_equal(total, 25);
    assert_ok(f, store_run_list(f->store, f->ctx, "acme", "succeeded", 0, "", &runs, &n, &token, &f->err));
    assert_int_equal(n, 5);
    assert_string_equal(token, "");
    assert_fails(f, NV_INVALID_ARGUMENT,
                 store_run_list(f->store, f->ctx, "acme", NULL, 10, "x'; --", &runs, &n, &token, &f->err));
    assert_fails(f, NV_INVALID_ARGUMENT,
                 store_run_list(f->store, f->ctx, "acme", NULL, -1, NULL, &runs, &n, &token, &f->err));
}

static void test_open_runs_of_all_tenants(void **state)
{
    fixture_t *f = *state;
    for (int i = 0; i < 7; i++)
        add_run(f, i % 2 ? "acme" : "other", i, i == 3 ? "failed" : "running");
    store_run_t *runs;
    size_t n, total = 0;
    char *token = NULL;
    do {
        assert_ok(f, store_run_list_open(f->store, f->ctx, 2, token, &runs, &n, &token, &f->err));
        for (size_t i = 0; i < n; i++, total++)
            assert_string_not_equal(runs[i].run_id, "r03");
    } while (*token);
    assert_int_equal(total, 6);
}

static void test_no_way_across_tenants(void **state)
{
    fixture_t *f = *state;
    suite_create_run(f, "acme", "r1");
    store_batch_t batch;
    suite_full_batch(f, &batch);
    assert_ok(f, store_commit(f->store, &batch, NULL, &f->err));
    const char *sha = batch.artifacts[0].sha256;
    size_t n;
    store_run_t run;
    assert_fails(f, NV_NOT_FOUND, store_run_get(f->store, f->ctx, "evil", "r1", &run, &f->err));
    store_event_t *events;
    assert_ok(f, store_event_list(f->store, f->ctx, "evil", "r1", 0, 0, &events, &n, &f->err));
    assert_int_equal(n, 0);
    store_artifact_t artifact;
    assert_fails(
        f, NV_NOT_FOUND,
        store_artifact_get(f->store, f->ctx, "evil", "r1", batch.artifacts[0].name, &artifact, &f->err));
    nv_bytes_t bytes;
    assert_fails(f, NV_NOT_FOUND, store_document_get(f->store, f->ctx, "evil", sha, 100, &bytes, &f->err));
    store_interrupt_t *interrupts;
    assert_ok(f, store_interrupt_list(f->store, f->ctx, "evil", NULL, false, &interrupts, &n, &f->err));
    assert_int_equal(n, 0);
    batch.tenant = "evil";
    assert_fails(f, NV_FAILED_PRECONDITION,
                 store_commit(f->store, &batch, NULL, &f->err)); /* acme's document */
    batch.n_artifacts = 0;
    assert_fails(f, NV_NOT_FOUND, store_commit(f->store, &batch, NULL, &f->err)); /* acme's run */
    assert_fails(f, NV_ABORTED, store_run_delete(f->store, "evil", "r1", 1, &f->err));
    suite_create_run(f, "evil", "r1"); /* the same id is another run */
    assert_ok(f,
              store_artifact_list(f->store, f->ctx, "evil", "r1", &(store_artifact_t *){NULL}, &n, &f->err));
    assert_int_equal(n, 0);
}

static void test_delete_run(void **state)
{
    fixture_t *f = *state;
    suite_create_run(f, "acme", "r1");
    suite_create_run(f, "acme", "r2");
    store_batch_t batch;
    suite_full_batch(f, &batch);
    assert_ok(f, store_commit(f->store, &batch, NULL, &f->err));
    assert_fails(f, NV_ABORTED, store_run_delete(f->store, "acme", "r1", 7, &f->err));
    assert_ok(f, store_run_delete(f->store, "acme", "r1", 1, &f->err));
    store_run_t run;
    assert_fails(f, NV_NOT_FOUND, store_run_get(f->store, f->ctx, "acme", "r1", &run, &f->err));
    suite_create_run(f, "acme", "r1");
    suite_assert_untouched(f);
    assert_ok(f, store_run_get(f->store, f->ctx, "acme", "r2", &run, &f->err));
}

static void test_limits(void **state)
{
    fixture_t *f = *state;
    suite_create_run(f, "acme", "r1");
    char long_name[STORE_NAME_MAX + 2];
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    store_batch_t batch = suite_change_of(long_name);
    assert_fails(f, NV_INVALID_ARGUMENT, store_commit(f->store, &batch, NULL, &f->err));
    batch = suite_change_of("");
    assert_fails(f, NV_INVALID_ARGUMENT, store_commit(f->store, &batch, NULL, &f->err));
    batch = suite_change_of("r1");
    batch.tenant = "a\xff";
    assert_fails(f, NV_INVALID_ARGUMENT, store_commit(f->store, &batch, NULL, &f->err));
    batch = suite_change_of("r1");
    store_artifact_t artifact = {.name = "a", .sha256 = "ABC"};
    batch.artifacts = &artifact;
    batch.n_artifacts = 1;
    assert_fails(f, NV_INVALID_ARGUMENT, store_commit(f->store, &batch, NULL, &f->err));
    batch = suite_change_of("r1");
    batch.new_epoch = 1;
    assert_fails(f, NV_INVALID_ARGUMENT, store_commit(f->store, &batch, NULL, &f->err));
    batch = suite_change_of("r1'; DROP TABLE runs; --");
    assert_fails(f, NV_NOT_FOUND, store_commit(f->store, &batch, NULL, &f->err));
}

/* ---- reopening, tenants and the rest ---- */

static void test_survives_reopening(void **state)
{
    fixture_t *f = *state;
    suite_create_run(f, "acme", "r1");
    store_close(f->store);
    assert_ok(f, store_open(&f->options, &f->store, &f->err));
    store_run_t run;
    assert_ok(f, store_run_get(f->store, f->ctx, "acme", "r1", &run, &f->err));
    assert_ok(f, store_ping(f->store, &f->err));
    store_status_t status;
    store_get_status(f->store, &status);
    assert_int_equal(status.schema_version, 4);
}

int suite_runs(void)
{
    const struct CMUnitTest tests[] = {SUITE_CASE(test_create_and_get),
                                       SUITE_CASE(test_request_id_makes_one_run),
                                       SUITE_CASE(test_compare_and_set),
                                       SUITE_CASE(test_events_are_dense),
                                       SUITE_CASE(test_listing_pages),
                                       SUITE_CASE(test_open_runs_of_all_tenants),
                                       SUITE_CASE(test_no_way_across_tenants),
                                       SUITE_CASE(test_delete_run),
                                       SUITE_CASE(test_limits),
                                       SUITE_CASE(test_survives_reopening)};
    return cmocka_run_group_tests_name("store: runs", tests, NULL, NULL);
}
