#include "worker/profiling/csv.h"

#include <string.h>

#include "worker/profiling/csv_marks.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* As memchr, without the call for what is mostly a few bytes away. */
static const char *next_quote(const csv_dialect_t *d, const char *at, const char *end)
{
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8(d->quote);
    for (int i = 0; i < 4 && end - at >= 16; i++, at += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
        int mask = _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, quote));
        if (mask)
            return at + __builtin_ctz((unsigned)mask);
    }
#endif
    return memchr(at, d->quote, (size_t)(end - at));
}

/* The closing quote of the field whose text starts at `at`; NULL when the data ends first. *escaped: quotes to undo. */
static const char *closing_quote(const csv_dialect_t *d, const char *at, const char *end, bool *escaped)
{
    *escaped = false;
    for (;;) {
        const char *quote = next_quote(d, at, end);
        if (!quote)
            return NULL;
        if (d->escape != d->quote) {
            const char *back = quote;
            while (back > at && back[-1] == d->escape)
                back--;
            if ((quote - back) % 2 == 0)
                return quote;
            *escaped = true;
            at = quote + 1;
        } else if (quote + 1 < end && quote[1] == d->quote) {
            *escaped = true;
            at = quote + 2;
        } else {
            return quote;
        }
    }
}

/* Copies [at, end) to scratch without the escaping characters. */
static size_t undo_escapes(const csv_dialect_t *d, const char *at, const char *end, char *scratch)
{
    char *out = scratch;
    while (at < end) {
        bool escape = *at == d->escape && at + 1 < end && (at[1] == d->quote || at[1] == d->escape);
        at += escape;
        *out++ = *at++;
    }
    return (size_t)(out - scratch);
}

static void put_field(csv_record_t *record, const char *text, size_t length)
{
    if (record->n_fields < record->max_fields)
        record->fields[record->n_fields * record->stride] = (csv_field_t){text, length};
    record->n_fields++;
}

/* A field that starts with a quote; returns where it ends (at a delimiter, a line end or the end of data). */
static const char *split_quoted(const csv_dialect_t *d, const char *at, const char *end, csv_record_t *record)
{
    record->quoted = true;
    bool escaped;
    const char *close = closing_quote(d, at + 1, end, &escaped);
    if (!close) {
        record->status = CSV_INCOMPLETE;
        return end;
    }
    if (escaped) {
        size_t length = undo_escapes(d, at + 1, close, record->scratch);
        put_field(record, record->scratch, length);
        record->scratch += length;
    } else {
        put_field(record, at + 1, (size_t)(close - at - 1));
    }
    const char *after = close + 1;
    if (after < end && *after == '\r' && (after + 1 == end || after[1] == '\n'))
        after++;
    if (after < end && *after != d->delimiter && *after != '\n')
        record->status = CSV_BAD_QUOTE;
    while (after < end && *after != d->delimiter && *after != '\n')
        after++;
    return after;
}

/* The next delimiter or line end, or the end of data; sixteen bytes at a time where the machine can. */
static const char *field_end(const csv_dialect_t *d, const char *at, const char *end)
{
#ifdef __SSE2__
    const __m128i delimiter = _mm_set1_epi8(d->delimiter);
    const __m128i newline = _mm_set1_epi8('\n');
    for (; end - at >= 16; at += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
        __m128i hit = _mm_or_si128(_mm_cmpeq_epi8(bytes, delimiter), _mm_cmpeq_epi8(bytes, newline));
        int mask = _mm_movemask_epi8(hit);
        if (mask)
            return at + __builtin_ctz((unsigned)mask);
    }
#endif
    while (at < end && *at != d->delimiter && *at != '\n')
        at++;
    return at;
}

static const char *split_plain(const csv_dialect_t *d, const char *at, const char *end, csv_record_t *record)
{
    const char *stop = field_end(d, at, end);
    size_t length = (size_t)(stop - at);
    if (length && (stop == end || *stop == '\n') && stop[-1] == '\r')
        length--;
    put_field(record, at, length);
    return stop;
}

void csv_split(const csv_dialect_t *d, const char *at, const char *end, csv_record_t *record)
{
    record->n_fields = 0;
    record->stride += !record->stride;
    record->quoted = false;
    record->status = CSV_OK;
    for (;;) {
        if (d->quote && at < end && *at == d->quote)
            at = split_quoted(d, at, end, record);
        else
            at = split_plain(d, at, end, record);
        if (at == end || *at == '\n')
            break;
        at++;
    }
    record->end = at < end ? at + 1 : end;
}

/* Past the last line end of [at, stop), or NULL. */
static const char *last_line_end(const char *at, const char *stop)
{
    const char *found = stop > at ? memrchr(at, '\n', (size_t)(stop - at)) : NULL;
    return found ? found + 1 : NULL;
}

/* Quote by quote, from the record at `at`. */
static const char *last_end_carefully(const csv_dialect_t *d, const char *at, const char *end, bool *open)
{
    const char *data = at;
    const char *found = NULL;
    while (d->quote) {
        const char *quote = memchr(at, d->quote, (size_t)(end - at));
        if (!quote)
            break;
        const char *line = last_line_end(at, quote);
        found = line ? line : found;
        /* a quote inside a plain field is data */
        at = quote + 1;
        if (quote != data && quote[-1] != d->delimiter && quote[-1] != '\n')
            continue;
        bool escaped;
        const char *close = closing_quote(d, at, end, &escaped);
        if (!close) {
            *open = true;
            return found;
        }
        at = close + 1;
    }
    const char *line = last_line_end(at, end);
    return line ? line : found;
}

/* By the parity of quotes, as long as each stands where it may. */
static const char *last_end_by_parity(const csv_dialect_t *d, const char *data, const char *end, bool *open)
{
    const char *found = NULL;
    uint64_t carry = 0;
    uint64_t may_open = 1; /* the byte before the window allows a quote to open */
    csv_marks_t all[CSV_WINDOWS];
    size_t n = 0;
    size_t next = 0;
    for (const char *at = data; at < end; at += CSV_WINDOW) {
        if (next == n) {
            n = csv_marks_from(d, at, end, CSV_WINDOWS, all);
            next = 0;
        }
        csv_marks_t marks = all[next++];
        uint64_t inside = csv_inside(marks.quotes) ^ carry;
        uint64_t before = marks.delimiters | marks.newlines | (marks.quotes & ~inside);
        if (marks.quotes & inside & ~(before << 1 | may_open)) {
            const char *later = last_end_carefully(d, found ? found : data, end, open);
            return later ? later : found;
        }
        uint64_t line_ends = marks.newlines & ~inside;
        if (line_ends)
            found = at + CSV_WINDOW - __builtin_clzll(line_ends);
        may_open = before >> 63;
        carry = inside >> 63 ? UINT64_MAX : 0;
    }
    *open = carry != 0;
    return found;
}

const char *csv_last_end(const csv_dialect_t *d, const char *data, size_t length, bool *open)
{
    *open = false;
    if (!d->quote)
        return last_line_end(data, data + length);
    if (d->escape != d->quote)
        return last_end_carefully(d, data, data + length, open);
    return last_end_by_parity(d, data, data + length, open);
}

bool csv_is_blank(const char *at, const char *record_end)
{
    size_t n = (size_t)(record_end - at);
    return n == 0 || (n == 1 && (*at == '\n' || *at == '\r')) || (n == 2 && at[0] == '\r' && at[1] == '\n');
}

int64_t csv_count_newlines(const char *at, const char *end)
{
    enum { STEP = 240 }; /* what a byte can count: the compiler then counts sixteen bytes at a time */
    int64_t lines = 0;
    while (at < end) {
        size_t n = end - at < STEP ? (size_t)(end - at) : STEP;
        uint8_t some = 0;
        for (size_t i = 0; i < n; i++)
            some = (uint8_t)(some + (at[i] == '\n'));
        lines += some;
        at += n;
    }
    return lines;
}
