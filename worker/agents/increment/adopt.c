/* A batch held against the mapping that is deployed. Pure. */
#include "common/contract/codec.h"
#include "worker/agents/increment/increment.h"

#include <ctype.h>
#include <fnmatch.h>
#include <string.h>

enum { NAMES_TRIED = 10000 };

typedef struct adoption {
    nv_mem_t *ctx;
    increment_batch_t *out;
    const char *folder; /* below the project's folder in the volume */
    int32_t batch;
    size_t cap_findings;
} adoption_t;

#define SAY(a, ...)                                                                                          \
    (NV_PUSH((a)->ctx, (a)->out->findings, (a)->out->n_findings, (a)->cap_findings) =                        \
         nv_printf((a)->ctx, __VA_ARGS__))

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* The last part of the batch's path, in letters that every store takes. Spark does not list what begins with "_" or ".". */
static char *folder_of(nv_mem_t *ctx, const char *source)
{
    size_t n = strlen(source);
    while (n > 0 && source[n - 1] == '/')
        n--;
    size_t start = n;
    while (start > 0 && source[start - 1] != '/')
        start--;
    char *name = nv_strndup(ctx, source + start, n - start);
    for (char *p = name; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("._-", *p))
            *p = '-';
    return isalnum((unsigned char)name[0]) ? name : nv_printf(ctx, "batch%s", name);
}

static int32_t next_batch(const Nv__Sttm *sttm)
{
    int32_t last = 0;
    for (size_t i = 0; i < sttm->n_sources; i++)
        for (size_t k = 0; k < sttm->sources[i]->n_files; k++)
            last = sttm->sources[i]->files[k]->batch > last ? sttm->sources[i]->files[k]->batch : last;
    return last + 1;
}

/* "orders-2026-01-01.csv" is more of "orders", "order_items.csv" is not more of "order". */
static bool is_named_after(const char *file, const char *table)
{
    size_t n = strlen(table);
    if (strncasecmp(file, table, n) != 0)
        return false;
    for (const char *p = file + n; *p && *p != '.'; p++)
        if (isalpha((unsigned char)*p))
            return false;
    return true;
}

/* The one source whose files are called like this; NULL when there is none, or more than one. */
static Nv__SttmSource *source_of(const Nv__Sttm *sttm, const char *file)
{
    Nv__SttmSource *found = NULL;
    size_t n = 0;
    for (size_t i = 0; i < sttm->n_sources; i++)
        if (fnmatch(sttm->sources[i]->file_pattern, file, 0) == 0 && ++n)
            found = sttm->sources[i];
    for (size_t i = 0; n == 0 && i < sttm->n_sources; i++)
        if (is_named_after(file, sttm->sources[i]->name))
            return sttm->sources[i];
    return n == 1 ? found : NULL;
}

static const Nv__ColumnProfile *profile_column(const Nv__TableProfile *table, const char *name)
{
    for (size_t i = 0; i < table->n_columns; i++)
        if (strcmp(table->columns[i]->name, name) == 0)
            return table->columns[i];
    return NULL;
}

static const Nv__SttmSourceColumn *source_column(const Nv__SttmSource *source, const char *name)
{
    for (size_t i = 0; i < source->n_columns; i++)
        if (strcmp(source->columns[i]->name, name) == 0)
            return source->columns[i];
    return NULL;
}

static Nv__DriftAction policy_of_missing(const Nv__SttmSource *source)
{
    return source->policy ? source->policy->missing_columns : NV__DRIFT_ACTION__DRIFT_ACTION_UNSPECIFIED;
}

static bool has_missing(adoption_t *a, const Nv__SttmSource *source, const Nv__TableProfile *table,
                        const char *file, nv_error_t *err)
{
    nv_mem_t *ctx = a->ctx;
    char *missing = nv_strdup(ctx, "");
    for (size_t i = 0; i < source->n_columns; i++)
        if (!profile_column(table, source->columns[i]->name))
            missing = nv_printf(ctx, "%s%s%s", missing, *missing ? ", " : "", source->columns[i]->name);
    if (!*missing)
        return false;
    if (policy_of_missing(source) == NV__DRIFT_ACTION__DRIFT_ACTION_NULL) {
        SAY(a, "%s lacks columns of %s, which are null for its rows: %s", file, source->name, missing);
        return false;
    }
    return !nv_fail(
        err, NV_FAILED_PRECONDITION,
        "%s lacks columns that the pipeline reads for %s: %s. Deliver them, or run in full for a new "
        "design",
        file, source->name, missing);
}

/* "csv, packed with gzip" */
static char *kind_of(nv_mem_t *ctx, const Nv__Dialect *dialect)
{
    const char *format = dialect->format[0] ? dialect->format : "csv";
    return dialect->compression[0] ? nv_printf(ctx, "%s, packed with %s", format, dialect->compression)
                                   : nv_strdup(ctx, format);
}

static bool can_be_read(adoption_t *a, const Nv__SttmSource *source, const Nv__TableProfile *table,
                        const char *file, nv_error_t *err)
{
    const Nv__Dialect *was = source->dialect, *is = table->dialect;
    if (was && is && strcmp(kind_of(a->ctx, was), kind_of(a->ctx, is)) != 0)
        return nv_fail(err, NV_FAILED_PRECONDITION,
                       "%s is %s, but the pipeline reads %s from files called \"%s\": %s", file,
                       kind_of(a->ctx, is), source->name, source->file_pattern, kind_of(a->ctx, was));
    if (was && is && strcmp(was->delimiter, is->delimiter) != 0)
        return nv_fail(err, NV_FAILED_PRECONDITION,
                       "%s is separated by \"%s\", but the pipeline reads %s separated by \"%s\"", file,
                       is->delimiter, source->name, was->delimiter);
    if (was && is && strcmp(was->encoding, is->encoding) != 0 && strcmp(is->encoding, "utf-8") != 0)
        return nv_fail(err, NV_FAILED_PRECONDITION, "%s is %s, but the pipeline reads %s as %s", file,
                       is->encoding, source->name, was->encoding);
    if (was && is && was->has_header != is->has_header)
        return nv_fail(err, NV_FAILED_PRECONDITION, "%s has %s header line, but the pipeline expects %s",
                       file, is->has_header ? "a" : "no", was->has_header ? "one" : "none");
    return !has_missing(a, source, table, file, err);
}

/* "DECIMAL" */
static const char *type_name(Nv__ValueType type)
{
    const ProtobufCEnumValue *value =
        protobuf_c_enum_descriptor_get_value(&nv__value_type__descriptor, (int)type);
    return value ? value->name + strlen("VALUE_TYPE_") : "?";
}

static void say_new_columns(adoption_t *a, const Nv__SttmSource *source, const Nv__TableProfile *table,
                            const char *file)
{
    for (size_t i = 0; i < table->n_columns; i++) {
        const Nv__ColumnProfile *c = table->columns[i];
        if (source_column(source, c->name))
            continue;
        SAY(a,
            "%s has a new column \"%s\" (%s, %lld different values): bronze keeps it in "
            "_rescued_data; a "
            "full run brings it into the design",
            file, c->name, type_name(c->type), (long long)c->distinct_count);
    }
}

static void say_other_types(adoption_t *a, const Nv__SttmSource *source, const Nv__TableProfile *table,
                            const char *file)
{
    for (size_t i = 0; i < source->n_columns; i++) {
        const Nv__SttmSourceColumn *was = source->columns[i];
        const Nv__ColumnProfile *is = profile_column(table, was->name);
        if (is && is->type == NV__VALUE_TYPE__VALUE_TYPE_STRING && is->distinct_count > 0 &&
            was->type != NV__VALUE_TYPE__VALUE_TYPE_STRING)
            SAY(a, "%s.%s no longer reads as %s (\"%s\"): what does not parse is refused by its rule", file,
                was->name, type_name(was->type), is->n_top ? is->top[0]->value : is->min);
    }
}

static const Nv__SttmTarget *calendar_of(const Nv__Sttm *sttm)
{
    for (size_t i = 0; i < sttm->n_targets; i++)
        if (sttm->targets[i]->kind == NV__TARGET_KIND__TARGET_KIND_DATE_DIMENSION)
            return sttm->targets[i];
    return NULL;
}

static bool makes_date_key(const Nv__Sttm *sttm, const char *source, const char *column)
{
    for (size_t i = 0; i < sttm->n_targets; i++)
        for (size_t k = 0; k < sttm->targets[i]->n_columns; k++) {
            const Nv__Transform *t = sttm->targets[i]->columns[k]->transform;
            if (t && t->op == NV__TRANSFORM_OP__TRANSFORM_OP_DATE_KEY && t->n_inputs &&
                strcmp(t->inputs[0]->source, source) == 0 && strcmp(t->inputs[0]->source_column, column) == 0)
                return true;
        }
    return false;
}

static void say_dates_outside(adoption_t *a, const Nv__SttmSource *source, const Nv__TableProfile *table)
{
    const Nv__SttmTarget *calendar = calendar_of(a->out->sttm);
    for (size_t i = 0; calendar && i < table->n_columns; i++) {
        const Nv__ColumnProfile *c = table->columns[i];
        bool early = c->min[0] && strncmp(c->min, calendar->date_first, 10) < 0;
        bool late = c->max[0] && strncmp(c->max, calendar->date_last, 10) > 0;
        if ((early || late) && makes_date_key(a->out->sttm, source->name, c->name))
            SAY(a,
                "%s.%s reaches from %.10s to %.10s, the mapping's %s from %s to %s: the load adds "
                "whole years to it (dates before 1900 and after 2100 become unknown)",
                source->name, c->name, c->min, c->max, calendar->name, calendar->date_first,
                calendar->date_last);
    }
}

static bool is_landed(const Nv__Sttm *sttm, const char *landed)
{
    for (size_t i = 0; i < sttm->n_sources; i++)
        for (size_t k = 0; k < sttm->sources[i]->n_files; k++)
            if (strcmp(sttm->sources[i]->files[k]->landed, landed) == 0)
                return true;
    return false;
}

/* A name that the source's pattern takes: the file's own, else one made from the pattern. */
static char *pattern_name(nv_mem_t *ctx, const Nv__SttmSource *source, const char *file)
{
    const char *pattern = source->file_pattern;
    const char *star = strchr(pattern, '*');
    if (fnmatch(pattern, file, 0) == 0 || (star && strpbrk(pattern, "?[")))
        return nv_strdup(ctx, file);
    if (!star)
        return nv_strdup(ctx, pattern);
    size_t stem = strcspn(file, ".");
    return nv_printf(ctx, "%.*s-%.*s%s", (int)(star - pattern), pattern, (int)stem, file, star + 1);
}

static bool place_file(adoption_t *a, const Nv__SttmSource *source, Nv__SourceFile *file, nv_error_t *err)
{
    const char *name = pattern_name(a->ctx, source, base_name(file->path));
    if (fnmatch(source->file_pattern, name, 0) != 0)
        return nv_fail(err, NV_FAILED_PRECONDITION, "%s: the pipeline takes files called \"%s\" for %s",
                       file->path, source->file_pattern, source->name);
    for (int i = 1; i < NAMES_TRIED; i++) {
        file->landed = i == 1 ? nv_printf(a->ctx, "%s/%s", a->folder, name)
                              : nv_printf(a->ctx, "%s-%d/%s", a->folder, i, name);
        if (!is_landed(a->out->sttm, file->landed))
            return true;
    }
    return nv_fail(err, NV_RESOURCE_EXHAUSTED, "%s: %d batches called \"%s\" are landed already", file->path,
                   NAMES_TRIED, a->folder);
}

static Nv__SourceFile *same_content(const Nv__SttmSource *source, const Nv__SourceFile *file)
{
    for (size_t i = 0; file->sha256[0] && i < source->n_files; i++)
        if (strcmp(source->files[i]->sha256, file->sha256) == 0)
            return source->files[i];
    return NULL;
}

static bool has_other_header(const Nv__SttmSource *source, const Nv__TableProfile *table)
{
    bool other = source->n_columns != table->n_columns;
    for (size_t i = 0; !other && i < table->n_columns; i++)
        other = strcmp(source->columns[i]->name, table->columns[i]->name) != 0;
    return other;
}

static bool add_file(adoption_t *a, Nv__SttmSource *source, const Nv__TableProfile *table,
                     const Nv__SourceFile *given, nv_error_t *err)
{
    Nv__SourceFile *known = same_content(source, given);
    if (known) {
        known->path = given->path; /* where it can be read today */
        a->out->n_known++;
        return true;
    }
    Nv__SourceFile *file = (Nv__SourceFile *)nv_message_copy(a->ctx, &given->base);
    file->batch = a->batch;
    if (!place_file(a, source, file, err))
        return false;
    if (has_other_header(source, table)) {
        file->columns = NV_NEW_ARRAY(a->ctx, char *, table->n_columns + 1);
        for (size_t i = 0; i < table->n_columns; i++)
            file->columns[file->n_columns++] = table->columns[i]->name;
    }
    Nv__SourceFile **files = NV_NEW_ARRAY(a->ctx, Nv__SourceFile *, source->n_files + 1);
    if (source->n_files)
        memcpy(files, source->files, source->n_files * sizeof *files);
    source->files = files;
    source->files[source->n_files++] = file;
    a->out->n_new++;
    return true;
}

static bool adopt_table(adoption_t *a, const Nv__TableProfile *table, nv_error_t *err)
{
    Nv__SttmSource *source =
        table->n_files ? source_of(a->out->sttm, base_name(table->files[0]->path)) : NULL;
    if (!source) {
        SAY(a,
            "table %s (%s) is new: no part of the pipeline reads it; a full run brings it into the "
            "design",
            table->name, table->n_files ? base_name(table->files[0]->path) : "no file");
        return true;
    }
    const char *file = base_name(table->files[0]->path);
    if (!can_be_read(a, source, table, file, err))
        return false;
    say_new_columns(a, source, table, file);
    say_other_types(a, source, table, file);
    say_dates_outside(a, source, table);
    size_t before = a->out->n_new;
    for (size_t i = 0; i < table->n_files; i++)
        if (!add_file(a, source, table, table->files[i], err))
            return false;
    if (a->out->n_new > before) {
        source->row_count += table->row_count;
        source->duplicate_row_count += table->duplicate_row_count;
        source->rejected_count += table->rejected_count;
    }
    a->out->n_tables++;
    return true;
}

bool increment_adopt(nv_mem_t *ctx, const Nv__Sttm *deployed, const char *source,
                     const Nv__TableProfile *const *profiles, size_t n_profiles, increment_batch_t *out,
                     nv_error_t *err)
{
    *out = (increment_batch_t){.sttm = (Nv__Sttm *)nv_message_copy(ctx, &deployed->base)};
    adoption_t a = {.ctx = ctx, .out = out, .folder = folder_of(ctx, source), .batch = next_batch(deployed)};
    out->number = a.batch;
    for (size_t i = 0; i < n_profiles; i++)
        if (!adopt_table(&a, profiles[i], err))
            return false;
    if (out->n_tables == 0)
        return nv_fail(err, NV_FAILED_PRECONDITION,
                       "%s: none of its files belongs to a table of project \"%s\"", source, deployed->name);
    return true;
}
