#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "worker/profiling/profile.h"
#include "worker/rawdata/rawdata.h"

typedef struct fixture {
    nv_mem_t *ctx;
    char folder[64];
    Nv__Profile profile;
    rawdata_t *raw;
} fixture_t;

static void write_file(const char *folder, const char *name, const char *text)
{
    char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int set_up(void **state)
{
    nv_mem_t *ctx = nv_mem_root("test");
    fixture_t *f = NV_NEW(ctx, fixture_t);
    nv_error_t err = NV_ERROR_INIT;
    f->ctx = ctx;
    strcpy(f->folder, "/tmp/nuvyn-test-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    write_file(f->folder, "people.csv", "id,name\n1,Ann\n2,Bob\n3,Cid\n3,Cid\n");
    write_file(f->folder, "Order \"Lines\".csv",
               "line,who,amount\n1,1,\"1,5\"\n2,2,\"2,5\"\n3,9,\"3,5\"\n4,,\"4,5\"\n");
    Nv__Survey *survey = NULL;
    if (!survey_folder(ctx, f->folder, NULL, &survey, &err))
        fail_msg("%s", err.message);
    nv__profile__init(&f->profile);
    f->profile.tables = NV_NEW_ARRAY(ctx, Nv__TableProfile *, survey->n_tables);
    for (size_t i = 0; i < survey->n_tables; i++) {
        if (!profile_table(ctx, NULL, survey->tables[i], &f->profile.tables[f->profile.n_tables++], &err))
            fail_msg("%s", err.message);
    }
    if (!rawdata_open(ctx, &f->profile, NULL, &f->raw, &err))
        fail_msg("%s", err.message);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture_t *f = *state;
    char path[256];
    (void)snprintf(path, sizeof path, "%s/people.csv", f->folder);
    (void)unlink(path);
    (void)snprintf(path, sizeof path, "%s/Order \"Lines\".csv", f->folder);
    (void)unlink(path);
    (void)rmdir(f->folder);
    nv_mem_free(f->ctx);
    return 0;
}

static void test_inclusion(void **state)
{
    fixture_t *f = *state;
    nv_error_t err = NV_ERROR_INIT;
    discovery_check_t check = {
        .from = "Order \"Lines\"", .columns = {"who"}, .to = "people", .to_columns = {"id"}, .n = 1};
    discovery_counts_t counts;
    if (!rawdata_count(f->raw, &check, &counts, &err))
        fail_msg("%s", err.message);
    assert_true(counts.answered);
    assert_int_equal(counts.rows, 3);
    assert_int_equal(counts.missing, 1);
    assert_int_equal(counts.distinct, 3);
    assert_int_equal(counts.distinct_found, 2);
}

static void test_uniqueness_without_exact_duplicates(void **state)
{
    fixture_t *f = *state;
    nv_error_t err = NV_ERROR_INIT;
    discovery_check_t check = {.from = "people", .columns = {"id"}, .n = 1};
    discovery_counts_t counts;
    assert_true(rawdata_count(f->raw, &check, &counts, &err));
    assert_int_equal(counts.rows, 3);
    assert_int_equal(counts.distinct, 3);
}

static void test_unknown_names_are_not_answered(void **state)
{
    fixture_t *f = *state;
    nv_error_t err = NV_ERROR_INIT;
    discovery_check_t check = {.from = "people", .columns = {"nothing"}, .n = 1};
    discovery_counts_t counts;
    assert_true(rawdata_count(f->raw, &check, &counts, &err));
    assert_false(counts.answered);
}

static void test_missing_files_are_refused(void **state)
{
    fixture_t *f = *state;
    nv_error_t err = NV_ERROR_INIT;
    rawdata_t *raw = NULL;
    f->profile.tables[0]->files[0]->path = (char *)"/nowhere/at/all.csv";
    assert_false(rawdata_open(f->ctx, &f->profile, NULL, &raw, &err));
    assert_int_equal(err.code, NV_UNIMPLEMENTED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_inclusion), TEST(test_uniqueness_without_exact_duplicates),
                                       TEST(test_unknown_names_are_not_answered),
                                       TEST(test_missing_files_are_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
