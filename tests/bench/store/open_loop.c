/* Supersteps at a fixed rate. A closed loop of n runs cannot be quicker than n divided by the throughput (Little's law), so
 * that it shows the store's throughput twice; what a run waits at a given load, only arrivals that do not wait can show. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/bench/store/bench.h"

typedef struct loop loop_t;
typedef struct slot {
    superstep_t superstep;
    loop_t *loop;
    int64_t due_ns;
    struct slot *next;
} slot_t;

struct loop {
    pthread_mutex_t lock;
    pthread_cond_t returned;
    slot_t *idle;
    size_t n_idle, n_slots;
    samples_t *samples;
    nv_error_t error;
};

static void give_back(loop_t *loop, slot_t *slot)
{
    slot->next = loop->idle;
    loop->idle = slot;
    loop->n_idle++;
    pthread_cond_signal(&loop->returned);
}

static void committed(const store_result_t *result, void *arg)
{
    slot_t *slot = arg;
    loop_t *loop = slot->loop;
    double ms = (double)(bench_now_ns(CLOCK_MONOTONIC) - slot->due_ns) / 1e6;
    pthread_mutex_lock(&loop->lock);
    if (result->error.code != NV_OK)
        loop->error = result->error;
    else if (loop->samples->count < SAMPLES_MAX)
        loop->samples->ms[loop->samples->count++] = ms;
    slot->superstep.step++;
    give_back(loop, slot);
    pthread_mutex_unlock(&loop->lock);
}

/* A run that is between two supersteps; where all are busy, the step is late, and its time counts from when it was due. */
static slot_t *borrow(loop_t *loop)
{
    pthread_mutex_lock(&loop->lock);
    while (!loop->idle)
        pthread_cond_wait(&loop->returned, &loop->lock);
    slot_t *slot = loop->idle;
    loop->idle = slot->next;
    loop->n_idle--;
    pthread_mutex_unlock(&loop->lock);
    return slot;
}

static void wait_for_all(loop_t *loop)
{
    pthread_mutex_lock(&loop->lock);
    while (loop->n_idle < loop->n_slots)
        pthread_cond_wait(&loop->returned, &loop->lock);
    pthread_mutex_unlock(&loop->lock);
}

static bool arrive(loop_t *loop, store_t *store, int64_t due_ns, nv_error_t *err)
{
    struct timespec until = {.tv_sec = due_ns / 1000000000, .tv_nsec = due_ns % 1000000000};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
    slot_t *slot = borrow(loop);
    slot->due_ns = due_ns;
    superstep_next(&slot->superstep);
    if (store_submit(store, &slot->superstep.batch, committed, slot, err))
        return true;
    pthread_mutex_lock(&loop->lock);
    give_back(loop, slot);
    pthread_mutex_unlock(&loop->lock);
    return false;
}

static bool create_slots(loop_t *loop, slot_t *slots, store_t *store, const char *name, nv_error_t *err)
{
    for (int i = 0; i < RUNS_MAX; i++) {
        slots[i].loop = loop;
        snprintf(slots[i].superstep.run_id, sizeof slots[i].superstep.run_id, "%s-run%d", name, i);
        if (!superstep_create(&slots[i].superstep, store, err))
            return false;
        loop->n_slots++;
        give_back(loop, &slots[i]);
    }
    return true;
}

static bool arrivals(loop_t *loop, store_t *store, double rate, double seconds, nv_error_t *err)
{
    int64_t from = bench_now_ns(CLOCK_MONOTONIC), steps = (int64_t)(rate * seconds);
    bool ok = true;
    for (int64_t i = 0; ok && i < steps; i++)
        ok = arrive(loop, store, from + (int64_t)((double)i * 1e9 / rate), err);
    return ok;
}

bool open_loop(store_t *store, const char *name, double rate, double seconds, int server_pid, samples_t *all,
               open_figures_t *out, nv_error_t *err)
{
    loop_t loop = {.lock = PTHREAD_MUTEX_INITIALIZER, .returned = PTHREAD_COND_INITIALIZER, .samples = all};
    slot_t *slots = calloc(RUNS_MAX, sizeof *slots);
    store_status_t before, after;
    all->count = 0;
    bool ok = slots && create_slots(&loop, slots, store, name, err);
    store_get_status(store, &before);
    int64_t wall = bench_now_ns(CLOCK_MONOTONIC), cpu = bench_cpu_ns(server_pid);
    ok = ok && arrivals(&loop, store, rate, seconds, err);
    wait_for_all(&loop); /* also where none is idle just now */
    wall = bench_now_ns(CLOCK_MONOTONIC) - wall;
    cpu = bench_cpu_ns(server_pid) - cpu;
    store_get_status(store, &after);
    free(slots);
    if (ok && loop.error.code != NV_OK)
        ok = nv_fail(err, loop.error.code, "%s", loop.error.message);
    samples_sort(all);
    double steps = (double)all->count;
    *out = (open_figures_t){.p50 = percentile(all, 0.5),
                            .p99 = percentile(all, 0.99),
                            .max = percentile(all, 1),
                            .steps_per_s = steps / ((double)wall / 1e9),
                            .steps_per_cpu_s = steps / ((double)cpu / 1e9),
                            .steps_per_commit = steps / (double)(after.commits - before.commits)};
    return ok;
}
