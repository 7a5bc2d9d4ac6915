/* The end of a table's notebook: what changed, the rows out of silver, and the load. */
#include "worker/codegen/emit.h"
#include "worker/codegen/text.h"
#include "worker/codegen/transform.h"

#include <string.h>
#include <xxhash.h>

enum { LINE_WIDTH = 118 };

/* Whether a row of the target answers to one row of the driving source and keeps its key: every key column is a copy of one
 * of the source's, and nothing but the row itself decides whether it is in the table. */
static bool is_by_row(nv_mem_t *ctx, const Nv__Sttm *sttm, const Nv__SttmTarget *target)
{
    char **member;
    size_t n = model_member(ctx, sttm, target, &member);
    return n > 0 && n == model_source(sttm, target->driving_source)->n_key && !model_is_history(target) &&
           !model_inferred(target) && !target->distinct_rows && !*emit_refusing_rules(ctx, target);
}

/* Whether a history's versions can be computed anew member by member. */
static bool is_by_member(nv_mem_t *ctx, const Nv__Sttm *sttm, const Nv__SttmTarget *target)
{
    char **member;
    return model_is_history(target) && model_member(ctx, sttm, target, &member) > 0 &&
           !model_inferred(target) && !target->distinct_rows && !*emit_refusing_rules(ctx, target);
}

static char *join_condition(nv_mem_t *ctx, const Nv__SttmSourceJoin *join)
{
    char *text = nv_strdup(ctx, "");
    bool several = join->n_columns > 1;
    for (size_t i = 0; i < join->n_columns; i++)
        text = nv_printf(ctx, "%s%s%s%s == %s%s", text, i ? " & " : "", several ? "(" : "",
                         spark_column(ctx, join->parent_alias, join->columns[i]),
                         spark_column(ctx, join->alias, join->to_columns[i]), several ? ")" : "");
    return text;
}

static void put_join(nv_mem_t *ctx, nv_buf_t *buf, const Nv__Sttm *sttm, const Nv__SttmSourceJoin *join)
{
    char *side =
        nv_printf(ctx, "silver(%s, %s)", py_string(ctx, model_source(sttm, join->source)->silver_name),
                  py_string(ctx, join->alias));
    char *condition = join_condition(ctx, join);
    if (strlen(side) + strlen(condition) > LINE_WIDTH - 24)
        nv_buf_printf(buf, "    .join(\n        %s,\n        %s,\n        \"left\",\n    )\n", side,
                      condition);
    else
        nv_buf_printf(buf, "    .join(%s, %s, \"left\")\n", side, condition);
}

/* The driving rows with everything that is joined to them. */
static void put_rows(nv_mem_t *ctx, nv_buf_t *buf, const Nv__Sttm *sttm, const Nv__SttmTarget *target)
{
    nv_buf_t joins = nv_buf_make(ctx, NOTEBOOK_MAX);
    for (size_t i = 0; i < target->n_joins; i++)
        put_join(ctx, &joins, sttm, target->joins[i]);
    if (is_by_row(ctx, sttm, target) || is_by_member(ctx, sttm, target))
        nv_buf_puts(&joins, "    .transform(changes.only)\n");
    for (size_t i = 0; i < target->n_columns; i++)
        if (emit_is_lookup(target->columns[i]))
            nv_buf_printf(&joins, "    .transform(%s.join)\n", lookup_variable(ctx, target->columns[i]));
    char *driving = py_string(ctx, model_source(sttm, target->driving_source)->silver_name);
    if (joins.length)
        nv_buf_printf(buf, "rows = (\n    silver(%s, \"d\")\n%s)\n", driving, nv_buf_text(&joins));
    else
        nv_buf_printf(buf, "rows = silver(%s, \"d\")\n", driving);
}

/* REFERRED_BY: every silver table from which another table looks this dimension up, each combination once. */
static void put_referred_by(nv_mem_t *ctx, notebook_t *notebook, const Nv__Sttm *sttm,
                            const Nv__SttmTarget *dimension)
{
    notebook_cell(notebook, "Where members are referred to before they arrive");
    nv_buf_puts(&notebook->text, "REFERRED_BY = (\n");
    for (size_t t = 0; t < sttm->n_targets; t++)
        for (size_t i = 0; i < sttm->targets[t]->n_columns; i++) {
            const Nv__Transform *lookup = sttm->targets[t]->columns[i]->transform;
            if (!emit_is_lookup(sttm->targets[t]->columns[i]) ||
                strcmp(lookup->dimension, dimension->name) != 0)
                continue;
            char **columns = NV_NEW_ARRAY(ctx, char *, lookup->n_inputs);
            for (size_t k = 0; k < lookup->n_inputs; k++)
                columns[k] = lookup->inputs[k]->column;
            const Nv__SttmSource *source = model_alias(sttm, sttm->targets[t], lookup->inputs[0]->alias);
            char *line = nv_printf(ctx, "    ReferredBy(%s, %s),\n", py_string(ctx, source->silver_name),
                                   py_tuple(ctx, columns, lookup->n_inputs));
            if (!strstr(nv_buf_text(&notebook->text), line))
                nv_buf_puts(&notebook->text, line);
        }
    nv_buf_puts(&notebook->text, ")\n");
}

/* DATED_BY: every silver column that a date key is made of. */
static void put_dated_by(nv_mem_t *ctx, notebook_t *notebook, const Nv__Sttm *sttm)
{
    model_date_use_t *uses;
    size_t n = model_date_uses(ctx, sttm, &uses);
    notebook_cell(notebook, "Whose days the calendar covers");
    nv_buf_puts(&notebook->text, "DATED_BY = (\n");
    for (size_t i = 0; i < n; i++)
        nv_buf_printf(&notebook->text, "    (%s, %s),\n", py_string(ctx, uses[i].source->silver_name),
                      py_string(ctx, uses[i].column));
    nv_buf_puts(&notebook->text, ")\n");
}

/* lookups=[…]: on one line where it has room. */
static void put_lookup_names(nv_mem_t *ctx, nv_buf_t *buf, const Nv__SttmTarget *target)
{
    char *line = nv_strdup(ctx, ""), *lines = nv_strdup(ctx, "");
    for (size_t i = 0; i < target->n_columns; i++) {
        if (!emit_is_lookup(target->columns[i]))
            continue;
        char *name = lookup_variable(ctx, target->columns[i]);
        line = nv_printf(ctx, "%s%s%s", line, *line ? ", " : "", name);
        lines = nv_printf(ctx, "%s        %s,\n", lines, name);
    }
    if (strlen(line) > LINE_WIDTH - 16)
        nv_buf_printf(buf, "    lookups=[\n%s    ],\n", lines);
    else if (*line)
        nv_buf_printf(buf, "    lookups=[%s],\n", line);
}

/* changes = Changes(…): how the load finds what it has to look at. code: what makes and loads the rows. */
static void put_changes(nv_mem_t *ctx, notebook_t *notebook, const Nv__Sttm *sttm,
                        const Nv__SttmTarget *target, const char *code)
{
    nv_buf_t *buf = &notebook->text;
    XXH64_hash_t said = XXH64(code, strlen(code), 0);
    nv_buf_printf(buf, "changes = Changes(\n    target,\n    mapping=\"%016llx\",\n    silver={",
                  (unsigned long long)said);
    if (target->driving_source[0])
        nv_buf_printf(buf, "\"d\": %s",
                      py_string(ctx, model_source(sttm, target->driving_source)->silver_name));
    for (size_t i = 0; i < target->n_joins; i++)
        nv_buf_printf(buf, ", %s: %s", py_string(ctx, target->joins[i]->alias),
                      py_string(ctx, model_source(sttm, target->joins[i]->source)->silver_name));
    nv_buf_puts(buf, "},\n");
    if (model_is_dates(target))
        nv_buf_puts(buf, "    also=[silver_name for silver_name, _ in DATED_BY],\n");
    if (model_inferred(target))
        nv_buf_puts(buf, "    also=[other.silver for other in REFERRED_BY],\n");
    put_lookup_names(ctx, buf, target);
    if (!model_is_dates(target) && is_by_row(ctx, sttm, target))
        nv_buf_puts(buf, "    by_row=True,\n");
    if (is_by_member(ctx, sttm, target))
        nv_buf_puts(buf, "    by_member=True,\n");
    nv_buf_puts(buf, ")\n");
}

/* What the load is told besides the rows: ", name=value" each. */
static char *load_options(nv_mem_t *ctx, const Nv__Sttm *sttm, const Nv__SttmTarget *target)
{
    nv_buf_t buf = nv_buf_make(ctx, NOTEBOOK_MAX);
    bool history = model_is_history(target);
    if (history && target->effective_from[0])
        nv_buf_printf(&buf, ", effective_from=%s", spark_column(ctx, "d", target->effective_from));
    if (history && model_ended(ctx, sttm, model_source(sttm, target->driving_source)) == target)
        nv_buf_printf(&buf, ", ended_at=%s", spark_column(ctx, "d", "_ended_at"));
    if (model_has_versions(ctx, sttm, target))
        nv_buf_puts(&buf, ", all_versions=True");
    if (model_inferred(target))
        nv_buf_puts(&buf, ", referred_by=REFERRED_BY");
    return nv_strdup(ctx, nv_buf_text(&buf));
}

/* The call that loads; of the calendar, without rows. */
static void put_call(nv_mem_t *ctx, nv_buf_t *buf, const Nv__Sttm *sttm, const Nv__SttmTarget *target)
{
    char *step = py_string(ctx, emit_notebook_name(ctx, target));
    if (model_is_dates(target)) {
        nv_buf_printf(buf, "finish(%s, lambda: load_dates(target, %s, %s, DATED_BY, changes))\n", step,
                      py_string(ctx, target->date_first), py_string(ctx, target->date_last));
        return;
    }
    const char *load = model_is_history(target)     ? "load_history"
                       : model_is_dimension(target) ? "load_dimension"
                                                    : "load_rows";
    char *call = nv_printf(ctx, "%s(target, rows, changes%s)", load, load_options(ctx, sttm, target));
    if (strlen(step) + strlen(call) + strlen("finish(, lambda: )") > LINE_WIDTH)
        nv_buf_printf(buf, "finish(\n    %s,\n    lambda: %s,\n)\n", step, call);
    else
        nv_buf_printf(buf, "finish(%s, lambda: %s)\n", step, call);
}

void emit_load(nv_mem_t *ctx, notebook_t *notebook, const Nv__Sttm *sttm, const Nv__SttmTarget *target)
{
    if (model_is_dates(target))
        put_dated_by(ctx, notebook, sttm);
    if (model_inferred(target))
        put_referred_by(ctx, notebook, sttm, target);
    nv_buf_t code = nv_buf_make(ctx, NOTEBOOK_MAX);
    if (!model_is_dates(target))
        put_rows(ctx, &code, sttm, target);
    put_call(ctx, &code, sttm, target);
    notebook_cell(notebook, "Load");
    put_changes(ctx, notebook, sttm, target, nv_buf_text(&code));
    nv_buf_puts(&notebook->text, nv_buf_text(&code));
}
