#include "worker/discovery/schema.h"

#include <assert.h>
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "worker/discovery/lexicon.h"

static type_class_t class_of(Nv__ValueType type)
{
    switch (type) {
    case NV__VALUE_TYPE__VALUE_TYPE_INT64:
        return CLASS_INTEGER;
    case NV__VALUE_TYPE__VALUE_TYPE_DECIMAL:
    case NV__VALUE_TYPE__VALUE_TYPE_DOUBLE:
        return CLASS_NUMBER;
    case NV__VALUE_TYPE__VALUE_TYPE_STRING:
        return CLASS_TEXT;
    case NV__VALUE_TYPE__VALUE_TYPE_DATE:
    case NV__VALUE_TYPE__VALUE_TYPE_TIMESTAMP:
    case NV__VALUE_TYPE__VALUE_TYPE_TIME:
        return CLASS_DATE;
    case NV__VALUE_TYPE__VALUE_TYPE_BOOLEAN:
        return CLASS_BOOLEAN;
    default:
        return CLASS_NONE;
    }
}

/* Days since 1970-01-01 in the proleptic Gregorian calendar (Howard Hinnant, "chrono-compatible date algorithms"). */
static double days_from_civil(int y, int m, int d)
{
    y -= m <= 2;
    int era = (y >= 0 ? y : y - 399) / 400;
    int yoe = y - era * 400;
    int doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    int doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return (double)era * 146097 + doe - 719468;
}

bool schema_axis(Nv__ValueType type, const char *text, double *out)
{
    if (text == NULL || text[0] == '\0')
        return false;
    type_class_t kind = class_of(type);
    if (kind == CLASS_INTEGER || kind == CLASS_NUMBER) {
        char *end = NULL;
        *out = strtod(text, &end);
        return end != text && *end == '\0' && isfinite(*out);
    }
    if (kind != CLASS_DATE)
        return false;
    int y = 0, m = 1, d = 1, hh = 0, mm = 0;
    double ss = 0;
    if (type == NV__VALUE_TYPE__VALUE_TYPE_TIME) {
        if (sscanf(text, "%d:%d:%lf", &hh, &mm, &ss) < 2)
            return false;
        *out = (hh * 3600.0 + mm * 60.0 + ss) / 86400;
        return true;
    }
    int n = sscanf(text, "%d-%d-%d%*1[ T]%d:%d:%lf", &y, &m, &d, &hh, &mm, &ss);
    if (n < 3 || m < 1 || m > 12 || d < 1 || d > 31 || abs(y) > 9999)
        return false;
    *out = days_from_civil(y, m, d) + (hh * 3600.0 + mm * 60.0 + ss) / 86400;
    return true;
}

static void read_points(dsc_column_t *column)
{
    const Nv__ColumnProfile *p = column->p;
    column->has_points = schema_axis(p->type, p->min, &column->points[0]) &&
                         schema_axis(p->type, p->max, &column->points[SKETCH_POINTS - 1]) &&
                         p->n_quantiles == SKETCH_POINTS - 2;
    for (size_t i = 0; column->has_points && i < p->n_quantiles; i++)
        column->has_points = schema_axis(p->type, p->quantiles[i], &column->points[i + 1]);
    column->density = 0;
    if (column->has_points && column->kind == CLASS_INTEGER)
        column->density = column->distinct / (column->points[SKETCH_POINTS - 1] - column->points[0] + 1);
}

static bool is_whole(const char *text)
{
    const char *dot = strchr(text, '.');
    return dot != NULL && strspn(dot + 1, "0") == strlen(dot + 1);
}

/* "12.0": whole numbers that a tool wrote as fractions because some were missing. */
static bool is_integer_in_disguise(const Nv__ColumnProfile *p)
{
    if (p->type != NV__VALUE_TYPE__VALUE_TYPE_DECIMAL || p->scale < 1 || p->n_quantiles == 0 ||
        !is_whole(p->min) || !is_whole(p->max))
        return false;
    for (size_t i = 0; i < p->n_quantiles; i++) {
        if (!is_whole(p->quantiles[i]))
            return false;
    }
    for (size_t i = 0; i < p->n_top; i++) {
        if (!is_whole(p->top[i]->value))
            return false;
    }
    return true;
}

/* "column3", "col_3", "_c3", "f3", "3": a tool's numbering, not a name. */
static bool is_numbered(const char *name, int number)
{
    static const char *const stems[] = {"column", "col", "_c", "c",       "f", "field",
                                        "v",      "var", "x",  "unnamed", ""};
    char stem[16] = "";
    size_t n = strcspn(name, "0123456789");
    char *end = NULL;
    long digits = strtol(name + n, &end, 10);
    if (n >= sizeof stem || end == name + n || *end != '\0' || (digits != number && digits != number + 1))
        return false;
    for (size_t i = 0, m = 0; i < n; i++) {
        if (name[i] != ' ' && name[i] != ':' && (name[i] != '_' || i == 0))
            stem[m++] = (char)tolower((unsigned char)name[i]);
    }
    for (size_t i = 0; i < sizeof stems / sizeof stems[0]; i++) {
        if (strcmp(stem, stems[i]) == 0)
            return true;
    }
    return false;
}

static bool has_made_up_names(const Nv__TableProfile *p)
{
    size_t numbered = 0;
    for (size_t c = 0; c < p->n_columns; c++)
        numbered += is_numbered(p->columns[c]->name, (int)c);
    return !p->header_detected || (p->n_columns > 1 && numbered == p->n_columns);
}

/* Words that only tools which load tables put first in a name. */
static bool is_loader_word(const char *word)
{
    static const char *const tools[] = {"fivetran", "airbyte", "sdc", "dlt", "hevo", "etl", "dbt", "stitch"};
    for (size_t i = 0; i < sizeof tools / sizeof tools[0]; i++) {
        if (strcmp(tools[i], word) == 0)
            return true;
    }
    return false;
}

/* "_fivetran_synced", "etl_batch_id", "dw_inserted_at", "loaded_at"; what bounds a version ("_fivetran_start") is no bookkeeping. */
static void find_loader(dsc_column_t *column)
{
    const name_words_t *name = &column->name;
    const char *last = name->word[name->n > 0 ? name->n - 1 : 0];
    const char *before = name->n >= 2 ? name->word[name->n - 2] : "";
    bool tool = name->n >= 2 && is_loader_word(name->word[0]);
    bool load =
        strcmp(before, "loaded") == 0 || strcmp(before, "ingested") == 0 || strcmp(before, "synced") == 0;
    bool version = strcmp(last, "start") == 0 || strcmp(last, "end") == 0;
    column->loader_id = tool && strcmp(last, "id") == 0 && strcmp(before, "batch") != 0;
    column->loader = !column->loader_id && ((tool && !version) || (load && strcmp(last, "at") == 0) ||
                                            (name->n >= 2 && strcmp(name->word[0], "dw") == 0 &&
                                             (strcmp(before, "batch") == 0 || strcmp(last, "at") == 0)));
}

static void read_column(dsc_table_t *table, int table_index, int index)
{
    dsc_column_t *column = &table->columns[index];
    const Nv__ColumnProfile *p = table->p->columns[index];
    *column = (dsc_column_t){
        .p = p, .table = table_index, .index = index, .kind = class_of(p->type), .label = p->name};
    name_split(p->name, &column->name);
    column->bare = column->name;
    column->filled = fmax(0, table->rows - (double)p->null_count - (double)p->invalid_count);
    column->distinct = fmin(fmax(0, (double)p->distinct_count), column->filled);
    column->null_share = table->rows > 0 ? 1 - column->filled / table->rows : 0;
    double records = fmin(column->filled, table->records * (1 - column->null_share));
    column->unique = records > 0 ? fmin(1, column->distinct / fmax(records, 1)) : 0;
    column->sketch = sketch_make(p->kmv.data, p->kmv.len, column->distinct);
    column->made_up = table->made_up;
    if (is_integer_in_disguise(p) && column->name.keylike) {
        column->kind = CLASS_INTEGER;
        column->sketch = (sketch_t){0}; /* of "12.0", which no "12" equals: only counting can compare them */
    }
    find_loader(column);
    read_points(column);
}

/* "ss" of store_sales, "inv" of inventory; but no word of the name itself: "web" tells something in web_site. */
static bool abbreviates(const char *prefix, const char *table)
{
    enum { ABBREVIATION_BYTES_MAX = 3 };
    name_words_t words;
    name_split(table, &words);
    for (int i = 0; i < words.n; i++) {
        name_singular(words.word[i]);
        if (strcmp(words.word[i], prefix) == 0)
            return false;
    }
    if (strlen(prefix) > ABBREVIATION_BYTES_MAX)
        return false;
    const char *at = table;
    for (const char *p = prefix; *p != '\0'; p++, at++) {
        while (*at != '\0' && tolower((unsigned char)*at) != *p && p != prefix)
            at++;
        if (tolower((unsigned char)*at) != *p)
            return false;
    }
    return true;
}

/* What is left of a header after "prefix_", or the whole. */
static const char *without_prefix(const char *header, const char *prefix)
{
    size_t n = strlen(prefix);
    return strncasecmp(header, prefix, n) == 0 && header[n] == '_' && header[n + 1] != '\0' ? header + n + 1
                                                                                            : header;
}

/* Drops a first word that nearly every column of the table carries ("ss_", "l_"), unless it is the whole name. */
static void strip_column_prefix(dsc_table_t *table)
{
    if (table->n_columns < 3)
        return;
    for (int c = 0; c < 2; c++) {
        const char *prefix = table->columns[c].name.word[0];
        int sharing = 0;
        for (int i = 0; i < table->n_columns; i++)
            sharing += table->columns[i].name.n >= 2 && strcmp(table->columns[i].name.word[0], prefix) == 0;
        if (sharing * 10 < table->n_columns * 8)
            continue;
        bool says_nothing = abbreviates(prefix, table->p->name);
        for (int i = 0; i < table->n_columns; i++) {
            dsc_column_t *column = &table->columns[i];
            if (column->name.n < 2 || strcmp(column->name.word[0], prefix) != 0)
                continue;
            name_drop_front(&column->bare, 1);
            if (says_nothing)
                column->label = without_prefix(column->p->name, prefix);
        }
        return;
    }
}

static void clean_table_name(name_words_t *name)
{
    while (name->n > 1 && lexicon_has(LEXICON_TABLE_NOISE, name->word[0]))
        name_drop_front(name, 1);
    while (name->n > 1 && lexicon_is_noise_at_end(name->word[name->n - 1]))
        name->n--;
    for (int i = 0; i < name->n; i++)
        name_singular(name->word[i]);
    name->core = name->n;
}

/* "stripe_charge", "stripe_customer" …: the word that all tables begin with says nothing. */
static void strip_table_prefix(dsc_schema_t *schema)
{
    if (schema->n_tables < 4)
        return;
    name_words_t first;
    for (int c = 0; c < 2; c++) {
        name_split(schema->tables[c].p->name, &first);
        int sharing = 0;
        for (int i = 0; i < schema->n_tables; i++) {
            name_words_t name;
            name_split(schema->tables[i].p->name, &name);
            sharing += name.n >= 2 && strcmp(name.word[0], first.word[0]) == 0;
        }
        if (sharing * 10 < schema->n_tables * 7)
            continue;
        for (int i = 0; i < schema->n_tables; i++) {
            name_words_t *name = &schema->tables[i].name;
            if (name->n >= 2 && strcmp(name->word[0], first.word[0]) == 0)
                name_drop_front(name, 1);
        }
        return;
    }
}

/* FNV-1a over the singular words of the bare name. */
static uint64_t header_hash(const dsc_column_t *column)
{
    uint64_t hash = 1469598103934665603u;
    for (int i = 0; i < column->bare.n; i++) {
        char word[NAME_WORD_BYTES];
        memcpy(word, column->bare.word[i], sizeof word);
        name_singular(word);
        for (const char *c = word; *c != '\0'; c++)
            hash = (hash ^ (unsigned char)*c) * 1099511628211u;
        hash = (hash ^ '/') * 1099511628211u;
    }
    return hash;
}

typedef struct header {
    uint64_t hash;
    dsc_column_t *column;
} header_t;

static int compare_headers(const void *a, const void *b)
{
    const header_t *x = a, *y = b;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    if (x->column->table != y->column->table)
        return x->column->table - y->column->table;
    return x->column->index - y->column->index;
}

static void count_headers(dsc_schema_t *schema)
{
    header_t *headers = NV_NEW_ARRAY(schema, header_t, (size_t)schema->n_columns + 1);
    int n = 0;
    for (int t = 0; t < schema->n_tables; t++) {
        for (int c = 0; c < schema->tables[t].n_columns; c++) {
            dsc_column_t *column = &schema->tables[t].columns[c];
            column->header = header_hash(column);
            headers[n++] = (header_t){.hash = column->header, .column = column};
        }
    }
    qsort(headers, (size_t)n, sizeof *headers, compare_headers);
    for (int i = 0, j = 0; i < n; i = j) {
        int tables = 0;
        for (j = i; j < n && headers[j].hash == headers[i].hash; j++)
            tables += j == i || headers[j].column->table != headers[j - 1].column->table;
        for (int k = i; k < j; k++)
            headers[k].column->header_share = (double)tables / schema->n_tables;
    }
    nv_mem_free(headers);
}

static bool is_specific(const dsc_column_t *column)
{
    if (column->made_up)
        return false;
    for (int i = 0; i < column->bare.core; i++) {
        if (!lexicon_has(LEXICON_GENERIC, column->bare.word[i]) && strlen(column->bare.word[i]) > 1)
            return true;
    }
    return false;
}

static bool check_limits(const Nv__Profile *profile, nv_error_t *err)
{
    size_t columns = 0;
    if (profile->n_tables > SCHEMA_TABLES_MAX)
        return nv_fail(err, NV_RESOURCE_EXHAUSTED,
                       "profile: %zu tables: at most %d can be related in one run", profile->n_tables,
                       SCHEMA_TABLES_MAX);
    for (size_t i = 0; i < profile->n_tables; i++) {
        columns += profile->tables[i]->n_columns;
        for (size_t j = 0; j < i; j++) {
            if (strcmp(profile->tables[i]->name, profile->tables[j]->name) == 0)
                return nv_fail(err, NV_INVALID_ARGUMENT,
                               "profile.tables[%zu].name: \"%.100s\": expected a name of its own", i,
                               profile->tables[i]->name);
        }
    }
    if (columns > SCHEMA_COLUMNS_MAX)
        return nv_fail(err, NV_RESOURCE_EXHAUSTED,
                       "profile: %zu columns: at most %d can be related in one run", columns,
                       SCHEMA_COLUMNS_MAX);
    return true;
}

static int compare_columns(const void *a, const void *b)
{
    const dsc_column_t *x = *(const dsc_column_t *const *)a, *y = *(const dsc_column_t *const *)b;
    int order = strcmp(x->p->name, y->p->name);
    return order != 0 ? order : (x->index > y->index) - (x->index < y->index);
}

static void read_table(dsc_schema_t *schema, int t, const Nv__TableProfile *profile)
{
    dsc_table_t *table = &schema->tables[t];
    table->p = profile;
    table->rows = fmax(0, (double)profile->row_count);
    table->records = fmax(0, table->rows - (double)profile->duplicate_row_count);
    table->n_columns = (int)profile->n_columns;
    table->columns = NV_NEW_ARRAY(schema, dsc_column_t, profile->n_columns + 1);
    table->by_name = NV_NEW_ARRAY(schema, const dsc_column_t *, profile->n_columns + 1);
    table->made_up = has_made_up_names(profile);
    name_split(profile->name, &table->name);
    for (int c = 0; c < table->n_columns; c++) {
        read_column(table, t, c);
        table->by_name[c] = &table->columns[c];
    }
    qsort(table->by_name, profile->n_columns, sizeof *table->by_name, compare_columns);
    strip_column_prefix(table);
    schema->n_columns += table->n_columns;
}

bool schema_build(nv_mem_t *ctx, const Nv__Profile *profile, dsc_schema_t **out, nv_error_t *err)
{
    if (!check_limits(profile, err))
        return false;
    dsc_schema_t *schema = NV_NEW(ctx, dsc_schema_t);
    schema->n_tables = (int)profile->n_tables;
    schema->tables = NV_NEW_ARRAY(schema, dsc_table_t, profile->n_tables + 1);
    for (int t = 0; t < schema->n_tables; t++)
        read_table(schema, t, profile->tables[t]);
    strip_table_prefix(schema);
    for (int t = 0; t < schema->n_tables; t++) {
        clean_table_name(&schema->tables[t].name);
        for (int c = 0; c < schema->tables[t].n_columns; c++)
            schema->tables[t].columns[c].specific = is_specific(&schema->tables[t].columns[c]);
    }
    count_headers(schema);
    *out = schema;
    return true;
}

int schema_find_table(const dsc_schema_t *schema, const char *name)
{
    for (int t = 0; t < schema->n_tables; t++) {
        if (strcmp(schema->tables[t].p->name, name) == 0)
            return t;
    }
    return -1;
}

static int compare_name_to_column(const void *name, const void *column)
{
    return strcmp(name, (*(const dsc_column_t *const *)column)->p->name);
}

int schema_find_column(const dsc_table_t *table, const char *name)
{
    const dsc_column_t *const *found = table->n_columns > 0
                                           ? bsearch(name, table->by_name, (size_t)table->n_columns,
                                                     sizeof *table->by_name, compare_name_to_column)
                                           : NULL;
    return found != NULL ? (*found)->index : -1;
}

/* "reportsto", "parentaccount": a hint of a self-reference glued to the next word. */
static bool starts_with_self_hint(const char *word)
{
    static const char *const hints[] = {"parent",   "manager", "reports", "supervisor", "previous",
                                        "original", "related", "prereq",  "follow"};
    for (size_t i = 0; i < sizeof hints / sizeof hints[0]; i++) {
        if (strncmp(word, hints[i], strlen(hints[i])) == 0)
            return true;
    }
    return false;
}

bool schema_mentions(const dsc_column_t *column, int lexicon)
{
    for (int i = 0; i < column->bare.n; i++) {
        char word[NAME_WORD_BYTES];
        memcpy(word, column->bare.word[i], sizeof word);
        if (lexicon_has((lexicon_t)lexicon, word) || (lexicon == LEXICON_SELF && starts_with_self_hint(word)))
            return true;
        name_singular(word);
        if (lexicon_has((lexicon_t)lexicon, word))
            return true;
    }
    return false;
}

bool schema_table_is(const dsc_table_t *table, int lexicon)
{
    return table->name.n > 0 && lexicon_has((lexicon_t)lexicon, table->name.word[table->name.n - 1]);
}
