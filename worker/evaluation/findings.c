#include "worker/evaluation/scorecard.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { FINDINGS_MAX = 200 };

typedef struct finding {
    int64_t weight;
    char *text;
} finding_t;

typedef struct finding_list {
    nv_mem_t *ctx;
    finding_t *items;
    size_t count;
    size_t capacity;
} finding_list_t;

static void add(finding_list_t *list, int64_t weight, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void add(finding_list_t *list, int64_t weight, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    finding_t finding = {weight, nv_vprintf(list->ctx, fmt, args)};
    va_end(args);
    NV_PUSH(list->ctx, list->items, list->count, list->capacity) = finding;
}

static const char *plural(int64_t count)
{
    return count == 1 ? "" : "s";
}

/* "order_id", "(order_id, line_no)". */
static char *column_set(nv_mem_t *ctx, char *const *names, size_t count)
{
    char *text = nv_join(ctx, ", ", names, count);
    return count > 1 ? nv_printf(ctx, "(%s)", text) : text;
}

/* Up to three of the values, quoted, for "e.g." */
static char *examples(nv_mem_t *ctx, Nv__ValueCount *const *values, size_t count)
{
    char *text = nv_strdup(ctx, "");
    for (size_t i = 0; i < count && i < 3; i++)
        text = nv_printf(ctx, "%s%s\"%.40s\"", text, i ? ", " : "", values[i]->value);
    return text;
}

/* `formats` also counts null spellings; a format is what has a conversion in it. */
static void date_format_finding(finding_list_t *list, const char *table, const Nv__ColumnProfile *column)
{
    const Nv__FormatCount *seen[2] = {NULL, NULL};
    size_t count = 0;
    for (size_t i = 0; i < column->n_formats; i++)
        if (strchr(column->formats[i]->format, '%')) {
            if (count < 2)
                seen[count] = column->formats[i];
            count++;
        }
    if (count > 1)
        add(list, seen[1]->count, "%s.%s: %zu date formats in one column (%s, %s%s)", table, column->name,
            count, seen[0]->format, seen[1]->format, count > 2 ? ", …" : "");
}

static void column_findings(finding_list_t *list, const char *table, const Nv__ColumnProfile *column)
{
    if (column->invalid_count > 0)
        add(list, column->invalid_count, "%s.%s: %" PRId64 " value%s cannot be read as %s (e.g. %s)", table,
            column->name, column->invalid_count, plural(column->invalid_count),
            column->type == NV__VALUE_TYPE__VALUE_TYPE_DATE ||
                    column->type == NV__VALUE_TYPE__VALUE_TYPE_TIMESTAMP
                ? "a date"
                : "its type",
            examples(list->ctx, column->invalid, column->n_invalid));
    date_format_finding(list, table, column);
    if (column->padded_count > 0)
        add(list, column->padded_count, "%s.%s: %" PRId64 " value%s padded with blanks", table, column->name,
            column->padded_count, plural(column->padded_count));
}

static void null_spelling_findings(finding_list_t *list, const char *table, const Nv__ColumnProfile *column)
{
    if (!column->parse || column->parse->n_null_spellings == 0 || column->null_count == 0)
        return;
    add(list, 1, "%s.%s: missing values are spelled \"%s\"", table, column->name,
        column->parse->null_spellings[0]);
}

static void table_findings(finding_list_t *list, const Nv__TableProfile *table)
{
    if (table->row_count == 0)
        add(list, INT64_MAX, "%s: no rows, only column names: its types, keys and joins are guesses",
            table->name);
    if (table->rejected_count > 0)
        add(list, table->rejected_count,
            "%s: %" PRId64 " line%s could not be read as a row (first: line %" PRId64 ", %s)", table->name,
            table->rejected_count, plural(table->rejected_count),
            table->n_rejected ? table->rejected[0]->line : 0,
            table->n_rejected ? table->rejected[0]->reason : "");
    if (table->duplicate_row_count > 0)
        add(list, table->duplicate_row_count, "%s: %" PRId64 " row%s repeat%s an earlier row exactly",
            table->name, table->duplicate_row_count, plural(table->duplicate_row_count),
            table->duplicate_row_count == 1 ? "s" : "");
    for (size_t i = 0; i < table->n_warnings; i++)
        add(list, 1, "%s: %s", table->name, table->warnings[i]);
    for (size_t i = 0; i < table->n_columns; i++) {
        column_findings(list, table->name, table->columns[i]);
        null_spelling_findings(list, table->name, table->columns[i]);
    }
}

static void relation_findings(finding_list_t *list, const Nv__Relations *relations)
{
    for (size_t i = 0; i < relations->n_joins; i++) {
        const Nv__Join *join = relations->joins[i];
        if (join->orphans > 0)
            add(list, join->orphans, "%s%s%s: %" PRId64 " row%s point%s to no row of %s", join->from,
                join->n_columns > 1 ? "" : ".", column_set(list->ctx, join->columns, join->n_columns),
                join->orphans, plural(join->orphans), join->orphans == 1 ? "s" : "", join->to);
    }
    for (size_t i = 0; i < relations->n_primary_keys; i++) {
        const Nv__PrimaryKey *key = relations->primary_keys[i];
        if (key->violations > 0)
            add(list, key->violations, "%s: %" PRId64 " row%s share%s the key %s with a different row",
                key->table, key->violations, plural(key->violations), key->violations == 1 ? "s" : "",
                column_set(list->ctx, key->columns, key->n_columns));
    }
}

/* Of a further batch: what the deployed pipeline was not made for comes before all dirt. */
static void drift_findings(finding_list_t *list, const Nv__Review *review)
{
    for (size_t i = 0; i < review->n_checks; i++)
        if (strcmp(review->checks[i]->name, "drift") == 0)
            add(list, INT64_MAX, "%s", review->checks[i]->message);
}

static void load_findings(finding_list_t *list, const Nv__Validation *validation)
{
    for (size_t i = 0; i < validation->n_tables; i++) {
        const Nv__TableLoad *load = validation->tables[i];
        if (load->quarantined > 0)
            add(list, load->quarantined, "%s: %" PRId64 " row%s in quarantine, each with its reason",
                load->table, load->quarantined, plural(load->quarantined));
    }
}

static int heavier_first(const void *a, const void *b)
{
    const finding_t *x = a;
    const finding_t *y = b;
    if (x->weight != y->weight)
        return x->weight < y->weight ? 1 : -1;
    return strcmp(x->text, y->text);
}

char **findings_list(nv_mem_t *ctx, const run_record_t *record, size_t *out_count)
{
    finding_list_t list = {.ctx = ctx};
    for (size_t i = 0; i < record->n_profiles; i++)
        table_findings(&list, record->profiles[i]);
    if (record->survey)
        for (size_t i = 0; i < record->survey->n_skipped; i++)
            add(&list, 1, "%s was left out: %s", record->survey->skipped[i]->path,
                record->survey->skipped[i]->reason);
    bool batch =
        record->spec && record->spec->increment_of[0]; /* its relations are those of the first load */
    if (record->relations && !batch)
        relation_findings(&list, record->relations);
    if (record->review)
        drift_findings(&list, record->review);
    if (record->validation)
        load_findings(&list, record->validation);
    if (list.count)
        qsort(list.items, list.count, sizeof *list.items, heavier_first);
    *out_count = list.count < FINDINGS_MAX ? list.count : FINDINGS_MAX;
    char **texts = NV_NEW_ARRAY(ctx, char *, *out_count + 1);
    for (size_t i = 0; i < *out_count; i++)
        texts[i] = list.items[i].text;
    return texts;
}
