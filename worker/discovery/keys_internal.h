/* What the choice of keys and the search for composite ones share. Internal to keys.c and keys_extend.c. */
#ifndef WORKER_DISCOVERY_KEYS_INTERNAL_H
#define WORKER_DISCOVERY_KEYS_INTERNAL_H

#include "worker/discovery/candidates.h"

/* By type and width alone. */
bool key_may_be(const dsc_column_t *column);
/* The same columns in any order. */
bool key_same_set(const key_candidate_t *key, const int *columns, int n);
/* NULL when the set is known or the list is full. */
key_candidate_t *key_add(table_keys_t *keys, int table, const int *columns, int n);
/* Strongest join out of a column to another table. */
double key_strongest_out(const dsc_state_t *state, int table, int column);
/* The column's name speaks of another table. */
bool key_names_other(const dsc_state_t *state, const dsc_column_t *column);
/* The other table has a column of every name in the set. */
bool key_repeats_names(const dsc_table_t *table, const dsc_table_t *other, const int *columns, int n);

#endif
