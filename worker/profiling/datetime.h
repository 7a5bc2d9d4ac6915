/* Dates and times in text: which formats a text may be, parsing by one format, and the canonical text. Pure.
 *
 * Formats are strptime style. Day, month and hour take one or two digits, %Y exactly four, %y exactly two (69-99 are
 * 19xx, the rest 20xx, as in POSIX), %f one to nine digits (cut to microseconds). Month names are English. A date that
 * does not exist (0000-00-00, February 30) never parses.
 */
#ifndef WORKER_PROFILING_DATETIME_H
#define WORKER_PROFILING_DATETIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DATETIME_TEXT_MAX = 48, DATETIME_FORMAT_MAX = 40 };
#define DATETIME_MICROS_PER_DAY INT64_C(86400000000)

/* What a text may be: each set bit of `dates` is a date format (datetime_date_format) that it matches. */
typedef struct datetime_class {
    uint32_t dates;
    uint8_t time; /* 0: none; else 1 + index into the time formats */
    uint8_t gap;  /* between date and time: 0 blank, 1 "T", 2 comma and blank */
    uint8_t zone; /* 0: none, 1 "Z", 2 offset */
} datetime_class_t;

enum datetime_date {
    DATETIME_YMD_DASH,
    DATETIME_YMD_SLASH,
    DATETIME_YMD_DOT,
    DATETIME_DMY_SLASH,
    DATETIME_MDY_SLASH,
    DATETIME_DMY_DASH,
    DATETIME_MDY_DASH,
    DATETIME_DMY_DOT,
    DATETIME_YMD_PLAIN, /* 20240131: never from classify; see infer.c */
    DATETIME_DMY2_SLASH,
    DATETIME_MDY2_SLASH,
    DATETIME_DMY2_DASH,
    DATETIME_MDY2_DASH,
    DATETIME_DMY2_DOT,
    DATETIME_D_MON_Y,
    DATETIME_D_MON_Y_DASH,
    DATETIME_D_MON_Y2_DASH,
    DATETIME_D_MONTH_Y,
    DATETIME_MON_D_COMMA_Y,
    DATETIME_MONTH_D_COMMA_Y,
    DATETIME_MON_D_Y,
    DATETIME_MONTH_D_Y,
    DATETIME_D_MON_Y_SLASH,
    DATETIME_N_DATES
};

/* False when the text is no date, with or without a time, of a known form. */
bool datetime_classify(const char *text, size_t length, datetime_class_t *out);
/* False when the text is no time of day; else the time format, as in datetime_class_t. */
bool datetime_classify_time(const char *text, size_t length, uint8_t *out_time);
/* The strptime format of one date format of the class; date < 0: of the time alone. out holds DATETIME_FORMAT_MAX. */
void datetime_format(int date, const datetime_class_t *class, char *out);

/* "2024-01-31" or "2024-01-31 08:30:00" (or with "T"), the most common forms, quickly: microseconds since 1970. */
bool datetime_parse_iso(const char *text, size_t length, int64_t *out_micros);

/* Parses the whole text by one format into microseconds since 1970-01-01 (UTC where the format has a zone; since
 * midnight where it has no date). */
bool datetime_parse(const char *format, const char *text, size_t length, int64_t *out_micros);

bool datetime_exists(int year, int month, int day);
/* "2024-01-31", "2024-01-31T08:30:00[.123456]", "08:30:00[.123456]"; out holds DATETIME_TEXT_MAX. Returns the length. */
size_t datetime_date_text(int64_t days, char *out);
size_t datetime_timestamp_text(int64_t micros, char *out);
size_t datetime_time_text(int64_t micros, char *out);

#endif
