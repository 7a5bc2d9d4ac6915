/* /api/2.0/secrets. Values lie in the state database (mode 0600), as those of ~/.databrickscfg do on a laptop. */
#include "common/core/base64.h"
#include "workspace/router.h"

#include <string.h>

enum { MAX_SECRET = 128 * 1024, MAX_SCOPES = 1000 };

static bool check_name(const char *kind, const char *name, nv_error_t *err)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_@. ";
    size_t length = strlen(name);
    return (length >= 1 && length <= 128 && strspn(name, allowed) == length) ||
           nv_fail(err, NV_INVALID_ARGUMENT, "%s: expected 1 to 128 letters, digits, - _ @ and dots", kind);
}

static bool scope_exists(ws_db_t *db, const char *scope, bool *out, nv_error_t *err)
{
    WS_ROWS_SCOPE ws_rows_t rows = {0};
    return ws_db_query(db, &rows, err, "SELECT 1 FROM secret_scopes WHERE name = ?", "t", scope) &&
           ws_rows_next(&rows, out, err);
}

/* The scope named in the request, which must exist; the caller holds the lock. */
static bool need_scope(ws_db_t *db, ws_request_t *request, const char **scope, nv_error_t *err)
{
    bool found = false;
    if (!ws_need_text(request, "scope", scope, err) || !check_name("scope", *scope, err) ||
        !scope_exists(db, *scope, &found, err)) {
        return false;
    }
    return found || nv_fail(err, NV_NOT_FOUND, "Scope %s does not exist!", *scope);
}

static bool create_scope(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    const char *scope = NULL;
    bool found = false;
    WS_DB_SCOPE ws_db_t *db = ws_db_lock(app->db);
    if (!ws_need_text(request, "scope", &scope, err) || !check_name("scope", scope, err) ||
        !scope_exists(db, scope, &found, err)) {
        return false;
    }
    if (found) {
        return nv_fail(err, NV_ALREADY_EXISTS, "Scope %s already exists!", scope);
    }
    return ws_db_run(db, err, "INSERT INTO secret_scopes (name, created_at) VALUES (?, ?)", "ti", scope,
                     ws_now_ms()) &&
           ws_db_run(db, err,
                     "INSERT INTO secret_acls (scope, principal, permission) VALUES (?, ?, 'MANAGE')", "tt",
                     scope, app->client_id) &&
           ws_reply_empty(request);
}

static bool delete_scope(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    const char *scope = NULL;
    WS_DB_SCOPE ws_db_t *db = ws_db_lock(app->db);
    return need_scope(db, request, &scope, err) &&
           ws_db_run(db, err, "DELETE FROM secret_scopes WHERE name = ?", "t", scope) &&
           ws_reply_empty(request);
}

static bool list_scopes(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    WS_DB_SCOPE ws_db_t *db = ws_db_lock(app->db);
    WS_ROWS_SCOPE ws_rows_t rows = {0};
    bool more = false;
    nv_json_writer_t w = ws_reply_writer(request);
    nv_json_open_object(&w, NULL);
    nv_json_open_array(&w, "scopes");
    if (!ws_db_query(db, &rows, err, "SELECT name FROM secret_scopes ORDER BY name", "")) {
        return false;
    }
    while (ws_rows_next(&rows, &more, err)) {
        if (!more) {
            nv_json_close_array(&w);
            nv_json_close_object(&w);
            return ws_reply_json(request, &w, err);
        }
        nv_json_open_object(&w, NULL);
        nv_json_put_string(&w, "name", ws_rows_text(request->mem, &rows, 0));
        nv_json_put_string(&w, "backend_type", "DATABRICKS");
        nv_json_close_object(&w);
    }
    return false;
}

/* string_value, or bytes_value in base64. */
static bool read_value(ws_request_t *request, const uint8_t **out, size_t *length, nv_error_t *err)
{
    const char *text = nv_json_string_or(request->json, "string_value", NULL);
    const char *base64 = nv_json_string_or(request->json, "bytes_value", NULL);
    uint8_t *raw = NULL;
    if (!text == !base64) {
        return nv_fail(err, NV_INVALID_ARGUMENT, "expected one of string_value and bytes_value");
    }
    *out = (const uint8_t *)text;
    *length = text ? strlen(text) : 0;
    if (base64) {
        if (!nv_base64_decode(request->mem, base64, strlen(base64), &raw, length)) {
            return nv_fail(err, NV_INVALID_ARGUMENT, "bytes_value: expected base64");
        }
        *out = raw;
    }
    return *length <= MAX_SECRET || ws_refuse(request, err, 400, "RESOURCE_LIMIT_EXCEEDED",
                                              "a secret has at most %d bytes", MAX_SECRET);
}

static bool put(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    const char *scope = NULL;
    const char *key = NULL;
    const uint8_t *value = NULL;
    size_t length = 0;
    WS_DB_SCOPE ws_db_t *db = ws_db_lock(app->db);
    return need_scope(db, request, &scope, err) && ws_need_text(request, "key", &key, err) &&
           check_name("key", key, err) && read_value(request, &value, &length, err) &&
           ws_db_run(db, err,
                     "INSERT INTO secrets (scope, key, value, updated_at) VALUES (?1, ?2, ?3, ?4) "
                     "ON CONFLICT (scope, key) DO UPDATE SET value = ?3, updated_at = ?4",
                     "ttbi", scope, key, value, length, ws_now_ms()) &&
           ws_reply_empty(request);
}

static bool get(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    const char *scope = NULL;
    const char *key = NULL;
    bool found = false;
    size_t length = 0;
    WS_DB_SCOPE ws_db_t *db = ws_db_lock(app->db);
    WS_ROWS_SCOPE ws_rows_t rows = {0};
    if (!need_scope(db, request, &scope, err) || !ws_need_text(request, "key", &key, err) ||
        !ws_db_query(db, &rows, err, "SELECT value FROM secrets WHERE scope = ? AND key = ?", "tt", scope,
                     key) ||
        !ws_rows_next(&rows, &found, err)) {
        return false;
    }
    if (!found) {
        return nv_fail(err, NV_NOT_FOUND, "Secret %s does not exist in scope %s!", key, scope);
    }
    const void *value = ws_rows_blob(request->mem, &rows, 0, &length);
    nv_json_writer_t w = ws_reply_writer(request);
    nv_json_open_object(&w, NULL);
    nv_json_put_string(&w, "key", key);
    nv_json_put_string(&w, "value", nv_base64_encode(request->mem, value, length));
    nv_json_close_object(&w);
    return ws_reply_json(request, &w, err);
}

static bool delete_secret(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    const char *scope = NULL;
    const char *key = NULL;
    WS_DB_SCOPE ws_db_t *db = ws_db_lock(app->db);
    if (!need_scope(db, request, &scope, err) || !ws_need_text(request, "key", &key, err) ||
        !ws_db_run(db, err, "DELETE FROM secrets WHERE scope = ? AND key = ?", "tt", scope, key)) {
        return false;
    }
    return ws_db_changes(db)
               ? ws_reply_empty(request)
               : nv_fail(err, NV_NOT_FOUND, "Secret %s does not exist in scope %s!", key, scope);
}

static bool list(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    const char *scope = NULL;
    bool more = false;
    WS_DB_SCOPE ws_db_t *db = ws_db_lock(app->db);
    WS_ROWS_SCOPE ws_rows_t rows = {0};
    if (!need_scope(db, request, &scope, err) ||
        !ws_db_query(db, &rows, err, "SELECT key, updated_at FROM secrets WHERE scope = ? ORDER BY key", "t",
                     scope)) {
        return false;
    }
    nv_json_writer_t w = ws_reply_writer(request);
    nv_json_open_object(&w, NULL);
    nv_json_open_array(&w, "secrets");
    while (ws_rows_next(&rows, &more, err)) {
        if (!more) {
            nv_json_close_array(&w);
            nv_json_close_object(&w);
            return ws_reply_json(request, &w, err);
        }
        nv_json_open_object(&w, NULL);
        nv_json_put_string(&w, "key", ws_rows_text(request->mem, &rows, 0));
        nv_json_put_int64(&w, "last_updated_timestamp", ws_rows_int64(&rows, 1));
        nv_json_close_object(&w);
    }
    return false;
}

static bool put_acl(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    const char *scope = NULL;
    const char *principal = NULL;
    const char *permission = NULL;
    WS_DB_SCOPE ws_db_t *db = ws_db_lock(app->db);
    if (!need_scope(db, request, &scope, err) || !ws_need_text(request, "principal", &principal, err) ||
        !ws_need_text(request, "permission", &permission, err)) {
        return false;
    }
    if (strcmp(permission, "READ") != 0 && strcmp(permission, "WRITE") != 0 &&
        strcmp(permission, "MANAGE") != 0) {
        return nv_fail(err, NV_INVALID_ARGUMENT, "permission: expected READ, WRITE or MANAGE, got %.40s",
                       permission);
    }
    return ws_db_run(db, err,
                     "INSERT OR REPLACE INTO secret_acls (scope, principal, permission) VALUES (?, ?, ?)",
                     "ttt", scope, principal, permission) &&
           ws_reply_empty(request);
}

static bool list_acls(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    const char *scope = NULL;
    bool more = false;
    WS_DB_SCOPE ws_db_t *db = ws_db_lock(app->db);
    WS_ROWS_SCOPE ws_rows_t rows = {0};
    if (!need_scope(db, request, &scope, err) ||
        !ws_db_query(db, &rows, err,
                     "SELECT principal, permission FROM secret_acls WHERE scope = ? ORDER BY principal", "t",
                     scope)) {
        return false;
    }
    nv_json_writer_t w = ws_reply_writer(request);
    nv_json_open_object(&w, NULL);
    nv_json_open_array(&w, "items");
    while (ws_rows_next(&rows, &more, err)) {
        if (!more) {
            nv_json_close_array(&w);
            nv_json_close_object(&w);
            return ws_reply_json(request, &w, err);
        }
        nv_json_open_object(&w, NULL);
        nv_json_put_string(&w, "principal", ws_rows_text(request->mem, &rows, 0));
        nv_json_put_string(&w, "permission", ws_rows_text(request->mem, &rows, 1));
        nv_json_close_object(&w);
    }
    return false;
}

const ws_route_t ws_routes_secrets[] = {
    {"POST", "/api/2.0/secrets/scopes/create", create_scope, 0},
    {"POST", "/api/2.0/secrets/scopes/delete", delete_scope, 0},
    {"GET", "/api/2.0/secrets/scopes/list", list_scopes, 0},
    {"POST", "/api/2.0/secrets/put", put, 0},
    {"GET", "/api/2.0/secrets/get", get, 0},
    {"POST", "/api/2.0/secrets/delete", delete_secret, 0},
    {"GET", "/api/2.0/secrets/list", list, 0},
    {"POST", "/api/2.0/secrets/acls/put", put_acl, 0},
    {"GET", "/api/2.0/secrets/acls/list", list_acls, 0},
    {0},
};
