/* Internal to inference: how a value's class is laid out in its 64-bit key, and the deciders by kind. */
#ifndef WORKER_PROFILING_INFER_CLASS_H
#define WORKER_PROFILING_INFER_CLASS_H

#include "worker/profiling/datetime.h"
#include "worker/profiling/infer.h"
#include "worker/profiling/number.h"
#include "worker/profiling/words.h"

/* Bits 0-3 kind. TEXT: 8-11 near. NUMBER: 8-15 notations, 16-31 flags, 32-39 currency. DATETIME and TIME: 8-31 dates, 32-35 time,
 * 36-37 gap, 38-39 zone. WORD: 8-15 word, 16-19 word kind. Key 0 is an empty slot. */
enum class_kind { CLASS_EMPTY, CLASS_TEXT, CLASS_NUMBER, CLASS_DATETIME, CLASS_TIME, CLASS_WORD };

/* What a text would be, were it written a little differently. */
enum class_near { NEAR_NOTHING, NEAR_ZONE_NAMED, NEAR_LONG_NUMBER, NEAR_KINDS };

static inline enum class_kind class_kind(uint64_t key)
{
    return (enum class_kind)(key & 15);
}
static inline unsigned class_notations(uint64_t key)
{
    return (unsigned)(key >> 8) & 255;
}
static inline unsigned class_number_flags(uint64_t key)
{
    return (unsigned)(key >> 16) & 0xFFFF;
}
static inline unsigned class_currency(uint64_t key)
{
    return (unsigned)(key >> 32) & 255;
}
static inline datetime_class_t class_datetime(uint64_t key)
{
    return (datetime_class_t){.dates = (uint32_t)(key >> 8) & 0xFFFFFF,
                              .time = (uint8_t)(key >> 32 & 15),
                              .gap = (uint8_t)(key >> 36 & 3),
                              .zone = (uint8_t)(key >> 38 & 3)};
}
static inline size_t class_word(uint64_t key)
{
    return key >> 8 & 255;
}
static inline enum word_kind class_word_kind(uint64_t key)
{
    return (enum word_kind)(key >> 16 & 15);
}

static inline value_class_t class_of_number(const number_class_t *number)
{
    return (value_class_t){.key = CLASS_NUMBER | (uint64_t)number->notations << 8 |
                                  (uint64_t)number->flags << 16 | (uint64_t)number->currency << 32,
                           .digits = class_pack_digits(number->int_digits, number->frac_digits)};
}
static inline enum class_near class_near(uint64_t key)
{
    return (enum class_near)(key >> 8 & 15);
}
enum class_near class_near_of(const char *text, size_t length);
value_class_t class_of_datetime(const datetime_class_t *class);
/* Flags of a text of digits only. */
unsigned class_whole_flags(const char *text, size_t length);

/* Each fills type, rule, formats and warning of out. plain: eight-digit numbers are dates here. */
void infer_datetime(nv_mem_t *ctx, const evidence_t *evidence, const infer_hints_t *hints, bool plain,
                    infer_result_t *out);
void infer_time(nv_mem_t *ctx, const evidence_t *evidence, infer_result_t *out);
/* Returns how many values the chosen notation reads; 0 where none can (too many digits). */
int64_t infer_number(nv_mem_t *ctx, const evidence_t *evidence, infer_result_t *out);

/* How many values of a column that stays text are of which kind; nulls are not among them. */
typedef struct infer_kinds {
    int64_t values, number, datetime, time, boolean, infinite;
    int64_t near[NEAR_KINDS];
} infer_kinds_t;
/* Sets the warning where nearly all values have one kind: what keeps the column from it. */
void infer_tell_text(nv_mem_t *ctx, const infer_kinds_t *kinds, infer_result_t *out);

/* Adds to the list of formats seen, by name. */
void infer_add_format(nv_mem_t *ctx, infer_result_t *out, const char *format, int64_t count);
void infer_add_string(nv_mem_t *ctx, char ***list, size_t *n, const char *text);

#endif
