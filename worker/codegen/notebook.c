#include "worker/codegen/notebook.h"

#include "worker/codegen/text.h"

#include <string.h>

enum { LINE_MAX_BYTES = 2000 };

static void put_markdown(nv_mem_t *ctx, nv_buf_t *buf, const char *text)
{
    while (*text) {
        size_t length = strcspn(text, "\n");
        char *line = py_comment(ctx, nv_strndup(ctx, text, length), LINE_MAX_BYTES);
        nv_buf_printf(buf, "# MAGIC%s%s\n", *line ? " " : "", line);
        text += length + (text[length] == '\n');
    }
}

notebook_t notebook_make(nv_mem_t *ctx, const char *path, const char *title, const char *description,
                         const char *runs)
{
    notebook_t notebook = {.text = nv_buf_make(ctx, NOTEBOOK_MAX), .path = path};
    nv_buf_printf(&notebook.text, "# Databricks notebook source\n# MAGIC %%md\n# MAGIC # %s\n",
                  py_comment(ctx, title, LINE_MAX_BYTES));
    put_markdown(ctx, &notebook.text, description);
    while (*runs) {
        size_t length = strcspn(runs, " ");
        notebook_cell(&notebook, "");
        nv_buf_printf(&notebook.text, "# MAGIC %%run ./%.*s\n", (int)length, runs);
        runs += length + (runs[length] == ' ');
    }
    return notebook;
}

void notebook_cell(notebook_t *notebook, const char *title)
{
    nv_buf_puts(&notebook->text, "\n# COMMAND ----------\n\n");
    if (*title)
        nv_buf_printf(&notebook->text, "# DBTITLE 1,%s\n\n", py_comment(notebook->text.ctx, title, 200));
}

Nv__ProjectFile *project_file(nv_mem_t *ctx, const char *path, const char *content, bool is_notebook)
{
    Nv__ProjectFile *file = NV_NEW(ctx, Nv__ProjectFile);
    nv__project_file__init(file);
    file->path = nv_strdup(ctx, path);
    file->content = nv_strdup(ctx, content);
    file->notebook = is_notebook;
    return file;
}

bool notebook_finish(nv_mem_t *ctx, notebook_t *notebook, Nv__ProjectFile **out, nv_error_t *err)
{
    if (!nv_buf_ok(&notebook->text, notebook->path, err))
        return false;
    *out = project_file(ctx, notebook->path, nv_buf_text(&notebook->text), true);
    return true;
}
