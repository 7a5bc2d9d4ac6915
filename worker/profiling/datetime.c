#include "worker/profiling/datetime.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const char *const date_formats[DATETIME_N_DATES] = {
    "%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d",  "%d/%m/%Y",  "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%d.%m.%Y",
    "%Y%m%d",   "%d/%m/%y", "%m/%d/%y",  "%d-%m-%y",  "%m-%d-%y", "%d.%m.%y", "%d %b %Y", "%d-%b-%Y",
    "%d-%b-%y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%B %d %Y", "%d/%b/%Y",
};
static const char *const time_formats[] = {"%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%I:%M %p", "%I:%M:%S %p"};
static const char *const gaps[] = {" ", "T", ", "};
static const char *const zones[] = {"", "Z", "%z"};
static const char *const months[] = {"january", "february", "march",     "april",   "may",      "june",
                                     "july",    "august",   "september", "october", "november", "december"};

/* A position in a text; every take_ function either consumes and returns true, or returns false. */
typedef struct scan {
    const char *at;
    const char *end;
} scan_t;

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Up to `most` digits; returns how many were there. */
static int take_number(scan_t *scan, int most, int *value)
{
    int n = 0;
    int sum = 0;
    while (n < most && scan->at < scan->end && is_digit(*scan->at)) {
        sum = sum * 10 + (*scan->at++ - '0');
        n++;
    }
    *value = sum;
    return n;
}

static bool take_char(scan_t *scan, char c)
{
    if (scan->at == scan->end || *scan->at != c)
        return false;
    scan->at++;
    return true;
}

/* A month name: *full says whether the name was written out; "May" is both. */
static bool take_month(scan_t *scan, int *month, bool *full, bool *brief)
{
    char word[16];
    size_t n = 0;
    const char *p = scan->at;
    while (p < scan->end && is_letter(*p) && n < sizeof word - 1)
        word[n++] = (char)(*p++ | 0x20);
    word[n] = '\0';
    if (n < 3 || n > 9)
        return false;
    for (int m = 0; m < 12; m++) {
        if (word[0] != months[m][0])
            continue;
        *full = strcmp(word, months[m]) == 0;
        *brief = n == 3 && strncmp(word, months[m], 3) == 0;
        if (*full || *brief) {
            *month = m + 1;
            scan->at = p;
            return true;
        }
    }
    return false;
}

bool datetime_exists(int year, int month, int day)
{
    static const uint8_t days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (year < 1 || year > 9999 || month < 1 || month > 12 || day < 1 || day > days[month - 1])
        return false;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month != 2 || day < 29 || leap;
}

static int full_year(int two_digits)
{
    return two_digits + (two_digits >= 69 ? 1900 : 2000);
}

/* Days since 1970-01-01 of the proleptic Gregorian calendar (Howard Hinnant, "chrono-compatible date algorithms"). */
static int64_t days_of(int year, int month, int day)
{
    int64_t y = year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t yoe = y - era * 400;
    int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + doe - 719468;
}

static void civil(int64_t days, int *year, int *month, int *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t doe = days - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    *day = (int)(doy - (153 * mp + 2) / 5 + 1);
    *month = (int)(mp < 10 ? mp + 3 : mp - 9);
    *year = (int)(yoe + era * 400 + (*month <= 2));
}

static uint32_t bit_if(bool condition, int format)
{
    return condition ? 1U << format : 0;
}

static uint32_t year_first(char sep, int year, int month, int day)
{
    if (!datetime_exists(year, month, day))
        return 0;
    return bit_if(sep == '-', DATETIME_YMD_DASH) | bit_if(sep == '/', DATETIME_YMD_SLASH) |
           bit_if(sep == '.', DATETIME_YMD_DOT);
}

static uint32_t year_last(char sep, int a, int b, int year, bool two)
{
    bool dmy = datetime_exists(year, b, a);
    bool mdy = datetime_exists(year, a, b);
    switch (sep) {
    case '/':
        return bit_if(dmy, two ? DATETIME_DMY2_SLASH : DATETIME_DMY_SLASH) |
               bit_if(mdy, two ? DATETIME_MDY2_SLASH : DATETIME_MDY_SLASH);
    case '-':
        return bit_if(dmy, two ? DATETIME_DMY2_DASH : DATETIME_DMY_DASH) |
               bit_if(mdy, two ? DATETIME_MDY2_DASH : DATETIME_MDY_DASH);
    case '.':
        return bit_if(dmy, two ? DATETIME_DMY2_DOT : DATETIME_DMY_DOT);
    default:
        return 0;
    }
}

static bool take_year(scan_t *scan, int *year, bool *two)
{
    int n = take_number(scan, 4, year);
    *two = n == 2;
    if (*two)
        *year = full_year(*year);
    return n == 4 || n == 2;
}

/* After "31<sep>": a month name, the same separator, a year. */
static uint32_t day_month_name(scan_t *scan, char sep, int day)
{
    int month;
    int year;
    bool full;
    bool brief;
    bool two;
    if (!take_month(scan, &month, &full, &brief) || !take_char(scan, sep) || !take_year(scan, &year, &two) ||
        !datetime_exists(year, month, day))
        return 0;
    if (sep == '-')
        return bit_if(brief, two ? DATETIME_D_MON_Y2_DASH : DATETIME_D_MON_Y_DASH);
    if (two)
        return 0;
    if (sep == '/')
        return bit_if(brief, DATETIME_D_MON_Y_SLASH);
    return bit_if(sep == ' ' && brief, DATETIME_D_MON_Y) | bit_if(sep == ' ' && full, DATETIME_D_MONTH_Y);
}

static uint32_t month_name_first(scan_t *scan)
{
    int month;
    int day;
    int year;
    bool full;
    bool brief;
    if (!take_month(scan, &month, &full, &brief) || !take_char(scan, ' ') || !take_number(scan, 2, &day))
        return 0;
    bool comma = take_char(scan, ',');
    if (!take_char(scan, ' ') || take_number(scan, 4, &year) != 4 || !datetime_exists(year, month, day))
        return 0;
    return bit_if(brief, comma ? DATETIME_MON_D_COMMA_Y : DATETIME_MON_D_Y) |
           bit_if(full, comma ? DATETIME_MONTH_D_COMMA_Y : DATETIME_MONTH_D_Y);
}

static uint32_t take_date(scan_t *scan)
{
    if (is_letter(*scan->at))
        return month_name_first(scan);
    int a;
    int b;
    int c;
    int n = take_number(scan, 4, &a);
    if ((n != 4 && n != 1 && n != 2) || scan->at == scan->end)
        return 0;
    char sep = *scan->at++;
    if (scan->at == scan->end)
        return 0;
    if (is_letter(*scan->at))
        return n <= 2 ? day_month_name(scan, sep, a) : 0;
    if (!take_number(scan, 2, &b) || !take_char(scan, sep))
        return 0;
    if (n == 4)
        return take_number(scan, 2, &c) ? year_first(sep, a, b, c) : 0;
    bool two;
    if (!take_year(scan, &c, &two))
        return 0;
    return year_last(sep, a, b, c, two);
}

/* Hour, minute and what follows, without zone. */
static bool take_time(scan_t *scan, uint8_t *kind)
{
    int h;
    int m;
    int s = 0;
    if (!take_number(scan, 2, &h) || !take_char(scan, ':') || take_number(scan, 2, &m) != 2)
        return false;
    *kind = 1;
    if (take_char(scan, ':')) {
        if (take_number(scan, 2, &s) != 2)
            return false;
        *kind = 2;
        int fraction;
        if (take_char(scan, '.')) {
            if (!take_number(scan, 9, &fraction))
                return false;
            *kind = 3;
        }
    }
    if (h > 23 || m > 59 || s > 59)
        return false;
    if (*kind < 3 && scan->end - scan->at == 3 && scan->at[0] == ' ' && (scan->at[2] | 0x20) == 'm') {
        char half = (char)(scan->at[1] | 0x20);
        if ((half != 'a' && half != 'p') || h < 1 || h > 12)
            return false;
        scan->at += 3;
        *kind = (uint8_t)(*kind + 3);
    }
    return true;
}

/* "+hh", "+hh:mm", "+hhmm"; *seconds east of UTC. */
static bool take_offset(scan_t *scan, int *seconds)
{
    if (scan->at == scan->end || (*scan->at != '+' && *scan->at != '-'))
        return false;
    int sign = *scan->at++ == '-' ? -1 : 1;
    int hours;
    int minutes = 0;
    if (take_number(scan, 2, &hours) != 2)
        return false;
    bool colon = take_char(scan, ':');
    int n = take_number(scan, 2, &minutes);
    if ((n != 2 && (n != 0 || colon)) || hours > 15 || minutes > 59)
        return false;
    *seconds = sign * (hours * 3600 + minutes * 60);
    return true;
}

static bool take_zone(scan_t *scan, uint8_t *zone)
{
    int seconds;
    if (scan->at == scan->end)
        *zone = 0;
    else if (take_char(scan, 'Z'))
        *zone = 1;
    else if (take_offset(scan, &seconds))
        *zone = 2;
    else
        return false;
    return scan->at == scan->end;
}

/* Two digits, or a number beyond any valid part. */
static unsigned two_digits(const char *s)
{
    unsigned high = (unsigned char)s[0] - '0';
    unsigned low = (unsigned char)s[1] - '0';
    return high > 9 || low > 9 ? 1000 : high * 10 + low;
}

bool datetime_parse_iso(const char *s, size_t length, int64_t *out_micros)
{
    if ((length != 10 && length != 19) || s[4] != '-' || s[7] != '-')
        return false;
    unsigned century = two_digits(s);
    unsigned year = two_digits(s + 2);
    unsigned month = two_digits(s + 5);
    unsigned day = two_digits(s + 8);
    if (century > 99 || year > 99 || !datetime_exists((int)(century * 100 + year), (int)month, (int)day))
        return false;
    int64_t seconds = days_of((int)(century * 100 + year), (int)month, (int)day) * 86400;
    if (length == 19) {
        unsigned h = two_digits(s + 11);
        unsigned m = two_digits(s + 14);
        unsigned sec = two_digits(s + 17);
        if ((s[10] != ' ' && s[10] != 'T') || s[13] != ':' || s[16] != ':' || h > 23 || m > 59 || sec > 59)
            return false;
        seconds += h * 3600 + m * 60 + sec;
    }
    *out_micros = seconds * 1000000;
    return true;
}

bool datetime_classify(const char *text, size_t length, datetime_class_t *out)
{
    *out = (datetime_class_t){0};
    int64_t micros;
    if (datetime_parse_iso(text, length, &micros)) {
        out->dates = 1U << DATETIME_YMD_DASH;
        out->time = length == 19 ? 2 : 0;
        out->gap = length == 19 && text[10] == 'T';
        return true;
    }
    if (length < 6 || length > 40)
        return false;
    scan_t scan = {text, text + length};
    out->dates = take_date(&scan);
    if (!out->dates)
        return false;
    if (scan.at == scan.end)
        return true;
    if (take_char(&scan, 'T'))
        out->gap = 1;
    else if (take_char(&scan, ','))
        out->gap = 2;
    if (out->gap != 1 && !take_char(&scan, ' '))
        return false;
    return take_time(&scan, &out->time) && take_zone(&scan, &out->zone);
}

bool datetime_classify_time(const char *text, size_t length, uint8_t *out_time)
{
    if (length < 4 || length > 18 || !is_digit(text[0]))
        return false;
    scan_t scan = {text, text + length};
    return take_time(&scan, out_time) && scan.at == scan.end;
}

void datetime_format(int date, const datetime_class_t *class, char *out)
{
    assert(date < DATETIME_N_DATES && class->time <= 5 && class->gap <= 2 && class->zone <= 2);
    const char *time = class->time ? time_formats[class->time - 1] : "";
    const char *gap = class->time && date >= 0 ? gaps[class->gap] : "";
    snprintf(out, DATETIME_FORMAT_MAX, "%s%s%s%s", date >= 0 ? date_formats[date] : "", gap, time,
             zones[class->zone]);
}

/* The parts that a format filled in. */
typedef struct parts {
    int year, month, day, hour, minute, second, micros, half, offset;
    bool has_date, has_half;
} parts_t;

static bool take_micros(scan_t *scan, int *micros)
{
    int digits = 0;
    int value = 0;
    while (digits < 9 && scan->at < scan->end && is_digit(*scan->at)) {
        if (digits < 6)
            value = value * 10 + (*scan->at - '0');
        scan->at++;
        digits++;
    }
    for (int i = digits; i < 6; i++)
        value *= 10;
    *micros = value;
    return digits > 0;
}

static bool take_half(scan_t *scan, parts_t *parts)
{
    if (scan->end - scan->at < 2 || (scan->at[1] | 0x20) != 'm')
        return false;
    char c = (char)(scan->at[0] | 0x20);
    parts->half = c == 'p';
    parts->has_half = true;
    scan->at += 2;
    return c == 'a' || c == 'p';
}

static bool take_directive(scan_t *scan, char directive, parts_t *parts)
{
    bool full;
    bool brief;
    switch (directive) {
    case 'Y':
        parts->has_date = true;
        return take_number(scan, 4, &parts->year) == 4;
    case 'y':
        parts->has_date = true;
        if (take_number(scan, 2, &parts->year) != 2)
            return false;
        parts->year = full_year(parts->year);
        return true;
    case 'm':
        return take_number(scan, 2, &parts->month);
    case 'd':
        return take_number(scan, 2, &parts->day);
    case 'b':
        return take_month(scan, &parts->month, &full, &brief) && brief;
    case 'B':
        return take_month(scan, &parts->month, &full, &brief) && full;
    case 'H':
    case 'I':
        return take_number(scan, 2, &parts->hour);
    case 'M':
        return take_number(scan, 2, &parts->minute) == 2;
    case 'S':
        return take_number(scan, 2, &parts->second) == 2;
    case 'f':
        return take_micros(scan, &parts->micros);
    case 'p':
        return take_half(scan, parts);
    case 'z':
        return take_offset(scan, &parts->offset);
    default:
        return false;
    }
}

static bool assemble(parts_t *parts, int64_t *out_micros)
{
    if (parts->has_date && !datetime_exists(parts->year, parts->month, parts->day))
        return false;
    if (parts->has_half) {
        if (parts->hour < 1 || parts->hour > 12)
            return false;
        parts->hour = parts->hour % 12 + (parts->half ? 12 : 0);
    }
    if (parts->hour > 23 || parts->minute > 59 || parts->second > 59)
        return false;
    int64_t days = parts->has_date ? days_of(parts->year, parts->month, parts->day) : 0;
    int64_t seconds = parts->hour * 3600 + parts->minute * 60 + parts->second - parts->offset;
    *out_micros = days * DATETIME_MICROS_PER_DAY + seconds * 1000000 + parts->micros;
    return true;
}

bool datetime_parse(const char *format, const char *text, size_t length, int64_t *out_micros)
{
    scan_t scan = {text, text + length};
    parts_t parts = {.month = 1, .day = 1};
    for (const char *f = format; *f; f++) {
        if (*f == '%' && f[1] == 'd' && f > format && f[-1] == 'm') {
            /* %m%d without a separator needs its two digits each */
            if (scan.end - scan.at != 2)
                return false;
        }
        if (*f != '%') {
            if (!take_char(&scan, *f))
                return false;
            continue;
        }
        if (!*++f || !take_directive(&scan, *f, &parts))
            return false;
    }
    return scan.at == scan.end && assemble(&parts, out_micros);
}

static char *put_digits(char *out, int value, int width)
{
    for (int i = width - 1; i >= 0; i--) {
        out[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return out + width;
}

size_t datetime_date_text(int64_t days, char *out)
{
    int year;
    int month;
    int day;
    civil(days, &year, &month, &day);
    char *p = put_digits(out, year, 4);
    *p++ = '-';
    p = put_digits(p, month, 2);
    *p++ = '-';
    p = put_digits(p, day, 2);
    *p = '\0';
    return (size_t)(p - out);
}

size_t datetime_time_text(int64_t micros, char *out)
{
    int seconds = (int)(micros / 1000000);
    char *p = put_digits(out, seconds / 3600, 2);
    *p++ = ':';
    p = put_digits(p, seconds / 60 % 60, 2);
    *p++ = ':';
    p = put_digits(p, seconds % 60, 2);
    if (micros % 1000000) {
        *p++ = '.';
        p = put_digits(p, (int)(micros % 1000000), 6);
        while (p[-1] == '0')
            p--;
    }
    *p = '\0';
    return (size_t)(p - out);
}

size_t datetime_timestamp_text(int64_t micros, char *out)
{
    int64_t days = micros / DATETIME_MICROS_PER_DAY;
    int64_t rest = micros % DATETIME_MICROS_PER_DAY;
    if (rest < 0) {
        days--;
        rest += DATETIME_MICROS_PER_DAY;
    }
    size_t n = datetime_date_text(days, out);
    out[n++] = 'T';
    return n + datetime_time_text(rest, out + n);
}
