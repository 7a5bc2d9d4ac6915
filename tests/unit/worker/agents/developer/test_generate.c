/* generate with a model: what it says well becomes comments and nothing else; what it says badly, or not at all, costs
 * nothing but the comments. */
#include "tests/unit/worker/llm/llm_fixture.h"

#include "common/contract/codec.h"
#include "nuvyn/proposal.pb-c.h"
#include "nuvyn/sttm.pb-c.h"
#include "worker/agents/developer/describe.h"
#include "worker/local/local_host.h"

#include <ctype.h>
#include <stdlib.h>

enum { FILE_MAX = 4 * 1024 * 1024, NEWS_MAX = 64 * 1024 };

#define SAY(json)                                                                                            \
    {                                                                                                        \
        200, CHUNK(json) FINISH("stop") USAGE(70, 30) DONE, NULL, NULL                                       \
    }
#define CUSTOMER "{\\\"targets\\\":[{\\\"target\\\":\\\"dim_customer\\\",\\\"description\\\":"
#define GOOD CUSTOMER "\\\"People who buy.\\\",\\\"columns\\\":[]}]}"

static char *read_file(nv_mem_t *ctx, const char *path)
{
    char *text = nv_alloc(ctx, FILE_MAX);
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("%s cannot be read", path);
    text[fread(text, 1, FILE_MAX - 1, file)] = '\0';
    fclose(file);
    return text;
}

static Nv__SttmTarget *customer(const Nv__Sttm *sttm)
{
    for (size_t i = 0; i < sttm->n_targets; i++)
        if (strcmp(sttm->targets[i]->name, "dim_customer") == 0)
            return sttm->targets[i];
    fail_msg("no dim_customer");
    return NULL;
}

static Nv__SttmColumn *column(const Nv__SttmTarget *target, const char *name)
{
    for (size_t i = 0; i < target->n_columns; i++)
        if (strcmp(target->columns[i]->name, name) == 0)
            return target->columns[i];
    fail_msg("no column %s", name);
    return NULL;
}

/* The sample's mapping, where dim_customer and its email say only what their names say. */
static Nv__Sttm *mapping(nv_mem_t *ctx)
{
    nv_error_t err = NV_ERROR_INIT;
    ProtobufCMessage *message = NULL;
    char *json = read_file(ctx, MAPPING_JSON);
    if (!nv_json_decode(ctx, &nv__sttm__descriptor, "sttm", json, strlen(json), NV_CODEC_DEFAULT, &message,
                        &err))
        fail_msg("%s", err.message);
    Nv__Sttm *sttm = (Nv__Sttm *)message;
    customer(sttm)->description = nv_strdup(ctx, "One row per customer.");
    Nv__SttmColumn *email = column(customer(sttm), "email");
    email->description = nv_printf(ctx, "%s of customers", email->transform->inputs[0]->source_column);
    return sttm;
}

/* ---- runs of the agent ---- */

typedef struct generation {
    nv_mem_t *ctx;
    nv_buf_t news;
    agent_result_t result;
    Nv__Project *project;
} generation_t;

static void hear(void *arg, const char *kind, const char *text, int64_t done, int64_t total)
{
    (void)done, (void)total;
    nv_buf_printf(arg, "%s: %s\n", kind, text);
}

static bool give_mapping(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err)
{
    out->outcome = "done";
    return task->ops->write(task->host, "sttm", &mapping(ctx)->base, err);
}

static generation_t generate(nv_mem_t *ctx, const Nv__LlmCredential *llm, bool use_llm)
{
    generation_t g = {.ctx = ctx, .news = nv_buf_make(ctx, NEWS_MAX)};
    local_host_options_t options = {.llm = llm, .news = hear, .news_arg = &g.news};
    LOCAL_HOST_SCOPE local_host_t *host = local_host_new(&options);
    Nv__RunSpec spec = NV__RUN_SPEC__INIT;
    Nv__TaskAssignment assignment = NV__TASK_ASSIGNMENT__INIT;
    ProtobufCMessage *project = NULL;
    nv_error_t err = NV_ERROR_INIT;
    spec.use_llm = use_llm;
    assignment.kind = nv_strdup(ctx, "generate");
    assignment.spec = &spec;
    if (!local_host_run(host, give_mapping, &assignment, ctx, &g.result, &err) ||
        !local_host_run(host, agent_generate, &assignment, ctx, &g.result, &err) ||
        !local_host_read(host, ctx, "project", &nv__project__descriptor, &project, &err))
        fail_msg("%s", err.message);
    g.project = (Nv__Project *)project;
    return g;
}

static const char *notebook(const Nv__Project *project)
{
    for (size_t i = 0; i < project->n_files; i++)
        if (strstr(project->files[i]->path, "30_dim_customer.py"))
            return project->files[i]->content;
    fail_msg("no notebook of dim_customer");
    return NULL;
}

/* The code without comments and layout. */
static char *bare(nv_mem_t *ctx, const char *text)
{
    nv_buf_t out = nv_buf_make(ctx, FILE_MAX);
    while (*text) {
        if (strncmp(text, "# MAGIC", 7) == 0) {
            text += strcspn(text, "\n");
        } else if (strncmp(text, "comment=\"", 9) == 0) {
            for (text += 9; *text != '"'; text++)
                text += *text == '\\';
            text++;
        } else if (isspace((unsigned char)*text)) {
            text++;
        } else {
            nv_buf_putc(&out, *text++);
        }
    }
    return nv_strdup(ctx, nv_buf_text(&out));
}

static void same_code(nv_mem_t *ctx, const Nv__Project *a, const Nv__Project *b)
{
    assert_int_equal(a->n_files, b->n_files);
    for (size_t i = 0; i < a->n_files; i++)
        assert_string_equal(bare(ctx, a->files[i]->content), bare(ctx, b->files[i]->content));
}

static void good_descriptions_become_comments(void **state)
{
    (void)state;
    const reply_t replies[] = {
        SAY(CUSTOMER
            "\\\"People \\\\\\\"who\\\\\\\" buy; # COMMAND ----------\\\",\\\"columns\\\":[{\\\"column\\\":"
            "\\\"email\\\",\\\"description\\\":\\\"Where we write to.\\\"}]}]}"),
        {0}};
    fixture_t *f = fixture_start(replies, "compatible", NULL);
    generation_t plain = generate(f->ctx, NULL, true);
    generation_t told = generate(f->ctx, &f->credential, true);
    const char *code = notebook(told.project);
    assert_non_null(strstr(code, "comment=\"People \\\"who\\\" buy; # COMMAND ----------\""));
    assert_non_null(strstr(code, "comment=\"Where we write to.\""));
    assert_null(strstr(notebook(plain.project), "Where we write to."));
    same_code(f->ctx, plain.project, told.project);
    assert_string_equal(told.project->method, "mapping+llm");
    assert_int_equal(told.result.usage.llm_calls, 1);
    assert_int_equal(told.result.usage.llm_input_tokens, 70);
    assert_int_equal(told.result.usage.llm_output_tokens, 30);
    assert_non_null(strstr(nv_buf_text(&told.news), "token: {"));
    assert_non_null(
        strstr(nv_buf_text(&told.news), "llm: 2 descriptions of tables and columns taken, 0 refused"));
    fixture_stop(f);
}

/* Nothing of the answer is used: the project is the one without a model, byte for byte. */
static void expect_plain(const reply_t *replies, const char *news)
{
    fixture_t *f = fixture_start(replies, "compatible", NULL);
    generation_t plain = generate(f->ctx, NULL, true);
    generation_t told = generate(f->ctx, &f->credential, true);
    assert_string_equal(told.project->method, "mapping");
    assert_int_equal(plain.project->n_files, told.project->n_files);
    for (size_t i = 0; i < plain.project->n_files; i++)
        assert_string_equal(plain.project->files[i]->content, told.project->files[i]->content);
    if (!strstr(nv_buf_text(&told.news), news))
        fail_msg("expected \"%s\" in:\n%s", news, nv_buf_text(&told.news));
    assert_true(told.result.usage.llm_calls > 0);
    fixture_stop(f);
}

static void a_model_that_misbehaves_costs_only_comments(void **state)
{
    (void)state;
    const reply_t nonsense[] = {SAY("I would rather talk about the weather."), {0}};
    const reply_t unauthorized[] = {{401, NULL, "{\"error\":{\"message\":\"no\"}}", NULL}, {0}};
    const reply_t endless[] = {{200, CHUNK("{\\\"targets\\\":[") FINISH("length") DONE, NULL, NULL}, {0}};
    const reply_t unknown[] = {
        SAY("{\\\"targets\\\":[{\\\"target\\\":\\\"dim_spy\\\",\\\"description\\\":\\\"x\\\"}]}"), {0}};
    const reply_t broken[] = {SAY(CUSTOMER
                                  "\\\"a\\\\nimport os\\\",\\\"columns\\\":[{\\\"column\\\":\\\"email\\\","
                                  "\\\"description\\\":\\\"\\\\u001b[2J\\\"}]}]}"),
                              {0}};
    expect_plain(nonsense, "described from the mapping alone: the language model did not help");
    expect_plain(unauthorized, "described from the mapping alone: the language model did not help");
    expect_plain(endless, "described from the mapping alone: the language model did not help");
    expect_plain(unknown, "0 descriptions of tables and columns taken, 1 refused");
    expect_plain(broken, "0 descriptions of tables and columns taken, 2 refused");
}

static void what_is_wrong_goes_back(void **state)
{
    (void)state;
    const reply_t replies[] = {
        SAY(CUSTOMER "\\\"a\\\\nb\\\",\\\"columns\\\":[{\\\"column\\\":\\\"shoe\\\",\\\"description\\\":"
                     "\\\"size\\\"}]}]}"),
        SAY(GOOD),
        {0}};
    fixture_t *f = fixture_start(replies, "compatible", NULL);
    generation_t told = generate(f->ctx, &f->credential, true);
    assert_int_equal(f->n, 2);
    assert_non_null(strstr(f->bodies[1], "targets[0].description: has control characters or line breaks"));
    assert_non_null(strstr(f->bodies[1], "has no column \\\"shoe\\\""));
    assert_non_null(strstr(notebook(told.project), "comment=\"People who buy.\""));
    assert_int_equal(told.result.usage.llm_calls, 2);
    fixture_stop(f);
}

static void nobody_is_asked_unless_the_run_wants_it(void **state)
{
    (void)state;
    const reply_t replies[] = {SAY(GOOD), {0}};
    fixture_t *f = fixture_start(replies, "compatible", NULL);
    generation_t told = generate(f->ctx, &f->credential, false);
    assert_int_equal(f->n, 0);
    assert_string_equal(told.project->method, "mapping");
    assert_non_null(
        strstr(nv_buf_text(&told.news), "described from the mapping alone: no language model was asked for"));
    fixture_stop(f);
}

/* ---- what is taken ---- */

static int taken(nv_mem_t *ctx, Nv__Sttm *sttm, const char *name, const char *text)
{
    Nv__DescriptionProposal proposal = NV__DESCRIPTION_PROPOSAL__INIT;
    Nv__TargetDescription of_target = NV__TARGET_DESCRIPTION__INIT, *targets = &of_target;
    Nv__ColumnDescription of_column = NV__COLUMN_DESCRIPTION__INIT, *columns = &of_column;
    describe_outcome_t outcome;
    of_column.column = nv_strdup(ctx, name);
    of_column.description = nv_strdup(ctx, text);
    of_target.target = nv_strdup(ctx, "dim_customer");
    of_target.columns = &columns;
    of_target.n_columns = 1;
    proposal.targets = &targets;
    proposal.n_targets = 1;
    describe_apply(ctx, &proposal, sttm, &outcome);
    assert_int_equal(outcome.taken + outcome.refused, 1);
    return outcome.taken;
}

static void only_well_formed_text_for_what_lacks_it(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    char text[400];
    memset(text, 'a', sizeof text);
    text[251] = '\0';
    assert_int_equal(taken(ctx, mapping(ctx), "email", text), 0);
    text[250] = '\0';
    assert_int_equal(taken(ctx, mapping(ctx), "email", text), 1);
    assert_int_equal(taken(ctx, mapping(ctx), "email", "Größe: 1 < 2 & \"so\""), 1);
    static const char *const bad[] = {"",         "   ",           "a\tb",           "a\x7f", "a\xc2\x85z",
                                      "\xff\xfe", "a\xe2\x80\xae", "a\xe2\x80\xa8z", "a\r\n"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(taken(ctx, mapping(ctx), "email", bad[i]), 0);
    Nv__Sttm *sttm = mapping(ctx);
    column(customer(sttm), "email")->description = nv_strdup(ctx, "Written by a person.");
    assert_int_equal(taken(ctx, sttm, "email", "better"), 0);
    assert_string_equal(column(customer(sttm), "email")->description, "Written by a person.");
    assert_int_equal(taken(ctx, sttm, "no_such_column", "x"), 0);
}

/* ---- rounds ---- */

static bool blame_the_code(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err)
{
    Nv__Validation *validation = NV_NEW(ctx, Nv__Validation);
    nv__validation__init(validation);
    validation->blame = nv_strdup(ctx, "generate");
    validation->critique = nv_strdup(ctx, "reconcile_sum of fact_payment.amount: 1 is not 2");
    out->outcome = "fail";
    return task->ops->write(task->host, "validation", &validation->base, err);
}

static bool give_another_mapping(agent_task_t *task, nv_mem_t *ctx, agent_result_t *out, nv_error_t *err)
{
    Nv__Sttm *sttm = mapping(ctx);
    column(customer(sttm), "email")->default_value = nv_strdup(ctx, "nobody");
    out->outcome = "done";
    return task->ops->write(task->host, "sttm", &sttm->base, err);
}

/* What cannot change is not tried again; a repetition that nobody blames, and another mapping, are. */
static void blamed_code_is_not_made_again(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("test");
    local_host_options_t options = {0};
    LOCAL_HOST_SCOPE local_host_t *host = local_host_new(&options);
    Nv__RunSpec spec = NV__RUN_SPEC__INIT;
    Nv__TaskAssignment assignment = NV__TASK_ASSIGNMENT__INIT;
    agent_result_t result;
    nv_error_t err = NV_ERROR_INIT;
    assignment.kind = nv_strdup(ctx, "generate");
    assignment.spec = &spec;
    assert_true(local_host_run(host, give_mapping, &assignment, ctx, &result, &err));
    assert_true(local_host_run(host, agent_generate, &assignment, ctx, &result, &err));
    assert_true(local_host_run(host, agent_generate, &assignment, ctx, &result, &err));
    assert_true(local_host_run(host, blame_the_code, &assignment, ctx, &result, &err));
    assert_false(local_host_run(host, agent_generate, &assignment, ctx, &result, &err));
    assert_int_equal(err.code, NV_FAILED_PRECONDITION);
    assert_non_null(strstr(err.message, "reconcile_sum of fact_payment.amount: 1 is not 2"));
    assert_true(local_host_run(host, give_another_mapping, &assignment, ctx, &result, &err));
    assert_true(local_host_run(host, agent_generate, &assignment, ctx, &result, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_descriptions_become_comments),
        cmocka_unit_test(a_model_that_misbehaves_costs_only_comments),
        cmocka_unit_test(what_is_wrong_goes_back),
        cmocka_unit_test(nobody_is_asked_unless_the_run_wants_it),
        cmocka_unit_test(only_well_formed_text_for_what_lacks_it),
        cmocka_unit_test(blamed_code_is_not_made_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
