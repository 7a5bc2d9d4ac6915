/* The sources of a mapping: how each raw table becomes typed, clean and deduplicated. */
#include <math.h>
#include <string.h>

#include "worker/design/plan.h"
#include "worker/design/sttm_internal.h"

enum { ACCEPTED_MAX = 12, DECIMAL_USUAL = 18, DECIMAL_ROOM = 2 };

void sttm_decimal(const Nv__ColumnProfile *column, int32_t *precision, int32_t *scale)
{
    *scale = column->scale < 0 ? 0 : column->scale > 38 ? 38 : column->scale;
    *precision =
        column->precision <= DECIMAL_USUAL - DECIMAL_ROOM && *scale <= column->precision ? DECIMAL_USUAL : 38;
}

static Nv__SttmSourceColumn *source_column(sttm_builder_t *b, int t, int c)
{
    const dsc_column_t *column = &b->schema->tables[t].columns[c];
    const Nv__ColumnProfile *p = column->p;
    Nv__SttmSourceColumn *out = NV_NEW(b->ctx, Nv__SttmSourceColumn);
    nv__sttm_source_column__init(out);
    out->name = nv_strdup(b->ctx, p->name);
    out->silver_name = b->silver[t][c];
    out->type =
        p->type == NV__VALUE_TYPE__VALUE_TYPE_UNSPECIFIED ? NV__VALUE_TYPE__VALUE_TYPE_STRING : p->type;
    if (out->type == NV__VALUE_TYPE__VALUE_TYPE_DECIMAL)
        sttm_decimal(p, &out->precision, &out->scale);
    out->parse = p->parse;
    out->nullable = p->null_count + p->invalid_count > 0;
    out->null_percent = round(column->null_share * 1e6) / 1e4;
    out->distinct_count = p->distinct_count;
    out->sample = nv_strdup(b->ctx, p->n_top > 0 ? p->top[0]->value : p->min);
    out->pii = nv_strdup(b->ctx, p->pii);
    out->position = p->position;
    out->description = nv_printf(b->ctx, "%s of %s", p->name, b->schema->tables[t].p->name);
    return out;
}

static const Nv__PrimaryKey *key_of(const sttm_builder_t *b, const char *table)
{
    const Nv__Relations *relations = b->star->relations != NULL ? b->star->relations : b->input->relations;
    for (size_t i = 0; relations != NULL && i < relations->n_primary_keys; i++) {
        if (strcmp(relations->primary_keys[i]->table, table) == 0)
            return relations->primary_keys[i];
    }
    return NULL;
}

/* The design's word on a source: the grain a fact declares, or the business key (and version) of a dimension. */
static void design_key(const sttm_builder_t *b, const char *table, char *const **columns, size_t *n,
                       const char **version)
{
    *n = 0;
    for (size_t i = 0; i < b->star->n_facts; i++) {
        if (strcmp(b->star->facts[i]->source, table) == 0) {
            *columns = b->star->facts[i]->grain_columns;
            *n = b->star->facts[i]->n_grain_columns;
            return;
        }
    }
    for (size_t i = 0; i < b->star->n_bridges; i++) {
        if (strcmp(b->star->bridges[i]->source, table) == 0) {
            *columns = b->star->bridges[i]->grain_columns;
            *n = b->star->bridges[i]->n_grain_columns;
            return;
        }
    }
    for (size_t i = 0; i < b->star->n_dimensions; i++) {
        const Nv__DimensionDesign *dimension = b->star->dimensions[i];
        if (strcmp(dimension->source, table) == 0 && !dimension->from_flat) {
            *columns = dimension->business_key;
            *n = dimension->n_business_key;
            *version = dimension->effective_from[0] != '\0' ? dimension->effective_from : NULL;
            return;
        }
    }
    const Nv__PrimaryKey *key = key_of(b, table);
    if (key != NULL) {
        *columns = key->columns;
        *n = key->n_columns;
    }
}

static const char *version_column(const sttm_builder_t *b, int t)
{
    static const char *const words[] = {"updated", "modified", "changed", "valid", "effective", NULL};
    for (int k = 0; words[k] != NULL; k++) {
        for (int c = 0; c < b->schema->tables[t].n_columns; c++) {
            const dsc_column_t *column = &b->schema->tables[t].columns[c];
            for (int w = 0; w < column->bare.n; w++) {
                if (column->kind == CLASS_DATE && column->null_share <= 0.01 &&
                    strcmp(column->bare.word[w], words[k]) == 0 &&
                    column->p->type != NV__VALUE_TYPE__VALUE_TYPE_TIME)
                    return b->silver[t][c];
            }
        }
    }
    return NULL;
}

/* Several versions of one key in the same files: each is a record of its own, so that history is not lost. */
static bool keeps_versions(const sttm_builder_t *b, const char *table, const char *version)
{
    const Nv__PrimaryKey *key = key_of(b, table);
    return key != NULL && (key->violations > 0 || plan_keys_versions(key, version));
}

static void write_key(sttm_builder_t *b, int t, Nv__SttmSource *out)
{
    char *const *columns = NULL;
    size_t n = 0;
    const char *version = NULL;
    design_key(b, out->name, &columns, &n, &version);
    if ((int)n >= b->schema->tables[t].n_columns && n > 1 && key_of(b, out->name) == NULL)
        n = 0; /* the whole row */
    out->key = NV_NEW_ARRAY(b->ctx, char *, n + 2);
    int ct = 0, c = 0;
    for (size_t i = 0; i < n; i++) {
        if (sttm_find(b, out->name, columns[i], &ct, &c) != NULL)
            out->key[out->n_key++] = b->silver[t][c];
    }
    const char *latest = version_column(b, t);
    if (version != NULL && keeps_versions(b, out->name, version) &&
        sttm_find(b, out->name, version, &ct, &c) != NULL) {
        out->key[out->n_key++] = b->silver[t][c];
        return;
    }
    bool in_key = false;
    for (size_t i = 0; i < out->n_key && latest != NULL; i++)
        in_key = in_key || strcmp(out->key[i], latest) == 0;
    if (out->n_key > 0 && latest != NULL && !in_key) {
        out->latest_by = NV_NEW_ARRAY(b->ctx, char *, 1);
        out->latest_by[out->n_latest_by++] = nv_strdup(b->ctx, latest);
    }
}

static void value_rules(sttm_builder_t *b, int t, int c, Nv__SttmSource *out, size_t *cap)
{
    const dsc_column_t *column = &b->schema->tables[t].columns[c];
    const Nv__ColumnProfile *p = column->p;
    const char *name = b->silver[t][c];
    if (column->kind != CLASS_TEXT && column->kind != CLASS_NONE) {
        Nv__QualityRule *rule =
            sttm_rule(b, NV__RULE_KIND__RULE_KIND_PARSES, NV__SEVERITY__SEVERITY_QUARANTINE, name,
                      "%s must parse; %lld of %lld values did not when profiled", p->name,
                      (long long)p->invalid_count, (long long)(b->schema->tables[t].rows));
        rule->threshold = 0.05;
        NV_PUSH(b->ctx, out->rules, out->n_rules, *cap) = rule;
    }
    /* A short list of texts that repeats is a vocabulary; a new word in it is worth knowing, not worth stopping. */
    bool vocabulary = column->kind == CLASS_TEXT && column->distinct >= 2 &&
                      column->distinct <= ACCEPTED_MAX && p->n_top >= (size_t)column->distinct &&
                      column->filled >= 20 * column->distinct;
    if (vocabulary) {
        Nv__QualityRule *rule =
            sttm_rule(b, NV__RULE_KIND__RULE_KIND_ACCEPTED, NV__SEVERITY__SEVERITY_WARN, name,
                      "%s held one of %.0f values when profiled", p->name, column->distinct);
        rule->values = NV_NEW_ARRAY(b->ctx, char *, p->n_top);
        for (size_t i = 0; i < p->n_top; i++)
            rule->values[rule->n_values++] = nv_strdup(b->ctx, p->top[i]->value);
        NV_PUSH(b->ctx, out->rules, out->n_rules, *cap) = rule;
    }
    bool counts = (column->kind == CLASS_INTEGER || column->kind == CLASS_NUMBER) &&
                  column_is_measure(column) && p->negative_count == 0 && column->filled >= 20;
    if (counts) {
        Nv__QualityRule *rule = sttm_rule(b, NV__RULE_KIND__RULE_KIND_RANGE, NV__SEVERITY__SEVERITY_WARN,
                                          name, "%s was never negative when profiled", p->name);
        rule->low = nv_strdup(b->ctx, "0");
        NV_PUSH(b->ctx, out->rules, out->n_rules, *cap) = rule;
    }
}

static void write_rules(sttm_builder_t *b, int t, Nv__SttmSource *out)
{
    size_t cap = 0;
    bool whole = out->n_key == 0;
    for (size_t i = 0; !whole && i < out->n_key; i++) {
        Nv__QualityRule *rule =
            sttm_rule(b, NV__RULE_KIND__RULE_KIND_NOT_NULL, NV__SEVERITY__SEVERITY_QUARANTINE, out->key[i],
                      "%s is part of the key", out->key[i]);
        rule->threshold = 0.05;
        /* A key part that is null in the profiled data cannot be demanded. */
        int c = 0;
        while (c < b->schema->tables[t].n_columns && strcmp(b->silver[t][c], out->key[i]) != 0)
            c++;
        if (c < b->schema->tables[t].n_columns && b->schema->tables[t].columns[c].null_share > 0.05)
            rule->severity = NV__SEVERITY__SEVERITY_WARN;
        NV_PUSH(b->ctx, out->rules, out->n_rules, cap) = rule;
    }
    for (int c = 0; c < b->schema->tables[t].n_columns; c++)
        value_rules(b, t, c, out, &cap);
}

static void write_joins(sttm_builder_t *b, Nv__SttmSource *out)
{
    const Nv__Relations *relations = b->star->relations != NULL ? b->star->relations : b->input->relations;
    if (relations == NULL)
        return;
    out->joins = NV_NEW_ARRAY(b->ctx, Nv__Join *, relations->n_joins + 1);
    for (size_t i = 0; i < relations->n_joins; i++) {
        if (strcmp(relations->joins[i]->from, out->name) == 0)
            out->joins[out->n_joins++] = relations->joins[i];
    }
}

static const char *file_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

/* Would prefix*suffix also take a file of another table ("Invoice*.csv" takes InvoiceLine.csv)? */
static bool takes_others(const sttm_builder_t *b, int t, const char *prefix, size_t n, const char *suffix)
{
    for (int u = 0; u < b->schema->n_tables; u++) {
        const Nv__TableProfile *other = b->schema->tables[u].p;
        for (size_t i = 0; u != t && i < other->n_files; i++) {
            const char *name = file_name(other->files[i]->path);
            size_t length = strlen(name), m = strlen(suffix);
            if (length >= n + m && strncmp(name, prefix, n) == 0 && strcmp(name + length - m, suffix) == 0)
                return true;
        }
    }
    return false;
}

/* "orders*.csv" for orders_2024.csv and orders_2025.csv: the longest common beginning, and the ending. A file that stands alone
 * and whose pattern would take another table's files is named as it is, and so is a table that no file is. */
static char *file_pattern(const sttm_builder_t *b, int t)
{
    const Nv__TableProfile *table = b->schema->tables[t].p;
    const char *first = table->n_files > 0 ? file_name(table->files[0]->path) : table->name;
    const char *dot = strchr(first, '.');
    const char *suffix = dot != NULL ? dot : "";
    size_t common = dot != NULL && dot != first ? (size_t)(dot - first) : strlen(first);
    for (size_t i = 1; i < table->n_files; i++) {
        const char *name = file_name(table->files[i]->path);
        size_t k = 0;
        while (k < common && first[k] == name[k])
            k++;
        common = k;
    }
    bool is_file = table->dialect == NULL || strcmp(table->dialect->format, "table") != 0;
    bool glob = strpbrk(first, "*?[]{}\\") != NULL || !is_file;
    if (table->n_files <= 1 && (glob || takes_others(b, t, first, common, suffix)))
        return nv_strdup(b->ctx, first);
    bool digits = table->n_files > 1 && takes_others(b, t, first, common, suffix);
    return nv_printf(b->ctx, "%.*s%s%s", (int)common, first, digits ? "[0-9_-]*" : "*", suffix);
}

void sttm_write_sources(sttm_builder_t *b)
{
    b->out->sources = NV_NEW_ARRAY(b->ctx, Nv__SttmSource *, (size_t)b->schema->n_tables + 1);
    for (int t = 0; t < b->schema->n_tables; t++) {
        const Nv__TableProfile *table = b->schema->tables[t].p;
        if (!b->is_source[t])
            continue;
        Nv__SttmSource *out = NV_NEW(b->ctx, Nv__SttmSource);
        nv__sttm_source__init(out);
        out->name = nv_strdup(b->ctx, table->name);
        out->silver_name = namer_take(
            &b->tables, nv_printf(b->ctx, "silver_%s", identifier_make(b->ctx, table->name, "table")));
        out->files = table->files;
        out->n_files = table->n_files;
        out->file_pattern = file_pattern(b, t);
        out->dialect = table->dialect;
        out->row_count = table->row_count;
        out->duplicate_row_count = table->duplicate_row_count;
        out->rejected_count = table->rejected_count;
        out->columns = NV_NEW_ARRAY(b->ctx, Nv__SttmSourceColumn *, table->n_columns + 1);
        for (int c = 0; c < b->schema->tables[t].n_columns; c++)
            out->columns[out->n_columns++] = source_column(b, t, c);
        write_key(b, t, out);
        write_rules(b, t, out);
        write_joins(b, out);
        b->out->sources[b->out->n_sources++] = out;
    }
}
