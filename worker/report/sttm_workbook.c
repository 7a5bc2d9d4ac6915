#include "worker/report/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xlsxwriter.h>

/* A sheet that is filled row by row under a bold, frozen header. */
typedef struct sheet {
    nv_mem_t *ctx;
    lxw_worksheet *sheet;
    lxw_format *header;
    lxw_row_t row;
    lxw_col_t column;
} sheet_t;

static sheet_t sheet_add(nv_mem_t *ctx, lxw_workbook *book, lxw_format *header, const char *name,
                         const char *const *titles)
{
    sheet_t sheet = {.ctx = ctx, .sheet = workbook_add_worksheet(book, name), .header = header, .row = 1};
    lxw_col_t column = 0;
    for (; titles[column]; column++)
        worksheet_write_string(sheet.sheet, 0, column, titles[column], header);
    worksheet_freeze_panes(sheet.sheet, 1, 0);
    worksheet_autofilter(sheet.sheet, 0, 0, 0, (lxw_col_t)(column - 1));
    worksheet_set_column(sheet.sheet, 0, (lxw_col_t)(column - 1), 22, NULL);
    return sheet;
}

/* The format's limit is 32,767 characters a cell. */
static void put(sheet_t *sheet, const char *text)
{
    enum { CELL_MAX = 32000 };
    const char *shown = strlen(text) > CELL_MAX ? nv_strndup(sheet->ctx, text, CELL_MAX) : text;
    worksheet_write_string(sheet->sheet, sheet->row, sheet->column++, shown, NULL);
}

static void put_number(sheet_t *sheet, double value)
{
    worksheet_write_number(sheet->sheet, sheet->row, sheet->column++, value, NULL);
}

static void next_row(sheet_t *sheet)
{
    sheet->row++;
    sheet->column = 0;
}

static void add_cover(nv_mem_t *ctx, lxw_workbook *book, lxw_format *header, const Nv__Sttm *sttm)
{
    static const char *const titles[] = {"property", "value", NULL};
    sheet_t sheet = sheet_add(ctx, book, header, "Cover", titles);
    const char *const rows[][2] = {
        {"Mapping", sttm->name},
        {"Version", sttm->version},
        {"Decided by", sttm->method},
        {"Source", sttm->source_root},
        {"Source tables", nv_printf(ctx, "%zu", sttm->n_sources)},
        {"Target tables", nv_printf(ctx, "%zu", sttm->n_targets)},
        {"Sign-off (name, date)", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        put(&sheet, rows[i][0]);
        put(&sheet, rows[i][1]);
        next_row(&sheet);
    }
}

static void add_sources(nv_mem_t *ctx, lxw_workbook *book, lxw_format *header, const Nv__Sttm *sttm)
{
    static const char *const titles[] = {"source",        "column",      "position", "type", "nullable",
                                         "null %",        "distinct",    "sample",   "PII",  "silver table",
                                         "silver column", "description", NULL};
    sheet_t sheet = sheet_add(ctx, book, header, "Sources", titles);
    for (size_t s = 0; s < sttm->n_sources; s++)
        for (size_t c = 0; c < sttm->sources[s]->n_columns; c++) {
            const Nv__SttmSourceColumn *column = sttm->sources[s]->columns[c];
            put(&sheet, sttm->sources[s]->name);
            put(&sheet, column->name);
            put_number(&sheet, column->position + 1);
            put(&sheet, report_full_type(ctx, column->type, column->precision, column->scale));
            put(&sheet, column->nullable ? "yes" : "no");
            put_number(&sheet, column->null_percent);
            put_number(&sheet, (double)column->distinct_count);
            put(&sheet, column->sample);
            put(&sheet, column->pii);
            put(&sheet, sttm->sources[s]->silver_name);
            put(&sheet, column->silver_name);
            put(&sheet, column->description);
            next_row(&sheet);
        }
}

static void add_targets(nv_mem_t *ctx, lxw_workbook *book, lxw_format *header, const Nv__Sttm *sttm)
{
    static const char *const titles[] = {
        "id",         "target",      "kind", "load", "grain", "grain columns", "driving source",
        "depends on", "description", NULL};
    sheet_t sheet = sheet_add(ctx, book, header, "Targets", titles);
    for (size_t i = 0; i < sttm->n_targets; i++) {
        const Nv__SttmTarget *target = sttm->targets[i];
        put(&sheet, target->id);
        put(&sheet, target->name);
        put(&sheet, report_target_kind(target->kind));
        put(&sheet, report_load_strategy(target->load));
        put(&sheet, target->grain);
        put(&sheet, nv_join(ctx, ", ", target->grain_columns, target->n_grain_columns));
        put(&sheet, target->driving_source);
        put(&sheet, nv_join(ctx, ", ", target->depends_on, target->n_depends_on));
        put(&sheet, target->description);
        next_row(&sheet);
    }
}

static char *evidence_text(nv_mem_t *ctx, Nv__Evidence *const *evidence, size_t count)
{
    char *text = nv_strdup(ctx, "");
    for (size_t i = 0; i < count; i++)
        text = nv_printf(ctx, "%s%s%s", text, i ? "; " : "", evidence[i]->text);
    return text;
}

static char *rules_text(nv_mem_t *ctx, Nv__QualityRule *const *rules, size_t count)
{
    char *text = nv_strdup(ctx, "");
    for (size_t i = 0; i < count; i++)
        text = nv_printf(ctx, "%s%s%s", text, i ? "; " : "", report_rule_text(ctx, rules[i]));
    return text;
}

static void put_mapping(nv_mem_t *ctx, sheet_t *sheet, const Nv__SttmTarget *target,
                        const Nv__SttmColumn *column)
{
    put(sheet, column->mapping_id);
    put(sheet, target->name);
    put(sheet, column->name);
    put(sheet, report_full_type(ctx, column->type, column->precision, column->scale));
    put(sheet, column->nullable ? "yes" : "no");
    put(sheet, report_key_role(column->key_role));
    put(sheet, report_inputs(ctx, column->transform));
    put(sheet, column->rule);
    put(sheet, column->default_value);
    put(sheet, report_scd(column->scd));
    put(sheet, column->measure ? report_additivity(column->additivity) : "");
    put(sheet, column->unit);
    put(sheet, column->pii);
    put(sheet, rules_text(ctx, column->rules, column->n_rules));
    put_number(sheet, column->confidence);
    put(sheet, evidence_text(ctx, column->evidence, column->n_evidence));
    put(sheet, column->description);
    next_row(sheet);
}

static void add_columns(nv_mem_t *ctx, lxw_workbook *book, lxw_format *header, const Nv__Sttm *sttm)
{
    static const char *const titles[] = {"mapping id", "target",      "column", "type",    "nullable",
                                         "key role",   "sources",     "rule",   "default", "SCD",
                                         "additivity", "unit",        "PII",    "quality", "confidence",
                                         "evidence",   "description", NULL};
    sheet_t sheet = sheet_add(ctx, book, header, "Column map", titles);
    for (size_t t = 0; t < sttm->n_targets; t++)
        for (size_t c = 0; c < sttm->targets[t]->n_columns; c++)
            put_mapping(ctx, &sheet, sttm->targets[t], sttm->targets[t]->columns[c]);
}

static void add_hierarchies(nv_mem_t *ctx, lxw_workbook *book, lxw_format *header, const Nv__Sttm *sttm)
{
    static const char *const titles[] = {"target", "levels, finest first (members)", "evidence", NULL};
    sheet_t sheet = sheet_add(ctx, book, header, "Hierarchies", titles);
    for (size_t t = 0; t < sttm->n_targets; t++)
        for (size_t i = 0; i < sttm->targets[t]->n_hierarchies; i++) {
            const Nv__Hierarchy *hierarchy = sttm->targets[t]->hierarchies[i];
            put(&sheet, sttm->targets[t]->name);
            put(&sheet, report_hierarchy(ctx, hierarchy));
            put(&sheet, evidence_text(ctx, hierarchy->evidence, hierarchy->n_evidence));
            next_row(&sheet);
        }
}

static void add_joins(nv_mem_t *ctx, lxw_workbook *book, lxw_format *header, const Nv__Sttm *sttm)
{
    static const char *const titles[] = {"from",        "columns", "to",       "to columns", "role",
                                         "probability", "orphans", "evidence", NULL};
    sheet_t sheet = sheet_add(ctx, book, header, "Joins", titles);
    for (size_t s = 0; s < sttm->n_sources; s++)
        for (size_t j = 0; j < sttm->sources[s]->n_joins; j++) {
            const Nv__Join *join = sttm->sources[s]->joins[j];
            put(&sheet, join->from);
            put(&sheet, nv_join(ctx, ", ", join->columns, join->n_columns));
            put(&sheet, join->to);
            put(&sheet, nv_join(ctx, ", ", join->to_columns, join->n_to_columns));
            put(&sheet, join->role);
            put_number(&sheet, join->probability);
            put_number(&sheet, (double)join->orphans);
            put(&sheet, evidence_text(ctx, join->evidence, join->n_evidence));
            next_row(&sheet);
        }
}

static void put_rules(nv_mem_t *ctx, sheet_t *sheet, const char *table, Nv__QualityRule *const *rules,
                      size_t count)
{
    for (size_t i = 0; i < count; i++) {
        put(sheet, rules[i]->id);
        put(sheet, table);
        put(sheet, report_rule_kind(rules[i]->kind));
        put(sheet, report_severity(rules[i]->severity));
        put(sheet, nv_join(ctx, ", ", rules[i]->columns, rules[i]->n_columns));
        put(sheet, rules[i]->description);
        next_row(sheet);
    }
}

static void add_rules(nv_mem_t *ctx, lxw_workbook *book, lxw_format *header, const Nv__Sttm *sttm)
{
    static const char *const titles[] = {"id", "table", "kind", "severity", "columns", "description", NULL};
    sheet_t sheet = sheet_add(ctx, book, header, "Rules", titles);
    for (size_t s = 0; s < sttm->n_sources; s++)
        put_rules(ctx, &sheet, sttm->sources[s]->silver_name, sttm->sources[s]->rules,
                  sttm->sources[s]->n_rules);
    for (size_t t = 0; t < sttm->n_targets; t++) {
        const Nv__SttmTarget *target = sttm->targets[t];
        put_rules(ctx, &sheet, target->name, target->rules, target->n_rules);
        for (size_t c = 0; c < target->n_columns; c++)
            put_rules(ctx, &sheet, target->name, target->columns[c]->rules, target->columns[c]->n_rules);
    }
}

static void add_unmapped(nv_mem_t *ctx, lxw_workbook *book, lxw_format *header, const Nv__Sttm *sttm)
{
    static const char *const titles[] = {"source", "column", "reason", NULL};
    sheet_t sheet = sheet_add(ctx, book, header, "Unmapped", titles);
    for (size_t i = 0; i < sttm->n_unmapped; i++) {
        put(&sheet, sttm->unmapped[i]->source->table);
        put(&sheet, sttm->unmapped[i]->source->column);
        put(&sheet, sttm->unmapped[i]->reason);
        next_row(&sheet);
    }
}

static void add_changes(nv_mem_t *ctx, lxw_workbook *book, lxw_format *header, const Nv__Sttm *sttm)
{
    static const char *const titles[] = {"version", "author", "change", NULL};
    sheet_t sheet = sheet_add(ctx, book, header, "Changes", titles);
    for (size_t i = 0; i < sttm->n_changes; i++) {
        put(&sheet, sttm->changes[i]->version);
        put(&sheet, sttm->changes[i]->author);
        put(&sheet, sttm->changes[i]->text);
        next_row(&sheet);
    }
}

static bool read_back(nv_mem_t *ctx, const char *path, void **out, size_t *out_length, nv_error_t *err)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return nv_fail(err, NV_INTERNAL, "the workbook %s was not written", path);
    nv_buf_t buf = nv_buf_make(ctx, REPORT_MAX_BYTES);
    char chunk[16384];
    for (size_t got; (got = fread(chunk, 1, sizeof chunk, file)) > 0;)
        nv_buf_add(&buf, chunk, got);
    bool read_all = !ferror(file);
    fclose(file);
    if (!read_all)
        return nv_fail(err, NV_DATA_LOSS, "the workbook %s could not be read back", path);
    *out = buf.data;
    *out_length = buf.length;
    return nv_buf_ok(&buf, "the workbook", err);
}

static bool write_book(nv_mem_t *ctx, const Nv__Sttm *sttm, const char *path, nv_error_t *err)
{
    lxw_workbook *book = workbook_new(path);
    if (!book)
        return nv_fail(err, NV_RESOURCE_EXHAUSTED, "the workbook %s cannot be created", path);
    lxw_format *header = workbook_add_format(book);
    format_set_bold(header);
    format_set_bg_color(header, 0xE8EEF2);
    add_cover(ctx, book, header, sttm);
    add_sources(ctx, book, header, sttm);
    add_targets(ctx, book, header, sttm);
    add_columns(ctx, book, header, sttm);
    add_hierarchies(ctx, book, header, sttm);
    add_joins(ctx, book, header, sttm);
    add_rules(ctx, book, header, sttm);
    add_unmapped(ctx, book, header, sttm);
    add_changes(ctx, book, header, sttm);
    lxw_error failure = workbook_close(book);
    if (failure != LXW_NO_ERROR)
        return nv_fail(err, NV_INTERNAL, "the workbook %s: %s", path, lxw_strerror(failure));
    return true;
}

bool report_sttm_workbook(nv_mem_t *ctx, const Nv__Sttm *sttm, void **out, size_t *out_length,
                          nv_error_t *err)
{
    char path[] = "/tmp/nuvyn-sttm-XXXXXX";
    int fd = mkstemp(path);
    if (fd < 0)
        return nv_fail(err, NV_RESOURCE_EXHAUSTED, "no temporary file for the workbook in /tmp");
    close(fd);
    bool ok = write_book(ctx, sttm, path, err) && read_back(ctx, path, out, out_length, err);
    unlink(path);
    return ok;
}
