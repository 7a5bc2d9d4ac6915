/* A raw table: parse, refuse, deduplicate; then count what must be in silver and in the quarantine. */
#include "worker/pushdown/scan.h"
#include "worker/validation/plan.h"

#include <string.h>

/* The table as the profiler would describe it, out of the mapping alone. */
Nv__TableProfile *source_profile(nv_mem_t *ctx, const Nv__SttmSource *source)
{
    Nv__TableProfile *table = NV_NEW(ctx, Nv__TableProfile);
    nv__table_profile__init(table);
    table->name = source->name;
    table->files = source->files;
    table->n_files = source->n_files;
    table->dialect = source->dialect;
    table->n_columns = source->n_columns;
    table->columns = NV_NEW_ARRAY(ctx, Nv__ColumnProfile *, source->n_columns);
    for (size_t i = 0; i < source->n_columns; i++) {
        Nv__ColumnProfile *column = NV_NEW(ctx, Nv__ColumnProfile);
        nv__column_profile__init(column);
        column->name = source->columns[i]->name;
        column->type = source->columns[i]->type;
        column->precision = source->columns[i]->precision;
        column->scale = source->columns[i]->scale;
        column->parse = source->columns[i]->parse;
        table->columns[i] = column;
    }
    return table;
}

/* A value of the column that does not parse only becomes null: a rule says so. */
static bool only_warns(const Nv__SttmSource *source, const char *column)
{
    for (size_t i = 0; i < source->n_rules; i++) {
        const Nv__QualityRule *rule = source->rules[i];
        if (rule->kind != NV__RULE_KIND__RULE_KIND_PARSES || rule->severity != NV__SEVERITY__SEVERITY_WARN)
            continue;
        for (size_t k = 0; k < rule->n_columns; k++)
            if (strcmp(rule->columns[k], column) == 0)
                return true;
    }
    return false;
}

static char *plain_list(const planner_t *p, char *const *names, size_t n)
{
    char *text = nv_strdup(p->ctx, "");
    for (size_t i = 0; i < n; i++)
        text = nv_printf(p->ctx, "%s%s%s", text, i ? ", " : "", sql_identifier(p->ctx, p->oracle, names[i]));
    return text;
}

char *source_typed(planner_t *p, const Nv__SttmSource *source, const char *raw_table)
{
    Nv__TableProfile *table = source_profile(p->ctx, source);
    nv_buf_t sql = nv_buf_make(p->ctx, PLAN_SQL_MAX);
    nv_buf_t bad = nv_buf_make(p->ctx, PLAN_SQL_MAX);
    nv_buf_puts(&sql, p->oracle == SQL_DUCKDB ? "SELECT rowid AS nuvyn_row, nuvyn_file"
                                              : "SELECT nuvyn_row, nuvyn_file");
    for (size_t i = 0; i < source->n_columns; i++) {
        char *raw = sql_identifier(p->ctx, p->oracle, source->columns[i]->name);
        nv_buf_printf(&sql, ", %s AS %s", parse_rule_sql(p->ctx, p->oracle, table->columns[i], raw),
                      sql_identifier(p->ctx, p->oracle, source->columns[i]->silver_name));
        if (!only_warns(source, source->columns[i]->silver_name))
            nv_buf_printf(&bad, " OR %s", parse_invalid_sql(p->ctx, p->oracle, table->columns[i], raw));
    }
    nv_buf_printf(&sql, ", (false%s) AS nuvyn_bad FROM %s", nv_buf_text(&bad), raw_table);
    return sql.data;
}

/* "typed_3": the oracle's relation of a source's rows, good and bad. */
static char *typed_relation(const planner_t *p, int index)
{
    return planner_relation(p, nv_printf(p->ctx, "typed_%d", index));
}

/* typed_N: every row with its values, its place, and whether it is refused for a value. */
static void setup_typed(planner_t *p, const Nv__SttmSource *source, int index)
{
    Nv__TableProfile *table = source_profile(p->ctx, source);
    char *raw = nv_printf(p->ctx, "raw_%d", index);
    if (p->oracle == SQL_SPARK) {
        planner_create(p, typed_relation(p, index), source_typed(p, source, scan_named_sql(p->ctx, table)));
        return;
    }
    planner_setup(
        p, nv_printf(p->ctx, "CREATE TEMP TABLE %s AS SELECT * FROM %s", raw, raw_scan_sql(p->ctx, table)));
    planner_create(p, typed_relation(p, index), source_typed(p, source, raw));
    planner_setup(p, nv_printf(p->ctx, "DROP TABLE %s", raw));
}

/* Conditions of the rules that refuse a row, over the typed values. */
static char *refusing_rules(planner_t *p, const Nv__SttmSource *source)
{
    nv_buf_t sql = nv_buf_make(p->ctx, PLAN_SQL_MAX);
    for (size_t i = 0; i < source->n_rules; i++) {
        const Nv__QualityRule *rule = source->rules[i];
        if (rule->severity != NV__SEVERITY__SEVERITY_QUARANTINE)
            continue;
        for (size_t k = 0; k < rule->n_columns; k++) {
            const Nv__SttmSourceColumn *c = model_source_column(source, rule->columns[k]);
            char *name = sql_identifier(p->ctx, p->oracle, rule->columns[k]);
            char *type = c ? type_sql(p->ctx, p->oracle, c->type, c->precision, c->scale)
                           : nv_strdup(p->ctx, "STRING");
            char *condition = rule_sql(p->ctx, p->oracle, rule, &name, 1, type);
            if (condition)
                nv_buf_printf(&sql, " AND %s", condition);
        }
    }
    return nv_strdup(p->ctx, nv_buf_text(&sql));
}

char *source_good(planner_t *p, const Nv__SttmSource *source)
{
    return nv_printf(p->ctx, "(NOT nuvyn_bad%s)", refusing_rules(p, source));
}

char *source_newest(planner_t *p, const Nv__SttmSource *source, const char *load_order)
{
    nv_buf_t order = nv_buf_make(p->ctx, PLAN_SQL_MAX);
    for (size_t i = 0; i < source->n_latest_by; i++)
        nv_buf_printf(&order, "%s DESC NULLS LAST, ",
                      sql_identifier(p->ctx, p->oracle, source->latest_by[i]));
    nv_buf_puts(&order, load_order);
    return order.data;
}

/* The columns that identify a record: its key, or the whole row. */
char *source_identity(planner_t *p, const Nv__SttmSource *source)
{
    if (source->n_key > 0)
        return plain_list(p, source->key, source->n_key);
    char **names = NV_NEW_ARRAY(p->ctx, char *, source->n_columns + 1);
    for (size_t i = 0; i < source->n_columns; i++)
        names[i] = source->columns[i]->silver_name;
    return plain_list(p, names, source->n_columns);
}

/* clean_N: the good rows, the newest per key. */
static void setup_clean(planner_t *p, const Nv__SttmSource *source, int index, const char *good)
{
    planner_create(
        p, planner_clean(p, source),
        planner_first(p, nv_printf(p->ctx, "SELECT * FROM %s WHERE %s", typed_relation(p, index), good),
                      source_identity(p, source),
                      source_newest(p, source, "nuvyn_file DESC, nuvyn_row DESC")));
}

int64_t source_rejected_lines(const planner_t *p, const Nv__SttmSource *source)
{
    if (source->rejected_count > 0) /* of all its batches; a run has profiled only the last one */
        return source->rejected_count;
    for (size_t i = 0; i < p->in->n_profiles; i++)
        if (strcmp(p->in->profiles[i]->name, source->name) == 0)
            return p->in->profiles[i]->rejected_count;
    return 0;
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

void plan_source(planner_t *p, const Nv__SttmSource *source)
{
    int index = planner_source_index(p, source);
    const validation_input_t *in = p->in;
    char *good = source_good(p, source);
    char *silver = sql_table(p->ctx, p->warehouse, in->catalog, in->schema, source->silver_name);
    char *bronze =
        sql_table(p->ctx, p->warehouse, in->catalog, in->schema, codegen_bronze_table(p->ctx, source));
    char *refused = nv_printf(p->ctx, "(SELECT count(*) FROM %s WHERE source = %s)",
                              sql_table(p->ctx, p->warehouse, in->catalog, in->schema, CODEGEN_QUARANTINE),
                              sql_literal(p->ctx, p->warehouse, source->name));
    char *lines = nv_printf(p->ctx, "%lld", (long long)source_rejected_lines(p, source));
    char *typed = typed_relation(p, index), *clean = planner_clean(p, source);
    setup_typed(p, source, index);
    setup_clean(p, source, index, good);
    validation_group_t *group = planner_group(p, source->silver_name);
    group->source = index;
    group->needs[index] = true;
    planner_check(p, "source_files", source->name, "", VALIDATION_WARN, unknown_files(p, source), NULL);
    planner_check(p, "reconcile_source", source->name, "generate", VALIDATION_EQUAL,
                  nv_printf(p->ctx, "(SELECT count(*) FROM %s)", bronze),
                  nv_printf(p->ctx, "(SELECT count(*) + %s FROM %s)", lines, typed));
    planner_check(p, "reconcile_loaded", source->name, "generate", VALIDATION_EQUAL,
                  nv_printf(p->ctx, "(SELECT count(*) FROM %s)", silver),
                  nv_printf(p->ctx, "(SELECT count(*) FROM %s)", clean));
    planner_check(p, "reconcile_quarantined", source->name, "generate", VALIDATION_EQUAL, refused,
                  nv_printf(p->ctx, "(SELECT count(*) + %s FROM %s WHERE NOT %s)", lines, typed, good));
    planner_check(p, "reconcile_duplicates", source->name, "generate", VALIDATION_EQUAL,
                  nv_printf(p->ctx, "(SELECT count(*) FROM %s) - (SELECT count(*) FROM %s) - %s", bronze,
                            silver, refused),
                  nv_printf(p->ctx, "(SELECT count(*) FROM %s WHERE %s) - (SELECT count(*) FROM %s)", typed,
                            good, clean));
    planner_close(p, "", "");
}
