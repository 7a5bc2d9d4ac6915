#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/embedding/embedding.h"

static void embed(const char *text, float *out)
{
    nv_embedding(text, strlen(text), out);
}

static double similarity(const char *a, const char *b)
{
    float x[NV_EMBEDDING_DIMENSIONS], y[NV_EMBEDDING_DIMENSIONS];
    embed(a, x);
    embed(b, y);
    return nv_embedding_similarity(x, y, NV_EMBEDDING_DIMENSIONS);
}

static void test_unit_length_and_deterministic(void **state)
{
    (void)state;
    float a[NV_EMBEDDING_DIMENSIONS], b[NV_EMBEDDING_DIMENSIONS];
    embed("orders(order_id int key, customer_id int)", a);
    embed("orders(order_id int key, customer_id int)", b);
    assert_memory_equal(a, b, sizeof a);
    double sum = 0;
    for (size_t i = 0; i < NV_EMBEDDING_DIMENSIONS; i++)
        sum += (double)a[i] * (double)a[i];
    assert_true(fabs(sum - 1.0) < 1e-5);
}

static void test_stored_vectors_stay_valid(void **state)
{
    (void)state;
    float a[NV_EMBEDDING_DIMENSIONS];
    embed("order", a); /* 1 word and 5 trigrams at most: the definition of version 1, pinned */
    size_t nonzero = 0, largest = 0;
    for (size_t i = 0; i < NV_EMBEDDING_DIMENSIONS; i++) {
        nonzero += a[i] != 0;
        if (fabsf(a[i]) > fabsf(a[largest]))
            largest = i;
    }
    assert_int_equal(nonzero, 6);
    assert_int_equal(largest, 140);
}

static void test_empty_text_is_zero(void **state)
{
    (void)state;
    float a[NV_EMBEDDING_DIMENSIONS];
    embed(" ,;()", a);
    for (size_t i = 0; i < NV_EMBEDDING_DIMENSIONS; i++)
        assert_true(a[i] == 0);
    assert_true(similarity("", "orders") == 0);
}

static void test_similar_schemas_are_close(void **state)
{
    (void)state;
    const char *shop = "orders(order_id, customer_id, order_date) customers(customer_id, name, email)";
    const char *other_shop = "sales_orders(OrderId, CustomerId, OrderDate) customer(CustomerId, Name)";
    const char *hospital = "patients(mrn, birth, ward) admissions(mrn, diagnosis, icd, discharged)";
    assert_true(similarity(shop, shop) > 0.999);
    assert_true(similarity(shop, other_shop) > 0.6);
    assert_true(similarity(shop, hospital) < 0.4);
    assert_true(similarity(shop, other_shop) > similarity(shop, hospital) + 0.2);
}

static void test_camel_case_equals_snake_case(void **state)
{
    (void)state;
    assert_true(similarity("customerId orderDate", "customer_id ORDER_DATE") > 0.999);
}

static void test_long_words_and_any_bytes(void **state)
{
    (void)state;
    float a[NV_EMBEDDING_DIMENSIONS];
    char text[4096];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)(i * 31 + 200);
    nv_embedding(text, sizeof text, a);
    memset(text, 'x', sizeof text);
    nv_embedding(text, sizeof text, a);
    for (size_t i = 0; i < NV_EMBEDDING_DIMENSIONS; i++)
        assert_true(isfinite(a[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unit_length_and_deterministic),
        cmocka_unit_test(test_stored_vectors_stay_valid),
        cmocka_unit_test(test_empty_text_is_zero),
        cmocka_unit_test(test_similar_schemas_are_close),
        cmocka_unit_test(test_camel_case_equals_snake_case),
        cmocka_unit_test(test_long_words_and_any_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
