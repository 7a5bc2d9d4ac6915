/* Any bytes as the start of a file: encoding, dialect, and records that add up to exactly the whole text, the
 * same in both ways of reading them. */
#include <stdlib.h>
#include <string.h>

#include "worker/profiling/csv_reader.h"
#include "worker/profiling/decode.h"
#include "worker/profiling/sniff.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition)
{
    if (!condition)
        abort();
}

enum { MOST_FIELDS = 64 };

/* The reader says of a record what csv_split says. */
static void same_record(csv_reader_t *reader, const csv_record_t *expected, char *scratch)
{
    csv_field_t fields[MOST_FIELDS];
    csv_record_t record = {.fields = fields, .max_fields = MOST_FIELDS, .scratch = scratch};
    csv_reader_next(reader, &record);
    check(record.end == expected->end && reader->at == record.end);
    check(record.status == expected->status && record.n_fields == expected->n_fields);
    for (size_t i = 0; i < record.n_fields && i < MOST_FIELDS; i++)
        check(fields[i].length == expected->fields[i].length &&
              memcmp(fields[i].text, expected->fields[i].text, fields[i].length) == 0);
}

/* Splitting goes forward, ends at the end, and every field lies within its record or the scratch. */
static void split_all(nv_mem_t *ctx, const csv_dialect_t *csv, const char *text, size_t length)
{
    csv_field_t *fields = NV_NEW_ARRAY(ctx, csv_field_t, MOST_FIELDS);
    char *scratch = nv_alloc(ctx, length + 1);
    char *other = nv_alloc(ctx, length + CSV_READER_SLACK + 1);
    const char *end = text + length;
    const char *whole = NULL; /* the last end of a complete record */
    bool incomplete = false;
    csv_reader_t reader = csv_reader_make(csv, text, end);
    for (const char *at = text; at < end;) {
        csv_record_t record = {.fields = fields, .max_fields = MOST_FIELDS, .scratch = scratch};
        csv_split(csv, at, end, &record);
        check(record.end > at && record.end <= end);
        check(record.n_fields >= 1 || record.status == CSV_INCOMPLETE);
        for (size_t i = 0; i < record.n_fields && i < MOST_FIELDS; i++) {
            const char *field = fields[i].text;
            bool inside = field >= at && field + fields[i].length <= record.end;
            bool copied = field >= scratch && field + fields[i].length <= scratch + length;
            check(inside || copied);
        }
        same_record(&reader, &record, other);
        bool quiet = record.status == CSV_OK || !record.quoted;
        if (quiet && record.end[-1] == '\n')
            whole = record.end;
        incomplete |= !quiet;
        at = record.end;
    }
    bool open;
    const char *last = csv_last_end(csv, text, length, &open);
    check(!last || (last > text && last <= end && last[-1] == '\n'));
    check(incomplete || (last == whole && !open));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 1 << 16)
        return 0;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("fuzz");
    sniff_encoding_t encoding;
    sniff_encoding((const char *)data, size, true, &encoding);
    check(encoding.bom <= size);
    decoder_t decoder = {.encoding = encoding.encoding};
    char *text = nv_alloc(ctx, 3 * size + 8);
    size_t length = decoder_run(&decoder, data + encoding.bom, size - encoding.bom, text);
    check(length <= 3 * size + 8);
    check(encoding.encoding == TEXT_UTF8 || utf8_valid_prefix(text, length) == length);
    sniff_dialect_t dialect;
    sniff_dialect(ctx, text, length, true, &dialect);
    check(dialect.n_columns > 0 || !dialect.names);
    csv_dialect_t csv = dialect.csv.delimiter ? dialect.csv : (csv_dialect_t){',', '"', '"'};
    split_all(ctx, &csv, text, length);
    return 0;
}
