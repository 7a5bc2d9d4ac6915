#include "workspace/statement.h"

#include <ftw.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { MAX_REPLY = 16 * 1024 * 1024 };

/* A statement that the kernel has. */
typedef struct live {
    char id[40];
    int64_t kernel_id;
    ws_app_t *app;
    bool canceled;
    struct live *next;
} live_t;

struct ws_statements {
    pthread_mutex_t lock;
    pthread_cond_t ended;
    live_t *live;
};

ws_statements_t *ws_statements_new(ws_app_t *app)
{
    ws_statements_t *statements = NV_NEW(NULL, ws_statements_t);
    pthread_mutex_init(&statements->lock, NULL);
    pthread_cond_init(&statements->ended, NULL);
    NV_MEM_SCOPE nv_mem_t *mem = nv_mem_root("statements");
    mkdir(nv_printf(mem, "%s/statements", app->state_dir), 0700);
    return statements;
}

void ws_statements_free(ws_statements_t *statements)
{
    nv_mem_free(statements);
}

static const char *folder(ws_app_t *app, nv_mem_t *mem, const char *id)
{
    return nv_printf(mem, "%s/statements/%s", app->state_dir, id);
}

const char *ws_statement_chunk_path(ws_app_t *app, nv_mem_t *mem, const char *id, int64_t chunk)
{
    return nv_printf(mem, "%s/chunk-%" PRId64, folder(app, mem, id), chunk);
}

/* ---- the end of a statement */

static bool is_final(const char *state)
{
    return strcmp(state, "PENDING") != 0 && strcmp(state, "RUNNING") != 0;
}

static bool store_end(ws_app_t *app, const char *id, const char *state, const char *reply, nv_error_t *err)
{
    WS_DB_SCOPE ws_db_t *db = ws_db_lock(app->db);
    return ws_db_run(db, err,
                     "UPDATE statements SET state = ?, reply = ? WHERE statement_id = ? AND state IN "
                     "('PENDING', 'RUNNING')",
                     "ttt", state, reply, id);
}

/* {"error_code","message"} for a statement that the kernel did not answer. */
static const char *failure_text(nv_mem_t *mem, const nv_error_t *failure)
{
    nv_json_writer_t w = nv_json_writer_make(mem, 65536, false);
    nv_json_open_object(&w, NULL);
    nv_json_put_string(&w, "error_code",
                       failure->code == NV_RESOURCE_EXHAUSTED ? "RESOURCE_EXHAUSTED"
                                                              : "TEMPORARILY_UNAVAILABLE");
    nv_json_put_string(&w, "message", failure->message);
    nv_json_close_object(&w);
    char *text = NULL;
    nv_error_t err = NV_ERROR_INIT;
    return nv_json_write_end(&w, "statement failure", &text, NULL, &err) ? text : "{}";
}

static void take_off(ws_statements_t *statements, live_t *gone)
{
    pthread_mutex_lock(&statements->lock);
    for (live_t **at = &statements->live; *at; at = &(*at)->next) {
        if (*at == gone) {
            *at = gone->next;
            break;
        }
    }
    pthread_cond_broadcast(&statements->ended);
    pthread_mutex_unlock(&statements->lock);
}

static void on_done(void *arg, const nv_json_t *result, const nv_error_t *failure)
{
    live_t *live = arg;
    ws_app_t *app = live->app;
    NV_MEM_SCOPE nv_mem_t *mem = nv_mem_root("statement end");
    nv_error_t err = NV_ERROR_INIT;
    const char *state = result ? nv_json_string_or(result, "state", "FAILED") : "FAILED";
    char *reply = NULL;
    if (result) {
        nv_json_writer_t w = nv_json_writer_make(mem, MAX_REPLY, false);
        nv_json_put_value(&w, NULL, result);
        if (!nv_json_write_end(&w, "statement result", &reply, NULL, &err)) {
            state = "FAILED";
        }
    }
    if (!reply) {
        reply = nv_strdup(mem, failure_text(mem, failure ? failure : &err));
    }
    pthread_mutex_lock(&app->statements->lock);
    bool canceled = live->canceled;
    pthread_mutex_unlock(&app->statements->lock);
    if (canceled && strcmp(state, "SUCCEEDED") != 0) {
        state = "CANCELED";
    }
    if (!store_end(app, live->id, state, reply, &err)) {
        nv_log(app->log, NV_ERROR, "statement", "the end of a statement was not stored", "error", err.message,
               NULL);
    }
    take_off(app->statements, live);
    nv_mem_free(live);
}

bool ws_statements_fail_orphans(ws_db_t *locked, const char *message, nv_error_t *err)
{
    return ws_db_run(
        locked, err,
        "UPDATE statements SET state = 'FAILED', reply = json_object('error_code', 'INTERNAL_ERROR', "
        "'message', ?) WHERE state IN ('PENDING', 'RUNNING')",
        "t", message);
}

/* ---- old results */

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)st;
    (void)type;
    (void)where;
    return remove(path);
}

static void forget_old(ws_app_t *app, nv_mem_t *mem)
{
    nv_error_t err = NV_ERROR_INIT;
    int64_t before = ws_now_ms() - WS_RESULT_TTL_MS;
    bool more = true;
    while (more) {
        const char *id = NULL;
        {
            WS_DB_SCOPE ws_db_t *db = ws_db_lock(app->db);
            WS_ROWS_SCOPE ws_rows_t rows = {0};
            if (!ws_db_query(
                    db, &rows, &err,
                    "DELETE FROM statements WHERE statement_id = (SELECT statement_id FROM statements WHERE "
                    "created_at < ? AND state NOT IN ('PENDING', 'RUNNING') LIMIT 1) RETURNING statement_id",
                    "i", before) ||
                !ws_rows_next(&rows, &more, &err)) {
                return;
            }
            id = more ? ws_rows_text(mem, &rows, 0) : NULL;
        }
        if (id) {
            nftw(folder(app, mem, id), remove_entry, 8, FTW_DEPTH | FTW_PHYS);
        }
    }
}

/* ---- start */

static void put_request(nv_json_writer_t *w, ws_app_t *app, nv_mem_t *mem, const nv_json_t *body,
                        const char *id)
{
    static const char *const passed[] = {"statement",  "catalog",   "schema",
                                         "parameters", "row_limit", "byte_limit"};
    for (size_t i = 0; i < sizeof passed / sizeof *passed; i++) {
        const nv_json_t *value = nv_json_member(body, passed[i]);
        if (nv_json_kind(value) != NV_JSON_NULL) {
            nv_json_put_value(w, passed[i], value);
        }
    }
    nv_json_put_string(w, "disposition", nv_json_string_or(body, "disposition", "INLINE"));
    nv_json_put_string(w, "format", nv_json_string_or(body, "format", "JSON_ARRAY"));
    nv_json_put_string(w, "dir", folder(app, mem, id));
    nv_json_put_int64(w, "chunk_bytes", app->chunk_bytes);
    nv_json_put_int64(w, "inline_bytes", WS_INLINE_BYTES);
}

bool ws_statement_start(ws_app_t *app, nv_mem_t *mem, const nv_json_t *body, const char **id, nv_error_t *err)
{
    forget_old(app, mem);
    *id = ws_random_uuid(mem);
    {
        WS_DB_SCOPE ws_db_t *db = ws_db_lock(app->db);
        if (!ws_db_run(db, err,
                       "INSERT INTO statements (statement_id, state, disposition, format, created_at) "
                       "VALUES (?, 'PENDING', ?, ?, ?)",
                       "ttti", *id, nv_json_string_or(body, "disposition", "INLINE"),
                       nv_json_string_or(body, "format", "JSON_ARRAY"), ws_now_ms())) {
            return false;
        }
    }
    nv_json_writer_t w;
    live_t *live = NV_NEW(NULL, live_t);
    snprintf(live->id, sizeof live->id, "%s", *id);
    live->app = app;
    live->kernel_id = ws_kernel_begin(app->kernel, mem, "statement", &w);
    put_request(&w, app, mem, body, *id);
    int64_t kernel_id = live->kernel_id;
    pthread_mutex_lock(&app->statements->lock);
    live->next = app->statements->live;
    app->statements->live = live;
    pthread_mutex_unlock(&app->statements->lock);
    ws_kernel_submit(app->kernel, kernel_id, &w, on_done, live);
    return true;
}

static live_t *find_live(ws_statements_t *statements, const char *id)
{
    live_t *live = statements->live;
    while (live && strcmp(live->id, id) != 0) {
        live = live->next;
    }
    return live;
}

void ws_statement_wait(ws_app_t *app, const char *id, int64_t wait_ms)
{
    int64_t until = ws_now_ms() + wait_ms;
    struct timespec deadline = {.tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000};
    pthread_mutex_lock(&app->statements->lock);
    while (find_live(app->statements, id) && ws_now_ms() < until) {
        pthread_cond_timedwait(&app->statements->ended, &app->statements->lock, &deadline);
    }
    pthread_mutex_unlock(&app->statements->lock);
}

void ws_statement_cancel(ws_app_t *app, const char *id)
{
    int64_t kernel_id = 0;
    pthread_mutex_lock(&app->statements->lock);
    live_t *live = find_live(app->statements, id);
    if (live) {
        live->canceled = true;
        kernel_id = live->kernel_id;
    }
    pthread_mutex_unlock(&app->statements->lock);
    if (kernel_id) {
        ws_kernel_cancel(app->kernel, kernel_id);
    }
}

bool ws_statement_get(ws_app_t *app, nv_mem_t *mem, const char *id, ws_statement_t *out, nv_error_t *err)
{
    WS_DB_SCOPE ws_db_t *db = ws_db_lock(app->db);
    WS_ROWS_SCOPE ws_rows_t rows = {0};
    bool found = false;
    if (!ws_db_query(db, &rows, err,
                     "SELECT state, disposition, format, reply FROM statements WHERE statement_id = ?", "t",
                     id) ||
        !ws_rows_next(&rows, &found, err)) {
        return false;
    }
    if (!found) {
        return nv_fail(err, NV_NOT_FOUND, "The statement %.60s was not found.", id);
    }
    *out = (ws_statement_t){.id = id,
                            .state = ws_rows_text(mem, &rows, 0),
                            .disposition = ws_rows_text(mem, &rows, 1),
                            .format = ws_rows_text(mem, &rows, 2)};
    const char *reply = ws_rows_text(mem, &rows, 3);
    return !reply || !is_final(out->state) ||
           nv_json_parse(mem, "statement", reply, strlen(reply), &out->reply, err);
}
