/* 00_setup, 10_bronze and 20_silver: the steps that are the same for every project. */
#include "worker/codegen/emit.h"

bool emit_setup(nv_mem_t *ctx, const Nv__Sttm *sttm, Nv__ProjectFile **out, nv_error_t *err)
{
    char *about =
        nv_printf(ctx, "Notes the batch and creates the control tables. Project %s, mapping version %s (%s).",
                  sttm->name, sttm->version, sttm->method);
    notebook_t notebook = notebook_make(ctx, "notebooks/00_setup.py", "00_setup", about, "nuvyn_runtime");
    notebook_cell(&notebook, "");
    nv_buf_puts(&notebook.text, "start_batch()\n"
                                "finish(\"00_setup\", {\"batch\": {\"batch_time\": batch_time()}})\n");
    return notebook_finish(ctx, &notebook, out, err);
}

bool emit_bronze(nv_mem_t *ctx, const Nv__Sttm *sttm, Nv__ProjectFile **out, nv_error_t *err)
{
    (void)sttm;
    notebook_t notebook =
        notebook_make(ctx, "notebooks/10_bronze.py", "10_bronze",
                      "Appends files that were not loaded before, every value as text. A file is "
                      "known by its path and content.",
                      "nuvyn_sources");
    notebook_cell(&notebook, "");
    nv_buf_puts(&notebook.text, "finish(\"10_bronze\", load_all_bronze(SOURCES))\n");
    return notebook_finish(ctx, &notebook, out, err);
}

bool emit_silver(nv_mem_t *ctx, const Nv__Sttm *sttm, Nv__ProjectFile **out, nv_error_t *err)
{
    (void)sttm;
    notebook_t notebook =
        notebook_make(ctx, "notebooks/20_silver.py", "20_silver",
                      "Types and checks every row and keeps the newest per key. What is refused goes "
                      "to the quarantine with its reasons: source = loaded + quarantined + duplicates.",
                      "nuvyn_sources");
    notebook_cell(&notebook, "");
    nv_buf_puts(&notebook.text, "finish(\"20_silver\", load_all_silver(SOURCES))\n");
    return notebook_finish(ctx, &notebook, out, err);
}
