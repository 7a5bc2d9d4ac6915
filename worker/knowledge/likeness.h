/* How alike two sets of raw tables are, told from their fingerprints. Pure.
 *
 * Vectors find candidates quickly, but any two schemas share "id", "name" and the words for types: unrelated ones come out near
 * 0.6. So what is found is compared once more, table by table, by the names that mean something: the best counterpart of each
 * table in the other set, by weighted Jaccard of the features of table name and columns; then the F1 of both directions.
 */
#ifndef WORKER_KNOWLEDGE_LIKENESS_H
#define WORKER_KNOWLEDGE_LIKENESS_H

#include "common/core/mem.h"
#include "nuvyn/worker.pb-c.h"

/* From here on a case of one set is of help for the other: the measure is `./bldr bench likeness DIR` (tests/bench/likeness/main.c holds the figures). */
extern const double likeness_related;
/* From here on the tables are nearly the same ones: what a person decided for one holds for its counterpart, unless the data
 * contradicts it. */
extern const double likeness_near;

/* 0 (nothing in common) to 1 (the same names). a and b: see fingerprint_make(). */
double fingerprint_likeness(nv_mem_t *ctx, const char *a, const char *b);

/* Of what a search found, what is of help for a set with this fingerprint: at most `keep`, the most alike first, each with its
 * likeness for its similarity. */
void likeness_keep(nv_mem_t *ctx, const char *fingerprint, size_t keep, Nv__KnowledgeReply *reply);

#endif
