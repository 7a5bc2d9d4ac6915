/* Reading runs and what hangs on them; deleting a run. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/store/internal.h"

enum { PAGE_DEFAULT = 100 };

static void fill_run(const db_row_t *row, nv_mem_t *ctx, store_run_t *out)
{
    *out = (store_run_t){
        .tenant = db_row_text(row, 0, ctx),
        .run_id = db_row_text(row, 1, ctx),
        .pool = db_row_text(row, 2, ctx),
        .state = db_row_text(row, 3, ctx),
        .reason = db_row_text(row, 4, ctx),
        .owner = db_row_text(row, 5, ctx),
        .forked_from = db_row_text(row, 6, ctx),
        .epoch = db_row_int(row, 7),
        .revision = db_row_int(row, 8),
        .last_event = db_row_int(row, 9),
        .last_checkpoint = db_row_int(row, 10),
        .created_unix_ms = db_row_int(row, 11),
        .finished_unix_ms = db_row_int(row, 12),
        .round = db_row_int(row, 13),
        .score = db_row_real(row, 14),
        .spec = db_row_copy(row, 15, ctx),
        .summary = db_row_copy(row, 16, ctx),
    };
}

static bool push_run(db_row_t *row, void *arg, nv_error_t *err)
{
    (void)err;
    rows_t *rows = arg;
    fill_run(row, rows->ctx, rows_push(rows, sizeof(store_run_t)));
    return true;
}

static bool get(store_t *store, nv_mem_t *ctx, db_statement_t statement, const db_param_t *params,
                size_t n_params, db_row_fn *row, const char *what, const char *name, void *out, size_t size,
                nv_error_t *err)
{
    rows_t rows;
    if (!rows_list(store, ctx, statement, params, n_params, row, &rows, err))
        return false;
    if (rows.count == 0)
        return nv_fail(err, NV_NOT_FOUND, "%s %s: there is none in this tenant", what, name);
    memcpy(out, rows.list, size);
    return true;
}

static bool check_key(const char *tenant, const char *run_id, nv_error_t *err)
{
    return check_name("tenant", tenant, err) && check_name("run id", run_id, err);
}

bool store_run_get(store_t *store, nv_mem_t *ctx, const char *tenant, const char *run_id, store_run_t *out,
                   nv_error_t *err)
{
    return check_key(tenant, run_id, err) &&
           get(store, ctx, DB_RUN_GET, DB_PARAMS(db_s(tenant), db_s(run_id)), push_run, "run", run_id, out,
               sizeof *out, err);
}

/* ---- paging: a token is "<created_ms>.<length of the tenant>.<tenant><run id>" of the last row ---- */

typedef struct cursor {
    int64_t created;
    char tenant[STORE_NAME_MAX + 1];
    char run_id[STORE_NAME_MAX + 1];
} cursor_t;

static char *token_of(nv_mem_t *ctx, const store_run_t *run)
{
    return nv_printf(ctx, "%" PRId64 ".%zu.%s%s", run->created_unix_ms, strlen(run->tenant), run->tenant,
                     run->run_id);
}

static bool parse_token(const char *token, cursor_t *out, nv_error_t *err)
{
    long long created;
    unsigned length;
    int used = 0;
    bool ok = check_text("page token", token, 3 * STORE_NAME_MAX, err) &&
              sscanf(token, "%18lld.%3u.%n", &created, &length, &used) == 2 && used > 0 &&
              length <= STORE_NAME_MAX && strlen(token + used) >= length &&
              strlen(token + used) - length <= STORE_NAME_MAX;
    if (!ok)
        return nv_fail(err, NV_INVALID_ARGUMENT, "page token: expected one that the previous page returned");
    out->created = created;
    snprintf(out->tenant, sizeof out->tenant, "%.*s", (int)length, token + used);
    snprintf(out->run_id, sizeof out->run_id, "%s", token + used + length);
    return true;
}

static bool take_cursor(const char *token, const cursor_t *start, cursor_t *out, nv_error_t *err)
{
    *out = *start;
    return !token || !*token || parse_token(token, out, err);
}

static bool take_page_size(int *page_size, nv_error_t *err)
{
    if (*page_size < 0)
        return nv_fail(err, NV_INVALID_ARGUMENT, "page size %d: expected 0 to %d", *page_size,
                       STORE_PAGE_MAX);
    if (*page_size == 0)
        *page_size = PAGE_DEFAULT;
    if (*page_size > STORE_PAGE_MAX)
        *page_size = STORE_PAGE_MAX;
    return true;
}

/* One row more was asked for than the page holds: its presence tells that there is a next page. */
static void end_page(nv_mem_t *ctx, rows_t *rows, int page_size, store_run_t **out, size_t *n,
                     char **next_token)
{
    *out = rows->list;
    *n = rows->count;
    *next_token = nv_strdup(ctx, "");
    if (rows->count <= (size_t)page_size)
        return;
    *n = (size_t)page_size;
    *next_token = token_of(ctx, &(*out)[page_size - 1]);
}

bool store_run_list(store_t *store, nv_mem_t *ctx, const char *tenant, const char *state, int page_size,
                    const char *page_token, store_run_t **out, size_t *n, char **next_token, nv_error_t *err)
{
    static const cursor_t newest = {.created = INT64_MAX};
    cursor_t c;
    if (!check_name("tenant", tenant, err) || !check_optional("state", state, err) ||
        !take_page_size(&page_size, err) || !take_cursor(page_token, &newest, &c, err))
        return false;
    rows_t rows;
    bool ok = state && *state
                  ? rows_list(store, ctx, DB_RUN_LIST_STATE,
                              DB_PARAMS(db_s(tenant), db_s(state), db_i(c.created), db_s(c.run_id),
                                        db_i(page_size + 1)),
                              push_run, &rows, err)
                  : rows_list(store, ctx, DB_RUN_LIST,
                              DB_PARAMS(db_s(tenant), db_i(c.created), db_s(c.run_id), db_i(page_size + 1)),
                              push_run, &rows, err);
    if (ok)
        end_page(ctx, &rows, page_size, out, n, next_token);
    return ok;
}

bool store_run_list_open(store_t *store, nv_mem_t *ctx, int page_size, const char *page_token,
                         store_run_t **out, size_t *n, char **next_token, nv_error_t *err)
{
    static const cursor_t oldest = {.created = -1};
    cursor_t c;
    if (!take_page_size(&page_size, err) || !take_cursor(page_token, &oldest, &c, err))
        return false;
    rows_t rows;
    if (!rows_list(store, ctx, DB_RUN_LIST_OPEN,
                   DB_PARAMS(db_i(c.created), db_s(c.tenant), db_s(c.run_id), db_i(page_size + 1)), push_run,
                   &rows, err))
        return false;
    end_page(ctx, &rows, page_size, out, n, next_token);
    return true;
}

static bool push_text(db_row_t *row, void *arg, nv_error_t *err)
{
    (void)err;
    rows_t *rows = arg;
    *(char **)rows_push(rows, sizeof(char *)) = db_row_text(row, 0, rows->ctx);
    return true;
}

bool store_request_find(store_t *store, nv_mem_t *ctx, const char *tenant, const char *request_id,
                        char **out_run_id, nv_error_t *err)
{
    return check_name("tenant", tenant, err) && check_name("request id", request_id, err) &&
           get(store, ctx, DB_REQUEST_FIND, DB_PARAMS(db_s(tenant), db_s(request_id)), push_text, "request",
               request_id, out_run_id, sizeof *out_run_id, err);
}

/* ---- deleting ---- */

typedef struct deletion {
    const char *tenant;
    const char *run_id;
    int64_t epoch;
} deletion_t;

static bool apply_deletion(db_t *db, void *arg, nv_error_t *err)
{
    static const db_statement_t parts[] = {
        DB_RUN_DELETE_REQUESTS,   DB_RUN_DELETE_CHECKPOINTS, DB_RUN_DELETE_PENDING,
        DB_RUN_DELETE_EVENTS,     DB_RUN_DELETE_TASKS,       DB_RUN_DELETE_TIMERS,
        DB_RUN_DELETE_INTERRUPTS, DB_RUN_DELETE_ARTIFACTS,   DB_RUN_DELETE_DOCUMENTS,
    };
    const deletion_t *d = arg;
    int64_t changes;
    if (!db_write(db, DB_RUN_DELETE, DB_PARAMS(db_s(d->tenant), db_s(d->run_id), db_i(d->epoch)), &changes,
                  err))
        return false;
    if (changes != 1)
        return nv_fail(err, NV_ABORTED, "run %s: there is none at epoch %" PRId64, d->run_id, d->epoch);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (!db_write(db, parts[i], DB_PARAMS(db_s(d->tenant), db_s(d->run_id)), NULL, err))
            return false;
    return true;
}

bool store_run_delete(store_t *store, const char *tenant, const char *run_id, int64_t expect_epoch,
                      nv_error_t *err)
{
    deletion_t d = {tenant, run_id, expect_epoch};
    return check_key(tenant, run_id, err) && store_write(store, apply_deletion, &d, 0, err);
}

/* ---- events, checkpoints, pending writes ---- */

static bool push_event(db_row_t *row, void *arg, nv_error_t *err)
{
    (void)err;
    rows_t *rows = arg;
    *(store_event_t *)rows_push(rows, sizeof(store_event_t)) =
        (store_event_t){.seq = db_row_int(row, 0), .data = db_row_copy(row, 1, rows->ctx)};
    return true;
}

static int limit_of(int limit)
{
    return limit <= 0 || limit > STORE_PAGE_MAX ? STORE_PAGE_MAX : limit;
}

bool store_event_list(store_t *store, nv_mem_t *ctx, const char *tenant, const char *run_id, int64_t after,
                      int limit, store_event_t **out, size_t *n, nv_error_t *err)
{
    rows_t rows;
    if (!check_key(tenant, run_id, err) ||
        !rows_list(store, ctx, DB_EVENT_LIST,
                   DB_PARAMS(db_s(tenant), db_s(run_id), db_i(after), db_i(limit_of(limit))), push_event,
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
    if (!check_key(tenant, run_id, err) ||
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
    if (!check_key(tenant, run_id, err) ||
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
    if (!check_key(tenant, run_id, err) ||
        !rows_list(store, ctx, DB_PENDING_LIST, DB_PARAMS(db_s(tenant), db_s(run_id), db_i(after_step)),
                   push_pending, &rows, err))
        return false;
    *out = rows.list;
    *n = rows.count;
    return true;
}

/* ---- tasks, timers, interrupts, artifacts ---- */

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

bool store_task_get(store_t *store, nv_mem_t *ctx, const char *tenant, const char *run_id,
                    const char *task_id, store_task_t *out, nv_error_t *err)
{
    return check_key(tenant, run_id, err) && check_name("task id", task_id, err) &&
           get(store, ctx, DB_TASK_GET, DB_PARAMS(db_s(tenant), db_s(run_id), db_s(task_id)), push_task,
               "task", task_id, out, sizeof *out, err);
}

bool store_task_list(store_t *store, nv_mem_t *ctx, const char *tenant, const char *run_id, bool open_only,
                     store_task_t **out, size_t *n, nv_error_t *err)
{
    rows_t rows;
    if (!check_key(tenant, run_id, err) ||
        !rows_list(store, ctx, open_only ? DB_TASK_LIST_OPEN : DB_TASK_LIST,
                   DB_PARAMS(db_s(tenant), db_s(run_id)), push_task, &rows, err))
        return false;
    *out = rows.list;
    *n = rows.count;
    return true;
}

static bool push_timer(db_row_t *row, void *arg, nv_error_t *err)
{
    (void)err;
    rows_t *rows = arg;
    nv_mem_t *ctx = rows->ctx;
    *(store_timer_t *)rows_push(rows, sizeof(store_timer_t)) = (store_timer_t){
        .tenant = db_row_text(row, 0, ctx),
        .run_id = db_row_text(row, 1, ctx),
        .timer_id = db_row_text(row, 2, ctx),
        .due_unix_ms = db_row_int(row, 3),
        .data = db_row_copy(row, 4, ctx),
    };
    return true;
}

bool store_timer_list(store_t *store, nv_mem_t *ctx, const char *tenant, const char *run_id,
                      store_timer_t **out, size_t *n, nv_error_t *err)
{
    rows_t rows;
    if (!check_key(tenant, run_id, err) ||
        !rows_list(store, ctx, DB_TIMER_LIST, DB_PARAMS(db_s(tenant), db_s(run_id)), push_timer, &rows, err))
        return false;
    *out = rows.list;
    *n = rows.count;
    return true;
}

bool store_timer_due(store_t *store, nv_mem_t *ctx, int64_t now_unix_ms, int limit, store_timer_t **out,
                     size_t *n, nv_error_t *err)
{
    rows_t rows;
    if (!rows_list(store, ctx, DB_TIMER_DUE, DB_PARAMS(db_i(now_unix_ms), db_i(limit_of(limit))), push_timer,
                   &rows, err))
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
    return check_key(tenant, run_id, err) && check_name("interrupt id", interrupt_id, err) &&
           get(store, ctx, DB_INTERRUPT_GET, DB_PARAMS(db_s(tenant), db_s(run_id), db_s(interrupt_id)),
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
    return check_key(tenant, run_id, err) && check_text("artifact name", name, STORE_PATH_MAX, err) &&
           get(store, ctx, DB_ARTIFACT_GET, DB_PARAMS(db_s(tenant), db_s(run_id), db_s(name)), push_artifact,
               "artifact", name, out, sizeof *out, err);
}

bool store_artifact_list(store_t *store, nv_mem_t *ctx, const char *tenant, const char *run_id,
                         store_artifact_t **out, size_t *n, nv_error_t *err)
{
    rows_t rows;
    if (!check_key(tenant, run_id, err) ||
        !rows_list(store, ctx, DB_ARTIFACT_LIST, DB_PARAMS(db_s(tenant), db_s(run_id)), push_artifact, &rows,
                   err))
        return false;
    *out = rows.list;
    *n = rows.count;
    return true;
}
