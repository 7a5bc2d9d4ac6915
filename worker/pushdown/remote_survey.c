#include "worker/pushdown/remote_survey.h"

#include <string.h>

#include "worker/pushdown/sql.h"

enum { MAX_DEPTH = 2, MAX_FILES = 100000 };

typedef struct listing {
    nv_mem_t *ctx;
    const pushdown_engine_t *engine;
    databricks_t *db;
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
    if (!databricks_list_directory(l->db, l->ctx, folder, &entries, &n, err))
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
    const pushdown_engine_t *engine = l->engine;
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
    return source_kind(folder) == SOURCE_VOLUME ? list_volume(l, folder, depth, err)
                                                : list_cloud(l, folder, depth, err);
}

bool remote_survey(nv_mem_t *ctx, const pushdown_engine_t *engine, databricks_t *db, const char *source,
                   const profile_options_t *options, Nv__Survey **out, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("remote survey");
    char *folder = source_canonical(scratch, source);
    if (source_kind(folder) == SOURCE_CATALOG)
        return catalog_survey(ctx, db, folder, out, err);
    listing_t l = {.ctx = scratch, .engine = engine, .db = db, .root = strlen(folder)};
    if (!list_folder(&l, folder, 0, err))
        return false;
    survey_reader_t reader = remote_reader(scratch, engine, db, folder);
    if (!survey_files(ctx, folder, l.files, l.n, &reader, options, out, err))
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
