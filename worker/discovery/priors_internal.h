/* What the priors of keys and those of joins read from names. Internal to priors.c and priors_joins.c. */
#ifndef WORKER_DISCOVERY_PRIORS_INTERNAL_H
#define WORKER_DISCOVERY_PRIORS_INTERNAL_H

#include "worker/discovery/candidates.h"

/* The words for what a table holds: "plan" of plan_history. */
name_words_t priors_thing(const dsc_table_t *table);
/* How far a column's name speaks of what a table holds, 0 to 1. */
double priors_names_thing(const dsc_column_t *column, const dsc_table_t *table);
/* The column is named as the key of what its own table holds. */
bool priors_names_own(const dsc_state_t *state, const dsc_column_t *column);
/* The column's name speaks of another table. */
bool priors_names_other(const dsc_state_t *state, const dsc_column_t *column);

#endif
