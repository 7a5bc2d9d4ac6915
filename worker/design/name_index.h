/* Finds things by name within a scope in constant time: the columns of a source, a target's columns, what is mapped of a table. Internal to
 * nv_design. Borrows names, scopes and values, which must outlive it; one thread at a time. */
#ifndef WORKER_DESIGN_NAME_INDEX_H
#define WORKER_DESIGN_NAME_INDEX_H

#include "common/core/mem.h"

typedef struct name_index name_index_t;

/* Freed with ctx. */
name_index_t *name_index_new(nv_mem_t *ctx);

/* The first value of a name in a scope stays. */
void name_index_add(name_index_t *index, const void *scope, const char *name, const void *value);
/* NULL when there is none. */
const void *name_index_find(const name_index_t *index, const void *scope, const char *name);

#endif
