#include "worker/design/name_index.h"

#include <string.h>
#include <uthash.h>

typedef struct entry {
    UT_hash_handle hh;
    char *key; /* the scope's address, then the name */
    const void *value;
} entry_t;

struct name_index {
    entry_t *entries;
};

/* The table; the entries themselves go with the index. */
static int clear(void *index)
{
    HASH_CLEAR(hh, ((name_index_t *)index)->entries);
    return 0;
}

name_index_t *name_index_new(nv_mem_t *ctx)
{
    name_index_t *index = NV_NEW(ctx, name_index_t);
    nv_on_free(index, clear);
    return index;
}

static char *make_key(nv_mem_t *ctx, const void *scope, const char *name, size_t *size)
{
    size_t n = strlen(name);
    char *key = NV_NEW_ARRAY(ctx, char, sizeof scope + n + 1);
    memcpy(key, &scope, sizeof scope);
    memcpy(key + sizeof scope, name, n);
    *size = sizeof scope + n;
    return key;
}

void name_index_add(name_index_t *index, const void *scope, const char *name, const void *value)
{
    if (name_index_find(index, scope, name) != NULL)
        return;
    size_t size = 0;
    entry_t *entry = NV_NEW(index, entry_t);
    entry->key = make_key(entry, scope, name, &size);
    entry->value = value;
    HASH_ADD_KEYPTR(hh, index->entries, entry->key, size, entry);
}

const void *name_index_find(const name_index_t *index, const void *scope, const char *name)
{
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("name");
    size_t size = 0;
    const char *key = make_key(scratch, scope, name, &size);
    entry_t *found = NULL;
    HASH_FIND(hh, index->entries, key, size, found);
    return found != NULL ? found->value : NULL;
}
