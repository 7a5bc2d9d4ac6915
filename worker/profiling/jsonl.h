/* JSON lines (one object of RFC 8259 per line) as records of fields. Pure.
 *
 * Not on common/core/json_lexer.h, on purpose: its tokens alone take 2.4 times as long as all of jsonl_split (64 MB of lines
 * with seven members: 0.23 s against 0.10 s), since it checks UTF-8 that the lane has checked, and allocates each string
 * with an escape. The unit tests and the fuzz target hold this reader to the same grammar.
 *
 * A field is the text of its value: strings undone, numbers and true and false as they stand, null and an absent name
 * empty, objects and arrays as JSON text without blanks. The first of two equal names of a line counts.
 */
#ifndef WORKER_PROFILING_JSONL_H
#define WORKER_PROFILING_JSONL_H

#include "common/core/mem.h"
#include "worker/profiling/csv.h"
#include "worker/profiling/dict.h"

enum { JSONL_MAX_NAMES = 20000, JSONL_MAX_DEPTH = 128, JSONL_EXACT_DIGITS = 15 };

/* The columns by name; unchanging once made, so any thread may ask. */
typedef struct jsonl_schema jsonl_schema_t;
jsonl_schema_t *jsonl_schema_new(nv_mem_t *ctx, char *const *names, size_t n);

/* What one reader notices on the way. */
typedef struct jsonl_notes {
    nv_mem_t *ctx;
    bool *nested;    /* by column: some value is an object or array */
    bool *inexact;   /* by column: some number with a fraction has more digits than other readers keep */
    dict_t names;    /* that are no columns, as they were met; at most JSONL_MAX_NAMES */
    int64_t *blocks; /* where each of them was met first */
    size_t n_blocks, capacity;
    int64_t block; /* the one being read; set by the caller */
} jsonl_notes_t;

/* For so many columns, below ctx. */
jsonl_notes_t jsonl_notes_make(nv_mem_t *ctx, size_t n_columns);

/* Notes the names of all lines of a text. */
void jsonl_sample_names(const char *text, size_t length, jsonl_notes_t *notes);

/* Splits the line at `at` into record->fields, one for each column of the schema. Returns NULL, or why the line is refused.
 * record->scratch is used as by csv_split. */
const char *jsonl_split(const jsonl_schema_t *schema, const char *at, const char *end, csv_record_t *record,
                        jsonl_notes_t *notes);

#endif
