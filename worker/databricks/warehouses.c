/* SQL warehouses: which to use, and that it runs. */
#include "worker/databricks/client.h"

#include <string.h>

static bool read_warehouse(const nv_json_t *node, databricks_warehouse_t *out, nv_error_t *err)
{
    if (!nv_json_string(node, "id", &out->id, err) || !nv_json_string(node, "state", &out->state, err))
        return false;
    out->name = nv_json_string_or(node, "name", "");
    out->serverless = nv_json_bool_or(node, "enable_serverless_compute", false);
    return true;
}

bool databricks_list_warehouses(databricks_t *db, nv_mem_t *ctx, databricks_warehouse_t **out, size_t *n,
                                nv_error_t *err)
{
    size_t capacity = 0;
    const char *page = "";
    const char *url = "/api/2.0/sql/warehouses";
    *out = NULL;
    *n = 0;
    do {
        const nv_json_t *root;
        if (!db_get(db, ctx, *page ? nv_url_with_query(ctx, url, "page_token", page) : url, &root, err))
            return false;
        const nv_json_t *warehouses = nv_json_get(root, "warehouses");
        for (size_t i = 0; i < nv_json_size(warehouses); i++) {
            databricks_warehouse_t warehouse;
            if (!read_warehouse(nv_json_at(warehouses, i), &warehouse, err))
                return false;
            NV_PUSH(ctx, *out, *n, capacity) = warehouse;
        }
        page = nv_json_string_or(root, "next_page_token", "");
    } while (*page);
    return true;
}

static bool get_warehouse(databricks_t *db, nv_mem_t *ctx, const char *id, databricks_warehouse_t *out,
                          nv_error_t *err)
{
    const nv_json_t *root;
    return db_get(db, ctx, nv_printf(ctx, "/api/2.0/sql/warehouses/%s", nv_url_escape(ctx, id)), &root,
                  err) &&
           read_warehouse(root, out, err);
}

static int rank(const databricks_warehouse_t *warehouse)
{
    if (strcmp(warehouse->state, "DELETING") == 0 || strcmp(warehouse->state, "DELETED") == 0)
        return 0;
    if (strcmp(warehouse->state, "RUNNING") == 0)
        return 4;
    if (strcmp(warehouse->state, "STARTING") == 0)
        return 3;
    return warehouse->serverless ? 2 : 1;
}

static bool pick(databricks_t *db, nv_mem_t *ctx, databricks_warehouse_t *out, nv_error_t *err)
{
    databricks_warehouse_t *all;
    size_t n;
    if (!databricks_list_warehouses(db, ctx, &all, &n, err))
        return false;
    const databricks_warehouse_t *best = NULL;
    for (size_t i = 0; i < n; i++)
        if (rank(&all[i]) > (best ? rank(best) : 0))
            best = &all[i];
    if (!best)
        return nv_fail(err, NV_NOT_FOUND, "Databricks: there is no SQL warehouse this identity may use");
    *out = *best;
    return true;
}

bool databricks_use_warehouse(databricks_t *db, nv_mem_t *ctx, const char *preferred, int64_t timeout_ms,
                              databricks_warehouse_t *out, nv_error_t *err)
{
    bool ok = preferred && *preferred ? get_warehouse(db, ctx, preferred, out, err) : pick(db, ctx, out, err);
    if (!ok)
        return false;
    int64_t deadline = db_now_ms() + timeout_ms;
    int64_t wait = 0;
    bool started = false;
    while (strcmp(out->state, "RUNNING") != 0) {
        if (strcmp(out->state, "STOPPED") == 0 && !started) {
            char *path = nv_printf(ctx, "/api/2.0/sql/warehouses/%s/start", nv_url_escape(ctx, out->id));
            if (!db_post(db, path, "{}", true, err))
                return false;
            started = true;
        }
        if (rank(out) == 0)
            return nv_fail(err, NV_FAILED_PRECONDITION, "warehouse %s is %s", out->id, out->state);
        if (db_now_ms() > deadline)
            return nv_fail(err, NV_DEADLINE_EXCEEDED, "warehouse %s is still %s after %lld ms", out->id,
                           out->state, (long long)timeout_ms);
        wait = db_next_poll_ms(wait);
        if (!nv_http_sleep(db_http(db), wait, err) || !get_warehouse(db, ctx, out->id, out, err))
            return false;
    }
    return true;
}
