#include "workspace/job_store.h"

#include "workspace/request.h"

#include <inttypes.h>
#include <string.h>

bool ws_job_create(ws_db_t *db, const char *name, const char *settings, int64_t *job_id, nv_error_t *err)
{
    WS_DB_SCOPE ws_db_t *locked = ws_db_lock(db);
    return ws_db_begin(locked, err) && ws_db_next_id(locked, "job", job_id, err) &&
           ws_db_run(locked, err, "INSERT INTO jobs (job_id, name, settings, created_at) VALUES (?, ?, ?, ?)",
                     "itti", *job_id, name, settings, ws_now_ms()) &&
           ws_db_commit(locked, err);
}

static bool read_job(nv_mem_t *mem, const ws_rows_t *rows, ws_job_t *out, nv_error_t *err)
{
    *out = (ws_job_t){.job_id = ws_rows_int64(rows, 0),
                      .settings_text = ws_rows_text(mem, rows, 1),
                      .created_at = ws_rows_int64(rows, 2)};
    return nv_json_parse(mem, "job settings", out->settings_text, strlen(out->settings_text), &out->settings,
                         err);
}

bool ws_job_get(ws_db_t *db, nv_mem_t *mem, int64_t job_id, ws_job_t *out, nv_error_t *err)
{
    WS_DB_SCOPE ws_db_t *locked = ws_db_lock(db);
    WS_ROWS_SCOPE ws_rows_t rows = {0};
    bool found = false;
    if (!ws_db_query(locked, &rows, err, "SELECT job_id, settings, created_at FROM jobs WHERE job_id = ?",
                     "i", job_id) ||
        !ws_rows_next(&rows, &found, err)) {
        return false;
    }
    return found ? read_job(mem, &rows, out, err)
                 : nv_fail(err, NV_NOT_FOUND, "Job %" PRId64 " does not exist.", job_id);
}

bool ws_job_update(ws_db_t *db, int64_t job_id, const char *name, const char *settings, nv_error_t *err)
{
    WS_DB_SCOPE ws_db_t *locked = ws_db_lock(db);
    return ws_db_run(locked, err, "UPDATE jobs SET name = ?, settings = ? WHERE job_id = ?", "tti", name,
                     settings, job_id);
}

bool ws_job_delete(ws_db_t *db, int64_t job_id, nv_error_t *err)
{
    WS_DB_SCOPE ws_db_t *locked = ws_db_lock(db);
    return ws_db_run(locked, err, "DELETE FROM jobs WHERE job_id = ?", "i", job_id);
}

bool ws_job_list(ws_db_t *db, nv_mem_t *mem, const char *name, int64_t after, int64_t limit, ws_job_t **out,
                 size_t *count, nv_error_t *err)
{
    WS_DB_SCOPE ws_db_t *locked = ws_db_lock(db);
    WS_ROWS_SCOPE ws_rows_t rows = {0};
    size_t capacity = 0;
    bool more = false;
    *out = NULL;
    *count = 0;
    if (!ws_db_query(
            locked, &rows, err,
            "SELECT job_id, settings, created_at FROM jobs WHERE (?1 IS NULL OR name = ?1 COLLATE NOCASE) "
            "AND (?2 IS NULL OR job_id < ?2) ORDER BY job_id DESC LIMIT ?3",
            "tni", name, after, limit)) {
        return false;
    }
    while (ws_rows_next(&rows, &more, err)) {
        if (!more) {
            return true;
        }
        ws_job_t job;
        if (!read_job(mem, &rows, &job, err)) {
            return false;
        }
        NV_PUSH(mem, *out, *count, capacity) = job;
    }
    return false;
}

bool ws_job_take_number(ws_db_t *locked, int64_t job_id, int64_t *out, nv_error_t *err)
{
    WS_ROWS_SCOPE ws_rows_t rows = {0};
    bool found = false;
    if (!ws_db_query(
            locked, &rows, err,
            "UPDATE jobs SET next_number = next_number + 1 WHERE job_id = ? RETURNING next_number - 1", "i",
            job_id) ||
        !ws_rows_next(&rows, &found, err)) {
        return false;
    }
    *out = found ? ws_rows_int64(&rows, 0) : 0;
    return !found || ws_rows_next(&rows, &found, err);
}
