#include "worker/evaluation/changes.h"
#include "worker/report/page.h"

static void put_count(nv_buf_t *buf, int64_t count)
{
    nv_buf_puts(buf, "<td class=\"n\">");
    html_count(buf, count);
    nv_buf_puts(buf, "</td>");
}

void page_changes(nv_buf_t *buf, const run_record_t *record)
{
    static const char *const titles[] = {"table", ">new rows", ">changed", ">deleted", NULL};
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("changes");
    size_t n, files = 0, changed = 0;
    const table_change_t *changes = changes_list(ctx, record, &n);
    if (n == 0)
        return;
    for (size_t i = 0; i < n; i++) {
        files += (size_t)changes[i].new_files;
        changed += changes[i].is_target && changes[i].inserted + changes[i].updated + changes[i].deleted > 0;
    }
    nv_buf_puts(buf, "<section id=\"changes\"><h2>What this run changed</h2>\n<p>");
    if (changed)
        html_textf(buf, "%zu file%s loaded for the first time; rows of %zu table%s changed.", files,
                   files == 1 ? "" : "s", changed, changed == 1 ? "" : "s");
    else
        html_textf(buf, "Nothing: %zu files were new, and no row of the star differs from before.", files);
    html_textf(buf, " New rows count the unknown members of a dimension and every version of a history.");
    nv_buf_puts(buf, "</p>\n");
    html_table_open(buf, "rows changed", titles);
    for (size_t i = 0; i < n; i++) {
        if (!changes[i].is_target)
            continue;
        nv_buf_puts(buf, "<tr>");
        html_element(buf, "td", NULL, changes[i].table);
        put_count(buf, changes[i].inserted);
        put_count(buf, changes[i].updated);
        put_count(buf, changes[i].deleted);
        nv_buf_puts(buf, "</tr>\n");
    }
    html_table_close(buf);
    nv_buf_puts(buf, "</section>\n");
}
