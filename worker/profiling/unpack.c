#include "worker/profiling/unpack.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

enum { INPUT_BYTES = 256 * 1024, GZIP_WINDOW = 16 + MAX_WBITS, ZSTD_WINDOW_MAX = 27 /* 128 MiB */ };

struct unpack {
    int fd;
    const char *path;
    compression_t compression;
    void (*seen)(void *arg, const void *data, size_t length);
    void *arg;
    z_stream gzip;
    ZSTD_DStream *zstd;
    unsigned char *input;
    size_t at, n;   /* of input */
    bool in_member; /* between the start and the end of a member or frame */
    bool any;       /* one has been read whole */
    bool input_ended;
    int64_t bytes_in, bytes_out;
};

static int release(void *ptr)
{
    unpack_t *unpack = ptr;
    if (unpack->compression == PACKED_GZIP)
        (void)inflateEnd(&unpack->gzip);
    ZSTD_freeDStream(unpack->zstd);
    return 0;
}

const char *compression_name(compression_t compression)
{
    static const char *const names[] = {"", "gzip", "zstd"};
    return names[compression];
}

unpack_t *unpack_new(nv_mem_t *ctx, int fd, const char *path, compression_t compression,
                     void (*seen)(void *arg, const void *data, size_t length), void *arg)
{
    unpack_t *unpack = NV_NEW(ctx, unpack_t);
    unpack->fd = fd;
    unpack->path = path;
    unpack->compression = compression;
    unpack->seen = seen;
    unpack->arg = arg;
    if (compression == PACKED_NOT)
        return unpack;
    unpack->input = nv_alloc(unpack, INPUT_BYTES);
    bool ok = true;
    if (compression == PACKED_GZIP) {
        ok = inflateInit2(&unpack->gzip, GZIP_WINDOW) == Z_OK;
    } else {
        unpack->zstd = ZSTD_createDStream();
        ok = unpack->zstd &&
             !ZSTD_isError(ZSTD_DCtx_setParameter(unpack->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_MAX));
    }
    if (!ok)
        abort(); /* out of memory */
    nv_on_free(unpack, release);
    return unpack;
}

static bool read_raw(unpack_t *unpack, void *out, size_t room, size_t *got, nv_error_t *err)
{
    ssize_t n;
    do
        n = read(unpack->fd, out, room);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return nv_fail_errno(err, errno, "cannot read %s", unpack->path);
    *got = (size_t)n;
    unpack->bytes_in += n;
    if (unpack->seen && n)
        unpack->seen(unpack->arg, out, *got);
    return true;
}

static bool broken(const unpack_t *unpack, const char *why, nv_error_t *err)
{
    return nv_fail(err, NV_INVALID_ARGUMENT, "%s: not whole %s data: %s", unpack->path,
                   compression_name(unpack->compression), why);
}

static bool is_bomb(const unpack_t *unpack)
{
    return unpack->bytes_out > UNPACK_FREE_BYTES && unpack->bytes_out / UNPACK_MAX_RATIO > unpack->bytes_in;
}

static bool step_gzip(unpack_t *unpack, unsigned char *out, size_t room, size_t *got, nv_error_t *err)
{
    z_stream *z = &unpack->gzip;
    if (!unpack->in_member && unpack->any && unpack->input[unpack->at] == 0) {
        unpack->at++; /* padding behind the last member, as on tapes */
        return true;
    }
    uInt most = room > INPUT_BYTES * 16 ? INPUT_BYTES * 16 : (uInt)room;
    z->next_in = unpack->input + unpack->at;
    z->avail_in = (uInt)(unpack->n - unpack->at);
    z->next_out = out;
    z->avail_out = most;
    int status = inflate(z, Z_NO_FLUSH);
    unpack->at = unpack->n - z->avail_in;
    *got = most - z->avail_out;
    unpack->in_member = status != Z_STREAM_END;
    if (status == Z_STREAM_END) {
        unpack->any = true;
        return inflateReset(z) == Z_OK || broken(unpack, "it cannot be read on", err);
    }
    return status == Z_OK || status == Z_BUF_ERROR || broken(unpack, z->msg ? z->msg : "corrupt", err);
}

static bool step_zstd(unpack_t *unpack, unsigned char *out, size_t room, size_t *got, nv_error_t *err)
{
    ZSTD_inBuffer in = {unpack->input, unpack->n, unpack->at};
    ZSTD_outBuffer to = {out, room, 0};
    size_t status = ZSTD_decompressStream(unpack->zstd, &to, &in);
    if (ZSTD_isError(status))
        return broken(unpack, ZSTD_getErrorName(status), err);
    unpack->at = in.pos;
    *got = to.pos;
    unpack->in_member = status != 0;
    unpack->any |= status == 0;
    return true;
}

/* Unpacks until there is something to give, or no input is left. */
static bool unpack_some(unpack_t *unpack, void *out, size_t room, size_t *got, nv_error_t *err)
{
    bool drained = false; /* what the decompressor still holds comes out without input */
    while (*got == 0) {
        if (unpack->at == unpack->n && !unpack->input_ended) {
            unpack->at = unpack->n = 0;
            if (!read_raw(unpack, unpack->input, INPUT_BYTES, &unpack->n, err))
                return false;
            unpack->input_ended = unpack->n == 0;
        }
        if (unpack->at == unpack->n && (drained || !unpack->in_member))
            return (!unpack->in_member && unpack->any) ||
                   broken(unpack, unpack->bytes_in ? "it ends in the middle" : "it is empty", err);
        drained = unpack->at == unpack->n;
        bool ok = unpack->compression == PACKED_GZIP ? step_gzip(unpack, out, room, got, err)
                                                     : step_zstd(unpack, out, room, got, err);
        if (!ok)
            return false;
    }
    return true;
}

bool unpack_read(unpack_t *unpack, void *out, size_t room, size_t *got, nv_error_t *err)
{
    *got = 0;
    if (unpack->compression == PACKED_NOT)
        return read_raw(unpack, out, room, got, err);
    if (!unpack_some(unpack, out, room, got, err))
        return false;
    unpack->bytes_out += (int64_t)*got;
    if (is_bomb(unpack))
        return nv_fail(err, NV_INVALID_ARGUMENT,
                       "%s unpacks to more than %d times its size: taken for a decompression bomb",
                       unpack->path, UNPACK_MAX_RATIO);
    return true;
}
