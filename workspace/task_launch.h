/* Makes the kernel's request out of a task: its code from the workspace tree or a volume, its parameters with
 * {{…}} references filled in. */
#ifndef NV_WORKSPACE_TASK_LAUNCH_H
#define NV_WORKSPACE_TASK_LAUNCH_H

#include "workspace/app.h"
#include "workspace/run_store.h"

/* On success *w holds the request *id, ready for ws_kernel_submit. On failure the task has failed with err. */
bool ws_task_launch(ws_app_t *app, nv_mem_t *mem, const ws_run_t *run, const ws_task_run_t *task,
                    const nv_json_t *settings, int64_t *id, nv_json_writer_t *w,
                    nv_error_t *err) NV_MUST_CHECK;

/* Replaces {{job.id}}, {{job.run_id}}, {{job.parameters.NAME}}, {{task.name}}, {{task.run_id}} and
 * {{tasks.KEY.values.NAME}} in text; lookup(arg, name) gives the value below mem or NULL. Unknown references stay. */
typedef const char *(*ws_lookup_fn)(void *arg, nv_mem_t *mem, const char *name);
const char *ws_fill_references(nv_mem_t *mem, const char *text, ws_lookup_fn lookup, void *arg);

#endif
