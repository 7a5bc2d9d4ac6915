#include "workspace/path.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static bool check_segment(const char *path, const char *segment, size_t length, nv_error_t *err)
{
    if (length > 255) {
        return nv_fail(err, NV_INVALID_ARGUMENT, "Path (%.200s…) has a segment of %zu bytes: at most 255",
                       path, length);
    }
    if ((length == 1 && segment[0] == '.') || (length == 2 && segment[0] == '.' && segment[1] == '.')) {
        return nv_fail(err, NV_INVALID_ARGUMENT, "Path (%.200s) must not contain . or .. segments", path);
    }
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)segment[i] < 0x20 || segment[i] == 0x7f) {
            return nv_fail(err, NV_INVALID_ARGUMENT, "Path (%.200s) must not contain control characters",
                           path);
        }
    }
    return true;
}

/* Copies path without doubled and trailing slashes; "" for the root. */
static bool squeeze(nv_mem_t *mem, const char *path, char **out, nv_error_t *err)
{
    char *clean = nv_alloc(mem, strlen(path) + 2);
    size_t n = 0;
    for (const char *p = path; *p;) {
        p += strspn(p, "/");
        size_t length = strcspn(p, "/");
        if (length == 0) {
            break;
        }
        if (!check_segment(path, p, length, err)) {
            return false;
        }
        clean[n++] = '/';
        memcpy(clean + n, p, length);
        n += length;
        p += length;
    }
    clean[n] = '\0';
    *out = clean;
    return true;
}

bool ws_path_normalize(nv_mem_t *mem, const char *path, const char **out, nv_error_t *err)
{
    if (path[0] != '/') {
        return nv_fail(err, NV_INVALID_ARGUMENT, "Path (%.200s) doesn't start with '/'", path);
    }
    if (strlen(path) > WS_PATH_MAX) {
        return nv_fail(err, NV_INVALID_ARGUMENT, "Path (%.100s…) has %zu bytes: at most %d", path,
                       strlen(path), WS_PATH_MAX);
    }
    char *clean = NULL;
    if (!squeeze(mem, path, &clean, err)) {
        return false;
    }
    static const char prefix[] = "/Workspace";
    size_t length = sizeof prefix - 1;
    if (strncmp(clean, prefix, length) == 0 && (clean[length] == '/' || clean[length] == '\0')) {
        clean += length;
    }
    *out = *clean ? clean : "/";
    return true;
}

const char *ws_path_parent(nv_mem_t *mem, const char *path)
{
    const char *slash = strrchr(path, '/');
    return !slash || slash == path ? "/" : nv_strndup(mem, path, (size_t)(slash - path));
}

bool ws_name_check(nv_mem_t *mem, const char *kind, const char *name, const char **out, nv_error_t *err)
{
    size_t length = strlen(name);
    char *lower = nv_strdup(mem, name);
    bool good = length >= 1 && length <= 255;
    for (char *p = lower; *p && good; p++) {
        *p = *p >= 'A' && *p <= 'Z' ? (char)(*p | 0x20) : *p;
        good = (*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || *p == '_';
    }
    if (!good) {
        return nv_fail(
            err, NV_INVALID_ARGUMENT,
            "%s name `%.255s`: the local workspace allows letters, digits and _ (1 to 255 of them)", kind,
            name);
    }
    bool catalog = strcmp(kind, "catalog") == 0;
    if (catalog && (strstr(lower, "__") || lower[length - 1] == '_')) {
        return nv_fail(err, NV_INVALID_ARGUMENT, "catalog name `%s`: neither __ nor a trailing _ is allowed",
                       name);
    }
    *out = lower;
    return true;
}

static const char *next_segment(nv_mem_t *mem, const char **p)
{
    *p += strspn(*p, "/");
    size_t length = strcspn(*p, "/");
    const char *segment = length ? nv_strndup(mem, *p, length) : NULL;
    *p += length;
    return segment;
}

bool ws_volume_path_parse(nv_mem_t *mem, const char *path, ws_volume_path_t *out, nv_error_t *err)
{
    char *clean = NULL;
    if (strlen(path) > 4096) {
        return nv_fail(err, NV_INVALID_ARGUMENT, "the path has %zu bytes: at most 4096", strlen(path));
    }
    if (!squeeze(mem, path, &clean, err)) {
        return false;
    }
    const char *p = clean;
    const char *top = next_segment(mem, &p);
    const char *catalog = next_segment(mem, &p);
    const char *schema = next_segment(mem, &p);
    const char *volume = next_segment(mem, &p);
    if (!top || strcmp(top, "Volumes") != 0 || !catalog || !schema) {
        return nv_fail(err, NV_INVALID_ARGUMENT,
                       "Path (%.200s): expected /Volumes/<catalog>/<schema>/<volume>/<path>", path);
    }
    *out = (ws_volume_path_t){.rest = p + strspn(p, "/")};
    return ws_name_check(mem, "catalog", catalog, &out->catalog, err) &&
           ws_name_check(mem, "schema", schema, &out->schema, err) &&
           (!volume || ws_name_check(mem, "volume", volume, &out->volume, err));
}

static bool digits(const char **p, int64_t *out)
{
    if (**p < '0' || **p > '9') {
        return false;
    }
    *out = 0;
    while (**p >= '0' && **p <= '9') {
        *out = *out > INT64_MAX / 10 - 10 ? INT64_MAX / 10 - 10 : *out * 10 + (**p - '0');
        (*p)++;
    }
    return true;
}

bool ws_range_parse(const char *header, int64_t size, bool *partial, int64_t *first, int64_t *last,
                    nv_error_t *err)
{
    *partial = false;
    *first = 0;
    *last = size - 1;
    if (!header || strncmp(header, "bytes=", 6) != 0) {
        return true;
    }
    const char *p = header + 6;
    int64_t from = 0;
    int64_t to = size - 1;
    bool has_from = digits(&p, &from);
    if (*p++ != '-') {
        return true;
    }
    bool has_to = digits(&p, &to);
    if (*p || (!has_from && !has_to) || (has_from && has_to && to < from)) {
        return true; /* several ranges, or nonsense: the whole file, as RFC 9110 allows */
    }
    if (!has_from) {
        from = to >= size ? 0 : size - to;
        to = size - 1;
    }
    if (from >= size) {
        return nv_fail(err, NV_OUT_OF_RANGE,
                       "Range %.60s lies behind the end of the file (%" PRId64 " bytes)", header, size);
    }
    *partial = true;
    *first = from;
    *last = to >= size ? size - 1 : to;
    return true;
}
