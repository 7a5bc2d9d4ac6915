/* nuvyn_sources: what every raw table is made of. Bronze, silver and quality run it, so that it stands in one place. */
#include "worker/codegen/emit.h"
#include "worker/codegen/rules.h"
#include "worker/codegen/text.h"

#include <string.h>

static void option(nv_buf_t *buf, const char *name, const char *value, bool given)
{
    if (given)
        nv_buf_printf(buf, "%s%s=%s", buf->length ? ", " : "", name, value);
}

static void option_texts(nv_mem_t *ctx, nv_buf_t *buf, const char *name, char **texts, size_t n)
{
    option(buf, name, py_tuple(ctx, texts, n), n > 0);
}

/* Parse(name=value, …): what differs from the defaults. */
static void put_parse(nv_mem_t *ctx, nv_buf_t *buf, const Nv__ParseRule *parse)
{
    static const Nv__ParseRule none = NV__PARSE_RULE__INIT;
    const Nv__ParseRule *p = parse ? parse : &none;
    nv_buf_t options = nv_buf_make(ctx, NOTEBOOK_MAX);
    option(&options, "trim", "False", parse && !parse->trim);
    option_texts(ctx, &options, "nulls", p->null_spellings, p->n_null_spellings);
    option_texts(ctx, &options, "formats", p->datetime_formats, p->n_datetime_formats);
    option_texts(ctx, &options, "currency", p->currency_marks, p->n_currency_marks);
    option_texts(ctx, &options, "true", p->true_spellings, p->n_true_spellings);
    option_texts(ctx, &options, "false", p->false_spellings, p->n_false_spellings);
    option(&options, "decimal", py_string(ctx, p->decimal_separator),
           p->decimal_separator[0] && strcmp(p->decimal_separator, ".") != 0);
    option(&options, "group", py_string(ctx, p->group_separator), p->group_separator[0] != '\0');
    option(&options, "percent", "True", p->percent);
    option(&options, "parentheses", "True", p->negative_parentheses);
    option(&options, "trailing_minus", "True", p->trailing_minus);
    nv_buf_printf(buf, "Parse(%s)", nv_buf_text(&options));
}

/* The PARSES rule of a column, NULL where it has none: then the row is refused. */
static const Nv__QualityRule *parses(const Nv__SttmSource *source, const char *column)
{
    for (size_t i = 0; i < source->n_rules; i++)
        for (size_t k = 0; k < source->rules[i]->n_columns; k++)
            if (source->rules[i]->kind == NV__RULE_KIND__RULE_KIND_PARSES &&
                strcmp(source->rules[i]->columns[k], column) == 0)
                return source->rules[i];
    return NULL;
}

static const Nv__SourcePolicy *policy_of(const Nv__SttmSource *source)
{
    static const Nv__SourcePolicy none = NV__SOURCE_POLICY__INIT;
    return source->policy ? source->policy : &none;
}

/* , unparsed="fail", limit=0.05: what becomes of a value that does not parse. */
static void put_unparsed(nv_buf_t *buf, const Nv__SttmSource *source, const Nv__SttmSourceColumn *column)
{
    const Nv__QualityRule *rule = parses(source, column->silver_name);
    bool fails = policy_of(source)->changed_types == NV__DRIFT_ACTION__DRIFT_ACTION_FAIL;
    const char *tier = fails ? "fail" : rule ? rule_tier(rule) : "quarantine";
    if (strcmp(tier, "quarantine") != 0)
        nv_buf_printf(buf, ", unparsed=\"%s\"", tier);
    if (rule && rule->threshold > 0)
        nv_buf_printf(buf, ", limit=%.6g", rule->threshold);
}

static void put_column(nv_mem_t *ctx, nv_buf_t *buf, const Nv__SttmSource *source,
                       const Nv__SttmSourceColumn *column)
{
    nv_buf_printf(buf, "        Raw(%s, %s, \"%s\", ", py_string(ctx, column->name),
                  py_string(ctx, column->silver_name),
                  codegen_type(ctx, column->type, column->precision, column->scale));
    put_parse(ctx, buf, column->parse);
    if (column->description[0])
        nv_buf_printf(buf, ", comment=%s", py_string(ctx, column->description));
    if (column->pii[0])
        nv_buf_printf(buf, ", pii=%s", py_string(ctx, column->pii));
    put_unparsed(buf, source, column);
    nv_buf_puts(buf, "),\n");
}

/* The names that Spark's CSV reader knows. */
static const char *charset(const char *encoding)
{
    if (strcmp(encoding, "latin-1") == 0)
        return "ISO-8859-1";
    if (strcmp(encoding, "utf-16") == 0)
        return "UTF-16";
    return "UTF-8";
}

static void put_options(nv_mem_t *ctx, nv_buf_t *buf, const Nv__Dialect *dialect)
{
    const char *escape = dialect->escape[0] ? dialect->escape : dialect->quote;
    nv_buf_printf(buf,
                  "    options={\"sep\": %s, \"quote\": %s, \"escape\": %s, \"encoding\": \"%s\", "
                  "\"multiLine\": True},\n",
                  py_string(ctx, dialect->delimiter[0] ? dialect->delimiter : ","),
                  py_string(ctx, dialect->quote), py_string(ctx, escape), charset(dialect->encoding));
}

/* A rule that decides over a row when it is loaded; 90_quality counts those that only warn. */
static bool decides(const Nv__QualityRule *rule)
{
    return rule->severity != NV__SEVERITY__SEVERITY_WARN &&
           rule->severity != NV__SEVERITY__SEVERITY_UNSPECIFIED;
}

static char *limit(nv_mem_t *ctx, const Nv__QualityRule *rule)
{
    return rule->threshold > 0 ? nv_printf(ctx, ", limit=%.6g", rule->threshold) : nv_strdup(ctx, "");
}

/* One entry of rules=, refers= or distinct=; NULL where the rule belongs elsewhere. */
static char *entry(nv_mem_t *ctx, const Nv__SttmSource *source, const Nv__QualityRule *rule, const char *list)
{
    char *columns = py_tuple(ctx, rule->columns, rule->n_columns);
    char *id = py_string(ctx, rule->id);
    if (strcmp(list, "rules") == 0)
        return rule_is_of_row(rule) && decides(rule) ? rule_declaration(ctx, rule, rule_source_type, source)
                                                     : NULL;
    if (rule->severity != NV__SEVERITY__SEVERITY_QUARANTINE)
        return NULL;
    if (strcmp(list, "refers") == 0)
        return rule->kind != NV__RULE_KIND__RULE_KIND_REFERENCE
                   ? NULL
                   : nv_printf(ctx, "Refers(%s, %s, %s, %s, %s%s)", id, columns,
                               py_string(ctx, rule->ref_target),
                               py_tuple(ctx, rule->ref_columns, rule->n_ref_columns),
                               py_string(ctx, rule->description), limit(ctx, rule));
    return rule->kind != NV__RULE_KIND__RULE_KIND_UNIQUE
               ? NULL
               : nv_printf(ctx, "Distinct(%s, %s, %s)", id, columns, py_string(ctx, rule->description));
}

static void put_rules(nv_mem_t *ctx, nv_buf_t *buf, const Nv__SttmSource *source, const char *list)
{
    bool any = false;
    for (size_t i = 0; i < source->n_rules; i++) {
        const char *text = entry(ctx, source, source->rules[i], list);
        if (!text)
            continue;
        if (!any)
            nv_buf_printf(buf, "    %s=(\n", list);
        nv_buf_printf(buf, "        %s,\n", text);
        any = true;
    }
    if (any)
        nv_buf_puts(buf, "    ),\n");
}

static void put_marker(nv_mem_t *ctx, nv_buf_t *buf, const Nv__Sttm *sttm, const Nv__SttmSource *source)
{
    const Nv__SttmTarget *history = model_ended(ctx, sttm, source);
    nv_buf_printf(buf, "    deletes=Marker(%s, %s", py_string(ctx, source->policy->delete_column),
                  py_tuple(ctx, source->policy->delete_values, source->policy->n_delete_values));
    if (history) {
        char **member;
        size_t n = model_member(ctx, sttm, history, &member);
        nv_buf_printf(buf, ", dated_by=%s", py_string(ctx, history->effective_from));
        if (n < source->n_key)
            nv_buf_printf(buf, ", member=%s", py_tuple(ctx, member, n));
    }
    nv_buf_puts(buf, "),\n");
}

/* How the source may change; nothing where it is what the runtime does by itself. */
static void put_policy(nv_mem_t *ctx, nv_buf_t *buf, const Nv__Sttm *sttm, const Nv__SttmSource *source)
{
    const Nv__SourcePolicy *policy = policy_of(source);
    if (policy->new_columns == NV__DRIFT_ACTION__DRIFT_ACTION_ADD ||
        policy->new_columns == NV__DRIFT_ACTION__DRIFT_ACTION_FAIL)
        nv_buf_printf(buf, "    new_columns=\"%s\",\n",
                      policy->new_columns == NV__DRIFT_ACTION__DRIFT_ACTION_ADD ? "add" : "fail");
    if (policy->missing_columns == NV__DRIFT_ACTION__DRIFT_ACTION_NULL)
        nv_buf_puts(buf, "    missing_columns=\"null\",\n");
    if (policy->changed_types == NV__DRIFT_ACTION__DRIFT_ACTION_WIDEN)
        nv_buf_puts(buf, "    changed_types=\"widen\",\n");
    if (policy->deletes == NV__DELETE_MODE__DELETE_MODE_SNAPSHOT)
        nv_buf_printf(buf, "    deletes=Snapshot(max_share=%.6g),\n",
                      policy->max_delete_share > 0 ? policy->max_delete_share : 0.5);
    if (policy->deletes == NV__DELETE_MODE__DELETE_MODE_MARKER)
        put_marker(ctx, buf, sttm, source);
}

static void put_reading(nv_mem_t *ctx, nv_buf_t *buf, const Nv__Dialect *dialect)
{
    if (strcmp(dialect->format, "csv") != 0) {
        nv_buf_printf(buf, "    format=%s,\n", py_string(ctx, dialect->format));
        return;
    }
    put_options(ctx, buf, dialect);
    if (!dialect->has_header)
        nv_buf_puts(buf, "    header=False,\n");
    if (dialect->skip_lines)
        nv_buf_printf(buf, "    skip_lines=%d,\n", dialect->skip_lines);
}

static void put_source(nv_mem_t *ctx, nv_buf_t *buf, const Nv__Sttm *sttm, const Nv__SttmSource *source)
{
    nv_buf_printf(buf, "Source(\n    name=%s,\n    bronze=%s,\n    silver=%s,\n    pattern=%s,\n",
                  py_string(ctx, source->name), py_string(ctx, codegen_bronze_table(ctx, source)),
                  py_string(ctx, source->silver_name), py_string(ctx, source->file_pattern));
    put_reading(ctx, buf, source->dialect);
    if (source->n_key)
        nv_buf_printf(buf, "    key=%s,\n", py_tuple(ctx, source->key, source->n_key));
    if (source->n_latest_by)
        nv_buf_printf(buf, "    latest_by=%s,\n", py_tuple(ctx, source->latest_by, source->n_latest_by));
    put_policy(ctx, buf, sttm, source);
    nv_buf_puts(buf, "    columns=(\n");
    for (size_t i = 0; i < source->n_columns; i++)
        put_column(ctx, buf, source, source->columns[i]);
    nv_buf_puts(buf, "    ),\n");
    put_rules(ctx, buf, source, "rules");
    put_rules(ctx, buf, source, "refers");
    put_rules(ctx, buf, source, "distinct");
    nv_buf_puts(buf, ")");
}

bool emit_sources(nv_mem_t *ctx, const Nv__Sttm *sttm, Nv__ProjectFile **out, nv_error_t *err)
{
    notebook_t notebook =
        notebook_make(ctx, "notebooks/nuvyn_sources.py", "nuvyn_sources",
                      "The raw tables: their files, how they are read, and what identifies a record. "
                      "`10_bronze`, `20_silver` and `90_quality` run this.",
                      "nuvyn_core");
    notebook_cell(&notebook, "");
    nv_buf_puts(&notebook.text, "SOURCES = []\n");
    for (size_t i = 0; i < sttm->n_sources; i++) {
        notebook_cell(&notebook, sttm->sources[i]->name);
        nv_buf_puts(&notebook.text, "SOURCES.append(");
        put_source(ctx, &notebook.text, sttm, sttm->sources[i]);
        nv_buf_puts(&notebook.text, ")\n");
    }
    return notebook_finish(ctx, &notebook, out, err);
}
