#include "worker/report/page.h"

#include <stdlib.h>

enum { COLUMNS_SHOWN = 200, TOP_SHOWN = 3, VALUE_SHOWN = 40, PLOT_WIDTH = 120, PLOT_HEIGHT = 24 };

static void put_bars(nv_buf_t *buf, const int64_t *counts, size_t count, const char *what)
{
    int64_t most = 1;
    for (size_t i = 0; i < count; i++)
        most = counts[i] > most ? counts[i] : most;
    double width = (double)PLOT_WIDTH / (double)count;
    nv_buf_printf(buf, "<svg width=\"%d\" height=\"%d\" role=\"img\" aria-label=\"", PLOT_WIDTH, PLOT_HEIGHT);
    html_text(buf, what);
    nv_buf_puts(buf, "\"><title>");
    html_text(buf, what);
    nv_buf_puts(buf, "</title>");
    for (size_t i = 0; i < count; i++) {
        double height = (double)counts[i] / (double)most * PLOT_HEIGHT;
        if (counts[i] > 0 && height < 1)
            height = 1;
        nv_buf_printf(buf, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>", (double)i * width,
                      PLOT_HEIGHT - height, width > 2 ? width - 1 : width, height);
    }
    nv_buf_puts(buf, "</svg>");
}

/* The histogram where there is one, else the most frequent values. */
static void put_plot(nv_mem_t *ctx, nv_buf_t *buf, const Nv__ColumnProfile *column)
{
    int64_t counts[32];
    size_t count = 0;
    if (column->n_histogram)
        for (; count < column->n_histogram && count < 32; count++)
            counts[count] = column->histogram[count]->count;
    else
        for (; count < column->n_top && count < 12; count++)
            counts[count] = column->top[count]->count;
    if (count > 1)
        put_bars(buf, counts, count,
                 nv_printf(ctx,
                           column->n_histogram ? "rows in %zu ranges of equal width, from min to max"
                                               : "rows of the %zu most frequent values",
                           count));
}

static void put_top(nv_buf_t *buf, const Nv__ColumnProfile *column)
{
    for (size_t i = 0; i < column->n_top && i < TOP_SHOWN; i++) {
        nv_buf_puts(buf, i ? ", " : "");
        html_short(buf, column->top[i]->value, VALUE_SHOWN);
        nv_buf_puts(buf, " <span class=\"dim\">×");
        html_count(buf, column->top[i]->count);
        nv_buf_puts(buf, "</span>");
    }
}

static void put_column(nv_mem_t *ctx, nv_buf_t *buf, const Nv__TableProfile *table,
                       const Nv__ColumnProfile *column)
{
    double nulls = table->row_count ? 100.0 * (double)column->null_count / (double)table->row_count : 0;
    nv_buf_puts(buf, "<tr>");
    html_element(buf, "td", NULL, column->name);
    html_element(buf, "td", NULL, report_full_type(ctx, column->type, column->precision, column->scale));
    nv_buf_printf(buf, "<td class=\"n\">%.1f %%</td><td class=\"n\">%s", nulls,
                  column->distinct_exact ? "" : "≈");
    html_count(buf, column->distinct_count);
    nv_buf_puts(buf, "</td><td class=\"n\">");
    html_count(buf, column->invalid_count);
    nv_buf_puts(buf, "</td><td>");
    html_short(buf, column->min, VALUE_SHOWN);
    nv_buf_puts(buf, "</td><td>");
    html_short(buf, column->max, VALUE_SHOWN);
    nv_buf_puts(buf, "</td><td>");
    put_plot(ctx, buf, column);
    nv_buf_puts(buf, "</td><td>");
    put_top(buf, column);
    nv_buf_puts(buf, "</td><td>");
    html_text(buf, column->semantic);
    if (column->pii[0])
        html_textf(buf, "%spersonal (%s)", column->semantic[0] ? ", " : "", column->pii);
    nv_buf_puts(buf, "</td></tr>\n");
}

static void put_rejected(nv_buf_t *buf, const Nv__TableProfile *table)
{
    if (table->n_rejected == 0)
        return;
    static const char *const titles[] = {"file", ">line", "reason", "text", NULL};
    nv_buf_puts(buf, "<h3>Lines that could not be read</h3>");
    html_table_open(buf, "lines that could not be read", titles);
    for (size_t i = 0; i < table->n_rejected; i++) {
        nv_buf_puts(buf, "<tr>");
        html_element(buf, "td", NULL, table->rejected[i]->path);
        nv_buf_puts(buf, "<td class=\"n\">");
        html_count(buf, table->rejected[i]->line);
        nv_buf_puts(buf, "</td>");
        html_element(buf, "td", NULL, table->rejected[i]->reason);
        nv_buf_puts(buf, "<td><code>");
        html_text(buf, table->rejected[i]->text);
        nv_buf_puts(buf, "</code></td></tr>\n");
    }
    html_table_close(buf);
}

static void put_table(nv_mem_t *ctx, nv_buf_t *buf, const Nv__TableProfile *table)
{
    static const char *const titles[] = {"column",        "type",          ">null", ">distinct",
                                         ">unreadable",   "min",           "max",   "distribution",
                                         "most frequent", "recognised as", NULL};
    nv_buf_puts(buf, "<details><summary>");
    html_text(buf, table->name);
    nv_buf_puts(buf, " <span class=\"dim\">");
    html_count(buf, table->row_count);
    html_textf(buf, " rows, %zu columns, %zu file%s", table->n_columns, table->n_files,
               table->n_files == 1 ? "" : "s");
    nv_buf_puts(buf, "</span></summary>");
    html_table_open(buf, table->name, titles);
    for (size_t i = 0; i < table->n_columns && i < COLUMNS_SHOWN; i++)
        put_column(ctx, buf, table, table->columns[i]);
    html_table_close(buf);
    if (table->n_columns > COLUMNS_SHOWN)
        html_textf(buf, "%zu more columns are in profile.json.", table->n_columns - COLUMNS_SHOWN);
    put_rejected(buf, table);
    nv_buf_puts(buf, "</details>\n");
}

void page_profile(nv_buf_t *buf, const run_record_t *record)
{
    if (record->n_profiles == 0)
        return;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("report profile");
    nv_buf_puts(buf, "<section id=\"profile\"><h2>The raw data</h2>\n");
    for (size_t i = 0; i < record->n_profiles; i++)
        put_table(ctx, buf, record->profiles[i]);
    nv_buf_puts(buf, "</section>\n");
}
