#include "controlplane/service/rate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <talloc.h>

#include <cmocka.h>

static int taken(cp_rate_t *rate, const char *tenant, int tries, int64_t now_ms)
{
    int n = 0;
    for (int i = 0; i < tries; i++) {
        nv_error_t err = NV_ERROR_INIT;
        bool ok = cp_rate_take(rate, tenant, now_ms, &err);
        if (!ok)
            assert_int_equal(err.code, NV_RESOURCE_EXHAUSTED);
        n += ok;
    }
    return n;
}

static void a_burst_then_the_rate(void **state)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    cp_rate_t *rate = cp_rate_new(ctx, 60, 5);
    (void)state;
    assert_int_equal(taken(rate, "acme", 10, 1000), 5);
    assert_int_equal(taken(rate, "globex", 10, 1000), 5); /* a bucket of its own */
    assert_int_equal(taken(rate, "acme", 10, 1999), 0);
    assert_int_equal(taken(rate, "acme", 10, 2000), 1);
    assert_int_equal(taken(rate, "acme", 10, 500), 0); /* a clock that runs back gives nothing */
    assert_int_equal(taken(rate, "acme", 10, INT64_MAX / 2), 5);
}

static void the_refusal_says_when(void **state)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    cp_rate_t *rate = cp_rate_new(ctx, 7, 1);
    nv_error_t err = NV_ERROR_INIT;
    (void)state;
    assert_int_equal(taken(rate, "acme", 1, 0), 1);
    assert_false(cp_rate_take(rate, "acme", 100, &err));
    assert_non_null(strstr(err.message, "try again in 8472 ms"));
    assert_int_equal(taken(rate, "acme", 1, 100 + 8471), 0);
    assert_int_equal(taken(rate, "acme", 1, 100 + 8472), 1);
}

static void zero_is_no_limit(void **state)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    (void)state;
    assert_int_equal(taken(cp_rate_new(ctx, 0, 1), "acme", 100, 0), 100);
}

static void quiet_tenants_are_forgotten(void **state)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    cp_rate_t *rate = cp_rate_new(ctx, 60, 1);
    (void)state;
    for (int i = 0; i < 20000; i++) {
        char name[32];
        snprintf(name, sizeof name, "t%d", i);
        assert_int_equal(taken(rate, name, 1, (int64_t)i * 10), 1);
    }
    assert_true(talloc_total_blocks(rate) < 3 * 4100); /* a bucket and its name each */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_then_the_rate),
        cmocka_unit_test(the_refusal_says_when),
        cmocka_unit_test(zero_is_no_limit),
        cmocka_unit_test(quiet_tenants_are_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
