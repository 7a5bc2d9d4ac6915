/* Spans as OTLP JSON (opentelemetry-proto 1.3, trace/v1): bytes ids in hex, enums as numbers, 64-bit numbers as text. */
#include <inttypes.h>
#include <stdio.h>

#include "common/core/json.h"
#include "common/telemetry/span.h"

enum { PAYLOAD_MAX = 16 << 20, STATUS_OK = 1, STATUS_ERROR = 2 };

static void put_hex(nv_json_writer_t *w, const char *key, const uint8_t *bytes, size_t n)
{
    char text[33];
    for (size_t i = 0; i < n; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    nv_json_put_string(w, key, text);
}

static void put_decimal(nv_json_writer_t *w, const char *key, int64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, value);
    nv_json_put_string(w, key, text);
}

static void put_attribute(nv_json_writer_t *w, const char *key, const char *text, int64_t number)
{
    nv_json_open_object(w, NULL);
    nv_json_put_string(w, "key", key);
    nv_json_open_object(w, "value");
    if (text)
        nv_json_put_string(w, "stringValue", text);
    else
        put_decimal(w, "intValue", number);
    nv_json_close_object(w);
    nv_json_close_object(w);
}

static void put_span(nv_json_writer_t *w, const nv_span_t *span)
{
    nv_json_open_object(w, NULL);
    put_hex(w, "traceId", span->context.trace_id, sizeof span->context.trace_id);
    put_hex(w, "spanId", span->context.span_id, sizeof span->context.span_id);
    if (span->has_parent)
        put_hex(w, "parentSpanId", span->parent_id, sizeof span->parent_id);
    nv_json_put_string(w, "name", span->name);
    nv_json_put_int64(w, "kind", span->kind);
    put_decimal(w, "startTimeUnixNano", span->started_unix_ns);
    put_decimal(w, "endTimeUnixNano", span->ended_unix_ns);
    nv_json_open_array(w, "attributes");
    for (size_t i = 0; i < span->n_attributes; i++)
        put_attribute(w, span->attributes[i].key, span->attributes[i].text, span->attributes[i].number);
    nv_json_close_array(w);
    nv_json_open_object(w, "status");
    nv_json_put_int64(w, "code", span->code == NV_OK ? STATUS_OK : STATUS_ERROR);
    if (span->message)
        nv_json_put_string(w, "message", span->message);
    nv_json_close_object(w);
    nv_json_close_object(w);
}

bool otlp_encode(nv_mem_t *ctx, const char *service, const char *instance, const nv_span_t *first, char **out,
                 size_t *out_length, nv_error_t *err)
{
    nv_json_writer_t w = nv_json_writer_make(ctx, PAYLOAD_MAX, false);
    nv_json_open_object(&w, NULL);
    nv_json_open_array(&w, "resourceSpans");
    nv_json_open_object(&w, NULL);
    nv_json_open_object(&w, "resource");
    nv_json_open_array(&w, "attributes");
    put_attribute(&w, "service.name", service, 0);
    put_attribute(&w, "service.version", NV_VERSION, 0);
    if (instance)
        put_attribute(&w, "service.instance.id", instance, 0);
    nv_json_close_array(&w);
    nv_json_close_object(&w);
    nv_json_open_array(&w, "scopeSpans");
    nv_json_open_object(&w, NULL);
    nv_json_open_object(&w, "scope");
    nv_json_put_string(&w, "name", "nuvyn");
    nv_json_close_object(&w);
    nv_json_open_array(&w, "spans");
    for (const nv_span_t *span = first; span; span = span->next)
        put_span(&w, span);
    nv_json_close_array(&w);
    nv_json_close_object(&w);
    nv_json_close_array(&w);
    nv_json_close_object(&w);
    nv_json_close_array(&w);
    nv_json_close_object(&w);
    return nv_json_write_end(&w, "trace export", out, out_length, err);
}
