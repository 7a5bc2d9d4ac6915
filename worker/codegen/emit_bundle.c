/* databricks.yml: the job as an asset bundle with a dev and a prod target, so that a team can deploy it by itself. */
#include "common/core/json.h"
#include "worker/codegen/emit.h"
#include "worker/codegen/text.h"

#include <string.h>

enum { BUNDLE_MAX = 4 * 1024 * 1024 };

static void put_variable(nv_json_writer_t *w, const char *name, const char *description, const char *value)
{
    nv_json_open_object(w, name);
    nv_json_put_string(w, "description", description);
    nv_json_put_string(w, "default", value);
    nv_json_close_object(w);
}

static void put_variables(nv_json_writer_t *w)
{
    nv_json_open_object(w, "variables");
    put_variable(w, "catalog", "Unity Catalog that holds the tables", "main");
    put_variable(w, "schema", "schema that holds the tables", "default");
    put_variable(w, "volume", "folder of the raw files", "/Volumes/main/default/raw");
    put_variable(w, "alerts", "who is told when a run fails", "${workspace.current_user.userName}");
    nv_json_close_object(w);
}

static void put_target(nv_json_writer_t *w, const char *name, const char *mode, bool is_default)
{
    nv_json_open_object(w, name);
    nv_json_put_string(w, "mode", mode);
    if (is_default)
        nv_json_put_bool(w, "default", true);
    nv_json_open_object(w, "variables");
    nv_json_put_string(w, "catalog", name);
    nv_json_close_object(w);
    if (!is_default) {
        nv_json_open_object(w, "workspace");
        /* Whose job runs it: nobody else may write there, as everybody may below /Workspace/Shared. */
        nv_json_put_string(
            w, "root_path",
            "/Workspace/Users/${workspace.current_user.userName}/.bundle/${bundle.name}/${bundle.target}");
        nv_json_close_object(w);
    }
    nv_json_close_object(w);
}

static void put_schedule(nv_json_writer_t *w, const char *cron)
{
    nv_json_open_object(w, "schedule");
    nv_json_put_string(w, "quartz_cron_expression", cron);
    nv_json_put_string(w, "timezone_id", "UTC");
    nv_json_close_object(w);
}

static void put_alerts(nv_json_writer_t *w)
{
    nv_json_open_object(w, "email_notifications");
    nv_json_open_array(w, "on_failure");
    nv_json_put_string(w, NULL, "${var.alerts}");
    nv_json_close_array(w);
    nv_json_close_object(w);
}

/* Notebook paths of a bundle carry their extension, and it knows by itself where its notebooks are. */
static void put_notebook(nv_mem_t *ctx, nv_json_writer_t *w, const char *key, const char *path)
{
    nv_json_open_object(w, key);
    nv_json_put_string(w, "notebook_path", nv_printf(ctx, "%s.py", path));
    nv_json_close_object(w);
}

static void put_task(nv_mem_t *ctx, nv_json_writer_t *w, const nv_json_t *task)
{
    nv_json_open_object(w, NULL);
    for (size_t i = 0; i < nv_json_size(task); i++) {
        const char *key = nv_json_key_at(task, i);
        const char *path = nv_json_string_or(nv_json_at(task, i), "notebook_path", NULL);
        if (path)
            put_notebook(ctx, w, key, path);
        else
            nv_json_put_value(w, key, nv_json_at(task, i));
    }
    nv_json_close_object(w);
}

static void put_parameter(nv_mem_t *ctx, nv_json_writer_t *w, const char *name, const char *value)
{
    bool variable =
        strcmp(name, "catalog") == 0 || strcmp(name, "schema") == 0 || strcmp(name, "volume") == 0;
    nv_json_open_object(w, NULL);
    nv_json_put_string(w, "name", name);
    nv_json_put_string(w, "default", variable ? nv_printf(ctx, "${var.%s}", name) : value);
    nv_json_close_object(w);
}

static void put_parameters(nv_mem_t *ctx, nv_json_writer_t *w, const nv_json_t *parameters)
{
    nv_json_open_array(w, "parameters");
    for (size_t i = 0; i < nv_json_size(parameters); i++)
        put_parameter(ctx, w, nv_json_string_or(nv_json_at(parameters, i), "name", ""),
                      nv_json_string_or(nv_json_at(parameters, i), "default", ""));
    nv_json_close_array(w);
}

static void put_pipeline(nv_mem_t *ctx, nv_json_writer_t *w, const nv_json_t *job)
{
    nv_json_open_object(w, "pipeline");
    for (size_t i = 0; i < nv_json_size(job); i++) {
        const char *key = nv_json_key_at(job, i);
        const nv_json_t *value = nv_json_at(job, i);
        if (strcmp(key, "tasks") == 0) {
            nv_json_open_array(w, "tasks");
            for (size_t k = 0; k < nv_json_size(value); k++)
                put_task(ctx, w, nv_json_at(value, k));
            nv_json_close_array(w);
        } else if (strcmp(key, "parameters") == 0) {
            put_parameters(ctx, w, value);
        } else if (strcmp(key, "format") != 0) { /* always MULTI_TASK in a bundle */
            nv_json_put_value(w, key, value);
        }
    }
    put_schedule(w, "0 0 5 * * ?");
    put_alerts(w);
    nv_json_close_object(w);
}

static void put_maintenance(nv_mem_t *ctx, nv_json_writer_t *w, const Nv__Sttm *sttm)
{
    nv_json_open_object(w, "maintenance");
    nv_json_put_string(w, "name", nv_printf(ctx, "nuvyn %s maintenance", sttm->name));
    nv_json_put_int64(w, "max_concurrent_runs", 1);
    nv_json_open_array(w, "parameters");
    put_parameter(ctx, w, "catalog", "");
    put_parameter(ctx, w, "schema", "");
    put_parameter(ctx, w, "batch_id", "{{job.run_id}}");
    put_parameter(ctx, w, "retention_hours", "168");
    nv_json_close_array(w);
    nv_json_open_array(w, "tasks");
    nv_json_open_object(w, NULL);
    nv_json_put_string(w, "task_key", "95_maintenance");
    put_notebook(ctx, w, "notebook_task", "notebooks/95_maintenance");
    nv_json_close_object(w);
    nv_json_close_array(w);
    put_schedule(w, "0 0 3 ? * SUN");
    put_alerts(w);
    nv_json_close_object(w);
}

/* YAML takes JSON as it is (YAML 1.2), and JSON leaves no doubt about quoting. */
bool emit_bundle(nv_mem_t *ctx, const Nv__Sttm *sttm, const char *job, Nv__ProjectFile **out, nv_error_t *err)
{
    const nv_json_t *settings;
    char *text;
    nv_json_writer_t w = nv_json_writer_make(ctx, BUNDLE_MAX, true);
    if (!nv_json_parse(ctx, "job settings", job, strlen(job), &settings, err))
        return false;
    nv_json_open_object(&w, NULL);
    nv_json_open_object(&w, "bundle");
    nv_json_put_string(&w, "name", nv_printf(ctx, "nuvyn_%s", py_name(ctx, sttm->name)));
    nv_json_close_object(&w);
    put_variables(&w);
    nv_json_open_object(&w, "targets");
    put_target(&w, "dev", "development", true);
    put_target(&w, "prod", "production", false);
    nv_json_close_object(&w);
    nv_json_open_object(&w, "resources");
    nv_json_open_object(&w, "jobs");
    put_pipeline(ctx, &w, settings);
    put_maintenance(ctx, &w, sttm);
    nv_json_close_object(&w);
    nv_json_close_object(&w);
    nv_json_close_object(&w);
    if (!nv_json_write_end(&w, "databricks.yml", &text, NULL, err))
        return false;
    *out = project_file(ctx, "databricks.yml", text, false);
    return true;
}
