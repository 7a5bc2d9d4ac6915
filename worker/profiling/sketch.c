#include "worker/profiling/sketch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void hll_find_least(hll_t *hll)
{
    uint8_t least = UINT8_MAX;
    for (size_t i = 0; i < HLL_REGISTERS; i++)
        least = hll->registers[i] < least ? hll->registers[i] : least;
    hll->least = least;
    hll->raised = 0;
}

void hll_merge(hll_t *into, const hll_t *from)
{
    for (size_t i = 0; i < HLL_REGISTERS; i++)
        if (from->registers[i] > into->registers[i])
            into->registers[i] = from->registers[i];
}

double hll_estimate(const hll_t *hll)
{
    double sum = 0;
    int empty = 0;
    for (size_t i = 0; i < HLL_REGISTERS; i++) {
        sum += ldexp(1, -hll->registers[i]);
        empty += hll->registers[i] == 0;
    }
    const double m = HLL_REGISTERS;
    double raw = 0.7213 / (1 + 1.079 / m) * m * m / sum;
    if (raw <= 2.5 * m && empty)
        return m * log(m / empty);
    return raw;
}

kmv_t kmv_make(nv_mem_t *ctx)
{
    enum { FIRST = 32 };
    return (kmv_t){
        .ctx = ctx, .pending = NV_NEW_ARRAY(ctx, uint64_t, FIRST), .capacity = FIRST, .limit = UINT64_MAX};
}

void kmv_make_room(kmv_t *kmv)
{
    kmv_compact(kmv);
    if (kmv->n * 2 <= kmv->capacity || kmv->capacity == 2 * (size_t)KMV_SIZE)
        return;
    kmv->capacity *= 2;
    kmv->pending = nv_realloc_array(kmv->ctx, kmv->pending, sizeof *kmv->pending, kmv->capacity);
}

static int by_value(const void *left, const void *right)
{
    uint64_t a;
    uint64_t b;
    memcpy(&a, left, sizeof a);
    memcpy(&b, right, sizeof b);
    return (a > b) - (a < b);
}

void kmv_compact(kmv_t *kmv)
{
    qsort(kmv->pending, kmv->n, sizeof *kmv->pending, by_value);
    size_t out = 0;
    for (size_t i = 0; i < kmv->n && out < KMV_SIZE; i++)
        if (!out || kmv->pending[out - 1] != kmv->pending[i])
            kmv->pending[out++] = kmv->pending[i];
    kmv->n = out;
    if (out == KMV_SIZE)
        kmv->limit = kmv->pending[out - 1];
}

const uint64_t *kmv_smallest(kmv_t *kmv, size_t *n)
{
    kmv_compact(kmv);
    *n = kmv->n;
    return kmv->pending;
}

double kmv_estimate(kmv_t *kmv)
{
    kmv_compact(kmv);
    if (kmv->n < KMV_SIZE)
        return (double)kmv->n;
    return (KMV_SIZE - 1) / ldexp((double)kmv->pending[KMV_SIZE - 1], -64);
}

static double uniform(uint64_t *state)
{
    /* splitmix64; never 0, so that its logarithm exists */
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    z ^= z >> 31;
    return ((double)(z >> 11) + 0.5) * 0x1p-53;
}

static void skip_ahead(reservoir_t *reservoir)
{
    double skip = floor(log(uniform(&reservoir->state)) / log1p(-reservoir->w));
    reservoir->next = skip < 9e17 ? reservoir->seen + (int64_t)skip + 1 : INT64_MAX;
}

static void shrink_w(reservoir_t *reservoir)
{
    reservoir->w *= exp(log(uniform(&reservoir->state)) / RESERVOIR_SIZE);
}

reservoir_t reservoir_make(nv_mem_t *ctx, uint64_t seed)
{
    return (reservoir_t){.ctx = ctx, .w = 1, .state = seed};
}

void reservoir_take(reservoir_t *reservoir, double value)
{
    if (reservoir->n < RESERVOIR_SIZE) {
        NV_PUSH(reservoir->ctx, reservoir->values, reservoir->n, reservoir->capacity) = value;
        if (reservoir->n < RESERVOIR_SIZE)
            return;
    } else {
        reservoir->values[(size_t)(uniform(&reservoir->state) * RESERVOIR_SIZE)] = value;
    }
    shrink_w(reservoir);
    skip_ahead(reservoir);
}
