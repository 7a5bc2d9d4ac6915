#include "worker/report/page.h"

static void put_evidence(nv_buf_t *buf, Nv__Evidence *const *evidence, size_t count)
{
    nv_buf_puts(buf, "<td>");
    for (size_t i = 0; i < count; i++)
        html_textf(buf, "%s%s", i ? "; " : "", evidence[i]->text);
    nv_buf_puts(buf, "</td>");
}

static void put_join(nv_mem_t *ctx, nv_buf_t *buf, const Nv__Join *join, const char *state)
{
    nv_buf_puts(buf, "<tr>");
    html_element(buf, "td", NULL,
                 nv_printf(ctx, "%s.%s", join->from, nv_join(ctx, ", ", join->columns, join->n_columns)));
    html_element(buf, "td", NULL,
                 nv_printf(ctx, "%s.%s", join->to, nv_join(ctx, ", ", join->to_columns, join->n_to_columns)));
    html_element(buf, "td", NULL, state);
    nv_buf_printf(buf, "<td class=\"n\">%.2f</td><td class=\"n\">%.1f %%</td><td class=\"n\">",
                  join->probability, 100 * join->coverage);
    html_count(buf, join->orphans);
    nv_buf_puts(buf, "</td>");
    put_evidence(buf, join->evidence, join->n_evidence);
    nv_buf_puts(buf, "</tr>\n");
}

static void put_roles(nv_buf_t *buf, const Nv__Relations *relations)
{
    static const char *const names[] = {"?", "fact", "dimension", "bridge", "other"};
    static const char *const titles[] = {"table", "role", ">confidence", "evidence", NULL};
    nv_buf_puts(buf, "<h3>Roles</h3>");
    html_table_open(buf, "roles", titles);
    for (size_t i = 0; i < relations->n_roles; i++) {
        const Nv__SourceRole *role = relations->roles[i];
        nv_buf_puts(buf, "<tr>");
        html_element(buf, "td", NULL, role->table);
        html_element(buf, "td", NULL, (unsigned)role->role < 5 ? names[role->role] : "?");
        nv_buf_printf(buf, "<td class=\"n\">%.2f</td>", role->confidence);
        put_evidence(buf, role->evidence, role->n_evidence);
        nv_buf_puts(buf, "</tr>\n");
    }
    html_table_close(buf);
}

static void put_keys(nv_mem_t *ctx, nv_buf_t *buf, const Nv__Relations *relations)
{
    static const char *const titles[] = {"table", "primary key", ">confidence", "evidence", NULL};
    nv_buf_puts(buf, "<h3>Keys</h3>");
    html_table_open(buf, "keys", titles);
    for (size_t i = 0; i < relations->n_primary_keys; i++) {
        const Nv__PrimaryKey *key = relations->primary_keys[i];
        nv_buf_puts(buf, "<tr>");
        html_element(buf, "td", NULL, key->table);
        html_element(buf, "td", NULL, nv_join(ctx, ", ", key->columns, key->n_columns));
        nv_buf_printf(buf, "<td class=\"n\">%.2f</td>", key->confidence);
        put_evidence(buf, key->evidence, key->n_evidence);
        nv_buf_puts(buf, "</tr>\n");
    }
    html_table_close(buf);
}

void page_relations(nv_buf_t *buf, const run_record_t *record)
{
    const Nv__Relations *relations = record->relations;
    if (!relations)
        return;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("report relations");
    static const char *const titles[] = {"from",      "to",       "decision", ">confidence",
                                         ">coverage", ">orphans", "evidence", NULL};
    nv_buf_puts(buf, "<section id=\"relations\"><h2>Keys, joins and roles, with their evidence</h2>\n"
                     "<h3>Joins</h3>");
    html_table_open(buf, "joins", titles);
    for (size_t i = 0; i < relations->n_joins; i++)
        put_join(ctx, buf, relations->joins[i], "accepted");
    for (size_t i = 0; i < relations->n_undecided; i++)
        put_join(ctx, buf, relations->undecided[i], "undecided");
    for (size_t i = 0; i < relations->n_rejected; i++)
        put_join(ctx, buf, relations->rejected[i], "proposed, refused by the data");
    html_table_close(buf);
    put_keys(ctx, buf, relations);
    put_roles(buf, relations);
    nv_buf_puts(buf, "</section>\n");
}

static void put_column(nv_mem_t *ctx, nv_buf_t *buf, const Nv__SttmColumn *column)
{
    nv_buf_puts(buf, "<tr>");
    html_element(buf, "td", "dim", column->mapping_id);
    html_element(buf, "td", NULL, column->name);
    html_element(buf, "td", NULL, report_full_type(ctx, column->type, column->precision, column->scale));
    html_element(buf, "td", NULL,
                 column->measure ? report_additivity(column->additivity) : report_key_role(column->key_role));
    html_element(buf, "td", NULL, report_inputs(ctx, column->transform));
    html_element(buf, "td", NULL, column->rule);
    html_element(buf, "td", NULL, report_scd(column->scd));
    nv_buf_printf(buf, "<td class=\"n\">%.2f</td></tr>\n", column->confidence);
}

static void put_hierarchy(nv_mem_t *ctx, nv_buf_t *buf, const Nv__Hierarchy *hierarchy)
{
    nv_buf_puts(buf, "<p>");
    html_textf(buf, "Hierarchy: %s", report_hierarchy(ctx, hierarchy));
    for (size_t i = 0; i < hierarchy->n_evidence; i++)
        html_element(buf, "span", "dim", nv_printf(ctx, " because %s", hierarchy->evidence[i]->text));
    nv_buf_puts(buf, "</p>\n");
}

static void put_target(nv_mem_t *ctx, nv_buf_t *buf, const Nv__SttmTarget *target)
{
    static const char *const titles[] = {"id",   "column", "type",        "role", "from",
                                         "rule", "SCD",    ">confidence", NULL};
    nv_buf_puts(buf, "<details><summary>");
    html_text(buf, target->name);
    nv_buf_puts(buf, " <span class=\"dim\">");
    html_textf(buf, "%s; %s; %zu columns", report_target_kind(target->kind),
               target->grain[0] ? target->grain : report_load_strategy(target->load), target->n_columns);
    nv_buf_puts(buf, "</span></summary>");
    html_element(buf, "p", NULL, target->description);
    for (size_t i = 0; i < target->n_hierarchies; i++)
        put_hierarchy(ctx, buf, target->hierarchies[i]);
    html_table_open(buf, target->name, titles);
    for (size_t i = 0; i < target->n_columns; i++)
        put_column(ctx, buf, target->columns[i]);
    html_table_close(buf);
    nv_buf_puts(buf, "</details>\n");
}

static void put_unmapped(nv_buf_t *buf, const Nv__Sttm *sttm)
{
    if (sttm->n_unmapped == 0)
        return;
    static const char *const titles[] = {"source", "column", "reason", NULL};
    nv_buf_printf(
        buf, "<details><summary>Left out <span class=\"dim\">%zu source columns or tables</span></summary>",
        sttm->n_unmapped);
    html_table_open(buf, "left out", titles);
    for (size_t i = 0; i < sttm->n_unmapped; i++) {
        nv_buf_puts(buf, "<tr>");
        html_element(buf, "td", NULL, sttm->unmapped[i]->source->table);
        html_element(buf, "td", NULL, sttm->unmapped[i]->source->column);
        html_element(buf, "td", NULL, sttm->unmapped[i]->reason);
        nv_buf_puts(buf, "</tr>\n");
    }
    html_table_close(buf);
    nv_buf_puts(buf, "</details>\n");
}

void page_mapping(nv_buf_t *buf, const run_record_t *record)
{
    const Nv__Sttm *sttm = record->sttm;
    if (!sttm)
        return;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("report mapping");
    nv_buf_puts(buf, "<section id=\"mapping\"><h2>Source-to-target mapping</h2>\n");
    for (size_t i = 0; i < sttm->n_targets; i++)
        put_target(ctx, buf, sttm->targets[i]);
    put_unmapped(buf, sttm);
    nv_buf_puts(buf, "</section>\n");
}
