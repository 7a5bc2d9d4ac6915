/* nuvyn_sources: what every raw table is made of. Bronze, silver and quality run it, so that it stands in one place. */
#include "worker/codegen/emit.h"
#include "worker/codegen/rules.h"
#include "worker/codegen/text.h"

#include <string.h>

static void put_parse(nv_mem_t *ctx, nv_buf_t *buf, const Nv__ParseRule *parse)
{
    const char *between = "";
    nv_buf_puts(buf, "Parse(");
    if (parse && !parse->trim) {
        nv_buf_puts(buf, "trim=False");
        between = ", ";
    }
#define PUT_LIST(name, field)                                                                                \
    if (parse && parse->n_##field) {                                                                         \
        nv_buf_printf(buf, "%s" name "=%s", between, py_tuple(ctx, parse->field, parse->n_##field));         \
        between = ", ";                                                                                      \
    }
    PUT_LIST("nulls", null_spellings)
    PUT_LIST("formats", datetime_formats)
    PUT_LIST("currency", currency_marks)
    PUT_LIST("true", true_spellings)
    PUT_LIST("false", false_spellings)
#undef PUT_LIST
    if (parse && parse->decimal_separator[0] && strcmp(parse->decimal_separator, ".") != 0) {
        nv_buf_printf(buf, "%sdecimal=%s", between, py_string(ctx, parse->decimal_separator));
        between = ", ";
    }
    if (parse && parse->group_separator[0]) {
        nv_buf_printf(buf, "%sgroup=%s", between, py_string(ctx, parse->group_separator));
        between = ", ";
    }
    if (parse && parse->percent) {
        nv_buf_printf(buf, "%spercent=True", between);
        between = ", ";
    }
    if (parse && parse->negative_parentheses)
        nv_buf_printf(buf, "%sparentheses=True", between);
    nv_buf_putc(buf, ')');
}

/* What becomes of a value that does not parse: the row is refused, unless a rule only warns. */
static const char *unparsed(const Nv__SttmSource *source, const char *column)
{
    for (size_t i = 0; i < source->n_rules; i++) {
        const Nv__QualityRule *rule = source->rules[i];
        if (rule->kind != NV__RULE_KIND__RULE_KIND_PARSES || rule->severity != NV__SEVERITY__SEVERITY_WARN)
            continue;
        for (size_t k = 0; k < rule->n_columns; k++)
            if (strcmp(rule->columns[k], column) == 0)
                return "warn";
    }
    return "quarantine";
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
    if (strcmp(unparsed(source, column->silver_name), "warn") == 0)
        nv_buf_puts(buf, ", unparsed=\"warn\"");
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

static void put_row_rules(nv_mem_t *ctx, nv_buf_t *buf, const Nv__SttmSource *source)
{
    bool any = false;
    for (size_t i = 0; i < source->n_rules; i++) {
        if (!rule_is_of_row(source->rules[i]))
            continue;
        nv_buf_printf(buf, "%s        %s,\n", any ? "" : "    rules=(\n",
                      rule_declaration(ctx, source->rules[i], rule_source_type, source));
        any = true;
    }
    if (any)
        nv_buf_puts(buf, "    ),\n");
}

static void put_source(nv_mem_t *ctx, nv_buf_t *buf, const Nv__SttmSource *source)
{
    nv_buf_printf(buf, "Source(\n    name=%s,\n    bronze=%s,\n    silver=%s,\n    pattern=%s,\n",
                  py_string(ctx, source->name), py_string(ctx, codegen_bronze_table(ctx, source)),
                  py_string(ctx, source->silver_name), py_string(ctx, source->file_pattern));
    put_options(ctx, buf, source->dialect);
    if (!source->dialect->has_header)
        nv_buf_puts(buf, "    header=False,\n");
    if (source->n_key)
        nv_buf_printf(buf, "    key=%s,\n", py_tuple(ctx, source->key, source->n_key));
    if (source->n_latest_by)
        nv_buf_printf(buf, "    latest_by=%s,\n", py_tuple(ctx, source->latest_by, source->n_latest_by));
    nv_buf_puts(buf, "    columns=(\n");
    for (size_t i = 0; i < source->n_columns; i++)
        put_column(ctx, buf, source, source->columns[i]);
    nv_buf_puts(buf, "    ),\n");
    put_row_rules(ctx, buf, source);
    nv_buf_puts(buf, ")");
}

bool emit_sources(nv_mem_t *ctx, const Nv__Sttm *sttm, Nv__ProjectFile **out, nv_error_t *err)
{
    notebook_t notebook =
        notebook_make(ctx, "notebooks/nuvyn_sources.py", "nuvyn_sources",
                      "The raw tables: their files, how they are read, and what identifies a record. "
                      "`10_bronze`, `20_silver` and `90_quality` run this.",
                      "nuvyn_runtime");
    notebook_cell(&notebook, "");
    nv_buf_puts(&notebook.text, "SOURCES = []\n");
    for (size_t i = 0; i < sttm->n_sources; i++) {
        notebook_cell(&notebook, sttm->sources[i]->name);
        nv_buf_puts(&notebook.text, "SOURCES.append(");
        put_source(ctx, &notebook.text, sttm->sources[i]);
        nv_buf_puts(&notebook.text, ")\n");
    }
    return notebook_finish(ctx, &notebook, out, err);
}
