/* From the texts of a column to its type and parse rule. Pure.
 *
 * Each value is classified by everything it could be (a set of date formats, a set of number notations, a known word);
 * `evidence` counts the distinct classes over all values, a few dozen at most. The decision looks at those counts only,
 * so it rests on every value of the column, in constant memory, and does not depend on their order.
 */
#ifndef WORKER_PROFILING_INFER_H
#define WORKER_PROFILING_INFER_H

#include "common/core/mem.h"
#include "nuvyn/profile.pb-c.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Everything a value could be; equal keys are treated alike. The digits are those of number_class_t in one word, so that a
 * class travels in two registers: put together byte by byte in memory, it would be waited for. */
typedef struct value_class {
    uint64_t key;
    uint64_t digits;
} value_class_t;

static inline uint64_t class_pack_digits(const uint8_t whole[2], const uint8_t fraction[2])
{
    return whole[0] | (uint64_t)whole[1] << 16 | (uint64_t)fraction[0] << 32 | (uint64_t)fraction[1] << 48;
}
/* Significant digits before and behind the separator; side 0: the point is decimal, 1: the comma is. */
static inline int class_int_digits(const value_class_t *class, int side)
{
    return (int)(class->digits >> (16 * side) & 255);
}
static inline int class_frac_digits(const value_class_t *class, int side)
{
    return (int)(class->digits >> (16 * side + 32) & 255);
}
/* No count of `a` is above that of `b`: four subtractions in one word, whose borrows show in the spare bytes. */
static inline bool class_digits_within(uint64_t a, uint64_t b)
{
    const uint64_t spare = UINT64_C(0x0100010001000100);
    return (((b | spare) - a) & spare) == spare;
}

/* Longer texts are taken for no number, date or word. */
enum { VALUE_CLASS_MAX = 120 };

/* text is trimmed and not empty. */
value_class_t value_classify(const char *text, size_t length);

typedef struct evidence_entry {
    value_class_t class; /* digits: the largest seen */
    int64_t count;
} evidence_entry_t;

/* Counted classes, hash table below ctx; start from zeros with ctx set. */
typedef struct evidence {
    nv_mem_t *ctx;
    evidence_entry_t *slots;
    size_t n_slots; /* power of two */
    size_t n_used;
    size_t last; /* the slot found last: classes come in runs */
} evidence_t;

void evidence_add_any(evidence_t *evidence, const value_class_t *class, int64_t count);
/* Most values are of the class of the one before, with no more digits than were seen. */
static inline void evidence_add(evidence_t *evidence, const value_class_t *class, int64_t count)
{
    if (evidence->n_used) {
        evidence_entry_t *last = &evidence->slots[evidence->last];
        if (last->class.key == class->key && class_digits_within(class->digits, last->class.digits)) {
            last->count += count;
            return;
        }
    }
    evidence_add_any(evidence, class, count);
}
void evidence_merge(evidence_t *into, const evidence_t *from);

typedef struct infer_hints {
    const char *name; /* of the column, may be NULL */
    int day_first;    /* what the table's other dates say: > 0 day before month, < 0 month first, 0 unknown */
} infer_hints_t;

typedef struct infer_result {
    Nv__ValueType type;
    int precision, scale;
    Nv__ParseRule *rule; /* below the ctx given */
    Nv__FormatCount **formats;
    size_t n_formats;
    bool leading_zeros;
    bool ambiguous_dates;   /* day and month could be swapped: no value of the column says */
    int64_t only_day_first; /* values that only day-first, only month-first explains */
    int64_t only_month_first;
    char *warning; /* NULL: nothing to say */
    int kept_kind; /* not 0: the column stays text although nearly all its values are of this kind, as the warning says */
} infer_result_t;

void infer_decide(nv_mem_t *ctx, const evidence_t *evidence, const infer_hints_t *hints, infer_result_t *out);

/* True when two results parse every text alike, but for the precision of decimals. */
bool infer_parses_as(const infer_result_t *a, const infer_result_t *b);

#endif
