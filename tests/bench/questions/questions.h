/* Business questions asked twice: of the raw tables, joined as the set's truth says, and of the star. */
#ifndef TESTS_BENCH_QUESTIONS_H
#define TESTS_BENCH_QUESTIONS_H

#include "tests/support/star/star.h"
#include "worker/profiling/parse_sql.h"

enum { PATH_MAX_STEPS = 3, ALIAS_STEPS_MAX = 8 };

/* A reference as the truth declares it; raw names. */
typedef struct reference {
    const char *from, *to;
    const char **columns, **to_columns;
    size_t n;
} reference_t;

typedef struct truth_table {
    const char *name;
    const char **key;
    size_t n_key;
    bool is_event; /* a fact or a bridge */
} truth_table_t;

typedef struct truth_set {
    const char *name;
    truth_table_t *tables;
    size_t n_tables;
    reference_t *references;
    size_t n_references;
} truth_set_t;

/* From the events of one table along references to an attribute, or to the month of a date. */
typedef struct question {
    const char *fact, *measure; /* measure NULL: how many */
    const char *aggregate;      /* "sum", "avg", "max", "count" */
    const reference_t *path[PATH_MAX_STEPS];
    size_t n_path;
    const char *attribute;
    bool month;
} question_t;

/* Where the questions are written to, for others to ask: export_begin. */
typedef struct question_export question_export_t;

typedef struct set {
    nv_mem_t *ctx;
    const char *folder;
    truth_set_t truth;
    star_t star;
    oracle_t *db;
    question_export_t *export; /* NULL: none */
} set_t;

typedef struct tally {
    int asked, agreed, lost; /* lost: the star cannot answer it */
    int raw_joins, star_joins;
} tally_t;

/* Designs the folder, loads the star (schema star) and the raw tables (schema raw), typed by DuckDB's own reader or by the script
 * <name>.sql beside this program's sources. */
bool set_open(nv_mem_t *ctx, const char *folder, set_t *out, nv_error_t *err) NV_MUST_CHECK;

/* Every question that can be asked along at most three references; below ctx. */
bool questions_of(const set_t *set, question_t **out, size_t *n, nv_error_t *err) NV_MUST_CHECK;

/* A SELECT of "g" (text) and "v" (number), and how many joins it needs. question_star is NULL when the star cannot answer. */
char *question_raw(const set_t *set, const question_t *question, int *joins);
char *question_star(const set_t *set, const question_t *question, int *joins);
char *question_text(const set_t *set, const question_t *question);

/* Up to `most` of the questions, evenly drawn, then those of <name>.questions when there is one. */
bool set_ask(const set_t *set, size_t most, bool verbose, tally_t *tally, nv_error_t *err) NV_MUST_CHECK;

/* Writes <folder>/sttm.json and, as questions are asked, <folder>/questions.json: [{"text", "star": SQL in DuckDB's words,
 * "answer": JSON text of [[group or null, number as text or null], …] from the raw tables}]. Ends with export_end. */
question_export_t *export_begin(const set_t *set, const char *folder);
bool export_question(question_export_t *export, const char *text, const char *raw, const char *star,
                     nv_error_t *err) NV_MUST_CHECK;
bool export_end(question_export_t *export, nv_error_t *err) NV_MUST_CHECK;

#endif
