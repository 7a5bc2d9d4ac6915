/* Functional dependencies between single columns, from the hashes of rows. Pure.
 *
 * Error measure g3, the rows to take away (Kivinen and Mannila 1995); pairs are ruled out on a sample before they are
 * counted over all rows.
 */
#ifndef WORKER_PROFILING_DEPENDENCIES_H
#define WORKER_PROFILING_DEPENDENCIES_H

#include "worker/profiling/keys.h"

typedef struct dependency {
    size_t determinant, dependent;
    int64_t violations, groups;
    double support; /* share of rows in groups of two or more */
} dependency_t;

enum { DEPENDENCIES_MAX = 400 };

/* usable[i] false: the column takes no part. Returns how many were found, the best supported first. */
size_t dependencies_find(const key_rows_t *rows, const bool *usable, size_t n_columns,
                         dependency_t out[DEPENDENCIES_MAX]);
/* For qsort: the best supported first, equals in the order of the columns. */
int dependencies_by_support(const void *left, const void *right);

#endif
