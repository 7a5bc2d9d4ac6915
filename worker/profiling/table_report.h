/* What is said of a table as a whole, wherever it was profiled. Pure. */
#ifndef WORKER_PROFILING_TABLE_REPORT_H
#define WORKER_PROFILING_TABLE_REPORT_H

#include <stdarg.h>

#include "nuvyn/profile.pb-c.h"
#include "worker/profiling/sniff.h"

/* Adds a warning, up to a limit. ctx: of the profile. */
void report_warning(nv_mem_t *ctx, Nv__TableProfile *out, const char *fmt, va_list args)
    __attribute__((format(printf, 3, 0)));
/* How delimited text is written: everything but format and compression. ctx: of the profile. */
void report_text_dialect(nv_mem_t *ctx, const sniff_dialect_t *dialect, text_encoding_t encoding,
                         Nv__Dialect *out);

#endif
