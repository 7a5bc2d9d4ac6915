#include "workspace/identity.h"

#include "workspace/request.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_SECRET = 4096 };

bool ws_write_file(nv_mem_t *mem, const char *path, const char *text, nv_error_t *err)
{
    const char *draft = nv_printf(mem, "%s.new", path);
    size_t length = strlen(text);
    int fd = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        return nv_fail_errno(err, errno, "%s", draft);
    }
    bool ok = write(fd, text, length) == (ssize_t)length && fsync(fd) == 0;
    int code = errno;
    close(fd);
    if (!ok || rename(draft, path) != 0) {
        return nv_fail_errno(err, ok ? errno : code, "%s", path);
    }
    return true;
}

/* *out is NULL when there is no such file. */
static bool read_line(nv_mem_t *mem, const char *path, char **out, nv_error_t *err)
{
    *out = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT || nv_fail_errno(err, errno, "%s", path);
    }
    char *text = nv_alloc(mem, MAX_SECRET + 1);
    ssize_t length = read(fd, text, MAX_SECRET);
    int code = errno;
    close(fd);
    if (length < 0) {
        return nv_fail_errno(err, code, "%s", path);
    }
    text[strcspn(text, "\r\n")] = '\0';
    if (!*text) {
        return nv_fail(err, NV_INVALID_ARGUMENT, "%s: is empty", path);
    }
    *out = text;
    return true;
}

bool ws_identity_secret(nv_mem_t *mem, const char *path, bool create, const char **out, nv_error_t *err)
{
    char *text = NULL;
    if (!read_line(mem, path, &text, err)) {
        return false;
    }
    if (!text && !create) {
        return nv_fail(err, NV_NOT_FOUND, "%s: there is no such file", path);
    }
    if (!text) {
        text = ws_random_hex(mem, 24);
        if (!ws_write_file(mem, path, nv_printf(mem, "%s\n", text), err)) {
            return false;
        }
    }
    *out = text;
    return true;
}

bool ws_identity_token_key(const char *path, ws_token_key_t *out, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *mem = nv_mem_root("token key");
    char *hex = NULL;
    if (!read_line(mem, path, &hex, err)) {
        return false;
    }
    if (!hex) {
        hex = ws_random_hex(mem, WS_TOKEN_KEY_BYTES);
        if (!ws_write_file(mem, path, nv_printf(mem, "%s\n", hex), err)) {
            return false;
        }
    }
    for (size_t i = 0; i < WS_TOKEN_KEY_BYTES; i++) {
        unsigned value = 0;
        if (strlen(hex) != WS_TOKEN_KEY_BYTES * 2 || sscanf(hex + i * 2, "%2x", &value) != 1) {
            return nv_fail(err, NV_DATA_LOSS, "%s: expected %d hexadecimal digits", path,
                           WS_TOKEN_KEY_BYTES * 2);
        }
        out->bytes[i] = (unsigned char)value;
    }
    return true;
}

bool ws_identity_workspace_id(nv_mem_t *mem, const char *path, int64_t *out, nv_error_t *err)
{
    char *text = NULL;
    if (!read_line(mem, path, &text, err)) {
        return false;
    }
    if (!text) {
        unsigned long long random = strtoull(ws_random_hex(mem, 8), NULL, 16);
        text = nv_printf(mem, "%lld", (long long)(random % 9000000000000000ULL + 1000000000000000ULL));
        if (!ws_write_file(mem, path, nv_printf(mem, "%s\n", text), err)) {
            return false;
        }
    }
    *out = strtoll(text, NULL, 10);
    return *out > 0 || nv_fail(err, NV_DATA_LOSS, "%s: expected a number", path);
}
