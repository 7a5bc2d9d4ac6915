#include "worker/profiling/infer_class.h"

#include <string.h>

/* A column is told about when at least this share of its values has one kind and it stayed text all the same. */
static const double telling_share = 0.9;

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Digits and separators only: with 120 bytes of them it is a number, with more it is not looked at. */
static bool is_long_number(const char *text, size_t length)
{
    size_t at = text[0] == '-' || text[0] == '+';
    for (; at < length; at++)
        if (!is_digit(text[at]) && text[at] != '.' && text[at] != ',')
            return false;
    return true;
}

/* "CET", or "America/New_York". */
static bool is_zone_name(const char *text, size_t length)
{
    const char *slash = memchr(text, '/', length);
    bool capitals = length == 3 || length == 4;
    for (size_t i = 0; i < length; i++) {
        bool capital = text[i] >= 'A' && text[i] <= 'Z';
        if (!capital && !(text[i] >= 'a' && text[i] <= 'z') && text[i] != '/' && text[i] != '_')
            return false;
        capitals &= capital;
    }
    return capitals || (slash && slash > text && slash + 1 < text + length);
}

/* "2024-01-31 10:20[:30]", a blank, and the name of a time zone. */
static bool is_zone_named(const char *text, size_t length)
{
    static const char shape[] = "0000-00-00 00:00";
    enum { SHAPE = sizeof shape - 1 };
    if (length < SHAPE + 4 || !is_digit(text[0]))
        return false;
    for (size_t i = 0; i < SHAPE; i++)
        if (shape[i] == '0' ? !is_digit(text[i]) : text[i] != shape[i] && !(i == 10 && text[i] == 'T'))
            return false;
    size_t at = SHAPE;
    if (text[at] == ':' && is_digit(text[at + 1]) && is_digit(text[at + 2]))
        at += 3;
    return at < length && text[at] == ' ' && is_zone_name(text + at + 1, length - at - 1);
}

enum class_near class_near_of(const char *text, size_t length)
{
    if (length > VALUE_CLASS_MAX)
        return is_long_number(text, length) ? NEAR_LONG_NUMBER : NEAR_NOTHING;
    return is_zone_named(text, length) ? NEAR_ZONE_NAMED : NEAR_NOTHING;
}

static void tell_near(nv_mem_t *ctx, const infer_kinds_t *kinds, infer_result_t *out)
{
    long long large = kinds->near[NEAR_LONG_NUMBER];
    long long zoned = kinds->near[NEAR_ZONE_NAMED];
    long long infinite = kinds->infinite;
    if (zoned)
        out->warning =
            nv_printf(ctx,
                      "kept as text: %lld values name their time zone by letters, as \"2024-01-31 10:20:30 "
                      "CET\" does; only Z and offsets such as +02:00 are read",
                      zoned);
    else if (infinite >= large)
        out->warning = nv_printf(
            ctx, "kept as text: %lld values are infinite (\"inf\"), which no decimal holds", infinite);
    else
        out->warning =
            nv_printf(ctx, "kept as text: %lld numbers have more than %d characters", large, VALUE_CLASS_MAX);
}

void infer_tell_text(nv_mem_t *ctx, const infer_kinds_t *kinds, infer_result_t *out)
{
    int64_t near_number = kinds->infinite + kinds->near[NEAR_LONG_NUMBER];
    const struct {
        enum class_kind kind;
        int64_t count, near;
        const char *name;
    } candidates[] = {
        {CLASS_NUMBER, kinds->number, near_number, "numbers"},
        {CLASS_DATETIME, kinds->datetime, kinds->near[NEAR_ZONE_NAMED], "dates"},
        {CLASS_TIME, kinds->time, 0, "times of day"},
        {CLASS_WORD, kinds->boolean, 0, "yes or no"},
    };
    for (size_t i = 0; i < sizeof candidates / sizeof candidates[0]; i++) {
        int64_t alike = candidates[i].count + candidates[i].near;
        if (!alike || (double)alike < telling_share * (double)kinds->values)
            continue;
        if (candidates[i].near && candidates[i].near >= kinds->values - alike) {
            tell_near(ctx, kinds, out);
            return;
        }
        out->kept_kind = (int)candidates[i].kind;
        out->warning =
            nv_printf(ctx, "kept as text: only %lld of %lld values are %s", (long long)candidates[i].count,
                      (long long)kinds->values, candidates[i].name);
        return;
    }
}
