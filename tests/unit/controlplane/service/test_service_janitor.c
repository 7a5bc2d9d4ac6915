/* Retention on a real SQLite store. */
#include "controlplane/service/janitor.h"
#include "controlplane/store/documents.h"
#include "controlplane/store/tenants.h"
#include "tests/unit/controlplane/tenancy/temp_store.h"

#include <unistd.h>

static void finish_run(store_t *store, const char *run_id, int64_t finished_ms)
{
    nv_error_t err = NV_ERROR_INIT;
    store_run_t run = {
        .tenant = "acme", .run_id = run_id, .state = "running", .epoch = 1, .created_unix_ms = 1};
    char data[] = "state";
    store_checkpoint_t checkpoints[] = {
        {.seq = 1, .step = 1, .snapshot = true, .data = nv_bytes(data, 5)},
        {.seq = 2, .parent = 1, .step = 2, .data = nv_bytes(data, 5)},
        {.seq = 3, .parent = 2, .step = 3, .snapshot = true, .data = nv_bytes(data, 5)},
        {.seq = 4, .parent = 3, .step = 4, .data = nv_bytes(data, 5)}};
    char sha[65];
    assert_true(store_document_put(store, "acme", run_id, strlen(run_id), sha, &err));
    const char *documents[] = {sha};
    store_batch_t batch = {.tenant = "acme",
                           .run_id = run_id,
                           .create = &run,
                           .checkpoints = checkpoints,
                           .n_checkpoints = 4,
                           .documents = documents,
                           .n_documents = 1};
    if (!store_commit(store, &batch, NULL, &err))
        fail_msg("%s", err.message);
    store_run_change_t change = STORE_RUN_CHANGE_INIT;
    change.finished_unix_ms = finished_ms;
    store_batch_t end = {.tenant = "acme", .run_id = run_id, .expect_epoch = 1, .change = &change};
    if (finished_ms && !store_commit(store, &end, NULL, &err))
        fail_msg("%s", err.message);
}

static size_t checkpoints_of(store_t *store, const char *run_id)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("list");
    nv_error_t err = NV_ERROR_INIT;
    store_checkpoint_t *list;
    size_t n;
    assert_true(store_checkpoint_list(store, ctx, "acme", run_id, &list, &n, &err));
    return n;
}

static bool has_run(store_t *store, const char *run_id)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("get");
    nv_error_t err = NV_ERROR_INIT;
    store_run_t run;
    return store_run_get(store, ctx, "acme", run_id, &run, &err);
}

static void make_tenant(store_t *store)
{
    nv_error_t err = NV_ERROR_INIT;
    store_tenant_t tenant = {.name = "acme", .display_name = "Acme", .weight = 1};
    assert_true(store_tenant_create(store, &tenant, &err));
}

static void old_runs_go_and_open_ones_stay(void **state)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    nv_error_t err = NV_ERROR_INIT;
    store_t *store = ((temp_store_t *)*state)->store;
    store_finished_t trimmed = {0};
    cp_swept_t swept;
    make_tenant(store);
    finish_run(store, "old", 1000);
    finish_run(store, "middle", 5000);
    finish_run(store, "young", 9500);
    finish_run(store, "open", 0);
    cp_retention_t retention = {.runs_ms = 8000, .checkpoints_ms = 2000};
    assert_true(cp_sweep(store, &retention, 10000, ctx, &trimmed, &swept, &err));
    assert_int_equal(swept.runs, 1);
    assert_int_equal(swept.checkpoints, 2);
    assert_false(swept.more);
    assert_false(has_run(store, "old"));
    assert_true(has_run(store, "middle") && has_run(store, "young") && has_run(store, "open"));
    assert_int_equal(checkpoints_of(store, "middle"), 2); /* the last snapshot and what follows it */
    assert_int_equal(checkpoints_of(store, "young"), 4);
    assert_int_equal(checkpoints_of(store, "open"), 4);
    assert_true(
        cp_sweep(store, &retention, 10000, ctx, &trimmed, &swept, &err)); /* nothing is looked at twice */
    assert_int_equal(swept.runs + swept.checkpoints, 0);
    assert_true(cp_sweep(store, &retention, 12000, ctx, &trimmed, &swept, &err));
    assert_int_equal(swept.checkpoints, 2);
}

static void documents_go_after_their_run(void **state)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    nv_error_t err = NV_ERROR_INIT;
    store_t *store = ((temp_store_t *)*state)->store;
    store_finished_t trimmed = {0};
    cp_swept_t swept;
    make_tenant(store);
    finish_run(store, "old", 1000);
    int64_t later = (int64_t)1 << 45;
    cp_retention_t retention = {.documents_ms = 1000};
    assert_true(cp_sweep(store, &retention, later, ctx, &trimmed, &swept, &err));
    assert_int_equal(swept.documents, 0);
    retention.runs_ms = 1000;
    assert_true(cp_sweep(store, &retention, later, ctx, &trimmed, &swept, &err));
    assert_int_equal(swept.runs, 1);
    assert_int_equal(swept.documents, 1);
}

static void zero_keeps_for_ever(void **state)
{
    store_t *store = ((temp_store_t *)*state)->store;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    nv_error_t err = NV_ERROR_INIT;
    store_finished_t trimmed = {0};
    cp_swept_t swept;
    make_tenant(store);
    finish_run(store, "old", 1000);
    assert_true(cp_sweep(store, &(cp_retention_t){0}, INT64_MAX, ctx, &trimmed, &swept, &err));
    assert_int_equal(swept.runs + swept.checkpoints + swept.documents, 0);
}

static void a_batch_at_a_time(void **state)
{
    store_t *store = ((temp_store_t *)*state)->store;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    nv_error_t err = NV_ERROR_INIT;
    store_finished_t trimmed = {0};
    cp_swept_t swept;
    make_tenant(store);
    for (int i = 0; i < 60; i++)
        finish_run(store, nv_printf(ctx, "run%d", i), 1000 + i);
    cp_retention_t retention = {.runs_ms = 1};
    assert_true(cp_sweep(store, &retention, 100000, ctx, &trimmed, &swept, &err));
    assert_int_equal(swept.runs, 50);
    assert_true(swept.more);
    assert_true(cp_sweep(store, &retention, 100000, ctx, &trimmed, &swept, &err));
    assert_int_equal(swept.runs, 10);
    assert_false(swept.more);
}

static void the_thread_sweeps(void **state)
{
    store_t *store = ((temp_store_t *)*state)->store;
    nv_error_t err = NV_ERROR_INIT;
    cp_janitor_t *janitor;
    cp_retention_t retention = {.runs_ms = 1, .interval_ms = 20};
    make_tenant(store);
    finish_run(store, "old", 1000);
    assert_true(cp_janitor_start(store, &retention, NULL, NULL, &janitor, &err));
    for (int i = 0; i < 500 && has_run(store, "old"); i++)
        usleep(10000);
    cp_janitor_stop(janitor);
    assert_false(has_run(store, "old"));
}

static int open_store(void **state)
{
    *state = temp_store_new(NULL);
    return 0;
}

static int close_store(void **state)
{
    temp_store_free(*state);
    return 0;
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, open_store, close_store)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(old_runs_go_and_open_ones_stay),
        WITH_STORE(documents_go_after_their_run),
        WITH_STORE(zero_keeps_for_ever),
        WITH_STORE(a_batch_at_a_time),
        WITH_STORE(the_thread_sweeps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
