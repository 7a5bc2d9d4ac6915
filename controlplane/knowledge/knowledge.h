/* The knowledge base: golden examples and failure corrections of one tenant, found by similarity.
 *
 * Admission: a case enters only when a validator proved it and its run ended with outcome "pass"; anything
 * else is FAILED_PRECONDITION. Search returns cases of the asking tenant only; there is no call that spans
 * tenants.
 *
 * The vectors are those of common/embedding (256 dimensions); the index is the store's
 * (store_get_status().vector says which). Threads: any; calls block on the store.
 */
#ifndef CONTROLPLANE_KNOWLEDGE_KNOWLEDGE_H
#define CONTROLPLANE_KNOWLEDGE_KNOWLEDGE_H

#include "controlplane/store/store.h"
#include "nuvyn/quality.pb-c.h"
#include "nuvyn/worker.pb-c.h"

/* What the control plane itself knows about the run that a case comes from; never taken from the worker's
 * word. */
typedef struct knowledge_proof {
    const char *run_id;  /* must be the case's run */
    const char *outcome; /* of the run's validation: "pass" admits */
} knowledge_proof_t;

enum { KNOWLEDGE_LIMIT_DEFAULT = 5, KNOWLEDGE_LIMIT_MAX = 50, KNOWLEDGE_CASE_MAX_BYTES = 1024 * 1024 };

/* Adds the case. An empty id becomes a content hash, an empty embedding that of the fingerprint (and
 * symptom); a given one must have 256 finite numbers. *out_id (may be NULL) lives below ctx. */
bool knowledge_add(store_t *store, nv_mem_t *ctx, const char *tenant, const Nv__KnowledgeCase *added,
                   const knowledge_proof_t *proof, int64_t now_unix_ms, char **out_id,
                   nv_error_t *err) NV_MUST_CHECK;

typedef struct knowledge_query {
    const char *tenant;
    Nv__CaseKind kind;      /* unspecified: both */
    const char *stage;      /* NULL or "": any */
    const char *symptom;    /* NULL or "": any */
    const char *text;       /* embedded when `embedding` is NULL */
    const float *embedding; /* 256, or NULL */
    double min_similarity;  /* 0: everything not pointing away */
    int limit;              /* 0: KNOWLEDGE_LIMIT_DEFAULT */
} knowledge_query_t;

/* Hits below ctx, most similar first; their cases carry no embedding. */
bool knowledge_search(store_t *store, nv_mem_t *ctx, const knowledge_query_t *query, Nv__KnowledgeHits **out,
                      nv_error_t *err) NV_MUST_CHECK;

/* The query of a worker's message, for a tenant that the caller took from the lease it checked. */
bool knowledge_query_from(const Nv__KnowledgeQuery *message, const char *tenant, knowledge_query_t *out,
                          nv_error_t *err) NV_MUST_CHECK;

bool knowledge_get(store_t *store, nv_mem_t *ctx, const char *tenant, const char *case_id,
                   Nv__KnowledgeCase **out, nv_error_t *err) NV_MUST_CHECK;
bool knowledge_delete(store_t *store, const char *tenant, const char *case_id, nv_error_t *err) NV_MUST_CHECK;

#endif
