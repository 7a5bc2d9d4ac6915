/* The models of discovery. Joins: two logistic regressions (N:1, 1:1), then a choice among the tables that a column may reference.
 * Keys and roles: conditional (softmax) choice.
 * The weights stand in model_weights*.c alone, by the names of features.h, written by tests/bench/design/fit (see its README); never
 * edit them by hand.
 * Internal to nv_discovery. Pure; any thread. */
#ifndef WORKER_DISCOVERY_MODEL_H
#define WORKER_DISCOVERY_MODEL_H

#include <stddef.h>

#include "worker/discovery/features.h"

enum { ROLE_CLASSES = 4 }; /* fact, dimension, bridge, other */

extern const double model_join_n1[JOIN_FEATURES];
extern const double model_join_11[JOIN_FEATURES];
/* Into tables of a handful of rows, where nearly every inclusion holds. */
extern const double model_join_few[JOIN_FEATURES];
/* Among the tables that one column (set) may reference, and none. */
extern const double model_choice[CHOICE_FEATURES];
extern const double model_key_alone[KEY_FEATURES];
extern const double model_key_joined[KEY_FEATURES];
extern const double model_role[ROLE_FEATURES][ROLE_CLASSES];
/* Of tables of a handful of rows in an export, where references are named more often than found. */
extern const double model_role_few[ROLE_FEATURES][ROLE_CLASSES];
/* "synthetic sets …, cross-validated log loss …": what the weights were fitted on. */
extern const char *const model_provenance;

double model_dot(const double *weights, const double *features, size_t n);
/* The scores of the classes of a role. */
void model_role_scores(const double weights[ROLE_FEATURES][ROLE_CLASSES], const double *features,
                       double *scores);
double model_logistic(double score);
/* Scores to probabilities, in place; stable. */
void model_softmax(double *scores, size_t n);

#endif
