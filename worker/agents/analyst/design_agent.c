/* design: the star schema and its mapping; a person's design replaces ours when the data allows it. */
#include "common/contract/codec.h"
#include "common/core/path.h"
#include "worker/agents/analyst/analyst.h"
#include "worker/design/carry.h"
#include "worker/design/design.h"
#include "worker/design/proposal.h"
#include "worker/design/sttm_check.h"
#include "worker/knowledge/fingerprint.h"
#include "worker/knowledge/likeness.h"
#include "worker/pushdown/remote_survey.h"
#include "worker/report/report.h"

#include <stdio.h>
#include <string.h>

typedef struct designing {
    agent_task_t *task;
    nv_mem_t *ctx;
    Nv__Profile *profile;
    design_input_t input;
    Nv__StarSchema *human;
    /* of a person who sent the design back; "": nobody did since the last checks failed */
    const char *comment;
    const Nv__KnowledgeReply *cases;
    Nv__StarSchema *earlier; /* what the person was asked about */
    Nv__Sttm *earlier_sttm;
    Nv__StarSchema *star;
    Nv__Sttm *sttm;
    Nv__TaskUsage *usage;
} designing_t;

/* The project's name, after which its schema is called too: not like the one that the source tables are in. */
static const char *project_name(nv_mem_t *ctx, const char *source)
{
    const char *base = nv_path_base(ctx, source);
    const char *name = base[0] ? base : "warehouse";
    return source_kind(source) == SOURCE_CATALOG ? nv_printf(ctx, "%s_star", name) : name;
}

static bool read_inputs(designing_t *d, nv_error_t *err)
{
    ProtobufCMessage *relations = NULL, *review = NULL, *validation = NULL, *human = NULL, *earlier = NULL,
                     *earlier_sttm = NULL, *critique = NULL;
    if (!analyst_profile(d->task, d->ctx, &d->profile, err) ||
        !task_latest(d->task, d->ctx, "relations", &nv__relations__descriptor, &relations, err) ||
        !task_latest(d->task, d->ctx, "review", &nv__review__descriptor, &review, err) ||
        !task_latest(d->task, d->ctx, "validation", &nv__validation__descriptor, &validation, err) ||
        !task_latest(d->task, d->ctx, "critique", &nv__validation__descriptor, &critique, err) ||
        !task_latest(d->task, d->ctx, "human_design", &nv__star_schema__descriptor, &human, err) ||
        !task_latest(d->task, d->ctx, "design", &nv__star_schema__descriptor, &earlier, err) ||
        !task_latest(d->task, d->ctx, "sttm", &nv__sttm__descriptor, &earlier_sttm, err))
        return false;
    d->earlier = (Nv__StarSchema *)earlier;
    d->earlier_sttm = (Nv__Sttm *)earlier_sttm;
    if (relations == NULL)
        return nv_fail(err, NV_FAILED_PRECONDITION, "no relations were found before the design");
    const Nv__RunSpec *spec = d->task->assignment->spec;
    const char *name =
        spec != NULL && spec->name[0] != '\0' ? spec->name : project_name(d->ctx, d->profile->source);
    d->input = (design_input_t){.name = name,
                                .profile = d->profile,
                                .relations = (Nv__Relations *)relations,
                                .review = (Nv__Review *)review,
                                .validation = (Nv__Validation *)validation};
    d->human = (Nv__StarSchema *)human;
    const Nv__Validation *last = (const Nv__Validation *)critique;
    d->comment = last != NULL && last->by[0] != '\0' ? last->critique : "";
    return true;
}

static const char *critique_of(const designing_t *d)
{
    if (d->comment[0] != '\0')
        return d->comment;
    if (d->input.validation != NULL && d->input.validation->critique[0] != '\0' &&
        strcmp(d->input.validation->blame, "design") == 0)
        return d->input.validation->critique;
    return d->input.review != NULL && !d->input.review->passed ? d->input.review->critique : "";
}

/* Names, descriptions, units; structure was settled in `relate`. */
static bool ask_model(designing_t *d, nv_error_t *err)
{
    const char *why = "";
    const Nv__KnowledgeReply *cases = d->cases;
    proposal_check_t check = {
        .ctx = d->ctx, .profile = d->profile, .relations = d->input.relations, .star = d->star};
    analyst_question_t question = {.profile = d->profile,
                                   .relations = d->input.relations,
                                   .about = PROMPT_ABOUT_MEANING,
                                   .cases = cases,
                                   .critique = critique_of(d),
                                   .check = proposal_check,
                                   .check_arg = &check};
    Nv__DesignProposal *proposal = analyst_ask(d->task, d->ctx, &question, d->usage, &why);
    if (task_cancelled(d->task))
        return nv_fail(err, NV_CANCELLED, "design was cancelled");
    if (proposal == NULL) {
        task_say(d->task, "llm", "designed on evidence alone: %s", why);
        if (d->comment[0] != '\0')
            task_say(
                d->task, "finding",
                "\"%.200s\" changed nothing: only a language model could follow it; answer with a corrected "
                "design.json instead",
                d->comment);
        return true;
    }
    design_outcome_t outcome;
    design_apply_proposal(d->ctx, proposal, "llm", d->star, &outcome);
    task_say(d->task, "llm", "%d descriptions and measures taken, %d refused", outcome.taken,
             outcome.refused);
    if (outcome.taken > 0 && strstr(d->star->method, "llm") == NULL)
        d->star->method = nv_printf(d->ctx, "%s+llm", d->star->method);
    return true;
}

static bool use_human(designing_t *d, nv_error_t *err)
{
    if (d->human->relations == NULL)
        d->human->relations = (Nv__Relations *)d->input.relations;
    if (!design_check_star(d->profile, d->human, err))
        return nv_wrap(err, "the edited design");
    design_mark_decisions(d->ctx, d->earlier, d->human);
    d->star = d->human;
    d->star->method = nv_strdup(d->ctx, "human");
    task_say(d->task, "log", "the edited design replaces ours");
    return true;
}

/* A slip in an edited design costs the person a second edit, not the run: what was asked about stands, and is asked again. */
static bool refuse_human(designing_t *d, nv_error_t *err)
{
    task_say(d->task, "finding", "refused: %s", err->message);
    nv_error_clear(err);
    d->star = d->earlier;
    d->sttm = d->earlier_sttm;
    return true;
}

/* The design in a case, where a person made it. */
static Nv__StarSchema *human_design_of(const designing_t *d, const Nv__KnowledgeCase *found)
{
    Nv__StarSchema *star = analyst_case_design(d->task, d->ctx, found);
    return star && strcmp(star->method, "human") == 0 ? star : NULL;
}

/* What a person decided about columns of nearly the same tables, for those that are here, too; also where their whole design no
 * longer fits. */
static void carry_decisions(designing_t *d)
{
    for (size_t i = 0; i < d->cases->n_hits; i++) {
        const Nv__KnowledgeHit *hit = d->cases->hits[i];
        const Nv__StarSchema *earlier =
            hit->similarity >= likeness_near ? human_design_of(d, hit->found) : NULL;
        nv_error_t err = NV_ERROR_INIT;
        if (!earlier)
            continue;
        Nv__StarSchema *star = (Nv__StarSchema *)nv_message_copy(d->ctx, &d->star->base);
        size_t carried = design_carry(d->ctx, earlier, hit->found->run_id, star);
        bool fits = carried == 0 || design_check_star(d->profile, star, &err);
        if (!fits)
            task_say(d->task, "retrieval", "what a person decided in %s does not fit: %s", hit->found->run_id,
                     err.message);
        if (carried == 0 || !fits)
            continue;
        d->star = star;
        task_say(d->task, "retrieval", "%zu decision%s of a person in %s taken over (%.2f alike)", carried,
                 carried == 1 ? "" : "s", hit->found->run_id, hit->similarity);
        return;
    }
}

/* What a person made of tables of this shape, if it still fits them. The review holds its joins and grains against the data; what fails
 * there is designed anew in the next round. */
static bool use_correction(designing_t *d, const char *fingerprint)
{
    for (size_t i = 0; i < d->cases->n_hits && d->task->assignment->round == 0; i++) {
        const Nv__KnowledgeCase *found = d->cases->hits[i]->found;
        nv_error_t err = NV_ERROR_INIT;
        Nv__StarSchema *earlier =
            fingerprint_same_shape(found->fingerprint, fingerprint) ? human_design_of(d, found) : NULL;
        if (!earlier)
            continue;
        if (!design_check_star(d->profile, earlier, &err)) {
            task_say(d->task, "retrieval", "the design a person made in %s no longer fits: %s", found->run_id,
                     err.message);
            nv_error_clear(&err);
            continue;
        }
        earlier->relations = (Nv__Relations *)d->input.relations;
        d->star = earlier;
        task_say(d->task, "retrieval", "the design a person made in %s is used again", found->run_id);
        return true;
    }
    return false;
}

static bool make_star(designing_t *d, nv_error_t *err)
{
    if (d->human != NULL)
        return use_human(d, err);
    const char *fingerprint = "";
    d->cases = analyst_recall(d->task, d->ctx, d->profile, "design", &fingerprint);
    /* A person who corrected the design and then sends it back does not want the correction undone. */
    if (d->comment[0] != '\0' && d->earlier != NULL && strncmp(d->earlier->method, "human", 5) == 0) {
        d->star = d->earlier;
        return ask_model(d, err);
    }
    if (use_correction(d, fingerprint))
        return true;
    if (!design_star(d->ctx, &d->input, &d->star, err) || !ask_model(d, err))
        return false;
    carry_decisions(d);
    return true;
}

/* What a person who is asked reads; the report comes at the end. */
static bool store_for_approval(designing_t *d, nv_error_t *err)
{
    const Nv__RunSpec *spec = d->task->assignment->spec;
    if (spec == NULL || strcmp(spec->approval, "ask") != 0)
        return true;
    nv_buf_t markdown = nv_buf_make(d->ctx, REPORT_MAX_BYTES);
    report_sttm_markdown(&markdown, d->sttm);
    return nv_buf_ok(&markdown, "sttm.md", err) &&
           task_artifact(d->task, "sttm.md", "text/markdown", nv_buf_text(&markdown), markdown.length, err);
}

/* "1 bridge", "2 bridges". */
static char *counted(nv_mem_t *ctx, size_t n, const char *what)
{
    return nv_printf(ctx, "%zu %s%s", n, what, n == 1 ? "" : "s");
}

bool agent_design(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err)
{
    designing_t d = {.task = task, .ctx = ctx, .usage = &out->usage};
    *out = (agent_result_t){.outcome = "done"};
    nv__task_usage__init(&out->usage);
    char version[16];
    (void)snprintf(version, sizeof version, "%d", task->assignment->round + 1);
    if (!read_inputs(&d, err))
        return nv_wrap(err, "design");
    bool ok = make_star(&d, err) && design_sttm(ctx, &d.input, d.star, version, &d.sttm, err);
    if (!ok && d.human != NULL && d.earlier != NULL && d.earlier_sttm != NULL)
        ok = refuse_human(&d, err);
    if (!ok)
        return nv_wrap(err, "design");
    /* What a person edited may leave columns out without saying why; the review tells them. */
    sttm_problems_t problems = sttm_find_problems(ctx, d.sttm, d.profile);
    for (size_t i = 0; i < problems.n; i++)
        task_say(task, "log", "%s", problems.text[i]);
    if (!task_write(task, "design", &d.star->base, err) || !task_write(task, "sttm", &d.sttm->base, err) ||
        !task_artifact_json(task, "design.json", &d.star->base, err) ||
        !task_artifact_json(task, "sttm.json", &d.sttm->base, err) || !store_for_approval(&d, err))
        return nv_wrap(err, "design");
    task_say(task, "log", "%s, %s, %s: %s", counted(ctx, d.star->n_dimensions, "dimension"),
             counted(ctx, d.star->n_facts, "fact"), counted(ctx, d.star->n_bridges, "bridge"),
             counted(ctx, d.sttm->n_targets, "target table"));
    return true;
}
