/* Bytes of a file to UTF-8, piece by piece. Pure. */
#ifndef WORKER_PROFILING_DECODE_H
#define WORKER_PROFILING_DECODE_H

#include "worker/profiling/sniff.h"

typedef struct decoder {
    text_encoding_t encoding;
    unsigned char held[4]; /* bytes of a character that was cut */
    size_t n_held;
    uint32_t high; /* a high surrogate that waits for its low one */
    bool cr_only;
} decoder_t;

/* How many raw bytes may be decoded at once into `room` bytes of output. */
size_t decoder_chunk(const decoder_t *decoder, size_t room);
/* Decodes; out has room for decoder_chunk's promise. Returns the bytes written. What is no character becomes U+FFFD. */
size_t decoder_run(decoder_t *decoder, const unsigned char *data, size_t length, char *out);

#endif
