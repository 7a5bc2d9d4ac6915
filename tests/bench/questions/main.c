/* bench_questions [--verbose] [--each N] [--export FOLDER] [DIR…]: some fifty business questions per set (a folder of CSVs with a truth.json, or a
 * folder of such folders), written as SQL over the raw tables, joined as the truth says, and over the generated star; the answers
 * must be the same, group by group, and the star must need fewer joins. Without DIR: data/ecommerce, and a set of TPC-H's shape
 * that is generated. --export, with one DIR: the questions and their answers for spark.sh. Exit status 1 when an answer differs, or the joins are not fewer. */
#include "tests/bench/questions/questions.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EACH = 50, TREE_FDS = 16 };

typedef struct options {
    bool verbose;
    size_t each;
    const char *export; /* folder, of one set */
    bool failed;
    int sets;
} options_t;

static bool run_set(options_t *options, const char *folder, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("set");
    set_t set;
    tally_t tally = {0};
    if (!set_open(ctx, folder, &set, err))
        return nv_wrap(err, "%s", folder);
    set.export = options->export ? export_begin(&set, options->export) : NULL;
    if (!set_ask(&set, options->each, options->verbose, &tally, err) ||
        (set.export && !export_end(set.export, err)))
        return nv_wrap(err, "%s", folder);
    bool fewer = tally.star_joins < tally.raw_joins;
    printf("%-20s %3d questions, %3d agree, %d not in the star; joins raw %d, star %d (%.1f times fewer)\n",
           set.truth.name, tally.asked, tally.agreed, tally.lost, tally.raw_joins, tally.star_joins,
           tally.star_joins ? (double)tally.raw_joins / tally.star_joins : 0);
    options->failed = options->failed || tally.agreed < tally.asked || !fewer || tally.asked == 0;
    options->sets++;
    return true;
}

static bool is_set(nv_mem_t *ctx, const char *folder)
{
    return access(nv_printf(ctx, "%s/truth.json", folder), R_OK) == 0;
}

static bool run_folder(options_t *options, const char *folder, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("folder");
    struct dirent **entries = NULL;
    if (is_set(ctx, folder))
        return run_set(options, folder, err);
    int n = scandir(folder, &entries, NULL, alphasort);
    bool ok = n >= 0 || nv_fail_errno(err, errno, "%s", folder);
    int before = options->sets;
    for (int i = 0; i < n; i++) {
        char *path = nv_printf(ctx, "%s/%s", folder, entries[i]->d_name);
        if (ok && entries[i]->d_name[0] != '.' && is_set(ctx, path))
            ok = run_set(options, path, err);
        free(entries[i]);
    }
    free(entries);
    return ok && (options->sets > before ||
                  nv_fail(err, NV_NOT_FOUND, "%s: no folder with a truth.json in it", folder));
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)info, (void)kind, (void)place;
    return remove(path);
}

/* design_tpch stands beside this program. */
static bool generate_tpch(nv_mem_t *ctx, const char *folder, nv_error_t *err)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n < 0)
        return nv_fail_errno(err, errno, "/proc/self/exe");
    self[n] = '\0';
    char *program = nv_printf(ctx, "%s/design_tpch", dirname(self));
    pid_t pid = fork();
    if (pid == 0) {
        execl(program, program, folder, "0.005", (char *)NULL);
        _exit(127);
    }
    int status = -1;
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
        return nv_fail(err, NV_UNAVAILABLE, "%s failed (status %d)", program, status);
    return true;
}

static bool run_own(options_t *options, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("own");
    char folder[] = "/tmp/nuvyn-questions-XXXXXX";
    if (!mkdtemp(folder))
        return nv_fail_errno(err, errno, "%s", folder);
    bool ok = run_set(options, QUESTIONS_DIR "/../../../data/ecommerce", err) &&
              generate_tpch(ctx, folder, err) && run_set(options, folder, err);
    nftw(folder, remove_entry, TREE_FDS, FTW_DEPTH | FTW_PHYS);
    return ok;
}

int main(int argc, char **argv)
{
    nv_error_t err = NV_ERROR_INIT;
    options_t options = {.each = EACH};
    bool ok = true, any = false;
    for (int i = 1; ok && i < argc; i++) {
        if (strcmp(argv[i], "--verbose") == 0) {
            options.verbose = true;
        } else if (strcmp(argv[i], "--each") == 0 && i + 1 < argc) {
            options.each = (size_t)strtoul(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--export") == 0 && i + 1 < argc) {
            options.export = argv[++i];
        } else {
            any = true;
            ok = run_folder(&options, argv[i], &err);
        }
    }
    if (ok && !any)
        ok = run_own(&options, &err);
    if (!ok) {
        fprintf(stderr, "bench_questions: %s\n", err.message);
        return nv_code_exit_status(err.code);
    }
    return options.failed ? 1 : 0;
}
