/* What is done for many bytes or texts at once says what one at a time says, on whatever instructions the machine has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "worker/profiling/csv_marks.h"
#include "worker/profiling/sketch.h"
#include "worker/profiling/texthash.h"

static uint64_t next(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}

static void fill(char *out, size_t n, const char *alphabet, uint64_t *state)
{
    size_t letters = strlen(alphabet);
    for (size_t i = 0; i < n; i++)
        out[i] = alphabet[next(state) % letters];
}

static void test_hashes(void **state)
{
    (void)state;
    enum { TEXTS = 261, ROOM = 4096 };
    static const size_t longest[] = {4, 9, 24, 40, 300, 2000};
    static char text[ROOM + TEXTHASH_SLACK];
    csv_field_t fields[TEXTS];
    uint64_t hashes[TEXTS];
    uint64_t seed = 1;
    fill(text, sizeof text, "0123456789abcdefghijklmnopqrstuvwxyz@. \xC3\xA9", &seed);
    for (size_t round = 0; round < 200; round++) {
        size_t most = longest[round % 6];
        size_t n = round % TEXTS;
        for (size_t i = 0; i < n; i++) {
            fields[i].length = next(&seed) % most;
            fields[i].text = text + next(&seed) % (ROOM - fields[i].length);
        }
        fields[n / 2] = (csv_field_t){.text = ""}; /* nothing behind it may be read */
        texthash_all(fields, n, hashes);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(hashes[i], sketch_hash(fields[i].text, fields[i].length));
    }
    assert_int_equal(sketch_hash("Spark", 5), XXH64("Spark", 5, SKETCH_SEED));
}

static void same_marks(const csv_marks_t *a, const csv_marks_t *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(a[i].quotes, b[i].quotes);
        assert_int_equal(a[i].delimiters, b[i].delimiters);
        assert_int_equal(a[i].newlines, b[i].newlines);
    }
}

static void test_marks(void **state)
{
    (void)state;
    const csv_dialect_t dialect = {.delimiter = ';', .quote = '"', .escape = '"'};
    char text[CSV_WINDOWS * CSV_WINDOW];
    csv_marks_t expected[CSV_WINDOWS];
    csv_marks_t marks[CSV_WINDOWS];
    uint64_t seed = 2;
    for (size_t round = 0; round < 100; round++) {
        fill(text, sizeof text, "a;\"\n\r\xFF", &seed);
        assert_true(csv_marks_by(CSV_BYTE, &dialect, text, CSV_WINDOWS, expected));
        for (int step = CSV_BY_16; step <= CSV_BY_64; step++)
            if (csv_marks_by((csv_step_t)step, &dialect, text, CSV_WINDOWS, marks))
                same_marks(expected, marks, CSV_WINDOWS);
    }
}

/* What lies behind the end has no marks, and there is a window of nothing for nothing. */
static void test_marks_end(void **state)
{
    (void)state;
    const csv_dialect_t dialect = {.delimiter = ',', .quote = 0};
    char text[3 * CSV_WINDOW];
    csv_marks_t marks[CSV_WINDOWS];
    memset(text, ',', sizeof text);
    assert_int_equal(csv_marks_from(&dialect, text, text, CSV_WINDOWS, marks), 1);
    assert_int_equal(marks[0].delimiters, 0);
    assert_int_equal(csv_marks_from(&dialect, text, text + CSV_WINDOW + 3, CSV_WINDOWS, marks), 2);
    assert_int_equal(marks[0].delimiters, UINT64_MAX);
    assert_int_equal(marks[1].delimiters, 7);
    assert_int_equal(csv_marks_from(&dialect, text, text + sizeof text, CSV_WINDOWS, marks), 3);
    assert_int_equal(csv_marks_from(&dialect, text, text + sizeof text, 2, marks), 2);
    text[0] = 0; /* no quote is not a quote of NUL */
    csv_marks_from(&dialect, text, text + sizeof text, 1, marks);
    assert_int_equal(marks[0].quotes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hashes),
        cmocka_unit_test(test_marks),
        cmocka_unit_test(test_marks_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
