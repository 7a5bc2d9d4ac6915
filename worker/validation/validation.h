/* Proof of the loaded tables: what must be in them, computed a second time from the raw files, by SQL that shares nothing
 * with the generated pipeline but the mapping.
 *
 * A plan has two sides. The oracle side runs in DuckDB over the raw files: parse, refuse, deduplicate, join, look up. The
 * warehouse side asks the workspace for counts, sums and checksums of its tables, one statement per table. Then the two
 * are compared, value by value. Planning and comparing are pure; every name and value in the SQL is quoted.
 *
 * A checksum of a column is the sum over its rows of the first 48 bits of the MD5 of the value's canonical text: the same
 * on both engines, whatever the order of rows.
 */
#ifndef WORKER_VALIDATION_H
#define WORKER_VALIDATION_H

#include "common/core/error.h"
#include "common/core/mem.h"
#include "nuvyn/profile.pb-c.h"
#include "nuvyn/quality.pb-c.h"
#include "nuvyn/sttm.pb-c.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct validation_input {
    const Nv__Sttm *sttm;
    const Nv__TableProfile *const *profiles; /* for the number of lines that are no rows; may lack tables */
    size_t n_profiles;
    const char *catalog;
    const char *schema;
    /* the loaded tables stand in a DuckDB catalog, not in a Databricks one: for proofs */
    bool duckdb_warehouse;
    /* The oracle too is SQL for the warehouse, because only the workspace reaches the raw files; what it computes stands
     * in tables nuvyn_proof_… beside those of the pipeline until the plan's cleanup has run. */
    bool pushed_down;
    bool widened; /* the mapping's numbers are as wide as the raw files ask (validation_widen) */
} validation_input_t;

/* Sources whose numbers may grow (policy WIDEN), before anything is planned: a SELECT over all raw files of the source (in
 * DuckDB, or in the warehouse where only that reaches them), of one row, how many digits its numbers have before and after the point, column by column; NULL: nothing of it grows. And its
 * answer, by which the mapping's types become those that the pipeline has found: DECIMAL(38, scale) for what does not fit. */
char *validation_widths_sql(nv_mem_t *ctx, const Nv__SttmSource *source, bool pushed_down);
void validation_widen(Nv__Sttm *sttm, size_t source, const char *const *digits);

typedef enum validation_compare {
    VALIDATION_EQUAL, /* text by text */
    VALIDATION_ABOUT, /* as doubles, relative 1e-9 */
    VALIDATION_ZERO,  /* the warehouse must say 0; the oracle is not asked */
    VALIDATION_WARN,  /* 0 or a warning; expected is what would break the run, in words */
} validation_compare_t;

typedef struct validation_check {
    const char *name;    /* "grain_unique", "reconcile_sum" … */
    const char *subject; /* "fact_order_line.quantity" */
    const char *blame;   /* where a failure is to be mended */
    validation_compare_t compare;
    const char *warehouse; /* scalar SQL over the group's table */
    /* scalar SQL over the group's oracle relation; NULL where there is nothing to compare with */
    const char *oracle;
    size_t warehouse_at; /* column in the answers */
    size_t oracle_at;
} validation_check_t;

/* All checks of one table: one statement on each side. */
typedef struct validation_group {
    const char *table;
    char *warehouse_sql;
    char *oracle_sql; /* NULL: none of the checks needs it */
    validation_check_t *checks;
    size_t n_checks;
    size_t n_asked;       /* of the oracle: how many of the checks need it */
    bool *needs;          /* per source of the mapping: the oracle side depends on it */
    int source;           /* index of the source that a group is about, or -1 */
    const char *not_told; /* why the oracle does not follow the table, or NULL */
} validation_group_t;

typedef struct validation_plan {
    const char **setup; /* the oracle's statements, in order */
    size_t n_setup;
    const char **cleanup; /* afterwards, in any order; only of a pushed-down oracle */
    size_t n_cleanup;
    validation_group_t *groups; /* sources first */
    size_t n_groups;
    const char **not_told; /* per source of the mapping: why the oracle does not follow it, or NULL */
} validation_plan_t;

/* Below ctx. The mapping is one that codegen_project accepts. */
validation_plan_t *validation_plan(nv_mem_t *ctx, const validation_input_t *input);

/* The answers of one group: cells in the order of the checks; NULL is SQL NULL. */
typedef struct validation_answers {
    const char *const *warehouse;
    const char *const *oracle;  /* NULL: the oracle could not be asked; reconciliation becomes a warning */
    const char *not_comparable; /* why, when oracle is NULL */
    int64_t milliseconds;
} validation_answers_t;

/* One check, judged; below ctx. id counts through the run. */
Nv__Check *validation_judge(nv_mem_t *ctx, const validation_group_t *group, const validation_check_t *check,
                            const validation_answers_t *answers, size_t id);

/* The check counts rows that refer to nothing that is there; it warns, and belongs to validation_unknowns. */
bool validation_is_unknown_share(const Nv__Check *check);
/* What those checks found, for people: a sentence per reference of the sources, which names every table it is reached from. Below
 * ctx. */
const char **validation_unknowns(nv_mem_t *ctx, const Nv__Sttm *sttm, const Nv__Validation *validation,
                                 size_t *out_count);

/* passed, blame and critique out of the checks. */
void validation_conclude(nv_mem_t *ctx, Nv__Validation *validation);

#endif
