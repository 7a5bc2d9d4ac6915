#include "worker/report/links.h"

#include <string.h>

static bool find_target(const Nv__Sttm *sttm, const char *name, size_t *out)
{
    for (size_t i = 0; i < sttm->n_targets; i++)
        if (strcmp(sttm->targets[i]->name, name) == 0) {
            *out = i;
            return true;
        }
    return false;
}

static bool find_date_target(const Nv__Sttm *sttm, size_t *out)
{
    for (size_t i = 0; i < sttm->n_targets; i++)
        if (sttm->targets[i]->kind == NV__TARGET_KIND__TARGET_KIND_DATE_DIMENSION) {
            *out = i;
            return true;
        }
    return false;
}

bool report_refers_to(const Nv__Sttm *sttm, size_t from, const Nv__SttmColumn *column, size_t *to)
{
    const Nv__Transform *transform = column->transform;
    if (transform == NULL)
        return false;
    if (transform->op == NV__TRANSFORM_OP__TRANSFORM_OP_LOOKUP)
        return find_target(sttm, transform->dimension, to);
    return transform->op == NV__TRANSFORM_OP__TRANSFORM_OP_DATE_KEY &&
           sttm->targets[from]->kind != NV__TARGET_KIND__TARGET_KIND_DATE_DIMENSION &&
           find_date_target(sttm, to);
}
