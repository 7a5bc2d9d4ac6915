/* Fact, dimension, bridge or other: a softmax over features of names, joins and columns. Internal to nv_discovery. */
#ifndef WORKER_DISCOVERY_ROLES_H
#define WORKER_DISCOVERY_ROLES_H

#include "worker/discovery/candidates.h"

/* roles[t] below ctx, one per table, from the chosen keys and joins. */
Nv__SourceRole **roles_decide(const dsc_state_t *state, nv_mem_t *ctx);

#endif
