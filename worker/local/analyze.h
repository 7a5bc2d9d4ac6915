/* `nuvyn-worker analyze`: profile, keys, joins, star and mapping of a folder in one process, without services or Spark. */
#ifndef WORKER_LOCAL_ANALYZE_H
#define WORKER_LOCAL_ANALYZE_H

#include "common/core/error.h"
#include "nuvyn/worker.pb-c.h"

#include <stdio.h>

typedef enum analyze_format { ANALYZE_SUMMARY, ANALYZE_KEYS, ANALYZE_JSON } analyze_format_t;

typedef struct analyze_options {
    const char *source_dir;
    const char *name;       /* project name; NULL: from the folder */
    const char *output_dir; /* report.html, sttm.*, profile.json, design.json …; NULL: nothing is written */
    analyze_format_t format;
    bool safe;                    /* only joins that are nearly certain */
    int threads;                  /* tables profiled at once; 0: 2 */
    const Nv__LlmCredential *llm; /* NULL: evidence alone */
    FILE *out;                    /* the answer */
    FILE *progress;               /* live news, or NULL */
} analyze_options_t;

/* Fails with the agent's error; a mapping that does not pass review is printed all the same and then reported as
 * FAILED_PRECONDITION. */
bool analyze_folder(const analyze_options_t *options, nv_error_t *err) NV_MUST_CHECK;

#endif
