#include "common/core/json.h"
#include "common/core/utf8.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

nv_json_writer_t nv_json_writer_make(nv_mem_t *ctx, size_t maximum, bool pretty)
{
    return (nv_json_writer_t){.buf = nv_buf_make(ctx, maximum), .pretty = pretty};
}

static void new_line(nv_json_writer_t *w)
{
    if (!w->pretty)
        return;
    nv_buf_putc(&w->buf, '\n');
    for (int i = 0; i < w->depth; i++)
        nv_buf_puts(&w->buf, "  ");
}

static void add_escaped(nv_buf_t *buf, unsigned char c)
{
    switch (c) {
    case '"':
        nv_buf_puts(buf, "\\\"");
        break;
    case '\\':
        nv_buf_puts(buf, "\\\\");
        break;
    case '\n':
        nv_buf_puts(buf, "\\n");
        break;
    case '\r':
        nv_buf_puts(buf, "\\r");
        break;
    case '\t':
        nv_buf_puts(buf, "\\t");
        break;
    default:
        nv_buf_printf(buf, "\\u%04x", c);
    }
}

static void add_quoted(nv_buf_t *buf, const char *text, size_t length)
{
    nv_buf_putc(buf, '"');
    size_t from = 0;
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7F)
            continue;
        nv_buf_add(buf, text + from, i - from);
        add_escaped(buf, c);
        from = i + 1;
    }
    nv_buf_add(buf, text + from, length - from);
    nv_buf_putc(buf, '"');
}

static void note_bad(nv_json_writer_t *w, const char *key)
{
    if (!w->bad)
        snprintf(w->bad_key, sizeof w->bad_key, "%s", key ? key : "");
    w->bad = true;
}

/* What stands before a value: comma, line break, key. */
static void lead(nv_json_writer_t *w, const char *key)
{
    if (w->depth > 0) {
        if (w->filled[w->depth])
            nv_buf_putc(&w->buf, ',');
        new_line(w);
    }
    w->filled[w->depth] = true;
    if (!key)
        return;
    if (!nv_utf8_valid(key, strlen(key)))
        note_bad(w, "a key");
    add_quoted(&w->buf, key, strlen(key));
    nv_buf_puts(&w->buf, w->pretty ? ": " : ":");
}

static void open_container(nv_json_writer_t *w, const char *key, char bracket)
{
    lead(w, key);
    nv_buf_putc(&w->buf, bracket);
    assert(w->depth < 2 * NV_JSON_MAX_DEPTH - 1);
    w->filled[++w->depth] = false;
}

static void close_container(nv_json_writer_t *w, char bracket)
{
    assert(w->depth > 0);
    bool filled = w->filled[w->depth--];
    if (filled)
        new_line(w);
    nv_buf_putc(&w->buf, bracket);
}

void nv_json_open_object(nv_json_writer_t *w, const char *key)
{
    open_container(w, key, '{');
}

void nv_json_close_object(nv_json_writer_t *w)
{
    close_container(w, '}');
}

void nv_json_open_array(nv_json_writer_t *w, const char *key)
{
    open_container(w, key, '[');
}

void nv_json_close_array(nv_json_writer_t *w)
{
    close_container(w, ']');
}

void nv_json_put_text(nv_json_writer_t *w, const char *key, const char *value, size_t length)
{
    lead(w, key);
    if (!nv_utf8_valid(value, length))
        note_bad(w, key);
    add_quoted(&w->buf, value, length);
}

void nv_json_put_string(nv_json_writer_t *w, const char *key, const char *value)
{
    nv_json_put_text(w, key, value, strlen(value));
}

void nv_json_put_int64(nv_json_writer_t *w, const char *key, int64_t value)
{
    lead(w, key);
    nv_buf_printf(&w->buf, "%" PRId64, value);
}

void nv_json_put_uint64(nv_json_writer_t *w, const char *key, uint64_t value)
{
    lead(w, key);
    nv_buf_printf(&w->buf, "%" PRIu64, value);
}

/* The decimal point is "." whatever the process's locale says. */
static void add_number(nv_buf_t *buf, char *text)
{
    char *comma = strchr(text, ',');
    if (comma)
        *comma = '.';
    nv_buf_puts(buf, text);
}

void nv_json_put_double(nv_json_writer_t *w, const char *key, double value)
{
    assert(isfinite(value));
    lead(w, key);
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    add_number(&w->buf, text);
}

void nv_json_put_float(nv_json_writer_t *w, const char *key, float value)
{
    assert(isfinite(value));
    lead(w, key);
    char text[40];
    for (int digits = 6; digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, (double)value);
        if (strtof(text, NULL) == value)
            break;
    }
    add_number(&w->buf, text);
}

void nv_json_put_bool(nv_json_writer_t *w, const char *key, bool value)
{
    lead(w, key);
    nv_buf_puts(&w->buf, value ? "true" : "false");
}

void nv_json_put_null(nv_json_writer_t *w, const char *key)
{
    lead(w, key);
    nv_buf_puts(&w->buf, "null");
}

void nv_json_put_raw(nv_json_writer_t *w, const char *key, const char *json)
{
    lead(w, key);
    nv_buf_puts(&w->buf, json);
}

bool nv_json_write_end(nv_json_writer_t *w, const char *what, char **out, size_t *out_length, nv_error_t *err)
{
    assert(w->depth == 0);
    if (w->bad)
        return nv_fail(err, NV_INVALID_ARGUMENT, "%s: %s: text is not UTF-8", what, w->bad_key);
    if (!nv_buf_ok(&w->buf, what, err))
        return false;
    assert(w->buf.length > 0);
    *out = w->buf.data;
    if (out_length)
        *out_length = w->buf.length;
    return true;
}
