#include "workspace/multipart.h"

#include <string.h>
#include <strings.h>

static bool find_boundary(nv_mem_t *mem, const char *content_type, const char **out, nv_error_t *err)
{
    const char *at = strcasestr(content_type, "boundary=");
    if (!at) {
        return nv_fail(err, NV_INVALID_ARGUMENT, "Content-Type %.100s: expected a boundary", content_type);
    }
    at += strlen("boundary=");
    bool quoted = *at == '"';
    at += quoted;
    size_t length = strcspn(at, quoted ? "\"" : "; \t");
    if (length == 0 || length > 70) {
        return nv_fail(err, NV_INVALID_ARGUMENT, "multipart boundary of %zu bytes: expected 1 to 70", length);
    }
    *out = nv_printf(mem, "\r\n--%.*s", (int)length, at);
    return true;
}

/* The value of name="…" in a part's Content-Disposition line, or NULL. */
static const char *disposition_name(nv_mem_t *mem, const char *headers, size_t length)
{
    const char *text = nv_strndup(mem, headers, length);
    const char *line = strcasestr(text, "content-disposition:");
    const char *at = line;
    while (at && (at = strstr(at, "name=\"")) != NULL) {
        if (at[-1] == ' ' || at[-1] == ';') { /* not filename="…" */
            at += strlen("name=\"");
            return nv_strndup(mem, at, strcspn(at, "\"\r\n"));
        }
        at++;
    }
    return NULL;
}

/* One part, from behind its boundary line. *at moves to the next boundary. */
static bool read_part(nv_mem_t *mem, const char **at, const char *end, const char *boundary, ws_part_t *out,
                      nv_error_t *err)
{
    const char *headers = *at;
    const char *blank = memmem(headers, (size_t)(end - headers), "\r\n\r\n", 4);
    if (!blank || blank - headers > 8192) {
        return nv_fail(err, NV_INVALID_ARGUMENT, "multipart body: a part's headers do not end");
    }
    const char *content = blank + 4;
    /* An empty part's content may begin with the boundary's own CRLF, hence the search from the blank line's end - 2. */
    const char *from = content - 2;
    const char *next = memmem(from, (size_t)(end - from), boundary, strlen(boundary));
    if (!next) {
        return nv_fail(err, NV_INVALID_ARGUMENT, "multipart body: a part does not end");
    }
    out->name = disposition_name(mem, headers, (size_t)(blank - headers));
    if (!out->name) {
        return nv_fail(err, NV_INVALID_ARGUMENT, "multipart body: a part has no name");
    }
    out->content = nv_bytes(content, next > content ? (size_t)(next - content) : 0);
    *at = next + strlen(boundary);
    return true;
}

bool ws_multipart_parse(nv_mem_t *mem, const char *content_type, const char *body, size_t length,
                        ws_multipart_t *out, nv_error_t *err)
{
    const char *boundary = NULL;
    out->count = 0;
    if (!find_boundary(mem, content_type, &boundary, err)) {
        return false;
    }
    const char *end = body + length;
    const char *first = boundary + 2; /* the first one has no line before it */
    const char *at = length ? memmem(body, length, first, strlen(first)) : NULL;
    if (!at) {
        return nv_fail(err, NV_INVALID_ARGUMENT, "multipart body: the boundary is not in it");
    }
    at += strlen(first);
    while (end - at >= 2 && memcmp(at, "--", 2) != 0) {
        if (out->count == WS_MULTIPART_MAX_PARTS) {
            return nv_fail(err, NV_INVALID_ARGUMENT, "multipart body: more than %d parts",
                           WS_MULTIPART_MAX_PARTS);
        }
        if (!read_part(mem, &at, end, boundary, &out->parts[out->count], err)) {
            return false;
        }
        out->count++;
    }
    return true;
}

const nv_bytes_t *ws_multipart_find(const ws_multipart_t *form, const char *name)
{
    for (size_t i = 0; i < form->count; i++) {
        if (strcmp(form->parts[i].name, name) == 0) {
            return &form->parts[i].content;
        }
    }
    return NULL;
}
