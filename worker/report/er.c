#include "worker/report/html.h"
#include "worker/report/links.h"
#include "worker/report/report.h"

#include <graphviz/gvc.h>
#include <pthread.h>
#include <string.h>

enum { ER_COLUMNS_SHOWN = 10, ER_NAME_SHOWN = 40, ER_DOT_MAX_BYTES = 8 * 1024 * 1024 };

static const char *header_colour(Nv__TargetKind kind)
{
    switch (kind) {
    case NV__TARGET_KIND__TARGET_KIND_FACT:
        return "#1b5e7a";
    case NV__TARGET_KIND__TARGET_KIND_BRIDGE:
        return "#7a5c1b";
    case NV__TARGET_KIND__TARGET_KIND_DATE_DIMENSION:
        return "#5a5a5a";
    default:
        return "#2f6b3a";
    }
}

static const char *column_mark(const Nv__SttmColumn *column)
{
    switch (column->key_role) {
    case NV__KEY_ROLE__KEY_ROLE_SURROGATE:
        return "PK";
    case NV__KEY_ROLE__KEY_ROLE_BUSINESS:
        return "BK";
    case NV__KEY_ROLE__KEY_ROLE_FOREIGN:
        return "FK";
    case NV__KEY_ROLE__KEY_ROLE_DEGENERATE:
        return "DD";
    default:
        return column->measure ? "Σ" : "";
    }
}

/* Keys and measures first come first: what does not fit is counted, so that a wide table stays a box and not
 * a wall. */
static bool shown(const Nv__SttmColumn *column)
{
    return !column->transform || column->transform->op != NV__TRANSFORM_OP__TRANSFORM_OP_AUDIT;
}

/* Graphviz refuses an empty element, and a name of hundreds of characters would make the picture unreadable. */
static void put_label(nv_buf_t *buf, const char *text)
{
    html_short(buf, text[0] ? text : " ", ER_NAME_SHOWN);
}

static void put_column(nv_buf_t *buf, const Nv__SttmColumn *column)
{
    const char *mark = column_mark(column);
    nv_buf_puts(buf, "<TR><TD ALIGN=\"LEFT\"><FONT COLOR=\"#5f6b76\">");
    put_label(buf, mark);
    nv_buf_puts(buf, "</FONT></TD><TD ALIGN=\"LEFT\">");
    put_label(buf, column->name);
    nv_buf_puts(buf, "</TD></TR>");
}

/* The picture's elements carry their node's name, which a pointer over them shows. Only what cannot end a quoted string of
 * Graphviz's language is used as it is; the other form has a blank, which no such name has. */
static void put_node(nv_buf_t *buf, const Nv__SttmTarget *target, size_t index)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    if (target->name[0] && target->name[strspn(target->name, plain)] == '\0')
        nv_buf_printf(buf, "\"%s\"", target->name);
    else
        nv_buf_printf(buf, "\"table %zu\"", index + 1);
}

static void put_table(nv_buf_t *buf, const Nv__SttmTarget *target, size_t index)
{
    nv_buf_puts(buf, "  ");
    put_node(buf, target, index);
    nv_buf_printf(buf,
                  " [label=<<TABLE BORDER=\"0\" CELLBORDER=\"0\" CELLSPACING=\"0\" CELLPADDING=\"3\" "
                  "BGCOLOR=\"white\"><TR><TD COLSPAN=\"2\" BGCOLOR=\"%s\"><FONT COLOR=\"white\"><B>",
                  header_colour(target->kind));
    put_label(buf, target->name);
    nv_buf_puts(buf, "</B></FONT></TD></TR>");
    size_t hidden = 0;
    size_t count = 0;
    for (size_t i = 0; i < target->n_columns; i++) {
        if (!shown(target->columns[i]))
            continue;
        if (count++ < ER_COLUMNS_SHOWN)
            put_column(buf, target->columns[i]);
        else
            hidden++;
    }
    if (hidden)
        nv_buf_printf(buf, "<TR><TD></TD><TD ALIGN=\"LEFT\"><I>+%zu more</I></TD></TR>", hidden);
    nv_buf_puts(buf, "</TABLE>>];\n");
}

static void put_edge(nv_buf_t *buf, const Nv__Sttm *sttm, size_t from, const Nv__SttmColumn *column)
{
    size_t to;
    if (!report_refers_to(sttm, from, column, &to))
        return;
    /* Facts stand in the middle: every other dimension goes to their left, its arrow drawn backwards. */
    bool left = to % 2 == 1 && sttm->targets[to]->kind != NV__TARGET_KIND__TARGET_KIND_FACT;
    const size_t ends[] = {left ? to : from, left ? from : to};
    nv_buf_puts(buf, "  ");
    put_node(buf, sttm->targets[ends[0]], ends[0]);
    nv_buf_puts(buf, " -> ");
    put_node(buf, sttm->targets[ends[1]], ends[1]);
    nv_buf_printf(buf, " [%slabel=<", left ? "dir=back, " : "");
    put_label(buf, column->role);
    nv_buf_puts(buf, ">];\n");
}

void report_er_dot(nv_buf_t *buf, const Nv__Sttm *sttm)
{
    nv_buf_puts(buf,
                "digraph star {\n  graph [rankdir=LR, bgcolor=\"transparent\", nodesep=0.35, ranksep=1.2];\n"
                "  node [shape=box, style=\"rounded\", color=\"#b0b8c0\", fontname=\"DejaVu Sans\", "
                "fontsize=10, margin=0.03];\n"
                "  edge [color=\"#8090a0\", fontname=\"DejaVu Sans\", fontsize=8, arrowhead=normal, "
                "arrowsize=0.6];\n");
    for (size_t i = 0; i < sttm->n_targets; i++)
        put_table(buf, sttm->targets[i], i);
    for (size_t i = 0; i < sttm->n_targets; i++)
        for (size_t c = 0; c < sttm->targets[i]->n_columns; c++)
            put_edge(buf, sttm, i, sttm->targets[i]->columns[c]);
    nv_buf_puts(buf, "}\n");
}

static bool render(nv_mem_t *ctx, GVC_t *gvc, const char *dot, char **out, nv_error_t *err)
{
    bool ok = false;
    Agraph_t *graph = agmemread(dot);
    if (!graph)
        nv_fail(err, NV_INTERNAL, "graphviz: the picture's own text was not accepted");
    else if (gvLayout(gvc, graph, "dot") != 0)
        nv_fail(err, NV_INTERNAL, "graphviz: layout failed");
    else {
        char *svg = NULL;
        unsigned length = 0;
        ok = gvRenderData(gvc, graph, "svg", &svg, &length) == 0 && svg;
        if (ok)
            *out = nv_strndup(ctx, svg, length);
        else
            nv_fail(err, NV_INTERNAL, "graphviz: rendering failed");
        gvFreeRenderData(svg);
        gvFreeLayout(gvc, graph);
    }
    if (graph)
        agclose(graph);
    return ok;
}

bool report_er_svg(nv_mem_t *ctx, const Nv__Sttm *sttm, char **out, nv_error_t *err)
{
    /* The library's state is process-wide: its text layout remembers the last font by a pointer into the context, and reads it at the
     * next picture. So there is one context, made for the first picture and never freed. */
    static pthread_mutex_t graphviz = PTHREAD_MUTEX_INITIALIZER;
    static GVC_t *context;
    nv_buf_t dot = nv_buf_make(ctx, ER_DOT_MAX_BYTES);
    report_er_dot(&dot, sttm);
    if (!nv_buf_ok(&dot, "the picture of the star schema", err))
        return false;
    char *whole = NULL;
    pthread_mutex_lock(&graphviz);
    if (context == NULL)
        context = gvContext();
    bool ok = context != NULL ? render(ctx, context, nv_buf_text(&dot), &whole, err)
                              : nv_fail(err, NV_INTERNAL, "graphviz: no context");
    pthread_mutex_unlock(&graphviz);
    if (!ok)
        return false;
    char *svg = strstr(whole, "<svg"); /* without the XML prologue it can stand inside a page */
    *out = svg ? svg : whole;
    return true;
}
