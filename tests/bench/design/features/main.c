/* design_features [--score] DIR…: runs discovery over sets (folders of CSVs with a truth.json; a folder of such folders counts as
 * many) with the in-memory profiler. Prints one labelled line of features per decision for the fit, or, with --score, the scores. */
#include "tests/bench/design/mini/mini_profile.h"
#include "tests/bench/design/truth.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct run {
    nv_mem_t *ctx;
    const char *set;
    truth_t *truth;
    bool print;
} run_t;

static char **split(nv_mem_t *ctx, const char *text, char separator, size_t *n)
{
    char **parts = NULL;
    size_t cap = 0;
    *n = 0;
    const char *start = text;
    for (const char *p = text;; p++) {
        if (*p != separator && *p != '\0')
            continue;
        NV_PUSH(ctx, parts, *n, cap) = nv_strndup(ctx, start, (size_t)(p - start));
        start = p + 1;
        if (*p == '\0')
            return parts;
    }
}

/* join, choice: kind unique n from cols to cols p f…, a choice ends with one without tables; key: kind joined table cols p f…; role: kind few table p*4 f… */
static void on_features(void *arg, const char *line)
{
    run_t *run = arg;
    size_t n = 0, a = 0, b = 0;
    char **part = split(run->ctx, line, '\t', &n);
    if (strcmp(part[0], "choice") == 0 && part[3][0] == '\0') {
        printf("%s\t0\t%s\n", run->set, line);
    } else if (strcmp(part[0], "join") == 0 || strcmp(part[0], "choice") == 0) {
        Nv__Join join = NV__JOIN__INIT;
        join.from = part[3];
        join.to = part[5];
        join.columns = split(run->ctx, part[4], ',', &a);
        join.to_columns = split(run->ctx, part[6], ',', &b);
        join.n_columns = a;
        join.n_to_columns = b;
        int label = truth_join_label(run->truth, &join);
        if (label >= 0 || part[0][0] == 'c')
            printf("%s\t%d\t%s\n", run->set, label, line);
    } else if (strcmp(part[0], "key") == 0) {
        char **columns = split(run->ctx, part[3], ',', &a);
        a = part[3][0] == '\0' ? 0 : a;
        printf("%s\t%d\t%s\n", run->set, truth_key_label(run->truth, part[2], columns, a), line);
    } else {
        static const char *const roles[] = {"fact", "dimension", "bridge", "other"};
        int labels[4];
        for (int i = 0; i < 4; i++)
            labels[i] = truth_role_label(run->truth, part[2], roles[i]);
        printf("%s\t%d%d%d%d\t%s\n", run->set, labels[0], labels[1], labels[2], labels[3], line);
    }
}

static bool run_set(const char *folder, bool score_only, score_t *total, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("set");
    run_t run = {.ctx = ctx, .set = folder};
    mini_t *mini = mini_new(ctx);
    if (!truth_read(ctx, nv_printf(ctx, "%s/truth.json", folder), &run.truth, err) ||
        !mini_add_folder(mini, folder, err))
        return nv_wrap(err, "%s", folder);
    discovery_exact_t exact = mini_exact(mini);
    discovery_options_t options = {
        .exact = &exact, .feature_sink = score_only ? NULL : on_features, .feature_arg = &run};
    Nv__Relations *found = NULL;
    if (!discovery_relate(ctx, mini_profile(mini), &options, &found, err))
        return nv_wrap(err, "%s", folder);
    if (!score_only)
        return true;
    score_t score = {0};
    printf("%s\n", folder);
    truth_score(run.truth, found, true, &score);
    printf("  FK P %.3f R %.3f F1 %.3f   PK %d/%d   roles %d/%d\n", score_precision(&score),
           score_recall(&score), score_f1(&score), score.pk_right, score.pk_tables, score.role_right,
           score.role_tables);
    truth_score(run.truth, found, false, total);
    return true;
}

static bool run_folder(const char *folder, bool score_only, score_t *total, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("folder");
    if (access(nv_printf(ctx, "%s/truth.json", folder), R_OK) == 0)
        return run_set(folder, score_only, total, err);
    struct dirent **entries = NULL;
    int n = scandir(folder, &entries, NULL, alphasort);
    bool ok = n >= 0 || nv_fail(err, NV_NOT_FOUND, "%s: cannot be read", folder);
    for (int i = 0; i < n; i++) {
        char *path = nv_printf(ctx, "%s/%s", folder, entries[i]->d_name);
        if (ok && entries[i]->d_name[0] != '.' && access(nv_printf(ctx, "%s/truth.json", path), R_OK) == 0)
            ok = run_set(path, score_only, total, err);
        free(entries[i]);
    }
    free(entries);
    return ok;
}

int main(int argc, char **argv)
{
    nv_error_t err = NV_ERROR_INIT;
    bool score_only = argc > 1 && strcmp(argv[1], "--score") == 0;
    score_t total = {0};
    for (int i = 1 + score_only; i < argc; i++) {
        if (!run_folder(argv[i], score_only, &total, &err)) {
            fprintf(stderr, "design_features: %s\n", err.message);
            return nv_code_exit_status(err.code);
        }
    }
    if (score_only)
        printf("TOTAL FK P %.3f R %.3f F1 %.3f   PK %.3f   roles %.3f\n", score_precision(&total),
               score_recall(&total), score_f1(&total),
               (double)total.pk_right / (total.pk_tables ? total.pk_tables : 1),
               (double)total.role_right / (total.role_tables ? total.role_tables : 1));
    return 0;
}
