#include "tests/property/naive.h"

#include "worker/codegen/model.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int column_index(const case_table_t *table, const char *name)
{
    for (size_t c = 0; c < table->n_columns; c++)
        if (strcasecmp(table->columns[c], name) == 0)
            return (int)c;
    return -1;
}

static bool is_null_spelling(const Nv__SttmSourceColumn *column, const char *text)
{
    if (!*text)
        return true;
    for (size_t i = 0; column->parse && i < column->parse->n_null_spellings; i++)
        if (strcmp(column->parse->null_spellings[i], text) == 0)
            return true;
    return false;
}

static char *trimmed(nv_mem_t *ctx, const char *text)
{
    text += strspn(text, " ");
    size_t n = strlen(text);
    while (n > 0 && text[n - 1] == ' ')
        n--;
    return nv_strndup(ctx, text, n);
}

static bool has_format(const Nv__ParseRule *parse, const char *format)
{
    for (size_t i = 0; i < parse->n_datetime_formats; i++)
        if (strcmp(parse->datetime_formats[i], format) == 0)
            return true;
    return false;
}

/* Written in a way that the first day did not show: the mapping was decided without it, so it is refused. */
static bool unforeseen(const Nv__SttmSourceColumn *column, const char *text)
{
    const char *mark = strpbrk(text, ".,"), *next = mark ? strpbrk(mark + 1, ".,") : NULL;
    if (column->type == NV__VALUE_TYPE__VALUE_TYPE_DATE)
        return !has_format(column->parse, mark ? "%d.%m.%Y" : "%Y-%m-%d");
    if (column->type == NV__VALUE_TYPE__VALUE_TYPE_DECIMAL &&
        ((strchr(text, '(') && !column->parse->negative_parentheses) ||
         (mark && strchr(mark, '-') && !column->parse->trailing_minus)))
        return true;
    return column->type == NV__VALUE_TYPE__VALUE_TYPE_DECIMAL && next &&
           strncmp(column->parse->group_separator, mark, 1) != 0;
}

/* The value that the mapping sees in a cell: NULL where it sees none; *bad where it cannot read it. */
static const char *value_of(nv_mem_t *ctx, const Nv__SttmSourceColumn *column, const cell_t *cell, bool *bad)
{
    const char *text = column->parse && column->parse->trim ? trimmed(ctx, cell->raw) : cell->raw;
    *bad = false;
    if (is_null_spelling(column, text))
        return NULL;
    if (column->type == NV__VALUE_TYPE__VALUE_TYPE_STRING)
        return text;
    *bad = cell->bad || !cell->means || unforeseen(column, text);
    return *bad ? NULL : cell->means;
}

static const char *row_value(const naive_t *naive, const naive_source_t *s, size_t row, const char *silver)
{
    const Nv__SttmSourceColumn *column = model_source_column(s->source, silver);
    bool bad;
    return value_of(naive->ctx, column, &s->table->rows[row].cells[column_index(s->table, column->name)],
                    &bad);
}

/* What becomes of a value that does not parse. */
static Nv__Severity parse_tier(const Nv__SttmSource *source, const char *silver)
{
    for (size_t i = 0; i < source->n_rules; i++)
        if (source->rules[i]->kind == NV__RULE_KIND__RULE_KIND_PARSES &&
            strcmp(source->rules[i]->columns[0], silver) == 0)
            return source->rules[i]->severity;
    return NV__SEVERITY__SEVERITY_QUARANTINE;
}

static bool is_accepted(const Nv__QualityRule *rule, const char *value)
{
    for (size_t i = 0; i < rule->n_values; i++)
        if (strcmp(rule->values[i], value) == 0)
            return true;
    return false;
}

/* Whether a rule of a row is broken. */
static bool breaks(const naive_t *naive, const naive_source_t *s, size_t row, const Nv__QualityRule *rule)
{
    if (rule->kind == NV__RULE_KIND__RULE_KIND_NOT_NULL)
        return !row_value(naive, s, row, rule->columns[0]);
    if (rule->kind != NV__RULE_KIND__RULE_KIND_ACCEPTED)
        return false;
    const char *value = row_value(naive, s, row, rule->columns[0]);
    return value && !is_accepted(rule, value);
}

static bool is_unread(const naive_t *naive, const naive_source_t *s, size_t row,
                      const Nv__SttmSourceColumn *column)
{
    bool bad;
    value_of(naive->ctx, column, &s->table->rows[row].cells[column_index(s->table, column->name)], &bad);
    return bad;
}

/* Refused or dropped, for what the row is by itself. */
static bool is_out(const naive_t *naive, const naive_source_t *s, size_t row, Nv__Severity severity)
{
    for (size_t i = 0; i < s->source->n_columns; i++) {
        const Nv__SttmSourceColumn *column = s->source->columns[i];
        if (is_unread(naive, s, row, column) && parse_tier(s->source, column->silver_name) == severity)
            return true;
    }
    for (size_t i = 0; i < s->source->n_rules; i++)
        if (s->source->rules[i]->severity == severity && breaks(naive, s, row, s->source->rules[i]))
            return true;
    return false;
}

/* Values of the named columns as one text. */
static char *text_of(const naive_t *naive, const naive_source_t *s, size_t row, char *const *silver, size_t n)
{
    char *text = nv_strdup(naive->ctx, "");
    for (size_t i = 0; i < n; i++) {
        const char *value = row_value(naive, s, row, silver[i]);
        text = nv_printf(naive->ctx, "%s%s\x1f", text, value ? value : "\x01");
    }
    return text;
}

static char *identity(const naive_t *naive, const naive_source_t *s, size_t row)
{
    if (s->source->n_key > 0)
        return text_of(naive, s, row, s->source->key, s->source->n_key);
    char **all = NV_NEW_ARRAY(naive->ctx, char *, s->source->n_columns + 1);
    for (size_t i = 0; i < s->source->n_columns; i++)
        all[i] = s->source->columns[i]->silver_name;
    return text_of(naive, s, row, all, s->source->n_columns);
}

/* Row a supersedes row b of the same key. */
static bool newer(const naive_t *naive, const naive_source_t *s, size_t a, size_t b)
{
    for (size_t i = 0; i < s->source->n_latest_by; i++) {
        const char *x = row_value(naive, s, a, s->source->latest_by[i]);
        const char *y = row_value(naive, s, b, s->source->latest_by[i]);
        if ((x == NULL) != (y == NULL))
            return x != NULL;
        if (x && strcmp(x, y) != 0) /* days: ISO 8601 orders as text */
            return strcmp(x, y) > 0;
    }
    const case_row_t *r = &s->table->rows[a], *o = &s->table->rows[b];
    if (r->batch != o->batch)
        return r->batch > o->batch;
    return r->file != o->file ? r->file > o->file : a > b;
}

static bool is_marker(const naive_t *naive, const naive_source_t *s, size_t row)
{
    const Nv__SourcePolicy *policy = s->source->policy;
    if (!policy || policy->deletes != NV__DELETE_MODE__DELETE_MODE_MARKER)
        return false;
    const char *value = row_value(naive, s, row, policy->delete_column);
    return value && strcmp(value, policy->delete_values[0]) == 0;
}

static bool is_here(const naive_source_t *s, size_t row, int last_batch)
{
    return s->table->rows[row].batch <= last_batch;
}

/* Some row of the other source that is good by itself has these values. */
static bool leads_somewhere(const naive_t *naive, const naive_source_t *other, const Nv__QualityRule *rule,
                            const char *values, int last_batch)
{
    for (size_t k = 0; k < other->table->n_rows; k++)
        if (is_here(other, k, last_batch) && !is_out(naive, other, k, NV__SEVERITY__SEVERITY_QUARANTINE) &&
            !is_out(naive, other, k, NV__SEVERITY__SEVERITY_DROP) &&
            strcmp(text_of(naive, other, k, rule->ref_columns, rule->n_ref_columns), values) == 0)
            return true;
    return false;
}

static bool is_orphan(const naive_t *naive, const naive_source_t *s, size_t row, int last_batch)
{
    for (size_t i = 0; i < s->source->n_rules; i++) {
        const Nv__QualityRule *rule = s->source->rules[i];
        if (rule->kind != NV__RULE_KIND__RULE_KIND_REFERENCE ||
            rule->severity != NV__SEVERITY__SEVERITY_QUARANTINE)
            continue;
        const char *values = text_of(naive, s, row, rule->columns, rule->n_columns);
        for (size_t k = 0; !strchr(values, '\x01') && k < naive->n_sources; k++)
            if (strcmp(naive->sources[k].source->name, rule->ref_target) == 0 &&
                !leads_somewhere(naive, &naive->sources[k], rule, values, last_batch))
                return true;
    }
    return false;
}

/* Loaded rows of which a later row says that they are gone, or that the last batch of the source lacks. */
static void find_deleted(const naive_t *naive, naive_source_t *s, char *const *keys, const bool *marks,
                         int last_batch)
{
    Nv__DeleteMode mode =
        s->source->policy ? s->source->policy->deletes : NV__DELETE_MODE__DELETE_MODE_UNSPECIFIED;
    size_t n = s->table->n_rows;
    int newest_batch = 0;
    for (size_t i = 0; i < n; i++)
        if (is_here(s, i, last_batch) && s->table->rows[i].batch > newest_batch)
            newest_batch = s->table->rows[i].batch;
    for (size_t i = 0; i < n; i++) {
        bool seen = false, marked = false;
        for (size_t k = 0; s->loaded[i] && k < n; k++) {
            if (!is_here(s, k, last_batch) || strcmp(identity(naive, s, k), keys[i]) != 0)
                continue;
            seen = seen || s->table->rows[k].batch == newest_batch;
            marked = marked || (marks[k] && newer(naive, s, k, i));
        }
        s->gone[i] = s->loaded[i] && ((mode == NV__DELETE_MODE__DELETE_MODE_SNAPSHOT && !seen) ||
                                      (mode == NV__DELETE_MODE__DELETE_MODE_MARKER && marked));
    }
}

/* The newest of each key. */
static void keep_newest(const naive_t *naive, naive_source_t *s, char *const *keys, size_t row)
{
    s->loaded[row] = true;
    s->kept++;
    for (size_t k = 0; k < row; k++) {
        if (!s->loaded[k] || strcmp(keys[k], keys[row]) != 0)
            continue;
        s->loaded[newer(naive, s, row, k) ? k : row] = false;
        s->kept--;
        s->duplicates++;
        return; /* at most one of a key is loaded at a time */
    }
}

static void load_source(const naive_t *naive, naive_source_t *s, int last_batch)
{
    size_t n = s->table->n_rows;
    char **keys = NV_NEW_ARRAY(naive->ctx, char *, n + 1);
    bool *marks = NV_NEW_ARRAY(naive->ctx, bool, n + 1);
    for (size_t i = 0; i < n; i++) {
        if (!is_here(s, i, last_batch))
            continue;
        s->rows++;
        keys[i] = identity(naive, s, i);
        if (is_out(naive, s, i, NV__SEVERITY__SEVERITY_QUARANTINE) || is_orphan(naive, s, i, last_batch))
            s->refused++;
        else if (is_out(naive, s, i, NV__SEVERITY__SEVERITY_DROP) || (marks[i] = is_marker(naive, s, i)))
            s->duplicates++; /* or dropped, or deleting: none of them stands in a table */
        else
            keep_newest(naive, s, keys, i);
    }
    if (s->source->policy)
        find_deleted(naive, s, keys, marks, last_batch);
}

const char *naive_stops(const naive_t *naive, int batch)
{
    for (size_t i = 0; i < naive->n_sources; i++) {
        const naive_source_t *s = &naive->sources[i];
        for (size_t r = 0; r < s->source->n_rules; r++) {
            const Nv__QualityRule *rule = s->source->rules[r];
            bool parses = rule->kind == NV__RULE_KIND__RULE_KIND_PARSES;
            bool loaded = rule->severity == NV__SEVERITY__SEVERITY_WARN;
            int64_t broken = 0, of = 0;
            for (size_t row = 0; rule->threshold > 0 && row < s->table->n_rows; row++) {
                if (loaded ? !s->loaded[row] : s->table->rows[row].batch != batch)
                    continue;
                of++;
                broken += parses ? is_unread(naive, s, row, model_source_column(s->source, rule->columns[0]))
                                 : breaks(naive, s, row, rule);
            }
            if ((!loaded || parses) && (double)broken > rule->threshold * (double)of)
                return nv_printf(naive->ctx, "%s: %s is broken by %lld of %lld rows", s->source->name,
                                 rule->id, (long long)broken, (long long)of);
        }
    }
    return NULL;
}

static const case_table_t *table_named(const source_case_t *source, const char *name)
{
    for (size_t i = 0; i < source->n_tables; i++)
        if (strcmp(source->tables[i]->name, name) == 0)
            return source->tables[i];
    return NULL;
}

bool naive_load(nv_mem_t *ctx, const source_case_t *source, const Nv__Sttm *sttm, int last_batch,
                naive_t **out, nv_error_t *err)
{
    naive_t *naive = NV_NEW(ctx, naive_t);
    *naive = (naive_t){.ctx = ctx, .sttm = sttm, .n_sources = sttm->n_sources};
    naive->sources = NV_NEW_ARRAY(ctx, naive_source_t, sttm->n_sources + 1);
    for (size_t i = 0; i < sttm->n_sources; i++) {
        naive_source_t *s = &naive->sources[i];
        s->source = sttm->sources[i];
        s->table = table_named(source, s->source->name);
        if (!s->table)
            return nv_fail(err, NV_INTERNAL, "the mapping has a source %s, the case has none",
                           s->source->name);
        for (size_t c = 0; c < s->source->n_columns; c++)
            if (column_index(s->table, s->source->columns[c]->name) < 0)
                return nv_fail(err, NV_INTERNAL, "%s: the mapping has a column %s, the case has none",
                               s->source->name, s->source->columns[c]->name);
        s->loaded = NV_NEW_ARRAY(ctx, bool, s->table->n_rows + 1);
        s->gone = NV_NEW_ARRAY(ctx, bool, s->table->n_rows + 1);
    }
    for (size_t i = 0; i < sttm->n_sources; i++)
        load_source(naive, &naive->sources[i], last_batch);
    *out = naive;
    return true;
}

static const naive_source_t *driving(const naive_t *naive, const Nv__SttmTarget *target)
{
    for (size_t i = 0; i < naive->n_sources; i++)
        if (strcmp(naive->sources[i].source->name, target->driving_source) == 0)
            return &naive->sources[i];
    return NULL;
}

static int64_t ten_thousandths(const char *text)
{
    bool negative = *text == '-';
    char *end;
    int64_t value = strtoll(text + negative, &end, 10) * 10000, unit = 1000;
    for (end += *end == '.'; *end >= '0' && *end <= '9'; end++, unit /= 10)
        value += (*end - '0') * unit;
    return negative ? -value : value;
}

static bool copies(const Nv__SttmColumn *column)
{
    const Nv__Transform *t = column->transform;
    return t->op == NV__TRANSFORM_OP__TRANSFORM_OP_COPY && strcmp(t->inputs[0]->alias, "d") == 0;
}

static bool is_living(const naive_source_t *s, size_t row)
{
    return s->loaded[row] && !s->gone[row];
}

bool naive_sum(const naive_t *naive, const Nv__SttmTarget *target, const Nv__SttmColumn *column, int64_t *out)
{
    const naive_source_t *s = driving(naive, target);
    bool number = column->type == NV__VALUE_TYPE__VALUE_TYPE_INT64 ||
                  column->type == NV__VALUE_TYPE__VALUE_TYPE_DECIMAL;
    if (!s || !copies(column) || !number)
        return false;
    *out = 0;
    for (size_t i = 0; i < s->table->n_rows; i++) {
        const char *value =
            is_living(s, i) ? row_value(naive, s, i, column->transform->inputs[0]->column) : NULL;
        *out += value ? ten_thousandths(value) : 0;
    }
    return true;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The business keys of all members, in order; false where they are not copied from the driving source. */
static bool members_of(const naive_t *naive, const Nv__SttmTarget *dimension, char ***out, size_t *n)
{
    const naive_source_t *s = driving(naive, dimension);
    char **key, **silver;
    size_t n_key = model_key(naive->ctx, dimension, &key);
    silver = NV_NEW_ARRAY(naive->ctx, char *, n_key + 1);
    for (size_t k = 0; k < n_key; k++) {
        const Nv__SttmColumn *column = model_column(dimension, key[k]);
        if (!copies(column))
            return false;
        silver[k] = column->transform->inputs[0]->column;
    }
    *n = 0;
    *out = NV_NEW_ARRAY(naive->ctx, char *, s->table->n_rows + 1);
    for (size_t i = 0; i < s->table->n_rows; i++)
        if (s->loaded[i])
            (*out)[(*n)++] = text_of(naive, s, i, silver, n_key);
    qsort(*out, *n, sizeof **out, compare_texts);
    return true;
}

/* A member that comes and goes within one batch leaves no version: who is one hangs on more than the rows. */
static bool may_leave_nothing(const naive_t *naive, const Nv__SttmTarget *dimension)
{
    const Nv__SourcePolicy *policy = driving(naive, dimension)->source->policy;
    return model_is_history(dimension) && policy && policy->deletes == NV__DELETE_MODE__DELETE_MODE_MARKER;
}

bool naive_unknown(const naive_t *naive, const Nv__SttmTarget *target, const Nv__SttmColumn *column,
                   int64_t *nowhere, int64_t *empty)
{
    const Nv__Transform *t = column->transform;
    const naive_source_t *s = driving(naive, target);
    char **members, **inputs = NV_NEW_ARRAY(naive->ctx, char *, t->n_inputs + 1);
    size_t n_members;
    bool inferred = model_inferred(model_target(naive->sttm, t->dimension)) != NULL;
    *nowhere = *empty = 0;
    for (size_t k = 0; k < t->n_inputs; k++) {
        inputs[k] = t->inputs[k]->column;
        if (strcmp(t->inputs[k]->alias, "d") != 0)
            return false;
    }
    if (may_leave_nothing(naive, model_target(naive->sttm, t->dimension)) ||
        !members_of(naive, model_target(naive->sttm, t->dimension), &members, &n_members))
        return false;
    for (size_t i = 0; i < s->table->n_rows; i++) {
        if (!is_living(s, i))
            continue;
        char *text = text_of(naive, s, i, inputs, t->n_inputs);
        if (strchr(text, '\x01'))
            ++*empty;
        else if (!inferred && !bsearch(&text, members, n_members, sizeof *members, compare_texts))
            ++*nowhere;
    }
    return true;
}
