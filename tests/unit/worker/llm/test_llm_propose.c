/* Proposals: decoded from what models write, repaired by telling them the path, never better than their text. */
#include "llm_fixture.h"

#include "nuvyn/proposal.pb-c.h"
#include "worker/prompts/prompts.h"

#define SAY(json)                                                                                            \
    {                                                                                                        \
        200, CHUNK(json) FINISH("stop") DONE, NULL, NULL                                                     \
    }

static void check_joins(void *arg, const ProtobufCMessage *proposal, nv_buf_t *complaints)
{
    (void)arg;
    const Nv__DesignProposal *p = (const Nv__DesignProposal *)proposal;
    for (size_t i = 0; i < p->n_joins; i++)
        if (strcmp(p->joins[i]->id, "J1") != 0)
            nv_buf_printf(complaints, "joins[%zu].id: there is no join %s\n", i, p->joins[i]->id);
}

static llm_proposal_t proposal(void)
{
    return (llm_proposal_t){.system = "S",
                            .user = "U",
                            .type = &nv__design_proposal__descriptor,
                            .name = "design_proposal",
                            .describe = prompt_describe_field,
                            .check = check_joins};
}

static Nv__DesignProposal *propose(fixture_t *f, const char **complaints, nv_error_t *err)
{
    llm_proposal_t p = proposal();
    ProtobufCMessage *out;
    return llm_propose(f->llm, f->ctx, &p, &out, complaints, err) ? (Nv__DesignProposal *)out : NULL;
}

static void test_good_answer(void **state)
{
    (void)state;
    const reply_t replies[] = {SAY("```json\\n{\\\"joins\\\":[{\\\"id\\\":\\\"J1\\\",\\\"answer\\\":\\\"JOIN_"
                                   "ANSWER_YES\\\"}],\\\"more\\\":1}\\n```"),
                               {0}};
    fixture_t *f = fixture_start(replies, "compatible", NULL);
    nv_error_t err = NV_ERROR_INIT;
    const char *complaints;
    Nv__DesignProposal *p = propose(f, &complaints, &err);
    if (!p)
        fail_msg("%s", err.message);
    assert_int_equal(p->n_joins, 1);
    assert_int_equal(p->joins[0]->answer, NV__JOIN_ANSWER__JOIN_ANSWER_YES);
    assert_string_equal(complaints, "");
    assert_non_null(
        strstr(f->bodies[0], "\"required\":[\"joins\",\"roles\",\"tables\",\"columns\",\"measures\"]"));
    assert_non_null(strstr(f->bodies[0], "the id shown, such as J3"));
    fixture_stop(f);
}

static void test_repairs(void **state)
{
    (void)state;
    const reply_t replies[] = {
        SAY("I think the answer is yes."),
        SAY("{\\\"joins\\\":[{\\\"id\\\":\\\"J1\\\",\\\"answer\\\":\\\"MAYBE\\\"}]}"),
        SAY("{\\\"joins\\\":[{\\\"id\\\":\\\"J1\\\",\\\"answer\\\":\\\"JOIN_ANSWER_NO\\\"}]}"),
        {0}};
    fixture_t *f = fixture_start(replies, "compatible", NULL);
    nv_error_t err = NV_ERROR_INIT;
    Nv__DesignProposal *p = propose(f, NULL, &err);
    if (!p)
        fail_msg("%s", err.message);
    assert_int_equal(p->joins[0]->answer, NV__JOIN_ANSWER__JOIN_ANSWER_NO);
    assert_non_null(strstr(f->bodies[1], "expected a JSON value"));
    assert_non_null(
        strstr(f->bodies[2],
               "design_proposal.joins[0].answer: \\\"MAYBE\\\": expected one of JOIN_ANSWER_UNSPECIFIED, "));
    assert_int_equal(f->n, 3);
    fixture_stop(f);
}

static void test_nonsense_ends(void **state)
{
    (void)state;
    const reply_t nonsense[] = {SAY("{\\\"joins\\\":[{\\\"answer\\\":2E+43}]}"), {0}};
    const reply_t empty[] = {SAY(""), {0}};
    const reply_t endless[] = {{200, CHUNK("{\\\"joins\\\":[") FINISH("length") DONE, NULL, NULL}, {0}};
    const reply_t refused[] = {{200, FINISH("content_filter") DONE, NULL, NULL}, {0}};
    const struct {
        const reply_t *replies;
        const char *text;
    } cases[] = {
        {nonsense, "design_proposal.joins[0].answer: 2E+43: expected one of"},
        {empty, "design_proposal: the end: expected an object"},
        {endless, "too long: leave out what matters least"},
        {refused, "the answer was refused"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fixture_t *f = fixture_start(cases[i].replies, "compatible", NULL);
        nv_error_t err = NV_ERROR_INIT;
        assert_null(propose(f, NULL, &err));
        assert_int_equal(err.code, NV_FAILED_PRECONDITION);
        if (!strstr(err.message, cases[i].text))
            fail_msg("case %zu: %s", i, err.message);
        assert_int_equal(f->n, 3);
        fixture_stop(f);
    }
}

/* Valid, and wrong in its facts: the complaint goes back; what stays wrong is returned together with the complaint. */
static void test_wrong_facts(void **state)
{
    (void)state;
    const reply_t replies[] = {SAY("{\\\"joins\\\":[{\\\"id\\\":\\\"J7\\\"}]}"), {0}};
    fixture_t *f = fixture_start(replies, "compatible", NULL);
    nv_error_t err = NV_ERROR_INIT;
    const char *complaints;
    Nv__DesignProposal *p = propose(f, &complaints, &err);
    assert_non_null(p);
    assert_string_equal(complaints, "joins[0].id: there is no join J7\n");
    assert_non_null(strstr(f->bodies[1], "there is no join J7"));
    assert_int_equal(f->n, 3);
    fixture_stop(f);
}

static void test_budget_keeps_what_was_decoded(void **state)
{
    (void)state;
    const reply_t replies[] = {SAY("{\\\"joins\\\":[{\\\"id\\\":\\\"J7\\\"}]}"), {0}};
    llm_budget_t budget = {.max_calls = 2};
    fixture_t *f = fixture_start(replies, "compatible", &budget);
    nv_error_t err = NV_ERROR_INIT;
    const char *complaints;
    assert_non_null(propose(f, &complaints, &err));
    assert_non_null(strstr(complaints, "J7"));
    assert_null(propose(f, &complaints, &err));
    assert_int_equal(err.code, NV_RESOURCE_EXHAUSTED);
    fixture_stop(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_answer),
        cmocka_unit_test(test_repairs),
        cmocka_unit_test(test_nonsense_ends),
        cmocka_unit_test(test_wrong_facts),
        cmocka_unit_test(test_budget_keeps_what_was_decoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
