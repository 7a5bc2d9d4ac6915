/* What a column seems to mean, from its name, its patterns and its frequent values: a hint for people and for design,
 * never a reason to change a value. Pure. */
#ifndef WORKER_PROFILING_SEMANTIC_H
#define WORKER_PROFILING_SEMANTIC_H

#include "common/core/mem.h"
#include "nuvyn/profile.pb-c.h"

/* Sets semantic and pii of out, whose other fields are filled. values: not empty ones. */
void semantic_report(nv_mem_t *ctx, int64_t values, Nv__ColumnProfile *out);

#endif
