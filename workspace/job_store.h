/* Jobs in SQLite. Each call takes the lock itself. */
#ifndef NV_WORKSPACE_JOB_STORE_H
#define NV_WORKSPACE_JOB_STORE_H

#include "common/core/json.h"
#include "workspace/db.h"

typedef struct ws_job {
    int64_t job_id;
    const char *settings_text;
    const nv_json_t *settings;
    int64_t created_at;
} ws_job_t;

bool ws_job_create(ws_db_t *db, const char *name, const char *settings, int64_t *job_id,
                   nv_error_t *err) NV_MUST_CHECK;
bool ws_job_get(ws_db_t *db, nv_mem_t *mem, int64_t job_id, ws_job_t *out, nv_error_t *err) NV_MUST_CHECK;
bool ws_job_update(ws_db_t *db, int64_t job_id, const char *name, const char *settings,
                   nv_error_t *err) NV_MUST_CHECK;
bool ws_job_delete(ws_db_t *db, int64_t job_id, nv_error_t *err) NV_MUST_CHECK;
/* Newest first. name NULL: all; else exact but for case. after 0: from the newest, else jobs older than that id. */
bool ws_job_list(ws_db_t *db, nv_mem_t *mem, const char *name, int64_t after, int64_t limit, ws_job_t **out,
                 size_t *count, nv_error_t *err) NV_MUST_CHECK;
/* The number of the job's next run; the caller holds the lock. */
bool ws_job_take_number(ws_db_t *locked, int64_t job_id, int64_t *out, nv_error_t *err) NV_MUST_CHECK;

#endif
