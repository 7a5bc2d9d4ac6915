/* Deterministic text embedding without a model: feature hashing of words and character trigrams.
 *
 * Source: Weinberger et al., "Feature Hashing for Large Scale Multitask Learning", ICML 2009 (signed hashing
 * trick), with sublinear weights (ln(1 + |w|) per dimension) and L2 normalisation. The text is lower-cased
 * (ASCII) and split at everything that is no letter, digit or byte of a multi-byte character; snake_case and
 * camelCase names are split into their words as well. Each word counts as a feature of weight 1, each
 * character trigram of the padded word ("^ord", "der$" …) one of weight 0.5. The hash is XXH64 with a fixed
 * seed, so that vectors are the same on every machine and may be stored; NV_EMBEDDING_VERSION changes when
 * the function does.
 *
 * Pure: no I/O, clock, randomness or global state. Texts on the same subject land close (cosine), which is
 * what the knowledge base needs to find cases of similar schemas; it is not a language model and claims no
 * more.
 */
#ifndef NV_EMBEDDING_EMBEDDING_H
#define NV_EMBEDDING_EMBEDDING_H

#include <stddef.h>

enum { NV_EMBEDDING_DIMENSIONS = 256, NV_EMBEDDING_VERSION = 1, NV_EMBEDDING_MAX_BYTES = 1024 * 1024 };

/* Fills out[NV_EMBEDDING_DIMENSIONS] with the unit vector of text (need not be NUL-terminated); a text
 * without any feature gives the zero vector. Only the first NV_EMBEDDING_MAX_BYTES are read. */
void nv_embedding(const char *text, size_t length, float *out);

/* Cosine similarity in [-1, 1]; 0 when either vector is zero. */
double nv_embedding_similarity(const float *a, const float *b, size_t dimensions);

#endif
