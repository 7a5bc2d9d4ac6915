/* Any bytes as JSON lines: the lines add up to the whole text, what is accepted lies within the line or the scratch, and
 * splitting what was found at first as columns finds every column again. */
#include <stdlib.h>
#include <string.h>

#include "worker/profiling/jsonl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_COLUMNS = 16 };

static void check(bool condition)
{
    if (!condition)
        abort();
}

static void check_fields(const csv_record_t *record, const char *at, const char *scratch, size_t room)
{
    for (size_t i = 0; i < record->n_fields; i++) {
        const csv_field_t *field = &record->fields[i];
        check(field->text != NULL);
        bool inside = field->text >= at && field->text + field->length <= record->end;
        bool undone = field->text >= scratch && field->text + field->length <= scratch + room;
        check(inside || undone || field->length == 0);
    }
}

static void split_all(nv_mem_t *ctx, const jsonl_schema_t *schema, size_t columns, const char *text,
                      size_t length)
{
    csv_field_t *fields = NV_NEW_ARRAY(ctx, csv_field_t, columns + 1);
    char *scratch = nv_alloc(ctx, length + 1);
    jsonl_notes_t notes = jsonl_notes_make(ctx, columns);
    const char *end = text + length;
    for (const char *at = text; at < end;) {
        csv_record_t record = {.fields = fields, .max_fields = columns, .scratch = scratch};
        const char *why = jsonl_split(schema, at, end, &record, &notes);
        check(record.end > at && record.end <= end);
        check(record.end == end || record.end[-1] == '\n');
        check(record.scratch >= scratch && record.scratch <= scratch + length);
        if (!why) {
            check(record.n_fields == columns);
            check_fields(&record, at, scratch, length + 1);
        }
        at = record.end;
    }
    /* Every name is a column, unless the columns ran out. */
    check(notes.names.n_entries == 0 || columns == MAX_COLUMNS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 1 << 16)
        return 0;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("fuzz");
    char *text = nv_memdup(ctx, data, size);
    jsonl_notes_t notes = jsonl_notes_make(ctx, 0);
    jsonl_sample_names(text, size, &notes);
    size_t columns = notes.names.n_entries < MAX_COLUMNS ? notes.names.n_entries : MAX_COLUMNS;
    char **names = NV_NEW_ARRAY(ctx, char *, columns + 1);
    for (size_t i = 0; i < columns; i++) {
        const dict_entry_t *entry = &notes.names.entries[i];
        check(entry->length == 0 || memchr(entry->text, '\0', entry->length) == NULL);
        names[i] = nv_strndup(ctx, entry->text, entry->length);
    }
    split_all(ctx, jsonl_schema_new(ctx, names, columns), columns, text, size);
    return 0;
}
