/* Looking into files that only the workspace reaches. */
#include <errno.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "worker/profiling/files.h"
#include "worker/pushdown/remote_survey.h"
#include "worker/pushdown/scan.h"
#include "worker/pushdown/sql.h"

enum { WHOLE_BYTES = 64 << 20, HEAD_LINES = 2000, LINE_CHARS = 16384 };

source_kind_t source_kind(const char *source)
{
    if (strncmp(source, "/Volumes/", 9) == 0 || strncmp(source, "dbfs:/", 6) == 0)
        return SOURCE_VOLUME;
    if (strncmp(source, SOURCE_CATALOG_PREFIX, strlen(SOURCE_CATALOG_PREFIX)) == 0)
        return SOURCE_CATALOG;
    return strstr(source, "://") ? SOURCE_CLOUD : SOURCE_LOCAL;
}

char *source_canonical(nv_mem_t *ctx, const char *source)
{
    size_t skip = strncmp(source, "dbfs:/", 6) == 0 ? 5 : 0;
    while (skip && source[skip] == '/' && source[skip + 1] == '/')
        skip++;
    char *out = nv_strdup(ctx, source + skip);
    size_t n = strlen(out), first = strlen(SOURCE_CATALOG_PREFIX);
    while (n > 1 && out[n - 1] == '/' && !(n > 2 && strcmp(out + n - 3, "://") == 0))
        out[--n] = '\0';
    if (source_kind(out) == SOURCE_CATALOG)
        for (char *p = out + first; (p = strchr(p, '.')); p++)
            *p = '/';
    return out;
}

typedef struct remote {
    const pushdown_engine_t *engine;
    databricks_t *db;
    source_kind_t kind;
} remote_t;

static bool decode_base64(const char *text, void *out, size_t capacity, size_t *length)
{
    size_t n = strlen(text);
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("base64");
    unsigned char *bytes = nv_alloc(scratch, n + 4);
    int decoded = n ? EVP_DecodeBlock(bytes, (const unsigned char *)text, (int)n) : 0;
    if (decoded < 0)
        return false;
    *length = (size_t)decoded;
    for (size_t i = n; i > 0 && text[i - 1] == '='; i--)
        (*length)--;
    if (*length > capacity)
        return false;
    memcpy(out, bytes, *length);
    return true;
}

/* A file that is not too large to be loaded whole by one task of the warehouse, of which it sends the head. */
static bool read_bytes(const remote_t *r, nv_mem_t *ctx, const char *path, void *out, size_t capacity,
                       size_t *length, bool *whole, nv_error_t *err)
{
    pushdown_rows_t rows;
    char *sql = nv_printf(ctx,
                          "SELECT length, replace(base64(substring(content, 1, %zu)), '\\r\\n', '') FROM "
                          "read_files(%s, format => 'binaryFile')",
                          capacity, sql_literal(ctx, SQL_SPARK, path));
    if (!r->engine->query(r->engine->arg, ctx, sql, &rows, err))
        return false;
    if (rows.n_rows != 1 || !pushdown_cell(&rows, 0, 1) ||
        !decode_base64(pushdown_cell(&rows, 0, 1), out, capacity, length))
        return nv_fail(err, NV_INTERNAL, "%s: the warehouse did not send its first bytes", path);
    *whole = pushdown_number(&rows, 0, 0) <= (int64_t)capacity;
    return true;
}

/* The first lines of a large file, which the warehouse unpacks. */
static bool read_lines(const remote_t *r, nv_mem_t *ctx, const char *path, char *out, size_t capacity,
                       size_t *length, bool *whole, nv_error_t *err)
{
    pushdown_rows_t rows;
    char *sql = nv_printf(ctx, "SELECT left(value, %d) FROM read_files(%s, format => 'text') LIMIT %d",
                          LINE_CHARS, sql_literal(ctx, SQL_SPARK, path), HEAD_LINES);
    if (!r->engine->query(r->engine->arg, ctx, sql, &rows, err))
        return false;
    *whole = false;
    *length = 0;
    for (size_t i = 0; i < rows.n_rows; i++) {
        const char *line = pushdown_cell(&rows, i, 0);
        size_t n = line ? strlen(line) : 0;
        if (*length + n + 1 > capacity)
            break;
        memcpy(out + *length, line ? line : "", n);
        *length += n;
        out[(*length)++] = '\n';
    }
    return true;
}

static bool file_size(const remote_t *r, nv_mem_t *ctx, const char *path, int64_t *bytes, nv_error_t *err)
{
    pushdown_rows_t rows;
    char *sql = nv_printf(ctx, "LIST %s", sql_literal(ctx, SQL_SPARK, path));
    *bytes = 0;
    if (!r->engine->query(r->engine->arg, ctx, sql, &rows, err))
        return false;
    for (size_t i = 0; i < rows.n_rows && rows.n_columns > 2; i++)
        *bytes += pushdown_number(&rows, i, 2);
    return true;
}

/* The head of a packed file, unpacked as far as it goes. */
static bool unpack_head(const char *path, compression_t compression, const void *packed, size_t n, bool whole,
                        char *out, size_t capacity, size_t *length, bool *ended, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("unpack");
    nv_error_t why = NV_ERROR_INIT;
    int fd = memfd_create("nuvyn head", MFD_CLOEXEC);
    if (fd < 0)
        return nv_fail_errno(err, errno, "%s", path);
    bool ok = write(fd, packed, n) == (ssize_t)n && lseek(fd, 0, SEEK_SET) == 0;
    unpack_t *unpack = unpack_new(scratch, fd, path, compression, NULL, NULL);
    size_t got = 1;
    *length = 0;
    while (ok && got && *length < capacity) {
        ok = unpack_read(unpack, out + *length, capacity - *length, &got, &why);
        *length += ok ? got : 0;
    }
    close(fd);
    *ended = ok && got == 0;
    if (ok || (!whole && *length > 0)) /* where the head ends, a packed file is in the middle of something */
        return true;
    *err = why;
    return nv_wrap(err, "%s", "unpacking");
}

static bool read_packed(const remote_t *r, nv_mem_t *ctx, const char *path, compression_t compression,
                        char *out, size_t capacity, size_t *length, bool *whole, nv_error_t *err)
{
    char *packed = nv_alloc(ctx, capacity);
    size_t n;
    bool all;
    bool ok = r->kind == SOURCE_VOLUME ? databricks_read_head(r->db, path, packed, capacity, &n, &all, err)
                                       : read_bytes(r, ctx, path, packed, capacity, &n, &all, err);
    return ok && unpack_head(path, compression, packed, n, all, out, capacity, length, whole, err);
}

static bool read_head(void *arg, const char *path, void *out, size_t capacity, size_t *length, bool *whole,
                      nv_error_t *err)
{
    const remote_t *r = arg;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("head");
    file_kind_t kind;
    int64_t bytes = 0;
    bool packed = file_kind(path, &kind, NULL) && kind.compression != PACKED_NOT;
    if (r->kind != SOURCE_VOLUME && !file_size(r, ctx, path, &bytes, err))
        return false;
    if (bytes > WHOLE_BYTES)
        return read_lines(r, ctx, path, out, capacity, length, whole, err);
    if (packed)
        return read_packed(r, ctx, path, kind.compression, out, capacity, length, whole, err);
    return r->kind == SOURCE_VOLUME ? databricks_read_head(r->db, path, out, capacity, length, whole, err)
                                    : read_bytes(r, ctx, path, out, capacity, length, whole, err);
}

static bool read_names(void *arg, nv_mem_t *ctx, const char *path, char ***names, size_t *n, nv_error_t *err)
{
    const remote_t *r = arg;
    scan_column_t *columns;
    if (!scan_describe(ctx, r->engine, path, &columns, n, err))
        return false;
    *names = NV_NEW_ARRAY(ctx, char *, *n + 1);
    for (size_t i = 0; i < *n; i++)
        (*names)[i] = columns[i].name;
    return true;
}

survey_reader_t remote_reader(nv_mem_t *ctx, const pushdown_engine_t *engine, databricks_t *db,
                              const char *source)
{
    remote_t *remote = NV_NEW(ctx, remote_t);
    *remote = (remote_t){engine, db, source_kind(source)};
    return (survey_reader_t){.read_head = read_head, .read_names = read_names, .arg = remote};
}
