/* Files and folders in volumes. */
#include "worker/databricks/client.h"

#include <stdlib.h>
#include <string.h>

static bool check_path(const char *path, nv_error_t *err)
{
    if (strncmp(path, "/Volumes/", 9) != 0)
        return nv_fail(err, NV_INVALID_ARGUMENT, "%s: expected /Volumes/catalog/schema/volume/…", path);
    for (const char *part = path; (part = strstr(part, "/..")); part += 3)
        if (part[3] == '/' || part[3] == '\0')
            return nv_fail(err, NV_INVALID_ARGUMENT, "%s: \"..\" is not allowed in a path", path);
    return true;
}

static char *files_url(nv_mem_t *ctx, const char *path, const char *query)
{
    return nv_printf(ctx, "/api/2.0/fs/files%s%s", nv_url_escape_path(ctx, path), query);
}

static char *directories_url(nv_mem_t *ctx, const char *path)
{
    return nv_printf(ctx, "/api/2.0/fs/directories%s", nv_url_escape_path(ctx, path));
}

static bool put_file(databricks_t *db, const char *path, db_call_t *call, bool overwrite, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("upload");
    if (!check_path(path, err))
        return false;
    call->method = "PUT";
    call->path = files_url(ctx, path, overwrite ? "?overwrite=true" : "?overwrite=false");
    return db_send(db, ctx, call, NULL, err);
}

bool databricks_upload(databricks_t *db, const char *path, const char *local_path, bool overwrite,
                       nv_error_t *err)
{
    db_call_t call = {.upload_path = local_path};
    return put_file(db, path, &call, overwrite, err);
}

bool databricks_upload_bytes(databricks_t *db, const char *path, const void *data, size_t length,
                             bool overwrite, nv_error_t *err)
{
    db_call_t call = {.data = length ? data : "", .data_length = length};
    return put_file(db, path, &call, overwrite, err);
}

bool databricks_download(databricks_t *db, nv_mem_t *ctx, const char *path, size_t limit, char **out,
                         size_t *out_length, nv_error_t *err)
{
    nv_http_response_t reply;
    if (!check_path(path, err))
        return false;
    db_call_t call = {.method = "GET", .path = files_url(ctx, path, ""), .max_response = limit};
    if (!db_send(db, ctx, &call, &reply, err))
        return false;
    *out = reply.body;
    *out_length = reply.body_length;
    return true;
}

bool databricks_read_head(databricks_t *db, const char *path, void *out, size_t capacity, size_t *length,
                          bool *whole, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("head");
    nv_http_response_t reply;
    int64_t size;
    if (!databricks_file_size(db, path, &size, err))
        return false;
    *whole = size <= (int64_t)capacity;
    *length = *whole ? (size_t)size : capacity;
    if (*length == 0)
        return true;
    db_call_t call = {.method = "GET",
                      .path = files_url(ctx, path, ""),
                      .max_response = *length,
                      .range = nv_printf(ctx, "bytes=0-%zu", *length - 1)};
    if (!db_send(db, ctx, &call, &reply, err))
        return false;
    if (reply.body_length != *length)
        return nv_fail(err, NV_ABORTED, "%s: %zu bytes came, expected %zu: did it change?", path,
                       reply.body_length, *length);
    memcpy(out, reply.body, *length);
    return true;
}

bool databricks_file_size(databricks_t *db, const char *path, int64_t *out, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("size");
    nv_http_response_t reply;
    if (!check_path(path, err))
        return false;
    db_call_t call = {.method = "HEAD", .path = files_url(ctx, path, "")};
    if (!db_send(db, ctx, &call, &reply, err))
        return false;
    const char *text = nv_http_header(&reply, "content-length");
    char *end = NULL;
    long long size = text ? strtoll(text, &end, 10) : -1;
    if (!text || end == text || *end || size < 0)
        return nv_fail(err, NV_INTERNAL, "%s: HEAD gave no Content-Length", path);
    *out = size;
    return true;
}

/* PUT or DELETE of a file or folder. */
static bool simple(databricks_t *db, const char *method, const char *path, bool directory, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("fs");
    if (!check_path(path, err))
        return false;
    db_call_t call = {.method = method,
                      .path = directory ? directories_url(ctx, path) : files_url(ctx, path, "")};
    return db_send(db, ctx, &call, NULL, err);
}

bool databricks_delete_file(databricks_t *db, const char *path, nv_error_t *err)
{
    return simple(db, "DELETE", path, false, err);
}

bool databricks_make_directory(databricks_t *db, const char *path, nv_error_t *err)
{
    return simple(db, "PUT", path, true, err);
}

static bool read_entry(const nv_json_t *node, databricks_entry_t *out, nv_error_t *err)
{
    if (!nv_json_string(node, "name", &out->name, err) || !nv_json_string(node, "path", &out->path, err))
        return false;
    out->is_directory = nv_json_bool_or(node, "is_directory", false);
    out->bytes = nv_json_int64_or(node, "file_size", 0);
    out->modified_ms = nv_json_int64_or(node, "last_modified", 0);
    return true;
}

bool databricks_list_directory(databricks_t *db, nv_mem_t *ctx, const char *path, databricks_entry_t **out,
                               size_t *n, nv_error_t *err)
{
    if (!check_path(path, err))
        return false;
    size_t capacity = 0;
    const char *page = "";
    *out = NULL;
    *n = 0;
    do { /* an empty page may still have a next one */
        const nv_json_t *root;
        char *url = directories_url(ctx, path);
        if (!db_get(db, ctx, *page ? nv_url_with_query(ctx, url, "page_token", page) : url, &root, err))
            return false;
        const nv_json_t *contents = nv_json_get(root, "contents");
        for (size_t i = 0; i < nv_json_size(contents); i++) {
            databricks_entry_t entry;
            if (!read_entry(nv_json_at(contents, i), &entry, err))
                return false;
            NV_PUSH(ctx, *out, *n, capacity) = entry;
        }
        page = nv_json_string_or(root, "next_page_token", "");
    } while (*page);
    return true;
}
