#include "worker/profiling/sniff.h"

#include <string.h>

/* Bytes of the sequence at data (1-4), or 0 when it is invalid; RFC 3629, no surrogates, no overlong forms. */
static size_t sequence(const unsigned char *s, size_t left)
{
    if (s[0] < 0x80)
        return 1;
    if (s[0] < 0xC2 || s[0] > 0xF4)
        return 0;
    size_t need = s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : 4;
    if (left < need)
        return 0;
    for (size_t i = 1; i < need; i++)
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    if ((s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] > 0x9F) || (s[0] == 0xF0 && s[1] < 0x90) ||
        (s[0] == 0xF4 && s[1] > 0x8F))
        return 0;
    return need;
}

size_t utf8_valid_prefix(const char *data, size_t length)
{
    size_t i = 0;
    while (i < length) {
        uint64_t word;
        while (i + 8 <= length) {
            memcpy(&word, data + i, 8);
            if (word & UINT64_C(0x8080808080808080))
                break;
            i += 8;
        }
        if (i == length)
            break;
        size_t n = sequence((const unsigned char *)data + i, length - i);
        if (!n)
            return i;
        i += n;
    }
    return i;
}

static const char *signature(const char *data, size_t length)
{
#define FORMAT(magic, name)                                                                                  \
    {                                                                                                        \
        magic, sizeof magic - 1, "not text but " name                                                        \
    }
    static const struct {
        const char *magic;
        size_t length;
        const char *format;
    } known[] = {
        FORMAT("PK\x03\x04", "a ZIP archive or Office document"),
        FORMAT("\x1F\x8B", "gzip data"),
        FORMAT("\x28\xB5\x2F\xFD", "zstd data"),
        FORMAT("BZh", "bzip2 data"),
        FORMAT("\xFD\x37zXZ", "xz data"),
        FORMAT("PAR1", "a Parquet file"),
        FORMAT("%PDF-", "a PDF document"),
        FORMAT("\x89PNG", "a PNG image"),
        FORMAT("\xFF\xD8\xFF", "a JPEG image"),
        FORMAT("\x7F\x45LF", "a program"),
        FORMAT("SQLite format 3", "an SQLite database"),
        FORMAT("\xD0\xCF\x11\xE0", "an old Office document"),
        {"\xFF\xFE\0\0", 4, "UTF-32, which is not read; save it as UTF-8"},
        {"\0\0\xFE\xFF", 4, "UTF-32, which is not read; save it as UTF-8"},
    };
#undef FORMAT
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (length >= known[i].length && memcmp(data, known[i].magic, known[i].length) == 0)
            return known[i].format;
    return NULL;
}

const char *const encoding_code_page =
    "text in Windows-1252 or another code page, which is not read; save it as UTF-8";

bool encoding_is_code_page(const char *data, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)data[i] >= 0x80 && (unsigned char)data[i] < 0xA0)
            return true;
    return false;
}

/* UTF-16 without a mark: nearly every other byte of a Western text is NUL. */
static bool looks_utf16(const char *data, size_t length, size_t nul_at)
{
    size_t pairs = length / 2 < 2048 ? length / 2 : 2048;
    size_t nul = 0;
    size_t other = 0;
    for (size_t i = 0; i < pairs; i++) {
        nul += data[2 * i + nul_at] == 0;
        other += data[2 * i + 1 - nul_at] == 0;
    }
    return pairs >= 4 && nul * 10 >= pairs * 7 && other == 0;
}

static void count_utf8(const char *data, size_t length, bool whole, sniff_encoding_t *out)
{
    const unsigned char *s = (const unsigned char *)data;
    for (size_t i = 0; i < length;) {
        size_t n = sequence(s + i, length - i);
        if (n > 1)
            out->multibyte++;
        if (!n && (whole || length - i >= 4))
            out->invalid++;
        i += n ? n : 1;
    }
}

static bool starts_with(const char *data, size_t length, const char *mark, size_t n)
{
    return length >= n && memcmp(data, mark, n) == 0;
}

void sniff_encoding(const char *data, size_t length, bool whole, sniff_encoding_t *out)
{
    *out = (sniff_encoding_t){.encoding = TEXT_UTF8};
    out->refused = signature(data, length);
    if (out->refused)
        return;
    if (starts_with(data, length, "\xEF\xBB\xBF", 3))
        out->bom = 3;
    else if (starts_with(data, length, "\xFF\xFE", 2))
        *out = (sniff_encoding_t){.encoding = TEXT_UTF16LE, .bom = 2};
    else if (starts_with(data, length, "\xFE\xFF", 2))
        *out = (sniff_encoding_t){.encoding = TEXT_UTF16BE, .bom = 2};
    else if (looks_utf16(data, length, 1))
        out->encoding = TEXT_UTF16LE;
    else if (looks_utf16(data, length, 0))
        out->encoding = TEXT_UTF16BE;
    if (out->encoding != TEXT_UTF8)
        return;
    /* One stray NUL is a broken row; many are no text. */
    size_t nul = 0;
    for (size_t i = 0; i < length; i++)
        nul += data[i] == 0;
    if (nul * 400 > length || (nul > 0 && length < 64)) /* random bytes: one in 256 */
        out->refused = "not text: it holds NUL bytes";
    count_utf8(data + out->bom, length - out->bom, whole, out);
    if (out->invalid <= out->multibyte || out->bom)
        return;
    out->encoding = TEXT_LATIN1;
    if (!out->refused && encoding_is_code_page(data, length))
        out->refused = encoding_code_page;
}
