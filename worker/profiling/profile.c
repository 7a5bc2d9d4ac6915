#include "worker/profiling/profile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "worker/profiling/evidence_report.h"
#include "worker/profiling/job.h"
#include "worker/profiling/parallel.h"
#include "worker/profiling/report.h"

enum { PARALLEL_ROWS = 100000, WIDE_COLUMNS = 2000 };

static void complete_options(const profile_options_t *given, profile_options_t *out)
{
    *out = given ? *given : (profile_options_t){0};
    if (out->threads <= 0) {
        long processors = sysconf(_SC_NPROCESSORS_ONLN);
        out->threads = processors < 1 ? 1 : processors > 8 ? 8 : (int)processors;
    }
    if (out->threads > 64)
        out->threads = 64;
    if (out->max_line_bytes <= 0)
        out->max_line_bytes = 16 << 20;
    if (out->memory_bytes <= 0)
        out->memory_bytes = INT64_C(640) << 20;
}

static scan_config_t first_config(job_t *job)
{
    return (scan_config_t){.options = &job->options,
                           .table = job->table,
                           .kind = job->kind,
                           .schema = job->schema,
                           .dialect = &job->dialect,
                           .encodings = job->encodings,
                           .names = job->names,
                           .parsers = job->parsers,
                           .decided = job->inferred};
}

/* Types from the evidence of all values. Marks the columns that streamed under another rule. Returns how many. */
static size_t decide_finally(job_t *job, bool *again)
{
    size_t n = job->dialect.n_columns;
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("decision");
    evidence_t *evidence = NV_NEW_ARRAY(scratch, evidence_t, n);
    infer_result_t *final = NV_NEW_ARRAY(scratch, infer_result_t, n);
    for (size_t i = 0; i < n; i++) {
        evidence[i].ctx = scratch;
        column_evidence(&job->scan.columns[i], &evidence[i]);
    }
    scan_infer(job->ctx, evidence, job->names, n, final);
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        again[i] = job->scan.columns[i].streaming && !infer_parses_as(&job->inferred[i], &final[i]);
        count += again[i];
        job->inferred[i] = final[i];
        if (!job->scan.columns[i].streaming || again[i])
            job->parsers[i] = parser_make(final[i].type, final[i].precision, final[i].scale, final[i].rule);
    }
    return count;
}

/* Latin-1 in a file whose beginning gave no sign of it: every high byte was refused as broken UTF-8. */
static bool was_latin1(const job_t *job)
{
    return job->kind.format == FILE_CSV && job->scan.bad_bytes && !job->scan.multibyte &&
           job->encodings[0].encoding == TEXT_UTF8;
}

static bool scan_once(job_t *job, nv_error_t *err)
{
    scan_config_t config = first_config(job);
    if (!scan_run(job->scratch, &config, &job->scan, err))
        return false;
    if (!was_latin1(job))
        return true;
    for (size_t i = 0; i < job->table->n_files; i++)
        if (job->encodings[i].encoding == TEXT_UTF8 && !job->encodings[i].bom)
            job->encodings[i].encoding = TEXT_LATIN1;
    return scan_run(job->scratch, &config, &job->scan, err);
}

/* Scans until all columns are known: the names of JSON lines may turn up late. */
static bool scan_all_columns(job_t *job, nv_error_t *err)
{
    nv_mem_t *scratch = job->scratch;
    for (int i = 0; i < 3; i++) {
        size_t n = job->dialect.n_columns;
        if (n > WIDE_COLUMNS)
            job->options.threads = 1; /* each lane keeps every column */
        job->scratch = nv_mem_child(scratch, "scan");
        job->parsers = NV_NEW_ARRAY(job->ctx, parser_t, n);
        job->inferred = NV_NEW_ARRAY(job->ctx, infer_result_t, n);
        if (!scan_once(job, err))
            return false;
        if (!layout_take_names(job))
            return true;
        nv_mem_free(job->scratch);
        job->scratch = scratch;
    }
    return nv_fail(err, NV_ABORTED, "table %s: its files changed while they were read", job->table->name);
}

/* Reads again for the columns whose type the whole file changed. */
static bool scan_again(job_t *job, const bool *again, nv_error_t *err)
{
    scan_config_t config = first_config(job);
    config.wanted = again;
    scan_result_t second;
    if (!scan_run(job->scratch, &config, &second, err))
        return false;
    if (second.rows != job->scan.rows)
        return nv_fail(err, NV_ABORTED, "table %s: its files changed while they were read", job->table->name);
    for (size_t i = 0; i < job->dialect.n_columns; i++)
        if (again[i]) {
            hashlog_drop(&job->scan.columns[i].stats.log);
            second.columns[i].disordered = job->scan.columns[i].disordered;
            job->scan.columns[i] = second.columns[i];
            second.columns[i].stats.log = (hashlog_t){0};
        }
    return true;
}

/* Columns are reported side by side; each worker has a memory context of its own. */
typedef struct column_jobs {
    job_t *job;
    nv_mem_t *contexts[64];
    hashlog_counter_t counters[64];
} column_jobs_t;

static void report_one(void *arg, size_t worker, size_t i)
{
    column_jobs_t *jobs = arg;
    job_t *job = jobs->job;
    nv_mem_t *ctx = jobs->contexts[worker];
    Nv__ColumnProfile *column = NV_NEW(ctx, Nv__ColumnProfile);
    nv__column_profile__init(column);
    column->name = job->names[i];
    column->position = (int32_t)i;
    report_column(ctx, &job->scan.columns[i], &job->inferred[i], &job->parsers[i],
                  report_limits(job->dialect.n_columns), &jobs->counters[worker], column);
    job->out->columns[i] = column;
}

static void report_columns(job_t *job)
{
    size_t n = job->dialect.n_columns;
    job->out->columns = NV_NEW_ARRAY(job->ctx, Nv__ColumnProfile *, n);
    job->out->n_columns = n;
    size_t threads = job->scan.rows > PARALLEL_ROWS ? (size_t)job->options.threads : 1;
    column_jobs_t jobs = {.job = job};
    for (size_t i = 0; i < threads; i++)
        jobs.contexts[i] = nv_mem_root("columns");
    parallel_run(threads, n, report_one, &jobs);
    for (size_t i = 0; i < threads; i++) {
        nv_steal(job->ctx, jobs.contexts[i]);
        hashlog_counter_free(&jobs.counters[i]);
    }
    for (size_t i = 0; i < n; i++) {
        char *remark = report_remark(job->scratch, &job->inferred[i], job->out->columns[i]);
        if (remark)
            profile_warn(job, "%s: %s", job->names[i], remark);
    }
}

static void report_rows(job_t *job)
{
    Nv__TableProfile *out = job->out;
    const scan_result_t *scan = &job->scan;
    out->row_count = scan->rows;
    out->rejected_count = scan->rejected;
    out->rejected = NV_NEW_ARRAY(job->ctx, Nv__RejectedLine *, scan->n_rejects);
    for (size_t i = 0; i < scan->n_rejects; i++) {
        Nv__RejectedLine *line = NV_NEW(job->ctx, Nv__RejectedLine);
        nv__rejected_line__init(line);
        line->path = nv_strdup(job->ctx, job->table->files[scan->rejects[i].file]->path);
        line->line = scan->rejects[i].line;
        line->text = nv_strdup(job->ctx, scan->rejects[i].text);
        line->reason = nv_strdup(job->ctx, scan->rejects[i].reason);
        out->rejected[out->n_rejected++] = line;
    }
    if (scan->distinct_rows >= 0)
        out->duplicate_row_count = scan->rows - scan->distinct_rows;
    else
        profile_warn(job, "duplicate rows were not counted: more rows than memory allows");
    if (scan->rejected * 20 > scan->rows)
        profile_warn(job, "%lld of %lld records were rejected%s", (long long)scan->rejected,
                     (long long)(scan->rejected + scan->rows),
                     job->kind.format == FILE_CSV ? "; the delimiter or quoting may be other than it seems"
                                                  : "");
}

static void report_files(job_t *job)
{
    Nv__TableProfile *out = job->out;
    out->n_files = job->table->n_files;
    out->files = NV_NEW_ARRAY(job->ctx, Nv__SourceFile *, out->n_files);
    for (size_t i = 0; i < out->n_files; i++) {
        const Nv__SourceFile *from = job->table->files[i];
        Nv__SourceFile *file = NV_NEW(job->ctx, Nv__SourceFile);
        nv__source_file__init(file);
        file->path = nv_strdup(job->ctx, from->path);
        file->bytes = from->bytes;
        file->modified_unix_ms = from->modified_unix_ms;
        file->sha256 = nv_strdup(job->ctx, job->scan.digests[i]);
        file->rows = job->scan.file_rows[i];
        out->files[i] = file;
    }
}

static bool run(job_t *job, nv_error_t *err)
{
    if (!layout_read(job, err) || !scan_all_columns(job, err))
        return false;
    bool *again = NV_NEW_ARRAY(job->scratch, bool, job->dialect.n_columns);
    layout_report(job);
    if (decide_finally(job, again) && !scan_again(job, again, err))
        return false;
    report_rows(job);
    report_files(job);
    report_columns(job);
    evidence_report(job->ctx, &job->scan, job->out);
    if (!job->scan.trace.complete)
        profile_warn(job, "dependencies between columns were established on %zu of %lld rows",
                     job->scan.trace.rows < EVIDENCE_SAMPLE_ROWS ? job->scan.trace.rows
                                                                 : (size_t)EVIDENCE_SAMPLE_ROWS,
                     (long long)job->scan.rows);
    return true;
}

static double seconds_since(const struct timespec *start)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - start->tv_sec) + (double)(now.tv_nsec - start->tv_nsec) / 1e9;
}

bool profile_table(nv_mem_t *ctx, const profile_options_t *options, const Nv__SurveyTable *table,
                   Nv__TableProfile **out, nv_error_t *err)
{
    struct timespec start;
    clock_gettime(CLOCK_MONOTONIC, &start);
    if (!table->n_files)
        return nv_fail(err, NV_INVALID_ARGUMENT, "table %s has no files", table->name);
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("profile");
    job_t job = {.ctx = ctx, .scratch = scratch, .table = table};
    job.known = names_unique_new(scratch);
    job.left_out = dict_make(scratch, JSONL_MAX_NAMES, SIZE_MAX / 2);
    complete_options(options, &job.options);
    job.encodings = NV_NEW_ARRAY(scratch, sniff_encoding_t, table->n_files);
    job.out = NV_NEW(ctx, Nv__TableProfile);
    nv__table_profile__init(job.out);
    job.out->name = nv_strdup(ctx, table->name);
    job.out->engine = nv_strdup(ctx, "nuvyn " NV_VERSION);
    if (!run(&job, err))
        return nv_wrap(err, "profile of table %s", table->name);
    job.out->seconds = seconds_since(&start);
    *out = job.out;
    return true;
}
