/* Durable supersteps: latency and throughput of group commit, beside raw fdatasync of the same bytes on the same disk.
 *
 * Each of N runs commits supersteps one after the other (a checkpoint delta, events, tasks, pending writes, a timer), as a
 * busy control plane does. After each round, the bytes that one transaction wrote are appended to a plain file and synced
 * as often, in the same folder: what the disk could do at best. Prints figures and ratios; exits 1 where a target is missed.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "common/config/config.h"
#include "controlplane/store/store.h"
#include "tests/unit/controlplane/store/postgres_server.h"

enum { RUNS_MAX = 64, SAMPLES_MAX = 400000, DELTA_BYTES = 1024, EVENT_BYTES = 160, EVENTS = 4, TASKS = 2 };
static const double target_p99_ms = 5.0, target_steps_per_core = 2000;

static int64_t now_ns(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

typedef struct samples {
    double *ms;
    size_t count;
} samples_t;

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double percentile(samples_t *s, double p)
{
    return s->count ? s->ms[(size_t)((double)(s->count - 1) * p)] : 0;
}

/* Bytes this process has handed to write(2). */
static int64_t bytes_written(void)
{
    char line[128];
    int64_t value = 0;
    FILE *file = fopen("/proc/self/io", "r");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "wchar: %" SCNd64, &value) == 1)
            break;
    if (file)
        fclose(file);
    return value;
}

/* ---- supersteps ---- */

typedef struct driver {
    store_t *store;
    int64_t until_ns;
    int64_t step; /* last one committed */
    char run_id[32];
    samples_t samples;
    bool failed;
} driver_t;

static bool commit_step(driver_t *d, int64_t step, nv_error_t *err)
{
    static const char delta[DELTA_BYTES], event[EVENT_BYTES];
    char task_id[TASKS][32];
    store_event_t events[EVENTS];
    store_task_t tasks[TASKS];
    for (int i = 0; i < EVENTS; i++)
        events[i] = (store_event_t){(step - 1) * EVENTS + i + 1, nv_bytes(event, sizeof event)};
    for (int i = 0; i < TASKS; i++) {
        snprintf(task_id[i], sizeof task_id[i], "t%d", i);
        tasks[i] = (store_task_t){.task_id = task_id[i],
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
    store_checkpoint_t checkpoint = {.seq = step,
                                     .parent = step - 1,
                                     .step = step,
                                     .snapshot = step % 16 == 1,
                                     .created_unix_ms = step,
                                     .nodes = "profile",
                                     .data = nv_bytes(delta, sizeof delta)};
    store_pending_t pending = {.step = step, .task_id = "t0", .data = nv_bytes(event, 128)};
    store_timer_t timer = {.timer_id = "run", .due_unix_ms = step};
    store_run_change_t change = STORE_RUN_CHANGE_INIT;
    change.summary = nv_bytes(event, sizeof event);
    store_batch_t batch = {.tenant = "bench",
                           .run_id = d->run_id,
                           .expect_epoch = 1,
                           .change = &change,
                           .checkpoints = &checkpoint,
                           .n_checkpoints = 1,
                           .events = events,
                           .n_events = EVENTS,
                           .tasks = tasks,
                           .n_tasks = TASKS,
                           .pending = &pending,
                           .n_pending = 1,
                           .clear_pending_through = step - 1,
                           .timers = &timer,
                           .n_timers = 1,
                           .prune_below = step % 64 == 1 ? step - 48 : 0};
    return store_commit(d->store, &batch, NULL, err);
}

static void *drive(void *arg)
{
    driver_t *d = arg;
    nv_error_t err = NV_ERROR_INIT;
    while (now_ns(CLOCK_MONOTONIC) < d->until_ns) {
        int64_t from = now_ns(CLOCK_MONOTONIC);
        if (!commit_step(d, d->step + 1, &err)) {
            fprintf(stderr, "%s\n", err.message);
            d->failed = true;
            break;
        }
        d->step++;
        if (d->samples.count < SAMPLES_MAX / RUNS_MAX)
            d->samples.ms[d->samples.count++] = (double)(now_ns(CLOCK_MONOTONIC) - from) / 1e6;
    }
    return NULL;
}

static bool create_runs(store_t *store, driver_t *drivers, int n, int round)
{
    nv_error_t err = NV_ERROR_INIT;
    for (int i = 0; i < n; i++) {
        snprintf(drivers[i].run_id, sizeof drivers[i].run_id, "round%d-run%d", round, i);
        drivers[i].step = 0;
        drivers[i].samples.count = 0;
        drivers[i].store = store;
        store_run_t run = {.epoch = 1, .state = "running", .created_unix_ms = i};
        store_batch_t batch = {.tenant = "bench", .run_id = drivers[i].run_id, .create = &run};
        if (!store_commit(store, &batch, NULL, &err)) {
            fprintf(stderr, "%s\n", err.message);
            return false;
        }
    }
    return true;
}

/* ---- the disk alone ---- */

static void raw_syncs(const char *folder, size_t bytes, size_t count, samples_t *out)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/raw", folder);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    char *data = calloc(1, bytes + 1);
    out->count = 0;
    for (size_t i = 0; fd >= 0 && i < count; i++) {
        int64_t from = now_ns(CLOCK_MONOTONIC);
        if (write(fd, data, bytes) != (ssize_t)bytes || fdatasync(fd) != 0) {
            perror(path);
            break;
        }
        out->ms[out->count++] = (double)(now_ns(CLOCK_MONOTONIC) - from) / 1e6;
    }
    free(data);
    if (fd >= 0)
        close(fd);
    unlink(path);
    qsort(out->ms, out->count, sizeof *out->ms, ascending);
}

/* ---- one row of the table ---- */

typedef struct figures {
    double p50, p99, steps_per_s, steps_per_cpu_s, steps_per_commit, bytes_per_commit, raw_p50, raw_p99;
} figures_t;

static bool measure(store_t *store, const char *folder, driver_t *drivers, int n, int round, double seconds,
                    samples_t *all, figures_t *out)
{
    pthread_t threads[RUNS_MAX];
    store_status_t before, after;
    if (!create_runs(store, drivers, n, round))
        return false;
    store_get_status(store, &before);
    int64_t written = bytes_written(), wall = now_ns(CLOCK_MONOTONIC), cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID);
    for (int i = 0; i < n; i++) {
        drivers[i].until_ns = wall + (int64_t)(seconds * 1e9);
        pthread_create(&threads[i], NULL, drive, &drivers[i]);
    }
    bool ok = true;
    int64_t steps = 0;
    all->count = 0;
    for (int i = 0; i < n; i++) {
        pthread_join(threads[i], NULL);
        ok &= !drivers[i].failed;
        steps += drivers[i].step;
        memcpy(all->ms + all->count, drivers[i].samples.ms, drivers[i].samples.count * sizeof *all->ms);
        all->count += drivers[i].samples.count;
    }
    wall = now_ns(CLOCK_MONOTONIC) - wall;
    cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    written = bytes_written() - written;
    store_get_status(store, &after);
    qsort(all->ms, all->count, sizeof *all->ms, ascending);
    double commits = (double)(after.commits - before.commits);
    *out = (figures_t){.p50 = percentile(all, 0.5),
                       .p99 = percentile(all, 0.99),
                       .steps_per_s = (double)steps / ((double)wall / 1e9),
                       .steps_per_cpu_s = (double)steps / ((double)cpu / 1e9),
                       .steps_per_commit = (double)steps / commits,
                       .bytes_per_commit = (double)written / commits};
    if (out->bytes_per_commit < 1 || strncmp(after.engine, "sqlite", 6) != 0)
        out->bytes_per_commit =
            (double)(DELTA_BYTES + EVENTS * EVENT_BYTES + TASKS * 64 + 128) * out->steps_per_commit;
    raw_syncs(folder, (size_t)out->bytes_per_commit, 400, all);
    out->raw_p50 = percentile(all, 0.5);
    out->raw_p99 = percentile(all, 0.99);
    return ok;
}

static void print_row(int n, const figures_t *f)
{
    printf("%5d  %8.3f %8.3f  %9.0f  %10.0f  %7.1f  %9.1f  %8.3f %8.3f  %6.2f %6.2f\n", n, f->p50, f->p99,
           f->steps_per_s, f->steps_per_cpu_s, f->steps_per_commit, f->bytes_per_commit / 1024, f->raw_p50,
           f->raw_p99, f->p50 / f->raw_p50, f->p99 / f->raw_p99);
    fflush(stdout);
}

static bool bench(store_t *store, const char *folder, double seconds)
{
    static const int runs[] = {1, 2, 4, 8, 16, 32, 64};
    driver_t *drivers = calloc(RUNS_MAX, sizeof *drivers);
    samples_t all = {.ms = calloc(SAMPLES_MAX, sizeof(double))};
    for (int i = 0; i < RUNS_MAX; i++)
        drivers[i].samples.ms = calloc(SAMPLES_MAX / RUNS_MAX, sizeof(double));
    double best = 0, worst_p99 = 0;
    bool ok = true;
    printf(" runs    p50 ms   p99 ms    steps/s  steps/cpu-s  steps/tx  KiB/tx    raw p50  raw p99   p50 x  "
           "p99 x\n");
    for (size_t i = 0; ok && i < sizeof runs / sizeof runs[0]; i++) {
        figures_t f = {0};
        ok = measure(store, folder, drivers, runs[i], (int)i, seconds, &all, &f);
        print_row(runs[i], &f);
        if (f.steps_per_cpu_s > best && f.steps_per_s >= target_steps_per_core)
            best = f.steps_per_cpu_s;
        if (runs[i] == 1)
            worst_p99 = f.p99;
    }
    bool latency = ok && worst_p99 < target_p99_ms, rate = ok && best >= target_steps_per_core;
    printf("durable superstep p99, one run: %.3f ms (target < %.0f): %s\n", worst_p99, target_p99_ms,
           latency ? "met" : "MISSED");
    printf("durable steps per second and core, group commit: %.0f (target >= %.0f): %s\n", best,
           target_steps_per_core, rate ? "met" : "MISSED");
    for (int i = 0; i < RUNS_MAX; i++)
        free(drivers[i].samples.ms);
    free(drivers);
    free(all.ms);
    return latency && rate;
}

static const nv_option_t options[] = {
    {.name = "folder",
     .fallback = ".",
     .placeholder = "DIR",
     .help = "where the database and the raw file are made"},
    {.name = "url", .placeholder = "URL", .help = "another store than SQLite in the folder (postgresql:…)"},
    {.name = "postgres",
     .type = NV_OPTION_BOOL,
     .help = "PostgreSQL: a real server of its own, started and stopped here, as the tests do"},
    {.name = "seconds",
     .type = NV_OPTION_INT,
     .fallback = "3",
     .min = 1,
     .max = 600,
     .help = "length of each row"},
    {.name = "check",
     .type = NV_OPTION_BOOL,
     .fallback = "true",
     .help = "do not exit 1 where a target is missed (on a busy machine)"},
};
static const nv_config_schema_t schema = {.program = "bench_store",
                                          .usage = "[OPTION]…",
                                          .summary = "Measures durable supersteps beside raw fdatasync.",
                                          .options = options,
                                          .n_options = sizeof options / sizeof options[0]};

static int run(const store_options_t *store_options, const char *folder, const nv_config_t *config)
{
    nv_error_t err = NV_ERROR_INIT;
    store_t *store;
    if (!store_open(store_options, &store, &err)) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    store_status_t status;
    store_get_status(store, &status);
    printf("%s, %s, %ld processors\n", status.engine, status.location, sysconf(_SC_NPROCESSORS_ONLN));
    bool ok = bench(store, folder, (double)nv_config_int(config, "seconds"));
    store_close(store);
    return !ok && nv_config_bool(config, "check");
}

int main(int argc, char **argv)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("bench");
    nv_config_t *config = nv_config_main(ctx, &schema, argc, argv);
    bool postgres = nv_config_bool(config, "postgres");
    char *folder = nv_printf(ctx, "%s/nv_bench_XXXXXX", nv_config_string(config, "folder"));
    if (!mkdtemp(folder)) {
        perror(folder);
        return 1;
    }
    const char *url = nv_config_string(config, "url");
    char fresh[512];
    if (postgres && !server_start()) {
        fprintf(stderr, "no PostgreSQL server could be started\n");
        return 1;
    }
    if (postgres)
        server_fresh(fresh, sizeof fresh);
    store_options_t options_of = {.url = postgres ? fresh
                                         : url    ? url
                                                  : nv_printf(ctx, "sqlite:%s/bench.db", folder)};
    int status = run(&options_of, folder, config);
    if (postgres && !server_do("stop"))
        status = 1;
    return system(nv_printf(ctx, "rm -rf '%s'", folder)) != 0 || status;
}
