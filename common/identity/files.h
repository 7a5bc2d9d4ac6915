/* Files that hold keys and certificates: written whole or not at all, with the right modes. Paths are
 * borrowed. */
#ifndef NV_IDENTITY_FILES_H
#define NV_IDENTITY_FILES_H

#include "common/core/error.h"
#include "common/core/mem.h"

#include <stddef.h>
#include <sys/types.h>

/* Makes the folder and its parents, mode 0700 for what it makes. */
bool nv_private_dir(const char *path, nv_error_t *err) NV_MUST_CHECK;

/* Replaces the file atomically (temporary file, fsync, rename, fsync of the folder) with the mode given. */
bool nv_write_file_atomic(const char *path, const void *data, size_t length, mode_t mode,
                          nv_error_t *err) NV_MUST_CHECK;

/* Reads a whole regular file of at most maximum bytes below ctx, NUL-terminated one past its end. */
bool nv_read_file(nv_mem_t *ctx, const char *path, size_t maximum, char **out, size_t *out_length,
                  nv_error_t *err) NV_MUST_CHECK;

/* Appends one line with O_APPEND and fsync. line has no newline. */
bool nv_append_line(const char *path, const char *line, mode_t mode, nv_error_t *err) NV_MUST_CHECK;

#endif
