/* Profiling with all its evidence against DuckDB's SUMMARIZE over the same file, in the same run, each in a process of its
 * own with the same number of threads.
 *
 * bench_profile [--mb 1024] [--threads 2] [--dir /tmp] [--kind lineitem|mixed|both] [--keep]
 * Exit status 1 when the ratio is below 2 or the profile took 1 GB of memory or more.
 */
#include <duckdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "generate.h"
#include "worker/profiling/profile.h"

typedef struct bench_config {
    int64_t megabytes;
    int threads;
    const char *dir;
    const char *kind;
    bool keep;
} bench_config_t;

typedef struct measured {
    double seconds;
    double cpu; /* user and system seconds: what counts on a machine with other work */
    double peak_mb;
    bool ok;
} measured_t;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool run_sql(duckdb_connection connection, const char *sql)
{
    duckdb_result result;
    bool ok = duckdb_query(connection, sql, &result) == DuckDBSuccess;
    if (!ok)
        fprintf(stderr, "%s\n", duckdb_result_error(&result));
    duckdb_destroy_result(&result);
    return ok;
}

static bool summarize(const char *path, int threads)
{
    duckdb_database db;
    duckdb_connection connection;
    if (duckdb_open(NULL, &db) != DuckDBSuccess || duckdb_connect(db, &connection) != DuckDBSuccess)
        return false;
    char sql[4200];
    snprintf(sql, sizeof sql, "SET threads = %d", threads);
    bool ok = run_sql(connection, sql);
    snprintf(sql, sizeof sql, "SUMMARIZE SELECT * FROM read_csv('%s')", path);
    ok = ok && run_sql(connection, sql);
    duckdb_disconnect(&connection);
    duckdb_close(&db);
    return ok;
}

static bool profile(const char *path, int threads)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("bench");
    nv_error_t err = NV_ERROR_INIT;
    Nv__SourceFile file = NV__SOURCE_FILE__INIT;
    file.path = nv_strdup(ctx, path);
    struct stat info;
    file.bytes = stat(path, &info) == 0 ? info.st_size : 0; /* as the survey says it */
    Nv__SourceFile *files[] = {&file};
    Nv__SurveyTable table = NV__SURVEY_TABLE__INIT;
    table.name = nv_strdup(ctx, "bench");
    table.files = files;
    table.n_files = 1;
    profile_options_t options = {.threads = threads};
    Nv__TableProfile *out;
    if (!profile_table(ctx, &options, &table, &out, &err)) {
        fprintf(stderr, "%s\n", err.message);
        return false;
    }
    printf("    %lld rows, %zu columns, %zu keys, %zu dependencies, %lld rejected\n",
           (long long)out->row_count, out->n_columns, out->n_unique_sets, out->n_dependencies,
           (long long)out->rejected_count);
    return true;
}

/* Runs one of the two in a child and measures it. */
static measured_t measure(bool (*work)(const char *, int), const char *path, int threads)
{
    fflush(stdout);
    double start = now();
    pid_t child = fork();
    if (child == 0) {
        bool ok = work(path, threads);
        fflush(stdout);
        _exit(ok ? 0 : 1);
    }
    int status = 1;
    struct rusage usage = {0};
    bool waited = child > 0 && wait4(child, &status, 0, &usage) == child;
    return (measured_t){.seconds = now() - start,
                        .cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                               (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6,
                        .peak_mb = (double)usage.ru_maxrss / 1024,
                        .ok = waited && WIFEXITED(status) && WEXITSTATUS(status) == 0};
}

static bool bench(const bench_config_t *config, const char *kind)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/nuvyn-bench-%s-%lld.csv", config->dir, kind,
             (long long)config->megabytes);
    nv_error_t err = NV_ERROR_INIT;
    if (access(path, R_OK) != 0 && !generate_csv(path, kind, config->megabytes << 20, &err)) {
        fprintf(stderr, "%s\n", err.message);
        return false;
    }
    printf("%s, %lld MB, %d threads\n", kind, (long long)config->megabytes, config->threads);
    measured_t theirs = measure(summarize, path, config->threads);
    printf("  duckdb SUMMARIZE  %7.2f s  %6.2f s cpu  %6.0f MB/s  peak %5.0f MB%s\n", theirs.seconds,
           theirs.cpu, (double)config->megabytes / theirs.seconds, theirs.peak_mb,
           theirs.ok ? "" : "  FAILED");
    measured_t ours = measure(profile, path, config->threads);
    printf("  nuvyn profile     %7.2f s  %6.2f s cpu  %6.0f MB/s  peak %5.0f MB%s\n", ours.seconds, ours.cpu,
           (double)config->megabytes / ours.seconds, ours.peak_mb, ours.ok ? "" : "  FAILED");
    printf("  ratio             %7.2f, by processor time %.2f (wanted: 2 or more, below 1024 MB)\n",
           theirs.seconds / ours.seconds, theirs.cpu / ours.cpu);
    if (!config->keep)
        unlink(path);
    return theirs.ok && ours.ok && theirs.seconds >= 2 * ours.seconds && ours.peak_mb < 1024;
}

static bool parse(int argc, char **argv, bench_config_t *out)
{
    *out = (bench_config_t){.megabytes = 1024, .threads = 2, .dir = "/tmp", .kind = "both"};
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "--keep") == 0) {
            out->keep = true;
            continue;
        }
        if (!value)
            return false;
        i++;
        if (strcmp(argv[i - 1], "--mb") == 0)
            out->megabytes = strtoll(value, NULL, 10);
        else if (strcmp(argv[i - 1], "--threads") == 0)
            out->threads = atoi(value);
        else if (strcmp(argv[i - 1], "--dir") == 0)
            out->dir = value;
        else if (strcmp(argv[i - 1], "--kind") == 0)
            out->kind = value;
        else
            return false;
    }
    return out->megabytes > 0 && out->threads > 0;
}

int main(int argc, char **argv)
{
    bench_config_t config;
    if (!parse(argc, argv, &config)) {
        fprintf(stderr, "usage: bench_profile [--mb N] [--threads N] [--dir DIR] [--kind "
                        "lineitem|mixed|both] [--keep]\n");
        return 64;
    }
    static const char *const kinds[] = {"lineitem", "mixed"};
    bool good = true;
    for (size_t i = 0; i < 2; i++)
        if (strcmp(config.kind, "both") == 0 || strcmp(config.kind, kinds[i]) == 0)
            good &= bench(&config, kinds[i]);
    return good ? 0 : 1;
}
