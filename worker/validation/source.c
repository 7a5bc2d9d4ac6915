/* What becomes of a raw row: parsed, refused, dropped, deleting, superseded, or loaded. One SELECT per step, for the Tester's plan
 * and for the reference alike. */
#include "worker/codegen/rules.h"
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

static char *name_of(const planner_t *p, const char *name)
{
    return sql_identifier(p->ctx, p->oracle, name);
}

static char *plain_list(const planner_t *p, char *const *names, size_t n)
{
    char *text = nv_strdup(p->ctx, "");
    for (size_t i = 0; i < n; i++)
        text = nv_printf(p->ctx, "%s%s%s", text, i ? ", " : "", name_of(p, names[i]));
    return text;
}

static char *all_given(const planner_t *p, char *const *names, size_t n)
{
    char *text = nv_strdup(p->ctx, "true");
    for (size_t i = 0; i < n; i++)
        text = nv_printf(p->ctx, "%s AND %s IS NOT NULL", text, name_of(p, names[i]));
    return text;
}

/* ---- by itself ---- */

static Nv__DriftAction changed_types(const Nv__SttmSource *source)
{
    return source->policy ? source->policy->changed_types : NV__DRIFT_ACTION__DRIFT_ACTION_UNSPECIFIED;
}

/* The rule about values of a column that do not parse; NULL where it has none. */
static const Nv__QualityRule *parses_rule(const Nv__SttmSource *source, const char *column)
{
    for (size_t i = 0; i < source->n_rules; i++)
        for (size_t k = 0; k < source->rules[i]->n_columns; k++)
            if (source->rules[i]->kind == NV__RULE_KIND__RULE_KIND_PARSES &&
                strcmp(source->rules[i]->columns[k], column) == 0)
                return source->rules[i];
    return NULL;
}

/* "quarantine" where nothing is said. */
static const char *unparsed_tier(const Nv__SttmSource *source, const char *column)
{
    const Nv__QualityRule *rule = parses_rule(source, column);
    if (changed_types(source) == NV__DRIFT_ACTION__DRIFT_ACTION_FAIL)
        return "fail";
    return rule ? rule_tier(rule) : "quarantine";
}

/* The condition of a good row by a rule of a row, over the typed values; NULL: the rule is none of a row. */
static char *condition_of(const planner_t *p, const Nv__SttmSource *source, const Nv__QualityRule *rule)
{
    char *all = NULL;
    for (size_t k = 0; rule_is_of_row(rule) && k < rule->n_columns; k++) {
        const Nv__SttmSourceColumn *c = model_source_column(source, rule->columns[k]);
        char *name = name_of(p, rule->columns[k]);
        char *type =
            c ? type_sql(p->ctx, p->oracle, c->type, c->precision, c->scale) : nv_strdup(p->ctx, "STRING");
        char *one = rule_sql(p->ctx, p->oracle, rule, &name, 1, type);
        all = all ? nv_printf(p->ctx, "%s AND %s", all, one) : one;
    }
    return all;
}

/* " OR NOT (…)" for the rules of a row that stand in a tier. */
static char *broken_rules(const planner_t *p, const Nv__SttmSource *source, Nv__Severity severity)
{
    nv_buf_t sql = nv_buf_make(p->ctx, PLAN_SQL_MAX);
    for (size_t i = 0; i < source->n_rules; i++) {
        char *condition =
            source->rules[i]->severity == severity ? condition_of(p, source, source->rules[i]) : NULL;
        if (condition)
            nv_buf_printf(&sql, " OR NOT (%s)", condition);
    }
    return nv_strdup(p->ctx, nv_buf_text(&sql));
}

/* The row deletes its key instead of being one. */
static char *marks(const planner_t *p, const Nv__SttmSource *source)
{
    const Nv__SourcePolicy *policy = source->policy;
    if (source_deletes(source) != NV__DELETE_MODE__DELETE_MODE_MARKER)
        return nv_strdup(p->ctx, "false");
    const Nv__SttmSourceColumn *c = model_source_column(source, policy->delete_column);
    char *text = canonical_text(p->ctx, p->oracle, c->type, name_of(p, c->silver_name));
    char *list = nv_strdup(p->ctx, "");
    for (size_t i = 0; i < policy->n_delete_values; i++)
        list = nv_printf(p->ctx, "%s%s%s", list, i ? ", " : "",
                         sql_literal(p->ctx, p->oracle, policy->delete_values[i]));
    return nv_printf(p->ctx, "coalesce(%s IN (%s), false)", text, list);
}

bool source_is_limited(const Nv__SttmSource *source, const char *column)
{
    const Nv__QualityRule *rule = parses_rule(source, column);
    return strcmp(unparsed_tier(source, column), "fail") == 0 || (rule && rule->threshold > 0);
}

/* "nuvyn_unread_3": the value of the fourth column does not parse. */
char *source_unread(const planner_t *p, size_t column)
{
    return nv_printf(p->ctx, "nuvyn_unread_%zu", column);
}

char *source_typed(planner_t *p, const Nv__SttmSource *source, const char *raw_table)
{
    Nv__TableProfile *table = source_profile(p->ctx, source);
    nv_buf_t sql = nv_buf_make(p->ctx, PLAN_SQL_MAX);
    nv_buf_t bad = nv_buf_make(p->ctx, PLAN_SQL_MAX), lost = nv_buf_make(p->ctx, PLAN_SQL_MAX);
    nv_buf_printf(&sql,
                  "SELECT *, nuvyn_bad%s AS nuvyn_refused, nuvyn_lost%s AS nuvyn_dropped, %s AS nuvyn_marks "
                  "FROM (SELECT %s, nuvyn_file",
                  broken_rules(p, source, NV__SEVERITY__SEVERITY_QUARANTINE),
                  broken_rules(p, source, NV__SEVERITY__SEVERITY_DROP), marks(p, source),
                  p->oracle == SQL_DUCKDB ? "rowid AS nuvyn_row" : "nuvyn_row");
    for (size_t i = 0; i < source->n_columns; i++) {
        char *raw = name_of(p, source->columns[i]->name);
        const char *tier = unparsed_tier(source, source->columns[i]->silver_name);
        char *invalid = parse_invalid_sql(p->ctx, p->oracle, table->columns[i], raw);
        nv_buf_printf(&sql, ", %s AS %s", parse_rule_sql(p->ctx, p->oracle, table->columns[i], raw),
                      name_of(p, source->columns[i]->silver_name));
        if (strcmp(tier, "quarantine") == 0)
            nv_buf_printf(&bad, " OR %s", invalid);
        if (strcmp(tier, "drop") == 0)
            nv_buf_printf(&lost, " OR %s", invalid);
        if (p->of_reference && source_is_limited(source, source->columns[i]->silver_name))
            nv_buf_printf(&sql, ", %s AS %s", invalid, source_unread(p, i));
    }
    nv_buf_printf(&sql, ", (false%s) AS nuvyn_bad, (false%s) AS nuvyn_lost FROM %s) AS nuvyn_read",
                  nv_buf_text(&bad), nv_buf_text(&lost), raw_table);
    return sql.data;
}

/* ---- beside the others ---- */

char *source_newest(const planner_t *p, const Nv__SttmSource *source)
{
    nv_buf_t order = nv_buf_make(p->ctx, PLAN_SQL_MAX);
    for (size_t i = 0; i < source->n_latest_by; i++)
        nv_buf_printf(&order, "%s DESC NULLS LAST, ", name_of(p, source->latest_by[i]));
    nv_buf_puts(&order, "nuvyn_batch DESC, nuvyn_file DESC, nuvyn_row DESC");
    return order.data;
}

char *source_identity(const planner_t *p, const Nv__SttmSource *source)
{
    if (source->n_key > 0)
        return plain_list(p, source->key, source->n_key);
    char **names = NV_NEW_ARRAY(p->ctx, char *, source->n_columns + 1);
    for (size_t i = 0; i < source->n_columns; i++)
        names[i] = source->columns[i]->silver_name;
    return plain_list(p, names, source->n_columns);
}

Nv__DeleteMode source_deletes(const Nv__SttmSource *source)
{
    return source->policy ? source->policy->deletes : NV__DELETE_MODE__DELETE_MODE_UNSPECIFIED;
}

static bool quarantines(const Nv__QualityRule *rule, Nv__RuleKind kind)
{
    return rule->kind == kind && rule->severity == NV__SEVERITY__SEVERITY_QUARANTINE;
}

/* Rows with nuvyn_out: refused by itself, or because it refers to no row that is good by itself. */
static char *referring(const planner_t *p, const Nv__SttmSource *source)
{
    nv_buf_t out = nv_buf_make(p->ctx, PLAN_SQL_MAX), joins = nv_buf_make(p->ctx, PLAN_SQL_MAX);
    nv_buf_t flags = nv_buf_make(p->ctx, PLAN_SQL_MAX);
    for (size_t i = 0; i < source->n_rules; i++) {
        const Nv__QualityRule *rule = source->rules[i];
        if (!quarantines(rule, NV__RULE_KIND__RULE_KIND_REFERENCE))
            continue;
        const Nv__SttmSource *other = model_source(p->in->sttm, rule->ref_target);
        char *nowhere = nv_printf(p->ctx, "(k%zu.nuvyn_known IS NULL", i);
        nv_buf_puts(&joins, " LEFT JOIN (SELECT DISTINCT true AS nuvyn_known");
        for (size_t k = 0; k < rule->n_columns; k++) {
            nowhere = nv_printf(p->ctx, "%s AND t.%s IS NOT NULL", nowhere, name_of(p, rule->columns[k]));
            nv_buf_printf(&joins, ", %s AS nuvyn_known_%zu", name_of(p, rule->ref_columns[k]), k);
        }
        nv_buf_printf(&out, " OR %s)", nowhere);
        if (p->of_reference)
            nv_buf_printf(&flags, ", %s) AS nuvyn_nowhere_%zu", nowhere, i);
        nv_buf_printf(&joins, " FROM %s WHERE NOT nuvyn_refused AND NOT nuvyn_dropped) AS k%zu ON true",
                      planner_typed(p, other), i);
        for (size_t k = 0; k < rule->n_columns; k++)
            nv_buf_printf(&joins, " AND t.%s = k%zu.nuvyn_known_%zu", name_of(p, rule->columns[k]), i, k);
    }
    return nv_printf(p->ctx, "SELECT t.*, t.nuvyn_refused%s AS nuvyn_out%s FROM %s AS t%s", nv_buf_text(&out),
                     nv_buf_text(&flags), planner_typed(p, source), nv_buf_text(&joins));
}

/* Adds nuvyn_deleted: the batch that showed that the source no longer has the row; NULL while it has. */
static char *with_deletions(const planner_t *p, const Nv__SttmSource *source, const char *rows)
{
    char *key = source_identity(p, source), *newest = source_newest(p, source);
    if (source_deletes(source) == NV__DELETE_MODE__DELETE_MODE_MARKER)
        return nv_printf(
            p->ctx,
            "SELECT *, CASE WHEN first_value(nuvyn_marks) OVER w THEN first_value(nuvyn_batch) OVER w END AS "
            "nuvyn_deleted FROM (%s) AS g WINDOW w AS (PARTITION BY nuvyn_good, %s ORDER BY %s)",
            rows, key, newest);
    if (source_deletes(source) == NV__DELETE_MODE__DELETE_MODE_SNAPSHOT)
        return nv_printf(
            p->ctx,
            "SELECT g.*, n.nuvyn_next AS nuvyn_deleted FROM (SELECT *, max(nuvyn_batch) OVER (PARTITION BY "
            "%s) AS nuvyn_seen FROM (%s) AS s) AS g LEFT JOIN (SELECT nuvyn_at, lead(nuvyn_at) OVER (ORDER "
            "BY "
            "nuvyn_at) AS nuvyn_next FROM (SELECT DISTINCT nuvyn_batch AS nuvyn_at FROM %s) AS b) AS n ON "
            "n.nuvyn_at = g.nuvyn_seen",
            key, rows, planner_typed(p, source));
    return nv_printf(p->ctx, "SELECT *, CAST(NULL AS INTEGER) AS nuvyn_deleted FROM (%s) AS g", rows);
}

/* Adds nuvyn_ended: when the member of a loaded row was deleted after it, where a history is dated by the data. What marks a member
 * as deleted stands among its rows by its date (by its batch's time, where it has none). A marker that took the place of the last
 * row ends the member at its own date where that is later than the row's, else at its batch's time: a version stays what it was. */
static char *with_ends(const planner_t *p, const Nv__SttmSource *source, const char *rows)
{
    const Nv__SttmTarget *history = model_ended(p->ctx, p->in->sttm, source);
    char **member;
    if (!p->of_reference || !history)
        return nv_strdup(p->ctx, rows);
    size_t n = model_member(p->ctx, p->in->sttm, history, &member);
    char *key = source_identity(p, source), *newest = source_newest(p, source);
    char *dated = name_of(p, history->effective_from);
    char *timed =
        nv_printf(p->ctx,
                  "SELECT r.*, b.nuvyn_time, coalesce(CAST(%s AS TIMESTAMP), CASE WHEN nuvyn_marks "
                  "THEN b.nuvyn_time ELSE TIMESTAMP '1900-01-01' END) AS nuvyn_at FROM (%s) AS r "
                  "JOIN %s AS b ON b.nuvyn_number = r.nuvyn_batch",
                  dated, rows, sql_table(p->ctx, SQL_DUCKDB, p->in->catalog, p->in->schema, "nuvyn_batch"));
    char *told = nv_printf(
        p->ctx,
        "SELECT *, nuvyn_good AND nuvyn_rank = 1 AND NOT (nuvyn_marks AND bool_or(nuvyn_good AND NOT "
        "nuvyn_marks) OVER (PARTITION BY %s)) AS nuvyn_counts, first_value(nuvyn_at) OVER w AS "
        "nuvyn_marked_at, first_value(nuvyn_time) OVER w AS nuvyn_marked_by FROM (%s) AS t WINDOW w AS "
        "(PARTITION BY nuvyn_good, %s ORDER BY %s)",
        key, timed, key, newest);
    return nv_printf(
        p->ctx,
        "SELECT *, CASE WHEN NOT nuvyn_counts THEN NULL WHEN lead(nuvyn_marks) OVER w THEN lead(nuvyn_at) "
        "OVER w WHEN lead(nuvyn_marks) OVER w IS NULL AND nuvyn_deleted IS NOT NULL THEN CASE WHEN "
        "nuvyn_marked_at > nuvyn_at THEN nuvyn_marked_at ELSE greatest(nuvyn_marked_by, nuvyn_at) END END AS "
        "nuvyn_ended FROM (%s) AS c WINDOW w AS (PARTITION BY nuvyn_counts, %s ORDER BY nuvyn_at, "
        "nuvyn_marks, nuvyn_batch, nuvyn_file, nuvyn_row)",
        told, plain_list(p, member, n));
}

char *source_rows(const planner_t *p, const Nv__SttmSource *source)
{
    char *key = source_identity(p, source), *newest = source_newest(p, source);
    char *sql =
        nv_printf(p->ctx, "SELECT *, NOT nuvyn_out AND NOT nuvyn_dropped AS nuvyn_good FROM (%s) AS r",
                  referring(p, source));
    sql = nv_printf(
        p->ctx,
        "SELECT *, row_number() OVER (PARTITION BY nuvyn_good, nuvyn_marks, %s ORDER BY %s) AS nuvyn_rank "
        "FROM (%s) AS d",
        key, newest, with_deletions(p, source, sql));
    sql = with_ends(p, source, sql);
    const char *outcome =
        "CASE WHEN nuvyn_out THEN 'quarantined' WHEN nuvyn_dropped THEN 'dropped' WHEN nuvyn_marks "
        "THEN 'deleting' WHEN nuvyn_rank > 1 THEN 'duplicate' ELSE 'loaded' END";
    for (size_t i = 0; i < source->n_rules; i++) {
        const Nv__QualityRule *rule = source->rules[i];
        if (!quarantines(rule, NV__RULE_KIND__RULE_KIND_UNIQUE))
            continue;
        sql = nv_printf(p->ctx, "SELECT *, %s AS nuvyn_was_%zu FROM (%s) AS o%zu", outcome, i, sql, i);
        char *contends = nv_printf(p->ctx, "(nuvyn_was_%zu = 'loaded' AND %s)", i,
                                   all_given(p, rule->columns, rule->n_columns));
        outcome = nv_printf(
            p->ctx,
            "CASE WHEN %s AND row_number() OVER (PARTITION BY %s, %s ORDER BY %s) > 1 THEN 'quarantined' "
            "ELSE nuvyn_was_%zu END",
            contends, contends, plain_list(p, rule->columns, rule->n_columns), newest, i);
    }
    return nv_printf(p->ctx, "SELECT *, %s AS nuvyn_outcome FROM (%s) AS o", outcome, sql);
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

/* ---- what must stop the load ---- */

static double share_of(const Nv__QualityRule *rule, const char *tier)
{
    return rule && rule->threshold > 0 ? rule->threshold : strcmp(tier, "fail") == 0 ? 0.0 : 1.0;
}

/* error('…') where more than a share of the rows that count break something. What refuses rows is measured on the rows of the
 * batch, anything else on what is loaded. */
static void stop_over(planner_t *p, const source_load_t *load, const char *broken, const char *tier,
                      const Nv__QualityRule *rule, const char *id)
{
    bool refuses = strcmp(tier, "quarantine") == 0 || strcmp(tier, "drop") == 0;
    double share = share_of(rule, tier);
    if (share >= 1)
        return;
    char *of = refuses ? nv_printf(p->ctx, "nuvyn_batch = %d", load->batch)
                       : nv_strdup(p->ctx, "nuvyn_outcome = 'loaded'");
    char *says = sql_literal(
        p->ctx, p->oracle,
        nv_printf(p->ctx, "quality checks failed: %s: %s is broken", load->source->silver_name, id));
    planner_setup(
        p, nv_printf(p->ctx,
                     "SELECT CASE WHEN count(*) FILTER (%s) > %.17g * count(*) THEN error(%s) END FROM %s "
                     "WHERE %s",
                     broken, share, says, load->rows, of));
}

void source_stops(planner_t *p, const source_load_t *load)
{
    const Nv__SttmSource *source = load->source;
    for (size_t i = 0; i < source->n_rules; i++) {
        const Nv__QualityRule *rule = source->rules[i];
        char *condition = condition_of(p, source, rule);
        if (condition && strcmp(rule_tier(rule), "warn") != 0)
            stop_over(p, load, nv_printf(p->ctx, "NOT (%s)", condition), rule_tier(rule), rule, rule->id);
        if (quarantines(rule, NV__RULE_KIND__RULE_KIND_REFERENCE))
            stop_over(p, load, nv_printf(p->ctx, "nuvyn_nowhere_%zu", i), "quarantine", rule, rule->id);
    }
    for (size_t i = 0; i < source->n_columns; i++) {
        const char *column = source->columns[i]->silver_name;
        if (source_is_limited(source, column))
            stop_over(p, load, source_unread(p, i), unparsed_tier(source, column),
                      parses_rule(source, column), nv_printf(p->ctx, "%s: parses", column));
    }
}
