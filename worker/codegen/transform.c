#include "worker/codegen/transform.h"

#include "common/core/buf.h"
#include "worker/codegen/text.h"

#include <string.h>

enum { EXPRESSION_MAX = 1024 * 1024 };

char *lookup_variable(nv_mem_t *ctx, const Nv__SttmColumn *column)
{
    return nv_printf(ctx, "%s_lookup", py_name(ctx, column->name));
}

static char *input(nv_mem_t *ctx, const Nv__Transform *t, size_t i)
{
    return spark_column(ctx, t->inputs[i]->alias, t->inputs[i]->column);
}

/* All inputs with something before, between and after. */
static char *inputs(nv_mem_t *ctx, const Nv__Transform *t, const char *each, const char *between)
{
    nv_buf_t buf = nv_buf_make(ctx, EXPRESSION_MAX);
    for (size_t i = 0; i < t->n_inputs; i++)
        nv_buf_printf(&buf, "%s%s%s", i ? between : "", input(ctx, t, i), each);
    return buf.length ? buf.data : nv_strdup(ctx, "");
}

static char *with_default(nv_mem_t *ctx, const Nv__SttmColumn *column, char *expression)
{
    if (!column->default_value[0])
        return expression;
    char *type = codegen_type(ctx, column->type, column->precision, column->scale);
    return nv_printf(ctx, "F.coalesce(%s, F.lit(%s).cast(%s))", expression,
                     py_string(ctx, column->default_value), py_string(ctx, type));
}

static bool calendar(nv_mem_t *ctx, const char *name, char **out, nv_error_t *err)
{
    const char *expression = calendar_expression(name);
    if (!expression)
        return nv_fail(err, NV_UNIMPLEMENTED, "calendar attribute \"%s\" is not known", name);
    *out = nv_strdup(ctx, expression);
    return true;
}

static char *audit(nv_mem_t *ctx, const Nv__Transform *t)
{
    bool of_row = strcmp(t->constant, "source_file") == 0 || strcmp(t->constant, "deleted_at") == 0;
    return of_row ? nv_printf(ctx, "F.col(\"d._%s\")", t->constant) : NULL;
}

bool transform_expression(nv_mem_t *ctx, const Nv__SttmTarget *target, const Nv__SttmColumn *column,
                          char **out, nv_error_t *err)
{
    const Nv__Transform *t = column->transform;
    switch (t->op) {
    case NV__TRANSFORM_OP__TRANSFORM_OP_COPY:
        *out = with_default(ctx, column, input(ctx, t, 0));
        return true;
    case NV__TRANSFORM_OP__TRANSFORM_OP_SURROGATE:
        if (model_is_dates(target))
            return calendar(ctx, "date_key", out, err);
        *out = NULL;
        return true;
    case NV__TRANSFORM_OP__TRANSFORM_OP_LOOKUP:
        *out = nv_printf(ctx, "%s.key", lookup_variable(ctx, column));
        return true;
    case NV__TRANSFORM_OP__TRANSFORM_OP_DATE_KEY:
        if (model_is_dates(target))
            return calendar(ctx, "date_key", out, err);
        *out = nv_printf(ctx, "date_key(%s)", input(ctx, t, 0));
        return true;
    case NV__TRANSFORM_OP__TRANSFORM_OP_CONSTANT:
        *out = nv_printf(ctx, "F.lit(%s)", py_string(ctx, t->constant));
        return true;
    case NV__TRANSFORM_OP__TRANSFORM_OP_CONCAT:
        *out = with_default(
            ctx, column,
            nv_printf(ctx, "F.concat_ws(%s, %s)", py_string(ctx, t->constant), inputs(ctx, t, "", ", ")));
        return true;
    case NV__TRANSFORM_OP__TRANSFORM_OP_COALESCE:
        *out = with_default(ctx, column, nv_printf(ctx, "F.coalesce(%s)", inputs(ctx, t, "", ", ")));
        return true;
    case NV__TRANSFORM_OP__TRANSFORM_OP_MULTIPLY:
        *out = with_default(ctx, column, inputs(ctx, t, "", " * "));
        return true;
    case NV__TRANSFORM_OP__TRANSFORM_OP_CALENDAR:
        return calendar(ctx, t->constant, out, err);
    case NV__TRANSFORM_OP__TRANSFORM_OP_AUDIT:
        *out = model_is_dates(target) ? NULL : audit(ctx, t);
        return true;
    default: /* SCD_FROM, SCD_TO, SCD_CURRENT */
        *out = NULL;
        return true;
    }
}
