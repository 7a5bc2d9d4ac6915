/* Runs and the attempts of their tasks in SQLite. The callers hold the lock of the database (ws_db_lock), and begin a
 * transaction where several changes belong together. */
#ifndef NV_WORKSPACE_RUN_STORE_H
#define NV_WORKSPACE_RUN_STORE_H

#include "common/core/json.h"
#include "workspace/db.h"
#include "workspace/run_graph.h"

/* Why a run is to end early; stored as runs.cancel_requested. */
typedef enum ws_stop_reason { WS_STOP_NOT, WS_STOP_CANCELED, WS_STOP_TIMEDOUT } ws_stop_reason_t;

typedef struct ws_run {
    int64_t run_id;
    int64_t job_id; /* 0: none */
    const char *run_name;
    const char *run_type;
    int64_t number_in_job;
    const char *settings_text;
    const nv_json_t *settings;
    const nv_json_t *parameters; /* {"job_parameters":{},"notebook_params":{},"python_params":[]} */
    const nv_json_t *only;       /* array of task keys, or NULL */
    const char *state;
    const char *result; /* or NULL */
    const char *message;
    ws_stop_reason_t stop;
    int64_t start_time;
    int64_t begin_time;
    int64_t end_time;
} ws_run_t;

typedef struct ws_task_run {
    int64_t task_run_id;
    int64_t run_id;
    const char *task_key;
    int64_t attempt;
    const char *state;
    const char *result;
    const char *message;
    int64_t not_before;
    int64_t start_time;
    int64_t end_time;
} ws_task_run_t;

typedef struct ws_new_run {
    int64_t job_id;
    const char *run_name;
    const char *run_type;
    const char *idempotency_token; /* or NULL */
    const char *settings;          /* JSON */
    const char *parameters;        /* JSON */
    const char *only;              /* JSON or NULL */
    int64_t number_in_job;
} ws_new_run_t;

bool ws_run_create(ws_db_t *db, nv_mem_t *mem, const ws_new_run_t *new_run, int64_t *run_id,
                   nv_error_t *err) NV_MUST_CHECK;
/* The run that a token has made already; *run_id is 0 when there is none. */
bool ws_run_find_token(ws_db_t *db, const char *token, int64_t *run_id, nv_error_t *err) NV_MUST_CHECK;
/* NOT_FOUND as "Run … does not exist.". */
bool ws_run_get(ws_db_t *db, nv_mem_t *mem, int64_t run_id, ws_run_t *out, nv_error_t *err) NV_MUST_CHECK;
/* All attempts, by task in the order they began. */
bool ws_run_tasks(ws_db_t *db, nv_mem_t *mem, int64_t run_id, ws_task_run_t **out, size_t *count,
                  nv_error_t *err) NV_MUST_CHECK;
bool ws_task_run_get(ws_db_t *db, nv_mem_t *mem, int64_t task_run_id, ws_task_run_t *out, bool *found,
                     nv_error_t *err) NV_MUST_CHECK;
bool ws_task_run_output(ws_db_t *db, nv_mem_t *mem, int64_t task_run_id, const char **out,
                        nv_error_t *err) NV_MUST_CHECK;

/* Ids of the runs that are not over, oldest first. job_id 0: of all jobs. */
bool ws_run_active_ids(ws_db_t *db, nv_mem_t *mem, int64_t job_id, int64_t **out, size_t *count,
                       nv_error_t *err) NV_MUST_CHECK;
bool ws_run_set_state(ws_db_t *db, int64_t run_id, const char *state, const char *result, const char *message,
                      nv_error_t *err) NV_MUST_CHECK;
bool ws_run_request_stop(ws_db_t *db, int64_t run_id, ws_stop_reason_t reason, nv_error_t *err) NV_MUST_CHECK;
/* output may be NULL. A state that ends the task sets its end time, RUNNING its start. */
bool ws_task_run_set(ws_db_t *db, int64_t task_run_id, const char *state, const char *result,
                     const char *message, const char *output, nv_error_t *err) NV_MUST_CHECK;
bool ws_task_run_add(ws_db_t *db, int64_t run_id, const char *task_key, int64_t attempt, const char *state,
                     int64_t not_before, nv_error_t *err) NV_MUST_CHECK;

bool ws_state_is_final(const char *state);

#endif
