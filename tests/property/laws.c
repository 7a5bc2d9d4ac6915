#include "tests/property/laws.h"

#include "tests/property/naive.h"
#include "tests/property/policies.h"
#include "tests/support/star/star.h"
#include "worker/codegen/model.h"
#include "worker/validation/expression.h"

#include <dirent.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

typedef struct trial {
    nv_mem_t *ctx;
    const source_case_t *source;
    const char *folder;
    laws_tally_t *tally;
    star_t star;
    oracle_t *db;
} trial_t;

static const char *const days[] = {"2026-01-01 00:00:00", "2026-01-02 00:00:00", "2026-01-03 00:00:00"};

static bool value(trial_t *t, const char **out, nv_error_t *err, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static bool value(trial_t *t, const char **out, nv_error_t *err, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *sql = nv_vprintf(t->ctx, fmt, args);
    va_end(args);
    t->tally->comparisons++;
    return star_value(t->ctx, t->db, sql, out, err);
}

/* The query's one value is the expected text. */
static bool expect(trial_t *t, const char *law, const char *expected, const char *sql, nv_error_t *err)
{
    const char *got;
    if (!value(t, &got, err, "%s", sql))
        return false;
    return strcmp(got, expected) == 0 ||
           nv_fail(err, NV_INTERNAL, "%s: expected %s, found %s by %s", law, expected, got, sql);
}

static char *table(const trial_t *t, const char *schema, const char *name)
{
    return sql_table(t->ctx, SQL_DUCKDB, STAR_CATALOG, schema, name);
}

/* ---- against the naive computation ---- */

static bool counts_agree(trial_t *t, const naive_source_t *s, nv_error_t *err)
{
    const Nv__SttmSource *source = s->source;
    const char *refused = nv_printf(t->ctx, "SELECT count(*) FROM %s WHERE source = '%s'",
                                    table(t, "star", CODEGEN_QUARANTINE), source->name);
    return expect(t, nv_printf(t->ctx, "rows of %s", source->name),
                  nv_printf(t->ctx, "%lld", (long long)s->rows),
                  nv_printf(t->ctx, "SELECT count(*) FROM %s",
                            table(t, "star", codegen_bronze_table(t->ctx, source))),
                  err) &&
           expect(t, nv_printf(t->ctx, "refused rows of %s", source->name),
                  nv_printf(t->ctx, "%lld", (long long)s->refused), refused, err) &&
           expect(t, nv_printf(t->ctx, "loaded rows of %s", source->name),
                  nv_printf(t->ctx, "%lld", (long long)s->kept),
                  nv_printf(t->ctx, "SELECT count(*) FROM %s", table(t, "star", source->silver_name)), err) &&
           (s->rows == s->kept + s->refused + s->duplicates ||
            nv_fail(err, NV_INTERNAL, "%s: source <> loaded + quarantined + duplicates", source->name));
}

static bool column_agrees(trial_t *t, const naive_t *naive, const Nv__SttmTarget *target,
                          const Nv__SttmColumn *column, nv_error_t *err)
{
    int64_t sum, nowhere, empty;
    char *name = sql_identifier(t->ctx, SQL_DUCKDB, column->name);
    char *law = nv_printf(t->ctx, "%s.%s", target->name, column->name);
    if (column->measure && naive_sum(naive, target, column, &sum) &&
        !expect(t, law, nv_printf(t->ctx, "%lld", (long long)sum),
                nv_printf(t->ctx, "SELECT CAST(coalesce(sum(%s), 0) * 10000 AS BIGINT) FROM %s", name,
                          table(t, "star", target->name)),
                err))
        return false;
    if (column->transform->op == NV__TRANSFORM_OP__TRANSFORM_OP_LOOKUP &&
        naive_unknown(naive, target, column, &nowhere, &empty))
        return expect(
            t, law, nv_printf(t->ctx, "%lld/%lld", (long long)nowhere, (long long)empty),
            nv_printf(t->ctx,
                      "SELECT concat(count(*) FILTER (%s = -1), '/', count(*) FILTER (%s = -2)) FROM %s",
                      name, name, table(t, "star", target->name)),
            err);
    return true;
}

static bool naive_agrees(trial_t *t, int last_batch, nv_error_t *err)
{
    naive_t *naive;
    if (!naive_load(t->ctx, t->source, t->star.sttm, last_batch, &naive, err))
        return false;
    for (size_t i = 0; i < naive->n_sources; i++)
        if (!counts_agree(t, &naive->sources[i], err))
            return false;
    for (size_t i = 0; i < t->star.sttm->n_targets; i++) {
        const Nv__SttmTarget *target = t->star.sttm->targets[i];
        if (model_is_dimension(target) || target->kind == NV__TARGET_KIND__TARGET_KIND_DATE_DIMENSION)
            continue;
        for (size_t k = 0; k < target->n_columns; k++)
            if (!column_agrees(t, naive, target, target->columns[k], err))
                return false;
    }
    return true;
}

/* ---- laws of the tables ---- */

static bool may_be_deleted(const trial_t *t, const Nv__SttmTarget *target)
{
    return model_source(t->star.sttm, target->driving_source)->policy != NULL;
}

/* SCD2, said again in another way than the Tester says it: no two versions of a member share a day, and one is current. */
static bool versions_sound(trial_t *t, const Nv__SttmTarget *target, nv_error_t *err)
{
    char **key;
    size_t n = model_key(t->ctx, target, &key);
    char *same = nv_strdup(t->ctx, "true"), *by = nv_strdup(t->ctx, "");
    char *name = table(t, "star", target->name);
    const char *surrogate = model_with_role(target, NV__KEY_ROLE__KEY_ROLE_SURROGATE)->name;
    const char *from = model_with_op(target, NV__TRANSFORM_OP__TRANSFORM_OP_SCD_FROM)->name;
    const char *to = model_with_op(target, NV__TRANSFORM_OP__TRANSFORM_OP_SCD_TO)->name;
    const char *current = model_with_op(target, NV__TRANSFORM_OP__TRANSFORM_OP_SCD_CURRENT)->name;
    for (size_t i = 0; i < n; i++) {
        char *column = sql_identifier(t->ctx, SQL_DUCKDB, key[i]);
        same = nv_printf(t->ctx, "%s AND a.%s = b.%s", same, column, column);
        by = nv_printf(t->ctx, "%s%s%s", by, i ? ", " : "", column);
    }
    t->tally->histories++;
    return expect(t, "versions overlap", "0",
                  nv_printf(
                      t->ctx,
                      "SELECT count(*) FROM %s a JOIN %s b ON %s AND a.%s < b.%s AND a.%s < coalesce(b.%s, "
                      "DATE '9999-01-01') AND b.%s < coalesce(a.%s, DATE '9999-01-01') WHERE a.%s >= 0",
                      name, name, same, surrogate, surrogate, from, to, from, to, surrogate),
                  err) &&
           expect(t, "members without one current version", "0",
                  nv_printf(t->ctx,
                            "SELECT count(*) FROM (SELECT count(*) FILTER (%s) AS n FROM %s WHERE %s >= 0 "
                            "GROUP BY %s) "
                            "WHERE n > 1 OR n < %d",
                            current, name, surrogate, by, may_be_deleted(t, target) ? 0 : 1),
                  err);
}

static bool histories_sound(trial_t *t, nv_error_t *err)
{
    for (size_t i = 0; i < t->star.sttm->n_targets; i++)
        if (model_is_history(t->star.sttm->targets[i]) && !versions_sound(t, t->star.sttm->targets[i], err))
            return false;
    return true;
}

static bool tester_agrees(trial_t *t, nv_error_t *err)
{
    Nv__Validation *validation;
    if (!star_prove(t->ctx, t->db, &t->star, "star", &validation, err))
        return false;
    t->tally->checks += (int)validation->n_checks;
    return validation->passed ||
           nv_fail(err, NV_INTERNAL, "the Tester refuses the reference: %s", validation->critique);
}

/* A checksum of a whole table: rows in any order. */
static bool content(trial_t *t, const char *schema, const char *name, const char **out, nv_error_t *err)
{
    return value(t, out, err,
                 "SELECT concat(count(*), ':', coalesce(CAST(sum(CAST(hash(t) AS HUGEINT)) AS VARCHAR), '')) "
                 "FROM %s AS t",
                 table(t, schema, name));
}

static bool same_content(trial_t *t, const char *law, const char *name, const char *a, const char *b,
                         nv_error_t *err)
{
    const char *x, *y;
    if (!content(t, a, name, &x, err) || !content(t, b, name, &y, err))
        return false;
    return strcmp(x, y) == 0 || nv_fail(err, NV_INTERNAL, "%s: %s differs: %s and %s", law, name, x, y);
}

/* A batch that brings nothing new changes nothing. */
static bool is_idempotent(trial_t *t, nv_error_t *err)
{
    const Nv__Sttm *sttm = t->star.sttm;
    const char **before = NV_NEW_ARRAY(t->ctx, const char *, sttm->n_targets + 1);
    reference_batch_t nothing = {.number = 2, .time = days[1], .files = &(const Nv__SourceFile *){NULL}};
    for (size_t i = 0; i < sttm->n_targets; i++)
        if (!content(t, "star", sttm->targets[i]->name, &before[i], err))
            return false;
    if (!star_load(t->db, &t->star, "star", &nothing, err))
        return false;
    for (size_t i = 0; i < sttm->n_targets; i++) {
        const char *after;
        if (!content(t, "star", sttm->targets[i]->name, &after, err))
            return false;
        if (strcmp(before[i], after) != 0)
            return nv_fail(err, NV_INTERNAL, "a batch without files changes %s", sttm->targets[i]->name);
    }
    return true;
}

/* ---- batches ---- */

static reference_batch_t batch_of(trial_t *t, int number, const char *const *folders, size_t n_folders)
{
    size_t n = 0, cap = 0;
    const Nv__SourceFile **files = NV_NEW_ARRAY(t->ctx, const Nv__SourceFile *, cap = 1);
    for (size_t i = 0; i < n_folders; i++) {
        DIR *dir = opendir(folders[i]);
        for (struct dirent *entry; dir && (entry = readdir(dir));)
            if (entry->d_name[0] != '.')
                NV_PUSH(t->ctx, files, n, cap) = case_source_file(
                    t->ctx, t->source, folders[i], entry->d_name, strstr(folders[i], "/day2") != NULL);
        if (dir)
            closedir(dir);
    }
    return (reference_batch_t){.number = number, .time = days[number - 1], .files = files, .n_files = n};
}

/* Nothing of a table depends on how the batches were cut: not an SCD2 history, nothing that looks into one, not the members of
 * a flat file, of which several rows may tell the same. */
static bool knows_no_batches(const Nv__Sttm *sttm, const Nv__SttmTarget *target)
{
    if (model_is_history(target) || target->distinct_rows)
        return false;
    for (size_t i = 0; i < target->n_columns; i++) {
        const Nv__Transform *t = target->columns[i]->transform;
        if (t->op == NV__TRANSFORM_OP__TRANSFORM_OP_LOOKUP &&
            model_is_history(model_target(sttm, t->dimension)))
            return false;
    }
    return true;
}

static bool is_stop(const nv_error_t *err)
{
    return strstr(err->message, "quality checks failed") != NULL;
}

/* load(day 1); load(day 2) = load(day 1 and day 2). */
static bool batches_add_up(trial_t *t, const char *const *folders, nv_error_t *err)
{
    reference_batch_t both = batch_of(t, 1, folders, 2);
    if (policies_by_snapshot(t->star.sttm)) /* there the cut of the batches says what is gone */
        return true;
    if (!star_create(t->db, &t->star, "at_once", err))
        return false;
    if (!star_load(t->db, &t->star, "at_once", &both, err)) /* more rows, other shares */
        return is_stop(err) && (nv_error_clear(err), true);
    for (size_t i = 0; i < t->star.sttm->n_targets; i++) {
        const Nv__SttmTarget *target = t->star.sttm->targets[i];
        if (knows_no_batches(t->star.sttm, target) &&
            !same_content(t, "two batches are not one", target->name, "star", "at_once", err))
            return false;
    }
    return true;
}

/* ---- the same source in another dress ---- */

static bool has_conflicts(const source_case_t *source)
{
    for (size_t i = 0; i < source->n_tables; i++)
        if (source->tables[i]->conflicts)
            return true;
    return false;
}

static bool redesign(trial_t *t, const char *name, case_style_t style, star_t *out, nv_error_t *err)
{
    char *folder = nv_printf(t->ctx, "%s/%s", t->folder, name);
    if (!case_write(t->source, 1, folder, style, err) || !star_design(t->ctx, folder, out, err))
        return false;
    policies_declare(t->ctx, out->sttm, t->source->seed);
    return true;
}

static bool same_structure(trial_t *t, const char *law, const star_t *other, nv_error_t *err)
{
    const Nv__Sttm *a = t->star.sttm, *b = other->sttm;
    if (a->n_targets != b->n_targets)
        return nv_fail(err, NV_INTERNAL, "%s: %zu tables, then %zu", law, a->n_targets, b->n_targets);
    for (size_t i = 0; i < a->n_targets; i++) {
        const Nv__SttmTarget *x = a->targets[i], *y = model_target(b, x->name);
        if (!y || x->n_columns != y->n_columns || x->load != y->load)
            return nv_fail(err, NV_INTERNAL, "%s: %s is another table", law, x->name);
        for (size_t k = 0; k < x->n_columns; k++)
            if (strcmp(x->columns[k]->name, y->columns[k]->name) != 0 ||
                x->columns[k]->transform->op != y->columns[k]->transform->op)
                return nv_fail(err, NV_INTERNAL, "%s: %s.%s becomes %s", law, x->name, x->columns[k]->name,
                               y->columns[k]->name);
    }
    return true;
}

/* Rows in another order give the same star, value by value, where no row supersedes another by its place. */
static bool order_is_nothing(trial_t *t, nv_error_t *err)
{
    star_t shuffled;
    reference_batch_t first = {.number = 1, .time = days[0]};
    if (!redesign(t, "shuffled", (case_style_t){.shuffle = t->source->seed + 1}, &shuffled, err) ||
        !same_structure(t, "rows in another order", &shuffled, err) ||
        !star_create(t->db, &shuffled, "shuffled", err) ||
        !star_load(t->db, &shuffled, "shuffled", &first, err))
        return false;
    for (size_t i = 0; i < t->star.sttm->n_targets; i++)
        if (!same_content(t, "rows in another order", t->star.sttm->targets[i]->name, "star", "shuffled",
                          err))
            return false;
    return true;
}

static bool case_is_nothing(trial_t *t, nv_error_t *err)
{
    star_t shouted;
    return redesign(t, "shouted", (case_style_t){.shout = true}, &shouted, err) &&
           same_structure(t, "headers in capitals", &shouted, err);
}

static void count(trial_t *t)
{
    t->tally->cases++;
    for (size_t i = 0; i < t->star.sttm->n_targets; i++) {
        Nv__TargetKind kind = t->star.sttm->targets[i]->kind;
        t->tally->facts += kind == NV__TARGET_KIND__TARGET_KIND_FACT;
        t->tally->dimensions += kind == NV__TARGET_KIND__TARGET_KIND_DIMENSION;
        t->tally->bridges += kind == NV__TARGET_KIND__TARGET_KIND_BRIDGE;
    }
}

/* A load succeeds, or a rule stops it that the naive computation sees broken, too. */
static bool loads(trial_t *t, const reference_batch_t *batch, int last_batch, bool *stopped, nv_error_t *err)
{
    naive_t *naive;
    *stopped = !star_load(t->db, &t->star, "star", batch, err);
    if (*stopped && !is_stop(err))
        return false;
    nv_error_t quality = *err;
    nv_error_clear(err);
    if (!naive_load(t->ctx, t->source, t->star.sttm, last_batch, &naive, err))
        return false;
    const char *must = naive_stops(naive, last_batch);
    t->tally->stopped += *stopped;
    if (*stopped && !must)
        return nv_fail(err, NV_INTERNAL, "the load was stopped without need: %s", quality.message);
    return *stopped || !must || nv_fail(err, NV_INTERNAL, "the load was not stopped: %s", must);
}

static bool first_day(trial_t *t, const char *folder, bool *stopped, nv_error_t *err)
{
    reference_batch_t first = {.number = 1, .time = days[0]};
    if (!case_write(t->source, 1, folder, (case_style_t){0}, err) ||
        !star_design(t->ctx, folder, &t->star, err))
        return false;
    if (!t->star.review->passed)
        return nv_fail(err, NV_INTERNAL, "the mapping does not pass its review: %s",
                       t->star.review->critique);
    count(t);
    t->tally->policies += policies_declare(t->ctx, t->star.sttm, t->source->seed);
    return star_open(t->ctx, &t->db, err) && star_create(t->db, &t->star, "star", err) &&
           loads(t, &first, 1, stopped, err) &&
           (*stopped || (naive_agrees(t, 1, err) && tester_agrees(t, err) && histories_sound(t, err)));
}

/* The mapping as it stands after the second batch: with its files. */
static void adopt_files(trial_t *t, const reference_batch_t *batch)
{
    for (size_t i = 0; i < t->star.sttm->n_sources; i++) {
        Nv__SttmSource *source = t->star.sttm->sources[i];
        Nv__SourceFile **files = NV_NEW_ARRAY(t->ctx, Nv__SourceFile *, source->n_files + batch->n_files + 1);
        memcpy(files, source->files, source->n_files * sizeof *files);
        source->files = files;
        for (size_t k = 0; k < batch->n_files; k++) {
            const char *name = strrchr(batch->files[k]->path, '/') + 1;
            if (fnmatch(source->file_pattern, name, 0) != 0)
                continue;
            Nv__SourceFile *file = nv_memdup(t->ctx, batch->files[k], sizeof *file);
            file->batch = 1;
            file->sha256 = file->path;
            source->files[source->n_files++] = file;
        }
    }
}

static bool second_day(trial_t *t, const char *const *folders, nv_error_t *err)
{
    reference_batch_t second = batch_of(t, 3, &folders[1], 1);
    bool stopped = false;
    if (!loads(t, &second, 2, &stopped, err))
        return false;
    if (stopped)
        return true;
    if (!naive_agrees(t, 2, err) || !histories_sound(t, err) || !batches_add_up(t, folders, err))
        return false;
    adopt_files(t, &second);
    return tester_agrees(t, err);
}

bool laws_hold(uint64_t seed, const char *folder, laws_tally_t *tally, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("case");
    trial_t t = {.ctx = ctx, .source = case_generate(ctx, seed), .folder = folder, .tally = tally};
    const char *folders[] = {nv_printf(ctx, "%s/day1", folder), nv_printf(ctx, "%s/day2", folder)};
    bool stopped = false;
    if (!case_write(t.source, 2, folders[1], (case_style_t){0}, err) ||
        !first_day(&t, folders[0], &stopped, err))
        return false;
    if (stopped)
        return true;
    if (!is_idempotent(&t, err))
        return false;
    if (seed % 4 == 0 && !has_conflicts(t.source) && !order_is_nothing(&t, err))
        return false;
    if (seed % 4 == 2 && !case_is_nothing(&t, err))
        return false;
    return second_day(&t, folders, err);
}
