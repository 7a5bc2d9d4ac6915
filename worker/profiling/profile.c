#include "worker/profiling/profile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "worker/profiling/decode.h"
#include "worker/profiling/evidence_report.h"
#include "worker/profiling/files.h"
#include "worker/profiling/names.h"
#include "worker/profiling/parallel.h"
#include "worker/profiling/report.h"
#include "worker/profiling/scan.h"

enum {
    SAMPLE_BYTES = 1 << 20,
    MAX_COLUMNS = 100000,
    MAX_WARNINGS = 64,
    PARALLEL_ROWS = 100000,
    WIDE_COLUMNS = 2000
};

/* A profile in the making. */
typedef struct job {
    nv_mem_t *ctx;     /* of the result */
    nv_mem_t *scratch; /* of everything else */
    profile_options_t options;
    const Nv__SurveyTable *table;
    sniff_encoding_t *encodings;
    sniff_dialect_t dialect;
    char **names;
    parser_t *parsers;
    infer_result_t *inferred;
    scan_result_t scan;
    Nv__TableProfile *out;
} job_t;

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

static void warn(job_t *job, const char *fmt, ...) NV_PRINTF(2, 3);

static void warn(job_t *job, const char *fmt, ...)
{
    Nv__TableProfile *out = job->out;
    if (out->n_warnings >= MAX_WARNINGS)
        return;
    va_list args;
    va_start(args, fmt);
    char *text = nv_vprintf(job->ctx, fmt, args);
    va_end(args);
    out->warnings = nv_realloc_array(job->ctx, out->warnings, sizeof *out->warnings, out->n_warnings + 1);
    out->warnings[out->n_warnings++] = text;
}

static bool check_root(const job_t *job, const char *path, nv_error_t *err)
{
    if (!job->options.root)
        return true;
    char *root = realpath(job->options.root, NULL);
    if (!root)
        return nv_fail_errno(err, errno, "source folder %s", job->options.root);
    char *real = realpath(path, NULL);
    if (!real) {
        nv_fail_errno(err, errno, "%s", path);
        free(root);
        return false;
    }
    size_t n = strlen(root);
    bool below = strncmp(real, root, n) == 0 && (real[n] == '/' || (n && root[n - 1] == '/'));
    if (!below)
        nv_fail(err, NV_PERMISSION_DENIED, "%s leads out of the source folder %s", path, job->options.root);
    free(root);
    free(real);
    return below;
}

/* The first part of a file decoded to UTF-8. */
static bool read_sample(job_t *job, size_t file, char **text, size_t *length, bool *whole, nv_error_t *err)
{
    const char *path = job->table->files[file]->path;
    unsigned char *raw = nv_alloc(job->scratch, SAMPLE_BYTES);
    size_t n;
    if (!check_root(job, path, err) || !file_read_head(path, raw, SAMPLE_BYTES, &n, whole, err))
        return false;
    sniff_encoding_t *encoding = &job->encodings[file];
    sniff_encoding((const char *)raw, n, *whole, encoding);
    if (encoding->binary)
        return nv_fail(err, NV_INVALID_ARGUMENT, "%s is no text: it %s%s", path,
                       encoding->format ? "is " : "holds NUL bytes",
                       encoding->format ? encoding->format : "");
    decoder_t decoder = {.encoding = encoding->encoding};
    *text = nv_realloc_array(job->scratch, NULL, 3, n + 8);
    *length = decoder_run(&decoder, raw + encoding->bom, n - encoding->bom, *text);
    nv_mem_free(raw);
    return true;
}

/* The dialect comes from the first file that has any content; all files of a table share it. */
static bool sniff(job_t *job, nv_error_t *err)
{
    bool found = false;
    for (size_t i = 0; i < job->table->n_files; i++) {
        char *text = NULL;
        size_t length = 0;
        bool whole = false;
        if (!read_sample(job, i, &text, &length, &whole, err))
            return false;
        if (!found && length) {
            sniff_dialect(job->scratch, text, length, whole, &job->dialect);
            found = job->dialect.n_columns > 0;
        }
        nv_mem_free(text);
    }
    if (!found)
        return nv_fail(err, NV_INVALID_ARGUMENT, "table %s: its files are empty", job->table->name);
    if (job->dialect.n_columns > MAX_COLUMNS)
        return nv_fail(err, NV_INVALID_ARGUMENT, "table %s has %zu columns; at most %d are supported",
                       job->table->name, job->dialect.n_columns, MAX_COLUMNS);
    for (size_t i = 0; i < job->dialect.n_warnings; i++)
        warn(job, "%s", job->dialect.warnings[i]);
    return true;
}

static bool one_encoding(job_t *job)
{
    for (size_t i = 1; i < job->table->n_files; i++)
        if (job->encodings[i].encoding != job->encodings[0].encoding)
            return false;
    return true;
}

static const char *encoding_name(text_encoding_t encoding)
{
    static const char *const names[] = {"utf-8", "latin-1", "utf-16", "utf-16"};
    return names[encoding];
}

static char *one_char(nv_mem_t *ctx, char c)
{
    return nv_strndup(ctx, &c, c ? 1 : 0);
}

static void report_dialect(job_t *job)
{
    Nv__Dialect *d = NV_NEW(job->ctx, Nv__Dialect);
    nv__dialect__init(d);
    d->format = nv_strdup(job->ctx, "csv");
    d->encoding = nv_strdup(job->ctx, encoding_name(job->encodings[0].encoding));
    d->delimiter = one_char(job->ctx, job->dialect.csv.delimiter);
    d->quote = one_char(job->ctx, job->dialect.csv.quote);
    d->escape = one_char(job->ctx, job->dialect.csv.escape);
    d->has_header = job->dialect.has_header;
    d->skip_lines = job->dialect.skip_lines;
    d->compression = nv_strdup(job->ctx, "");
    job->out->dialect = d;
    job->out->header_detected = job->dialect.has_header;
    if (!one_encoding(job))
        warn(job, "the files of this table have different encodings; each was read in its own");
    if (job->encodings[0].encoding == TEXT_LATIN1)
        warn(job, "not valid UTF-8, so it was read as Latin-1 (ISO 8859-1)");
    if (job->dialect.skip_lines)
        warn(job, "%d line%s before the table %s skipped", job->dialect.skip_lines,
             job->dialect.skip_lines == 1 ? "" : "s", job->dialect.skip_lines == 1 ? "was" : "were");
    if (job->dialect.cr_only)
        warn(job, "lines end with CR alone");
}

/* Header texts made into names: valid, not empty, unique without regard to case. */
static void make_names(job_t *job)
{
    size_t n = job->dialect.n_columns;
    job->names = NV_NEW_ARRAY(job->ctx, char *, n);
    names_unique_t *seen = names_unique_new(job->scratch);
    for (size_t i = 0; i < n; i++) {
        const char *text = job->dialect.names ? job->dialect.names[i] : "";
        bool invalid = utf8_valid_prefix(text, strlen(text)) < strlen(text);
        bool unnamed = !text[0] || invalid;
        const char *base = unnamed ? nv_printf(job->scratch, "column%zu", i + 1) : text;
        job->names[i] = names_unique_add(seen, job->ctx, base);
        if (unnamed && job->dialect.has_header)
            warn(job, "column %zu has no %sname and was called %s", i + 1, invalid ? "valid " : "",
                 job->names[i]);
        else if (strcmp(job->names[i], base) != 0)
            warn(job, "the name %s is used more than once; column %zu was called %s", base, i + 1,
                 job->names[i]);
    }
}

static scan_config_t first_config(job_t *job)
{
    return (scan_config_t){.options = &job->options,
                           .table = job->table,
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
    return job->scan.bad_bytes && !job->scan.multibyte && job->encodings[0].encoding == TEXT_UTF8;
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
                  report_limits(job->dialect.n_columns), column);
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
    for (size_t i = 0; i < threads; i++)
        nv_steal(job->ctx, jobs.contexts[i]);
    for (size_t i = 0; i < n; i++)
        if (job->inferred[i].warning)
            warn(job, "%s: %s", job->names[i], job->inferred[i].warning);
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
        warn(job, "duplicate rows were not counted: more rows than memory allows");
    if (scan->rejected * 20 > scan->rows)
        warn(job, "%lld of %lld records were rejected; the delimiter or quoting may be other than it seems",
             (long long)scan->rejected, (long long)(scan->rejected + scan->rows));
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
    if (!sniff(job, err))
        return false;
    if (job->dialect.n_columns > WIDE_COLUMNS)
        job->options.threads = 1; /* each lane keeps every column */
    make_names(job);
    size_t n = job->dialect.n_columns;
    job->parsers = NV_NEW_ARRAY(job->ctx, parser_t, n);
    job->inferred = NV_NEW_ARRAY(job->ctx, infer_result_t, n);
    bool *again = NV_NEW_ARRAY(job->scratch, bool, n);
    if (!scan_once(job, err))
        return false;
    report_dialect(job);
    if (decide_finally(job, again) && !scan_again(job, again, err))
        return false;
    report_rows(job);
    report_files(job);
    report_columns(job);
    evidence_report(job->ctx, &job->scan, job->out);
    if (!job->scan.trace.complete)
        warn(job, "dependencies between columns were established on %zu of %lld rows",
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
