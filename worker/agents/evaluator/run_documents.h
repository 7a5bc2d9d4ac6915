/* Collects what a run left on its channels; shared by evaluate and learn. */
#ifndef WORKER_EVALUATOR_RUN_DOCUMENTS_H
#define WORKER_EVALUATOR_RUN_DOCUMENTS_H

#include "worker/agents/task/task.h"
#include "worker/evaluation/scorecard.h"

/* Fills *out from the task's channels; a channel without a document leaves NULL. Everything lives below ctx.
 */
bool run_documents_load(agent_task_t *task, nv_mem_t *ctx, run_record_t *out, nv_error_t *err) NV_MUST_CHECK;

#endif
