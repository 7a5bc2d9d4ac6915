/* Repeats that chance alone would bring, against what can be counted by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "worker/discovery/chance.h"

#include <math.h>

static Nv__ValueCount count(int64_t n)
{
    Nv__ValueCount value = NV__VALUE_COUNT__INIT;
    value.count = n;
    return value;
}

/* 50, 30 and 20 of 100 rows: .25 + .09 + .04. */
static void test_shares_are_squared(void **state)
{
    (void)state;
    Nv__ValueCount values[] = {count(50), count(30), count(20)};
    Nv__ValueCount *top[] = {&values[0], &values[1], &values[2]};
    Nv__ColumnProfile profile = NV__COLUMN_PROFILE__INIT;
    profile.top = top;
    profile.n_top = 3;
    dsc_column_t column = {.p = &profile, .filled = 100, .distinct = 3};
    assert_true(fabs(chance_two_agree(&column) - 0.38) < 1e-9);
    /* Only the first is known: the rest is shared among two others. */
    profile.n_top = 1;
    assert_true(fabs(chance_two_agree(&column) - (0.25 + 0.125)) < 1e-9);
    profile.n_top = 0;
    assert_true(fabs(chance_two_agree(&column) - 1.0 / 3) < 1e-9);
    column.filled = 0;
    assert_true(chance_two_agree(&column) >= 1);
}

/* 100 rows of 10 x 20 combinations: 4,950 pairs, each alike in one of 200. */
static void test_a_set_of_columns(void **state)
{
    (void)state;
    Nv__ColumnProfile profile = NV__COLUMN_PROFILE__INIT;
    dsc_column_t columns[] = {{.p = &profile, .index = 0, .filled = 100, .distinct = 10, .unique = 0.1},
                              {.p = &profile, .index = 1, .filled = 100, .distinct = 20, .unique = 0.2}};
    dsc_table_t table = {.rows = 100, .records = 100, .columns = columns, .n_columns = 2};
    dsc_schema_t schema = {.tables = &table, .n_tables = 1};
    dsc_state_t discovery = {.schema = &schema};
    key_candidate_t key = {.n = 2, .columns = {0, 1}};
    assert_true(fabs(chance_repeats(&discovery, &key) - 4950.0 / 200) < 1e-6);
}

/* Ids from 1 to 100 would repeat if they were drawn, those from a range of a million would not; what texts there are nobody knows. */
static void test_one_column_that_does_not_repeat(void **state)
{
    (void)state;
    Nv__ColumnProfile profile = NV__COLUMN_PROFILE__INIT;
    dsc_column_t column = {.p = &profile, .kind = CLASS_INTEGER, .filled = 100, .distinct = 100, .unique = 1};
    column.has_points = true;
    column.points[0] = 1;
    column.points[SKETCH_POINTS - 1] = 100;
    dsc_table_t table = {.rows = 100, .records = 100, .columns = &column, .n_columns = 1};
    dsc_schema_t schema = {.tables = &table, .n_tables = 1};
    dsc_state_t discovery = {.schema = &schema};
    key_candidate_t key = {.n = 1, .columns = {0}};
    assert_true(fabs(chance_repeats(&discovery, &key) - 49.5) < 1e-6);
    column.points[SKETCH_POINTS - 1] = 1000000;
    assert_true(chance_repeats(&discovery, &key) < 0.01);
    column.kind = CLASS_TEXT;
    assert_true(chance_repeats(&discovery, &key) <= 0);
}

/* A reference drawn from 50 rows that does not repeat in 40 is no accident; one drawn from 100,000 may be. */
static void test_a_reference_that_does_not_repeat(void **state)
{
    (void)state;
    Nv__ColumnProfile profile = NV__COLUMN_PROFILE__INIT;
    dsc_column_t column = {.p = &profile, .kind = CLASS_TEXT, .filled = 40, .distinct = 40, .unique = 1};
    dsc_table_t tables[] = {{.rows = 40, .records = 40, .columns = &column, .n_columns = 1},
                            {.rows = 50, .records = 50}};
    dsc_schema_t schema = {.tables = tables, .n_tables = 2};
    join_candidate_t join = {.to = 1, .n = 1, .p = 0.9};
    dsc_state_t discovery = {.schema = &schema, .joins = &join, .n_joins = 1};
    key_candidate_t key = {.n = 1, .columns = {0}};
    assert_true(fabs(chance_repeats(&discovery, &key) - 780.0 / 50) < 1e-6);
    tables[1].records = 100000;
    assert_true(chance_repeats(&discovery, &key) < 0.01);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shares_are_squared),
        cmocka_unit_test(test_a_set_of_columns),
        cmocka_unit_test(test_one_column_that_does_not_repeat),
        cmocka_unit_test(test_a_reference_that_does_not_repeat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
