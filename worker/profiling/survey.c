#include "worker/profiling/profile.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "worker/profiling/decode.h"
#include "worker/profiling/files.h"
#include "worker/profiling/jsonl.h"
#include "worker/profiling/names.h"
#include "worker/profiling/parquet.h"
#include "worker/profiling/sniff.h"

enum { HEAD_BYTES = 256 * 1024, MAX_DEPTH = 16, MAX_NAME = 120 };

/* One usable file. */
typedef struct found {
    char *path;
    char *relative;
    char *stem;   /* table name it suggests, without the part that numbers it */
    char *part;   /* what was taken off the stem, "" when nothing */
    char *header; /* names and dialect as one text: files with the same one may be one table */
    bool has_header;
    file_kind_t kind;
    int64_t bytes;
    int64_t modified_ms;
} found_t;

typedef struct survey {
    const survey_reader_t *reader; /* of a file's first bytes; NULL: they are local files */
    nv_mem_t *ctx;
    nv_mem_t *scratch;
    const char *root; /* resolved */
    profile_options_t options;
    Nv__Survey *out;
    found_t *found;
    size_t n_found, capacity;
    size_t n_seen;
} survey_t;

/* The path as whoever named the folder would write it: below the folder as it was given, not as it was resolved. */
static char *shown_path(const survey_t *survey, const char *path)
{
    size_t n = survey->root ? strlen(survey->root) : 0;
    const char *source = survey->out->source;
    if (!n || strncmp(path, survey->root, n) != 0 || path[n] != '/')
        return nv_strdup(survey->ctx, path);
    size_t given = strlen(source);
    while (given && source[given - 1] == '/')
        given--;
    return nv_printf(survey->ctx, "%.*s%s", (int)given, source, path + n);
}

static void skip(survey_t *survey, const char *path, const char *reason)
{
    Nv__Survey *out = survey->out;
    Nv__SkippedFile *file = NV_NEW(survey->ctx, Nv__SkippedFile);
    nv__skipped_file__init(file);
    size_t named = strlen(path); /* an error that begins with the path need not say it twice */
    if (strncmp(reason, path, named) == 0 && strncmp(reason + named, ": ", 2) == 0)
        reason += named + 2;
    file->path = shown_path(survey, path);
    file->path[utf8_valid_prefix(file->path, strlen(file->path))] = '\0';
    file->reason = nv_strdup(survey->ctx, reason);
    out->skipped = nv_realloc_array(survey->ctx, out->skipped, sizeof *out->skipped, out->n_skipped + 1);
    out->skipped[out->n_skipped++] = file;
}

static bool has_extension(const char *name, const char *extension)
{
    size_t n = strlen(name);
    size_t e = strlen(extension);
    return n > e && strcasecmp(name + n - e, extension) == 0;
}

static const char *why_not(const char *name)
{
    if (has_extension(name, ".gz") || has_extension(name, ".zst"))
        return "its name does not say what is packed in it; call it NAME.csv.gz, NAME.jsonl.gz or the like";
    if (has_extension(name, ".bz2") || has_extension(name, ".zip") || has_extension(name, ".xz"))
        return "this compression is not read; pack it with gzip or zstd, or not at all";
    if (has_extension(name, ".json") || has_extension(name, ".xlsx") || has_extension(name, ".xls") ||
        has_extension(name, ".avro") || has_extension(name, ".orc"))
        return "this format is not read; export it as CSV, JSON lines or Parquet";
    return NULL;
}

/* Cuts what numbers a part off the end of a stem: "_2024_01", "-part-0003", "2024-01-31", ".00001". */
static size_t stem_length(const char *name, size_t length)
{
    size_t n = length;
    while (n && (isdigit((unsigned char)name[n - 1]) || strchr("-_. ()", name[n - 1])))
        n--;
    static const char *const words[] = {"part", "chunk", "split", "batch", "page", "file"};
    for (size_t i = 0; n < length && i < sizeof words / sizeof words[0]; i++) {
        size_t w = strlen(words[i]);
        bool ends = n >= w && strncasecmp(name + n - w, words[i], w) == 0;
        if (ends && (n == w || strchr("-_. ", name[n - w - 1]))) {
            n -= w;
            while (n && strchr("-_. ", name[n - 1]))
                n--;
            break;
        }
    }
    /* a digit that belongs to a word ("table2") is no part number; there must be a separator or nothing before it */
    if (n && n < length && !strchr("-_. (", name[n]))
        return length;
    return n;
}

/* The name without folder, extension and part number. */
static void split_name(survey_t *survey, found_t *file)
{
    const char *slash = strrchr(file->relative, '/');
    const char *name = slash ? slash + 1 : file->relative;
    size_t length;
    file_kind_t kind;
    (void)file_kind(name, &kind, &length);
    size_t stem = stem_length(name, length);
    file->part = nv_strndup(survey->scratch, name + stem, length - stem);
    if (stem) {
        file->stem = nv_strndup(survey->scratch, name, stem);
    } else if (slash) {
        /* "orders/part-0001.csv": the folder is the name */
        const char *start = slash;
        while (start > file->relative && start[-1] != '/')
            start--;
        file->stem = nv_strndup(survey->scratch, start, (size_t)(slash - start));
    } else {
        file->stem = nv_strndup(survey->scratch, name, length);
        file->part = nv_strdup(survey->scratch, "");
    }
}

static char *describe_header(nv_mem_t *ctx, const file_kind_t *kind, const sniff_dialect_t *dialect)
{
    char *out =
        nv_printf(ctx, "%s %s %c%c%d", file_format_name(kind->format), compression_name(kind->compression),
                  dialect->csv.delimiter, dialect->csv.quote ? dialect->csv.quote : ' ', dialect->has_header);
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("header");
    nv_mem_t *holder = scratch;
    size_t total = strlen(out);
    for (size_t i = 0; dialect->names && i < dialect->n_columns; i++)
        total += strlen(dialect->names[i]) + 1;
    char *all = nv_alloc(holder, total + 32);
    size_t n = strlen(out);
    memcpy(all, out, n);
    for (size_t i = 0; dialect->names && i < dialect->n_columns; i++) {
        all[n++] = '\x1F';
        size_t length = strlen(dialect->names[i]);
        memcpy(all + n, dialect->names[i], length);
        n += length;
    }
    all[n] = '\0';
    nv_mem_free(out);
    return nv_printf(ctx, "%s\x1E%zu", all, dialect->n_columns);
}

static bool read_names(const survey_t *survey, nv_mem_t *ctx, const found_t *file, sniff_dialect_t *out,
                       nv_error_t *err)
{
    const survey_reader_t *reader = survey->reader;
    if (reader)
        return reader->read_names(reader->arg, ctx, file->path, &out->names, &out->n_columns, err);
    parquet_t *parquet;
    if (!parquet_open(ctx, file->path, &parquet, err))
        return false;
    out->names = (char **)parquet_names(parquet, &out->n_columns, NULL);
    return true;
}

static const char *examine_parquet(survey_t *survey, found_t *file)
{
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("examine");
    nv_error_t err = NV_ERROR_INIT;
    sniff_dialect_t dialect = {.has_header = true};
    if (!read_names(survey, scratch, file, &dialect, &err))
        return nv_strdup(survey->scratch, err.message);
    file->header = describe_header(survey->scratch, &file->kind, &dialect);
    file->has_header = true;
    return dialect.n_columns ? NULL : "the file has no columns";
}

/* Files of JSON lines belong together by their names alone: any line may bring further columns. */
static const char *examine_jsonl(survey_t *survey, found_t *file, const char *text, size_t length)
{
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("examine");
    jsonl_notes_t notes = jsonl_notes_make(scratch, 0);
    jsonl_sample_names(text, length, &notes);
    file->header = describe_header(survey->scratch, &file->kind, &(sniff_dialect_t){.n_columns = 0});
    return notes.names.n_entries ? NULL : "no line of its beginning is a JSON object with names";
}

static bool read_head(const survey_t *survey, const found_t *file, void *raw, size_t *n, bool *whole,
                      nv_error_t *err)
{
    const survey_reader_t *reader = survey->reader;
    return reader ? reader->read_head(reader->arg, file->path, raw, HEAD_BYTES, n, whole, err)
                  : file_read_head(file->path, file->kind.compression, raw, HEAD_BYTES, n, whole, err);
}

/* Looks into the file; NULL when it is usable, else why it is not. */
static const char *examine(survey_t *survey, found_t *file)
{
    if (file->kind.format == FILE_PARQUET)
        return examine_parquet(survey, file);
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("examine");
    nv_error_t err = NV_ERROR_INIT;
    char *raw = nv_alloc(scratch, HEAD_BYTES);
    size_t n;
    bool whole;
    if (!read_head(survey, file, raw, &n, &whole, &err))
        return nv_strdup(survey->scratch, err.message);
    if (!n)
        return "the file is empty";
    sniff_encoding_t encoding;
    sniff_encoding(raw, n, whole, &encoding);
    if (encoding.refused)
        return encoding.refused;
    decoder_t decoder = {.encoding = encoding.encoding};
    char *text = nv_realloc_array(scratch, NULL, 3, n + 8);
    size_t length = decoder_run(&decoder, (unsigned char *)raw + encoding.bom, n - encoding.bom, text);
    if (file->kind.format == FILE_JSONL)
        return examine_jsonl(survey, file, text, length);
    sniff_dialect_t dialect;
    sniff_dialect(scratch, text, length, whole, &dialect);
    if (!dialect.n_columns)
        return "the file holds no records";
    file->header = describe_header(survey->scratch, &file->kind, &dialect);
    file->has_header = dialect.has_header;
    return NULL;
}

static bool below_root(const survey_t *survey, const char *path)
{
    char *real = realpath(path, NULL);
    if (!real)
        return false;
    size_t n = strlen(survey->root);
    bool below = strncmp(real, survey->root, n) == 0 && (real[n] == '/' || survey->root[n - 1] == '/');
    free(real);
    return below;
}

static void add_file(survey_t *survey, const char *path, const char *relative, int64_t bytes,
                     int64_t modified_ms)
{
    const char *slash = strrchr(relative, '/');
    const char *name = slash ? slash + 1 : relative;
    file_kind_t kind;
    if (!file_kind(name, &kind, NULL)) {
        const char *reason = why_not(name);
        if (reason)
            skip(survey, path, reason);
        return;
    }
    if (utf8_valid_prefix(path, strlen(path)) < strlen(path)) {
        skip(survey, path, "its name is not valid UTF-8");
        return;
    }
    found_t file = {
        .kind = kind,
        .path = nv_strdup(survey->scratch, path),
        .relative = nv_strdup(survey->scratch, relative),
        .bytes = bytes,
        .modified_ms = modified_ms,
    };
    const char *reason = examine(survey, &file);
    if (reason) {
        skip(survey, path, reason);
        return;
    }
    split_name(survey, &file);
    NV_PUSH(survey->scratch, survey->found, survey->n_found, survey->capacity) = file;
}

static bool walk(survey_t *survey, const char *folder, const char *relative, int depth, nv_error_t *err);

static bool visit(survey_t *survey, const char *path, const char *relative, int depth, nv_error_t *err)
{
    struct stat info;
    if (!below_root(survey, path)) {
        skip(survey, path, "a link that leads out of the folder, or nowhere");
        return true;
    }
    if (stat(path, &info) != 0) {
        skip(survey, path, "it cannot be examined");
        return true;
    }
    if (S_ISDIR(info.st_mode))
        return depth < survey->options.max_depth ? walk(survey, path, relative, depth + 1, err) : true;
    if (!S_ISREG(info.st_mode)) {
        skip(survey, path, "not a regular file");
        return true;
    }
    if (++survey->n_seen > (size_t)survey->options.max_files)
        return nv_fail(err, NV_RESOURCE_EXHAUSTED, "%s holds more than %d files", survey->out->source,
                       survey->options.max_files);
    add_file(survey, path, relative, info.st_size,
             (int64_t)info.st_mtim.tv_sec * 1000 + info.st_mtim.tv_nsec / 1000000);
    return true;
}

static bool walk(survey_t *survey, const char *folder, const char *relative, int depth, nv_error_t *err)
{
    struct dirent **entries;
    int n = scandir(folder, &entries, NULL, alphasort);
    if (n < 0) {
        if (depth == 0)
            return nv_fail_errno(err, errno, "source folder %s", folder);
        skip(survey, folder, "the folder cannot be read");
        return true;
    }
    bool ok = true;
    for (int i = 0; i < n; i++) {
        const char *name = entries[i]->d_name;
        if (ok && name[0] != '.') {
            char *path = nv_printf(survey->scratch, "%s/%s", folder, name);
            char *below = relative[0] ? nv_printf(survey->scratch, "%s/%s", relative, name)
                                      : nv_strdup(survey->scratch, name);
            ok = visit(survey, path, below, depth, err);
        }
        free(entries[i]);
    }
    free(entries);
    return ok;
}

/* A table is called what its file is called ("Order Details"): people and other tools know it by that name, and the mapping makes
 * identifiers of it. Only what no name can hold is replaced. */
static char *table_name(nv_mem_t *ctx, const char *stem)
{
    size_t n = strnlen(stem, MAX_NAME);
    while (n > 0 && n == MAX_NAME && ((unsigned char)stem[n] & 0xC0) == 0x80)
        n--;
    char *name = nv_strndup(ctx, stem, n);
    for (char *p = name; *p; p++)
        if (iscntrl((unsigned char)*p))
            *p = '_';
    return *name ? name : nv_strdup(ctx, "table");
}

static int by_path(const void *left, const void *right)
{
    const found_t *a = left;
    const found_t *b = right;
    return strverscmp(a->relative, b->relative);
}

static bool belongs(const found_t *first, const found_t *other)
{
    return strcmp(first->stem, other->stem) == 0 && strcmp(first->header, other->header) == 0 &&
           (first->part[0] || other->part[0]);
}

static Nv__SourceFile *source_file(nv_mem_t *ctx, const found_t *file)
{
    Nv__SourceFile *out = NV_NEW(ctx, Nv__SourceFile);
    nv__source_file__init(out);
    out->path = nv_strdup(ctx, file->path);
    out->bytes = file->bytes;
    out->modified_unix_ms = file->modified_ms;
    return out;
}

static Nv__SurveyTable *make_table(survey_t *survey, size_t first, bool *taken, names_unique_t *names)
{
    nv_mem_t *ctx = survey->ctx;
    Nv__SurveyTable *table = NV_NEW(ctx, Nv__SurveyTable);
    nv__survey_table__init(table);
    const found_t *head = &survey->found[first];
    table->files = NV_NEW_ARRAY(ctx, Nv__SourceFile *, survey->n_found);
    for (size_t i = first; i < survey->n_found; i++) {
        if (taken[i] || (i != first && !belongs(head, &survey->found[i])))
            continue;
        taken[i] = true;
        table->files[table->n_files++] = source_file(ctx, &survey->found[i]);
    }
    bool parts = table->n_files > 1;
    const char *stem = parts ? head->stem : nv_printf(survey->scratch, "%s%s", head->stem, head->part);
    if (parts)
        table->grouping = nv_printf(ctx, "%zu files named %s… with the same %s", table->n_files, head->stem,
                                    head->kind.format == FILE_JSONL ? "format"
                                    : head->has_header              ? "header"
                                                                    : "number of columns");
    else
        table->grouping = nv_strdup(ctx, "a single file");
    char *name = table_name(survey->scratch, stem);
    table->name = names_unique_add(names, ctx, name);
    return table;
}

static void group(survey_t *survey)
{
    if (survey->n_found)
        qsort(survey->found, survey->n_found, sizeof *survey->found, by_path);
    bool *taken = NV_NEW_ARRAY(survey->scratch, bool, survey->n_found + 1);
    names_unique_t *names = names_unique_new(survey->scratch);
    Nv__Survey *out = survey->out;
    out->tables = NV_NEW_ARRAY(survey->ctx, Nv__SurveyTable *, survey->n_found + 1);
    for (size_t i = 0; i < survey->n_found; i++)
        if (!taken[i])
            out->tables[out->n_tables++] = make_table(survey, i, taken, names);
}

static bool nothing_usable(const survey_t *survey, nv_error_t *err)
{
    const Nv__Survey *out = survey->out;
    if (!out->n_skipped)
        return nv_fail(err, NV_NOT_FOUND,
                       "source folder %s holds no CSV file, nor JSON lines or Parquet (looked for .csv, "
                       ".tsv, .txt, .psv, .tab, "
                       ".dat, .jsonl, .ndjson, each also .gz or .zst, and .parquet)",
                       out->source);
    const Nv__SkippedFile *first = out->skipped[0];
    return nv_fail(err, NV_NOT_FOUND,
                   "source folder %s holds no usable file; %zu left out, the first: %s: %s", out->source,
                   out->n_skipped, first->path, first->reason);
}

static survey_t begin(nv_mem_t *ctx, nv_mem_t *scratch, const char *source, const profile_options_t *options,
                      const survey_reader_t *reader)
{
    survey_t survey = {.ctx = ctx, .scratch = scratch, .reader = reader};
    survey.options = options ? *options : (profile_options_t){0};
    if (survey.options.max_files <= 0)
        survey.options.max_files = 100000;
    if (survey.options.max_depth <= 0 || survey.options.max_depth > MAX_DEPTH)
        survey.options.max_depth = 2;
    survey.out = NV_NEW(ctx, Nv__Survey);
    nv__survey__init(survey.out);
    survey.out->source = nv_strdup(ctx, source);
    return survey;
}

static bool finish(survey_t *survey, Nv__Survey **out, nv_error_t *err)
{
    group(survey);
    if (!survey->out->n_tables)
        return nothing_usable(survey, err);
    *out = survey->out;
    return true;
}

bool survey_files(nv_mem_t *ctx, const char *source, const survey_file_t *files, size_t n,
                  const survey_reader_t *reader, const profile_options_t *options, Nv__Survey **out,
                  nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("survey");
    survey_t survey = begin(ctx, scratch, source, options, reader);
    if (n > (size_t)survey.options.max_files)
        return nv_fail(err, NV_RESOURCE_EXHAUSTED, "%s holds more than %d files", source,
                       survey.options.max_files);
    for (size_t i = 0; i < n; i++) {
        if (options && options->cancelled && options->cancelled(options->arg))
            return nv_fail(err, NV_CANCELLED, "the survey was cancelled");
        add_file(&survey, files[i].path, files[i].relative, files[i].bytes, files[i].modified_ms);
    }
    return finish(&survey, out, err);
}

bool survey_folder(nv_mem_t *ctx, const char *source_dir, const profile_options_t *options, Nv__Survey **out,
                   nv_error_t *err)
{
    if (!source_dir || !source_dir[0])
        return nv_fail(err, NV_INVALID_ARGUMENT, "no source folder was given");
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("survey");
    struct stat info;
    if (stat(source_dir, &info) != 0)
        return nv_fail_errno(err, errno, "source folder %s", source_dir);
    if (!S_ISDIR(info.st_mode))
        return nv_fail(err, NV_INVALID_ARGUMENT, "source folder %s is not a folder", source_dir);
    char *real = realpath(source_dir, NULL);
    if (!real)
        return nv_fail_errno(err, errno, "source folder %s", source_dir);
    survey_t survey = begin(ctx, scratch, source_dir, options, NULL);
    survey.root = nv_strdup(scratch, real);
    free(real);
    return walk(&survey, survey.root, "", 0, err) && finish(&survey, out, err);
}
