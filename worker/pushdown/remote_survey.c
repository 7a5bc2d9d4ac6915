#include "worker/pushdown/remote_survey.h"

#include <openssl/evp.h>
#include <string.h>

#include "worker/pushdown/scan.h"
#include "worker/pushdown/sql.h"

enum { MAX_DEPTH = 2, MAX_FILES = 100000, WHOLE_BYTES = 64 << 20, HEAD_LINES = 2000, LINE_CHARS = 16384 };

source_kind_t source_kind(const char *source)
{
    if (strncmp(source, "/Volumes/", 9) == 0)
        return SOURCE_VOLUME;
    return strstr(source, "://") ? SOURCE_CLOUD : SOURCE_LOCAL;
}

/* ---- looking into files ---- */

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

/* The first lines of a large file. */
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

static bool read_head(void *arg, const char *path, void *out, size_t capacity, size_t *length, bool *whole,
                      nv_error_t *err)
{
    const remote_t *r = arg;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("head");
    if (r->kind == SOURCE_VOLUME)
        return databricks_read_head(r->db, path, out, capacity, length, whole, err);
    pushdown_rows_t rows;
    char *sql = nv_printf(ctx, "LIST %s", sql_literal(ctx, SQL_SPARK, path));
    int64_t bytes = 0;
    if (!r->engine->query(r->engine->arg, ctx, sql, &rows, err))
        return false;
    for (size_t i = 0; i < rows.n_rows && rows.n_columns > 2; i++)
        bytes += pushdown_number(&rows, i, 2);
    return bytes <= WHOLE_BYTES ? read_bytes(r, ctx, path, out, capacity, length, whole, err)
                                : read_lines(r, ctx, path, out, capacity, length, whole, err);
}

survey_reader_t remote_reader(nv_mem_t *ctx, const pushdown_engine_t *engine, databricks_t *db,
                              const char *source)
{
    remote_t *remote = NV_NEW(ctx, remote_t);
    *remote = (remote_t){engine, db, source_kind(source)};
    return (survey_reader_t){.read_head = read_head, .arg = remote};
}

/* ---- listing ---- */

typedef struct listing {
    nv_mem_t *ctx;
    const remote_t *remote;
    size_t root; /* length of the source's path */
    survey_file_t *files;
    size_t n, capacity;
    Nv__SkippedFile **skipped;
    size_t n_skipped, skipped_capacity;
} listing_t;

static void skip(listing_t *l, const char *path, const char *reason)
{
    Nv__SkippedFile *file = NV_NEW(l->ctx, Nv__SkippedFile);
    nv__skipped_file__init(file);
    file->path = nv_strdup(l->ctx, path);
    file->reason = nv_strdup(l->ctx, reason);
    NV_PUSH(l->ctx, l->skipped, l->n_skipped, l->skipped_capacity) = file;
}

/* Spark passes over files whose names begin so. */
static bool is_hidden(const char *name)
{
    return name[0] == '_' || name[0] == '.';
}

static bool list_folder(listing_t *l, const char *folder, int depth, nv_error_t *err);

static bool add_entry(listing_t *l, const char *path, const char *name, bool directory, int64_t bytes,
                      int64_t modified_ms, int depth, nv_error_t *err)
{
    if (directory)
        return depth >= MAX_DEPTH || is_hidden(name) || list_folder(l, path, depth + 1, err);
    if (is_hidden(name)) {
        skip(l, path, "its name begins with _ or ., and Spark passes over such files");
        return true;
    }
    if (strpbrk(path, "*?[]{}\\^,")) {
        skip(l, path, "its path has one of * ? [ ] { } \\ ^ , which name many files in the warehouse");
        return true;
    }
    if (l->n >= MAX_FILES)
        return nv_fail(err, NV_RESOURCE_EXHAUSTED, "%.*s holds more than %d files", (int)l->root, path,
                       MAX_FILES);
    NV_PUSH(l->ctx, l->files, l->n, l->capacity) =
        (survey_file_t){nv_strdup(l->ctx, path), nv_strdup(l->ctx, path + l->root + 1), bytes, modified_ms};
    return true;
}

static bool list_volume(listing_t *l, const char *folder, int depth, nv_error_t *err)
{
    databricks_entry_t *entries;
    size_t n;
    if (!databricks_list_directory(l->remote->db, l->ctx, folder, &entries, &n, err))
        return nv_wrap(err, "source folder %s", folder);
    for (size_t i = 0; i < n; i++)
        if (!add_entry(l, nv_printf(l->ctx, "%s/%s", folder, entries[i].name), entries[i].name,
                       entries[i].is_directory, entries[i].bytes, entries[i].modified_ms, depth, err))
            return false;
    return true;
}

/* Rows of LIST: path, name, size, modification time. */
static bool list_cloud(listing_t *l, const char *folder, int depth, nv_error_t *err)
{
    pushdown_rows_t rows;
    const pushdown_engine_t *engine = l->remote->engine;
    if (!engine->query(engine->arg, l->ctx,
                       nv_printf(l->ctx, "LIST %s", sql_literal(l->ctx, SQL_SPARK, folder)), &rows, err))
        return nv_wrap(err, "source folder %s", folder);
    if (rows.n_columns < 3)
        return nv_fail(err, NV_INTERNAL, "LIST of %s gave %zu columns, expected path, name, size", folder,
                       rows.n_columns);
    for (size_t i = 0; i < rows.n_rows; i++) {
        char *name = nv_strdup(l->ctx, pushdown_cell(&rows, i, 1) ? pushdown_cell(&rows, i, 1) : "");
        size_t n = strlen(name);
        bool directory = n > 0 && name[n - 1] == '/';
        if (directory)
            name[n - 1] = '\0';
        if (!add_entry(l, nv_printf(l->ctx, "%s/%s", folder, name), name, directory,
                       pushdown_number(&rows, i, 2), 0, depth, err))
            return false;
    }
    return true;
}

static bool list_folder(listing_t *l, const char *folder, int depth, nv_error_t *err)
{
    return l->remote->kind == SOURCE_VOLUME ? list_volume(l, folder, depth, err)
                                            : list_cloud(l, folder, depth, err);
}

bool remote_survey(nv_mem_t *ctx, const pushdown_engine_t *engine, databricks_t *db, const char *source,
                   const profile_options_t *options, Nv__Survey **out, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("remote survey");
    remote_t remote = {engine, db, source_kind(source)};
    size_t n = strlen(source);
    while (n > 1 && source[n - 1] == '/')
        n--;
    listing_t l = {.ctx = scratch, .remote = &remote, .root = n};
    if (!list_folder(&l, nv_strndup(scratch, source, n), 0, err))
        return false;
    survey_reader_t reader = {.read_head = read_head, .arg = &remote};
    if (!survey_files(ctx, source, l.files, l.n, &reader, options, out, err))
        return false;
    Nv__Survey *survey = *out;
    for (size_t i = 0; i < l.n_skipped; i++) {
        Nv__SkippedFile *file = NV_NEW(ctx, Nv__SkippedFile);
        nv__skipped_file__init(file);
        file->path = nv_strdup(ctx, l.skipped[i]->path);
        file->reason = nv_strdup(ctx, l.skipped[i]->reason);
        survey->skipped =
            nv_realloc_array(ctx, survey->skipped, sizeof *survey->skipped, survey->n_skipped + 1);
        survey->skipped[survey->n_skipped++] = file;
    }
    return true;
}
