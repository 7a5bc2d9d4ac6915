/* /api/2.0/sql: warehouses and statements. */
#include "workspace/http.h"
#include "workspace/router.h"
#include "workspace/statement.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define WAREHOUSE "a0c1de5eb01d2026"

/* ---- warehouses: one, whose state is remembered but means little, for Spark runs anyway */

static bool warehouse_state(ws_app_t *app, nv_mem_t *mem, const char **out, nv_error_t *err)
{
    WS_DB_SCOPE ws_db_t *db = ws_db_lock(app->db);
    WS_ROWS_SCOPE ws_rows_t rows = {0};
    bool found = false;
    if (!ws_db_query(db, &rows, err, "SELECT state FROM warehouses WHERE id = ?", "t", WAREHOUSE) ||
        !ws_rows_next(&rows, &found, err)) {
        return false;
    }
    *out = found ? ws_rows_text(mem, &rows, 0) : "RUNNING";
    return true;
}

static bool set_warehouse_state(ws_app_t *app, const char *state, nv_error_t *err)
{
    WS_DB_SCOPE ws_db_t *db = ws_db_lock(app->db);
    return ws_db_run(db, err,
                     "INSERT INTO warehouses (id, name, state) VALUES (?1, 'Local Spark', ?2) "
                     "ON CONFLICT (id) DO UPDATE SET state = ?2",
                     "tt", WAREHOUSE, state);
}

static bool put_warehouse(ws_app_t *app, nv_json_writer_t *w, nv_error_t *err)
{
    const char *state = NULL;
    if (!warehouse_state(app, w->buf.ctx, &state, err)) {
        return false;
    }
    nv_json_open_object(w, NULL);
    nv_json_put_string(w, "id", WAREHOUSE);
    nv_json_put_string(w, "name", "Local Spark");
    nv_json_put_string(w, "cluster_size", "2X-Small");
    nv_json_put_string(w, "warehouse_type", "PRO");
    nv_json_put_bool(w, "enable_serverless_compute", false);
    nv_json_put_int64(w, "min_num_clusters", 1);
    nv_json_put_int64(w, "max_num_clusters", 1);
    nv_json_put_int64(w, "num_clusters", strcmp(state, "RUNNING") == 0);
    nv_json_put_int64(w, "auto_stop_mins", 0);
    nv_json_put_string(w, "creator_name", app->client_id);
    nv_json_put_string(w, "state", state);
    nv_json_open_object(w, "health");
    nv_json_put_string(w, "status", "HEALTHY");
    nv_json_put_string(w, "summary", "");
    nv_json_close_object(w);
    nv_json_close_object(w);
    return true;
}

static bool list_warehouses(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    nv_json_writer_t w = ws_reply_writer(request);
    nv_json_open_object(&w, NULL);
    nv_json_open_array(&w, "warehouses");
    if (!put_warehouse(app, &w, err)) {
        return false;
    }
    nv_json_close_array(&w);
    nv_json_close_object(&w);
    return ws_reply_json(request, &w, err);
}

static bool check_warehouse(const char *id, nv_error_t *err)
{
    return strcmp(id, WAREHOUSE) == 0 ||
           nv_fail(err, NV_NOT_FOUND, "SQL warehouse %.100s does not exist.", id);
}

static bool get_warehouse(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    nv_json_writer_t w = ws_reply_writer(request);
    return check_warehouse(request->params[0], err) && put_warehouse(app, &w, err) &&
           ws_reply_json(request, &w, err);
}

static bool start_warehouse(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    return check_warehouse(request->params[0], err) && set_warehouse_state(app, "RUNNING", err) &&
           ws_reply_empty(request);
}

static bool stop_warehouse(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    return check_warehouse(request->params[0], err) && set_warehouse_state(app, "STOPPED", err) &&
           ws_reply_empty(request);
}

/* ---- replies of statements */

static const char *link_purpose(nv_mem_t *mem, const char *id, int64_t chunk)
{
    return nv_printf(mem, "link:%s/%" PRId64, id, chunk);
}

static const nv_json_t *chunk_of(const ws_statement_t *statement, int64_t index)
{
    const nv_json_t *chunks = nv_json_member(statement->reply, "chunks");
    return index >= 0 ? nv_json_at(chunks, (size_t)index) : NULL;
}

static bool read_chunk(ws_app_t *app, nv_mem_t *mem, const char *id, int64_t index, char **text,
                       size_t *length, nv_error_t *err)
{
    const char *path = ws_statement_chunk_path(app, mem, id, index);
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        return nv_fail_errno(err, errno, "result chunk %" PRId64 " of statement %s", index, id);
    }
    *text = nv_alloc(mem, (size_t)st.st_size + 1);
    *length = 0;
    for (ssize_t n = 1; n > 0 && *length<(size_t)st.st_size; *length += n> 0 ? (size_t)n : 0) {
        n = read(fd, *text + *length, (size_t)st.st_size - *length);
    }
    close(fd);
    return *length == (size_t)st.st_size || nv_fail(err, NV_DATA_LOSS, "%s is shorter than it was", path);
}

static void put_link(nv_json_writer_t *w, ws_app_t *app, const ws_statement_t *statement, int64_t index)
{
    nv_mem_t *mem = w->buf.ctx;
    int64_t expires = ws_now_ms() / 1000 + WS_LINK_TTL_S;
    time_t when = (time_t)expires;
    struct tm utc;
    char text[40];
    gmtime_r(&when, &utc);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S.000Z", &utc);
    const char *token = ws_token_issue(mem, app->token_key, link_purpose(mem, statement->id, index), expires);
    nv_json_put_string(w, "external_link",
                       nv_printf(mem, "%s/external-links/%s/%" PRId64 "?signature=%s", app->base_url,
                                 statement->id, index, token));
    nv_json_put_string(w, "expiration", text);
}

/* The fields of one chunk into the open object. */
static bool put_chunk(nv_json_writer_t *w, ws_app_t *app, const ws_statement_t *statement, int64_t index,
                      nv_error_t *err)
{
    const nv_json_t *chunk = chunk_of(statement, index);
    bool external = strcmp(statement->disposition, "EXTERNAL_LINKS") == 0;
    if (external) {
        nv_json_open_array(w, "external_links");
        nv_json_open_object(w, NULL);
        put_link(w, app, statement, index);
        nv_json_put_value(w, "byte_count", nv_json_member(chunk, "byte_count"));
    }
    nv_json_put_int64(w, "chunk_index", index);
    nv_json_put_value(w, "row_offset", nv_json_member(chunk, "row_offset"));
    nv_json_put_value(w, "row_count", nv_json_member(chunk, "row_count"));
    if (chunk_of(statement, index + 1)) {
        nv_json_put_int64(w, "next_chunk_index", index + 1);
        nv_json_put_string(w, "next_chunk_internal_link",
                           nv_printf(w->buf.ctx, "/api/2.0/sql/statements/%s/result/chunks/%" PRId64,
                                     statement->id, index + 1));
    }
    if (external) {
        nv_json_close_object(w);
        nv_json_close_array(w);
        return true;
    }
    char *text = NULL;
    size_t length = 0;
    if (!read_chunk(app, w->buf.ctx, statement->id, index, &text, &length, err)) {
        return false;
    }
    nv_json_put_raw(w, "data_array", text);
    return true;
}

static void put_manifest(nv_json_writer_t *w, const ws_statement_t *statement)
{
    const nv_json_t *reply = statement->reply;
    const nv_json_t *chunks = nv_json_member(reply, "chunks");
    nv_json_open_object(w, "manifest");
    nv_json_put_string(w, "format", statement->format);
    nv_json_open_object(w, "schema");
    nv_json_put_int64(w, "column_count", (int64_t)nv_json_size(nv_json_member(reply, "columns")));
    nv_json_put_value(w, "columns", nv_json_member(reply, "columns"));
    nv_json_close_object(w);
    nv_json_put_int64(w, "total_chunk_count", (int64_t)nv_json_size(chunks));
    nv_json_put_value(w, "chunks", chunks);
    nv_json_put_value(w, "total_row_count", nv_json_member(reply, "total_row_count"));
    nv_json_put_value(w, "total_byte_count", nv_json_member(reply, "total_byte_count"));
    nv_json_put_bool(w, "truncated", nv_json_bool_or(reply, "truncated", false));
    nv_json_close_object(w);
}

/* PENDING while it waits for Spark to start, RUNNING once Spark has it. */
static const char *shown_state(ws_app_t *app, nv_mem_t *mem, const char *state)
{
    const char *reason = NULL;
    bool waiting = strcmp(state, "PENDING") == 0;
    bool ready = waiting && ws_kernel_status(app->kernel, mem, &reason) == WS_KERNEL_READY;
    return ready ? "RUNNING" : state;
}

static bool reply_statement(ws_app_t *app, ws_request_t *request, const char *id, nv_error_t *err)
{
    ws_statement_t statement;
    if (!ws_statement_get(app, request->mem, id, &statement, err)) {
        return false;
    }
    nv_json_writer_t w = ws_reply_writer(request);
    nv_json_open_object(&w, NULL);
    nv_json_put_string(&w, "statement_id", id);
    nv_json_open_object(&w, "status");
    nv_json_put_string(&w, "state", shown_state(app, request->mem, statement.state));
    if (strcmp(statement.state, "FAILED") == 0) {
        nv_json_open_object(&w, "error");
        nv_json_put_string(&w, "error_code",
                           nv_json_string_or(statement.reply, "error_code", "INTERNAL_ERROR"));
        nv_json_put_string(&w, "message",
                           nv_json_string_or(statement.reply, "message", "the statement failed"));
        nv_json_close_object(&w);
    }
    nv_json_close_object(&w);
    if (strcmp(statement.state, "SUCCEEDED") == 0) {
        put_manifest(&w, &statement);
        nv_json_open_object(&w, "result");
        if (!put_chunk(&w, app, &statement, 0, err)) {
            return false;
        }
        nv_json_close_object(&w);
    }
    nv_json_close_object(&w);
    return ws_reply_json(request, &w, err);
}

/* ---- calls */

/* "0s", or "5s" to "50s". */
static bool read_wait(const nv_json_t *body, int64_t *ms, nv_error_t *err)
{
    const char *text = nv_json_string_or(body, "wait_timeout", "10s");
    char *end = NULL;
    long seconds = strtol(text, &end, 10);
    if (end == text || strcmp(end, "s") != 0 || (seconds != 0 && (seconds < 5 || seconds > 50))) {
        return nv_fail(err, NV_INVALID_ARGUMENT, "wait_timeout: expected 0s or 5s to 50s, got \"%.20s\"",
                       text);
    }
    *ms = seconds * 1000;
    return true;
}

static bool one_of(const nv_json_t *body, const char *name, const char *fallback, const char *const *allowed,
                   nv_error_t *err)
{
    const char *text = nv_json_string_or(body, name, fallback);
    for (size_t i = 0; allowed[i]; i++) {
        if (strcmp(allowed[i], text) == 0) {
            return true;
        }
    }
    return nv_fail(err, NV_INVALID_ARGUMENT, "%s: %.40s is not supported by the local workspace", name, text);
}

static bool check_statement(const nv_json_t *body, nv_error_t *err)
{
    static const char *const dispositions[] = {"INLINE", "EXTERNAL_LINKS", NULL};
    static const char *const formats[] = {"JSON_ARRAY", "CSV", NULL};
    static const char *const timeouts[] = {"CONTINUE", "CANCEL", NULL};
    if (!one_of(body, "disposition", "INLINE", dispositions, err) ||
        !one_of(body, "format", "JSON_ARRAY", formats, err) ||
        !one_of(body, "on_wait_timeout", "CONTINUE", timeouts, err)) {
        return false;
    }
    if (strcmp(nv_json_string_or(body, "disposition", "INLINE"), "INLINE") == 0 &&
        strcmp(nv_json_string_or(body, "format", "JSON_ARRAY"), "JSON_ARRAY") != 0) {
        return nv_fail(err, NV_INVALID_ARGUMENT,
                       "format: with disposition INLINE only JSON_ARRAY is supported");
    }
    const nv_json_t *parameters = nv_json_member(body, "parameters");
    for (size_t i = 0; i < nv_json_size(parameters); i++) {
        const char *name = NULL;
        if (!nv_json_string(nv_json_at(parameters, i), "name", &name, err)) {
            return nv_wrap(err, "parameters[%zu]", i);
        }
    }
    return true;
}

static bool execute(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    const char *text = NULL;
    const char *warehouse = NULL;
    const char *id = NULL;
    int64_t wait_ms = 0;
    if (!ws_need_text(request, "warehouse_id", &warehouse, err) || !check_warehouse(warehouse, err) ||
        !ws_need_text(request, "statement", &text, err) || !check_statement(request->json, err) ||
        !read_wait(request->json, &wait_ms, err) ||
        !ws_statement_start(app, request->mem, request->json, &id, err)) {
        return false;
    }
    ws_statement_wait(app, id, wait_ms);
    if (wait_ms > 0 &&
        strcmp(nv_json_string_or(request->json, "on_wait_timeout", "CONTINUE"), "CANCEL") == 0) {
        ws_statement_cancel(app, id);
        ws_statement_wait(app, id, 10000);
    }
    return reply_statement(app, request, id, err);
}

static bool get_statement(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    return reply_statement(app, request, request->params[0], err);
}

static bool cancel_statement(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    ws_statement_t statement;
    if (!ws_statement_get(app, request->mem, request->params[0], &statement, err)) {
        return false;
    }
    ws_statement_cancel(app, statement.id);
    return ws_reply_empty(request);
}

static bool get_chunk(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    ws_statement_t statement;
    if (!ws_statement_get(app, request->mem, request->params[0], &statement, err)) {
        return false;
    }
    int64_t index = strtoll(request->params[1], NULL, 10);
    if (!chunk_of(&statement, index)) {
        return nv_fail(err, NV_NOT_FOUND, "statement %s has no result chunk %.20s", statement.id,
                       request->params[1]);
    }
    nv_json_writer_t w = ws_reply_writer(request);
    nv_json_open_object(&w, NULL);
    if (!put_chunk(&w, app, &statement, index, err)) {
        return false;
    }
    nv_json_close_object(&w);
    return ws_reply_json(request, &w, err);
}

/* What an external link points to: no token but the link's own signature. */
static bool external_link(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    int64_t index = strtoll(request->params[1], NULL, 10);
    const char *purpose = link_purpose(request->mem, request->params[0], index);
    ws_statement_t statement;
    char *text = NULL;
    if (!ws_token_check(app->token_key, purpose, ws_query(request, "signature"), ws_now_ms() / 1000, err)) {
        return ws_refuse(request, err, 403, "PERMISSION_DENIED", "the link is not valid or has expired");
    }
    if (request->authorization) {
        return nv_fail(err, NV_INVALID_ARGUMENT, "an external link takes no Authorization header");
    }
    if (!ws_statement_get(app, request->mem, request->params[0], &statement, err) ||
        !read_chunk(app, request->mem, statement.id, index, &text, &request->reply.length, err)) {
        return false;
    }
    request->reply.body = text;
    request->reply.content_type = strcmp(statement.format, "CSV") == 0 ? "text/csv" : "application/json";
    return true;
}

const ws_route_t ws_routes_statements[] = {
    {"GET", "/api/2.0/sql/warehouses", list_warehouses, 0},
    {"GET", "/api/2.0/sql/warehouses/{id}", get_warehouse, 0},
    {"POST", "/api/2.0/sql/warehouses/{id}/start", start_warehouse, 0},
    {"POST", "/api/2.0/sql/warehouses/{id}/stop", stop_warehouse, 0},
    {"POST", "/api/2.0/sql/statements", execute, 0},
    {"POST", "/api/2.0/sql/statements/", execute, 0},
    {"GET", "/api/2.0/sql/statements/{id}", get_statement, 0},
    {"POST", "/api/2.0/sql/statements/{id}/cancel", cancel_statement, 0},
    {"GET", "/api/2.0/sql/statements/{id}/result/chunks/{n}", get_chunk, 0},
    {"GET", "/external-links/{id}/{n}", external_link, WS_ROUTE_OPEN},
    {0},
};
