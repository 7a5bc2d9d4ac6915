/* sim [--seeds N] [--from N] [--seed N] [--verbose] [--mutation NAME] [--mutations] */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sim.h"

typedef struct totals {
    uint64_t results, stale, redelivered, unknown, conflicts, crashes, retries, restored, resumed, takeovers,
        deposed, documents_deleted, documents_missing, runs_deleted;
    int64_t simulated_ms;
} totals_t;

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void add(totals_t *totals, const sim_t *sim)
{
    totals->results += sim->results;
    totals->stale += sim->stale_refused;
    totals->redelivered += sim->redelivered;
    totals->unknown += sim->unknown_commits;
    totals->conflicts += sim->conflicts;
    totals->crashes += sim->crashes;
    totals->retries += sim->retries;
    totals->restored += sim->restored;
    totals->resumed += sim->resumed;
    totals->takeovers += sim->takeovers;
    totals->deposed += sim->deposed;
    totals->documents_deleted += sim->documents_deleted;
    totals->documents_missing += sim->documents_missing;
    totals->runs_deleted += sim->runs_deleted;
    totals->simulated_ms += sim->now;
}

static int run_seeds(sim_t *sim, uint64_t from, uint64_t count)
{
    totals_t totals = {0};
    double start = seconds();
    for (uint64_t seed = from; seed < from + count; seed++) {
        bool ok = sim_run(sim, seed);
        add(&totals, sim);
        if (!ok) {
            printf("seed %" PRIu64 ": %s\n  replay: sim --seed %" PRIu64 " --verbose\n", seed, sim->violation,
                   seed);
            return 1;
        }
    }
    printf("%" PRIu64 " seeds in %.1f s, %.1f hours simulated; all invariants held\n", count,
           seconds() - start, (double)totals.simulated_ms / 3.6e6);
    printf("met on the way: %" PRIu64 " results taken, %" PRIu64 " stale ones refused, %" PRIu64
           " redeliveries, %" PRIu64 " retries, %" PRIu64 " unknown commits, %" PRIu64
           " refused commits, %" PRIu64 " crashes, %" PRIu64 " leases read back, %" PRIu64
           " of them resumed, %" PRIu64 " changes of leader, %" PRIu64
           " writes of deposed ones refused, %" PRIu64 " documents and %" PRIu64 " runs deleted, %" PRIu64
           " documents found gone\n",
           totals.results, totals.stale, totals.redelivered, totals.retries, totals.unknown, totals.conflicts,
           totals.crashes, totals.restored, totals.resumed, totals.takeovers, totals.deposed,
           totals.documents_deleted, totals.runs_deleted, totals.documents_missing);
    return 0;
}

/* Each defect must be seen within some seeds. */
static int run_mutations(sim_t *sim)
{
    int missed = 0;
    for (mutation_t mutation = MUTATION_NONE + 1; mutation < MUTATIONS; mutation++) {
        uint64_t seed = 1;
        sim->mutation = mutation;
        while (seed <= 2000 && sim_run(sim, seed))
            seed++;
        if (seed <= 2000)
            printf("%-16s seen at seed %" PRIu64 ": %s\n", mutation_names[mutation], seed, sim->violation);
        else
            printf("%-16s NOT SEEN in 2000 seeds\n", mutation_names[mutation]);
        missed += seed > 2000;
    }
    return missed > 0;
}

static mutation_t mutation_of(const char *name)
{
    for (mutation_t mutation = 0; mutation < MUTATIONS; mutation++)
        if (strcmp(name, mutation_names[mutation]) == 0)
            return mutation;
    fprintf(stderr, "unknown mutation \"%s\"\n", name);
    exit(64);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"seeds", required_argument, NULL, 'n'},
        {"from", required_argument, NULL, 'f'},
        {"seed", required_argument, NULL, 's'},
        {"verbose", no_argument, NULL, 'v'},
        {"mutation", required_argument, NULL, 'm'},
        {"mutations", no_argument, NULL, 'a'},
        {0},
    };
    sim_t *sim = calloc(1, sizeof *sim);
    if (!sim)
        abort();
    uint64_t count = 1000, from = 1;
    bool all = false;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 'n':
            count = strtoull(optarg, NULL, 10);
            break;
        case 'f':
            from = strtoull(optarg, NULL, 10);
            break;
        case 's':
            from = strtoull(optarg, NULL, 10);
            count = 1;
            break;
        case 'v':
            sim->verbose = true;
            break;
        case 'm':
            sim->mutation = mutation_of(optarg);
            break;
        case 'a':
            all = true;
            break;
        default:
            fprintf(
                stderr,
                "usage: sim [--seeds N] [--from N] [--seed N] [--verbose] [--mutation NAME] [--mutations]\n");
            return 64;
        }
    }
    int status = all ? run_mutations(sim) : run_seeds(sim, from, count);
    free(sim);
    return status;
}
