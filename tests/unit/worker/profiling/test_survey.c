/* Which files form which table, and what is left out and why. */
#include "support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static Nv__Survey *survey(nv_mem_t *ctx, const char *folder)
{
    nv_error_t err = NV_ERROR_INIT;
    Nv__Survey *out;
    if (!survey_folder(ctx, folder, NULL, &out, &err))
        fail_msg("%s", err.message);
    return out;
}

static const Nv__SurveyTable *table(const Nv__Survey *all, const char *name)
{
    for (size_t i = 0; i < all->n_tables; i++)
        if (strcmp(all->tables[i]->name, name) == 0)
            return all->tables[i];
    fail_msg("no table %s", name);
    return NULL;
}

static const char *skip_reason(const Nv__Survey *all, const char *end)
{
    for (size_t i = 0; i < all->n_skipped; i++) {
        const char *path = all->skipped[i]->path;
        if (strlen(path) >= strlen(end) && strcmp(path + strlen(path) - strlen(end), end) == 0)
            return all->skipped[i]->reason;
    }
    return "";
}

static void expect_error(const char *folder, nv_code_t code, const char *part)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    nv_error_t err = NV_ERROR_INIT;
    Nv__Survey *out;
    assert_false(survey_folder(ctx, folder, NULL, &out, &err));
    assert_int_equal(err.code, code);
    assert_non_null(strstr(err.message, part));
}

static void test_grouping(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    const char *folder = support_folder(ctx);
    support_text(ctx, folder, "orders_2024_02.csv", "id,day\n3,2024-02-01\n");
    support_text(ctx, folder, "orders_2024_01.csv", "id,day\n1,2024-01-01\n");
    support_text(ctx, folder, "orders_2024_10.csv", "id,day\n4,2024-10-01\n");
    support_text(ctx, folder, "orders_2023.csv", "id,day,extra\n1,2023-01-01,x\n");
    support_text(ctx, folder, "Order Details.csv", "id,n\n1,2\n");
    support_text(ctx, folder, "2024 plan.csv", "id,n\n1,2\n");
    mkdir(nv_printf(ctx, "%s/lines", folder), 0700);
    support_text(ctx, folder, "lines/part-0001.csv", "id,n\n1,2\n");
    support_text(ctx, folder, "lines/part-0002.csv", "id,n\n3,4\n");
    Nv__Survey *all = survey(ctx, folder);
    assert_int_equal(all->n_tables, 5);
    const Nv__SurveyTable *orders = table(all, "orders");
    assert_int_equal(orders->n_files, 3);
    assert_non_null(strstr(orders->files[0]->path, "2024_01"));
    assert_non_null(strstr(orders->files[2]->path, "2024_10"));
    assert_non_null(strstr(orders->grouping, "same header"));
    table(all, "orders_2023");
    table(all, "Order Details");
    table(all, "2024 plan");
    assert_int_equal(table(all, "lines")->n_files, 2);
    nv_error_t err = NV_ERROR_INIT;
    Nv__TableProfile *profile;
    assert_true(profile_table(ctx, NULL, orders, &profile, &err));
    assert_int_equal(profile->row_count, 3);
    assert_int_equal(profile->files[1]->rows, 1);
    assert_int_equal(strlen(profile->files[0]->sha256), 64);
    assert_true(profile->columns[0]->monotonic);
    support_agrees(profile);
}

static void test_unique_names(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    const char *folder = support_folder(ctx);
    support_text(ctx, folder, "a b.csv", "id,day\n3,x\n");
    support_text(ctx, folder, "a-b.csv", "id,other\n3,y\n");
    support_text(ctx, folder, "\xC3\xA4.csv", "id,other\n3,y\n");
    Nv__Survey *all = survey(ctx, folder);
    assert_int_equal(all->n_tables, 3);
    for (size_t i = 0; i < 3; i++)
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(all->tables[i]->name, all->tables[j]->name);
}

static void test_skipped(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    const char *folder = support_folder(ctx);
    const char *outside = support_folder(ctx);
    const char *secret = support_text(ctx, outside, "secret.csv", "a,b\n1,2\n");
    support_text(ctx, folder, "good.csv", "a,b\n1,2\n");
    support_text(ctx, folder, "empty.csv", "");
    support_text(ctx, folder, "blank.csv", "\n\n\n");
    support_write(ctx, folder, "binary.csv", "a\0b\0\x01\x02\0\0\0", 10);
    support_write(ctx, folder, "zip.csv", "PK\x03\x04 and more", 14);
    support_text(ctx, folder, "data.parquet", "PAR1");
    assert_int_equal(symlink(secret, nv_printf(ctx, "%s/link.csv", folder)), 0);
    assert_int_equal(symlink("/nowhere", nv_printf(ctx, "%s/broken.csv", folder)), 0);
    assert_int_equal(mkfifo(nv_printf(ctx, "%s/pipe.csv", folder), 0600), 0);
    Nv__Survey *all = survey(ctx, folder);
    assert_int_equal(all->n_tables, 1);
    assert_non_null(strstr(skip_reason(all, "empty.csv"), "empty"));
    assert_non_null(strstr(skip_reason(all, "blank.csv"), "no records"));
    assert_non_null(strstr(skip_reason(all, "binary.csv"), "NUL"));
    assert_non_null(strstr(skip_reason(all, "zip.csv"), "ZIP"));
    assert_non_null(strstr(skip_reason(all, "data.parquet"), "not a Parquet file"));
    assert_non_null(strstr(skip_reason(all, "link.csv"), "out of the folder"));
    assert_non_null(strstr(skip_reason(all, "broken.csv"), "nowhere"));
    assert_non_null(strstr(skip_reason(all, "pipe.csv"), "regular"));
}

/* Paths as the user wrote them, once, and nothing of how we ask DuckDB. */
static void test_skipped_names(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    const char *folder = support_folder(ctx);
    support_text(ctx, folder, "good.csv", "a,b\n1,2\n");
    support_text(ctx, folder, "t.csv.gz", "a,b\n1,2\n");
    support_text(ctx, folder, "t.parquet", "PAR1 but nothing else PAR1");
    const char *slash = strrchr(folder, '/');
    assert_int_equal(chdir(nv_strndup(ctx, folder, (size_t)(slash - folder))), 0);
    Nv__Survey *all = survey(ctx, nv_printf(ctx, "%s/", slash + 1));
    assert_int_equal(all->n_skipped, 2);
    for (size_t i = 0; i < all->n_skipped; i++) {
        const Nv__SkippedFile *file = all->skipped[i];
        assert_int_equal(strncmp(file->path, slash + 1, strlen(slash + 1)), 0);
        assert_null(strstr(file->path, "//"));
        assert_true(strncmp(file->reason, "not ", 4) == 0);
        assert_null(strchr(file->reason, '\n'));
        assert_null(strstr(file->reason, "read_parquet"));
    }
}

static void test_unreadable(void **state)
{
    (void)state;
    if (geteuid() == 0)
        skip(); /* root reads everything */
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    const char *folder = support_folder(ctx);
    support_text(ctx, folder, "good.csv", "a,b\n1,2\n");
    assert_int_equal(chmod(support_text(ctx, folder, "closed.csv", "a,b\n1,2\n"), 0), 0);
    assert_non_null(strstr(skip_reason(survey(ctx, folder), "closed.csv"), "Permission denied"));
}

static void test_nothing_there(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    const char *folder = support_folder(ctx);
    expect_error("/no/such/folder", NV_NOT_FOUND, "/no/such/folder");
    expect_error("", NV_INVALID_ARGUMENT, "no source folder");
    expect_error(folder, NV_NOT_FOUND, folder);
    const char *empty = support_text(ctx, folder, "empty.csv", "");
    expect_error(folder, NV_NOT_FOUND, "empty.csv");
    expect_error(empty, NV_INVALID_ARGUMENT, "not a folder");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grouping),   cmocka_unit_test(test_unique_names),
        cmocka_unit_test(test_skipped),    cmocka_unit_test(test_skipped_names),
        cmocka_unit_test(test_unreadable), cmocka_unit_test(test_nothing_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
