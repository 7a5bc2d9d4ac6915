/* W3C Trace Context, section 3.2: the traceparent header. */
#include <string.h>

#include "common/telemetry/trace.h"

enum { VERSION_AT = 0, TRACE_AT = 3, SPAN_AT = 36, FLAGS_AT = 53 };

static int digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1; /* upper case is not allowed */
}

static bool take_hex(const char *text, uint8_t *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static bool any(const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (bytes[i])
            return true;
    return false;
}

bool nv_trace_context_is_valid(const nv_trace_context_t *context)
{
    return any(context->trace_id, sizeof context->trace_id) && any(context->span_id, sizeof context->span_id);
}

/* Version 00 is exactly 55 characters; a later one may go on after a dash. */
static bool well_formed(const char *text, nv_trace_context_t *out)
{
    uint8_t version;
    size_t length = strnlen(text, 512);
    if (length < NV_TRACEPARENT_LENGTH || length == 512 || !take_hex(text + VERSION_AT, &version, 1) ||
        version == 0xFF)
        return false;
    if (length > NV_TRACEPARENT_LENGTH && (version == 0 || text[NV_TRACEPARENT_LENGTH] != '-'))
        return false;
    if (text[TRACE_AT - 1] != '-' || text[SPAN_AT - 1] != '-' || text[FLAGS_AT - 1] != '-')
        return false;
    return take_hex(text + TRACE_AT, out->trace_id, sizeof out->trace_id) &&
           take_hex(text + SPAN_AT, out->span_id, sizeof out->span_id) &&
           take_hex(text + FLAGS_AT, &out->flags, 1) && nv_trace_context_is_valid(out);
}

bool nv_traceparent_parse(const char *text, nv_trace_context_t *out, nv_error_t *err)
{
    nv_trace_context_t parsed;
    if (!well_formed(text, &parsed))
        return nv_fail(
            err, NV_INVALID_ARGUMENT,
            "traceparent: expected \"00-<32 hex digits>-<16 hex digits>-<2 hex digits>\", not all zero");
    *out = parsed;
    return true;
}

static void put_hex(char *out, const uint8_t *bytes, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
}

void nv_traceparent_format(const nv_trace_context_t *context, char out[NV_TRACEPARENT_LENGTH + 1])
{
    memset(out, '-', NV_TRACEPARENT_LENGTH);
    out[VERSION_AT] = out[VERSION_AT + 1] = '0';
    put_hex(out + TRACE_AT, context->trace_id, sizeof context->trace_id);
    put_hex(out + SPAN_AT, context->span_id, sizeof context->span_id);
    put_hex(out + FLAGS_AT, &context->flags, 1);
    out[NV_TRACEPARENT_LENGTH] = '\0';
}
