/* bench_learning [--systems N] [--verbose]: is it worth to remember? The ablation of the knowledge base.
 *
 * N generated source systems (seeds 1 … N), each over four data sets that come one after the other: a first one, in which a person
 * corrects what no data can tell; the same tables a quarter later; the same with one more column in each table; and another system
 * altogether. Everything twice, with the knowledge base and without. Deterministic. Exit status 1 where memory does not spare the
 * corrections of tables that it knows, changes a design that it should not know, or a case enters whose run was not proven. */
#include "tests/bench/learning/sitting.h"
#include "tests/property/case.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SYSTEMS = 12, SYSTEMS_MAX = 500, SETS = 4, STRANGER = 1000, TREE_FDS = 16 };

static const char *const set_names[SETS] = {"first", "same tables, later", "one more column each",
                                            "another system"};

typedef struct tally {
    int runs, wishes, corrections, rounds, known, learned;
    double score;
} tally_t;

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)info, (void)kind, (void)place;
    return remove(path);
}

static bool write_set(nv_mem_t *ctx, uint64_t seed, int set, const char *folder, nv_error_t *err)
{
    const source_case_t *source = case_generate(ctx, set == 3 ? seed + STRANGER : seed);
    case_style_t style = {.shuffle = set == 1 || set == 2 ? seed + 77 : 0,
                          .left_out = set == 1 || set == 2 ? 0.15 : 0,
                          .added = set == 2 ? "loaded_by" : NULL};
    return case_write(source, 1, folder, style, err);
}

static bool run_system(nv_mem_t *ctx, uint64_t seed, bool remembers, const char *folder, tally_t *tallies,
                       bool verbose, nv_error_t *err)
{
    char *url = nv_printf(ctx, "sqlite:%s/memory-%llu.db", folder, (unsigned long long)seed);
    store_t *store = NULL;
    store_options_t options = {.url = url, .vector_extension = NUVYN_HOME "/sqlite-vec/vec0.so"};
    if (remembers && !store_open(&options, &store, err))
        return false;
    bool ok = true;
    for (int set = 0; ok && set < SETS; set++) {
        char *data = nv_printf(ctx, "%s/%llu-%d-%d", folder, (unsigned long long)seed, remembers, set);
        sitting_t sitting = {.folder = data,
                             .run_id = nv_printf(ctx, "r-%llu-%d", (unsigned long long)seed, set),
                             .memory = store,
                             .verbose = verbose};
        if (verbose)
            printf("seed %llu, %s, memory %s\n", (unsigned long long)seed, set_names[set],
                   remembers ? "on" : "off");
        sitting_result_t result;
        ok = write_set(ctx, seed, set, data, err) && sitting_run(&sitting, &result, err);
        tally_t *tally = &tallies[set];
        if (!ok)
            break;
        tally->runs++;
        tally->wishes += result.wishes;
        tally->corrections += result.corrections;
        tally->rounds += result.rounds;
        tally->score += result.score;
        tally->known += result.known;
        tally->learned += result.learned;
        if (!result.proven && result.learned > 0)
            ok = nv_fail(err, NV_INTERNAL, "%s: a case was kept of a run that was not proven", data);
        if (result.known && result.corrections > 0)
            ok = nv_fail(err, NV_INTERNAL, "%s: what a person corrected before had to be corrected again",
                         data);
    }
    store_close(store);
    return ok;
}

static void print_table(tally_t tallies[2][SETS])
{
    printf("%-24s %-7s %5s %12s %12s %7s %6s %6s\n", "data set", "memory", "runs", "wishes met",
           "corrections", "designs", "score", "cases");
    for (int set = 0; set < SETS; set++)
        for (int remembers = 0; remembers < 2; remembers++) {
            const tally_t *t = &tallies[remembers][set];
            char met[32];
            snprintf(met, sizeof met, "%d of %d", t->wishes - t->corrections, t->wishes);
            printf("%-24s %-7s %5d %6d %12s %12d %8.2f %6.1f %6d\n", remembers ? "" : set_names[set],
                   remembers ? "on" : "off", t->runs, t->known, met, t->corrections,
                   (double)t->rounds / t->runs, t->score / t->runs, t->learned);
        }
}

/* Of tables that it knows nothing has to be corrected again (run_system sees to that), of nearly the same ones less; of another
 * system it must not know the design, and may spare corrections only. */
static bool is_worth_it(tally_t tallies[2][SETS])
{
    const tally_t *off = tallies[0], *on = tallies[1];
    bool spares = on[1].known > 0 && on[1].corrections < off[1].corrections && on[1].rounds < off[1].rounds &&
                  on[2].corrections < off[2].corrections;
    bool harmless = on[0].corrections == off[0].corrections && on[0].known == 0 &&
                    on[3].corrections <= off[3].corrections && on[3].known == 0;
    printf("%s\n", !spares     ? "FAILED: the knowledge base spares nothing"
                   : !harmless ? "FAILED: the knowledge base changes what it should not know"
                               : "nothing was corrected twice where the tables were known, less where they "
                                 "were nearly so; another system is not taken for a known one");
    return spares && harmless;
}

int main(int argc, char **argv)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("learning");
    nv_error_t err = NV_ERROR_INIT;
    char folder[] = "/tmp/nuvyn-learning-XXXXXX";
    tally_t tallies[2][SETS] = {0};
    bool verbose = argc > 1 && strcmp(argv[argc - 1], "--verbose") == 0;
    int given = argc - verbose;
    long systems = given == 3 && strcmp(argv[1], "--systems") == 0 ? strtol(argv[2], NULL, 10) : SYSTEMS;
    if ((given != 1 && given != 3) || systems < 1 || systems > SYSTEMS_MAX || !mkdtemp(folder)) {
        fprintf(stderr, "usage: bench_learning [--systems 1…%d] [--verbose]\n", SYSTEMS_MAX);
        return 64;
    }
    bool ok = true;
    for (int remembers = 0; ok && remembers < 2; remembers++)
        for (long seed = 1; ok && seed <= systems; seed++)
            ok = run_system(ctx, (uint64_t)seed, remembers, folder, tallies[remembers], verbose, &err);
    nftw(folder, remove_entry, TREE_FDS, FTW_DEPTH | FTW_PHYS);
    if (!ok) {
        fprintf(stderr, "bench_learning: %s\n", err.message);
        return nv_code_exit_status(err.code);
    }
    print_table(tallies);
    return is_worth_it(tallies) ? 0 : 1;
}
