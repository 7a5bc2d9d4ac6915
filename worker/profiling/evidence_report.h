/* Keys and dependencies into the table's profile. */
#ifndef WORKER_PROFILING_EVIDENCE_REPORT_H
#define WORKER_PROFILING_EVIDENCE_REPORT_H

#include "worker/profiling/dependencies.h"
#include "worker/profiling/scan.h"

/* Rows on which dependencies of a table larger than the trace rest. */
enum { EVIDENCE_SAMPLE_ROWS = 1 << 17 };

/* A unique set, a list of dependencies, into the profile; names come from its columns. */
void evidence_add_set(nv_mem_t *ctx, const key_set_t *set, bool exact, Nv__TableProfile *out);
void evidence_put_dependencies(nv_mem_t *ctx, const dependency_t *found, size_t n, Nv__TableProfile *out);

/* out's columns and counts are filled; adds unique_sets and dependencies below ctx. */
void evidence_report(nv_mem_t *ctx, const scan_result_t *scan, Nv__TableProfile *out);

#endif
