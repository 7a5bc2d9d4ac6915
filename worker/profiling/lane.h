/* Internal to the scan: what one thread keeps, and how it takes in a block. */
#ifndef WORKER_PROFILING_LANE_H
#define WORKER_PROFILING_LANE_H

#include "worker/profiling/scan.h"

typedef struct lane {
    nv_mem_t *ctx; /* its own root: one thread each */
    const scan_config_t *config;
    source_t *source;
    size_t number;
    size_t n_columns;
    column_t *columns;
    /* The rows of one batch, column by column: a column's code and tables stay in the cache for all of them. */
    csv_field_t *fields;
    uint64_t *hashes;
    uint64_t *row_hashes;
    size_t stride; /* between two columns */
    size_t n_batch, max_batch;
    char *scratch;
    size_t scratch_capacity;
    source_block_t block;
    jsonl_notes_t notes; /* JSON lines only */
    int64_t rows, rejected, bad_bytes;
    int64_t *file_rows;
    bool multibyte;
    bool crlf_ends, lf_ends; /* of accepted records */
    scan_reject_t rejects[SCAN_REJECTS];
    size_t n_rejects;
    hashlog_t row_log;
    key_set_t sets[SCAN_SETS];
    hashlog_t set_logs[SCAN_SETS];
    size_t n_sets;
    uint64_t **trace;
    size_t n_trace, max_trace, trace_capacity;
    nv_error_t err;
    bool ok;
} lane_t;

void lane_init(lane_t *lane, const scan_config_t *config, source_t *source, size_t number,
               hashlog_budget_t *budget);
/* Takes in lane->block. */
void lane_take_block(lane_t *lane);
/* From now on, and for the rows already traced, these sets are counted. */
void lane_use_sets(lane_t *lane, const key_set_t *sets, size_t n);
void lane_free(lane_t *lane);

#endif
