#include "worker/profiling/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "worker/profiling/distribution.h"
#include "worker/profiling/infer_class.h"
#include "worker/profiling/names.h"
#include "worker/profiling/semantic.h"

enum { MAX_TOP = 20, MAX_PATTERNS = 10, MAX_INVALID = 20 };

/* All values from the dictionary under the final parser. */
static void from_dictionary(nv_mem_t *ctx, column_t *column, const parser_t *parser)
{
    column->stats = colstats_make(ctx, parser, true, 0, NULL);
    int64_t *counts = dict_counts(ctx, &column->dict);
    for (size_t i = 0; i < column->dict.n_entries; i++) {
        const dict_entry_t *e = &column->dict.entries[i];
        colstats_add(&column->stats, e->text, e->length, e->hash, counts[i]);
    }
    nv_mem_free(counts);
}

static char *valid_text(nv_mem_t *ctx, const char *text, size_t length)
{
    size_t cut = utf8_cut(text, length, COLSTATS_TEXT);
    return nv_strndup(ctx, text, utf8_valid_prefix(text, cut));
}

static Nv__ValueCount **value_counts(nv_mem_t *ctx, const dict_t *dict, size_t most, size_t *n)
{
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("ranking");
    dict_item_t *items = dict_ranked(scratch, dict, most);
    *n = dict->n_entries < most ? dict->n_entries : most;
    Nv__ValueCount **out = NV_NEW_ARRAY(ctx, Nv__ValueCount *, *n);
    for (size_t i = 0; i < *n; i++) {
        out[i] = NV_NEW(ctx, Nv__ValueCount);
        nv__value_count__init(out[i]);
        out[i]->value = valid_text(ctx, items[i].entry->text, items[i].entry->length);
        out[i]->count = items[i].count;
    }
    return out;
}

static void report_range(nv_mem_t *ctx, const colstats_t *stats, Nv__ColumnProfile *out)
{
    out->min = nv_strdup(ctx, "");
    out->max = nv_strdup(ctx, "");
    if (!stats->any)
        return;
    char text[PARSED_TEXT_MAX];
    if (out->type == NV__VALUE_TYPE__VALUE_TYPE_STRING) {
        out->min = valid_text(ctx, stats->min_text.text, stats->min_text.length);
        out->max = valid_text(ctx, stats->max_text.text, stats->max_text.length);
        return;
    }
    parser_text(stats->parser, &stats->min, text);
    out->min = nv_strdup(ctx, text);
    parser_text(stats->parser, &stats->max, text);
    out->max = nv_strdup(ctx, text);
}

bool report_is_number(Nv__ValueType type)
{
    return type == NV__VALUE_TYPE__VALUE_TYPE_INT64 || type == NV__VALUE_TYPE__VALUE_TYPE_DECIMAL ||
           type == NV__VALUE_TYPE__VALUE_TYPE_DOUBLE;
}

static void report_moments(const colstats_t *stats, Nv__ColumnProfile *out)
{
    if (!report_is_number(out->type) || !stats->ok)
        return;
    double n = (double)stats->ok;
    double off = stats->sum / n;
    out->mean = stats->shift + off;
    double variance = n > 1 ? (stats->sum_squares - n * off * off) / (n - 1) : 0;
    out->stddev = variance > 0 ? sqrt(variance) : 0;
    out->zero_count = stats->zero;
    out->negative_count = stats->negative;
}

report_limits_t report_limits(size_t n_columns)
{
    if (n_columns <= 1000)
        return (report_limits_t){KMV_SIZE, MAX_TOP, MAX_PATTERNS, true};
    return (report_limits_t){128, 5, 3, false};
}

/* increasing: all its values are numbers, each above the one before it. */
static void report_distinct(nv_mem_t *ctx, colstats_t *stats, size_t most, bool increasing,
                            hashlog_counter_t *counter, Nv__ColumnProfile *out)
{
    out->distinct_exact = increasing || !stats->log.dropped;
    if (increasing)
        out->distinct_count = stats->ok;
    else if (out->distinct_exact)
        out->distinct_count = hashlog_distinct(&stats->log, counter);
    else
        out->distinct_count = llround(hll_estimate(stats->hll));
    if (out->distinct_count > stats->ok)
        out->distinct_count = stats->ok;
    if (!stats->kmv.pending)
        return;
    size_t n;
    const uint64_t *smallest = kmv_smallest(&stats->kmv, &n);
    n = n < most ? n : most;
    out->kmv.len = n * sizeof(uint64_t);
    out->kmv.data = nv_alloc(ctx, out->kmv.len);
    for (size_t i = 0; i < n; i++)
        for (size_t b = 0; b < 8; b++)
            out->kmv.data[8 * i + b] = (uint8_t)(smallest[i] >> (8 * b));
}

static void report_texts(nv_mem_t *ctx, const colstats_t *stats, report_limits_t limits,
                         Nv__ColumnProfile *out)
{
    out->top = value_counts(ctx, &stats->hot, limits.top, &out->n_top);
    out->patterns = value_counts(ctx, &stats->patterns, limits.patterns, &out->n_patterns);
    out->invalid = value_counts(ctx, &stats->bad, MAX_INVALID, &out->n_invalid);
    out->length_min = stats->length_min;
    out->length_max = stats->length_max;
    if (stats->length_count)
        out->length_mean = (double)stats->length_sum / (double)stats->length_count;
    out->constant_width = stats->length_count && stats->length_min == stats->length_max;
}

void report_type(const infer_result_t *inferred, Nv__ColumnProfile *out)
{
    out->type = inferred->type;
    out->precision = inferred->precision;
    out->scale = inferred->scale;
    out->parse = inferred->rule;
    out->formats = inferred->formats;
    out->n_formats = inferred->n_formats;
    out->leading_zeros = inferred->leading_zeros;
}

void report_column(nv_mem_t *ctx, column_t *column, const infer_result_t *inferred, const parser_t *parser,
                   report_limits_t limits, hashlog_counter_t *counter, Nv__ColumnProfile *out)
{
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("column report");
    if (!column->streaming)
        from_dictionary(scratch, column, parser);
    colstats_t *stats = &column->stats;
    report_type(inferred, out);
    out->null_count = column->empty + stats->nulls;
    out->invalid_count = stats->invalid;
    out->padded_count = column->padded;
    out->monotonic = column_is_monotonic(column);
    report_range(ctx, stats, out);
    report_moments(stats, out);
    bool increasing = out->monotonic && !column->blocks[0].first.length && stats->ok == column->values;
    report_distinct(ctx, stats, limits.kmv, increasing, counter, out);
    report_texts(ctx, stats, limits, out);
    distribution_report(ctx, stats, limits.histogram, out);
    semantic_report(ctx, column->values, out);
    hashlog_drop(&stats->log);
}

/* A value or a pattern that shows what the others of the column are; NULL: none is known. */
static const char *exception_of(const infer_result_t *inferred, const Nv__ColumnProfile *column)
{
    for (size_t i = 0; i < column->n_top; i++) {
        const char *text = column->top[i]->value;
        uint64_t key = *text ? value_classify(text, strlen(text)).key : 0;
        enum class_kind kind = class_kind(key);
        bool other_word = kind == CLASS_WORD && !word_is_boolean(class_word_kind(key));
        if (*text && (int)kind != inferred->kept_kind && !other_word)
            return text;
    }
    return NULL;
}

/* A column of whole numbers that are called a time and lie where moments of our time lie, counted from 1970. */
static char *epoch_remark(nv_mem_t *ctx, const Nv__ColumnProfile *column)
{
    static const char *const words[] = {"ts",   "ms",      "at",      "time",     "timestamp", "epoch",
                                        "unix", "created", "updated", "modified", "millis",    NULL};
    static const struct {
        int64_t per_second;
        const char *name;
    } units[] = {{1, "seconds"}, {1000, "milliseconds"}, {1000000, "microseconds"}};
    const int64_t year_2000 = 946684800;
    const int64_t year_2100 = 4102444800;
    if (column->type != NV__VALUE_TYPE__VALUE_TYPE_INT64 || !name_has_word(column->name, words))
        return NULL;
    int64_t low = strtoll(column->min, NULL, 10);
    int64_t high = strtoll(column->max, NULL, 10);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        int64_t from = low / units[i].per_second;
        int64_t until = high / units[i].per_second;
        if (from < year_2000 || until >= year_2100)
            continue;
        char first[DATETIME_TEXT_MAX];
        char last[DATETIME_TEXT_MAX];
        datetime_date_text(from / 86400, first);
        datetime_date_text(until / 86400, last);
        return nv_printf(ctx,
                         "its numbers look like %s since 1970 (%s to %s); they are kept as whole numbers",
                         units[i].name, first, last);
    }
    return NULL;
}

char *report_remark(nv_mem_t *ctx, const infer_result_t *inferred, const Nv__ColumnProfile *column)
{
    if (!inferred->warning)
        return epoch_remark(ctx, column);
    const char *exception = inferred->kept_kind ? exception_of(inferred, column) : NULL;
    if (!exception)
        return nv_strdup(ctx, inferred->warning);
    int shown = (int)utf8_cut(exception, strlen(exception), 80);
    return nv_printf(ctx, "%s; another is \"%.*s\"", inferred->warning, shown, exception);
}
