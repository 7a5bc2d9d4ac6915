#include "worker/profiling/job.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "worker/profiling/decode.h"
#include "worker/profiling/parquet.h"
#include "worker/profiling/sketch.h"
#include "worker/profiling/table_report.h"

enum { SAMPLE_BYTES = 1 << 20, MAX_COLUMNS = 100000 };

void profile_warn(job_t *job, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    report_warning(job->ctx, job->out, fmt, args);
    va_end(args);
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
    if (!check_root(job, path, err) ||
        !file_read_head(path, job->kind.compression, raw, SAMPLE_BYTES, &n, whole, err))
        return false;
    sniff_encoding_t *encoding = &job->encodings[file];
    sniff_encoding((const char *)raw, n, *whole, encoding);
    if (encoding->refused)
        return nv_fail(err, NV_INVALID_ARGUMENT, "%s: %s", path, encoding->refused);
    decoder_t decoder = {.encoding = encoding->encoding};
    *text = nv_realloc_array(job->scratch, NULL, 3, n + 8);
    *length = decoder_run(&decoder, raw + encoding->bom, n - encoding->bom, *text);
    nv_mem_free(raw);
    return true;
}

/* The dialect comes from the first file that has any content; all files of a table share it. */
static bool sniff_csv(job_t *job, nv_error_t *err)
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
    for (size_t i = 0; i < job->dialect.n_warnings; i++)
        profile_warn(job, "%s", job->dialect.warnings[i]);
    return true;
}

static bool one_encoding(job_t *job)
{
    for (size_t i = 1; i < job->table->n_files; i++)
        if (job->encodings[i].encoding != job->encodings[0].encoding)
            return false;
    return true;
}

static void report_dialect(job_t *job)
{
    Nv__Dialect *d = NV_NEW(job->ctx, Nv__Dialect);
    nv__dialect__init(d);
    bool csv = job->kind.format == FILE_CSV;
    sniff_dialect_t written = job->dialect;
    if (!csv)
        written.csv = (csv_dialect_t){0};
    report_text_dialect(job->ctx, &written, job->encodings[0].encoding, d);
    d->format = nv_strdup(job->ctx, file_format_name(job->kind.format));
    d->compression = nv_strdup(job->ctx, compression_name(job->kind.compression));
    d->mixed_line_ends = csv && job->scan.mixed_ends;
    job->out->dialect = d;
    job->out->header_detected = job->dialect.has_header || !csv;
    if (!one_encoding(job))
        profile_warn(job, "the files of this table have different encodings; each was read in its own");
    if (job->encodings[0].encoding == TEXT_LATIN1)
        profile_warn(job, "not valid UTF-8, so it was read as Latin-1 (ISO 8859-1)");
    if (job->dialect.skip_lines)
        profile_warn(job, "%d line%s before the table %s skipped", job->dialect.skip_lines,
                     job->dialect.skip_lines == 1 ? "" : "s", job->dialect.skip_lines == 1 ? "was" : "were");
    if (job->dialect.cr_only)
        profile_warn(job, "lines end with CR alone");
    if (d->mixed_line_ends)
        profile_warn(job, "some lines end with CR LF, some with LF");
}

/* Header texts made into names: valid, not empty, unique without regard to case. */
static void name_csv_columns(job_t *job)
{
    size_t n = job->dialect.n_columns;
    job->names = NV_NEW_ARRAY(job->ctx, char *, n);
    for (size_t i = 0; i < n; i++) {
        const char *text = job->dialect.names ? job->dialect.names[i] : "";
        bool invalid = utf8_valid_prefix(text, strlen(text)) < strlen(text);
        bool unnamed = !text[0] || invalid;
        const char *base = unnamed ? nv_printf(job->scratch, "column%zu", i + 1) : text;
        job->names[i] = names_unique_add(job->known, job->ctx, base);
        if (unnamed && job->dialect.has_header)
            profile_warn(job, "column %zu has no %sname and was called %s", i + 1, invalid ? "valid " : "",
                         job->names[i]);
        else if (strcmp(job->names[i], base) != 0)
            profile_warn(job, "the name %s is used more than once; column %zu was called %s", base, i + 1,
                         job->names[i]);
    }
}

/* A name that the format reads its values by must stay as it is; one that cannot is left out, and said so once. */
static bool is_usable_name(job_t *job, const char *name)
{
    if (dict_count(&job->left_out, sketch_hash(name, strlen(name)), 1))
        return false;
    bool valid = name[0] && utf8_valid_prefix(name, strlen(name)) == strlen(name);
    char *unique = valid ? names_unique_add(job->known, job->scratch, name) : NULL;
    if (unique && strcmp(unique, name) == 0)
        return true;
    (void)dict_add(&job->left_out, name, strlen(name), sketch_hash(name, strlen(name)), 1);
    if (unique)
        profile_warn(job, "%s was left out: its name differs from another one only by upper and lower case",
                     name);
    else
        profile_warn(job, "a column %s was left out",
                     name[0] ? "whose name is not valid UTF-8" : "without a name");
    return false;
}

/* Appends what can be used of these names to the columns. Returns whether there was anything new. */
static bool add_names(job_t *job, char *const *names, size_t n, const bool *nested)
{
    size_t had = job->dialect.n_columns;
    char **all = NV_NEW_ARRAY(job->ctx, char *, had + n + 1);
    bool *marks = NV_NEW_ARRAY(job->ctx, bool, had + n + 1);
    if (had)
        memcpy(all, job->names, had * sizeof *all);
    size_t count = had;
    for (size_t i = 0; i < n; i++)
        if (is_usable_name(job, names[i])) {
            marks[count] = nested && nested[i];
            all[count++] = nv_strdup(job->ctx, names[i]);
        }
    job->names = all;
    job->nested = marks;
    job->dialect.n_columns = count;
    return count > had;
}

static bool add_noted_names(job_t *job, const jsonl_notes_t *notes)
{
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("names");
    size_t n = notes->names.n_entries;
    char **names = NV_NEW_ARRAY(scratch, char *, n + 1);
    for (size_t i = 0; i < n; i++)
        names[i] = nv_strndup(scratch, notes->names.entries[i].text, notes->names.entries[i].length);
    return add_names(job, names, n, NULL);
}

bool layout_take_names(job_t *job)
{
    if (!job->schema || !add_noted_names(job, &job->scan.notes))
        return false;
    job->schema = jsonl_schema_new(job->ctx, job->names, job->dialect.n_columns);
    return true;
}

/* Names from the first part of each file; the scan finds the rest. */
static bool sniff_jsonl(job_t *job, nv_error_t *err)
{
    for (size_t i = 0; i < job->table->n_files; i++) {
        char *text = NULL;
        size_t length = 0;
        bool whole = false;
        if (!read_sample(job, i, &text, &length, &whole, err))
            return false;
        text_encoding_t encoding = job->encodings[i].encoding;
        if (encoding != TEXT_UTF8 && encoding != TEXT_LATIN1)
            return nv_fail(err, NV_INVALID_ARGUMENT,
                           "%s: JSON lines are UTF-8 (RFC 8259), and this is UTF-16",
                           job->table->files[i]->path);
        job->encodings[i].encoding = TEXT_UTF8;
        NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("sample");
        jsonl_notes_t notes = jsonl_notes_make(scratch, 0);
        jsonl_sample_names(text, length, &notes);
        (void)add_noted_names(job, &notes);
        nv_mem_free(text);
    }
    if (!job->dialect.n_columns)
        return nv_fail(err, NV_INVALID_ARGUMENT, "table %s: no line of its files is a JSON object with names",
                       job->table->name);
    job->schema = jsonl_schema_new(job->ctx, job->names, job->dialect.n_columns);
    return true;
}

/* The first file's schema is the table's. */
static bool sniff_parquet(job_t *job, nv_error_t *err)
{
    job->dialect.csv = (csv_dialect_t){',', '"', '"'};
    for (size_t i = 0; i < job->table->n_files; i++)
        if (!check_root(job, job->table->files[i]->path, err))
            return false;
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("parquet");
    parquet_t *parquet;
    if (!parquet_open(scratch, job->table->files[0]->path, &parquet, err))
        return false;
    size_t n;
    const bool *nested;
    char *const *names = parquet_names(parquet, &n, &nested);
    return add_names(job, names, n, nested) ||
           nv_fail(err, NV_INVALID_ARGUMENT, "%s has no columns", job->table->files[0]->path);
}

static bool find_kind(job_t *job, nv_error_t *err)
{
    for (size_t i = 0; i < job->table->n_files; i++) {
        file_kind_t kind;
        if (!file_kind(job->table->files[i]->path, &kind, NULL))
            kind = (file_kind_t){FILE_CSV, PACKED_NOT}; /* whoever names a file otherwise means text */
        if (i == 0)
            job->kind = kind;
        else if (kind.format != job->kind.format || kind.compression != job->kind.compression)
            return nv_fail(err, NV_INVALID_ARGUMENT, "table %s: its files %s and %s are of different formats",
                           job->table->name, job->table->files[0]->path, job->table->files[i]->path);
    }
    return true;
}

bool layout_read(job_t *job, nv_error_t *err)
{
    if (!find_kind(job, err))
        return false;
    bool ok = job->kind.format == FILE_CSV     ? sniff_csv(job, err)
              : job->kind.format == FILE_JSONL ? sniff_jsonl(job, err)
                                               : sniff_parquet(job, err);
    if (!ok)
        return false;
    if (job->dialect.n_columns > MAX_COLUMNS)
        return nv_fail(err, NV_INVALID_ARGUMENT, "table %s has %zu columns; at most %d are supported",
                       job->table->name, job->dialect.n_columns, MAX_COLUMNS);
    if (job->kind.format == FILE_CSV)
        name_csv_columns(job);
    return true;
}

void layout_report(job_t *job)
{
    report_dialect(job);
    bool jsonl = job->kind.format == FILE_JSONL;
    for (size_t i = 0; i < job->dialect.n_columns; i++) {
        if (jsonl ? job->scan.notes.nested[i] : job->nested && job->nested[i])
            profile_warn(job, "%s holds nested values, which are kept as JSON text", job->names[i]);
        if (jsonl && job->scan.notes.inexact[i])
            profile_warn(
                job,
                "%s holds numbers of more than %d digits with a fraction, which most readers of JSON round",
                job->names[i], JSONL_EXACT_DIGITS);
    }
}
