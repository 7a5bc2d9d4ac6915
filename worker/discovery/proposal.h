/* Decisions proposed from elsewhere (a language model, a case of the knowledge base, a person): each is checked against the data and
 * the evidence before it counts. A proposal may make relations better, never false. */
#ifndef WORKER_DISCOVERY_PROPOSAL_H
#define WORKER_DISCOVERY_PROPOSAL_H

#include "nuvyn/proposal.pb-c.h"
#include "worker/discovery/discovery.h"

typedef struct proposal_outcome {
    int joins_taken, joins_refused, roles_taken, roles_refused;
} proposal_outcome_t;

/* Changes relations (which hang below ctx) in place. `source` ("llm", "knowledge", "human") goes into decided_by and evidence. Join
 * ids are those of the prompt: J1 is undecided[0]. An accepted join leaves `undecided` for `joins`; a refused one goes to
 * `rejected` with the reason. `binding`: a person's word, taken unless the data contradicts it outright; otherwise only what the
 * evidence left open may change. exact may be NULL: then joins that were never counted are refused. */
bool discovery_apply_proposal(nv_mem_t *ctx, const Nv__Profile *profile, const Nv__DesignProposal *proposal,
                              const char *source, bool binding, const discovery_exact_t *exact,
                              Nv__Relations *relations, proposal_outcome_t *out,
                              nv_error_t *err) NV_MUST_CHECK;

/* Joins of a person's earlier design that `now` does not have, between tables and columns that are there, become undecided ones of
 * `now`, for discovery_proposal_of() to propose: what a person decided is looked at again although the evidence saw nothing in it. */
void discovery_recall_joins(nv_mem_t *ctx, const Nv__Profile *profile, const Nv__Relations *earlier,
                            Nv__Relations *now);

/* What an earlier, proven design says about relations of the same tables, as a proposal about them; below ctx. */
Nv__DesignProposal *discovery_proposal_of(nv_mem_t *ctx, const Nv__Relations *earlier,
                                          const Nv__Relations *now);

#endif
