/* A local and a pushed-down profile of the same data, held side by side, column by column. */
#ifndef TESTS_PUSHDOWN_SIDE_BY_SIDE_H
#define TESTS_PUSHDOWN_SIDE_BY_SIDE_H

#include "nuvyn/profile.pb-c.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct side_by_side {
    bool sketches;  /* both sides hash alike */
    bool unordered; /* the pushed-down side is a table, which has no order of rows */
    size_t compared, differing;
} side_by_side_t;

/* Prints every difference and counts it. What a local profile only estimates (in columns of very many values) is compared within the
 * estimate's error. */
void side_by_side(side_by_side_t *result, const Nv__TableProfile *local, const Nv__TableProfile *pushed);

#endif
