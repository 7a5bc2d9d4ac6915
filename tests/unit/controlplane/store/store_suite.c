/* Runs: creation, compare-and-set, atomicity, listing, isolation. */
#include "store_suite.h"

suite_engine_t suite_engine;

int suite_setup(void **state)
{
    fixture_t *f = calloc(1, sizeof *f);
    f->ctx = nv_mem_root("test");
    suite_engine.fresh(f->url, sizeof f->url);
    f->options = (store_options_t){.url = f->url, .vector_extension = suite_engine.vector_extension};
    if (!store_open(&f->options, &f->store, &f->err)) {
        print_error("%s\n", f->err.message);
        return -1;
    }
    *state = f;
    return 0;
}

int suite_teardown(void **state)
{
    fixture_t *f = *state;
    store_close(f->store);
    nv_mem_free(f->ctx);
    free(f);
    return 0;
}

void suite_create_run(fixture_t *f, const char *tenant, const char *run_id)
{
    store_run_t run = {.epoch = 1,
                       .state = "running",
                       .pool = "default",
                       .created_unix_ms = 1000,
                       .spec = nv_bytes("spec", 4)};
    store_batch_t batch = {.tenant = tenant, .run_id = run_id, .create = &run};
    assert_ok(f, store_commit(f->store, &batch, NULL, &f->err));
}

store_batch_t suite_change_of(const char *run_id)
{
    return (store_batch_t){.tenant = "acme", .run_id = run_id, .expect_epoch = 1};
}

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

/* Everything of a superstep in one batch. */
static void full_batch(fixture_t *f, store_batch_t *batch)
{
    static store_run_change_t change = STORE_RUN_CHANGE_INIT;
    static store_checkpoint_t checkpoint;
    static store_event_t event;
    static store_task_t task;
    static store_timer_t timer;
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
    timer = (store_timer_t){.timer_id = "run", .due_unix_ms = 50, .data = nv_bytes("X", 1)};
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
        .timers = &timer,
        .n_timers = 1,
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
    full_batch(f, &batch);
    assert_ok(f, store_commit(f->store, &batch, NULL, &f->err));
    store_run_t run;
    assert_ok(f, store_run_get(f->store, f->ctx, "acme", "r1", &run, &f->err));
    assert_string_equal(run.state, "waiting");
    assert_string_equal(run.pool, "default"); /* not in the change: stays */
    assert_int_equal(run.last_checkpoint, 1);
    assert_true(nv_bytes_equal(run.summary, nv_bytes("S", 1)));
    assert_true(nv_bytes_equal(run.spec, nv_bytes("spec", 4)));
    store_task_t task;
    assert_ok(f, store_task_get(f->store, f->ctx, "acme", "r1", "t1", &task, &f->err));
    assert_string_equal(task.item, "orders");
    assert_string_equal(task.idempotency_token, "tok");
    assert_int_equal(task.lease_until_unix_ms, 99);
    store_timer_t *timers;
    size_t n;
    assert_ok(f, store_timer_due(f->store, f->ctx, 50, 0, &timers, &n, &f->err));
    assert_int_equal(n, 1);
    assert_string_equal(timers[0].tenant, "acme");
    assert_string_equal(timers[0].run_id, "r1");
    assert_ok(f, store_timer_due(f->store, f->ctx, 49, 0, &timers, &n, &f->err));
    assert_int_equal(n, 0);
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

static void assert_untouched(fixture_t *f)
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
    store_timer_t *timers;
    assert_ok(f, store_timer_list(f->store, f->ctx, "acme", "r1", &timers, &n, &f->err));
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
    full_batch(f, &batch);
    batch.expect_epoch = 2;
    assert_fails(f, NV_ABORTED, store_commit(f->store, &batch, NULL, &f->err));
    assert_untouched(f);
    batch.expect_epoch = 1;
    store_artifact_t missing = {.name = "x",
                                .sha256 = "00000000000000000000000000000000"
                                          "00000000000000000000000000000000"};
    batch.artifacts = &missing;
    assert_fails(f, NV_FAILED_PRECONDITION, store_commit(f->store, &batch, NULL, &f->err));
    assert_untouched(f);
}

/* Fails in the middle, after rows were written: the same checkpoint number again. */
static void test_half_done_batch_is_undone(void **state)
{
    fixture_t *f = *state;
    suite_create_run(f, "acme", "r1");
    store_batch_t batch;
    full_batch(f, &batch);
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

static void test_tasks_timers_interrupts_change(void **state)
{
    fixture_t *f = *state;
    suite_create_run(f, "acme", "r1");
    store_batch_t batch;
    full_batch(f, &batch);
    assert_ok(f, store_commit(f->store, &batch, NULL, &f->err));
    store_task_t task = {.task_id = "t1", .state = "done"};
    store_timer_t timer = {.timer_id = "run", .due_unix_ms = -1};
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
    next.timers = &timer;
    next.n_timers = 1;
    next.interrupts = &answer;
    next.n_interrupts = 1;
    assert_ok(f, store_commit(f->store, &next, NULL, &f->err));
    size_t n;
    store_task_t *tasks;
    assert_ok(f, store_task_list(f->store, f->ctx, "acme", "r1", true, &tasks, &n, &f->err));
    assert_int_equal(n, 0);
    assert_ok(f, store_task_list(f->store, f->ctx, "acme", "r1", false, &tasks, &n, &f->err));
    assert_int_equal(n, 1);
    store_timer_t *timers;
    assert_ok(f, store_timer_due(f->store, f->ctx, INT64_MAX, 0, &timers, &n, &f->err));
    assert_int_equal(n, 0);
    store_interrupt_t *interrupts;
    assert_ok(f, store_interrupt_list(f->store, f->ctx, "acme", "r1", true, &interrupts, &n, &f->err));
    assert_int_equal(n, 0);
    store_interrupt_t got;
    assert_ok(f, store_interrupt_get(f->store, f->ctx, "acme", "r1", "i1", &got, &f->err));
    assert_string_equal(got.answer, "approve");
    assert_true(nv_bytes_equal(got.data, nv_bytes("{}", 2)));
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
    full_batch(f, &batch);
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
    full_batch(f, &batch);
    assert_ok(f, store_commit(f->store, &batch, NULL, &f->err));
    assert_fails(f, NV_ABORTED, store_run_delete(f->store, "acme", "r1", 7, &f->err));
    assert_ok(f, store_run_delete(f->store, "acme", "r1", 1, &f->err));
    store_run_t run;
    assert_fails(f, NV_NOT_FOUND, store_run_get(f->store, f->ctx, "acme", "r1", &run, &f->err));
    suite_create_run(f, "acme", "r1");
    assert_untouched(f);
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
    assert_int_equal(status.schema_version, 3);
}

static void test_tenants_pools_credentials(void **state)
{
    fixture_t *f = *state;
    store_tenant_t tenant = {.name = "acme", .display_name = "Acme Ltd", .created_unix_ms = 5, .weight = 2};
    assert_ok(f, store_tenant_create(f->store, &tenant, &f->err));
    assert_fails(f, NV_ALREADY_EXISTS, store_tenant_create(f->store, &tenant, &f->err));
    tenant.max_concurrent_tasks = 8;
    assert_ok(f, store_tenant_update(f->store, &tenant, &f->err));
    nv_bytes_t none = nv_bytes(NULL, 0), key = nv_bytes("K", 1);
    assert_ok(f, store_tenant_set_key(f->store, "acme", none, key, &f->err));
    assert_fails(f, NV_ABORTED, store_tenant_set_key(f->store, "acme", none, key, &f->err));
    assert_ok(f, store_tenant_get(f->store, f->ctx, "acme", &tenant, &f->err));
    assert_int_equal(tenant.max_concurrent_tasks, 8);
    assert_true(nv_bytes_equal(tenant.wrapped_key, key));
    assert_fails(f, NV_NOT_FOUND, store_tenant_get(f->store, f->ctx, "x", &tenant, &f->err));
    store_pool_t pool = {.name = "gold", .dedicated_to = "acme", .own_credentials = true};
    assert_ok(f, store_pool_create(f->store, &pool, &f->err));
    assert_fails(f, NV_ALREADY_EXISTS, store_pool_create(f->store, &pool, &f->err));
    store_pool_t *pools;
    size_t n;
    assert_ok(f, store_pool_list(f->store, f->ctx, &pools, &n, &f->err));
    assert_int_equal(n, 1);
    assert_true(pools[0].own_credentials);
    store_credential_t credential = {.kind = "llm", .sealed = nv_bytes("\0S", 2), .updated_unix_ms = 3};
    assert_ok(f, store_credential_put(f->store, "acme", &credential, &f->err));
    credential.sealed = nv_bytes("N", 1);
    assert_ok(f, store_credential_put(f->store, "acme", &credential, &f->err));
    assert_ok(f, store_credential_get(f->store, f->ctx, "acme", "llm", &credential, &f->err));
    assert_int_equal(credential.sealed.length, 1);
    assert_fails(f, NV_NOT_FOUND,
                 store_credential_get(f->store, f->ctx, "evil", "llm", &credential, &f->err));
    assert_fails(f, NV_NOT_FOUND, store_credential_delete(f->store, "evil", "llm", &f->err));
    assert_fails(f, NV_NOT_FOUND, store_credential_delete(f->store, "acme", "databricks", &f->err));
    assert_ok(f, store_credential_delete(f->store, "acme", "llm", &f->err));
    assert_fails(f, NV_NOT_FOUND,
                 store_credential_get(f->store, f->ctx, "acme", "llm", &credential, &f->err));
}

static void test_revocations(void **state)
{
    fixture_t *f = *state;
    bool added;
    store_revocation_t serial = {.serial = "0a1b", .reason = "lost", .revoked_unix_ms = 10};
    store_revocation_t identity = {.spiffe_id = "spiffe://d/operator/eve", .revoked_unix_ms = 20};
    assert_ok(f, store_revocation_add(f->store, &serial, &added, &f->err));
    assert_true(added);
    serial.revoked_unix_ms = 11;
    assert_ok(f, store_revocation_add(f->store, &serial, &added, &f->err));
    assert_false(added);
    assert_ok(f, store_revocation_add(f->store, &identity, &added, &f->err));
    identity.revoked_unix_ms = 30; /* certificates issued since then, too */
    assert_ok(f, store_revocation_add(f->store, &identity, &added, &f->err));
    assert_true(added);
    store_revocation_t *list;
    size_t n;
    assert_ok(f, store_revocation_list(f->store, f->ctx, &list, &n, &f->err));
    assert_int_equal(n, 2);
    assert_int_equal(list[1].revoked_unix_ms, 30);
    store_revocation_t both = {.serial = "1", .spiffe_id = "x"};
    assert_fails(f, NV_INVALID_ARGUMENT, store_revocation_add(f->store, &both, &added, &f->err));
}

int suite_runs(void)
{
    const struct CMUnitTest tests[] = {
        SUITE_CASE(test_create_and_get),
        SUITE_CASE(test_request_id_makes_one_run),
        SUITE_CASE(test_compare_and_set),
        SUITE_CASE(test_events_are_dense),
        SUITE_CASE(test_superstep_roundtrip),
        SUITE_CASE(test_failed_batch_changes_nothing),
        SUITE_CASE(test_half_done_batch_is_undone),
        SUITE_CASE(test_checkpoint_chain_and_prune),
        SUITE_CASE(test_chain_with_a_hole_is_data_loss),
        SUITE_CASE(test_pending_and_clear),
        SUITE_CASE(test_tasks_timers_interrupts_change),
        SUITE_CASE(test_listing_pages),
        SUITE_CASE(test_open_runs_of_all_tenants),
        SUITE_CASE(test_no_way_across_tenants),
        SUITE_CASE(test_delete_run),
        SUITE_CASE(test_limits),
        SUITE_CASE(test_survives_reopening),
        SUITE_CASE(test_tenants_pools_credentials),
        SUITE_CASE(test_revocations),
    };
    return cmocka_run_group_tests_name("store: runs", tests, NULL, NULL);
}
