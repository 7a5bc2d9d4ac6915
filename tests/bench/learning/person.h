/* A person with opinions that no data tell: no history of what the data do not date, and money in euros. */
#ifndef TESTS_BENCH_LEARNING_PERSON_H
#define TESTS_BENCH_LEARNING_PERSON_H

#include "nuvyn/design.pb-c.h"

typedef struct person_view {
    int wishes;
    int unmet; /* of them, before the design was changed */
} person_view_t;

/* Changes the design to what the person wants of it. */
person_view_t person_correct(Nv__StarSchema *star);

#endif
