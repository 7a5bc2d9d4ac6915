/* Reliability of stated probabilities: of what was said with 0.9, did nine of ten come true? A table for the terminal, a plot as SVG. */
#ifndef TESTS_BENCH_DESIGN_RELIABILITY_H
#define TESTS_BENCH_DESIGN_RELIABILITY_H

#include "common/core/error.h"

#include <stdbool.h>
#include <stddef.h>

enum { RELIABILITY_BINS = 10 };

typedef struct reliability {
    const char *name;
    double said[RELIABILITY_BINS], came[RELIABILITY_BINS]; /* sums */
    int n[RELIABILITY_BINS];
} reliability_t;

void reliability_record(reliability_t *r, double said, bool came);
/* Expected calibration error: mean distance of what was said from what came true, weighted by the number of decisions (Naeini et al.,
 * AAAI 2015). 0 when nothing was recorded. */
double reliability_error(const reliability_t *r);
void reliability_print(const reliability_t *all, size_t n);
bool reliability_plot(const reliability_t *all, size_t n, const char *path, nv_error_t *err) NV_MUST_CHECK;

#endif
