#include <string.h>

#include "common/config/config.h"
#include "common/core/buf.h"

typedef struct scanner {
    nv_mem_t *ctx;
    const char *at;
    const char *end;
    int line;
    nv_env_pair_t *pairs;
    size_t count;
    size_t capacity;
} scanner_t;

static bool is_key_char(char c, bool first)
{
    return c == '_' || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (!first && c >= '0' && c <= '9');
}

static void skip_blanks(scanner_t *s)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\t'))
        s->at++;
}

/* True at the end of the text, or at a line end, which it consumes. */
static bool take_line_end(scanner_t *s)
{
    if (s->at < s->end && *s->at == '\r' && (s->at + 1 == s->end || s->at[1] == '\n'))
        s->at++;
    if (s->at == s->end)
        return true;
    if (*s->at != '\n')
        return false;
    s->at++;
    s->line++;
    return true;
}

static void skip_comment(scanner_t *s)
{
    skip_blanks(s);
    if (s->at < s->end && *s->at == '#')
        while (s->at < s->end && *s->at != '\n')
            s->at++;
}

static bool take_key(scanner_t *s, const char **out, nv_error_t *err)
{
    static const char export[] = "export";
    size_t left = (size_t)(s->end - s->at);
    if (left > sizeof export && memcmp(s->at, export, sizeof export - 1) == 0 &&
        (s->at[sizeof export - 1] == ' ' || s->at[sizeof export - 1] == '\t')) {
        s->at += sizeof export;
        skip_blanks(s);
    }
    const char *start = s->at;
    while (s->at < s->end && is_key_char(*s->at, s->at == start))
        s->at++;
    if (s->at == start)
        return nv_fail(err, NV_INVALID_ARGUMENT,
                       "line %d: expected a name of letters, digits and _ before \"=\"", s->line);
    *out = nv_strndup(s->ctx, start, (size_t)(s->at - start));
    skip_blanks(s);
    if (s->at == s->end || *s->at != '=')
        return nv_fail(err, NV_INVALID_ARGUMENT, "line %d: expected \"=\" after %.64s", s->line, *out);
    s->at++;
    skip_blanks(s);
    return true;
}

static char unescape(char c)
{
    return c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c;
}

/* 'literal' or "escaped"; may span lines. */
static bool take_quoted(scanner_t *s, const char **out, nv_error_t *err)
{
    char quote = *s->at++;
    int first_line = s->line;
    nv_buf_t buf = nv_buf_make(s->ctx, NV_ENV_FILE_MAX_BYTES);
    while (s->at < s->end && *s->at != quote) {
        char c = *s->at++;
        if (c == '\n')
            s->line++;
        if (quote == '"' && c == '\\') {
            if (s->at == s->end)
                break;
            c = unescape(*s->at++);
        }
        nv_buf_putc(&buf, c);
    }
    if (s->at == s->end)
        return nv_fail(err, NV_INVALID_ARGUMENT, "line %d: expected a closing %c", first_line, quote);
    s->at++;
    *out = nv_buf_text(&buf);
    skip_comment(s);
    if (!take_line_end(s))
        return nv_fail(err, NV_INVALID_ARGUMENT, "line %d: expected the end of the line after the closing %c",
                       s->line, quote);
    return true;
}

/* To the end of the line; " #" starts a comment; trailing blanks do not count. */
static void take_plain(scanner_t *s, const char **out)
{
    const char *start = s->at;
    const char *stop = start;
    while (s->at < s->end && *s->at != '\n') {
        bool blank = *s->at == ' ' || *s->at == '\t' || *s->at == '\r';
        if (*s->at == '#' && (s->at == start || s->at[-1] == ' ' || s->at[-1] == '\t')) {
            skip_comment(s);
            break;
        }
        s->at++;
        if (!blank)
            stop = s->at;
    }
    *out = nv_strndup(s->ctx, start, (size_t)(stop - start));
    (void)take_line_end(s);
}

static bool take_line(scanner_t *s, nv_error_t *err)
{
    skip_comment(s);
    if (take_line_end(s))
        return true;
    nv_env_pair_t pair;
    if (!take_key(s, &pair.key, err))
        return false;
    if (s->count == NV_ENV_FILE_MAX_PAIRS)
        return nv_fail(err, NV_INVALID_ARGUMENT, "line %d: expected at most %d variables", s->line,
                       NV_ENV_FILE_MAX_PAIRS);
    if (s->at < s->end && (*s->at == '"' || *s->at == '\'')) {
        if (!take_quoted(s, &pair.value, err))
            return false;
    } else {
        take_plain(s, &pair.value);
    }
    NV_PUSH(s->ctx, s->pairs, s->count, s->capacity) = pair;
    return true;
}

bool nv_env_file_parse(nv_mem_t *ctx, const char *text, size_t length, nv_env_pair_t **out, size_t *out_count,
                       nv_error_t *err)
{
    if (length > NV_ENV_FILE_MAX_BYTES)
        return nv_fail(err, NV_INVALID_ARGUMENT, "expected at most %d bytes, got %zu", NV_ENV_FILE_MAX_BYTES,
                       length);
    if (length && memchr(text, '\0', length))
        return nv_fail(err, NV_INVALID_ARGUMENT, "expected text, got a NUL byte");
    if (length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) { /* byte order mark */
        text += 3;
        length -= 3;
    }
    scanner_t s = {.ctx = ctx, .at = text, .end = text + length, .line = 1};
    while (s.at < s.end)
        if (!take_line(&s, err))
            return false;
    *out = s.pairs;
    *out_count = s.count;
    return true;
}
