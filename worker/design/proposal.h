/* Names, descriptions, units and additivities proposed by a language model, checked before they enter a star. */
#ifndef WORKER_DESIGN_PROPOSAL_H
#define WORKER_DESIGN_PROPOSAL_H

#include "nuvyn/proposal.pb-c.h"
#include "worker/design/design.h"

typedef struct design_outcome {
    int taken, refused;
} design_outcome_t;

/* Changes star (which hangs below ctx) in place. Descriptions are taken for tables and columns that exist, cut to 400 bytes, without
 * control characters; a measure's additivity may become stricter, and looser only where no rule says why it is strict; refusals
 * are noted in star.notes. */
void design_apply_proposal(nv_mem_t *ctx, const Nv__DesignProposal *proposal, const char *source,
                           Nv__StarSchema *star, design_outcome_t *out);

#endif
