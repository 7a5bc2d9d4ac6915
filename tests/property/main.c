/* property_star [--seed N] [--cases N] [--jobs N] [--write DIR]: hundreds of generated source systems from raw files to a star,
 * each held against the laws of laws.c and a naive third computation. Seeds are 1 … N; a failing one is named, with what was seen,
 * and replays alone by --seed (--write then keeps its files). Exit status 1 when a law is broken. */
#include "tests/property/laws.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { JOBS_MAX = 16, TREE_FDS = 16 };

typedef struct options {
    uint64_t first, last;
    int jobs;
    const char *write;
} options_t;

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)info, (void)kind, (void)place;
    return remove(path);
}

static bool run_case(uint64_t seed, const char *write, laws_tally_t *tally)
{
    char folder[] = "/tmp/nuvyn-property-XXXXXX";
    nv_error_t err = NV_ERROR_INIT;
    if (!write && !mkdtemp(folder)) {
        fprintf(stderr, "property_star: %s: %s\n", folder, strerror(errno));
        return false;
    }
    if (write)
        mkdir(write, 0755);
    bool ok = laws_hold(seed, write ? write : folder, tally, &err);
    if (!ok)
        printf("seed %llu: %s\n", (unsigned long long)seed, err.message);
    fflush(stdout);
    if (!write)
        nftw(folder, remove_entry, TREE_FDS, FTW_DEPTH | FTW_PHYS);
    return ok;
}

/* A process of its own per job: cases share nothing. */
static void run_job(const options_t *options, int job, laws_tally_t *tally, int *broken)
{
    for (uint64_t seed = options->first + (uint64_t)job; seed <= options->last;
         seed += (uint64_t)options->jobs)
        *broken += !run_case(seed, options->write, tally);
}

static int run_all(const options_t *options)
{
    size_t size = sizeof(laws_tally_t) + sizeof(int);
    char *shared = mmap(NULL, size * JOBS_MAX, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    laws_tally_t total = {0};
    int broken = 0;
    pid_t pids[JOBS_MAX];
    if (shared == MAP_FAILED)
        return 70;
    laws_tally_t *tallies = (laws_tally_t *)(void *)shared;
    int *counts = (int *)(void *)(shared + sizeof(laws_tally_t) * JOBS_MAX);
    for (int job = 0; job < options->jobs; job++)
        if ((pids[job] = fork()) == 0) {
            run_job(options, job, &tallies[job], &counts[job]);
            _exit(0);
        }
    for (int job = 0; job < options->jobs; job++) {
        int status = -1;
        bool ended = pids[job] > 0 && waitpid(pids[job], &status, 0) == pids[job] && WIFEXITED(status);
        broken += ended ? counts[job] : 1;
        if (!ended)
            printf("job %d died (status %d)\n", job, status);
        total.cases += tallies[job].cases;
        total.checks += tallies[job].checks;
        total.comparisons += tallies[job].comparisons;
        total.facts += tallies[job].facts;
        total.dimensions += tallies[job].dimensions;
        total.bridges += tallies[job].bridges;
        total.histories += tallies[job].histories;
        total.policies += tallies[job].policies;
        total.stopped += tallies[job].stopped;
    }
    printf("%d cases (%d dimensions, %d facts, %d bridges, %d histories looked at, %d policies, %d loads "
           "rightly "
           "stopped), %d checks of the Tester, %d comparisons, %d broken\n",
           total.cases, total.dimensions, total.facts, total.bridges, total.histories, total.policies,
           total.stopped, total.checks, total.comparisons, broken);
    return broken || total.cases == 0 ? 1 : 0;
}

static bool read_options(int argc, char **argv, options_t *out)
{
    *out = (options_t){.first = 1, .last = 200, .jobs = 2};
    for (int i = 1; i + 1 < argc; i += 2) {
        unsigned long long n = strtoull(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--seed") == 0)
            out->first = out->last = n;
        else if (strcmp(argv[i], "--cases") == 0)
            out->last = n;
        else if (strcmp(argv[i], "--jobs") == 0 && n >= 1 && n <= JOBS_MAX)
            out->jobs = (int)n;
        else if (strcmp(argv[i], "--write") == 0)
            out->write = argv[i + 1];
        else
            return false;
    }
    if (out->write && out->first != out->last)
        return false;
    out->jobs = out->first == out->last ? 1 : out->jobs;
    return argc % 2 == 1;
}

int main(int argc, char **argv)
{
    options_t options;
    if (!read_options(argc, argv, &options)) {
        fprintf(stderr, "usage: property_star [--seed N [--write DIR]] [--cases N] [--jobs 1…%d]\n",
                JOBS_MAX);
        return 64;
    }
    return run_all(&options);
}
