/* The tables themselves, computed in DuckDB from the raw files: what the generated pipeline must leave behind after each
 * batch, by SQL that shares nothing with it but the mapping. Where validation.h compares counts, sums and checksums, this
 * replays history: batches arrive one after the other, silver remembers when a row last changed, SCD2 dimensions keep their
 * versions, facts look up the version of their day.
 *
 * The tables stand in input->catalog and input->schema of a DuckDB (reference_create makes them), under the names of the
 * mapping, without their audit columns. Surrogate keys are hashes, stable as the pipeline's are, but other numbers: compare
 * members by their business key. bronze_… and nuvyn_quarantine are there to be counted, so that a validation_plan with
 * duckdb_warehouse can be asked of these tables as it would of the loaded ones. Pure: it only writes the statements.
 */
#ifndef WORKER_VALIDATION_REFERENCE_H
#define WORKER_VALIDATION_REFERENCE_H

#include "worker/validation/validation.h"

typedef struct reference_batch {
    int number; /* from 1; orders the batches */
    /* ISO 8601, UTC: when the batch was first seen; dates versions that the data do not date */
    const char *time;
    /* Taken by the sources whose file_pattern they match (path; columns, where the header is not the table's); NULL: the mapping's
     * own files. */
    const Nv__SourceFile *const *files;
    size_t n_files;
} reference_batch_t;

typedef struct reference_sql {
    const char **statements;
    size_t n;
} reference_sql_t;

/* Empty tables. */
reference_sql_t reference_create(nv_mem_t *ctx, const validation_input_t *input);

/* One batch onto what is there. Where a policy or a rule of the mapping stops the load (tier FAIL, a threshold, a snapshot that lacks too
 * much), a statement fails with "quality checks failed: …" or "…: the snapshot lacks …" before any table of silver or the star is
 * touched by its source. The lines that are no rows (profiles' rejected_count) are counted with batch 1. */
reference_sql_t reference_load(nv_mem_t *ctx, const validation_input_t *input,
                               const reference_batch_t *batch);

#endif
