#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "worker/discovery/sketch.h"

/* splitmix64: stands in for the hash of value i. */
static uint64_t hash_of(uint64_t i)
{
    uint64_t z = i * 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

typedef struct set {
    uint64_t *hashes;
    sketch_t sketch;
} set_t;

static set_t make(uint64_t from, uint64_t to)
{
    size_t n = (size_t)(to - from);
    set_t set = {.hashes = calloc(n + 1, sizeof(uint64_t))};
    assert_non_null(set.hashes);
    for (size_t i = 0; i < n; i++)
        set.hashes[i] = hash_of(from + i + 1);
    qsort(set.hashes, n, sizeof *set.hashes, by_value);
    size_t kept = n < SKETCH_MAX ? n : SKETCH_MAX;
    set.sketch = sketch_make((const uint8_t *)set.hashes, kept * sizeof *set.hashes, (double)n);
    return set;
}

static void test_containment_of_complete_sets_is_exact(void **state)
{
    (void)state;
    set_t a = make(0, 100), b = make(0, 400), c = make(75, 175);
    size_t judged = 0;
    assert_true(sketch_containment(&a.sketch, &b.sketch, &judged) >= 1);
    assert_int_equal(judged, 100);
    assert_true(sketch_containment(&c.sketch, &a.sketch, &judged) == 0.25);
    free(a.hashes);
    free(b.hashes);
    free(c.hashes);
}

static void test_containment_of_large_sets_is_close(void **state)
{
    (void)state;
    set_t a = make(0, 50000), b = make(10000, 60000);
    size_t judged = 0;
    double found = sketch_containment(&a.sketch, &b.sketch, &judged);
    assert_true(judged > 500);
    assert_true(found > 0.74 && found < 0.86);
    free(a.hashes);
    free(b.hashes);
}

static void test_a_few_values_in_many_are_not_judged(void **state)
{
    (void)state;
    set_t few = make(200000, 200005), many = make(0, 100000);
    size_t judged = 0;
    (void)sketch_containment(&few.sketch, &many.sketch, &judged);
    assert_true(judged < 5);
    free(few.hashes);
    free(many.hashes);
}

static void test_broken_sketches_are_empty(void **state)
{
    (void)state;
    uint64_t descending[] = {5, 3};
    assert_int_equal(sketch_make((const uint8_t *)descending, sizeof descending, 2).n, 0);
    assert_int_equal(sketch_make((const uint8_t *)descending, 7, 2).n, 0);
    size_t judged = 1;
    sketch_t empty = {0};
    assert_true(sketch_containment(&empty, &empty, &judged) >= 1);
    assert_int_equal(judged, 0);
}

static void test_quantile_distance(void **state)
{
    (void)state;
    double uniform[SKETCH_POINTS] = {1, 50, 250, 500, 750, 950, 1000},
           low[SKETCH_POINTS] = {1, 2, 3, 4, 5, 6, 7};
    assert_true(sketch_quantile_distance(uniform, uniform) < 0.001);
    assert_true(sketch_quantile_distance(low, uniform) > 0.4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_containment_of_complete_sets_is_exact),
        cmocka_unit_test(test_containment_of_large_sets_is_close),
        cmocka_unit_test(test_a_few_values_in_many_are_not_judged),
        cmocka_unit_test(test_broken_sketches_are_empty),
        cmocka_unit_test(test_quantile_distance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
