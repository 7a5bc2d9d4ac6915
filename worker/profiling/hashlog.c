#include "worker/profiling/hashlog.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Large blocks come in huge pages where the system has them: they are written once, front to back. */
static void *grab(size_t size)
{
    enum { HUGE_PAGE = 1 << 21 };
    bool large = size >= HUGE_PAGE;
    void *out = large ? aligned_alloc(HUGE_PAGE, (size + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE)
                      : malloc(size ? size : 1);
    if (!out)
        abort();
    if (large)
        (void)madvise(out, size, MADV_HUGEPAGE);
    return out;
}

static int64_t chunk_size(size_t capacity)
{
    return (int64_t)(sizeof(hashlog_chunk_t) + capacity * sizeof(uint64_t));
}

static void free_chunks(hashlog_t *log)
{
    while (log->last) {
        hashlog_chunk_t *previous = log->last->previous;
        if (log->budget)
            atomic_fetch_add(&log->budget->left, chunk_size(log->last->capacity));
        free(log->last);
        log->last = previous;
    }
    log->n = 0;
}

bool hashlog_new_chunk(hashlog_t *log)
{
    size_t capacity = log->last ? 2 * log->last->capacity : HASHLOG_FIRST_CHUNK;
    if (capacity > HASHLOG_CHUNK)
        capacity = HASHLOG_CHUNK;
    int64_t size = chunk_size(capacity);
    if (log->dropped)
        return false;
    if (log->budget && atomic_fetch_sub(&log->budget->left, size) < size) {
        atomic_fetch_add(&log->budget->left, size);
        return false;
    }
    hashlog_chunk_t *chunk = grab((size_t)size);
    chunk->n = 0;
    chunk->capacity = capacity;
    chunk->previous = log->last;
    log->last = chunk;
    return true;
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

/* A super-part is copied and spread over PARTS by its hashes' next bits; each part then fits a small set in the cache. */
enum { PART_BITS = 8, PARTS = 1 << PART_BITS, SUPER_MAX = 1 << 23 };

typedef struct spread {
    hashlog_counter_t *room; /* hashes: the super-part's, ordered by part; slots: for its largest part */
    size_t starts[PARTS + 1];
} spread_t;

/* At least n of them, with any content. */
static void make_room(uint64_t **array, size_t *have, size_t n)
{
    if (n <= *have)
        return;
    free(*array);
    *array = grab(n * sizeof **array);
    *have = n;
}

void hashlog_counter_free(hashlog_counter_t *counter)
{
    free(counter->hashes);
    free(counter->slots);
    *counter = (hashlog_counter_t){0};
}

static size_t part_of(uint64_t hash, int skip)
{
    return (size_t)(hash << skip >> (64 - PART_BITS));
}

static bool in_super(uint64_t hash, int bits, uint64_t super)
{
    return !bits || hash >> (64 - bits) == super;
}

/* For n hashes, as a power of two. */
static size_t slots_for(size_t n)
{
    size_t slots = 64;
    while (slots < 2 * n)
        slots *= 2;
    return slots;
}

static void fill(const hashlog_t *log, int bits, uint64_t super, spread_t *out)
{
    size_t counts[PARTS] = {0};
    for (const hashlog_chunk_t *chunk = log->last; chunk; chunk = chunk->previous)
        for (size_t i = 0; i < chunk->n; i++)
            if (in_super(chunk->hashes[i], bits, super))
                counts[part_of(chunk->hashes[i], bits)]++;
    size_t largest = 0;
    for (size_t p = 0; p < PARTS; p++) {
        out->starts[p + 1] = out->starts[p] + counts[p];
        largest = counts[p] > largest ? counts[p] : largest;
        counts[p] = out->starts[p];
    }
    make_room(&out->room->hashes, &out->room->n_hashes, out->starts[PARTS]);
    for (const hashlog_chunk_t *chunk = log->last; chunk; chunk = chunk->previous)
        for (size_t i = 0; i < chunk->n; i++)
            if (in_super(chunk->hashes[i], bits, super))
                out->room->hashes[counts[part_of(chunk->hashes[i], bits)]++] = chunk->hashes[i];
    make_room(&out->room->slots, &out->room->n_slots, slots_for(largest));
}

/* Distinct hashes of one part, in a set with open addressing; 0 is kept apart. */
static int64_t count_part(const spread_t *spread, size_t part)
{
    const uint64_t *at = spread->room->hashes + spread->starts[part];
    uint64_t *slots = spread->room->slots;
    size_t n = spread->starts[part + 1] - spread->starts[part];
    size_t n_slots = slots_for(n);
    memset(slots, 0, n_slots * sizeof *slots);
    int64_t distinct = 0;
    bool zero = false;
    for (size_t i = 0; i < n; i++) {
        size_t slot = at[i] & (n_slots - 1);
        while (slots[slot] && slots[slot] != at[i])
            slot = (slot + 1) & (n_slots - 1);
        zero |= !at[i];
        distinct += !slots[slot] && at[i];
        slots[slot] = at[i];
    }
    return distinct + zero;
}

int64_t hashlog_distinct(hashlog_t *log, hashlog_counter_t *counter)
{
    if (log->dropped || !log->n)
        return 0;
    int bits = 0;
    while (log->n >> bits > SUPER_MAX)
        bits++;
    int64_t distinct = 0;
    for (uint64_t super = 0; super < UINT64_C(1) << bits; super++) {
        spread_t spread = {.room = counter};
        fill(log, bits, super, &spread);
        for (size_t p = 0; p < PARTS; p++)
            distinct += count_part(&spread, p);
    }
    free_chunks(log);
    return distinct;
}
