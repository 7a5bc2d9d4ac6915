#include "worker/report/page.h"

#include <string.h>

/* What a message says of its check without repeating the subject, which stands beside it. */
static const char *note_of(const Nv__Check *check)
{
    size_t n = strlen(check->subject);
    bool repeats =
        n > 0 && strncmp(check->message, check->subject, n) == 0 && strncmp(check->message + n, ": ", 2) == 0;
    return check->message + (repeats ? n + 2 : 0);
}

static void put_check(nv_buf_t *buf, const Nv__Check *check)
{
    const char *status = report_status(check->status);
    nv_buf_puts(buf, "<tr>");
    html_element(buf, "td", status, status);
    html_element(buf, "td", NULL, check->name);
    html_element(buf, "td", NULL, check->subject);
    html_element(buf, "td", NULL, check->expected);
    html_element(buf, "td", NULL, check->actual);
    html_element(buf, "td", "dim", note_of(check));
    nv_buf_puts(buf, "</tr>\n");
}

static void put_checks(nv_buf_t *buf, const char *title, Nv__Check *const *checks, size_t count)
{
    static const char *const titles[] = {"result", "check", "subject", "expected", "found", "note", NULL};
    size_t good = 0;
    for (size_t i = 0; i < count; i++)
        good += checks[i]->status == NV__CHECK_STATUS__CHECK_STATUS_PASS;
    nv_buf_printf(buf, "<details%s><summary>", good == count ? "" : " open");
    html_textf(buf, "%s: %zu of %zu checks pass", title, good, count);
    nv_buf_puts(buf, "</summary>");
    html_table_open(buf, title, titles);
    for (int passed = 0; passed <= 1; passed++) /* what did not pass comes first */
        for (size_t i = 0; i < count; i++)
            if ((checks[i]->status == NV__CHECK_STATUS__CHECK_STATUS_PASS) == passed)
                put_check(buf, checks[i]);
    html_table_close(buf);
    nv_buf_puts(buf, "</details>\n");
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
    html_table_open(buf, "rows of the loaded tables", titles);
    for (int of_star = 1; of_star >= 0; of_star--)
        for (size_t i = 0; i < record->validation->n_tables; i++)
            if (is_of_star(record->sttm, record->validation->tables[i]->table) == of_star)
                put_load(buf, record->validation->tables[i]);
    html_table_close(buf);
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
    static const char *const titles[] = {"pipeline task", "state", ">seconds", "share of the longest", NULL};
    int64_t most = 1;
    for (size_t i = 0; i < execution->n_tasks; i++)
        most = execution->tasks[i]->milliseconds > most ? execution->tasks[i]->milliseconds : most;
    nv_buf_puts(buf, "<section id=\"timings\"><h2>Timings</h2>");
    html_table_open(buf, "seconds of each task", titles);
    for (size_t i = 0; i < execution->n_tasks; i++) {
        const Nv__ExecutedTask *task = execution->tasks[i];
        nv_buf_puts(buf, "<tr>");
        html_element(buf, "td", NULL, task->key);
        html_element(buf, "td", NULL, task->state);
        nv_buf_printf(
            buf,
            "<td class=\"n\">%.1f</td><td><svg width=\"300\" height=\"12\" aria-hidden=\"true\"><rect "
            "width=\"%.1f\" height=\"12\"/></svg></td></tr>\n",
            (double)task->milliseconds / 1000, 300.0 * (double)task->milliseconds / (double)most);
    }
    html_table_close(buf);
    nv_buf_puts(buf, "</section>\n");
}
