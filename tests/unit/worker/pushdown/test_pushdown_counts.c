/* Counts by pushed-down SQL against those of worker/rawdata, over the sample data. */
#include "worker/pushdown/counts.h"

#include "duck.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "worker/profiling/profile.h"
#include "worker/rawdata/rawdata.h"

static Nv__Profile *sample_profile(nv_mem_t *ctx)
{
    nv_error_t err = NV_ERROR_INIT;
    Nv__Survey *survey;
    Nv__Profile *profile = NV_NEW(ctx, Nv__Profile);
    nv__profile__init(profile);
    if (!survey_folder(ctx, SAMPLE_DATA, NULL, &survey, &err))
        fail_msg("%s", err.message);
    profile->tables = NV_NEW_ARRAY(ctx, Nv__TableProfile *, survey->n_tables);
    for (; profile->n_tables < survey->n_tables; profile->n_tables++)
        if (!profile_table(ctx, NULL, survey->tables[profile->n_tables], &profile->tables[profile->n_tables],
                           &err))
            fail_msg("%s", err.message);
    return profile;
}

static const discovery_check_t questions[] = {
    {.from = "orders", .columns = {"customer_id"}, .to = "customers", .to_columns = {"customer_id"}, .n = 1},
    {.from = "order_items", .columns = {"order_id"}, .to = "orders", .to_columns = {"order_id"}, .n = 1},
    {.from = "order_items",
     .columns = {"product_id"},
     .to = "products",
     .to_columns = {"product_id"},
     .n = 1},
    {.from = "returns",
     .columns = {"order_id", "line_no"},
     .to = "order_items",
     .to_columns = {"order_id", "line_no"},
     .n = 2},
    {.from = "customers", .columns = {"customer_id"}, .n = 1},
    {.from = "order_items", .columns = {"order_id", "line_no"}, .n = 2},
    {.from = "order_items", .columns = {"order_id"}, .n = 1},
    {.from = "orders", .columns = {"order_id"}, .n = 1},
    {.from = "employees",
     .columns = {"manager_id"},
     .to = "employees",
     .to_columns = {"employee_id"},
     .n = 1},
    {.from = "orders", .columns = {"no such column"}, .n = 1},
    {.from = "no such table", .columns = {"x"}, .n = 1},
};
enum { N = sizeof questions / sizeof questions[0] };

static void test_same_answers(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    nv_error_t err = NV_ERROR_INIT;
    Nv__Profile *profile = sample_profile(ctx);
    rawdata_t *raw;
    discovery_counts_t here[N], there[N];
    pushdown_engine_t engine = duck_engine(ctx);
    if (!rawdata_open(ctx, profile, NULL, &raw, &err))
        fail_msg("%s", err.message);
    discovery_exact_t local = rawdata_exact(raw),
                      pushed = pushdown_counts_exact(pushdown_counts(ctx, &engine, profile));
    if (!local.count(local.self, questions, N, here, &err) ||
        !pushed.count(pushed.self, questions, N, there, &err))
        fail_msg("%s", err.message);
    for (size_t i = 0; i < N; i++) {
        print_message("%s.%s: %lld rows, %lld missing, %lld distinct\n", questions[i].from,
                      questions[i].columns[0], (long long)there[i].rows, (long long)there[i].missing,
                      (long long)there[i].distinct);
        assert_int_equal(here[i].answered, there[i].answered);
        assert_int_equal(here[i].rows, there[i].rows);
        assert_int_equal(here[i].missing, there[i].missing);
        assert_int_equal(here[i].distinct, there[i].distinct);
        assert_int_equal(here[i].distinct_found, there[i].distinct_found);
        assert_int_equal(here[i].fan_out, there[i].fan_out);
    }
    assert_true(here[0].answered && here[0].rows > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_answers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
