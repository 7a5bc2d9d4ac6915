/* Metrics: counters, gauges and histograms, written as Prometheus text (exposition format 0.0.4).
 *
 * A registry is an object, handed down. A metric is registered once, at start; then updates are lock-free
 * atomics, safe from any thread and cheap enough for hot paths. Label values are fixed when a metric is
 * registered, so the number of series is bounded by the code, never by input. Registering the same name and
 * labels again gives the same metric.
 */
#ifndef NV_TELEMETRY_METRICS_H
#define NV_TELEMETRY_METRICS_H

#include "common/core/buf.h"
#include "common/core/error.h"
#include "common/core/mem.h"

#include <stddef.h>
#include <stdint.h>

typedef struct nv_metrics nv_metrics_t;
typedef struct nv_counter nv_counter_t;
typedef struct nv_gauge nv_gauge_t;
typedef struct nv_histogram nv_histogram_t;

nv_metrics_t *nv_metrics_new(void);
/* All metrics of the registry end with it. */
void nv_metrics_free(nv_metrics_t *metrics);
void nv_metrics_cleanup(nv_metrics_t **metrics);
#define NV_METRICS_SCOPE __attribute__((cleanup(nv_metrics_cleanup)))

/* name: [a-z_][a-z0-9_]*, with unit and, for counters, "_total" as Prometheus wants
 * ("nuvyn_store_commits_total"). labels:
 * "" or "pool=\"default\",kind=\"profile\"" ready-made by nv_metric_label(). A malformed name is a
 * programming error. metrics may be NULL: the metric is NULL then, and updating NULL does nothing. */
nv_counter_t *nv_counter(nv_metrics_t *metrics, const char *name, const char *labels, const char *help);
nv_gauge_t *nv_gauge(nv_metrics_t *metrics, const char *name, const char *labels, const char *help);
/* bounds: ascending upper limits, without +Inf; copied. At most 32. */
nv_histogram_t *nv_histogram(nv_metrics_t *metrics, const char *name, const char *labels, const char *help,
                             const double *bounds, size_t n_bounds);
/* Seconds, 100 µs to 10 s: for latencies. */
extern const double nv_latency_bounds[];
enum { NV_LATENCY_BOUNDS = 16 };

/* "key=\"value\"" with the value escaped, appended after a comma where buf is not empty. */
void nv_metric_label(nv_buf_t *buf, const char *key, const char *value);

void nv_counter_add(nv_counter_t *counter, uint64_t n);
uint64_t nv_counter_value(const nv_counter_t *counter);
void nv_gauge_set(nv_gauge_t *gauge, double value);
double nv_gauge_value(const nv_gauge_t *gauge);
void nv_histogram_observe(nv_histogram_t *histogram, double value);
uint64_t nv_histogram_count(const nv_histogram_t *histogram);

/* Called before each exposition, to set gauges from live state; from the thread that asks. At most 16. */
void nv_metrics_on_collect(nv_metrics_t *metrics, void (*fn)(nv_metrics_t *metrics, void *arg), void *arg);

/* The text of all metrics. */
void nv_metrics_write(nv_metrics_t *metrics, nv_buf_t *out);

#endif
