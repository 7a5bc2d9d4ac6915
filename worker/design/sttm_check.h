/* Is a mapping sound in itself, whoever wrote it? References resolve, types fit, grains exist, the load order holds, and every source
 * column is mapped or left out with a reason. Used by the Tester's review, by the Developer before code, and for mappings that a
 * person edited. Pure; any thread. */
#ifndef WORKER_DESIGN_STTM_CHECK_H
#define WORKER_DESIGN_STTM_CHECK_H

#include "common/core/error.h"
#include "common/core/mem.h"
#include "nuvyn/profile.pb-c.h"
#include "nuvyn/sttm.pb-c.h"

typedef struct sttm_problems {
    /* "sttm.targets[3].columns[2].transform.inputs[0].column: \"x\": expected a silver column of orders" */
    char **text;
    size_t n, cap;
} sttm_problems_t;

enum { STTM_PROBLEMS_MAX = 200 };

/* All problems, at most STTM_PROBLEMS_MAX, below ctx. profile may be NULL: then coverage of raw tables is not checked. */
sttm_problems_t sttm_find_problems(nv_mem_t *ctx, const Nv__Sttm *sttm, const Nv__Profile *profile);

/* The first problem as INVALID_ARGUMENT. */
bool sttm_check(const Nv__Sttm *sttm, const Nv__Profile *profile, nv_error_t *err) NV_MUST_CHECK;

#endif
