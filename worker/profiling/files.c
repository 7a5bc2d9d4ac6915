#include "worker/profiling/files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

static bool cut_extension(const char *name, size_t *length, const char *extension)
{
    size_t n = strlen(extension);
    if (*length <= n || strncasecmp(name + *length - n, extension, n) != 0)
        return false;
    *length -= n;
    return true;
}

bool file_kind(const char *name, file_kind_t *out, size_t *stem_length)
{
    static const struct {
        const char *extension;
        file_format_t format;
    } formats[] = {{".csv", FILE_CSV}, {".tsv", FILE_CSV}, {".txt", FILE_CSV},     {".psv", FILE_CSV},
                   {".tab", FILE_CSV}, {".dat", FILE_CSV}, {".jsonl", FILE_JSONL}, {".ndjson", FILE_JSONL}};
    size_t length = strlen(name);
    *out = (file_kind_t){FILE_CSV, PACKED_NOT};
    bool known = cut_extension(name, &length, ".parquet");
    if (known)
        out->format = FILE_PARQUET;
    else if (cut_extension(name, &length, ".gz"))
        out->compression = PACKED_GZIP;
    else if (cut_extension(name, &length, ".zst"))
        out->compression = PACKED_ZSTD;
    for (size_t i = 0; !known && i < sizeof formats / sizeof formats[0]; i++) {
        known = cut_extension(name, &length, formats[i].extension);
        out->format = formats[i].format;
    }
    if (stem_length)
        *stem_length = length;
    return known;
}

const char *file_format_name(file_format_t format)
{
    static const char *const names[] = {"csv", "jsonl", "parquet"};
    return names[format];
}

static bool read_all(int fd, const char *path, compression_t compression, char *out, size_t capacity,
                     size_t *length, bool *whole, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("head");
    unpack_t *unpack = unpack_new(scratch, fd, path, compression, NULL, NULL);
    *length = 0;
    *whole = false;
    while (*length < capacity && !*whole) {
        size_t got;
        if (!unpack_read(unpack, out + *length, capacity - *length, &got, err))
            return false;
        *whole = got == 0;
        *length += got;
    }
    return true;
}

bool file_read_head(const char *path, compression_t compression, void *out, size_t capacity, size_t *length,
                    bool *whole, nv_error_t *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return nv_fail_errno(err, errno, "cannot open %s", path);
    struct stat info;
    bool ok = fstat(fd, &info) == 0;
    *length = 0;
    *whole = true;
    if (!ok)
        nv_fail_errno(err, errno, "cannot examine %s", path);
    else if (!S_ISREG(info.st_mode))
        ok = nv_fail(err, NV_INVALID_ARGUMENT, "%s is not a regular file", path);
    else if (info.st_size > 0)
        ok = read_all(fd, path, compression, out, capacity, length, whole, err);
    close(fd);
    return ok;
}

bool file_is_unchanged(const Nv__SourceFile *file, int fd, nv_error_t *err)
{
    struct stat info;
    if (fstat(fd, &info) != 0)
        return nv_fail_errno(err, errno, "cannot examine %s", file->path);
    int64_t modified = (int64_t)info.st_mtim.tv_sec * 1000 + info.st_mtim.tv_nsec / 1000000;
    if (!file->modified_unix_ms || (file->bytes == info.st_size && file->modified_unix_ms == modified))
        return true;
    return nv_fail(err, NV_FAILED_PRECONDITION,
                   "%s has changed since it was surveyed: it had %lld bytes and has %lld now%s", file->path,
                   (long long)file->bytes, (long long)info.st_size,
                   file->bytes == info.st_size ? ", and was written again" : "");
}
