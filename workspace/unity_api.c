/* /api/2.1/unity-catalog: catalogs, schemas, tables, volumes. */
#include "workspace/path.h"
#include "workspace/router.h"
#include "workspace/unity_store.h"

#include <ctype.h>
#include <string.h>

static bool missing(ws_request_t *request, const ws_full_name_t *name, nv_error_t *err)
{
    static const char *const codes[] = {"CATALOG_DOES_NOT_EXIST", "SCHEMA_DOES_NOT_EXIST",
                                        "VOLUME_DOES_NOT_EXIST", "TABLE_DOES_NOT_EXIST"};
    return ws_refuse(request, err, 404, codes[name->kind], "%s '%s' does not exist.",
                     ws_securable_noun(name->kind), ws_full_name_text(request->mem, name));
}

/* The name in the path, of something that exists. */
static bool existing(ws_app_t *app, ws_request_t *request, ws_securable_kind_t kind, ws_full_name_t *out,
                     nv_error_t *err)
{
    if (!ws_full_name_parse(request->mem, kind, request->params[0], out, err)) {
        return false;
    }
    return ws_unity_exists(app->unity_dir, out) || missing(request, out, err);
}

/* ---- replies */

/* The fields that all kinds share. */
static void put_common(nv_json_writer_t *w, ws_app_t *app, const ws_full_name_t *name, const nv_json_t *entry)
{
    nv_json_put_string(w, "name", name->parts[name->count - 1]);
    if (name->count > 1) {
        nv_json_put_string(w, "catalog_name", name->parts[0]);
    }
    if (name->count > 2) {
        nv_json_put_string(w, "schema_name", name->parts[1]);
    }
    nv_json_put_string(w, "full_name", ws_full_name_text(w->buf.ctx, name));
    nv_json_put_string(w, "owner", app->client_id);
    const char *comment = nv_json_string_or(entry, "comment", NULL);
    if (comment) {
        nv_json_put_string(w, "comment", comment);
    }
    if (nv_json_size(nv_json_get(entry, "properties"))) {
        nv_json_put_value(w, "properties", nv_json_get(entry, "properties"));
    }
    if (nv_json_int64_or(entry, "created_at", 0)) {
        nv_json_put_int64(w, "created_at", nv_json_int64_or(entry, "created_at", 0));
        nv_json_put_int64(w, "updated_at",
                          nv_json_int64_or(entry, "updated_at", nv_json_int64_or(entry, "created_at", 0)));
        nv_json_put_string(w, "created_by", app->client_id);
        nv_json_put_string(w, "updated_by", app->client_id);
    }
}

static bool put_securable(nv_json_writer_t *w, ws_app_t *app, const char *key, const ws_full_name_t *name,
                          nv_error_t *err)
{
    const nv_json_t *entry = NULL;
    if (!ws_unity_read(w->buf.ctx, app->unity_dir, name, &entry, err)) {
        return false;
    }
    nv_json_open_object(w, key);
    put_common(w, app, name, entry);
    if (name->kind == WS_CATALOG) {
        nv_json_put_string(w, "catalog_type", "MANAGED_CATALOG");
        nv_json_put_string(w, "isolation_mode", "OPEN");
    } else if (name->kind == WS_VOLUME) {
        nv_json_put_string(w, "volume_type", "MANAGED");
        nv_json_put_string(
            w, "storage_location",
            nv_printf(w->buf.ctx, "file://%s", ws_unity_path(w->buf.ctx, app->unity_dir, name)));
    }
    nv_json_close_object(w);
    return true;
}

static bool reply_securable(ws_app_t *app, ws_request_t *request, const ws_full_name_t *name, nv_error_t *err)
{
    nv_json_writer_t w = ws_reply_writer(request);
    return put_securable(&w, app, NULL, name, err) && ws_reply_json(request, &w, err);
}

/* ---- pages */

typedef struct page {
    const char **names;
    size_t first;
    size_t end;
    const char *next; /* page_token, or NULL */
} page_t;

/* Cuts the sorted names to one page; a token is the last name of the page before. */
static bool cut_page(ws_request_t *request, const char **names, size_t count, page_t *out, nv_error_t *err)
{
    int64_t limit = 0;
    if (!ws_query_int64(request, "max_results", 0, &limit, err)) {
        return false;
    }
    if (limit < 0) {
        return nv_fail(err, NV_INVALID_ARGUMENT, "max_results: expected 0 or more, got %lld",
                       (long long)limit);
    }
    const char *after = ws_query(request, "page_token");
    size_t first = 0;
    while (after && first < count && strcmp(names[first], after) <= 0) {
        first++;
    }
    size_t size = limit > 0 && limit < 1000 ? (size_t)limit : 1000;
    size_t end = count - first > size ? first + size : count;
    *out = (page_t){.names = names, .first = first, .end = end, .next = end < count ? names[end - 1] : NULL};
    return true;
}

/* The parent named by catalog_name and schema_name in the query. */
static bool parent_of(ws_request_t *request, ws_securable_kind_t kind, ws_full_name_t *out, nv_error_t *err)
{
    const char *catalog = NULL;
    const char *schema = NULL;
    if (!ws_need_text(request, "catalog_name", &catalog, err)) {
        return false;
    }
    if (kind == WS_SCHEMA) {
        return ws_full_name_parse(request->mem, WS_CATALOG, catalog, out, err);
    }
    return ws_need_text(request, "schema_name", &schema, err) &&
           ws_full_name_parse(request->mem, WS_SCHEMA, nv_printf(request->mem, "%s.%s", catalog, schema), out,
                              err);
}

static bool list_page(ws_app_t *app, ws_request_t *request, ws_securable_kind_t kind, ws_full_name_t *parent,
                      page_t *page, nv_error_t *err)
{
    const char **names = NULL;
    size_t count = 0;
    if (kind != WS_CATALOG) {
        if (!parent_of(request, kind, parent, err)) {
            return false;
        }
        if (!ws_unity_exists(app->unity_dir, parent)) {
            return missing(request, parent, err);
        }
    }
    return ws_unity_list(request->mem, app->unity_dir, kind, kind == WS_CATALOG ? NULL : parent, &names,
                         &count, err) &&
           cut_page(request, names, count, page, err);
}

static ws_full_name_t child(const ws_full_name_t *parent, ws_securable_kind_t kind, const char *name)
{
    ws_full_name_t full = *parent;
    full.kind = kind;
    full.parts[full.count++] = name;
    return full;
}

static bool list_kind(ws_app_t *app, ws_request_t *request, ws_securable_kind_t kind, const char *key,
                      nv_error_t *err)
{
    ws_full_name_t parent = {.kind = WS_CATALOG};
    page_t page;
    if (!list_page(app, request, kind, &parent, &page, err)) {
        return false;
    }
    nv_json_writer_t w = ws_reply_writer(request);
    nv_json_open_object(&w, NULL);
    nv_json_open_array(&w, key);
    for (size_t i = page.first; i < page.end; i++) {
        ws_full_name_t name = child(&parent, kind, page.names[i]);
        if (!put_securable(&w, app, NULL, &name, err)) {
            return false;
        }
    }
    nv_json_close_array(&w);
    if (page.next) {
        nv_json_put_string(&w, "next_page_token", page.next);
    }
    nv_json_close_object(&w);
    return ws_reply_json(request, &w, err);
}

/* ---- creation and change */

/* The full name out of name, catalog_name and schema_name in the body; its parent must exist. */
static bool name_in_body(ws_app_t *app, ws_request_t *request, ws_securable_kind_t kind, ws_full_name_t *out,
                         nv_error_t *err)
{
    const char *text = NULL;
    const char *catalog = NULL;
    const char *schema = NULL;
    if (!ws_need_text(request, "name", &text, err) ||
        (kind != WS_CATALOG && !ws_need_text(request, "catalog_name", &catalog, err)) ||
        ((kind == WS_VOLUME || kind == WS_TABLE) && !ws_need_text(request, "schema_name", &schema, err))) {
        return false;
    }
    const char *full = !catalog  ? text
                       : !schema ? nv_printf(request->mem, "%s.%s", catalog, text)
                                 : nv_printf(request->mem, "%s.%s.%s", catalog, schema, text);
    if (!ws_full_name_parse(request->mem, kind, full, out, err)) {
        return false;
    }
    ws_full_name_t parent = ws_full_name_parent(out);
    return kind == WS_CATALOG || ws_unity_exists(app->unity_dir, &parent) || missing(request, &parent, err);
}

static bool already(ws_request_t *request, const ws_full_name_t *name, nv_error_t *err)
{
    static const char *const codes[] = {"CATALOG_ALREADY_EXISTS", "SCHEMA_ALREADY_EXISTS",
                                        "VOLUME_ALREADY_EXISTS", "TABLE_ALREADY_EXISTS"};
    return ws_refuse(request, err, 400, codes[name->kind], "%s '%s' already exists",
                     ws_securable_noun(name->kind), ws_full_name_text(request->mem, name));
}

static bool create_kind(ws_app_t *app, ws_request_t *request, ws_securable_kind_t kind, nv_error_t *err)
{
    ws_full_name_t name;
    if (!name_in_body(app, request, kind, &name, err)) {
        return false;
    }
    if (ws_unity_exists(app->unity_dir, &name)) {
        return already(request, &name, err);
    }
    const char *comment = nv_json_string_or(request->json, "comment", NULL);
    if (kind == WS_CATALOG) {
        ws_full_name_t schema = child(&name, WS_SCHEMA, "default");
        if (!ws_unity_write(request->mem, app->unity_dir, &schema, "Default schema (auto-created)", 0, NULL,
                            err)) {
            return false;
        }
    }
    return ws_unity_write(request->mem, app->unity_dir, &name, comment, 0,
                          nv_json_get(request->json, "properties"), err) &&
           reply_securable(app, request, &name, err);
}

static bool patch_kind(ws_app_t *app, ws_request_t *request, ws_securable_kind_t kind, nv_error_t *err)
{
    ws_full_name_t name;
    const nv_json_t *entry = NULL;
    if (!existing(app, request, kind, &name, err) ||
        !ws_unity_read(request->mem, app->unity_dir, &name, &entry, err)) {
        return false;
    }
    if (nv_json_get(request->json, "new_name")) {
        return nv_fail(err, NV_UNIMPLEMENTED,
                       "new_name: the local workspace does not rename catalogs, schemas or volumes");
    }
    const char *comment =
        nv_json_string_or(request->json, "comment", nv_json_string_or(entry, "comment", NULL));
    const nv_json_t *properties = nv_json_get(request->json, "properties");
    return ws_unity_write(request->mem, app->unity_dir, &name, comment,
                          nv_json_int64_or(entry, "created_at", 0),
                          properties ? properties : nv_json_get(entry, "properties"), err) &&
           reply_securable(app, request, &name, err);
}

/* Whether anything lies below; a catalog's own default schema does not count while it is empty. */
static bool is_empty(ws_app_t *app, nv_mem_t *mem, const ws_full_name_t *name, bool *out, nv_error_t *err)
{
    const char **names = NULL;
    size_t count = 0;
    *out = true;
    if (name->kind == WS_CATALOG) {
        if (!ws_unity_list(mem, app->unity_dir, WS_SCHEMA, name, &names, &count, err)) {
            return false;
        }
        ws_full_name_t schema = child(name, WS_SCHEMA, "default");
        bool only_default = count == 1 && strcmp(names[0], "default") == 0;
        *out = count == 0;
        return !only_default || is_empty(app, mem, &schema, out, err);
    }
    if (name->kind == WS_SCHEMA) {
        size_t volumes = 0;
        if (!ws_unity_list(mem, app->unity_dir, WS_TABLE, name, &names, &count, err) ||
            !ws_unity_list(mem, app->unity_dir, WS_VOLUME, name, &names, &volumes, err)) {
            return false;
        }
        *out = count + volumes == 0;
    }
    return true;
}

static bool delete_kind(ws_app_t *app, ws_request_t *request, ws_securable_kind_t kind, nv_error_t *err)
{
    ws_full_name_t name;
    bool empty = false;
    if (!existing(app, request, kind, &name, err) || !is_empty(app, request->mem, &name, &empty, err)) {
        return false;
    }
    if (!empty && !ws_query_bool(request, "force")) {
        return nv_fail(err, NV_FAILED_PRECONDITION, "Cannot delete %s '%s': it is not empty; pass force=true",
                       ws_securable_noun(kind), ws_full_name_text(request->mem, &name));
    }
    return ws_unity_remove(request->mem, app->unity_dir, &name, err) && ws_reply_empty(request);
}

static bool get_kind(ws_app_t *app, ws_request_t *request, ws_securable_kind_t kind, nv_error_t *err)
{
    ws_full_name_t name;
    return existing(app, request, kind, &name, err) && reply_securable(app, request, &name, err);
}

#define KIND_HANDLERS(noun, kind, key)                                                                       \
    static bool list_##noun(ws_app_t *app, ws_request_t *request, nv_error_t *err)                           \
    {                                                                                                        \
        return list_kind(app, request, kind, key, err);                                                      \
    }                                                                                                        \
    static bool create_##noun(ws_app_t *app, ws_request_t *request, nv_error_t *err)                         \
    {                                                                                                        \
        return create_kind(app, request, kind, err);                                                         \
    }                                                                                                        \
    static bool get_##noun(ws_app_t *app, ws_request_t *request, nv_error_t *err)                            \
    {                                                                                                        \
        return get_kind(app, request, kind, err);                                                            \
    }                                                                                                        \
    static bool patch_##noun(ws_app_t *app, ws_request_t *request, nv_error_t *err)                          \
    {                                                                                                        \
        return patch_kind(app, request, kind, err);                                                          \
    }                                                                                                        \
    static bool delete_##noun(ws_app_t *app, ws_request_t *request, nv_error_t *err)                         \
    {                                                                                                        \
        return delete_kind(app, request, kind, err);                                                         \
    }

KIND_HANDLERS(catalog, WS_CATALOG, "catalogs")
KIND_HANDLERS(schema, WS_SCHEMA, "schemas")
KIND_HANDLERS(volume, WS_VOLUME, "volumes")

/* ---- tables: what Spark knows of them is asked of Spark */

static bool describe(ws_app_t *app, ws_request_t *request, const ws_full_name_t *names, size_t count,
                     const nv_json_t **tables, nv_error_t *err)
{
    nv_json_writer_t w;
    const nv_json_t *result = NULL;
    int64_t id = ws_kernel_begin(app->kernel, request->mem, "describe", &w);
    nv_json_open_array(&w, "tables");
    for (size_t i = 0; i < count; i++) {
        nv_json_open_array(&w, NULL);
        for (size_t part = 0; part < 3; part++) {
            nv_json_put_string(&w, NULL, names[i].parts[part]);
        }
        nv_json_close_array(&w);
    }
    nv_json_close_array(&w);
    return ws_kernel_ask(app->kernel, request->mem, id, &w, &result, err) &&
           nv_json_array(result, "tables", tables, err);
}

static bool put_table(nv_json_writer_t *w, ws_app_t *app, const ws_full_name_t *name, const nv_json_t *known,
                      nv_error_t *err)
{
    nv_mem_t *mem = w->buf.ctx;
    const nv_json_t *entry = NULL;
    if (!ws_unity_read(mem, app->unity_dir, name, &entry, err)) {
        return false;
    }
    bool external = ws_unity_is_external(app->unity_dir, name);
    const char *provider = nv_json_string_or(entry, "provider", "delta");
    const char *path = ws_unity_path(mem, app->unity_dir, name);
    nv_json_open_object(w, NULL);
    put_common(w, app, name, known ? known : entry);
    nv_json_put_string(w, "table_type", nv_json_string_or(entry, "table_type", "MANAGED"));
    char *format = nv_strdup(mem, provider);
    for (char *p = format; *p; p++) {
        *p = (char)toupper((unsigned char)*p);
    }
    nv_json_put_string(w, "data_source_format", format);
    nv_json_put_string(w, "storage_location",
                       external ? nv_json_string_or(entry, "location", "")
                                : nv_printf(mem, "file://%s", path));
    if (nv_json_string_or(known, "id", NULL)) {
        nv_json_put_string(w, "table_id", nv_json_string_or(known, "id", ""));
    }
    if (nv_json_string_or(entry, "view_text", NULL)) {
        nv_json_put_string(w, "view_definition", nv_json_string_or(entry, "view_text", ""));
    }
    if (nv_json_get(known, "columns")) {
        nv_json_put_value(w, "columns", nv_json_get(known, "columns"));
    }
    nv_json_close_object(w);
    return true;
}

static bool get_table(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    ws_full_name_t name;
    const nv_json_t *tables = NULL;
    if (!existing(app, request, WS_TABLE, &name, err) || !describe(app, request, &name, 1, &tables, err)) {
        return false;
    }
    const nv_json_t *known = nv_json_at(tables, 0);
    if (nv_json_string_or(known, "error", NULL)) {
        return nv_fail(err, NV_INTERNAL, "%s: %s", ws_full_name_text(request->mem, &name),
                       nv_json_string_or(known, "error", ""));
    }
    nv_json_writer_t w = ws_reply_writer(request);
    return put_table(&w, app, &name, known, err) && ws_reply_json(request, &w, err);
}

static bool list_tables(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    ws_full_name_t parent;
    page_t page;
    const nv_json_t *known = NULL;
    if (!list_page(app, request, WS_TABLE, &parent, &page, err)) {
        return false;
    }
    size_t count = page.end - page.first;
    ws_full_name_t *names = NV_NEW_ARRAY(request->mem, ws_full_name_t, count + 1);
    for (size_t i = 0; i < count; i++) {
        names[i] = child(&parent, WS_TABLE, page.names[page.first + i]);
    }
    bool columns = count > 0 && !ws_query_bool(request, "omit_columns");
    if (columns && !describe(app, request, names, count, &known, err)) {
        return false;
    }
    nv_json_writer_t w = ws_reply_writer(request);
    nv_json_open_object(&w, NULL);
    nv_json_open_array(&w, "tables");
    for (size_t i = 0; i < count; i++) {
        if (!put_table(&w, app, &names[i], nv_json_at(known, i), err)) {
            return false;
        }
    }
    nv_json_close_array(&w);
    if (page.next) {
        nv_json_put_string(&w, "next_page_token", page.next);
    }
    nv_json_close_object(&w);
    return ws_reply_json(request, &w, err);
}

/* An external Delta table over data that is already there. */
static bool create_table(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    ws_full_name_t name;
    const char *location = NULL;
    const char *type = nv_json_string_or(request->json, "table_type", "");
    const char *format = nv_json_string_or(request->json, "data_source_format", "");
    if (!name_in_body(app, request, WS_TABLE, &name, err)) {
        return false;
    }
    if (strcmp(type, "EXTERNAL") != 0 || strcmp(format, "DELTA") != 0) {
        return nv_fail(
            err, NV_INVALID_ARGUMENT,
            "table_type %s, data_source_format %s: over REST only EXTERNAL DELTA tables are created; use SQL",
            type, format);
    }
    if (!ws_need_text(request, "storage_location", &location, err)) {
        return false;
    }
    if (ws_unity_exists(app->unity_dir, &name)) {
        return already(request, &name, err);
    }
    nv_json_writer_t w = ws_reply_writer(request);
    nv_json_open_object(&w, NULL);
    nv_json_put_string(&w, "table_type", "EXTERNAL");
    nv_json_put_string(&w, "provider", "delta");
    nv_json_put_string(&w, "location", location);
    nv_json_put_string(&w, "comment", nv_json_string_or(request->json, "comment", ""));
    nv_json_put_int64(&w, "created_at", ws_now_ms());
    nv_json_close_object(&w);
    char *text = NULL;
    if (!nv_json_write_end(&w, "table", &text, NULL, err) ||
        !ws_unity_write_external(request->mem, app->unity_dir, &name, text, err)) {
        return false;
    }
    nv_json_writer_t reply = ws_reply_writer(request);
    return put_table(&reply, app, &name, NULL, err) && ws_reply_json(request, &reply, err);
}

static bool delete_table(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    return delete_kind(app, request, WS_TABLE, err);
}

static bool table_exists(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    ws_full_name_t name;
    if (!ws_full_name_parse(request->mem, WS_TABLE, request->params[0], &name, err)) {
        return false;
    }
    nv_json_writer_t w = ws_reply_writer(request);
    nv_json_open_object(&w, NULL);
    nv_json_put_bool(&w, "table_exists", ws_unity_exists(app->unity_dir, &name));
    nv_json_close_object(&w);
    return ws_reply_json(request, &w, err);
}

#define UC "/api/2.1/unity-catalog/"

const ws_route_t ws_routes_unity[] = {
    {"GET", UC "catalogs", list_catalog, 0},
    {"POST", UC "catalogs", create_catalog, 0},
    {"GET", UC "catalogs/{name}", get_catalog, 0},
    {"PATCH", UC "catalogs/{name}", patch_catalog, 0},
    {"DELETE", UC "catalogs/{name}", delete_catalog, 0},
    {"GET", UC "schemas", list_schema, 0},
    {"POST", UC "schemas", create_schema, 0},
    {"GET", UC "schemas/{name}", get_schema, 0},
    {"PATCH", UC "schemas/{name}", patch_schema, 0},
    {"DELETE", UC "schemas/{name}", delete_schema, 0},
    {"GET", UC "volumes", list_volume, 0},
    {"POST", UC "volumes", create_volume, 0},
    {"GET", UC "volumes/{name}", get_volume, 0},
    {"PATCH", UC "volumes/{name}", patch_volume, 0},
    {"DELETE", UC "volumes/{name}", delete_volume, 0},
    {"GET", UC "tables", list_tables, 0},
    {"POST", UC "tables", create_table, 0},
    {"GET", UC "tables/{name}", get_table, 0},
    {"DELETE", UC "tables/{name}", delete_table, 0},
    {"GET", UC "tables/{name}/exists", table_exists, 0},
    {0},
};
