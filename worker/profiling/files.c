#include "worker/profiling/files.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static bool read_all(int fd, const char *path, char *out, size_t capacity, size_t *length, bool *whole,
                     nv_error_t *err)
{
    *length = 0;
    *whole = false;
    while (*length < capacity) {
        ssize_t n = read(fd, out + *length, capacity - *length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return nv_fail_errno(err, errno, "cannot read %s", path);
        *whole = n == 0;
        if (n == 0)
            break;
        *length += (size_t)n;
    }
    return true;
}

bool file_read_head(const char *path, void *out, size_t capacity, size_t *length, bool *whole,
                    nv_error_t *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return nv_fail_errno(err, errno, "cannot open %s", path);
    struct stat info;
    bool ok = fstat(fd, &info) == 0;
    if (!ok)
        nv_fail_errno(err, errno, "cannot examine %s", path);
    else if (!S_ISREG(info.st_mode))
        ok = nv_fail(err, NV_INVALID_ARGUMENT, "%s is not a regular file", path);
    else
        ok = read_all(fd, path, out, capacity, length, whole, err);
    close(fd);
    return ok;
}
