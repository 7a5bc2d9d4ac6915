#include "worker/report/page.h"
#include "worker/evaluation/data_quality.h"

#include <stdio.h>
#include <string.h>

static void put_fact(nv_buf_t *buf, const char *value, const char *label)
{
    nv_buf_puts(buf, "<div class=\"fact\"><b>");
    html_text(buf, value);
    nv_buf_puts(buf, "</b><span>");
    html_text(buf, label);
    nv_buf_puts(buf, "</span></div>\n");
}

static char *duration(nv_mem_t *ctx, double seconds)
{
    if (seconds < 60)
        return nv_printf(ctx, "%.1f s", seconds);
    long whole = (long)(seconds + 0.5);
    return nv_printf(ctx, "%ld min %ld s", whole / 60, whole % 60);
}

static size_t count_kind(const Nv__Sttm *sttm, Nv__TargetKind kind)
{
    size_t count = 0;
    for (size_t i = 0; sttm && i < sttm->n_targets; i++)
        count += sttm->targets[i]->kind == kind;
    return count;
}

static void put_facts(nv_mem_t *ctx, nv_buf_t *buf, const run_record_t *record, const Nv__Scorecard *card)
{
    size_t dimensions = count_kind(record->sttm, NV__TARGET_KIND__TARGET_KIND_DIMENSION) +
                        count_kind(record->sttm, NV__TARGET_KIND__TARGET_KIND_DATE_DIMENSION);
    nv_buf_puts(buf, "<div class=\"facts\">\n");
    put_fact(buf, nv_printf(ctx, "%.0f", card->score), "score of 100");
    if (card->n_data_lines > 0)
        put_fact(buf, nv_printf(ctx, "%d", data_quality_shown(card)), "data quality of 100");
    put_fact(buf, nv_printf(ctx, "%zu", record->n_profiles), "source tables");
    put_fact(buf, nv_printf(ctx, "%zu", count_kind(record->sttm, NV__TARGET_KIND__TARGET_KIND_FACT)),
             "facts");
    put_fact(buf, nv_printf(ctx, "%zu", dimensions), "dimensions");
    put_fact(buf, duration(ctx, card->seconds), "from files to here");
    if (card->spark_seconds > 0)
        put_fact(buf, duration(ctx, card->spark_seconds), "Spark, all tasks added up");
    nv_buf_puts(buf, "</div>\n");
}

static void put_method(nv_mem_t *ctx, nv_buf_t *buf, const run_record_t *record, const Nv__Scorecard *card)
{
    const char *scope = scorecard_scope_text(record);
    if (scope[0])
        html_element(buf, "p", NULL, scope);
    html_element(buf, "p", "dim", scorecard_method_text(ctx, card));
    html_element(buf, "p", card->data_score < DATA_QUALITY_LOW ? "warn" : "dim",
                 data_quality_text(ctx, card));
}

static void put_header(nv_mem_t *ctx, nv_buf_t *buf, const run_record_t *record, const Nv__Scorecard *card)
{
    nv_buf_puts(buf, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                     "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>");
    html_textf(buf, "%s: warehouse run %s", record->sttm ? record->sttm->name : "Nuvyn.bldr", card->run_id);
    nv_buf_puts(buf, "</title>\n");
    page_style(buf);
    nv_buf_puts(buf, "</head><body><main>\n<h1>");
    html_text(buf, record->sttm ? record->sttm->name : "Warehouse run");
    nv_buf_puts(buf, "</h1>\n<p class=\"dim\">");
    html_textf(buf, "Run %s, %s. Source: %s", card->run_id, card->succeeded ? "succeeded" : "did not succeed",
               record->spec ? record->spec->source : "");
    if (record->spec && record->spec->increment_of[0])
        html_textf(buf, ", a further batch of %s: its design and job stayed as they were",
                   record->spec->increment_of);
    nv_buf_puts(buf, "</p>\n");
    put_facts(ctx, buf, record, card);
    put_method(ctx, buf, record, card);
}

/* Links to the sections that this page has. Text is escaped, so that only a section's own markup is found. */
static void put_contents(nv_buf_t *buf, const char *sections)
{
    static const char *const all[][2] = {
        {"star", "Star"},        {"findings", "Findings"}, {"changes", "Changes"},
        {"quality", "Proof"},    {"mapping", "Mapping"},   {"relations", "Joins"},
        {"profile", "Raw data"}, {"timings", "Timings"},   {"score", "Score"}};
    nv_buf_puts(buf, "<nav aria-label=\"contents\">");
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        char mark[40];
        (void)snprintf(mark, sizeof mark, "<section id=\"%s\">", all[i][0]);
        if (strstr(sections, mark) != NULL)
            nv_buf_printf(buf, "<a href=\"#%s\">%s</a>", all[i][0], all[i][1]);
    }
    nv_buf_puts(buf, "</nav>\n");
}

static void put_star(nv_buf_t *buf, const Nv__Sttm *sttm, const char *er_svg)
{
    if (!er_svg)
        return;
    nv_buf_puts(
        buf, "<section id=\"star\"><h2>The star schema</h2><div class=\"er\" role=\"region\" tabindex=\"0\" "
             "aria-label=\"the star schema as a picture; the table below says the same\">");
    nv_buf_puts(buf, er_svg); /* markup by Graphviz from escaped labels */
    nv_buf_puts(
        buf,
        "</div><p class=\"dim\">PK surrogate key, BK business key, FK foreign key, DD degenerate dimension, "
        "Σ measure.</p>\n");
    page_matrix(buf, sttm);
    nv_buf_puts(buf, "</section>\n");
}

static void put_findings(nv_buf_t *buf, const Nv__Scorecard *card)
{
    nv_buf_puts(buf, "<section id=\"findings\"><h2>What was found wrong in the data</h2>\n");
    if (card->n_findings == 0)
        nv_buf_puts(buf, "<p>Nothing.</p>");
    nv_buf_puts(buf, "<ul>\n");
    for (size_t i = 0; i < card->n_findings; i++)
        html_element(buf, "li", NULL, card->findings[i]);
    nv_buf_puts(buf, "</ul></section>\n");
}

static void put_lines(nv_buf_t *buf, const char *title, Nv__ScoreLine *const *lines, size_t count)
{
    static const char *const titles[] = {"measure", ">value", ">weight", "detail", NULL};
    html_table_open(buf, title, titles);
    for (size_t i = 0; i < count; i++) {
        nv_buf_puts(buf, "<tr>");
        html_element(buf, "td", NULL, lines[i]->name);
        nv_buf_printf(buf, "<td class=\"n\">%.3f</td><td class=\"n\">%g</td>", lines[i]->value,
                      lines[i]->weight);
        html_element(buf, "td", "dim", lines[i]->detail);
        nv_buf_puts(buf, "</tr>\n");
    }
    html_table_close(buf);
}

static void put_score(nv_buf_t *buf, const Nv__Scorecard *card)
{
    nv_buf_puts(buf, "<section id=\"score\"><h2>Score</h2>");
    put_lines(buf, "of the design and the pipeline: the weighted mean", card->lines, card->n_lines);
    if (card->n_data_lines > 0)
        put_lines(buf, "of the data: the lowest that counts, each of the table where it is lowest",
                  card->data_lines, card->n_data_lines);
    nv_buf_puts(buf, "</section>\n");
}

bool report_html(nv_buf_t *buf, const run_record_t *record, const Nv__Scorecard *card, const char *er_svg,
                 nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("report");
    nv_buf_t sections = nv_buf_make(ctx, buf->maximum);
    put_star(&sections, record->sttm, er_svg);
    put_findings(&sections, card);
    page_changes(&sections, record);
    page_quality(&sections, record);
    page_mapping(&sections, record);
    page_relations(&sections, record);
    page_profile(&sections, record);
    page_timings(&sections, record);
    put_score(&sections, card);
    put_header(ctx, buf, record, card);
    put_contents(buf, nv_buf_text(&sections));
    nv_buf_add(buf, sections.data, sections.length);
    nv_buf_puts(buf, "<footer>Made by Nuvyn.bldr.</footer></main></body></html>\n");
    return nv_buf_ok(&sections, "report.html", err) && nv_buf_ok(buf, "report.html", err);
}
