#include "worker/profiling/jsonl.h"

#include <string.h>

#include "worker/profiling/sketch.h"

struct jsonl_schema {
    char *const *names;
    size_t *lengths;
    size_t n;
    uint32_t *slots; /* column + 1 by the hash of its name */
    size_t mask;
};

enum { NOT_FOUND = -1 };

jsonl_schema_t *jsonl_schema_new(nv_mem_t *ctx, char *const *names, size_t n)
{
    jsonl_schema_t *schema = NV_NEW(ctx, jsonl_schema_t);
    size_t slots = 16;
    while (slots < 2 * n)
        slots *= 2;
    *schema = (jsonl_schema_t){.names = names, .n = n, .mask = slots - 1};
    schema->lengths = NV_NEW_ARRAY(schema, size_t, n + 1);
    schema->slots = NV_NEW_ARRAY(schema, uint32_t, slots);
    for (size_t i = 0; i < n; i++) {
        schema->lengths[i] = strlen(names[i]);
        size_t at = sketch_hash(names[i], schema->lengths[i]) & schema->mask;
        while (schema->slots[at])
            at = (at + 1) & schema->mask;
        schema->slots[at] = (uint32_t)i + 1;
    }
    return schema;
}

static bool is_column(const jsonl_schema_t *schema, size_t column, const char *name, size_t length)
{
    return column < schema->n && schema->lengths[column] == length &&
           memcmp(schema->names[column], name, length) == 0;
}

/* Names mostly come in the order of the columns: `expected` is looked at first. */
static int64_t find_column(const jsonl_schema_t *schema, size_t expected, const char *name, size_t length)
{
    if (is_column(schema, expected, name, length))
        return (int64_t)expected;
    for (size_t at = sketch_hash(name, length) & schema->mask; schema->slots[at];
         at = (at + 1) & schema->mask)
        if (is_column(schema, schema->slots[at] - 1, name, length))
            return schema->slots[at] - 1;
    return NOT_FOUND;
}

/* One line being read. `why` is set by whoever refuses it. */
typedef struct line {
    const char *at, *end;
    char *scratch;
    const char *why;
} line_t;

typedef struct value {
    const char *text;
    size_t length;
    bool nested;
    bool inexact;
} value_t;

static bool refuse(line_t *line, const char *why)
{
    line->why = why;
    return false;
}

static void skip_blanks(line_t *line)
{
    while (line->at < line->end && (*line->at == ' ' || *line->at == '\t' || *line->at == '\r'))
        line->at++;
}

static bool take_char(line_t *line, char c)
{
    if (line->at == line->end || *line->at != c)
        return false;
    line->at++;
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool take_hex(line_t *line, unsigned *out)
{
    *out = 0;
    for (int i = 0; i < 4; i++, line->at++) {
        int digit = line->at < line->end ? hex_digit(*line->at) : -1;
        if (digit < 0)
            return refuse(line, "JSON: a broken \\u escape");
        *out = *out * 16 + (unsigned)digit;
    }
    return true;
}

static char *put_utf8(char *out, unsigned code)
{
    if (code < 0x80) {
        *out++ = (char)code;
    } else if (code < 0x800) {
        *out++ = (char)(0xC0 | code >> 6);
        *out++ = (char)(0x80 | (code & 63));
    } else if (code < 0x10000) {
        *out++ = (char)(0xE0 | code >> 12);
        *out++ = (char)(0x80 | (code >> 6 & 63));
        *out++ = (char)(0x80 | (code & 63));
    } else {
        *out++ = (char)(0xF0 | code >> 18);
        *out++ = (char)(0x80 | (code >> 12 & 63));
        *out++ = (char)(0x80 | (code >> 6 & 63));
        *out++ = (char)(0x80 | (code & 63));
    }
    return out;
}

/* After "\u": one character, of two escapes where it is a surrogate pair. */
static bool take_unicode(line_t *line, char **out)
{
    unsigned code;
    unsigned low;
    if (!take_hex(line, &code))
        return false;
    if (code == 0)
        return refuse(line, "JSON: a NUL character");
    if (code >= 0xD800 && code < 0xE000) {
        if (code >= 0xDC00 || !take_char(line, '\\') || !take_char(line, 'u') || !take_hex(line, &low) ||
            low < 0xDC00 || low >= 0xE000)
            return refuse(line, "JSON: half of a surrogate pair");
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    *out = put_utf8(*out, code);
    return true;
}

static bool take_escape(line_t *line, char **out)
{
    static const char letters[] = "\"\\/bfnrt";
    static const char meant[] = "\"\\/\b\f\n\r\t";
    if (line->at == line->end)
        return refuse(line, "JSON: a string is never closed");
    char c = *line->at++;
    if (c == 'u')
        return take_unicode(line, out);
    const char *letter = c ? strchr(letters, c) : NULL;
    if (!letter)
        return refuse(line, "JSON: an unknown escape");
    *(*out)++ = meant[letter - letters];
    return true;
}

static const char *plain_end(const line_t *line)
{
    const char *at = line->at;
    while (at < line->end && *at != '"' && *at != '\\' && (unsigned char)*at >= 0x20)
        at++;
    return at;
}

/* The line stands behind the opening quote. Text without escapes is borrowed, other is undone into scratch. */
static bool take_string(line_t *line, value_t *out)
{
    const char *start = line->at;
    const char *stop = plain_end(line);
    char *to = NULL;
    for (;;) {
        if (to) {
            memmove(to, line->at, (size_t)(stop - line->at));
            to += stop - line->at;
        }
        line->at = stop;
        if (line->at == line->end)
            return refuse(line, "JSON: a string is never closed");
        if (*line->at == '"')
            break;
        if (*line->at++ != '\\')
            return refuse(line, "JSON: a control character in a string");
        if (!to) {
            memcpy(line->scratch, start, (size_t)(stop - start));
            to = line->scratch + (stop - start);
        }
        if (!take_escape(line, &to))
            return false;
        stop = plain_end(line);
    }
    out->text = to ? line->scratch : start;
    out->length = (size_t)((to ? to : line->at) - out->text);
    line->scratch = to ? to : line->scratch;
    line->at++;
    return true;
}

static size_t take_digits(line_t *line)
{
    const char *start = line->at;
    while (line->at < line->end && *line->at >= '0' && *line->at <= '9')
        line->at++;
    return (size_t)(line->at - start);
}

static bool take_number(line_t *line, value_t *out)
{
    out->text = line->at;
    (void)take_char(line, '-');
    bool zero = line->at < line->end && *line->at == '0';
    size_t whole = take_digits(line);
    size_t fraction = 0;
    if (!whole || (zero && whole > 1))
        return refuse(line, "JSON: no value where one was expected");
    if (take_char(line, '.') && !(fraction = take_digits(line)))
        return refuse(line, "JSON: a broken number");
    if (take_char(line, 'e') || take_char(line, 'E')) {
        if (!take_char(line, '-'))
            (void)take_char(line, '+');
        if (!take_digits(line))
            return refuse(line, "JSON: a broken number");
    }
    out->length = (size_t)(line->at - out->text);
    out->inexact = fraction && whole + fraction > JSONL_EXACT_DIGITS;
    return true;
}

static bool take_word(line_t *line, value_t *out)
{
    static const char *const words[] = {"null", "true", "false"};
    for (size_t i = 0; i < 3; i++) {
        size_t n = strlen(words[i]);
        if ((size_t)(line->end - line->at) >= n && memcmp(line->at, words[i], n) == 0) {
            *out = (value_t){.text = line->at, .length = i ? n : 0};
            line->at += n;
            return true;
        }
    }
    return refuse(line, "JSON: no value where one was expected");
}

static bool take_value(line_t *line, int depth, value_t *out);

static bool take_key(line_t *line, value_t *out)
{
    skip_blanks(line);
    if (!take_char(line, '"'))
        return refuse(line, "JSON: no name where one was expected");
    if (!take_string(line, out))
        return false;
    skip_blanks(line);
    return take_char(line, ':') || refuse(line, "JSON: no colon behind a name");
}

/* Behind a member: true when another one follows, false at the end or with `why` set. */
static bool more_members(line_t *line, char close)
{
    skip_blanks(line);
    if (take_char(line, ','))
        return true;
    if (!take_char(line, close))
        (void)refuse(line, "JSON: no comma between two values");
    return false;
}

/* Checks an object or array whose bracket has been taken. */
static bool check_nested(line_t *line, char close, int depth)
{
    if (depth > JSONL_MAX_DEPTH)
        return refuse(line, "JSON: nested too deeply");
    skip_blanks(line);
    if (take_char(line, close))
        return true;
    do {
        value_t ignored = {0};
        if ((close == '}' && !take_key(line, &ignored)) || !take_value(line, depth + 1, &ignored))
            return false;
    } while (more_members(line, close));
    return line->why == NULL;
}

/* Copies JSON text without the blanks between its parts. */
static size_t compact(const char *at, const char *end, char *out)
{
    char *to = out;
    bool quoted = false;
    for (; at < end; at++) {
        if (!quoted && (*at == ' ' || *at == '\t' || *at == '\r'))
            continue;
        if (quoted && *at == '\\')
            *to++ = *at++;
        else if (*at == '"')
            quoted = !quoted;
        *to++ = *at;
    }
    return (size_t)(to - out);
}

static bool take_nested(line_t *line, int depth, value_t *out)
{
    const char *start = line->at++;
    char *scratch = line->scratch;
    if (!check_nested(line, *start == '{' ? '}' : ']', depth))
        return false;
    if (depth > 0)
        return true;
    out->text = scratch; /* what was undone below is of no use */
    out->length = compact(start, line->at, scratch);
    out->nested = true;
    line->scratch = scratch + out->length;
    return true;
}

static bool take_value(line_t *line, int depth, value_t *out)
{
    skip_blanks(line);
    *out = (value_t){.text = ""};
    if (line->at == line->end)
        return refuse(line, "JSON: the line ends too early");
    if (take_char(line, '"'))
        return take_string(line, out);
    if (*line->at == '{' || *line->at == '[')
        return take_nested(line, depth, out);
    if (*line->at == '-' || (*line->at >= '0' && *line->at <= '9'))
        return take_number(line, out);
    return take_word(line, out);
}

jsonl_notes_t jsonl_notes_make(nv_mem_t *ctx, size_t n_columns)
{
    return (jsonl_notes_t){.ctx = ctx,
                           .nested = NV_NEW_ARRAY(ctx, bool, n_columns + 1),
                           .inexact = NV_NEW_ARRAY(ctx, bool, n_columns + 1),
                           .names = dict_make(ctx, JSONL_MAX_NAMES, SIZE_MAX / 2)};
}

static bool note_name(jsonl_notes_t *notes, const value_t *name)
{
    uint64_t hash = sketch_hash(name->text, name->length);
    if (dict_count(&notes->names, hash, 1))
        return true;
    if (!dict_add_new(&notes->names, name->text, name->length, hash, 1))
        return false;
    NV_PUSH(notes->ctx, notes->blocks, notes->n_blocks, notes->capacity) = notes->block;
    return true;
}

static bool take_member(const jsonl_schema_t *schema, line_t *line, size_t *expected, csv_record_t *record,
                        jsonl_notes_t *notes)
{
    value_t name;
    value_t value;
    if (!take_key(line, &name) || !take_value(line, 0, &value))
        return false;
    int64_t column = find_column(schema, *expected, name.text, name.length);
    if (column == NOT_FOUND)
        return note_name(notes, &name) || refuse(line, "JSON: too many different names");
    *expected = (size_t)column + 1;
    csv_field_t *field = &record->fields[(size_t)column * record->stride];
    if (field->text) /* the name was there before */
        return true;
    *field = (csv_field_t){value.text, value.length};
    notes->nested[column] |= value.nested;
    notes->inexact[column] |= value.inexact;
    return true;
}

const char *jsonl_split(const jsonl_schema_t *schema, const char *at, const char *end, csv_record_t *record,
                        jsonl_notes_t *notes)
{
    const char *newline = memchr(at, '\n', (size_t)(end - at));
    line_t line = {.at = at, .end = newline ? newline : end, .scratch = record->scratch};
    record->end = newline ? newline + 1 : end;
    record->quoted = false;
    record->stride += !record->stride;
    for (size_t i = 0; i < schema->n; i++)
        record->fields[i * record->stride] = (csv_field_t){0};
    skip_blanks(&line);
    if (!take_char(&line, '{'))
        return "JSON: the line is no object";
    skip_blanks(&line);
    size_t expected = 0;
    if (!take_char(&line, '}')) {
        do {
            if (!take_member(schema, &line, &expected, record, notes))
                return line.why;
        } while (more_members(&line, '}'));
    }
    skip_blanks(&line);
    if (line.why || line.at != line.end)
        return line.why ? line.why : "JSON: something follows the object";
    for (size_t i = 0; i < schema->n; i++)
        if (!record->fields[i * record->stride].text)
            record->fields[i * record->stride].text = "";
    record->scratch = line.scratch;
    record->n_fields = schema->n;
    return NULL;
}

void jsonl_sample_names(const char *text, size_t length, jsonl_notes_t *notes)
{
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("sample");
    jsonl_schema_t *none = jsonl_schema_new(scratch, NULL, 0);
    char *room = nv_alloc(scratch, length + 1);
    const char *end = text + length;
    while (text < end) {
        csv_record_t record = {.scratch = room};
        (void)jsonl_split(none, text, end, &record, notes);
        text = record.end;
    }
}
