/* All hashes of a column or of the rows, to count the distinct ones exactly. Appending is cheap; counting spreads the
 * hashes over small sets.
 * Equal texts have equal hashes, so "all distinct" is certain; a count below that errs by a 64-bit collision at most.
 */
#ifndef WORKER_PROFILING_HASHLOG_H
#define WORKER_PROFILING_HASHLOG_H

#include "common/core/mem.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HASHLOG_FIRST_CHUNK = 64, HASHLOG_CHUNK_BYTES = 1 << 21 }; /* the largest fill a huge page */

typedef struct hashlog_chunk {
    struct hashlog_chunk *previous;
    size_t n, capacity; /* each is twice the one before, up to HASHLOG_CHUNK: many columns have few values */
    uint64_t hashes[];
} hashlog_chunk_t;

enum { HASHLOG_CHUNK = (HASHLOG_CHUNK_BYTES - sizeof(hashlog_chunk_t)) / sizeof(uint64_t) };

/* What all logs of a run may hold together. */
typedef struct hashlog_budget {
    _Atomic int64_t left;
} hashlog_budget_t;

typedef struct hashlog {
    hashlog_chunk_t *last; /* malloc'ed chain */
    size_t n;
    bool dropped; /* given up: no room, or no longer of interest */
    hashlog_budget_t *budget;
} hashlog_t;

bool hashlog_new_chunk(hashlog_t *log);
/* False when there is no room: the hash was not added and the log should be dropped. */
static inline bool hashlog_add(hashlog_t *log, uint64_t hash)
{
    if ((!log->last || log->last->n == log->last->capacity) && !hashlog_new_chunk(log))
        return false;
    log->last->hashes[log->last->n++] = hash;
    log->n++;
    return true;
}
/* Gives up and frees. */
void hashlog_drop(hashlog_t *log);
/* Moves everything of `from` to `into`; either dropped makes the result dropped. */
void hashlog_merge(hashlog_t *into, hashlog_t *from);

/* Room to count in, kept from one log to the next: fresh memory costs as much as the counting. Starts from zeros; one
 * thread each. */
typedef struct hashlog_counter {
    uint64_t *hashes, *slots; /* malloc'ed */
    size_t n_hashes, n_slots;
} hashlog_counter_t;
void hashlog_counter_free(hashlog_counter_t *counter);
/* Distinct hashes; frees the log. */
int64_t hashlog_distinct(hashlog_t *log, hashlog_counter_t *counter);

#endif
