/* The bus matrix: which facts are described by which dimensions (Kimball & Ross, The Data Warehouse Toolkit, ch. 4). Beside the
 * picture it stays readable however many tables there are. */
#include "worker/report/links.h"
#include "worker/report/page.h"

#include <string.h>

static bool is_dimension(const Nv__SttmTarget *target)
{
    return target->kind == NV__TARGET_KIND__TARGET_KIND_DIMENSION ||
           target->kind == NV__TARGET_KIND__TARGET_KIND_DATE_DIMENSION;
}

static size_t count_dimensions(const Nv__Sttm *sttm)
{
    size_t n = 0;
    for (size_t i = 0; i < sttm->n_targets; i++)
        n += is_dimension(sttm->targets[i]);
    return n;
}

/* A name over a narrow column: it may break after each underscore. */
static void put_breakable(nv_buf_t *buf, const char *name)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("matrix head");
    for (size_t n; *name; name += n) {
        n = strcspn(name, "_");
        n += name[n] == '_';
        html_text(buf, nv_strndup(ctx, name, n));
        nv_buf_puts(buf, "<wbr>");
    }
}

/* The roles in which a fact uses a dimension, or a mark when the one use needs no name. */
static void put_cell(nv_buf_t *buf, const Nv__Sttm *sttm, size_t fact, size_t dimension)
{
    size_t uses = 0, named = 0, to;
    const Nv__SttmTarget *target = sttm->targets[fact];
    nv_buf_puts(buf, "<td>");
    for (size_t c = 0; c < target->n_columns; c++) {
        if (!report_refers_to(sttm, fact, target->columns[c], &to) || to != dimension)
            continue;
        uses++;
        if (target->columns[c]->role[0] == '\0')
            continue;
        nv_buf_puts(buf, named++ ? ", " : "");
        html_short(buf, target->columns[c]->role, 40);
    }
    if (uses > named)
        nv_buf_puts(buf, named ? ", ✓" : "<span role=\"img\" aria-label=\"yes\">✓</span>");
    nv_buf_puts(buf, "</td>");
}

static void put_row(nv_buf_t *buf, const Nv__Sttm *sttm, size_t fact)
{
    nv_buf_puts(buf, "<tr><th scope=\"row\">");
    html_text(buf, sttm->targets[fact]->name);
    nv_buf_puts(buf, "</th>");
    for (size_t i = 0; i < sttm->n_targets; i++)
        if (is_dimension(sttm->targets[i]))
            put_cell(buf, sttm, fact, i);
    nv_buf_puts(buf, "</tr>\n");
}

void page_matrix(nv_buf_t *buf, const Nv__Sttm *sttm)
{
    if (count_dimensions(sttm) == 0)
        return;
    nv_buf_puts(buf, "<h3>Which fact has which dimension</h3>");
    html_scroll_open(buf, "facts and their dimensions");
    nv_buf_puts(buf, "<table class=\"matrix\"><thead><tr><th scope=\"col\">fact or bridge</th>");
    for (size_t i = 0; i < sttm->n_targets; i++)
        if (is_dimension(sttm->targets[i])) {
            nv_buf_puts(buf, "<th scope=\"col\">");
            put_breakable(buf, sttm->targets[i]->name);
            nv_buf_puts(buf, "</th>");
        }
    nv_buf_puts(buf, "</tr></thead>\n");
    for (size_t i = 0; i < sttm->n_targets; i++)
        if (!is_dimension(sttm->targets[i]))
            put_row(buf, sttm, i);
    html_table_close(buf);
}
