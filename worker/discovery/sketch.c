#include "worker/discovery/sketch.h"

#include <endian.h>
#include <math.h>
#include <string.h>

static const double probabilities[SKETCH_POINTS] = {0, .05, .25, .5, .75, .95, 1};

static uint64_t hash_at(const sketch_t *sketch, size_t i)
{
    uint64_t raw;
    memcpy(&raw, sketch->hashes + i * sizeof raw, sizeof raw);
    return le64toh(raw);
}

sketch_t sketch_make(const uint8_t *bytes, size_t length, double distinct)
{
    sketch_t sketch = {.hashes = bytes, .n = length / sizeof(uint64_t)};
    if (length % sizeof(uint64_t) != 0 || sketch.n > SKETCH_MAX)
        return (sketch_t){0};
    for (size_t i = 1; i < sketch.n; i++) {
        if (hash_at(&sketch, i - 1) >= hash_at(&sketch, i))
            return (sketch_t){0};
    }
    sketch.complete = sketch.n > 0 && distinct <= (double)sketch.n + 0.5;
    return sketch;
}

double sketch_containment(const sketch_t *a, const sketch_t *b, size_t *judged)
{
    *judged = 0;
    if (a->n == 0 || b->n == 0)
        return 1;
    uint64_t limit = UINT64_MAX;
    if (!b->complete)
        limit = hash_at(b, b->n - 1);
    size_t found = 0, j = 0;
    for (size_t i = 0; i < a->n; i++) {
        uint64_t hash = hash_at(a, i);
        if (hash > limit)
            break;
        (*judged)++;
        while (j < b->n && hash_at(b, j) < hash)
            j++;
        found += j < b->n && hash_at(b, j) == hash;
    }
    return *judged > 0 ? (double)found / (double)*judged : 1;
}

/* Where x stands in the distribution given by its quantiles, linear between them. */
static double rank_of(double x, const double quantiles[SKETCH_POINTS])
{
    if (x <= quantiles[0])
        return 0;
    for (int i = 1; i < SKETCH_POINTS; i++) {
        if (x > quantiles[i])
            continue;
        double width = quantiles[i] - quantiles[i - 1];
        double share = width > 0 ? (x - quantiles[i - 1]) / width : 1;
        return probabilities[i - 1] + share * (probabilities[i] - probabilities[i - 1]);
    }
    return 1;
}

double sketch_quantile_distance(const double from[SKETCH_POINTS], const double to[SKETCH_POINTS])
{
    double sum = 0;
    for (int i = 1; i + 1 < SKETCH_POINTS; i++)
        sum += fabs(rank_of(from[i], to) - probabilities[i]);
    return sum / (SKETCH_POINTS - 2);
}
