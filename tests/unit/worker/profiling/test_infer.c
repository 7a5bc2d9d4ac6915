/* Types and parse rules from the values of a column. */
#include "worker/profiling/infer.h"
#include "worker/profiling/infer_class.h"
#include "worker/profiling/parser.h"
#include "worker/profiling/plain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum {
    STRING = NV__VALUE_TYPE__VALUE_TYPE_STRING,
    BOOLEAN = NV__VALUE_TYPE__VALUE_TYPE_BOOLEAN,
    INT64 = NV__VALUE_TYPE__VALUE_TYPE_INT64,
    DECIMAL = NV__VALUE_TYPE__VALUE_TYPE_DECIMAL,
    DOUBLE = NV__VALUE_TYPE__VALUE_TYPE_DOUBLE,
    DATE = NV__VALUE_TYPE__VALUE_TYPE_DATE,
    TIMESTAMP = NV__VALUE_TYPE__VALUE_TYPE_TIMESTAMP,
    TIME = NV__VALUE_TYPE__VALUE_TYPE_TIME,
};

/* Infers from values separated by "|". */
static infer_result_t infer_named(nv_mem_t *ctx, const char *name, const char *values)
{
    evidence_t evidence = {.ctx = ctx};
    while (*values) {
        size_t n = strcspn(values, "|");
        value_class_t class = value_classify(values, n);
        evidence_add(&evidence, &class, 1);
        values += n + (values[n] == '|');
    }
    infer_result_t out;
    infer_decide(ctx, &evidence, &(infer_hints_t){.name = name}, &out);
    return out;
}

static void expect(const char *values, int type)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    infer_result_t out = infer_named(ctx, "x", values);
    if ((int)out.type != type)
        fail_msg("%s: type %d, expected %d", values, (int)out.type, type);
}

/* The canonical text of one value under what was inferred from all; "" null, "!" invalid. */
static void expect_parsed(const char *values, const char *value, const char *expected)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    infer_result_t out = infer_named(ctx, "x", values);
    parser_t parser = parser_make(out.type, out.precision, out.scale, out.rule);
    parsed_t parsed;
    char text[PARSED_TEXT_MAX] = "";
    parse_status_t status = parser_parse(&parser, value, strlen(value), &parsed);
    if (status == PARSE_OK && (int)out.type != STRING)
        parser_text(&parser, &parsed, text);
    else if (status == PARSE_OK)
        strcpy(text, value);
    else if (status == PARSE_INVALID)
        strcpy(text, "!");
    assert_string_equal(text, expected);
}

static void test_integers(void **state)
{
    (void)state;
    expect("1|2|-3|+4", INT64);
    expect("007|12|13", STRING);
    expect("9223372036854775807|-9223372036854775808", INT64);
    expect("9223372036854775808|1", DECIMAL);
    expect("1234567890123456789012345678901234567890123|1", STRING);
    expect("0|1|1|0", INT64);
    expect("1,234|12,345|1", INT64);
    expect_parsed("9223372036854775807|1", "9223372036854775807", "9223372036854775807");
    expect_parsed("1|2", "+0", "0");
    expect_parsed("1|2", "9223372036854775808", "!");
}

static void test_decimals(void **state)
{
    (void)state;
    expect("1.5|2|-3.25", DECIMAL);
    expect("1,5|2|3,25", DECIMAL);
    expect("1.234,50|3,00", DECIMAL);
    expect("$1,234.50|$3", DECIMAL);
    expect("1e5|2", DOUBLE);
    expect("1.5|1,5|2.5|2,5", STRING);
    expect_parsed("1.234,50 €|3,00 €", "1.234,50 €", "1234.5");
    expect_parsed("$1,234.50|($3.10)", "($3.10)", "-3.1");
    expect_parsed("12.5%|3%", "12.5%", "12.5");
    expect_parsed("1.5|2.25", "100.123", "!");
    expect_parsed("1 234,5|2", "1 234,5", "1234.5");
    expect_parsed("1.5|0.25", "-0.00", "0");
    expect_parsed("12345678901234567890.123|1.5", "12345678901234567890.123", "12345678901234567890.123");
}

static void test_dates(void **state)
{
    (void)state;
    expect("2024-01-31|2024-02-29", DATE);
    expect("2023-02-29|2023-02-30", STRING);
    expect("2024-01-31|31/12/2023|1 Feb 2024|Mar 3, 2024", DATE);
    expect("2024-01-31 10:20|2024-01-31", TIMESTAMP);
    expect("2024-01-31T10:20:30Z", TIMESTAMP);
    expect("10:20|11:30:59", TIME);
    expect("0000-00-00|2024-01-01", DATE);
    expect("20240131|20240201", INT64);
    expect_parsed("13/01/2024|02/01/2024", "02/01/2024", "2024-01-02");
    expect_parsed("01/13/2024|02/01/2024", "02/01/2024", "2024-02-01");
    expect_parsed("0000-00-00|2024-01-01", "0000-00-00", "");
    expect_parsed("2024-01-31T10:20:30+02:00|2024-01-31T10:20:30+0530", "2024-01-31T10:20:30+02:00",
                  "2024-01-31T08:20:30");
    expect_parsed("31/12/69|01/02/68", "31/12/69", "1969-12-31");
    expect_parsed("01/12/2024 11:30 PM|13/12/2024 12:00 AM", "13/12/2024 12:00 AM", "2024-12-13T00:00:00");
}

static void test_ambiguous_dates_are_said(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    infer_result_t out = infer_named(ctx, "x", "01/02/2024|03/04/2024");
    assert_true(out.ambiguous_dates);
    assert_non_null(out.warning);
    out = infer_named(ctx, "x", "13/02/2024|03/04/2024");
    assert_false(out.ambiguous_dates);
    assert_null(out.warning);
    out = infer_named(ctx, "x", "13/02/2024|02/13/2024|02/14/2024|01/02/2024");
    assert_int_equal(out.type, DATE);
    assert_int_equal(out.only_day_first, 1);
    assert_int_equal(out.only_month_first, 2);
    assert_non_null(out.warning);
}

static void test_booleans(void **state)
{
    (void)state;
    expect("Yes|no|YES", BOOLEAN);
    expect("t|f|t", BOOLEAN);
    expect("J|N|J|N", BOOLEAN);
    expect("Ja|Nein|ja", BOOLEAN);
    expect("J|K|L", STRING);
    expect("true|1|0|FALSE", BOOLEAN);
    expect("N|N|N", STRING);
    expect("F|O|F|O", STRING);
    expect_parsed("Y|N|y", "n", "false");
}

static void test_null_spellings(void **state)
{
    (void)state;
    expect("N/A|12|NA|-", INT64);
    expect("DE|FR|NA|US", STRING);
    expect_parsed("DE|FR|NA|US", "NA", "NA");
    expect_parsed("None|red|blue", "None", "None");
    expect_parsed("None|1|2", "None", "");
    expect_parsed("N/A|red|blue", "N/A", "");
    expect_parsed("\\N|red", "\\N", "");
}

static void test_dirt_does_not_turn_a_column_to_text(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    evidence_t evidence = {.ctx = ctx};
    value_class_t number = value_classify("12.50", 5);
    value_class_t dirt = value_classify("two", 3);
    evidence_add(&evidence, &number, 97);
    evidence_add(&evidence, &dirt, 3);
    infer_result_t out;
    infer_decide(ctx, &evidence, &(infer_hints_t){.name = "price"}, &out);
    assert_int_equal(out.type, DECIMAL);
    /* but an identifier with letters in a few values is text */
    infer_decide(ctx, &evidence, &(infer_hints_t){.name = "product_code"}, &out);
    assert_int_equal(out.type, STRING);
    evidence_add(&evidence, &dirt, 20);
    infer_decide(ctx, &evidence, &(infer_hints_t){.name = "price"}, &out);
    assert_int_equal(out.type, STRING);
}

/* The short cut for plain numbers says what the full classification says. */
static void test_plain_numbers_are_classified_alike(void **state)
{
    (void)state;
    static const char *const texts[] = {"0",
                                        "1",
                                        "7",
                                        "00",
                                        "007",
                                        "12",
                                        "1234",
                                        "1.5",
                                        "0.5",
                                        "00.50",
                                        "1.234",
                                        "12.345",
                                        "1234.567",
                                        "0.000",
                                        "20240131",
                                        "20240230",
                                        "18991231",
                                        "21001231",
                                        "21010101",
                                        "100.0",
                                        "123456789012345678",
                                        "12345678901234.567"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        number_class_t number;
        assert_true(number_classify(texts[i], strlen(texts[i]), &number));
        value_class_t full = class_of_number(&number);
        value_class_t quick = value_classify(texts[i], strlen(texts[i]));
        if (full.key != quick.key)
            fail_msg("%s: %llx and %llx", texts[i], (unsigned long long)full.key,
                     (unsigned long long)quick.key);
        assert_true(full.digits == quick.digits);
    }
}

/* Numbers that fit no type are kept as text, and it is said, however long they are. */
static void test_numbers_too_long(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    for (size_t digits = 39; digits <= 100; digits += 1 + digits / 10) {
        char *text = nv_alloc(ctx, 2 * digits + 2);
        memset(text, '7', 2 * digits + 1);
        text[digits] = '|';
        infer_result_t out = infer_named(ctx, "x", text);
        assert_int_equal(out.type, STRING);
        if (!out.warning || !strstr(out.warning, "more than 38 digits"))
            fail_msg("%zu digits: %s", digits, out.warning ? out.warning : "no warning");
    }
}

/* One text under one rule: what the short cut takes is what the long way gives. Returns whether it took it. */
static bool check_plain(const parser_t *parser, const char *text)
{
    value_class_t quick;
    parsed_t read;
    size_t n = strlen(text);
    if (!plain_read(parser, text, n, &quick, &read))
        return false;
    value_class_t slow = value_classify(text, n);
    parsed_t parsed;
    if (parser_parse(parser, text, n, &parsed) != PARSE_OK || parsed_compare(parser, &read, &parsed) != 0 ||
        memcmp(&quick, &slow, sizeof quick) != 0)
        fail_msg("\"%s\" is read in two ways", text);
    return true;
}

/* Random texts that are nearly numbers and dates, under rules inferred from proper ones. */
static void test_plain_values_are_read_alike(void **state)
{
    (void)state;
    static const char *const rules[] = {
        "1|2|30",         "1.5|200.25|N/A",          "$1,234.50|$3.10|$1,000,000.00",
        "€12.50|€1.00",   "1,234.5|12,345.75|0.125", "2024-01-31|2024-02-29|0000-00-00",
        "1.234,5|2,5",    "2024-01-31 10:20:30",     "2024-01-31T10:20:30",
        "12.5%|(3.25)|1", "US$1.5|US$20.25",         "99999999999999999999.5|1.25"};
    static const char *const pieces[] = {
        "0", "1", "9", "12", "007",        "123",      "20240131", ".",          ",",  "$",
        "€", "-", " ", "%",  "2024-01-31", "10:20:30", "T",        "2024-02-30", "US$"};
    uint64_t seed = 7;
    int taken = 0;
    for (size_t r = 0; r < sizeof rules / sizeof rules[0]; r++) {
        NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
        infer_result_t out = infer_named(ctx, "order_date", rules[r]);
        parser_t parser = parser_make(out.type, out.precision, out.scale, out.rule);
        for (int i = 0; i < 20000; i++) {
            char text[128] = "";
            for (int k = 0; k < 1 + i % 6; k++) {
                seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407U;
                strcat(text, pieces[(seed >> 33) % (sizeof pieces / sizeof pieces[0])]);
            }
            if (text[0] != ' ' && text[strlen(text) - 1] != ' ')
                taken += check_plain(&parser, text);
        }
    }
    assert_true(taken > 10000);
}

static void test_plain_dates_need_a_name(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    assert_int_equal(infer_named(ctx, "order_date", "20240131|20240201").type, DATE);
    assert_int_equal(infer_named(ctx, "date_id", "20240131|20240201").type, INT64);
    assert_int_equal(infer_named(ctx, "order_date", "20240131|20240299").type, INT64);
}

static void test_order_of_evidence_does_not_matter(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    infer_result_t a = infer_named(ctx, "x", "N/A|1,234.5|$3|7%|-|(4)|NULL");
    infer_result_t b = infer_named(ctx, "x", "NULL|(4)|-|7%|$3|1,234.5|N/A");
    assert_true(infer_parses_as(&a, &b));
}

static void expect_warning(const char *values, int type, const char *part)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    infer_result_t out = infer_named(ctx, "x", values);
    assert_int_equal(out.type, type);
    if (part)
        assert_non_null(out.warning);
    if (!part ? out.warning != NULL : !strstr(out.warning, part))
        fail_msg("%s: \"%s\" where \"%s\" was expected", values, out.warning, part ? part : "no warning");
}

static void test_what_is_lost_is_said(void **state)
{
    (void)state;
    /* 38 digits fit, 39 do not */
    expect_warning("12345678901234567890123456789012345678", DECIMAL, NULL);
    expect_warning("123456789012345678901234567890123456789", STRING, "more than 38 digits");
    expect_warning("123456789012345678901234567890.12345678", DECIMAL, NULL);
    expect_warning("123456789012345678901234567890.123456789", DOUBLE, "need 39 digits");
    expect_warning("1.5e300|2.25", DOUBLE, NULL);
    expect_warning("2024-01-01T10:00:00|2024-01-01T10:00:00Z|2024-01-01T10:00:00+02:00", TIMESTAMP,
                   "1 values name no time zone beside 2");
    expect_warning("2024-01-01T10:00:00Z|2024-01-01T10:00:00+02:00", TIMESTAMP, NULL);
    expect_warning("2024-01-01T10:00:00|2024-01-02T10:00:00", TIMESTAMP, NULL);
}

/* A column that nearly has a type and stays text says why; one that is text says nothing. */
static void test_why_it_stays_text(void **state)
{
    (void)state;
    expect_warning("1.5|2.5|inf|-inf|NaN|Infinity", STRING, "3 values are infinite");
    expect_warning("3.50-|12.00|7.25|1.234,50-", STRING, "1 of 4 numbers are written in another notation");
    expect_warning("2024-01-31 10:20:30 CET|2024-07-31 10:20:30 CEST", STRING,
                   "2 values name their time zone");
    expect_warning("2024-01-31 10:20 America/New_York|2024-07-31 10:20:30 Europe/Berlin", STRING,
                   "2 values name their time zone");
    char number[2 * VALUE_CLASS_MAX];
    memset(number, '7', sizeof number);
    number[sizeof number - 1] = '\0';
    expect_warning(number, STRING, "more than 120 characters");
    expect_warning("1|2|3|4|5|6|7|8|9|x", STRING, "only 9 of 10 values are numbers");
    expect_warning("10:20|10:21|10:22|10:23|10:24|10:25|10:26|10:27|10:28|noon", STRING,
                   "9 of 10 values are times");
    expect_warning("yes|no|yes|no|yes|no|yes|no|yes|perhaps", STRING, "9 of 10 values are yes or no");
    expect_warning("2024-01-01|2024-01-02|2024-01-03|2024-01-04|2024-01-05|2024-01-06|2024-01-07|2024-01-08|"
                   "2024-01-09|soon",
                   STRING, "9 of 10 values are dates");
    expect_warning("1|2|3|x", STRING, NULL);
    expect_warning("a-|b-|3-x|2024-01-31 somewhere", STRING, NULL);
    expect_warning("00123|00456|00789", STRING, NULL); /* told by leading_zeros */
    expect_warning("inf|info|infinite", STRING, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_decimals),
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_ambiguous_dates_are_said),
        cmocka_unit_test(test_booleans),
        cmocka_unit_test(test_null_spellings),
        cmocka_unit_test(test_dirt_does_not_turn_a_column_to_text),
        cmocka_unit_test(test_plain_numbers_are_classified_alike),
        cmocka_unit_test(test_plain_values_are_read_alike),
        cmocka_unit_test(test_numbers_too_long),
        cmocka_unit_test(test_plain_dates_need_a_name),
        cmocka_unit_test(test_order_of_evidence_does_not_matter),
        cmocka_unit_test(test_what_is_lost_is_said),
        cmocka_unit_test(test_why_it_stays_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
