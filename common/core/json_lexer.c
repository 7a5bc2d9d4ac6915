#include "common/core/json_lexer.h"

#include "common/core/utf8.h"

#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

nv_json_lexer_t nv_json_lexer_make(nv_mem_t *ctx, const char *data, size_t length)
{
    nv_json_lexer_t lexer = {.ctx = ctx, .data = data, .length = length};
    if (length >= 3 && memcmp(data, "\xEF\xBB\xBF", 3) == 0)
        lexer.at = 3;
    return lexer;
}

const char *nv_json_token_name(nv_json_token_kind_t kind)
{
    switch (kind) {
    case NV_TOKEN_END:
        return "the end";
    case NV_TOKEN_STRING:
        return "a string";
    case NV_TOKEN_NUMBER:
        return "a number";
    case NV_TOKEN_TRUE:
    case NV_TOKEN_FALSE:
        return "a boolean";
    case NV_TOKEN_NULL:
        return "null";
    case NV_TOKEN_OBJECT:
        return "an object";
    case NV_TOKEN_ARRAY:
        return "an array";
    case NV_TOKEN_OBJECT_END:
        return "\"}\"";
    case NV_TOKEN_ARRAY_END:
        return "\"]\"";
    case NV_TOKEN_COMMA:
        return "\",\"";
    case NV_TOKEN_COLON:
        return "\":\"";
    }
    return "?";
}

bool nv_json_lexer_fail(const nv_json_lexer_t *lexer, size_t offset, nv_error_t *err, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    nv_vfail(err, NV_INVALID_ARGUMENT, fmt, args);
    va_end(args);
    size_t line = 1;
    size_t start = 0;
    for (size_t i = 0; i < offset && i < lexer->length; i++)
        if (lexer->data[i] == '\n') {
            line++;
            start = i + 1;
        }
    return nv_wrap(err, "line %zu, column %zu", line, offset - start + 1);
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* The four hex digits at lexer->at, which moves past them. */
static bool read_hex4(nv_json_lexer_t *lexer, uint32_t *out)
{
    if (lexer->length - lexer->at < 4)
        return false;
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) {
        int digit = hex_value(lexer->data[lexer->at + (size_t)i]);
        if (digit < 0)
            return false;
        value = value << 4 | (uint32_t)digit;
    }
    lexer->at += 4;
    *out = value;
    return true;
}

/* lexer->at stands after "\u". */
static bool read_unicode_escape(nv_json_lexer_t *lexer, uint32_t *out, nv_error_t *err)
{
    size_t start = lexer->at - 2;
    if (!read_hex4(lexer, out))
        return nv_json_lexer_fail(lexer, start, err, "\\u must be followed by four hex digits");
    if (*out >= 0xDC00 && *out <= 0xDFFF)
        return nv_json_lexer_fail(lexer, start, err, "low surrogate without a high one");
    if (*out < 0xD800 || *out > 0xDBFF)
        return true;
    uint32_t low;
    if (lexer->length - lexer->at < 6 || lexer->data[lexer->at] != '\\' || lexer->data[lexer->at + 1] != 'u')
        return nv_json_lexer_fail(lexer, start, err, "high surrogate without a low one");
    lexer->at += 2;
    if (!read_hex4(lexer, &low) || low < 0xDC00 || low > 0xDFFF)
        return nv_json_lexer_fail(lexer, start, err, "high surrogate without a low one");
    *out = 0x10000 + ((*out - 0xD800) << 10) + (low - 0xDC00);
    return true;
}

/* One escape; lexer->at stands on the backslash. Writes 1 … 4 bytes. */
static bool read_escape(nv_json_lexer_t *lexer, char out[static 4], size_t *written, nv_error_t *err)
{
    static const char from[] = "\"\\/bfnrt";
    static const char to[] = "\"\\/\b\f\n\r\t";
    size_t start = lexer->at;
    if (lexer->length - lexer->at < 2)
        return nv_json_lexer_fail(lexer, start, err, "string is not closed");
    char c = lexer->data[lexer->at + 1];
    lexer->at += 2;
    if (c == 'u') {
        uint32_t code_point = 0;
        if (!read_unicode_escape(lexer, &code_point, err))
            return false;
        *written = nv_utf8_encode(code_point, out);
        return true;
    }
    const char *found = c ? strchr(from, c) : NULL;
    if (!found)
        return nv_json_lexer_fail(lexer, start, err, "unknown escape in a string");
    out[0] = to[found - from];
    *written = 1;
    return true;
}

/* Checks the string that opens at lexer->at up to its closing quote. */
static bool scan_string(nv_json_lexer_t *lexer, size_t *close, bool *escaped, nv_error_t *err)
{
    size_t i = lexer->at + 1;
    *escaped = false;
    while (i < lexer->length && lexer->data[i] != '"') {
        unsigned char c = (unsigned char)lexer->data[i];
        if (c < 0x20)
            return nv_json_lexer_fail(lexer, i, err, "control character 0x%02x in a string", c);
        if (c == '\\') {
            *escaped = true;
            i += 2;
            continue;
        }
        size_t step = nv_utf8_sequence(lexer->data + i, lexer->length - i);
        if (!step)
            return nv_json_lexer_fail(lexer, i, err, "malformed UTF-8 in a string");
        i += step;
    }
    if (i >= lexer->length)
        return nv_json_lexer_fail(lexer, lexer->at, err, "string is not closed");
    *close = i;
    return true;
}

static bool lex_string(nv_json_lexer_t *lexer, nv_json_token_t *out, nv_error_t *err)
{
    size_t close = 0;
    bool escaped = false;
    if (!scan_string(lexer, &close, &escaped, err))
        return false;
    size_t at = lexer->at + 1;
    out->kind = NV_TOKEN_STRING;
    if (!escaped) {
        out->text = lexer->data + at;
        out->length = close - at;
        lexer->at = close + 1;
        return true;
    }
    char *text =
        nv_alloc(lexer->ctx, close - at + 1); /* an escape is never shorter than what it stands for */
    size_t n = 0;
    lexer->at = at;
    while (lexer->at < close) {
        if (lexer->data[lexer->at] != '\\') {
            text[n++] = lexer->data[lexer->at++];
            continue;
        }
        size_t written = 0;
        if (!read_escape(lexer, text + n, &written, err)) {
            nv_mem_free(text);
            return false;
        }
        n += written;
    }
    lexer->at = close + 1;
    out->text = text;
    out->length = n;
    return true;
}

static size_t count_digits(const char *text, size_t length)
{
    size_t n = 0;
    while (n < length && text[n] >= '0' && text[n] <= '9')
        n++;
    return n;
}

/* The length of the JSON number at text, 0 when there is none. */
static size_t number_length(const char *text, size_t length)
{
    size_t at = length && text[0] == '-' ? 1 : 0;
    size_t digits = count_digits(text + at, length - at);
    if (digits == 0 || (digits > 1 && text[at] == '0'))
        return 0;
    at += digits;
    if (at < length && text[at] == '.') {
        digits = count_digits(text + at + 1, length - at - 1);
        if (digits == 0)
            return 0;
        at += 1 + digits;
    }
    if (at < length && (text[at] == 'e' || text[at] == 'E')) {
        at++;
        if (at < length && (text[at] == '+' || text[at] == '-'))
            at++;
        digits = count_digits(text + at, length - at);
        if (digits == 0)
            return 0;
        at += digits;
    }
    return at;
}

static bool lex_number(nv_json_lexer_t *lexer, nv_json_token_t *out, nv_error_t *err)
{
    size_t n = number_length(lexer->data + lexer->at, lexer->length - lexer->at);
    if (n == 0)
        return nv_json_lexer_fail(lexer, lexer->at, err, "malformed number");
    out->kind = NV_TOKEN_NUMBER;
    out->text = lexer->data + lexer->at;
    out->length = n;
    lexer->at += n;
    char next = lexer->at < lexer->length ? lexer->data[lexer->at] : ' ';
    if (!strchr(" \t\r\n,]}:", next) || next == '\0')
        return nv_json_lexer_fail(lexer, lexer->at - n, err, "malformed number");
    return true;
}

static bool lex_word(nv_json_lexer_t *lexer, nv_json_token_t *out, nv_error_t *err)
{
    static const char *const words[] = {"true", "false", "null"};
    for (size_t i = 0; i < 3; i++) {
        size_t n = strlen(words[i]);
        if (lexer->length - lexer->at >= n && memcmp(lexer->data + lexer->at, words[i], n) == 0) {
            out->kind = (nv_json_token_kind_t)words[i][0];
            out->text = lexer->data + lexer->at;
            out->length = n;
            lexer->at += n;
            return true;
        }
    }
    unsigned char c = (unsigned char)lexer->data[lexer->at];
    if (c >= 0x20 && c < 0x7F)
        return nv_json_lexer_fail(lexer, lexer->at, err, "expected a JSON value, got \"%c\"", c);
    return nv_json_lexer_fail(lexer, lexer->at, err, "expected a JSON value, got byte 0x%02x", c);
}

bool nv_json_lexer_next(nv_json_lexer_t *lexer, nv_json_token_t *out, nv_error_t *err)
{
    while (lexer->at < lexer->length && lexer->data[lexer->at] && strchr(" \t\r\n", lexer->data[lexer->at]))
        lexer->at++;
    *out = (nv_json_token_t){.kind = NV_TOKEN_END, .offset = lexer->at};
    if (lexer->at == lexer->length)
        return true;
    char c = lexer->data[lexer->at];
    if (c == '"')
        return lex_string(lexer, out, err);
    if (c == '-' || (c >= '0' && c <= '9'))
        return lex_number(lexer, out, err);
    if (c && strchr("{}[],:", c)) {
        out->kind = (nv_json_token_kind_t)c;
        out->text = lexer->data + lexer->at++;
        out->length = 1;
        return true;
    }
    return lex_word(lexer, out, err);
}

/* A JSON number as digits × 10^exponent: the digits of integer and fraction run together in text order. */
typedef struct decimal {
    bool negative;
    const char *whole;
    size_t n_whole;
    const char *fraction;
    size_t n_fraction;
    long exponent;
} decimal_t;

static bool split_decimal(const char *text, size_t length, decimal_t *out)
{
    if (length == 0 || number_length(text, length) != length)
        return false;
    size_t at = text[0] == '-';
    *out = (decimal_t){.negative = at != 0, .whole = text + at};
    out->n_whole = count_digits(text + at, length - at);
    at += out->n_whole;
    if (at < length && text[at] == '.') {
        out->fraction = text + at + 1;
        out->n_fraction = count_digits(text + at + 1, length - at - 1);
        at += 1 + out->n_fraction;
    }
    if (at >= length)
        return true;
    bool minus = text[++at] == '-';
    if (text[at] == '-' || text[at] == '+')
        at++;
    for (; at < length; at++)
        if (out->exponent < 100000) /* far beyond any int64; keeps the sum from overflowing */
            out->exponent = out->exponent * 10 + (text[at] - '0');
    if (minus)
        out->exponent = -out->exponent;
    return true;
}

/* Magnitude of an integral decimal; false sets *is_integer to tell a fraction from an overflow. */
static bool decimal_magnitude(const decimal_t *d, uint64_t *out, bool *is_integer)
{
    uint64_t value = 0;
    size_t n = d->n_whole + d->n_fraction;
    long scale = d->exponent - (long)d->n_fraction; /* value = digits × 10^scale */
    *is_integer = true;
    for (size_t i = 0; i < n; i++) {
        unsigned digit = (unsigned)((i < d->n_whole ? d->whole[i] : d->fraction[i - d->n_whole]) - '0');
        if ((long)(n - i) <= -scale) { /* stands behind the point */
            if (digit) {
                *is_integer = false;
                return false;
            }
            continue;
        }
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, digit, &value))
            return false;
    }
    for (; scale > 0 && value; scale--)
        if (__builtin_mul_overflow(value, 10, &value))
            return false;
    *out = value;
    return true;
}

bool nv_json_text_uint64(const char *text, size_t length, uint64_t *out, bool *is_integer)
{
    decimal_t d;
    *is_integer = false;
    if (!split_decimal(text, length, &d) || !decimal_magnitude(&d, out, is_integer))
        return false;
    return !d.negative || *out == 0;
}

bool nv_json_text_int64(const char *text, size_t length, int64_t *out, bool *is_integer)
{
    decimal_t d;
    uint64_t magnitude;
    *is_integer = false;
    if (!split_decimal(text, length, &d) || !decimal_magnitude(&d, &magnitude, is_integer))
        return false;
    if (magnitude > (uint64_t)INT64_MAX + (d.negative ? 1 : 0))
        return false;
    *out = d.negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return true;
}

bool nv_json_text_double(const char *text, size_t length, double *out)
{
    char buffer[512];
    if (number_length(text, length) != length || length == 0 || length >= sizeof buffer)
        return false;
    memcpy(buffer, text, length);
    buffer[length] = '\0';
    const struct lconv *conventions = localeconv();
    char *point = strchr(buffer, '.');
    if (point && strlen(conventions->decimal_point) == 1)
        *point = conventions->decimal_point[0];
    *out = strtod(buffer, NULL);
    return isfinite(*out);
}
