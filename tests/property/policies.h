/* What a mapping may ask of its sources and tables, declared at random on one that was designed: tiers, deletes, references, inferred
 * members. From the case's seed alone; every other case has none. */
#ifndef TESTS_PROPERTY_POLICIES_H
#define TESTS_PROPERTY_POLICIES_H

#include "common/core/mem.h"
#include "nuvyn/sttm.pb-c.h"

#include <stdbool.h>
#include <stdint.h>

/* How many were declared. */
int policies_declare(nv_mem_t *ctx, Nv__Sttm *sttm, uint64_t seed);

/* Rows of the source are deleted by what a batch lacks: then it matters how the batches are cut. */
bool policies_by_snapshot(const Nv__Sttm *sttm);

#endif
