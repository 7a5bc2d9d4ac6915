/* From what a scan counted to the contract's ColumnProfile. Pure. */
#ifndef WORKER_PROFILING_REPORT_H
#define WORKER_PROFILING_REPORT_H

#include "worker/profiling/column.h"
#include "worker/profiling/sniff.h"

/* How much is told of each column: less where there are thousands, so that a profile stays a document. */
typedef struct report_limits {
    size_t kmv, top, patterns;
    bool histogram;
} report_limits_t;
report_limits_t report_limits(size_t n_columns);

/* Takes over what was inferred of the type; borrows from it. */
void report_type(const infer_result_t *inferred, Nv__ColumnProfile *out);
bool report_is_number(Nv__ValueType type);

/* What is to be said of the column, with an example where it helps; NULL: nothing. Of a finished column. */
char *report_remark(nv_mem_t *ctx, const infer_result_t *inferred, const Nv__ColumnProfile *column);

/* Fills out, all below ctx. The column's own statistics must be under `parser` where it streamed; a dictionary is
 * evaluated here. Uses the column up. */
void report_column(nv_mem_t *ctx, column_t *column, const infer_result_t *inferred, const parser_t *parser,
                   report_limits_t limits, hashlog_counter_t *counter, Nv__ColumnProfile *out);

#endif
