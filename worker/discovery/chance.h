/* How often the rows of a table would repeat a set of columns if nothing but chance filled them (the birthday problem): a set that
 * does not repeat although it should is a key; one that was never likely to repeat may be unique by accident.
 * Internal to nv_discovery. Pure; any thread. */
#ifndef WORKER_DISCOVERY_CHANCE_H
#define WORKER_DISCOVERY_CHANCE_H

#include "worker/discovery/candidates.h"

/* Probability that two rows agree in a column: the sum of the squared shares of its values (Simpson 1949). */
double chance_two_agree(const dsc_column_t *column);

/* Pairs of rows that are expected to agree in all columns of the set, taken as independent. What does not repeat at all has no shares:
 * there the values that could have occurred count, the rows of the table it refers to or the whole numbers and days of its range;
 * 0 when nothing tells how many there are. */
double chance_repeats(const dsc_state_t *state, const key_candidate_t *key);

#endif
