#include "worker/report/html.h"

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

void html_element(nv_buf_t *buf, const char *tag, const char *css_class, const char *text)
{
    if (css_class)
        nv_buf_printf(buf, "<%s class=\"%s\">", tag, css_class);
    else
        nv_buf_printf(buf, "<%s>", tag);
    html_text(buf, text);
    nv_buf_printf(buf, "</%s>", tag);
}

void html_table_head(nv_buf_t *buf, const char *const *titles)
{
    nv_buf_puts(buf, "<thead><tr>");
    for (; *titles; titles++) {
        bool number = (*titles)[0] == '>';
        html_element(buf, "th", number ? "n" : NULL, *titles + number);
    }
    nv_buf_puts(buf, "</tr></thead>\n");
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
