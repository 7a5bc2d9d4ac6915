/* What a run changed in the tables, as the pipeline's tasks reported it. Pure. */
#ifndef WORKER_EVALUATION_CHANGES_H
#define WORKER_EVALUATION_CHANGES_H

#include "worker/evaluation/scorecard.h"

typedef struct table_change {
    const char *task;  /* "30_dim_customer" */
    const char *table; /* "dim_customer"; of bronze and silver the source's name */
    bool is_target;    /* a dimension, fact or bridge */
    int64_t new_files; /* bronze */
    int64_t inserted, updated, deleted;
} table_change_t;

/* In the order of the tasks; tasks whose output is not of this form are left out. Below ctx. */
table_change_t *changes_list(nv_mem_t *ctx, const run_record_t *record, size_t *out_count);

/* The change of one target; NULL when its task reported none. */
const table_change_t *changes_of(const table_change_t *changes, size_t count, const char *table);

/* "30 new, 45 changed, 2 deleted"; "unchanged". Below ctx. */
char *change_text(nv_mem_t *ctx, const table_change_t *change);

#endif
