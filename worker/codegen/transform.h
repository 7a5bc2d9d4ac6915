/* The PySpark expression of a target column. Pure. */
#ifndef WORKER_CODEGEN_TRANSFORM_H
#define WORKER_CODEGEN_TRANSFORM_H

#include "worker/codegen/model.h"

/* The variable that holds the lookup of a LOOKUP column; unique in its notebook, as column names are in their table. */
char *lookup_variable(nv_mem_t *ctx, const Nv__SttmColumn *column);

/* *out is NULL where the runtime fills the column (surrogate keys, validity, most audit columns). UNIMPLEMENTED names a
 * calendar attribute that is not known. */
bool transform_expression(nv_mem_t *ctx, const Nv__SttmTarget *target, const Nv__SttmColumn *column,
                          char **out, nv_error_t *err) NV_MUST_CHECK;

/* The expression of an attribute of the date dimension over the day F.col("d.day"); NULL where it is not known. */
const char *calendar_expression(const char *name);

#endif
