#include "worker/codegen/codegen.h"

#include <string.h>

static const char *base_name(const Nv__SttmSource *source)
{
    static const char prefix[] = "silver_";
    size_t n = sizeof prefix - 1;
    bool prefixed = strncmp(source->silver_name, prefix, n) == 0 && source->silver_name[n];
    return source->silver_name + (prefixed ? n : 0);
}

char *codegen_bronze_table(nv_mem_t *ctx, const Nv__SttmSource *source)
{
    return nv_printf(ctx, "bronze_%s", base_name(source));
}

char *codegen_type(nv_mem_t *ctx, Nv__ValueType type, int precision, int scale)
{
    switch (type) {
    case NV__VALUE_TYPE__VALUE_TYPE_BOOLEAN:
        return nv_strdup(ctx, "BOOLEAN");
    case NV__VALUE_TYPE__VALUE_TYPE_INT64:
        return nv_strdup(ctx, "BIGINT");
    case NV__VALUE_TYPE__VALUE_TYPE_DECIMAL:
        return nv_printf(ctx, "DECIMAL(%d,%d)", precision, scale);
    case NV__VALUE_TYPE__VALUE_TYPE_DOUBLE:
        return nv_strdup(ctx, "DOUBLE");
    case NV__VALUE_TYPE__VALUE_TYPE_DATE:
        return nv_strdup(ctx, "DATE");
    case NV__VALUE_TYPE__VALUE_TYPE_TIMESTAMP:
        return nv_strdup(ctx, "TIMESTAMP");
    default: /* STRING, and TIME, for which Spark has no type */
        return nv_strdup(ctx, "STRING");
    }
}
