/* Numbers in text: which notations a text may be, and parsing by one notation. Pure; integers never pass a double. */
#ifndef WORKER_PROFILING_NUMBER_H
#define WORKER_PROFILING_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef __int128 nv_int128_t;

enum { NUMBER_MAX_DIGITS = 38, NUMBER_TEXT_MAX = 64 };

/* Notations: decimal separator and group separator. A plain integer fits all of them. */
enum number_notation {
    NUMBER_POINT,            /* 1234.5 */
    NUMBER_COMMA,            /* 1234,5 */
    NUMBER_COMMA_GROUPS,     /* 1,234.5 */
    NUMBER_POINT_GROUPS,     /* 1.234,5 */
    NUMBER_BLANK_POINT,      /* 1 234.5 */
    NUMBER_BLANK_COMMA,      /* 1 234,5 */
    NUMBER_APOSTROPHE_POINT, /* 1'234.5 */
    NUMBER_APOSTROPHE_COMMA, /* 1'234,5 */
    NUMBER_N_NOTATIONS
};
/* Both never NULL; the group separator may be empty. */
const char *number_decimal_separator(int notation);
const char *number_group_separator(int notation);

enum number_flags {
    NUMBER_PERCENT = 1,
    NUMBER_PARENTHESES = 2,
    NUMBER_EXPONENT = 4,
    NUMBER_LEADING_ZERO = 8, /* "007": nothing but digits, two or more, the first a zero */
    NUMBER_OVER_INT64 = 16,  /* digits only, beyond int64 */
    NUMBER_ZERO_ONE = 32,    /* exactly "0" or "1" */
    NUMBER_YMD = 64,         /* eight digits that are a date from 1900 to 2100, "20240131" */
    NUMBER_GROUPED = 128,    /* has a separator that only some notation reads as a group */
    NUMBER_TRAILING_MINUS = 256,
};

typedef struct number_class {
    uint8_t notations; /* bit per notation that accepts the text strictly (groups of three) */
    uint16_t flags;
    uint8_t currency; /* 0: none, else 1 + index for number_currency */
    /* significant digits before and behind the separator; [0]: the point is decimal, [1]: the comma is */
    uint8_t int_digits[2];
    uint8_t frac_digits[2];
} number_class_t;

/* False when the text is no number in any notation. */
bool number_classify(const char *text, size_t length, number_class_t *out);
/* The currency mark as written; index from 0. NULL past the last. */
const char *number_currency(size_t index);

/* How one column writes its numbers; strings are borrowed. */
typedef struct number_rule {
    char decimal;      /* '.' or ',' */
    const char *group; /* "" or the separator, removed wherever it stands before the decimal separator */
    const char *const *currency; /* removed before or after the number, with blanks around it */
    size_t n_currency;
    bool percent;
    bool parentheses;
    bool trailing_minus;
} number_rule_t;

/* mantissa / 10^scale. False when the text does not follow the rule or has more than 38 digits. */
bool number_parse(const number_rule_t *rule, const char *text, size_t length, nv_int128_t *mantissa,
                  int *scale);
/* The same with an exponent allowed. */
bool number_parse_double(const number_rule_t *rule, const char *text, size_t length, double *out);

/* 10^n for n in 0 … 38. */
nv_int128_t number_power(int n);
extern const int64_t number_small_powers[19]; /* those of 0 … 18 */
/* Plain decimal text without trailing zeros: "-12.5", "0". out holds NUMBER_TEXT_MAX. Returns the length. */
size_t number_text(nv_int128_t mantissa, int scale, char *out);
/* Shortest text that reads back as the same double. */
size_t number_double_text(double value, char *out);

#endif
