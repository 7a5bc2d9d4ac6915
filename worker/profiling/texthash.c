#include "worker/profiling/texthash.h"

#include "worker/profiling/sketch.h"
#include "worker/profiling/vectors.h"

#ifdef __x86_64__
#include <immintrin.h>

/* XXH64 of eight texts side by side: most columns hold short texts of mixed lengths, where one after the other waits for
 * its own multiplications and mispredicts its end. Constants and steps: the XXH64 specification
 * (github.com/Cyan4973/xxHash, doc/xxhash_spec.md). */
enum { WIDTH = 8, STRIPE = 32, LONG = 256 /* one long text would hold up seven others */ };

#define WIDE __attribute__((target("avx512f,avx512dq"))) static inline

static const uint64_t primes[5] = {UINT64_C(0x9E3779B185EBCA87), UINT64_C(0xC2B2AE3D27D4EB4F),
                                   UINT64_C(0x165667B19E3779F9), UINT64_C(0x85EBCA77C2B2AE63),
                                   UINT64_C(0x27D4EB2F165667C5)};

WIDE __m512i constant(uint64_t value)
{
    return _mm512_set1_epi64((long long)value);
}

WIDE __m512i times(__m512i value, int prime)
{
    return _mm512_mullo_epi64(value, constant(primes[prime - 1]));
}

WIDE __m512i plus(__m512i value, int prime)
{
    return _mm512_add_epi64(value, constant(primes[prime - 1]));
}

WIDE __m512i rounded(__m512i sum, __m512i word)
{
    return times(_mm512_rol_epi64(_mm512_add_epi64(sum, times(word, 2)), 31), 1);
}

WIDE __m512i with_round(__m512i hash, __m512i round)
{
    return plus(times(_mm512_xor_si512(hash, round), 1), 4);
}

WIDE __m512i with_word(__m512i hash, __m512i word)
{
    __m512i mixed = _mm512_xor_si512(hash, rounded(_mm512_setzero_si512(), word));
    return plus(times(_mm512_rol_epi64(mixed, 27), 1), 4);
}

WIDE __m512i with_half(__m512i hash, __m512i half)
{
    return plus(times(_mm512_rol_epi64(_mm512_xor_si512(hash, times(half, 1)), 23), 2), 3);
}

WIDE __m512i with_byte(__m512i hash, __m512i byte)
{
    return times(_mm512_rol_epi64(_mm512_xor_si512(hash, times(byte, 5)), 11), 1);
}

WIDE __m512i avalanche(__m512i hash)
{
    hash = times(_mm512_xor_si512(hash, _mm512_srli_epi64(hash, 33)), 2);
    hash = times(_mm512_xor_si512(hash, _mm512_srli_epi64(hash, 29)), 3);
    return _mm512_xor_si512(hash, _mm512_srli_epi64(hash, 32));
}

/* The bytes behind the whole words of each text, at most seven. */
WIDE __m512i with_rest(__m512i hash, __m512i rest, __m512i length)
{
    __mmask8 half = _mm512_test_epi64_mask(length, constant(4));
    hash = _mm512_mask_mov_epi64(hash, half, with_half(hash, _mm512_and_si512(rest, constant(UINT32_MAX))));
    rest = _mm512_mask_srli_epi64(rest, half, rest, 32);
    __m512i bytes = _mm512_and_si512(length, constant(3));
    for (uint64_t i = 0; i < 3; i++) {
        __mmask8 more = _mm512_cmpgt_epu64_mask(bytes, constant(i));
        hash =
            _mm512_mask_mov_epi64(hash, more, with_byte(hash, _mm512_and_si512(rest, constant(UINT8_MAX))));
        rest = _mm512_srli_epi64(rest, 8);
    }
    return hash;
}

/* Eight bytes of those texts that have more. */
WIDE __m512i words_at(__m512i at, __mmask8 more)
{
    return _mm512_mask_i64gather_epi64(_mm512_setzero_si512(), more, at, NULL, 1);
}

/* The whole stripes of those texts that have some; *at moves past them. */
WIDE __m512i with_stripes(__m512i hash, __m512i *at, __m512i length)
{
    __mmask8 some = _mm512_cmpge_epu64_mask(length, constant(STRIPE));
    __m512i left = length;
    __m512i sums[4] = {constant(SKETCH_SEED + primes[0] + primes[1]), constant(SKETCH_SEED + primes[1]),
                       constant(SKETCH_SEED), constant(SKETCH_SEED - primes[0])};
    for (__mmask8 more = some; more; more = _mm512_cmpge_epu64_mask(left, constant(STRIPE))) {
        for (uint64_t i = 0; i < 4; i++) {
            __m512i word = words_at(_mm512_add_epi64(*at, constant(8 * i)), more);
            sums[i] = _mm512_mask_mov_epi64(sums[i], more, rounded(sums[i], word));
        }
        *at = _mm512_mask_add_epi64(*at, more, *at, constant(STRIPE));
        left = _mm512_mask_sub_epi64(left, more, left, constant(STRIPE));
    }
    __m512i all =
        _mm512_add_epi64(_mm512_add_epi64(_mm512_rol_epi64(sums[0], 1), _mm512_rol_epi64(sums[1], 7)),
                         _mm512_add_epi64(_mm512_rol_epi64(sums[2], 12), _mm512_rol_epi64(sums[3], 18)));
    for (int i = 0; i < 4; i++)
        all = with_round(all, rounded(_mm512_setzero_si512(), sums[i]));
    return _mm512_mask_mov_epi64(hash, some, all);
}

/* The hashes of eight texts, none of them long. */
WIDE __m512i hash_eight(__m512i text, __m512i length)
{
    __m512i hash = constant(SKETCH_SEED + primes[4]);
    __m512i at = text;
    if (_mm512_cmpge_epu64_mask(length, constant(STRIPE)))
        hash = with_stripes(hash, &at, length);
    hash = _mm512_add_epi64(hash, length);
    __m512i left = _mm512_and_si512(length, constant(STRIPE - 1));
    for (uint64_t words = 1; words < STRIPE / 8; words++) {
        __mmask8 more = _mm512_cmpge_epu64_mask(left, constant(8 * words));
        if (!more)
            break;
        hash = _mm512_mask_mov_epi64(hash, more, with_word(hash, words_at(at, more)));
        at = _mm512_mask_add_epi64(at, more, at, constant(8));
    }
    __mmask8 rest = _mm512_test_epi64_mask(length, constant(7));
    return avalanche(with_rest(hash, words_at(at, rest), length));
}

__attribute__((target("avx512f,avx512dq"))) static size_t hash_wide(const csv_field_t *texts, size_t n,
                                                                    uint64_t *out)
{
    _Static_assert(sizeof(csv_field_t) == 16, "pointer and length side by side");
    const __m512i even = _mm512_set_epi64(14, 12, 10, 8, 6, 4, 2, 0);
    const __m512i odd = _mm512_set_epi64(15, 13, 11, 9, 7, 5, 3, 1);
    size_t i = 0;
    for (; n - i >= WIDTH; i += WIDTH) {
        __m512i first = _mm512_loadu_si512(&texts[i]);
        __m512i second = _mm512_loadu_si512(&texts[i + WIDTH / 2]);
        __m512i text = _mm512_permutex2var_epi64(first, even, second);
        __m512i length = _mm512_permutex2var_epi64(first, odd, second);
        __mmask8 large = _mm512_cmpge_epu64_mask(length, constant(LONG));
        __m512i fitting = _mm512_mask_mov_epi64(length, large, _mm512_setzero_si512());
        _mm512_storeu_si512(&out[i], hash_eight(text, fitting));
        for (; large; large &= (__mmask8)(large - 1)) {
            size_t k = i + (size_t)__builtin_ctz(large);
            out[k] = sketch_hash(texts[k].text, texts[k].length);
        }
    }
    return i;
}

static size_t hash_some(const csv_field_t *texts, size_t n, uint64_t *out)
{
    bool wide = NV_HAS_VECTORS(512, "avx512f") && NV_HAS_VECTORS(512, "avx512dq");
    return wide ? hash_wide(texts, n, out) : 0;
}
#else
static size_t hash_some(const csv_field_t *texts, size_t n, uint64_t *out)
{
    (void)texts, (void)n, (void)out;
    return 0;
}
#endif

void texthash_all(const csv_field_t *texts, size_t n, uint64_t *out)
{
    for (size_t i = hash_some(texts, n, out); i < n; i++)
        out[i] = sketch_hash(texts[i].text, texts[i].length);
}
