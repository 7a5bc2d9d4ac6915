#include "worker/report/html.h"

#include "common/core/utf8.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *entity(char c)
{
    switch (c) {
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '&':
        return "&amp;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

void html_text(nv_buf_t *buf, const char *text)
{
    if (!text)
        return;
    const char *run = text;
    for (; *text; text++) {
        const char *replacement = entity(*text);
        if (!replacement)
            continue;
        nv_buf_add(buf, run, (size_t)(text - run));
        nv_buf_puts(buf, replacement);
        run = text + 1;
    }
    nv_buf_add(buf, run, (size_t)(text - run));
}

void html_textf(nv_buf_t *buf, const char *fmt, ...)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("html text");
    va_list args;
    va_start(args, fmt);
    html_text(buf, nv_vprintf(ctx, fmt, args));
    va_end(args);
}

void html_short(nv_buf_t *buf, const char *text, size_t most)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("html short");
    if (strnlen(text, most + 1) <= most)
        html_text(buf, text);
    else
        html_textf(buf, "%s…", nv_strndup(ctx, text, nv_utf8_floor(text, most)));
}

void html_element(nv_buf_t *buf, const char *tag, const char *css_class, const char *text)
{
    if (css_class)
        nv_buf_printf(buf, "<%s class=\"%s\">", tag, css_class);
    else
        nv_buf_printf(buf, "<%s>", tag);
    html_text(buf, text);
    nv_buf_printf(buf, "</%s>", tag);
}

static void put_head(nv_buf_t *buf, const char *const *titles)
{
    nv_buf_puts(buf, "<thead><tr>");
    for (; *titles; titles++) {
        bool number = (*titles)[0] == '>';
        nv_buf_printf(buf, "<th scope=\"col\"%s>", number ? " class=\"n\"" : "");
        html_text(buf, *titles + number);
        nv_buf_puts(buf, "</th>");
    }
    nv_buf_puts(buf, "</tr></thead>\n");
}

void html_scroll_open(nv_buf_t *buf, const char *label)
{
    nv_buf_puts(buf, "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"");
    html_text(buf, label);
    nv_buf_puts(buf, "\">");
}

void html_table_close(nv_buf_t *buf)
{
    nv_buf_puts(buf, "</table></div>\n");
}

void html_table_open(nv_buf_t *buf, const char *label, const char *const *titles)
{
    html_scroll_open(buf, label);
    nv_buf_puts(buf, "<table>");
    put_head(buf, titles);
}

void html_count(nv_buf_t *buf, int64_t value)
{
    char digits[32];
    int length = snprintf(digits, sizeof digits, "%" PRId64, value);
    int lead = digits[0] == '-';
    for (int i = 0; i < length; i++) {
        if (i > lead && (length - i) % 3 == 0)
            nv_buf_putc(buf, ',');
        nv_buf_putc(buf, digits[i]);
    }
}
