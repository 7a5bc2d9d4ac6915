#include "worker/profiling/distribution.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BINS = 20 };

static bool has_order(Nv__ValueType type)
{
    return type >= NV__VALUE_TYPE__VALUE_TYPE_INT64 && type <= NV__VALUE_TYPE__VALUE_TYPE_TIME;
}

static int by_value(const void *left, const void *right)
{
    const weighted_t *a = left;
    const weighted_t *b = right;
    return (a->value > b->value) - (a->value < b->value);
}

/* All weights in ascending order: the exact ones, or the samples of the lanes. */
static weighted_t *collect(nv_mem_t *ctx, const colstats_t *stats, size_t *n, double *total)
{
    const reservoir_t *sample = &stats->reservoir;
    weighted_t *all = NV_NEW_ARRAY(ctx, weighted_t, stats->n_weights + sample->n + 1);
    if (stats->n_weights)
        memcpy(all, stats->weights, stats->n_weights * sizeof *all);
    *n = stats->n_weights;
    int64_t each = sample->n ? llround((double)sample->seen / (double)sample->n) : 0;
    for (size_t i = 0; i < sample->n; i++)
        all[(*n)++] = (weighted_t){sample->values[i], each};
    qsort(all, *n, sizeof *all, by_value);
    *total = 0;
    for (size_t i = 0; i < *n; i++)
        *total += (double)all[i].count;
    return all;
}

static char *text_of(nv_mem_t *ctx, const parser_t *parser, double number)
{
    char text[PARSED_TEXT_MAX];
    parsed_t value = parser_from_number(parser, number);
    parser_text(parser, &value, text);
    return nv_strdup(ctx, text);
}

/* Values that occur: the smallest with at least the share q below or at it. */
static void put_quantiles(nv_mem_t *ctx, const parser_t *parser, const weighted_t *all, size_t n,
                          double total, Nv__ColumnProfile *out)
{
    static const double shares[] = {0.05, 0.25, 0.5, 0.75, 0.95};
    enum { N = sizeof shares / sizeof shares[0] };
    out->quantiles = NV_NEW_ARRAY(ctx, char *, N);
    size_t at = 0;
    double below = 0;
    for (size_t q = 0; q < N; q++) {
        while (at + 1 < n && below + (double)all[at].count < shares[q] * total)
            below += (double)all[at++].count;
        out->quantiles[out->n_quantiles++] = text_of(ctx, parser, all[at].value);
    }
}

static int bins_for(const parser_t *parser, double low, double high)
{
    bool whole = parser->type != NV__VALUE_TYPE__VALUE_TYPE_DOUBLE &&
                 parser->type != NV__VALUE_TYPE__VALUE_TYPE_DECIMAL;
    if (!(high > low))
        return 1;
    return whole && high - low + 1 < BINS ? (int)(high - low + 1) : BINS;
}

static void put_histogram(nv_mem_t *ctx, const colstats_t *stats, const weighted_t *all, size_t n,
                          double total, Nv__ColumnProfile *out)
{
    const parser_t *parser = stats->parser;
    double low = parser_number(parser, &stats->min);
    double high = parser_number(parser, &stats->max);
    int bins = bins_for(parser, low, high);
    double counts[BINS] = {0};
    for (size_t i = 0; i < n; i++) {
        double at = high > low ? (all[i].value - low) / (high - low) * bins : 0;
        int bin = at < 0 ? 0 : at >= bins ? bins - 1 : (int)at;
        counts[bin] += (double)all[i].count;
    }
    out->histogram = NV_NEW_ARRAY(ctx, Nv__HistogramBin *, (size_t)bins);
    out->n_histogram = (size_t)bins;
    double scale = total > 0 ? (double)stats->ok / total : 0;
    double width = (high - low) / bins;
    for (int i = 0; i < bins; i++) {
        Nv__HistogramBin *bin = NV_NEW(ctx, Nv__HistogramBin);
        nv__histogram_bin__init(bin);
        bin->low = text_of(ctx, parser, low + width * i);
        bin->high = text_of(ctx, parser, i + 1 == bins ? high : low + width * (i + 1));
        bin->count = llround(counts[i] * scale);
        out->histogram[i] = bin;
    }
}

void distribution_report(nv_mem_t *ctx, const colstats_t *stats, bool histogram, Nv__ColumnProfile *out)
{
    if (!has_order(out->type) || !stats->any)
        return;
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("distribution");
    size_t n;
    double total;
    weighted_t *all = collect(scratch, stats, &n, &total);
    if (!n)
        return;
    put_quantiles(ctx, stats->parser, all, n, total, out);
    if (histogram)
        put_histogram(ctx, stats, all, n, total, out);
}
