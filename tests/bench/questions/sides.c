/* The two SELECTs of a question. */
#include "tests/bench/questions/questions.h"

#include "worker/codegen/model.h"

#include <string.h>

static char *name_of(const set_t *set, const char *name)
{
    return sql_identifier(set->ctx, SQL_DUCKDB, name);
}

/* Text of a group, so that both sides write alike what they type differently. */
static char *group_text(const set_t *set, const question_t *question, const char *value)
{
    return question->month ? nv_printf(set->ctx, "strftime(%s, '%%Y-%%m')", value)
                           : nv_printf(set->ctx, "nullif(trim(lower(CAST(%s AS VARCHAR))), '')", value);
}

static char *aggregate(const set_t *set, const question_t *question, const char *value)
{
    return question->measure ? nv_printf(set->ctx, "CAST(%s(%s) AS DOUBLE)", question->aggregate, value)
                             : nv_strdup(set->ctx, "CAST(count(*) AS DOUBLE)");
}

char *question_text(const set_t *set, const question_t *question)
{
    char *text = nv_printf(set->ctx, "%s%s%s of %s by %s", question->aggregate, question->measure ? " " : "",
                           question->measure ? question->measure : "", question->fact,
                           question->month ? "month of " : "");
    for (size_t i = 0; i < question->n_path; i++)
        text = nv_printf(set->ctx, "%s%s.", text, question->path[i]->to);
    return nv_printf(set->ctx, "%s%s", text, question->attribute);
}

char *question_raw(const set_t *set, const question_t *question, int *joins)
{
    char *from = nv_printf(set->ctx, "raw.%s AS t0", name_of(set, question->fact));
    for (size_t i = 0; i < question->n_path; i++) {
        const reference_t *r = question->path[i];
        from = nv_printf(set->ctx, "%s LEFT JOIN raw.%s AS t%zu ON true", from, name_of(set, r->to), i + 1);
        for (size_t k = 0; k < r->n; k++)
            from = nv_printf(set->ctx, "%s AND t%zu.%s = t%zu.%s", from, i, name_of(set, r->columns[k]),
                             i + 1, name_of(set, r->to_columns[k]));
    }
    *joins = (int)question->n_path;
    char *value = nv_printf(set->ctx, "t%zu.%s", question->n_path, name_of(set, question->attribute));
    char *measure = question->measure ? nv_printf(set->ctx, "t0.%s", name_of(set, question->measure)) : NULL;
    return nv_printf(set->ctx, "SELECT %s AS g, %s AS v FROM %s GROUP BY 1", group_text(set, question, value),
                     aggregate(set, question, measure), from);
}

/* ---- the star: where along the path does a table of it begin, and where is the attribute? ---- */

typedef struct finder {
    const set_t *set;
    const question_t *question;
    char *from;  /* FROM clause so far */
    char *value; /* what is grouped by, once found */
    int joins;
} finder_t;

static const char *raw_name(const Nv__SttmSource *source, const char *silver)
{
    const Nv__SttmSourceColumn *column = model_source_column(source, silver);
    return column ? column->name : "";
}

/* The columns lead where the reference of the truth leads. */
static bool same_step(const reference_t *step, const char *to, const Nv__SttmSource *from,
                      char *const *silver, size_t n)
{
    if (strcmp(step->to, to) != 0 || strcmp(step->from, from->name) != 0 || step->n != n)
        return false;
    for (size_t i = 0; i < n; i++) {
        bool found = false;
        for (size_t k = 0; k < n; k++)
            found = found || strcmp(step->columns[i], raw_name(from, silver[k])) == 0;
        if (!found)
            return false;
    }
    return true;
}

static const Nv__SttmSourceJoin *join_of(const Nv__SttmTarget *target, const char *alias)
{
    for (size_t i = 0; i < target->n_joins; i++)
        if (strcmp(target->joins[i]->alias, alias) == 0)
            return target->joins[i];
    return NULL;
}

/* How far along the path, begun at `at`, an alias of the target stands; -1: elsewhere. */
static int place_of(const finder_t *f, const Nv__SttmTarget *target, const char *alias, size_t at, int depth)
{
    const Nv__SttmSourceJoin *join = join_of(target, alias);
    if (!join)
        return strcmp(alias, "d") == 0 ? (int)at : -1;
    int parent = depth < ALIAS_STEPS_MAX ? place_of(f, target, join->parent_alias, at, depth + 1) : -1;
    if (parent < 0 || (size_t)parent >= f->question->n_path)
        return -1;
    const Nv__SttmSource *from = model_alias(f->set->star.sttm, target, join->parent_alias);
    return same_step(f->question->path[parent], join->source, from, join->columns, join->n_columns)
               ? parent + 1
               : -1;
}

/* The input stands at the end of the path and is the attribute. */
static bool is_attribute(const finder_t *f, const Nv__SttmTarget *target, const Nv__SttmInput *input,
                         size_t at)
{
    int place = place_of(f, target, input->alias, at, 0);
    const Nv__SttmSource *source = model_alias(f->set->star.sttm, target, input->alias);
    return place >= 0 && (size_t)place == f->question->n_path &&
           strcmp(raw_name(source, input->column), f->question->attribute) == 0;
}

static char *known_only(const finder_t *f, const Nv__SttmTarget *target, const char *alias, char *value)
{
    const Nv__SttmColumn *surrogate = model_with_role(target, NV__KEY_ROLE__KEY_ROLE_SURROGATE);
    return surrogate ? nv_printf(f->set->ctx, "CASE WHEN %s.%s >= 0 THEN %s END", alias,
                                 name_of(f->set, surrogate->name), value)
                     : value;
}

static bool find_here(finder_t *f, const Nv__SttmTarget *target, const char *alias, size_t at)
{
    for (size_t i = 0; i < target->n_columns; i++) {
        const Nv__SttmColumn *c = target->columns[i];
        if (c->transform->op == NV__TRANSFORM_OP__TRANSFORM_OP_COPY &&
            is_attribute(f, target, c->transform->inputs[0], at)) {
            char *value = nv_printf(f->set->ctx, "%s.%s", alias, name_of(f->set, c->name));
            f->value = group_text(f->set, f->question, known_only(f, target, alias, value));
            return true;
        }
    }
    return false;
}

/* The month by the calendar, through a date key in its role. */
static bool find_date(finder_t *f, const Nv__SttmTarget *target, const char *alias, size_t at)
{
    const Nv__SttmTarget *dates = model_date_dimension(f->set->star.sttm);
    for (size_t i = 0; dates && f->question->month && i < target->n_columns; i++) {
        const Nv__SttmColumn *c = target->columns[i];
        if (c->transform->op != NV__TRANSFORM_OP__TRANSFORM_OP_DATE_KEY ||
            !is_attribute(f, target, c->transform->inputs[0], at))
            continue;
        const Nv__SttmColumn *key = model_with_role(dates, NV__KEY_ROLE__KEY_ROLE_SURROGATE);
        for (size_t k = 0; k < dates->n_columns; k++) {
            const Nv__Transform *t = dates->columns[k]->transform;
            if (t->op != NV__TRANSFORM_OP__TRANSFORM_OP_CALENDAR || strcmp(t->constant, "year_month") != 0)
                continue;
            f->from = nv_printf(f->set->ctx, "%s JOIN star.%s AS calendar ON calendar.%s = %s.%s", f->from,
                                name_of(f->set, dates->name), name_of(f->set, key->name), alias,
                                name_of(f->set, c->name));
            f->joins++;
            f->value =
                known_only(f, dates, "calendar",
                           nv_printf(f->set->ctx, "calendar.%s", name_of(f->set, dates->columns[k]->name)));
            return true;
        }
    }
    return false;
}

static bool find(finder_t *f, const Nv__SttmTarget *target, const char *alias, size_t at, int depth);

/* Through a lookup to the dimension that stands further along the path, or that was split out of the table that is there. */
static bool find_beyond(finder_t *f, const Nv__SttmTarget *target, const char *alias,
                        const Nv__SttmColumn *column, size_t at, int depth)
{
    const Nv__Transform *t = column->transform;
    const Nv__SttmTarget *dimension = model_target(f->set->star.sttm, t->dimension);
    const Nv__SttmSource *from = model_alias(f->set->star.sttm, target, t->inputs[0]->alias);
    int place = place_of(f, target, t->inputs[0]->alias, at, 0);
    char **silver = NV_NEW_ARRAY(f->set->ctx, char *, t->n_inputs);
    char *before = f->from;
    for (size_t i = 0; i < t->n_inputs; i++)
        silver[i] = t->inputs[i]->column;
    bool split = dimension->distinct_rows && strcmp(dimension->driving_source, from->name) == 0;
    bool further = place >= 0 && (size_t)place < f->question->n_path &&
                   same_step(f->question->path[place], dimension->driving_source, from, silver, t->n_inputs);
    if (place < 0 || !(split || further))
        return false;
    char *other = nv_printf(f->set->ctx, "k%d", depth);
    f->from = nv_printf(f->set->ctx, "%s JOIN star.%s AS %s ON %s.%s = %s.%s", f->from,
                        name_of(f->set, dimension->name), other, other,
                        name_of(f->set, model_with_role(dimension, NV__KEY_ROLE__KEY_ROLE_SURROGATE)->name),
                        alias, name_of(f->set, column->name));
    f->joins++;
    if (find(f, dimension, other, (size_t)place + !split, depth + 1))
        return true;
    f->joins--;
    f->from = before;
    return false;
}

static bool find(finder_t *f, const Nv__SttmTarget *target, const char *alias, size_t at, int depth)
{
    if (find_date(f, target, alias, at) || find_here(f, target, alias, at))
        return true;
    for (size_t i = 0; depth < ALIAS_STEPS_MAX && i < target->n_columns; i++)
        if (target->columns[i]->transform->op == NV__TRANSFORM_OP__TRANSFORM_OP_LOOKUP &&
            find_beyond(f, target, alias, target->columns[i], at, depth))
            return true;
    return false;
}

static char *measure_of(const set_t *set, const Nv__SttmTarget *target, const char *measure)
{
    const Nv__SttmSource *source = model_source(set->star.sttm, target->driving_source);
    for (size_t i = 0; i < target->n_columns; i++) {
        const Nv__Transform *t = target->columns[i]->transform;
        if (t->op == NV__TRANSFORM_OP__TRANSFORM_OP_COPY && strcmp(t->inputs[0]->alias, "d") == 0 &&
            strcmp(raw_name(source, t->inputs[0]->column), measure) == 0)
            return nv_printf(set->ctx, "f.%s", name_of(set, target->columns[i]->name));
    }
    return NULL;
}

char *question_star(const set_t *set, const question_t *question, int *joins)
{
    for (size_t i = 0; i < set->star.sttm->n_targets; i++) {
        const Nv__SttmTarget *target = set->star.sttm->targets[i];
        finder_t f = {.set = set, .question = question};
        bool events = target->kind == NV__TARGET_KIND__TARGET_KIND_FACT ||
                      target->kind == NV__TARGET_KIND__TARGET_KIND_BRIDGE;
        char *measure = NULL;
        if (!events || strcmp(target->driving_source, question->fact) != 0 ||
            (question->measure && !(measure = measure_of(set, target, question->measure))))
            continue;
        f.from = nv_printf(set->ctx, "star.%s AS f", name_of(set, target->name));
        if (!find(&f, target, "f", 0, 0))
            continue;
        *joins = f.joins;
        return nv_printf(set->ctx, "SELECT %s AS g, %s AS v FROM %s GROUP BY 1", f.value,
                         aggregate(set, question, measure), f.from);
    }
    return NULL;
}
