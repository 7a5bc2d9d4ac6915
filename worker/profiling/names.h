/* What a column's name says, by its words ("orderDate", "order_date" and "ORDER DATE" are the same words). Pure. */
#ifndef WORKER_PROFILING_NAMES_H
#define WORKER_PROFILING_NAMES_H

#include "common/core/mem.h"

#include <stdbool.h>
#include <stddef.h>

/* Any word of the name is one of the list (ended by NULL); words compare in lower case. */
bool name_has_word(const char *name, const char *const *words);
/* Holds identifiers: id, code, key, number, zip, phone, sku … */
bool name_is_identifier(const char *name);
/* Holds dates: date, day, on, at, datum … */
bool name_is_date(const char *name);

/* A set of names that are unique without regard to case. */
typedef struct names_unique names_unique_t;
names_unique_t *names_unique_new(nv_mem_t *ctx);
/* The name, or with _2, _3 … appended; a copy below ctx. */
char *names_unique_add(names_unique_t *names, nv_mem_t *ctx, const char *name);

#endif
