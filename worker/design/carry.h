/* What a person decided about a column, for the same column of nearly the same tables. Pure. */
#ifndef WORKER_DESIGN_CARRY_H
#define WORKER_DESIGN_CARRY_H

#include "common/core/mem.h"
#include "nuvyn/design.pb-c.h"

#include <stddef.h>

/* Notes in `human` which of its decisions are not those of `asked`, the design that the person was asked about: in the reason of an
 * attribute or measure, in who decided a join, in the evidence of a role. asked may be NULL: then nothing is noted. */
void design_mark_decisions(nv_mem_t *ctx, const Nv__StarSchema *asked, Nv__StarSchema *human);

/* Of a person's relations, the joins and roles that were marked as decided by them; below ctx. */
Nv__Relations *design_decided_relations(nv_mem_t *ctx, const Nv__Relations *relations);

/* Takes over from `earlier` what a person decided there (see above), for each attribute and measure that comes from the same column
 * of the same table: how its changes are kept, its unit and its additivity. Changes star in place, strings below ctx; how many decisions differed from its own. */
size_t design_carry(nv_mem_t *ctx, const Nv__StarSchema *earlier, const char *run, Nv__StarSchema *star);

#endif
