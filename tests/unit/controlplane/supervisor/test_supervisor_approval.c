/* Answers of people. */
#include "driver.h"

static driver_t *at_approval(void)
{
    driver_t *d = driver_new(&(nv_super_spec_t){.approval = "ask"});
    driver_to_design(d);
    driver_to(d, NV_SUPER_DESIGN, NV_SUPER_APPROVE);
    assert_int_equal(driver_status(d).state, NV_SUPER_WAITING);
    assert_string_equal(driver_node(d, NV_SUPER_APPROVE), "interrupted");
    return d;
}

static void answer(driver_t *d, nv_super_answer_t given)
{
    nv_error_t err = NV_ERROR_INIT;
    given.task = d->asked;
    given.key = d->key;
    if (!nv_super_answer(d->run, &given, d->now, d->effects, &err))
        fail_msg("%s", err.message);
    driver_commit(d);
}

typedef struct wanted {
    const char *name;
    char found[64];
} wanted_t;

static void look(const char *name, nv_bytes_t reference, void *user)
{
    wanted_t *wanted = user;
    if (strcmp(name, wanted->name) == 0)
        snprintf(wanted->found, sizeof wanted->found, "%.*s", (int)reference.length,
                 (const char *)reference.data);
}

static void assert_document(driver_t *d, const char *name, const char *expected)
{
    wanted_t wanted = {.name = name};
    nv_super_each_document(d->run, look, &wanted);
    assert_string_equal(wanted.found, expected);
}

static void approved_designs_are_built(void **state)
{
    (void)state;
    driver_t *d = at_approval();
    answer(d, (nv_super_answer_t){.decision = NV_SUPER_DECIDE_APPROVE, .by = "ada"});
    bool passed;
    nv_bytes_t summary;
    assert_true(nv_super_last_outcome(d->run, NV_SUPER_APPROVE, &passed, &summary));
    assert_true(passed && nv_bytes_equal(summary, nv_bytes_text("approved by ada")));
    assert_document(d, "design", "design");
    driver_to(d, NV_SUPER_GENERATE, NV_SUPER_NODES);
    assert_int_equal(driver_status(d).state, NV_SUPER_SUCCEEDED);
    driver_free(d);
}

static void a_corrected_design_is_checked_and_asked_again(void **state)
{
    (void)state;
    driver_t *d = at_approval();
    answer(d, (nv_super_answer_t){.decision = NV_SUPER_DECIDE_APPROVE,
                                  .by = "ada",
                                  .comment = "one star is enough",
                                  .design = nv_bytes_text("better design")});
    assert_document(d, "human_design", "better design");
    assert_int_equal(driver_status(d).round, 0); /* a correction is no failure */
    driver_to(d, NV_SUPER_DESIGN, NV_SUPER_APPROVE);
    answer(d, (nv_super_answer_t){.decision = NV_SUPER_DECIDE_APPROVE});
    driver_to(d, NV_SUPER_GENERATE, NV_SUPER_NODES);
    assert_int_equal(driver_status(d).state, NV_SUPER_SUCCEEDED);
    driver_free(d);
}

static void sent_back_it_is_designed_and_asked_again(void **state)
{
    (void)state;
    driver_t *d = at_approval();
    uint64_t first = d->asked;
    answer(d, (nv_super_answer_t){.decision = NV_SUPER_DECIDE_REVISE, .critique = nv_bytes_text("why")});
    assert_document(d, "critique", "why");
    assert_int_equal(driver_status(d).round, 1);
    driver_to(d, NV_SUPER_DESIGN, NV_SUPER_APPROVE);
    assert_int_not_equal(d->asked, first);
    answer(d, (nv_super_answer_t){.decision = NV_SUPER_DECIDE_APPROVE});
    driver_to(d, NV_SUPER_GENERATE, NV_SUPER_NODES);
    assert_int_equal(driver_status(d).state, NV_SUPER_SUCCEEDED);
    driver_free(d);
}

static void sent_back_a_correction_is_taken_back(void **state)
{
    (void)state;
    driver_t *d = at_approval();
    answer(d, (nv_super_answer_t){.decision = NV_SUPER_DECIDE_APPROVE, .design = nv_bytes_text("better")});
    assert_document(d, "human_design", "better");
    driver_to(d, NV_SUPER_DESIGN, NV_SUPER_APPROVE);
    answer(d, (nv_super_answer_t){.decision = NV_SUPER_DECIDE_REVISE, .critique = nv_bytes_text("why")});
    assert_document(d, "human_design", "");
    assert_document(d, "critique", "why");
    driver_free(d);
}

static void a_rejected_design_ends_the_run_with_a_scorecard(void **state)
{
    (void)state;
    driver_t *d = at_approval();
    answer(d, (nv_super_answer_t){.decision = NV_SUPER_DECIDE_REJECT, .by = "ada", .comment = "wrong grain"});
    driver_to(d, NV_SUPER_EVALUATE, NV_SUPER_NODES);
    nv_super_status_t status = driver_status(d);
    assert_int_equal(status.state, NV_SUPER_FAILED);
    assert_string_equal(status.reason, "approve: rejected by ada: wrong grain");
    driver_free(d);
}

static void an_answer_counts_once(void **state)
{
    (void)state;
    nv_error_t err = NV_ERROR_INIT;
    driver_t *d = at_approval();
    nv_super_answer_t given = {.task = d->asked, .key = "approve"};
    nv_super_answer_t other = {.task = d->asked, .key = "else"};
    assert_false(nv_super_answer(d->run, &other, d->now, d->effects, &err));
    assert_int_equal(err.code, NV_NOT_FOUND);
    answer(d, given);
    assert_false(nv_super_answer(d->run, &given, d->now, d->effects, &err));
    driver_free(d);
}

static void a_question_survives_a_restart(void **state)
{
    (void)state;
    driver_t *d = at_approval();
    d->asked = 0;
    driver_reload(d); /* the record of the question is not even needed: it is asked again */
    assert_int_not_equal(d->asked, 0);
    answer(d, (nv_super_answer_t){.decision = NV_SUPER_DECIDE_APPROVE});
    driver_to(d, NV_SUPER_GENERATE, NV_SUPER_NODES);
    driver_free(d);
}

static void answers_are_checked(void **state)
{
    (void)state;
    nv_error_t err = NV_ERROR_INIT;
    driver_t *d = at_approval();
    char long_comment[5000];
    memset(long_comment, 'x', sizeof long_comment - 1);
    long_comment[sizeof long_comment - 1] = 0;
    nv_super_answer_t bad[] = {
        {.task = d->asked, .key = "approve", .decision = 9},
        {.task = d->asked, .key = "approve", .comment = long_comment},
        {.task = d->asked, .key = "approve", .design = nv_bytes(long_comment, 1 << 20)},
        {.task = d->asked,
         .key = "approve",
         .decision = NV_SUPER_DECIDE_REJECT,
         .design = nv_bytes_text("x")},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(nv_super_answer(d->run, &bad[i], d->now, d->effects, &err));
        assert_int_equal(err.code, NV_INVALID_ARGUMENT);
    }
    driver_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(approved_designs_are_built),
        cmocka_unit_test(a_corrected_design_is_checked_and_asked_again),
        cmocka_unit_test(sent_back_it_is_designed_and_asked_again),
        cmocka_unit_test(sent_back_a_correction_is_taken_back),
        cmocka_unit_test(a_rejected_design_ends_the_run_with_a_scorecard),
        cmocka_unit_test(an_answer_counts_once),
        cmocka_unit_test(a_question_survives_a_restart),
        cmocka_unit_test(answers_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
