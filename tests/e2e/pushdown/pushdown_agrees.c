/* The sample data in a volume: surveyed, profiled and counted through the SQL warehouse, beside the same done locally.
 * Started by run.py, which sets PUSHDOWN_HOST, _SECRET, _CA and _DATA. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/http/http.h"
#include "scene.h"
#include "worker/discovery/discovery.h"
#include "worker/pushdown/counts.h"
#include "worker/pushdown/remote_survey.h"
#include "worker/rawdata/rawdata.h"

static Nv__Survey *local, *remote;

static int setup(void **state)
{
    scene_t *s = scene_open("landing");
    *state = s;
    if (!s)
        return -1;
    scene_upload(s, getenv("PUSHDOWN_DATA"), ".csv");
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
    OK_OR_FAIL(survey_folder(s->ctx, getenv("PUSHDOWN_DATA"), NULL, &local, &err));
    OK_OR_FAIL(remote_survey(s->ctx, &s->engine, s->db, s->volume, NULL, &remote, &err));
    scene_same_surveys(local, remote);
}

/* LIST, which cloud storage is listed by, says the same of a volume. */
static void test_listing_by_sql(void **state)
{
    scene_t *s = *state;
    nv_error_t err = NV_ERROR_INIT;
    pushdown_rows_t rows;
    OK_OR_FAIL(s->engine.query(s->engine.arg, s->ctx, "LIST '/Volumes/main/raw/landing'", &rows, &err));
    size_t files = 0;
    for (size_t i = 0; i < remote->n_tables; i++)
        files += remote->tables[i]->n_files;
    assert_int_equal(rows.n_rows, files);
    assert_int_equal(rows.n_columns, 4);
}

static void test_profiles(void **state)
{
    scene_t *s = *state;
    side_by_side_t result = {.sketches = true};
    scene_profile(s, s->volume, local, remote, true, &result);
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
