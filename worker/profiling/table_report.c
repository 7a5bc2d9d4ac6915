#include "worker/profiling/table_report.h"

enum { MAX_WARNINGS = 64 };

void report_warning(nv_mem_t *ctx, Nv__TableProfile *out, const char *fmt, va_list args)
{
    if (out->n_warnings >= MAX_WARNINGS)
        return;
    out->warnings = nv_realloc_array(ctx, out->warnings, sizeof *out->warnings, out->n_warnings + 1);
    out->warnings[out->n_warnings++] = nv_vprintf(ctx, fmt, args);
}

static const char *encoding_name(text_encoding_t encoding)
{
    static const char *const names[] = {"utf-8", "latin-1", "utf-16", "utf-16"};
    return names[encoding];
}

static char *one_char(nv_mem_t *ctx, char c)
{
    return nv_strndup(ctx, &c, c ? 1 : 0);
}

void report_text_dialect(nv_mem_t *ctx, const sniff_dialect_t *dialect, text_encoding_t encoding,
                         Nv__Dialect *out)
{
    out->encoding = nv_strdup(ctx, encoding_name(encoding));
    out->delimiter = one_char(ctx, dialect->csv.delimiter);
    out->quote = one_char(ctx, dialect->csv.quote);
    out->escape = one_char(ctx, dialect->csv.escape);
    out->has_header = dialect->has_header;
    out->skip_lines = dialect->skip_lines;
}
