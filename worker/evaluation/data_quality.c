#include "worker/evaluation/data_quality.h"

#include "common/core/error.h"

#include <inttypes.h>
#include <string.h>

/* The lowest share seen so far, and of what it is. */
typedef struct worst {
    nv_mem_t *ctx;
    double share;
    char *detail;
} worst_t;

static void take(worst_t *worst, int64_t lost, int64_t of, const char *fmt, ...) NV_PRINTF(4, 5);

static void take(worst_t *worst, int64_t lost, int64_t of, const char *fmt, ...)
{
    double share = of > 0 ? 1 - (double)lost / (double)of : 1;
    if (lost <= 0 || share >= worst->share)
        return;
    va_list args;
    va_start(args, fmt);
    worst->detail = nv_vprintf(worst->ctx, fmt, args);
    va_end(args);
    worst->share = share > 0 ? share : 0;
}

static void rows_read(const run_record_t *record, worst_t *worst)
{
    for (size_t i = 0; i < record->n_profiles; i++) {
        const Nv__TableProfile *table = record->profiles[i];
        int64_t lines = table->row_count + table->rejected_count;
        take(worst, table->rejected_count, lines,
             "%s: %" PRId64 " of %" PRId64 " lines could not be read as rows", table->name,
             table->rejected_count, lines);
    }
}

static void values_read(const run_record_t *record, worst_t *worst)
{
    for (size_t i = 0; i < record->n_profiles; i++)
        for (size_t c = 0; c < record->profiles[i]->n_columns; c++) {
            const Nv__TableProfile *table = record->profiles[i];
            const Nv__ColumnProfile *column = table->columns[c];
            int64_t values = table->row_count - column->null_count;
            take(worst, column->invalid_count, values,
                 "%s.%s: %" PRId64 " of %" PRId64 " values could not be read", table->name, column->name,
                 column->invalid_count, values);
        }
}

static void rows_kept(const run_record_t *record, worst_t *worst)
{
    for (size_t i = 0; record->validation && i < record->validation->n_tables; i++) {
        const Nv__TableLoad *load = record->validation->tables[i];
        take(worst, load->quarantined, load->source_rows,
             "%s: %" PRId64 " of %" PRId64 " rows are in quarantine", load->table, load->quarantined,
             load->source_rows);
    }
}

static int64_t rows_of(const run_record_t *record, const char *table)
{
    for (size_t i = 0; i < record->n_profiles; i++)
        if (strcmp(record->profiles[i]->name, table) == 0)
            return record->profiles[i]->row_count;
    return 0;
}

/* The relations of a batch are those of the first load. */
static void references_found(const run_record_t *record, worst_t *worst)
{
    bool batch = record->spec && record->spec->increment_of[0];
    for (size_t i = 0; record->relations && !batch && i < record->relations->n_joins; i++) {
        const Nv__Join *join = record->relations->joins[i];
        int64_t rows = rows_of(record, join->from);
        take(worst, join->orphans, rows, "%s(%s): %" PRId64 " of %" PRId64 " rows point to no row of %s",
             join->from, nv_join(worst->ctx, ", ", join->columns, join->n_columns), join->orphans, rows,
             join->to);
    }
}

static void rows_distinct(const run_record_t *record, worst_t *worst)
{
    for (size_t i = 0; i < record->n_profiles; i++) {
        const Nv__TableProfile *table = record->profiles[i];
        take(worst, table->duplicate_row_count, table->row_count,
             "%s: %" PRId64 " of %" PRId64 " rows repeat an earlier one; it is loaded once", table->name,
             table->duplicate_row_count, table->row_count);
    }
}

static const struct share {
    const char *name;
    double weight; /* 0: told, not counted; files that each hold the whole table repeat what did not change */
    void (*measure)(const run_record_t *record, worst_t *worst);
} shares[] = {
    {"rows read", 1, rows_read},         {"values read", 1, values_read},
    {"rows kept", 1, rows_kept},         {"references found", 1, references_found},
    {"rows distinct", 0, rows_distinct},
};
enum { N_SHARES = sizeof shares / sizeof shares[0] };

void data_quality_measure(nv_mem_t *ctx, const run_record_t *record, Nv__Scorecard *card)
{
    if (record->n_profiles == 0)
        return;
    card->data_lines = NV_NEW_ARRAY(ctx, Nv__ScoreLine *, N_SHARES);
    card->data_score = 100;
    for (size_t i = 0; i < N_SHARES; i++) {
        worst_t worst = {.ctx = ctx, .share = 1};
        shares[i].measure(record, &worst);
        Nv__ScoreLine *line = NV_NEW(ctx, Nv__ScoreLine);
        nv__score_line__init(line);
        line->name = (char *)shares[i].name;
        line->weight = shares[i].weight;
        line->value = worst.share;
        line->detail = worst.detail ? worst.detail : nv_strdup(ctx, "all, in every table");
        card->data_lines[card->n_data_lines++] = line;
        if (line->weight > 0 && 100 * line->value < card->data_score)
            card->data_score = 100 * line->value;
    }
}

int data_quality_shown(const Nv__Scorecard *card)
{
    return card->data_score < 100 ? (int)card->data_score : 100;
}

const char *data_quality_text(nv_mem_t *ctx, const Nv__Scorecard *card)
{
    const Nv__ScoreLine *lowest = NULL;
    for (size_t i = 0; i < card->n_data_lines; i++) {
        const Nv__ScoreLine *line = card->data_lines[i];
        if (line->weight > 0 && line->value < 1 && (!lowest || line->value < lowest->value))
            lowest = line;
    }
    if (card->n_data_lines == 0)
        return "";
    return nv_printf(ctx, "%sData quality %d of 100: %s.",
                     card->data_score < DATA_QUALITY_LOW ? "WARNING: " : "", data_quality_shown(card),
                     lowest ? lowest->detail : "no row, value or reference is lost");
}
