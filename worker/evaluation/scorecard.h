/* Scores a run from what its agents left behind, and says in plain words what was found wrong in the data.
 * Pure.
 *
 * The score is the weighted mean of the lines that could be measured, times 100; a line that could not be
 * measured (the run ended before it) counts as 0, so a run that stopped early never looks better than one
 * that finished. It is of the design and the pipeline; how good the data were is told beside it (data_quality.h).
 */
#ifndef WORKER_EVALUATION_SCORECARD_H
#define WORKER_EVALUATION_SCORECARD_H

#include "common/core/mem.h"
#include "nuvyn/design.pb-c.h"
#include "nuvyn/profile.pb-c.h"
#include "nuvyn/quality.pb-c.h"
#include "nuvyn/sttm.pb-c.h"
#include "nuvyn/worker.pb-c.h"

#include <stdbool.h>
#include <stddef.h>

/* Everything a run left; any pointer may be NULL. All borrowed. */
typedef struct run_record {
    const char *run_id;
    const Nv__RunSpec *spec;
    const Nv__Survey *survey;
    const Nv__TableProfile *const *profiles;
    size_t n_profiles;
    const Nv__Relations *relations;
    const Nv__StarSchema *design;
    const Nv__Sttm *sttm;
    const Nv__Review *review;
    const Nv__Project *project;
    const Nv__Deployment *deployment;
    const Nv__Execution *execution;
    const Nv__Validation *validation;
    int rounds;
    double seconds; /* of wall time, all agents so far */
    Nv__TaskUsage usage;
} run_record_t;

/* The scorecard, below ctx. */
Nv__Scorecard *scorecard_make(nv_mem_t *ctx, const run_record_t *record);

/* One sentence on who decided, with what the language model cost where it was asked, also when nothing came of it; below ctx. */
const char *scorecard_method_text(nv_mem_t *ctx, const Nv__Scorecard *card);
/* That a run which only looked (mode "analyze") built nothing, in a sentence; "" of any other. */
const char *scorecard_scope_text(const run_record_t *record);

/* Sentences about dirt, most rows first; below ctx. */
char **findings_list(nv_mem_t *ctx, const run_record_t *record, size_t *out_count);

#endif
