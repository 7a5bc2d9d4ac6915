/* The answer of `analyze` in its three formats. */
#ifndef WORKER_LOCAL_ANALYZE_PRINT_H
#define WORKER_LOCAL_ANALYZE_PRINT_H

#include "worker/local/analyze.h"
#include "worker/local/local_host.h"

bool analyze_print(local_host_t *host, const analyze_options_t *options, nv_error_t *err) NV_MUST_CHECK;

/* Text of strangers for a terminal: control characters but line breaks and tabs become "?". */
void analyze_put_safe(const char *text, size_t length, FILE *out);

#endif
