/* Internal to the CSV readers: what stands where in 64 bytes of delimited text, a bit per byte (the lowest is the first).
 *
 * Source: the bit-parallel scanning of Langdale and Lemire, "Parsing Gigabytes of JSON per Second" (2019), for RFC 4180.
 */
#ifndef WORKER_PROFILING_CSV_MARKS_H
#define WORKER_PROFILING_CSV_MARKS_H

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "worker/profiling/csv.h"

enum { CSV_WINDOW = 64 };

typedef struct csv_marks {
    uint64_t quotes, delimiters, newlines;
} csv_marks_t;

#ifdef __SSE2__
static inline uint64_t csv_equal_to(const __m128i *bytes, char wanted)
{
    const __m128i all = _mm_set1_epi8(wanted);
    uint64_t out = 0;
    for (int i = 3; i >= 0; i--)
        out = out << 16 | (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes[i], all));
    return out;
}

static inline csv_marks_t csv_marks_of(const csv_dialect_t *d, const char *at)
{
    __m128i bytes[4];
    for (int i = 0; i < 4; i++)
        bytes[i] = _mm_loadu_si128((const __m128i *)(const void *)(at + 16 * i));
    return (csv_marks_t){.quotes = csv_equal_to(bytes, d->quote),
                         .delimiters = csv_equal_to(bytes, d->delimiter),
                         .newlines = csv_equal_to(bytes, '\n')};
}
#else
static inline csv_marks_t csv_marks_of(const csv_dialect_t *d, const char *at)
{
    csv_marks_t out = {0};
    for (int i = CSV_WINDOW - 1; i >= 0; i--) {
        out.quotes = out.quotes << 1 | (at[i] == d->quote);
        out.delimiters = out.delimiters << 1 | (at[i] == d->delimiter);
        out.newlines = out.newlines << 1 | (at[i] == '\n');
    }
    return out;
}
#endif

/* The marks at `at`, of what lies before `end`. */
static inline csv_marks_t csv_marks_before(const csv_dialect_t *d, const char *at, const char *end)
{
    csv_marks_t out;
    if (end - at >= CSV_WINDOW) {
        out = csv_marks_of(d, at);
    } else {
        char padded[CSV_WINDOW] = {0};
        size_t n = (size_t)(end - at);
        memcpy(padded, at, n);
        uint64_t there = (UINT64_C(1) << n) - 1;
        out = csv_marks_of(d, padded);
        out.quotes &= there;
        out.delimiters &= there;
        out.newlines &= there;
    }
    if (!d->quote)
        out.quotes = 0;
    return out;
}

/* Bit i: the number of quotes up to and with byte i is odd. */
static inline uint64_t csv_inside(uint64_t quotes)
{
    for (int shift = 1; shift < 64; shift *= 2)
        quotes ^= quotes << shift;
    return quotes;
}

#endif
