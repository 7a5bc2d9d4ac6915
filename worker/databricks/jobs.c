/* Jobs: found by name, created or reset. */
#include "worker/databricks/client.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static int compare_ids(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a;
    int64_t right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

bool databricks_find_jobs(databricks_t *db, nv_mem_t *ctx, const char *name, int64_t **ids, size_t *n,
                          nv_error_t *err)
{
    size_t capacity = 0;
    const char *page = "";
    char *url = nv_url_with_query(ctx, "/api/2.2/jobs/list?limit=100", "name", name);
    *ids = NULL;
    *n = 0;
    do {
        const nv_json_t *root;
        if (!db_get(db, ctx, *page ? nv_url_with_query(ctx, url, "page_token", page) : url, &root, err))
            return false;
        const nv_json_t *jobs = nv_json_get(root, "jobs");
        for (size_t i = 0; i < nv_json_size(jobs); i++) {
            const nv_json_t *job = nv_json_at(jobs, i);
            int64_t id;
            if (strcmp(nv_json_string_or(job, "settings.name", ""), name) != 0)
                continue; /* the filter of the service ignores case */
            if (!nv_json_int64(job, "job_id", &id, err))
                return false;
            NV_PUSH(ctx, *ids, *n, capacity) = id;
        }
        page = nv_json_string_or(root, "next_page_token", "");
    } while (*page);
    if (*n > 1)
        qsort(*ids, *n, sizeof **ids, compare_ids);
    return true;
}

static bool reset_job(databricks_t *db, int64_t job_id, const char *settings, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("reset");
    char *body = nv_printf(ctx, "{\"job_id\":%" PRId64 ",\"new_settings\":%s}", job_id, settings);
    return db_post(db, "/api/2.2/jobs/reset", body, true, err);
}

static bool create_job(databricks_t *db, const char *settings, int64_t *job_id, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("create");
    const nv_json_t *root;
    db_call_t call = {.method = "POST", .path = "/api/2.2/jobs/create", .body = settings};
    return db_call(db, ctx, &call, &root, err) && nv_json_int64(root, "job_id", job_id, err);
}

/* The first job of the name, reset; *found tells whether there was one. A job that vanishes meanwhile was not there. */
static bool reset_by_name(databricks_t *db, const char *name, const char *settings, int64_t *job_id,
                          bool *found, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("find");
    int64_t *ids;
    size_t n;
    *found = false;
    if (!databricks_find_jobs(db, ctx, name, &ids, &n, err))
        return false;
    if (n == 0)
        return true;
    if (!reset_job(db, ids[0], settings, err)) {
        if (err->code != NV_NOT_FOUND)
            return false;
        nv_error_clear(err);
        return true;
    }
    *job_id = ids[0];
    *found = true;
    return true;
}

bool databricks_put_job(databricks_t *db, const char *settings, int64_t *job_id, bool *created,
                        nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("put job");
    const nv_json_t *root;
    const char *name;
    bool found;
    *created = false;
    if (!nv_json_parse(ctx, "job settings", settings, strlen(settings), &root, err) ||
        !nv_json_string(root, "name", &name, err))
        return false;
    for (int attempt = 1;; attempt++) {
        if (!reset_by_name(db, name, settings, job_id, &found, err))
            return nv_wrap(err, "job \"%s\"", name);
        if (found) {
            *created = attempt > 1; /* the create whose answer was lost */
            return true;
        }
        if (create_job(db, settings, job_id, err)) {
            *created = true;
            return true;
        }
        if (!db_was_ambiguous(db) || attempt == 3)
            return nv_wrap(err, "job \"%s\"", name);
        if (!nv_http_sleep(db_http(db), 300 * attempt,
                           err)) /* what was made may need a moment to be listed */
            return false;
    }
}

bool databricks_delete_job(databricks_t *db, int64_t job_id, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("delete job");
    return db_post(db, "/api/2.2/jobs/delete", nv_printf(ctx, "{\"job_id\":%" PRId64 "}", job_id), true, err);
}

bool databricks_run_now(databricks_t *db, int64_t job_id, const databricks_parameter_t *parameters, size_t n,
                        const char *idempotency_token, int64_t *run_id, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("run now");
    const nv_json_t *root;
    char *body;
    size_t length = strlen(idempotency_token);
    if (length == 0 || length > DATABRICKS_TOKEN_MAX)
        return nv_fail(err, NV_INVALID_ARGUMENT, "idempotency token of %zu characters: expected 1 … %d",
                       length, DATABRICKS_TOKEN_MAX);
    nv_json_writer_t w = nv_json_writer_make(ctx, 1024 * 1024, false);
    nv_json_open_object(&w, NULL);
    nv_json_put_int64(&w, "job_id", job_id);
    nv_json_put_string(&w, "idempotency_token", idempotency_token);
    if (n > 0) {
        nv_json_open_object(&w, "job_parameters");
        for (size_t i = 0; i < n; i++)
            nv_json_put_string(&w, parameters[i].name, parameters[i].value ? parameters[i].value : "");
        nv_json_close_object(&w);
    }
    nv_json_close_object(&w);
    if (!nv_json_write_end(&w, "run-now", &body, NULL, err))
        return false;
    db_call_t call = {.method = "POST", .path = "/api/2.2/jobs/run-now", .body = body, .idempotent = true};
    return db_call(db, ctx, &call, &root, err) && nv_json_int64(root, "run_id", run_id, err);
}
