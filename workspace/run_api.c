/* /api/2.x/jobs/run-now and /jobs/runs. */
#include "workspace/job_settings.h"
#include "workspace/job_store.h"
#include "workspace/router.h"
#include "workspace/run_json.h"
#include "workspace/run_store.h"
#include "workspace/scheduler.h"

#include <inttypes.h>
#include <string.h>

enum { MAX_PARAMETERS = 1024 * 1024, MAX_TOKEN = 64, MAX_NOTEBOOK_PARAMS = 10000 };

/* ---- starting runs */

static bool parameters_text(ws_request_t *request, const char **out, nv_error_t *err)
{
    static const char *const names[] = {"job_parameters", "notebook_params", "python_params"};
    nv_json_writer_t w = nv_json_writer_make(request->mem, MAX_PARAMETERS, false);
    nv_json_open_object(&w, NULL);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (nv_json_member(request->json, names[i])) {
            nv_json_put_value(&w, names[i], nv_json_member(request->json, names[i]));
        }
    }
    nv_json_close_object(&w);
    char *text = NULL;
    size_t length = 0;
    if (!nv_json_write_end(&w, "run parameters", &text, &length, err)) {
        return false;
    }
    *out = text;
    return length <= MAX_NOTEBOOK_PARAMS + 65536 ||
           nv_fail(err, NV_INVALID_ARGUMENT, "the parameters have %zu bytes: too many", length);
}

static bool token_of(ws_request_t *request, const char **out, nv_error_t *err)
{
    *out = nv_json_string_or(request->json, "idempotency_token", NULL);
    if (*out && (strlen(*out) > MAX_TOKEN || !**out)) {
        return nv_fail(err, NV_INVALID_ARGUMENT, "idempotency_token: expected 1 to %d characters", MAX_TOKEN);
    }
    return true;
}

static bool only_text(ws_request_t *request, const nv_json_t *settings, const char **out, nv_error_t *err)
{
    const nv_json_t *only = nv_json_member(request->json, "only");
    NV_MEM_SCOPE nv_mem_t *mem = nv_mem_root("only");
    ws_graph_t *graph = ws_job_settings_graph(mem, settings);
    *out = NULL;
    for (size_t i = 0; i < nv_json_size(only); i++) {
        const char *key = nv_json_scalar_text(nv_json_at(only, i));
        bool known = false;
        for (size_t t = 0; key && t < graph->count; t++) {
            known = known || strcmp(graph->tasks[t].key, key) == 0;
        }
        if (!known) {
            return nv_fail(err, NV_INVALID_ARGUMENT, "only: task %s is not in the job", key ? key : "?");
        }
    }
    if (nv_json_size(only) == 0) {
        return true;
    }
    nv_json_writer_t w = nv_json_writer_make(request->mem, MAX_PARAMETERS, false);
    nv_json_put_value(&w, NULL, only);
    char *text = NULL;
    bool ok = nv_json_write_end(&w, "only", &text, NULL, err);
    *out = text;
    return ok;
}

/* Makes the run, or finds the one that its token has made before. */
static bool start_run(ws_app_t *app, ws_request_t *request, ws_new_run_t *run, int64_t *run_id,
                      nv_error_t *err)
{
    {
        WS_DB_SCOPE ws_db_t *db = ws_db_lock(app->db);
        *run_id = 0;
        if (!ws_db_begin(db, err) ||
            (run->idempotency_token && !ws_run_find_token(db, run->idempotency_token, run_id, err))) {
            return false;
        }
        if (*run_id) {
            return true;
        }
        if ((run->job_id && !ws_job_take_number(db, run->job_id, &run->number_in_job, err)) ||
            !ws_run_create(db, request->mem, run, run_id, err) || !ws_db_commit(db, err)) {
            return false;
        }
    }
    ws_scheduler_wake(app->scheduler);
    return true;
}

static bool reply_run_id(ws_request_t *request, int64_t run_id, int64_t number, nv_error_t *err)
{
    nv_json_writer_t w = ws_reply_writer(request);
    nv_json_open_object(&w, NULL);
    nv_json_put_int64(&w, "run_id", run_id);
    if (number) {
        nv_json_put_int64(&w, "number_in_job", number);
    }
    nv_json_close_object(&w);
    return ws_reply_json(request, &w, err);
}

static bool run_now(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    int64_t job_id = 0;
    int64_t run_id = 0;
    ws_job_t job;
    ws_new_run_t run = {.run_type = "JOB_RUN"};
    if (!ws_need_int64(request, "job_id", &job_id, err)) {
        return false;
    }
    if (!ws_job_get(app->db, request->mem, job_id, &job, err)) {
        return err->code == NV_NOT_FOUND ? ws_refuse(request, err, 400, "INVALID_PARAMETER_VALUE",
                                                     "Job %" PRId64 " does not exist.", job_id)
                                         : false;
    }
    run.job_id = job_id;
    run.run_name = nv_json_string_or(job.settings, "name", "Untitled");
    run.settings = job.settings_text;
    return token_of(request, &run.idempotency_token, err) && parameters_text(request, &run.parameters, err) &&
           only_text(request, job.settings, &run.only, err) && start_run(app, request, &run, &run_id, err) &&
           reply_run_id(request, run_id, run.number_in_job ? run.number_in_job : run_id, err);
}

static bool submit(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    int64_t run_id = 0;
    ws_new_run_t run = {.run_type = "SUBMIT_RUN", .settings = request->body, .parameters = "{}"};
    run.run_name = nv_json_string_or(request->json, "run_name", "Untitled");
    return ws_job_settings_check(request->json, err) && token_of(request, &run.idempotency_token, err) &&
           start_run(app, request, &run, &run_id, err) && reply_run_id(request, run_id, 0, err);
}

/* ---- looking at runs */

/* Missing runs are 400, as the original answers them. */
static bool missing_run(ws_request_t *request, int64_t run_id, nv_error_t *err)
{
    return ws_refuse(request, err, 400, "INVALID_PARAMETER_VALUE", "Run %" PRId64 " does not exist.", run_id);
}

typedef struct found_run {
    ws_run_t run;
    ws_task_run_t *tasks;
    size_t count;
    const ws_task_run_t *task; /* when the id is that of a task run */
} found_run_t;

/* The run (or task run) of that id, with all task runs of its run. */
static bool find_run(ws_app_t *app, ws_request_t *request, int64_t id, found_run_t *out, nv_error_t *err)
{
    WS_DB_SCOPE ws_db_t *db = ws_db_lock(app->db);
    ws_task_run_t task;
    bool is_task = false;
    *out = (found_run_t){0};
    if (!ws_task_run_get(db, request->mem, id, &task, &is_task, err)) {
        return false;
    }
    if (!ws_run_get(db, request->mem, is_task ? task.run_id : id, &out->run, err)) {
        return err->code == NV_NOT_FOUND ? missing_run(request, id, err) : false;
    }
    if (!ws_run_tasks(db, request->mem, out->run.run_id, &out->tasks, &out->count, err)) {
        return false;
    }
    for (size_t i = 0; is_task && i < out->count; i++) {
        if (out->tasks[i].task_run_id == id) {
            out->task = &out->tasks[i];
        }
    }
    return true;
}

static bool get(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    int64_t run_id = 0;
    found_run_t found;
    if (!ws_need_int64(request, "run_id", &run_id, err) || !find_run(app, request, run_id, &found, err)) {
        return false;
    }
    nv_json_writer_t w = ws_reply_writer(request);
    if (found.task) {
        ws_task_run_put(&w, NULL, app, &found.run, found.task);
    } else {
        nv_json_open_object(&w, NULL);
        ws_run_put(&w, app, &found.run, found.tasks, found.count);
        nv_json_close_object(&w);
    }
    return ws_reply_json(request, &w, err);
}

static void put_output(nv_json_writer_t *w, const nv_json_t *output)
{
    if (nv_json_member(output, "result")) {
        nv_json_open_object(w, "notebook_output");
        nv_json_put_value(w, "result", nv_json_member(output, "result"));
        nv_json_put_bool(w, "truncated", nv_json_bool_or(output, "truncated", false));
        nv_json_close_object(w);
    }
    static const char *const names[] = {"logs", "logs_truncated", "error", "error_trace"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const nv_json_t *value = nv_json_member(output, names[i]);
        if (nv_json_kind(value) != NV_JSON_NULL) {
            nv_json_put_value(w, names[i], value);
        }
    }
}

static bool get_output(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    int64_t run_id = 0;
    found_run_t found;
    const char *text = NULL;
    const nv_json_t *output = NULL;
    if (!ws_need_int64(request, "run_id", &run_id, err) || !find_run(app, request, run_id, &found, err)) {
        return false;
    }
    if (!found.task && nv_json_size(nv_json_member(found.run.settings, "tasks")) > 1) {
        return nv_fail(err, NV_INVALID_ARGUMENT,
                       "Retrieving the output of runs with multiple tasks is not supported. Please retrieve "
                       "the output of "
                       "each individual task run instead.");
    }
    const ws_task_run_t *task = found.task ? found.task : &found.tasks[found.count - 1];
    {
        WS_DB_SCOPE ws_db_t *db = ws_db_lock(app->db);
        if (!ws_task_run_output(db, request->mem, task->task_run_id, &text, err)) {
            return false;
        }
    }
    if (text && !nv_json_parse(request->mem, "task output", text, strlen(text), &output, err)) {
        return false;
    }
    nv_json_writer_t w = ws_reply_writer(request);
    nv_json_open_object(&w, NULL);
    ws_task_run_put(&w, "metadata", app, &found.run, task);
    put_output(&w, output);
    if (strcmp(task->state, "INTERNAL_ERROR") == 0 &&
        nv_json_kind(nv_json_member(output, "error")) != NV_JSON_STRING) {
        nv_json_put_string(&w, "error", task->message);
    }
    nv_json_close_object(&w);
    return ws_reply_json(request, &w, err);
}

/* ---- lists */

typedef struct filter {
    int64_t job_id;
    int64_t after; /* runs older than this id; 0: from the newest */
    int64_t limit;
    int64_t from, to; /* start_time, 0: open */
    bool active, completed, expand;
} filter_t;

static bool read_filter(ws_request_t *request, filter_t *out, nv_error_t *err)
{
    out->active = ws_query_bool(request, "active_only");
    out->completed = ws_query_bool(request, "completed_only");
    out->expand = ws_query_bool(request, "expand_tasks");
    if (!ws_query_int64(request, "job_id", 0, &out->job_id, err) ||
        !ws_query_int64(request, "limit", 20, &out->limit, err) ||
        !ws_query_int64(request, "page_token", 0, &out->after, err) ||
        !ws_query_int64(request, "start_time_from", 0, &out->from, err) ||
        !ws_query_int64(request, "start_time_to", 0, &out->to, err)) {
        return false;
    }
    if (out->active && out->completed) {
        return nv_fail(err, NV_INVALID_ARGUMENT, "active_only and completed_only exclude each other");
    }
    return (out->limit >= 1 && out->limit <= 25) ||
           nv_fail(err, NV_INVALID_ARGUMENT, "limit: expected 1 to 25, got %" PRId64, out->limit);
}

static bool select_runs(ws_app_t *app, nv_mem_t *mem, const filter_t *f, int64_t **ids, size_t *count,
                        nv_error_t *err)
{
    WS_DB_SCOPE ws_db_t *db = ws_db_lock(app->db);
    WS_ROWS_SCOPE ws_rows_t rows = {0};
    size_t capacity = 0;
    bool more = false;
    if (!ws_db_query(
            db, &rows, err,
            "SELECT run_id FROM runs WHERE (?1 IS NULL OR job_id = ?1) AND (?2 IS NULL OR run_id < ?2) "
            "AND (?3 = 0 OR end_time IS NULL) AND (?4 = 0 OR end_time IS NOT NULL) "
            "AND (?5 IS NULL OR start_time >= ?5) AND (?6 IS NULL OR start_time <= ?6) "
            "ORDER BY run_id DESC LIMIT ?7",
            "nniinni", f->job_id, f->after, (int64_t)f->active, (int64_t)f->completed, f->from, f->to,
            f->limit + 1)) {
        return false;
    }
    while (ws_rows_next(&rows, &more, err)) {
        if (!more) {
            return true;
        }
        NV_PUSH(mem, *ids, *count, capacity) = ws_rows_int64(&rows, 0);
    }
    return false;
}

static bool list(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    filter_t filter;
    int64_t *ids = NULL;
    size_t count = 0;
    if (!read_filter(request, &filter, err) || !select_runs(app, request->mem, &filter, &ids, &count, err)) {
        return false;
    }
    bool more = count > (size_t)filter.limit;
    count = more ? (size_t)filter.limit : count;
    nv_json_writer_t w = ws_reply_writer(request);
    nv_json_open_object(&w, NULL);
    if (count) {
        nv_json_open_array(&w, "runs");
    }
    for (size_t i = 0; i < count; i++) {
        found_run_t found;
        if (!find_run(app, request, ids[i], &found, err)) {
            return false;
        }
        nv_json_open_object(&w, NULL);
        ws_run_put(&w, app, &found.run, filter.expand ? found.tasks : NULL, found.count);
        nv_json_close_object(&w);
    }
    if (count) {
        nv_json_close_array(&w);
    }
    nv_json_put_bool(&w, "has_more", more);
    if (more) {
        nv_json_put_string(&w, "next_page_token", nv_printf(request->mem, "%" PRId64, ids[count - 1]));
    }
    nv_json_close_object(&w);
    return ws_reply_json(request, &w, err);
}

/* ---- ending and repairing */

static bool cancel(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    int64_t run_id = 0;
    found_run_t found;
    if (!ws_need_int64(request, "run_id", &run_id, err) || !find_run(app, request, run_id, &found, err)) {
        return false;
    }
    {
        WS_DB_SCOPE ws_db_t *db = ws_db_lock(app->db);
        if (!ws_run_request_stop(db, found.run.run_id, WS_STOP_CANCELED, err)) {
            return false;
        }
    }
    ws_scheduler_wake(app->scheduler);
    return ws_reply_empty(request);
}

static bool cancel_all(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    int64_t job_id = nv_json_int64_or(request->json, "job_id", 0);
    int64_t *ids = NULL;
    size_t count = 0;
    if (!job_id && !nv_json_bool_or(request->json, "all_queued_runs", false)) {
        return nv_fail(err, NV_INVALID_ARGUMENT, "Missing required field: job_id");
    }
    {
        WS_DB_SCOPE ws_db_t *db = ws_db_lock(app->db);
        if (!ws_run_active_ids(db, request->mem, job_id, &ids, &count, err)) {
            return false;
        }
        for (size_t i = 0; i < count; i++) {
            if (!ws_run_request_stop(db, ids[i], WS_STOP_CANCELED, err)) {
                return false;
            }
        }
    }
    ws_scheduler_wake(app->scheduler);
    return ws_reply_empty(request);
}

static bool wants_repair(ws_request_t *request, const ws_task_run_t *task)
{
    if (nv_json_bool_or(request->json, "rerun_all_failed_tasks", false)) {
        return !task->result || strcmp(task->result, "SUCCESS") != 0;
    }
    const nv_json_t *keys = nv_json_member(request->json, "rerun_tasks");
    for (size_t i = 0; i < nv_json_size(keys); i++) {
        const char *key = nv_json_scalar_text(nv_json_at(keys, i));
        if (key && strcmp(key, task->task_key) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_newest(const found_run_t *found, size_t index)
{
    for (size_t i = index + 1; i < found->count; i++) {
        if (strcmp(found->tasks[i].task_key, found->tasks[index].task_key) == 0) {
            return false;
        }
    }
    return true;
}

static bool reopen(ws_app_t *app, ws_request_t *request, const found_run_t *found, nv_error_t *err)
{
    WS_DB_SCOPE ws_db_t *db = ws_db_lock(app->db);
    int64_t run_id = found->run.run_id;
    if (!ws_db_begin(db, err) ||
        !ws_db_run(db, err, "UPDATE runs SET cancel_requested = 0, only_tasks = NULL WHERE run_id = ?", "i",
                   run_id) ||
        !ws_run_set_state(db, run_id, "RUNNING", NULL, "In repair", err)) {
        return false;
    }
    for (size_t i = 0; i < found->count; i++) {
        const ws_task_run_t *task = &found->tasks[i];
        if (is_newest(found, i) && wants_repair(request, task) &&
            !ws_task_run_add(db, run_id, task->task_key, task->attempt + 1, "PENDING", 0, err)) {
            return false;
        }
    }
    return ws_db_commit(db, err);
}

static bool repair(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    int64_t run_id = 0;
    found_run_t found;
    if (!ws_need_int64(request, "run_id", &run_id, err) || !find_run(app, request, run_id, &found, err)) {
        return false;
    }
    if (!ws_state_is_final(found.run.state)) {
        return nv_fail(err, NV_FAILED_PRECONDITION, "Run %" PRId64 " is still active: it cannot be repaired",
                       run_id);
    }
    if (!reopen(app, request, &found, err)) {
        return false;
    }
    ws_scheduler_wake(app->scheduler);
    nv_json_writer_t w = ws_reply_writer(request);
    nv_json_open_object(&w, NULL);
    nv_json_put_int64(&w, "repair_id", ws_now_ms());
    nv_json_close_object(&w);
    return ws_reply_json(request, &w, err);
}

static bool delete_run(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    int64_t run_id = 0;
    found_run_t found;
    if (!ws_need_int64(request, "run_id", &run_id, err) || !find_run(app, request, run_id, &found, err)) {
        return false;
    }
    if (!ws_state_is_final(found.run.state)) {
        return nv_fail(err, NV_FAILED_PRECONDITION, "Run %" PRId64 " is still active: cancel it first",
                       run_id);
    }
    WS_DB_SCOPE ws_db_t *db = ws_db_lock(app->db);
    return ws_db_run(db, err, "DELETE FROM runs WHERE run_id = ?", "i", found.run.run_id) &&
           ws_reply_empty(request);
}

const ws_route_t ws_routes_runs[] = {
    {"POST", "/api/2.{minor}/jobs/run-now", run_now, 0},
    {"POST", "/api/2.{minor}/jobs/runs/submit", submit, 0},
    {"GET", "/api/2.{minor}/jobs/runs/get", get, 0},
    {"GET", "/api/2.{minor}/jobs/runs/get-output", get_output, 0},
    {"GET", "/api/2.{minor}/jobs/runs/list", list, 0},
    {"POST", "/api/2.{minor}/jobs/runs/cancel", cancel, 0},
    {"POST", "/api/2.{minor}/jobs/runs/cancel-all", cancel_all, 0},
    {"POST", "/api/2.{minor}/jobs/runs/repair", repair, 0},
    {"POST", "/api/2.{minor}/jobs/runs/delete", delete_run, 0},
    {0},
};
