/* One column as one lane sees it: a dictionary of distinct texts while there are few, then streaming statistics under the
 * parser that the first megabytes suggested. Evidence for the final type decision is kept for every value either way.
 */
#ifndef WORKER_PROFILING_COLUMN_H
#define WORKER_PROFILING_COLUMN_H

#include "worker/profiling/colstats.h"
#include "worker/profiling/csv.h"
#include "worker/profiling/infer.h"

enum { ORDER_TEXT = 32 };

/* A value as far as file order can be judged. */
typedef struct order_value {
    int64_t number;
    uint8_t length; /* 0: a number */
    char text[ORDER_TEXT];
} order_value_t;

/* First and last value of one block. */
typedef struct order_block {
    int64_t block;
    order_value_t first, last;
} order_block_t;

typedef struct column {
    nv_mem_t *ctx;
    int64_t values; /* not empty */
    int64_t empty;
    int64_t padded;
    dict_t dict; /* all texts so far, unless streaming */
    bool streaming;
    const parser_t *parser; /* for streaming; NULL while unknown: then the dictionary takes everything */
    evidence_t evidence;    /* of streamed values */
    colstats_t stats;       /* of streamed values */
    uint64_t seed;
    hashlog_budget_t *budget;
    bool ascii;
    bool disordered;
    bool in_block;
    int64_t block;
    order_value_t first, last;
    order_block_t *blocks;
    size_t n_blocks, blocks_capacity;
} column_t;

column_t column_make(nv_mem_t *ctx, uint64_t seed, size_t max_entries, size_t max_bytes,
                     hashlog_budget_t *budget);
/* Trims the fields where they are; behind each that is not empty TEXTHASH_SLACK bytes can be read. hashes: room for n; gets
 * the hash of each trimmed text, 0 for an empty one. */
void column_add(column_t *column, csv_field_t *fields, size_t n, uint64_t *hashes);
/* ascii: all its texts are. */
void column_begin_block(column_t *column, int64_t block, bool ascii);
void column_end_block(column_t *column);
/* From now on the dictionary may give way to streaming under this parser, and at once where it is over the bounds. */
void column_use_parser(column_t *column, const parser_t *parser, size_t max_entries, size_t max_bytes);
/* Evidence of all values. */
void column_evidence(const column_t *column, evidence_t *out);
/* Adds another lane's column; both have the same parser. `from` is used up. */
void column_merge(column_t *into, column_t *from);
/* Strictly increasing in file order; after all merging. */
bool column_is_monotonic(column_t *column);

#endif
