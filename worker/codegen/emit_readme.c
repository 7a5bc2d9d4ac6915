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

extern const char codegen_runbook[]; /* runtime/runbook.md */

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
    nv_buf_puts(&buf, codegen_runbook);
    if (!nv_buf_ok(&buf, "README.md", err))
        return false;
    *out = project_file(ctx, "README.md", nv_buf_text(&buf), false);
    return true;
}
