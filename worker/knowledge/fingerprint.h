/* The fingerprint of a set of raw tables: words that two similar schemas share, independent of the data's
 * volume and of the order of files. It is what cases of the knowledge base are found by. Pure. */
#ifndef WORKER_KNOWLEDGE_FINGERPRINT_H
#define WORKER_KNOWLEDGE_FINGERPRINT_H

#include "common/core/mem.h"

#include "nuvyn/profile.pb-c.h"
#include "nuvyn/worker.pb-c.h"

#include <stdbool.h>
#include <stddef.h>

/* "customers(customer_id int64 unique, email string email, …)" per table, sorted by table name; below ctx; at
 * most 64 KiB (a wide schema is cut between columns). */
char *fingerprint_make(nv_mem_t *ctx, const Nv__TableProfile *const *profiles, size_t count);

/* The vector that cases are found by: of the names alone, since types are in every schema. out: NV_EMBEDDING_DIMENSIONS. */
void fingerprint_embed(const char *fingerprint, float *out);

/* A knowledge query by this fingerprint (embedding included) for a stage ("design", "generate"); below ctx.
 */
Nv__KnowledgeQuery *fingerprint_query(nv_mem_t *ctx, const char *fingerprint, const char *stage, int limit);

/* The same tables, columns and types; which columns happen to be unique may differ from batch to batch. */
bool fingerprint_same_shape(const char *a, const char *b);

#endif
