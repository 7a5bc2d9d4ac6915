#include "worker/profiling/sniff.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "worker/profiling/infer_class.h"
#include "worker/profiling/parser.h"

enum { SAMPLE_RECORDS = 500, MAX_COUNTED = 1 << 20, MAX_PREAMBLE = 30 };

/* How the sample reads under one dialect. */
typedef struct reading {
    csv_dialect_t csv;
    size_t counts[SAMPLE_RECORDS]; /* fields of each record; blank lines left out */
    int lines[SAMPLE_RECORDS];     /* line ends before the record, blank lines included */
    size_t n;
    size_t mode;    /* the most frequent count */
    size_t at_mode; /* records that have it */
    size_t bad;     /* records with broken quoting */
    double score;
} reading_t;

static int count_lines(const char *at, const char *end)
{
    int lines = 0;
    while (at < end && (at = memchr(at, '\n', (size_t)(end - at)))) {
        lines++;
        at++;
    }
    return lines;
}

static void find_mode(reading_t *r)
{
    for (size_t i = 0; i < r->n; i++) {
        size_t same = 0;
        for (size_t j = 0; j < r->n; j++)
            same += r->counts[j] == r->counts[i];
        if (same > r->at_mode || (same == r->at_mode && r->counts[i] > r->mode)) {
            r->mode = r->counts[i];
            r->at_mode = same;
        }
    }
}

/* The text to read: the sample, and whether it is the whole file. */
typedef struct sample {
    const char *text;
    size_t length;
    bool whole;
} sample_t;

static void read_sample(const sample_t *sample, const csv_dialect_t *csv, char *scratch, reading_t *out)
{
    const char *text = sample->text;
    size_t length = sample->length;
    *out = (reading_t){.csv = *csv};
    const char *end = text + length;
    int line = 0;
    for (const char *at = text; at < end && out->n < SAMPLE_RECORDS;) {
        csv_record_t record = {.scratch = scratch};
        csv_split(csv, at, end, &record);
        if (record.status == CSV_INCOMPLETE) {
            /* as the scan does: the line is lost, the next one is read; in a cut sample it may just go on */
            const char *newline = memchr(at, '\n', (size_t)(end - at));
            if (!sample->whole || !newline)
                break;
            out->bad++;
            line++;
            at = newline + 1;
            continue;
        }
        if (!csv_is_blank(at, record.end)) {
            out->lines[out->n] = line;
            out->counts[out->n++] = record.n_fields;
            out->bad += record.status != CSV_OK;
        }
        line += count_lines(at, record.end);
        at = record.end;
    }
    find_mode(out);
}

/* Consistency first, then more columns; a delimiter that never splits is no delimiter. */
static void judge(reading_t *r, double prior)
{
    if (!r->n)
        return;
    double agree = (double)r->at_mode / (double)r->n;
    double broken = (double)r->bad / (double)(2 * r->n);
    r->score = r->mode > 1 ? agree * agree + prior - broken : 0.3 - broken;
    if (r->mode > 2)
        r->score += 0.05;
}

static bool quotes_with(const char *text, size_t length, char delimiter, char quote)
{
    size_t opened = 0;
    size_t closed = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] != quote)
            continue;
        bool starts = i == 0 || text[i - 1] == delimiter || text[i - 1] == '\n';
        bool ends = i + 1 == length || text[i + 1] == delimiter || text[i + 1] == '\n' || text[i + 1] == '\r';
        opened += starts;
        closed += ends;
    }
    return opened >= 2 && closed * 10 >= opened * 8 && opened * 10 >= closed * 8;
}

/* The best reading; *second_best gets the score of the best one with another delimiter. */
static reading_t *best_reading(nv_mem_t *ctx, const sample_t *sample, double *second_best)
{
    const char *text = sample->text;
    size_t length = sample->length;
    static const struct {
        char delimiter;
        double prior;
    } delimiters[] = {{',', 0.10},    {'\t', 0.10}, {';', 0.09}, {'|', 0.08}, {'\x01', 0.08},
                      {'\x1F', 0.08}, {'~', 0.0},   {'^', 0.0},  {':', -0.3}};
    char *scratch = nv_alloc(ctx, length + 1);
    reading_t *best = NV_NEW(ctx, reading_t);
    reading_t *candidate = NV_NEW(ctx, reading_t);
    *second_best = 0;
    for (size_t i = 0; i < sizeof delimiters / sizeof delimiters[0]; i++) {
        csv_dialect_t csv = {.delimiter = delimiters[i].delimiter, .quote = '"', .escape = '"'};
        if (!quotes_with(text, length, csv.delimiter, '"') && quotes_with(text, length, csv.delimiter, '\''))
            csv.quote = csv.escape = '\'';
        read_sample(sample, &csv, scratch, candidate);
        if (candidate->bad) {
            reading_t *other = NV_NEW(ctx, reading_t);
            csv.escape = '\\';
            read_sample(sample, &csv, scratch, other);
            if (other->bad < candidate->bad)
                *candidate = *other;
            nv_mem_free(other);
        }
        judge(candidate, delimiters[i].prior);
        bool wins = candidate->score > best->score || best->n == 0;
        double loser = wins ? (best->n ? best->score : 0) : candidate->score;
        const reading_t *lost = wins ? best : candidate;
        /* what splits into fewer columns is a character of the data, such as a decimal comma */
        if (loser > *second_best && lost->mode >= (wins ? candidate : best)->mode)
            *second_best = loser;
        if (wins)
            *best = *candidate;
    }
    return best;
}

/* "sep=;" in the first line: how spreadsheets are told the delimiter. */
static bool names_delimiter(const char *text, size_t length, char delimiter)
{
    return length > 5 && strncasecmp(text, "sep=", 4) == 0 && text[4] == delimiter &&
           (text[5] == '\n' || text[5] == '\r');
}

/* Lines of prose before the table: records with fewer fields than the rest, followed by a consistent table. */
static size_t preamble(const reading_t *r)
{
    if (r->mode < 2 || r->n < 3)
        return 0;
    size_t first = 0;
    while (first < r->n && first < MAX_PREAMBLE && r->counts[first] < r->mode &&
           (r->counts[first] * 2 <= r->mode || r->counts[first] == 1))
        first++;
    if (first == 0 || first + 2 > r->n)
        return 0;
    return r->counts[first] == r->mode && r->counts[first + 1] == r->mode ? first : 0;
}

/* A cell's kind for header detection; blank cells tell nothing. */
static enum class_kind cell_kind(const csv_field_t *field)
{
    const char *text = field->text;
    size_t length = field->length;
    text_trim(&text, &length);
    if (!length)
        return CLASS_EMPTY;
    value_class_t class = value_classify(text, length);
    enum class_kind kind = class_kind(class.key);
    if (kind == CLASS_WORD)
        return word_is_boolean(class_word_kind(class.key)) ? CLASS_WORD : CLASS_EMPTY;
    return kind;
}

/* What the data rows say of one column. */
typedef struct column_hint {
    int64_t typed, text, repeats, filled;
    size_t length_min, length_max;
} column_hint_t;

static bool same_cell(const csv_field_t *a, const csv_field_t *b)
{
    return a->length == b->length && memcmp(a->text, b->text, a->length) == 0;
}

static void add_hint(column_hint_t *hint, const csv_field_t *cell, const csv_field_t *head)
{
    enum class_kind kind = cell_kind(cell);
    if (kind == CLASS_EMPTY)
        return;
    if (!hint->filled || cell->length < hint->length_min)
        hint->length_min = cell->length;
    if (cell->length > hint->length_max)
        hint->length_max = cell->length;
    hint->filled++;
    hint->typed += kind != CLASS_TEXT;
    hint->text += kind == CLASS_TEXT;
    hint->repeats += same_cell(cell, head);
}

/* Positive: the first row names the columns. */
static int header_score(const csv_field_t *head, const column_hint_t *hints, size_t n)
{
    int score = 0;
    for (size_t i = 0; i < n; i++) {
        enum class_kind kind = cell_kind(&head[i]);
        bool typed = kind != CLASS_TEXT && kind != CLASS_EMPTY;
        bool data_typed = hints[i].typed * 10 >= hints[i].filled * 9 && hints[i].filled;
        if (typed)
            score -= data_typed ? 3 : 1;
        else if (kind == CLASS_EMPTY)
            score -= hints[i].filled > 0;
        else if (data_typed)
            score += 3;
        else if (hints[i].repeats)
            score -= 2;
        else if (hints[i].filled >= 3 && hints[i].length_min == hints[i].length_max &&
                 head[i].length != hints[i].length_min)
            score += 1;
    }
    return score;
}

static bool name_like(const csv_field_t *field)
{
    if (!field->length || field->length > 300)
        return false;
    for (size_t i = 0; i < field->length; i++)
        if ((unsigned char)field->text[i] < 0x20)
            return false;
    return cell_kind(field) == CLASS_TEXT || cell_kind(field) == CLASS_WORD;
}

static bool names_like(const csv_field_t *head, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!name_like(&head[i]))
            return false;
        for (size_t j = 0; n <= 512 && j < i; j++)
            if (same_cell(&head[i], &head[j]))
                return false;
    }
    return true;
}

static void warn(nv_mem_t *ctx, sniff_dialect_t *out, const char *text)
{
    if (out->n_warnings < sizeof out->warnings / sizeof out->warnings[0])
        out->warnings[out->n_warnings++] = nv_strdup(ctx, text);
}

static char **cell_texts(nv_mem_t *ctx, const csv_field_t *cells, size_t n)
{
    char **names = NV_NEW_ARRAY(ctx, char *, n);
    for (size_t i = 0; i < n; i++) {
        const char *text = cells[i].text;
        size_t length = cells[i].length;
        text_trim(&text, &length);
        names[i] = nv_strndup(ctx, length ? text : "", length);
    }
    return names;
}

static void decide_header(nv_mem_t *ctx, const csv_field_t *head, const column_hint_t *hints, size_t n,
                          size_t n_rows, sniff_dialect_t *out)
{
    int score = header_score(head, hints, n);
    bool like = names_like(head, n);
    out->has_header = score > 0 || (score == 0 && like) || (n_rows == 0 && like);
    if (out->has_header && score == 0 && n_rows > 0)
        warn(ctx, out,
             "the first line is taken as header because it reads like one; every column is text, so the data "
             "cannot confirm it");
    else if (!out->has_header)
        warn(ctx, out, "the first line looks like data, so the columns were named column1, column2, …");
    if (out->has_header)
        out->names = cell_texts(ctx, head, n);
}

/* Fields that begin with blanks and a quote (`1, "a, b"`). Such quotes are data, as in RFC 4180 and for every reader further
 * on (Spark, pandas, DuckDB), so what is between them is split: worth a word. */
static size_t padded_quotes(const reading_t *r, const char *text, const csv_record_t *record)
{
    size_t n = 0;
    size_t known = record->n_fields < record->max_fields ? record->n_fields : record->max_fields;
    for (size_t i = 0; r->csv.quote && i < known; i++) {
        csv_field_t field = record->fields[i];
        bool bare = field.text > text && field.text < record->end && field.text[-1] == r->csv.delimiter;
        if (bare && text_trim(&field.text, &field.length))
            n += field.length && *field.text == r->csv.quote;
    }
    return n;
}

static void read_header(nv_mem_t *ctx, nv_mem_t *scratch, const char *text, size_t length, const reading_t *r,
                        sniff_dialect_t *out)
{
    const char *end = text + length;
    size_t most = r->mode;
    size_t skip = r->n > 1 && names_delimiter(text, length, r->csv.delimiter) ? 1 : preamble(r);
    if (skip < r->n && r->counts[skip] > most && r->counts[skip] <= MAX_COUNTED)
        most = r->counts[skip];
    out->n_columns = most;
    out->skip_lines = skip ? r->lines[skip] : 0;
    csv_field_t *head = NV_NEW_ARRAY(scratch, csv_field_t, most);
    csv_field_t *cells = NV_NEW_ARRAY(scratch, csv_field_t, most);
    column_hint_t *hints = NV_NEW_ARRAY(scratch, column_hint_t, most);
    char *head_scratch = nv_alloc(scratch, length + 1);
    char *cell_scratch = nv_alloc(scratch, length + 1);
    size_t seen = 0;
    size_t rows = 0;
    size_t padded = 0;
    for (const char *at = text; at < end && seen < SAMPLE_RECORDS;) {
        csv_record_t record = {.fields = seen == skip ? head : cells,
                               .max_fields = most,
                               .scratch = seen == skip ? head_scratch : cell_scratch};
        csv_split(&r->csv, at, end, &record);
        bool blank = csv_is_blank(at, record.end);
        at = record.end;
        if (blank)
            continue;
        padded += padded_quotes(r, text, &record);
        if (seen++ <= skip || record.n_fields != r->mode)
            continue;
        rows++;
        for (size_t i = 0; i < r->mode; i++)
            add_hint(&hints[i], &cells[i], &head[i]);
    }
    if (padded > 1)
        warn(ctx, out,
             "blanks stand before quotes: a quote opens a field only as its first byte, so these are data, "
             "and a delimiter between them splits the field; write the file without those blanks");
    decide_header(ctx, head, hints, most, rows, out);
}

/* The sample up to its last complete line; line ends made LF where the file uses CR alone. */
static char *prepare(nv_mem_t *scratch, const char *text, size_t *length, bool whole, bool *cr_only)
{
    char *copy = nv_memdup(scratch, text, *length + 0);
    *cr_only = !memchr(copy, '\n', *length) && memchr(copy, '\r', *length);
    for (size_t i = 0; *cr_only && i < *length; i++)
        if (copy[i] == '\r')
            copy[i] = '\n';
    const char *last = whole ? NULL : memrchr(copy, '\n', *length);
    if (last)
        *length = (size_t)(last - copy) + 1;
    return copy;
}

void sniff_dialect(nv_mem_t *ctx, const char *text, size_t length, bool whole, sniff_dialect_t *out)
{
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("sniff");
    *out = (sniff_dialect_t){0};
    const char *sample = prepare(scratch, text, &length, whole, &out->cr_only);
    double second;
    const sample_t all = {sample, length, whole};
    const reading_t *best = best_reading(scratch, &all, &second);
    out->csv = best->csv;
    if (!best->n)
        return;
    if (best->mode < 2)
        out->csv.delimiter = ',';
    else if (second > 0.3 && best->score - second < 0.1)
        warn(ctx, out, "another delimiter fits nearly as well; check that the columns are split right");
    else if (strchr("~^:", best->csv.delimiter))
        warn(ctx, out, "an unusual delimiter was found; check that the columns are split right");
    read_header(ctx, scratch, sample, length, best, out);
}
