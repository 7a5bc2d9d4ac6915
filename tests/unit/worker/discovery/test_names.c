#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "worker/discovery/names.h"

static void expect_words(const char *text, const char *expected)
{
    name_words_t name;
    char out[512] = "";
    name_split(text, &name);
    for (int i = 0; i < name.n; i++) {
        strcat(out, i > 0 ? "|" : "");
        strcat(out, i == name.core ? ">" : "");
        strcat(out, name.word[i]);
    }
    assert_string_equal(out, expected);
}

static void test_split(void **state)
{
    (void)state;
    expect_words("OrderID", "order|>id");
    expect_words("customer_id", "customer|>id");
    expect_words("ss_sold_date_sk", "ss|sold|date|>sk");
    expect_words("l_orderkey", "l|order|>key");
    expect_words("playerID", "player|>id");
    expect_words("IDNumber", ">id|number");
    expect_words("SKUs", "skus");
    expect_words("paid", "paid");
    expect_words("id", ">id");
    expect_words("Order Details", "order|details");
    expect_words("address2", "address|2");
    expect_words("", "");
    expect_words("---", "");
}

static void test_long_names_are_bounded(void **state)
{
    (void)state;
    char text[2000];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    name_words_t name;
    name_split(text, &name);
    assert_int_equal(name.n, 1);
    assert_int_equal(strlen(name.word[0]), NAME_WORD_BYTES - 1);
    for (size_t i = 1; i < sizeof text - 1; i += 2)
        text[i] = '_';
    name_split(text, &name);
    assert_int_equal(name.n, NAME_WORDS_MAX);
}

static double speaks(const char *column, const char *table)
{
    name_words_t a, b;
    name_split(column, &a);
    name_split(table, &b);
    return name_speaks_of(&a, &b);
}

static void test_speaks_of(void **state)
{
    (void)state;
    assert_true(speaks("customer_id", "customers") > 0.99);
    assert_true(speaks("CategoryID", "Categories") > 0.99);
    assert_true(speaks("cust_no", "customer") > 0.85);
    assert_true(speaks("cdemo_sk", "customer_demographics") > 0.8);
    assert_true(speaks("orderdetailid", "order_details") > 0.9);
    assert_true(speaks("dept_id", "departments") > 0.7);
    assert_true(speaks("customer_id", "customer_address") < 0.6);
    assert_true(speaks("customer_address_id", "customer_address") > 0.99);
    assert_true(speaks("quantity", "customers") < 0.1);
    assert_true(speaks("id", "customers") < 0.1);
}

static name_match_t match(const char *column, const char *table)
{
    name_words_t a, b;
    name_split(column, &a);
    name_split(table, &b);
    return name_match(&a, &b);
}

/* The last word says what is meant: a store's manager is no store, and the first of two nations is a nation. */
static void test_head_of_a_match(void **state)
{
    (void)state;
    assert_false(match("store_manager", "stores").head);
    assert_true(match("store_manager", "stores").score > 0.99);
    assert_true(match("billing_address_id", "address").head);
    assert_true(match("nation1", "nation").head);
    assert_true(match("nation1", "nation").unused <= 0);
    assert_true(match("team_2", "teams").head);
    assert_false(match("quantity", "stores").head);
}

static void test_singular(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"categories", "category"}, {"addresses", "address"}, {"boxes", "box"},   {"status", "status"},
        {"people", "person"},       {"orders", "order"},      {"class", "class"}, {"sales", "sale"}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        char word[NAME_WORD_BYTES];
        strcpy(word, pairs[i][0]);
        name_singular(word);
        assert_string_equal(word, pairs[i][1]);
    }
}

static void test_jaro_winkler(void **state)
{
    (void)state;
    /* Winkler 1990, the classic examples. */
    assert_true(name_jaro_winkler("martha", "marhta") > 0.960 &&
                name_jaro_winkler("martha", "marhta") < 0.962);
    assert_true(name_jaro_winkler("dixon", "dicksonx") > 0.812 &&
                name_jaro_winkler("dixon", "dicksonx") < 0.814);
    assert_true(name_jaro_winkler("", "x") <= 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split),        cmocka_unit_test(test_long_names_are_bounded),
        cmocka_unit_test(test_speaks_of),    cmocka_unit_test(test_singular),
        cmocka_unit_test(test_jaro_winkler), cmocka_unit_test(test_head_of_a_match),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
