#include "common/core/blob_cache.h"

#include <pthread.h>
#include <string.h>
#include <uthash.h>

typedef struct entry {
    UT_hash_handle hh; /* in order of use: uthash keeps the order of insertion */
    char *name;
    uint8_t *data;
    size_t length;
} entry_t;

struct nv_blob_cache {
    pthread_mutex_t lock;
    entry_t *entries;
    size_t bytes, max_bytes, item_max;
};

nv_blob_cache_t *nv_blob_cache_new(size_t max_bytes, size_t item_max)
{
    nv_blob_cache_t *cache = NV_NEW(NULL, nv_blob_cache_t);
    pthread_mutex_init(&cache->lock, NULL);
    cache->max_bytes = max_bytes;
    cache->item_max = item_max;
    return cache;
}

static size_t size_of(const entry_t *entry)
{
    return sizeof *entry + strlen(entry->name) + 1 + entry->length;
}

static void drop_oldest(nv_blob_cache_t *cache)
{
    entry_t *oldest = cache->entries;
    HASH_DEL(cache->entries, oldest);
    cache->bytes -= size_of(oldest);
    nv_mem_free(oldest);
}

void nv_blob_cache_free(nv_blob_cache_t *cache)
{
    if (!cache)
        return;
    while (cache->entries)
        drop_oldest(cache);
    pthread_mutex_destroy(&cache->lock);
    nv_mem_free(cache);
}

static void add(nv_blob_cache_t *cache, entry_t *entry)
{
    HASH_ADD_KEYPTR(hh, cache->entries, entry->name, strlen(entry->name), entry);
    cache->bytes += size_of(entry);
    while (cache->bytes > cache->max_bytes)
        drop_oldest(cache);
}

void nv_blob_cache_put(nv_blob_cache_t *cache, const char *name, const void *data, size_t length)
{
    entry_t *known;
    if (length > cache->item_max)
        return;
    pthread_mutex_lock(&cache->lock);
    HASH_FIND_STR(cache->entries, name, known);
    if (!known) {
        entry_t *entry = NV_NEW(NULL, entry_t);
        entry->name = nv_strdup(entry, name);
        entry->data = nv_memdup(entry, data, length);
        entry->length = length;
        add(cache, entry);
    }
    pthread_mutex_unlock(&cache->lock);
}

bool nv_blob_cache_get(nv_blob_cache_t *cache, nv_mem_t *ctx, const char *name, nv_bytes_t *out)
{
    entry_t *found;
    pthread_mutex_lock(&cache->lock);
    HASH_FIND_STR(cache->entries, name, found);
    if (found) {
        *out = nv_bytes(nv_memdup(ctx, found->data, found->length), found->length);
        HASH_DEL(cache->entries, found); /* used last now */
        HASH_ADD_KEYPTR(hh, cache->entries, found->name, strlen(found->name), found);
    }
    pthread_mutex_unlock(&cache->lock);
    return found != NULL;
}
