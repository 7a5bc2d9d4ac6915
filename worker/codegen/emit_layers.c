/* 00_setup, 10_bronze, 20_silver, 95_maintenance and 96_rollback: the steps that are the same for every project. */
#include "worker/codegen/emit.h"
#include "worker/codegen/text.h"

bool emit_setup(nv_mem_t *ctx, const Nv__Sttm *sttm, Nv__ProjectFile **out, nv_error_t *err)
{
    char *about =
        nv_printf(ctx, "Notes the batch and creates the control tables. Project %s, mapping version %s (%s).",
                  sttm->name, sttm->version, sttm->method);
    notebook_t notebook = notebook_make(ctx, "notebooks/00_setup.py", "00_setup", about, "nuvyn_core");
    notebook_cell(&notebook, "");
    nv_buf_puts(&notebook.text,
                "start_batch()\n"
                "finish(\"00_setup\", lambda: {\"batch\": {\"batch_time\": batch_time()}})\n");
    return notebook_finish(ctx, &notebook, out, err);
}

bool emit_bronze(nv_mem_t *ctx, const Nv__Sttm *sttm, Nv__ProjectFile **out, nv_error_t *err)
{
    (void)sttm;
    notebook_t notebook =
        notebook_make(ctx, "notebooks/10_bronze.py", "10_bronze",
                      "Appends files that were not loaded before, every value as text. A file is "
                      "known by its path and content.",
                      "nuvyn_sources nuvyn_bronze");
    notebook_cell(&notebook, "");
    nv_buf_puts(&notebook.text, "finish(\"10_bronze\", lambda: load_all_bronze(SOURCES))\n");
    return notebook_finish(ctx, &notebook, out, err);
}

bool emit_silver(nv_mem_t *ctx, const Nv__Sttm *sttm, Nv__ProjectFile **out, nv_error_t *err)
{
    (void)sttm;
    notebook_t notebook =
        notebook_make(ctx, "notebooks/20_silver.py", "20_silver",
                      "Types and checks every row and keeps the newest per key. What is refused goes "
                      "to the quarantine with its reasons: source = loaded + quarantined + duplicates.",
                      "nuvyn_sources nuvyn_silver");
    notebook_cell(&notebook, "");
    nv_buf_puts(&notebook.text, "finish(\"20_silver\", lambda: load_all_silver(SOURCES))\n");
    return notebook_finish(ctx, &notebook, out, err);
}

/* A step that is run by itself, over all tables of silver, bronze and the star. */
static bool emit_upkeep(nv_mem_t *ctx, const Nv__Sttm *sttm, const char *step, const char *about,
                        const char *call, Nv__ProjectFile **out, nv_error_t *err)
{
    notebook_t notebook = notebook_make(ctx, nv_printf(ctx, "notebooks/%s.py", step), step, about,
                                        "nuvyn_sources nuvyn_upkeep");
    notebook_cell(&notebook, "");
    nv_buf_puts(&notebook.text, "STAR = [\n");
    for (size_t i = 0; i < sttm->n_targets; i++)
        nv_buf_printf(&notebook.text, "    %s,\n", py_string(ctx, sttm->targets[i]->name));
    nv_buf_printf(&notebook.text,
                  "]\nLAYERS = [name for source in SOURCES for name in (source.bronze, source.silver)]\n"
                  "finish(\"%s\", lambda: %s(STAR + LAYERS))\n",
                  step, call);
    return notebook_finish(ctx, &notebook, out, err);
}

bool emit_maintenance(nv_mem_t *ctx, const Nv__Sttm *sttm, Nv__ProjectFile **out, nv_error_t *err)
{
    return emit_upkeep(ctx, sttm, "95_maintenance",
                       "Compacts all tables and removes old files. Its own job, once a week; "
                       "`retention_hours` says how far back time travel reaches.",
                       "maintain", out, err);
}

bool emit_rollback(nv_mem_t *ctx, const Nv__Sttm *sttm, Nv__ProjectFile **out, nv_error_t *err)
{
    return emit_upkeep(ctx, sttm, "96_rollback",
                       "Undoes the batch `to_batch` and all after it, by Delta's time travel. Run by "
                       "hand, while no load is running.",
                       "roll_back", out, err);
}
