#include "common/core/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *nv_base64_encode(nv_mem_t *ctx, const void *data, size_t length)
{
    const uint8_t *in = data;
    char *text = nv_alloc_array(ctx, 4, length / 3 + 2);
    char *out = text;
    for (size_t i = 0; i < length; i += 3) {
        size_t left = length - i;
        uint32_t group = (uint32_t)in[i] << 16;
        if (left > 1)
            group |= (uint32_t)in[i + 1] << 8;
        if (left > 2)
            group |= in[i + 2];
        *out++ = alphabet[group >> 18];
        *out++ = alphabet[(group >> 12) & 63];
        *out++ = left > 1 ? alphabet[(group >> 6) & 63] : '=';
        *out++ = left > 2 ? alphabet[group & 63] : '=';
    }
    *out = '\0';
    return text;
}

static int digit_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    if (c == '/' || c == '_')
        return 63;
    return -1;
}

/* Drops correct padding; false where there is wrong padding or an impossible length. */
static bool strip_padding(const char *text, size_t *length)
{
    size_t n = *length;
    size_t pads = 0;
    while (pads < 2 && n > 0 && text[n - 1] == '=') {
        n--;
        pads++;
    }
    if ((pads && (n + pads) % 4 != 0) || n % 4 == 1)
        return false;
    *length = n;
    return true;
}

bool nv_base64_decode(nv_mem_t *ctx, const char *text, size_t length, uint8_t **out, size_t *out_length)
{
    if (!strip_padding(text, &length))
        return false;
    uint8_t *bytes = nv_alloc(ctx, length / 4 * 3 + 3);
    size_t n = 0;
    uint32_t bits = 0;
    int held = 0;
    for (size_t i = 0; i < length; i++) {
        int value = digit_value(text[i]);
        if (value < 0)
            goto bad;
        bits = (bits << 6 | (uint32_t)value) & 0xFFFFFF;
        held += 6;
        if (held >= 8) {
            held -= 8;
            bytes[n++] = (uint8_t)(bits >> held);
        }
    }
    if (bits & ((1u << held) - 1))
        goto bad;
    *out = bytes;
    *out_length = n;
    return true;
bad:
    nv_mem_free(bytes);
    return false;
}
