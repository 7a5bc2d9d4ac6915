/* Parquet, JSON lines and packed files, in a volume and by a path with a scheme, and tables of the Unity Catalog: surveyed and
 * profiled through the SQL warehouse, beside the same data profiled locally. Started by run.py, as pushdown_agrees. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/http/http.h"
#include "scene.h"
#include "tests/unit/worker/pushdown/format_files.h"
#include "worker/pushdown/remote_survey.h"

static char folder[] = "/tmp/nuvyn-formats-XXXXXX";
static Nv__Survey *local;

static int setup(void **state)
{
    scene_t *s = scene_open("formats");
    *state = s;
    if (!s || !mkdtemp(folder))
        return -1;
    format_files_write(s->ctx, folder);
    scene_upload(s, folder, ".");
    return 0;
}

static int teardown(void **state)
{
    scene_t *s = *state;
    for (size_t i = 0; local && i < local->n_tables; i++)
        for (size_t f = 0; f < local->tables[i]->n_files; f++)
            (void)remove(local->tables[i]->files[f]->path);
    (void)remove(folder);
    nv_mem_free(s->ctx);
    return 0;
}

/* The tables of a survey that are named; all where none is. */
static Nv__Survey some_of(nv_mem_t *ctx, const Nv__Survey *all, const char *const *names)
{
    Nv__Survey out = *all;
    out.n_tables = names ? 0 : all->n_tables;
    out.tables = names ? NV_NEW_ARRAY(ctx, Nv__SurveyTable *, all->n_tables) : all->tables;
    for (; names && *names; names++)
        for (size_t i = 0; i < all->n_tables; i++)
            if (strcmp(all->tables[i]->name, *names) == 0)
                out.tables[out.n_tables++] = all->tables[i];
    return out;
}

static void survey_and_profile(scene_t *s, const char *source, const char *const *names)
{
    nv_error_t err = NV_ERROR_INIT;
    Nv__Survey *remote;
    side_by_side_t result = {.sketches = true};
    OK_OR_FAIL(remote_survey(s->ctx, &s->engine, s->db, source, NULL, &remote, &err));
    for (size_t i = 0; i < remote->n_skipped; i++)
        print_error("%s: %s\n", remote->skipped[i]->path, remote->skipped[i]->reason);
    scene_same_surveys(local, remote);
    Nv__Survey here = some_of(s->ctx, local, names), there = some_of(s->ctx, remote, names);
    scene_profile(s, remote->source, &here, &there, true, &result);
}

static void test_volume(void **state)
{
    scene_t *s = *state;
    nv_error_t err = NV_ERROR_INIT;
    OK_OR_FAIL(survey_folder(s->ctx, folder, NULL, &local, &err));
    assert_int_equal(local->n_tables, 8);
    survey_and_profile(s, nv_printf(s->ctx, "dbfs:%s/", s->volume), NULL);
    Nv__TableProfile *dirty = s->pushed.tables[0];
    assert_string_equal(dirty->name, "dirty");
    assert_int_equal(dirty->rejected_count, 2);
    assert_int_equal(s->own.tables[0]->rejected_count, 2);
}

/* The way of s3://, abfss:// and gs://: listed by LIST, looked into by read_files. */
static void test_by_scheme(void **state)
{
    static const char *const some[] = {"dirty", "plain", NULL};
    survey_and_profile(*state, nv_printf(((scene_t *)*state)->ctx, "file://%s", folder), some);
}

/* A file system that this Spark lacks is an answer that names it. */
static void test_unknown_scheme(void **state)
{
    scene_t *s = *state;
    nv_error_t err = NV_ERROR_INIT;
    Nv__Survey *remote;
    assert_false(remote_survey(s->ctx, &s->engine, s->db, "s3://bucket/raw", NULL, &remote, &err));
    print_message("%s\n", err.message);
    assert_non_null(strstr(err.message, "s3"));
    assert_null(strstr(err.message, "ClassNotFound"));
}

static void run_sql(scene_t *s, const char *sql)
{
    nv_error_t err = NV_ERROR_INIT;
    pushdown_rows_t rows;
    OK_OR_FAIL(s->engine.query(s->engine.arg, s->ctx, sql, &rows, &err));
}

/* The Parquet files of the volume as tables, and a view that is left out. */
static void make_tables(scene_t *s)
{
    static const char *const tables[][2] = {{"odd", "odd.parquet"}, {"sales", "sales_*.parquet"}};
    run_sql(s, "CREATE SCHEMA IF NOT EXISTS main.shop");
    for (size_t i = 0; i < 2; i++)
        run_sql(s,
                nv_printf(s->ctx,
                          "CREATE OR REPLACE TABLE main.shop.%s TBLPROPERTIES ('delta.columnMapping.mode' = "
                          "'name') AS SELECT * FROM read_files('%s/%s', format => 'parquet')",
                          tables[i][0], s->volume, tables[i][1]));
    run_sql(s, "CREATE OR REPLACE VIEW main.shop.few AS SELECT * FROM main.shop.sales WHERE order_id < 10");
}

static void test_catalog(void **state)
{
    scene_t *s = *state;
    nv_error_t err = NV_ERROR_INIT;
    static const char *const tables[] = {"odd", "sales", NULL};
    Nv__Survey files = some_of(s->ctx, local, tables), *remote;
    side_by_side_t result = {.sketches = true, .unordered = true};
    make_tables(s);
    OK_OR_FAIL(remote_survey(s->ctx, &s->engine, s->db, "uc://main.shop", NULL, &remote, &err));
    assert_string_equal(remote->source, "uc://main/shop");
    assert_int_equal(remote->n_tables, 2);
    assert_int_equal(remote->n_skipped, 1);
    assert_string_equal(remote->skipped[0]->path, "uc://main/shop/few");
    scene_profile(s, remote->source, &files, remote, false, &result);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(strlen(s->pushed.tables[i]->files[0]->sha256), 64);
}

static void test_one_of_the_catalog(void **state)
{
    scene_t *s = *state;
    nv_error_t err = NV_ERROR_INIT;
    Nv__Survey *remote;
    OK_OR_FAIL(remote_survey(s->ctx, &s->engine, s->db, "uc://main.shop.few", NULL, &remote, &err));
    assert_int_equal(remote->n_tables, 1);
    survey_reader_t reader = remote_reader(s->ctx, &s->engine, s->db, remote->source);
    pushdown_options_t options = {.reader = &reader};
    Nv__TableProfile *view;
    OK_OR_FAIL(pushdown_profile(s->ctx, &s->engine, &options, remote->tables[0], &view, &err));
    assert_int_equal(view->row_count, 10);
    assert_false(remote_survey(s->ctx, &s->engine, s->db, "uc://main.shop.none", NULL, &remote, &err));
    assert_non_null(strstr(err.message, "main.shop.none"));
    nv_error_clear(&err);
    assert_false(remote_survey(s->ctx, &s->engine, s->db, "uc://main", NULL, &remote, &err));
    assert_non_null(strstr(err.message, "uc://catalog.schema"));
}

int main(void)
{
    nv_error_t err = NV_ERROR_INIT;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_volume),
        cmocka_unit_test(test_by_scheme),
        cmocka_unit_test(test_unknown_scheme),
        cmocka_unit_test(test_catalog),
        cmocka_unit_test(test_one_of_the_catalog),
    };
    if (!nv_http_global_init(&err))
        return 1;
    return cmocka_run_group_tests(tests, setup, teardown);
}
