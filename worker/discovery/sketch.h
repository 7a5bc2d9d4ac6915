/* What two bottom-k sketches and two ranges say about "every value of A is in B".
 *
 * Bottom-k (KMV) after Beyer et al., "On synopses for distinct-value estimation" (SIGMOD 2007): the k smallest hashes of a
 * set are a uniform sample of it; below the smaller of the two k-th hashes both sketches are complete. Pure; any thread.
 */
#ifndef WORKER_DISCOVERY_SKETCH_H
#define WORKER_DISCOVERY_SKETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SKETCH_MAX = 1024, SKETCH_POINTS = 7 };

typedef struct sketch {
    const uint8_t *hashes; /* n little-endian uint64, ascending; borrowed */
    size_t n;
    bool complete; /* holds every distinct value */
} sketch_t;

/* Bytes that are no ascending list of whole hashes make an empty sketch. */
sketch_t sketch_make(const uint8_t *bytes, size_t length, double distinct);

/* Share of a's values found in b, from the values that both sketches can judge; *judged = how many that were.
 * With *judged == 0 the result is 1: nothing contradicts. */
double sketch_containment(const sketch_t *a, const sketch_t *b, size_t *judged);

/* Normalised earth mover's distance (0 … 0.5) between a sample's quantiles and the distribution it may be drawn from, both at
 * 0, .05, .25, .5, .75, .95, 1. */
double sketch_quantile_distance(const double from[SKETCH_POINTS], const double to[SKETCH_POINTS]);

#endif
