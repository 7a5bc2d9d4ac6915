#include "worker/design/name_index.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_a_name_belongs_to_its_scope(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    name_index_t *index = name_index_new(ctx);
    int orders = 0, lines = 0, id = 0, other = 0;
    name_index_add(index, &orders, "id", &id);
    name_index_add(index, &lines, "id", &other);
    name_index_add(index, &orders, "", &orders);
    assert_ptr_equal(name_index_find(index, &orders, "id"), &id);
    assert_ptr_equal(name_index_find(index, &lines, "id"), &other);
    assert_ptr_equal(name_index_find(index, &orders, ""), &orders);
    assert_null(name_index_find(index, &lines, ""));
    assert_null(name_index_find(index, NULL, "id"));
    assert_null(name_index_find(index, &orders, "i"));
    nv_mem_free(index);
}

static void test_the_first_of_a_name_stays(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    name_index_t *index = name_index_new(ctx);
    int first = 0, second = 0;
    name_index_add(index, NULL, "amount", &first);
    name_index_add(index, NULL, "amount", &second);
    assert_ptr_equal(name_index_find(index, NULL, "amount"), &first);
    nv_mem_free(index);
}

static void test_many_names(void **state)
{
    (void)state;
    enum { NAMES = 10000 };
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    name_index_t *index = name_index_new(ctx);
    char **names = NV_NEW_ARRAY(ctx, char *, NAMES);
    for (int i = 0; i < NAMES; i++) {
        names[i] = nv_printf(ctx, "column_%d", i);
        name_index_add(index, ctx, names[i], names[i]);
    }
    for (int i = 0; i < NAMES; i++)
        assert_ptr_equal(name_index_find(index, ctx, names[i]), names[i]);
    assert_null(name_index_find(index, ctx, "column_10000"));
    nv_mem_free(index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_name_belongs_to_its_scope),
        cmocka_unit_test(test_the_first_of_a_name_stays),
        cmocka_unit_test(test_many_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
