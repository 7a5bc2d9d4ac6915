/* What is old enough to go: runs that finished long ago, and the checkpoints of finished runs. */
#include "controlplane/store/internal.h"

static bool push_finished(db_row_t *row, void *arg, nv_error_t *err)
{
    (void)err;
    rows_t *rows = arg;
    *(store_finished_t *)rows_push(rows, sizeof(store_finished_t)) =
        (store_finished_t){.tenant = db_row_text(row, 0, rows->ctx),
                           .run_id = db_row_text(row, 1, rows->ctx),
                           .epoch = db_row_int(row, 2),
                           .finished_unix_ms = db_row_int(row, 3)};
    return true;
}

bool store_finished_list(store_t *store, nv_mem_t *ctx, int64_t before_unix_ms, const store_finished_t *after,
                         int limit, store_finished_t **out, size_t *n, nv_error_t *err)
{
    rows_t rows;
    if (limit < 1 || limit > STORE_PAGE_MAX)
        return nv_fail(err, NV_INVALID_ARGUMENT, "limit %d: expected 1 to %d", limit, STORE_PAGE_MAX);
    if (!rows_list(store, ctx, DB_RUN_LIST_FINISHED,
                   DB_PARAMS(db_i(before_unix_ms), db_i(after ? after->finished_unix_ms : 0),
                             db_s(after ? after->tenant : ""), db_s(after ? after->run_id : ""), db_i(limit)),
                   push_finished, &rows, err))
        return false;
    *out = rows.list;
    *n = rows.count;
    return true;
}

typedef struct trim {
    const char *tenant, *run_id;
    int64_t deleted;
} trim_t;

static bool apply_trim(db_t *db, void *arg, nv_error_t *err)
{
    trim_t *t = arg;
    return db_write(db, DB_CHECKPOINT_TRIM, DB_PARAMS(db_s(t->tenant), db_s(t->run_id)), &t->deleted, err);
}

bool store_checkpoint_trim(store_t *store, const char *tenant, const char *run_id, int64_t *out_deleted,
                           nv_error_t *err)
{
    trim_t t = {.tenant = tenant, .run_id = run_id};
    if (!check_name("tenant", tenant, err) || !check_name("run id", run_id, err) ||
        !store_write(store, apply_trim, &t, 0, err))
        return false;
    *out_deleted = t.deleted;
    return true;
}
