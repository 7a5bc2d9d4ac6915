#include "worker/llm/extract.h"

#include <string.h>

/* The length of the balanced object at text[0] == '{', or 0. Braces inside strings do not count. */
static size_t object_length(const char *text, size_t length)
{
    size_t depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{') {
            depth++;
        } else if (c == '}' && --depth == 0) {
            return i + 1;
        }
    }
    return 0;
}

/* What comes after the thinking that some models print. */
static size_t after_thinking(const char *text, size_t length)
{
    static const char mark[] = "</think>";
    const char *found = memmem(text, length, mark, sizeof mark - 1);
    return found ? (size_t)(found - text) + sizeof mark - 1 : 0;
}

static bool first_object(const char *text, size_t length, const char **out, size_t *out_length)
{
    size_t at = 0;
    for (int tries = 0; tries < 64; tries++) { /* a stray brace in prose must not hide the object behind it */
        const char *brace = memchr(text + at, '{', length - at);
        if (!brace)
            return false;
        at = (size_t)(brace - text);
        size_t n = object_length(brace, length - at);
        const char *inside = brace + 1;
        while (inside < text + length && strchr(" \t\r\n", *inside) && *inside)
            inside++;
        bool looks_like_json = inside < text + length && (*inside == '"' || *inside == '}');
        if (n && looks_like_json) {
            *out = brace;
            *out_length = n;
            return true;
        }
        at++;
    }
    return false;
}

bool llm_extract_json(const char *text, size_t length, const char **out, size_t *out_length)
{
    size_t from = after_thinking(text, length);
    text += from;
    length -= from;
    while (length > 0 && strchr(" \t\r\n", *text) && *text) {
        text++;
        length--;
    }
    if (length > 0 && *text == '{' && first_object(text, length, out, out_length))
        return true;
    const char *fence = memmem(text, length, "```", 3);
    if (fence) {
        size_t rest = length - (size_t)(fence + 3 - text);
        if (first_object(fence + 3, rest, out, out_length))
            return true;
    }
    return first_object(text, length, out, out_length);
}
