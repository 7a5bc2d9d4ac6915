/* Small summaries of a stream of 64-bit hashes or numbers. Pure and deterministic; merging two equals feeding one,
 * except for the reservoir, which stays a uniform sample. Memory hangs below the ctx given.
 */
#ifndef WORKER_PROFILING_SKETCH_H
#define WORKER_PROFILING_SKETCH_H

#include "common/core/mem.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define XXH_INLINE_ALL /* most texts are short: a call would cost as much as the hash */
#include <xxhash.h>

enum {
    SKETCH_SEED = 42,
    HLL_BITS = 14,
    HLL_REGISTERS = 1 << HLL_BITS,
    KMV_SIZE = 1024,
    RESERVOIR_SIZE = 16384
};

/* The hash of a canonical text, the same in every profile: XXH64 with seed 42, which is what Spark calls xxhash64 of a
 * string, so that sketches made in a warehouse and here agree. */
static inline uint64_t sketch_hash(const char *text, size_t length)
{
    return XXH64(text, length, SKETCH_SEED);
}

/* Distinct count within about 0.8 % (Flajolet et al. 2007; small counts by linear counting). */
typedef struct hll {
    uint8_t registers[HLL_REGISTERS];
    uint8_t least; /* no register is below: what does not exceed it changes none, and need not be looked up */
    uint32_t raised; /* registers, since `least` was found */
} hll_t;

void hll_find_least(hll_t *hll);

static inline void hll_add(hll_t *hll, uint64_t hash)
{
    uint64_t rest = hash << HLL_BITS | 1U << (HLL_BITS - 1);
    uint8_t rank = (uint8_t)(__builtin_clzll(rest) + 1);
    if (rank <= hll->least)
        return;
    uint8_t *cell = &hll->registers[hash >> (64 - HLL_BITS)];
    if (rank <= *cell)
        return;
    *cell = rank;
    if (++hll->raised == HLL_REGISTERS / 16)
        hll_find_least(hll);
}
void hll_merge(hll_t *into, const hll_t *from);
double hll_estimate(const hll_t *hll);

/* The KMV_SIZE smallest distinct hashes (Cohen and Kaplan 2007); a max-heap plus a set by sorting at the end. */
typedef struct kmv {
    nv_mem_t *ctx;
    uint64_t *pending; /* unsorted; compacted when full */
    size_t n, capacity;
    uint64_t limit; /* hashes at or above are not among the smallest */
} kmv_t;

kmv_t kmv_make(nv_mem_t *ctx);
void kmv_compact(kmv_t *kmv);
/* Compacts, or grows up to twice KMV_SIZE. */
void kmv_make_room(kmv_t *kmv);
static inline void kmv_add(kmv_t *kmv, uint64_t hash)
{
    if (hash >= kmv->limit)
        return;
    if (kmv->n == kmv->capacity)
        kmv_make_room(kmv);
    kmv->pending[kmv->n++] = hash;
}
/* Distinct count within about 3 %. */
double kmv_estimate(kmv_t *kmv);
/* Sorted, distinct, at most KMV_SIZE; borrowed until the next add. */
const uint64_t *kmv_smallest(kmv_t *kmv, size_t *n);

/* A uniform sample of at most RESERVOIR_SIZE numbers (Li 1994, Algorithm L). */
typedef struct reservoir {
    nv_mem_t *ctx;
    double *values;
    size_t n;
    size_t capacity;
    int64_t seen;
    int64_t next; /* the ordinal that is taken next */
    double w;
    uint64_t state;
} reservoir_t;

reservoir_t reservoir_make(nv_mem_t *ctx, uint64_t seed);
void reservoir_take(reservoir_t *reservoir, double value);
static inline void reservoir_add(reservoir_t *reservoir, double value)
{
    reservoir->seen++;
    if (reservoir->n < RESERVOIR_SIZE || reservoir->seen == reservoir->next)
        reservoir_take(reservoir, value);
}
/* The same for n values, one after the other. */
static inline void reservoir_add_all(reservoir_t *reservoir, const double *values, size_t n)
{
    if (reservoir->n == RESERVOIR_SIZE && reservoir->next - reservoir->seen > (int64_t)n) {
        reservoir->seen += (int64_t)n;
        return;
    }
    for (size_t i = 0; i < n; i++)
        reservoir_add(reservoir, values[i]);
}

#endif
