#include "worker/profiling/infer_class.h"

#include <string.h>

_Static_assert(DATETIME_N_DATES <= 24, "a date set is 24 bits of the key");

static uint64_t datetime_key(enum class_kind kind, const datetime_class_t *class)
{
    return (uint64_t)kind | (uint64_t) class->dates << 8 | (uint64_t) class->time << 32 |
           (uint64_t) class->gap << 36 | (uint64_t) class->zone << 38;
}

unsigned class_whole_flags(const char *text, size_t length)
{
    unsigned flags = length > 1 && text[0] == '0' ? NUMBER_LEADING_ZERO : 0;
    if (length == 1 && text[0] <= '1')
        flags |= NUMBER_ZERO_ONE;
    if (length != 8)
        return flags;
    datetime_class_t unused;
    char dashed[10];
    memcpy(dashed, text, 4);
    dashed[4] = dashed[7] = '-';
    memcpy(dashed + 5, text + 4, 2);
    memcpy(dashed + 8, text + 6, 2);
    bool century =
        (text[0] == '1' || text[0] == '2') && memcmp(text, "1900", 4) >= 0 && memcmp(text, "2100", 4) <= 0;
    return flags | (century && datetime_classify(dashed, sizeof dashed, &unused) ? NUMBER_YMD : 0);
}

static inline size_t skip_digits(const char *text, size_t at, size_t length)
{
    while (at < length && (unsigned char)(text[at] - '0') < 10)
        at++;
    return at;
}

/* What number_classify says, for up to 18 digits with at most one point between them: the most common values. */
static bool plain_number(const char *text, size_t length, value_class_t *out)
{
    if (length == 0 || length > 18)
        return false;
    size_t zeros = 0;
    while (zeros < length && text[zeros] == '0')
        zeros++;
    size_t point = skip_digits(text, zeros, length);
    if (point == 0 || (point < length && (text[point] != '.' || point + 1 == length ||
                                          skip_digits(text, point + 1, length) != length)))
        return false;
    number_class_t number = {.notations = 255};
    size_t fraction = point < length ? length - point - 1 : 0;
    if (fraction) {
        bool group = fraction == 3 && point <= 3;
        number.notations =
            (uint8_t)(1U << NUMBER_POINT | 1U << NUMBER_COMMA_GROUPS | 1U << NUMBER_BLANK_POINT |
                      1U << NUMBER_APOSTROPHE_POINT | (unsigned)group << NUMBER_POINT_GROUPS);
    } else {
        number.flags = (uint16_t)class_whole_flags(text, length);
    }
    number.int_digits[0] = (uint8_t)(point - zeros);
    number.int_digits[1] = (uint8_t)(point - zeros + fraction);
    number.frac_digits[0] = (uint8_t)fraction;
    *out = class_of_number(&number);
    return true;
}

value_class_t class_of_datetime(const datetime_class_t *class)
{
    return (value_class_t){.key = datetime_key(CLASS_DATETIME, class)};
}

/* Bytes that stand in no number, date, time or word of ours. */
static bool is_foreign(char c)
{
    static const bool foreign[256] = {
        ['@'] = true, ['_'] = true, ['='] = true, ['&'] = true, [';'] = true, ['{'] = true, ['}'] = true,
        ['"'] = true, ['`'] = true, ['~'] = true, ['|'] = true, ['*'] = true, ['^'] = true};
    return foreign[(unsigned char)c];
}

/* Texts that are too long, or that end or go on in a way that no number, date or word of ours does. */
static bool surely_text(const char *text, size_t length)
{
    unsigned char last = (unsigned char)text[length - 1];
    bool tail = (last >= '0' && last <= '9') || last == '%' || last == ')' || last == '-' || last == 'Z' ||
                last == 'M' || last == 'm';
    if (length > VALUE_CLASS_MAX || (length > 19 && !tail))
        return true;
    for (size_t i = 0; i < length; i++)
        if (is_foreign(text[i]))
            return true;
    return false;
}

static value_class_t class_of_text(const char *text, size_t length)
{
    return (value_class_t){.key = CLASS_TEXT | (uint64_t)class_near_of(text, length) << 8};
}

value_class_t value_classify(const char *text, size_t length)
{
    value_class_t out = {0};
    if (plain_number(text, length, &out))
        return out;
    if (surely_text(text, length))
        return class_of_text(text, length);
    datetime_class_t class;
    bool iso = (length == 10 || length == 19) && text[4] == '-' && text[7] == '-';
    if (iso && datetime_classify(text, length, &class)) {
        return class_of_datetime(&class);
    }
    size_t word;
    enum word_kind kind = word_find(text, length, &word);
    if (kind != WORD_NONE) {
        out.key = CLASS_WORD | (uint64_t)word << 8 | (uint64_t)kind << 16;
        return out;
    }
    number_class_t number;
    if (number_classify(text, length, &number))
        return class_of_number(&number);
    if (datetime_classify(text, length, &class)) {
        return class_of_datetime(&class);
    }
    class = (datetime_class_t){0};
    if (!datetime_classify_time(text, length, &class.time))
        return class_of_text(text, length);
    out.key = datetime_key(CLASS_TIME, &class);
    return out;
}

static size_t slot_of(uint64_t key, size_t n_slots)
{
    key ^= key >> 32;
    key *= UINT64_C(0x9E3779B97F4A7C15);
    return (size_t)(key >> 32) & (n_slots - 1);
}

static evidence_entry_t *find(evidence_entry_t *slots, size_t n_slots, uint64_t key)
{
    size_t at = slot_of(key, n_slots);
    while (slots[at].count && slots[at].class.key != key)
        at = (at + 1) & (n_slots - 1);
    return &slots[at];
}

static void grow(evidence_t *evidence)
{
    size_t n_slots = evidence->n_slots ? evidence->n_slots * 2 : 16;
    evidence_entry_t *slots = NV_NEW_ARRAY(evidence->ctx, evidence_entry_t, n_slots);
    for (size_t i = 0; i < evidence->n_slots; i++)
        if (evidence->slots[i].count)
            *find(slots, n_slots, evidence->slots[i].class.key) = evidence->slots[i];
    nv_mem_free(evidence->slots);
    evidence->slots = slots;
    evidence->n_slots = n_slots;
    evidence->last = 0;
}

/* The larger of each count. */
static uint64_t widest(uint64_t a, uint64_t b)
{
    uint64_t out = 0;
    for (int shift = 0; shift < 64; shift += 16) {
        uint64_t x = a >> shift & 255;
        uint64_t y = b >> shift & 255;
        out |= (x > y ? x : y) << shift;
    }
    return out;
}

void evidence_add_any(evidence_t *evidence, const value_class_t *class, int64_t count)
{
    if (evidence->n_used * 2 >= evidence->n_slots)
        grow(evidence);
    evidence_entry_t *entry = evidence->n_used && evidence->slots[evidence->last].class.key == class->key
                                  ? &evidence->slots[evidence->last]
                                  : find(evidence->slots, evidence->n_slots, class->key);
    if (!entry->count) {
        evidence->n_used++;
        entry->class = *class;
    }
    evidence->last = (size_t)(entry - evidence->slots);
    entry->count += count;
    entry->class.digits = widest(entry->class.digits, class->digits);
}

void evidence_merge(evidence_t *into, const evidence_t *from)
{
    for (size_t i = 0; i < from->n_slots; i++)
        if (from->slots[i].count)
            evidence_add(into, &from->slots[i].class, from->slots[i].count);
}
