/* A load whose traces tell, after a crash, whether each acknowledged commit is whole and none is half. */
#ifndef TESTS_CRASH_LOAD_H
#define TESTS_CRASH_LOAD_H

#include <pthread.h>
#include <unistd.h>

#include "store_suite.h"

enum { LOAD_RUNS = 4, LOAD_EVENTS = 3 };

typedef struct load_ack {
    int32_t run;
    int32_t step;
} load_ack_t;

static inline const char *load_run_id(int run)
{
    static const char *const ids[LOAD_RUNS] = {"load0", "load1", "load2", "load3"};
    return ids[run];
}

static inline bool load_create(store_t *store, nv_error_t *err)
{
    for (int i = 0; i < LOAD_RUNS; i++) {
        store_run_t run = {.epoch = 1, .state = "running"};
        store_batch_t batch = {.tenant = "acme", .run_id = load_run_id(i), .create = &run};
        if (!store_commit(store, &batch, NULL, err))
            return false;
    }
    return true;
}

/* Step n: checkpoint n, events (n-1)*3+1 … n*3, task "t" and pending write at n. */
static inline bool load_step(store_t *store, int run, int64_t step, nv_error_t *err)
{
    char filler[1500];
    memset(filler, (int)step, sizeof filler);
    store_event_t events[LOAD_EVENTS];
    for (int i = 0; i < LOAD_EVENTS; i++)
        events[i] = (store_event_t){(step - 1) * LOAD_EVENTS + i + 1, nv_bytes(filler, 200)};
    store_checkpoint_t checkpoint = {.seq = step,
                                     .parent = step - 1,
                                     .step = step,
                                     .snapshot = step % 8 == 1,
                                     .data = nv_bytes(filler, sizeof filler)};
    store_task_t task = {.task_id = "t", .state = "queued", .attempt = step};
    store_pending_t pending = {.step = step, .task_id = "t", .data = nv_bytes(&step, sizeof step)};
    store_batch_t batch = {.tenant = "acme",
                           .run_id = load_run_id(run),
                           .expect_epoch = 1,
                           .events = events,
                           .n_events = LOAD_EVENTS,
                           .checkpoints = &checkpoint,
                           .n_checkpoints = 1,
                           .tasks = &task,
                           .n_tasks = 1,
                           .pending = &pending,
                           .n_pending = 1,
                           .clear_pending_through = step - 1};
    return store_commit(store, &batch, NULL, err);
}

/* The last step of the run, after checking that all its parts agree on it. */
static inline int64_t load_check(store_t *store, int number)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("check");
    fixture_t f = {.ctx = ctx, .store = store};
    const char *id = load_run_id(number);
    store_run_t run;
    assert_ok(&f, store_run_get(store, ctx, "acme", id, &run, &f.err));
    int64_t step = run.last_checkpoint;
    assert_int_equal(run.revision, step + 1);
    assert_int_equal(run.last_event, step * LOAD_EVENTS);
    int64_t seen = 0;
    for (size_t n = 1; n > 0;) {
        store_event_t *events;
        assert_ok(&f, store_event_list(store, ctx, "acme", id, seen, 0, &events, &n, &f.err));
        for (size_t i = 0; i < n; i++)
            assert_int_equal(events[i].seq, ++seen);
    }
    assert_int_equal(seen, run.last_event);
    if (step == 0)
        return 0;
    size_t n;
    store_checkpoint_t *chain;
    assert_ok(&f, store_checkpoint_chain(store, ctx, "acme", id, 0, &chain, &n, &f.err));
    assert_int_equal(chain[n - 1].seq, step);
    assert_int_equal(((const unsigned char *)chain[n - 1].data.data)[0], (unsigned char)step);
    store_task_t *tasks;
    assert_ok(&f, store_task_list(store, ctx, "acme", id, false, &tasks, &n, &f.err));
    assert_int_equal(n, 1);
    assert_int_equal(tasks[0].attempt, step);
    store_pending_t *pending;
    assert_ok(&f, store_pending_list(store, ctx, "acme", id, 0, &pending, &n, &f.err));
    assert_int_equal(n, 1);
    assert_int_equal(pending[0].step, step);
    return step;
}

#endif
