#include "worker/report/page.h"

#include <string.h>

static void put_checks(nv_buf_t *buf, const char *title, Nv__Check *const *checks, size_t count)
{
    static const char *const titles[] = {"", "check", "subject", "expected", "found", "", NULL};
    size_t good = 0;
    for (size_t i = 0; i < count; i++)
        good += checks[i]->status == NV__CHECK_STATUS__CHECK_STATUS_PASS;
    nv_buf_printf(buf, "<details%s><summary>", good == count ? "" : " open");
    html_textf(buf, "%s: %zu of %zu checks pass", title, good, count);
    nv_buf_puts(buf, "</summary><div class=\"scroll\"><table>");
    html_table_head(buf, titles);
    for (size_t i = 0; i < count; i++) {
        const char *status = report_status(checks[i]->status);
        nv_buf_puts(buf, "<tr>");
        html_element(buf, "td", status, status);
        html_element(buf, "td", NULL, checks[i]->name);
        html_element(buf, "td", NULL, checks[i]->subject);
        html_element(buf, "td", NULL, checks[i]->expected);
        html_element(buf, "td", NULL, checks[i]->actual);
        html_element(buf, "td", "dim", checks[i]->message);
        nv_buf_puts(buf, "</tr>\n");
    }
    nv_buf_puts(buf, "</table></div></details>\n");
}

static void put_load(nv_buf_t *buf, const Nv__TableLoad *load)
{
    const int64_t counts[] = {load->rows, load->source_rows, load->quarantined, load->duplicates};
    nv_buf_puts(buf, "<tr>");
    html_element(buf, "td", NULL, load->table);
    for (size_t c = 0; c < 4; c++) {
        nv_buf_puts(buf, "<td class=\"n\">");
        html_count(buf, counts[c]);
        nv_buf_puts(buf, "</td>");
    }
    nv_buf_puts(buf, "</tr>\n");
}

static bool is_of_star(const Nv__Sttm *sttm, const char *table)
{
    const char *dot = strrchr(table, '.');
    for (size_t i = 0; sttm && i < sttm->n_targets; i++)
        if (strcmp(sttm->targets[i]->name, dot ? dot + 1 : table) == 0)
            return true;
    return false;
}

/* The star first, then what it was made from. */
static void put_loads(nv_buf_t *buf, const run_record_t *record)
{
    static const char *const titles[] = {"table", ">rows", ">rows read", ">quarantined", ">duplicates", NULL};
    if (record->validation->n_tables == 0)
        return;
    nv_buf_puts(buf, "<div class=\"scroll\"><table>");
    html_table_head(buf, titles);
    for (int of_star = 1; of_star >= 0; of_star--)
        for (size_t i = 0; i < record->validation->n_tables; i++)
            if (is_of_star(record->sttm, record->validation->tables[i]->table) == of_star)
                put_load(buf, record->validation->tables[i]);
    nv_buf_puts(buf, "</table></div>\n");
}

void page_quality(nv_buf_t *buf, const run_record_t *record)
{
    if (!record->review && !record->validation)
        return;
    nv_buf_puts(buf, "<section id=\"quality\"><h2>Proof</h2>\n");
    if (record->validation)
        put_loads(buf, record);
    if (record->review)
        put_checks(buf, "The mapping, before code existed", record->review->checks, record->review->n_checks);
    if (record->validation)
        put_checks(buf, "The loaded tables, against the raw files", record->validation->checks,
                   record->validation->n_checks);
    nv_buf_puts(buf, "</section>\n");
}

void page_timings(nv_buf_t *buf, const run_record_t *record)
{
    const Nv__Execution *execution = record->execution;
    if (!execution || execution->n_tasks == 0)
        return;
    static const char *const titles[] = {"pipeline task", "state", ">seconds", "", NULL};
    int64_t most = 1;
    for (size_t i = 0; i < execution->n_tasks; i++)
        most = execution->tasks[i]->milliseconds > most ? execution->tasks[i]->milliseconds : most;
    nv_buf_puts(buf, "<section id=\"timings\"><h2>Timings</h2><div class=\"scroll\"><table>");
    html_table_head(buf, titles);
    for (size_t i = 0; i < execution->n_tasks; i++) {
        const Nv__ExecutedTask *task = execution->tasks[i];
        nv_buf_puts(buf, "<tr>");
        html_element(buf, "td", NULL, task->key);
        html_element(buf, "td", NULL, task->state);
        nv_buf_printf(buf,
                      "<td class=\"n\">%.1f</td><td><svg width=\"300\" height=\"12\"><rect class=\"bar\" "
                      "width=\"%.1f\" height=\"12\"/></svg></td></tr>\n",
                      (double)task->milliseconds / 1000, 300.0 * (double)task->milliseconds / (double)most);
    }
    nv_buf_puts(buf, "</table></div></section>\n");
}
