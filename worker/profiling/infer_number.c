#include "worker/profiling/infer_class.h"

#include <string.h>

/* Ties go to the earlier: the notation that assumes least. */
static const int preference[NUMBER_N_NOTATIONS] = {
    NUMBER_POINT,
    NUMBER_COMMA_GROUPS,
    NUMBER_COMMA,
    NUMBER_POINT_GROUPS,
    NUMBER_BLANK_POINT,
    NUMBER_BLANK_COMMA,
    NUMBER_APOSTROPHE_POINT,
    NUMBER_APOSTROPHE_COMMA,
};

static bool is_number(const evidence_entry_t *e)
{
    return e->count && class_kind(e->class.key) == CLASS_NUMBER;
}

static int64_t coverage(const evidence_t *evidence, int notation)
{
    int64_t sum = 0;
    for (size_t i = 0; i < evidence->n_slots; i++)
        if (is_number(&evidence->slots[i]) && class_notations(evidence->slots[i].class.key) >> notation & 1)
            sum += evidence->slots[i].count;
    return sum;
}

static int best_notation(const evidence_t *evidence, int64_t *covered)
{
    int best = NUMBER_POINT;
    *covered = 0;
    for (size_t i = 0; i < NUMBER_N_NOTATIONS; i++) {
        int64_t sum = coverage(evidence, preference[i]);
        if (sum > *covered) {
            *covered = sum;
            best = preference[i];
        }
    }
    return best;
}

/* Two notations read every number, but not alike: "1,234" is 1234 or 1.234 and no value tells which. */
static bool ambiguous(const evidence_t *evidence, int64_t covered, int chosen)
{
    int other = chosen == NUMBER_COMMA_GROUPS ? NUMBER_COMMA
                : chosen == NUMBER_POINT      ? NUMBER_POINT_GROUPS
                                              : -1;
    if (other < 0 || coverage(evidence, other) != covered)
        return false;
    for (size_t i = 0; i < evidence->n_slots; i++) {
        const evidence_entry_t *e = &evidence->slots[i];
        if (is_number(e) && class_frac_digits(&e->class, 0) + class_frac_digits(&e->class, 1) > 0)
            return true;
    }
    return false;
}

typedef struct widths {
    int whole, fraction;
    bool exponent, over_int64;
    unsigned flags;
    uint32_t currencies;
} widths_t;

static widths_t measure(const evidence_t *evidence, int notation)
{
    widths_t out = {0};
    int side = number_decimal_separator(notation)[0] == ',';
    for (size_t i = 0; i < evidence->n_slots; i++) {
        const evidence_entry_t *e = &evidence->slots[i];
        if (!is_number(e) || !(class_notations(e->class.key) >> notation & 1))
            continue;
        int whole = class_int_digits(&e->class, side);
        int fraction = class_frac_digits(&e->class, side);
        out.whole = whole > out.whole ? whole : out.whole;
        out.fraction = fraction > out.fraction ? fraction : out.fraction;
        out.flags |= class_number_flags(e->class.key);
        if (class_currency(e->class.key))
            out.currencies |= 1U << (class_currency(e->class.key) - 1);
    }
    return out;
}

static void count_marks(nv_mem_t *ctx, const evidence_t *evidence, infer_result_t *out)
{
    for (size_t i = 0; i < evidence->n_slots; i++) {
        const evidence_entry_t *e = &evidence->slots[i];
        if (!is_number(e))
            continue;
        unsigned currency = class_currency(e->class.key);
        unsigned flags = class_number_flags(e->class.key);
        if (currency)
            infer_add_format(ctx, out, number_currency(currency - 1), e->count);
        if (flags & NUMBER_PERCENT)
            infer_add_format(ctx, out, "%", e->count);
        if (flags & NUMBER_PARENTHESES)
            infer_add_format(ctx, out, "()", e->count);
        if (flags & NUMBER_TRAILING_MINUS)
            infer_add_format(ctx, out, "-", e->count);
    }
}

int64_t infer_number(nv_mem_t *ctx, const evidence_t *evidence, infer_result_t *out)
{
    int64_t covered;
    int notation = best_notation(evidence, &covered);
    widths_t widths = measure(evidence, notation);
    Nv__ParseRule *rule = out->rule;
    rule->decimal_separator = nv_strdup(ctx, number_decimal_separator(notation));
    rule->group_separator = nv_strdup(ctx, number_group_separator(notation));
    rule->percent = (widths.flags & NUMBER_PERCENT) != 0;
    rule->negative_parentheses = (widths.flags & NUMBER_PARENTHESES) != 0;
    rule->trailing_minus = (widths.flags & NUMBER_TRAILING_MINUS) != 0;
    for (size_t i = 0; number_currency(i); i++)
        if (widths.currencies >> i & 1)
            infer_add_string(ctx, &rule->currency_marks, &rule->n_currency_marks, number_currency(i));
    count_marks(ctx, evidence, out);
    int whole = widths.whole ? widths.whole : 1;
    bool fits_decimal = whole + widths.fraction <= NUMBER_MAX_DIGITS;
    if (widths.flags & NUMBER_EXPONENT || (widths.fraction && !fits_decimal))
        out->type = NV__VALUE_TYPE__VALUE_TYPE_DOUBLE;
    else if (!fits_decimal)
        return 0;
    else if (!widths.fraction && !(widths.flags & NUMBER_OVER_INT64) && whole <= 19)
        out->type = NV__VALUE_TYPE__VALUE_TYPE_INT64;
    else {
        out->type = NV__VALUE_TYPE__VALUE_TYPE_DECIMAL;
        out->precision = whole + widths.fraction;
        out->scale = widths.fraction;
    }
    if (widths.fraction && !fits_decimal && !(widths.flags & NUMBER_EXPONENT))
        out->warning = nv_printf(ctx,
                                 "its numbers need %d digits, more than a decimal's %d: read as floating "
                                 "point, which keeps about 15 of them",
                                 whole + widths.fraction, NUMBER_MAX_DIGITS);
    else if (ambiguous(evidence, covered, notation))
        out->warning = nv_printf(
            ctx, "\"%s\" is read as %s separator; no value of the column shows otherwise",
            notation == NUMBER_POINT ? "." : ",", notation == NUMBER_POINT ? "the decimal" : "a thousands");
    return covered;
}
