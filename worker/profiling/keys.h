/* Unique column sets of one table, from the hashes of its rows. Pure.
 *
 * Uniqueness is judged among non-duplicate rows, so that doubled lines do not hide a key. Method: levelwise search with
 * pruning (Heise et al., "Scalable discovery of unique column combinations", 2013), sets of up to three columns. In a
 * table that the trace does not hold as a whole, the sets that looked unique in the first blocks are counted over all
 * rows by the scan itself.
 */
#ifndef WORKER_PROFILING_KEYS_H
#define WORKER_PROFILING_KEYS_H

#include "common/core/mem.h"
#include "nuvyn/profile.pb-c.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { KEYS_MAX_COLUMNS = 3, KEYS_MAX_SETS = 32 };

/* Rows by columns: hashes[column][row], 0 is an empty field. */
typedef struct key_rows {
    uint64_t *const *hashes;
    const uint32_t *rows; /* the distinct ones, as indices */
    size_t n_rows;
} key_rows_t;

typedef struct key_set {
    size_t columns[KEYS_MAX_COLUMNS];
    size_t n;
    double uniqueness; /* distinct combinations / rows */
} key_set_t;

/* What the search may use of a column. */
typedef struct key_column {
    bool single;    /* may be a key on its own */
    bool composite; /* may be part of one: no measure, no prose, no nulls */
    int64_t distinct;
} key_column_t;

/* Indices of the rows that differ from every earlier one in some column. */
uint32_t *keys_distinct_rows(nv_mem_t *ctx, uint64_t *const *hashes, size_t n_columns, size_t n_rows,
                             size_t *n);

/* Minimal sets: single columns of uniqueness at least 0.95, composites of at least 0.98; by size, then position. */
size_t keys_find(const key_rows_t *rows, const key_column_t *columns, size_t n_columns,
                 key_set_t out[KEYS_MAX_SETS]);

/* Who counts a set's distinct combinations, where the rows are not at hand. */
typedef struct key_judge {
    /* What the search may ask next, so that it can be counted at once; may be NULL. */
    void (*announce)(void *arg, const key_set_t *sets, size_t n);
    /* Distinct combinations / rows; 0 as soon as it cannot reach the least that counts. */
    double (*uniqueness)(void *arg, const key_set_t *set);
    void *arg;
} key_judge_t;

/* The same search over n_rows rows that differ from each other. */
size_t keys_search(const key_judge_t *judge, size_t n_rows, const key_column_t *columns, size_t n_columns,
                   key_set_t out[KEYS_MAX_SETS]);

/* Fits a column for the search, by its profile. */
key_column_t keys_column(const Nv__ColumnProfile *column, int64_t row_count);

/* The combined hash of a set of columns in one row; column_hash(i) are the columns' hashes. */
static inline uint64_t keys_mix(uint64_t sum, uint64_t hash)
{
    sum = (sum ^ hash) * UINT64_C(0x9FB21C651E98DF25);
    return sum ^ sum >> 32;
}

#endif
