#include "worker/profiling/csv_marks.h"

#include <string.h>

#include "worker/profiling/vectors.h"

#ifdef __x86_64__
#include <immintrin.h>

#define WITH(features) __attribute__((target(features)))

WITH("avx512f,avx512bw")
static void mark_by_64(const csv_dialect_t *d, const char *at, size_t n, csv_marks_t *out)
{
    const __m512i quote = _mm512_set1_epi8(d->quote);
    const __m512i delimiter = _mm512_set1_epi8(d->delimiter);
    const __m512i newline = _mm512_set1_epi8('\n');
    for (size_t i = 0; i < n; i++) {
        __m512i bytes = _mm512_loadu_si512(at + i * CSV_WINDOW);
        out[i] = (csv_marks_t){.quotes = _mm512_cmpeq_epi8_mask(bytes, quote),
                               .delimiters = _mm512_cmpeq_epi8_mask(bytes, delimiter),
                               .newlines = _mm512_cmpeq_epi8_mask(bytes, newline)};
    }
}

WITH("avx2") static inline uint64_t equal_by_32(__m256i low, __m256i high, __m256i wanted)
{
    uint32_t first = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(low, wanted));
    uint32_t second = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(high, wanted));
    return first | (uint64_t)second << 32;
}

WITH("avx2") static void mark_by_32(const csv_dialect_t *d, const char *at, size_t n, csv_marks_t *out)
{
    const __m256i quote = _mm256_set1_epi8(d->quote);
    const __m256i delimiter = _mm256_set1_epi8(d->delimiter);
    const __m256i newline = _mm256_set1_epi8('\n');
    for (size_t i = 0; i < n; i++) {
        const char *window = at + i * CSV_WINDOW;
        __m256i low = _mm256_loadu_si256((const __m256i *)(const void *)window);
        __m256i high = _mm256_loadu_si256((const __m256i *)(const void *)(window + CSV_WINDOW / 2));
        out[i] = (csv_marks_t){.quotes = equal_by_32(low, high, quote),
                               .delimiters = equal_by_32(low, high, delimiter),
                               .newlines = equal_by_32(low, high, newline)};
    }
}

static inline uint64_t equal_by_16(const __m128i *bytes, char wanted)
{
    const __m128i all = _mm_set1_epi8(wanted);
    uint64_t out = 0;
    for (int i = 3; i >= 0; i--)
        out = out << 16 | (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes[i], all));
    return out;
}

/* What every x86-64 has. */
static void mark_by_16(const csv_dialect_t *d, const char *at, size_t n, csv_marks_t *out)
{
    for (size_t i = 0; i < n; i++) {
        __m128i bytes[4];
        memcpy(bytes, at + i * CSV_WINDOW, sizeof bytes);
        out[i] = (csv_marks_t){.quotes = equal_by_16(bytes, d->quote),
                               .delimiters = equal_by_16(bytes, d->delimiter),
                               .newlines = equal_by_16(bytes, '\n')};
    }
}

static csv_step_t widest(void)
{
    return NV_HAS_VECTORS(512, "avx512bw") ? CSV_BY_64
           : NV_HAS_VECTORS(256, "avx2")   ? CSV_BY_32
           : NV_HAS_VECTORS(128, "sse2")   ? CSV_BY_16
                                           : CSV_BYTE;
}
#else
static csv_step_t widest(void)
{
    return CSV_BYTE;
}
#endif

static void mark_bytes(const csv_dialect_t *d, const char *at, size_t n, csv_marks_t *out)
{
    for (size_t w = 0; w < n; w++, at += CSV_WINDOW) {
        out[w] = (csv_marks_t){0};
        for (int i = CSV_WINDOW - 1; i >= 0; i--) {
            out[w].quotes = out[w].quotes << 1 | (at[i] == d->quote);
            out[w].delimiters = out[w].delimiters << 1 | (at[i] == d->delimiter);
            out[w].newlines = out[w].newlines << 1 | (at[i] == '\n');
        }
    }
}

bool csv_marks_by(csv_step_t step, const csv_dialect_t *d, const char *at, size_t n, csv_marks_t *out)
{
    if (step > widest())
        return false;
    switch (step) {
#ifdef __x86_64__
    case CSV_BY_64:
        mark_by_64(d, at, n, out);
        break;
    case CSV_BY_32:
        mark_by_32(d, at, n, out);
        break;
    case CSV_BY_16:
        mark_by_16(d, at, n, out);
        break;
#endif
    default:
        mark_bytes(d, at, n, out);
    }
    return true;
}

/* The window at `at`, of which only some bytes are there. */
static csv_marks_t mark_end(const csv_dialect_t *d, const char *at, size_t length)
{
    char padded[CSV_WINDOW] = {0};
    uint64_t there = (UINT64_C(1) << length) - 1;
    csv_marks_t out;
    memcpy(padded, at, length);
    csv_marks_by(widest(), d, padded, 1, &out);
    out.quotes &= there;
    out.delimiters &= there;
    out.newlines &= there;
    return out;
}

size_t csv_marks_from(const csv_dialect_t *d, const char *at, const char *end, size_t most,
                      csv_marks_t out[CSV_WINDOWS])
{
    size_t length = (size_t)(end - at);
    size_t whole = length / CSV_WINDOW;
    size_t n = whole < most ? whole : most;
    csv_marks_by(widest(), d, at, n, out);
    if (n < most && (length % CSV_WINDOW || !n)) {
        out[n] = mark_end(d, at + n * CSV_WINDOW, length % CSV_WINDOW);
        n++;
    }
    for (size_t i = 0; !d->quote && i < n; i++)
        out[i].quotes = 0;
    return n;
}
