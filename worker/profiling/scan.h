/* One reading of a table's files by several lanes (threads): every record split, checked and counted into columns.
 *
 * The first blocks are read on the calling thread with dictionaries only; then the parsers are decided from their
 * evidence (unless given) and the lanes start. Results do not depend on timing, only on the number of lanes.
 */
#ifndef WORKER_PROFILING_SCAN_H
#define WORKER_PROFILING_SCAN_H

#include "worker/profiling/column.h"
#include "worker/profiling/jsonl.h"
#include "worker/profiling/keys.h"
#include "worker/profiling/profile.h"
#include "worker/profiling/source.h"

enum {
    SCAN_REJECTS = 20,
    SCAN_BLOCK = 1 << 19,
    SCAN_FIRST_BLOCKS = 8
}; /* a block stays in the cache from reading to counting */

typedef struct scan_reject {
    size_t file;
    int64_t line;
    const char *text;
    const char *reason;
} scan_reject_t;

/* Hashes of the trimmed texts of some rows, column by column: the stuff of keys and dependencies. */
typedef struct scan_trace {
    uint64_t **hashes; /* [column][row]; 0 is an empty field */
    size_t rows;
    bool complete; /* all accepted rows are in it */
} scan_trace_t;

/* A column set that looked unique in the first blocks, counted over all rows. */
typedef struct scan_set {
    key_set_t set;
    int64_t distinct; /* -1 when it was given up: far from unique, or no room */
} scan_set_t;

enum { SCAN_SETS = 3 }; /* each costs eight bytes a row */

typedef struct scan_config {
    const profile_options_t *options; /* complete: no zeros */
    const Nv__SurveyTable *table;
    file_kind_t kind;
    const sniff_dialect_t *dialect;
    const sniff_encoding_t *encodings;
    char *const *names;           /* of the columns, for inference and for formats that go by them */
    const jsonl_schema_t *schema; /* JSON lines only: the same names */
    const bool *wanted;      /* second reading: only these columns; NULL: all, with rows, trace and digests */
    parser_t *parsers;       /* second reading: given; first: decided and stored here */
    infer_result_t *decided; /* first reading: what the first blocks said, below ctx */
} scan_config_t;

typedef struct scan_result {
    column_t *columns;
    int64_t rows;
    int64_t rejected;
    scan_reject_t rejects[SCAN_REJECTS];
    size_t n_rejects;
    int64_t bad_bytes;     /* rejected for invalid UTF-8 */
    bool mixed_ends;       /* some accepted lines end with CR LF, some with LF */
    bool multibyte;        /* valid sequences beyond ASCII were seen in accepted rows */
    jsonl_notes_t notes;   /* JSON lines only: of all lanes, names in the order of the files */
    int64_t *file_rows;    /* accepted, by file */
    const char **digests;  /* by file, "" when not computed */
    int64_t distinct_rows; /* -1 when there was no room to count */
    scan_trace_t trace;
    scan_set_t sets[SCAN_SETS];
    size_t n_sets;
} scan_result_t;

bool scan_run(nv_mem_t *ctx, const scan_config_t *config, scan_result_t *out, nv_error_t *err) NV_MUST_CHECK;

/* Infers every wanted column, dates with regard to each other; results below ctx. */
void scan_infer(nv_mem_t *ctx, const evidence_t *evidence, char *const *names, size_t n, infer_result_t *out);

#endif
