#include "common/core/workpool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

static void count(void *arg)
{
    usleep(1000);
    atomic_fetch_add((atomic_int *)arg, 1);
}

static void runs_what_it_accepted_even_when_stopped(void **state)
{
    nv_error_t err = NV_ERROR_INIT;
    atomic_int n = 0;
    int accepted = 0;
    (void)state;
    nv_workpool_t *pool = nv_workpool_new(3, 50, &err);
    for (int i = 0; i < 200; i++)
        accepted += nv_workpool_submit(pool, count, &n, &err);
    assert_true(accepted >= 50 && accepted < 200);
    assert_int_equal(err.code, NV_RESOURCE_EXHAUSTED);
    nv_workpool_stop(pool);
    assert_int_equal(atomic_load(&n), accepted);
    assert_false(nv_workpool_submit(pool, count, &n, &err));
    assert_int_equal(err.code, NV_UNAVAILABLE);
    nv_workpool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(runs_what_it_accepted_even_when_stopped)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
