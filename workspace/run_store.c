#include "workspace/run_store.h"

#include "workspace/request.h"

#include <inttypes.h>
#include <string.h>

#define RUN_COLUMNS                                                                                          \
    "run_id, job_id, run_name, run_type, number_in_job, settings, parameters, only_tasks, state, result, "   \
    "message, "                                                                                              \
    "cancel_requested, start_time, begin_time, end_time"
#define TASK_COLUMNS                                                                                         \
    "task_run_id, run_id, task_key, attempt, state, result, message, not_before, start_time, end_time"

bool ws_state_is_final(const char *state)
{
    return strcmp(state, "TERMINATED") == 0 || strcmp(state, "SKIPPED") == 0 ||
           strcmp(state, "INTERNAL_ERROR") == 0;
}

/* ---- creation */

static bool add_tasks(ws_db_t *db, nv_mem_t *mem, int64_t run_id, const char *settings_text, nv_error_t *err)
{
    const nv_json_t *settings = NULL;
    if (!nv_json_parse(mem, "job settings", settings_text, strlen(settings_text), &settings, err)) {
        return false;
    }
    const nv_json_t *tasks = nv_json_member(settings, "tasks");
    for (size_t i = 0; i < nv_json_size(tasks); i++) {
        const nv_json_t *task = nv_json_at(tasks, i);
        bool blocked = nv_json_size(nv_json_member(task, "depends_on")) > 0;
        if (!ws_task_run_add(db, run_id, nv_json_string_or(task, "task_key", ""), 0,
                             blocked ? "BLOCKED" : "PENDING", 0, err)) {
            return false;
        }
    }
    return true;
}

bool ws_run_create(ws_db_t *db, nv_mem_t *mem, const ws_new_run_t *in, int64_t *run_id, nv_error_t *err)
{
    return ws_db_next_id(db, "run", run_id, err) &&
           ws_db_run(
               db, err,
               "INSERT INTO runs (run_id, job_id, run_name, run_type, number_in_job, idempotency_token, "
               "settings, "
               "parameters, only_tasks, state, start_time) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'QUEUED', ?)",
               "inttitttti", *run_id, in->job_id, in->run_name, in->run_type,
               in->number_in_job ? in->number_in_job : *run_id, in->idempotency_token, in->settings,
               in->parameters, in->only, ws_now_ms()) &&
           add_tasks(db, mem, *run_id, in->settings, err);
}

bool ws_task_run_add(ws_db_t *db, int64_t run_id, const char *task_key, int64_t attempt, const char *state,
                     int64_t not_before, nv_error_t *err)
{
    int64_t id = 0;
    return ws_db_next_id(db, "run", &id, err) &&
           ws_db_run(db, err,
                     "INSERT INTO task_runs (task_run_id, run_id, task_key, attempt, state, not_before) "
                     "VALUES (?, ?, ?, ?, ?, ?)",
                     "iititi", id, run_id, task_key, attempt, state, not_before);
}

/* ---- reading */

static bool parse_column(nv_mem_t *mem, const ws_rows_t *rows, int column, const char *what,
                         const nv_json_t **out, nv_error_t *err)
{
    const char *text = ws_rows_text(mem, rows, column);
    *out = NULL;
    return !text || nv_json_parse(mem, what, text, strlen(text), out, err);
}

static bool read_run(nv_mem_t *mem, const ws_rows_t *rows, ws_run_t *out, nv_error_t *err)
{
    *out = (ws_run_t){
        .run_id = ws_rows_int64(rows, 0),
        .job_id = ws_rows_int64(rows, 1),
        .run_name = ws_rows_text(mem, rows, 2),
        .run_type = ws_rows_text(mem, rows, 3),
        .number_in_job = ws_rows_int64(rows, 4),
        .settings_text = ws_rows_text(mem, rows, 5),
        .state = ws_rows_text(mem, rows, 8),
        .result = ws_rows_text(mem, rows, 9),
        .message = ws_rows_text(mem, rows, 10),
        .stop = (ws_stop_reason_t)ws_rows_int64(rows, 11),
        .start_time = ws_rows_int64(rows, 12),
        .begin_time = ws_rows_int64(rows, 13),
        .end_time = ws_rows_int64(rows, 14),
    };
    return parse_column(mem, rows, 5, "job settings", &out->settings, err) &&
           parse_column(mem, rows, 6, "run parameters", &out->parameters, err) &&
           parse_column(mem, rows, 7, "only", &out->only, err);
}

bool ws_run_get(ws_db_t *db, nv_mem_t *mem, int64_t run_id, ws_run_t *out, nv_error_t *err)
{
    WS_ROWS_SCOPE ws_rows_t rows = {0};
    bool found = false;
    if (!ws_db_query(db, &rows, err, "SELECT " RUN_COLUMNS " FROM runs WHERE run_id = ?", "i", run_id) ||
        !ws_rows_next(&rows, &found, err)) {
        return false;
    }
    return found ? read_run(mem, &rows, out, err)
                 : nv_fail(err, NV_NOT_FOUND, "Run %" PRId64 " does not exist.", run_id);
}

bool ws_run_find_token(ws_db_t *db, const char *token, int64_t *run_id, nv_error_t *err)
{
    WS_ROWS_SCOPE ws_rows_t rows = {0};
    bool found = false;
    *run_id = 0;
    if (!ws_db_query(db, &rows, err, "SELECT run_id FROM runs WHERE idempotency_token = ?", "t", token) ||
        !ws_rows_next(&rows, &found, err)) {
        return false;
    }
    *run_id = found ? ws_rows_int64(&rows, 0) : 0;
    return true;
}

static ws_task_run_t read_task(nv_mem_t *mem, const ws_rows_t *rows)
{
    return (ws_task_run_t){
        .task_run_id = ws_rows_int64(rows, 0),
        .run_id = ws_rows_int64(rows, 1),
        .task_key = ws_rows_text(mem, rows, 2),
        .attempt = ws_rows_int64(rows, 3),
        .state = ws_rows_text(mem, rows, 4),
        .result = ws_rows_text(mem, rows, 5),
        .message = ws_rows_text(mem, rows, 6),
        .not_before = ws_rows_int64(rows, 7),
        .start_time = ws_rows_int64(rows, 8),
        .end_time = ws_rows_int64(rows, 9),
    };
}

bool ws_run_tasks(ws_db_t *db, nv_mem_t *mem, int64_t run_id, ws_task_run_t **out, size_t *count,
                  nv_error_t *err)
{
    WS_ROWS_SCOPE ws_rows_t rows = {0};
    size_t capacity = 0;
    bool more = false;
    *out = NULL;
    *count = 0;
    if (!ws_db_query(db, &rows, err,
                     "SELECT " TASK_COLUMNS " FROM task_runs WHERE run_id = ? ORDER BY task_run_id", "i",
                     run_id)) {
        return false;
    }
    while (ws_rows_next(&rows, &more, err)) {
        if (!more) {
            return true;
        }
        NV_PUSH(mem, *out, *count, capacity) = read_task(mem, &rows);
    }
    return false;
}

bool ws_task_run_get(ws_db_t *db, nv_mem_t *mem, int64_t task_run_id, ws_task_run_t *out, bool *found,
                     nv_error_t *err)
{
    WS_ROWS_SCOPE ws_rows_t rows = {0};
    if (!ws_db_query(db, &rows, err, "SELECT " TASK_COLUMNS " FROM task_runs WHERE task_run_id = ?", "i",
                     task_run_id) ||
        !ws_rows_next(&rows, found, err)) {
        return false;
    }
    if (*found) {
        *out = read_task(mem, &rows);
    }
    return true;
}

bool ws_task_run_output(ws_db_t *db, nv_mem_t *mem, int64_t task_run_id, const char **out, nv_error_t *err)
{
    WS_ROWS_SCOPE ws_rows_t rows = {0};
    bool found = false;
    if (!ws_db_query(db, &rows, err, "SELECT output FROM task_runs WHERE task_run_id = ?", "i",
                     task_run_id) ||
        !ws_rows_next(&rows, &found, err)) {
        return false;
    }
    *out = found ? ws_rows_text(mem, &rows, 0) : NULL;
    return true;
}

bool ws_run_active_ids(ws_db_t *db, nv_mem_t *mem, int64_t job_id, int64_t **out, size_t *count,
                       nv_error_t *err)
{
    WS_ROWS_SCOPE ws_rows_t rows = {0};
    size_t capacity = 0;
    bool more = false;
    *out = NULL;
    *count = 0;
    if (!ws_db_query(db, &rows, err,
                     "SELECT run_id FROM runs WHERE state IN ('QUEUED', 'PENDING', 'RUNNING', 'TERMINATING') "
                     "AND (? IS NULL OR job_id = ?) ORDER BY run_id",
                     "ni", job_id, job_id)) {
        return false;
    }
    while (ws_rows_next(&rows, &more, err)) {
        if (!more) {
            return true;
        }
        NV_PUSH(mem, *out, *count, capacity) = ws_rows_int64(&rows, 0);
    }
    return false;
}

/* ---- changes */

bool ws_run_set_state(ws_db_t *db, int64_t run_id, const char *state, const char *result, const char *message,
                      nv_error_t *err)
{
    int64_t now = ws_now_ms();
    bool final = ws_state_is_final(state);
    bool running = strcmp(state, "RUNNING") == 0;
    return ws_db_run(
        db, err,
        "UPDATE runs SET state = ?, result = ?, message = ?, begin_time = coalesce(begin_time, ?), "
        "end_time = ? WHERE run_id = ?",
        "tttnni", state, result, message, running ? now : 0, final ? now : 0, run_id);
}

bool ws_run_request_stop(ws_db_t *db, int64_t run_id, ws_stop_reason_t reason, nv_error_t *err)
{
    return ws_db_run(
        db, err,
        "UPDATE runs SET cancel_requested = ? WHERE run_id = ? AND cancel_requested = 0 AND end_time IS NULL",
        "ii", (int64_t)reason, run_id);
}

bool ws_task_run_set(ws_db_t *db, int64_t task_run_id, const char *state, const char *result,
                     const char *message, const char *output, nv_error_t *err)
{
    int64_t now = ws_now_ms();
    bool final = ws_state_is_final(state);
    bool running = strcmp(state, "RUNNING") == 0;
    return ws_db_run(db, err,
                     "UPDATE task_runs SET state = ?, result = ?, message = ?, output = coalesce(?, output), "
                     "start_time = coalesce(start_time, ?), end_time = ? WHERE task_run_id = ?",
                     "ttttnni", state, result, message, output, running ? now : 0, final ? now : 0,
                     task_run_id);
}
