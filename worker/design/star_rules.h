/* The rules of dimensional design (Kimball) that a star must keep whoever drew it, as far as the star itself shows them. What only the data
 * can show (joins that hold, unique grains, sums that agree) is counted by the Tester; see docs/architecture.md. Pure; any thread. */
#ifndef WORKER_DESIGN_STAR_RULES_H
#define WORKER_DESIGN_STAR_RULES_H

#include <stdbool.h>

#include "common/core/mem.h"
#include "nuvyn/design.pb-c.h"

typedef struct star_rules {
    char **text; /* "fact_order: measures: …", below the context */
    size_t n, cap;
} star_rules_t;

/* Every rule that is broken; none for a sound star. */
star_rules_t star_find_broken_rules(nv_mem_t *ctx, const Nv__StarSchema *star);
/* A fact or a bridge refers to the dimension. */
bool star_uses_dimension(const Nv__StarSchema *star, const char *dimension);

#endif
