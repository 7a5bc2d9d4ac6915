#include "worker/profiling/hashlog.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void free_chunks(hashlog_t *log)
{
    while (log->last) {
        hashlog_chunk_t *previous = log->last->previous;
        free(log->last);
        if (log->budget)
            atomic_fetch_add(&log->budget->left, (int64_t)sizeof(hashlog_chunk_t));
        log->last = previous;
    }
    log->n = 0;
}

void hashlog_new_chunk(hashlog_t *log)
{
    if (log->dropped)
        return;
    if (log->budget && atomic_fetch_sub(&log->budget->left, (int64_t)sizeof(hashlog_chunk_t)) <
                           (int64_t)sizeof(hashlog_chunk_t)) {
        atomic_fetch_add(&log->budget->left, (int64_t)sizeof(hashlog_chunk_t));
        hashlog_drop(log);
        return;
    }
    hashlog_chunk_t *chunk = malloc(sizeof *chunk);
    if (!chunk)
        abort();
    chunk->n = 0;
    chunk->previous = log->last;
    log->last = chunk;
}

void hashlog_drop(hashlog_t *log)
{
    log->dropped = true;
    free_chunks(log);
}

void hashlog_merge(hashlog_t *into, hashlog_t *from)
{
    if (into->dropped || from->dropped) {
        hashlog_drop(into);
        hashlog_drop(from);
        return;
    }
    hashlog_chunk_t *oldest = from->last;
    if (!oldest)
        return;
    while (oldest->previous)
        oldest = oldest->previous;
    oldest->previous = into->last;
    into->last = from->last;
    into->n += from->n;
    from->last = NULL;
    from->n = 0;
}

static void radix_pass(const uint64_t *from, uint64_t *to, size_t n, int shift)
{
    size_t starts[2048] = {0};
    for (size_t i = 0; i < n; i++)
        starts[from[i] >> shift & 2047]++;
    size_t sum = 0;
    for (size_t i = 0; i < 2048; i++) {
        size_t count = starts[i];
        starts[i] = sum;
        sum += count;
    }
    for (size_t i = 0; i < n; i++)
        to[starts[from[i] >> shift & 2047]++] = from[i];
}

static int by_value(const void *left, const void *right)
{
    uint64_t a;
    uint64_t b;
    memcpy(&a, left, sizeof a);
    memcpy(&b, right, sizeof b);
    return (a > b) - (a < b);
}

void hash_sort(uint64_t *hashes, uint64_t *scratch, size_t n)
{
    if (n < 4096) {
        if (n)
            qsort(hashes, n, sizeof *hashes, by_value);
        return;
    }
    uint64_t *from = hashes;
    uint64_t *to = scratch;
    for (int shift = 0; shift < 64; shift += 11) {
        radix_pass(from, to, n, shift);
        uint64_t *other = from;
        from = to;
        to = other;
    }
    assert(from == hashes); /* six passes */
}

/* Distinct values by parts, so that sorting needs little beyond the log itself: part p holds the hashes whose top bits
 * are p. */
int64_t hashlog_distinct(hashlog_t *log)
{
    if (log->dropped || !log->n)
        return 0;
    int bits = 0;
    while (log->n >> bits > 1 << 20)
        bits++;
    size_t most = log->n >> bits;
    most += most / 2 + 65536;
    uint64_t *part = malloc(2 * most * sizeof *part);
    if (!part)
        abort();
    int64_t distinct = 0;
    for (uint64_t p = 0; p < UINT64_C(1) << bits; p++) {
        size_t n = 0;
        for (const hashlog_chunk_t *chunk = log->last; chunk; chunk = chunk->previous)
            for (size_t i = 0; i < chunk->n; i++) {
                if (bits && chunk->hashes[i] >> (64 - bits) != p)
                    continue;
                if (n == most) {
                    /* a very frequent hash fills the part: squeeze out duplicates */
                    hash_sort(part, part + most, n);
                    size_t kept = 1;
                    for (size_t k = 1; k < n; k++)
                        if (part[k] != part[kept - 1])
                            part[kept++] = part[k];
                    n = kept;
                    assert(n < most);
                }
                part[n++] = chunk->hashes[i];
            }
        hash_sort(part, part + most, n);
        for (size_t i = 0; i < n; i++)
            distinct += i == 0 || part[i] != part[i - 1];
    }
    free(part);
    free_chunks(log);
    return distinct;
}
