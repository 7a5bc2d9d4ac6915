#include "worker/codegen/text.h"

#include "common/core/buf.h"

#include <stdint.h>
#include <string.h>

enum { TEXT_MAX = 4 * 1024 * 1024, NAME_MAX_LENGTH = 255 };

bool is_plain_name(const char *text)
{
    size_t n = 0;
    for (; text[n]; n++) {
        char c = text[n];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        bool digit = c >= '0' && c <= '9';
        if (!letter && !(digit && n > 0))
            return false;
    }
    return n > 0 && n <= NAME_MAX_LENGTH;
}

/* The next code point of valid UTF-8; a stray byte stands for itself. */
static uint32_t next_code_point(const char **at)
{
    const unsigned char *p = (const unsigned char *)*at;
    int more = p[0] >= 0xF0 ? 3 : p[0] >= 0xE0 ? 2 : p[0] >= 0xC0 ? 1 : 0;
    uint32_t code = more == 3 ? p[0] & 0x07U : more == 2 ? p[0] & 0x0FU : more == 1 ? p[0] & 0x1FU : p[0];
    int used = 1;
    while (used <= more && (p[used] & 0xC0) == 0x80)
        code = code << 6 | (p[used++] & 0x3FU);
    *at += used;
    return code;
}

/* Invisible or direction-changing: would let text look like other text (line separators, bidi controls, BOM). */
static bool is_deceptive(uint32_t code)
{
    return code < 0x20 || (code >= 0x7F && code < 0xA0) || (code >= 0x200B && code <= 0x200F) ||
           (code >= 0x2028 && code <= 0x202E) || (code >= 0x2060 && code <= 0x206F) || code == 0xFEFF;
}

static void put_escape(nv_buf_t *buf, uint32_t code)
{
    switch (code) {
    case '\n':
        nv_buf_puts(buf, "\\n");
        break;
    case '\t':
        nv_buf_puts(buf, "\\t");
        break;
    case '\r':
        nv_buf_puts(buf, "\\r");
        break;
    default:
        nv_buf_printf(buf, code < 0x100 ? "\\x%02x" : "\\u%04x", code);
    }
}

static char *taken(nv_mem_t *ctx, nv_buf_t *buf)
{
    char *text = nv_strdup(ctx, nv_buf_text(buf));
    nv_mem_free(buf->data);
    return text;
}

char *py_string(nv_mem_t *ctx, const char *text)
{
    nv_buf_t buf = nv_buf_make(ctx, TEXT_MAX);
    nv_buf_putc(&buf, '"');
    while (*text) {
        const char *start = text;
        uint32_t code = next_code_point(&text);
        if (code == '"' || code == '\\')
            nv_buf_printf(&buf, "\\%c", (char)code);
        else if (is_deceptive(code))
            put_escape(&buf, code);
        else
            nv_buf_add(&buf, start, (size_t)(text - start));
    }
    nv_buf_putc(&buf, '"');
    return taken(ctx, &buf);
}

char *py_tuple(nv_mem_t *ctx, char **texts, size_t count)
{
    nv_buf_t buf = nv_buf_make(ctx, TEXT_MAX);
    nv_buf_putc(&buf, '(');
    for (size_t i = 0; i < count; i++)
        nv_buf_printf(&buf, "%s%s", i ? ", " : "", py_string(ctx, texts[i]));
    nv_buf_puts(&buf, count == 1 ? ",)" : ")");
    return taken(ctx, &buf);
}

char *py_comment(nv_mem_t *ctx, const char *text, size_t most)
{
    nv_buf_t buf = nv_buf_make(ctx, TEXT_MAX);
    while (*text) {
        const char *start = text;
        uint32_t code = next_code_point(&text);
        if (buf.length + (size_t)(text - start) > most) {
            nv_buf_puts(&buf, "…");
            break;
        }
        if (is_deceptive(code))
            nv_buf_putc(&buf, ' ');
        else
            nv_buf_add(&buf, start, (size_t)(text - start));
    }
    return taken(ctx, &buf);
}

char *py_name(nv_mem_t *ctx, const char *text)
{
    nv_buf_t buf = nv_buf_make(ctx, TEXT_MAX);
    for (const char *p = text; *p; p++) {
        bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9');
        nv_buf_putc(&buf, plain ? *p : '_');
    }
    const char *name = nv_buf_text(&buf);
    bool needs_letter = !*name || (*name >= '0' && *name <= '9');
    return nv_printf(ctx, "%s%s", needs_letter ? "_" : "", name);
}

char *spark_name(nv_mem_t *ctx, const char *name)
{
    nv_buf_t buf = nv_buf_make(ctx, TEXT_MAX);
    nv_buf_putc(&buf, '`');
    for (const char *p = name; *p; p++) {
        if (*p == '`')
            nv_buf_putc(&buf, '`');
        nv_buf_putc(&buf, *p);
    }
    nv_buf_putc(&buf, '`');
    return taken(ctx, &buf);
}

char *spark_literal(nv_mem_t *ctx, const char *text)
{
    nv_buf_t buf = nv_buf_make(ctx, TEXT_MAX);
    nv_buf_putc(&buf, '\'');
    for (const char *p = text; *p; p++) {
        if (*p == '\'' || *p == '\\')
            nv_buf_putc(&buf, '\\');
        nv_buf_putc(&buf, *p);
    }
    nv_buf_putc(&buf, '\'');
    return taken(ctx, &buf);
}

char *spark_column(nv_mem_t *ctx, const char *alias, const char *column)
{
    const char *name = is_plain_name(column) ? column : spark_name(ctx, column);
    return nv_printf(ctx, "F.col(%s)", py_string(ctx, nv_printf(ctx, "%s.%s", alias, name)));
}
