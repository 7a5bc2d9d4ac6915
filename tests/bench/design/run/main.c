/* bench_design [--safe] [--quiet] [--sketches] [--svg FILE] DIR…: profiles, relates and designs every set under DIR (a folder of CSVs with a
 * truth.json, or a folder of such folders) with the product's own parts, and prints precision, recall and F1 of the foreign keys,
 * accuracy of primary keys and roles, what was wrong, times, and how the stated probabilities compare to what came true.
 *
 * Vacuous foreign keys (no row carries a value) count only when found; optional ones never; alternate keys and roles as the truth
 * says. Exit status 1 when a set cannot be run. */
#include "tests/bench/design/reliability.h"
#include "tests/bench/design/truth.h"
#include "worker/design/design.h"
#include "worker/design/star_rules.h"
#include "worker/design/sttm_check.h"
#include "worker/discovery/discovery.h"
#include "worker/profiling/profile.h"
#include "worker/rawdata/rawdata.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

typedef struct bench {
    bool safe, quiet, sketches;
    score_t total;
    double f1_sum, pk_sum, role_sum, least_f1;
    int sets, below, problems, rules;
    reliability_t joins, keys, roles;
    double seconds[3]; /* profile; keys, joins and roles; star and mapping */
    const char *svg;   /* where the plot goes, or NULL */
} bench_t;

static double now(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static const char *role_word(Nv__TableRole role)
{
    static const char *const words[] = {"other", "fact", "dimension", "bridge", "other"};
    return (size_t)role < sizeof words / sizeof words[0] ? words[role] : "other";
}

static void record_all(bench_t *bench, const truth_t *truth, const Nv__Relations *found)
{
    for (size_t i = 0; i < found->n_joins; i++) {
        int label = truth_join_label(truth, found->joins[i]);
        if (label >= 0)
            reliability_record(&bench->joins, found->joins[i]->probability, label == 1);
    }
    for (size_t i = 0; i < found->n_undecided; i++) {
        int label = truth_join_label(truth, found->undecided[i]);
        if (label >= 0)
            reliability_record(&bench->joins, found->undecided[i]->probability, label == 1);
    }
    for (size_t i = 0; i < found->n_primary_keys; i++) {
        const Nv__PrimaryKey *key = found->primary_keys[i];
        reliability_record(&bench->keys, key->confidence,
                           truth_key_label(truth, key->table, key->columns, key->n_columns) > 0);
    }
    for (size_t i = 0; i < found->n_roles; i++)
        reliability_record(&bench->roles, found->roles[i]->confidence,
                           truth_role_label(truth, found->roles[i]->table, role_word(found->roles[i]->role)) >
                               0);
}

static bool profile_all(nv_mem_t *ctx, const char *folder, Nv__Profile *profile, nv_error_t *err)
{
    Nv__Survey *survey = NULL;
    nv__profile__init(profile);
    if (!survey_folder(ctx, folder, NULL, &survey, err))
        return false;
    profile->source = survey->source;
    profile->tables = NV_NEW_ARRAY(ctx, Nv__TableProfile *, survey->n_tables + 1);
    for (size_t i = 0; i < survey->n_tables; i++) {
        if (!profile_table(ctx, NULL, survey->tables[i], &profile->tables[i], err))
            return nv_wrap(err, "%s", survey->tables[i]->name);
        profile->n_tables++;
    }
    return true;
}

/* Files that the product reads as parts of one table are one table in the truth as well. */
static void merge_parts(nv_mem_t *ctx, const Nv__Profile *profile, truth_t *truth)
{
    for (size_t t = 0; t < profile->n_tables; t++) {
        const Nv__TableProfile *table = profile->tables[t];
        for (size_t f = 0; f < table->n_files && table->n_files > 1; f++) {
            const char *slash = strrchr(table->files[f]->path, '/');
            char *part = nv_strdup(ctx, slash != NULL ? slash + 1 : table->files[f]->path);
            part[strcspn(part, ".")] = '\0';
            truth_merge(truth, part, table->name);
        }
    }
}

static bool design_all(bench_t *bench, nv_mem_t *ctx, const Nv__Profile *profile,
                       const Nv__Relations *relations, nv_error_t *err)
{
    design_input_t input = {.name = "bench", .profile = profile, .relations = relations};
    Nv__StarSchema *star = NULL;
    Nv__Sttm *sttm = NULL;
    if (!design_star(ctx, &input, &star, err) || !design_sttm(ctx, &input, star, "1", &sttm, err))
        return false;
    star_rules_t rules = star_find_broken_rules(ctx, star);
    bench->rules += (int)rules.n;
    for (size_t i = 0; i < rules.n && !bench->quiet; i++)
        printf("    rule        %s\n", rules.text[i]);
    sttm_problems_t problems = sttm_find_problems(ctx, sttm, profile);
    bench->problems += (int)problems.n;
    for (size_t i = 0; i < problems.n && !bench->quiet; i++)
        printf("    mapping     %s\n", problems.text[i]);
    return true;
}

static void report_set(bench_t *bench, const char *folder, const truth_t *truth, const Nv__Relations *found,
                       const double times[4])
{
    score_t score = {0};
    const char *slash = strrchr(folder, '/');
    if (!bench->quiet)
        printf("%s\n", slash != NULL ? slash + 1 : folder);
    truth_score(truth, found, !bench->quiet, &score);
    truth_score(truth, found, false, &bench->total);
    double f1 = score_f1(&score), pk = (double)score.pk_right / (score.pk_tables > 0 ? score.pk_tables : 1);
    double role = (double)score.role_right / (score.role_tables > 0 ? score.role_tables : 1);
    bench->f1_sum += f1;
    bench->pk_sum += pk;
    bench->role_sum += role;
    bench->least_f1 = bench->sets == 0 || f1 < bench->least_f1 ? f1 : bench->least_f1;
    bench->below += f1 < 0.95 || pk < 0.95 || role < 0.95;
    bench->sets++;
    for (int i = 0; i < 3; i++)
        bench->seconds[i] += times[i + 1] - times[i];
    printf("  %-22s FK P %.3f R %.3f F1 %.3f | PK %d/%d %.3f | roles %d/%d %.3f | profile %.2f s, relate "
           "%.2f s, design %.3f s\n",
           slash != NULL ? slash + 1 : folder, score_precision(&score), score_recall(&score), f1,
           score.pk_right, score.pk_tables, pk, score.role_right, score.role_tables, role,
           times[1] - times[0], times[2] - times[1], times[3] - times[2]);
}

static bool run_set(bench_t *bench, const char *folder, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("set");
    truth_t *truth = NULL;
    Nv__Profile profile;
    Nv__Relations *found = NULL;
    rawdata_t *raw = NULL;
    double times[4];
    if (!truth_read(ctx, nv_printf(ctx, "%s/truth.json", folder), &truth, err))
        return false;
    times[0] = now();
    if (!profile_all(ctx, folder, &profile, err) ||
        (!bench->sketches && !rawdata_open(ctx, &profile, NULL, &raw, err)))
        return nv_wrap(err, "%s", folder);
    merge_parts(ctx, &profile, truth);
    times[1] = now();
    discovery_exact_t exact = bench->sketches ? (discovery_exact_t){0} : rawdata_exact(raw);
    discovery_options_t options = {.safe = bench->safe, .exact = bench->sketches ? NULL : &exact};
    if (!discovery_relate(ctx, &profile, &options, &found, err))
        return nv_wrap(err, "%s", folder);
    times[2] = now();
    if (!design_all(bench, ctx, &profile, found, err))
        return nv_wrap(err, "%s", folder);
    times[3] = now();
    report_set(bench, folder, truth, found, times);
    record_all(bench, truth, found);
    return true;
}

static bool run_folder(bench_t *bench, const char *folder, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("folder");
    if (access(nv_printf(ctx, "%s/truth.json", folder), R_OK) == 0)
        return run_set(bench, folder, err);
    struct dirent **entries = NULL;
    int n = scandir(folder, &entries, NULL, alphasort), found = 0;
    bool ok = n >= 0 || nv_fail(err, NV_NOT_FOUND, "%s: cannot be read", folder);
    for (int i = 0; i < n; i++) {
        char *path = nv_printf(ctx, "%s/%s", folder, entries[i]->d_name);
        if (ok && entries[i]->d_name[0] != '.' && access(nv_printf(ctx, "%s/truth.json", path), R_OK) == 0) {
            found++;
            ok = run_set(bench, path, err);
        }
        free(entries[i]);
    }
    free(entries);
    return ok && (found > 0 || nv_fail(err, NV_NOT_FOUND, "%s: no folder with a truth.json in it", folder));
}

static void print_total(const bench_t *bench)
{
    const score_t *s = &bench->total;
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    printf("\n%d sets, mode %s\n", bench->sets, bench->safe ? "safe" : "full");
    printf(
        "  all sets together: FK precision %.3f recall %.3f F1 %.3f; PK accuracy %.3f; role accuracy %.3f\n",
        score_precision(s), score_recall(s), score_f1(s),
        (double)s->pk_right / (s->pk_tables > 0 ? s->pk_tables : 1),
        (double)s->role_right / (s->role_tables > 0 ? s->role_tables : 1));
    printf("  mean of sets:      FK F1 %.3f (least %.3f); PK %.3f; roles %.3f; %d sets below 0.95 in one of "
           "them\n",
           bench->f1_sum / bench->sets, bench->least_f1, bench->pk_sum / bench->sets,
           bench->role_sum / bench->sets, bench->below);
    printf("  profile %.1f s + keys, joins and roles %.1f s = %.1f s; star and mapping %.1f s\n",
           bench->seconds[0], bench->seconds[1], bench->seconds[0] + bench->seconds[1], bench->seconds[2]);
    printf("  problems in mappings: %d; design rules broken: %d; peak memory %.0f MB\n", bench->problems,
           bench->rules, (double)usage.ru_maxrss / 1024);
}

static bool print_reliability(const bench_t *bench, nv_error_t *err)
{
    const reliability_t all[] = {bench->joins, bench->keys, bench->roles};
    reliability_print(all, sizeof all / sizeof all[0]);
    if (bench->svg == NULL)
        return true;
    printf("plot: %s\n", bench->svg);
    return reliability_plot(all, sizeof all / sizeof all[0], bench->svg, err);
}

int main(int argc, char **argv)
{
    nv_error_t err = NV_ERROR_INIT;
    bench_t bench = {.joins = {.name = "joins"}, .keys = {.name = "keys"}, .roles = {.name = "roles"}};
    bool any = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--safe") == 0) {
            bench.safe = true;
        } else if (strcmp(argv[i], "--quiet") == 0) {
            bench.quiet = true;
        } else if (strcmp(argv[i], "--sketches") == 0) {
            bench.sketches = true;
        } else if (strcmp(argv[i], "--svg") == 0 && i + 1 < argc) {
            bench.svg = argv[++i];
        } else {
            any = true;
            if (!run_folder(&bench, argv[i], &err)) {
                fprintf(stderr, "bench_design: %s\n", err.message);
                return nv_code_exit_status(err.code);
            }
        }
    }
    if (!any) {
        fprintf(stderr, "usage: bench_design [--safe] [--quiet] [--sketches] [--svg FILE] DIR…\n");
        return 64;
    }
    print_total(&bench);
    if (!print_reliability(&bench, &err)) {
        fprintf(stderr, "bench_design: %s\n", err.message);
        return nv_code_exit_status(err.code);
    }
    return 0;
}
