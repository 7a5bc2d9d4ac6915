#include "common/embedding/embedding.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <xxhash.h>

enum { WORD_MAX = 64 };
static const uint64_t hash_seed =
    UINT64_C(0x6e757679); /* part of the definition: never change within a version */
static const float word_weight = 1.0F, trigram_weight = 0.5F;

/* Adds a feature by the signed hashing trick: the low bits choose the dimension, the highest the sign. */
static void add_feature(float *out, const char *feature, size_t length, float weight)
{
    uint64_t hash = XXH64(feature, length, hash_seed);
    out[hash % NV_EMBEDDING_DIMENSIONS] += hash >> 63 ? -weight : weight;
}

static void add_word(float *out, const char *word, size_t length)
{
    if (length == 0)
        return;
    add_feature(out, word, length, word_weight);
    char padded[WORD_MAX + 2];
    padded[0] = '^';
    memcpy(padded + 1, word, length);
    padded[length + 1] = '$';
    for (size_t i = 0; i + 3 <= length + 2; i++)
        add_feature(out, padded + i, 3, trigram_weight);
}

static bool is_lower(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c >= 0x80;
}

static bool is_upper(unsigned char c)
{
    return c >= 'A' && c <= 'Z';
}

/* Splits at separators and where a lower-case letter or digit meets an upper-case one (camelCase). */
static void add_words(float *out, const char *text, size_t length)
{
    char word[WORD_MAX];
    size_t n = 0;
    bool after_lower = false;
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        bool letter = is_lower(c) || is_upper(c);
        if (!letter || (is_upper(c) && after_lower) || n == WORD_MAX) {
            add_word(out, word, n);
            n = 0;
        }
        if (letter)
            word[n++] = (char)(is_upper(c) ? c + ('a' - 'A') : c);
        after_lower = is_lower(c);
    }
    add_word(out, word, n);
}

/* Sublinear term weight per dimension, so that a word repeated a hundred times does not drown the others. */
static void dampen(float *out)
{
    for (size_t i = 0; i < NV_EMBEDDING_DIMENSIONS; i++)
        out[i] = copysignf(log1pf(fabsf(out[i])), out[i]);
}

static void normalise(float *out)
{
    double sum = 0;
    for (size_t i = 0; i < NV_EMBEDDING_DIMENSIONS; i++)
        sum += (double)out[i] * (double)out[i];
    if (sum <= 0)
        return;
    float scale = (float)(1.0 / sqrt(sum));
    for (size_t i = 0; i < NV_EMBEDDING_DIMENSIONS; i++)
        out[i] *= scale;
}

void nv_embedding(const char *text, size_t length, float *out)
{
    memset(out, 0, NV_EMBEDDING_DIMENSIONS * sizeof *out);
    if (length > NV_EMBEDDING_MAX_BYTES)
        length = NV_EMBEDDING_MAX_BYTES;
    add_words(out, text, length);
    dampen(out);
    normalise(out);
}

double nv_embedding_similarity(const float *a, const float *b, size_t dimensions)
{
    double dot = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < dimensions; i++) {
        dot += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    if (aa <= 0 || bb <= 0)
        return 0;
    double similarity = dot / sqrt(aa * bb);
    return similarity > 1 ? 1 : similarity < -1 ? -1 : similarity;
}
