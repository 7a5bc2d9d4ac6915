/* property_export SEED DIR: a case for the real pipeline: day1/ and day2/ with the raw files, sttm.json, and expected.json, which
 * says what the Tester will ask of the tables after the first batch and must be told, and
 * per batch and table of the star a Spark SQL statement and the one value that it must give: a checksum over whole rows, in
 * which surrogate keys are replaced by what they stand for. Days on which the batch dates a version are left out: the pipeline's
 * batches are dated when they run. A batch that a rule must stop says so in the words of the error ("stops"), and is the last. */
#include "common/contract/codec.h"
#include "common/core/json.h"
#include "tests/property/case.h"
#include "tests/property/policies.h"
#include "tests/support/star/star.h"
#include "worker/codegen/model.h"
#include "worker/validation/expression.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { EXPECTED_MAX = 8 * 1024 * 1024 };

typedef struct export_case {
    nv_mem_t *ctx;
    const char *folder;
    const source_case_t *source;
    star_t star;
    oracle_t *db;
    const char *schema; /* of the pipeline's tables on Spark */
    nv_json_writer_t out;
} export_t;

static char *table_of(const export_t *e, sql_dialect_t dialect, const char *name)
{
    return dialect == SQL_SPARK ? sql_identifier(e->ctx, dialect, name)
                                : sql_table(e->ctx, dialect, STAR_CATALOG, "star", name);
}

static char *text_of(const export_t *e, sql_dialect_t dialect, const char *alias,
                     const Nv__SttmColumn *column)
{
    return canonical_text(e->ctx, dialect, column->type, sql_column(e->ctx, dialect, alias, column->name));
}

static bool is_dated_by_data(const Nv__SttmTarget *target)
{
    return model_is_history(target) && target->effective_from[0];
}

/* The member that a lookup leads to: its key, and of a history the version. */
static char *member_text(const export_t *e, sql_dialect_t dialect, const Nv__SttmTarget *dimension,
                         const char *alias)
{
    char **key;
    size_t n = model_key(e->ctx, dimension, &key);
    char *text = nv_strdup(e->ctx, "'&'");
    for (size_t i = 0; i < n; i++)
        text = nv_printf(e->ctx, "%s, coalesce(%s, '~')", text,
                         text_of(e, dialect, alias, model_column(dimension, key[i])));
    if (model_is_history(dimension))
        text = nv_printf(e->ctx, "%s, coalesce(%s, '~')", text,
                         text_of(e, dialect, alias,
                                 model_with_op(dimension, is_dated_by_data(dimension)
                                                              ? NV__TRANSFORM_OP__TRANSFORM_OP_SCD_FROM
                                                              : NV__TRANSFORM_OP__TRANSFORM_OP_SCD_CURRENT)));
    return nv_printf(e->ctx, "concat_ws(%s)", text);
}

/* A surrogate key below zero says something by itself; another only that there is one. */
static char *key_text(const export_t *e, sql_dialect_t dialect, const Nv__SttmTarget *target,
                      const char *name)
{
    char *key = sql_column(e->ctx, dialect, "t", name);
    const char *known = target->kind == NV__TARGET_KIND__TARGET_KIND_DATE_DIMENSION ? "" : "'k'";
    char *text = nv_printf(e->ctx, dialect == SQL_SPARK ? "CAST(%s AS STRING)" : "CAST(%s AS VARCHAR)", key);
    return nv_printf(e->ctx, "CASE WHEN %s < 0 THEN %s ELSE %s END", key, text, *known ? known : text);
}

/* Delete markers without a date of their own end members with their batch, also where the data date the versions. */
static bool is_left_out(const export_t *e, const Nv__SttmTarget *target, const Nv__SttmColumn *column)
{
    Nv__TransformOp op = column->transform->op;
    bool ends = op == NV__TRANSFORM_OP__TRANSFORM_OP_SCD_TO;
    bool validity = op == NV__TRANSFORM_OP__TRANSFORM_OP_SCD_FROM || ends;
    if (ends && model_ended(e->ctx, e->star.sttm, model_source(e->star.sttm, target->driving_source)))
        return true;
    return op == NV__TRANSFORM_OP__TRANSFORM_OP_AUDIT || column->type == NV__VALUE_TYPE__VALUE_TYPE_DOUBLE ||
           (validity && !is_dated_by_data(target));
}

static char *content_sql(const export_t *e, sql_dialect_t dialect, const Nv__SttmTarget *target)
{
    char *text = nv_strdup(e->ctx, "'|'");
    char *from = nv_printf(e->ctx, "%s AS t", table_of(e, dialect, target->name));
    for (size_t i = 0; i < target->n_columns; i++) {
        const Nv__SttmColumn *c = target->columns[i];
        char *value;
        if (is_left_out(e, target, c))
            continue;
        if (c->transform->op == NV__TRANSFORM_OP__TRANSFORM_OP_LOOKUP) {
            const Nv__SttmTarget *dimension = model_target(e->star.sttm, c->transform->dimension);
            const char *surrogate = model_with_role(dimension, NV__KEY_ROLE__KEY_ROLE_SURROGATE)->name;
            char *alias = nv_printf(e->ctx, "k%zu", i);
            from = nv_printf(e->ctx, "%s LEFT JOIN %s AS %s ON %s = %s", from,
                             table_of(e, dialect, dimension->name), alias,
                             sql_column(e->ctx, dialect, "t", c->name),
                             sql_column(e->ctx, dialect, alias, surrogate));
            value = nv_printf(e->ctx, "CASE WHEN %s < 0 THEN %s ELSE %s END",
                              sql_column(e->ctx, dialect, "t", c->name), text_of(e, dialect, "t", c),
                              member_text(e, dialect, dimension, alias));
        } else if (c->key_role == NV__KEY_ROLE__KEY_ROLE_SURROGATE) {
            value = key_text(e, dialect, target, c->name);
        } else {
            value = text_of(e, dialect, "t", c);
        }
        text = nv_printf(e->ctx, "%s, coalesce(%s, '~')", text, value);
    }
    return nv_printf(e->ctx, "SELECT %s FROM (SELECT concat_ws(%s) AS line FROM %s) AS lines",
                     checksum_sql(e->ctx, dialect, "line"), text, from);
}

/* One statement of the Tester with what the oracle answers; a warning is no expectation. */
static bool put_group(export_t *e, const validation_group_t *group, nv_error_t *err)
{
    const char **oracle = NULL;
    size_t n;
    if (group->oracle_sql && !oracle_row(e->db, e->ctx, group->oracle_sql, &oracle, &n, err))
        return false;
    nv_json_open_object(&e->out, NULL);
    nv_json_put_string(&e->out, "sql", group->warehouse_sql);
    nv_json_open_array(&e->out, "checks");
    for (size_t i = 0; i < group->n_checks; i++) {
        const validation_check_t *check = &group->checks[i];
        const char *expected = check->oracle ? oracle[check->oracle_at] : "0";
        nv_json_open_object(&e->out, NULL);
        nv_json_put_string(&e->out, "name", nv_printf(e->ctx, "%s of %s", check->name, check->subject));
        nv_json_put_bool(&e->out, "about", check->compare == VALIDATION_ABOUT);
        nv_json_put_bool(&e->out, "warns",
                         check->compare == VALIDATION_WARN || (check->oracle && group->not_told));
        if (expected)
            nv_json_put_string(&e->out, "expected", expected);
        else
            nv_json_put_null(&e->out, "expected");
        nv_json_close_object(&e->out);
    }
    nv_json_close_array(&e->out);
    nv_json_close_object(&e->out);
    return true;
}

static bool expect_checks(export_t *e, nv_error_t *err)
{
    validation_input_t input = star_input(&e->star, e->schema);
    input.catalog = "spark_catalog";
    input.duckdb_warehouse = false;
    const validation_plan_t *plan = validation_plan(e->ctx, &input);
    for (size_t i = 0; i < plan->n_setup; i++)
        if (!oracle_run(e->db, plan->setup[i], err))
            return nv_wrap(err, "%.400s", plan->setup[i]);
    nv_json_open_array(&e->out, "groups");
    for (size_t i = 0; i < plan->n_groups; i++)
        if (!put_group(e, &plan->groups[i], err))
            return false;
    nv_json_close_array(&e->out);
    return true;
}

static bool expect_tables(export_t *e, const char *batch, nv_error_t *err)
{
    nv_json_open_object(&e->out, NULL);
    nv_json_put_string(&e->out, "batch", batch);
    if (strcmp(batch, "day1") == 0 && !expect_checks(e, err))
        return false;
    nv_json_open_array(&e->out, "tables");
    for (size_t i = 0; i < e->star.sttm->n_targets; i++) {
        const Nv__SttmTarget *target = e->star.sttm->targets[i];
        const char *holds;
        if (!star_value(e->ctx, e->db, content_sql(e, SQL_DUCKDB, target), &holds, err))
            return false;
        nv_json_open_object(&e->out, NULL);
        nv_json_put_string(&e->out, "name", target->name);
        nv_json_put_string(&e->out, "sql", content_sql(e, SQL_SPARK, target));
        nv_json_put_string(&e->out, "holds", holds);
        nv_json_close_object(&e->out);
    }
    nv_json_close_array(&e->out);
    nv_json_close_object(&e->out);
    return true;
}

static reference_batch_t second_day(const export_t *e)
{
    size_t n = 0, cap = 1;
    const Nv__SourceFile **files = NV_NEW_ARRAY(e->ctx, const Nv__SourceFile *, cap);
    const char *folder = nv_printf(e->ctx, "%s/day2", e->folder);
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        if (entry->d_name[0] != '.')
            NV_PUSH(e->ctx, files, n, cap) = case_source_file(e->ctx, e->source, folder, entry->d_name, true);
    if (dir)
        closedir(dir);
    return (reference_batch_t){.number = 2, .time = "2026-01-02 00:00:00", .files = files, .n_files = n};
}

static bool write_file(const export_t *e, const char *name, const char *text, nv_error_t *err)
{
    char *path = nv_printf(e->ctx, "%s/%s", e->folder, name);
    FILE *file = fopen(path, "wb");
    if (!file)
        return nv_fail_errno(err, errno, "%s", path);
    fputs(text, file);
    return fclose(file) == 0 || nv_fail_errno(err, errno, "%s", path);
}

/* What a rule says that stopped the load: the end of the error, as the pipeline must say it, too; NULL: it is another one. */
static const char *stop_of(const nv_error_t *err)
{
    const char *found = NULL;
    for (const char *at = err->message; (at = strstr(at, "quality checks failed")); at++)
        found = at;
    return found;
}

/* Loads the batch into the reference and writes what it holds then, or what stops it. */
static bool expect_batch(export_t *e, const char *name, const reference_batch_t *batch, bool *stopped,
                         nv_error_t *err)
{
    if (star_load(e->db, &e->star, "star", batch, err))
        return expect_tables(e, name, err);
    const char *stop = stop_of(err);
    if (!stop)
        return false;
    nv_json_open_object(&e->out, NULL);
    nv_json_put_string(&e->out, "batch", name);
    nv_json_put_string(&e->out, "stops", stop);
    nv_json_close_object(&e->out);
    nv_error_clear(err);
    *stopped = true;
    return true;
}

static bool expect_batches(export_t *e, nv_error_t *err)
{
    reference_batch_t first = {.number = 1, .time = "2026-01-01 00:00:00"}, second = second_day(e);
    char *text;
    size_t length;
    bool stopped = false;
    e->out = nv_json_writer_make(e->ctx, EXPECTED_MAX, true);
    nv_json_open_array(&e->out, NULL);
    if (!star_open(e->ctx, &e->db, err) || !star_create(e->db, &e->star, "star", err) ||
        !expect_batch(e, "day1", &first, &stopped, err))
        return false;
    if (!stopped &&
        (!expect_tables(e, "day1-again", err) || !expect_batch(e, "day2", &second, &stopped, err)))
        return false;
    nv_json_close_array(&e->out);
    return nv_json_write_end(&e->out, "expected.json", &text, &length, err) &&
           write_file(e, "expected.json", text, err);
}

static bool export_case(nv_mem_t *ctx, uint64_t seed, const char *folder, nv_error_t *err)
{
    export_t e = {
        .ctx = ctx, .folder = folder, .schema = nv_printf(ctx, "seed_%llu", (unsigned long long)seed)};
    const source_case_t *source = e.source = case_generate(ctx, seed);
    char *first = nv_printf(ctx, "%s/day1", folder), *text;
    size_t length;
    if (mkdir(folder, 0755) != 0 && errno != EEXIST)
        return nv_fail_errno(err, errno, "%s", folder);
    return case_write(source, 1, first, (case_style_t){0}, err) &&
           case_write(source, 2, nv_printf(ctx, "%s/day2", folder), (case_style_t){0}, err) &&
           star_design(ctx, first, &e.star, err) && policies_declare(ctx, e.star.sttm, seed) >= 0 &&
           nv_json_encode(ctx, &e.star.sttm->base, NV_CODEC_DEFAULT, &text, &length, err) &&
           write_file(&e, "sttm.json", text, err) && expect_batches(&e, err);
}

int main(int argc, char **argv)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("property_export");
    nv_error_t err = NV_ERROR_INIT;
    if (argc != 3) {
        fprintf(stderr, "usage: property_export SEED DIR\n");
        return 64;
    }
    if (!export_case(ctx, strtoull(argv[1], NULL, 10), argv[2], &err)) {
        fprintf(stderr, "property_export: %s\n", err.message);
        return nv_code_exit_status(err.code);
    }
    return 0;
}
