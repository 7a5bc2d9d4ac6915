/* Parses raw text by a ParseRule: trim, null spellings, then the parser of the type; what then does not parse is
 * invalid. Also the canonical text of the parsed value, on which sketches and top values rest. Pure.
 */
#ifndef WORKER_PROFILING_PARSER_H
#define WORKER_PROFILING_PARSER_H

#include "nuvyn/value.pb-c.h"
#include "worker/profiling/number.h"

typedef enum parse_status { PARSE_NULL, PARSE_OK, PARSE_INVALID } parse_status_t;

/* A parsed value. Integers, booleans (0, 1), decimals (mantissa at the column's scale), dates (days since 1970),
 * timestamps and times (microseconds) are in n; doubles in d; of strings nothing is kept. */
typedef struct parsed {
    nv_int128_t n;
    double d;
} parsed_t;

typedef struct parser {
    Nv__ValueType type;
    int precision;
    int scale;
    const Nv__ParseRule *rule; /* borrowed */
    number_rule_t number;
    size_t iso_length;  /* 10 or 19 when the first format is the ISO one with or without a time, else 0 */
    char iso_gap;       /* between date and time of that format */
    bool bare_notation; /* numbers have the point and no groups: "1234.5" */
    bool plain;         /* plain.h may be asked: no null spelling or separator stands in its way */
    uint8_t currency_length; /* of that mark */
    uint8_t currency;        /* 1 + index of the only currency mark; 0: none, or several */
    double power;            /* 10^scale */
    uint64_t null_lengths; /* bit n: some null spelling has n bytes (bit 63: 63 or more); tells most values */
} parser_t;

enum { PARSED_TEXT_MAX = 64 };

/* rule must outlive the parser. */
parser_t parser_make(Nv__ValueType type, int precision, int scale, const Nv__ParseRule *rule);
parse_status_t parser_parse(const parser_t *parser, const char *text, size_t length, parsed_t *out);
/* Is the trimmed, not empty text a null spelling? */
bool parser_is_null_spelling(const parser_t *parser, const char *text, size_t length);
static inline bool parser_is_null(const parser_t *parser, const char *text, size_t length)
{
    return (parser->null_lengths >> (length < 63 ? length : 63) & 1) &&
           parser_is_null_spelling(parser, text, length);
}
/* Canonical text of a non-string value; out holds PARSED_TEXT_MAX. Returns the length. */
size_t parser_text(const parser_t *parser, const parsed_t *value, char *out);
/* The value as a number that keeps the order (dates in days, timestamps in microseconds); not for strings. */
static inline double parser_number(const parser_t *parser, const parsed_t *value)
{
    if (parser->type == NV__VALUE_TYPE__VALUE_TYPE_DOUBLE)
        return value->d;
    /* the same double either way; from 64 bits it is one instruction */
    bool small = value->n >= INT64_MIN && value->n <= INT64_MAX;
    double whole = small ? (double)(int64_t)value->n : (double)value->n;
    return parser->type == NV__VALUE_TYPE__VALUE_TYPE_DECIMAL ? whole / parser->power : whole;
}
/* The inverse, rounded, for interpolated values such as histogram edges. */
parsed_t parser_from_number(const parser_t *parser, double number);
static inline int parsed_compare(const parser_t *parser, const parsed_t *a, const parsed_t *b)
{
    if (parser->type == NV__VALUE_TYPE__VALUE_TYPE_DOUBLE)
        return (a->d > b->d) - (a->d < b->d);
    return (a->n > b->n) - (a->n < b->n);
}

bool text_trim_ends(const char **text, size_t *length);
/* Moves both ends past blanks (space, tab, CR, LF, VT, FF); true when anything was cut. */
static inline bool text_trim(const char **text, size_t *length)
{
    size_t n = *length;
    if (!n || ((unsigned char)(*text)[0] > ' ' && (unsigned char)(*text)[n - 1] > ' '))
        return false;
    return text_trim_ends(text, length);
}

#endif
