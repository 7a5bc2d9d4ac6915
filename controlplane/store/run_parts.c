/* Reading what hangs on a run: tasks, interrupts, artifacts. */
#include <string.h>

#include "controlplane/store/internal.h"

static bool push_task(db_row_t *row, void *arg, nv_error_t *err)
{
    (void)err;
    rows_t *rows = arg;
    nv_mem_t *ctx = rows->ctx;
    *(store_task_t *)rows_push(rows, sizeof(store_task_t)) = (store_task_t){
        .tenant = db_row_text(row, 0, ctx),
        .run_id = db_row_text(row, 1, ctx),
        .task_id = db_row_text(row, 2, ctx),
        .kind = db_row_text(row, 3, ctx),
        .item = db_row_text(row, 4, ctx),
        .node = db_row_text(row, 5, ctx),
        .state = db_row_text(row, 6, ctx),
        .pool = db_row_text(row, 7, ctx),
        .session = db_row_text(row, 8, ctx),
        .idempotency_token = db_row_text(row, 9, ctx),
        .attempt = db_row_int(row, 10),
        .epoch = db_row_int(row, 11),
        .lease_until_unix_ms = db_row_int(row, 12),
        .updated_unix_ms = db_row_int(row, 13),
        .data = db_row_copy(row, 14, ctx),
    };
    return true;
}

bool store_task_list(store_t *store, nv_mem_t *ctx, const char *tenant, const char *run_id, bool open_only,
                     store_task_t **out, size_t *n, nv_error_t *err)
{
    rows_t rows;
    if (!check_run_key(tenant, run_id, err) ||
        !rows_list(store, ctx, open_only ? DB_TASK_LIST_OPEN : DB_TASK_LIST,
                   DB_PARAMS(db_s(tenant), db_s(run_id)), push_task, &rows, err))
        return false;
    *out = rows.list;
    *n = rows.count;
    return true;
}

static bool push_interrupt(db_row_t *row, void *arg, nv_error_t *err)
{
    (void)err;
    rows_t *rows = arg;
    nv_mem_t *ctx = rows->ctx;
    *(store_interrupt_t *)rows_push(rows, sizeof(store_interrupt_t)) = (store_interrupt_t){
        .run_id = db_row_text(row, 0, ctx),
        .interrupt_id = db_row_text(row, 1, ctx),
        .task_id = db_row_text(row, 2, ctx),
        .node = db_row_text(row, 3, ctx),
        .question = db_row_text(row, 4, ctx),
        .asked_unix_ms = db_row_int(row, 5),
        .answer = db_row_text(row, 6, ctx),
        .answered_by = db_row_text(row, 7, ctx),
        .comment = db_row_text(row, 8, ctx),
        .answered_unix_ms = db_row_int(row, 9),
        .data = db_row_copy(row, 10, ctx),
    };
    return true;
}

bool store_interrupt_get(store_t *store, nv_mem_t *ctx, const char *tenant, const char *run_id,
                         const char *interrupt_id, store_interrupt_t *out, nv_error_t *err)
{
    return check_run_key(tenant, run_id, err) && check_name("interrupt id", interrupt_id, err) &&
           row_get(store, ctx, DB_INTERRUPT_GET, DB_PARAMS(db_s(tenant), db_s(run_id), db_s(interrupt_id)),
                   push_interrupt, "interrupt", interrupt_id, out, sizeof *out, err);
}

bool store_interrupt_list(store_t *store, nv_mem_t *ctx, const char *tenant, const char *run_id,
                          bool open_only, store_interrupt_t **out, size_t *n, nv_error_t *err)
{
    rows_t rows;
    if (!check_name("tenant", tenant, err) || !check_optional("run id", run_id, err) ||
        !rows_list(store, ctx, DB_INTERRUPT_LIST,
                   DB_PARAMS(db_s(tenant), db_s(run_id), db_i(open_only), db_i(STORE_PAGE_MAX)),
                   push_interrupt, &rows, err))
        return false;
    *out = rows.list;
    *n = rows.count;
    return true;
}

static bool push_artifact(db_row_t *row, void *arg, nv_error_t *err)
{
    (void)err;
    rows_t *rows = arg;
    nv_mem_t *ctx = rows->ctx;
    *(store_artifact_t *)rows_push(rows, sizeof(store_artifact_t)) = (store_artifact_t){
        .name = db_row_text(row, 0, ctx),
        .sha256 = db_row_text(row, 1, ctx),
        .bytes = db_row_int(row, 2),
        .media_type = db_row_text(row, 3, ctx),
        .message_type = db_row_text(row, 4, ctx),
        .created_unix_ms = db_row_int(row, 5),
    };
    return true;
}

bool store_artifact_get(store_t *store, nv_mem_t *ctx, const char *tenant, const char *run_id,
                        const char *name, store_artifact_t *out, nv_error_t *err)
{
    return check_run_key(tenant, run_id, err) && check_text("artifact name", name, STORE_PATH_MAX, err) &&
           row_get(store, ctx, DB_ARTIFACT_GET, DB_PARAMS(db_s(tenant), db_s(run_id), db_s(name)),
                   push_artifact, nv_printf(ctx, "run %s: artifact", run_id), name, out, sizeof *out, err);
}

bool store_artifact_list(store_t *store, nv_mem_t *ctx, const char *tenant, const char *run_id,
                         store_artifact_t **out, size_t *n, nv_error_t *err)
{
    rows_t rows;
    if (!check_run_key(tenant, run_id, err) ||
        !rows_list(store, ctx, DB_ARTIFACT_LIST, DB_PARAMS(db_s(tenant), db_s(run_id)), push_artifact, &rows,
                   err))
        return false;
    *out = rows.list;
    *n = rows.count;
    return true;
}
