#include "workspace/object_store.h"

#include "workspace/path.h"
#include "workspace/request.h"

#include <string.h>

#define COLUMNS "path, type, language, object_id, size, created_at, modified_at"

static void read_row(nv_mem_t *mem, const ws_rows_t *rows, ws_object_t *out)
{
    *out = (ws_object_t){
        .path = ws_rows_text(mem, rows, 0),
        .type = ws_rows_text(mem, rows, 1),
        .language = ws_rows_text(mem, rows, 2),
        .object_id = ws_rows_int64(rows, 3),
        .size = ws_rows_int64(rows, 4),
        .created_at = ws_rows_int64(rows, 5),
        .modified_at = ws_rows_int64(rows, 6),
    };
}

/* *found is false when there is none; the root is always there. */
static bool find(ws_db_t *db, nv_mem_t *mem, const char *path, bool with_content, ws_object_t *out,
                 bool *found, nv_error_t *err)
{
    WS_ROWS_SCOPE ws_rows_t rows = {0};
    if (strcmp(path, "/") == 0) {
        *out = (ws_object_t){.path = "/", .type = "DIRECTORY"};
        *found = true;
        return true;
    }
    if (!ws_db_query(db, &rows, err, "SELECT " COLUMNS ", content FROM objects WHERE path = ?", "t", path) ||
        !ws_rows_next(&rows, found, err)) {
        return false;
    }
    if (*found) {
        read_row(mem, &rows, out);
        size_t length = 0;
        out->content = with_content ? ws_rows_blob(mem, &rows, 7, &length) : NULL;
    }
    return true;
}

bool ws_object_get(ws_db_t *db, nv_mem_t *mem, const char *path, bool with_content, ws_object_t *out,
                   nv_error_t *err)
{
    WS_DB_SCOPE ws_db_t *locked = ws_db_lock(db);
    bool found = false;
    if (!find(locked, mem, path, with_content, out, &found, err)) {
        return false;
    }
    return found || nv_fail(err, NV_NOT_FOUND, "Path (%s) doesn't exist.", path);
}

bool ws_object_list(ws_db_t *db, nv_mem_t *mem, const char *parent, ws_object_t **out, size_t *count,
                    nv_error_t *err)
{
    WS_DB_SCOPE ws_db_t *locked = ws_db_lock(db);
    WS_ROWS_SCOPE ws_rows_t rows = {0};
    size_t capacity = 0;
    bool more = false;
    *out = NULL;
    *count = 0;
    if (!ws_db_query(locked, &rows, err, "SELECT " COLUMNS " FROM objects WHERE parent = ? ORDER BY path",
                     "t", parent)) {
        return false;
    }
    while (ws_rows_next(&rows, &more, err)) {
        if (!more) {
            return true;
        }
        ws_object_t object;
        read_row(mem, &rows, &object);
        NV_PUSH(mem, *out, *count, capacity) = object;
    }
    return false;
}

static bool insert(ws_db_t *db, nv_mem_t *mem, const char *path, const char *type, const char *language,
                   nv_bytes_t content, nv_error_t *err)
{
    int64_t id = 0;
    int64_t now = ws_now_ms();
    return ws_db_next_id(db, "object", &id, err) &&
           ws_db_run(db, err,
                     "INSERT INTO objects (path, parent, object_id, type, language, content, size, "
                     "created_at, modified_at) "
                     "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                     "ttittbiii", path, ws_path_parent(mem, path), id, type, language, content.data,
                     content.length, (int64_t)content.length, now, now);
}

static bool mkdirs(ws_db_t *db, nv_mem_t *mem, const char *path, nv_error_t *err)
{
    ws_object_t object;
    bool found = false;
    if (!find(db, mem, path, false, &object, &found, err)) {
        return false;
    }
    if (found) {
        return strcmp(object.type, "DIRECTORY") == 0 ||
               nv_fail(err, NV_ALREADY_EXISTS, "Path (%s) already exists and is not a directory.", path);
    }
    return mkdirs(db, mem, ws_path_parent(mem, path), err) &&
           insert(db, mem, path, "DIRECTORY", NULL, nv_bytes(NULL, 0), err);
}

bool ws_object_mkdirs(ws_db_t *db, nv_mem_t *mem, const char *path, nv_error_t *err)
{
    WS_DB_SCOPE ws_db_t *locked = ws_db_lock(db);
    return ws_db_begin(locked, err) && mkdirs(locked, mem, path, err) && ws_db_commit(locked, err);
}

static bool check_parent(ws_db_t *db, nv_mem_t *mem, const char *path, nv_error_t *err)
{
    ws_object_t parent;
    bool found = false;
    const char *above = ws_path_parent(mem, path);
    if (!find(db, mem, above, false, &parent, &found, err)) {
        return false;
    }
    if (!found || strcmp(parent.type, "DIRECTORY") != 0) {
        return nv_fail(err, NV_NOT_FOUND, "The parent folder (%s) does not exist.", above);
    }
    return true;
}

static bool put(ws_db_t *db, nv_mem_t *mem, const char *path, const char *type, const char *language,
                nv_bytes_t content, bool overwrite, nv_error_t *err)
{
    ws_object_t object;
    bool found = false;
    if (!check_parent(db, mem, path, err) || !find(db, mem, path, false, &object, &found, err)) {
        return false;
    }
    if (!found) {
        return insert(db, mem, path, type, language, content, err);
    }
    if (!overwrite) {
        return nv_fail(err, NV_ALREADY_EXISTS, "Path (%s) already exists.", path);
    }
    if (strcmp(object.type, type) != 0) {
        return nv_fail(err, NV_ALREADY_EXISTS, "Path (%s) already exists as a %s: a %s cannot overwrite it.",
                       path, object.type, type);
    }
    return ws_db_run(
        db, err, "UPDATE objects SET language = ?, content = ?, size = ?, modified_at = ? WHERE path = ?",
        "tbiit", language, content.data, content.length, (int64_t)content.length, ws_now_ms(), path);
}

bool ws_object_put(ws_db_t *db, nv_mem_t *mem, const char *path, const char *type, const char *language,
                   nv_bytes_t content, bool overwrite, nv_error_t *err)
{
    if (strcmp(path, "/") == 0) {
        return nv_fail(err, NV_INVALID_ARGUMENT, "Path (/) is the root directory");
    }
    WS_DB_SCOPE ws_db_t *locked = ws_db_lock(db);
    return ws_db_begin(locked, err) && put(locked, mem, path, type, language, content, overwrite, err) &&
           ws_db_commit(locked, err);
}

static bool has_children(ws_db_t *db, const char *path, bool *out, nv_error_t *err)
{
    WS_ROWS_SCOPE ws_rows_t rows = {0};
    return ws_db_query(db, &rows, err, "SELECT 1 FROM objects WHERE parent = ? LIMIT 1", "t", path) &&
           ws_rows_next(&rows, out, err);
}

bool ws_object_delete(ws_db_t *db, nv_mem_t *mem, const char *path, bool recursive, nv_error_t *err)
{
    WS_DB_SCOPE ws_db_t *locked = ws_db_lock(db);
    ws_object_t object;
    bool found = false;
    bool children = false;
    if (strcmp(path, "/") == 0) {
        return nv_fail(err, NV_INVALID_ARGUMENT, "The root directory cannot be deleted");
    }
    if (!ws_db_begin(locked, err) || !find(locked, mem, path, false, &object, &found, err) ||
        !has_children(locked, path, &children, err)) {
        return false;
    }
    if (!found) {
        return nv_fail(err, NV_NOT_FOUND, "Path (%s) doesn't exist.", path);
    }
    if (children && !recursive) {
        return nv_fail(err, NV_FAILED_PRECONDITION, "Folder (%s) is not empty", path);
    }
    const char *below = nv_printf(mem, "%s/", path);
    return ws_db_run(locked, err, "DELETE FROM objects WHERE path = ? OR substr(path, 1, ?) = ?", "tit", path,
                     (int64_t)strlen(below), below) &&
           ws_db_commit(locked, err);
}
