/* From counted classes to types, and from the warehouse's aggregates to ColumnProfile. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "worker/profiling/colstats.h"
#include "worker/profiling/report.h"
#include "worker/profiling/scan.h"
#include "worker/profiling/semantic.h"
#include "worker/pushdown/job.h"

enum { BINS = 20, QUANTILES = 5, FIELDS = 16 };

/* Values of classes beyond PROFILE_CLASSES count as text, and it is said. */
static void add_classes(pushdown_job_t *job, evidence_t *evidence, const pushdown_rows_t *rows)
{
    int64_t *seen = NV_NEW_ARRAY(job->scratch, int64_t, job->out->n_columns);
    for (size_t r = 0; r < rows->n_rows; r++) {
        size_t c = (size_t)pushdown_number(rows, r, 0);
        const char *text = pushdown_cell(rows, r, 1);
        if (c >= job->out->n_columns || !text)
            continue;
        value_class_t class = value_classify(text, strlen(text));
        int64_t count = pushdown_number(rows, r, 2);
        evidence_add(&evidence[c], &class, count);
        seen[c] += count;
        job->values[c] = pushdown_number(rows, r, 3);
        job->texts[c] = pushdown_number(rows, r, 4);
    }
    for (size_t c = 0; c < job->out->n_columns; c++) {
        int64_t rest = job->values[c] - seen[c];
        if (!seen[c] || rest <= 0)
            continue;
        value_class_t text = value_classify("a text", 6);
        evidence_add(&evidence[c], &text, rest);
        job_warn(job, "%s: %lld values in rare notations were taken for text", job->names[c],
                 (long long)rest);
    }
}

static bool infer_types(pushdown_job_t *job, nv_error_t *err)
{
    size_t n = job->out->n_columns;
    evidence_t *evidence = NV_NEW_ARRAY(job->scratch, evidence_t, n);
    profile_part_t part;
    pushdown_rows_t rows;
    for (size_t i = 0; i < n; i++)
        evidence[i].ctx = job->scratch;
    for (size_t k = 0; job_part(job, k, &part); k++) {
        if (!job_query(job, profile_classes_sql(job->scratch, &part), &rows, err))
            return nv_wrap(err, "counting classes of values");
        add_classes(job, evidence, &rows);
    }
    scan_infer(job->ctx, evidence, job->names, n, job->inferred);
    for (size_t i = 0; i < n; i++) {
        Nv__ColumnProfile *column = job->out->columns[i];
        const infer_result_t *inferred = &job->inferred[i];
        report_type(inferred, column);
        column->distinct_exact = true;
        column->null_count = job->out->row_count - job->values[i];
    }
    return true;
}

/* The parts of a text between bars; missing ones are "". */
static void split(nv_mem_t *ctx, const char *text, const char *parts[FIELDS])
{
    char *at = nv_strdup(ctx, text ? text : "");
    for (size_t i = 0; i < FIELDS; i++) {
        parts[i] = at ? at : "";
        at = at ? strchr(at, '|') : NULL;
        if (at)
            *at++ = '\0';
    }
}

static int64_t whole(const char *text)
{
    return strtoll(text, NULL, 10);
}

static void put_stat(pushdown_job_t *job, Nv__ColumnProfile *out, const char *text)
{
    const char *f[FIELDS];
    split(job->scratch, text, f);
    out->null_count += whole(f[1]);
    out->invalid_count = whole(f[2]);
    out->length_min = (int32_t)whole(f[3]);
    out->length_max = (int32_t)whole(f[4]);
    out->length_mean = whole(f[0]) ? (double)whole(f[5]) / (double)whole(f[0]) : 0;
    out->constant_width = whole(f[0]) && out->length_min == out->length_max;
}

static char *text_of(nv_mem_t *ctx, const parser_t *parser, double number)
{
    char text[PARSED_TEXT_MAX];
    parsed_t value = parser_from_number(parser, number);
    parser_text(parser, &value, text);
    return nv_strdup(ctx, text);
}

/* A canonical text as this side writes it: only doubles are written differently there. */
static char *own_text(nv_mem_t *ctx, const Nv__ColumnProfile *column, const char *text)
{
    if (column->type != NV__VALUE_TYPE__VALUE_TYPE_DOUBLE || !text[0])
        return nv_strdup(ctx, text);
    char out[NUMBER_TEXT_MAX];
    number_double_text(strtod(text, NULL), out);
    return nv_strdup(ctx, out);
}

static void put_bins(pushdown_job_t *job, Nv__ColumnProfile *out, const parser_t *parser, double low,
                     double high)
{
    bool fractional =
        out->type == NV__VALUE_TYPE__VALUE_TYPE_DECIMAL || out->type == NV__VALUE_TYPE__VALUE_TYPE_DOUBLE;
    int bins = !(high > low) ? 1 : !fractional && high - low + 1 < BINS ? (int)(high - low + 1) : BINS;
    double width = (high - low) / bins;
    out->histogram = NV_NEW_ARRAY(job->ctx, Nv__HistogramBin *, (size_t)bins);
    out->n_histogram = (size_t)bins;
    for (int i = 0; i < bins; i++) {
        Nv__HistogramBin *bin = NV_NEW(job->ctx, Nv__HistogramBin);
        nv__histogram_bin__init(bin);
        bin->low = text_of(job->ctx, parser, low + width * i);
        bin->high = text_of(job->ctx, parser, i + 1 == bins ? high : low + width * (i + 1));
        out->histogram[i] = bin;
    }
}

static void put_moment(pushdown_job_t *job, Nv__ColumnProfile *out, const char *text)
{
    const char *f[FIELDS];
    split(job->scratch, text, f);
    if (report_is_number(out->type)) {
        out->mean = strtod(f[0], NULL);
        out->stddev = strtod(f[1], NULL);
        out->zero_count = whole(f[2]);
        out->negative_count = whole(f[3]);
    }
    out->quantiles = NV_NEW_ARRAY(job->ctx, char *, QUANTILES);
    for (; out->n_quantiles < QUANTILES; out->n_quantiles++)
        out->quantiles[out->n_quantiles] = own_text(job->ctx, out, f[6 + out->n_quantiles]);
    parser_t parser = parser_make(out->type, out->precision, out->scale, out->parse);
    if (job->out->n_columns <= 1000)
        put_bins(job, out, &parser, strtod(f[4], NULL), strtod(f[5], NULL));
}

static void push_count(nv_mem_t *ctx, Nv__ValueCount ***list, size_t *n, const char *text, int64_t count)
{
    Nv__ValueCount *added = NV_NEW(ctx, Nv__ValueCount);
    nv__value_count__init(added);
    added->value = nv_strndup(ctx, text, utf8_cut(text, strlen(text), COLSTATS_TEXT));
    added->count = count;
    *list = nv_realloc_array(ctx, *list, sizeof **list, *n + 1);
    (*list)[(*n)++] = added;
}

static void push_hash(pushdown_job_t *job, Nv__ColumnProfile *out, const char *text, size_t most)
{
    if (!out->kmv.data)
        out->kmv.data = nv_alloc(job->ctx, most * sizeof(uint64_t));
    uint64_t hash = text[0] == '-' ? (uint64_t)strtoll(text, NULL, 10) : strtoull(text, NULL, 10);
    if (out->kmv.len + 8 > most * sizeof(uint64_t))
        return;
    for (size_t b = 0; b < 8; b++)
        out->kmv.data[out->kmv.len++] = (uint8_t)(hash >> (8 * b));
}

static int by_hash(const void *left, const void *right)
{
    uint64_t a, b;
    memcpy(&a, left, sizeof a);
    memcpy(&b, right, sizeof b);
    return (a > b) - (a < b);
}

static int by_count(const void *left, const void *right)
{
    const Nv__ValueCount *a = *(Nv__ValueCount *const *)left, *b = *(Nv__ValueCount *const *)right;
    return a->count != b->count ? (a->count < b->count ? 1 : -1) : strcmp(a->value, b->value);
}

static void put_bin(Nv__ColumnProfile *out, const char *bin, int64_t count)
{
    size_t i = (size_t)whole(bin);
    if (i < out->n_histogram)
        out->histogram[i]->count += count;
}

static void put_row(pushdown_job_t *job, const pushdown_rows_t *rows, size_t r, bool bins)
{
    const char *kind = pushdown_cell(rows, r, 0), *text = pushdown_cell(rows, r, 2);
    size_t c = (size_t)pushdown_number(rows, r, 1);
    int64_t count = pushdown_number(rows, r, 3);
    if (c >= job->out->n_columns || !kind || (!text && strcmp(kind, "distinct") != 0))
        return;
    Nv__ColumnProfile *out = job->out->columns[c];
    if (strcmp(kind, "hist") == 0) {
        if (bins)
            put_bin(out, text, count);
    } else if (bins) {
        return;
    } else if (strcmp(kind, "stat") == 0) {
        put_stat(job, out, text);
    } else if (strcmp(kind, "distinct") == 0) {
        out->distinct_count = count;
    } else if (strcmp(kind, "moment") == 0) {
        put_moment(job, out, text);
    } else if (strcmp(kind, "top") == 0) {
        push_count(job->ctx, &out->top, &out->n_top, own_text(job->scratch, out, text), count);
    } else if (strcmp(kind, "bad") == 0) {
        push_count(job->ctx, &out->invalid, &out->n_invalid, text, count);
    } else if (strcmp(kind, "pattern") == 0) {
        push_count(job->ctx, &out->patterns, &out->n_patterns, text, count);
    } else if (strcmp(kind, "kmv") == 0) {
        push_hash(job, out, text, report_limits(job->out->n_columns).kmv);
    } else if (strcmp(kind, "min") == 0) {
        out->min = own_text(job->ctx, out, text);
    } else if (strcmp(kind, "max") == 0) {
        out->max = own_text(job->ctx, out, text);
    }
}

static void finish_column(pushdown_job_t *job, size_t c)
{
    Nv__ColumnProfile *out = job->out->columns[c];
    if (out->kmv.len)
        qsort(out->kmv.data, out->kmv.len / 8, 8, by_hash);
    if (out->n_top)
        qsort(out->top, out->n_top, sizeof(void *), by_count);
    if (out->n_invalid)
        qsort(out->invalid, out->n_invalid, sizeof(void *), by_count);
    if (out->n_patterns)
        qsort(out->patterns, out->n_patterns, sizeof(void *), by_count);
    semantic_report(job->ctx, job->values[c], out);
}

bool job_columns(pushdown_job_t *job, nv_error_t *err)
{
    report_limits_t limits = report_limits(job->out->n_columns);
    profile_part_t part;
    pushdown_rows_t rows;
    if (!infer_types(job, err))
        return false;
    for (size_t k = 0; job_part(job, k, &part); k++) {
        char *sql = profile_values_sql(job->scratch, &part, limits.kmv, limits.top, limits.patterns);
        if (!job_query(job, sql, &rows, err))
            return nv_wrap(err, "aggregating values");
        for (int bins = 0; bins < 2; bins++) /* the bins' edges come with the moments */
            for (size_t r = 0; r < rows.n_rows; r++)
                put_row(job, &rows, r, bins);
    }
    for (size_t c = 0; c < job->out->n_columns; c++) {
        finish_column(job, c);
        char *remark = report_remark(job->scratch, &job->inferred[c], job->out->columns[c]);
        if (remark)
            job_warn(job, "%s: %s", job->names[c], remark);
    }
    return true;
}
