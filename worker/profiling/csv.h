/* Delimited text: finding record ends and splitting fields. Pure; RFC 4180 with any one-byte delimiter and quote.
 *
 * A quote opens a field only as its first byte. Inside quotes, the quote doubled (or after the escape character) stands
 * for itself and line ends are data. A record ends with LF or CR LF.
 */
#ifndef WORKER_PROFILING_CSV_H
#define WORKER_PROFILING_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct csv_dialect {
    char delimiter;
    char quote;  /* 0: fields are never quoted */
    char escape; /* the quote itself, or '\\' */
} csv_dialect_t;

typedef struct csv_field {
    const char *text; /* into the record, or into scratch where quotes had to be undone */
    size_t length;
} csv_field_t;

typedef enum csv_status {
    CSV_OK,
    CSV_INCOMPLETE, /* the data ends inside quotes */
    CSV_BAD_QUOTE,  /* text after a closing quote */
} csv_status_t;

typedef struct csv_record {
    csv_field_t *fields; /* max_fields of them, given by the caller */
    size_t stride;       /* how far apart they lie: 0 and 1 are side by side */
    size_t max_fields;
    size_t n_fields; /* may exceed max_fields: the rest was only counted */
    char *scratch;   /* at least as long as the record; moves past what was used of it */
    const char *end; /* past the line end */
    csv_status_t status;
    bool quoted; /* only then may the record span lines */
} csv_record_t;

/* Splits the record at `at`; the last one may lack a line end. */
void csv_split(const csv_dialect_t *dialect, const char *at, const char *end, csv_record_t *record);

/* The end of the last complete record of the data, which starts at a record; NULL when there is none. *open says
 * whether the rest starts a quote that is not closed in it. */
const char *csv_last_end(const csv_dialect_t *dialect, const char *data, size_t length, bool *open);

/* True when the record is nothing but its line end. */
bool csv_is_blank(const char *at, const char *record_end);

/* Line ends (LF) in [at, end). */
int64_t csv_count_newlines(const char *at, const char *end);

#endif
