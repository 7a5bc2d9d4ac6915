/* What types of values have in common. */
#ifndef WORKER_DESIGN_VALUE_KIND_H
#define WORKER_DESIGN_VALUE_KIND_H

#include "nuvyn/value.pb-c.h"

#include <stdbool.h>

static inline bool value_is_number(Nv__ValueType type)
{
    return type == NV__VALUE_TYPE__VALUE_TYPE_INT64 || type == NV__VALUE_TYPE__VALUE_TYPE_DECIMAL ||
           type == NV__VALUE_TYPE__VALUE_TYPE_DOUBLE;
}

/* Moments are compared with moments only. Numbers and texts can be compared ("007" and 7 cannot be equal, but codes that mix both
 * exist). */
static inline bool value_is_moment(Nv__ValueType type)
{
    return type == NV__VALUE_TYPE__VALUE_TYPE_DATE || type == NV__VALUE_TYPE__VALUE_TYPE_TIMESTAMP;
}

#endif
