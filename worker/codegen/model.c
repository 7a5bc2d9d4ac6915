#include "worker/codegen/model.h"

#include <string.h>

const Nv__SttmSource *model_source(const Nv__Sttm *sttm, const char *name)
{
    for (size_t i = 0; i < sttm->n_sources; i++)
        if (strcmp(sttm->sources[i]->name, name) == 0)
            return sttm->sources[i];
    return NULL;
}

const Nv__SttmSourceColumn *model_source_column(const Nv__SttmSource *source, const char *silver_name)
{
    for (size_t i = 0; i < source->n_columns; i++)
        if (strcmp(source->columns[i]->silver_name, silver_name) == 0)
            return source->columns[i];
    return NULL;
}

const Nv__SttmTarget *model_target(const Nv__Sttm *sttm, const char *name)
{
    for (size_t i = 0; i < sttm->n_targets; i++)
        if (strcmp(sttm->targets[i]->name, name) == 0)
            return sttm->targets[i];
    return NULL;
}

const Nv__SttmColumn *model_column(const Nv__SttmTarget *target, const char *name)
{
    for (size_t i = 0; i < target->n_columns; i++)
        if (strcmp(target->columns[i]->name, name) == 0)
            return target->columns[i];
    return NULL;
}

const Nv__SttmTarget *model_date_dimension(const Nv__Sttm *sttm)
{
    for (size_t i = 0; i < sttm->n_targets; i++)
        if (model_is_dates(sttm->targets[i]))
            return sttm->targets[i];
    return NULL;
}

const Nv__SttmColumn *model_with_role(const Nv__SttmTarget *target, Nv__KeyRole role)
{
    for (size_t i = 0; i < target->n_columns; i++)
        if (target->columns[i]->key_role == role)
            return target->columns[i];
    return NULL;
}

const Nv__SttmColumn *model_with_op(const Nv__SttmTarget *target, Nv__TransformOp op)
{
    for (size_t i = 0; i < target->n_columns; i++)
        if (target->columns[i]->transform && target->columns[i]->transform->op == op)
            return target->columns[i];
    return NULL;
}

const Nv__SttmSource *model_alias(const Nv__Sttm *sttm, const Nv__SttmTarget *target, const char *alias)
{
    if (strcmp(alias, "d") == 0)
        return model_source(sttm, target->driving_source);
    for (size_t i = 0; i < target->n_joins; i++)
        if (strcmp(target->joins[i]->alias, alias) == 0)
            return model_source(sttm, target->joins[i]->source);
    return NULL;
}

static bool is_known_use(const model_date_use_t *uses, size_t n, const Nv__SttmSource *source,
                         const char *column)
{
    for (size_t i = 0; i < n; i++)
        if (uses[i].source == source && strcmp(uses[i].column, column) == 0)
            return true;
    return false;
}

size_t model_date_uses(nv_mem_t *ctx, const Nv__Sttm *sttm, model_date_use_t **out)
{
    size_t n = 0, columns = 0;
    for (size_t t = 0; t < sttm->n_targets; t++)
        columns += sttm->targets[t]->n_columns;
    *out = NV_NEW_ARRAY(ctx, model_date_use_t, columns + 1);
    for (size_t t = 0; t < sttm->n_targets; t++)
        for (size_t i = 0; i < sttm->targets[t]->n_columns; i++) {
            const Nv__Transform *key = sttm->targets[t]->columns[i]->transform;
            if (!key || key->op != NV__TRANSFORM_OP__TRANSFORM_OP_DATE_KEY || key->n_inputs == 0)
                continue;
            const Nv__SttmSource *source = model_alias(sttm, sttm->targets[t], key->inputs[0]->alias);
            if (source && !is_known_use(*out, n, source, key->inputs[0]->column))
                (*out)[n++] = (model_date_use_t){source, key->inputs[0]->column};
        }
    return n;
}

size_t model_key(nv_mem_t *ctx, const Nv__SttmTarget *target, char ***out)
{
    char **names = NV_NEW_ARRAY(ctx, char *, target->n_columns + target->n_grain_columns + 1);
    size_t n = 0;
    if (model_is_dimension(target))
        for (size_t i = 0; i < target->n_columns; i++)
            if (target->columns[i]->key_role == NV__KEY_ROLE__KEY_ROLE_BUSINESS)
                names[n++] = target->columns[i]->name;
    if (n == 0)
        for (size_t i = 0; i < target->n_grain_columns; i++)
            names[n++] = target->grain_columns[i];
    *out = names;
    return n;
}

static bool is_key_column(const Nv__SttmSource *source, const char *name)
{
    for (size_t i = 0; i < source->n_key; i++)
        if (strcmp(source->key[i], name) == 0)
            return true;
    return false;
}

size_t model_member(nv_mem_t *ctx, const Nv__Sttm *sttm, const Nv__SttmTarget *target, char ***out)
{
    char **key;
    size_t n = model_key(ctx, target, &key);
    const Nv__SttmSource *driving = model_source(sttm, target->driving_source);
    *out = NV_NEW_ARRAY(ctx, char *, n + 1);
    for (size_t i = 0; i < n; i++) {
        const Nv__SttmColumn *column = model_column(target, key[i]);
        const Nv__Transform *t = column ? column->transform : NULL;
        if (!driving || !t || t->n_inputs == 0 || t->op != NV__TRANSFORM_OP__TRANSFORM_OP_COPY ||
            column->default_value[0] || strcmp(t->inputs[0]->alias, "d") != 0 ||
            !is_key_column(driving, t->inputs[0]->column))
            return 0;
        (*out)[i] = t->inputs[0]->column;
    }
    return n;
}

bool model_has_versions(nv_mem_t *ctx, const Nv__Sttm *sttm, const Nv__SttmTarget *target)
{
    char **member;
    size_t n = model_member(ctx, sttm, target, &member);
    return model_is_history(target) && target->effective_from[0] && n > 0 &&
           n < model_source(sttm, target->driving_source)->n_key;
}

const Nv__SttmTarget *model_ended(nv_mem_t *ctx, const Nv__Sttm *sttm, const Nv__SttmSource *source)
{
    char **member;
    if (!source->policy || source->policy->deletes != NV__DELETE_MODE__DELETE_MODE_MARKER)
        return NULL;
    for (size_t i = 0; i < sttm->n_targets; i++) {
        const Nv__SttmTarget *target = sttm->targets[i];
        if (model_is_history(target) && target->effective_from[0] &&
            strcmp(target->driving_source, source->name) == 0 && model_member(ctx, sttm, target, &member) > 0)
            return target;
    }
    return NULL;
}

bool model_is_history(const Nv__SttmTarget *target)
{
    return target->load == NV__LOAD_STRATEGY__LOAD_STRATEGY_SCD2;
}

bool model_is_dates(const Nv__SttmTarget *target)
{
    return target->kind == NV__TARGET_KIND__TARGET_KIND_DATE_DIMENSION;
}

bool model_is_dimension(const Nv__SttmTarget *target)
{
    return target->kind == NV__TARGET_KIND__TARGET_KIND_DIMENSION;
}

const Nv__SttmColumn *model_inferred(const Nv__SttmTarget *target)
{
    for (size_t i = 0; model_is_dimension(target) && i < target->n_columns; i++) {
        const Nv__Transform *t = target->columns[i]->transform;
        if (t && t->op == NV__TRANSFORM_OP__TRANSFORM_OP_AUDIT && strcmp(t->constant, "inferred") == 0)
            return target->columns[i];
    }
    return NULL;
}
