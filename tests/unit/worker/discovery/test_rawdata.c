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

#include "worker/discovery/changes.h"
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
    write_file(
        f->folder, "prices.csv",
        "sku,valid_from,price,label\nA,2024-01-01,1.50,pen\nA,2024-02-01,1.75,pen\nA,2024-02-01,1.75,pen\n"
        "A,2024-03-01,1.50,pen\nB,2024-01-01,9.00,cup\nC,2024-01-01,8.00,\nC,2024-02-01,8.00,jar\n");
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
    static const char *const files[] = {"people.csv", "Order \"Lines\".csv", "prices.csv"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char path[256];
        (void)snprintf(path, sizeof path, "%s/%s", f->folder, files[i]);
        (void)unlink(path);
    }
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

static void expect_changes(const Nv__Relations *relations, const char *column, int64_t changes)
{
    for (size_t i = 0; i < relations->n_changes; i++) {
        if (strcmp(relations->changes[i]->column, column) != 0)
            continue;
        assert_int_equal(relations->changes[i]->keys, 3);
        assert_int_equal(relations->changes[i]->records, 6);
        assert_int_equal(relations->changes[i]->changes, changes);
        return;
    }
    fail_msg("nothing was seen of %s", column);
}

/* Three things in six records: A cost 1.50, 1.75 and 1.50 again (one further value), and no label changed. */
static void test_changes_between_records(void **state)
{
    fixture_t *f = *state;
    nv_error_t err = NV_ERROR_INIT;
    discovery_exact_t exact = rawdata_exact(f->raw);
    char *columns[] = {(char *)"sku", (char *)"valid_from"};
    Nv__PrimaryKey key = NV__PRIMARY_KEY__INIT;
    Nv__SourceRole role = NV__SOURCE_ROLE__INIT;
    Nv__Relations relations = NV__RELATIONS__INIT;
    key.table = role.table = (char *)"prices";
    key.columns = columns;
    key.n_columns = 2;
    role.role = NV__TABLE_ROLE__TABLE_ROLE_DIMENSION;
    relations.primary_keys = (Nv__PrimaryKey *[]){&key};
    relations.roles = (Nv__SourceRole *[]){&role};
    relations.n_primary_keys = relations.n_roles = 1;
    if (!changes_observe(f->ctx, &f->profile, &exact, &relations, &err))
        fail_msg("%s", err.message);
    expect_changes(&relations, "price", 1);
    expect_changes(&relations, "label", 0);
    /* Who keeps one record of each has no history; nor is anything seen where nobody can count. */
    key.n_columns = 1;
    relations.n_changes = 0;
    assert_true(changes_observe(f->ctx, &f->profile, &exact, &relations, &err));
    assert_true(changes_observe(f->ctx, &f->profile, NULL, &relations, &err));
    assert_int_equal(relations.n_changes, 0);
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
                                       TEST(test_changes_between_records),
                                       TEST(test_unknown_names_are_not_answered),
                                       TEST(test_missing_files_are_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
