/* Text to typed values. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/config/internal.h"

typedef struct unit {
    const char *suffix;
    int64_t factor;
} unit_t;

static const unit_t duration_units[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
static const unit_t size_units[] = {{"B", 1},     {"KiB", 1024},   {"MiB", 1 << 20},  {"GiB", 1 << 30},
                                    {"k", 1024},  {"K", 1024},     {"M", 1 << 20},    {"G", 1 << 30},
                                    {"KB", 1000}, {"MB", 1000000}, {"GB", 1000000000}};
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const origin_names[] = {"unset", "default", ".env", "environment", "command line"};

const char *nv_config_origin_name(nv_origin_t origin)
{
    return origin_names[origin];
}

static bool has_range(const nv_option_t *option)
{
    return option->min != 0 || option->max != 0;
}

static void range_text(const nv_option_t *option, const char *kind, char *out, size_t size)
{
    if (has_range(option))
        snprintf(out, size, "%s from %" PRId64 " to %" PRId64, kind, option->min, option->max);
    else
        snprintf(out, size, "%s", kind);
}

void nv_config_expectation(const nv_option_t *option, char *out, size_t size)
{
    switch (option->type) {
    case NV_OPTION_INT:
        range_text(option, "an integer", out, size);
        break;
    case NV_OPTION_BOOL:
        snprintf(out, size, "true or false");
        break;
    case NV_OPTION_ENUM:
        snprintf(out, size, "one of %s", option->values);
        break;
    case NV_OPTION_DURATION:
        range_text(option, "a duration such as 250ms, 5s, 10m, in milliseconds", out, size);
        break;
    case NV_OPTION_SIZE:
        range_text(option, "a size such as 64KiB or 2GiB, in bytes", out, size);
        break;
    case NV_OPTION_STRING:
    case NV_OPTION_LIST:
        if (option->max > 0)
            snprintf(out, size, "%" PRId64 " to %" PRId64 " bytes of text", option->min, option->max);
        else
            snprintf(out, size, "a text");
        break;
    }
}

/* Decimal integer, all of `text` up to `*end`. */
static bool take_int(const char *text, int64_t *out, const char **end)
{
    if (!((*text >= '0' && *text <= '9') ||
          ((*text == '-' || *text == '+') && text[1] >= '0' && text[1] <= '9')))
        return false;
    errno = 0;
    char *stop;
    long long value = strtoll(text, &stop, 10);
    if (errno)
        return false;
    *out = value;
    *end = stop;
    return true;
}

static bool take_with_unit(const char *text, const unit_t *units, size_t n, int64_t *out)
{
    const char *end;
    if (!take_int(text, out, &end))
        return false;
    if (*end == '\0')
        return true;
    for (size_t i = 0; i < n; i++)
        if (strcmp(end, units[i].suffix) == 0)
            return !__builtin_mul_overflow(*out, units[i].factor, out);
    return false;
}

static bool take_bool(const char *text, int64_t *out)
{
    static const char *const words[] = {"false", "true", "0", "1", "no", "yes", "off", "on"};
    for (size_t i = 0; i < COUNT(words); i++)
        if (strcasecmp(text, words[i]) == 0) {
            *out = (int64_t)(i % 2);
            return true;
        }
    return false;
}

static bool in_values(const char *values, const char *text)
{
    size_t length = strlen(text);
    for (const char *at = values; length;) {
        const char *bar = strchr(at, '|');
        size_t n = bar ? (size_t)(bar - at) : strlen(at);
        if (n == length && memcmp(at, text, n) == 0)
            return true;
        if (!bar)
            return false;
        at = bar + 1;
    }
    return false;
}

static bool length_ok(const nv_option_t *option, const char *text)
{
    int64_t length = (int64_t)strlen(text);
    return option->max <= 0 || (length >= option->min && length <= option->max);
}

static bool take_list(nv_mem_t *ctx, const nv_option_t *option, const char *text, bool split,
                      nv_value_t *value)
{
    for (const char *at = text;;) {
        const char *comma = split ? strchr(at, ',') : NULL;
        const char *item = comma ? nv_strndup(ctx, at, (size_t)(comma - at)) : nv_strdup(ctx, at);
        if (*item) {
            if (!length_ok(option, item))
                return false;
            NV_PUSH(ctx, value->list, value->list_count, value->list_capacity) = item;
        }
        if (!comma)
            return true;
        at = comma + 1;
    }
}

static bool take(nv_mem_t *ctx, const nv_option_t *option, const char *text, nv_origin_t origin,
                 nv_value_t *value)
{
    int64_t *number = &value->number;
    const char *end;
    switch (option->type) {
    case NV_OPTION_INT:
        return take_int(text, number, &end) && *end == '\0';
    case NV_OPTION_DURATION:
        return take_with_unit(text, duration_units, COUNT(duration_units), number);
    case NV_OPTION_SIZE:
        return take_with_unit(text, size_units, COUNT(size_units), number) && *number >= 0;
    case NV_OPTION_BOOL:
        return take_bool(text, number);
    case NV_OPTION_ENUM:
        value->text = nv_strdup(ctx, text);
        return in_values(option->values, text);
    case NV_OPTION_STRING:
        value->text = nv_strdup(ctx, text);
        return length_ok(option, text);
    case NV_OPTION_LIST:
        return take_list(ctx, option, text, origin != NV_ORIGIN_COMMAND_LINE, value);
    }
    return false;
}

static bool is_number(nv_option_type_t type)
{
    return type == NV_OPTION_INT || type == NV_OPTION_DURATION || type == NV_OPTION_SIZE;
}

bool nv_config_value_parse(nv_mem_t *ctx, const nv_option_t *option, const char *text, nv_origin_t origin,
                           nv_value_t *value, nv_error_t *err)
{
    if (origin != value->origin || option->type != NV_OPTION_LIST)
        *value = (nv_value_t){.origin = origin};
    bool ok = take(ctx, option, text, origin, value);
    if (ok && is_number(option->type) && has_range(option))
        ok = value->number >= option->min && value->number <= option->max;
    if (ok)
        return true;
    char expected[256];
    nv_config_expectation(option, expected, sizeof expected);
    if (option->secret)
        return nv_fail(err, NV_INVALID_ARGUMENT,
                       "--%s (from the %s; its value is secret and not shown): expected %s", option->name,
                       nv_config_origin_name(origin), expected);
    return nv_fail(err, NV_INVALID_ARGUMENT, "--%s \"%.200s\" (from the %s): expected %s", option->name, text,
                   nv_config_origin_name(origin), expected);
}
