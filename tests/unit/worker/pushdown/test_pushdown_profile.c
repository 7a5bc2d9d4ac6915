/* The pushed-down profile against the local one, both of the same files, through the generator's DuckDB dialect. */
#include "worker/pushdown/profile.h"

#include "duck.h"
#include "format_files.h"
#include "side_by_side.h"
#include "tests/unit/worker/profiling/support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "worker/profiling/files.h"

static bool read_head(void *arg, const char *path, void *out, size_t capacity, size_t *length, bool *whole,
                      nv_error_t *err)
{
    file_kind_t kind;
    (void)arg;
    return file_read_head(path, file_kind(path, &kind, NULL) ? kind.compression : PACKED_NOT, out, capacity,
                          length, whole, err);
}

static void compare(side_by_side_t *result, const Nv__SurveyTable *table)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    nv_error_t err = NV_ERROR_INIT;
    survey_reader_t reader = {.read_head = read_head};
    pushdown_options_t options = {.reader = &reader};
    pushdown_engine_t engine = duck_engine(ctx);
    Nv__TableProfile *local, *pushed;
    if (!profile_table(ctx, NULL, table, &local, &err) ||
        !pushdown_profile(ctx, &engine, &options, table, &pushed, &err))
        fail_msg("%s", err.message);
    side_by_side(result, local, pushed);
}

static void compare_folder(const char *folder)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("folder");
    nv_error_t err = NV_ERROR_INIT;
    Nv__Survey *survey;
    side_by_side_t result = {0};
    if (!survey_folder(ctx, folder, NULL, &survey, &err))
        fail_msg("%s", err.message);
    for (size_t i = 0; i < survey->n_tables; i++)
        compare(&result, survey->tables[i]);
    print_message("%zu facts compared\n", result.compared);
    assert_int_equal(result.differing, 0);
}

static void agrees_on(const char *text)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    const char *folder = support_folder(ctx);
    support_text(ctx, folder, "some.csv", text);
    compare_folder(folder);
}

static void test_sample_data(void **state)
{
    (void)state;
    compare_folder(SAMPLE_DATA);
}

static void test_notations(void **state)
{
    (void)state;
    agrees_on("id,a,b,c\n1,\"1,234.50\",(12.50),12%\n2,$5,3.25,5.5 %\n3,-$7.1,-4.00,0%\n4,$ 8,(0.5),100%\n");
    agrees_on("id;a;b\n1;1.234,50 €;1'000\n2;-3,5 €;2'500\n3;0,25 €;13\n4;10.000,00 €;1'000'000\n");
    agrees_on("id,big,huge\n1,9223372036854775807,12345678901234567890\n2,-9223372036854775808,1\n3,0,"
              "99999999999999999999\n");
    agrees_on("id,x\n1,N/A\n2,12\n3,-\n4,+13\n5,NaN\n6,\n");
    agrees_on("id,d\n1,2024-01-31\n2,31/12/2023\n3,1 Feb 2024\n4,2024-02-29\n5,0000-00-00\n");
    agrees_on("id,t\n1,2024-01-31 10:20:30\n2,2024-01-31T10:20:30Z\n3,2024-01-31T10:20:30.123456\n"
              "4,2024-01-31T10:20:30+02:00\n5,2024-01-31 23:59\n6,2024-01-31 11:30 PM\n");
    agrees_on("id,t\n1,10:20\n2,23:59:59\n3,0:00\n");
    agrees_on("id,m,f,z,created_at\n1,3.50-,1.5,2024-01-31 10:20 CET,1700000000000\n"
              "2,2.00,inf,2024-01-31 10:20:30 PST,1700000001000\n3,4-,-Infinity,2024-02-30 10:20:30 "
              "CEST,1700000000001\n");
    agrees_on("id,order_date\n1,20240131\n2,20231201\n");
    agrees_on("id,ok,zip\n1,yes, 01234\n2,No,99999 \n3,YES,00001\n4,,\n");
    agrees_on("a,b,c\n1,x,Zürich\n1,x,Zürich\n2,x,日本\n2,y,\n3,y,ok\n");
}

static void test_formats(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    const char *folder = support_folder(ctx);
    format_files_write(ctx, folder);
    compare_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_notations),
        cmocka_unit_test(test_sample_data),
        cmocka_unit_test(test_formats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
