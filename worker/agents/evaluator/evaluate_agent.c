/* The Evaluator: scores the run and writes what people get from it. */
#include "worker/agents/evaluator/run_documents.h"
#include "worker/evaluation/changes.h"
#include "worker/evaluation/data_quality.h"
#include "worker/report/report.h"

#include <string.h>

static bool store_profile(agent_task_t *task, const run_record_t *record, nv_error_t *err)
{
    if (record->n_profiles == 0)
        return true;
    Nv__Profile profile = NV__PROFILE__INIT;
    profile.source = record->survey ? record->survey->source : profile.source;
    profile.n_tables = record->n_profiles;
    profile.tables = (Nv__TableProfile **)record->profiles;
    if (record->survey) {
        profile.n_skipped = record->survey->n_skipped;
        profile.skipped = record->survey->skipped;
    }
    return task_artifact_json(task, "profile.json", &profile.base, err);
}

static bool store_mapping(agent_task_t *task, nv_mem_t *ctx, const Nv__Sttm *sttm, nv_error_t *err)
{
    if (!sttm)
        return true;
    nv_buf_t markdown = nv_buf_make(ctx, REPORT_MAX_BYTES);
    report_sttm_markdown(&markdown, sttm);
    void *workbook = NULL;
    size_t length = 0;
    return nv_buf_ok(&markdown, "sttm.md", err) && task_artifact_json(task, "sttm.json", &sttm->base, err) &&
           task_artifact(task, "sttm.md", "text/markdown", nv_buf_text(&markdown), markdown.length, err) &&
           report_sttm_workbook(ctx, sttm, &workbook, &length, err) &&
           task_artifact(task, "sttm.xlsx",
                         "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", workbook,
                         length, err);
}

static bool store_report(agent_task_t *task, nv_mem_t *ctx, const run_record_t *record,
                         const Nv__Scorecard *card, nv_error_t *err)
{
    char *svg = NULL;
    if (record->sttm && !report_er_svg(ctx, record->sttm, &svg, err)) {
        /* The picture is one part of the page; the page says so by its absence and the log by its reason. */
        task_say(task, "log", "no picture of the star: %s", err->message);
        nv_error_clear(err);
    }
    nv_buf_t html = nv_buf_make(ctx, REPORT_MAX_BYTES);
    return report_html(&html, record, card, svg, err) &&
           task_artifact(task, "report.html", "text/html", nv_buf_text(&html), html.length, err);
}

static void tell(agent_task_t *task, const char *text)
{
    task_say(task, "summary", "%s", text);
}

/* Of the star, not of the layers below it. */
static bool is_target(const Nv__Sttm *sttm, const char *table)
{
    const char *dot = strrchr(table, '.');
    const char *name = dot ? dot + 1 : table;
    for (size_t i = 0; sttm && i < sttm->n_targets; i++)
        if (strcmp(sttm->targets[i]->name, name) == 0)
            return true;
    return false;
}

/* Whether every number was held against the raw files; else why not. */
static const char *not_compared(const Nv__Validation *validation)
{
    for (size_t i = 0; i < validation->n_checks; i++)
        if (strncmp(validation->checks[i]->message, "not compared with", 17) == 0)
            return validation->checks[i]->message;
    return NULL;
}

/* Of a first load the number of rows says it all. */
static bool is_first_load(const table_change_t *change, int64_t rows)
{
    return change->updated == 0 && change->deleted == 0 && change->inserted >= rows && rows > 0;
}

static void tell_built(agent_task_t *task, nv_mem_t *ctx, const run_record_t *record)
{
    const Nv__Validation *validation = record->validation;
    if (!validation || validation->n_tables == 0)
        return;
    size_t n, changed = 0;
    bool told = false;
    const table_change_t *changes = changes_list(ctx, record, &n);
    const char *why = not_compared(validation);
    bool batch = record->spec && record->spec->increment_of[0];
    tell(task, nv_printf(ctx, "%s%s", batch ? "Brought up to date" : "Built",
                         why ? ":" : ", and proven against the raw files:"));
    for (size_t i = 0; i < validation->n_tables; i++) {
        const char *table = validation->tables[i]->table;
        const char *dot = strrchr(table, '.');
        if (!is_target(record->sttm, table))
            continue;
        const table_change_t *change = changes_of(changes, n, dot ? dot + 1 : table);
        changed += change && change->inserted + change->updated + change->deleted > 0;
        bool tells = change && (batch || !is_first_load(change, validation->tables[i]->rows));
        told |= tells;
        tell(task, nv_printf(ctx, "  %-50s %10lld rows%s%s", table, (long long)validation->tables[i]->rows,
                             tells ? "   " : "", tells ? change_text(ctx, change) : ""));
    }
    if (told)
        tell(task, "  (rows: what is known and current; new and changed count earlier versions and unknown "
                   "members, too)");
    if (n > 0 && changed == 0)
        tell(task, "No row changed: everything in these files was loaded before.");
    if (why)
        tell(task, nv_printf(ctx, "Not everything was %s", why + 4));
}

static void tell_checks(agent_task_t *task, nv_mem_t *ctx, const Nv__Validation *validation)
{
    size_t passed = 0;
    for (size_t i = 0; validation && i < validation->n_checks; i++)
        passed += validation->checks[i]->status == NV__CHECK_STATUS__CHECK_STATUS_PASS;
    if (validation)
        tell(task,
             nv_printf(ctx, "%zu of %zu checks on the loaded tables pass.", passed, validation->n_checks));
}

/* What the terminal says at the end: what was built, what was found wrong, how it was decided. */
static void tell_ending(agent_task_t *task, nv_mem_t *ctx, const run_record_t *record,
                        const Nv__Scorecard *card)
{
    enum { TOLD_MAX = 12 };
    if (card->succeeded)
        tell_built(task, ctx, record);
    tell_checks(task, ctx, record->validation);
    const char *where = record->spec && record->spec->increment_of[0] ? "batch" : "data";
    tell(task, nv_printf(ctx, card->n_findings ? "Found wrong in the %s:" : "Found nothing wrong in the %s.",
                         where));
    for (size_t i = 0; i < card->n_findings && i < TOLD_MAX; i++)
        tell(task, nv_printf(ctx, "  %s", card->findings[i]));
    if (card->n_findings > TOLD_MAX)
        tell(task, nv_printf(ctx, "  … and %zu more in report.html", card->n_findings - TOLD_MAX));
    tell(task, scorecard_method_text(ctx, card));
    if (scorecard_scope_text(record)[0])
        tell(task, scorecard_scope_text(record));
    if (data_quality_text(ctx, card)[0])
        tell(task, data_quality_text(ctx, card));
    tell(task, nv_printf(ctx, "Score %.0f of 100.", card->score));
}

/* Artifacts of what agents made, so that a folder of output stands on its own. */
static bool store_all(agent_task_t *task, nv_mem_t *ctx, const run_record_t *record,
                      const Nv__Scorecard *card, nv_error_t *err)
{
    return store_profile(task, record, err) &&
           task_artifact_json(task, "design.json", record->design ? &record->design->base : NULL, err) &&
           store_mapping(task, ctx, record->sttm, err) &&
           task_artifact_json(task, "review.json", record->review ? &record->review->base : NULL, err) &&
           task_artifact_json(task, "validation.json", record->validation ? &record->validation->base : NULL,
                              err) &&
           task_artifact_json(task, "scorecard.json", &card->base, err) &&
           store_report(task, ctx, record, card, err);
}

bool agent_evaluate(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err)
{
    run_record_t record;
    if (!run_documents_load(task, ctx, &record, err))
        return false;
    Nv__Scorecard *card = scorecard_make(ctx, &record);
    tell_ending(task, ctx, &record, card);
    if (!store_all(task, ctx, &record, card, err) || !task_write(task, "scorecard", &card->base, err))
        return nv_wrap(err, "evaluate");
    task_progress(task, "progress", 1, 1, "score %.0f of 100%s", card->score,
                  card->n_data_lines > 0 ? nv_printf(ctx, ", data quality %d", data_quality_shown(card))
                                         : "");
    out->outcome = "done";
    out->blame = "";
    return true;
}
