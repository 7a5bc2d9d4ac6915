#include "worker/profiling/colstats.h"

#include <assert.h>
#include <string.h>

#include "worker/profiling/colstats_parts.h"
#include "worker/profiling/texthash.h"

enum {
    PATTERN_MAX = 64,
    MAX_PATTERNS = 1024,
    MAX_BAD = 256,
    PATTERN_EVERY = 8,
    KEEP_EVERY = 16,
    KEEP_EVERY_UNIQUE = 256,
    SAMPLE_EVERY = 8,
    LOG_STEP = 1 << 16
};

colstats_t colstats_make(nv_mem_t *ctx, const parser_t *parser, bool exact, uint64_t seed,
                         hashlog_budget_t *budget)
{
    colstats_t out = {.ctx = ctx, .parser = parser, .exact = exact};
    size_t hot = exact ? 1 << 20 : COLSTATS_HOT;
    out.hot = dict_make(ctx, hot, SIZE_MAX / 2);
    out.bad = dict_make(ctx, MAX_BAD, MAX_BAD * COLSTATS_TEXT);
    out.patterns = dict_make(ctx, MAX_PATTERNS, SIZE_MAX / 2);
    out.log = (hashlog_t){.budget = budget};
    out.log_check = 4 * LOG_STEP;
    if (!exact) {
        out.reservoir = reservoir_make(ctx, seed);
    }
    return out;
}

size_t utf8_cut(const char *text, size_t length, size_t most)
{
    if (length <= most)
        return length;
    while (most > 0 && ((unsigned char)text[most] & 0xC0) == 0x80)
        most--;
    return most;
}

static inline char shape_of(unsigned char c)
{
    bool letter = (unsigned char)((c | 0x20) - 'a') < 26 || c >= 0x80;
    char other = (unsigned char)(c - '0') < 10 ? '9' : (char)c;
    return letter ? 'A' : other;
}

size_t colstats_pattern(const char *text, size_t length, char *out, size_t size)
{
    size_t n = 0;
    char last = 0;
    bool folded = false;
    for (size_t i = 0; i < length && n + 1 < size; i++) {
        char shape = shape_of((unsigned char)text[i]);
        bool fold = shape == last && (shape == '9' || shape == 'A');
        if (!fold) {
            out[n++] = shape;
            folded = false;
        } else if (!folded) {
            out[n++] = '+';
            folded = true;
        }
        last = shape;
    }
    return n;
}

static void add_pattern(colstats_t *stats, const char *text, size_t length, int64_t count)
{
    char pattern[PATTERN_MAX];
    size_t n = colstats_pattern(text, length, pattern, sizeof pattern);
    dict_add(&stats->patterns, pattern, n, sketch_hash(pattern, n), count);
}

static uint64_t load8(const char *text)
{
    uint64_t word;
    memcpy(&word, text, sizeof word);
    return word;
}

/* The last eight bytes are looked at together, whatever the others overlap. */
static bool is_ascii(const char *text, size_t length)
{
    uint64_t any = 0;
    if (length < sizeof any) {
        for (size_t i = 0; i < length; i++)
            any |= (unsigned char)text[i];
        return any < 0x80;
    }
    for (size_t i = 0; i + sizeof any < length; i += sizeof any)
        any |= load8(text + i);
    any |= load8(text + length - sizeof any);
    return !(any & UINT64_C(0x8080808080808080));
}

/* Characters of valid UTF-8. */
static size_t count_chars(const char *text, size_t length)
{
    if (is_ascii(text, length))
        return length;
    size_t chars = 0;
    for (size_t i = 0; i < length; i++)
        chars += ((unsigned char)text[i] & 0xC0) != 0x80;
    return chars;
}

static inline void add_length(colstats_t *stats, const char *text, size_t length, int64_t count)
{
    size_t chars = stats->ascii ? length : count_chars(text, length);
    int32_t n = chars > INT32_MAX ? INT32_MAX : (int32_t)chars;
    if (!stats->length_count || n < stats->length_min)
        stats->length_min = n;
    if (n > stats->length_max)
        stats->length_max = n;
    stats->length_count += count;
    stats->length_sum += count * n;
}

static int text_compare(const char *a, size_t a_length, const char *b, size_t b_length)
{
    int order = memcmp(a, b, a_length < b_length ? a_length : b_length);
    return order ? order : (a_length > b_length) - (a_length < b_length);
}

static void keep_short(short_text_t *out, const char *text, size_t length)
{
    out->length = utf8_cut(text, length, sizeof out->text);
    memcpy(out->text, text, out->length);
}

static inline uint64_t prefix_of(const char *text, size_t length)
{
    uint64_t prefix = 0;
    if (length >= sizeof prefix)
        prefix = load8(text);
    else
        memcpy(&prefix, text, length);
    return __builtin_bswap64(prefix);
}

void colstats_widen(colstats_t *stats, const char *text, size_t length)
{
    if (!stats->any || text_compare(text, length, stats->min_text.text, stats->min_text.length) < 0)
        keep_short(&stats->min_text, text, length);
    if (!stats->any || text_compare(text, length, stats->max_text.text, stats->max_text.length) > 0)
        keep_short(&stats->max_text, text, length);
    stats->any = true;
    stats->min_prefix = prefix_of(stats->min_text.text, stats->min_text.length);
    stats->max_prefix = prefix_of(stats->max_text.text, stats->max_text.length);
}

static inline void add_text_range(colstats_t *stats, const char *text, size_t length)
{
    uint64_t prefix = prefix_of(text, length);
    if (!stats->any || prefix <= stats->min_prefix || prefix >= stats->max_prefix)
        colstats_widen(stats, text, length);
}

static inline void add_sample(colstats_t *stats, double number, int64_t count)
{
    if (stats->exact) {
        NV_PUSH(stats->ctx, stats->weights, stats->n_weights, stats->weights_capacity) =
            (weighted_t){number, count};
        return;
    }
    for (int64_t i = 0; i < count; i++)
        reservoir_add(&stats->reservoir, number);
}

static inline void add_number(colstats_t *stats, const parsed_t *value, int64_t count)
{
    const parser_t *parser = stats->parser;
    double number = parser_number(parser, value);
    if (!stats->any) {
        stats->min = stats->max = *value;
        stats->shift = number;
        stats->any = true;
    }
    if (parsed_compare(parser, value, &stats->min) < 0)
        stats->min = *value;
    if (parsed_compare(parser, value, &stats->max) > 0)
        stats->max = *value;
    double off = number - stats->shift;
    stats->sum += off * (double)count;
    stats->sum_squares += off * off * (double)count;
    stats->zero += number == 0 ? count : 0;
    stats->negative += number < 0 ? count : 0;
    add_sample(stats, number, count);
}

void colstats_give_up_log(colstats_t *stats)
{
    if (!stats->hll)
        stats->hll = NV_NEW(stats->ctx, hll_t);
    for (const hashlog_chunk_t *chunk = stats->log.last; chunk; chunk = chunk->previous)
        for (size_t i = 0; i < chunk->n; i++)
            hll_add(stats->hll, chunk->hashes[i]);
    hashlog_drop(&stats->log);
}

/* The log is worth its memory only while nearly every value is new. */
static void judge_log(colstats_t *stats)
{
    stats->log_check += 4 * LOG_STEP;
    if (!stats->exact && kmv_estimate(&stats->kmv) < 0.9 * (double)stats->log.n)
        colstats_give_up_log(stats);
}

static inline void add_distinct(colstats_t *stats, uint64_t hash)
{
    if (!stats->kmv.pending)
        stats->kmv = kmv_make(stats->ctx);
    kmv_add(&stats->kmv, hash);
    if (!stats->log.dropped && !hashlog_add(&stats->log, hash))
        colstats_give_up_log(stats);
    if (stats->log.dropped)
        hll_add(stats->hll, hash);
    else if ((int64_t)stats->log.n >= stats->log_check)
        judge_log(stats);
}

static void filter_hot(colstats_t *stats, uint64_t hash)
{
    stats->hot_filter[(hash >> 6) % COLSTATS_FILTER] |= UINT64_C(1) << (hash & 63);
}

void colstats_filter_hot(colstats_t *stats)
{
    memset(stats->hot_filter, 0, sizeof stats->hot_filter);
    for (size_t i = 0; i < stats->hot.n_entries; i++)
        filter_hot(stats, stats->hot.entries[i].hash);
}

static inline bool count_hot(colstats_t *stats, uint64_t hash, int64_t count)
{
    return (stats->hot_filter[(hash >> 6) % COLSTATS_FILTER] >> (hash & 63) & 1) &&
           dict_count(&stats->hot, hash, count);
}

static void keep_hot(colstats_t *stats, const char *text, size_t length, uint64_t hash, int64_t count)
{
    if (stats->hot.n_entries >= stats->hot.max_entries) {
        dict_prune(&stats->hot, stats->hot.max_entries / 2);
        colstats_filter_hot(stats);
    }
    if (dict_add_new(&stats->hot, text, utf8_cut(text, length, COLSTATS_TEXT), hash, count))
        filter_hot(stats, hash);
}

/* Where nearly every value is new, one in SAMPLE_EVERY is looked up, and a repetition stands for as many. */
static inline void add_hot_sampled(colstats_t *stats, const char *text, size_t length, uint64_t hash)
{
    if (stats->tick % SAMPLE_EVERY || count_hot(stats, hash, SAMPLE_EVERY) || stats->tick % KEEP_EVERY_UNIQUE)
        return;
    keep_hot(stats, text, length, hash, 1);
}

static inline void add_hot(colstats_t *stats, const char *text, size_t length, uint64_t hash, int64_t count)
{
    if (!stats->exact && count == 1 && !stats->log.dropped) {
        add_hot_sampled(stats, text, length, hash);
        return;
    }
    if (count_hot(stats, hash, count) || stats->rare)
        return;
    if (!stats->exact && count == 1 && stats->tick % KEEP_EVERY)
        return;
    keep_hot(stats, text, length, hash, count);
}

/* Is a decimal's text canonical once the zeros at its end are cut? *length is then the cut one. */
static bool plain_decimal(const char *text, size_t *length)
{
    size_t n = *length;
    const char *point = memchr(text, '.', n);
    bool whole = text[0] >= '1' && text[0] <= '9';
    if (!point || n > 19 || (!whole && !(text[0] == '0' && point == text + 1)))
        return false;
    for (size_t i = 0; i < n; i++)
        if ((text[i] < '0' || text[i] > '9') && text + i != point)
            return false;
    while (text[n - 1] == '0')
        n--;
    *length = text[n - 1] == '.' ? n - 1 : n;
    return true;
}

/* The canonical text: borrowed raw text where that is canonical already, else written to buffer. *same: it is the raw
 * text as a whole, so its hash is known. */
static inline const char *canonical(const parser_t *parser, Nv__ValueType type, const parsed_t *value,
                                    const char *text, size_t *length, char *buffer, bool *same)
{
    *same = false;
    const size_t given = *length;
    switch (type) {
    case NV__VALUE_TYPE__VALUE_TYPE_STRING:
        *same = true;
        return text;
    case NV__VALUE_TYPE__VALUE_TYPE_INT64:
        *same = *length <= 18 && text[0] >= '1' && text[0] <= '9' && text[*length - 1] >= '0' &&
                text[*length - 1] <= '9' && parser->bare_notation;
        if (*same)
            return text;
        break;
    case NV__VALUE_TYPE__VALUE_TYPE_DATE:
        *same = *length == 10 && parser->iso_length == 10 && text[4] == '-' && text[7] == '-';
        if (*same)
            return text;
        break;
    case NV__VALUE_TYPE__VALUE_TYPE_TIMESTAMP:
        if (*length != 19 || parser->iso_length != 19 || text[4] != '-' || text[7] != '-' ||
            text[10] != parser->iso_gap || text[13] != ':' || text[16] != ':')
            break;
        memcpy(buffer, text, 19);
        buffer[10] = 'T';
        return buffer;
    case NV__VALUE_TYPE__VALUE_TYPE_DECIMAL:
        if (parser->bare_notation && plain_decimal(text, length)) {
            *same = *length == given;
            return text;
        }
        break;
    default:
        break;
    }
    *length = parser_text(parser, value, buffer);
    return buffer;
}

static void add_ok(colstats_t *stats, const parsed_t *value, const char *text, size_t length, uint64_t hash,
                   int64_t count)
{
    const parser_t *parser = stats->parser;
    char buffer[PARSED_TEXT_MAX];
    stats->ok += count;
    if (parser->type == NV__VALUE_TYPE__VALUE_TYPE_STRING)
        add_text_range(stats, text, length);
    else
        add_number(stats, value, count);
    size_t shown_length = length;
    bool same;
    const char *shown = canonical(parser, parser->type, value, text, &shown_length, buffer, &same);
    if (!same)
        hash = sketch_hash(shown, shown_length);
    add_distinct(stats, hash);
    add_hot(stats, shown, shown_length, hash, count);
}

void colstats_add(colstats_t *stats, const char *text, size_t length, uint64_t hash, int64_t count)
{
    parsed_t value;
    parse_status_t status = parser_parse(stats->parser, text, length, &value);
    colstats_take(stats, status, &value, text, length, hash, count);
}

void colstats_take(colstats_t *stats, parse_status_t status, const parsed_t *value, const char *text,
                   size_t length, uint64_t hash, int64_t count)
{
    stats->tick++;
    add_length(stats, text, length, count);
    if (stats->exact || stats->tick % PATTERN_EVERY == 1)
        add_pattern(stats, text, length, stats->exact ? count : PATTERN_EVERY);
    switch (status) {
    case PARSE_NULL:
        stats->nulls += count;
        break;
    case PARSE_INVALID:
        stats->invalid += count;
        dict_add(&stats->bad, text, utf8_cut(text, length, COLSTATS_TEXT), hash, count);
        break;
    case PARSE_OK:
        add_ok(stats, value, text, length, hash, count);
        break;
    }
}

static void batch_lengths(colstats_t *stats, const colstats_batch_t *batch)
{
    for (size_t i = 0; i < batch->n; i++)
        add_length(stats, batch->fields[i].text, batch->fields[i].length, 1);
}

/* Those at which colstats_take's tick asks for a pattern. */
static void batch_patterns(colstats_t *stats, const colstats_batch_t *batch)
{
    for (size_t i = (PATTERN_EVERY - stats->tick % PATTERN_EVERY) % PATTERN_EVERY; i < batch->n;
         i += PATTERN_EVERY)
        add_pattern(stats, batch->fields[i].text, batch->fields[i].length, PATTERN_EVERY);
}

/* Sums, counts and sample of n numbers; the sums grow in the numbers' order, as with add_number. */
static void add_moments(colstats_t *stats, const double *numbers, size_t n)
{
    double sum = stats->sum;
    double sum_squares = stats->sum_squares;
    int64_t zero = 0;
    int64_t negative = 0;
    for (size_t i = 0; i < n; i++) {
        double off = numbers[i] - stats->shift;
        sum += off;
        sum_squares += off * off;
        zero += numbers[i] == 0;
        negative += numbers[i] < 0;
    }
    stats->sum = sum;
    stats->sum_squares = sum_squares;
    stats->zero += zero;
    stats->negative += negative;
    reservoir_add_all(&stats->reservoir, numbers, n);
}

static void batch_numbers(colstats_t *stats, const colstats_batch_t *batch)
{
    const parser_t parser = *stats->parser; /* a copy of our own: no store can change it */
    double numbers[COLSTATS_BATCH];
    const parsed_t *low = &stats->min;
    const parsed_t *high = &stats->max;
    size_t n = 0;
    for (size_t i = 0; i < batch->n; i++) {
        const parsed_t *value = &batch->values[i];
        if (batch->status[i] != PARSE_OK)
            continue;
        numbers[n++] = parser_number(&parser, value);
        if (!stats->any) {
            stats->min = stats->max = *value;
            stats->shift = numbers[0];
            stats->any = true;
        }
        low = parsed_compare(&parser, value, low) < 0 ? value : low;
        high = parsed_compare(&parser, value, high) > 0 ? value : high;
    }
    parsed_t lowest = *low;
    stats->max = *high;
    stats->min = lowest;
    add_moments(stats, numbers, n);
}

static void batch_ranges(colstats_t *stats, const colstats_batch_t *batch)
{
    if (stats->parser->type != NV__VALUE_TYPE__VALUE_TYPE_STRING) {
        batch_numbers(stats, batch);
        return;
    }
    for (size_t i = 0; i < batch->n; i++)
        if (batch->status[i] == PARSE_OK)
            add_text_range(stats, batch->fields[i].text, batch->fields[i].length);
}

/* What is shown of each value, with its hash. */
typedef struct shown {
    csv_field_t fields[COLSTATS_BATCH];
    uint64_t hashes[COLSTATS_BATCH];
    char buffers[COLSTATS_BATCH][PARSED_TEXT_MAX];
    char slack[TEXTHASH_SLACK]; /* behind the last of them */
} shown_t;

/* type: the parser's, as a constant, so that each type gets a loop of its own. */
static inline void show_each(const parser_t *parser, Nv__ValueType type, const colstats_batch_t *batch,
                             shown_t *out)
{
    csv_field_t anew[COLSTATS_BATCH];
    uint64_t hashes[COLSTATS_BATCH];
    uint16_t places[COLSTATS_BATCH];
    size_t n = 0;
    for (size_t i = 0; i < batch->n; i++) {
        if (batch->status[i] != PARSE_OK)
            continue;
        size_t length = batch->fields[i].length;
        bool same;
        const char *text = canonical(parser, type, &batch->values[i], batch->fields[i].text, &length,
                                     out->buffers[i], &same);
        out->fields[i].text = anew[n].text = text;
        out->fields[i].length = anew[n].length = length;
        out->hashes[i] = batch->hashes[i];
        places[n] = (uint16_t)i;
        n += !same;
    }
    texthash_all(anew, n, hashes);
    for (size_t i = 0; i < n; i++)
        out->hashes[places[i]] = hashes[i];
}

static void show(const parser_t *parser, const colstats_batch_t *batch, shown_t *out)
{
    switch (parser->type) {
    case NV__VALUE_TYPE__VALUE_TYPE_INT64:
        show_each(parser, NV__VALUE_TYPE__VALUE_TYPE_INT64, batch, out);
        break;
    case NV__VALUE_TYPE__VALUE_TYPE_DECIMAL:
        show_each(parser, NV__VALUE_TYPE__VALUE_TYPE_DECIMAL, batch, out);
        break;
    case NV__VALUE_TYPE__VALUE_TYPE_TIMESTAMP:
        show_each(parser, NV__VALUE_TYPE__VALUE_TYPE_TIMESTAMP, batch, out);
        break;
    default:
        show_each(parser, parser->type, batch, out);
    }
}

/* Counts of distinct and of frequent values: whether a value is looked up depends on the one before. */
static void batch_identities(colstats_t *stats, const colstats_batch_t *batch, const csv_field_t *fields,
                             const uint64_t *hashes)
{
    for (size_t i = 0; i < batch->n; i++) {
        stats->tick++;
        if (batch->status[i] != PARSE_OK)
            continue;
        add_distinct(stats, hashes[i]);
        add_hot(stats, fields[i].text, fields[i].length, hashes[i], 1);
    }
}

static void batch_status(colstats_t *stats, const colstats_batch_t *batch)
{
    for (size_t i = 0; i < batch->n; i++) {
        stats->ok += batch->status[i] == PARSE_OK;
        stats->nulls += batch->status[i] == PARSE_NULL;
        if (batch->status[i] == PARSE_INVALID) {
            const csv_field_t *field = &batch->fields[i];
            stats->invalid++;
            dict_add(&stats->bad, field->text, utf8_cut(field->text, field->length, COLSTATS_TEXT),
                     batch->hashes[i], 1);
        }
    }
}

void colstats_take_batch(colstats_t *stats, const colstats_batch_t *batch)
{
    assert(!stats->exact && batch->n <= COLSTATS_BATCH);
    shown_t shown;
    batch_lengths(stats, batch);
    batch_patterns(stats, batch);
    batch_status(stats, batch);
    batch_ranges(stats, batch);
    if (stats->parser->type == NV__VALUE_TYPE__VALUE_TYPE_STRING) {
        batch_identities(stats, batch, batch->fields, batch->hashes);
        return;
    }
    show(stats->parser, batch, &shown);
    batch_identities(stats, batch, shown.fields, shown.hashes);
}
