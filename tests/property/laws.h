/* What must hold of every case, whatever design was found for it. */
#ifndef TESTS_PROPERTY_LAWS_H
#define TESTS_PROPERTY_LAWS_H

#include "tests/property/case.h"

typedef struct laws_tally {
    int cases, checks, comparisons;
    int facts, dimensions, bridges, histories;
    int policies, stopped; /* declared; loads that a rule stopped, rightly */
} laws_tally_t;

/* Generates, writes (below folder), designs and loads the case of a seed, and holds every law against it. An error names the
 * law and what was seen; the files are left. */
bool laws_hold(uint64_t seed, const char *folder, laws_tally_t *tally, nv_error_t *err) NV_MUST_CHECK;

#endif
