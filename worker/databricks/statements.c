/* One statement of the SQL Statement Execution API: submit, poll, fetch chunks. */
#include "worker/databricks/statement.h"

#include <string.h>

enum {
    STATEMENT_MAX = 16 * 1024 * 1024,
    DEFAULT_RESULT_BYTES = 64 * 1024 * 1024,
    CHUNK_MAX = 64 * 1024 * 1024
};

static bool request_body(execution_t *e, const char *wait, char **out, nv_error_t *err)
{
    const databricks_statement_t *s = e->statement;
    nv_json_writer_t w = nv_json_writer_make(e->ctx, 2 * STATEMENT_MAX, false);
    nv_json_open_object(&w, NULL);
    nv_json_put_string(&w, "warehouse_id", s->warehouse_id);
    nv_json_put_string(&w, "statement", s->sql);
    if (s->catalog && *s->catalog)
        nv_json_put_string(&w, "catalog", s->catalog);
    if (s->schema && *s->schema)
        nv_json_put_string(&w, "schema", s->schema);
    if (s->n_parameters > 0) {
        nv_json_open_array(&w, "parameters");
        for (size_t i = 0; i < s->n_parameters; i++) {
            nv_json_open_object(&w, NULL);
            nv_json_put_string(&w, "name", s->parameters[i].name);
            if (s->parameters[i].value)
                nv_json_put_string(&w, "value", s->parameters[i].value);
            nv_json_close_object(&w);
        }
        nv_json_close_array(&w);
    }
    if (s->row_limit > 0)
        nv_json_put_int64(&w, "row_limit", s->row_limit);
    nv_json_put_string(&w, "disposition", e->external ? "EXTERNAL_LINKS" : "INLINE");
    nv_json_put_string(&w, "format", "JSON_ARRAY");
    nv_json_put_string(&w, "wait_timeout", wait);
    nv_json_put_string(&w, "on_wait_timeout", "CONTINUE");
    nv_json_close_object(&w);
    return nv_json_write_end(&w, "statement", out, NULL, err);
}

void statement_give_up(execution_t *e, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("cancel");
    nv_error_t ignored = NV_ERROR_INIT;
    if (e->state != STATEMENT_RUNS)
        return;
    databricks_shield(e->db, true);
    if (!db_post(e->db, nv_printf(ctx, "/api/2.0/sql/statements/%s/cancel", nv_url_escape(ctx, e->id)), "{}",
                 true, &ignored))
        nv_wrap(err, "statement %s may go on (%.200s)", e->id, ignored.message);
    databricks_shield(e->db, false);
    e->state = STATEMENT_ENDED;
}

static bool read_columns(execution_t *e, const nv_json_t *root, nv_error_t *err)
{
    const nv_json_t *columns = nv_json_get(root, "manifest.schema.columns");
    e->result.n_columns = nv_json_size(columns);
    e->result.columns = NV_NEW_ARRAY(e->ctx, databricks_column_t, e->result.n_columns);
    for (size_t i = 0; i < e->result.n_columns; i++) {
        const nv_json_t *column = nv_json_at(columns, i);
        if (!nv_json_string(column, "name", &e->result.columns[i].name, err))
            return false;
        e->result.columns[i].type_text = nv_json_string_or(column, "type_text", "");
        e->result.columns[i].type_name = nv_json_string_or(column, "type_name", "");
    }
    e->result.truncated = nv_json_bool_or(root, "manifest.truncated", false);
    return true;
}

static bool add_rows(execution_t *e, const nv_json_t *rows, nv_error_t *err)
{
    size_t limit = e->statement->max_bytes ? e->statement->max_bytes : DEFAULT_RESULT_BYTES;
    for (size_t i = 0; i < nv_json_size(rows); i++) {
        const nv_json_t *row = nv_json_at(rows, i);
        if (nv_json_size(row) != e->result.n_columns)
            return nv_fail(err, NV_INTERNAL, "row %zu has %zu cells: expected %zu", e->result.n_rows,
                           nv_json_size(row), e->result.n_columns);
        for (size_t c = 0; c < e->result.n_columns; c++) {
            const char *cell = nv_json_scalar_text(nv_json_at(row, c));
            e->bytes += sizeof cell + (cell ? strlen(cell) : 0);
            NV_PUSH(e->ctx, e->result.cells, e->n_cells, e->capacity) = cell;
        }
        e->result.n_rows++;
        if (e->bytes > limit)
            return nv_fail(err, NV_RESOURCE_EXHAUSTED, "the result is larger than %zu bytes", limit);
    }
    return true;
}

/* The rows behind one external link. It is signed by itself: our authorization must not go there. */
static bool fetch_link(execution_t *e, const nv_json_t *link, nv_error_t *err)
{
    const char *url;
    if (!nv_json_string(link, "external_link", &url, err))
        return false;
    if (!nv_url_is_safe(url))
        return nv_fail(err, NV_INTERNAL, "the external link of a result is not https");
    const nv_json_t *given = nv_json_get(link, "http_headers");
    size_t n = nv_json_size(given);
    nv_http_header_t *headers = NV_NEW_ARRAY(e->ctx, nv_http_header_t, n);
    for (size_t i = 0; i < n; i++) {
        const char *value = nv_json_scalar_text(nv_json_at(given, i));
        headers[i] = (nv_http_header_t){nv_json_key_at(given, i), value ? value : ""};
    }
    nv_http_request_t request = {
        .method = "GET", .url = url, .headers = headers, .n_headers = n, .max_response = CHUNK_MAX};
    nv_http_retry_t retry = {.idempotent = true};
    nv_http_response_t reply;
    const nv_json_t *rows;
    if (!nv_http_send_retrying(db_http(e->db), e->ctx, &request, &retry, &reply, err))
        return false;
    if (reply.status != 200)
        return nv_fail(err, nv_http_status_code(reply.status), "the external link of a result answered %d",
                       reply.status);
    return nv_json_parse(e->ctx, "external link", reply.body, reply.body_length, &rows, err) &&
           add_rows(e, rows, err);
}

/* One chunk, inline or as links; *next is the number of the one after it, or -1. */
static bool add_chunk(execution_t *e, const nv_json_t *result, int64_t *next, nv_error_t *err)
{
    const nv_json_t *links = nv_json_get(result, "external_links");
    *next = nv_json_int64_or(result, "next_chunk_index", -1);
    for (size_t i = 0; i < nv_json_size(links); i++) {
        if (!fetch_link(e, nv_json_at(links, i), err))
            return false;
        *next = nv_json_int64_or(nv_json_at(links, i), "next_chunk_index", -1);
    }
    return links ? true : add_rows(e, nv_json_get(result, "data_array"), err);
}

static bool fetch_rows(execution_t *e, const nv_json_t *root, nv_error_t *err)
{
    int64_t chunk = 0;
    int64_t next;
    if (!add_chunk(e, nv_json_get(root, "result"), &next, err))
        return false;
    while (next >= 0) {
        const nv_json_t *result;
        if (next <= chunk)
            return nv_fail(err, NV_INTERNAL, "the chunks of the result go round in circles");
        chunk = next;
        char *path = nv_printf(e->ctx, "/api/2.0/sql/statements/%s/result/chunks/%lld",
                               nv_url_escape(e->ctx, e->id), (long long)chunk);
        if (!db_get(e->db, e->ctx, path, &result, err) || !add_chunk(e, result, &next, err))
            return false;
    }
    return true;
}

static nv_code_t failure_class(const char *code)
{
    static const struct {
        const char *code;
        nv_code_t class;
    } classes[] = {
        {"TEMPORARILY_UNAVAILABLE", NV_UNAVAILABLE},
        {"SERVICE_UNDER_MAINTENANCE", NV_UNAVAILABLE},
        {"WORKSPACE_TEMPORARILY_UNAVAILABLE", NV_UNAVAILABLE},
        {"DEADLINE_EXCEEDED", NV_DEADLINE_EXCEEDED},
        {"RESOURCE_EXHAUSTED", NV_RESOURCE_EXHAUSTED},
        {"UNAUTHENTICATED", NV_UNAUTHENTICATED},
        {"NOT_FOUND", NV_NOT_FOUND},
        {"ALREADY_EXISTS", NV_ALREADY_EXISTS},
        {"CANCELLED", NV_CANCELLED},
        {"ABORTED", NV_ABORTED},
    };
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
        if (strcmp(code, classes[i].code) == 0)
            return classes[i].class;
    return NV_FAILED_PRECONDITION;
}

static bool needs_links(const nv_json_t *root)
{
    const char *message = nv_json_string_or(root, "status.error.message", "");
    return strcasestr(message, "inline byte limit") || strstr(message, "EXTERNAL_LINKS");
}

static bool send(execution_t *e, const char *wait, nv_error_t *err)
{
    char *body;
    const char *id;
    if (strlen(e->statement->sql) > STATEMENT_MAX)
        return nv_fail(err, NV_INVALID_ARGUMENT, "statement of more than %d bytes", STATEMENT_MAX);
    if (!request_body(e, wait, &body, err))
        return false;
    db_call_t call = {.method = "POST",
                      .path = "/api/2.0/sql/statements",
                      .body = body,
                      .idempotent = e->statement->repeatable,
                      .max_response = CHUNK_MAX};
    if (!db_call(e->db, e->ctx, &call, &e->answer, err)) {
        if (db_was_ambiguous(e->db) && !e->statement->repeatable)
            nv_wrap(err, "the answer was lost, the statement may have run");
        return false;
    }
    if (!nv_json_string(e->answer, "statement_id", &id, err))
        return false;
    e->id = nv_strdup(e->ctx, id);
    return true;
}

static bool read_answer(execution_t *e, nv_error_t *err)
{
    const char *state = nv_json_string_or(e->answer, "status.state", "");
    if (strcmp(state, "SUCCEEDED") == 0)
        return read_columns(e, e->answer, err) && fetch_rows(e, e->answer, err);
    const char *code = nv_json_string_or(e->answer, "status.error.error_code", "");
    return nv_fail(err, strcmp(state, "CANCELED") == 0 ? NV_CANCELLED : failure_class(code),
                   "statement %s %s%s%s: %.1200s", e->id, state, *code ? " " : "", code,
                   nv_json_string_or(e->answer, "status.error.message", ""));
}

static void end(execution_t *e, bool ok)
{
    e->state = STATEMENT_ENDED;
    e->ok = ok;
    e->result.milliseconds = db_now_ms() - e->start_ms;
}

/* What the last answer means: it runs on, it has ended, or it is to be asked again for links. */
static void take_answer(execution_t *e)
{
    const char *state = nv_json_string_or(e->answer, "status.state", "");
    if (strcmp(state, "PENDING") == 0 || strcmp(state, "RUNNING") == 0) {
        e->state = STATEMENT_RUNS;
        e->poll_after_ms = db_next_poll_ms(e->poll_after_ms);
        e->poll_at_ms = db_now_ms() + e->poll_after_ms;
    } else if (strcmp(state, "FAILED") == 0 && needs_links(e->answer) && e->statement->repeatable &&
               !e->external) {
        e->external = true;
        e->state = STATEMENT_NEW;
    } else {
        end(e, read_answer(e, &e->failure));
    }
}

void statement_submit(execution_t *e, const char *wait)
{
    if (!e->start_ms)
        e->start_ms = db_now_ms();
    e->poll_after_ms = 0;
    if (send(e, wait, &e->failure))
        take_answer(e);
    else
        end(e, false);
}

void statement_poll(execution_t *e)
{
    char *path = nv_printf(e->ctx, "/api/2.0/sql/statements/%s", nv_url_escape(e->ctx, e->id));
    int64_t timeout = e->statement->timeout_ms;
    bool ok = true;
    if (timeout && db_now_ms() > e->start_ms + timeout)
        ok = nv_fail(&e->failure, NV_DEADLINE_EXCEEDED, "the statement did not end within %lld ms",
                     (long long)timeout);
    if (ok && db_get(e->db, e->ctx, path, &e->answer, &e->failure)) {
        take_answer(e);
        return;
    }
    if (e->failure.code == NV_CANCELLED || e->failure.code == NV_DEADLINE_EXCEEDED)
        statement_give_up(e, &e->failure);
    end(e, false);
}

const char *databricks_cell(const databricks_result_t *result, size_t row, size_t column)
{
    return row < result->n_rows && column < result->n_columns
               ? result->cells[row * result->n_columns + column]
               : NULL;
}
