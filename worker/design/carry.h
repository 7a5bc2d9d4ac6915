/* What a person decided about a column, for the same column of nearly the same tables. Pure. */
#ifndef WORKER_DESIGN_CARRY_H
#define WORKER_DESIGN_CARRY_H

#include "common/core/mem.h"
#include "nuvyn/design.pb-c.h"

#include <stddef.h>

/* Takes over from `earlier`, for each attribute and measure that comes from the same column of the same table: how its changes
 * are kept, its unit and its additivity. Changes star in place, strings below ctx; how many decisions differed from its own. */
size_t design_carry(nv_mem_t *ctx, const Nv__StarSchema *earlier, const char *run, Nv__StarSchema *star);

#endif
