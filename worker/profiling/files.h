/* Opening what lies in a source folder without being led astray, and what its name says of its content. */
#ifndef WORKER_PROFILING_FILES_H
#define WORKER_PROFILING_FILES_H

#include "nuvyn/value.pb-c.h"
#include "worker/profiling/unpack.h"

typedef enum file_format { FILE_CSV, FILE_JSONL, FILE_PARQUET } file_format_t;

typedef struct file_kind {
    file_format_t format;
    compression_t compression; /* of the file as a whole; Parquet packs within */
} file_kind_t;

/* By the end of the name: ".csv" and its kin, ".jsonl", ".ndjson", each also with ".gz" or ".zst", and ".parquet". False for
 * other names; *stem_length, when given, gets the length of the name without those. */
bool file_kind(const char *name, file_kind_t *out, size_t *stem_length);
/* "csv", "jsonl", "parquet", as in the Dialect contract. */
const char *file_format_name(file_format_t format);

/* The first bytes of a regular file, unpacked; *whole: that is all of it. Never blocks on a pipe or device. */
bool file_read_head(const char *path, compression_t compression, void *out, size_t capacity, size_t *length,
                    bool *whole, nv_error_t *err) NV_MUST_CHECK;

/* Is the file still the one that was seen before? Nothing is checked where the time of that is not known. */
bool file_is_unchanged(const Nv__SourceFile *file, int fd, nv_error_t *err) NV_MUST_CHECK;

#endif
