#include "tests/unit/worker/design/fixture.h"
#include "worker/design/sttm_check.h"
#include "worker/design/sttm_internal.h"

static void test_is_sound(void **state)
{
    fixture_t *f = *state;
    nv_error_t err = NV_ERROR_INIT;
    if (!sttm_check(f->sttm, f->input.profile, &err))
        fail_msg("%s", err.message);
    assert_int_equal(f->sttm->n_sources, 7);
}

static void test_load_order(void **state)
{
    fixture_t *f = *state;
    for (size_t i = 0; i < f->sttm->n_targets; i++) {
        for (size_t d = 0; d < f->sttm->targets[i]->n_depends_on; d++) {
            bool before = false;
            for (size_t k = 0; k < i; k++)
                before = before || strcmp(f->sttm->targets[k]->name, f->sttm->targets[i]->depends_on[d]) == 0;
            assert_true(before);
        }
    }
}

static void test_lookup_through_header(void **state)
{
    fixture_t *f = *state;
    const Nv__SttmColumn *column = fixture_column(fixture_target(f, "fact_order_item"), "customer_key");
    assert_non_null(column);
    assert_int_equal(column->transform->op, NV__TRANSFORM_OP__TRANSFORM_OP_LOOKUP);
    assert_string_equal(column->transform->dimension, "dim_customer");
    assert_string_equal(column->transform->inputs[0]->alias, "orders");
    assert_string_equal(column->transform->inputs[0]->column, "customer_id");
    assert_string_equal(column->transform->as_of, "orders.order_date");
    assert_false(column->nullable);
}

static void test_versions_and_audit(void **state)
{
    fixture_t *f = *state;
    const Nv__SttmTarget *customer = fixture_target(f, "dim_customer");
    assert_int_equal(customer->load, NV__LOAD_STRATEGY__LOAD_STRATEGY_SCD2);
    static const char *const expected[] = {"customer_key", "valid_from", "valid_to", "is_current",
                                           "batch_id",     "loaded_at",  "row_hash"};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        assert_non_null(fixture_column(customer, expected[i]));
    const Nv__SttmColumn *name = fixture_column(customer, "country_name");
    assert_string_equal(name->transform->inputs[0]->alias, "countries");
    assert_string_equal(name->unknown_member, "Unknown");
}

static void test_grain_keeps_source_keys(void **state)
{
    fixture_t *f = *state;
    const Nv__SttmTarget *line = fixture_target(f, "fact_order_item");
    assert_int_equal(line->n_grain_columns, 2);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(fixture_column(line, line->grain_columns[i])->key_role,
                         NV__KEY_ROLE__KEY_ROLE_DEGENERATE);
}

static void test_deterministic(void **state)
{
    fixture_t *f = *state;
    nv_error_t err = NV_ERROR_INIT;
    size_t n = nv__sttm__get_packed_size(f->sttm);
    uint8_t *first = nv_alloc(f->ctx, n), *second = nv_alloc(f->ctx, n);
    nv__sttm__pack(f->sttm, first);
    assert_true(fixture_design(f, &err));
    assert_int_equal(nv__sttm__get_packed_size(f->sttm), n);
    nv__sttm__pack(f->sttm, second);
    assert_memory_equal(first, second, n);
}

static void expect_problem(fixture_t *f, const char *part)
{
    sttm_problems_t problems = sttm_find_problems(f->ctx, f->sttm, f->input.profile);
    for (size_t i = 0; i < problems.n; i++) {
        if (strstr(problems.text[i], part) != NULL)
            return;
    }
    fail_msg("no problem says \"%s\"; the first of %zu: %s", part, problems.n,
             problems.n > 0 ? problems.text[0] : "none");
}

static void test_checker_finds_what_is_broken(void **state)
{
    fixture_t *f = *state;
    Nv__SttmTarget *line = fixture_target(f, "fact_order_item");
    char *alias = line->columns[0]->transform->inputs[0]->alias;
    line->columns[0]->transform->inputs[0]->alias = (char *)"nowhere";
    expect_problem(f, "transform.inputs[0].alias: \"nowhere\"");
    line->columns[0]->transform->inputs[0]->alias = alias;

    char *grain = line->grain_columns[0];
    line->grain_columns[0] = (char *)"nothing";
    expect_problem(f, "grain_columns[0]: \"nothing\"");
    line->grain_columns[0] = grain;

    char *name = line->columns[1]->name;
    line->columns[1]->name = (char *)"a b";
    expect_problem(f, "name \"a b\"");
    line->columns[1]->name = name;

    size_t kept = f->sttm->n_unmapped;
    f->sttm->n_unmapped = 0;
    expect_problem(f, "\"settings\": expected to be a source");
    f->sttm->n_unmapped = kept;

    Nv__SttmTarget *first = f->sttm->targets[1];
    f->sttm->targets[1] = f->sttm->targets[f->sttm->n_targets - 1];
    f->sttm->targets[f->sttm->n_targets - 1] = first;
    expect_problem(f, "expected a dimension that is loaded before");
}

static void test_odd_names(void **state)
{
    (void)state;
    fixture_t *f = fixture_new();
    nv_error_t err = NV_ERROR_INIT;
    char *longest = nv_alloc(f->ctx, 301);
    memset(longest, 'n', 300);
    char *csv = nv_printf(f->ctx,
                          "id,select,\xF0\x9F\x98\x80,\"a \"\"quoted\"\" one\",%s,%sx,Id "
                          "2\n1,1.5,b,c,d,e,f\n2,2.5,b2,c2,d2,e2,f2\n",
                          longest, longest);
    assert_true(fixture_csv(f, "Weird \"table\" \xF0\x9F\x98\x80", csv));
    fixture_key(f, "Weird \"table\" \xF0\x9F\x98\x80", "id", NULL);
    fixture_role(f, "Weird \"table\" \xF0\x9F\x98\x80", NV__TABLE_ROLE__TABLE_ROLE_FACT);
    if (!fixture_design(f, &err) || !sttm_check(f->sttm, f->input.profile, &err))
        fail_msg("%s", err.message);
    nv_mem_free(f->ctx);
}

/* The greatest price so far is no bound for the next one. */
static void test_decimals_have_room(void **state)
{
    fixture_t *f = *state;
    Nv__ColumnProfile column = NV__COLUMN_PROFILE__INIT;
    int32_t precision = 0, scale = 0;
    (void)f;
    column.precision = 3;
    column.scale = 2;
    sttm_decimal(&column, &precision, &scale);
    assert_int_equal(precision, 18);
    assert_int_equal(scale, 2);
    column.precision = 17;
    sttm_decimal(&column, &precision, &scale);
    assert_int_equal(precision, 38);
    column.scale = 44;
    sttm_decimal(&column, &precision, &scale);
    assert_int_equal(precision, 38);
    assert_int_equal(scale, 38);
}

/* A source keyed by thing and day of change: the day is no part of the business key, and silver keeps every version. */
static void test_keyed_versions_are_kept(void **state)
{
    (void)state;
    fixture_t *f = fixture_new();
    assert_true(
        fixture_csv(f, "addresses",
                    "customer_id,valid_from,city\n1,2024-01-01,Bonn\n1,2024-02-01,Kiel\n2,2024-01-01,Ulm\n"));
    assert_true(fixture_csv(f, "orders", "order_id,amount\n10,4.50\n11,3.00\n"));
    fixture_key(f, "addresses", "customer_id", "valid_from");
    fixture_key(f, "orders", "order_id", NULL);
    fixture_role(f, "addresses", NV__TABLE_ROLE__TABLE_ROLE_DIMENSION);
    fixture_role(f, "orders", NV__TABLE_ROLE__TABLE_ROLE_FACT);
    fixture_must_design(f);
    const Nv__SttmTarget *dimension = fixture_target(f, "dim_address");
    assert_int_equal(dimension->load, NV__LOAD_STRATEGY__LOAD_STRATEGY_SCD2);
    assert_string_equal(dimension->effective_from, "valid_from");
    assert_int_equal(dimension->n_grain_columns, 1);
    for (size_t i = 0; i < f->sttm->n_sources; i++)
        if (strcmp(f->sttm->sources[i]->name, "addresses") == 0) {
            assert_int_equal(f->sttm->sources[i]->n_key, 2);
            assert_string_equal(f->sttm->sources[i]->key[1], "valid_from");
        }
    nv_mem_free(f->ctx);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up_designed, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_is_sound),
        TEST(test_load_order),
        TEST(test_lookup_through_header),
        TEST(test_versions_and_audit),
        TEST(test_grain_keeps_source_keys),
        TEST(test_decimals_have_room),
        cmocka_unit_test(test_keyed_versions_are_kept),
        TEST(test_deterministic),
        TEST(test_checker_finds_what_is_broken),
        cmocka_unit_test(test_odd_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
