/* Reading what a run went through: events, checkpoints, pending writes. */
#include <inttypes.h>
#include <string.h>

#include "controlplane/store/internal.h"

static bool push_event(db_row_t *row, void *arg, nv_error_t *err)
{
    (void)err;
    rows_t *rows = arg;
    *(store_event_t *)rows_push(rows, sizeof(store_event_t)) =
        (store_event_t){.seq = db_row_int(row, 0), .data = db_row_copy(row, 1, rows->ctx)};
    return true;
}

int list_limit(int limit)
{
    return limit <= 0 || limit > STORE_PAGE_MAX ? STORE_PAGE_MAX : limit;
}

bool store_event_list(store_t *store, nv_mem_t *ctx, const char *tenant, const char *run_id, int64_t after,
                      int limit, store_event_t **out, size_t *n, nv_error_t *err)
{
    rows_t rows;
    if (!check_run_key(tenant, run_id, err) ||
        !rows_list(store, ctx, DB_EVENT_LIST,
                   DB_PARAMS(db_s(tenant), db_s(run_id), db_i(after), db_i(list_limit(limit))), push_event,
                   &rows, err))
        return false;
    *out = rows.list;
    *n = rows.count;
    return true;
}

static void fill_checkpoint(const db_row_t *row, nv_mem_t *ctx, store_checkpoint_t *out)
{
    *out = (store_checkpoint_t){
        .seq = db_row_int(row, 0),
        .parent = db_row_int(row, 1),
        .step = db_row_int(row, 2),
        .snapshot = db_row_int(row, 3) != 0,
        .created_unix_ms = db_row_int(row, 4),
        .nodes = db_row_text(row, 5, ctx),
        .bytes = db_row_int(row, 6),
    };
}

static bool push_checkpoint(db_row_t *row, void *arg, nv_error_t *err)
{
    (void)err;
    rows_t *rows = arg;
    fill_checkpoint(row, rows->ctx, rows_push(rows, sizeof(store_checkpoint_t)));
    return true;
}

static bool push_checkpoint_data(db_row_t *row, void *arg, nv_error_t *err)
{
    (void)err;
    rows_t *rows = arg;
    store_checkpoint_t *out = rows_push(rows, sizeof *out);
    fill_checkpoint(row, rows->ctx, out);
    out->data = db_row_copy(row, 7, rows->ctx);
    return true;
}

bool store_checkpoint_list(store_t *store, nv_mem_t *ctx, const char *tenant, const char *run_id,
                           store_checkpoint_t **out, size_t *n, nv_error_t *err)
{
    rows_t rows;
    if (!check_run_key(tenant, run_id, err) ||
        !rows_list(store, ctx, DB_CHECKPOINT_LIST, DB_PARAMS(db_s(tenant), db_s(run_id)), push_checkpoint,
                   &rows, err))
        return false;
    *out = rows.list;
    *n = rows.count;
    return true;
}

/* Deltas must follow each other without a hole, up to the one asked for. */
static bool check_chain(const char *run_id, int64_t seq, const store_checkpoint_t *chain, size_t n,
                        nv_error_t *err)
{
    if (n == 0)
        return nv_fail(err, NV_NOT_FOUND, "run %s: there is no checkpoint %" PRId64 " (or it was pruned)",
                       run_id, seq);
    if (seq != INT64_MAX && chain[n - 1].seq != seq)
        return nv_fail(err, NV_NOT_FOUND, "run %s: there is no checkpoint %" PRId64, run_id, seq);
    for (size_t i = 1; i < n; i++)
        if (!chain[i].snapshot && chain[i].parent != chain[i - 1].seq)
            return nv_fail(err, NV_DATA_LOSS,
                           "run %s: checkpoint %" PRId64 " needs %" PRId64 ", found %" PRId64, run_id,
                           chain[i].seq, chain[i].parent, chain[i - 1].seq);
    return true;
}

bool store_checkpoint_chain(store_t *store, nv_mem_t *ctx, const char *tenant, const char *run_id,
                            int64_t seq, store_checkpoint_t **out, size_t *n, nv_error_t *err)
{
    rows_t rows;
    if (seq <= 0)
        seq = INT64_MAX;
    if (!check_run_key(tenant, run_id, err) ||
        !rows_list(store, ctx, DB_CHECKPOINT_CHAIN, DB_PARAMS(db_s(tenant), db_s(run_id), db_i(seq)),
                   push_checkpoint_data, &rows, err))
        return false;
    *out = rows.list;
    *n = rows.count;
    return check_chain(run_id, seq, *out, *n, err);
}

static bool push_pending(db_row_t *row, void *arg, nv_error_t *err)
{
    (void)err;
    rows_t *rows = arg;
    *(store_pending_t *)rows_push(rows, sizeof(store_pending_t)) =
        (store_pending_t){.step = db_row_int(row, 0),
                          .task_id = db_row_text(row, 1, rows->ctx),
                          .data = db_row_copy(row, 2, rows->ctx)};
    return true;
}

bool store_pending_list(store_t *store, nv_mem_t *ctx, const char *tenant, const char *run_id,
                        int64_t after_step, store_pending_t **out, size_t *n, nv_error_t *err)
{
    rows_t rows;
    if (!check_run_key(tenant, run_id, err) ||
        !rows_list(store, ctx, DB_PENDING_LIST, DB_PARAMS(db_s(tenant), db_s(run_id), db_i(after_step)),
                   push_pending, &rows, err))
        return false;
    *out = rows.list;
    *n = rows.count;
    return true;
}
