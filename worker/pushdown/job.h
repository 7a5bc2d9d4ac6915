/* A pushed-down profile in the making; internal to this folder. */
#ifndef WORKER_PUSHDOWN_JOB_H
#define WORKER_PUSHDOWN_JOB_H

#include "worker/profiling/infer.h"
#include "worker/profiling/names.h"
#include "worker/pushdown/profile.h"
#include "worker/pushdown/profile_sql.h"

typedef struct pushdown_job {
    nv_mem_t *ctx;     /* of the result */
    nv_mem_t *scratch; /* of everything else */
    const pushdown_engine_t *engine;
    const pushdown_options_t *options;
    const Nv__SurveyTable *table;
    Nv__TableProfile *out;
    char *from;          /* the rows */
    char *from_rejected; /* with the lines that are none */
    char **names;
    size_t names_capacity;
    names_unique_t *known;    /* names of columns */
    names_unique_t *left_out; /* names that can be none */
    infer_result_t *inferred;
    int64_t *values; /* per column: not empty */
    int64_t *texts;  /* per column: distinct texts */
    int64_t distinct_rows;
    int done;
} pushdown_job_t;

bool job_query(pushdown_job_t *job, const char *sql, pushdown_rows_t *out, nv_error_t *err) NV_MUST_CHECK;
void job_warn(pushdown_job_t *job, const char *fmt, ...) NV_PRINTF(2, 3);
/* All columns; or those of the k-th part of PROFILE_COLUMNS. */
profile_part_t job_all(const pushdown_job_t *job);
bool job_part(const pushdown_job_t *job, size_t k, profile_part_t *out);

/* How the rows are read, and what their columns are called. */
bool job_layout(pushdown_job_t *job, nv_error_t *err) NV_MUST_CHECK;
/* Of CSV, out of the heads of the files: dialect, encoding, job->names and out->n_columns. */
bool sniff_csv(pushdown_job_t *job, nv_error_t *err) NV_MUST_CHECK;
/* Notes the names in the heads of files of JSON lines. */
typedef void (*names_noted_t)(pushdown_job_t *job, const char *name);
bool sniff_json_names(pushdown_job_t *job, names_noted_t note, nv_error_t *err) NV_MUST_CHECK;
/* Everything about each column's values. */
bool job_columns(pushdown_job_t *job, nv_error_t *err) NV_MUST_CHECK;
/* Unique sets, dependencies, order in the files. */
bool job_evidence(pushdown_job_t *job, nv_error_t *err) NV_MUST_CHECK;

#endif
