#include "common/identity/revocation.h"

#include "common/identity/files.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LIST_MAX_BYTES = 16 * 1024 * 1024, REASON_MAX = 200 };

typedef struct entry {
    const char *what;
    int64_t when;
} entry_t;

struct nv_revocation {
    entry_t *entries;
    size_t n, capacity;
};

static bool serial_valid(const char *text)
{
    size_t length = strlen(text);
    return length > 0 && length <= NV_SERIAL_MAX && strspn(text, "0123456789abcdef") == length;
}

static bool add_line(nv_revocation_t *list, char *line, nv_error_t *err)
{
    char *rest = line;
    const char *what = strsep(&rest, "\t");
    const char *when = rest ? strsep(&rest, "\t") : NULL;
    char *end = NULL;
    errno = 0;
    long long seconds = when ? strtoll(when, &end, 10) : 0;
    bool known = serial_valid(what) || strncmp(what, "spiffe:spiffe://", 16) == 0;
    if (!when || end == when || *end || errno || !known)
        return nv_fail(err, NV_DATA_LOSS,
                       "expected serial or spiffe:<id>, a tab and Unix seconds, found \"%.80s\"", what);
    NV_PUSH(list, list->entries, list->n, list->capacity) = (entry_t){what, seconds};
    return true;
}

bool nv_revocation_load(nv_mem_t *ctx, const char *path, nv_revocation_t **out, nv_error_t *err)
{
    nv_revocation_t *list = NV_NEW(ctx, nv_revocation_t);
    *out = list;
    if (access(path, F_OK) != 0 && errno == ENOENT)
        return true;
    char *text;
    size_t length;
    if (!nv_read_file(list, path, LIST_MAX_BYTES, &text, &length, err))
        return nv_wrap(err, "revocation list");
    int number = 0;
    for (char *line; (line = strsep(&text, "\n")) != NULL;) {
        number++;
        if (*line && *line != '#' && !add_line(list, line, err))
            return nv_wrap(err, "revocation list %s:%d", path, number);
    }
    return true;
}

bool nv_revocation_has(const nv_revocation_t *list, const nv_cert_info_t *cert)
{
    for (size_t i = 0; i < list->n; i++) {
        const entry_t *entry = &list->entries[i];
        bool by_id = strncmp(entry->what, "spiffe:", 7) == 0;
        if (by_id ? strcmp(entry->what + 7, cert->spiffe) == 0 && cert->not_before <= entry->when
                  : strcmp(entry->what, cert->serial) == 0)
            return true;
    }
    return false;
}

bool nv_revocation_add(const char *path, const char *serial, const char *spiffe, int64_t now,
                       const char *reason, nv_error_t *err)
{
    char what[NV_SPIFFE_MAX + 16];
    nv_identity_t identity;
    if (spiffe && *spiffe) {
        if (!nv_identity_parse(spiffe, &identity, err))
            return false;
        snprintf(what, sizeof what, "spiffe:%s", spiffe);
    } else {
        if (!serial || !serial_valid(serial))
            return nv_fail(err, NV_INVALID_ARGUMENT,
                           "serial \"%.80s\": expected 1 to %d lower-case hex digits", serial ? serial : "",
                           NV_SERIAL_MAX);
        snprintf(what, sizeof what, "%s", serial);
    }
    char line[NV_SPIFFE_MAX + REASON_MAX + 64], clean[REASON_MAX + 1];
    snprintf(clean, sizeof clean, "%s", reason ? reason : "");
    for (char *p = clean; *p; p++)
        if (iscntrl((unsigned char)*p))
            *p = ' ';
    snprintf(line, sizeof line, "%s\t%lld\t%s", what, (long long)now, clean);
    return nv_append_line(path, line, 0600, err);
}
