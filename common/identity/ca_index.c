#include "common/identity/ca_index.h"

#include "common/core/buf.h"
#include "common/identity/files.h"
#include "common/identity/revocation.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { INDEX_MAX_BYTES = 64 * 1024 * 1024, FIELDS = 8 };

static void join(nv_buf_t *out, const char *const *items, size_t n)
{
    for (size_t i = 0; i < n; i++)
        nv_buf_printf(out, "%s%s", i ? "," : "", items[i]);
}

static bool plain(const char *const *items, size_t n, nv_error_t *err)
{
    for (size_t i = 0; i < n; i++)
        if (strpbrk(items[i], ",\t\n\r") || !*items[i])
            return nv_fail(err, NV_INVALID_ARGUMENT, "name \"%.80s\": expected a DNS name or IP address",
                           items[i]);
    return true;
}

bool nv_ca_index_add(const char *dir, const nv_cert_request_t *request, const char *serial, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("index");
    if (!plain(request->dns, request->n_dns, err) || !plain(request->ips, request->n_ips, err))
        return false;
    nv_buf_t line = nv_buf_make(ctx, 8000);
    nv_buf_printf(&line, "%s\t%s\t%s\t%lld\t%lld\t%s\t", serial, request->spiffe, request->file,
                  (long long)request->not_before, (long long)request->not_after,
                  request->server ? "server" : "client");
    join(&line, request->dns, request->n_dns);
    nv_buf_putc(&line, '\t');
    join(&line, request->ips, request->n_ips);
    if (!nv_buf_ok(&line, "certificate record", err))
        return false;
    return nv_append_line(nv_printf(ctx, "%s/issued.tsv", dir), nv_buf_text(&line), 0600, err);
}

const char *const *nv_ca_index_split(nv_mem_t *ctx, const char *joined, size_t *n)
{
    const char **items = NULL;
    size_t capacity = 0;
    *n = 0;
    char *rest = *joined ? nv_strdup(ctx, joined) : NULL;
    for (char *item; (item = strsep(&rest, ",")) != NULL;)
        NV_PUSH(ctx, items, *n, capacity) = item;
    return items;
}

static bool parse_record(char *line, nv_cert_record_t *out, nv_error_t *err)
{
    char *field[FIELDS];
    size_t n = 0;
    for (char *item; n < FIELDS && (item = strsep(&line, "\t")) != NULL;)
        field[n++] = item;
    if (n != FIELDS)
        return nv_fail(err, NV_DATA_LOSS, "expected %d tab-separated fields, found %zu", FIELDS, n);
    *out = (nv_cert_record_t){.serial = field[0],
                              .spiffe = field[1],
                              .file = field[2],
                              .not_before = strtoll(field[3], NULL, 10),
                              .not_after = strtoll(field[4], NULL, 10),
                              .server = strcmp(field[5], "server") == 0,
                              .dns = field[6],
                              .ips = field[7]};
    return true;
}

static void mark_revoked(nv_cert_record_t *record, const nv_revocation_t *revoked)
{
    nv_cert_info_t info = {.not_before = record->not_before};
    snprintf(info.serial, sizeof info.serial, "%s", record->serial);
    snprintf(info.spiffe, sizeof info.spiffe, "%s", record->spiffe);
    record->revoked = nv_revocation_has(revoked, &info);
}

bool nv_ca_list(nv_mem_t *ctx, const char *dir, nv_cert_record_t **out, size_t *n, nv_error_t *err)
{
    const char *path = nv_printf(ctx, "%s/issued.tsv", dir);
    size_t capacity = 0, length;
    char *text;
    nv_revocation_t *revoked;
    *out = NULL;
    *n = 0;
    if (access(path, F_OK) != 0 && errno == ENOENT)
        return true;
    if (!nv_revocation_load(ctx, nv_printf(ctx, "%s/revoked.tsv", dir), &revoked, err) ||
        !nv_read_file(ctx, path, INDEX_MAX_BYTES, &text, &length, err))
        return false;
    int number = 0;
    for (char *line; (line = strsep(&text, "\n")) != NULL;) {
        number++;
        nv_cert_record_t record;
        if (!*line)
            continue;
        if (!parse_record(line, &record, err))
            return nv_wrap(err, "%s:%d", path, number);
        mark_revoked(&record, revoked);
        NV_PUSH(ctx, *out, *n, capacity) = record;
    }
    return true;
}
