/* /api/2.0/workspace and /api/2.0/workspace-files. */
#include "common/core/base64.h"
#include "workspace/multipart.h"
#include "workspace/object_store.h"
#include "workspace/path.h"
#include "workspace/router.h"

#include <string.h>
#include <strings.h>

enum { MAX_NOTEBOOK = 10 * 1024 * 1024 };

typedef struct import {
    const char *path;
    const char *format;
    const char *language;
    bool overwrite;
    nv_bytes_t content;
} import_t;

/* ---- notebooks and their languages */

/* The language named by the header line, or NULL: this text is no notebook. */
static const char *header_language(nv_bytes_t content, const char *extension)
{
    static const struct {
        const char *line, *language, *extension;
    } headers[] = {
        {"# Databricks notebook source", "PYTHON", ".py"},
        {"-- Databricks notebook source", "SQL", ".sql"},
        {"// Databricks notebook source", "SCALA", ".scala"},
        {"# Databricks notebook source", "R", ".r"},
    };
    const char *text = content.data;
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        size_t length = strlen(headers[i].line);
        bool same = content.length >= length && memcmp(text, headers[i].line, length) == 0;
        bool ends = same && (content.length == length || text[length] == '\n' || text[length] == '\r');
        if (ends && (!extension || strcasecmp(extension, headers[i].extension) == 0)) {
            return headers[i].language;
        }
    }
    return NULL;
}

static const char *extension_of(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot && !strchr(dot, '/') ? dot : NULL;
}

/* What the format makes of the content: type, language and, for AUTO, the path without its extension. */
static bool classify(ws_request_t *request, import_t *in, const char **type, nv_error_t *err)
{
    *type = "NOTEBOOK";
    if (strcasecmp(in->format, "SOURCE") == 0) {
        static const char *const known[] = {"PYTHON", "SQL", "SCALA", "R"};
        for (size_t i = 0; in->language && i < sizeof known / sizeof *known; i++) {
            if (strcasecmp(in->language, known[i]) == 0) {
                in->language = known[i];
                return true;
            }
        }
        return nv_fail(err, NV_INVALID_ARGUMENT,
                       "language: expected PYTHON, SQL, SCALA or R with format SOURCE, got %s",
                       in->language ? in->language : "nothing");
    }
    if (strcasecmp(in->format, "AUTO") != 0 && strcasecmp(in->format, "RAW") != 0) {
        return nv_fail(err, NV_UNIMPLEMENTED, "format %s: the local workspace imports SOURCE, AUTO and RAW",
                       in->format);
    }
    const char *extension = extension_of(in->path);
    in->language =
        extension && strcasecmp(in->format, "AUTO") == 0 ? header_language(in->content, extension) : NULL;
    if (in->language) {
        in->path = nv_strndup(request->mem, in->path, (size_t)(extension - in->path));
    } else {
        *type = "FILE";
    }
    return true;
}

/* A source without its header line is a notebook all the same; it is stored with it. */
static nv_bytes_t with_header(nv_mem_t *mem, const import_t *in)
{
    if (!in->language || header_language(in->content, NULL)) {
        return in->content;
    }
    const char *mark = strcmp(in->language, "SQL") == 0     ? "--"
                       : strcmp(in->language, "SCALA") == 0 ? "//"
                                                            : "#";
    nv_buf_t text = nv_buf_make(mem, in->content.length + 64);
    nv_buf_printf(&text, "%s Databricks notebook source\n", mark);
    nv_buf_add(&text, in->content.data, in->content.length);
    return nv_bytes(text.data, text.length);
}

static bool store(ws_app_t *app, ws_request_t *request, import_t *in, nv_error_t *err)
{
    const char *type = NULL;
    if (in->content.length > MAX_NOTEBOOK) {
        return ws_refuse(request, err, 400, "MAX_NOTEBOOK_SIZE_EXCEEDED", "%s has %zu bytes: at most %d",
                         in->path, in->content.length, MAX_NOTEBOOK);
    }
    if (!ws_path_normalize(request->mem, in->path, &in->path, err) || !classify(request, in, &type, err)) {
        return false;
    }
    return ws_object_put(app->db, request->mem, in->path, type, in->language, with_header(request->mem, in),
                         in->overwrite, err);
}

/* ---- import */

static const char *part_text(nv_mem_t *mem, const ws_multipart_t *form, const char *name,
                             const char *fallback)
{
    const nv_bytes_t *part = ws_multipart_find(form, name);
    return part ? nv_strndup(mem, part->data, part->length) : fallback;
}

static bool from_multipart(ws_request_t *request, import_t *in, nv_error_t *err)
{
    ws_multipart_t *form = NV_NEW(request->mem, ws_multipart_t);
    if (!ws_multipart_parse(request->mem, request->content_type, request->body, request->body_length, form,
                            err)) {
        return false;
    }
    const nv_bytes_t *content = ws_multipart_find(form, "content");
    in->path = part_text(request->mem, form, "path", NULL);
    in->format = part_text(request->mem, form, "format", "SOURCE");
    in->language = part_text(request->mem, form, "language", NULL);
    in->overwrite = strcmp(part_text(request->mem, form, "overwrite", "false"), "true") == 0;
    if (!in->path || !content) {
        return nv_fail(err, NV_INVALID_ARGUMENT, "Missing required field: %s", in->path ? "content" : "path");
    }
    in->content = *content;
    return true;
}

static bool from_json(ws_request_t *request, import_t *in, nv_error_t *err)
{
    const char *content = nv_json_string_or(request->json, "content", NULL);
    in->format = nv_json_string_or(request->json, "format", "SOURCE");
    in->language = nv_json_string_or(request->json, "language", NULL);
    in->overwrite = nv_json_bool_or(request->json, "overwrite", false);
    if (!ws_need_text(request, "path", &in->path, err)) {
        return false;
    }
    if (!content) {
        return nv_fail(err, NV_INVALID_ARGUMENT, "Missing required field: content");
    }
    uint8_t *raw = NULL;
    size_t length = 0;
    if (!nv_base64_decode(request->mem, content, strlen(content), &raw, &length)) {
        return nv_fail(err, NV_INVALID_ARGUMENT, "content: expected base64");
    }
    in->content = nv_bytes(raw, length);
    return true;
}

static bool import_object(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    import_t in = {0};
    bool form = request->content_type && strncasecmp(request->content_type, "multipart/form-data", 19) == 0;
    if (!(form ? from_multipart(request, &in, err) : from_json(request, &in, err)) ||
        !store(app, request, &in, err)) {
        return false;
    }
    return ws_reply_empty(request);
}

/* The raw uploader of the Databricks CLI: the body is the content, the path ends the URL. */
static bool import_file(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    import_t in = {
        .path = nv_printf(request->mem, "/%s", request->params[0]),
        .format = "AUTO",
        .overwrite = ws_query_bool(request, "overwrite"),
        .content = nv_bytes(request->body, request->body_length),
    };
    if (!store(app, request, &in, err)) {
        return err->code == NV_ALREADY_EXISTS ? ws_refuse(request, err, 409, "RESOURCE_ALREADY_EXISTS", "%s",
                                                          nv_strdup(request->mem, err->message))
                                              : false;
    }
    return ws_reply_empty(request);
}

/* ---- the rest */

static bool path_of(ws_request_t *request, const char **out, nv_error_t *err)
{
    return ws_need_text(request, "path", out, err) && ws_path_normalize(request->mem, *out, out, err);
}

static bool export_object(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    const char *path = NULL;
    ws_object_t object;
    if (!path_of(request, &path, err) || !ws_object_get(app->db, request->mem, path, true, &object, err)) {
        return false;
    }
    if (strcmp(object.type, "DIRECTORY") == 0) {
        return nv_fail(err, NV_INVALID_ARGUMENT,
                       "%s is a directory: the local workspace exports single objects", path);
    }
    const char *format = ws_query(request, "format");
    if (format && strcmp(format, "SOURCE") != 0 && strcmp(format, "AUTO") != 0 &&
        strcmp(format, "RAW") != 0) {
        return nv_fail(err, NV_UNIMPLEMENTED, "format %s: the local workspace exports SOURCE, AUTO and RAW",
                       format);
    }
    if (ws_query_bool(request, "direct_download")) {
        request->reply.content_type = "application/octet-stream";
        request->reply.body = object.content;
        request->reply.length = (size_t)object.size;
        return true;
    }
    nv_json_writer_t w = ws_reply_writer(request);
    nv_json_open_object(&w, NULL);
    nv_json_put_string(&w, "content", nv_base64_encode(request->mem, object.content, (size_t)object.size));
    const char *type = !object.language ? "file" : strcmp(object.language, "PYTHON") == 0 ? "py" : "sql";
    nv_json_put_string(&w, "file_type", type);
    nv_json_close_object(&w);
    return ws_reply_json(request, &w, err);
}

static void put_object(nv_json_writer_t *w, const char *key, const ws_object_t *object)
{
    nv_json_open_object(w, key);
    nv_json_put_string(w, "object_type", object->type);
    nv_json_put_string(w, "path", object->path);
    nv_json_put_int64(w, "object_id", object->object_id);
    nv_json_put_string(w, "resource_id", nv_printf(w->buf.ctx, "%lld", (long long)object->object_id));
    if (object->language) {
        nv_json_put_string(w, "language", object->language);
    }
    if (object->created_at) {
        nv_json_put_int64(w, "created_at", object->created_at);
        nv_json_put_int64(w, "modified_at", object->modified_at);
    }
    if (strcmp(object->type, "FILE") == 0) {
        nv_json_put_int64(w, "size", object->size);
    }
    nv_json_close_object(w);
}

static bool get_status(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    const char *path = NULL;
    ws_object_t object;
    if (!path_of(request, &path, err) || !ws_object_get(app->db, request->mem, path, false, &object, err)) {
        return false;
    }
    nv_json_writer_t w = ws_reply_writer(request);
    put_object(&w, NULL, &object);
    return ws_reply_json(request, &w, err);
}

static bool list(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    const char *path = NULL;
    ws_object_t object;
    int64_t since = 0;
    if (!path_of(request, &path, err) ||
        !ws_query_int64(request, "notebooks_modified_after", 0, &since, err) ||
        !ws_object_get(app->db, request->mem, path, false, &object, err)) {
        return false;
    }
    ws_object_t *found = &object;
    size_t count = 1;
    if (strcmp(object.type, "DIRECTORY") == 0 &&
        !ws_object_list(app->db, request->mem, path, &found, &count, err)) {
        return false;
    }
    nv_json_writer_t w = ws_reply_writer(request);
    nv_json_open_object(&w, NULL);
    if (count) {
        nv_json_open_array(&w, "objects");
        for (size_t i = 0; i < count; i++) {
            if (found[i].modified_at >= since) {
                put_object(&w, NULL, &found[i]);
            }
        }
        nv_json_close_array(&w);
    }
    nv_json_close_object(&w);
    return ws_reply_json(request, &w, err);
}

static bool mkdirs(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    const char *path = NULL;
    return path_of(request, &path, err) && ws_object_mkdirs(app->db, request->mem, path, err) &&
           ws_reply_empty(request);
}

static bool delete_object(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    const char *path = NULL;
    if (!path_of(request, &path, err)) {
        return false;
    }
    bool recursive = nv_json_bool_or(request->json, "recursive", false);
    if (ws_object_delete(app->db, request->mem, path, recursive, err)) {
        return ws_reply_empty(request);
    }
    return err->code == NV_FAILED_PRECONDITION ? ws_refuse(request, err, 400, "DIRECTORY_NOT_EMPTY", "%s",
                                                           nv_strdup(request->mem, err->message))
                                               : false;
}

const ws_route_t ws_routes_objects[] = {
    {"POST", "/api/2.0/workspace/import", import_object, 0},
    {"GET", "/api/2.0/workspace/export", export_object, 0},
    {"GET", "/api/2.0/workspace/get-status", get_status, 0},
    {"GET", "/api/2.0/workspace/list", list, 0},
    {"POST", "/api/2.0/workspace/mkdirs", mkdirs, 0},
    {"POST", "/api/2.0/workspace/delete", delete_object, 0},
    {"POST", "/api/2.0/workspace-files/import-file/{path...}", import_file, 0},
    {0},
};
