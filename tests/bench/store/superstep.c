/* What a busy control plane commits with each superstep, and the clocks. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/bench/store/bench.h"

int64_t bench_now_ns(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void samples_sort(samples_t *s)
{
    qsort(s->ms, s->count, sizeof *s->ms, ascending);
}

double percentile(const samples_t *s, double p)
{
    return s->count ? s->ms[(size_t)((double)(s->count - 1) * p)] : 0;
}

/* ---- processor time ---- */

/* Ticks of a process if it is `server` or its child; what ended before does not count. */
static long ticks_of(const char *pid, int server)
{
    char path[300];
    int id = 0, parent = 0;
    unsigned long user = 0, kernel = 0;
    snprintf(path, sizeof path, "/proc/%s/stat", pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    int got = fscanf(file, "%d (%*[^)]) %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &id, &parent,
                     &user, &kernel);
    fclose(file);
    return got == 4 && (id == server || parent == server) ? (long)(user + kernel) : 0;
}

int64_t bench_cpu_ns(int server_pid)
{
    int64_t own = bench_now_ns(CLOCK_PROCESS_CPUTIME_ID);
    DIR *dir = server_pid > 0 ? opendir("/proc") : NULL;
    int64_t ticks = 0;
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
            ticks += ticks_of(entry->d_name, server_pid);
    if (dir)
        closedir(dir);
    return own + ticks * (1000000000 / sysconf(_SC_CLK_TCK));
}

/* ---- supersteps ---- */

bool superstep_create(superstep_t *s, store_t *store, nv_error_t *err)
{
    store_run_t run = {.epoch = 1, .state = "running", .created_unix_ms = 1};
    store_batch_t batch = {.tenant = "bench", .run_id = s->run_id, .create = &run};
    s->step = 0;
    return store_commit(store, &batch, NULL, err);
}

static void fill_lists(superstep_t *s, int64_t step)
{
    static const char event[EVENT_BYTES];
    for (int i = 0; i < EVENTS; i++)
        s->events[i] = (store_event_t){(step - 1) * EVENTS + i + 1, nv_bytes(event, sizeof event)};
    for (int i = 0; i < TASKS; i++) {
        snprintf(s->task_id[i], sizeof s->task_id[i], "t%d", i);
        s->tasks[i] = (store_task_t){.task_id = s->task_id[i],
                                     .kind = "profile",
                                     .item = "orders",
                                     .node = "profile",
                                     .state = "queued",
                                     .pool = "default",
                                     .idempotency_token = "0123456789abcdef",
                                     .attempt = 1,
                                     .epoch = 1,
                                     .updated_unix_ms = step,
                                     .data = nv_bytes(event, 64)};
    }
    s->pending = (store_pending_t){.step = step, .task_id = "t0", .data = nv_bytes(event, 128)};
    s->change = (store_run_change_t)STORE_RUN_CHANGE_INIT;
    s->change.summary = nv_bytes(event, sizeof event);
}

void superstep_next(superstep_t *s)
{
    static const char delta[DELTA_BYTES];
    int64_t step = s->step + 1;
    fill_lists(s, step);
    s->checkpoint = (store_checkpoint_t){.seq = step,
                                         .parent = step - 1,
                                         .step = step,
                                         .snapshot = step % 16 == 1,
                                         .created_unix_ms = step,
                                         .nodes = "profile",
                                         .data = nv_bytes(delta, sizeof delta)};
    s->batch = (store_batch_t){.tenant = "bench",
                               .run_id = s->run_id,
                               .expect_epoch = 1,
                               .change = &s->change,
                               .checkpoints = &s->checkpoint,
                               .n_checkpoints = 1,
                               .events = s->events,
                               .n_events = EVENTS,
                               .tasks = s->tasks,
                               .n_tasks = TASKS,
                               .pending = &s->pending,
                               .n_pending = 1,
                               .clear_pending_through = step - 1,
                               .prune_below = step % 64 == 1 ? step - 48 : 0};
}
