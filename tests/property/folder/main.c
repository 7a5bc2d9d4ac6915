/* prove_folder DIR: designs a folder, builds its star by reference SQL and asks the Tester's whole plan of it. Exit status 1 when
 * a check fails. --sql prints the statements. */
#include "tests/support/star/star.h"

#include <stdio.h>
#include <string.h>

static void print_sql(nv_mem_t *ctx, const star_t *star, const reference_batch_t *batch)
{
    validation_input_t input = star_input(star, "star");
    reference_sql_t create = reference_create(ctx, &input);
    reference_sql_t load = reference_load(ctx, &input, batch);
    for (size_t i = 0; i < create.n; i++)
        printf("%s;\n", create.statements[i]);
    for (size_t i = 0; i < load.n; i++)
        printf("%s;\n", load.statements[i]);
}

static bool prove(nv_mem_t *ctx, const char *folder, bool sql, Nv__Validation **out, nv_error_t *err)
{
    star_t star;
    oracle_t *db;
    reference_batch_t first = {.number = 1, .time = "2026-01-01 00:00:00"};
    if (!star_design(ctx, folder, &star, err))
        return false;
    if (sql)
        print_sql(ctx, &star, &first);
    return star_open(ctx, &db, err) && star_create(db, &star, "star", err) &&
           star_load(db, &star, "star", &first, err) && star_prove(ctx, db, &star, "star", out, err);
}

int main(int argc, char **argv)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("prove_folder");
    nv_error_t err = NV_ERROR_INIT;
    Nv__Validation *validation = NULL;
    if (argc < 2) {
        fprintf(stderr, "usage: prove_folder DIR [--sql]\n");
        return 64;
    }
    if (!prove(ctx, argv[1], argc > 2 && strcmp(argv[2], "--sql") == 0, &validation, &err)) {
        fprintf(stderr, "prove_folder: %s\n", err.message);
        return nv_code_exit_status(err.code);
    }
    size_t failed = 0;
    for (size_t i = 0; i < validation->n_checks; i++) {
        const Nv__Check *check = validation->checks[i];
        if (check->status == NV__CHECK_STATUS__CHECK_STATUS_PASS)
            continue;
        failed += check->status == NV__CHECK_STATUS__CHECK_STATUS_FAIL;
        printf("%s %s\n", check->status == NV__CHECK_STATUS__CHECK_STATUS_FAIL ? "FAIL" : "warn",
               check->message);
    }
    printf("%zu checks, %zu failed\n", validation->n_checks, failed);
    return failed ? 1 : 0;
}
