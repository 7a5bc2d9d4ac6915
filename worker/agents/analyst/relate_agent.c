/* relate: keys, joins and roles of all tables together. */
#include "worker/agents/analyst/analyst.h"
#include "worker/agents/remote/counting.h"
#include "worker/design/carry.h"
#include "worker/discovery/discovery.h"
#include "worker/discovery/proposal.h"
#include "worker/knowledge/fingerprint.h"
#include "worker/knowledge/likeness.h"

#include <inttypes.h>
#include <string.h>

typedef struct relating {
    agent_task_t *task;
    nv_mem_t *ctx;
    Nv__Profile *profile;
    Nv__Relations *relations;
    counting_t *raw; /* NULL: only sketches */
    discovery_exact_t exact;
    Nv__TaskUsage *usage;
} relating_t;

static const discovery_exact_t *exact_of(const relating_t *r)
{
    return r->raw != NULL ? &r->exact : NULL;
}

static void open_data(relating_t *r)
{
    nv_error_t err = NV_ERROR_INIT;
    if (counting_open(r->task, r->ctx, r->profile, &r->raw, &err)) {
        r->exact = counting_exact(r->raw);
        return;
    }
    r->raw = NULL;
    task_say(r->task, "log", "joins are estimated from sketches only: %s", err.message);
}

/* *taken: how many joins and roles were. */
static bool apply(relating_t *r, const Nv__DesignProposal *proposal, const char *source, bool binding,
                  int *taken, nv_error_t *err)
{
    proposal_outcome_t outcome;
    if (!discovery_apply_proposal(r->ctx, r->profile, proposal, source, binding, exact_of(r), r->relations,
                                  &outcome, err))
        return false;
    *taken = outcome.joins_taken + outcome.roles_taken;
    if (outcome.joins_taken + outcome.joins_refused + outcome.roles_taken + outcome.roles_refused > 0)
        task_say(r->task, strcmp(source, "llm") == 0 ? "llm" : "retrieval",
                 "%s: %d joins and %d roles taken; %d joins and %d roles contradicted by the evidence",
                 source, outcome.joins_taken, outcome.roles_taken, outcome.joins_refused,
                 outcome.roles_refused);
    return true;
}

/* What a case may settle: one of just these tables does, and so does a person's of nearly the same ones. */
static bool settles(const Nv__KnowledgeHit *hit, const char *fingerprint, bool human)
{
    return fingerprint_same_shape(hit->found->fingerprint, fingerprint) ||
           (human && hit->similarity >= likeness_near);
}

/* A proven design of just these tables may settle what the evidence leaves open; a person's design of them, or of nearly the same
 * ones, wins where the data does not contradict it. */
static bool use_cases(relating_t *r, const Nv__KnowledgeReply *cases, const char *fingerprint,
                      nv_error_t *err)
{
    for (size_t i = 0; i < cases->n_hits; i++) {
        const Nv__KnowledgeCase *found = cases->hits[i]->found;
        const Nv__StarSchema *earlier = analyst_case_design(r->task, r->ctx, found);
        if (earlier == NULL)
            continue;
        bool human = strcmp(earlier->method, "human") == 0;
        if (earlier->relations == NULL || !settles(cases->hits[i], fingerprint, human))
            continue;
        const Nv__Relations *known = earlier->relations, *decided = design_decided_relations(r->ctx, known);
        int taken;
        if (human)
            discovery_recall_joins(r->ctx, r->profile, decided, r->relations);
        if (!fingerprint_same_shape(found->fingerprint, fingerprint))
            known = decided; /* the rest is for its own data to say */
        return apply(r, discovery_proposal_of(r->ctx, known, r->relations), human ? "human" : "knowledge",
                     human, &taken, err);
    }
    return true;
}

static bool ask_model(relating_t *r, const Nv__KnowledgeReply *cases, nv_error_t *err)
{
    const char *why = "";
    int taken = 0;
    proposal_check_t check = {
        .ctx = r->ctx, .profile = r->profile, .relations = r->relations, .exact = exact_of(r)};
    analyst_question_t question = {.profile = r->profile,
                                   .relations = r->relations,
                                   .about = PROMPT_ABOUT_RELATIONS,
                                   .cases = cases,
                                   .check = proposal_check,
                                   .check_arg = &check};
    Nv__DesignProposal *proposal = analyst_ask(r->task, r->ctx, &question, r->usage, &why);
    if (task_cancelled(r->task))
        return nv_fail(err, NV_CANCELLED, "relate was cancelled");
    if (proposal == NULL) {
        task_say(r->task, "llm", "decided on evidence alone: %s", why);
        return true;
    }
    if (!apply(r, proposal, "llm", false, &taken, err))
        return false;
    if (taken > 0)
        r->relations->method = nv_printf(r->ctx, "%s+llm", r->relations->method);
    return true;
}

static void say_found(const relating_t *r)
{
    task_say(r->task, "log", "%zu keys, %zu joins, %zu undecided", r->relations->n_primary_keys,
             r->relations->n_joins, r->relations->n_undecided);
    for (size_t i = 0; i < r->relations->n_joins; i++) {
        const Nv__Join *join = r->relations->joins[i];
        if (join->orphans > 0)
            task_say(r->task, "finding",
                     join->n_columns > 1 ? "%s(%s): %" PRId64 " %s no %s" : "%s.%s: %" PRId64 " %s no %s",
                     join->from, nv_join(r->ctx, ", ", join->columns, join->n_columns), join->orphans,
                     join->orphans == 1 ? "row refers to" : "rows refer to", join->to);
    }
}

bool agent_relate(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err)
{
    relating_t r = {.task = task, .ctx = ctx, .usage = &out->usage};
    *out = (agent_result_t){.outcome = "done"};
    nv__task_usage__init(&out->usage);
    if (!analyst_profile(task, ctx, &r.profile, err))
        return nv_wrap(err, "relate");
    const char *fingerprint = "";
    const Nv__KnowledgeReply *cases = analyst_recall(task, ctx, r.profile, "design", &fingerprint);
    open_data(&r);
    const Nv__RunSpec *spec = task->assignment->spec;
    discovery_options_t options = {.safe = spec != NULL && strcmp(spec->discovery_mode, "safe") == 0,
                                   .exact = exact_of(&r),
                                   .cancelled = task_cancelled,
                                   .cancelled_arg = task};
    bool ok = discovery_relate(ctx, r.profile, &options, &r.relations, err) &&
              use_cases(&r, cases, fingerprint, err) && ask_model(&r, cases, err) &&
              task_write(task, "relations", &r.relations->base, err);
    nv_mem_free(r.raw);
    if (!ok)
        return nv_wrap(err, "relate");
    say_found(&r);
    return true;
}
