/* The vector index of knowledge cases: sqlite-vec, pgvector, or an exact scan. Shared by the files of this folder only. */
#ifndef CONTROLPLANE_STORE_VECTORS_H
#define CONTROLPLANE_STORE_VECTORS_H

#include "controlplane/store/cases.h"
#include "controlplane/store/db.h"

/* Makes the index where the engine has one, and fills it with the cases it lacks (those put while it could not be used). On
 * the writer's connection, outside a transaction. Clears db->has_vector where there is no index to be had. */
bool vectors_open(db_t *db, bool read_only, nv_error_t *err) NV_MUST_CHECK;

/* Within a transaction, beside the write to `cases`. */
bool vectors_put(db_t *db, const char *tenant, const store_case_t *item, nv_error_t *err) NV_MUST_CHECK;
bool vectors_delete(db_t *db, const char *tenant, const char *case_id, nv_error_t *err) NV_MUST_CHECK;

typedef struct vectors_hit {
    char *case_id;
    double similarity;
} vectors_hit_t;
/* At most query->limit hits at or above query->min_similarity, best first. */
bool vectors_search(db_t *db, nv_mem_t *ctx, const store_case_query_t *query, vectors_hit_t **out, size_t *n,
                    nv_error_t *err) NV_MUST_CHECK;

#endif
