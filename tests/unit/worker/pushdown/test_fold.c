/* The law of folding: a text's representative is of the same class, digits included. */
#include "worker/pushdown/fold.h"

#include "duck.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/core/buf.h"
#include "worker/profiling/infer.h"
#include "worker/profiling/words.h"
#include "worker/pushdown/sql.h"

/* What a mutation starts from: every kind of value, and its neighbours. */
static const char *const seeds[] = {
    "0",
    "1",
    "7",
    "10",
    "007",
    "0.5",
    "00.5",
    "1234",
    "1,234.50",
    "1.234,50",
    "1 234,5",
    "1'234.5",
    "-12",
    "+3.25",
    "(12.50)",
    "$(12.50)",
    "12.50-",
    "1,23,456.50",
    "$5",
    "-$7.1",
    "US$ 12",
    "R$ 3,50",
    "12 kr",
    "10 zł",
    "€ 1.000,00",
    "1.000,00 €",
    "CHF 12.05",
    "12%",
    "5.5 %",
    "1e5",
    "1.5E-10",
    "12e45",
    "1e1234",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "99999999999999999999",
    "12345678901234567890123",
    "0000000000000000000001",
    "20240131",
    "20240230",
    "19000101",
    "21001231",
    "20230229",
    "00000101",
    "2024-01-31",
    "2023-02-29",
    "2024-02-29",
    "2024/12/28",
    "2024.1.5",
    "31/12/2023",
    "12/31/2023",
    "13/13/2023",
    "10/10/2023",
    "29/02/2023",
    "28/02/23",
    "01-02-68",
    "15.03.05",
    "45-67-89",
    "1 Feb 2024",
    "29 Feb 2023",
    "5-Jan-24",
    "05/Jan/2024",
    "Jan 5, 2024",
    "March 15, 2024",
    "may 1 2024",
    "2024-01-31 10:20:30",
    "2024-01-31T10:20:30Z",
    "2024-01-31T23:20:30.123456Z",
    "2024-01-31T10:20:30.1234567890",
    "2024-01-31T10:20:30+02:00",
    "2024-01-31, 10:20",
    "2024-01-31 11:30 PM",
    "31/12/2023 00:30 AM",
    "31/12/2023 13:30 PM",
    "10:20",
    "23:59:59",
    "0:00",
    "24:00",
    "10:20:30.5",
    "10:60",
    "1:2:3",
    "true",
    "No",
    "Y",
    "n/a",
    "N/A",
    "None",
    "-",
    "0000-00-00",
    "Marzoct",
    "Mayor",
    "ord-0012",
    "A-100",
    "E12",
    "T-1000",
    "Z9",
    "a1b2c3",
    "550e8400-e29b-41d4-a716-446655440000",
    "x@y.example",
    "192.168.100.200",
    "10.2.33.4",
    "+1 555 010 2345",
    "555-0102",
    "12345-6789",
    "Zürich",
    "日本",
    "  ",
    "a text",
    "12:30:AM",
    "t10:20",
    "2024-01",
    "2024-W05",
    "rs 12",
    "Rs 12",
    "aud12",
    "12AUD",
    "AUD",
    "c$5",
    "C$5",
    "q",
    "e",
    "5e",
    "e5",
    "2:00 pm",
    "9:15 AM",
    "1/2/3",
    "0.0.0",
    "3.50-",
    "1.234,50-",
    "12-",
    "0007-",
    "EUR 3.50-",
    "2024-01-31 10:20:30 CET",
    "2024-01-31T10:20 PST",
    "2024-01-31 10:20:30 AEDT",
    "2024-01-31 10:20:30 Europe",
    "inf",
    "-Infinity",
    "+INF",
    "infin",
    "12345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234"
    "567890123456789012345",
    "-1234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123"
    "456789012345678901.25",
    "12345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234"
    "567890123456789 12345",
};
static const char alphabet[] = "0123456789019:-/. ,TZe+%()$ampJanM'";

static uint64_t next(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}

static const char *mutated(nv_mem_t *ctx, const char *seed, uint64_t *state)
{
    size_t n = strlen(seed);
    char *out = nv_alloc(ctx, n + 8);
    memcpy(out, seed, n + 1);
    for (uint64_t times = next(state) % 3; times < 3; times++) {
        size_t at = n ? next(state) % n : 0;
        char c = alphabet[next(state) % (sizeof alphabet - 1)];
        if ((unsigned char)out[at] >= 0x80 || next(state) % 3 == 0)
            continue;
        if (next(state) % 4 == 0 && n < strlen(seed) + 4) {
            memmove(out + at + 1, out + at, n - at + 1);
            n++;
        }
        out[at] = c;
    }
    size_t start = strspn(out, " ");
    while (n > start && out[n - 1] == ' ')
        out[--n] = '\0';
    return n > start ? out + start : "x";
}

static bool same_class(const char *a, const char *b)
{
    value_class_t x = value_classify(a, strlen(a)), y = value_classify(b, strlen(b));
    return x.key == y.key && x.digits == y.digits;
}

static void check(nv_mem_t *ctx, const pushdown_engine_t *engine, const char *const *texts, size_t n)
{
    nv_buf_t values = nv_buf_make(ctx, PUSHDOWN_SQL_MAX);
    for (size_t i = 0; i < n; i++)
        nv_buf_printf(&values, "%s(%s)", i ? ", " : "", sql_literal(ctx, SQL_DUCKDB, texts[i]));
    nv_error_t err = NV_ERROR_INIT;
    pushdown_rows_t rows;
    const char *sql = nv_printf(ctx, "SELECT t, %s FROM (VALUES %s) v(t)", fold_sql(ctx, SQL_DUCKDB, "t"),
                                nv_buf_text(&values));
    if (!engine->query(engine->arg, ctx, sql, &rows, &err))
        fail_msg("%s", err.message);
    size_t wrong = 0;
    for (size_t i = 0; i < rows.n_rows; i++) {
        const char *text = pushdown_cell(&rows, i, 0), *folded = pushdown_cell(&rows, i, 1);
        if (!folded || !same_class(text, folded)) {
            wrong++;
            print_error("\"%s\" became \"%s\", which is of another class\n", text, folded ? folded : "NULL");
        }
    }
    assert_int_equal(wrong, 0);
}

static void test_every_kind(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    pushdown_engine_t engine = duck_engine(ctx);
    check(ctx, &engine, seeds, sizeof seeds / sizeof seeds[0]);
    const char **words = NV_NEW_ARRAY(ctx, const char *, word_count());
    for (size_t i = 0; i < word_count(); i++)
        words[i] = word_text(i);
    check(ctx, &engine, words, word_count());
}

static void test_neighbours(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    pushdown_engine_t engine = duck_engine(ctx);
    enum { N = 40000 };
    const char **texts = NV_NEW_ARRAY(ctx, const char *, N);
    uint64_t random = 7;
    for (size_t i = 0; i < N; i++)
        texts[i] = mutated(ctx, seeds[i % (sizeof seeds / sizeof seeds[0])], &random);
    check(ctx, &engine, texts, N);
}

/* Few representatives remain of many values: what is sent is not the data. */
static void test_few_remain(void **state)
{
    (void)state;
    static const struct {
        const char *values;
        int most;
    } columns[] = {
        {"CAST(i * 7919 AS VARCHAR)", 16},
        {"'C-' || i", 1},
        {"'E' || i", 1},
        {"CAST(DATE '1990-01-01' + CAST(i % 10000 AS INTEGER) AS VARCHAR)", 1200},
        {"strftime(TIMESTAMP '2020-01-01' + to_seconds(i * 977), '%d/%m/%Y %H:%M:%S')", 400},
        {"strftime(TIMESTAMP '2020-01-01' + to_seconds(i * 977), '%Y-%m-%dT%H:%M:%S.%fZ')", 800},
        {"CAST(i AS VARCHAR) || '.' || i % 100", 20},
        {"'someone' || i || '@mail.example'", 1},
        {"md5(CAST(i AS VARCHAR))", 100},
    };
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    pushdown_engine_t engine = duck_engine(ctx);
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        nv_error_t err = NV_ERROR_INIT;
        pushdown_rows_t rows;
        const char *sql =
            nv_printf(ctx, "SELECT count(DISTINCT %s) FROM (SELECT %s AS t FROM range(20000) r(i))",
                      fold_sql(ctx, SQL_DUCKDB, "t"), columns[i].values);
        if (!engine.query(engine.arg, ctx, sql, &rows, &err))
            fail_msg("%s", err.message);
        if (pushdown_number(&rows, 0, 0) > columns[i].most)
            fail_msg("%s: %s representatives", columns[i].values, pushdown_cell(&rows, 0, 0));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind),
        cmocka_unit_test(test_neighbours),
        cmocka_unit_test(test_few_remain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
