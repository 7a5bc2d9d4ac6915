/* The workspace server's parts, wired by main and handed to every handler. Immutable after the start; each part guards
 * itself. */
#ifndef NV_WORKSPACE_APP_H
#define NV_WORKSPACE_APP_H

#include "common/core/log.h"
#include "workspace/db.h"
#include "workspace/kernel.h"
#include "workspace/request.h"
#include "workspace/token.h"

typedef struct ws_scheduler ws_scheduler_t;
typedef struct ws_statements ws_statements_t;
typedef struct ws_faults ws_faults_t;

typedef struct ws_app {
    nv_log_t *log;
    ws_db_t *db;
    ws_kernel_t *kernel;
    ws_scheduler_t *scheduler;
    ws_statements_t *statements;
    ws_faults_t *faults; /* NULL without --test-faults */
    const ws_token_key_t *token_key;
    const char *client_id;
    const char *client_secret;
    const char *state_dir;
    const char *unity_dir;
    const char *base_url; /* https://127.0.0.1:PORT, no slash at the end */
    int64_t workspace_id;
    int64_t chunk_bytes; /* a statement's result chunk is closed at this size */
} ws_app_t;

typedef bool (*ws_handler_fn)(ws_app_t *app, ws_request_t *request, nv_error_t *err);

#endif
