/* The job: one task per notebook, in the order that the mapping's dependencies ask for. */
#include "common/core/json.h"
#include "worker/codegen/emit.h"

#include <string.h>

enum { JOB_MAX = 4 * 1024 * 1024, TASK_TIMEOUT_SECONDS = 7200, MAX_RETRIES = 1, RETRY_PAUSE_MS = 10000 };

static void put_parameter(nv_json_writer_t *w, const char *name, const char *value)
{
    nv_json_open_object(w, NULL);
    nv_json_put_string(w, "name", name);
    nv_json_put_string(w, "default", value);
    nv_json_close_object(w);
}

static void open_task(nv_mem_t *ctx, nv_json_writer_t *w, const char *key)
{
    nv_json_open_object(w, NULL);
    nv_json_put_string(w, "task_key", key);
    nv_json_open_object(w, "notebook_task");
    nv_json_put_string(w, "notebook_path", nv_printf(ctx, "notebooks/%s", key));
    nv_json_put_string(w, "source", "WORKSPACE");
    nv_json_close_object(w);
    nv_json_put_int64(w, "timeout_seconds", TASK_TIMEOUT_SECONDS);
    nv_json_put_int64(w, "max_retries", MAX_RETRIES);
    nv_json_put_int64(w, "min_retry_interval_millis", RETRY_PAUSE_MS);
    nv_json_open_array(w, "depends_on");
}

static void put_dependency(nv_json_writer_t *w, const char *key)
{
    nv_json_open_object(w, NULL);
    nv_json_put_string(w, "task_key", key);
    nv_json_close_object(w);
}

static void close_task(nv_json_writer_t *w)
{
    nv_json_close_array(w);
    nv_json_close_object(w);
}

static void put_step(nv_mem_t *ctx, nv_json_writer_t *w, const char *key, const char *after)
{
    open_task(ctx, w, key);
    if (after)
        put_dependency(w, after);
    close_task(w);
}

static void put_target(nv_mem_t *ctx, nv_json_writer_t *w, const Nv__Sttm *sttm, const Nv__SttmTarget *target)
{
    open_task(ctx, w, emit_notebook_name(ctx, target));
    put_dependency(w, "20_silver");
    for (size_t i = 0; i < target->n_depends_on; i++)
        put_dependency(w, emit_notebook_name(ctx, model_target(sttm, target->depends_on[i])));
    close_task(w);
}

static void put_quality(nv_mem_t *ctx, nv_json_writer_t *w, const Nv__Sttm *sttm)
{
    open_task(ctx, w, "90_quality");
    for (size_t i = 0; i < sttm->n_targets; i++)
        put_dependency(w, emit_notebook_name(ctx, sttm->targets[i]));
    close_task(w);
}

bool emit_job(nv_mem_t *ctx, const Nv__Sttm *sttm, char **out, nv_error_t *err)
{
    nv_json_writer_t w = nv_json_writer_make(ctx, JOB_MAX, true);
    nv_json_open_object(&w, NULL);
    nv_json_put_string(&w, "name", nv_printf(ctx, "nuvyn %s", sttm->name));
    nv_json_put_string(&w, "format", "MULTI_TASK");
    nv_json_put_int64(&w, "max_concurrent_runs", 1);
    nv_json_open_object(&w, "queue");
    nv_json_put_bool(&w, "enabled", true);
    nv_json_close_object(&w);
    nv_json_open_array(&w, "parameters");
    put_parameter(&w, "catalog", "main");
    put_parameter(&w, "schema", "default");
    put_parameter(&w, "volume", "/Volumes/main/default/raw");
    put_parameter(&w, "batch_id", "{{job.run_id}}");
    put_parameter(&w, "on_change", "rebuild");
    put_parameter(&w, "load", "changes");
    put_parameter(&w, "overlap_hours", "24");
    put_parameter(&w, "backfill_from", "");
    put_parameter(&w, "mask_pii", "no");
    put_parameter(&w, "secret_scope", "");
    nv_json_close_array(&w);
    nv_json_open_array(&w, "tasks");
    put_step(ctx, &w, "00_setup", NULL);
    put_step(ctx, &w, "10_bronze", "00_setup");
    put_step(ctx, &w, "20_silver", "10_bronze");
    for (size_t i = 0; i < sttm->n_targets; i++)
        put_target(ctx, &w, sttm, sttm->targets[i]);
    put_quality(ctx, &w, sttm);
    nv_json_close_array(&w);
    nv_json_close_object(&w);
    return nv_json_write_end(&w, "job settings", out, NULL, err);
}
