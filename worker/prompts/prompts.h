/* Prompts: evidence as compact text, within a hard size.
 *
 * Names and values come from files that anybody may have written, so they are data to the model and never instructions:
 * they stand quoted between <data> and </data>, cut, without control characters, and with "<" escaped so that no value
 * can close the fence; the system prompt says what that means. Nothing secret is in the evidence to begin with.
 *
 * When the whole evidence does not fit, detail goes first (samples, then statistics, then columns beyond the first ones,
 * then tables), and what was left out is said. Pure: no I/O. Results are below ctx.
 */
#ifndef WORKER_PROMPTS_H
#define WORKER_PROMPTS_H

#include "common/core/error.h"
#include "common/core/mem.h"
#include "nuvyn/design.pb-c.h"
#include "nuvyn/profile.pb-c.h"
#include "nuvyn/proposal.pb-c.h"
#include "nuvyn/quality.pb-c.h"
#include "nuvyn/sttm.pb-c.h"

/* 24 kB are some 6,000 tokens: fits the smallest rate limits of hosted models. */
enum { PROMPT_DEFAULT_BYTES = 24 * 1024, PROMPT_LEAST_BYTES = 2 * 1024 };

typedef struct prompt {
    const char *system;
    const char *user;
    bool complete; /* nothing was left out */
} prompt_t;

/* What the Analyst wants to know: first how the tables relate, then, when that is settled, what they mean. */
typedef enum prompt_about { PROMPT_ABOUT_RELATIONS, PROMPT_ABOUT_MEANING } prompt_about_t;

typedef struct prompt_design_evidence {
    prompt_about_t about;
    Nv__TableProfile *const *tables;
    size_t n_tables;
    const Nv__Relations
        *relations; /* its undecided joins are J1, J2 …; they are shown when relations are asked about */
    Nv__KnowledgeHit *const *hits; /* retrieved cases, best first; may be none */
    size_t n_hits;
    const char *critique; /* what a review or validation found wrong with the last design; NULL or "" */
} prompt_design_evidence_t;

/* The Analyst's question; the answer is an nv.DesignProposal. max_bytes (0: PROMPT_DEFAULT_BYTES) bounds the user part. */
bool prompt_design(nv_mem_t *ctx, const prompt_design_evidence_t *evidence, size_t max_bytes, prompt_t *out,
                   nv_error_t *err) NV_MUST_CHECK;

/* The undecided join that an id of a proposal means; NULL when there is none. */
const Nv__Join *prompt_join_of(const Nv__Relations *relations, const char *id);

/* The Developer's question; the answer is an nv.DescriptionProposal. */
bool prompt_descriptions(nv_mem_t *ctx, const Nv__Sttm *sttm, Nv__KnowledgeHit *const *hits, size_t n_hits,
                         size_t max_bytes, prompt_t *out, nv_error_t *err) NV_MUST_CHECK;

/* Descriptions of the proposals' fields for their JSON Schema (llm_proposal_t.describe); arg is not used. */
const char *prompt_describe_field(const char *field, void *arg);

#endif
