/* The Evaluator: scores the run and writes what people get from it. */
#include "common/contract/codec.h"
#include "worker/agents/evaluator/run_documents.h"
#include "worker/report/report.h"

#include <string.h>

static bool store_json(agent_task_t *task, nv_mem_t *ctx, const char *name, const ProtobufCMessage *message,
                       nv_error_t *err)
{
    if (!message)
        return true;
    char *json = NULL;
    size_t length = 0;
    return nv_json_encode(ctx, message, NV_CODEC_PRETTY | NV_CODEC_NUMBERS, &json, &length, err) &&
           task->ops->artifact(task->host, name, "application/json", json, length, err);
}

static bool store_profile(agent_task_t *task, nv_mem_t *ctx, const run_record_t *record, nv_error_t *err)
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
    return store_json(task, ctx, "profile.json", &profile.base, err);
}

static bool store_mapping(agent_task_t *task, nv_mem_t *ctx, const Nv__Sttm *sttm, nv_error_t *err)
{
    if (!sttm)
        return true;
    nv_buf_t markdown = nv_buf_make(ctx, REPORT_MAX_BYTES);
    report_sttm_markdown(&markdown, sttm);
    void *workbook = NULL;
    size_t length = 0;
    return nv_buf_ok(&markdown, "sttm.md", err) && store_json(task, ctx, "sttm.json", &sttm->base, err) &&
           task->ops->artifact(task->host, "sttm.md", "text/markdown", nv_buf_text(&markdown),
                               markdown.length, err) &&
           report_sttm_workbook(ctx, sttm, &workbook, &length, err) &&
           task->ops->artifact(task->host, "sttm.xlsx",
                               "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", workbook,
                               length, err);
}

static bool store_report(agent_task_t *task, nv_mem_t *ctx, const run_record_t *record,
                         const Nv__Scorecard *card, nv_error_t *err)
{
    char *svg = NULL;
    if (record->sttm && !report_er_svg(ctx, record->sttm, &svg, err)) {
        /* The picture is one part of the page; the page says so by its absence and the log by its reason. */
        task->ops->emit(task->host, "log", nv_printf(ctx, "no picture of the star: %s", err->message), 0, 0);
        nv_error_clear(err);
    }
    nv_buf_t html = nv_buf_make(ctx, REPORT_MAX_BYTES);
    return report_html(&html, record, card, svg, err) &&
           task->ops->artifact(task->host, "report.html", "text/html", nv_buf_text(&html), html.length, err);
}

static void emit_findings(agent_task_t *task, const Nv__Scorecard *card)
{
    enum { EMITTED_MAX = 12 };
    for (size_t i = 0; i < card->n_findings && i < EMITTED_MAX; i++)
        task->ops->emit(task->host, "finding", card->findings[i], (int64_t)i + 1, (int64_t)card->n_findings);
}

/* Artifacts of what agents made, so that a folder of output stands on its own. */
static bool store_all(agent_task_t *task, nv_mem_t *ctx, const run_record_t *record,
                      const Nv__Scorecard *card, nv_error_t *err)
{
    return store_profile(task, ctx, record, err) &&
           store_json(task, ctx, "design.json", record->design ? &record->design->base : NULL, err) &&
           store_mapping(task, ctx, record->sttm, err) &&
           store_json(task, ctx, "review.json", record->review ? &record->review->base : NULL, err) &&
           store_json(task, ctx, "validation.json", record->validation ? &record->validation->base : NULL,
                      err) &&
           store_json(task, ctx, "scorecard.json", &card->base, err) &&
           store_report(task, ctx, record, card, err);
}

bool agent_evaluate(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err)
{
    run_record_t record;
    if (!run_documents_load(task, ctx, &record, err))
        return false;
    Nv__Scorecard *card = scorecard_make(ctx, &record);
    emit_findings(task, card);
    if (!store_all(task, ctx, &record, card, err) ||
        !task->ops->write(task->host, "scorecard", &card->base, err))
        return nv_wrap(err, "evaluate");
    out->outcome = "done";
    out->blame = "";
    return true;
}
