/* /api/2.x/jobs: create, reset, update, delete, get, list. */
#include "workspace/job_settings.h"
#include "workspace/job_store.h"
#include "workspace/router.h"
#include "workspace/run_store.h"
#include "workspace/scheduler.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

enum { MAX_SETTINGS = 16 * 1024 * 1024 };

/* The settings as they are stored: those given, with what create adds; `over` (may be NULL) replaces members of base. */
static bool settings_text(nv_mem_t *mem, const nv_json_t *base, const nv_json_t *over,
                          const nv_json_t *removed, const char **out, nv_error_t *err)
{
    nv_json_writer_t w = nv_json_writer_make(mem, MAX_SETTINGS, false);
    nv_json_open_object(&w, NULL);
    for (size_t i = 0; i < nv_json_size(base); i++) {
        const char *key = nv_json_key_at(base, i);
        bool drop = nv_json_member(over, key) != NULL;
        for (size_t r = 0; r < nv_json_size(removed); r++) {
            const char *name = nv_json_scalar_text(nv_json_at(removed, r));
            drop = drop || (name && strcmp(name, key) == 0);
        }
        if (!drop) {
            nv_json_put_value(&w, key, nv_json_at(base, i));
        }
    }
    for (size_t i = 0; i < nv_json_size(over); i++) {
        nv_json_put_value(&w, nv_json_key_at(over, i), nv_json_at(over, i));
    }
    if (!nv_json_member(base, "name") && !nv_json_member(over, "name")) {
        nv_json_put_string(&w, "name", "Untitled");
    }
    if (!nv_json_member(base, "max_concurrent_runs") && !nv_json_member(over, "max_concurrent_runs")) {
        nv_json_put_int64(&w, "max_concurrent_runs", 1);
    }
    if (!nv_json_member(base, "format") && !nv_json_member(over, "format")) {
        nv_json_put_string(&w, "format", "MULTI_TASK");
    }
    nv_json_close_object(&w);
    char *text = NULL;
    *out = NULL;
    if (!nv_json_write_end(&w, "job settings", &text, NULL, err)) {
        return false;
    }
    *out = text;
    return true;
}

/* Checked text of the settings, ready to store, and their name. */
static bool prepare(nv_mem_t *mem, const nv_json_t *base, const nv_json_t *over, const nv_json_t *removed,
                    const char **text, const char **name, nv_error_t *err)
{
    const nv_json_t *merged = NULL;
    if (!settings_text(mem, base, over, removed, text, err) ||
        !nv_json_parse(mem, "job settings", *text, strlen(*text), &merged, err) ||
        !ws_job_settings_check(merged, err)) {
        return false;
    }
    *name = nv_json_string_or(merged, "name", "Untitled");
    return true;
}

static bool create(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    const char *text = NULL;
    const char *name = NULL;
    int64_t job_id = 0;
    if (!prepare(request->mem, request->json, NULL, NULL, &text, &name, err) ||
        !ws_job_create(app->db, name, text, &job_id, err)) {
        return false;
    }
    nv_json_writer_t w = ws_reply_writer(request);
    nv_json_open_object(&w, NULL);
    nv_json_put_int64(&w, "job_id", job_id);
    nv_json_close_object(&w);
    return ws_reply_json(request, &w, err);
}

/* The job named in the request; a missing one is 400, as the original answers it. */
static bool find_job(ws_app_t *app, ws_request_t *request, ws_job_t *job, nv_error_t *err)
{
    int64_t job_id = 0;
    if (!ws_need_int64(request, "job_id", &job_id, err)) {
        return false;
    }
    if (!ws_job_get(app->db, request->mem, job_id, job, err)) {
        return err->code == NV_NOT_FOUND ? ws_refuse(request, err, 400, "INVALID_PARAMETER_VALUE",
                                                     "Job %" PRId64 " does not exist.", job_id)
                                         : false;
    }
    return true;
}

static bool reset(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    ws_job_t job;
    const char *text = NULL;
    const char *name = NULL;
    return find_job(app, request, &job, err) &&
           prepare(request->mem, nv_json_member(request->json, "new_settings"), NULL, NULL, &text, &name,
                   err) &&
           ws_job_update(app->db, job.job_id, name, text, err) && ws_reply_empty(request);
}

static bool update(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    ws_job_t job;
    const char *text = NULL;
    const char *name = NULL;
    return find_job(app, request, &job, err) &&
           prepare(request->mem, job.settings, nv_json_member(request->json, "new_settings"),
                   nv_json_member(request->json, "fields_to_remove"), &text, &name, err) &&
           ws_job_update(app->db, job.job_id, name, text, err) && ws_reply_empty(request);
}

static bool delete_job(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    ws_job_t job;
    if (!find_job(app, request, &job, err) || !ws_job_delete(app->db, job.job_id, err)) {
        return false;
    }
    return ws_reply_empty(request);
}

static void put_job(nv_json_writer_t *w, const ws_app_t *app, const ws_job_t *job, bool with_tasks)
{
    nv_json_put_int64(w, "job_id", job->job_id);
    nv_json_put_string(w, "creator_user_name", app->client_id);
    nv_json_put_int64(w, "created_time", job->created_at);
    nv_json_open_object(w, "settings");
    for (size_t i = 0; i < nv_json_size(job->settings); i++) {
        const char *key = nv_json_key_at(job->settings, i);
        if (with_tasks || (strcmp(key, "tasks") != 0 && strcmp(key, "job_clusters") != 0)) {
            nv_json_put_value(w, key, nv_json_at(job->settings, i));
        }
    }
    nv_json_close_object(w);
}

static bool get(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    ws_job_t job;
    if (!find_job(app, request, &job, err)) {
        return false;
    }
    nv_json_writer_t w = ws_reply_writer(request);
    nv_json_open_object(&w, NULL);
    put_job(&w, app, &job, true);
    nv_json_put_string(&w, "run_as_user_name", app->client_id);
    nv_json_close_object(&w);
    return ws_reply_json(request, &w, err);
}

static bool list(ws_app_t *app, ws_request_t *request, nv_error_t *err)
{
    int64_t limit = 0;
    int64_t after = 0;
    ws_job_t *jobs = NULL;
    size_t count = 0;
    const char *name = ws_query(request, "name");
    if (!ws_query_int64(request, "limit", 20, &limit, err) ||
        !ws_query_int64(request, "page_token", 0, &after, err)) {
        return false;
    }
    if (limit < 1 || limit > 100) {
        return nv_fail(err, NV_INVALID_ARGUMENT, "limit: expected 1 to 100, got %" PRId64, limit);
    }
    if (!ws_job_list(app->db, request->mem, name, after, limit + 1, &jobs, &count, err)) {
        return false;
    }
    bool more = count > (size_t)limit;
    count = more ? (size_t)limit : count;
    nv_json_writer_t w = ws_reply_writer(request);
    nv_json_open_object(&w, NULL);
    if (count) {
        nv_json_open_array(&w, "jobs");
        for (size_t i = 0; i < count; i++) {
            nv_json_open_object(&w, NULL);
            put_job(&w, app, &jobs[i], ws_query_bool(request, "expand_tasks"));
            nv_json_close_object(&w);
        }
        nv_json_close_array(&w);
    }
    nv_json_put_bool(&w, "has_more", more);
    if (more) {
        nv_json_put_string(&w, "next_page_token",
                           nv_printf(request->mem, "%" PRId64, jobs[count - 1].job_id));
    }
    nv_json_close_object(&w);
    return ws_reply_json(request, &w, err);
}

const ws_route_t ws_routes_jobs[] = {
    {"POST", "/api/2.{minor}/jobs/create", create, 0},
    {"POST", "/api/2.{minor}/jobs/reset", reset, 0},
    {"POST", "/api/2.{minor}/jobs/update", update, 0},
    {"POST", "/api/2.{minor}/jobs/delete", delete_job, 0},
    {"GET", "/api/2.{minor}/jobs/get", get, 0},
    {"GET", "/api/2.{minor}/jobs/list", list, 0},
    {0},
};
