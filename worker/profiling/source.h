/* The files of one table as a stream of blocks of whole records in UTF-8, in reading order; Parquet as the CSV that parquet.h
 * makes of it.
 *
 * Reading, transcoding, hashing (SHA-256) and finding record ends happen here, one block at a time; several threads may
 * ask for blocks, each gets the next one that is its own (block i belongs to lane i mod lanes), so that what a lane sees
 * does not depend on timing. Memory: one carried-over part of a record, at most the line limit.
 */
#ifndef WORKER_PROFILING_SOURCE_H
#define WORKER_PROFILING_SOURCE_H

#include "common/core/error.h"
#include "worker/profiling/files.h"
#include "worker/profiling/profile.h"
#include "worker/profiling/sniff.h"

typedef struct source source_t;

/* A record that the source itself refuses: longer than the limit, or a quote that is never closed. */
typedef struct source_reject {
    size_t file;
    int64_t line;
    char text[200];
    size_t length;
    const char *reason; /* static */
} source_reject_t;

enum { SOURCE_SLACK = 16 };

typedef struct source_block {
    char *data; /* the lane's buffer, reused; SOURCE_SLACK bytes longer than its capacity */
    size_t length;
    size_t capacity;
    size_t file;
    int64_t index;
    int64_t first_line; /* 1-based line of the first record */
} source_block_t;

typedef struct source_config {
    const Nv__SurveyTable *table;
    file_kind_t kind;
    const sniff_dialect_t *dialect;
    const sniff_encoding_t *encodings; /* one per file */
    char *const *names;                /* of the columns, for Parquet */
    size_t block_bytes;
    size_t max_line_bytes;
    size_t lanes;
    bool digest; /* compute SHA-256 of each file */
} source_config_t;

/* Opens nothing yet. The config's pointers must outlive the source. Freed with ctx. */
source_t *source_new(nv_mem_t *ctx, const source_config_t *config);

/* The lane's next block; *more false at the end. Blocks until it is this lane's turn. From any thread. block->data is
 * malloc'ed and grown; the caller frees it. */
bool source_next(source_t *source, size_t lane, source_block_t *block, bool *more,
                 nv_error_t *err) NV_MUST_CHECK;
/* Wakes every lane with CANCELLED; after an error of one of them. */
void source_stop(source_t *source);

/* After the end. Rejects are the first of them; *n_all counts all. */
const source_reject_t *source_rejects(const source_t *source, size_t *n, int64_t *n_all);
/* Bytes read so far; safe from any thread. */
int64_t source_bytes(const source_t *source);
/* Hex SHA-256 of a file, "" when it was not computed. */
const char *source_digest(const source_t *source, size_t file);

#endif
