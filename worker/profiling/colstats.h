/* Everything counted about the parsed values of one column under one parser. Two ways to fill it: `exact` for a column
 * whose distinct values are all known with their counts, and streaming, where distributions are sketched. Pure.
 */
#ifndef WORKER_PROFILING_COLSTATS_H
#define WORKER_PROFILING_COLSTATS_H

#include "worker/profiling/csv.h"
#include "worker/profiling/dict.h"
#include "worker/profiling/hashlog.h"
#include "worker/profiling/parser.h"
#include "worker/profiling/sketch.h"

enum { COLSTATS_TEXT = 256, COLSTATS_HOT = 1024, COLSTATS_FILTER = 256, COLSTATS_BATCH = 256 };

/* A value with how often it occurs, for exact quantiles. */
typedef struct weighted {
    double value;
    int64_t count;
} weighted_t;

/* The start of a text, enough to show. */
typedef struct short_text {
    size_t length;
    char text[COLSTATS_TEXT];
} short_text_t;

typedef struct colstats {
    nv_mem_t *ctx;
    const parser_t *parser;
    bool exact;
    int64_t nulls, invalid, ok; /* nulls: null spellings only; empty texts are counted before */
    int64_t zero, negative;
    bool any; /* min and max are set */
    parsed_t min, max;
    short_text_t min_text, max_text; /* strings */
    uint64_t min_prefix, max_prefix; /* their first eight bytes as a big-endian number */
    double shift, sum, sum_squares;  /* of value - shift */
    int64_t length_sum, length_count;
    int32_t length_min, length_max;
    bool ascii; /* the texts that come now have no other characters; false: nothing is known */
    hll_t *hll; /* from when the log is given up */
    kmv_t kmv;
    reservoir_t reservoir;
    weighted_t *weights;
    size_t n_weights, weights_capacity;
    hashlog_t log;     /* canonical hashes; see hashlog_t.dropped */
    int64_t log_check; /* the log is judged again at this many entries */
    dict_t hot; /* canonical texts; in streaming: those seen often, counted from when they were first kept */
    uint64_t hot_filter
        [COLSTATS_FILTER]; /* a bit for each text in hot, by hash: most others are told apart by it */
    dict_t bad;            /* invalid texts */
    dict_t patterns;
    bool rare;     /* what comes now is not among the frequent texts, unless it is there already */
    uint64_t tick; /* streamed values so far */
} colstats_t;

colstats_t colstats_make(nv_mem_t *ctx, const parser_t *parser, bool exact, uint64_t seed,
                         hashlog_budget_t *budget);
/* text: trimmed, not empty; hash: of that text. */
void colstats_add(colstats_t *stats, const char *text, size_t length, uint64_t hash, int64_t count);
/* The same for a text that was parsed already. */
void colstats_take(colstats_t *stats, parse_status_t status, const parsed_t *value, const char *text,
                   size_t length, uint64_t hash, int64_t count);
/* Some values of a column in streaming, in their order, as column_add has them. */
typedef struct colstats_batch {
    size_t n; /* at most COLSTATS_BATCH */
    const csv_field_t *fields;
    const uint64_t *hashes;
    const parsed_t *values;
    const parse_status_t *status;
} colstats_batch_t;
/* As colstats_take for each of them, one kind of statistics after the other: each is a short loop whose few variables stay
 * in registers (Boncz et al., "MonetDB/X100: Hyper-Pipelining Query Execution", 2005). */
void colstats_take_batch(colstats_t *stats, const colstats_batch_t *batch);
void colstats_merge(colstats_t *into, colstats_t *from);

/* The shape of a text: letters A, digits 9, other bytes as they are, runs folded with "+"; at most size - 1 bytes. */
size_t colstats_pattern(const char *text, size_t length, char *out, size_t size);
/* Longest prefix of at most `most` bytes that does not cut a UTF-8 sequence. */
size_t utf8_cut(const char *text, size_t length, size_t most);

#endif
