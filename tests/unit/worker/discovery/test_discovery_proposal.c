#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/bench/design/mini/mini_profile.h"
#include "worker/discovery/proposal.h"

typedef struct fixture {
    nv_mem_t *ctx;
    mini_t *mini;
    Nv__Relations relations;
    Nv__Join right, wrong, multiplies;
    Nv__Join *undecided[3];
    Nv__SourceRole unsure, settled;
    Nv__SourceRole *roles[2];
    discovery_exact_t exact;
} fixture_t;

static char *to_id[] = {(char *)"id"}, *to_city[] = {(char *)"city"}, *who[] = {(char *)"who"},
            *what[] = {(char *)"what"}, *where[] = {(char *)"place"};

static void init_join(Nv__Join *join, char **column, char **to)
{
    nv__join__init(join);
    join->from = (char *)"visits";
    join->to = (char *)"people";
    join->columns = column;
    join->to_columns = to;
    join->n_columns = join->n_to_columns = 1;
    join->probability = 0.5;
}

static int set_up(void **state)
{
    nv_mem_t *ctx = nv_mem_root("test");
    fixture_t *f = NV_NEW(ctx, fixture_t);
    nv_error_t err = NV_ERROR_INIT;
    f->ctx = ctx;
    f->mini = mini_new(ctx);
    assert_true(mini_add_csv(f->mini, "people", "id,city\n1,Bern\n2,Bern\n3,Graz\n", &err));
    assert_true(mini_add_csv(f->mini, "visits", "who,what,place\n1,77,Bern\n2,78,Bern\n2,79,Graz\n", &err));
    nv__relations__init(&f->relations);
    f->relations.method = (char *)"evidence";
    init_join(&f->right, who, to_id);
    init_join(&f->wrong, what, to_id);
    init_join(&f->multiplies, where, to_city);
    f->undecided[0] = &f->right;
    f->undecided[1] = &f->wrong;
    f->undecided[2] = &f->multiplies;
    f->relations.undecided = f->undecided;
    f->relations.n_undecided = 3;
    nv__source_role__init(&f->unsure);
    nv__source_role__init(&f->settled);
    f->unsure = (Nv__SourceRole){.base = f->unsure.base,
                                 .table = (char *)"visits",
                                 .role = NV__TABLE_ROLE__TABLE_ROLE_OTHER,
                                 .confidence = 0.5};
    f->settled = (Nv__SourceRole){.base = f->settled.base,
                                  .table = (char *)"people",
                                  .role = NV__TABLE_ROLE__TABLE_ROLE_DIMENSION,
                                  .confidence = 0.99};
    f->roles[0] = &f->unsure;
    f->roles[1] = &f->settled;
    f->relations.roles = f->roles;
    f->relations.n_roles = 2;
    f->exact = mini_exact(f->mini);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    nv_mem_free(((fixture_t *)*state)->ctx);
    return 0;
}

static Nv__DesignProposal *say_yes(fixture_t *f, const char *const *ids, size_t n)
{
    Nv__DesignProposal *proposal = NV_NEW(f->ctx, Nv__DesignProposal);
    nv__design_proposal__init(proposal);
    proposal->joins = NV_NEW_ARRAY(f->ctx, Nv__JoinDecision *, n + 1);
    for (size_t i = 0; i < n; i++) {
        Nv__JoinDecision *decision = NV_NEW(f->ctx, Nv__JoinDecision);
        nv__join_decision__init(decision);
        decision->id = (char *)ids[i];
        decision->answer = NV__JOIN_ANSWER__JOIN_ANSWER_YES;
        decision->reason = (char *)"because";
        proposal->joins[proposal->n_joins++] = decision;
    }
    return proposal;
}

static void test_only_what_holds_is_taken(void **state)
{
    fixture_t *f = *state;
    nv_error_t err = NV_ERROR_INIT;
    proposal_outcome_t outcome;
    const char *ids[] = {"J1", "J2", "J3", "J9", "nonsense", ""};
    assert_true(discovery_apply_proposal(f->ctx, mini_profile(f->mini), say_yes(f, ids, 6), "llm", false,
                                         &f->exact, &f->relations, &outcome, &err));
    assert_int_equal(outcome.joins_taken, 1);
    assert_int_equal(outcome.joins_refused, 2);
    assert_int_equal(f->relations.n_joins, 1);
    assert_string_equal(f->relations.joins[0]->columns[0], "who");
    assert_string_equal(f->relations.joins[0]->decided_by, "llm");
    assert_int_equal(f->relations.n_undecided, 0);
    assert_non_null(strstr(f->relations.rejected[0]->evidence[0]->text, "3 of 3 rows find no target"));
    assert_non_null(strstr(f->relations.rejected[1]->evidence[0]->text, "multiply rows"));
}

static void test_nothing_is_taken_uncounted(void **state)
{
    fixture_t *f = *state;
    nv_error_t err = NV_ERROR_INIT;
    proposal_outcome_t outcome;
    const char *ids[] = {"J1"};
    assert_true(discovery_apply_proposal(f->ctx, mini_profile(f->mini), say_yes(f, ids, 1), "llm", false,
                                         NULL, &f->relations, &outcome, &err));
    assert_int_equal(outcome.joins_taken, 0);
    assert_int_equal(outcome.joins_refused, 1);
}

static void test_roles(void **state)
{
    fixture_t *f = *state;
    nv_error_t err = NV_ERROR_INIT;
    proposal_outcome_t outcome;
    Nv__DesignProposal *proposal = say_yes(f, NULL, 0);
    Nv__RoleDecision a = NV__ROLE_DECISION__INIT, b = NV__ROLE_DECISION__INIT, c = NV__ROLE_DECISION__INIT;
    a.table = b.table = (char *)"visits";
    c.table = (char *)"people";
    a.reason = b.reason = c.reason = (char *)"because";
    a.role = NV__TABLE_ROLE__TABLE_ROLE_BRIDGE;
    b.role = c.role = NV__TABLE_ROLE__TABLE_ROLE_FACT;
    Nv__RoleDecision *list[] = {&a, &b, &c};
    proposal->roles = list;
    proposal->n_roles = 3;
    assert_true(discovery_apply_proposal(f->ctx, mini_profile(f->mini), proposal, "llm", false, &f->exact,
                                         &f->relations, &outcome, &err));
    assert_int_equal(outcome.roles_taken, 1);
    assert_int_equal(outcome.roles_refused, 2);
    assert_int_equal(f->unsure.role, NV__TABLE_ROLE__TABLE_ROLE_FACT);
    assert_int_equal(f->settled.role, NV__TABLE_ROLE__TABLE_ROLE_DIMENSION);
}

/* A join that a person drew earlier and that the evidence does not see now is looked at again; one that names what is not here, or that
 * is known already, is not. */
static void test_joins_of_a_person_are_recalled(void **state)
{
    fixture_t *f = *state;
    Nv__Join known, decided_now, gone_table, gone_column, lopsided, again;
    Nv__Evidence old = NV__EVIDENCE__INIT;
    Nv__Evidence *evidence[] = {&old};
    char *nothing[] = {(char *)"nothing"};
    init_join(&known, what, to_id); /* undecided here as well */
    init_join(&decided_now, where, to_id);
    init_join(&gone_table, who, to_id);
    gone_table.to = (char *)"pets";
    init_join(&gone_column, nothing, to_id);
    init_join(&lopsided, who, to_id);
    lopsided.n_to_columns = 0;
    init_join(&again, to_city, where);
    again.from = (char *)"people";
    again.to = (char *)"visits";
    again.evidence = evidence;
    again.n_evidence = 1;
    Nv__Join *joins[] = {&decided_now},
             *drawn[] = {&known, &decided_now, &gone_table, &gone_column, &lopsided, &again, &again};
    f->relations.joins = joins;
    f->relations.n_joins = 1;
    Nv__Relations earlier = NV__RELATIONS__INIT;
    earlier.joins = drawn;
    earlier.n_joins = sizeof drawn / sizeof *drawn;
    discovery_recall_joins(f->ctx, mini_profile(f->mini), &earlier, &f->relations);
    assert_int_equal(f->relations.n_undecided, 4);
    const Nv__Join *recalled = f->relations.undecided[3];
    assert_string_equal(recalled->from, "people");
    assert_string_equal(recalled->to_columns[0], "place");
    assert_int_equal(recalled->n_evidence, 0); /* that of other data */
    assert_int_equal(again.n_evidence, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_only_what_holds_is_taken),
                                       TEST(test_nothing_is_taken_uncounted), TEST(test_roles),
                                       TEST(test_joins_of_a_person_are_recalled)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
