/* Bronze, silver and quarantine of the reference. */
#include "worker/validation/reference_internal.h"

#include <fnmatch.h>
#include <string.h>

char *reference_table(const planner_t *p, const char *name)
{
    return sql_table(p->ctx, SQL_DUCKDB, p->in->catalog, p->in->schema, name);
}

static planner_t planner_of(nv_mem_t *ctx, const validation_input_t *input)
{
    return (planner_t){.ctx = ctx,
                       .in = input,
                       .warehouse = SQL_DUCKDB,
                       .of_reference = true,
                       .plan = NV_NEW(ctx, validation_plan_t)};
}

static reference_sql_t statements_of(const planner_t *p)
{
    return (reference_sql_t){.statements = p->plan->setup, .n = p->plan->n_setup};
}

static char *declared_columns(const planner_t *p, const Nv__SttmSource *source)
{
    nv_buf_t sql = nv_buf_make(p->ctx, PLAN_SQL_MAX);
    for (size_t i = 0; i < source->n_columns; i++) {
        const Nv__SttmSourceColumn *c = source->columns[i];
        nv_buf_printf(&sql, "%s %s, ", sql_identifier(p->ctx, SQL_DUCKDB, c->silver_name),
                      type_sql(p->ctx, SQL_DUCKDB, c->type, c->precision, c->scale));
    }
    return nv_strdup(p->ctx, nv_buf_text(&sql));
}

/* Flags of a typed row: what it is by itself, and what of it does not parse where that is counted. */
static char *flag_columns(const planner_t *p, const Nv__SttmSource *source)
{
    char *text = nv_strdup(
        p->ctx, "nuvyn_bad BOOLEAN, nuvyn_lost BOOLEAN, nuvyn_refused BOOLEAN, nuvyn_dropped BOOLEAN, "
                "nuvyn_marks BOOLEAN");
    for (size_t i = 0; i < source->n_columns; i++)
        if (source_is_limited(source, source->columns[i]->silver_name))
            text = nv_printf(p->ctx, "%s, %s BOOLEAN", text, source_unread(p, i));
    return text;
}

/* typed_N holds every row that ever came, silver the newest good one per key. */
static void create_source(planner_t *p, const Nv__SttmSource *source)
{
    char *columns = declared_columns(p, source);
    planner_setup(p, nv_printf(p->ctx,
                               "CREATE TABLE %s (nuvyn_batch BIGINT, nuvyn_row BIGINT, nuvyn_file VARCHAR, "
                               "%s%s)",
                               planner_typed(p, source), columns, flag_columns(p, source)));
    planner_setup(
        p, nv_printf(p->ctx,
                     "CREATE TABLE %s (%s_source_file VARCHAR, _changed_at TIMESTAMP, _deleted_at TIMESTAMP, "
                     "_ended_at TIMESTAMP)",
                     reference_table(p, source->silver_name), columns));
    planner_setup(p, nv_printf(p->ctx, "CREATE TABLE %s (_source_file VARCHAR, _fingerprint VARCHAR)",
                               reference_table(p, codegen_bronze_table(p->ctx, source))));
}

reference_sql_t reference_create(nv_mem_t *ctx, const validation_input_t *input)
{
    planner_t p = planner_of(ctx, input);
    planner_setup(&p, nv_printf(ctx, "CREATE SCHEMA IF NOT EXISTS %s.%s",
                                sql_identifier(ctx, SQL_DUCKDB, input->catalog),
                                sql_identifier(ctx, SQL_DUCKDB, input->schema)));
    planner_setup(&p, nv_printf(ctx, "CREATE TABLE %s (nuvyn_number INTEGER, nuvyn_time TIMESTAMP)",
                                reference_table(&p, "nuvyn_batch")));
    planner_setup(&p, nv_printf(ctx, "CREATE TABLE %s (source VARCHAR, _source_file VARCHAR)",
                                reference_table(&p, CODEGEN_QUARANTINE)));
    for (size_t i = 0; i < input->sttm->n_sources; i++)
        create_source(&p, input->sttm->sources[i]);
    for (size_t i = 0; i < input->sttm->n_targets; i++)
        reference_create_target(&p, input->sttm->targets[i]);
    return statements_of(&p);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* The source's files of a batch, in a table profile that raw_scan_sql reads; NULL when it brings none. */
static Nv__TableProfile *brought(planner_t *p, const Nv__SttmSource *source, const reference_batch_t *batch)
{
    Nv__TableProfile *table = source_profile(p->ctx, source);
    if (!batch->files)
        return table->n_files ? table : NULL;
    table->files = NV_NEW_ARRAY(p->ctx, Nv__SourceFile *, batch->n_files + 1);
    table->n_files = 0;
    for (size_t i = 0; i < batch->n_files; i++) {
        if (fnmatch(source->file_pattern, base_name(batch->files[i]->path), 0) == 0)
            table->files[table->n_files++] = (Nv__SourceFile *)batch->files[i];
    }
    return table->n_files ? table : NULL;
}

/* The fingerprint by which bronze knows a file: of the mapping's own files their hash, of others their path. */
static char *fingerprint(const planner_t *p, const Nv__SttmSource *source)
{
    nv_buf_t sql = nv_buf_make(p->ctx, PLAN_SQL_MAX);
    nv_buf_puts(&sql, "CASE nuvyn_file");
    for (size_t i = 0; i < source->n_files; i++)
        nv_buf_printf(&sql, " WHEN %s THEN %s", sql_literal(p->ctx, SQL_DUCKDB, source->files[i]->path),
                      sql_literal(p->ctx, SQL_DUCKDB, source->files[i]->sha256));
    nv_buf_puts(&sql, source->n_files ? " ELSE nuvyn_file END" : " WHEN '' THEN '' ELSE nuvyn_file END");
    return sql.data;
}

static void load_bronze(planner_t *p, const Nv__SttmSource *source, const reference_batch_t *batch)
{
    Nv__TableProfile *table = brought(p, source, batch);
    char *typed = planner_typed(p, source);
    char *bronze = reference_table(p, codegen_bronze_table(p->ctx, source));
    if (table) {
        planner_setup(p, nv_printf(p->ctx, "CREATE TEMP TABLE brought AS SELECT * FROM %s",
                                   raw_scan_sql(p->ctx, table)));
        planner_setup(p, nv_printf(p->ctx, "INSERT INTO %s BY NAME SELECT %d AS nuvyn_batch, * FROM (%s)",
                                   typed, batch->number, source_typed(p, source, "brought")));
        planner_setup(p, "DROP TABLE brought");
    }
    planner_setup(p, nv_printf(p->ctx, "INSERT INTO %s SELECT nuvyn_file, %s FROM %s WHERE nuvyn_batch = %d",
                               bronze, fingerprint(p, source), typed, batch->number));
    if (batch->number == 1 && source->n_files > 0)
        planner_setup(p, nv_printf(p->ctx, "INSERT INTO %s SELECT '', %s FROM range(%lld)", bronze,
                                   sql_literal(p->ctx, SQL_DUCKDB, source->files[0]->sha256),
                                   (long long)source_rejected_lines(p, source)));
}

/* Lines that are no rows stay in the quarantine; refused rows are counted anew. */
static void load_quarantine(planner_t *p, const source_load_t *load)
{
    char *name = sql_literal(p->ctx, SQL_DUCKDB, load->source->name);
    char *quarantine = reference_table(p, CODEGEN_QUARANTINE);
    if (load->batch == 1)
        planner_setup(p, nv_printf(p->ctx, "INSERT INTO %s SELECT %s, '' FROM range(%lld)", quarantine, name,
                                   (long long)source_rejected_lines(p, load->source)));
    planner_setup(
        p, nv_printf(p->ctx, "DELETE FROM %s WHERE source = %s AND _source_file <> ''", quarantine, name));
    planner_setup(
        p,
        nv_printf(p->ctx, "INSERT INTO %s SELECT %s, nuvyn_file FROM %s WHERE nuvyn_outcome = 'quarantined'",
                  quarantine, name, load->rows));
}

/* A snapshot that lacks more of the living keys than may be deleted at once stops the load. A key that never lived, because a rule
 * held its rows back until now, cannot get lost. */
static void stop_shrunk(planner_t *p, const source_load_t *load)
{
    const Nv__SttmSource *source = load->source;
    if (source_deletes(source) != NV__DELETE_MODE__DELETE_MODE_SNAPSHOT)
        return;
    char *key = source_identity(p, source), *silver = planner_clean(p, source);
    double share = source->policy->max_delete_share > 0 ? source->policy->max_delete_share : 0.5;
    char *says = sql_literal(p->ctx, SQL_DUCKDB,
                             nv_printf(p->ctx, "%s: the snapshot lacks too many keys", source->name));
    planner_setup(
        p, nv_printf(p->ctx,
                     "SELECT CASE WHEN (SELECT count(*) FROM (SELECT %s FROM %s WHERE _deleted_at IS NULL "
                     "INTERSECT SELECT %s FROM %s WHERE nuvyn_outcome = 'loaded' AND nuvyn_deleted IS NOT "
                     "NULL)) > %.17g * (SELECT count(*) - count(_deleted_at) FROM %s) THEN error(%s) END",
                     key, silver, key, load->rows, share, silver, says));
}

/* A row that is there already, value by value, keeps its place and the time of its last change. */
static void load_silver(planner_t *p, const source_load_t *load, const char *time)
{
    const Nv__SttmSource *source = load->source;
    const char *ended =
        model_ended(p->ctx, p->in->sttm, source) ? "n.nuvyn_ended" : "CAST(NULL AS TIMESTAMP)";
    nv_buf_t names = nv_buf_make(p->ctx, PLAN_SQL_MAX);
    nv_buf_t same = nv_buf_make(p->ctx, PLAN_SQL_MAX);
    for (size_t i = 0; i < source->n_columns; i++) {
        char *name = sql_identifier(p->ctx, SQL_DUCKDB, source->columns[i]->silver_name);
        nv_buf_printf(&names, "n.%s, ", name);
        nv_buf_printf(&same, " AND n.%s IS NOT DISTINCT FROM o.%s", name, name);
    }
    planner_setup(
        p, nv_printf(
               p->ctx,
               "CREATE OR REPLACE TABLE %s AS SELECT %scoalesce(o._source_file, n.nuvyn_file) AS "
               "_source_file, coalesce(o._changed_at, CAST(%s AS TIMESTAMP)) AS _changed_at, b.nuvyn_time AS "
               "_deleted_at, %s AS _ended_at FROM "
               "(SELECT * FROM %s WHERE nuvyn_outcome = 'loaded') AS n LEFT JOIN %s AS b ON b.nuvyn_number = "
               "n.nuvyn_deleted LEFT JOIN %s AS o ON o._deleted_at IS NOT DISTINCT FROM b.nuvyn_time AND "
               "o._ended_at IS NOT DISTINCT FROM %s%s",
               planner_clean(p, source), nv_buf_text(&names), sql_literal(p->ctx, SQL_DUCKDB, time), ended,
               load->rows, reference_table(p, "nuvyn_batch"), planner_clean(p, source), ended,
               nv_buf_text(&same)));
}

static void load_source(planner_t *p, const Nv__SttmSource *source, const reference_batch_t *batch)
{
    source_load_t load = {.source = source, .rows = "outcomes", .batch = batch->number};
    planner_setup(
        p, nv_printf(p->ctx, "CREATE OR REPLACE TEMP TABLE %s AS %s", load.rows, source_rows(p, source)));
    source_stops(p, &load);
    stop_shrunk(p, &load);
    load_silver(p, &load, batch->time);
    load_quarantine(p, &load);
    planner_setup(p, nv_printf(p->ctx, "DROP TABLE %s", load.rows));
}

reference_sql_t reference_load(nv_mem_t *ctx, const validation_input_t *input, const reference_batch_t *batch)
{
    planner_t p = planner_of(ctx, input);
    planner_setup(&p, nv_printf(ctx, "INSERT INTO %s VALUES (%d, CAST(%s AS TIMESTAMP))",
                                reference_table(&p, "nuvyn_batch"), batch->number,
                                sql_literal(ctx, SQL_DUCKDB, batch->time)));
    for (size_t i = 0; i < input->sttm->n_sources; i++)
        load_bronze(&p, input->sttm->sources[i], batch);
    for (size_t i = 0; i < input->sttm->n_sources; i++)
        load_source(&p, input->sttm->sources[i], batch);
    for (size_t i = 0; i < input->sttm->n_targets; i++)
        reference_load_target(&p, input->sttm->targets[i]);
    return statements_of(&p);
}
