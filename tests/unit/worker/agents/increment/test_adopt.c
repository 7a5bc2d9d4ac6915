/* A batch held against a deployed mapping: what is taken in, what is told, what is refused. */
#include "worker/agents/increment/increment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

typedef struct fixture {
    nv_mem_t *ctx;
    Nv__Sttm sttm;
    Nv__SttmSource orders, items;
    Nv__SttmSource *sources[2];
    Nv__Dialect comma, semicolon;
    Nv__SourceFile landed;
    Nv__SourceFile *files[1];
    nv_error_t err;
} fixture_t;

static Nv__SttmSourceColumn *source_column(nv_mem_t *ctx, const char *name, Nv__ValueType type)
{
    Nv__SttmSourceColumn *c = NV_NEW(ctx, Nv__SttmSourceColumn);
    nv__sttm_source_column__init(c);
    c->name = nv_strdup(ctx, name);
    c->silver_name = c->name;
    c->type = type;
    return c;
}

static void fill_source(fixture_t *f, Nv__SttmSource *s, const char *name, const char *pattern)
{
    nv__sttm_source__init(s);
    s->name = nv_strdup(f->ctx, name);
    s->file_pattern = nv_strdup(f->ctx, pattern);
    s->dialect = &f->comma;
    s->columns = NV_NEW_ARRAY(f->ctx, Nv__SttmSourceColumn *, 2);
    s->columns[s->n_columns++] = source_column(f->ctx, "id", NV__VALUE_TYPE__VALUE_TYPE_INT64);
    s->columns[s->n_columns++] = source_column(f->ctx, "day", NV__VALUE_TYPE__VALUE_TYPE_DATE);
}

static int setup(void **state)
{
    nv_mem_t *ctx = nv_mem_root("adopt");
    fixture_t *f = NV_NEW(ctx, fixture_t);
    f->ctx = ctx;
    nv__dialect__init(&f->comma);
    f->comma.delimiter = nv_strdup(ctx, ",");
    f->comma.encoding = nv_strdup(ctx, "utf-8");
    f->comma.has_header = true;
    f->semicolon = f->comma;
    f->semicolon.delimiter = nv_strdup(ctx, ";");
    fill_source(f, &f->orders, "orders", "orders*.csv");
    fill_source(f, &f->items, "order_items", "order_items.csv");
    nv__source_file__init(&f->landed);
    f->landed.path = nv_strdup(ctx, "/data/day1/orders.csv");
    f->landed.sha256 = nv_strdup(ctx, "aa");
    f->files[0] = &f->landed;
    f->orders.files = f->files;
    f->orders.n_files = 1;
    f->orders.rejected_count = 2;
    f->sources[0] = &f->orders;
    f->sources[1] = &f->items;
    nv__sttm__init(&f->sttm);
    f->sttm.name = nv_strdup(ctx, "shop");
    f->sttm.sources = f->sources;
    f->sttm.n_sources = 2;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture_t *f = *state;
    nv_mem_free(f->ctx);
    return 0;
}

/* columns: "id day colour"; all of them text but id. */
static Nv__TableProfile *profile(fixture_t *f, const char *path, const char *sha256, const char *columns)
{
    Nv__TableProfile *t = NV_NEW(f->ctx, Nv__TableProfile);
    Nv__SourceFile *file = NV_NEW(f->ctx, Nv__SourceFile);
    nv__table_profile__init(t);
    nv__source_file__init(file);
    file->path = nv_strdup(f->ctx, path);
    file->sha256 = nv_strdup(f->ctx, sha256);
    t->name = nv_strdup(f->ctx, strrchr(path, '/') + 1);
    t->dialect = &f->comma;
    t->rejected_count = 3;
    t->files = NV_NEW_ARRAY(f->ctx, Nv__SourceFile *, 1);
    t->files[t->n_files++] = file;
    t->columns = NV_NEW_ARRAY(f->ctx, Nv__ColumnProfile *, 8);
    for (const char *p = columns; *p; p += strspn(p, " ")) {
        size_t n = strcspn(p, " ");
        Nv__ColumnProfile *c = NV_NEW(f->ctx, Nv__ColumnProfile);
        nv__column_profile__init(c);
        c->name = nv_strndup(f->ctx, p, n);
        c->type =
            strcmp(c->name, "id") == 0 ? NV__VALUE_TYPE__VALUE_TYPE_INT64 : NV__VALUE_TYPE__VALUE_TYPE_DATE;
        t->columns[t->n_columns++] = c;
        p += n;
    }
    return t;
}

static bool adopt(fixture_t *f, const Nv__TableProfile *table, increment_batch_t *out)
{
    return increment_adopt(f->ctx, &f->sttm, "/data/day 2/", &table, 1, out, &f->err);
}

static void a_new_file_lands_beside_the_old_ones(void **state)
{
    fixture_t *f = *state;
    increment_batch_t out;
    assert_true(adopt(f, profile(f, "/data/day 2/orders_2026.csv", "bb", "id day"), &out));
    assert_int_equal(out.n_new, 1);
    assert_int_equal(out.n_findings, 0);
    const Nv__SttmSource *orders = out.sttm->sources[0];
    assert_int_equal(orders->n_files, 2);
    assert_string_equal(orders->files[1]->landed, "day-2/orders_2026.csv");
    assert_int_equal(orders->files[1]->batch, 1);
    assert_int_equal(orders->files[1]->n_columns, 0);
    assert_int_equal(orders->rejected_count, 5);
    assert_int_equal(f->orders.n_files, 1); /* what was given stays as it was */
}

static void the_same_content_is_not_landed_twice(void **state)
{
    fixture_t *f = *state;
    increment_batch_t out;
    assert_true(adopt(f, profile(f, "/data/day 2/orders.csv", "aa", "id day"), &out));
    assert_int_equal(out.n_new, 0);
    assert_int_equal(out.n_known, 1);
    assert_int_equal(out.sttm->sources[0]->n_files, 1);
    assert_int_equal(out.sttm->sources[0]->rejected_count, 2);
    assert_string_equal(out.sttm->sources[0]->files[0]->path, "/data/day 2/orders.csv");
}

static void a_folder_of_the_same_name_gets_a_number(void **state)
{
    fixture_t *f = *state;
    increment_batch_t out;
    f->landed.landed = nv_strdup(f->ctx, "day-2/orders.csv");
    assert_true(adopt(f, profile(f, "/data/day 2/orders.csv", "bb", "id day"), &out));
    assert_string_equal(out.sttm->sources[0]->files[1]->landed, "day-2-2/orders.csv");
}

static void new_columns_and_another_order_are_told_and_kept(void **state)
{
    fixture_t *f = *state;
    increment_batch_t out;
    assert_true(adopt(f, profile(f, "/data/day 2/orders.csv", "bb", "day colour id"), &out));
    assert_int_equal(out.n_findings, 1);
    assert_non_null(strstr(out.findings[0], "orders.csv has a new column \"colour\""));
    const Nv__SourceFile *file = out.sttm->sources[0]->files[1];
    assert_int_equal(file->n_columns, 3);
    assert_string_equal(file->columns[0], "day");
}

static void what_cannot_be_read_is_refused_by_name(void **state)
{
    fixture_t *f = *state;
    increment_batch_t out;
    assert_false(adopt(f, profile(f, "/data/day 2/orders.csv", "bb", "id colour"), &out));
    assert_int_equal(f->err.code, NV_FAILED_PRECONDITION);
    assert_non_null(
        strstr(f->err.message, "orders.csv lacks columns that the pipeline reads for orders: day"));
    nv_error_clear(&f->err);
    Nv__TableProfile *other = profile(f, "/data/day 2/orders.csv", "bb", "id day");
    other->dialect = &f->semicolon;
    assert_false(adopt(f, other, &out));
    assert_non_null(strstr(f->err.message, "separated by \";\""));
    nv_error_clear(&f->err);
    assert_false(adopt(f, profile(f, "/data/day 2/invoices.csv", "bb", "id day"), &out));
    assert_non_null(strstr(f->err.message, "none of its files belongs to a table of project \"shop\""));
    nv_error_clear(&f->err);
}

static void a_file_of_another_name_lands_under_one_that_the_pipeline_takes(void **state)
{
    fixture_t *f = *state;
    increment_batch_t out;
    assert_true(adopt(f, profile(f, "/data/day 2/order_items-2026-01-01.csv", "bb", "id day"), &out));
    assert_string_equal(out.sttm->sources[1]->files[0]->landed, "day-2/order_items.csv");
}

/* It would lie in the volume under a name that says it is something else. */
static void what_is_packed_otherwise_is_refused(void **state)
{
    fixture_t *f = *state;
    increment_batch_t out;
    Nv__Dialect packed = f->comma;
    Nv__TableProfile *table = profile(f, "/data/day 2/orders.csv.gz", "bb", "id day");
    packed.compression = nv_strdup(f->ctx, "gzip");
    table->dialect = &packed;
    assert_false(adopt(f, table, &out));
    assert_non_null(strstr(f->err.message, "orders.csv.gz is csv, packed with gzip"));
    assert_non_null(strstr(f->err.message, "orders*.csv"));
    packed = f->comma;
    packed.format = nv_strdup(f->ctx, "jsonl");
    nv_error_clear(&f->err);
    assert_false(adopt(f, table, &out));
    assert_non_null(strstr(f->err.message, "is jsonl"));
}

static void missing_columns_are_null_where_the_mapping_says_so(void **state)
{
    fixture_t *f = *state;
    increment_batch_t out;
    Nv__SourcePolicy policy = NV__SOURCE_POLICY__INIT;
    policy.missing_columns = NV__DRIFT_ACTION__DRIFT_ACTION_NULL;
    f->orders.policy = &policy;
    bool adopted = adopt(f, profile(f, "/data/day 2/orders.csv", "bb", "id"), &out);
    f->orders.policy = NULL;
    assert_true(adopted);
    assert_int_equal(out.n_findings, 1);
    assert_non_null(strstr(out.findings[0], "null for its rows: day"));
    assert_int_equal(out.sttm->sources[0]->files[1]->n_columns, 1);
}

static void new_tables_are_told(void **state)
{
    fixture_t *f = *state;
    increment_batch_t out;
    const Nv__TableProfile *both[] = {profile(f, "/data/day 2/orders.csv", "bb", "id day"),
                                      profile(f, "/data/day 2/coupons.csv", "cc", "id")};
    assert_true(increment_adopt(f->ctx, &f->sttm, "/data/day 2", both, 2, &out, &f->err));
    assert_int_equal(out.n_tables, 1);
    assert_int_equal(out.n_findings, 1);
    assert_non_null(strstr(out.findings[0], "coupons.csv"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_new_file_lands_beside_the_old_ones),
        TEST(the_same_content_is_not_landed_twice),
        TEST(a_folder_of_the_same_name_gets_a_number),
        TEST(new_columns_and_another_order_are_told_and_kept),
        TEST(what_cannot_be_read_is_refused_by_name),
        TEST(a_file_of_another_name_lands_under_one_that_the_pipeline_takes),
        TEST(what_is_packed_otherwise_is_refused),
        TEST(missing_columns_are_null_where_the_mapping_says_so),
        TEST(new_tables_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
