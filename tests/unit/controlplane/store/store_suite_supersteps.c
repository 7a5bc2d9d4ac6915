/* What a superstep commits: all of it or nothing, checkpoints, pending writes, tasks, interrupts. */
#include "controlplane/store/documents.h"
#include "store_suite.h"

/* Everything of a superstep in one batch. */
void suite_full_batch(fixture_t *f, store_batch_t *batch)
{
    static store_run_change_t change = STORE_RUN_CHANGE_INIT;
    static store_checkpoint_t checkpoint;
    static store_event_t event;
    static store_task_t task;
    static store_pending_t pending;
    static store_interrupt_t interrupt;
    static store_artifact_t artifact;
    static char sha[65];
    assert_ok(f, store_document_put(f->store, "acme", "hello", 5, sha, &f->err));
    change.state = "waiting";
    change.summary = nv_bytes("S", 1);
    checkpoint = (store_checkpoint_t){.seq = 1,
                                      .step = 1,
                                      .snapshot = true,
                                      .created_unix_ms = 7,
                                      .nodes = "survey",
                                      .data = nv_bytes("state", 5)};
    event = (store_event_t){1, nv_bytes("ev", 2)};
    task = (store_task_t){.task_id = "t1",
                          .kind = "profile",
                          .item = "orders",
                          .node = "profile",
                          .state = "queued",
                          .pool = "default",
                          .session = "",
                          .idempotency_token = "tok",
                          .attempt = 1,
                          .epoch = 1,
                          .lease_until_unix_ms = 99,
                          .updated_unix_ms = 5,
                          .data = nv_bytes("T", 1)};
    pending = (store_pending_t){.step = 2, .task_id = "t0", .data = nv_bytes("P", 1)};
    interrupt = (store_interrupt_t){.interrupt_id = "i1",
                                    .task_id = "t9",
                                    .node = "approve",
                                    .question = "Gut so? ✓",
                                    .asked_unix_ms = 8};
    artifact = (store_artifact_t){
        .name = "notebooks/10_bronze.py", .sha256 = sha, .media_type = "text/x-python", .created_unix_ms = 9};
    *batch = (store_batch_t){
        .tenant = "acme",
        .run_id = "r1",
        .expect_epoch = 1,
        .change = &change,
        .checkpoints = &checkpoint,
        .n_checkpoints = 1,
        .events = &event,
        .n_events = 1,
        .tasks = &task,
        .n_tasks = 1,
        .pending = &pending,
        .n_pending = 1,
        .interrupts = &interrupt,
        .n_interrupts = 1,
        .artifacts = &artifact,
        .n_artifacts = 1,
    };
}

static void test_superstep_roundtrip(void **state)
{
    fixture_t *f = *state;
    suite_create_run(f, "acme", "r1");
    store_batch_t batch;
    suite_full_batch(f, &batch);
    assert_ok(f, store_commit(f->store, &batch, NULL, &f->err));
    store_run_t run;
    assert_ok(f, store_run_get(f->store, f->ctx, "acme", "r1", &run, &f->err));
    assert_string_equal(run.state, "waiting");
    assert_string_equal(run.pool, "default"); /* not in the change: stays */
    assert_int_equal(run.last_checkpoint, 1);
    assert_true(nv_bytes_equal(run.summary, nv_bytes("S", 1)));
    assert_true(nv_bytes_equal(run.spec, nv_bytes("spec", 4)));
    store_task_t *tasks;
    size_t n;
    assert_ok(f, store_task_list(f->store, f->ctx, "acme", "r1", true, &tasks, &n, &f->err));
    assert_int_equal(n, 1);
    assert_string_equal(tasks[0].item, "orders");
    assert_string_equal(tasks[0].idempotency_token, "tok");
    assert_int_equal(tasks[0].lease_until_unix_ms, 99);
    store_interrupt_t *interrupts;
    assert_ok(f, store_interrupt_list(f->store, f->ctx, "acme", NULL, true, &interrupts, &n, &f->err));
    assert_int_equal(n, 1);
    assert_string_equal(interrupts[0].question, "Gut so? ✓");
    store_artifact_t artifact;
    assert_ok(
        f, store_artifact_get(f->store, f->ctx, "acme", "r1", "notebooks/10_bronze.py", &artifact, &f->err));
    assert_int_equal(artifact.bytes, 5);
    bool has;
    assert_ok(f, store_run_has_document(f->store, "acme", "r1", artifact.sha256, &has, &f->err));
    assert_true(has);
    store_pending_t *pending;
    assert_ok(f, store_pending_list(f->store, f->ctx, "acme", "r1", 1, &pending, &n, &f->err));
    assert_int_equal(n, 1);
    assert_string_equal(pending[0].task_id, "t0");
}

void suite_assert_untouched(fixture_t *f)
{
    size_t n;
    store_run_t run;
    assert_ok(f, store_run_get(f->store, f->ctx, "acme", "r1", &run, &f->err));
    assert_int_equal(run.revision, 1);
    assert_int_equal(run.last_event, 0);
    store_event_t *events;
    assert_ok(f, store_event_list(f->store, f->ctx, "acme", "r1", 0, 0, &events, &n, &f->err));
    assert_int_equal(n, 0);
    store_task_t *tasks;
    assert_ok(f, store_task_list(f->store, f->ctx, "acme", "r1", false, &tasks, &n, &f->err));
    assert_int_equal(n, 0);
    store_checkpoint_t *checkpoints;
    assert_ok(f, store_checkpoint_list(f->store, f->ctx, "acme", "r1", &checkpoints, &n, &f->err));
    assert_int_equal(n, 0);
    store_artifact_t *artifacts;
    assert_ok(f, store_artifact_list(f->store, f->ctx, "acme", "r1", &artifacts, &n, &f->err));
    assert_int_equal(n, 0);
}

static void test_failed_batch_changes_nothing(void **state)
{
    fixture_t *f = *state;
    suite_create_run(f, "acme", "r1");
    store_batch_t batch;
    suite_full_batch(f, &batch);
    batch.expect_epoch = 2;
    assert_fails(f, NV_ABORTED, store_commit(f->store, &batch, NULL, &f->err));
    suite_assert_untouched(f);
    batch.expect_epoch = 1;
    store_artifact_t missing = {.name = "x",
                                .sha256 = "00000000000000000000000000000000"
                                          "00000000000000000000000000000000"};
    batch.artifacts = &missing;
    assert_fails(f, NV_FAILED_PRECONDITION, store_commit(f->store, &batch, NULL, &f->err));
    suite_assert_untouched(f);
}

/* Fails in the middle, after rows were written: the same checkpoint number again. */
static void test_half_done_batch_is_undone(void **state)
{
    fixture_t *f = *state;
    suite_create_run(f, "acme", "r1");
    store_batch_t batch;
    suite_full_batch(f, &batch);
    assert_ok(f, store_commit(f->store, &batch, NULL, &f->err));
    store_event_t event = {2, nv_bytes("zwei", 4)};
    batch.events = &event;
    assert_fails(f, NV_ALREADY_EXISTS, store_commit(f->store, &batch, NULL, &f->err));
    store_run_t run;
    assert_ok(f, store_run_get(f->store, f->ctx, "acme", "r1", &run, &f->err));
    assert_int_equal(run.revision, 2);
    assert_int_equal(run.last_event, 1);
    batch.n_checkpoints = 0;
    assert_ok(f, store_commit(f->store, &batch, NULL, &f->err));
}

static void test_checkpoint_chain_and_prune(void **state)
{
    fixture_t *f = *state;
    suite_create_run(f, "acme", "r1");
    for (int64_t seq = 1; seq <= 10; seq++) {
        char data[16];
        int n = snprintf(data, sizeof data, "c%d", (int)seq);
        store_checkpoint_t c = {.seq = seq,
                                .parent = seq - 1,
                                .step = seq,
                                .snapshot = seq % 4 == 1,
                                .data = nv_bytes(data, (size_t)n)};
        store_batch_t batch = suite_change_of("r1");
        batch.checkpoints = &c;
        batch.n_checkpoints = 1;
        batch.prune_below = seq == 10 ? 5 : 0;
        assert_ok(f, store_commit(f->store, &batch, NULL, &f->err));
    }
    store_checkpoint_t *chain;
    size_t n;
    assert_ok(f, store_checkpoint_chain(f->store, f->ctx, "acme", "r1", 0, &chain, &n, &f->err));
    assert_int_equal(n, 2); /* 9 (snapshot), 10 */
    assert_true(nv_bytes_equal(chain[1].data, nv_bytes("c10", 3)));
    assert_ok(f, store_checkpoint_chain(f->store, f->ctx, "acme", "r1", 8, &chain, &n, &f->err));
    assert_int_equal(n, 4);
    assert_true(chain[0].snapshot);
    assert_int_equal(chain[0].seq, 5);
    assert_fails(f, NV_NOT_FOUND,
                 store_checkpoint_chain(f->store, f->ctx, "acme", "r1", 4, &chain, &n, &f->err));
    assert_fails(f, NV_NOT_FOUND,
                 store_checkpoint_chain(f->store, f->ctx, "acme", "r1", 11, &chain, &n, &f->err));
    assert_ok(f, store_checkpoint_list(f->store, f->ctx, "acme", "r1", &chain, &n, &f->err));
    assert_int_equal(n, 6);
    assert_int_equal(chain[0].bytes, 2);
    assert_null(chain[0].data.data);
}

static void test_chain_with_a_hole_is_data_loss(void **state)
{
    fixture_t *f = *state;
    suite_create_run(f, "acme", "r1");
    store_checkpoint_t c[] = {{.seq = 1, .snapshot = true}, {.seq = 3, .parent = 2}};
    store_batch_t batch = suite_change_of("r1");
    batch.checkpoints = c;
    batch.n_checkpoints = 2;
    assert_ok(f, store_commit(f->store, &batch, NULL, &f->err));
    store_checkpoint_t *chain;
    size_t n;
    assert_fails(f, NV_DATA_LOSS,
                 store_checkpoint_chain(f->store, f->ctx, "acme", "r1", 0, &chain, &n, &f->err));
}

static void test_pending_and_clear(void **state)
{
    fixture_t *f = *state;
    suite_create_run(f, "acme", "r1");
    store_pending_t p[] = {{1, "a", nv_bytes("1", 1)},
                           {1, "b", nv_bytes("2", 1)},
                           {2, "a", nv_bytes("3", 1)},
                           {1, "a", nv_bytes("4", 1)}};
    store_batch_t batch = suite_change_of("r1");
    batch.pending = p;
    batch.n_pending = 4;
    assert_ok(f, store_commit(f->store, &batch, NULL, &f->err));
    store_pending_t *list;
    size_t n;
    assert_ok(f, store_pending_list(f->store, f->ctx, "acme", "r1", 0, &list, &n, &f->err));
    assert_int_equal(n, 3);
    assert_true(nv_bytes_equal(list[0].data, nv_bytes("4", 1))); /* replaced */
    batch.n_pending = 0;
    batch.clear_pending_through = 1;
    assert_ok(f, store_commit(f->store, &batch, NULL, &f->err));
    assert_ok(f, store_pending_list(f->store, f->ctx, "acme", "r1", 0, &list, &n, &f->err));
    assert_int_equal(n, 1);
    assert_int_equal(list[0].step, 2);
}

static void test_tasks_interrupts_change(void **state)
{
    fixture_t *f = *state;
    suite_create_run(f, "acme", "r1");
    store_batch_t batch;
    suite_full_batch(f, &batch);
    assert_ok(f, store_commit(f->store, &batch, NULL, &f->err));
    store_task_t task = {.task_id = "t1", .state = "done"};
    store_interrupt_t answer = {.interrupt_id = "i1",
                                .node = "approve",
                                .question = "?",
                                .asked_unix_ms = 8,
                                .answer = "approve",
                                .answered_by = "spiffe://x/tenant/acme/user/ann",
                                .answered_unix_ms = 70,
                                .data = nv_bytes("{}", 2)};
    store_batch_t next = suite_change_of("r1");
    next.tasks = &task;
    next.n_tasks = 1;
    next.interrupts = &answer;
    next.n_interrupts = 1;
    assert_ok(f, store_commit(f->store, &next, NULL, &f->err));
    size_t n;
    store_task_t *tasks;
    assert_ok(f, store_task_list(f->store, f->ctx, "acme", "r1", true, &tasks, &n, &f->err));
    assert_int_equal(n, 0);
    assert_ok(f, store_task_list(f->store, f->ctx, "acme", "r1", false, &tasks, &n, &f->err));
    assert_int_equal(n, 1);
    store_interrupt_t *interrupts;
    assert_ok(f, store_interrupt_list(f->store, f->ctx, "acme", "r1", true, &interrupts, &n, &f->err));
    assert_int_equal(n, 0);
    store_interrupt_t got;
    assert_ok(f, store_interrupt_get(f->store, f->ctx, "acme", "r1", "i1", &got, &f->err));
    assert_string_equal(got.answer, "approve");
    assert_true(nv_bytes_equal(got.data, nv_bytes("{}", 2)));
}

int suite_supersteps(void)
{
    const struct CMUnitTest tests[] = {SUITE_CASE(test_superstep_roundtrip),
                                       SUITE_CASE(test_failed_batch_changes_nothing),
                                       SUITE_CASE(test_half_done_batch_is_undone),
                                       SUITE_CASE(test_checkpoint_chain_and_prune),
                                       SUITE_CASE(test_chain_with_a_hole_is_data_loss),
                                       SUITE_CASE(test_pending_and_clear),
                                       SUITE_CASE(test_tasks_interrupts_change)};
    return cmocka_run_group_tests_name("store: supersteps", tests, NULL, NULL);
}
