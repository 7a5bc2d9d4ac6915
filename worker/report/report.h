/* What people get from a run: report.html (self-contained), sttm.md and sttm.xlsx. The JSON files beside them
 * come straight from the contract codec. All functions render from contracts; none reads the data. */
#ifndef WORKER_REPORT_REPORT_H
#define WORKER_REPORT_REPORT_H

#include "common/core/buf.h"
#include "worker/evaluation/scorecard.h"

enum { REPORT_MAX_BYTES = 48 * 1024 * 1024 };

/* The whole page, into buf (made with REPORT_MAX_BYTES). er_svg: an SVG picture of the star or NULL. */
bool report_html(nv_buf_t *buf, const run_record_t *record, const Nv__Scorecard *card, const char *er_svg,
                 nv_error_t *err) NV_MUST_CHECK;

/* The star schema as a Graphviz document (pure), and as an SVG picture. Graphviz keeps state of its own for
 * the whole process, so the rendering takes a process-wide lock. */
void report_er_dot(nv_buf_t *buf, const Nv__Sttm *sttm);
bool report_er_svg(nv_mem_t *ctx, const Nv__Sttm *sttm, char **out, nv_error_t *err) NV_MUST_CHECK;

/* The mapping as Markdown. */
void report_sttm_markdown(nv_buf_t *buf, const Nv__Sttm *sttm);

/* The mapping as a workbook (sheets: cover, sources, targets, column map, joins, rules, unmapped, changes),
 * written to a temporary file and returned as bytes below ctx. */
bool report_sttm_workbook(nv_mem_t *ctx, const Nv__Sttm *sttm, void **out, size_t *out_length,
                          nv_error_t *err) NV_MUST_CHECK;

/* Names for people; static. */
const char *report_type_name(Nv__ValueType type);
const char *report_target_kind(Nv__TargetKind kind);
const char *report_key_role(Nv__KeyRole role);
const char *report_additivity(Nv__Additivity additivity);
const char *report_load_strategy(Nv__LoadStrategy load);
const char *report_scd(Nv__ScdType scd);
/* "product_name (300) → category_name (17)"; below ctx. */
char *report_hierarchy(nv_mem_t *ctx, const Nv__Hierarchy *hierarchy);
const char *report_rule_kind(Nv__RuleKind kind);
const char *report_severity(Nv__Severity severity);
const char *report_status(Nv__CheckStatus status);
/* "decimal(12,2)" and the like, below ctx. */
char *report_full_type(nv_mem_t *ctx, Nv__ValueType type, int precision, int scale);
/* "orders.customer_id, orders.id" below ctx. */
char *report_inputs(nv_mem_t *ctx, const Nv__Transform *transform);
/* "QUARANTINE: not_null(a, b)" below ctx. */
char *report_rule_text(nv_mem_t *ctx, const Nv__QualityRule *rule);

#endif
