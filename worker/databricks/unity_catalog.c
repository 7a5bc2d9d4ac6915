/* Names of the Unity Catalog: catalogs, schemas, volumes, tables. */
#include "worker/databricks/client.h"

#include <string.h>

#define UC "/api/2.1/unity-catalog/"

/* {"name": …, "catalog_name": …, "schema_name": …, "volume_type": …}, absent ones left out. */
static bool name_body(nv_mem_t *ctx, const char *catalog, const char *schema, const char *name, bool volume,
                      char **out, nv_error_t *err)
{
    nv_json_writer_t w = nv_json_writer_make(ctx, 65536, false);
    nv_json_open_object(&w, NULL);
    nv_json_put_string(&w, "name", name);
    if (catalog)
        nv_json_put_string(&w, "catalog_name", catalog);
    if (schema)
        nv_json_put_string(&w, "schema_name", schema);
    if (volume)
        nv_json_put_string(&w, "volume_type", "MANAGED");
    nv_json_close_object(&w);
    return nv_json_write_end(&w, name, out, NULL, err);
}

static bool ensure(databricks_t *db, const char *kind, const char *catalog, const char *schema,
                   const char *name, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("ensure");
    const nv_json_t *root;
    const char *full = !catalog ? name
                       : schema ? nv_printf(ctx, "%s.%s.%s", catalog, schema, name)
                                : nv_printf(ctx, "%s.%s", catalog, name);
    if (db_get(db, ctx, nv_printf(ctx, UC "%s/%s", kind, nv_url_escape(ctx, full)), &root, err))
        return true;
    if (err->code != NV_NOT_FOUND)
        return nv_wrap(err, "%s", full);
    nv_error_clear(err);
    char *body;
    if (!name_body(ctx, catalog, schema, name, strcmp(kind, "volumes") == 0, &body, err))
        return false;
    /* a repeat can only find that it exists, which is what is wanted */
    if (db_post(db, nv_printf(ctx, UC "%s", kind), body, true, err))
        return true;
    if (err->code != NV_ALREADY_EXISTS)
        return nv_wrap(err, "%s", full);
    nv_error_clear(err);
    return true;
}

bool databricks_ensure_catalog(databricks_t *db, const char *catalog, nv_error_t *err)
{
    return ensure(db, "catalogs", NULL, NULL, catalog, err);
}

bool databricks_ensure_schema(databricks_t *db, const char *catalog, const char *schema, nv_error_t *err)
{
    return ensure(db, "schemas", catalog, NULL, schema, err);
}

bool databricks_ensure_volume(databricks_t *db, const char *catalog, const char *schema, const char *volume,
                              nv_error_t *err)
{
    return ensure(db, "volumes", catalog, schema, volume, err);
}

static bool read_table(nv_mem_t *ctx, const nv_json_t *node, databricks_table_t *out, nv_error_t *err)
{
    const char *name;
    if (!nv_json_string(node, "name", &name, err))
        return false;
    out->full_name = nv_json_string_or(node, "full_name", name);
    out->type = nv_json_string_or(node, "table_type", "");
    out->format = nv_json_string_or(node, "data_source_format", "");
    out->comment = nv_json_string_or(node, "comment", "");
    const nv_json_t *columns = nv_json_get(node, "columns");
    out->n_columns = nv_json_size(columns);
    out->columns = NV_NEW_ARRAY(ctx, databricks_column_t, out->n_columns);
    for (size_t i = 0; i < out->n_columns; i++) {
        const nv_json_t *column = nv_json_at(columns, i);
        if (!nv_json_string(column, "name", &out->columns[i].name, err))
            return false;
        out->columns[i].type_text = nv_json_string_or(column, "type_text", "");
        out->columns[i].type_name = nv_json_string_or(column, "type_name", "");
    }
    return true;
}

bool databricks_get_table(databricks_t *db, nv_mem_t *ctx, const char *full_name, databricks_table_t *out,
                          nv_error_t *err)
{
    const nv_json_t *root;
    return db_get(db, ctx, nv_printf(ctx, UC "tables/%s", nv_url_escape(ctx, full_name)), &root, err) &&
           read_table(ctx, root, out, err);
}

bool databricks_list_tables(databricks_t *db, nv_mem_t *ctx, const char *catalog, const char *schema,
                            databricks_table_t **out, size_t *n, nv_error_t *err)
{
    size_t capacity = 0;
    const char *page = "";
    /* max_results=0: pages of the service's own size; without it the old unpaged form answers */
    char *url = nv_url_with_query(ctx, UC "tables?max_results=0", "catalog_name", catalog);
    url = nv_url_with_query(ctx, url, "schema_name", schema);
    *out = NULL;
    *n = 0;
    do {
        const nv_json_t *root;
        if (!db_get(db, ctx, *page ? nv_url_with_query(ctx, url, "page_token", page) : url, &root, err))
            return false;
        const nv_json_t *tables = nv_json_get(root, "tables");
        for (size_t i = 0; i < nv_json_size(tables); i++) {
            databricks_table_t table;
            if (!read_table(ctx, nv_json_at(tables, i), &table, err))
                return false;
            NV_PUSH(ctx, *out, *n, capacity) = table;
        }
        page = nv_json_string_or(root, "next_page_token", "");
    } while (*page);
    return true;
}
