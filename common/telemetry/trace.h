/* Distributed traces: W3C Trace Context and spans, exported over OTLP/HTTP (JSON).
 *
 * Source: W3C Trace Context, Recommendation 23 November 2021 (`traceparent`); OpenTelemetry protocol 1.3
 * (OTLP/HTTP JSON). Off unless an endpoint is given (OTEL_EXPORTER_OTLP_ENDPOINT): then spans cost one test
 * of a pointer. Ended spans go into a bounded queue that a thread of its own sends in batches; what does not
 * fit or cannot be delivered is counted and dropped, never waited for.
 *
 * Threads: a span belongs to one thread at a time; a tracer is safe from any.
 */
#ifndef NV_TELEMETRY_TRACE_H
#define NV_TELEMETRY_TRACE_H

#include "common/core/error.h"
#include "common/core/log.h"
#include "common/core/mem.h"
#include "common/telemetry/metrics.h"

#include <stdint.h>

enum { NV_TRACEPARENT_LENGTH = 55 };

typedef struct nv_trace_context {
    uint8_t trace_id[16];
    uint8_t span_id[8];
    uint8_t flags; /* 1: sampled */
} nv_trace_context_t;

/* "00-<32 hex>-<16 hex>-<2 hex>". Hostile input: all zeros, upper case, version ff and bad lengths are
 * refused; a higher version is read as far as version 00 goes, as the standard demands. */
bool nv_traceparent_parse(const char *text, nv_trace_context_t *out, nv_error_t *err) NV_MUST_CHECK;
void nv_traceparent_format(const nv_trace_context_t *context, char out[NV_TRACEPARENT_LENGTH + 1]);
/* A new trace, sampled. */
void nv_trace_context_new(nv_trace_context_t *out);
bool nv_trace_context_is_valid(const nv_trace_context_t *context);

typedef struct nv_tracer nv_tracer_t;
typedef struct nv_span nv_span_t;

typedef struct nv_tracer_options {
    /* "http://127.0.0.1:4318"; NULL or "": *out becomes NULL (off) and that is success. */
    const char *endpoint;
    const char *headers;   /* OTEL_EXPORTER_OTLP_HEADERS: "key=value,key=value"; secret; or NULL */
    const char *service;   /* service.name */
    const char *instance;  /* service.instance.id, or NULL */
    size_t queue_max;      /* ended spans waiting; 0: 2,048 */
    int interval_ms;       /* between deliveries; 0: 2,000 */
    nv_metrics_t *metrics; /* may be NULL; gets nuvyn_trace_spans_{exported,dropped}_total */
    nv_log_t *log;         /* may be NULL */
} nv_tracer_options_t;

bool nv_tracer_start(const nv_tracer_options_t *options, nv_tracer_t **out, nv_error_t *err) NV_MUST_CHECK;
/* Delivers what is queued, for at most two seconds, then stops. NULL is fine. */
void nv_tracer_stop(nv_tracer_t *tracer);

typedef enum nv_span_kind { NV_SPAN_INTERNAL = 1, NV_SPAN_SERVER = 2, NV_SPAN_CLIENT = 3 } nv_span_kind_t;

/* Starts a span; parent NULL (or invalid): a new trace. tracer NULL gives NULL, and every function takes a
 * NULL span. */
nv_span_t *nv_span_start(nv_tracer_t *tracer, const nv_trace_context_t *parent, const char *name,
                         nv_span_kind_t kind);
/* A span whose identity was settled before, say by an earlier life of the process; parent NULL: it is the trace's root. */
nv_span_t *nv_span_resume(nv_tracer_t *tracer, const nv_trace_context_t *self,
                          const nv_trace_context_t *parent, const char *name, nv_span_kind_t kind,
                          int64_t started_unix_ms);
/* Attributes: at most 32, text cut at 1 KiB. Never secrets. */
void nv_span_text(nv_span_t *span, const char *key, const char *value);
void nv_span_int(nv_span_t *span, const char *key, int64_t value);
/* The context to hand on; all zeros for a NULL span. */
void nv_span_context(const nv_span_t *span, nv_trace_context_t *out);
/* Ends and frees the span; error NULL or code NV_OK: it went well. */
void nv_span_end(nv_span_t *span, const nv_error_t *error);

#endif
