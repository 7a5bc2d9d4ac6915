/* The project's own README, so that a team can keep the code by itself. */
#include "common/core/buf.h"
#include "worker/codegen/emit.h"
#include "worker/codegen/text.h"

#include <string.h>

enum { README_MAX = 1024 * 1024, CELL_MAX = 400 };

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

static const char how[] =
    "\n## Running it\n\n"
    "`databricks bundle deploy -t dev` and `databricks bundle run pipeline -t dev`, or create the job from "
    "`job.json`\n"
    "(notebook paths relative to this folder). Deploy `prod` as the service principal that runs it: the code "
    "stands in its\n"
    "own folder. It needs USE CATALOG, USE SCHEMA, CREATE TABLE, SELECT and MODIFY on the schema, READ "
    "VOLUME "
    "on the raw files,\n"
    "and READ on the secret scope where names are masked.\n\n"
    "| parameter | meaning |\n|---|---|\n"
    "| `catalog`, `schema`, `volume` | where the tables stand; folder of the raw files |\n"
    "| `batch_id` | names the batch; a run with the same id is a repetition |\n"
    "| `on_change` | a derived table whose mapping changed: `rebuild` it from bronze, or `fail` |\n"
    "| `load` | `changes`: what is new since the last load; `everything`: silver and star are computed "
    "whole |\n"
    "| `overlap_hours` | how far behind the newest known file known files are looked at again |\n"
    "| `backfill_from` | ISO 8601: known files changed since then are looked at again |\n"
    "| `mask_pii`, `secret_scope` | `hash`: direct identifiers in the star become pseudonyms, which depend "
    "on the secret "
    "`pii_pepper` |\n"
    "| `retention_hours` | `95_maintenance`: how far back time travel reaches |\n"
    "| `to_batch` | `96_rollback`: the batch that is undone, with all after it |\n\n"
    "## What holds\n\n"
    "- A file is loaded once, by path and content; loading the same input again changes no row.\n"
    "- source = loaded + quarantined + duplicates (+ dropped + deleting), for every raw table "
    "(`nuvyn_run_log`).\n"
    "- Surrogate keys are a hash of the business key: a rebuild gives the same ones. `-1` is the unknown "
    "member, `-2`\n"
    "  stands where a reference is empty.\n"
    "- History tables have half-open intervals and one current version per business key that the source "
    "still has.\n"
    "- What a source changes in its files is answered as the mapping says (`nuvyn_sources`), and stands in "
    "the run log.\n\n"
    "## When something is wrong\n\n"
    "- A run failed or was killed: repair it, or run it again with its `batch_id`. Nothing is loaded twice.\n"
    "- Rows are missing: `nuvyn_quarantine` (of a source) and `<table>_refused` (of a table) hold them with "
    "their reasons.\n"
    "  A corrected file brings them back; it needs no cleaning up.\n"
    "- A delivery was wrong as a whole: `96_rollback` with `to_batch`, take its files away, run again.\n"
    "- A table was damaged by another hand: run with `load=everything`, which mends what differs.\n"
    "- Known files were corrected long ago: `backfill_from`. New files are found however old they are.\n\n"
    "## Its tests\n\n"
    "`pip install --group test`, then `pytest`: all notebooks, on a local Spark, over small batches made "
    "from the mapping.\n";

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
    nv_buf_puts(&buf, how);
    if (!nv_buf_ok(&buf, "README.md", err))
        return false;
    *out = project_file(ctx, "README.md", nv_buf_text(&buf), false);
    return true;
}
