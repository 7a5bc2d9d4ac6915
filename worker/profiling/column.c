#include "worker/profiling/column.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "worker/profiling/plain.h"
#include "worker/profiling/texthash.h"

column_t column_make(nv_mem_t *ctx, uint64_t seed, size_t max_entries, size_t max_bytes,
                     hashlog_budget_t *budget)
{
    column_t out = {.ctx = ctx, .seed = seed, .budget = budget};
    out.dict = dict_make(ctx, max_entries, max_bytes);
    out.evidence.ctx = ctx;
    return out;
}

static bool whole_number(const char *text, size_t length, int64_t *out)
{
    bool digits = length <= 18;
    int64_t sum = 0;
    for (size_t i = 0; digits && i < length; i++) {
        digits = text[i] >= '0' && text[i] <= '9';
        sum = sum * 10 + (text[i] - '0');
    }
    *out = sum;
    return digits;
}

static bool order_value(const char *text, size_t length, order_value_t *out)
{
    out->length = 0;
    if (whole_number(text, length, &out->number))
        return true;
    if (length > ORDER_TEXT)
        return false;
    out->number = 0;
    out->length = (uint8_t)length;
    memcpy(out->text, text, length);
    return true;
}

static bool increases(const order_value_t *a, const order_value_t *b)
{
    if (a->length != b->length)
        return false;
    return a->length ? memcmp(a->text, b->text, a->length) < 0 : a->number < b->number;
}

static void follow_order(column_t *column, const char *text, size_t length)
{
    int64_t number;
    if (column->in_block && !column->last.length && whole_number(text, length, &number)) {
        column->disordered = number <= column->last.number;
        column->last.number = number; /* most columns in order are numbers: nothing else to copy */
        return;
    }
    order_value_t value;
    if (!order_value(text, length, &value) || (column->in_block && !increases(&column->last, &value))) {
        column->disordered = true;
        return;
    }
    if (!column->in_block)
        column->first = value;
    column->in_block = true;
    column->last = value;
}

void column_begin_block(column_t *column, int64_t block, bool ascii)
{
    column->ascii = ascii;
    column->block = block;
    column->in_block = false;
}

void column_end_block(column_t *column)
{
    column->ascii = false;
    if (column->disordered || !column->in_block)
        return;
    NV_PUSH(column->ctx, column->blocks, column->n_blocks, column->blocks_capacity) =
        (order_block_t){column->block, column->first, column->last};
}

static void stream_one(column_t *column, const char *text, size_t length, uint64_t hash, int64_t count)
{
    value_class_t class;
    parsed_t value;
    parse_status_t status = PARSE_OK;
    if (!plain_read(column->parser, text, length, &class, &value)) {
        class = value_classify(text, length);
        status = parser_parse(column->parser, text, length, &value);
    }
    evidence_add(&column->evidence, &class, count);
    colstats_take(&column->stats, status, &value, text, length, hash, count);
}

/* Empties the dictionary into the streaming statistics. */
static void stream(column_t *column)
{
    assert(column->parser);
    if (!column->streaming) {
        column->streaming = true;
        column->stats = colstats_make(column->ctx, column->parser, false, column->seed, column->budget);
    }
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("stream");
    dict_item_t *items = dict_ranked(scratch, &column->dict, COLSTATS_HOT / 2);
    for (size_t i = 0; i < column->dict.n_entries; i++) {
        const dict_entry_t *e = items[i].entry;
        column->stats.rare = i >= COLSTATS_HOT / 2; /* what comes first would only be pushed out by it */
        stream_one(column, e->text, e->length, e->hash, items[i].count);
    }
    column->stats.rare = false;
    dict_free(&column->dict);
}

/* Trims the fields, hashes them and asks for where the dictionary keeps them: what comes from memory is on its way then
 * while the next values are hashed. */
static void hash_fields(column_t *column, csv_field_t *fields, size_t n, uint64_t *hashes)
{
    for (size_t i = 0; i < n; i++)
        column->padded += text_trim(&fields[i].text, &fields[i].length);
    texthash_all(fields, n, hashes);
    for (size_t i = 0; i < n; i++) {
        if (!fields[i].length) {
            hashes[i] = 0;
            column->empty++;
        }
        dict_prefetch(&column->dict, hashes[i]);
    }
}

/* The value of a text that is in no plain form. */
static parse_status_t read_slowly(const parser_t *parser, const csv_field_t *field, value_class_t *class,
                                  parsed_t *value)
{
    *class = value_classify(field->text, field->length);
    if (parser->type != NV__VALUE_TYPE__VALUE_TYPE_STRING)
        return parser_parse(parser, field->text, field->length, value);
    return parser_is_null(parser, field->text, field->length) ? PARSE_NULL : PARSE_OK;
}

/* Fields that are not empty, at most COLSTATS_BATCH. */
static void stream_batch(column_t *column, const csv_field_t *fields, const uint64_t *hashes, size_t n)
{
    value_class_t classes[COLSTATS_BATCH];
    parsed_t values[COLSTATS_BATCH];
    bool taken[COLSTATS_BATCH];
    parse_status_t status[COLSTATS_BATCH];
    plain_read_all(column->parser, fields, n, classes, values, taken);
    for (size_t i = 0; i < n; i++)
        status[i] = taken[i] ? PARSE_OK : read_slowly(column->parser, &fields[i], &classes[i], &values[i]);
    for (size_t i = 0; i < n; i++)
        evidence_add(&column->evidence, &classes[i], 1);
    colstats_take_batch(&column->stats, &(colstats_batch_t){n, fields, hashes, values, status});
}

/* Without the empty ones; at most COLSTATS_BATCH. */
static void stream_full(column_t *column, const csv_field_t *fields, const uint64_t *hashes, size_t n)
{
    csv_field_t full[COLSTATS_BATCH];
    uint64_t full_hashes[COLSTATS_BATCH];
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        full[kept] = fields[i];
        full_hashes[kept] = hashes[i];
        kept += fields[i].length != 0;
    }
    stream_batch(column, full, full_hashes, kept);
}

static void stream_fields(column_t *column, const csv_field_t *fields, const uint64_t *hashes, size_t n,
                          bool some_empty)
{
    for (size_t at = 0; at < n; at += COLSTATS_BATCH) {
        size_t some = n - at < COLSTATS_BATCH ? n - at : COLSTATS_BATCH;
        if (some_empty)
            stream_full(column, fields + at, hashes + at, some);
        else
            stream_batch(column, fields + at, hashes + at, some);
    }
}

void column_add(column_t *column, csv_field_t *fields, size_t n, uint64_t *hashes)
{
    int64_t empty = column->empty;
    hash_fields(column, fields, n, hashes);
    column->stats.ascii = column->ascii;
    column->values += (int64_t)n - (column->empty - empty);
    for (size_t i = 0; i < n && !column->disordered; i++)
        if (fields[i].length)
            follow_order(column, fields[i].text, fields[i].length);
    size_t i = 0;
    for (; i < n && !column->streaming; i++)
        if (fields[i].length && !dict_add(&column->dict, fields[i].text, fields[i].length, hashes[i], 1)) {
            stream(column);
            break;
        }
    stream_fields(column, fields + i, hashes + i, n - i, column->empty > empty);
    column->stats.ascii = false; /* what the dictionary hands on later may be anything */
}

void column_use_parser(column_t *column, const parser_t *parser, size_t max_entries, size_t max_bytes)
{
    column->parser = parser;
    column->dict.max_entries = max_entries;
    column->dict.max_bytes = max_bytes;
    if (column->dict.n_entries > max_entries || column->dict.bytes > max_bytes)
        stream(column);
}

void column_evidence(const column_t *column, evidence_t *out)
{
    evidence_merge(out, &column->evidence);
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("evidence");
    int64_t *counts = dict_counts(scratch, &column->dict);
    for (size_t i = 0; i < column->dict.n_entries; i++) {
        value_class_t class = value_classify(column->dict.entries[i].text, column->dict.entries[i].length);
        evidence_add(out, &class, counts[i]);
    }
}

static void merge_dictionaries(column_t *into, column_t *from)
{
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("merge");
    int64_t *counts = dict_counts(scratch, &from->dict);
    for (size_t i = 0; i < from->dict.n_entries; i++) {
        const dict_entry_t *e = &from->dict.entries[i];
        if (!into->streaming && !dict_add(&into->dict, e->text, e->length, e->hash, counts[i]))
            stream(into);
        if (into->streaming)
            stream_one(into, e->text, e->length, e->hash, counts[i]);
    }
    dict_free(&from->dict);
}

void column_merge(column_t *into, column_t *from)
{
    into->values += from->values;
    into->empty += from->empty;
    into->padded += from->padded;
    into->disordered |= from->disordered;
    for (size_t i = 0; i < from->n_blocks; i++)
        NV_PUSH(into->ctx, into->blocks, into->n_blocks, into->blocks_capacity) = from->blocks[i];
    evidence_merge(&into->evidence, &from->evidence);
    if (!from->streaming) {
        merge_dictionaries(into, from);
        return;
    }
    if (!into->streaming)
        stream(into);
    colstats_merge(&into->stats, &from->stats);
}

static int by_block(const void *left, const void *right)
{
    const order_block_t *a = left;
    const order_block_t *b = right;
    return (a->block > b->block) - (a->block < b->block);
}

bool column_is_monotonic(column_t *column)
{
    if (column->disordered || column->values < 2)
        return false;
    qsort(column->blocks, column->n_blocks, sizeof *column->blocks, by_block);
    for (size_t i = 1; i < column->n_blocks; i++)
        if (!increases(&column->blocks[i - 1].last, &column->blocks[i].first))
            return false;
    return true;
}
