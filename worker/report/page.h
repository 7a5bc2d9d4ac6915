/* Sections of report.html; private to worker/report. Each writes one <section>, or nothing when there is
 * nothing. */
#ifndef WORKER_REPORT_PAGE_H
#define WORKER_REPORT_PAGE_H

#include "worker/report/html.h"
#include "worker/report/report.h"

void page_style(nv_buf_t *buf);
void page_matrix(nv_buf_t *buf, const Nv__Sttm *sttm);
void page_profile(nv_buf_t *buf, const run_record_t *record);
void page_relations(nv_buf_t *buf, const run_record_t *record);
void page_mapping(nv_buf_t *buf, const run_record_t *record);
void page_changes(nv_buf_t *buf, const run_record_t *record);
void page_quality(nv_buf_t *buf, const run_record_t *record);
void page_timings(nv_buf_t *buf, const run_record_t *record);

#endif
