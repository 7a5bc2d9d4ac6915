/* The sample data in a volume: surveyed, profiled and counted through the SQL warehouse, beside the same done locally.
 * Started by run.py, which sets PUSHDOWN_HOST, _SECRET, _CA and _DATA. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/http/http.h"
#include "tests/unit/worker/pushdown/side_by_side.h"
#include "worker/databricks/databricks.h"
#include "worker/discovery/discovery.h"
#include "worker/pushdown/counts.h"
#include "worker/pushdown/profile.h"
#include "worker/pushdown/remote_survey.h"
#include "worker/rawdata/rawdata.h"

static const char *const volume = "/Volumes/main/raw/landing";

typedef struct scene {
    nv_mem_t *ctx;
    databricks_t *db;
    databricks_warehouse_t warehouse;
    pushdown_engine_t engine;
    const char *data;
    Nv__Survey *local, *remote;
    Nv__Profile pushed, own;
} scene_t;

#define OK_OR_FAIL(call)                                                                                     \
    do {                                                                                                     \
        if (!(call))                                                                                         \
            fail_msg("%s", err.message);                                                                     \
    } while (0)

static char *read_file(nv_mem_t *ctx, const char *path)
{
    char *text = nv_alloc(ctx, 65536);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_true(fread(text, 1, 65535, file) > 0);
    fclose(file);
    return text;
}

static void upload_all(scene_t *s)
{
    nv_error_t err = NV_ERROR_INIT;
    DIR *folder = opendir(s->data);
    struct dirent *entry;
    assert_non_null(folder);
    while ((entry = readdir(folder)))
        if (strstr(entry->d_name, ".csv"))
            OK_OR_FAIL(databricks_upload(s->db, nv_printf(s->ctx, "%s/%s", volume, entry->d_name),
                                         nv_printf(s->ctx, "%s/%s", s->data, entry->d_name), true, &err));
    closedir(folder);
}

static int setup(void **state)
{
    nv_error_t err = NV_ERROR_INIT;
    nv_mem_t *ctx = nv_mem_root("scene");
    scene_t *s = NV_NEW(ctx, scene_t);
    s->ctx = ctx;
    s->data = getenv("PUSHDOWN_DATA");
    databricks_options_t options = {.host = getenv("PUSHDOWN_HOST"),
                                    .client_id = "nuvyn",
                                    .client_secret = getenv("PUSHDOWN_SECRET"),
                                    .ca_pem = read_file(ctx, getenv("PUSHDOWN_CA"))};
    *state = s;
    if (!databricks_new(ctx, &options, &s->db, &err) ||
        !databricks_use_warehouse(s->db, ctx, NULL, 120000, &s->warehouse, &err) ||
        !databricks_ensure_catalog(s->db, "main", &err) ||
        !databricks_ensure_schema(s->db, "main", "raw", &err) ||
        !databricks_ensure_volume(s->db, "main", "raw", "landing", &err)) {
        fprintf(stderr, "%s\n", err.message);
        return -1;
    }
    s->engine = pushdown_on_warehouse(ctx, s->db, s->warehouse.id);
    upload_all(s);
    return 0;
}

static int teardown(void **state)
{
    scene_t *s = *state;
    nv_mem_free(s->ctx);
    return 0;
}

static void test_survey(void **state)
{
    scene_t *s = *state;
    nv_error_t err = NV_ERROR_INIT;
    OK_OR_FAIL(survey_folder(s->ctx, s->data, NULL, &s->local, &err));
    OK_OR_FAIL(remote_survey(s->ctx, &s->engine, s->db, volume, NULL, &s->remote, &err));
    assert_int_equal(s->local->n_tables, s->remote->n_tables);
    for (size_t i = 0; i < s->local->n_tables; i++) {
        assert_string_equal(s->local->tables[i]->name, s->remote->tables[i]->name);
        assert_int_equal(s->local->tables[i]->n_files, s->remote->tables[i]->n_files);
    }
}

/* LIST, which cloud storage is listed by, says the same of a volume. */
static void test_listing_by_sql(void **state)
{
    scene_t *s = *state;
    nv_error_t err = NV_ERROR_INIT;
    pushdown_rows_t rows;
    OK_OR_FAIL(s->engine.query(s->engine.arg, s->ctx, "LIST '/Volumes/main/raw/landing'", &rows, &err));
    size_t files = 0;
    for (size_t i = 0; i < s->remote->n_tables; i++)
        files += s->remote->tables[i]->n_files;
    assert_int_equal(rows.n_rows, files);
    assert_int_equal(rows.n_columns, 4);
}

static void test_profiles(void **state)
{
    scene_t *s = *state;
    nv_error_t err = NV_ERROR_INIT;
    side_by_side_t result = {.sketches = true};
    survey_reader_t reader = remote_reader(s->ctx, &s->engine, s->db, volume);
    pushdown_options_t options = {.reader = &reader};
    nv__profile__init(&s->pushed);
    nv__profile__init(&s->own);
    s->pushed.tables = NV_NEW_ARRAY(s->ctx, Nv__TableProfile *, s->local->n_tables);
    s->own.tables = NV_NEW_ARRAY(s->ctx, Nv__TableProfile *, s->local->n_tables);
    for (size_t i = 0; i < s->local->n_tables; i++) {
        Nv__TableProfile *own, *pushed;
        OK_OR_FAIL(profile_table(s->ctx, NULL, s->local->tables[i], &own, &err));
        OK_OR_FAIL(pushdown_profile(s->ctx, &s->engine, &options, s->remote->tables[i], &pushed, &err));
        print_message("%s: %lld rows, %.1f s in the warehouse\n", pushed->name, (long long)pushed->row_count,
                      pushed->seconds);
        side_by_side(&result, own, pushed);
        for (size_t f = 0; f < own->n_files; f++)
            assert_string_equal(own->files[f]->sha256, pushed->files[f]->sha256);
        s->own.tables[s->own.n_tables++] = own;
        s->pushed.tables[s->pushed.n_tables++] = pushed;
    }
    print_message("%zu facts compared\n", result.compared);
    assert_int_equal(result.differing, 0);
}

/* Keys and joins that rest on exact counting come out alike. */
static void test_relations(void **state)
{
    scene_t *s = *state;
    nv_error_t err = NV_ERROR_INIT;
    Nv__Relations *own, *pushed;
    rawdata_t *raw;
    OK_OR_FAIL(rawdata_open(s->ctx, &s->own, NULL, &raw, &err));
    discovery_exact_t there = pushdown_counts_exact(pushdown_counts(s->ctx, &s->engine, &s->pushed));
    discovery_exact_t here = rawdata_exact(raw);
    discovery_options_t local_options = {.exact = &here}, remote_options = {.exact = &there};
    OK_OR_FAIL(discovery_relate(s->ctx, &s->own, &local_options, &own, &err));
    OK_OR_FAIL(discovery_relate(s->ctx, &s->pushed, &remote_options, &pushed, &err));
    assert_int_equal(own->n_primary_keys, pushed->n_primary_keys);
    assert_int_equal(own->n_joins, pushed->n_joins);
    for (size_t i = 0; i < own->n_joins; i++) {
        assert_string_equal(own->joins[i]->from, pushed->joins[i]->from);
        assert_string_equal(own->joins[i]->to, pushed->joins[i]->to);
        assert_string_equal(own->joins[i]->columns[0], pushed->joins[i]->columns[0]);
        assert_int_equal(own->joins[i]->orphans, pushed->joins[i]->orphans);
    }
}

int main(void)
{
    nv_error_t err = NV_ERROR_INIT;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_survey),
        cmocka_unit_test(test_listing_by_sql),
        cmocka_unit_test(test_profiles),
        cmocka_unit_test(test_relations),
    };
    if (!nv_http_global_init(&err))
        return 1;
    return cmocka_run_group_tests(tests, setup, teardown);
}
