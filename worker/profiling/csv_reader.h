/* The records of a block of delimited text one after the other, as csv_split gives them, several times as fast: 64 bytes
 * are looked at together. What is quoted in an unusual way is left to csv_split. Pure.
 */
#ifndef WORKER_PROFILING_CSV_READER_H
#define WORKER_PROFILING_CSV_READER_H

#include "worker/profiling/csv_marks.h"

enum { CSV_READER_SLACK = 16 };

typedef struct csv_reader {
    const csv_dialect_t *dialect; /* borrowed */
    const char *at;               /* where the next record starts */
    const char *end;
    bool simple;        /* the dialect allows looking at many bytes together */
    const char *window; /* the 64 bytes from here are known: */
    uint64_t stops;     /* delimiters and line ends outside quotes that were not passed yet */
    uint64_t newlines;
    uint64_t quotes;
    uint64_t carry;                 /* all ones: the window ends inside quotes */
    bool inner_newlines;            /* within quotes there are some */
    csv_marks_t marks[CSV_WINDOWS]; /* of the windows that come next */
    size_t n_marks, next_mark;
    size_t ahead; /* windows looked at together: few after a record that was read the careful way */
} csv_reader_t;

/* The text is borrowed. */
csv_reader_t csv_reader_make(const csv_dialect_t *dialect, const char *at, const char *end);

/* Splits the next record, at reader->at, which must be before the end. record as for csv_split, but its scratch must be
 * CSV_READER_SLACK bytes longer than everything that is read with it. */
void csv_reader_next(csv_reader_t *reader, csv_record_t *record);

#endif
