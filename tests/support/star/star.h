/* For proofs: the product's own road from a folder to a mapping, and the star that the mapping's reference SQL makes of it in
 * DuckDB, where the Tester's plan can be asked of it. */
#ifndef TESTS_SUPPORT_STAR_H
#define TESTS_SUPPORT_STAR_H

#include "nuvyn/design.pb-c.h"
#include "worker/validation/oracle.h"
#include "worker/validation/reference.h"
#include "worker/validation/validation.h"

#define STAR_CATALOG "warehouse"

/* What the agents left behind for a folder. */
typedef struct star {
    const Nv__TableProfile **profiles;
    size_t n_profiles;
    Nv__Relations *relations;
    Nv__StarSchema *design;
    Nv__Sttm *sttm;
    Nv__Review *review; /* the last one; its `passed` says whether the mapping was accepted */
    bool widened;       /* star_widen was here */
} star_t;

/* survey, profile, relate, then design and review for at most three rounds: the real agents, without services. */
bool star_design(nv_mem_t *ctx, const char *folder, star_t *out, nv_error_t *err) NV_MUST_CHECK;

/* A DuckDB with an empty catalog "warehouse". */
bool star_open(nv_mem_t *ctx, oracle_t **out, nv_error_t *err) NV_MUST_CHECK;

validation_input_t star_input(const star_t *star, const char *schema);

/* A file of a later batch, with the table's own header. */
Nv__SourceFile *star_file(nv_mem_t *ctx, const char *path);

/* Makes the mapping's numbers as wide as its files ask, where its policies let them grow. */
bool star_widen(oracle_t *db, star_t *star, nv_error_t *err) NV_MUST_CHECK;

/* Empty tables, and one batch onto them; the failing statement is named in the error. */
bool star_create(oracle_t *db, const star_t *star, const char *schema, nv_error_t *err) NV_MUST_CHECK;
bool star_load(oracle_t *db, const star_t *star, const char *schema, const reference_batch_t *batch,
               nv_error_t *err) NV_MUST_CHECK;

/* The Tester's whole plan over the tables of a schema. Below ctx. */
bool star_prove(nv_mem_t *ctx, oracle_t *db, const star_t *star, const char *schema, Nv__Validation **out,
                nv_error_t *err) NV_MUST_CHECK;

/* The same with a plan whose setup was run before. */
bool star_judge(nv_mem_t *ctx, oracle_t *db, const validation_plan_t *plan, Nv__Validation **out,
                nv_error_t *err) NV_MUST_CHECK;

/* The first cell of a query's first row, "" for NULL. */
bool star_value(nv_mem_t *ctx, oracle_t *db, const char *sql, const char **out,
                nv_error_t *err) NV_MUST_CHECK;

#endif
