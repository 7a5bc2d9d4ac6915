/* Counts of distinct texts, with the texts kept. Texts are told apart by their 64-bit hash. Below one context; the
 * order of entries is that of first sight. */
#ifndef WORKER_PROFILING_DICT_H
#define WORKER_PROFILING_DICT_H

#include "common/core/mem.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct dict_entry {
    const char *text; /* not NUL-terminated */
    uint32_t length;
    uint64_t hash;
} dict_entry_t;

typedef struct dict_slot {
    uint64_t hash;
    uint64_t packed; /* count in the upper 40 bits, entry index + 1 in the lower 24 */
} dict_slot_t;

typedef struct dict {
    nv_mem_t *owner; /* the content hangs below ctx, a child of it */
    nv_mem_t *ctx;
    dict_slot_t *slots;
    size_t n_slots;
    dict_entry_t *entries;
    size_t n_entries, capacity;
    size_t max_entries; /* at most 2^24 - 2 */
    size_t max_bytes;   /* of texts */
    size_t bytes;
    char *chunk; /* texts are cut from chunks */
    size_t chunk_left;
} dict_t;

/* The context is created below ctx and freed by dict_free. */
dict_t dict_make(nv_mem_t *ctx, size_t max_entries, size_t max_bytes);
void dict_free(dict_t *dict);

/* False when the text is new and there is no room for it. */
bool dict_add_new(dict_t *dict, const char *text, size_t length, uint64_t hash, int64_t count);

static inline void dict_prefetch(const dict_t *dict, uint64_t hash)
{
    if (dict->n_slots)
        __builtin_prefetch(&dict->slots[hash & (dict->n_slots - 1)]);
}

static inline bool dict_count(dict_t *dict, uint64_t hash, int64_t count)
{
    if (!dict->n_slots)
        return false;
    size_t at = hash & (dict->n_slots - 1);
    while (dict->slots[at].packed) {
        if (dict->slots[at].hash == hash) {
            dict->slots[at].packed += (uint64_t)count << 24;
            return true;
        }
        at = (at + 1) & (dict->n_slots - 1);
    }
    return false;
}
static inline bool dict_add(dict_t *dict, const char *text, size_t length, uint64_t hash, int64_t count)
{
    return dict_count(dict, hash, count) || dict_add_new(dict, text, length, hash, count);
}

typedef struct dict_item {
    const dict_entry_t *entry;
    int64_t count;
} dict_item_t;
/* All entries with counts below ctx: the n most frequent first, ties by text; the others in any order, the same for the
 * same additions. */
dict_item_t *dict_ranked(nv_mem_t *ctx, const dict_t *dict, size_t n);
/* Each entry in order of first sight: counts[i] belongs to entries[i]. */
int64_t *dict_counts(nv_mem_t *ctx, const dict_t *dict);
/* Keeps only the n most frequent. */
void dict_prune(dict_t *dict, size_t n);

#endif
