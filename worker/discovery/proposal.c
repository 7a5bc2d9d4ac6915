#include "worker/discovery/proposal.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Below this share of rows that find a target a join is contradicted, whoever proposes it. */
static const double least_coverage = 0.9;
static const double least_coverage_binding = 0.5;
/* Roles that the evidence is surer of than this are not open to a proposal. */
static const double settled_role = 0.85;

typedef struct applier {
    nv_mem_t *ctx;
    const Nv__Profile *profile;
    const char *source;
    bool binding;
    const discovery_exact_t *exact;
    Nv__Relations *relations;
    proposal_outcome_t *out;
} applier_t;

static const Nv__TableProfile *find_table(const applier_t *a, const char *name)
{
    for (size_t i = 0; i < a->profile->n_tables; i++) {
        if (strcmp(a->profile->tables[i]->name, name) == 0)
            return a->profile->tables[i];
    }
    return NULL;
}

static const Nv__Join *join_of(const applier_t *a, const char *id)
{
    char *end = NULL;
    if (id[0] != 'J' || id[1] < '1' || id[1] > '9')
        return NULL;
    unsigned long number = strtoul(id + 1, &end, 10);
    return *end == '\0' && number <= a->relations->n_undecided ? a->relations->undecided[number - 1] : NULL;
}

static void add_evidence(applier_t *a, Nv__Join *join, double weight, const char *text)
{
    Nv__Evidence **list = NV_NEW_ARRAY(a->ctx, Nv__Evidence *, join->n_evidence + 1);
    if (join->n_evidence > 0)
        memcpy(list, join->evidence, join->n_evidence * sizeof *list);
    join->evidence = list;
    join->evidence[join->n_evidence++] = discovery_evidence(a->ctx, a->source, weight, "%s", text);
}

static bool same_columns(const Nv__Join *a, const Nv__Join *b)
{
    if (strcmp(a->from, b->from) != 0 || a->n_columns != b->n_columns)
        return false;
    for (size_t i = 0; i < a->n_columns; i++) {
        if (strcmp(a->columns[i], b->columns[i]) != 0)
            return false;
    }
    return true;
}

/* A column set refers to one table only: who holds it already? */
static const Nv__Join *holder(const applier_t *a, const Nv__Join *join)
{
    for (size_t i = 0; i < a->relations->n_joins; i++) {
        if (same_columns(a->relations->joins[i], join))
            return a->relations->joins[i];
    }
    return NULL;
}

static bool count(applier_t *a, const Nv__Join *join, bool target, discovery_counts_t *counts,
                  nv_error_t *err)
{
    discovery_check_t check = {
        .from = target ? join->to : join->from, .to = target ? NULL : join->to, .n = (int)join->n_columns};
    *counts = (discovery_counts_t){0};
    if (a->exact == NULL || join->n_columns > DISCOVERY_KEY_COLUMNS_MAX)
        return true;
    for (size_t i = 0; i < join->n_columns; i++) {
        check.columns[i] = target ? join->to_columns[i] : join->columns[i];
        check.to_columns[i] = target ? NULL : join->to_columns[i];
    }
    return a->exact->count(a->exact->self, &check, 1, counts, err);
}

/* NULL when the data agrees, else why not. */
static bool contradiction(applier_t *a, Nv__Join *join, const char **why, nv_error_t *err)
{
    discovery_counts_t found, target;
    *why = NULL;
    const Nv__Join *other = holder(a, join);
    if (other != NULL && !a->binding) {
        *why = nv_printf(a->ctx, "the column already refers to \"%s\" (P = %.2f)", other->to,
                         other->probability);
        return true;
    }
    if (!count(a, join, false, &found, err) || !count(a, join, true, &target, err))
        return nv_wrap(err, "checking a proposed join");
    if (!found.answered || !target.answered) {
        *why = "it could not be counted in the data";
        return true;
    }
    double coverage = found.rows > 0 ? 1 - (double)found.missing / (double)found.rows : 1;
    if (coverage < (a->binding ? least_coverage_binding : least_coverage))
        *why = nv_printf(a->ctx, "%" PRId64 " of %" PRId64 " rows find no target", found.missing, found.rows);
    else if ((double)target.distinct < 0.98 * (double)target.rows)
        *why = nv_printf(
            a->ctx, "the target has %" PRId64 " values in %" PRId64 " rows: the join would multiply rows",
            target.distinct, target.rows);
    join->coverage = round(coverage * 1e4) / 1e4;
    join->orphans = found.missing;
    return true;
}

static void drop_holder(applier_t *a, const Nv__Join *join)
{
    size_t kept = 0;
    for (size_t i = 0; i < a->relations->n_joins; i++) {
        if (!same_columns(a->relations->joins[i], join))
            a->relations->joins[kept++] = a->relations->joins[i];
    }
    a->relations->n_joins = kept;
}

static void take_join(applier_t *a, Nv__Join *join, const char *reason)
{
    Nv__Relations *r = a->relations;
    drop_holder(a, join);
    /* Language and data agree: three to one in favour on top of the evidence. */
    double odds = join->probability / fmax(1e-6, 1 - join->probability) * 3;
    join->probability = a->binding ? 1 : round(odds / (1 + odds) * 1e4) / 1e4;
    join->decided_by = nv_strdup(a->ctx, a->source);
    add_evidence(a, join, 0.5, reason);
    Nv__Join **joins = NV_NEW_ARRAY(a->ctx, Nv__Join *, r->n_joins + 1);
    if (r->n_joins > 0)
        memcpy(joins, r->joins, r->n_joins * sizeof *joins);
    joins[r->n_joins] = join;
    r->joins = joins;
    r->n_joins++;
    a->out->joins_taken++;
}

static void refuse_join(applier_t *a, Nv__Join *join, const char *why)
{
    Nv__Relations *r = a->relations;
    add_evidence(a, join, -1, nv_printf(a->ctx, "proposed, but %s", why));
    Nv__Join **rejected = NV_NEW_ARRAY(a->ctx, Nv__Join *, r->n_rejected + 1);
    if (r->n_rejected > 0)
        memcpy(rejected, r->rejected, r->n_rejected * sizeof *rejected);
    rejected[r->n_rejected] = join;
    r->rejected = rejected;
    r->n_rejected++;
    a->out->joins_refused++;
}

static bool apply_joins(applier_t *a, const Nv__DesignProposal *proposal, nv_error_t *err)
{
    bool *settled = NV_NEW_ARRAY(a->ctx, bool, a->relations->n_undecided + 1);
    for (size_t i = 0; i < proposal->n_joins; i++) {
        const Nv__JoinDecision *decision = proposal->joins[i];
        Nv__Join *join = (Nv__Join *)join_of(a, decision->id);
        size_t at = 0;
        while (join != NULL && a->relations->undecided[at] != join)
            at++;
        if (join == NULL || settled[at] || decision->answer != NV__JOIN_ANSWER__JOIN_ANSWER_YES)
            continue;
        const char *why = NULL;
        settled[at] = true;
        if (!contradiction(a, join, &why, err))
            return false;
        if (why == NULL)
            take_join(a, join, decision->reason);
        else
            refuse_join(a, join, why);
    }
    size_t kept = 0;
    for (size_t i = 0; i < a->relations->n_undecided; i++) {
        if (!settled[i])
            a->relations->undecided[kept++] = a->relations->undecided[i];
    }
    a->relations->n_undecided = kept;
    return true;
}

/* --- roles ----------------------------------------------------------------------------------------------------------------------- */

static size_t joins_out(const applier_t *a, const char *table)
{
    size_t n = 0;
    for (size_t i = 0; i < a->relations->n_joins; i++)
        n += strcmp(a->relations->joins[i]->from, table) == 0 &&
             strcmp(a->relations->joins[i]->to, table) != 0;
    return n;
}

static bool has_key(const applier_t *a, const char *table)
{
    for (size_t i = 0; i < a->relations->n_primary_keys; i++) {
        if (strcmp(a->relations->primary_keys[i]->table, table) == 0)
            return true;
    }
    return false;
}

static const char *role_contradiction(const applier_t *a, const Nv__SourceRole *now, Nv__TableRole wanted)
{
    if (!a->binding && now->confidence >= settled_role)
        return nv_printf(a->ctx, "the evidence is settled (P = %.2f)", now->confidence);
    if (wanted == NV__TABLE_ROLE__TABLE_ROLE_DIMENSION && !has_key(a, now->table))
        return "a dimension needs a key, and none was found";
    if (wanted == NV__TABLE_ROLE__TABLE_ROLE_BRIDGE && joins_out(a, now->table) < 2)
        return "a bridge needs two references, and the data shows fewer";
    return NULL;
}

static void note_role(applier_t *a, Nv__SourceRole *role, double weight, const char *text)
{
    Nv__Evidence **list = NV_NEW_ARRAY(a->ctx, Nv__Evidence *, role->n_evidence + 1);
    if (role->n_evidence > 0)
        memcpy(list, role->evidence, role->n_evidence * sizeof *list);
    list[role->n_evidence] = discovery_evidence(a->ctx, a->source, weight, "%s", text);
    role->evidence = list;
    role->n_evidence++;
}

static void apply_role(applier_t *a, const Nv__RoleDecision *decision)
{
    for (size_t i = 0; i < a->relations->n_roles; i++) {
        Nv__SourceRole *role = a->relations->roles[i];
        if (strcmp(role->table, decision->table) != 0 ||
            decision->role == NV__TABLE_ROLE__TABLE_ROLE_UNSPECIFIED || find_table(a, role->table) == NULL)
            continue;
        if (decision->role == role->role) {
            note_role(a, role, 0.3, decision->reason);
            return;
        }
        const char *why = role_contradiction(a, role, decision->role);
        if (why != NULL) {
            note_role(a, role, 0, nv_printf(a->ctx, "another role was proposed, but %s", why));
            a->out->roles_refused++;
            return;
        }
        role->role = decision->role;
        role->confidence = a->binding ? 1 : 0.7;
        note_role(a, role, 0.5, decision->reason);
        a->out->roles_taken++;
        return;
    }
}

bool discovery_apply_proposal(nv_mem_t *ctx, const Nv__Profile *profile, const Nv__DesignProposal *proposal,
                              const char *source, bool binding, const discovery_exact_t *exact,
                              Nv__Relations *relations, proposal_outcome_t *out, nv_error_t *err)
{
    applier_t a = {.ctx = ctx,
                   .profile = profile,
                   .source = source,
                   .binding = binding,
                   .exact = exact,
                   .relations = relations,
                   .out = out};
    *out = (proposal_outcome_t){0};
    if (!apply_joins(&a, proposal, err))
        return false;
    for (size_t i = 0; i < proposal->n_roles; i++)
        apply_role(&a, proposal->roles[i]);
    return true;
}

static bool has_columns(const Nv__Profile *profile, const char *table, char **columns, size_t n)
{
    for (size_t i = 0; i < profile->n_tables; i++) {
        const Nv__TableProfile *found = profile->tables[i];
        if (strcmp(found->name, table) != 0)
            continue;
        size_t there = 0;
        for (size_t k = 0; k < n; k++)
            for (size_t c = 0; c < found->n_columns; c++)
                there += strcmp(found->columns[c]->name, columns[k]) == 0;
        return n > 0 && there == n;
    }
    return false;
}

static bool lists(Nv__Join **list, size_t n, const Nv__Join *join)
{
    for (size_t i = 0; i < n; i++)
        if (same_columns(list[i], join) && strcmp(list[i]->to, join->to) == 0)
            return true;
    return false;
}

void discovery_recall_joins(nv_mem_t *ctx, const Nv__Profile *profile, const Nv__Relations *earlier,
                            Nv__Relations *now)
{
    Nv__Join **undecided = NV_NEW_ARRAY(ctx, Nv__Join *, now->n_undecided + earlier->n_joins + 1);
    if (now->n_undecided > 0)
        memcpy(undecided, now->undecided, now->n_undecided * sizeof *undecided);
    now->undecided = undecided;
    for (size_t i = 0; i < earlier->n_joins; i++) {
        Nv__Join *join = earlier->joins[i];
        if (join->n_columns != join->n_to_columns ||
            !has_columns(profile, join->from, join->columns, join->n_columns) ||
            !has_columns(profile, join->to, join->to_columns, join->n_to_columns) ||
            lists(now->joins, now->n_joins, join) || lists(undecided, now->n_undecided, join))
            continue;
        Nv__Join *again = NV_NEW(ctx, Nv__Join);
        *again = *join;
        again->n_evidence = 0; /* that of other data */
        undecided[now->n_undecided++] = again;
    }
}

Nv__DesignProposal *discovery_proposal_of(nv_mem_t *ctx, const Nv__Relations *earlier,
                                          const Nv__Relations *now)
{
    Nv__DesignProposal *proposal = NV_NEW(ctx, Nv__DesignProposal);
    nv__design_proposal__init(proposal);
    proposal->joins = NV_NEW_ARRAY(ctx, Nv__JoinDecision *, now->n_undecided + 1);
    for (size_t i = 0; i < now->n_undecided; i++) {
        bool known = false;
        for (size_t k = 0; k < earlier->n_joins; k++) {
            const Nv__Join *a = earlier->joins[k], *b = now->undecided[i];
            known = known || (same_columns(a, b) && strcmp(a->to, b->to) == 0 &&
                              strcmp(a->to_columns[0], b->to_columns[0]) == 0);
        }
        if (!known)
            continue;
        Nv__JoinDecision *decision = NV_NEW(ctx, Nv__JoinDecision);
        nv__join_decision__init(decision);
        decision->id = nv_printf(ctx, "J%zu", i + 1);
        decision->answer = NV__JOIN_ANSWER__JOIN_ANSWER_YES;
        decision->reason = nv_strdup(ctx, "an earlier design of the same tables used it and passed");
        proposal->joins[proposal->n_joins++] = decision;
    }
    proposal->roles = NV_NEW_ARRAY(ctx, Nv__RoleDecision *, earlier->n_roles + 1);
    for (size_t i = 0; i < earlier->n_roles; i++) {
        Nv__RoleDecision *decision = NV_NEW(ctx, Nv__RoleDecision);
        nv__role_decision__init(decision);
        decision->table = earlier->roles[i]->table;
        decision->role = earlier->roles[i]->role;
        decision->reason = nv_strdup(ctx, "an earlier design of the same tables says so");
        proposal->roles[proposal->n_roles++] = decision;
    }
    return proposal;
}
