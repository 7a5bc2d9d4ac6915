/* Keys and dependencies into the table's profile. */
#ifndef WORKER_PROFILING_EVIDENCE_REPORT_H
#define WORKER_PROFILING_EVIDENCE_REPORT_H

#include "worker/profiling/scan.h"

/* Rows on which dependencies of a table larger than the trace rest. */
enum { EVIDENCE_SAMPLE_ROWS = 1 << 17 };

/* out's columns and counts are filled; adds unique_sets and dependencies below ctx. */
void evidence_report(nv_mem_t *ctx, const scan_result_t *scan, Nv__TableProfile *out);

#endif
