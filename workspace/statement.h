/* The statements of the SQL Statement Execution API: their state in the database, their result chunks as files, and the
 * waiting for those that run. Threads: any. */
#ifndef NV_WORKSPACE_STATEMENT_H
#define NV_WORKSPACE_STATEMENT_H

#include "workspace/app.h"

enum { WS_INLINE_BYTES = 25 * 1024 * 1024, WS_RESULT_TTL_MS = 3600 * 1000, WS_LINK_TTL_S = 900 };

typedef struct ws_statement {
    const char *id;
    const char *state;
    const char *disposition;
    const char *format;
    const nv_json_t *reply; /* the kernel's result; NULL while there is none */
} ws_statement_t;

ws_statements_t *ws_statements_new(ws_app_t *app);
/* After ws_kernel_stop. */
void ws_statements_free(ws_statements_t *statements);

/* Stores the statement and hands it to the kernel; body is the request's. *id is below mem. */
bool ws_statement_start(ws_app_t *app, nv_mem_t *mem, const nv_json_t *body, const char **id,
                        nv_error_t *err) NV_MUST_CHECK;
/* Waits until it has ended or the time is over. */
void ws_statement_wait(ws_app_t *app, const char *id, int64_t wait_ms);
void ws_statement_cancel(ws_app_t *app, const char *id);
/* NOT_FOUND when there is none or its time is over. */
bool ws_statement_get(ws_app_t *app, nv_mem_t *mem, const char *id, ws_statement_t *out,
                      nv_error_t *err) NV_MUST_CHECK;
/* The path of a chunk's file. */
const char *ws_statement_chunk_path(ws_app_t *app, nv_mem_t *mem, const char *id, int64_t chunk);

/* At the start of the server: what was running when the last process ended has failed with it. The caller holds the lock. */
bool ws_statements_fail_orphans(ws_db_t *locked, const char *message, nv_error_t *err) NV_MUST_CHECK;

#endif
