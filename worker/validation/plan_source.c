/* A raw table: what must be in silver and in the quarantine. */
#include "worker/codegen/rules.h"
#include "worker/pushdown/scan.h"
#include "worker/validation/plan.h"

#include <string.h>

char *planner_typed(const planner_t *p, const Nv__SttmSource *source)
{
    char *name = nv_printf(p->ctx, "typed_%d", planner_source_index(p, source));
    return p->of_reference ? sql_table(p->ctx, SQL_DUCKDB, p->in->catalog, p->in->schema, name)
                           : planner_relation(p, name);
}

/* "rows_3": every row of a source with what became of it. */
static char *rows_relation(const planner_t *p, const Nv__SttmSource *source)
{
    return planner_relation(p, nv_printf(p->ctx, "rows_%d", planner_source_index(p, source)));
}

/* The number of the batch that brought a row: raw_scan_sql marks the files of later ones. */
static const char *batch_of_row(const planner_t *p)
{
    return p->oracle == SQL_DUCKDB ? "CASE WHEN starts_with(nuvyn_file, chr(1114111)) THEN "
                                     "CAST(substr(nuvyn_file, 2, 9) AS INTEGER) ELSE 0 END"
                                   : "0";
}

void plan_typed(planner_t *p, const Nv__SttmSource *source)
{
    Nv__TableProfile *table = source_profile(p->ctx, source);
    char *raw = nv_printf(p->ctx, "raw_%d", planner_source_index(p, source));
    bool there = p->oracle == SQL_SPARK;
    if (!there)
        planner_setup(p, nv_printf(p->ctx, "CREATE TEMP TABLE %s AS SELECT * FROM %s", raw,
                                   raw_scan_sql(p->ctx, table)));
    planner_create(p, planner_typed(p, source),
                   nv_printf(p->ctx, "SELECT *, %s AS nuvyn_batch FROM (%s) AS nuvyn_typed", batch_of_row(p),
                             source_typed(p, source, there ? scan_named_sql(p->ctx, table) : raw)));
    if (!there)
        planner_setup(p, nv_printf(p->ctx, "DROP TABLE %s", raw));
}

void plan_rows(planner_t *p, const Nv__SttmSource *source)
{
    char *rows = rows_relation(p, source);
    planner_create(p, rows, source_rows(p, source));
    planner_create(p, planner_clean(p, source),
                   nv_printf(p->ctx, "SELECT * FROM %s WHERE nuvyn_outcome = 'loaded'", rows));
}

/* Files in bronze that this run did not see: then the raw files at hand do not tell what must be in the tables. */
static char *unknown_files(planner_t *p, const Nv__SttmSource *source)
{
    nv_buf_t known = nv_buf_make(p->ctx, PLAN_SQL_MAX);
    for (size_t i = 0; i < source->n_files; i++)
        nv_buf_printf(&known, "%s%s", i ? ", " : "",
                      sql_literal(p->ctx, p->warehouse, source->files[i]->sha256));
    char *bronze =
        sql_table(p->ctx, p->warehouse, p->in->catalog, p->in->schema, codegen_bronze_table(p->ctx, source));
    return nv_printf(p->ctx, "(SELECT count(DISTINCT _fingerprint) FROM %s WHERE _fingerprint NOT IN (%s))",
                     bronze, known.length ? nv_buf_text(&known) : "''");
}

static char *count_of(const planner_t *p, const char *rows, const char *outcomes)
{
    return nv_printf(p->ctx, "(SELECT count(*) FROM %s WHERE nuvyn_outcome IN (%s))", rows, outcomes);
}

static void check_counts(planner_t *p, const Nv__SttmSource *source, const char *silver)
{
    const validation_input_t *in = p->in;
    char *rows = rows_relation(p, source);
    char *bronze =
        sql_table(p->ctx, p->warehouse, in->catalog, in->schema, codegen_bronze_table(p->ctx, source));
    char *refused = nv_printf(p->ctx, "(SELECT count(*) FROM %s WHERE source = %s)",
                              sql_table(p->ctx, p->warehouse, in->catalog, in->schema, CODEGEN_QUARANTINE),
                              sql_literal(p->ctx, p->warehouse, source->name));
    char *lines = nv_printf(p->ctx, "%lld", (long long)source_rejected_lines(p, source));
    planner_check(p, "reconcile_source", source->name, "generate", VALIDATION_EQUAL,
                  nv_printf(p->ctx, "(SELECT count(*) FROM %s)", bronze),
                  nv_printf(p->ctx, "(SELECT count(*) + %s FROM %s)", lines, rows));
    planner_check(p, "reconcile_loaded", source->name, "generate", VALIDATION_EQUAL,
                  nv_printf(p->ctx, "(SELECT count(*) FROM %s)", silver), count_of(p, rows, "'loaded'"));
    planner_check(p, "reconcile_quarantined", source->name, "generate", VALIDATION_EQUAL, refused,
                  nv_printf(p->ctx, "%s + %s", count_of(p, rows, "'quarantined'"), lines));
    planner_check(p, "reconcile_duplicates", source->name, "generate", VALIDATION_EQUAL,
                  nv_printf(p->ctx, "(SELECT count(*) FROM %s) - (SELECT count(*) FROM %s) - %s", bronze,
                            silver, refused),
                  count_of(p, rows, "'duplicate', 'dropped', 'deleting'"));
}

/* What a rule of tier FAIL lets pass at most is all that silver may hold of it. */
static void check_failing_rule(planner_t *p, const Nv__SttmSource *source, const Nv__QualityRule *rule,
                               const char *silver)
{
    for (size_t k = 0; k < rule->n_columns; k++) {
        const Nv__SttmSourceColumn *c = model_source_column(source, rule->columns[k]);
        char *name = sql_identifier(p->ctx, p->warehouse, rule->columns[k]);
        char *condition = c ? rule_sql(p->ctx, p->warehouse, rule, &name, 1,
                                       type_sql(p->ctx, p->warehouse, c->type, c->precision, c->scale))
                            : NULL;
        if (condition)
            planner_check(
                p, "tier_fail", nv_printf(p->ctx, "%s.%s", source->name, rule->columns[k]), "generate",
                VALIDATION_ZERO,
                nv_printf(p->ctx,
                          "(SELECT CASE WHEN count(*) FILTER (WHERE NOT %s) > %.17g * count(*) THEN count(*) "
                          "FILTER (WHERE NOT %s) ELSE 0 END FROM %s)",
                          condition, rule->threshold, condition, silver),
                NULL);
    }
}

void plan_source(planner_t *p, const Nv__SttmSource *source)
{
    int index = planner_source_index(p, source);
    char *silver = sql_table(p->ctx, p->warehouse, p->in->catalog, p->in->schema, source->silver_name);
    validation_group_t *group = planner_group(p, source->silver_name);
    group->source = index;
    mark_source(p, source, group->needs);
    planner_check(p, "source_files", source->name, "", VALIDATION_WARN, unknown_files(p, source), NULL);
    check_counts(p, source, silver);
    if (source_deletes(source) != NV__DELETE_MODE__DELETE_MODE_UNSPECIFIED)
        planner_check(p, "reconcile_deleted", source->name, "generate", VALIDATION_EQUAL,
                      nv_printf(p->ctx, "(SELECT count(_deleted_at) FROM %s)", silver),
                      nv_printf(p->ctx, "(SELECT count(nuvyn_deleted) FROM %s)", planner_clean(p, source)));
    for (size_t i = 0; i < source->n_rules; i++)
        if (source->rules[i]->severity == NV__SEVERITY__SEVERITY_FAIL)
            check_failing_rule(p, source, source->rules[i], silver);
    planner_close(p, "", "");
}
