#include "common/telemetry/metrics.h"

#include <assert.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { BOUNDS_MAX = 32, COLLECTORS_MAX = 16 };

typedef enum kind { COUNTER, GAUGE, HISTOGRAM } kind_t;
static const char *const kind_names[] = {"counter", "gauge", "histogram"};

/* Doubles are kept as their bits, so that they can be exchanged atomically. */
typedef _Atomic uint64_t atomic_double_t;

typedef struct series series_t;
struct series {
    series_t *next; /* of the same family */
    char *labels;
    _Atomic uint64_t count; /* counter; observations of a histogram */
    atomic_double_t value;  /* gauge; sum of a histogram */
    size_t n_bounds;
    double bounds[BOUNDS_MAX];
    _Atomic uint64_t buckets[BOUNDS_MAX + 1]; /* not cumulative */
};
struct nv_counter {
    series_t series;
};
struct nv_gauge {
    series_t series;
};
struct nv_histogram {
    series_t series;
};

typedef struct family family_t;
struct family {
    family_t *next;
    char *name;
    char *help;
    kind_t kind;
    series_t *series;
    series_t **tail;
};

typedef struct collector {
    void (*fn)(nv_metrics_t *metrics, void *arg);
    void *arg;
} collector_t;

struct nv_metrics {
    pthread_mutex_t lock; /* guards the lists, not the values */
    family_t *families;
    family_t **tail;
    collector_t collectors[COLLECTORS_MAX];
    size_t n_collectors;
};

const double nv_latency_bounds[NV_LATENCY_BOUNDS] = {
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};

static uint64_t to_bits(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static double from_bits(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void atomic_add(atomic_double_t *target, double delta)
{
    uint64_t old = atomic_load_explicit(target, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(target, &old, to_bits(from_bits(old) + delta),
                                                  memory_order_relaxed, memory_order_relaxed))
        ;
}

/* ---- the registry ---- */

static int destroy(void *ptr)
{
    nv_metrics_t *metrics = ptr;
    pthread_mutex_destroy(&metrics->lock);
    return 0;
}

nv_metrics_t *nv_metrics_new(void)
{
    nv_metrics_t *metrics = NV_NEW(NULL, nv_metrics_t);
    pthread_mutex_init(&metrics->lock, NULL);
    metrics->tail = &metrics->families;
    nv_on_free(metrics, destroy);
    return metrics;
}

void nv_metrics_free(nv_metrics_t *metrics)
{
    nv_mem_free(metrics);
}

void nv_metrics_cleanup(nv_metrics_t **metrics)
{
    nv_metrics_free(*metrics);
}

static bool is_metric_name(const char *name)
{
    size_t length = strlen(name);
    return length > 0 && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == length &&
           !(name[0] >= '0' && name[0] <= '9');
}

static family_t *find_family(nv_metrics_t *metrics, const char *name, kind_t kind, const char *help)
{
    for (family_t *f = metrics->families; f; f = f->next)
        if (strcmp(f->name, name) == 0) {
            assert(f->kind == kind);
            return f;
        }
    family_t *f = NV_NEW(metrics, family_t);
    *f = (family_t){.name = nv_strdup(f, name), .help = nv_strdup(f, help), .kind = kind};
    f->tail = &f->series;
    *metrics->tail = f;
    metrics->tail = &f->next;
    return f;
}

static series_t *find_series(family_t *family, const char *labels)
{
    for (series_t *s = family->series; s; s = s->next)
        if (strcmp(s->labels, labels) == 0)
            return s;
    series_t *s = NV_NEW(family, series_t);
    s->labels = nv_strdup(s, labels);
    *family->tail = s;
    family->tail = &s->next;
    return s;
}

static series_t *reg(nv_metrics_t *metrics, const char *name, const char *labels, const char *help,
                     kind_t kind, const double *bounds, size_t n_bounds)
{
    if (!metrics)
        return NULL;
    assert(is_metric_name(name) && n_bounds <= BOUNDS_MAX);
    pthread_mutex_lock(&metrics->lock);
    series_t *s = find_series(find_family(metrics, name, kind, help), labels ? labels : "");
    for (size_t i = 0; i < n_bounds; i++) {
        assert(i == 0 || bounds[i] > bounds[i - 1]);
        s->bounds[i] = bounds[i];
    }
    s->n_bounds = n_bounds;
    pthread_mutex_unlock(&metrics->lock);
    return s;
}

nv_counter_t *nv_counter(nv_metrics_t *metrics, const char *name, const char *labels, const char *help)
{
    return (nv_counter_t *)reg(metrics, name, labels, help, COUNTER, NULL, 0);
}

nv_gauge_t *nv_gauge(nv_metrics_t *metrics, const char *name, const char *labels, const char *help)
{
    return (nv_gauge_t *)reg(metrics, name, labels, help, GAUGE, NULL, 0);
}

nv_histogram_t *nv_histogram(nv_metrics_t *metrics, const char *name, const char *labels, const char *help,
                             const double *bounds, size_t n_bounds)
{
    return (nv_histogram_t *)reg(metrics, name, labels, help, HISTOGRAM, bounds, n_bounds);
}

static void put_escaped(nv_buf_t *buf, const char *text, bool quote)
{
    for (; *text; text++) {
        if (*text == '\n')
            nv_buf_puts(buf, "\\n");
        else if (*text == '\\' || (quote && *text == '"'))
            nv_buf_printf(buf, "\\%c", *text);
        else
            nv_buf_putc(buf, *text);
    }
}

void nv_metric_label(nv_buf_t *buf, const char *key, const char *value)
{
    nv_buf_printf(buf, "%s%s=\"", buf->length ? "," : "", key);
    put_escaped(buf, value, true);
    nv_buf_putc(buf, '"');
}

/* ---- values ---- */

void nv_counter_add(nv_counter_t *counter, uint64_t n)
{
    if (counter)
        atomic_fetch_add_explicit(&counter->series.count, n, memory_order_relaxed);
}

uint64_t nv_counter_value(const nv_counter_t *counter)
{
    return counter ? atomic_load_explicit(&counter->series.count, memory_order_relaxed) : 0;
}

void nv_gauge_set(nv_gauge_t *gauge, double value)
{
    if (gauge)
        atomic_store_explicit(&gauge->series.value, to_bits(value), memory_order_relaxed);
}

double nv_gauge_value(const nv_gauge_t *gauge)
{
    return gauge ? from_bits(atomic_load_explicit(&gauge->series.value, memory_order_relaxed)) : 0;
}

void nv_histogram_observe(nv_histogram_t *histogram, double value)
{
    if (!histogram || isnan(value))
        return;
    series_t *s = &histogram->series;
    size_t i = 0;
    while (i < s->n_bounds && value > s->bounds[i])
        i++;
    atomic_fetch_add_explicit(&s->buckets[i], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&s->count, 1, memory_order_relaxed);
    atomic_add(&s->value, value);
}

uint64_t nv_histogram_count(const nv_histogram_t *histogram)
{
    return histogram ? atomic_load_explicit(&histogram->series.count, memory_order_relaxed) : 0;
}

/* ---- exposition ---- */

void nv_metrics_on_collect(nv_metrics_t *metrics, void (*fn)(nv_metrics_t *metrics, void *arg), void *arg)
{
    if (!metrics)
        return;
    pthread_mutex_lock(&metrics->lock);
    assert(metrics->n_collectors < COLLECTORS_MAX);
    metrics->collectors[metrics->n_collectors++] = (collector_t){fn, arg};
    pthread_mutex_unlock(&metrics->lock);
}

static void put_number(nv_buf_t *out, double value)
{
    if (isnan(value))
        nv_buf_puts(out, "NaN\n");
    else if (isinf(value))
        nv_buf_puts(out, value > 0 ? "+Inf\n" : "-Inf\n");
    else
        nv_buf_printf(out, "%.15g\n", value);
}

static void put_name(nv_buf_t *out, const char *name, const char *suffix, const char *labels,
                     const char *extra)
{
    nv_buf_printf(out, "%s%s", name, suffix);
    if (*labels || *extra)
        nv_buf_printf(out, "{%s%s%s}", labels, *labels && *extra ? "," : "", extra);
    nv_buf_putc(out, ' ');
}

/* Buckets are read one after the other while others add; the total is their sum, so that +Inf equals _count always. */
static void put_histogram(nv_buf_t *out, const family_t *family, const series_t *s)
{
    uint64_t total = 0;
    for (size_t i = 0; i <= s->n_bounds; i++) {
        char le[40] = "le=\"+Inf\"";
        if (i < s->n_bounds)
            snprintf(le, sizeof le, "le=\"%.15g\"", s->bounds[i]);
        total += atomic_load_explicit(&s->buckets[i], memory_order_relaxed);
        put_name(out, family->name, "_bucket", s->labels, le);
        nv_buf_printf(out, "%llu\n", (unsigned long long)total);
    }
    put_name(out, family->name, "_sum", s->labels, "");
    put_number(out, from_bits(atomic_load_explicit(&s->value, memory_order_relaxed)));
    put_name(out, family->name, "_count", s->labels, "");
    nv_buf_printf(out, "%llu\n", (unsigned long long)total);
}

static void put_series(nv_buf_t *out, const family_t *family, const series_t *s)
{
    if (family->kind == HISTOGRAM) {
        put_histogram(out, family, s);
        return;
    }
    put_name(out, family->name, "", s->labels, "");
    if (family->kind == COUNTER)
        nv_buf_printf(out, "%llu\n",
                      (unsigned long long)atomic_load_explicit(&s->count, memory_order_relaxed));
    else
        put_number(out, from_bits(atomic_load_explicit(&s->value, memory_order_relaxed)));
}

void nv_metrics_write(nv_metrics_t *metrics, nv_buf_t *out)
{
    collector_t collectors[COLLECTORS_MAX];
    pthread_mutex_lock(&metrics->lock);
    size_t n = metrics->n_collectors;
    memcpy(collectors, metrics->collectors, sizeof collectors);
    pthread_mutex_unlock(&metrics->lock);
    for (size_t i = 0; i < n; i++)
        collectors[i].fn(metrics, collectors[i].arg); /* may register metrics */
    pthread_mutex_lock(&metrics->lock);
    for (const family_t *f = metrics->families; f; f = f->next) {
        nv_buf_printf(out, "# HELP %s ", f->name);
        put_escaped(out, f->help, false);
        nv_buf_printf(out, "\n# TYPE %s %s\n", f->name, kind_names[f->kind]);
        for (const series_t *s = f->series; s; s = s->next)
            put_series(out, f, s);
    }
    pthread_mutex_unlock(&metrics->lock);
}
