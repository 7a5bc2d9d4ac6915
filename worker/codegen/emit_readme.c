/* The project's own README and its asset bundle, so that a team can keep and deploy the code by itself. */
#include "common/core/buf.h"
#include "common/core/json.h"
#include "worker/codegen/emit.h"
#include "worker/codegen/text.h"

#include <string.h>

enum { README_MAX = 1024 * 1024, BUNDLE_MAX = 4 * 1024 * 1024, CELL_MAX = 400 };

static const char *kind_text(const Nv__SttmTarget *target)
{
    switch (target->kind) {
    case NV__TARGET_KIND__TARGET_KIND_FACT:
        return "fact";
    case NV__TARGET_KIND__TARGET_KIND_BRIDGE:
        return "bridge";
    case NV__TARGET_KIND__TARGET_KIND_DATE_DIMENSION:
        return "date dimension";
    default:
        return model_is_history(target) ? "dimension, SCD2" : "dimension, SCD1";
    }
}

static void put_how(nv_buf_t *buf)
{
    nv_buf_puts(buf,
                "\n## Running it\n\n"
                "`databricks bundle deploy -t dev` and `databricks bundle run pipeline -t dev`, or create "
                "the job from\n"
                "`job.json` (notebook paths relative to this folder). Parameters: `catalog`, `schema`, "
                "`volume` (folder of\n"
                "the raw files), `batch_id` (a run with the same id is a repetition), `on_change` (`rebuild` "
                "or `fail`:\n"
                "what happens to a derived table whose mapping changed).\n\n"
                "## What holds\n\n"
                "- A file is loaded once, by path and content; loading the same input again changes no row.\n"
                "- source = loaded + quarantined + duplicates, for every raw table (`nuvyn_run_log`).\n"
                "- Surrogate keys are a hash of the business key: a rebuild gives the same ones. `-1` is the "
                "unknown\n"
                "  member, `-2` stands where a reference is empty.\n"
                "- History tables have half-open intervals and one current version per business key.\n");
}

bool emit_readme(nv_mem_t *ctx, const Nv__Sttm *sttm, Nv__ProjectFile **out, nv_error_t *err)
{
    nv_buf_t buf = nv_buf_make(ctx, README_MAX);
    nv_buf_printf(
        &buf,
        "# %s\n\nPySpark and Delta Lake, generated from the source-to-target mapping, version %s (%s).\n"
        "Change the mapping, not this code.\n\n| table | kind | notebook | grain |\n|---|---|---|---|\n",
        py_comment(ctx, sttm->name, CELL_MAX), py_comment(ctx, sttm->version, CELL_MAX),
        py_comment(ctx, sttm->method, CELL_MAX));
    for (size_t i = 0; i < sttm->n_targets; i++)
        nv_buf_printf(&buf, "| `%s` | %s | `notebooks/%s.py` | %s |\n", sttm->targets[i]->name,
                      kind_text(sttm->targets[i]), emit_notebook_name(ctx, sttm->targets[i]),
                      py_comment(ctx, sttm->targets[i]->grain, CELL_MAX));
    put_how(&buf);
    if (!nv_buf_ok(&buf, "README.md", err))
        return false;
    *out = project_file(ctx, "README.md", nv_buf_text(&buf), false);
    return true;
}

/* Notebook paths of a bundle carry their extension; the rest of a task is the job's. */
static void put_bundle_task(nv_mem_t *ctx, nv_json_writer_t *w, const nv_json_t *task)
{
    nv_json_open_object(w, NULL);
    for (size_t i = 0; i < nv_json_size(task); i++) {
        const char *key = nv_json_key_at(task, i);
        const char *path = nv_json_string_or(nv_json_at(task, i), "notebook_path", NULL);
        if (!path) {
            nv_json_put_value(w, key, nv_json_at(task, i));
            continue;
        }
        nv_json_open_object(w, key);
        nv_json_put_string(w, "notebook_path", nv_printf(ctx, "%s.py", path));
        nv_json_close_object(w);
    }
    nv_json_close_object(w);
}

static void put_bundle_job(nv_mem_t *ctx, nv_json_writer_t *w, const nv_json_t *job)
{
    nv_json_open_object(w, "pipeline");
    for (size_t i = 0; i < nv_json_size(job); i++) {
        const char *key = nv_json_key_at(job, i);
        const nv_json_t *value = nv_json_at(job, i);
        if (nv_json_kind(value) != NV_JSON_ARRAY || value != nv_json_member(job, "tasks")) {
            nv_json_put_value(w, key, value);
            continue;
        }
        nv_json_open_array(w, "tasks");
        for (size_t k = 0; k < nv_json_size(value); k++)
            put_bundle_task(ctx, w, nv_json_at(value, k));
        nv_json_close_array(w);
    }
    nv_json_close_object(w);
}

static void put_bundle_target(nv_json_writer_t *w, const char *name, const char *mode, bool is_default)
{
    nv_json_open_object(w, name);
    nv_json_put_string(w, "mode", mode);
    if (is_default)
        nv_json_put_bool(w, "default", true);
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
    nv_json_open_object(&w, "targets");
    put_bundle_target(&w, "dev", "development", true);
    put_bundle_target(&w, "prod", "production", false);
    nv_json_close_object(&w);
    nv_json_open_object(&w, "resources");
    nv_json_open_object(&w, "jobs");
    put_bundle_job(ctx, &w, settings);
    nv_json_close_object(&w);
    nv_json_close_object(&w);
    nv_json_close_object(&w);
    if (!nv_json_write_end(&w, "databricks.yml", &text, NULL, err))
        return false;
    *out = project_file(ctx, "databricks.yml", text, false);
    return true;
}
