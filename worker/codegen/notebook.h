/* Builds one Databricks notebook in source format: a header line, and cells between "# COMMAND ----------" lines. Pure.
 *
 * Text that comes from a mapping must go through text.h first: a line of it can then neither end a cell nor begin one.
 */
#ifndef WORKER_CODEGEN_NOTEBOOK_H
#define WORKER_CODEGEN_NOTEBOOK_H

#include "common/core/buf.h"
#include "common/core/error.h"
#include "nuvyn/quality.pb-c.h"

typedef struct notebook {
    nv_buf_t text;
    const char *path; /* borrowed: "notebooks/20_silver.py" */
} notebook_t;

enum { NOTEBOOK_MAX = 9 * 1024 * 1024 }; /* the workspace refuses an import over 10 MB */

/* Starts a notebook whose first cell is Markdown: a title and lines separated by '\n'; then a cell for each notebook of
 * the folder that it runs: "nuvyn_core nuvyn_star". */
notebook_t notebook_make(nv_mem_t *ctx, const char *path, const char *title, const char *description,
                         const char *runs);
/* Starts the next code cell; title may be empty. The cell's text is then written to notebook->text. */
void notebook_cell(notebook_t *notebook, const char *title);
/* The finished file below ctx. RESOURCE_EXHAUSTED when it grew too large to import. */
bool notebook_finish(nv_mem_t *ctx, notebook_t *notebook, Nv__ProjectFile **out,
                     nv_error_t *err) NV_MUST_CHECK;

/* A file of the project. Borrows nothing. */
Nv__ProjectFile *project_file(nv_mem_t *ctx, const char *path, const char *content, bool is_notebook);

#endif
