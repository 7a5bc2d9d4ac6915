/* How good the data of a run were, beside how good its pipeline is: a perfect pipeline over a file of which half is lost is not
 * what its user wants to hear of as 99. Pure.
 *
 * Shares of what the sources hold, each of the table (column, reference) where it is lowest: lines read as rows, values read as their
 * type, rows not in quarantine, references that find their row. The figure is 100 times the lowest of them, so that one ruined file
 * among a hundred shows. Rows that repeat another exactly are told and not counted: they are loaded once, and nothing is lost.
 */
#ifndef WORKER_EVALUATION_DATA_QUALITY_H
#define WORKER_EVALUATION_DATA_QUALITY_H

#include "worker/evaluation/scorecard.h"

/* Below this the sentence begins with a warning. */
enum { DATA_QUALITY_LOW = 90 };

/* data_score and data_lines of the card, below ctx. */
void data_quality_measure(nv_mem_t *ctx, const run_record_t *record, Nv__Scorecard *card);

/* Whole, and 100 only of data without a fault. */
int data_quality_shown(const Nv__Scorecard *card);

/* "Data quality 97 of 100: orders(customer_id): 23 of 9000 rows …"; "" where nothing was profiled. Below ctx. */
const char *data_quality_text(nv_mem_t *ctx, const Nv__Scorecard *card);

#endif
