/* Design: the star schema over related raw tables, and its Source-to-Target Mapping.
 *
 * The rules are Kimball's (The Data Warehouse Toolkit, 3rd ed.): atomic grain; facts at line grain with the columns of their
 * headers; dimensions built once and shared; role-playing; snowflakes flattened; bridges for many-to-many; degenerate and junk
 * dimensions; additivity per measure; a slowly-changing type per attribute. Each rule that decides leaves its reason. Every source
 * column is used or left out with a reason. Pure; same input, same output, byte for byte.
 */
#ifndef WORKER_DESIGN_DESIGN_H
#define WORKER_DESIGN_DESIGN_H

#include "common/core/error.h"
#include "common/core/mem.h"
#include "nuvyn/design.pb-c.h"
#include "nuvyn/profile.pb-c.h"
#include "nuvyn/quality.pb-c.h"
#include "nuvyn/sttm.pb-c.h"

typedef struct design_input {
    const char *name; /* project; any text, becomes an identifier */
    const Nv__Profile *profile;
    const Nv__Relations *relations;
    const Nv__Review *review;         /* the last critique, or NULL */
    const Nv__Validation *validation; /* findings after a run, or NULL */
} design_input_t;

/* The star below ctx; what the critique names (joins that do not hold or multiply rows, grains that are not unique) is avoided
 * and noted. */
bool design_star(nv_mem_t *ctx, const design_input_t *input, Nv__StarSchema **out,
                 nv_error_t *err) NV_MUST_CHECK;

/* The mapping of a star, also of one that a person edited; version "1", "2" … names the refinement. */
bool design_sttm(nv_mem_t *ctx, const design_input_t *input, const Nv__StarSchema *star, const char *version,
                 Nv__Sttm **out, nv_error_t *err) NV_MUST_CHECK;

/* A star that came from outside (a person): every table and column it names must exist, joins must fit in number and type, and
 * grains and keys must be named. Errors name the path ("design.facts[1].dates[0].source.column: …"). */
bool design_check_star(const Nv__Profile *profile, const Nv__StarSchema *star, nv_error_t *err) NV_MUST_CHECK;

/* The subjects that checks about a join or a grain carry, so that a critique finds its way back: "orders(customer_id) ->
 * customers(customer_id)" and "orders(order_id)". Below ctx. */
char *design_join_subject(nv_mem_t *ctx, const Nv__Join *join);
char *design_grain_subject(nv_mem_t *ctx, const char *table, char *const *columns, size_t n);

#endif
