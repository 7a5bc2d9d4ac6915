/* Internal to profile_table: one profile in the making, and how its files are laid out. */
#ifndef WORKER_PROFILING_JOB_H
#define WORKER_PROFILING_JOB_H

#include "worker/profiling/names.h"
#include "worker/profiling/scan.h"

/* A profile in the making. */
typedef struct job {
    nv_mem_t *ctx;     /* of the result */
    nv_mem_t *scratch; /* of everything else */
    profile_options_t options;
    const Nv__SurveyTable *table;
    sniff_encoding_t *encodings;
    sniff_dialect_t dialect;
    file_kind_t kind;
    char **names;                 /* of the columns, with an end of NULL */
    const bool *nested;           /* Parquet: columns of lists, structs and maps */
    const jsonl_schema_t *schema; /* JSON lines: by those names */
    names_unique_t *known;        /* names in use, and */
    dict_t left_out;              /* those that cannot be */
    parser_t *parsers;
    infer_result_t *inferred;
    scan_result_t scan;
    Nv__TableProfile *out;
} job_t;

/* Adds a warning, up to a limit. */
void profile_warn(job_t *job, const char *fmt, ...) NV_PRINTF(2, 3);

/* Finds format, dialect, encodings and column names from the beginnings of the files. */
bool layout_read(job_t *job, nv_error_t *err) NV_MUST_CHECK;
/* JSON lines: the names that only the scan met become columns. Returns whether there were any: then it must run again. */
bool layout_take_names(job_t *job);
/* What is to be said of it, after the scan. */
void layout_report(job_t *job);

#endif
