#include "worker/profiling/decode.h"

#include <string.h>

size_t decoder_chunk(const decoder_t *decoder, size_t room)
{
    switch (decoder->encoding) {
    case TEXT_UTF8:
        return room;
    case TEXT_LATIN1:
        return room / 2;
    default:
        return room > 32 ? (room - 16) / 3 * 2 : 0;
    }
}

static char *put_utf8(char *out, uint32_t c)
{
    if (c < 0x80) {
        *out++ = (char)c;
    } else if (c < 0x800) {
        *out++ = (char)(0xC0 | c >> 6);
        *out++ = (char)(0x80 | (c & 63));
    } else if (c < 0x10000) {
        *out++ = (char)(0xE0 | c >> 12);
        *out++ = (char)(0x80 | (c >> 6 & 63));
        *out++ = (char)(0x80 | (c & 63));
    } else {
        *out++ = (char)(0xF0 | c >> 18);
        *out++ = (char)(0x80 | (c >> 12 & 63));
        *out++ = (char)(0x80 | (c >> 6 & 63));
        *out++ = (char)(0x80 | (c & 63));
    }
    return out;
}

/* One UTF-16 unit; a surrogate without its partner becomes U+FFFD. */
static char *put_unit(decoder_t *decoder, char *out, uint32_t unit)
{
    bool low = unit >= 0xDC00 && unit < 0xE000;
    if (decoder->high) {
        uint32_t high = decoder->high;
        decoder->high = 0;
        if (low)
            return put_utf8(out, 0x10000 + ((high - 0xD800) << 10) + (unit - 0xDC00));
        out = put_utf8(out, 0xFFFD);
    }
    if (unit >= 0xD800 && unit < 0xDC00) {
        decoder->high = unit;
        return out;
    }
    return put_utf8(out, low ? 0xFFFD : unit);
}

static size_t run_utf16(decoder_t *decoder, const unsigned char *data, size_t length, char *out)
{
    char *start = out;
    bool big = decoder->encoding == TEXT_UTF16BE;
    for (size_t i = 0; i < length; i++) {
        decoder->held[decoder->n_held++] = data[i];
        if (decoder->n_held < 2)
            continue;
        decoder->n_held = 0;
        uint32_t unit = big ? (uint32_t)decoder->held[0] << 8 | decoder->held[1]
                            : (uint32_t)decoder->held[1] << 8 | decoder->held[0];
        out = put_unit(decoder, out, unit);
    }
    return (size_t)(out - start);
}

static size_t run_latin1(const unsigned char *data, size_t length, char *out)
{
    char *start = out;
    for (size_t i = 0; i < length; i++)
        out = put_utf8(out, data[i]);
    return (size_t)(out - start);
}

size_t decoder_run(decoder_t *decoder, const unsigned char *data, size_t length, char *out)
{
    size_t n = length;
    if (decoder->encoding == TEXT_UTF8) {
        if ((const char *)data != out)
            memmove(out, data, length);
    } else if (decoder->encoding == TEXT_LATIN1) {
        n = run_latin1(data, length, out);
    } else {
        n = run_utf16(decoder, data, length, out);
    }
    for (size_t i = 0; decoder->cr_only && i < n; i++)
        if (out[i] == '\r')
            out[i] = '\n';
    return n;
}
