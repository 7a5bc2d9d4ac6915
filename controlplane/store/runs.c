/* Reading runs, deleting one, and what all readers of a run's rows share. What hangs on a run: run_parts.c, history.c. */
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

bool row_get(store_t *store, nv_mem_t *ctx, db_statement_t statement, const db_param_t *params,
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

bool check_run_key(const char *tenant, const char *run_id, nv_error_t *err)
{
    return check_name("tenant", tenant, err) && check_name("run id", run_id, err);
}

bool store_run_get(store_t *store, nv_mem_t *ctx, const char *tenant, const char *run_id, store_run_t *out,
                   nv_error_t *err)
{
    return check_run_key(tenant, run_id, err) &&
           row_get(store, ctx, DB_RUN_GET, DB_PARAMS(db_s(tenant), db_s(run_id)), push_run, "run", run_id,
                   out, sizeof *out, err);
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
           row_get(store, ctx, DB_REQUEST_FIND, DB_PARAMS(db_s(tenant), db_s(request_id)), push_text,
                   "request", request_id, out_run_id, sizeof *out_run_id, err);
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
        DB_RUN_DELETE_REQUESTS, DB_RUN_DELETE_CHECKPOINTS, DB_RUN_DELETE_PENDING,   DB_RUN_DELETE_EVENTS,
        DB_RUN_DELETE_TASKS,    DB_RUN_DELETE_INTERRUPTS,  DB_RUN_DELETE_ARTIFACTS, DB_RUN_DELETE_DOCUMENTS,
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
    return check_run_key(tenant, run_id, err) && store_write(store, apply_deletion, &d, 0, err);
}
