/* A bounded cache of byte strings by name; what was not used for longest goes first. Any thread. */
#ifndef NV_CORE_BLOB_CACHE_H
#define NV_CORE_BLOB_CACHE_H

#include "common/core/bytes.h"
#include "common/core/mem.h"

typedef struct nv_blob_cache nv_blob_cache_t;

/* max_bytes: of names and contents together; item_max: larger ones are not taken. */
nv_blob_cache_t *nv_blob_cache_new(size_t max_bytes, size_t item_max);
/* NULL is fine. */
void nv_blob_cache_free(nv_blob_cache_t *cache);
/* Copies. The same name again changes nothing: names are of content. */
void nv_blob_cache_put(nv_blob_cache_t *cache, const char *name, const void *data, size_t length);
/* A copy below ctx; false where there is none. */
bool nv_blob_cache_get(nv_blob_cache_t *cache, nv_mem_t *ctx, const char *name, nv_bytes_t *out);

#endif
