#include "worker/profiling/plain.h"

#include "worker/profiling/datetime.h"
#include "worker/profiling/infer_class.h"

#include <string.h>

enum { MOST_DIGITS = 18 }; /* fit an int64 whatever they are */

/* Digits with at most one point after the first of them and groups of three before it: "1234.5", "1,234.50". */
typedef struct digits {
    uint64_t sum; /* of at most 19 digits */
    int zeros;    /* leading */
    int whole;    /* digits before the point */
    int fraction; /* digits behind it; 0 without a point */
    int first;    /* digits before the first group separator or point */
    bool grouped;
} digits_t;

static inline const char *take_run(const char *at, const char *end, uint64_t *sum)
{
    uint64_t all = *sum;
    for (unsigned digit; at < end && (digit = (unsigned char)*at - '0') < 10; at++)
        all = all * 10 + digit;
    *sum = all;
    return at;
}

static inline bool read_digits(const char *at, const char *end, char group, digits_t *out)
{
    *out = (digits_t){0};
    if (end - at > MOST_DIGITS + 1 || at == end)
        return false;
    const char *start = at;
    while (at < end && *at == '0')
        at++;
    out->zeros = (int)(at - start);
    at = take_run(at, end, &out->sum);
    out->first = out->whole = (int)(at - start);
    while (group && at < end && *at == group && out->first <= 3) {
        const char *run = at + 1;
        at = take_run(run, end, &out->sum);
        if (at - run != 3)
            return false;
        out->whole += 3;
        out->grouped = true;
    }
    if (at < end) {
        const char *run = at + 1;
        if (*at != '.' || run == end)
            return false;
        at = take_run(run, end, &out->sum);
        out->fraction = (int)(at - run);
    } else if (out->grouped) {
        return false; /* "1,234" may be a fraction: a matter for the long way */
    }
    return at == end && out->first > 0 && out->whole + out->fraction <= MOST_DIGITS;
}

static inline void describe(const digits_t *digits, const char *text, const parser_t *parser, bool bare,
                            value_class_t *class)
{
    number_class_t number = {.notations = 255};
    if (digits->grouped) {
        number.notations = 1U << NUMBER_COMMA_GROUPS;
        number.flags = NUMBER_GROUPED;
    } else if (digits->fraction) {
        number.notations = (uint8_t)(1U << NUMBER_POINT | 1U << NUMBER_COMMA_GROUPS |
                                     1U << NUMBER_BLANK_POINT | 1U << NUMBER_APOSTROPHE_POINT);
        if (digits->fraction == 3 && digits->first <= 3)
            number.notations |= 1U << NUMBER_POINT_GROUPS;
    } else if (bare) {
        number.flags = (uint16_t)class_whole_flags(text, (size_t)digits->whole);
    }
    number.currency = bare ? 0 : parser->currency;
    number.int_digits[0] = (uint8_t)(digits->whole - digits->zeros);
    number.int_digits[1] = (uint8_t)(digits->whole - digits->zeros + digits->fraction);
    number.frac_digits[0] = (uint8_t)digits->fraction;
    *class = class_of_number(&number);
}

static inline bool read_number(const parser_t *parser, const char *text, size_t length, value_class_t *class,
                               parsed_t *out)
{
    const char *at = text;
    if (parser->currency) {
        const char *mark = parser->number.currency[0];
        size_t n = parser->currency_length;
        if (length > n && *text == *mark && (n == 1 || memcmp(text, mark, n) == 0))
            at += n;
    }
    bool bare = at == text;
    digits_t digits;
    if (!read_digits(at, text + length, parser->number.group[0], &digits))
        return false;
    int scale = parser->type == NV__VALUE_TYPE__VALUE_TYPE_INT64 ? 0 : parser->scale;
    int shift = scale - digits.fraction;
    if (shift < 0 || digits.whole + scale > MOST_DIGITS ||
        (parser->type == NV__VALUE_TYPE__VALUE_TYPE_DECIMAL && digits.whole + scale > parser->precision))
        return false;
    describe(&digits, text, parser, bare, class);
    out->n = (int64_t)digits.sum * number_small_powers[shift];
    return true;
}

static inline bool read_iso(const parser_t *parser, const char *text, size_t length, value_class_t *class,
                            parsed_t *out)
{
    int64_t micros;
    if (length != parser->iso_length || !datetime_parse_iso(text, length, &micros) ||
        (length == 19 && text[10] != parser->iso_gap))
        return false;
    datetime_class_t iso = {.dates = 1U << DATETIME_YMD_DASH};
    if (length == 19) {
        iso.time = 2;
        iso.gap = text[10] == 'T';
    }
    *class = class_of_datetime(&iso);
    out->n = parser->type == NV__VALUE_TYPE__VALUE_TYPE_DATE ? micros / DATETIME_MICROS_PER_DAY : micros;
    return true;
}

bool plain_read(const parser_t *parser, const char *text, size_t length, value_class_t *class, parsed_t *out)
{
    bool taken;
    plain_read_all(parser, &(csv_field_t){text, length}, 1, class, out, &taken);
    return taken;
}

void plain_read_all(const parser_t *parser, const csv_field_t *fields, size_t n, value_class_t *classes,
                    parsed_t *values, bool *taken)
{
    const parser_t rule = *parser; /* a copy of our own: no store to the results can change it */
    switch (rule.plain ? rule.type : NV__VALUE_TYPE__VALUE_TYPE_UNSPECIFIED) {
    case NV__VALUE_TYPE__VALUE_TYPE_INT64:
    case NV__VALUE_TYPE__VALUE_TYPE_DECIMAL:
        for (size_t i = 0; i < n; i++)
            taken[i] = read_number(&rule, fields[i].text, fields[i].length, &classes[i], &values[i]);
        break;
    case NV__VALUE_TYPE__VALUE_TYPE_DATE:
    case NV__VALUE_TYPE__VALUE_TYPE_TIMESTAMP:
        for (size_t i = 0; i < n; i++)
            taken[i] = read_iso(&rule, fields[i].text, fields[i].length, &classes[i], &values[i]);
        break;
    default:
        memset(taken, 0, n * sizeof *taken);
    }
}
