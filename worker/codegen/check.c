/* What a mapping must fulfil so that code can be generated from it. The Tester's review asks more (coverage, evidence);
 * here is only what the emitters rely on. */
#include "worker/codegen/model.h"
#include "worker/codegen/rules.h"
#include "worker/codegen/text.h"

#include <string.h>
#include <strings.h>

/* A set of names, compared as Spark does: without regard to case. */
typedef struct name_set {
    const char **names;
    size_t n;
    size_t capacity;
} name_set_t;

static bool add_name(nv_mem_t *ctx, name_set_t *set, const char *name, const char *where, nv_error_t *err)
{
    if (!*name || strlen(name) > 255)
        return nv_fail(err, NV_INVALID_ARGUMENT, "%s: name \"%.40s\": expected 1 to 255 bytes", where, name);
    for (size_t i = 0; i < set->n; i++)
        if (strcasecmp(set->names[i], name) == 0)
            return nv_fail(err, NV_INVALID_ARGUMENT, "%s: name \"%s\" is used twice", where, name);
    NV_PUSH(ctx, set->names, set->n, set->capacity) = name;
    return true;
}

static bool is_calendar_day(const char *text)
{
    return strlen(text) == 10 && strcmp(text, MODEL_FIRST_DAY) >= 0 && strcmp(text, MODEL_LAST_DAY) <= 0;
}

/* Table and column names become paths and identifiers in several systems. */
static bool check_identifier(const char *name, const char *where, nv_error_t *err)
{
    if (!is_plain_name(name))
        return nv_fail(err, NV_INVALID_ARGUMENT, "%s: \"%.80s\": expected letters, digits and _", where,
                       name);
    return true;
}

static bool check_type(int type, int precision, int scale, const char *where, nv_error_t *err)
{
    if (type <= NV__VALUE_TYPE__VALUE_TYPE_UNSPECIFIED || type > NV__VALUE_TYPE__VALUE_TYPE_TIME)
        return nv_fail(err, NV_INVALID_ARGUMENT, "%s: type: expected one of the value types", where);
    if (type == NV__VALUE_TYPE__VALUE_TYPE_DECIMAL &&
        (precision < 1 || precision > 38 || scale < 0 || scale > precision))
        return nv_fail(err, NV_INVALID_ARGUMENT,
                       "%s: DECIMAL(%d,%d): expected precision 1 to 38 and scale within it", where, precision,
                       scale);
    return true;
}

static bool check_silver_names(const Nv__SttmSource *source, char **names, size_t n, const char *where,
                               nv_error_t *err)
{
    for (size_t i = 0; i < n; i++)
        if (!model_source_column(source, names[i]))
            return nv_fail(err, NV_INVALID_ARGUMENT, "%s: \"%s\": %s has no such silver column", where,
                           names[i], source->name);
    return true;
}

static bool check_dialect(const Nv__SttmSource *source, const char *where, nv_error_t *err)
{
    const Nv__Dialect *dialect = source->dialect;
    const char *format = dialect ? dialect->format : "";
    if (strcmp(format, "csv") != 0 && strcmp(format, "jsonl") != 0 && strcmp(format, "parquet") != 0 &&
        strcmp(format, "table") != 0)
        return nv_fail(err, NV_UNIMPLEMENTED,
                       "%s.dialect.format: \"%s\": expected csv, jsonl, parquet or table", where, format);
    if (strcmp(format, "csv") != 0 && dialect->encoding[0] && strcmp(dialect->encoding, "utf-8") != 0)
        return nv_fail(err, NV_UNIMPLEMENTED, "%s.dialect.encoding: \"%s\": %s is read as utf-8", where,
                       dialect->encoding, format);
    bool lines_are_told = strcmp(format, "csv") == 0 && strcmp(dialect->encoding, "utf-16") != 0;
    if (dialect->skip_lines < 0 || (dialect->skip_lines > 0 && !lines_are_told))
        return nv_fail(err, NV_UNIMPLEMENTED,
                       "%s.dialect.skip_lines: %d: lines can be skipped in csv files, not in utf-16", where,
                       dialect->skip_lines);
    return true;
}

static bool is_one_of(int value, const int *allowed, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (value == allowed[i])
            return true;
    return value == NV__DRIFT_ACTION__DRIFT_ACTION_UNSPECIFIED;
}

static bool check_policy(const Nv__SttmSource *source, const char *where, nv_error_t *err)
{
    static const int of_new[] = {NV__DRIFT_ACTION__DRIFT_ACTION_RESCUE, NV__DRIFT_ACTION__DRIFT_ACTION_ADD,
                                 NV__DRIFT_ACTION__DRIFT_ACTION_FAIL};
    static const int of_missing[] = {NV__DRIFT_ACTION__DRIFT_ACTION_FAIL,
                                     NV__DRIFT_ACTION__DRIFT_ACTION_NULL};
    static const int of_type[] = {NV__DRIFT_ACTION__DRIFT_ACTION_RESCUE, NV__DRIFT_ACTION__DRIFT_ACTION_WIDEN,
                                  NV__DRIFT_ACTION__DRIFT_ACTION_FAIL};
    const Nv__SourcePolicy *policy = source->policy;
    if (!policy)
        return true;
    if (!is_one_of(policy->new_columns, of_new, 3))
        return nv_fail(err, NV_INVALID_ARGUMENT, "%s.policy.new_columns: expected RESCUE, ADD or FAIL",
                       where);
    if (!is_one_of(policy->missing_columns, of_missing, 2))
        return nv_fail(err, NV_INVALID_ARGUMENT, "%s.policy.missing_columns: expected FAIL or NULL", where);
    if (!is_one_of(policy->changed_types, of_type, 3))
        return nv_fail(err, NV_INVALID_ARGUMENT, "%s.policy.changed_types: expected RESCUE, WIDEN or FAIL",
                       where);
    if (policy->max_delete_share < 0 || policy->max_delete_share > 1)
        return nv_fail(err, NV_INVALID_ARGUMENT, "%s.policy.max_delete_share: expected 0 to 1", where);
    if (policy->deletes != NV__DELETE_MODE__DELETE_MODE_MARKER)
        return true;
    if (!model_source_column(source, policy->delete_column) || policy->n_delete_values == 0)
        return nv_fail(err, NV_INVALID_ARGUMENT,
                       "%s.policy: MARKER: expected delete_column and delete_values", where);
    return true;
}

/* A rule that refuses rows needs to say which: of one row, a reference to a source, or what is to be distinct. */
static bool check_source_rules(nv_mem_t *ctx, const Nv__Sttm *sttm, const Nv__SttmSource *source,
                               const char *where, nv_error_t *err)
{
    for (size_t i = 0; i < source->n_rules; i++) {
        const Nv__QualityRule *rule = source->rules[i];
        char *at = nv_printf(ctx, "%s.rules[%s]", where, rule->id);
        bool of_row = rule_is_of_row(rule) || rule->kind == NV__RULE_KIND__RULE_KIND_PARSES;
        if (rule->severity == NV__SEVERITY__SEVERITY_DROP && !of_row)
            return nv_fail(err, NV_UNIMPLEMENTED, "%s: only what one row breaks can be dropped", at);
        if (rule->kind != NV__RULE_KIND__RULE_KIND_REFERENCE ||
            rule->severity != NV__SEVERITY__SEVERITY_QUARANTINE)
            continue;
        const Nv__SttmSource *other = model_source(sttm, rule->ref_target);
        if (!other || rule->n_columns == 0 || rule->n_columns != rule->n_ref_columns)
            return nv_fail(
                err, NV_INVALID_ARGUMENT,
                "%s: rows can be quarantined for a reference to a source only, with as many columns "
                "as ref_columns; ref_target is \"%s\"",
                at, rule->ref_target);
        if (!check_silver_names(source, rule->columns, rule->n_columns, at, err) ||
            !check_silver_names(other, rule->ref_columns, rule->n_ref_columns, at, err))
            return false;
    }
    return true;
}

static bool check_source(nv_mem_t *ctx, const Nv__SttmSource *source, name_set_t *tables, nv_error_t *err)
{
    char *where = nv_printf(ctx, "sttm.sources[%s]", source->name);
    if (!check_identifier(source->silver_name, nv_printf(ctx, "%s.silver_name", where), err) ||
        !add_name(ctx, tables, source->silver_name, where, err) ||
        !add_name(ctx, tables, codegen_bronze_table(ctx, source), where, err) ||
        !check_dialect(source, where, err))
        return false;
    if (!source->file_pattern[0] || strchr(source->file_pattern, '/'))
        return nv_fail(err, NV_INVALID_ARGUMENT, "%s.file_pattern: \"%s\": expected a file name pattern",
                       where, source->file_pattern);
    if (source->n_columns == 0)
        return nv_fail(err, NV_INVALID_ARGUMENT, "%s.columns: expected at least one", where);
    name_set_t columns = {0};
    for (size_t i = 0; i < source->n_columns; i++) {
        const Nv__SttmSourceColumn *c = source->columns[i];
        char *at = nv_printf(ctx, "%s.columns[%s]", where, c->name);
        if (!check_identifier(c->silver_name, nv_printf(ctx, "%s.silver_name", at), err) ||
            !add_name(ctx, &columns, c->silver_name, at, err) ||
            !check_type(c->type, c->precision, c->scale, at, err))
            return false;
    }
    return check_silver_names(source, source->key, source->n_key, nv_printf(ctx, "%s.key", where), err) &&
           check_silver_names(source, source->latest_by, source->n_latest_by,
                              nv_printf(ctx, "%s.latest_by", where), err) &&
           check_policy(source, where, err);
}

static bool check_input(const Nv__Sttm *sttm, const Nv__SttmTarget *target, const char *alias,
                        const char *column, const char *where, nv_error_t *err)
{
    const Nv__SttmSource *source = model_alias(sttm, target, alias);
    if (!source)
        return nv_fail(err, NV_INVALID_ARGUMENT, "%s: alias \"%s\": expected \"d\" or an alias of a join",
                       where, alias);
    if (!model_source_column(source, column))
        return nv_fail(err, NV_INVALID_ARGUMENT, "%s: %s (%s) has no silver column \"%s\"", where, alias,
                       source->name, column);
    return true;
}

static bool check_joins(nv_mem_t *ctx, const Nv__Sttm *sttm, const Nv__SttmTarget *target, const char *where,
                        nv_error_t *err)
{
    name_set_t aliases = {0};
    if (!add_name(ctx, &aliases, "d", where, err))
        return false;
    for (size_t i = 0; i < target->n_joins; i++) {
        const Nv__SttmSourceJoin *join = target->joins[i];
        char *at = nv_printf(ctx, "%s.joins[%s]", where, join->alias);
        const Nv__SttmSource *source = model_source(sttm, join->source);
        if (!source)
            return nv_fail(err, NV_INVALID_ARGUMENT, "%s.source: \"%s\" is no source", at, join->source);
        bool known = false;
        for (size_t k = 0; k < aliases.n; k++)
            known = known || strcmp(aliases.names[k], join->parent_alias) == 0;
        if (!known)
            return nv_fail(err, NV_INVALID_ARGUMENT,
                           "%s.parent_alias: \"%s\": expected an alias that stands before", at,
                           join->parent_alias);
        if (!check_identifier(join->alias, at, err) || !add_name(ctx, &aliases, join->alias, at, err))
            return false;
        if (join->n_columns == 0 || join->n_columns != join->n_to_columns)
            return nv_fail(err, NV_INVALID_ARGUMENT,
                           "%s: expected as many columns as to_columns, at least one", at);
        for (size_t k = 0; k < join->n_columns; k++)
            if (!check_input(sttm, target, join->parent_alias, join->columns[k], at, err) ||
                !check_input(sttm, target, join->alias, join->to_columns[k], at, err))
                return false;
    }
    return true;
}

static bool check_lookup(nv_mem_t *ctx, const Nv__Sttm *sttm, const Nv__SttmTarget *target,
                         const Nv__Transform *t, const char *where, nv_error_t *err)
{
    const Nv__SttmTarget *dimension = model_target(sttm, t->dimension);
    if (!dimension || !model_is_dimension(dimension))
        return nv_fail(err, NV_INVALID_ARGUMENT, "%s.dimension: \"%s\" is no dimension", where, t->dimension);
    char **key;
    size_t n = model_key(ctx, dimension, &key);
    if (n != t->n_inputs)
        return nv_fail(err, NV_INVALID_ARGUMENT, "%s.inputs: %zu for the %zu business key columns of %s",
                       where, t->n_inputs, n, dimension->name);
    if (!t->as_of[0])
        return true;
    const char *dot = strchr(t->as_of, '.');
    if (!dot)
        return nv_fail(err, NV_INVALID_ARGUMENT, "%s.as_of: \"%s\": expected alias.column", where, t->as_of);
    return check_input(sttm, target, nv_strndup(ctx, t->as_of, (size_t)(dot - t->as_of)), dot + 1, where,
                       err);
}

static bool check_transform(nv_mem_t *ctx, const Nv__Sttm *sttm, const Nv__SttmTarget *target,
                            const Nv__SttmColumn *column, const char *where, nv_error_t *err)
{
    const Nv__Transform *t = column->transform;
    if (!t || t->op <= NV__TRANSFORM_OP__TRANSFORM_OP_UNSPECIFIED ||
        t->op > NV__TRANSFORM_OP__TRANSFORM_OP_AUDIT)
        return nv_fail(err, NV_INVALID_ARGUMENT, "%s.transform.op: expected one of the operations", where);
    bool from_inputs =
        t->op == NV__TRANSFORM_OP__TRANSFORM_OP_COPY || t->op == NV__TRANSFORM_OP__TRANSFORM_OP_LOOKUP ||
        t->op == NV__TRANSFORM_OP__TRANSFORM_OP_DATE_KEY || t->op == NV__TRANSFORM_OP__TRANSFORM_OP_CONCAT ||
        t->op == NV__TRANSFORM_OP__TRANSFORM_OP_COALESCE || t->op == NV__TRANSFORM_OP__TRANSFORM_OP_MULTIPLY;
    bool of_dates = model_is_dates(target);
    if (from_inputs && !of_dates && t->n_inputs == 0)
        return nv_fail(err, NV_INVALID_ARGUMENT, "%s.transform.inputs: expected at least one", where);
    for (size_t i = 0; i < t->n_inputs && !of_dates; i++)
        if (!check_input(sttm, target, t->inputs[i]->alias, t->inputs[i]->column, where, err))
            return false;
    if (t->op == NV__TRANSFORM_OP__TRANSFORM_OP_DATE_KEY && !of_dates && !model_date_dimension(sttm))
        return nv_fail(err, NV_INVALID_ARGUMENT, "%s: a date key without a date dimension", where);
    return t->op != NV__TRANSFORM_OP__TRANSFORM_OP_LOOKUP || check_lookup(ctx, sttm, target, t, where, err);
}

static bool check_columns(nv_mem_t *ctx, const Nv__Sttm *sttm, const Nv__SttmTarget *target,
                          const char *where, nv_error_t *err)
{
    name_set_t columns = {0};
    for (size_t i = 0; i < target->n_columns; i++) {
        const Nv__SttmColumn *c = target->columns[i];
        char *at = nv_printf(ctx, "%s.columns[%s]", where, c->name);
        if (!check_identifier(c->name, nv_printf(ctx, "%s.name", at), err) ||
            !add_name(ctx, &columns, c->name, at, err) ||
            !check_type(c->type, c->precision, c->scale, at, err) ||
            !check_transform(ctx, sttm, target, c, at, err))
            return false;
    }
    for (size_t i = 0; i < target->n_grain_columns; i++)
        if (!model_column(target, target->grain_columns[i]))
            return nv_fail(err, NV_INVALID_ARGUMENT, "%s.grain_columns: \"%s\" is no column of it", where,
                           target->grain_columns[i]);
    return true;
}

/* What the kind of table needs: a surrogate and a business key, the three columns of a history. */
static bool check_kind(nv_mem_t *ctx, const Nv__SttmTarget *target, const char *where, nv_error_t *err)
{
    char **key;
    bool dimension = model_is_dimension(target);
    bool dates = model_is_dates(target);
    if (!dates && model_key(ctx, target, &key) == 0)
        return nv_fail(err, NV_INVALID_ARGUMENT, "%s: neither business key nor grain columns", where);
    if ((dimension || dates) && !model_with_role(target, NV__KEY_ROLE__KEY_ROLE_SURROGATE))
        return nv_fail(err, NV_INVALID_ARGUMENT, "%s: a dimension without a surrogate key column", where);
    if (model_is_history(target) &&
        (!dimension || !model_with_op(target, NV__TRANSFORM_OP__TRANSFORM_OP_SCD_FROM) ||
         !model_with_op(target, NV__TRANSFORM_OP__TRANSFORM_OP_SCD_TO) ||
         !model_with_op(target, NV__TRANSFORM_OP__TRANSFORM_OP_SCD_CURRENT)))
        return nv_fail(err, NV_INVALID_ARGUMENT,
                       "%s: SCD2 needs a dimension with SCD_FROM, SCD_TO and SCD_CURRENT", where);
    if (dates && (!is_calendar_day(target->date_first) || !is_calendar_day(target->date_last)))
        return nv_fail(err, NV_INVALID_ARGUMENT,
                       "%s: date_first and date_last: expected YYYY-MM-DD within %s and %s", where,
                       MODEL_FIRST_DAY, MODEL_LAST_DAY);
    return true;
}

/* A marker that names a version ends the member at its date: it needs one, and two histories cannot have two. */
static bool check_markers(nv_mem_t *ctx, const Nv__Sttm *sttm, const Nv__SttmTarget *target,
                          const char *where, nv_error_t *err)
{
    char **key;
    const Nv__SttmSource *driving = model_source(sttm, target->driving_source);
    if (!model_is_history(target) || !driving || !driving->policy ||
        driving->policy->deletes != NV__DELETE_MODE__DELETE_MODE_MARKER)
        return true;
    const Nv__SttmTarget *ended = model_ended(ctx, sttm, driving);
    if (driving->n_key > model_key(ctx, target, &key) && !model_has_versions(ctx, sttm, target))
        return nv_fail(err, NV_UNIMPLEMENTED,
                       "%s: delete markers of %s name a version that nothing dates, which cannot end the "
                       "member: expected effective_from and a business key that is part of the source's key, "
                       "or a source whose key is the business key",
                       where, driving->name);
    if (target->effective_from[0] && ended && ended != target)
        return nv_fail(err, NV_UNIMPLEMENTED,
                       "%s: delete markers of %s end the members of %s: expected one history that it dates",
                       where, driving->name, ended->name);
    return true;
}

static bool stands_before(const Nv__Sttm *sttm, const Nv__SttmTarget *target, const char *name)
{
    for (size_t i = 0; sttm->targets[i] != target; i++)
        if (strcmp(sttm->targets[i]->name, name) == 0)
            return true;
    return false;
}

static bool depends_on(const Nv__SttmTarget *target, const char *name)
{
    for (size_t i = 0; i < target->n_depends_on; i++)
        if (strcmp(target->depends_on[i], name) == 0)
            return true;
    return false;
}

/* Tasks run side by side unless one depends on the other, and never in a circle: a dimension is loaded before what looks it up. */
static bool check_order(const Nv__Sttm *sttm, const Nv__SttmTarget *target, const char *where,
                        nv_error_t *err)
{
    for (size_t i = 0; i < target->n_depends_on; i++)
        if (!stands_before(sttm, target, target->depends_on[i]))
            return nv_fail(err, NV_INVALID_ARGUMENT,
                           "%s.depends_on: \"%s\": expected a target that stands before", where,
                           target->depends_on[i]);
    for (size_t i = 0; i < target->n_columns; i++) {
        const Nv__Transform *t = target->columns[i]->transform;
        if (t->op == NV__TRANSFORM_OP__TRANSFORM_OP_LOOKUP && !depends_on(target, t->dimension))
            return nv_fail(err, NV_INVALID_ARGUMENT,
                           "%s.depends_on: expected %s, which column %s is looked up in", where, t->dimension,
                           target->columns[i]->name);
    }
    return true;
}

static bool check_target(nv_mem_t *ctx, const Nv__Sttm *sttm, const Nv__SttmTarget *target,
                         name_set_t *tables, nv_error_t *err)
{
    char *where = nv_printf(ctx, "sttm.targets[%s]", target->name);
    if (!check_identifier(target->name, nv_printf(ctx, "%s.name", where), err) ||
        !add_name(ctx, tables, target->name, where, err))
        return false;
    if (!model_is_dates(target) && !model_source(sttm, target->driving_source))
        return nv_fail(err, NV_INVALID_ARGUMENT, "%s.driving_source: \"%s\" is no source", where,
                       target->driving_source);
    if (!check_joins(ctx, sttm, target, where, err) || !check_columns(ctx, sttm, target, where, err) ||
        !check_kind(ctx, target, where, err) || !check_markers(ctx, sttm, target, where, err))
        return false;
    if (target->effective_from[0] &&
        !model_source_column(model_source(sttm, target->driving_source), target->effective_from))
        return nv_fail(err, NV_INVALID_ARGUMENT, "%s.effective_from: \"%s\" is no silver column of %s", where,
                       target->effective_from, target->driving_source);
    for (size_t i = 0; i < target->n_rules; i++)
        if (rule_refuses(target->rules[i]) && !rule_is_of_row(target->rules[i]))
            return nv_fail(err, NV_UNIMPLEMENTED, "%s.rules[%s]: only what one row breaks can keep it out",
                           where, target->rules[i]->id);
    return check_order(sttm, target, where, err);
}

bool model_check(nv_mem_t *ctx, const Nv__Sttm *sttm, nv_error_t *err)
{
    name_set_t tables = {0};
    if (sttm->n_sources == 0 || sttm->n_targets == 0)
        return nv_fail(err, NV_INVALID_ARGUMENT, "sttm: expected at least one source and one target");
    for (size_t i = 0; i < sttm->n_sources; i++)
        if (!check_source(ctx, sttm->sources[i], &tables, err) ||
            !check_source_rules(ctx, sttm, sttm->sources[i],
                                nv_printf(ctx, "sttm.sources[%s]", sttm->sources[i]->name), err))
            return false;
    for (size_t i = 0; i < sttm->n_targets; i++)
        if (!check_target(ctx, sttm, sttm->targets[i], &tables, err))
            return false;
    return true;
}
