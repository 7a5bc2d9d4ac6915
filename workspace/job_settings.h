/* Checks JobSettings as jobs/create, jobs/reset and runs/submit take them: pure. What the local workspace cannot run is
 * refused here, by name, and not found out in the middle of a run. */
#ifndef NV_WORKSPACE_JOB_SETTINGS_H
#define NV_WORKSPACE_JOB_SETTINGS_H

#include "common/core/json.h"
#include "workspace/run_graph.h"

enum { WS_MAX_TASKS = 1000 };

/* Keys, types, dependencies (known, no cycle), numbers. */
bool ws_job_settings_check(const nv_json_t *settings, nv_error_t *err) NV_MUST_CHECK;
/* The task graph below mem; settings must have passed the check. */
ws_graph_t *ws_job_settings_graph(nv_mem_t *mem, const nv_json_t *settings);
/* "notebook_task", "spark_python_task", "sql_task"; NULL: none that we run. */
const char *ws_task_type(const nv_json_t *task);

#endif
