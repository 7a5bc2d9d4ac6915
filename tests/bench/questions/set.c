/* A set: its truth, its raw tables, its star. */
#include "tests/bench/questions/questions.h"

#include "common/core/json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { FILE_MAX = 4 * 1024 * 1024 };

static bool read_file(nv_mem_t *ctx, const char *path, char **out, nv_error_t *err)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return nv_fail_errno(err, errno, "%s", path);
    *out = nv_alloc(ctx, FILE_MAX);
    (*out)[fread(*out, 1, FILE_MAX - 1, file)] = '\0';
    fclose(file);
    return true;
}

static const char **texts(nv_mem_t *ctx, const nv_json_t *list)
{
    const char **out = NV_NEW_ARRAY(ctx, const char *, nv_json_size(list) + 1);
    for (size_t i = 0; i < nv_json_size(list); i++)
        out[i] = nv_strdup(ctx, nv_json_scalar_text(nv_json_at(list, i)));
    return out;
}

static void read_references(nv_mem_t *ctx, truth_set_t *truth, const nv_json_t *list)
{
    truth->references = NV_NEW_ARRAY(ctx, reference_t, nv_json_size(list) + 1);
    for (size_t i = 0; i < nv_json_size(list); i++) {
        const nv_json_t *one = nv_json_at(list, i);
        reference_t reference = {.from = nv_json_string_or(one, "from", ""),
                                 .to = nv_json_string_or(one, "to", ""),
                                 .columns = texts(ctx, nv_json_get(one, "columns")),
                                 .to_columns = texts(ctx, nv_json_get(one, "to_columns")),
                                 .n = nv_json_size(nv_json_get(one, "columns"))};
        if (!nv_json_bool_or(one, "vacuous", false) && strcmp(reference.from, reference.to) != 0)
            truth->references[truth->n_references++] = reference;
    }
}

static bool read_truth(set_t *set, nv_error_t *err)
{
    char *path = nv_printf(set->ctx, "%s/truth.json", set->folder), *text;
    const nv_json_t *root;
    if (!read_file(set->ctx, path, &text, err) ||
        !nv_json_parse(set->ctx, path, text, strlen(text), &root, err))
        return false;
    const nv_json_t *tables = nv_json_get(root, "tables");
    set->truth.name = nv_json_string_or(root, "name", "set");
    set->truth.tables = NV_NEW_ARRAY(set->ctx, truth_table_t, nv_json_size(tables) + 1);
    for (size_t i = 0; i < nv_json_size(tables); i++) {
        const char *role = nv_json_string_or(nv_json_at(tables, i), "role", "");
        set->truth.tables[set->truth.n_tables++] =
            (truth_table_t){.name = nv_json_string_or(nv_json_at(tables, i), "name", ""),
                            .key = texts(set->ctx, nv_json_get(nv_json_at(tables, i), "primary_key")),
                            .n_key = nv_json_size(nv_json_get(nv_json_at(tables, i), "primary_key")),
                            .is_event = strcmp(role, "fact") == 0 || strcmp(role, "bridge") == 0};
    }
    read_references(set->ctx, &set->truth, nv_json_get(root, "foreign_keys"));
    return true;
}

/* The raw table as DuckDB's own reader sees it. */
static bool load_table(set_t *set, const Nv__TableProfile *profile, nv_error_t *err)
{
    char *files = nv_strdup(set->ctx, "");
    for (size_t i = 0; i < profile->n_files; i++)
        files = nv_printf(set->ctx, "%s%s%s", files, i ? ", " : "",
                          sql_literal(set->ctx, SQL_DUCKDB, profile->files[i]->path));
    return oracle_run(set->db,
                      nv_printf(set->ctx,
                                "CREATE TABLE raw.%s AS SELECT * FROM read_csv([%s], header = true, "
                                "sample_size = -1)",
                                sql_identifier(set->ctx, SQL_DUCKDB, profile->name), files),
                      err);
}

static bool run_script(set_t *set, const char *path, nv_error_t *err)
{
    char *text;
    if (!read_file(set->ctx, path, &text, err))
        return false;
    for (char *at; (at = strstr(text, "@DIR@"));)
        text = nv_printf(set->ctx, "%.*s%s%s", (int)(at - text), text, set->folder, at + 5);
    return oracle_run(set->db, text, err) || nv_wrap(err, "%s", path);
}

static bool load_raw(set_t *set, nv_error_t *err)
{
    char *script = nv_printf(set->ctx, QUESTIONS_DIR "/%s.sql", set->truth.name);
    if (!oracle_run(set->db, "USE " STAR_CATALOG, err) || !oracle_run(set->db, "CREATE SCHEMA raw", err))
        return false;
    if (access(script, R_OK) == 0)
        return run_script(set, script, err);
    for (size_t i = 0; i < set->star.n_profiles; i++)
        if (!load_table(set, set->star.profiles[i], err))
            return nv_wrap(err, "%s", set->star.profiles[i]->name);
    return true;
}

bool set_open(nv_mem_t *ctx, const char *folder, set_t *out, nv_error_t *err)
{
    reference_batch_t first = {.number = 1, .time = "2026-01-01 00:00:00"};
    *out = (set_t){.ctx = ctx, .folder = folder};
    return read_truth(out, err) && star_design(ctx, folder, &out->star, err) &&
           star_open(ctx, &out->db, err) && star_create(out->db, &out->star, "star", err) &&
           star_load(out->db, &out->star, "star", &first, err) && load_raw(out, err);
}
