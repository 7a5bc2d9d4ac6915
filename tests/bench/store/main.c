/* Durable supersteps: latency and throughput of group commit, beside raw fdatasync of the same bytes on the same disk.
 *
 * Closed loop: each of n runs commits supersteps one after the other (a checkpoint delta, events, tasks, pending writes), as
 * fast as it can. After each round, the bytes that one transaction wrote are appended to a plain file and synced as often, in
 * the same folder: what the disk could do at best. Open loop: supersteps arrive at a fixed rate; the latency counts from when
 * each was due. Prints figures and ratios; exits 1 where a target is missed.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/config/config.h"
#include "tests/bench/store/bench.h"
#include "tests/unit/controlplane/store/postgres_server.h"

static const double target_p99_ms = 5.0, target_steps_per_core = 2000;

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

/* ---- closed loop ---- */

typedef struct driver {
    store_t *store;
    int64_t until_ns;
    superstep_t superstep;
    samples_t samples;
    bool failed;
} driver_t;

static void *drive(void *arg)
{
    driver_t *d = arg;
    nv_error_t err = NV_ERROR_INIT;
    while (bench_now_ns(CLOCK_MONOTONIC) < d->until_ns) {
        int64_t from = bench_now_ns(CLOCK_MONOTONIC);
        superstep_next(&d->superstep);
        if (!store_commit(d->store, &d->superstep.batch, NULL, &err)) {
            fprintf(stderr, "%s\n", err.message);
            d->failed = true;
            break;
        }
        d->superstep.step++;
        if (d->samples.count < SAMPLES_MAX / RUNS_MAX)
            d->samples.ms[d->samples.count++] = (double)(bench_now_ns(CLOCK_MONOTONIC) - from) / 1e6;
    }
    return NULL;
}

static bool create_runs(store_t *store, driver_t *drivers, int n, int round)
{
    nv_error_t err = NV_ERROR_INIT;
    for (int i = 0; i < n; i++) {
        snprintf(drivers[i].superstep.run_id, sizeof drivers[i].superstep.run_id, "round%d-run%d", round, i);
        drivers[i].samples.count = 0;
        drivers[i].store = store;
        if (!superstep_create(&drivers[i].superstep, store, &err)) {
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
        int64_t from = bench_now_ns(CLOCK_MONOTONIC);
        if (write(fd, data, bytes) != (ssize_t)bytes || fdatasync(fd) != 0) {
            perror(path);
            break;
        }
        out->ms[out->count++] = (double)(bench_now_ns(CLOCK_MONOTONIC) - from) / 1e6;
    }
    free(data);
    if (fd >= 0)
        close(fd);
    unlink(path);
    samples_sort(out);
}

/* ---- one row of the table ---- */

typedef struct figures {
    double p50, p99, steps_per_s, steps_per_cpu_s, steps_per_commit, bytes_per_commit, raw_p50, raw_p99;
} figures_t;

/* What a transaction writes: as counted, or, where a server writes it, what it is made of. */
static double bytes_of(const store_status_t *status, int64_t written, double commits, double steps_per_commit)
{
    double bytes = commits > 0 ? (double)written / commits : 0;
    if (bytes >= 1 && strncmp(status->engine, "sqlite", 6) == 0)
        return bytes;
    return (double)(DELTA_BYTES + EVENTS * EVENT_BYTES + TASKS * 64 + 128) * steps_per_commit;
}

static bool measure(store_t *store, const char *folder, driver_t *drivers, int n, int round, double seconds,
                    int server_pid, samples_t *all, figures_t *out)
{
    pthread_t threads[RUNS_MAX];
    store_status_t before, after;
    if (!create_runs(store, drivers, n, round))
        return false;
    store_get_status(store, &before);
    int64_t written = bytes_written(), wall = bench_now_ns(CLOCK_MONOTONIC), cpu = bench_cpu_ns(server_pid);
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
        steps += drivers[i].superstep.step;
        memcpy(all->ms + all->count, drivers[i].samples.ms, drivers[i].samples.count * sizeof *all->ms);
        all->count += drivers[i].samples.count;
    }
    wall = bench_now_ns(CLOCK_MONOTONIC) - wall;
    cpu = bench_cpu_ns(server_pid) - cpu;
    written = bytes_written() - written;
    store_get_status(store, &after);
    samples_sort(all);
    double commits = (double)(after.commits - before.commits);
    *out = (figures_t){.p50 = percentile(all, 0.5),
                       .p99 = percentile(all, 0.99),
                       .steps_per_s = (double)steps / ((double)wall / 1e9),
                       .steps_per_cpu_s = (double)steps / ((double)cpu / 1e9),
                       .steps_per_commit = (double)steps / commits,
                       .bytes_per_commit = bytes_of(&after, written, commits, (double)steps / commits)};
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

static bool closed_rows(store_t *store, const char *folder, double seconds, int server_pid, samples_t *all,
                        double *p99_of_one)
{
    static const int runs[] = {1, 2, 4, 8, 16, 32, 64};
    driver_t *drivers = calloc(RUNS_MAX, sizeof *drivers);
    for (int i = 0; i < RUNS_MAX; i++)
        drivers[i].samples.ms = calloc(SAMPLES_MAX / RUNS_MAX, sizeof(double));
    bool ok = true;
    printf("closed loop: each run commits as fast as it can; n runs wait n / throughput at least\n");
    printf(" runs    p50 ms   p99 ms    steps/s  steps/cpu-s  steps/tx  KiB/tx    raw p50  raw p99   p50 x  "
           "p99 x\n");
    for (size_t i = 0; ok && i < sizeof runs / sizeof runs[0]; i++) {
        figures_t f = {0};
        ok = measure(store, folder, drivers, runs[i], (int)i, seconds, server_pid, all, &f);
        print_row(runs[i], &f);
        if (runs[i] == 1)
            *p99_of_one = f.p99;
    }
    for (int i = 0; i < RUNS_MAX; i++)
        free(drivers[i].samples.ms);
    free(drivers);
    return ok;
}

/* One row, and then the disk alone with as many bytes to each sync: nothing durable can be quicker than that. */
static bool open_row(store_t *store, const char *folder, const char *name, double rate, double seconds,
                     int server_pid, samples_t *all, open_figures_t *f, nv_error_t *err)
{
    store_status_t before, after;
    store_get_status(store, &before);
    int64_t written = bytes_written();
    if (!open_loop(store, name, rate, seconds, server_pid, all, f, err))
        return false;
    written = bytes_written() - written;
    store_get_status(store, &after);
    double bytes = bytes_of(&after, written, (double)(after.commits - before.commits), f->steps_per_commit);
    raw_syncs(folder, (size_t)bytes, 400, all);
    f->raw_p99 = percentile(all, 0.99);
    printf("%7.0f  %8.3f %8.3f %8.3f  %9.0f  %11.0f  %8.1f  %6.1f  %9.3f %8.3f  %6.2f\n", rate, f->p50,
           f->p99, f->max, f->steps_per_s, f->steps_per_cpu_s, f->steps_per_commit, bytes / 1024,
           percentile(all, 0.5), f->raw_p99, f->p99 / f->raw_p99);
    fflush(stdout);
    return true;
}

static bool open_rows(store_t *store, const char *folder, double seconds, int server_pid, samples_t *all,
                      open_figures_t *at_target)
{
    static const double loads[] = {0.1, 0.25, 0.5, 1, 2};
    double target = target_steps_per_core * (double)sysconf(_SC_NPROCESSORS_ONLN);
    nv_error_t err = NV_ERROR_INIT;
    printf("open loop: steps of %d runs arrive at a fixed rate, timed from when each was due\n", RUNS_MAX);
    printf(
        " rate/s    p50 ms   p99 ms   max ms    steps/s  steps/cpu-s  steps/tx  KiB/tx    raw p50  raw p99  "
        " p99 x\n");
    for (size_t i = 0; i < sizeof loads / sizeof loads[0]; i++) {
        char name[16];
        open_figures_t f;
        snprintf(name, sizeof name, "open%zu", i);
        if (!open_row(store, folder, name, target * loads[i], seconds, server_pid, all, &f, &err)) {
            fprintf(stderr, "%s\n", err.message);
            return false;
        }
        if (loads[i] >= 0.99 && loads[i] <= 1.01)
            *at_target = f;
    }
    return true;
}

static bool verdict(const char *what, double value, double target, bool below)
{
    bool met = below ? value < target : value >= target;
    printf("%s: %.3f (target %s %.0f): %s\n", what, value, below ? "<" : ">=", target,
           met ? "met" : "MISSED");
    return met;
}

/* A server that has just been made writes each 16 MB of its log for the first time, zeros before the records, and whoever
 * commits meanwhile waits for it; from its first checkpoint on it uses the files again. */
static bool season_server(void)
{
    char conninfo[sizeof server_dir + 64];
    snprintf(conninfo, sizeof conninfo, "host=%s user=nuvyn dbname=postgres", server_dir);
    PGconn *conn = PQconnectdb(conninfo);
    PGresult *result = PQexec(conn, "CHECKPOINT");
    bool ok = PQresultStatus(result) == PGRES_COMMAND_OK;
    if (!ok)
        fprintf(stderr, "CHECKPOINT: %s", PQerrorMessage(conn));
    PQclear(result);
    PQfinish(conn);
    return ok;
}

static bool bench(store_t *store, const char *folder, double seconds, int server_pid)
{
    samples_t all = {.ms = calloc(SAMPLES_MAX, sizeof(double))};
    open_figures_t at_target = {0};
    double p99_of_one = 0;
    bool ok = closed_rows(store, folder, seconds, server_pid, &all, &p99_of_one) &&
              (server_pid == 0 || season_server()) &&
              open_rows(store, folder, seconds, server_pid, &all, &at_target);
    free(all.ms);
    if (!ok)
        return false;
    ok = verdict("durable superstep, one run, p99 ms", p99_of_one, target_p99_ms, true);
    ok &= verdict("durable superstep at the target rate on every core, p99 ms", at_target.p99, target_p99_ms,
                  true);
    printf("  of which the disk alone, with as many bytes to a sync, p99 ms: %.3f\n", at_target.raw_p99);
    ok &= verdict("durable steps per second of processor time at that rate", at_target.steps_per_cpu_s,
                  target_steps_per_core, false);
    return ok;
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

/* Of the server that was started here. */
static int server_pid(void)
{
    char path[sizeof server_dir + 32];
    int pid = 0;
    snprintf(path, sizeof path, "%s/data/postmaster.pid", server_dir);
    FILE *file = fopen(path, "re");
    if (!file || fscanf(file, "%d", &pid) != 1)
        fprintf(stderr, "%s: no process id: the server's processor time is not counted\n", path);
    if (file)
        fclose(file);
    return pid;
}

static int run(const store_options_t *store_options, const char *folder, int server_pid,
               const nv_config_t *config)
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
    store_leader_t wanted = {.owner = "bench", .address = "bench"}, leader;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("lead");
    bool leads = false; /* as a control plane does, which costs each transaction a statement */
    if (!store_leader_claim(store, ctx, &wanted, 3600000, &leads, &leader, &err) || !leads) {
        fprintf(stderr, "not leading: %s\n", err.message);
        store_close(store);
        return 1;
    }
    bool ok = bench(store, folder, (double)nv_config_int(config, "seconds"), server_pid);
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
    int status = run(&options_of, folder, postgres ? server_pid() : 0, config);
    if (postgres && !server_do("stop"))
        status = 1;
    return system(nv_printf(ctx, "rm -rf '%s'", folder)) != 0 || status;
}
