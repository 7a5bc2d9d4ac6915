/* One notebook per table of the star: lookups, the mapping column by column, the load. */
#include "worker/codegen/emit.h"
#include "worker/codegen/rules.h"
#include "worker/codegen/text.h"
#include "worker/codegen/transform.h"

#include <string.h>

enum { LINE_WIDTH = 118 };

char *emit_notebook_name(nv_mem_t *ctx, const Nv__SttmTarget *target)
{
    const char *layer = target->kind == NV__TARGET_KIND__TARGET_KIND_FACT     ? "40"
                        : target->kind == NV__TARGET_KIND__TARGET_KIND_BRIDGE ? "50"
                                                                              : "30";
    return nv_printf(ctx, "%s_%s", layer, py_name(ctx, target->name));
}

static char *about(nv_mem_t *ctx, const Nv__Sttm *sttm, const Nv__SttmTarget *target)
{
    const char *first = target->n_columns ? target->columns[0]->mapping_id : "";
    const char *last = target->n_columns ? target->columns[target->n_columns - 1]->mapping_id : "";
    char *grain = target->grain[0] ? nv_printf(ctx, "\n\nGrain: %s.", py_comment(ctx, target->grain, 300))
                                   : nv_strdup(ctx, "");
    return nv_printf(ctx, "%s%s\n\nMapping lines %s to %s of %s, version %s.",
                     py_comment(ctx, target->description, 1000), grain, first, last,
                     py_comment(ctx, sttm->name, 100), py_comment(ctx, sttm->version, 20));
}

bool emit_is_lookup(const Nv__SttmColumn *column)
{
    return column->transform->op == NV__TRANSFORM_OP__TRANSFORM_OP_LOOKUP;
}

/* The arguments by which a lookup finds the right version of an SCD2 member. */
static void put_versions(nv_mem_t *ctx, nv_buf_t *buf, const Nv__SttmTarget *dimension,
                         const Nv__Transform *t)
{
    if (!model_is_history(dimension))
        return;
    nv_buf_printf(buf, "    versions=%s,\n",
                  py_string(ctx, model_with_op(dimension, NV__TRANSFORM_OP__TRANSFORM_OP_SCD_FROM)->name));
    const char *dot = strchr(t->as_of, '.');
    if (dot)
        nv_buf_printf(buf, "    as_of=%s,\n",
                      spark_column(ctx, nv_strndup(ctx, t->as_of, (size_t)(dot - t->as_of)), dot + 1));
}

static void put_lookup(nv_mem_t *ctx, nv_buf_t *buf, const Nv__Sttm *sttm, const Nv__SttmColumn *column)
{
    const Nv__Transform *t = column->transform;
    const Nv__SttmTarget *dimension = model_target(sttm, t->dimension);
    char *variable = lookup_variable(ctx, column);
    char **key;
    size_t n = model_key(ctx, dimension, &key);
    nv_buf_printf(buf,
                  "# %s\n%s = Lookup(\n    %s,\n    dimension=%s,\n    surrogate=%s,\n    business_key={",
                  py_comment(ctx, column->mapping_id, 40), variable, py_string(ctx, variable),
                  py_string(ctx, dimension->name),
                  py_string(ctx, model_with_role(dimension, NV__KEY_ROLE__KEY_ROLE_SURROGATE)->name));
    for (size_t i = 0; i < n; i++)
        nv_buf_printf(buf, "%s%s: %s", i ? ", " : "", py_string(ctx, key[i]),
                      spark_column(ctx, t->inputs[i]->alias, t->inputs[i]->column));
    nv_buf_puts(buf, "},\n");
    put_versions(ctx, buf, dimension, t);
    nv_buf_puts(buf, ")\n");
}

static void put_lookups(nv_mem_t *ctx, notebook_t *notebook, const Nv__Sttm *sttm,
                        const Nv__SttmTarget *target)
{
    bool any = false;
    for (size_t i = 0; i < target->n_columns; i++) {
        if (!emit_is_lookup(target->columns[i]))
            continue;
        if (!any)
            notebook_cell(notebook, "Lookups");
        put_lookup(ctx, &notebook->text, sttm, target->columns[i]);
        any = true;
    }
}

static int scd_number(const Nv__SttmColumn *column)
{
    return column->scd == NV__SCD_TYPE__SCD_TYPE_2 ? 2 : column->scd == NV__SCD_TYPE__SCD_TYPE_0 ? 0 : 1;
}

/* The dimension that a foreign or date key leads to. */
static const Nv__SttmTarget *references(const Nv__Sttm *sttm, const Nv__SttmTarget *target,
                                        const Nv__SttmColumn *column)
{
    if (emit_is_lookup(column))
        return model_target(sttm, column->transform->dimension);
    bool date = column->transform->op == NV__TRANSFORM_OP__TRANSFORM_OP_DATE_KEY && !model_is_dates(target);
    return date ? model_date_dimension(sttm) : NULL;
}

/* A number copied from a source whose numbers may become wider. */
static bool widens(const Nv__Sttm *sttm, const Nv__SttmTarget *target, const Nv__SttmColumn *column)
{
    if (column->transform->op != NV__TRANSFORM_OP__TRANSFORM_OP_COPY || column->transform->n_inputs == 0)
        return false;
    const Nv__SttmSource *source = model_alias(sttm, target, column->transform->inputs[0]->alias);
    bool number = column->type == NV__VALUE_TYPE__VALUE_TYPE_INT64 ||
                  column->type == NV__VALUE_TYPE__VALUE_TYPE_DECIMAL;
    return number && source && source->policy &&
           source->policy->changed_types == NV__DRIFT_ACTION__DRIFT_ACTION_WIDEN;
}

/* What never makes a row differ; the other audit columns are content. */
static bool is_stamp(const Nv__SttmColumn *column)
{
    static const char *const stamps[] = {"batch_id", "loaded_at", "row_hash", "source_file"};
    if (column->transform->op != NV__TRANSFORM_OP__TRANSFORM_OP_AUDIT)
        return false;
    for (size_t i = 0; i < sizeof stamps / sizeof stamps[0]; i++)
        if (strcmp(column->transform->constant, stamps[i]) == 0)
            return true;
    return false;
}

/* Mapped("M0042", "name", "TYPE", value, comment="…", …), broken into lines where it is long. */
static bool put_column(nv_mem_t *ctx, nv_buf_t *buf, const Nv__Sttm *sttm, const Nv__SttmTarget *target,
                       const Nv__SttmColumn *column, nv_error_t *err)
{
    char *value;
    if (!transform_expression(ctx, target, column, &value, err))
        return nv_wrap(err, "sttm.targets[%s].columns[%s]", target->name, column->name);
    nv_buf_t more = nv_buf_make(ctx, NOTEBOOK_MAX);
    if (column->description[0])
        nv_buf_printf(&more, "comment=%s, ", py_string(ctx, column->description));
    if (scd_number(column) != 1)
        nv_buf_printf(&more, "scd=%d, ", scd_number(column));
    if (column->unknown_member[0])
        nv_buf_printf(&more, "unknown=%s, ", py_string(ctx, column->unknown_member));
    if (references(sttm, target, column))
        nv_buf_printf(&more, "references=%s, ", py_string(ctx, references(sttm, target, column)->name));
    if (column->pii[0])
        nv_buf_printf(&more, "pii=%s, ", py_string(ctx, column->pii));
    if (widens(sttm, target, column))
        nv_buf_puts(&more, "widens=True, ");
    if (is_stamp(column))
        nv_buf_printf(&more, "audit=%s, ", py_string(ctx, column->transform->constant));
    char *options = nv_strndup(ctx, nv_buf_text(&more), more.length >= 2 ? more.length - 2 : 0);
    char *head = nv_printf(ctx, "        Mapped(%s, %s, \"%s\"", py_string(ctx, column->mapping_id),
                           py_string(ctx, column->name),
                           codegen_type(ctx, column->type, column->precision, column->scale));
    size_t width = strlen(head) + (value ? strlen(value) : 0) + strlen(options) + 6;
    const char *between = width > LINE_WIDTH ? ",\n               " : ", ";
    nv_buf_puts(buf, head);
    if (value)
        nv_buf_printf(buf, "%s%s", between, value);
    if (*options)
        nv_buf_printf(buf, "%s%s", between, options);
    nv_buf_puts(buf, "),\n");
    return true;
}

/* The columns that the runtime fills in a dimension. */
static void put_dimension_columns(nv_mem_t *ctx, nv_buf_t *buf, const Nv__SttmTarget *target)
{
    if (!model_is_dimension(target) && !model_is_dates(target))
        return;
    nv_buf_printf(buf, "    surrogate=%s,\n",
                  py_string(ctx, model_with_role(target, NV__KEY_ROLE__KEY_ROLE_SURROGATE)->name));
    if (model_inferred(target))
        nv_buf_printf(buf, "    inferred=%s,\n", py_string(ctx, model_inferred(target)->name));
    if (!model_is_history(target))
        return;
    nv_buf_printf(buf, "    valid_from=%s,\n    valid_to=%s,\n    current=%s,\n",
                  py_string(ctx, model_with_op(target, NV__TRANSFORM_OP__TRANSFORM_OP_SCD_FROM)->name),
                  py_string(ctx, model_with_op(target, NV__TRANSFORM_OP__TRANSFORM_OP_SCD_TO)->name),
                  py_string(ctx, model_with_op(target, NV__TRANSFORM_OP__TRANSFORM_OP_SCD_CURRENT)->name));
}

/* rules=(…): those that keep a row out of the table. */
const char *emit_refusing_rules(nv_mem_t *ctx, const Nv__SttmTarget *target)
{
    nv_buf_t buf = nv_buf_make(ctx, NOTEBOOK_MAX);
    const Nv__QualityRule *const *rules;
    size_t n = rule_all(ctx, target, &rules);
    for (size_t i = 0; i < n; i++)
        if (rule_is_of_row(rules[i]) && rule_refuses(rules[i]))
            nv_buf_printf(&buf, "        %s,\n", rule_declaration(ctx, rules[i], rule_target_type, target));
    return nv_buf_text(&buf);
}

static bool put_target(nv_mem_t *ctx, notebook_t *notebook, const Nv__Sttm *sttm,
                       const Nv__SttmTarget *target, nv_error_t *err)
{
    nv_buf_t *buf = &notebook->text;
    char **key;
    size_t n = model_key(ctx, target, &key);
    notebook_cell(notebook, "Mapping");
    nv_buf_printf(buf, "target = Target(\n    name=%s,\n    comment=%s,\n    key=%s,\n",
                  py_string(ctx, target->name), py_string(ctx, target->description), py_tuple(ctx, key, n));
    put_dimension_columns(ctx, buf, target);
    if (target->n_cluster_by)
        nv_buf_printf(buf, "    cluster_by=%s,\n", py_tuple(ctx, target->cluster_by, target->n_cluster_by));
    nv_buf_puts(buf, "    columns=(\n");
    for (size_t i = 0; i < target->n_columns; i++)
        if (!put_column(ctx, buf, sttm, target, target->columns[i], err))
            return false;
    nv_buf_puts(buf, "    ),\n");
    if (*emit_refusing_rules(ctx, target))
        nv_buf_printf(buf, "    rules=(\n%s    ),\n", emit_refusing_rules(ctx, target));
    nv_buf_puts(buf, ")\n");
    return true;
}

bool emit_target(nv_mem_t *ctx, const Nv__Sttm *sttm, const Nv__SttmTarget *target, Nv__ProjectFile **out,
                 nv_error_t *err)
{
    char *path = nv_printf(ctx, "notebooks/%s.py", emit_notebook_name(ctx, target));
    notebook_t notebook =
        notebook_make(ctx, path, target->name, about(ctx, sttm, target), "nuvyn_core nuvyn_star");
    put_lookups(ctx, &notebook, sttm, target);
    if (!put_target(ctx, &notebook, sttm, target, err))
        return false;
    emit_load(ctx, &notebook, sttm, target);
    return notebook_finish(ctx, &notebook, out, err);
}
