/* One run as the scheduler sees it: its graph, the newest attempt of each task, and the outcomes. The callers hold the lock
 * of the database while they read it. */
#ifndef NV_WORKSPACE_RUN_VIEW_H
#define NV_WORKSPACE_RUN_VIEW_H

#include "workspace/run_graph.h"
#include "workspace/run_store.h"

typedef struct ws_run_view {
    ws_run_t run;
    ws_graph_t *graph;
    ws_task_run_t *attempts;
    size_t attempt_count;
    ws_task_run_t **newest; /* by graph index */
    ws_outcome_t *outcomes;
} ws_run_view_t;

bool ws_run_view_read(ws_db_t *db, nv_mem_t *mem, int64_t run_id, ws_run_view_t *out,
                      nv_error_t *err) NV_MUST_CHECK;
/* The settings of a task, by graph index. */
const nv_json_t *ws_run_view_settings(const ws_run_view_t *view, size_t index);
/* Whether the run is to do this task at all (run-now with `only`). */
bool ws_run_view_selects(const ws_run_view_t *view, size_t index);
/* "Task … failed with message: …", or ""; *internal: it was not the task's own code that failed. */
const char *ws_run_view_first_failure(nv_mem_t *mem, const ws_run_view_t *view, bool *internal);
bool ws_task_run_is_over(const ws_task_run_t *task);

#endif
