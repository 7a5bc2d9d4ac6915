#include "worker/report/report.h"

#include <inttypes.h>

/* Cell text: pipes and line breaks would break the table. */
static void put_cell(nv_buf_t *buf, const char *text)
{
    for (; *text; text++) {
        if (*text == '|')
            nv_buf_puts(buf, "\\|");
        else if (*text == '\n' || *text == '\r')
            nv_buf_putc(buf, ' ');
        else
            nv_buf_putc(buf, *text);
    }
    nv_buf_puts(buf, " | ");
}

static void put_target(nv_mem_t *ctx, nv_buf_t *buf, const Nv__SttmTarget *target)
{
    nv_buf_printf(buf, "\n## %s %s\n\n%s\n\n", target->id, target->name, target->description);
    nv_buf_printf(buf, "- Kind: %s; load: %s\n", report_target_kind(target->kind),
                  report_load_strategy(target->load));
    if (target->grain[0])
        nv_buf_printf(buf, "- Grain: %s (%s)\n", target->grain,
                      nv_join(ctx, ", ", target->grain_columns, target->n_grain_columns));
    if (target->driving_source[0])
        nv_buf_printf(buf, "- Driving source: %s\n", target->driving_source);
    for (size_t i = 0; i < target->n_joins; i++)
        nv_buf_printf(buf, "- Join: %s.(%s) = %s.(%s)\n", target->joins[i]->parent_alias,
                      nv_join(ctx, ", ", target->joins[i]->columns, target->joins[i]->n_columns),
                      target->joins[i]->source,
                      nv_join(ctx, ", ", target->joins[i]->to_columns, target->joins[i]->n_to_columns));
    for (size_t i = 0; i < target->n_hierarchies; i++)
        nv_buf_printf(buf, "- Hierarchy: %s\n", report_hierarchy(ctx, target->hierarchies[i]));
    nv_buf_puts(buf,
                "\n| id | column | type | key | source | rule | SCD | additivity | default | confidence |\n"
                "|---|---|---|---|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < target->n_columns; i++) {
        const Nv__SttmColumn *column = target->columns[i];
        nv_buf_puts(buf, "| ");
        put_cell(buf, column->mapping_id);
        put_cell(buf, column->name);
        put_cell(buf, report_full_type(ctx, column->type, column->precision, column->scale));
        put_cell(buf, report_key_role(column->key_role));
        put_cell(buf, report_inputs(ctx, column->transform));
        put_cell(buf, column->rule);
        put_cell(buf, report_scd(column->scd));
        put_cell(buf, column->measure ? report_additivity(column->additivity) : "");
        put_cell(buf, column->default_value);
        nv_buf_printf(buf, "%.2f |\n", column->confidence);
    }
}

static void put_sources(nv_mem_t *ctx, nv_buf_t *buf, const Nv__Sttm *sttm)
{
    nv_buf_puts(buf, "\n## Sources\n\n| source | rows | exact duplicates | key | columns | files "
                     "|\n|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < sttm->n_sources; i++) {
        const Nv__SttmSource *source = sttm->sources[i];
        nv_buf_puts(buf, "| ");
        put_cell(buf, source->name);
        nv_buf_printf(buf, "%" PRId64 " | %" PRId64 " | ", source->row_count, source->duplicate_row_count);
        put_cell(buf, nv_join(ctx, ", ", source->key, source->n_key));
        nv_buf_printf(buf, "%zu | ", source->n_columns);
        put_cell(buf, source->file_pattern);
        nv_buf_putc(buf, '\n');
    }
}

static void put_unmapped(nv_buf_t *buf, const Nv__Sttm *sttm)
{
    if (sttm->n_unmapped == 0)
        return;
    nv_buf_puts(buf, "\n## Source columns left out\n\n| source | column | reason |\n|---|---|---|\n");
    for (size_t i = 0; i < sttm->n_unmapped; i++) {
        nv_buf_puts(buf, "| ");
        put_cell(buf, sttm->unmapped[i]->source->table);
        put_cell(buf, sttm->unmapped[i]->source->column);
        put_cell(buf, sttm->unmapped[i]->reason);
        nv_buf_putc(buf, '\n');
    }
}

void report_sttm_markdown(nv_buf_t *buf, const Nv__Sttm *sttm)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("sttm markdown");
    nv_buf_printf(buf, "# Source-to-target mapping: %s\n\nVersion %s, decided by %s, from %s.\n", sttm->name,
                  sttm->version, sttm->method, sttm->source_root);
    put_sources(ctx, buf, sttm);
    for (size_t i = 0; i < sttm->n_targets; i++)
        put_target(ctx, buf, sttm->targets[i]);
    put_unmapped(buf, sttm);
}
