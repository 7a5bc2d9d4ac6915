#include "side_by_side.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/core/mem.h"

static void differ(side_by_side_t *r, const char *table, const char *column, const char *what,
                   const char *local, const char *pushed)
{
    r->differing++;
    print_error("%s%s%s: %s: local %s, pushed down %s\n", table, column[0] ? "." : "", column, what, local,
                pushed);
}

static void same_number(side_by_side_t *r, const char *table, const char *column, const char *what,
                        int64_t local, int64_t pushed)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("difference");
    r->compared++;
    if (local != pushed)
        differ(r, table, column, what, nv_printf(ctx, "%lld", (long long)local),
               nv_printf(ctx, "%lld", (long long)pushed));
}

static void same_text(side_by_side_t *r, const char *table, const char *column, const char *what,
                      const char *local, const char *pushed)
{
    r->compared++;
    if (strcmp(local, pushed) != 0)
        differ(r, table, column, what, local, pushed);
}

static void about(side_by_side_t *r, const char *table, const char *column, const char *what, double local,
                  double pushed, double relative)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("difference");
    r->compared++;
    if (fabs(local - pushed) > relative * fmax(1e-9, fmax(fabs(local), fabs(pushed))))
        differ(r, table, column, what, nv_printf(ctx, "%.17g", local), nv_printf(ctx, "%.17g", pushed));
}

static char *list(nv_mem_t *ctx, char *const *items, size_t n)
{
    char *out = nv_strdup(ctx, "");
    for (size_t i = 0; i < n; i++)
        out = nv_printf(ctx, "%s|%s", out, items[i]);
    return out;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Counts by value; of ties at the end of a list either may be told. */
static char *counts(nv_mem_t *ctx, Nv__ValueCount *const *values, size_t n, size_t most)
{
    int64_t least = n >= most && n ? values[n - 1]->count : 0;
    char **lines = NV_NEW_ARRAY(ctx, char *, n + 1);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (values[i]->count > least)
            lines[kept++] = nv_printf(ctx, "%s=%lld", values[i]->value, (long long)values[i]->count);
    qsort(lines, kept, sizeof *lines, by_text);
    return list(ctx, lines, kept);
}

static char *rule_text(nv_mem_t *ctx, const Nv__ParseRule *rule)
{
    return nv_printf(ctx, "nulls%s formats%s true%s false%s marks%s dec%s group%s %d%d%d%d",
                     list(ctx, rule->null_spellings, rule->n_null_spellings),
                     list(ctx, rule->datetime_formats, rule->n_datetime_formats),
                     list(ctx, rule->true_spellings, rule->n_true_spellings),
                     list(ctx, rule->false_spellings, rule->n_false_spellings),
                     list(ctx, rule->currency_marks, rule->n_currency_marks), rule->decimal_separator,
                     rule->group_separator, rule->percent, rule->negative_parentheses, rule->trailing_minus,
                     rule->trim);
}

static void same_type(side_by_side_t *r, nv_mem_t *ctx, const char *t, const Nv__ColumnProfile *a,
                      const Nv__ColumnProfile *b)
{
    same_number(r, t, a->name, "type", a->type, b->type);
    same_number(r, t, a->name, "precision", a->precision, b->precision);
    same_number(r, t, a->name, "scale", a->scale, b->scale);
    same_text(r, t, a->name, "parse rule", rule_text(ctx, a->parse), rule_text(ctx, b->parse));
    same_number(r, t, a->name, "leading zeros", a->leading_zeros, b->leading_zeros);
    char *formats[2] = {nv_strdup(ctx, ""), nv_strdup(ctx, "")};
    for (size_t i = 0; i < a->n_formats; i++)
        formats[0] =
            nv_printf(ctx, "%s|%s=%lld", formats[0], a->formats[i]->format, (long long)a->formats[i]->count);
    for (size_t i = 0; i < b->n_formats; i++)
        formats[1] =
            nv_printf(ctx, "%s|%s=%lld", formats[1], b->formats[i]->format, (long long)b->formats[i]->count);
    same_text(r, t, a->name, "formats", formats[0], formats[1]);
}

static bool is_number(Nv__ValueType type)
{
    return type == NV__VALUE_TYPE__VALUE_TYPE_INT64 || type == NV__VALUE_TYPE__VALUE_TYPE_DECIMAL ||
           type == NV__VALUE_TYPE__VALUE_TYPE_DOUBLE;
}

static void same_distribution(side_by_side_t *r, nv_mem_t *ctx, const char *t, const Nv__ColumnProfile *a,
                              const Nv__ColumnProfile *b)
{
    double estimate = a->distinct_exact ? 1e-9 : 0.02;
    about(r, t, a->name, "distinct", (double)a->distinct_count, (double)b->distinct_count, estimate);
    same_text(r, t, a->name, "min", a->min, b->min);
    same_text(r, t, a->name, "max", a->max, b->max);
    about(r, t, a->name, "mean", a->mean, b->mean, 1e-9);
    about(r, t, a->name, "stddev", a->stddev, b->stddev, 1e-6);
    same_number(r, t, a->name, "zeros", a->zero_count, b->zero_count);
    same_number(r, t, a->name, "negatives", a->negative_count, b->negative_count);
    same_number(r, t, a->name, "bins", (int64_t)a->n_histogram, (int64_t)b->n_histogram);
    same_number(r, t, a->name, "number of quantiles", (int64_t)a->n_quantiles, (int64_t)b->n_quantiles);
    bool few = a->distinct_exact && a->distinct_count <= 1000;
    if (few) { /* beyond, a local profile counts the frequent ones and samples the rest */
        for (size_t i = 0; i < a->n_quantiles && i < b->n_quantiles; i++)
            if (is_number(a->type)) /* a local one passed through a double */
                about(r, t, a->name, "quantile", strtod(a->quantiles[i], NULL), strtod(b->quantiles[i], NULL),
                      1e-12);
            else
                same_text(r, t, a->name, "quantile", a->quantiles[i], b->quantiles[i]);
        same_text(r, t, a->name, "top", counts(ctx, a->top, a->n_top, 20), counts(ctx, b->top, b->n_top, 20));
        same_text(r, t, a->name, "patterns", counts(ctx, a->patterns, a->n_patterns, 10),
                  counts(ctx, b->patterns, b->n_patterns, 10));
        for (size_t i = 0; i < a->n_histogram && i < b->n_histogram; i++)
            same_number(r, t, a->name, "bin", a->histogram[i]->count, b->histogram[i]->count);
    }
    if (r->sketches) {
        r->compared++;
        if (a->type != NV__VALUE_TYPE__VALUE_TYPE_DOUBLE &&
            (a->kmv.len != b->kmv.len || memcmp(a->kmv.data, b->kmv.data, a->kmv.len) != 0))
            differ(r, t, a->name, "sketch", "one", "another");
    }
}

static void same_column(side_by_side_t *r, const char *t, const Nv__ColumnProfile *a,
                        const Nv__ColumnProfile *b)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("column");
    same_text(r, t, a->name, "name", a->name, b->name);
    same_type(r, ctx, t, a, b);
    same_number(r, t, a->name, "nulls", a->null_count, b->null_count);
    same_number(r, t, a->name, "invalid", a->invalid_count, b->invalid_count);
    same_text(r, t, a->name, "invalid texts", counts(ctx, a->invalid, a->n_invalid, 20),
              counts(ctx, b->invalid, b->n_invalid, 20));
    same_number(r, t, a->name, "padded", a->padded_count, b->padded_count);
    same_number(r, t, a->name, "shortest", a->length_min, b->length_min);
    same_number(r, t, a->name, "longest", a->length_max, b->length_max);
    about(r, t, a->name, "mean length", a->length_mean, b->length_mean, 1e-9);
    same_number(r, t, a->name, "constant width", a->constant_width, b->constant_width);
    if (!r->unordered)
        same_number(r, t, a->name, "monotonic", a->monotonic, b->monotonic);
    same_text(r, t, a->name, "semantic", a->semantic, b->semantic);
    same_text(r, t, a->name, "pii", a->pii, b->pii);
    same_distribution(r, ctx, t, a, b);
}

static char *sets_text(nv_mem_t *ctx, const Nv__TableProfile *t)
{
    char *out = nv_strdup(ctx, "");
    for (size_t i = 0; i < t->n_unique_sets; i++)
        out = nv_printf(ctx, "%s (%s %.6f)", out,
                        list(ctx, t->unique_sets[i]->columns, t->unique_sets[i]->n_columns),
                        t->unique_sets[i]->uniqueness);
    return out;
}

static void same_dependencies(side_by_side_t *r, const Nv__TableProfile *a, const Nv__TableProfile *b)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("dependencies");
    same_number(r, a->name, "", "dependencies", (int64_t)a->n_dependencies, (int64_t)b->n_dependencies);
    for (size_t i = 0; i < a->n_dependencies && i < b->n_dependencies; i++) {
        const Nv__FunctionalDependency *x = a->dependencies[i], *y = b->dependencies[i];
        same_text(r, a->name, "", "dependency",
                  nv_printf(ctx, "%s -> %s %lld/%lld %.6f", x->determinant[0], x->dependent,
                            (long long)x->violations, (long long)x->groups, x->support),
                  nv_printf(ctx, "%s -> %s %lld/%lld %.6f", y->determinant[0], y->dependent,
                            (long long)y->violations, (long long)y->groups, y->support));
    }
}

/* What is said of columns, without the examples: they come from the frequent values. */
static char *remarks(nv_mem_t *ctx, const Nv__TableProfile *t)
{
    char *out = nv_strdup(ctx, "");
    for (size_t i = 0; i < t->n_warnings; i++) {
        const char *text = t->warnings[i];
        const char *example = strstr(text, "; another is");
        if (strstr(text, ": kept as text") || strstr(text, "they are kept as"))
            out = nv_printf(ctx, "%s|%.*s", out, example ? (int)(example - text) : (int)strlen(text), text);
    }
    return out;
}

void side_by_side(side_by_side_t *r, const Nv__TableProfile *a, const Nv__TableProfile *b)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("tables");
    same_number(r, a->name, "", "rows", a->row_count, b->row_count);
    same_number(r, a->name, "", "duplicates", a->duplicate_row_count, b->duplicate_row_count);
    same_number(r, a->name, "", "columns", (int64_t)a->n_columns, (int64_t)b->n_columns);
    same_text(r, a->name, "", "delimiter", a->dialect->delimiter, b->dialect->delimiter);
    same_text(r, a->name, "", "encoding", a->dialect->encoding, b->dialect->encoding);
    for (size_t i = 0; i < a->n_columns && i < b->n_columns; i++)
        same_column(r, a->name, a->columns[i], b->columns[i]);
    same_text(r, a->name, "", "unique sets", sets_text(ctx, a), sets_text(ctx, b));
    same_dependencies(r, a, b);
    same_text(r, a->name, "", "remarks", remarks(ctx, a), remarks(ctx, b));
}
