/* A span as the tracer keeps it. Shared by the files of this folder only. */
#ifndef NV_TELEMETRY_SPAN_H
#define NV_TELEMETRY_SPAN_H

#include "common/telemetry/trace.h"

enum { SPAN_ATTRIBUTES_MAX = 32, SPAN_TEXT_MAX = 1024 };

typedef struct span_attribute {
    char *key;
    char *text; /* NULL: number */
    int64_t number;
} span_attribute_t;

struct nv_span {
    nv_span_t *next; /* in the queue */
    nv_tracer_t *tracer;
    nv_trace_context_t context;
    uint8_t parent_id[8];
    bool has_parent;
    nv_span_kind_t kind;
    char *name;
    int64_t started_unix_ns;
    int64_t ended_unix_ns;
    nv_code_t code;
    char *message;
    span_attribute_t attributes[SPAN_ATTRIBUTES_MAX];
    size_t n_attributes;
};

/* OTLP/HTTP JSON of a list of spans (ExportTraceServiceRequest); ids in hex, int64 as text, as OTLP wants. */
bool otlp_encode(nv_mem_t *ctx, const char *service, const char *instance, const nv_span_t *first, char **out,
                 size_t *out_length, nv_error_t *err) NV_MUST_CHECK;

#endif
