/* Key-encryption keys: where they come from. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/core/base64.h"
#include "controlplane/tenancy/keys.h"

enum { KEYS_MAX = 16, FILE_MAX = 4096, HEX_LENGTH = 2 * TENANCY_KEY_BYTES };

struct tenancy_keys {
    uint8_t *keys[KEYS_MAX]; /* newest first; wiped when freed */
    size_t count;
    char id[2 * KEY_ID_BYTES + 1];
};

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static bool decode_hex(const char *text, uint8_t *out)
{
    for (size_t i = 0; i < TENANCY_KEY_BYTES; i++) {
        int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static bool decode_base64(const char *text, size_t length, uint8_t *out)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("key text");
    uint8_t *bytes;
    size_t n;
    if (!nv_base64_decode(ctx, text, length, &bytes, &n))
        return false;
    bool ok = n == TENANCY_KEY_BYTES;
    if (ok)
        memcpy(out, bytes, n);
    OPENSSL_cleanse(bytes, n);
    return ok;
}

static bool add_key(tenancy_keys_t *keys, const char *text, size_t length, const char *from, nv_error_t *err)
{
    if (keys->count == KEYS_MAX)
        return nv_fail(err, NV_INVALID_ARGUMENT, "%s: expected at most %d keys", from, KEYS_MAX);
    uint8_t *key = secret_new(keys, TENANCY_KEY_BYTES);
    bool ok = length == HEX_LENGTH ? decode_hex(text, key) : decode_base64(text, length, key);
    if (!ok)
        return nv_fail(err, NV_INVALID_ARGUMENT,
                       "%s: key %zu: expected 64 hexadecimal digits or base64 of %d bytes", from,
                       keys->count + 1, TENANCY_KEY_BYTES);
    keys->keys[keys->count++] = key;
    return true;
}

static bool is_separator(char c)
{
    return c == '\n' || c == '\r' || c == ',' || c == ' ' || c == '\t';
}

/* Keys separated by blanks, commas or line ends. */
static bool add_keys(tenancy_keys_t *keys, const char *text, const char *from, nv_error_t *err)
{
    while (*text) {
        while (is_separator(*text))
            text++;
        size_t length = 0;
        while (text[length] && !is_separator(text[length]))
            length++;
        if (length && !add_key(keys, text, length, from, err))
            return false;
        text += length;
    }
    return true;
}

/* ---- the file ---- */

static bool write_new(int fd, const char *path, nv_error_t *err)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t key[TENANCY_KEY_BYTES];
    char text[HEX_LENGTH + 1];
    bool ok = RAND_bytes(key, sizeof key) == 1 || nv_fail(err, NV_INTERNAL, "no random bytes for %s", path);
    for (size_t i = 0; i < sizeof key; i++) {
        text[2 * i] = digits[key[i] >> 4];
        text[2 * i + 1] = digits[key[i] & 15];
    }
    text[HEX_LENGTH] = '\n';
    if (ok && (write(fd, text, sizeof text) != (ssize_t)sizeof text || fsync(fd) != 0))
        ok = nv_fail_errno(err, errno ? errno : ENOSPC, "%s", path);
    OPENSSL_cleanse(key, sizeof key);
    OPENSSL_cleanse(text, sizeof text);
    return ok;
}

static bool sync_folder(const char *path, nv_error_t *err)
{
    char folder[4096];
    const char *slash = strrchr(path, '/');
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return nv_fail_errno(err, errno, "%s", folder);
    bool ok = fsync(fd) == 0 || nv_fail_errno(err, errno, "%s", folder);
    close(fd);
    return ok;
}

/* Written aside and linked into place, so that a crash leaves no half key, and of two starters one wins. */
static bool make_file(const char *path, nv_error_t *err)
{
    char aside[4096];
    int n = snprintf(aside, sizeof aside, "%s.%ld", path, (long)getpid());
    if (n < 0 || (size_t)n >= sizeof aside)
        return nv_fail_errno(err, ENAMETOOLONG, "%s", path);
    int fd = open(aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return nv_fail_errno(err, errno, "%s", aside);
    bool ok = write_new(fd, aside, err);
    close(fd);
    if (ok && link(aside, path) != 0 && errno != EEXIST)
        ok = nv_fail_errno(err, errno, "%s", path);
    unlink(aside);
    return ok && sync_folder(path, err);
}

static bool check_mode(int fd, const char *path, nv_error_t *err)
{
    struct stat info;
    if (fstat(fd, &info) != 0)
        return nv_fail_errno(err, errno, "%s", path);
    if (!S_ISREG(info.st_mode))
        return nv_fail(err, NV_INVALID_ARGUMENT, "%s: expected a file", path);
    if (info.st_mode & 077)
        return nv_fail(err, NV_PERMISSION_DENIED, "%s has mode %04o: expected 0600, for its owner only", path,
                       (unsigned)(info.st_mode & 07777));
    return true;
}

static bool read_keys(tenancy_keys_t *keys, int fd, const char *path, nv_error_t *err)
{
    char text[FILE_MAX + 1];
    ssize_t n = read(fd, text, sizeof text);
    if (n < 0)
        return nv_fail_errno(err, errno, "%s", path);
    if ((size_t)n == sizeof text) {
        OPENSSL_cleanse(text, sizeof text);
        return nv_fail(err, NV_INVALID_ARGUMENT, "%s: expected at most %d bytes", path, FILE_MAX);
    }
    text[n] = '\0';
    bool ok = add_keys(keys, text, path, err);
    OPENSSL_cleanse(text, sizeof text);
    return ok;
}

static bool load_file(tenancy_keys_t *keys, const char *path, nv_error_t *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        if (!make_file(path, err))
            return false;
        fd = open(path, O_RDONLY | O_CLOEXEC);
    }
    if (fd < 0)
        return nv_fail_errno(err, errno, "%s", path);
    bool ok = check_mode(fd, path, err) && read_keys(keys, fd, path, err);
    close(fd);
    return ok;
}

/* ---- opening ---- */

static bool load(tenancy_keys_t *keys, const tenancy_keys_options_t *options, nv_error_t *err)
{
    bool has_key = options->key && *options->key, has_path = options->path && *options->path;
    if (has_key == has_path)
        return nv_fail(err, NV_INVALID_ARGUMENT, "key-encryption key: expected either a key or a file");
    if (has_path)
        return load_file(keys, options->path, err);
    return add_keys(keys, options->key, "the key-encryption key", err);
}

bool tenancy_keys_open(const tenancy_keys_options_t *options, tenancy_keys_t **out, nv_error_t *err)
{
    tenancy_keys_t *keys = NV_NEW(NULL, tenancy_keys_t);
    bool ok = load(keys, options, err);
    if (ok && keys->count == 0)
        ok = nv_fail(err, NV_INVALID_ARGUMENT, "%s holds no key: expected one of %d bytes",
                     options->path ? options->path : "the key-encryption key", TENANCY_KEY_BYTES);
    if (!ok) {
        tenancy_keys_free(keys);
        return false;
    }
    uint8_t id[KEY_ID_BYTES];
    key_id(keys->keys[0], id);
    for (size_t i = 0; i < sizeof id; i++)
        snprintf(keys->id + 2 * i, 3, "%02x", id[i]);
    *out = keys;
    return true;
}

void tenancy_keys_free(tenancy_keys_t *keys)
{
    nv_mem_free(keys);
}

void tenancy_keys_cleanup(tenancy_keys_t **keys)
{
    tenancy_keys_free(*keys);
}

const char *tenancy_keys_id(const tenancy_keys_t *keys)
{
    return keys->id;
}

const uint8_t *keys_newest(const tenancy_keys_t *keys)
{
    return keys->keys[0];
}

const uint8_t *keys_find(const tenancy_keys_t *keys, const uint8_t id[KEY_ID_BYTES])
{
    for (size_t i = 0; i < keys->count; i++) {
        uint8_t have[KEY_ID_BYTES];
        key_id(keys->keys[i], have);
        if (memcmp(have, id, sizeof have) == 0)
            return keys->keys[i];
    }
    return NULL;
}
