#include "worker/profiling/parser.h"

#include "worker/profiling/datetime.h"

#include <math.h>
#include <string.h>
#include <strings.h>

/* Numbers with a point and without groups or with commas between them; no null spelling looks like one. */
static bool is_plain(const parser_t *parser)
{
    const Nv__ParseRule *rule = parser->rule;
    char group = parser->number.group[0];
    for (size_t i = 0; i < rule->n_null_spellings; i++)
        if (rule->null_spellings[i][strspn(rule->null_spellings[i], "0123456789.,")] == '\0')
            return false;
    return parser->number.decimal == '.' && (!group || group == ',');
}

parser_t parser_make(Nv__ValueType type, int precision, int scale, const Nv__ParseRule *rule)
{
    parser_t out = {.type = type, .precision = precision, .scale = scale, .rule = rule};
    out.number = (number_rule_t){
        .decimal = rule->decimal_separator && rule->decimal_separator[0] ? rule->decimal_separator[0] : '.',
        .group = rule->group_separator ? rule->group_separator : "",
        .currency = (const char *const *)rule->currency_marks,
        .n_currency = rule->n_currency_marks,
        .percent = rule->percent,
        .parentheses = rule->negative_parentheses,
        .trailing_minus = rule->trailing_minus,
    };
    const char *first = rule->n_datetime_formats ? rule->datetime_formats[0] : "";
    if (strcmp(first, "%Y-%m-%d") == 0)
        out.iso_length = 10;
    else if (strcmp(first, "%Y-%m-%d %H:%M:%S") == 0 || strcmp(first, "%Y-%m-%dT%H:%M:%S") == 0)
        out.iso_length = 19;
    if (out.iso_length == 19)
        out.iso_gap = first[8];
    out.power = scale >= 0 && scale <= NUMBER_MAX_DIGITS ? (double)number_power(scale) : 1;
    out.plain = is_plain(&out);
    out.bare_notation = out.number.decimal == '.' && !out.number.group[0];
    for (size_t i = 0; out.number.n_currency == 1 && number_currency(i); i++)
        if (strcmp(number_currency(i), out.number.currency[0]) == 0)
            out.currency = (uint8_t)(i + 1);
    out.currency_length = out.currency ? (uint8_t)strlen(out.number.currency[0]) : 0;
    for (size_t i = 0; i < rule->n_null_spellings; i++) {
        size_t length = strlen(rule->null_spellings[i]);
        out.null_lengths |= UINT64_C(1) << (length < 63 ? length : 63);
    }
    return out;
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

bool text_trim_ends(const char **text, size_t *length)
{
    const char *at = *text;
    const char *end = at + *length;
    while (at < end && is_blank(*at))
        at++;
    while (at < end && is_blank(end[-1]))
        end--;
    bool cut = (size_t)(end - at) != *length;
    *text = at;
    *length = (size_t)(end - at);
    return cut;
}

static bool in_list(char *const *list, size_t n, const char *text, size_t length)
{
    for (size_t i = 0; i < n; i++)
        if (strlen(list[i]) == length && memcmp(list[i], text, length) == 0)
            return true;
    return false;
}

bool parser_is_null_spelling(const parser_t *parser, const char *text, size_t length)
{
    return in_list(parser->rule->null_spellings, parser->rule->n_null_spellings, text, length);
}

static bool in_list_any_case(char *const *list, size_t n, const char *text, size_t length)
{
    for (size_t i = 0; i < n; i++)
        if (strlen(list[i]) == length && strncasecmp(list[i], text, length) == 0)
            return true;
    return false;
}

static bool parse_boolean(const parser_t *parser, const char *text, size_t length, parsed_t *out)
{
    const Nv__ParseRule *rule = parser->rule;
    out->n = in_list_any_case(rule->true_spellings, rule->n_true_spellings, text, length);
    return out->n || in_list_any_case(rule->false_spellings, rule->n_false_spellings, text, length);
}

static bool parse_integer(const parser_t *parser, const char *text, size_t length, parsed_t *out)
{
    int scale;
    return number_parse(&parser->number, text, length, &out->n, &scale) && scale == 0 &&
           out->n <= INT64_MAX && out->n >= INT64_MIN;
}

static bool parse_decimal(const parser_t *parser, const char *text, size_t length, parsed_t *out)
{
    int scale;
    if (!number_parse(&parser->number, text, length, &out->n, &scale) || scale > parser->scale)
        return false;
    nv_int128_t limit = number_power(parser->precision - (parser->scale - scale));
    nv_int128_t size = out->n < 0 ? -out->n : out->n;
    if (size >= limit)
        return false;
    out->n *= number_power(parser->scale - scale);
    return true;
}

static bool parse_datetime(const parser_t *parser, const char *text, size_t length, parsed_t *out)
{
    int64_t micros;
    bool found = length == parser->iso_length && datetime_parse_iso(text, length, &micros) &&
                 (length == 10 || text[10] == parser->iso_gap);
    for (size_t i = 0; !found && i < parser->rule->n_datetime_formats; i++)
        found = datetime_parse(parser->rule->datetime_formats[i], text, length, &micros);
    if (!found)
        return false;
    out->n = parser->type == NV__VALUE_TYPE__VALUE_TYPE_DATE ? micros / DATETIME_MICROS_PER_DAY : micros;
    return true;
}

parse_status_t parser_parse(const parser_t *parser, const char *text, size_t length, parsed_t *out)
{
    const Nv__ParseRule *rule = parser->rule;
    if (rule->trim)
        text_trim(&text, &length);
    if (length == 0 || parser_is_null(parser, text, length))
        return PARSE_NULL;
    *out = (parsed_t){0};
    bool ok = true;
    switch (parser->type) {
    case NV__VALUE_TYPE__VALUE_TYPE_BOOLEAN:
        ok = parse_boolean(parser, text, length, out);
        break;
    case NV__VALUE_TYPE__VALUE_TYPE_INT64:
        ok = parse_integer(parser, text, length, out);
        break;
    case NV__VALUE_TYPE__VALUE_TYPE_DECIMAL:
        ok = parse_decimal(parser, text, length, out);
        break;
    case NV__VALUE_TYPE__VALUE_TYPE_DOUBLE:
        ok = number_parse_double(&parser->number, text, length, &out->d);
        break;
    case NV__VALUE_TYPE__VALUE_TYPE_DATE:
    case NV__VALUE_TYPE__VALUE_TYPE_TIMESTAMP:
    case NV__VALUE_TYPE__VALUE_TYPE_TIME:
        ok = parse_datetime(parser, text, length, out);
        break;
    default:
        break;
    }
    return ok ? PARSE_OK : PARSE_INVALID;
}

size_t parser_text(const parser_t *parser, const parsed_t *value, char *out)
{
    switch (parser->type) {
    case NV__VALUE_TYPE__VALUE_TYPE_BOOLEAN:
        memcpy(out, value->n ? "true" : "false", value->n ? 5 : 6);
        return strlen(out);
    case NV__VALUE_TYPE__VALUE_TYPE_DOUBLE:
        return number_double_text(value->d, out);
    case NV__VALUE_TYPE__VALUE_TYPE_DATE:
        return datetime_date_text((int64_t)value->n, out);
    case NV__VALUE_TYPE__VALUE_TYPE_TIMESTAMP:
        return datetime_timestamp_text((int64_t)value->n, out);
    case NV__VALUE_TYPE__VALUE_TYPE_TIME:
        return datetime_time_text((int64_t)value->n, out);
    default:
        return number_text(value->n, parser->scale, out);
    }
}

parsed_t parser_from_number(const parser_t *parser, double number)
{
    if (parser->type == NV__VALUE_TYPE__VALUE_TYPE_DOUBLE)
        return (parsed_t){.d = number};
    double scaled = number;
    if (parser->type == NV__VALUE_TYPE__VALUE_TYPE_DECIMAL)
        scaled *= (double)number_power(parser->scale);
    return (parsed_t){.n = (nv_int128_t)rint(scaled)};
}
