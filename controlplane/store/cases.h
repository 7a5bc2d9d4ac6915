/* The store: knowledge cases (rules: controlplane/knowledge). Threads, errors and ownership as in store.h. */
#ifndef CONTROLPLANE_STORE_CASES_H
#define CONTROLPLANE_STORE_CASES_H

#include "controlplane/store/store.h"

typedef struct store_case {
    const char *case_id;
    int64_t kind;
    const char *stage;
    const char *symptom;
    const char *run_id;
    int64_t created_unix_ms;
    nv_bytes_t data;        /* packed KnowledgeCase without its embedding */
    const float *embedding; /* STORE_EMBEDDING_DIMENSIONS */
    double similarity;      /* out only: cosine */
} store_case_t;

typedef struct store_case_query {
    const char *tenant;
    int64_t kind;        /* 0: any */
    const char *stage;   /* NULL or "": any */
    const char *symptom; /* NULL or "": any */
    const float *embedding;
    double min_similarity; /* -1: all */
    int limit;             /* 1 … 100 */
} store_case_query_t;

/* The same case id again replaces the case. */
bool store_case_put(store_t *store, const char *tenant, const store_case_t *item,
                    nv_error_t *err) NV_MUST_CHECK;
bool store_case_get(store_t *store, nv_mem_t *ctx, const char *tenant, const char *case_id, store_case_t *out,
                    nv_error_t *err) NV_MUST_CHECK;
bool store_case_delete(store_t *store, const char *tenant, const char *case_id,
                       nv_error_t *err) NV_MUST_CHECK;
/* Most similar first (cosine), never from another tenant. */
bool store_case_search(store_t *store, nv_mem_t *ctx, const store_case_query_t *query, store_case_t **out,
                       size_t *n, nv_error_t *err) NV_MUST_CHECK;
bool store_case_count(store_t *store, const char *tenant, int64_t *out, nv_error_t *err) NV_MUST_CHECK;

#endif
