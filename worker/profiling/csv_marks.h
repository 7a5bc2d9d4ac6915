/* Internal to the CSV readers: what stands where in 64 bytes of delimited text, a bit per byte (the lowest is the first).
 *
 * Source: the bit-parallel scanning of Langdale and Lemire, "Parsing Gigabytes of JSON per Second" (2019), for RFC 4180.
 */
#ifndef WORKER_PROFILING_CSV_MARKS_H
#define WORKER_PROFILING_CSV_MARKS_H

#include "worker/profiling/csv.h"

enum { CSV_WINDOW = 64, CSV_WINDOWS = 16 };

typedef struct csv_marks {
    uint64_t quotes, delimiters, newlines;
} csv_marks_t;

/* Marks of the windows from `at` on, one after the other: at most `most` of them, which is at most CSV_WINDOWS. What would
 * stand behind `end` has none. Returns how many windows there are before `end`, one at least. */
size_t csv_marks_from(const csv_dialect_t *dialect, const char *at, const char *end, size_t most,
                      csv_marks_t out[CSV_WINDOWS]);

/* The bytes that are compared by one instruction; all say the same. */
typedef enum csv_step { CSV_BYTE, CSV_BY_16, CSV_BY_32, CSV_BY_64 } csv_step_t;
/* False where this machine cannot. Marks n windows, each as a whole. */
bool csv_marks_by(csv_step_t step, const csv_dialect_t *dialect, const char *at, size_t n, csv_marks_t *out);

/* Bit i: the number of quotes up to and with byte i is odd. */
static inline uint64_t csv_inside(uint64_t quotes)
{
    for (int shift = 1; shift < 64; shift *= 2)
        quotes ^= quotes << shift;
    return quotes;
}

#endif
