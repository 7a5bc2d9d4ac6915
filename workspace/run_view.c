#include "workspace/run_view.h"

#include "workspace/job_settings.h"

#include <inttypes.h>
#include <string.h>

const nv_json_t *ws_run_view_settings(const ws_run_view_t *view, size_t index)
{
    return nv_json_at(nv_json_member(view->run.settings, "tasks"), index);
}

bool ws_task_run_is_over(const ws_task_run_t *task)
{
    return ws_state_is_final(task->state);
}

bool ws_run_view_read(ws_db_t *db, nv_mem_t *mem, int64_t run_id, ws_run_view_t *out, nv_error_t *err)
{
    if (!ws_run_get(db, mem, run_id, &out->run, err) ||
        !ws_run_tasks(db, mem, run_id, &out->attempts, &out->attempt_count, err)) {
        return false;
    }
    out->graph = ws_job_settings_graph(mem, out->run.settings);
    out->newest = NV_NEW_ARRAY(mem, ws_task_run_t *, out->graph->count + 1);
    out->outcomes = NV_NEW_ARRAY(mem, ws_outcome_t, out->graph->count + 1);
    for (size_t a = 0; a < out->attempt_count; a++) {
        for (size_t i = 0; i < out->graph->count; i++) {
            if (strcmp(out->graph->tasks[i].key, out->attempts[a].task_key) == 0) {
                out->newest[i] = &out->attempts[a];
            }
        }
    }
    for (size_t i = 0; i < out->graph->count; i++) {
        if (!out->newest[i]) {
            return nv_fail(err, NV_DATA_LOSS, "run %" PRId64 ": task %s has no attempt", run_id,
                           out->graph->tasks[i].key);
        }
        out->outcomes[i] =
            ws_task_run_is_over(out->newest[i]) ? ws_outcome_parse(out->newest[i]->result) : WS_OUTCOME_NONE;
    }
    return true;
}

bool ws_run_view_selects(const ws_run_view_t *view, size_t index)
{
    if (!view->run.only) {
        return true;
    }
    for (size_t i = 0; i < nv_json_size(view->run.only); i++) {
        const char *key = nv_json_scalar_text(nv_json_at(view->run.only, i));
        if (key && strcmp(key, view->graph->tasks[index].key) == 0) {
            return true;
        }
    }
    return false;
}

const char *ws_run_view_first_failure(nv_mem_t *mem, const ws_run_view_t *view, bool *internal)
{
    for (size_t i = 0; i < view->graph->count; i++) {
        const ws_task_run_t *task = view->newest[i];
        if (view->outcomes[i] == WS_OUTCOME_FAILED || view->outcomes[i] == WS_OUTCOME_TIMEDOUT) {
            *internal = strcmp(task->state, "INTERNAL_ERROR") == 0;
            return nv_printf(mem, "Task %s failed with message: %s.", task->task_key, task->message);
        }
    }
    return "";
}
