/* Shared by the files of this bench: samples, supersteps, and what each measurement gives. */
#ifndef TESTS_BENCH_STORE_BENCH_H
#define TESTS_BENCH_STORE_BENCH_H

#include <time.h>

#include "controlplane/store/store.h"

enum { RUNS_MAX = 64, SAMPLES_MAX = 400000, DELTA_BYTES = 1024, EVENT_BYTES = 160, EVENTS = 4, TASKS = 2 };

int64_t bench_now_ns(clockid_t id);

typedef struct samples {
    double *ms;
    size_t count;
} samples_t;
void samples_sort(samples_t *s);
/* Of sorted ones. */
double percentile(const samples_t *s, double p);

/* Processor time of this process and, where one is given, of a PostgreSQL server and its children. */
int64_t bench_cpu_ns(int server_pid);

/* One superstep of one run, with the memory its batch points to. */
typedef struct superstep {
    char run_id[32];
    int64_t step; /* the last one committed */
    char task_id[TASKS][32];
    store_event_t events[EVENTS];
    store_task_t tasks[TASKS];
    store_checkpoint_t checkpoint;
    store_pending_t pending;
    store_run_change_t change;
    store_batch_t batch;
} superstep_t;
bool superstep_create(superstep_t *s, store_t *store, nv_error_t *err) NV_MUST_CHECK;
/* Fills s->batch with the superstep after s->step. */
void superstep_next(superstep_t *s);

/* Supersteps arrive at a fixed rate, whatever the store does, over RUNS_MAX runs; each is timed from when it was due. */
typedef struct open_figures {
    double p50, p99, max, steps_per_s, steps_per_cpu_s, steps_per_commit, raw_p99;
} open_figures_t;
bool open_loop(store_t *store, const char *name, double rate, double seconds, int server_pid, samples_t *all,
               open_figures_t *out, nv_error_t *err) NV_MUST_CHECK;

#endif
