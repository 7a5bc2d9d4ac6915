#include "worker/profiling/csv_reader.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

static csv_marks_t next_marks(csv_reader_t *reader, const char *window)
{
    if (reader->next_mark == reader->n_marks) {
        reader->n_marks = csv_marks_from(reader->dialect, window, reader->end, reader->ahead, reader->marks);
        reader->next_mark = 0;
        reader->ahead = reader->ahead * 2 < CSV_WINDOWS ? reader->ahead * 2 : CSV_WINDOWS;
    }
    return reader->marks[reader->next_mark++];
}

static void look_at(csv_reader_t *reader, const char *window)
{
    csv_marks_t marks = next_marks(reader, window);
    uint64_t inside = csv_inside(marks.quotes) ^ reader->carry;
    reader->window = window;
    reader->stops = (marks.delimiters | marks.newlines) & ~inside;
    reader->newlines = marks.newlines;
    reader->quotes = marks.quotes;
    reader->inner_newlines = (marks.newlines & inside) != 0;
    reader->carry = inside >> 63 ? UINT64_MAX : 0;
}

static void start_at(csv_reader_t *reader, const char *at)
{
    reader->carry = 0;
    reader->n_marks = reader->next_mark = 0;
    reader->ahead = 1;
    look_at(reader, at);
}

csv_reader_t csv_reader_make(const csv_dialect_t *dialect, const char *at, const char *end)
{
    csv_reader_t out = {.dialect = dialect, .at = at, .end = end};
    out.simple = !dialect->quote || dialect->escape == dialect->quote;
    if (out.simple)
        start_at(&out, at);
    return out;
}

/* The careful way; then the windows start afresh behind the record. */
static void read_carefully(csv_reader_t *reader, csv_record_t *record)
{
    csv_split(reader->dialect, reader->at, reader->end, record);
    reader->at = record->end;
    if (reader->simple)
        start_at(reader, reader->at);
}

static inline void put_field(csv_record_t *record, const char *text, size_t length)
{
    if (record->n_fields < record->max_fields)
        record->fields[record->n_fields * record->stride] = (csv_field_t){text, length};
    record->n_fields++;
}

/* Copies [at, end) to scratch with each pair of quotes as one. False where a quote stands alone. */
static bool undo_doubled(char quote, const char *at, const char *end, char **scratch)
{
    char *out = *scratch;
    while (at < end) {
#ifdef __SSE2__
        /* sixteen bytes are there to read: the closing quote and the rest of the record lie behind */
        if (end - at >= 16) {
            __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
            _mm_storeu_si128((__m128i *)(void *)out, bytes);
            int mask = _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(quote)));
            int n = mask ? __builtin_ctz((unsigned)mask) : 16;
            at += n;
            out += n;
            if (!mask)
                continue;
        }
#endif
        if (*at == quote && (++at == end || *at != quote))
            return false;
        *out++ = *at++;
    }
    *scratch = out;
    return true;
}

/* A field [at, stop) with quotes in it. False: it needs the careful way. */
static bool put_quoted(const csv_reader_t *reader, const char *at, const char *stop, bool line_end,
                       uint64_t passed, csv_record_t *record)
{
    const char quote = reader->dialect->quote;
    const char *close = stop - 1;
    if (line_end && *close == '\r' && close > at)
        close--;
    if (*at != quote || *close != quote || close == at)
        return false;
    at++;
    bool known =
        at > reader->window; /* then all its quotes were passed here: two of them are the outer ones */
    passed &= passed - 1;
    bool doubled = known ? (passed & (passed - 1)) != 0 : memchr(at, quote, (size_t)(close - at)) != NULL;
    if (!doubled) {
        put_field(record, at, (size_t)(close - at));
        return true;
    }
    const char *text = record->scratch;
    if (!undo_doubled(quote, at, close, &record->scratch))
        return false;
    put_field(record, text, (size_t)(record->scratch - text));
    return true;
}

static inline bool take_field(csv_reader_t *reader, const char *at, const char *stop, bool line_end,
                              bool quoted, uint64_t passed, csv_record_t *record)
{
    if (quoted)
        return put_quoted(reader, at, stop, line_end, passed, record);
    size_t length = (size_t)(stop - at);
    if (line_end && length && stop[-1] == '\r')
        length--;
    put_field(record, at, length);
    return true;
}

/* False: the record needs the careful way. */
static bool read_simply(csv_reader_t *reader, csv_record_t *record)
{
    const char *at = reader->at;
    bool quoted = false; /* the field has quotes in windows before this one */
    record->quoted = reader->inner_newlines;
    for (;;) {
        if (!reader->stops) {
            quoted |= reader->quotes != 0;
            if (reader->end - reader->window <= CSV_WINDOW)
                break;
            look_at(reader, reader->window + CSV_WINDOW);
            record->quoted |= reader->inner_newlines;
            continue;
        }
        uint64_t bit = reader->stops & -reader->stops;
        uint64_t passed = reader->quotes & (bit - 1);
        const char *stop = reader->window + __builtin_ctzll(bit);
        bool line_end = (reader->newlines & bit) != 0;
        reader->stops ^= bit;
        reader->quotes ^= passed;
        if (!take_field(reader, at, stop, line_end, quoted || passed, passed, record))
            return false;
        at = stop + 1;
        if (line_end) {
            record->end = reader->at = at;
            return true;
        }
        quoted = false;
    }
    record->end = reader->end;
    bool good = !reader->carry && take_field(reader, at, reader->end, true, quoted, reader->quotes, record);
    if (good)
        reader->at = reader->end;
    return good;
}

void csv_reader_next(csv_reader_t *reader, csv_record_t *record)
{
    char *scratch = record->scratch;
    record->n_fields = 0;
    record->stride += !record->stride;
    record->status = CSV_OK;
    if (reader->simple && read_simply(reader, record))
        return;
    record->scratch = scratch;
    read_carefully(reader, record);
}
