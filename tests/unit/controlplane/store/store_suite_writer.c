/* The writer: many submitters, order, groups that hold a bad batch, a full queue. */
#include "store_suite.h"

#include <pthread.h>

enum { SUBMITTERS = 4, PER_SUBMITTER = 60 };

typedef struct submitter {
    fixture_t *f;
    char run_id[16];
    nv_error_t err;
    int acknowledged;
    int conflicts;
} submitter_t;

/* Each thread drives its run, and every fifth time with a stale epoch, which must not hurt its neighbours in the group. */
static void *submit_many(void *arg)
{
    submitter_t *s = arg;
    for (int64_t i = 1; i <= PER_SUBMITTER; i++) {
        store_event_t event = {i, nv_bytes(&i, sizeof i)};
        store_batch_t batch = suite_change_of(s->run_id);
        batch.events = &event;
        batch.n_events = 1;
        if (i % 5 == 0) {
            batch.expect_epoch = 9;
            s->conflicts += !store_commit(s->f->store, &batch, NULL, &s->err) && s->err.code == NV_ABORTED;
            batch.expect_epoch = 1;
        }
        s->acknowledged += store_commit(s->f->store, &batch, NULL, &s->err);
    }
    return NULL;
}

static void test_concurrent_commits(void **state)
{
    fixture_t *f = *state;
    submitter_t s[SUBMITTERS];
    pthread_t threads[SUBMITTERS];
    for (int i = 0; i < SUBMITTERS; i++) {
        s[i] = (submitter_t){.f = f};
        snprintf(s[i].run_id, sizeof s[i].run_id, "c%d", i);
        suite_create_run(f, "acme", s[i].run_id);
    }
    for (int i = 0; i < SUBMITTERS; i++)
        pthread_create(&threads[i], NULL, submit_many, &s[i]);
    for (int i = 0; i < SUBMITTERS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < SUBMITTERS; i++) {
        assert_int_equal(s[i].acknowledged, PER_SUBMITTER);
        assert_int_equal(s[i].conflicts, PER_SUBMITTER / 5);
        store_event_t *events;
        size_t n;
        assert_ok(f, store_event_list(f->store, f->ctx, "acme", s[i].run_id, 0, 0, &events, &n, &f->err));
        assert_int_equal(n, PER_SUBMITTER);
    }
    store_status_t status;
    store_get_status(f->store, &status);
    assert_int_equal(status.failed, SUBMITTERS * PER_SUBMITTER / 5);
    assert_int_equal(status.queued, 0);
}

typedef struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int ended;
    int64_t last_revision;
    bool out_of_order;
    bool failed;
} waiter_t;

static void on_done(const store_result_t *result, void *arg)
{
    waiter_t *w = arg;
    pthread_mutex_lock(&w->lock);
    w->failed |= result->error.code != NV_OK;
    w->out_of_order |= result->revision != w->last_revision + 1;
    w->last_revision = result->revision;
    w->ended++;
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

static void test_submit_completes_in_order(void **state)
{
    fixture_t *f = *state;
    enum { COUNT = 200 };
    suite_create_run(f, "acme", "r1");
    waiter_t w = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER, .last_revision = 1};
    store_event_t events[COUNT];
    store_batch_t batches[COUNT];
    for (int i = 0; i < COUNT; i++) {
        events[i] = (store_event_t){i + 1, nv_bytes("x", 1)};
        batches[i] = suite_change_of("r1");
        batches[i].events = &events[i];
        batches[i].n_events = 1;
        assert_ok(f, store_submit(f->store, &batches[i], on_done, &w, &f->err));
    }
    pthread_mutex_lock(&w.lock);
    while (w.ended < COUNT)
        pthread_cond_wait(&w.changed, &w.lock);
    pthread_mutex_unlock(&w.lock);
    assert_false(w.failed);
    assert_false(w.out_of_order);
    store_status_t status;
    store_get_status(f->store, &status);
    assert_true(status.commits < COUNT); /* they were joined */
}

static void test_one_bad_batch_spares_its_group(void **state)
{
    fixture_t *f = *state;
    suite_create_run(f, "acme", "good");
    suite_create_run(f, "acme", "bad");
    store_checkpoint_t c = {.seq = 1, .snapshot = true};
    store_batch_t seed = suite_change_of("bad");
    seed.checkpoints = &c;
    seed.n_checkpoints = 1;
    assert_ok(f, store_commit(f->store, &seed, NULL, &f->err));
    enum { COUNT = 40 };
    waiter_t good = {
        .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER, .last_revision = 1};
    waiter_t bad = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    store_batch_t batches[COUNT];
    for (int i = 0; i < COUNT; i++) {
        batches[i] =
            i % 2 ? seed : suite_change_of("good"); /* the checkpoint again: fails after its first write */
        assert_ok(f, store_submit(f->store, &batches[i], on_done, i % 2 ? &bad : &good, &f->err));
    }
    pthread_mutex_lock(&good.lock);
    while (good.ended < COUNT / 2)
        pthread_cond_wait(&good.changed, &good.lock);
    pthread_mutex_unlock(&good.lock);
    pthread_mutex_lock(&bad.lock);
    while (bad.ended < COUNT / 2)
        pthread_cond_wait(&bad.changed, &bad.lock);
    pthread_mutex_unlock(&bad.lock);
    assert_false(good.failed);
    assert_false(good.out_of_order);
    store_run_t run;
    assert_ok(f, store_run_get(f->store, f->ctx, "acme", "bad", &run, &f->err));
    assert_int_equal(run.revision, 2);
}

static void test_queue_is_bounded(void **state)
{
    fixture_t *f = *state;
    suite_create_run(f, "acme", "r1");
    store_close(f->store);
    f->options.queue_max = 4;
    assert_ok(f, store_open(&f->options, &f->store, &f->err));
    enum { COUNT = 2000 };
    waiter_t w = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER, .last_revision = 1};
    store_batch_t batch = suite_change_of("r1");
    int accepted = 0, refused = 0;
    for (int i = 0; i < COUNT; i++) {
        if (store_submit(f->store, &batch, on_done, &w, &f->err))
            accepted++;
        else
            refused += f->err.code == NV_RESOURCE_EXHAUSTED;
    }
    assert_int_equal(accepted + refused, COUNT);
    assert_true(refused > 0);
    pthread_mutex_lock(&w.lock);
    while (w.ended < accepted)
        pthread_cond_wait(&w.changed, &w.lock);
    pthread_mutex_unlock(&w.lock);
    assert_false(w.failed);
}

int suite_writer(void)
{
    const struct CMUnitTest tests[] = {
        SUITE_CASE(test_concurrent_commits),
        SUITE_CASE(test_submit_completes_in_order),
        SUITE_CASE(test_one_bad_batch_spares_its_group),
        SUITE_CASE(test_queue_is_bounded),
    };
    return cmocka_run_group_tests_name("store: writer", tests, NULL, NULL);
}
