/* Opening what lies in a source folder without being led astray. */
#ifndef WORKER_PROFILING_FILES_H
#define WORKER_PROFILING_FILES_H

#include "common/core/error.h"

#include <stddef.h>

/* The first bytes of a regular file; *whole: that is all of it. Never blocks on a pipe or device. */
bool file_read_head(const char *path, void *out, size_t capacity, size_t *length, bool *whole,
                    nv_error_t *err) NV_MUST_CHECK;

#endif
