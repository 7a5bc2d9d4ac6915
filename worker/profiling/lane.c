#include "worker/profiling/lane.h"

#include <stdlib.h>
#include <string.h>

#include "worker/profiling/csv_reader.h"

/* What the first blocks can never fill: they hold fewer values. */
enum { DICT_UNBOUNDED = (1 << 24) - 2 };
enum { TRACE_BYTES = 96 << 20, TRACE_MAX_ROWS = 1 << 20, REJECT_TEXT = 200 };

/* A batch is small enough for the cache, however many columns there are. Columns lie an odd number of lines apart, so that
 * the fields of one row do not fall on the same cache sets. */
enum { BATCH_ROWS = 256, BATCH_FIELDS = 1 << 16, BATCH_SKEW = 12 };

static void make_batch(lane_t *lane)
{
    size_t rows = BATCH_FIELDS / lane->n_columns;
    lane->max_batch = rows < 1 ? 1 : rows > BATCH_ROWS ? BATCH_ROWS : rows;
    lane->stride = lane->max_batch + (lane->max_batch > 1 ? BATCH_SKEW : 0);
    lane->fields = NV_NEW_ARRAY(lane->ctx, csv_field_t, lane->n_columns * lane->stride);
    lane->hashes = NV_NEW_ARRAY(lane->ctx, uint64_t, lane->n_columns * lane->stride);
    lane->row_hashes = NV_NEW_ARRAY(lane->ctx, uint64_t, lane->max_batch);
}

static size_t trace_rows(const scan_config_t *config, size_t n_columns)
{
    size_t lanes = (size_t)config->options->threads;
    size_t rows = (size_t)TRACE_BYTES / (n_columns * sizeof(uint64_t)) / lanes;
    size_t most = TRACE_MAX_ROWS / lanes;
    return rows < most ? rows : most;
}

void lane_init(lane_t *lane, const scan_config_t *config, source_t *source, size_t number,
               hashlog_budget_t *budget)
{
    *lane = (lane_t){
        .ctx = nv_mem_root("lane"), .config = config, .source = source, .number = number, .ok = true};
    lane->n_columns = config->dialect->n_columns;
    lane->columns = NV_NEW_ARRAY(lane->ctx, column_t, lane->n_columns);
    make_batch(lane);
    if (config->schema)
        lane->notes = jsonl_notes_make(lane->ctx, lane->n_columns);
    lane->file_rows = NV_NEW_ARRAY(lane->ctx, int64_t, config->table->n_files);
    lane->row_log.budget = budget;
    for (size_t i = 0; i < lane->n_columns; i++)
        lane->columns[i] = column_make(lane->ctx, i * 64 + number + 1, DICT_UNBOUNDED, SIZE_MAX / 2, budget);
    if (config->wanted)
        return;
    lane->max_trace = trace_rows(config, lane->n_columns);
    lane->trace = NV_NEW_ARRAY(lane->ctx, uint64_t *, lane->n_columns);
}

void lane_free(lane_t *lane)
{
    hashlog_drop(&lane->row_log);
    for (size_t i = 0; i < lane->n_sets; i++)
        hashlog_drop(&lane->set_logs[i]);
    for (size_t i = 0; i < lane->n_columns; i++)
        hashlog_drop(&lane->columns[i].stats.log);
    free(lane->block.data);
    nv_mem_free(lane->ctx);
}

/* Cut to 200 bytes and made valid UTF-8: what is not becomes "?". */
static const char *shown_text(nv_mem_t *ctx, const char *text, size_t length)
{
    while (length && (text[length - 1] == '\n' || text[length - 1] == '\r'))
        length--;
    length = utf8_cut(text, length, REJECT_TEXT);
    char *out = nv_strndup(ctx, "", 0);
    out = nv_realloc_array(ctx, out, 1, length + 1);
    memcpy(out, text, length);
    out[length] = '\0';
    for (size_t i = 0; i < length;) {
        i += utf8_valid_prefix(out + i, length - i);
        if (i < length)
            out[i++] = '?';
    }
    for (size_t i = 0; i < length; i++)
        if (!out[i])
            out[i] = '?';
    return out;
}

/* Stands for a reason that is put into words only where it is kept. */
static const char wrong_count[] = "another number of fields";

static void reject(lane_t *lane, const char *at, const csv_record_t *record, int64_t line, const char *reason)
{
    lane->rejected++;
    if (lane->n_rejects == SCAN_REJECTS)
        return;
    if (reason == wrong_count)
        reason =
            nv_printf(lane->ctx, "%zu fields where %zu were expected", record->n_fields, lane->n_columns);
    lane->rejects[lane->n_rejects++] = (scan_reject_t){
        .file = lane->block.file,
        .line = line,
        .text = shown_text(lane->ctx, at, (size_t)(record->end - at)),
        .reason = reason,
    };
}

/* Room for the trace in powers of two. */
static void grow_trace(lane_t *lane, size_t rows)
{
    size_t capacity = 64;
    while (capacity < rows)
        capacity *= 2;
    for (size_t i = 0; i < lane->n_columns; i++)
        lane->trace[i] = nv_realloc_array(lane->ctx, lane->trace[i], sizeof(uint64_t), capacity);
    lane->trace_capacity = capacity;
}

static void remember_rows(lane_t *lane)
{
    size_t n = lane->max_trace - lane->n_trace;
    if (n > lane->n_batch)
        n = lane->n_batch;
    if (!n)
        return;
    if (lane->n_trace + n > lane->trace_capacity)
        grow_trace(lane, lane->n_trace + n);
    for (size_t i = 0; i < lane->n_columns; i++)
        memcpy(lane->trace[i] + lane->n_trace, lane->hashes + i * lane->stride, n * sizeof(uint64_t));
    lane->n_trace += n;
}

/* hashes: of the row's first column; the others lie stride apart. */
static uint64_t set_hash(const key_set_t *set, const uint64_t *hashes, size_t stride)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < set->n; i++)
        sum = keys_mix(sum, hashes[set->columns[i] * stride]);
    return sum;
}

static void keep_hash(hashlog_t *log, uint64_t hash)
{
    if (!log->dropped && !hashlog_add(log, hash))
        hashlog_drop(log);
}

void lane_use_sets(lane_t *lane, const key_set_t *sets, size_t n)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("sets");
    uint64_t *hashes = NV_NEW_ARRAY(ctx, uint64_t, lane->n_columns);
    lane->n_sets = n;
    for (size_t i = 0; i < n; i++) {
        lane->sets[i] = sets[i];
        lane->set_logs[i] = (hashlog_t){.budget = lane->row_log.budget};
    }
    for (size_t row = 0; row < lane->n_trace; row++) {
        for (size_t c = 0; c < lane->n_columns; c++)
            hashes[c] = lane->trace[c][row];
        for (size_t i = 0; i < n; i++)
            keep_hash(&lane->set_logs[i], set_hash(&sets[i], hashes, 1));
    }
}

/* What identifies rows: whole rows, the sets at hand, and the trace. */
static void take_row_hashes(lane_t *lane)
{
    for (size_t row = 0; row < lane->n_batch; row++)
        keep_hash(&lane->row_log, lane->row_hashes[row]);
    for (size_t i = 0; i < lane->n_sets; i++)
        for (size_t row = 0; row < lane->n_batch && !lane->set_logs[i].dropped; row++)
            keep_hash(&lane->set_logs[i], set_hash(&lane->sets[i], lane->hashes + row, lane->stride));
    remember_rows(lane);
}

static void take_batch(lane_t *lane)
{
    const bool *wanted = lane->config->wanted;
    memset(lane->row_hashes, 0, lane->n_batch * sizeof *lane->row_hashes);
    for (size_t i = 0; i < lane->n_columns; i++) {
        if (wanted && !wanted[i])
            continue;
        uint64_t *hashes = lane->hashes + i * lane->stride;
        column_add(&lane->columns[i], lane->fields + i * lane->stride, lane->n_batch, hashes);
        for (size_t row = 0; row < lane->n_batch; row++)
            lane->row_hashes[row] = keys_mix(lane->row_hashes[row], hashes[row]);
    }
    lane->rows += (int64_t)lane->n_batch;
    lane->file_rows[lane->block.file] += (int64_t)lane->n_batch;
    if (!wanted)
        take_row_hashes(lane);
    lane->n_batch = 0;
}

static bool is_ascii(const char *data, size_t length)
{
    unsigned char any = 0;
    for (size_t i = 0; i < length; i++)
        any |= (unsigned char)data[i];
    return any < 0x80;
}

static const char *bad_bytes(lane_t *lane, const char *at, size_t length)
{
    if (utf8_valid_prefix(at, length) < length) {
        lane->bad_bytes++;
        return "invalid UTF-8";
    }
    lane->multibyte |= !is_ascii(at, length);
    return memchr(at, '\0', length) ? "a NUL byte" : NULL;
}

/* Splits the next record; why it is refused, or NULL. `checked`: its bytes are known to be good. */
static const char *split_record(lane_t *lane, csv_reader_t *reader, bool checked, csv_record_t *record)
{
    const scan_config_t *config = lane->config;
    const char *at = reader->at;
    const char *why = NULL;
    if (config->schema) {
        why = jsonl_split(config->schema, at, reader->end, record, &lane->notes);
        reader->at = record->end;
    } else {
        csv_reader_next(reader, record);
    }
    const char *bad = checked ? NULL : bad_bytes(lane, at, (size_t)(record->end - at));
    if (bad || why || config->schema)
        return bad ? bad : why;
    if (record->status == CSV_BAD_QUOTE)
        return "text after a closing quote";
    if (record->status == CSV_INCOMPLETE)
        return "a quote is never closed";
    return record->n_fields == lane->n_columns ? NULL : wrong_count;
}

static inline void accept(lane_t *lane, const char *at, const char *end)
{
    lane->n_batch++;
    if (end[-1] != '\n')
        return;
    bool crlf = end - at > 1 && end[-2] == '\r';
    lane->crlf_ends |= crlf;
    lane->lf_ends |= !crlf;
}

static void take_records(lane_t *lane)
{
    const source_block_t *block = &lane->block;
    bool ascii = is_ascii(block->data, block->length);
    for (size_t i = 0; i < lane->n_columns; i++)
        column_begin_block(&lane->columns[i], block->index, ascii && !lane->config->schema);
    bool check = (!ascii && utf8_valid_prefix(block->data, block->length) < block->length) ||
                 memchr(block->data, '\0', block->length);
    lane->multibyte |= !ascii && !check;
    int64_t line = block->first_line;
    bool by_rows = lane->config->kind.format == FILE_PARQUET;
    csv_reader_t reader =
        csv_reader_make(&lane->config->dialect->csv, block->data, block->data + block->length);
    csv_record_t record = {.stride = lane->stride, .max_fields = lane->n_columns, .scratch = lane->scratch};
    while (reader.at < reader.end) {
        const char *at = reader.at;
        record.fields = lane->fields + lane->n_batch;
        const char *why = split_record(lane, &reader, !check, &record);
        if (csv_is_blank(at, record.end))
            ;
        else if (why)
            reject(lane, at, &record, line, why);
        else
            accept(lane, at, record.end);
        if (lane->n_batch == lane->max_batch) {
            take_batch(lane);
            record.scratch = lane->scratch;
        }
        line += record.quoted && !by_rows ? csv_count_newlines(at, record.end) : 1;
    }
    take_batch(lane);
}

void lane_take_block(lane_t *lane)
{
    if (lane->scratch_capacity < lane->block.length + CSV_READER_SLACK) {
        lane->scratch_capacity = lane->block.capacity + CSV_READER_SLACK;
        nv_mem_free(lane->scratch);
        lane->scratch = nv_realloc_array(lane->ctx, NULL, 1, lane->scratch_capacity);
    }
    lane->notes.block = lane->block.index;
    take_records(lane);
    for (size_t i = 0; i < lane->n_columns; i++)
        column_end_block(&lane->columns[i]);
}
