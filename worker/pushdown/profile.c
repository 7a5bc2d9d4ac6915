#include "worker/pushdown/profile.h"

#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "worker/profiling/table_report.h"
#include "worker/pushdown/job.h"
#include "worker/pushdown/scan.h"

enum { REJECTED = 20, STATEMENTS = 9 };

bool job_query(pushdown_job_t *job, const char *sql, pushdown_rows_t *out, nv_error_t *err)
{
    if (job->options->progress)
        job->options->progress(job->options->arg, job->done < STATEMENTS ? job->done : STATEMENTS,
                               STATEMENTS);
    job->done++;
    return job->engine->query(job->engine->arg, job->scratch, sql, out, err);
}

void job_warn(pushdown_job_t *job, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    report_warning(job->ctx, job->out, fmt, args);
    va_end(args);
}

profile_part_t job_all(const pushdown_job_t *job)
{
    return (profile_part_t){job->engine->dialect, job->out, job->from, 0, job->out->n_columns};
}

bool job_part(const pushdown_job_t *job, size_t k, profile_part_t *out)
{
    size_t first = k * PROFILE_COLUMNS;
    if (first >= job->out->n_columns)
        return false;
    size_t n = job->out->n_columns - first;
    *out = (profile_part_t){job->engine->dialect, job->out, job->from, first,
                            n < PROFILE_COLUMNS ? n : PROFILE_COLUMNS};
    return true;
}

static void copy_files(pushdown_job_t *job)
{
    Nv__TableProfile *out = job->out;
    out->n_files = job->table->n_files;
    out->files = NV_NEW_ARRAY(job->ctx, Nv__SourceFile *, out->n_files);
    for (size_t i = 0; i < out->n_files; i++) {
        Nv__SourceFile *file = NV_NEW(job->ctx, Nv__SourceFile);
        nv__source_file__init(file);
        file->path = nv_strdup(job->ctx, job->table->files[i]->path);
        file->bytes = job->table->files[i]->bytes;
        file->modified_unix_ms = job->table->files[i]->modified_unix_ms;
        out->files[i] = file;
    }
}

static Nv__SourceFile *find_file(const pushdown_job_t *job, const char *path)
{
    char *plain = scan_path(job->scratch, path ? path : "");
    for (size_t i = 0; i < job->out->n_files; i++)
        if (strcmp(job->out->files[i]->path, plain) == 0)
            return job->out->files[i];
    return NULL;
}

/* Rows, rejected lines and padded values, by file. */
static bool count_rows(pushdown_job_t *job, nv_error_t *err)
{
    profile_part_t part;
    pushdown_rows_t rows;
    for (size_t k = 0; job_part(job, k, &part); k++) {
        if (!job_query(job, profile_files_sql(job->scratch, &part, job->from_rejected), &rows, err))
            return nv_wrap(err, "counting rows");
        for (size_t r = 0; r < rows.n_rows; r++) {
            Nv__SourceFile *file = find_file(job, pushdown_cell(&rows, r, 0));
            if (!file)
                return nv_fail(err, NV_INTERNAL, "the warehouse read %.300s, which is no file of the table",
                               pushdown_cell(&rows, r, 0));
            for (size_t i = 0; i < part.n; i++)
                job->out->columns[part.first + i]->padded_count += pushdown_number(&rows, r, 3 + i);
            if (k > 0)
                continue;
            file->rows = pushdown_number(&rows, r, 1);
            job->out->row_count += file->rows;
            job->out->rejected_count += pushdown_number(&rows, r, 2);
        }
    }
    return true;
}

static bool list_rejected(pushdown_job_t *job, nv_error_t *err)
{
    Nv__TableProfile *out = job->out;
    pushdown_rows_t rows;
    if (!out->rejected_count)
        return true;
    if (!job_query(job, profile_rejected_sql(job->scratch, job->from_rejected, REJECTED), &rows, err))
        return nv_wrap(err, "listing rejected lines");
    out->rejected = NV_NEW_ARRAY(job->ctx, Nv__RejectedLine *, rows.n_rows);
    for (size_t r = 0; r < rows.n_rows; r++) {
        Nv__RejectedLine *line = NV_NEW(job->ctx, Nv__RejectedLine);
        nv__rejected_line__init(line);
        line->path = scan_path(job->ctx, pushdown_cell(&rows, r, 0));
        line->text = nv_strdup(job->ctx, pushdown_cell(&rows, r, 1));
        line->reason =
            nv_strdup(job->ctx, strcmp(out->dialect->format, "jsonl") == 0 ? "JSON: the line is no object"
                                                                           : "too few or too many fields");
        out->rejected[out->n_rejected++] = line;
    }
    return true;
}

/* What the pipeline will know the files by. */
static bool fingerprint(pushdown_job_t *job, nv_error_t *err)
{
    pushdown_rows_t rows;
    if (job->engine->dialect != SQL_SPARK)
        return true;
    if (!job_query(job, scan_fingerprint_sql(job->scratch, job->out), &rows, err))
        return nv_wrap(err, "fingerprints of the files");
    for (size_t r = 0; r < rows.n_rows; r++) {
        Nv__SourceFile *file = find_file(job, pushdown_cell(&rows, r, 0));
        if (!file)
            continue;
        file->bytes = pushdown_number(&rows, r, 1);
        file->sha256 = nv_strdup(job->ctx, pushdown_cell(&rows, r, 2));
    }
    for (size_t i = 0; i < job->out->n_files; i++)
        if (!job->out->files[i]->sha256[0])
            return nv_fail(err, NV_ABORTED, "%s is no longer there", job->out->files[i]->path);
    return true;
}

static bool run(pushdown_job_t *job, nv_error_t *err)
{
    copy_files(job);
    if (!job_layout(job, err) || !scan_can_read(job->out, err))
        return false;
    size_t n = job->out->n_columns;
    job->inferred = NV_NEW_ARRAY(job->ctx, infer_result_t, n);
    job->values = NV_NEW_ARRAY(job->scratch, int64_t, n);
    job->texts = NV_NEW_ARRAY(job->scratch, int64_t, n);
    job->from = scan_sql(job->scratch, job->engine->dialect, job->out, false);
    job->from_rejected =
        scan_sql(job->scratch, job->engine->dialect, job->out, job->engine->dialect == SQL_SPARK);
    return fingerprint(job, err) && count_rows(job, err) && list_rejected(job, err) &&
           job_columns(job, err) && job_evidence(job, err);
}

bool pushdown_profile(nv_mem_t *ctx, const pushdown_engine_t *engine, const pushdown_options_t *options,
                      const Nv__SurveyTable *table, Nv__TableProfile **out, nv_error_t *err)
{
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("pushdown");
    pushdown_job_t job = {
        .ctx = ctx, .scratch = scratch, .engine = engine, .options = options, .table = table};
    if (!table->n_files)
        return nv_fail(err, NV_INVALID_ARGUMENT, "table %s has no files", table->name);
    job.out = NV_NEW(ctx, Nv__TableProfile);
    nv__table_profile__init(job.out);
    job.out->name = nv_strdup(ctx, table->name);
    job.out->engine = nv_strdup(ctx, engine->name);
    if (!run(&job, err))
        return nv_wrap(err, "profile of table %s", table->name);
    clock_gettime(CLOCK_MONOTONIC, &end);
    job.out->seconds = (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
    *out = job.out;
    return true;
}
