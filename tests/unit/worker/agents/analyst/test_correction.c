/* What a person changed in a design is checked, replaces the Analyst's decision, and comes back in the next run over tables of the same
 * shape: after it was checked against them, and only until a review contradicts it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/contract/codec.h"
#include "nuvyn/design.pb-c.h"
#include "nuvyn/quality.pb-c.h"
#include "tests/bench/design/mini/mini_profile.h"
#include "worker/knowledge/fingerprint.h"
#include "worker/local/local_host.h"

typedef struct scene {
    nv_mem_t *ctx;
    mini_t *mini;
    local_host_t *host;
    Nv__KnowledgeCase memory; /* one case, or none: fingerprint empty */
    const Nv__StarSchema *edited;
    bool asks;    /* the run waits for a person's approval */
    char *folder; /* of what the run makes for people; NULL: nowhere */
    char *news;
} scene_t;

static scene_t *current; /* agents are plain functions: this is how they find the scene of the running test */

static const char customers[] =
    "customer_id,customer_name,city\n1,Ada,Bern\n2,Ben,Graz\n3,Cleo,Oslo\n4,Dan,Riga\n";
static const char orders[] =
    "order_id,customer_id,order_date,amount\n"
    "11,1,2024-01-02,9.50\n12,2,2024-01-03,8.25\n13,1,2024-02-04,7.75\n14,4,2024-02-05,3.10\n";

static void on_news(void *arg, const char *kind, const char *text, int64_t done, int64_t total)
{
    scene_t *s = arg;
    (void)done, (void)total;
    s->news = nv_printf(s->ctx, "%s%s: %s\n", s->news, kind, text);
}

static bool search_memory(void *host, nv_mem_t *ctx, const Nv__KnowledgeQuery *query,
                          Nv__KnowledgeReply **out, nv_error_t *err)
{
    (void)host, (void)query, (void)err;
    *out = NV_NEW(ctx, Nv__KnowledgeReply);
    nv__knowledge_reply__init(*out);
    if (current->memory.fingerprint == NULL || current->memory.fingerprint[0] == '\0')
        return true;
    Nv__KnowledgeHit *hit = NV_NEW(ctx, Nv__KnowledgeHit);
    nv__knowledge_hit__init(hit);
    hit->found = &current->memory;
    hit->similarity = 1;
    (*out)->hits = NV_NEW_ARRAY(ctx, Nv__KnowledgeHit *, 1);
    (*out)->hits[(*out)->n_hits++] = hit;
    return true;
}

static bool with_memory(agent_fn agent, agent_task_t *task, nv_mem_t *ctx, agent_result_t *out,
                        nv_error_t *err)
{
    agent_host_ops_t ops = *task->ops;
    ops.knowledge_search = search_memory;
    agent_task_t own = *task;
    own.ops = &ops;
    return agent(&own, ctx, out, err);
}

static bool relate(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err)
{
    return with_memory(agent_relate, task, ctx, out, err);
}

static bool design(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err)
{
    return with_memory(agent_design, task, ctx, out, err);
}

static bool profile(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err)
{
    (void)ctx;
    const Nv__Profile *all = mini_profile(current->mini);
    for (size_t i = 0; i < all->n_tables; i++) {
        if (!task->ops->write(task->host, "profile", &all->tables[i]->base, err))
            return false;
    }
    *out = (agent_result_t){.outcome = "done"};
    nv__task_usage__init(&out->usage);
    return true;
}

static bool answer(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err)
{
    (void)ctx;
    *out = (agent_result_t){.outcome = "done"};
    nv__task_usage__init(&out->usage);
    return task->ops->write(task->host, "human_design", &current->edited->base, err);
}

/* A correction that was taken: it is the design now. */
static bool rewritten(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err)
{
    (void)ctx;
    *out = (agent_result_t){.outcome = "done"};
    nv__task_usage__init(&out->usage);
    return task->ops->write(task->host, "design", &current->edited->base, err);
}

static bool run(agent_fn agent, int round, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("task");
    Nv__TaskAssignment assignment = NV__TASK_ASSIGNMENT__INIT;
    Nv__RunSpec spec = NV__RUN_SPEC__INIT;
    spec.use_knowledge = true;
    spec.approval = (char *)(current->asks ? "ask" : "auto");
    assignment.spec = &spec;
    assignment.kind = nv_strdup(ctx, "task");
    assignment.round = round;
    agent_result_t result;
    return local_host_run(current->host, agent, &assignment, ctx, &result, err);
}

static void must(agent_fn agent, int round)
{
    nv_error_t err = NV_ERROR_INIT;
    if (!run(agent, round, &err))
        fail_msg("%s", err.message);
}

static Nv__StarSchema *designed(void)
{
    ProtobufCMessage *message = NULL;
    nv_error_t err = NV_ERROR_INIT;
    if (!local_host_read(current->host, current->ctx, "design", &nv__star_schema__descriptor, &message, &err))
        fail_msg("%s", err.message);
    return (Nv__StarSchema *)message;
}

static const Nv__AttributeDesign *city_of(const Nv__StarSchema *star)
{
    for (size_t d = 0; d < star->n_dimensions; d++) {
        for (size_t a = 0; a < star->dimensions[d]->n_attributes; a++) {
            if (strcmp(star->dimensions[d]->attributes[a]->source->column, "city") == 0)
                return star->dimensions[d]->attributes[a];
        }
    }
    fail_msg("no attribute for city");
    return NULL;
}

/* The Analyst keeps cities by version; this person does not want that. */
static Nv__StarSchema *edited_by_a_person(void)
{
    must(design, 0);
    Nv__StarSchema *star = designed();
    assert_int_equal(city_of(star)->scd, NV__SCD_TYPE__SCD_TYPE_2);
    ((Nv__AttributeDesign *)city_of(star))->scd = NV__SCD_TYPE__SCD_TYPE_1;
    return star;
}

static void learn(const Nv__StarSchema *star)
{
    const Nv__Profile *all = mini_profile(current->mini);
    nv_error_t err = NV_ERROR_INIT;
    size_t length = 0;
    nv__knowledge_case__init(&current->memory);
    current->memory.run_id = nv_strdup(current->ctx, "r-earlier");
    current->memory.fingerprint =
        fingerprint_make(current->ctx, (const Nv__TableProfile *const *)all->tables, all->n_tables);
    assert_true(nv_json_encode(current->ctx, &star->base, NV_CODEC_DEFAULT, &current->memory.document,
                               &length, &err));
}

static void start(void)
{
    local_host_options_t options = {.news = on_news, .news_arg = current, .artifact_dir = current->folder};
    if (current->host != NULL)
        local_host_free(current->host);
    current->host = local_host_new(&options);
    current->news = nv_strdup(current->ctx, "");
    must(profile, 0);
    must(relate, 0);
}

static int set_up(void **state)
{
    nv_mem_t *ctx = nv_mem_root("correction");
    nv_error_t err = NV_ERROR_INIT;
    current = NV_NEW(ctx, scene_t);
    current->ctx = ctx;
    current->mini = mini_new(ctx);
    *state = current;
    if (!mini_add_csv(current->mini, "customers", customers, &err) ||
        !mini_add_csv(current->mini, "orders", orders, &err))
        return -1;
    start();
    return 0;
}

static int tear_down(void **state)
{
    scene_t *s = *state;
    local_host_free(s->host);
    nv_mem_free(s->ctx);
    current = NULL;
    return 0;
}

static void an_answer_replaces_the_decision(void **state)
{
    (void)state;
    current->edited = edited_by_a_person();
    must(answer, 0);
    must(design, 0);
    const Nv__StarSchema *star = designed();
    assert_string_equal(star->method, "human");
    assert_int_equal(city_of(star)->scd, NV__SCD_TYPE__SCD_TYPE_1);
}

static void an_answer_that_names_nothing_is_refused(void **state)
{
    (void)state;
    Nv__StarSchema *star = edited_by_a_person();
    ((Nv__AttributeDesign *)city_of(star))->source->column = nv_strdup(current->ctx, "town");
    current->edited = star;
    must(answer, 0);
    must(design, 0);
    assert_non_null(strstr(current->news, "refused: "));
    assert_non_null(strstr(current->news, "attributes["));
    assert_non_null(strstr(current->news, "\"town\""));
    /* What the person was asked about stands. */
    assert_int_equal(city_of(designed())->scd, NV__SCD_TYPE__SCD_TYPE_2);
}

static void a_correction_comes_back_over_the_same_shape(void **state)
{
    (void)state;
    Nv__StarSchema *star = edited_by_a_person();
    star->method = nv_strdup(current->ctx, "human");
    learn(star);
    /* Another batch: a city twice, so it is no longer unique by chance. */
    nv_error_t err = NV_ERROR_INIT;
    current->mini = mini_new(current->ctx);
    assert_true(mini_add_csv(
        current->mini, "customers",
        "customer_id,customer_name,city\n1,Ada,Bern\n2,Ben,Bern\n3,Cleo,Oslo\n4,Eva,Riga\n", &err));
    assert_true(mini_add_csv(current->mini, "orders", orders, &err));
    start();
    must(design, 0);
    assert_int_equal(city_of(designed())->scd, NV__SCD_TYPE__SCD_TYPE_1);
    assert_string_equal(designed()->method, "human");
    assert_non_null(strstr(current->news, "made in r-earlier is used again"));
    /* The relations are those found now, not those of then. */
    assert_non_null(designed()->relations);
    /* A review that failed leads to a design of our own. */
    must(design, 1);
    assert_int_equal(city_of(designed())->scd, NV__SCD_TYPE__SCD_TYPE_2);
}

static void a_correction_that_no_longer_fits_is_left(void **state)
{
    (void)state;
    Nv__StarSchema *star = edited_by_a_person();
    star->method = nv_strdup(current->ctx, "human");
    ((Nv__AttributeDesign *)city_of(star))->source->column = nv_strdup(current->ctx, "town");
    learn(star);
    start();
    must(design, 0);
    assert_int_equal(city_of(designed())->scd, NV__SCD_TYPE__SCD_TYPE_2);
    assert_non_null(strstr(current->news, "no longer fits"));
}

static void a_machines_earlier_design_decides_nothing(void **state)
{
    (void)state;
    Nv__StarSchema *star = edited_by_a_person();
    star->method = nv_strdup(current->ctx, "evidence");
    learn(star);
    start();
    must(design, 0);
    assert_int_equal(city_of(designed())->scd, NV__SCD_TYPE__SCD_TYPE_2);
}

static bool send_back(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err)
{
    (void)ctx;
    Nv__Validation critique = NV__VALIDATION__INIT;
    critique.critique = (char *)"call the city a town";
    critique.blame = (char *)"design";
    critique.by = (char *)"spiffe://nuvyn.local/operator/ada";
    *out = (agent_result_t){.outcome = "done"};
    nv__task_usage__init(&out->usage);
    return task->ops->write(task->host, "critique", &critique.base, err);
}

static void who_is_asked_gets_something_to_read(void **state)
{
    (void)state;
    char folder[] = "/tmp/nuvyn-asked.XXXXXX";
    assert_non_null(mkdtemp(folder));
    current->folder = folder;
    char *mapping = nv_printf(current->ctx, "%s/sttm.md", folder);
    start();
    must(design, 0);
    assert_int_not_equal(access(mapping, F_OK), 0);
    current->asks = true;
    must(design, 0);
    assert_int_equal(access(mapping, F_OK), 0);
    assert_int_equal(system(nv_printf(current->ctx, "rm -r '%s'", folder)), 0);
}

static void a_comment_that_nobody_can_follow_is_told(void **state)
{
    (void)state;
    must(design, 0);
    assert_null(strstr(current->news, "changed nothing"));
    must(send_back, 0);
    must(design, 1);
    assert_non_null(strstr(current->news, "finding: \"call the city a town\" changed nothing"));
    assert_string_equal(designed()->method, "evidence");
}

/* The control plane takes the person's answer back when the design is sent back: only the design that was asked about remains. */
static void a_correction_that_is_sent_back_stays(void **state)
{
    (void)state;
    Nv__StarSchema *star = edited_by_a_person();
    star->method = nv_strdup(current->ctx, "human");
    current->edited = star;
    must(rewritten, 0);
    must(send_back, 0);
    must(design, 1);
    assert_int_equal(city_of(designed())->scd, NV__SCD_TYPE__SCD_TYPE_1);
}

static void a_case_that_cannot_be_read_is_told(void **state)
{
    (void)state;
    Nv__StarSchema *star = edited_by_a_person();
    learn(star);
    current->memory.document = nv_strdup(current->ctx, "{\"facts\": 7}");
    start();
    must(design, 0);
    assert_non_null(strstr(current->news, "the design of r-earlier cannot be read"));
    assert_int_equal(city_of(designed())->scd, NV__SCD_TYPE__SCD_TYPE_2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(an_answer_replaces_the_decision),
        TEST(an_answer_that_names_nothing_is_refused),
        TEST(a_correction_comes_back_over_the_same_shape),
        TEST(a_correction_that_no_longer_fits_is_left),
        TEST(a_machines_earlier_design_decides_nothing),
        TEST(who_is_asked_gets_something_to_read),
        TEST(a_comment_that_nobody_can_follow_is_told),
        TEST(a_correction_that_is_sent_back_stays),
        TEST(a_case_that_cannot_be_read_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
