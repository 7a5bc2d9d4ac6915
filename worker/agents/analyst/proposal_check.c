/* Why the data says no to a proposal, in words that help a model to answer better. What is decided in the end is decided
 * elsewhere, by the same checks. */
#include "common/contract/codec.h"
#include "worker/agents/analyst/analyst.h"
#include "worker/discovery/proposal.h"
#include "worker/prompts/prompts.h"

#include <string.h>

static const Nv__TableProfile *table_named(const Nv__Profile *profile, const char *name)
{
    for (size_t i = 0; i < profile->n_tables; i++)
        if (strcmp(profile->tables[i]->name, name) == 0)
            return profile->tables[i];
    return NULL;
}

/* "item[2].table: …" unless the table, and the column if one is given, exists. */
static void check_names(const proposal_check_t *c, nv_buf_t *complaints, const char *item, size_t index,
                        const char *table, const char *column)
{
    const Nv__TableProfile *found = table_named(c->profile, table);
    if (found == NULL) {
        nv_buf_printf(complaints, "%s[%zu].table: there is no table \"%.80s\"\n", item, index, table);
        return;
    }
    for (size_t i = 0; column != NULL && i < found->n_columns; i++)
        if (strcmp(found->columns[i]->name, column) == 0)
            return;
    if (column != NULL)
        nv_buf_printf(complaints, "%s[%zu].column: \"%.80s\" has no column \"%.80s\"\n", item, index, table,
                      column);
}

static void check_all_names(const proposal_check_t *c, const Nv__DesignProposal *p, nv_buf_t *complaints)
{
    for (size_t i = 0; i < p->n_roles; i++)
        check_names(c, complaints, "roles", i, p->roles[i]->table, NULL);
    for (size_t i = 0; i < p->n_tables; i++)
        check_names(c, complaints, "tables", i, p->tables[i]->table, NULL);
    for (size_t i = 0; i < p->n_columns; i++)
        check_names(c, complaints, "columns", i, p->columns[i]->table, p->columns[i]->column);
    for (size_t i = 0; i < p->n_measures; i++)
        check_names(c, complaints, "measures", i, p->measures[i]->table, p->measures[i]->column);
}

/* The reason that refusing a join or a role left behind. */
static const char *last_reason(Nv__Evidence *const *evidence, size_t n)
{
    return n > 0 ? evidence[n - 1]->text : "the evidence says otherwise";
}

static void tell_refused_joins(const proposal_check_t *c, const Nv__DesignProposal *p,
                               const Nv__Relations *after, Nv__Join *const *asked, nv_buf_t *complaints)
{
    for (size_t i = 0; i < p->n_joins; i++) {
        const Nv__Join *join = prompt_join_of(c->relations, p->joins[i]->id);
        size_t at = 0;
        while (join != NULL && c->relations->undecided[at] != join)
            at++;
        for (size_t k = c->relations->n_rejected; join != NULL && k < after->n_rejected; k++)
            if (after->rejected[k] == asked[at])
                nv_buf_printf(complaints, "joins[%zu] (%s): %s\n", i, p->joins[i]->id,
                              last_reason(asked[at]->evidence, asked[at]->n_evidence));
    }
}

static void tell_refused_roles(const proposal_check_t *c, const Nv__DesignProposal *p,
                               const Nv__Relations *after, nv_buf_t *complaints)
{
    for (size_t i = 0; i < p->n_roles; i++)
        for (size_t k = 0; k < after->n_roles; k++) {
            const Nv__SourceRole *role = after->roles[k];
            /* a role that was taken is now the one proposed */
            if (strcmp(role->table, p->roles[i]->table) == 0 && role->role != p->roles[i]->role &&
                p->roles[i]->role != NV__TABLE_ROLE__TABLE_ROLE_UNSPECIFIED &&
                role->n_evidence > c->relations->roles[k]->n_evidence)
                nv_buf_printf(complaints, "roles[%zu] (\"%.80s\"): %s\n", i, role->table,
                              last_reason(role->evidence, role->n_evidence));
        }
}

/* The proposal is tried on a copy: what is refused there would be refused in earnest, for the reason noted there. */
static void check_relations(const proposal_check_t *c, const Nv__DesignProposal *p, nv_buf_t *complaints)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("proposal check");
    nv_error_t err = NV_ERROR_INIT;
    proposal_outcome_t outcome;
    for (size_t i = 0; i < p->n_joins; i++)
        if (prompt_join_of(c->relations, p->joins[i]->id) == NULL)
            nv_buf_printf(complaints, "joins[%zu].id: \"%.40s\" is not one of the ids shown\n", i,
                          p->joins[i]->id);
    Nv__Relations *trial = (Nv__Relations *)nv_message_copy(ctx, &c->relations->base);
    size_t n = trial->n_undecided;
    Nv__Join **asked = NV_NEW_ARRAY(ctx, Nv__Join *, n + 1);
    if (n > 0)
        memcpy(asked, trial->undecided, n * sizeof *asked);
    /* What cannot be counted now (the task was cancelled, the file is gone) fails again, and loudly, when it is applied. */
    if (!discovery_apply_proposal(ctx, c->profile, p, "llm", false, c->exact, trial, &outcome, &err))
        return;
    tell_refused_joins(c, p, trial, asked, complaints);
    tell_refused_roles(c, p, trial, complaints);
}

static void check_measures(const proposal_check_t *c, const Nv__DesignProposal *p, nv_buf_t *complaints)
{
    for (size_t i = 0; i < p->n_measures; i++)
        for (size_t f = 0; f < c->star->n_facts; f++)
            for (size_t k = 0; k < c->star->facts[f]->n_measures; k++) {
                const Nv__MeasureDesign *measure = c->star->facts[f]->measures[k];
                const Nv__MeasureDecision *wanted = p->measures[i];
                if (measure->source != NULL && strcmp(measure->source->table, wanted->table) == 0 &&
                    strcmp(measure->source->column, wanted->column) == 0 &&
                    wanted->additivity != NV__ADDITIVITY__ADDITIVITY_UNSPECIFIED &&
                    wanted->additivity < measure->additivity)
                    nv_buf_printf(complaints,
                                  "measures[%zu].additivity: \"%.80s\" may not be summed that freely: %s\n",
                                  i, wanted->column, measure->reason);
            }
}

void proposal_check(void *arg, const ProtobufCMessage *proposal, nv_buf_t *complaints)
{
    const proposal_check_t *c = arg;
    const Nv__DesignProposal *p = (const Nv__DesignProposal *)proposal;
    check_all_names(c, p, complaints);
    if (c->star == NULL)
        check_relations(c, p, complaints);
    else
        check_measures(c, p, complaints);
}
