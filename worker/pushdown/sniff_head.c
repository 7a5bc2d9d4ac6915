/* How the text files of a table are written, out of their heads, as profile_table does. */
#include <string.h>

#include "worker/profiling/decode.h"
#include "worker/profiling/jsonl.h"
#include "worker/profiling/names.h"
#include "worker/profiling/sniff.h"
#include "worker/profiling/table_report.h"
#include "worker/pushdown/job.h"

enum { FIRST_BYTES = 1 << 20, OTHER_BYTES = 64 << 10 };

static bool read_head(pushdown_job_t *job, const char *path, size_t capacity, sniff_encoding_t *encoding,
                      char **text, size_t *length, bool *whole, nv_error_t *err)
{
    const survey_reader_t *reader = job->options->reader;
    char *raw = nv_alloc(job->scratch, capacity);
    size_t n;
    if (!reader->read_head(reader->arg, path, raw, capacity, &n, whole, err))
        return nv_wrap(err, "%s", path);
    sniff_encoding(raw, n, *whole, encoding);
    if (encoding->refused)
        return nv_fail(err, NV_INVALID_ARGUMENT, "%s: %s", path, encoding->refused);
    decoder_t decoder = {.encoding = encoding->encoding};
    *text = nv_realloc_array(job->scratch, NULL, 3, n + 8);
    *length = decoder_run(&decoder, (unsigned char *)raw + encoding->bom, n - encoding->bom, *text);
    nv_mem_free(raw);
    return true;
}

static void put_dialect(pushdown_job_t *job, const sniff_dialect_t *sniffed, const sniff_encoding_t *encoding)
{
    report_text_dialect(job->ctx, sniffed, encoding->encoding, job->out->dialect);
    job->out->header_detected = sniffed->has_header;
    if (encoding->encoding == TEXT_LATIN1)
        job_warn(job, "not valid UTF-8, so it was read as Latin-1 (ISO 8859-1)");
    for (size_t i = 0; i < sniffed->n_warnings; i++)
        job_warn(job, "%s", sniffed->warnings[i]);
}

/* Header texts made into names: valid, not empty, unique without regard to case. */
static void name_columns(pushdown_job_t *job, const sniff_dialect_t *sniffed)
{
    size_t n = sniffed->n_columns;
    names_unique_t *seen = names_unique_new(job->scratch);
    job->names = NV_NEW_ARRAY(job->ctx, char *, n);
    for (size_t i = 0; i < n; i++) {
        const char *text = sniffed->names ? sniffed->names[i] : "";
        bool unnamed = !text[0] || utf8_valid_prefix(text, strlen(text)) < strlen(text);
        job->names[i] =
            names_unique_add(seen, job->ctx, unnamed ? nv_printf(job->scratch, "column%zu", i + 1) : text);
        if (sniffed->has_header && strcmp(job->names[i], text) != 0)
            job_warn(job, "column %zu, in the header \"%.100s\", was called %s", i + 1, unnamed ? "" : text,
                     job->names[i]);
    }
    job->out->n_columns = n;
}

static bool same_encoding(pushdown_job_t *job, text_encoding_t first, nv_error_t *err)
{
    for (size_t i = 1; i < job->table->n_files; i++) {
        sniff_encoding_t encoding;
        char *text;
        size_t length;
        bool whole;
        if (!read_head(job, job->table->files[i]->path, OTHER_BYTES, &encoding, &text, &length, &whole, err))
            return false;
        nv_mem_free(text);
        if (encoding.encoding != first)
            return nv_fail(
                err, NV_UNIMPLEMENTED,
                "%s is in another encoding than the first file of %s; in the warehouse all files of a "
                "table are read in one",
                job->table->files[i]->path, job->table->name);
    }
    return true;
}

bool sniff_csv(pushdown_job_t *job, nv_error_t *err)
{
    sniff_encoding_t encoding;
    sniff_dialect_t dialect;
    char *text;
    size_t length;
    bool whole;
    if (!read_head(job, job->table->files[0]->path, FIRST_BYTES, &encoding, &text, &length, &whole, err))
        return false;
    sniff_dialect(job->scratch, text, length, whole, &dialect);
    if (!dialect.n_columns)
        return nv_fail(err, NV_INVALID_ARGUMENT, "%s holds no records", job->table->files[0]->path);
    put_dialect(job, &dialect, &encoding);
    name_columns(job, &dialect);
    return same_encoding(job, encoding.encoding, err);
}

bool sniff_json_names(pushdown_job_t *job, names_noted_t note, nv_error_t *err)
{
    for (size_t i = 0; i < job->table->n_files; i++) {
        const char *path = job->table->files[i]->path;
        sniff_encoding_t encoding;
        char *text;
        size_t length;
        bool whole;
        NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("sample");
        if (!read_head(job, path, i ? OTHER_BYTES : FIRST_BYTES, &encoding, &text, &length, &whole, err))
            return false;
        if (encoding.encoding != TEXT_UTF8 && encoding.encoding != TEXT_LATIN1)
            return nv_fail(err, NV_INVALID_ARGUMENT,
                           "%s: JSON lines are UTF-8 (RFC 8259), and this is UTF-16", path);
        jsonl_notes_t notes = jsonl_notes_make(scratch, 0);
        jsonl_sample_names(text, length, &notes);
        nv_mem_free(text);
        for (size_t k = 0; k < notes.names.n_entries; k++)
            note(job, nv_strndup(job->scratch, notes.names.entries[k].text, notes.names.entries[k].length));
    }
    return true;
}
