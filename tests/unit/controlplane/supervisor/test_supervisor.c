/* Ways through the warehouse graph. */
#include "driver.h"

static void a_run_goes_through_all_nodes(void **state)
{
    (void)state;
    driver_t *d = driver_new(&(nv_super_spec_t){.document = nv_bytes_text("the spec")});
    assert_string_equal(driver_node(d, NV_SUPER_SURVEY), "running");
    assert_string_equal(driver_node(d, NV_SUPER_LEARN), "pending");
    driver_to_design(d);
    assert_string_equal(driver_node(d, NV_SUPER_PROFILE), "done");
    driver_to(d, NV_SUPER_DESIGN, NV_SUPER_NODES);
    assert_true(d->finished);
    nv_super_status_t status = driver_status(d);
    assert_int_equal(status.state, NV_SUPER_SUCCEEDED);
    assert_string_equal(status.reason, "");
    assert_int_equal(status.round, 0);
    assert_int_equal(status.tables, 2);
    for (nv_super_node_t node = 0; node < NV_SUPER_NODES; node++)
        assert_string_equal(driver_node(d, node), "done");
    nv_bytes_t spec = nv_super_spec_document(d->run);
    assert_true(nv_bytes_equal(spec, nv_bytes_text("the spec")));
    driver_free(d);
}

static void every_superstep_can_be_reloaded(void **state)
{
    (void)state;
    driver_t *d = driver_new(&(nv_super_spec_t){0});
    driver_pass(d, NV_SUPER_SURVEY);
    driver_reload(d);
    driver_pass(d, NV_SUPER_PROFILE);
    driver_pass(d, NV_SUPER_PROFILE);
    for (nv_super_node_t node = NV_SUPER_RELATE; node < NV_SUPER_NODES; node++) {
        driver_reload(d);
        if (node != NV_SUPER_APPROVE)
            driver_pass(d, node);
    }
    assert_int_equal(driver_status(d).state, NV_SUPER_SUCCEEDED);
    driver_free(d);
}

static void analyze_builds_nothing_and_ends_with_its_report(void **state)
{
    (void)state;
    driver_t *d = driver_new(&(nv_super_spec_t){.mode = "analyze"});
    driver_to_design(d);
    driver_pass(d, NV_SUPER_DESIGN);
    driver_fail(d, NV_SUPER_REVIEW, "", "fan-out 2");
    driver_pass(d, NV_SUPER_DESIGN);
    driver_pass(d, NV_SUPER_REVIEW);
    assert_false(d->finished);
    driver_pass(d, NV_SUPER_EVALUATE);
    assert_true(d->finished);
    assert_int_equal(driver_status(d).state, NV_SUPER_SUCCEEDED);
    assert_int_equal(driver_status(d).round, 1);
    assert_string_equal(driver_node(d, NV_SUPER_GENERATE), "skipped");
    assert_string_equal(driver_node(d, NV_SUPER_LEARN), "skipped");
    driver_free(d);
}

static void a_failed_review_leads_back_to_design_and_is_bounded(void **state)
{
    (void)state;
    driver_t *d = driver_new(&(nv_super_spec_t){.max_rounds = 2});
    driver_to_design(d);
    for (int round = 0; round < 3; round++) {
        driver_pass(d, NV_SUPER_DESIGN);
        driver_fail(d, NV_SUPER_REVIEW, "", "grain is not unique");
    }
    assert_string_equal(driver_node(d, NV_SUPER_REVIEW), "failed");
    driver_pass(d, NV_SUPER_EVALUATE); /* a scorecard exists all the same */
    driver_pass(d, NV_SUPER_LEARN);
    assert_true(d->finished);
    nv_super_status_t status = driver_status(d);
    assert_int_equal(status.state, NV_SUPER_FAILED);
    assert_int_equal(status.round, 2);
    assert_string_equal(status.reason, "not solved after 2 refinement rounds; review: grain is not unique");
    assert_string_equal(driver_node(d, NV_SUPER_DEPLOY), "skipped");
    driver_free(d);
}

static void validation_goes_back_to_what_is_to_blame(void **state)
{
    (void)state;
    driver_t *d = driver_new(&(nv_super_spec_t){0});
    driver_to_design(d);
    driver_to(d, NV_SUPER_DESIGN, NV_SUPER_VALIDATE);
    driver_fail(d, NV_SUPER_VALIDATE, "generate", "sums differ");
    driver_to(d, NV_SUPER_GENERATE, NV_SUPER_VALIDATE);
    driver_fail(d, NV_SUPER_VALIDATE, "design", "orphans");
    assert_int_equal(driver_status(d).round, 2);
    driver_to(d, NV_SUPER_DESIGN, NV_SUPER_NODES);
    assert_int_equal(driver_status(d).state, NV_SUPER_SUCCEEDED);
    driver_free(d);
}

static void a_failed_execution_goes_back_to_generate(void **state)
{
    (void)state;
    driver_t *d = driver_new(&(nv_super_spec_t){.max_rounds = 1});
    driver_to_design(d);
    driver_to(d, NV_SUPER_DESIGN, NV_SUPER_EXECUTE);
    driver_fail(d, NV_SUPER_EXECUTE, "", "a notebook raised");
    driver_to(d, NV_SUPER_GENERATE, NV_SUPER_EXECUTE);
    driver_fail(d, NV_SUPER_EXECUTE, "", "it raised again");
    driver_to(d, NV_SUPER_EVALUATE, NV_SUPER_NODES);
    assert_string_equal(driver_status(d).reason,
                        "not solved after 1 refinement rounds; execute: it raised again");
    driver_free(d);
}

static void a_task_that_fails_for_good_ends_in_evaluation(void **state)
{
    (void)state;
    driver_t *d = driver_new(&(nv_super_spec_t){0});
    driver_pass(d, NV_SUPER_SURVEY);
    driver_error(d, NV_SUPER_PROFILE, "cannot be read");
    driver_pass(d, NV_SUPER_PROFILE);
    assert_string_equal(driver_node(d, NV_SUPER_PROFILE), "failed");
    driver_to(d, NV_SUPER_EVALUATE, NV_SUPER_NODES);
    nv_super_status_t status = driver_status(d);
    assert_int_equal(status.state, NV_SUPER_FAILED);
    assert_string_equal(status.reason, "profile(a): cannot be read");
    assert_int_equal(status.tables, 1); /* what was found is kept */
    driver_free(d);
}

static void a_survey_without_tables_fails(void **state)
{
    (void)state;
    nv_error_t err = NV_ERROR_INIT;
    driver_t *d = driver_new(&(nv_super_spec_t){0});
    work_t work = driver_take(d, NV_SUPER_SURVEY);
    nv_super_result_t result = {.task = work.task, .attempt = work.attempt, .ok = true};
    assert_false(driver_result(d, &result, &err));
    assert_int_equal(err.code, NV_NOT_FOUND);
    result.ok = false;
    result.code = err.code;
    result.error = err.message;
    assert_true(driver_result(d, &result, &err));
    assert_true(d->finished);
    assert_string_equal(driver_status(d).reason, "survey: the source holds no tables");
    driver_free(d);
}

static void retryable_errors_are_retried(void **state)
{
    (void)state;
    nv_error_t err = NV_ERROR_INIT;
    driver_t *d = driver_new(&(nv_super_spec_t){0});
    for (int i = 0; i < 3; i++) {
        work_t work = driver_take(d, NV_SUPER_SURVEY);
        assert_true(driver_result(d,
                                  &(nv_super_result_t){.task = work.task,
                                                       .attempt = work.attempt,
                                                       .code = NV_UNAVAILABLE,
                                                       .error = "503",
                                                       .retryable = true},
                                  &err));
        assert_int_equal(d->work_count, 0);
        d->now += 60000;
        assert_true(nv_super_timer(d->run, 0, d->now, d->effects, &err));
        driver_commit(d);
    }
    driver_pass(d, NV_SUPER_SURVEY);
    assert_int_equal(d->work_count, 2);
    driver_free(d);
}

static void learning_may_fail_without_failing_the_run(void **state)
{
    (void)state;
    driver_t *d = driver_new(&(nv_super_spec_t){0});
    driver_to_design(d);
    driver_to(d, NV_SUPER_DESIGN, NV_SUPER_LEARN);
    driver_error(d, NV_SUPER_LEARN, "knowledge base is away");
    assert_int_equal(driver_status(d).state, NV_SUPER_SUCCEEDED);
    assert_string_equal(driver_status(d).reason, "learn: knowledge base is away");
    assert_string_equal(driver_node(d, NV_SUPER_LEARN), "failed");
    driver_free(d);
}

static void without_a_scorecard_a_run_has_failed(void **state)
{
    (void)state;
    driver_t *d = driver_new(&(nv_super_spec_t){0});
    driver_to_design(d);
    driver_to(d, NV_SUPER_DESIGN, NV_SUPER_EVALUATE);
    driver_error(d, NV_SUPER_EVALUATE, "no score");
    assert_true(d->finished);
    assert_int_equal(driver_status(d).state, NV_SUPER_FAILED);
    driver_free(d);
}

static void refuse(driver_t *d, nv_super_result_t result, const char *text)
{
    nv_error_t err = NV_ERROR_INIT;
    assert_false(driver_result(d, &result, &err));
    if (!strstr(err.message, text))
        fail_msg("\"%s\" does not say \"%s\"", err.message, text);
}

static void results_are_checked(void **state)
{
    (void)state;
    driver_t *d = driver_new(&(nv_super_spec_t){0});
    driver_pass(d, NV_SUPER_SURVEY);
    work_t work = driver_take(d, NV_SUPER_PROFILE);
    nv_super_result_t result = {.task = work.task, .attempt = work.attempt, .ok = true, .document_count = 1};
    nv_super_document_t wrong_channel = {"design", nv_bytes_text("x")};
    nv_super_document_t wrong_table = {"profile/b", nv_bytes_text("x")};
    nv_super_document_t no_key = {"profile", nv_bytes_text("x")};
    nv_super_document_t secret = {"spec", nv_bytes_text("x")};
    nv_super_document_t empty = {"profile/a", nv_bytes_text("")};
    result.documents = &wrong_channel;
    refuse(d, result, "may not write document \"design\"");
    result.documents = &wrong_table;
    refuse(d, result, "another table's");
    result.documents = &no_key;
    refuse(d, result, "key is missing");
    result.documents = &secret;
    refuse(d, result, "may not write document \"spec\"");
    result.documents = &empty;
    refuse(d, result, "bad reference");
    result.document_count = 0;
    result.outcome = "perhaps";
    refuse(d, result, "outcome pass, fail or done is expected, not \"perhaps\"");
    result.outcome = "fail";
    result.blame = "the weather";
    refuse(d, result, "blame design or generate");
    result.attempt = 7;
    refuse(d, result, "stale");
    driver_free(d);
}

static void doubled_tables_are_refused(void **state)
{
    (void)state;
    static const char *const tables[] = {"x", "y", "x"};
    driver_t *d = driver_new(&(nv_super_spec_t){0});
    work_t work = driver_take(d, NV_SUPER_SURVEY);
    nv_super_result_t result = {
        .task = work.task, .attempt = work.attempt, .ok = true, .items = tables, .item_count = 3};
    refuse(d, result, "twice the table \"x\"");
    driver_free(d);
}

static void specs_are_checked(void **state)
{
    (void)state;
    nv_error_t err = NV_ERROR_INIT;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("spec");
    nv_super_t *super = nv_super_new(ctx, NULL);
    nv_super_run_t *run = nv_super_run_new(ctx, super);
    nv_graph_effects_t *effects = nv_graph_effects_new(ctx);
    assert_false(nv_super_start(run, &(nv_super_spec_t){.mode = "fast"}, 0, effects, &err));
    assert_non_null(strstr(err.message, "expected full or analyze"));
    assert_false(nv_super_start(run, &(nv_super_spec_t){.approval = "maybe"}, 0, effects, &err));
    assert_false(nv_super_start(run, &(nv_super_spec_t){.max_rounds = 21}, 0, effects, &err));
    assert_true(nv_super_start(run, &(nv_super_spec_t){0}, 0, effects, &err));
}

typedef struct names {
    char text[512];
    nv_bytes_t design; /* its reference, where it is among them */
} names_t;

static void collect(const char *name, nv_bytes_t reference, void *user)
{
    names_t *names = user;
    assert_true(reference.length > 0);
    strncat(names->text, name, sizeof names->text - strlen(names->text) - 2);
    strcat(names->text, " ");
    if (strcmp(name, "design") == 0)
        names->design = reference;
}

static void tasks_read_the_documents_of_their_node(void **state)
{
    (void)state;
    driver_t *d = driver_new(&(nv_super_spec_t){0});
    driver_to_design(d);
    names_t names = {0};
    nv_super_each_input(d->run, NV_SUPER_DESIGN, collect, &names);
    assert_string_equal(names.text, "survey profile/a profile/b relations ");
    names.text[0] = 0;
    nv_super_each_input(d->run, NV_SUPER_PROFILE, collect, &names);
    assert_string_equal(names.text, "survey ");
    driver_pass(d, NV_SUPER_DESIGN);
    driver_fail(d, NV_SUPER_REVIEW, "", "no");
    driver_to(d, NV_SUPER_DESIGN, NV_SUPER_NODES);
    names.text[0] = 0;
    nv_super_each_document(d->run, collect, &names);
    assert_string_equal(names.text,
                        "survey profile/a profile/b relations design sttm review project deployment "
                        "execution validation scorecard case/golden ");
    driver_free(d);
}

static void a_failed_run_is_retried_from_where_it_failed(void **state)
{
    (void)state;
    nv_error_t err = NV_ERROR_INIT;
    driver_t *d = driver_new(&(nv_super_spec_t){0});
    driver_to_design(d);
    driver_to(d, NV_SUPER_DESIGN, NV_SUPER_DEPLOY);
    driver_error(d, NV_SUPER_DEPLOY, "403");
    driver_to(d, NV_SUPER_EVALUATE, NV_SUPER_NODES);
    assert_int_equal(driver_status(d).state, NV_SUPER_FAILED);
    uint64_t step = nv_super_retry_step(d->run);
    nv_super_run_t *fork = driver_load_at(d, step);
    assert_true(nv_super_fork(fork, NULL, NULL, 0, d->now, d->effects, &err));
    driver_go_on(d, fork);
    driver_to(d, NV_SUPER_DEPLOY, NV_SUPER_NODES);
    assert_int_equal(driver_status(d).state, NV_SUPER_SUCCEEDED);
    driver_free(d);
}

/* Before the approval that nobody was asked for: another design, and now somebody is. */
static void a_fork_begins_with_another_state(void **state)
{
    (void)state;
    nv_error_t err = NV_ERROR_INIT;
    driver_t *d = driver_new(&(nv_super_spec_t){0});
    driver_to_design(d);
    driver_pass(d, NV_SUPER_DESIGN);
    uint64_t step = nv_graph_run_step_count(nv_super_graph_run(d->run));
    driver_to(d, NV_SUPER_REVIEW, NV_SUPER_NODES);
    nv_super_run_t *fork = driver_load_at(d, step);
    nv_super_document_t design = {"design", nv_bytes_text("mine")};
    nv_super_spec_t spec = {.approval = "ask", .document = nv_bytes_text("spec")};
    assert_true(nv_super_fork(fork, &spec, &design, 1, d->now, d->effects, &err));
    driver_go_on(d, fork);
    names_t names = {0};
    nv_super_each_input(fork, NV_SUPER_REVIEW, collect, &names);
    assert_non_null(strstr(names.text, "design sttm"));
    assert_true(nv_bytes_equal(names.design, nv_bytes_text("mine")));
    assert_true(nv_bytes_equal(nv_super_spec_document(fork), nv_bytes_text("spec")));
    driver_pass(d, NV_SUPER_REVIEW);
    assert_int_equal(driver_status(d).state, NV_SUPER_WAITING);
    driver_free(d);
}

static void a_fork_changes_only_what_was_decided(void **state)
{
    (void)state;
    static const char *const others[] = {"profile/a", "profile", "design/x", "outcomes", "nothing"};
    nv_error_t err = NV_ERROR_INIT;
    driver_t *d = driver_new(&(nv_super_spec_t){0});
    driver_pass(d, NV_SUPER_SURVEY);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        nv_super_document_t document = {others[i], nv_bytes_text("x")};
        nv_error_clear(&err);
        assert_false(nv_super_fork(driver_load_at(d, 1), NULL, &document, 1, d->now, d->effects, &err));
        assert_int_equal(err.code, NV_INVALID_ARGUMENT);
        assert_non_null(strstr(err.message, others[i]));
    }
    nv_error_clear(&err);
    nv_super_spec_t spec = {.mode = "neither"};
    assert_false(nv_super_fork(driver_load_at(d, 1), &spec, NULL, 0, d->now, d->effects, &err));
    assert_non_null(strstr(err.message, "spec.mode"));
    driver_free(d);
}

static void cancel_ends_a_run(void **state)
{
    (void)state;
    nv_error_t err = NV_ERROR_INIT;
    driver_t *d = driver_new(&(nv_super_spec_t){0});
    driver_pass(d, NV_SUPER_SURVEY);
    assert_true(nv_super_cancel(d->run, "by ada", d->now, d->effects, &err));
    driver_commit(d);
    assert_int_equal(driver_status(d).state, NV_SUPER_CANCELLED);
    assert_string_equal(driver_status(d).reason, "by ada");
    assert_int_equal(nv_super_retry_step(d->run), 1); /* the profile tasks again */
    assert_string_equal(driver_node(d, NV_SUPER_PROFILE), "failed");
    assert_string_equal(driver_node(d, NV_SUPER_RELATE), "skipped");
    driver_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_goes_through_all_nodes),
        cmocka_unit_test(every_superstep_can_be_reloaded),
        cmocka_unit_test(analyze_builds_nothing_and_ends_with_its_report),
        cmocka_unit_test(a_failed_review_leads_back_to_design_and_is_bounded),
        cmocka_unit_test(validation_goes_back_to_what_is_to_blame),
        cmocka_unit_test(a_failed_execution_goes_back_to_generate),
        cmocka_unit_test(a_task_that_fails_for_good_ends_in_evaluation),
        cmocka_unit_test(a_survey_without_tables_fails),
        cmocka_unit_test(retryable_errors_are_retried),
        cmocka_unit_test(learning_may_fail_without_failing_the_run),
        cmocka_unit_test(without_a_scorecard_a_run_has_failed),
        cmocka_unit_test(results_are_checked),
        cmocka_unit_test(doubled_tables_are_refused),
        cmocka_unit_test(specs_are_checked),
        cmocka_unit_test(tasks_read_the_documents_of_their_node),
        cmocka_unit_test(a_failed_run_is_retried_from_where_it_failed),
        cmocka_unit_test(a_fork_begins_with_another_state),
        cmocka_unit_test(a_fork_changes_only_what_was_decided),
        cmocka_unit_test(cancel_ends_a_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
