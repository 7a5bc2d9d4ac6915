/* Runs and task runs as jobs/runs/get and /list print them. Pure. */
#ifndef NV_WORKSPACE_RUN_JSON_H
#define NV_WORKSPACE_RUN_JSON_H

#include "workspace/app.h"
#include "workspace/run_store.h"

/* The fields of a run into the object that is open; tasks (all attempts) may be NULL for a list without them. */
void ws_run_put(nv_json_writer_t *w, const ws_app_t *app, const ws_run_t *run, const ws_task_run_t *tasks,
                size_t count);
/* One task run as an object of its own. */
void ws_task_run_put(nv_json_writer_t *w, const char *key, const ws_app_t *app, const ws_run_t *run,
                     const ws_task_run_t *task);

#endif
