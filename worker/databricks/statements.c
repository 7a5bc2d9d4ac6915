/* The SQL Statement Execution API: submit, poll, fetch chunks. */
#include "worker/databricks/client.h"

#include <string.h>

enum {
    STATEMENT_MAX = 16 * 1024 * 1024,
    DEFAULT_RESULT_BYTES = 64 * 1024 * 1024,
    CHUNK_MAX = 64 * 1024 * 1024
};

typedef struct execution {
    databricks_t *db;
    nv_mem_t *ctx;
    const databricks_statement_t *statement;
    databricks_result_t *out;
    char *id;
    size_t capacity; /* of out->cells */
    size_t n_cells;
    size_t bytes;
    bool external;
} execution_t;

static bool request_body(execution_t *e, char **out, nv_error_t *err)
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
    nv_json_put_string(&w, "wait_timeout", "5s");
    nv_json_put_string(&w, "on_wait_timeout", "CONTINUE");
    nv_json_close_object(&w);
    return nv_json_write_end(&w, "statement", out, NULL, err);
}

static bool cancel_statement(execution_t *e, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("cancel");
    databricks_shield(e->db, true);
    bool ok = db_post(e->db, nv_printf(ctx, "/api/2.0/sql/statements/%s/cancel", nv_url_escape(ctx, e->id)),
                      "{}", true, err);
    databricks_shield(e->db, false);
    return ok;
}

/* Where the wait ends early, the statement must not go on alone; the first error stands. */
static bool give_up(execution_t *e, nv_error_t *err)
{
    nv_error_t ignored = NV_ERROR_INIT;
    if (e->id && (err->code == NV_CANCELLED || err->code == NV_DEADLINE_EXCEEDED) &&
        !cancel_statement(e, &ignored))
        nv_wrap(err, "statement %s may go on (%.200s)", e->id, ignored.message);
    return false;
}

static bool is_running(const nv_json_t *root)
{
    const char *state = nv_json_string_or(root, "status.state", "");
    return strcmp(state, "PENDING") == 0 || strcmp(state, "RUNNING") == 0;
}

/* Polls until the statement has ended; *root becomes the last answer. */
static bool wait_statement(execution_t *e, const nv_json_t **root, nv_error_t *err)
{
    int64_t deadline = e->statement->timeout_ms ? db_now_ms() + e->statement->timeout_ms : INT64_MAX;
    int64_t wait = 0;
    char *path = nv_printf(e->ctx, "/api/2.0/sql/statements/%s", nv_url_escape(e->ctx, e->id));
    while (is_running(*root)) {
        if (db_now_ms() > deadline) {
            nv_fail(err, NV_DEADLINE_EXCEEDED, "the statement did not end within %lld ms",
                    (long long)e->statement->timeout_ms);
            return give_up(e, err);
        }
        wait = db_next_poll_ms(wait);
        if (!nv_http_sleep(db_http(e->db), wait, err) || !db_get(e->db, e->ctx, path, root, err))
            return give_up(e, err);
    }
    return true;
}

static bool read_columns(execution_t *e, const nv_json_t *root, nv_error_t *err)
{
    const nv_json_t *columns = nv_json_get(root, "manifest.schema.columns");
    e->out->n_columns = nv_json_size(columns);
    e->out->columns = NV_NEW_ARRAY(e->ctx, databricks_column_t, e->out->n_columns);
    for (size_t i = 0; i < e->out->n_columns; i++) {
        const nv_json_t *column = nv_json_at(columns, i);
        if (!nv_json_string(column, "name", &e->out->columns[i].name, err))
            return false;
        e->out->columns[i].type_text = nv_json_string_or(column, "type_text", "");
        e->out->columns[i].type_name = nv_json_string_or(column, "type_name", "");
    }
    e->out->truncated = nv_json_bool_or(root, "manifest.truncated", false);
    return true;
}

static bool add_rows(execution_t *e, const nv_json_t *rows, nv_error_t *err)
{
    size_t limit = e->statement->max_bytes ? e->statement->max_bytes : DEFAULT_RESULT_BYTES;
    for (size_t i = 0; i < nv_json_size(rows); i++) {
        const nv_json_t *row = nv_json_at(rows, i);
        if (nv_json_size(row) != e->out->n_columns)
            return nv_fail(err, NV_INTERNAL, "row %zu has %zu cells: expected %zu", e->out->n_rows,
                           nv_json_size(row), e->out->n_columns);
        for (size_t c = 0; c < e->out->n_columns; c++) {
            const char *cell = nv_json_scalar_text(nv_json_at(row, c));
            e->bytes += sizeof cell + (cell ? strlen(cell) : 0);
            NV_PUSH(e->ctx, e->out->cells, e->n_cells, e->capacity) = cell;
        }
        e->out->n_rows++;
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

static bool submit(execution_t *e, const nv_json_t **root, nv_error_t *err)
{
    char *body;
    const char *id;
    if (!request_body(e, &body, err))
        return false;
    db_call_t call = {.method = "POST",
                      .path = "/api/2.0/sql/statements",
                      .body = body,
                      .idempotent = e->statement->repeatable,
                      .max_response = CHUNK_MAX};
    if (!db_call(e->db, e->ctx, &call, root, err)) {
        if (db_was_ambiguous(e->db) && !e->statement->repeatable)
            nv_wrap(err, "the answer was lost, the statement may have run");
        return false;
    }
    if (!nv_json_string(*root, "statement_id", &id, err))
        return false;
    e->id = nv_strdup(e->ctx, id);
    return wait_statement(e, root, err);
}

static bool execute(execution_t *e, nv_error_t *err)
{
    const nv_json_t *root;
    if (!submit(e, &root, err))
        return false;
    const char *state = nv_json_string_or(root, "status.state", "");
    if (strcmp(state, "FAILED") == 0 && needs_links(root) && e->statement->repeatable && !e->external) {
        e->external = true;
        if (!submit(e, &root, err))
            return false;
        state = nv_json_string_or(root, "status.state", "");
    }
    if (strcmp(state, "SUCCEEDED") != 0) {
        const char *code = nv_json_string_or(root, "status.error.error_code", "");
        return nv_fail(err, strcmp(state, "CANCELED") == 0 ? NV_CANCELLED : failure_class(code),
                       "statement %s %s%s%s: %.1200s", e->id, state, *code ? " " : "", code,
                       nv_json_string_or(root, "status.error.message", ""));
    }
    return read_columns(e, root, err) && fetch_rows(e, root, err);
}

bool databricks_execute(databricks_t *db, nv_mem_t *ctx, const databricks_statement_t *statement,
                        databricks_result_t *out, nv_error_t *err)
{
    *out = (databricks_result_t){0};
    execution_t e = {.db = db, .ctx = ctx, .statement = statement, .out = out};
    int64_t start = db_now_ms();
    if (strlen(statement->sql) > STATEMENT_MAX)
        return nv_fail(err, NV_INVALID_ARGUMENT, "statement of more than %d bytes", STATEMENT_MAX);
    bool ok = execute(&e, err);
    out->milliseconds = db_now_ms() - start;
    return ok;
}

const char *databricks_cell(const databricks_result_t *result, size_t row, size_t column)
{
    return row < result->n_rows && column < result->n_columns
               ? result->cells[row * result->n_columns + column]
               : NULL;
}
