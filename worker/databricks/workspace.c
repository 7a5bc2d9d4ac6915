/* Folders, notebooks and files of the workspace; and who we are. */
#include "common/core/base64.h"
#include "worker/databricks/client.h"

#include <string.h>

/* {"path": …, name: value} */
static bool path_body(nv_mem_t *ctx, const char *path, const char *name, bool value, char **out,
                      nv_error_t *err)
{
    nv_json_writer_t w = nv_json_writer_make(ctx, 65536, false);
    nv_json_open_object(&w, NULL);
    nv_json_put_string(&w, "path", path);
    if (name)
        nv_json_put_bool(&w, name, value);
    nv_json_close_object(&w);
    return nv_json_write_end(&w, path, out, NULL, err);
}

bool databricks_me(databricks_t *db, nv_mem_t *ctx, databricks_user_t *out, nv_error_t *err)
{
    const nv_json_t *root;
    if (!db_get(db, ctx, "/api/2.0/preview/scim/v2/Me", &root, err) ||
        !nv_json_string(root, "userName", &out->user_name, err))
        return false;
    out->id = nv_json_string_or(root, "id", "");
    out->display_name = nv_json_string_or(root, "displayName", "");
    return true;
}

bool databricks_mkdirs(databricks_t *db, const char *path, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("mkdirs");
    char *body;
    return path_body(ctx, path, NULL, false, &body, err) &&
           db_post(db, "/api/2.0/workspace/mkdirs", body, true, err);
}

static bool import(databricks_t *db, const char *path, const char *format, const char *language,
                   const void *data, size_t length, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("import");
    if (length > DATABRICKS_IMPORT_MAX)
        return nv_fail(err, NV_INVALID_ARGUMENT, "%s: %zu bytes; a workspace file has at most %d", path,
                       length, DATABRICKS_IMPORT_MAX);
    nv_json_writer_t w = nv_json_writer_make(ctx, 2 * DATABRICKS_IMPORT_MAX, false);
    nv_json_open_object(&w, NULL);
    nv_json_put_string(&w, "path", path);
    nv_json_put_string(&w, "format", format);
    if (language)
        nv_json_put_string(&w, "language", language);
    nv_json_put_bool(&w, "overwrite", true);
    nv_json_put_string(&w, "content", nv_base64_encode(ctx, data, length));
    nv_json_close_object(&w);
    char *body;
    return nv_json_write_end(&w, path, &body, NULL, err) &&
           (db_post(db, "/api/2.0/workspace/import", body, true, err) || nv_wrap(err, "%s", path));
}

bool databricks_import_notebook(databricks_t *db, const char *path, const char *language, const char *source,
                                nv_error_t *err)
{
    return import(db, path, "SOURCE", language, source, strlen(source), err);
}

bool databricks_import_file(databricks_t *db, const char *path, const void *data, size_t length,
                            nv_error_t *err)
{
    return import(db, path, "AUTO", NULL, data, length, err);
}

bool databricks_export(databricks_t *db, nv_mem_t *ctx, const char *path, const char *format, uint8_t **out,
                       size_t *out_length, nv_error_t *err)
{
    const nv_json_t *root;
    const char *content;
    char *url = nv_url_with_query(ctx, "/api/2.0/workspace/export", "path", path);
    if (!db_get(db, ctx, nv_url_with_query(ctx, url, "format", format), &root, err) ||
        !nv_json_string(root, "content", &content, err))
        return false;
    return nv_base64_decode(ctx, content, strlen(content), out, out_length) ||
           nv_fail(err, NV_INTERNAL, "%s: the exported content is not base64", path);
}

static bool read_object(const nv_json_t *node, databricks_object_t *out, nv_error_t *err)
{
    if (!nv_json_string(node, "path", &out->path, err) ||
        !nv_json_string(node, "object_type", &out->type, err))
        return false;
    out->language = nv_json_string_or(node, "language", "");
    out->id = nv_json_int64_or(node, "object_id", 0);
    out->modified_ms = nv_json_int64_or(node, "modified_at", 0);
    return true;
}

bool databricks_get_status(databricks_t *db, nv_mem_t *ctx, const char *path, databricks_object_t *out,
                           nv_error_t *err)
{
    const nv_json_t *root;
    char *url = nv_url_with_query(ctx, "/api/2.0/workspace/get-status", "path", path);
    return db_get(db, ctx, url, &root, err) && read_object(root, out, err);
}

bool databricks_list_workspace(databricks_t *db, nv_mem_t *ctx, const char *path, databricks_object_t **out,
                               size_t *n, nv_error_t *err)
{
    const nv_json_t *root;
    if (!db_get(db, ctx, nv_url_with_query(ctx, "/api/2.0/workspace/list", "path", path), &root, err))
        return false;
    const nv_json_t *objects = nv_json_get(root, "objects"); /* absent for an empty folder */
    *n = nv_json_size(objects);
    *out = NV_NEW_ARRAY(ctx, databricks_object_t, *n);
    for (size_t i = 0; i < *n; i++)
        if (!read_object(nv_json_at(objects, i), &(*out)[i], err))
            return false;
    return true;
}

bool databricks_delete_workspace(databricks_t *db, const char *path, bool recursive, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("delete");
    char *body;
    return path_body(ctx, path, "recursive", recursive, &body, err) &&
           db_post(db, "/api/2.0/workspace/delete", body, true, err);
}
