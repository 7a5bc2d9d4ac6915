/* What the choice of keys, their features and the search for composite ones share. Internal to keys.c, key_features.c, keys_extend.c
 * and priors. */
#ifndef WORKER_DISCOVERY_KEYS_INTERNAL_H
#define WORKER_DISCOVERY_KEYS_INTERNAL_H

#include "worker/discovery/candidates.h"

/* By type and width alone. */
bool key_may_be(const dsc_column_t *column);
/* The same columns in any order. */
bool key_same_set(const key_candidate_t *key, const int *columns, int n);
/* The table's key, as chosen so far, is this set. */
bool key_is_chosen(const dsc_state_t *state, int table, const int *columns, int n);
/* NULL when the set is known or the list is full. */
key_candidate_t *key_add(table_keys_t *keys, int table, const int *columns, int n);
/* Strongest join out of a column to another table. */
double key_strongest_out(const dsc_state_t *state, int table, int column);
/* Columns that both have. */
int key_shared(const key_candidate_t *a, const key_candidate_t *b);
/* The column is named as a key, and after its own table or nothing. */
bool key_names_own(const dsc_state_t *state, const dsc_column_t *column);
/* The column's name speaks of another table. */
bool key_names_other(const dsc_state_t *state, const dsc_column_t *column);
/* A single reference that need not have repeated if chance alone had filled it. */
bool key_may_be_accident(const dsc_state_t *state, const key_candidate_t *key);
/* The other table has a column of every name in the set. */
bool key_repeats_names(const dsc_table_t *table, const dsc_table_t *other, const int *columns, int n);
/* The features of all candidates of a table, and of "none"; joined: with what the joins found so far say. */
void key_features_fill(const dsc_state_t *state, int table, bool joined);

#endif
