#include "workspace/kernel_calls.h"

#include "workspace/object_store.h"
#include "workspace/path.h"
#include "workspace/run_store.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_VALUE = 48 * 1024 };

static bool notebook_source(ws_app_t *app, nv_mem_t *mem, const nv_json_t *call, nv_json_writer_t *reply,
                            nv_error_t *err)
{
    const char *path = NULL;
    ws_object_t object;
    if (!nv_json_string(call, "path", &path, err) || !ws_path_normalize(mem, path, &path, err) ||
        !ws_object_get(app->db, mem, path, true, &object, err)) {
        return false;
    }
    if (!object.language) {
        return nv_fail(err, NV_INVALID_ARGUMENT, "%s is a %s, not a notebook", path, object.type);
    }
    nv_json_open_object(reply, "result");
    nv_json_put_string(reply, "source", object.content);
    nv_json_put_string(reply, "language", object.language);
    nv_json_close_object(reply);
    return true;
}

static bool secret_get(ws_app_t *app, nv_mem_t *mem, const nv_json_t *call, nv_json_writer_t *reply,
                       nv_error_t *err)
{
    const char *scope = NULL;
    const char *key = NULL;
    bool found = false;
    size_t length = 0;
    WS_DB_SCOPE ws_db_t *db = ws_db_lock(app->db);
    WS_ROWS_SCOPE ws_rows_t rows = {0};
    if (!nv_json_string(call, "scope", &scope, err) || !nv_json_string(call, "key", &key, err) ||
        !ws_db_query(db, &rows, err, "SELECT value FROM secrets WHERE scope = ? AND key = ?", "tt", scope,
                     key) ||
        !ws_rows_next(&rows, &found, err)) {
        return false;
    }
    if (!found) {
        return nv_fail(err, NV_NOT_FOUND, "Secret does not exist with scope: %s and key: %s", scope, key);
    }
    nv_json_put_string(reply, "result", ws_rows_blob(mem, &rows, 0, &length));
    return true;
}

/* The task run that speaks; the caller holds the lock. */
static bool speaker(ws_db_t *db, nv_mem_t *mem, const nv_json_t *call, ws_task_run_t *out, nv_error_t *err)
{
    int64_t id = 0;
    bool found = false;
    if (!nv_json_int64(call, "task_run_id", &id, err) || !ws_task_run_get(db, mem, id, out, &found, err)) {
        return false;
    }
    return found || nv_fail(err, NV_NOT_FOUND, "the task run is not known any more");
}

static bool task_value_set(ws_app_t *app, nv_mem_t *mem, const nv_json_t *call, nv_json_writer_t *reply,
                           nv_error_t *err)
{
    const char *key = NULL;
    ws_task_run_t task;
    nv_json_writer_t w = nv_json_writer_make(mem, MAX_VALUE, false);
    nv_json_put_value(&w, NULL, nv_json_member(call, "value"));
    char *text = NULL;
    WS_DB_SCOPE ws_db_t *db = ws_db_lock(app->db);
    if (!nv_json_string(call, "key", &key, err) || !nv_json_write_end(&w, "task value", &text, NULL, err) ||
        !speaker(db, mem, call, &task, err) ||
        !ws_db_run(db, err,
                   "INSERT OR REPLACE INTO task_values (run_id, task_key, key, value) VALUES (?, ?, ?, ?)",
                   "ittt", task.run_id, task.task_key, key, text)) {
        return false;
    }
    nv_json_put_null(reply, "result");
    return true;
}

static bool task_value_get(ws_app_t *app, nv_mem_t *mem, const nv_json_t *call, nv_json_writer_t *reply,
                           nv_error_t *err)
{
    const char *key = NULL;
    const char *task_key = NULL;
    bool found = false;
    ws_task_run_t task;
    WS_DB_SCOPE ws_db_t *db = ws_db_lock(app->db);
    WS_ROWS_SCOPE ws_rows_t rows = {0};
    if (!nv_json_string(call, "key", &key, err) || !nv_json_string(call, "task_key", &task_key, err) ||
        !speaker(db, mem, call, &task, err) ||
        !ws_db_query(db, &rows, err,
                     "SELECT value FROM task_values WHERE run_id = ? AND task_key = ? AND key = ?", "itt",
                     task.run_id, task_key, key) ||
        !ws_rows_next(&rows, &found, err)) {
        return false;
    }
    if (!found) {
        nv_json_put_null(reply, "result");
        return true;
    }
    nv_json_open_object(reply, "result");
    nv_json_put_raw(reply, "value", ws_rows_text(mem, &rows, 0));
    nv_json_close_object(reply);
    return true;
}

bool ws_kernel_call(void *arg, nv_mem_t *mem, const nv_json_t *call, nv_json_writer_t *reply, nv_error_t *err)
{
    static const struct {
        const char *op;
        bool (*carry_out)(ws_app_t *, nv_mem_t *, const nv_json_t *, nv_json_writer_t *, nv_error_t *);
    } calls[] = {
        {"notebook_source", notebook_source},
        {"secret_get", secret_get},
        {"task_value_set", task_value_set},
        {"task_value_get", task_value_get},
    };
    const char *op = nv_json_string_or(call, "op", "");
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        if (strcmp(calls[i].op, op) == 0) {
            return calls[i].carry_out(arg, mem, call, reply, err);
        }
    }
    return nv_fail(err, NV_UNIMPLEMENTED, "the kernel asks for %s, which the server does not know", op);
}
