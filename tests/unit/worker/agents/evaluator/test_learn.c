/* What becomes a case: a golden one of a run that was proven, a correction only where a later round passed what an earlier one had
 * failed, nothing otherwise. */
#include "worker/local/local_host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "nuvyn/design.pb-c.h"
#include "nuvyn/profile.pb-c.h"
#include "nuvyn/quality.pb-c.h"
#include "nuvyn/sttm.pb-c.h"

enum { CASES_MAX = 4 };

#define T(text) ((char *)(uintptr_t)(text))

typedef struct scene {
    nv_mem_t *ctx;
    local_host_t *host;
    Nv__KnowledgeCase kept[CASES_MAX];
    size_t n_kept;
    bool refuses;
    const char *channel;
    const ProtobufCMessage *said;
} scene_t;

static scene_t *current; /* agents are plain functions: this is how they find the scene of the running test */

static bool keep(void *host, const Nv__KnowledgeCase *added, nv_error_t *err)
{
    (void)host;
    if (current->refuses)
        return nv_fail(err, NV_FAILED_PRECONDITION, "a case is admitted only with \"pass\"");
    assert_true(current->n_kept < CASES_MAX);
    current->kept[current->n_kept] = *added;
    current->kept[current->n_kept].lesson = nv_strdup(current->ctx, added->lesson);
    current->kept[current->n_kept].symptom = nv_strdup(current->ctx, added->symptom);
    current->kept[current->n_kept].validator = nv_strdup(current->ctx, added->validator);
    current->kept[current->n_kept++].stage = nv_strdup(current->ctx, added->stage);
    return true;
}

static bool learn(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err)
{
    agent_host_ops_t ops = *task->ops;
    agent_task_t own = *task;
    ops.knowledge_add = keep;
    own.ops = &ops;
    return agent_learn(&own, ctx, out, err);
}

static bool say(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err)
{
    (void)ctx;
    *out = (agent_result_t){.outcome = "done"};
    nv__task_usage__init(&out->usage);
    return task->ops->write(task->host, current->channel, current->said, err);
}

static bool run(agent_fn agent, int round, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("task");
    Nv__TaskAssignment assignment = NV__TASK_ASSIGNMENT__INIT;
    Nv__Lease lease = NV__LEASE__INIT;
    agent_result_t result;
    lease.run_id = T("r-1");
    lease.task_id = nv_printf(ctx, "%s-%d", current->channel, round);
    assignment.lease = &lease;
    assignment.kind = T("task");
    assignment.round = round;
    return local_host_run(current->host, agent, &assignment, ctx, &result, err);
}

static void tell(const char *channel, const ProtobufCMessage *message)
{
    nv_error_t err = NV_ERROR_INIT;
    current->channel = channel;
    current->said = message;
    if (!run(say, 0, &err))
        fail_msg("%s", err.message);
}

static const char symptom_line[] = "fan_out orders -> customers: expected 1\n";

/* A run that designed dim_customer out of customers. */
static void set_the_scene(scene_t *s)
{
    static Nv__SttmTarget target = NV__STTM_TARGET__INIT;
    static Nv__SttmTarget *targets[] = {&target};
    Nv__StarSchema design = NV__STAR_SCHEMA__INIT;
    Nv__Sttm sttm = NV__STTM__INIT;
    Nv__TableProfile table = NV__TABLE_PROFILE__INIT;
    *s = (scene_t){.ctx = nv_mem_root("scene"), .host = local_host_new(&(local_host_options_t){0})};
    current = s;
    target.name = T("dim_customer");
    target.driving_source = table.name = T("customers");
    design.name = sttm.name = T("shop");
    sttm.targets = targets;
    sttm.n_targets = 1;
    tell("profile", &table.base);
    tell("design", &design.base);
    tell("sttm", &sttm.base);
}

static void prove(bool passed)
{
    Nv__Check check = NV__CHECK__INIT, *checks[] = {&check};
    Nv__Validation validation = NV__VALIDATION__INIT;
    check.name = T("reconcile_rows");
    check.subject = T("dim_customer");
    check.status = passed ? NV__CHECK_STATUS__CHECK_STATUS_PASS : NV__CHECK_STATUS__CHECK_STATUS_FAIL;
    validation.checks = checks;
    validation.n_checks = 1;
    validation.passed = passed;
    tell("validation", &validation.base);
}

static void criticize(const char *text)
{
    Nv__Validation critique = NV__VALIDATION__INIT;
    critique.critique = T(text);
    critique.blame = T("design");
    tell("critique", &critique.base);
}

static void must_learn(int round)
{
    nv_error_t err = NV_ERROR_INIT;
    current->channel = "learn";
    if (!run(learn, round, &err))
        fail_msg("%s", err.message);
}

static void leave(scene_t *s)
{
    local_host_free(s->host);
    nv_mem_free(s->ctx);
}

static void nothing_of_what_was_not_proven(void **state)
{
    scene_t s;
    (void)state;
    set_the_scene(&s);
    must_learn(0);
    assert_int_equal(s.n_kept, 0);
    criticize(symptom_line);
    prove(false);
    must_learn(1);
    assert_int_equal(s.n_kept, 0);
    leave(&s);
}

static void a_golden_case_of_what_was(void **state)
{
    scene_t s;
    (void)state;
    set_the_scene(&s);
    prove(true);
    must_learn(0);
    assert_int_equal(s.n_kept, 1);
    assert_int_equal(s.kept[0].kind, NV__CASE_KIND__CASE_KIND_GOLDEN);
    assert_string_equal(s.kept[0].lesson, "1 tables became dim_customer from customers");
    assert_string_equal(s.kept[0].validator, "reconcile_rows dim_customer");
    leave(&s);
}

/* The round that was made with the correction is the one that passed. */
static void a_correction_when_a_later_round_passes(void **state)
{
    scene_t s;
    (void)state;
    set_the_scene(&s);
    criticize(symptom_line);
    prove(true);
    must_learn(1);
    assert_int_equal(s.n_kept, 2);
    assert_int_equal(s.kept[1].kind, NV__CASE_KIND__CASE_KIND_CORRECTION);
    assert_string_equal(s.kept[1].symptom, "fan_out orders -> customers: expected 1");
    assert_string_equal(s.kept[1].stage, "design");
    leave(&s);
}

/* A critique of many lines is no reason to fail: the first ones that fit say what it was. */
static void a_long_critique_is_cut(void **state)
{
    scene_t s;
    (void)state;
    set_the_scene(&s);
    char *text = nv_strdup(s.ctx, "");
    for (int i = 0; i < 60; i++)
        text = nv_printf(s.ctx, "%s%s", text, symptom_line);
    criticize(text);
    prove(true);
    must_learn(1);
    assert_int_equal(s.n_kept, 2);
    assert_in_range(strlen(s.kept[1].symptom), 900, 1024);
    assert_string_equal(s.kept[1].symptom + strlen(s.kept[1].symptom) - 10, "expected 1");
    text = nv_strdup(s.ctx, "");
    for (int i = 0; i < 800; i++)
        text = nv_printf(s.ctx, "%sé", text);
    criticize(text);
    must_learn(1);
    assert_int_equal(strlen(s.kept[3].symptom), 1024);
    leave(&s);
}

static void says_what_was_refused(void **state)
{
    scene_t s;
    nv_error_t err = NV_ERROR_INIT;
    (void)state;
    set_the_scene(&s);
    prove(true);
    s.refuses = true;
    s.channel = "learn";
    assert_false(run(learn, 0, &err));
    assert_non_null(strstr(err.message, "golden case"));
    leave(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_of_what_was_not_proven),
        cmocka_unit_test(a_golden_case_of_what_was),
        cmocka_unit_test(a_correction_when_a_later_round_passes),
        cmocka_unit_test(a_long_critique_is_cut),
        cmocka_unit_test(says_what_was_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
