/* The profile against DuckDB, which reads the same files with the generated SQL and parses by the generated rules. */
#include "support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void agrees_on(const char *text)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    support_agrees(support_profile_text(ctx, text));
}

static void test_sample_data(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    nv_error_t err = NV_ERROR_INIT;
    Nv__Survey *survey;
    if (!survey_folder(ctx, SAMPLE_DATA, NULL, &survey, &err))
        fail_msg("%s", err.message);
    for (size_t i = 0; i < survey->n_tables; i++) {
        Nv__TableProfile *table;
        if (!profile_table(ctx, NULL, survey->tables[i], &table, &err))
            fail_msg("%s", err.message);
        support_agrees(table);
    }
}

static void test_numbers(void **state)
{
    (void)state;
    agrees_on("id,a,b,c\n1,\"1,234.50\",(12.50),12%\n2,$5,3.25,5.5 %\n3,-$7.1,-4.00,0%\n4,$ 8,(0.5),100%\n");
    agrees_on("id;a;b\n1;1.234,50 €;1'000\n2;-3,5 €;2'500\n3;0,25 €;13\n4;10.000,00 €;1'000'000\n");
    agrees_on("id,big,huge\n1,9223372036854775807,12345678901234567890\n2,-9223372036854775808,1\n3,0,"
              "99999999999999999999\n");
    agrees_on("id,a,b,c\n1,3.50-,\"1,234.5-\",7-\n2,2,-5,8\n3,-4.25,\"$12.00-\",-9\n4,0.5,$1-,99999-\n");
    agrees_on("id,x\n1,1.5e10\n2,1e400\n3,-1e400\n4,2\n5,3\n6,4\n7,5\n8,6\n9,7\n");
    agrees_on("id,a,b\n1,$(3.50),1e3-\n2,($ 4),2\n3,-$5,-3e-2\n4,$6,4.5e-1-\n5,(7),5\n");
    agrees_on("id,a,b\n1,\"1,23,456.50\",-(2)\n2,\"12,34,56,789\",3\n3,7,4-5\n4,8.25,5\n");
    agrees_on("id,x\n1,1e3\n2,-2.5E-4\n3,7\n4,+3.25\n");
    agrees_on("id,x\n1,N/A\n2,12\n3,-\n4,+13\n5,NaN\n6,\n");
}

static void test_dates(void **state)
{
    (void)state;
    agrees_on("id,d\n1,2024-01-31\n2,31/12/2023\n3,1 Feb 2024\n4,2024-02-29\n5,0000-00-00\n");
    agrees_on("id,t\n1,2024-01-31 "
              "10:20:30\n2,2024-01-31T10:20:30Z\n3,2024-01-31T10:20:30.123456\n4,2024-01-31T10:20:30+02:00\n"
              "5,2024-01-31 23:59\n6,2024-01-31 11:30 PM\n");
    agrees_on("id,t\n1,10:20\n2,23:59:59\n3,0:00\n");
    agrees_on("id,d\n1,\"Jan 5, 2024\"\n2,\"March 15, 2024\"\n3,\"may 1, 2024\"\n");
    agrees_on("id,d\n1,31/12/69\n2,01/02/68\n3,15-Mar-05\n");
    agrees_on("id,order_date\n1,20240131\n2,20231201\n");
}

static void test_booleans_and_nulls(void **state)
{
    (void)state;
    agrees_on("id,b,c,t\n1,Yes,1, NULL \n2,no,TRUE,x\n3,YES,false,\\N\n4,,0,n/a\n");
}

static void test_quoting(void **state)
{
    (void)state;
    agrees_on("id,t\n1,\"a \"\"quoted\"\" word\"\n2,\"line\nbreak\"\n3,\"comma, inside\"\n4,5\" pipe\n");
    agrees_on("id,t\r\n1,\"a\r\nb\"\r\n2,x\r\n3,\"y\"\r\n");
    agrees_on("id\tt\n1\ta,b\n2\tc;d\n3\te\n");
    agrees_on("id|t\n1|a\n2|b\n3|c");
}

static void test_rejected_lines(void **state)
{
    (void)state;
    agrees_on("a,b,c\n1,2,3\n4,5\n6,7,8\n9,10,11,12\n13,14,15\n\n16,17,18\n");
    agrees_on("a,b\n1,x\n2,\"y\" z\n3,z\n4,w\n5,v\n");
    agrees_on("a,b\n1,x\n2,caf\xC3\xA9\n3,\xFF\xFE\n4,z\xC3\xA9\n");
}

static void test_header_forms(void **state)
{
    (void)state;
    agrees_on("1,2024-01-01,x\n2,2024-01-02,y\n3,2024-01-03,z\n");
    agrees_on("Sales report\nexported 2024\n\nid,amount,day\n1,2.50,2024-01-01\n2,3.50,2024-01-02\n");
    agrees_on("\xEF\xBB\xBFid,name\n1,x\n2,y\n");
    agrees_on("id,\"a \"\"b\"\"\",c'd,\xF0\x9F\x98\x80\n1,x,y,z\n2,x,y,z\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sample_data),  cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_dates),        cmocka_unit_test(test_booleans_and_nulls),
        cmocka_unit_test(test_quoting),      cmocka_unit_test(test_rejected_lines),
        cmocka_unit_test(test_header_forms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
