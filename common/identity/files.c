#include "common/identity/files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool nv_private_dir(const char *path, nv_error_t *err)
{
    char part[PATH_MAX];
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof part)
        return nv_fail(err, NV_INVALID_ARGUMENT, "folder \"%.80s\": expected a path of 1 to %zu bytes", path,
                       sizeof part - 1);
    for (size_t i = 1; i <= length; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, 0700) != 0 && errno != EEXIST)
            return nv_fail_errno(err, errno, "folder %s", part);
    }
    struct stat st;
    if (stat(path, &st) != 0)
        return nv_fail_errno(err, errno, "folder %s", path);
    if (!S_ISDIR(st.st_mode))
        return nv_fail(err, NV_FAILED_PRECONDITION, "%s: expected a folder", path);
    return true;
}

static bool write_all(int fd, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t n = write(fd, data, length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        data += n;
        length -= (size_t)n;
    }
    return true;
}

static void sync_folder_of(const char *path)
{
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash)
        *(slash == folder ? slash + 1 : slash) = '\0';
    int fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    fsync(fd);
    close(fd);
}

bool nv_write_file_atomic(const char *path, const void *data, size_t length, mode_t mode, nv_error_t *err)
{
    char temporary[PATH_MAX];
    if ((size_t)snprintf(temporary, sizeof temporary, "%s.XXXXXX", path) >= sizeof temporary)
        return nv_fail(err, NV_INVALID_ARGUMENT, "%.80s…: path too long", path);
    int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        return nv_fail_errno(err, errno, "%s", path);
    bool ok = write_all(fd, data, length) && fchmod(fd, mode) == 0 && fsync(fd) == 0;
    int why = errno;
    close(fd);
    if (ok && rename(temporary, path) != 0) {
        why = errno;
        ok = false;
    }
    if (!ok) {
        unlink(temporary);
        return nv_fail_errno(err, why, "writing %s", path);
    }
    sync_folder_of(path);
    return true;
}

static bool read_all(int fd, char *data, size_t length, size_t *got)
{
    *got = 0;
    while (*got < length) {
        ssize_t n = read(fd, data + *got, length - *got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n == 0;
        *got += (size_t)n;
    }
    return true;
}

bool nv_read_file(nv_mem_t *ctx, const char *path, size_t maximum, char **out, size_t *out_length,
                  nv_error_t *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return nv_fail_errno(err, errno, "%s", path);
    struct stat st;
    bool regular = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    if (!regular || (size_t)st.st_size > maximum) {
        close(fd);
        return nv_fail(err, NV_INVALID_ARGUMENT, "%s: expected a regular file of at most %zu bytes", path,
                       maximum);
    }
    *out = nv_alloc(ctx, (size_t)st.st_size + 1);
    bool ok = read_all(fd, *out, (size_t)st.st_size, out_length);
    int why = errno;
    close(fd);
    return ok ? true : nv_fail_errno(err, why, "reading %s", path);
}

bool nv_append_line(const char *path, const char *line, mode_t mode, nv_error_t *err)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, mode);
    if (fd < 0)
        return nv_fail_errno(err, errno, "%s", path);
    char buffer[8192];
    int length = snprintf(buffer, sizeof buffer, "%s\n", line);
    bool ok = length > 0 && (size_t)length < sizeof buffer && write_all(fd, buffer, (size_t)length) &&
              fsync(fd) == 0;
    int why = errno;
    close(fd);
    return ok ? true : nv_fail_errno(err, why, "appending to %s", path);
}
