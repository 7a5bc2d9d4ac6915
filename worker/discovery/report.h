/* Turns the decided state into Relations, each decision with its numbers. Internal to nv_discovery. */
#ifndef WORKER_DISCOVERY_REPORT_H
#define WORKER_DISCOVERY_REPORT_H

#include "worker/discovery/candidates.h"

Nv__Relations *report_relations(const dsc_state_t *state, nv_mem_t *ctx, Nv__SourceRole **roles);

#endif
