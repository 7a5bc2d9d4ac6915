/* Survey and profile of raw files: what lies in a folder, and everything the later agents need to know of each table.
 *
 * `survey_folder` says which files form which table. `profile_table` reads every byte of a table's files once (a second
 * time only for columns whose type turned out otherwise than their first megabytes said) and reports types, null
 * spellings, distributions, sketches, keys and dependencies. Nothing is dropped silently: rows accepted plus lines
 * rejected are all the records of the files.
 *
 * Memory is bounded by the options, whatever the size of the files. No global state: calls on different contexts may
 * run at the same time. Sources: HyperLogLog (Flajolet et al. 2007), bottom-k sketches (Cohen and Kaplan 2007),
 * reservoir sampling by Algorithm L (Li 1994), RFC 4180.
 */
#ifndef WORKER_PROFILING_PROFILE_H
#define WORKER_PROFILING_PROFILE_H

#include "common/core/error.h"
#include "common/core/mem.h"
#include "nuvyn/profile.pb-c.h"

#include <stdint.h>

typedef struct profile_options {
    const char *root;       /* files must lie below this folder after resolving links; NULL: not checked */
    int threads;            /* 0: as many as processors, at most 8 */
    int64_t max_line_bytes; /* a longer record is rejected; 0: 16 MiB */
    int64_t memory_bytes;   /* soft bound on everything kept while profiling; 0: 640 MiB */
    int max_files;          /* survey: more is an error; 0: 100,000 */
    int max_depth;          /* survey: folders below the source; 0: 2 */
    /* True once the work should stop (NV_CANCELLED); called from any thread, often. NULL: never. */
    bool (*cancelled)(void *arg);
    /* News of a running profile; called from the calling thread. NULL: none. */
    void (*progress)(void *arg, int64_t bytes_done, int64_t bytes_total, int64_t rows);
    void *arg;
} profile_options_t;

/* Lists the files below source_dir and groups them to tables. options may be NULL. The result hangs below ctx. Fails
 * with NOT_FOUND for a missing folder or one without a usable file, naming it and why each file was left out. */
bool survey_folder(nv_mem_t *ctx, const char *source_dir, const profile_options_t *options, Nv__Survey **out,
                   nv_error_t *err) NV_MUST_CHECK;

/* A file that somebody else listed: in a volume, in cloud storage. */
typedef struct survey_file {
    const char *path;
    const char *relative; /* below the source, with "/" */
    int64_t bytes;
    int64_t modified_ms;
} survey_file_t;

/* How to look into such a file: its first bytes, unpacked, at most capacity, with *whole: that is all of it; and the columns of
 * a Parquet file, below ctx. */
typedef struct survey_reader {
    bool (*read_head)(void *arg, const char *path, void *out, size_t capacity, size_t *length, bool *whole,
                      nv_error_t *err);
    bool (*read_names)(void *arg, nv_mem_t *ctx, const char *path, char ***names, size_t *n, nv_error_t *err);
    void *arg;
} survey_reader_t;

/* Groups files that were listed elsewhere, by the same rules. */
bool survey_files(nv_mem_t *ctx, const char *source, const survey_file_t *files, size_t n,
                  const survey_reader_t *reader, const profile_options_t *options, Nv__Survey **out,
                  nv_error_t *err) NV_MUST_CHECK;

/* Profiles one table. options may be NULL. The result hangs below ctx. */
bool profile_table(nv_mem_t *ctx, const profile_options_t *options, const Nv__SurveyTable *table,
                   Nv__TableProfile **out, nv_error_t *err) NV_MUST_CHECK;

#endif
