/* The bytes of a file as a stream, unpacked when the file is a gzip (RFC 1952) or Zstandard (RFC 8878) one. Memory is
 * bounded whatever the file says of itself, and so is what a small file may unpack to.
 */
#ifndef WORKER_PROFILING_UNPACK_H
#define WORKER_PROFILING_UNPACK_H

#include "common/core/error.h"
#include "common/core/mem.h"

#include <stddef.h>
#include <stdint.h>

typedef enum compression { PACKED_NOT, PACKED_GZIP, PACKED_ZSTD } compression_t;

/* "" (not packed), "gzip" or "zstd", as in the Dialect contract. */
const char *compression_name(compression_t compression);

/* A file that unpacks to more than this, and to more than so many times its own size, is taken for a bomb. */
#define UNPACK_FREE_BYTES (INT64_C(1) << 30)
enum { UNPACK_MAX_RATIO = 200 };

typedef struct unpack unpack_t;

/* Reads from fd, which stays the caller's; path is for messages. seen, when given, is called with the raw bytes of the file in
 * their order. Freed with ctx. */
unpack_t *unpack_new(nv_mem_t *ctx, int fd, const char *path, compression_t compression,
                     void (*seen)(void *arg, const void *data, size_t length), void *arg);
/* Up to room bytes; *got 0 is the end. Fails with INVALID_ARGUMENT for data that is broken, cut off, or a bomb. */
bool unpack_read(unpack_t *unpack, void *out, size_t room, size_t *got, nv_error_t *err) NV_MUST_CHECK;

#endif
