/* What kind of files a table is made of, and what its columns are called. */
#include <string.h>

#include "worker/profiling/files.h"
#include "worker/profiling/jsonl.h"
#include "worker/profiling/sniff.h"
#include "worker/pushdown/job.h"
#include "worker/pushdown/remote_survey.h"
#include "worker/pushdown/scan.h"

enum { MOST_COLUMNS = 10000 };

/* "table", or as the name of the file says; whoever names a file otherwise means CSV. */
static const char *format_of(const char *path, const char **compression)
{
    file_kind_t kind = {FILE_CSV, PACKED_NOT};
    *compression = "";
    if (source_kind(path) == SOURCE_CATALOG)
        return "table";
    if (file_kind(path, &kind, NULL))
        *compression = compression_name(kind.compression);
    return file_format_name(kind.format);
}

static bool find_format(pushdown_job_t *job, nv_error_t *err)
{
    const char *format = "", *compression = "", *packed;
    for (size_t i = 0; i < job->table->n_files; i++) {
        const char *other = format_of(job->table->files[i]->path, &packed);
        if (i && (strcmp(format, other) != 0 || strcmp(compression, packed) != 0))
            return nv_fail(err, NV_INVALID_ARGUMENT, "table %s: its files %s and %s are of different formats",
                           job->table->name, job->table->files[0]->path, job->table->files[i]->path);
        format = other;
        compression = packed;
    }
    Nv__Dialect *d = NV_NEW(job->ctx, Nv__Dialect);
    nv__dialect__init(d);
    d->format = nv_strdup(job->ctx, format);
    d->compression = nv_strdup(job->ctx, compression);
    d->encoding = nv_strdup(job->ctx, "utf-8");
    d->delimiter = d->quote = d->escape = nv_strdup(job->ctx, "");
    job->out->dialect = d;
    return true;
}

/* A name that the format reads its values by must stay as it is; one that cannot is left out, and said so once. */
static void note_name(pushdown_job_t *job, const char *name)
{
    bool valid = name[0] && utf8_valid_prefix(name, strlen(name)) == strlen(name);
    for (size_t i = 0; i < job->out->n_columns; i++)
        if (strcmp(job->names[i], name) == 0)
            return;
    char *unique = valid ? names_unique_add(job->known, job->ctx, name) : NULL;
    if (unique && strcmp(unique, name) == 0) {
        NV_PUSH(job->ctx, job->names, job->out->n_columns, job->names_capacity) = unique;
        return;
    }
    const char *as = valid ? name : "";
    if (strcmp(names_unique_add(job->left_out, job->scratch, as), as) != 0)
        return;
    if (valid)
        job_warn(job, "%s was left out: its name differs from another one only by upper and lower case",
                 name);
    else
        job_warn(job, "a column %s was left out",
                 name[0] ? "whose name is not valid UTF-8" : "without a name");
}

/* Names from the heads of the files first, as they come in a local profile; those that only later lines bring behind them. */
static bool name_json(pushdown_job_t *job, nv_error_t *err)
{
    pushdown_rows_t rows;
    if (!sniff_json_names(job, note_name, err))
        return false;
    if (job->engine->dialect == SQL_SPARK) {
        if (!job_query(job, scan_json_names_sql(job->scratch, job->out, JSONL_MAX_NAMES + 1), &rows, err))
            return nv_wrap(err, "names in the lines");
        if (rows.n_rows > JSONL_MAX_NAMES)
            return nv_fail(err, NV_INVALID_ARGUMENT, "table %s: JSON: too many different names",
                           job->table->name);
        for (size_t r = 0; r < rows.n_rows; r++)
            note_name(job, pushdown_cell(&rows, r, 0) ? pushdown_cell(&rows, r, 0) : "");
    }
    return job->out->n_columns ||
           nv_fail(err, NV_INVALID_ARGUMENT, "table %s: no line of its files is a JSON object with names",
                   job->table->name);
}

/* The first file's columns are the table's. */
static bool name_described(pushdown_job_t *job, nv_error_t *err)
{
    const char *path = job->table->files[0]->path;
    scan_column_t *columns;
    size_t n;
    if (!scan_describe(job->scratch, job->engine, path, &columns, &n, err))
        return false;
    for (size_t i = 0; i < n; i++) {
        note_name(job, columns[i].name);
        if (columns[i].nested)
            job_warn(job, "%s holds nested values, which are kept as JSON text", columns[i].name);
    }
    return job->out->n_columns || nv_fail(err, NV_INVALID_ARGUMENT, "%s has no columns", path);
}

static bool name_columns(pushdown_job_t *job, nv_error_t *err)
{
    const char *format = job->out->dialect->format;
    if (strcmp(format, "csv") == 0)
        return sniff_csv(job, err);
    job->known = names_unique_new(job->scratch);
    job->left_out = names_unique_new(job->scratch);
    job->out->header_detected = true;
    return strcmp(format, "jsonl") == 0 ? name_json(job, err) : name_described(job, err);
}

bool job_layout(pushdown_job_t *job, nv_error_t *err)
{
    Nv__TableProfile *out = job->out;
    if (!find_format(job, err))
        return false;
    if (!name_columns(job, err))
        return false;
    size_t n = out->n_columns;
    if (n > MOST_COLUMNS)
        return nv_fail(err, NV_INVALID_ARGUMENT,
                       "table %s has %zu columns; in the warehouse at most %d are read", job->table->name, n,
                       MOST_COLUMNS);
    out->columns = NV_NEW_ARRAY(job->ctx, Nv__ColumnProfile *, n);
    for (size_t i = 0; i < n; i++) {
        out->columns[i] = NV_NEW(job->ctx, Nv__ColumnProfile);
        nv__column_profile__init(out->columns[i]);
        out->columns[i]->name = job->names[i];
        out->columns[i]->position = (int32_t)i;
    }
    return true;
}
