#include "common/core/blob_cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static bool has(nv_blob_cache_t *cache, const char *name, const char *expected)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    nv_bytes_t out;
    if (!nv_blob_cache_get(cache, ctx, name, &out))
        return false;
    assert_int_equal(out.length, strlen(expected));
    assert_memory_equal(out.data, expected, out.length);
    return true;
}

static void what_is_put_is_found(void **state)
{
    (void)state;
    nv_blob_cache_t *cache = nv_blob_cache_new(10000, 100);
    assert_false(has(cache, "a", ""));
    nv_blob_cache_put(cache, "a", "one", 3);
    nv_blob_cache_put(cache, "a", "two", 3); /* a name is of one content */
    nv_blob_cache_put(cache, "empty", "", 0);
    assert_true(has(cache, "a", "one"));
    assert_true(has(cache, "empty", ""));
    nv_blob_cache_free(cache);
}

static void the_least_used_goes_first(void **state)
{
    (void)state;
    char big[1000], name[16];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    nv_blob_cache_t *cache = nv_blob_cache_new(5000, 2000);
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "n%d", i);
        nv_blob_cache_put(cache, name, big, sizeof big - 1);
    }
    assert_true(has(cache, "n0", big)); /* used: n1 is the oldest now */
    nv_blob_cache_put(cache, "n4", big, sizeof big - 1);
    assert_false(has(cache, "n1", big));
    assert_true(has(cache, "n0", big) && has(cache, "n4", big));
    nv_blob_cache_free(cache);
}

static void what_is_too_large_is_not_taken(void **state)
{
    (void)state;
    static char data[101];
    nv_blob_cache_t *cache = nv_blob_cache_new(10000, 100), *tiny = nv_blob_cache_new(10, 100);
    nv_blob_cache_put(cache, "big", data, sizeof data);
    nv_blob_cache_put(tiny, "any", data, 1); /* larger than the whole cache: in and out again */
    assert_false(has(cache, "big", ""));
    assert_false(has(tiny, "any", ""));
    nv_blob_cache_free(cache);
    nv_blob_cache_free(tiny);
    nv_blob_cache_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_put_is_found),
        cmocka_unit_test(the_least_used_goes_first),
        cmocka_unit_test(what_is_too_large_is_not_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
