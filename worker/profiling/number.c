#include "worker/profiling/number.h"

#include "worker/profiling/datetime.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *decimal;
    const char *group;
} notations[NUMBER_N_NOTATIONS] = {{".", ""},  {",", ""},  {".", ","}, {",", "."},
                                   {".", " "}, {",", " "}, {".", "'"}, {",", "'"}};
/* Longer marks before their own parts ("US$" before "$"). */
static const char *const currencies[] = {"US$", "R$",  "A$",  "C$",  "$",   "€",   "£",   "¥",   "₹",   "₩",
                                         "USD", "EUR", "GBP", "CHF", "JPY", "CNY", "INR", "CAD", "AUD", "SEK",
                                         "NOK", "DKK", "PLN", "BRL", "MXN", "kr",  "zł",  "Rs"};
enum { N_CURRENCIES = sizeof currencies / sizeof currencies[0], MAX_SEPARATORS = 16 };

const char *number_decimal_separator(int notation)
{
    assert(notation >= 0 && notation < NUMBER_N_NOTATIONS);
    return notations[notation].decimal;
}

const char *number_group_separator(int notation)
{
    assert(notation >= 0 && notation < NUMBER_N_NOTATIONS);
    return notations[notation].group;
}

const char *number_currency(size_t index)
{
    return index < N_CURRENCIES ? currencies[index] : NULL;
}

/* A stretch of text that the strip_ functions shorten from both ends. */
typedef struct span {
    const char *at;
    const char *end;
} span_t;

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void strip_blanks_before(span_t *span)
{
    while (span->at < span->end && *span->at == ' ')
        span->at++;
}

static void strip_blanks_behind(span_t *span)
{
    while (span->at < span->end && span->end[-1] == ' ')
        span->end--;
}

static bool strip_parentheses(span_t *span)
{
    if (span->end - span->at < 3 || *span->at != '(' || span->end[-1] != ')')
        return false;
    span->at++;
    span->end--;
    return true;
}

static bool strip_trailing_minus(span_t *span)
{
    if (span->end - span->at < 2 || span->end[-1] != '-')
        return false;
    span->end--;
    return true;
}

/* A sign before the number; returns -1, 1, or 0 where there was none. */
static int strip_sign(span_t *span)
{
    if (span->at == span->end || (*span->at != '-' && *span->at != '+'))
        return 0;
    return *span->at++ == '-' ? -1 : 1;
}

static bool strip_mark(span_t *span, const char *mark)
{
    if (span->at == span->end)
        return false;
    size_t n = strlen(mark);
    bool may = *span->at == mark[0] || span->end[-1] == mark[n - 1];
    size_t have = (size_t)(span->end - span->at);
    if (!may || have <= n)
        return false;
    if (memcmp(span->at, mark, n) == 0) {
        span->at += n;
        strip_blanks_before(span);
    } else if (memcmp(span->end - n, mark, n) == 0) {
        span->end -= n;
        strip_blanks_behind(span);
    } else {
        return false;
    }
    return true;
}

static bool strip_percent(span_t *span)
{
    if (span->end - span->at < 2 || span->end[-1] != '%')
        return false;
    span->end--;
    strip_blanks_behind(span);
    return true;
}

static uint8_t strip_any_currency(span_t *span)
{
    if (span->at == span->end || (is_digit(*span->at) && is_digit(span->end[-1])))
        return 0;
    for (size_t i = 0; i < N_CURRENCIES; i++)
        if (strip_mark(span, currencies[i]))
            return (uint8_t)(i + 1);
    return 0;
}

/* The digits between separators: first run, then (separator, run) pairs. */
typedef struct shape {
    int first; /* digits before any separator */
    int zeros; /* leading zeros of the first run */
    int count; /* separators */
    char separator[MAX_SEPARATORS];
    int run[MAX_SEPARATORS];
    bool exponent;
} shape_t;

static bool read_exponent(span_t *span)
{
    if (span->at == span->end || (*span->at | 0x20) != 'e')
        return false;
    span->at++;
    strip_sign(span);
    int digits = 0;
    while (span->at < span->end && is_digit(*span->at)) {
        span->at++;
        digits++;
    }
    return digits >= 1 && digits <= 3;
}

static bool read_shape(span_t span, shape_t *out)
{
    *out = (shape_t){0};
    const char *start = span.at;
    while (span.at < span.end && is_digit(*span.at))
        span.at++;
    out->first = (int)(span.at - start);
    while (out->zeros < out->first && start[out->zeros] == '0')
        out->zeros++;
    while (span.at < span.end && strchr(".,' ", *span.at) && *span.at) {
        if (out->count == MAX_SEPARATORS)
            return false;
        out->separator[out->count] = *span.at++;
        const char *run = span.at;
        while (span.at < span.end && is_digit(*span.at))
            span.at++;
        out->run[out->count] = (int)(span.at - run);
        if (out->run[out->count++] == 0)
            return false;
    }
    if (out->first == 0 && out->count == 0)
        return false;
    out->exponent = span.at < span.end;
    return !out->exponent || (read_exponent(&span) && span.at == span.end);
}

/* Does the shape follow the notation, with groups of exactly three digits, or of two before the last one, as in India
 * ("1,23,456")? */
static bool fits(const shape_t *shape, int notation)
{
    int groups = shape->count;
    if (groups && shape->separator[groups - 1] == notations[notation].decimal[0])
        groups--;
    if (groups == 0)
        return true;
    int size = notation == NUMBER_COMMA_GROUPS && groups > 1 && shape->run[0] == 2 ? 2 : 3;
    if (shape->first < 1 || shape->first > size)
        return false;
    for (int i = 0; i < groups; i++)
        if (shape->separator[i] != notations[notation].group[0] ||
            shape->run[i] != (i == groups - 1 ? 3 : size))
            return false;
    return true;
}

static uint8_t clip(int value)
{
    return (uint8_t)(value > 255 ? 255 : value);
}

static void count_digits(const shape_t *shape, char decimal, uint8_t *whole, uint8_t *fraction)
{
    int digits = shape->first - shape->zeros;
    int frac = 0;
    for (int i = 0; i < shape->count; i++) {
        if (i == shape->count - 1 && shape->separator[i] == decimal)
            frac = shape->run[i];
        else
            digits += shape->run[i];
    }
    *whole = clip(digits);
    *fraction = clip(frac);
}

static bool over_int64(span_t span, int digits, bool negative)
{
    if (digits != 19)
        return digits > 19;
    const char *limit = negative ? "9223372036854775808" : "9223372036854775807";
    return memcmp(span.end - 19, limit, 19) > 0;
}

static bool is_ymd(span_t span)
{
    const char *s = span.at;
    int year = (s[0] - '0') * 1000 + (s[1] - '0') * 100 + (s[2] - '0') * 10 + (s[3] - '0');
    return year >= 1900 && year <= 2100 &&
           datetime_exists(year, (s[4] - '0') * 10 + s[5] - '0', (s[6] - '0') * 10 + s[7] - '0');
}

static uint16_t integer_flags(span_t body, const shape_t *shape, bool negative, bool bare)
{
    uint16_t flags = 0;
    if (over_int64(body, shape->first - shape->zeros, negative))
        flags |= NUMBER_OVER_INT64;
    if (!bare)
        return flags;
    if (shape->first > 1 && shape->zeros)
        flags |= NUMBER_LEADING_ZERO;
    if (shape->first == 1 && *body.at <= '1')
        flags |= NUMBER_ZERO_ONE;
    if (shape->first == 8 && is_ymd(body))
        flags |= NUMBER_YMD;
    return flags;
}

/* A number has a digit, and no more bytes of other kinds than a currency mark; decides most texts at their first bytes. */
static bool may_be_number(const char *text, size_t length)
{
    int strange = 0;
    bool digit = false;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        if (is_digit(c))
            digit = true;
        else if (!(c >= ' ' && c <= '.') && (c | 0x20) != 'e' && ++strange > 3)
            return false;
    }
    return digit;
}

bool number_classify(const char *text, size_t length, number_class_t *out)
{
    *out = (number_class_t){0};
    if (length == 0 || !may_be_number(text, length))
        return false;
    span_t span = {text, text + length};
    if (strip_parentheses(&span))
        out->flags |= NUMBER_PARENTHESES;
    else if (strip_trailing_minus(&span))
        out->flags |= NUMBER_TRAILING_MINUS;
    int sign = strip_sign(&span);
    out->currency = strip_any_currency(&span);
    if (out->currency && !out->flags && strip_parentheses(&span))
        out->flags |= NUMBER_PARENTHESES;
    if (out->currency && !sign)
        sign = strip_sign(&span);
    bool negative = out->flags != 0;
    if (sign && negative)
        return false;
    if (strip_percent(&span))
        out->flags |= NUMBER_PERCENT;
    shape_t shape;
    if (!read_shape(span, &shape))
        return false;
    for (int i = 0; i < NUMBER_N_NOTATIONS; i++)
        if (fits(&shape, i))
            out->notations |= (uint8_t)(1U << i);
    if (shape.exponent)
        out->flags |= NUMBER_EXPONENT;
    if (shape.count == 0 && !shape.exponent)
        out->flags |=
            integer_flags(span, &shape, negative || sign < 0, (size_t)(span.end - span.at) == length);
    if (shape.count && !(out->notations & (1U << NUMBER_POINT | 1U << NUMBER_COMMA)))
        out->flags |= NUMBER_GROUPED;
    count_digits(&shape, '.', &out->int_digits[0], &out->frac_digits[0]);
    count_digits(&shape, ',', &out->int_digits[1], &out->frac_digits[1]);
    return out->notations != 0;
}

/* Takes off what the rule names around the digits; *sign gets -1 or 1. False where the sign is told twice. */
static bool strip_by_rule(const number_rule_t *rule, span_t *span, int *sign)
{
    bool negative = (rule->parentheses && strip_parentheses(span)) ||
                    (rule->trailing_minus && strip_trailing_minus(span));
    int explicit_sign = strip_sign(span);
    size_t mark = 0;
    while (mark < rule->n_currency && !strip_mark(span, rule->currency[mark]))
        mark++;
    if (mark < rule->n_currency && rule->parentheses && !negative)
        negative = strip_parentheses(span);
    if (!explicit_sign && rule->n_currency)
        explicit_sign = strip_sign(span);
    if (rule->percent)
        strip_percent(span);
    *sign = negative ? -1 : explicit_sign ? explicit_sign : 1;
    return !negative || !explicit_sign;
}

const int64_t number_small_powers[19] = {1,
                                         10,
                                         100,
                                         1000,
                                         10000,
                                         100000,
                                         1000000,
                                         10000000,
                                         100000000,
                                         1000000000,
                                         10000000000,
                                         100000000000,
                                         1000000000000,
                                         10000000000000,
                                         100000000000000,
                                         1000000000000000,
                                         10000000000000000,
                                         100000000000000000,
                                         1000000000000000000};

nv_int128_t number_power(int n)
{
    assert(n >= 0 && n <= NUMBER_MAX_DIGITS);
    if (n <= 18)
        return number_small_powers[n];
    return (nv_int128_t)number_small_powers[18] * number_power(n - 18);
}

/* Up to 18 digits with at most one decimal separator between them: the common case, without the rule's machinery. */
static bool parse_plain(const char *text, size_t length, char decimal, nv_int128_t *mantissa, int *scale)
{
    if (length == 0 || length > 19 || !is_digit(text[0]) || !is_digit(text[length - 1]))
        return false;
    uint64_t sum = 0;
    size_t point = length - 1;
    for (size_t i = 0; i < length; i++) {
        if (is_digit(text[i]))
            sum = sum * 10 + (uint64_t)(text[i] - '0');
        else if (text[i] == decimal && point == length - 1)
            point = i;
        else
            return false;
    }
    if (length == 19 && point == length - 1)
        return false;
    *mantissa = (nv_int128_t)sum;
    *scale = (int)(length - 1 - point);
    return true;
}

bool number_parse(const number_rule_t *rule, const char *text, size_t length, nv_int128_t *mantissa,
                  int *scale)
{
    *scale = 0;
    if (parse_plain(text, length, rule->decimal, mantissa, scale))
        return true;
    span_t span = {text, text + length};
    int sign;
    if (!strip_by_rule(rule, &span, &sign))
        return false;
    nv_int128_t sum = 0;
    int digits = 0;
    int seen = 0;
    bool fraction = false;
    for (; span.at < span.end; span.at++) {
        char c = *span.at;
        if (is_digit(c)) {
            sum = sum * 10 + (c - '0');
            digits += sum != 0;
            if (digits > NUMBER_MAX_DIGITS)
                return false;
            *scale += fraction;
            seen++;
        } else if (c == rule->decimal && !fraction && span.at + 1 < span.end) {
            fraction = true;
        } else if (fraction || !seen || !rule->group[0] || c != rule->group[0]) {
            return false;
        }
    }
    *mantissa = sign < 0 ? -sum : sum;
    return seen > 0 && *scale <= NUMBER_MAX_DIGITS;
}

bool number_parse_double(const number_rule_t *rule, const char *text, size_t length, double *out)
{
    span_t span = {text, text + length};
    int sign;
    if (!strip_by_rule(rule, &span, &sign))
        return false;
    char buffer[128];
    size_t n = 0;
    if (span.at == span.end || (!is_digit(*span.at) && *span.at != rule->decimal))
        return false;  /* strtod would take "inf" and "0x1" */
    bool whole = true; /* groups are of the whole digits */
    for (; span.at < span.end; span.at++) {
        char c = *span.at;
        if (whole && n && rule->group[0] && c == rule->group[0])
            continue;
        whole &= is_digit(c);
        if (c == rule->decimal)
            c = '.';
        else if (!is_digit(c) && c != '-' && c != '+' && (c | 0x20) != 'e')
            return false;
        if (n == sizeof buffer - 1)
            return false;
        buffer[n++] = c;
    }
    buffer[n] = '\0';
    char *end;
    *out = sign * strtod(buffer, &end);
    return n > 0 && end == buffer + n && isfinite(*out);
}

size_t number_text(nv_int128_t mantissa, int scale, char *out)
{
    unsigned __int128 size = mantissa < 0 ? -(unsigned __int128)mantissa : (unsigned __int128)mantissa;
    char all[NUMBER_TEXT_MAX];
    char *const end = all + sizeof all;
    char *at = end;
    bool shown = scale == 0; /* zeros at the end of a fraction are not */
    do {                     /* from the last digit to the first, one before the point at least */
        int digit = size > UINT64_MAX ? (int)(size % 10) : (int)((uint64_t)size % 10);
        size = size > UINT64_MAX ? size / 10 : (uint64_t)size / 10;
        shown |= digit != 0;
        if (shown)
            *--at = (char)('0' + digit);
        if (--scale == 0) {
            if (shown)
                *--at = '.';
            shown = true;
        }
    } while (size || scale >= 0);
    if (mantissa < 0)
        *--at = '-';
    size_t length = (size_t)(end - at);
    memcpy(out, at, length);
    out[length] = '\0';
    return length;
}

size_t number_double_text(double value, char *out)
{
    for (int precision = 15; precision <= 17; precision++) {
        snprintf(out, NUMBER_TEXT_MAX, "%.*g", precision, value);
        if (strtod(out, NULL) == value)
            break;
    }
    return strlen(out);
}
