#include "worker/profiling/dict.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { INDEX_BITS = 24, FIRST_SLOTS = 16, SMALL_CHUNK = 256, CHUNK = 16384 };
static const uint64_t index_mask = (UINT64_C(1) << INDEX_BITS) - 1;

dict_t dict_make(nv_mem_t *ctx, size_t max_entries, size_t max_bytes)
{
    assert(max_entries < index_mask);
    return (dict_t){
        .owner = ctx, .ctx = nv_mem_child(ctx, "dict"), .max_entries = max_entries, .max_bytes = max_bytes};
}

void dict_free(dict_t *dict)
{
    nv_mem_free(dict->ctx);
    *dict = (dict_t){0};
}

static void place(dict_slot_t *slots, size_t n_slots, dict_slot_t slot)
{
    size_t at = slot.hash & (n_slots - 1);
    while (slots[at].packed)
        at = (at + 1) & (n_slots - 1);
    slots[at] = slot;
}

static void grow(dict_t *dict, size_t n_slots)
{
    dict_slot_t *slots = NV_NEW_ARRAY(dict->ctx, dict_slot_t, n_slots);
    for (size_t i = 0; i < dict->n_slots; i++)
        if (dict->slots[i].packed)
            place(slots, n_slots, dict->slots[i]);
    nv_mem_free(dict->slots);
    dict->slots = slots;
    dict->n_slots = n_slots;
}

static const char *keep_text(dict_t *dict, const char *text, size_t length)
{
    if (!dict->chunk || length > dict->chunk_left) {
        size_t chunk = dict->bytes < 4096 ? SMALL_CHUNK : CHUNK;
        dict->chunk_left = length > chunk ? length : chunk;
        dict->chunk = nv_realloc_array(dict->ctx, NULL, 1, dict->chunk_left);
    }
    char *kept = dict->chunk;
    if (length)
        memcpy(kept, text, length);
    dict->chunk += length;
    dict->chunk_left -= length;
    dict->bytes += length;
    return kept;
}

bool dict_add_new(dict_t *dict, const char *text, size_t length, uint64_t hash, int64_t count)
{
    if (dict->n_entries >= dict->max_entries || length > dict->max_bytes - dict->bytes || length > UINT32_MAX)
        return false;
    if (dict->n_entries * 2 >= dict->n_slots)
        grow(dict, dict->n_slots ? dict->n_slots * 2 : FIRST_SLOTS);
    const char *kept = keep_text(dict, text, length);
    NV_PUSH(dict->ctx, dict->entries, dict->n_entries, dict->capacity) =
        (dict_entry_t){.text = kept, .length = (uint32_t)length, .hash = hash};
    place(dict->slots, dict->n_slots, (dict_slot_t){hash, (uint64_t)count << INDEX_BITS | dict->n_entries});
    return true;
}

int64_t *dict_counts(nv_mem_t *ctx, const dict_t *dict)
{
    int64_t *counts = NV_NEW_ARRAY(ctx, int64_t, dict->n_entries);
    for (size_t i = 0; i < dict->n_slots; i++)
        if (dict->slots[i].packed)
            counts[(dict->slots[i].packed & index_mask) - 1] = (int64_t)(dict->slots[i].packed >> INDEX_BITS);
    return counts;
}

static int by_rank(const void *left, const void *right)
{
    const dict_item_t *a = left;
    const dict_item_t *b = right;
    if (a->count != b->count)
        return a->count < b->count ? 1 : -1;
    uint32_t n = a->entry->length < b->entry->length ? a->entry->length : b->entry->length;
    int order = memcmp(a->entry->text, b->entry->text, n);
    return order ? order : (a->entry->length > b->entry->length) - (a->entry->length < b->entry->length);
}

static dict_item_t *dict_items(nv_mem_t *ctx, const dict_t *dict)
{
    int64_t *counts = dict_counts(ctx, dict);
    dict_item_t *items = NV_NEW_ARRAY(ctx, dict_item_t, dict->n_entries);
    for (size_t i = 0; i < dict->n_entries; i++)
        items[i] = (dict_item_t){&dict->entries[i], counts[i]};
    nv_mem_free(counts);
    return items;
}

static void swap_items(dict_item_t *a, dict_item_t *b)
{
    dict_item_t kept = *a;
    *a = *b;
    *b = kept;
}

/* Moves the n first by rank to the front, in any order: selection around the middle item, again and again on the side that
 * still has to be split. */
static void select_ranked(dict_item_t *items, size_t n_items, size_t n)
{
    size_t low = 0;
    size_t high = n_items;
    while (high - low > 1) {
        dict_item_t *pivot = &items[high - 1];
        swap_items(&items[low + (high - low) / 2], pivot);
        size_t place = low;
        for (size_t i = low; i + 1 < high; i++)
            if (by_rank(&items[i], pivot) < 0)
                swap_items(&items[i], &items[place++]);
        swap_items(&items[place], pivot);
        if (n == place || n == place + 1)
            return;
        if (n < place)
            high = place;
        else
            low = place + 1;
    }
}

dict_item_t *dict_ranked(nv_mem_t *ctx, const dict_t *dict, size_t n)
{
    dict_item_t *items = dict_items(ctx, dict);
    if (n < dict->n_entries)
        select_ranked(items, dict->n_entries, n);
    else
        n = dict->n_entries;
    if (n)
        qsort(items, n, sizeof *items, by_rank);
    return items;
}

void dict_prune(dict_t *dict, size_t n)
{
    if (dict->n_entries <= n)
        return;
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("prune");
    dict_item_t *items = dict_items(scratch, dict);
    select_ranked(items, dict->n_entries, n);
    dict_t kept = dict_make(dict->owner, dict->max_entries, dict->max_bytes);
    grow(&kept, dict->n_slots);
    for (size_t i = 0; i < n; i++) {
        const dict_entry_t *entry = items[i].entry;
        bool fits = dict_add_new(&kept, entry->text, entry->length, entry->hash, items[i].count);
        assert(fits); /* a part of what fitted before */
        (void)fits;
    }
    dict_free(dict);
    *dict = kept;
}
