/* The client against a model's server that streams, breaks off, refuses, limits and talks nonsense. */
#include "llm_fixture.h"

#include "common/http/http.h"

static const llm_message_t hello = {LLM_USER, "Say \"hi\""};
static const llm_request_t request = {.system = "Be brief.", .messages = &hello, .n_messages = 1};
static const llm_request_t json_request = {.system = "Be brief.",
                                           .messages = &hello,
                                           .n_messages = 1,
                                           .schema = "{\"type\":\"object\"}",
                                           .schema_name = "answer"};

static const reply_t good = {200, CHUNK("Hel") ": ping\n\n" CHUNK("lo") FINISH("stop") USAGE(10, 2) DONE,
                             NULL, NULL};

static void test_streamed_answer(void **state)
{
    (void)state;
    const reply_t replies[] = {good, {0}};
    fixture_t *f = fixture_start(replies, "compatible", NULL);
    nv_error_t err = NV_ERROR_INIT;
    llm_reply_t reply;
    if (!llm_complete(f->llm, f->ctx, &request, &reply, &err))
        fail_msg("%s", err.message);
    assert_string_equal(reply.text, "Hello");
    assert_string_equal(nv_buf_text(&f->tokens), "Hello");
    assert_int_equal(reply.stop, LLM_STOP_END);
    llm_usage_t usage = llm_usage(f->llm);
    assert_int_equal(usage.calls, 1);
    assert_int_equal(usage.input_tokens, 10);
    assert_int_equal(usage.output_tokens, 2);
    assert_true(usage.cost_known && usage.cost_usd == 0 && !usage.tokens_estimated);
    assert_string_equal(
        f->bodies[0],
        "{\"model\":\"m1\",\"messages\":[{\"role\":\"system\",\"content\":\"Be brief.\"},{\"role\":\"user\","
        "\"content\":\"Say \\\"hi\\\"\"}],\"max_tokens\":4096,\"temperature\":0,\"stream\":true,"
        "\"stream_options\":{\"include_usage\":true}}");
    assert_non_null(strstr(f->heads[0], "POST /v1/chat/completions "));
    assert_non_null(strstr(f->heads[0], "Authorization: Bearer s3cret\r\n"));
    fixture_stop(f);
}

static void test_a_document_instead_of_a_stream(void **state)
{
    (void)state;
    const reply_t replies[] = {
        {200, NULL, "{\"choices\":[{\"message\":{\"content\":\"whole\"},\"finish_reason\":\"length\"}]}",
         NULL},
        {0}};
    fixture_t *f = fixture_start(replies, "compatible", NULL);
    nv_error_t err = NV_ERROR_INIT;
    llm_reply_t reply;
    assert_true(llm_complete(f->llm, f->ctx, &request, &reply, &err));
    assert_string_equal(reply.text, "whole");
    assert_int_equal(reply.stop, LLM_STOP_LENGTH);
    assert_true(llm_usage(f->llm).tokens_estimated);
    fixture_stop(f);
}

static void test_restarts(void **state)
{
    (void)state;
    const reply_t cases[] = {
        {429, NULL, "{\"error\":{\"message\":\"slow\"}}", "retry-after-ms: 50\r\n"},
        {503, NULL, "{\"error\":{\"message\":\"Loading model\",\"code\":503}}", NULL},
        {-1, NULL, NULL, NULL},
        {200, CHUNK("half"), NULL, NULL},
        {200, CHUNK("half") "data: {\"error\":{\"message\":\"boom\",\"type\":\"server_error\"}}\n\n", NULL,
         NULL},
        {200, "data: {\"choi\n\n", NULL, NULL},
        {200, CHUNK("half") "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}", NULL, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const reply_t replies[] = {cases[i], good, {0}};
        fixture_t *f = fixture_start(replies, "compatible", NULL);
        nv_error_t err = NV_ERROR_INIT;
        llm_reply_t reply;
        if (!llm_complete(f->llm, f->ctx, &request, &reply, &err))
            fail_msg("case %zu: %s", i, err.message);
        assert_string_equal(reply.text, "Hello");
        assert_int_equal(reply.attempts, 2);
        bool shown = cases[i].stream && strstr(cases[i].stream, "half");
        assert_string_equal(nv_buf_text(&f->tokens), shown ? "half|Hello" : "Hello");
        fixture_stop(f);
    }
}

static void test_endings(void **state)
{
    (void)state;
    const struct {
        reply_t reply;
        nv_code_t code;
        const char *text;
    } cases[] = {
        {{401, NULL, "{\"error\":{\"message\":\"bad key\",\"type\":\"invalid_request_error\"}}", NULL},
         NV_UNAUTHENTICATED,
         "compatible m1: 401 invalid_request_error: bad key"},
        {{404, NULL, "{\"error\":{\"message\":\"no such model\"}}", NULL}, NV_NOT_FOUND, "no such model"},
        {{429, NULL, "{\"error\":{\"code\":\"insufficient_quota\",\"message\":\"pay\"}}", NULL},
         NV_RESOURCE_EXHAUSTED,
         "pay"},
        {{429, NULL, "{\"error\":{\"message\":\"tomorrow\"}}", "Retry-After: 86400\r\n"},
         NV_RESOURCE_EXHAUSTED,
         "tomorrow"},
        {{400, NULL, "{\"error\":{\"code\":\"context_length_exceeded\",\"message\":\"too long\"}}", NULL},
         NV_OUT_OF_RANGE,
         "too long"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const reply_t replies[] = {cases[i].reply, {0}};
        fixture_t *f = fixture_start(replies, "compatible", NULL);
        nv_error_t err = NV_ERROR_INIT;
        llm_reply_t reply;
        assert_false(llm_complete(f->llm, f->ctx, &request, &reply, &err));
        if (err.code != cases[i].code || !strstr(err.message, cases[i].text))
            fail_msg("case %zu: %s %s", i, nv_code_name(err.code), err.message);
        assert_null(strstr(err.message, "s3cret"));
        assert_int_equal(f->n, 1);
        fixture_stop(f);
    }
}

/* A provider that knows neither the schema nor the object form is asked in plain text, and stays so. */
static void test_format_ladder(void **state)
{
    (void)state;
    const reply_t refuse = {400, NULL, "{\"error\":{\"message\":\"response_format is not supported\"}}",
                            NULL};
    const reply_t replies[] = {refuse, refuse, good, {0}};
    fixture_t *f = fixture_start(replies, "openai", NULL);
    nv_error_t err = NV_ERROR_INIT;
    llm_reply_t reply;
    if (!llm_complete(f->llm, f->ctx, &json_request, &reply, &err))
        fail_msg("%s", err.message);
    assert_int_equal(reply.format, LLM_JSON_FENCED);
    assert_non_null(strstr(f->bodies[0],
                           "\"type\":\"json_schema\",\"json_schema\":{\"name\":\"answer\",\"strict\":true,"));
    assert_non_null(strstr(f->bodies[1], "\"response_format\":{\"type\":\"json_object\"}"));
    assert_null(strstr(f->bodies[2], "response_format"));
    assert_non_null(strstr(f->bodies[2], "JSON Schema:\\n{\\\"type\\\":\\\"object\\\"}"));
    assert_true(llm_complete(f->llm, f->ctx, &json_request, &reply, &err));
    assert_int_equal(f->n, 4);
    assert_null(strstr(f->bodies[3], "response_format"));
    fixture_stop(f);
}

static void test_parameters_are_learnt(void **state)
{
    (void)state;
    const reply_t replies[] = {
        {400, NULL,
         "{\"error\":{\"message\":\"Use 'max_completion_tokens' instead.\",\"param\":\"max_tokens\"}}", NULL},
        {400, NULL, "{\"error\":{\"message\":\"Unsupported value\",\"param\":\"temperature\"}}", NULL},
        {400, NULL, "{\"error\":{\"message\":\"unknown field stream_options\"}}", NULL},
        good,
        {0}};
    fixture_t *f = fixture_start(replies, "openai", NULL);
    nv_error_t err = NV_ERROR_INIT;
    llm_reply_t reply;
    if (!llm_complete(f->llm, f->ctx, &request, &reply, &err))
        fail_msg("%s", err.message);
    assert_non_null(strstr(f->bodies[3], "\"max_completion_tokens\":4096,\"stream\":true}"));
    fixture_stop(f);
}

/* Groq's own validation: once more, then in another form. */
static void test_output_that_the_provider_refuses(void **state)
{
    (void)state;
    const reply_t bad = {
        400, NULL,
        "{\"error\":{\"code\":\"json_validate_failed\",\"message\":\"x\",\"failed_generation\":\"{\"}}",
        NULL};
    const reply_t replies[] = {bad, bad, good, {0}};
    fixture_t *f = fixture_start(replies, "groq", NULL);
    nv_error_t err = NV_ERROR_INIT;
    llm_reply_t reply;
    if (!llm_complete(f->llm, f->ctx, &json_request, &reply, &err))
        fail_msg("%s", err.message);
    assert_non_null(strstr(f->bodies[1], "json_object"));
    assert_null(strstr(f->bodies[2], "json_object"));
    fixture_stop(f);
}

static void test_anthropic(void **state)
{
    (void)state;
    const reply_t replies[] = {
        {200,
         "event: message_start\ndata: "
         "{\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":4}}}\n\n"
         "event: content_block_delta\ndata: "
         "{\"type\":\"content_block_delta\",\"delta\":{\"type\":\"input_json_delta\","
         "\"partial_json\":\"{}\"}}\n\n"
         "event: message_delta\ndata: "
         "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"max_tokens\"},\"usage\":{"
         "\"output_tokens\":2}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
         NULL, NULL},
        {0}};
    fixture_t *f = fixture_start(replies, "anthropic", NULL);
    nv_error_t err = NV_ERROR_INIT;
    llm_reply_t reply;
    if (!llm_complete(f->llm, f->ctx, &json_request, &reply, &err))
        fail_msg("%s", err.message);
    assert_string_equal(reply.text, "{}");
    assert_int_equal(reply.stop, LLM_STOP_LENGTH);
    assert_non_null(strstr(f->heads[0], "POST /v1/messages "));
    assert_non_null(strstr(f->heads[0], "x-api-key: s3cret\r\n"));
    assert_non_null(strstr(f->heads[0], "anthropic-version: 2023-06-01\r\n"));
    assert_non_null(strstr(f->bodies[0], "\"system\":\"Be brief.\",\"messages\":[{\"role\":\"user\""));
    assert_non_null(strstr(f->bodies[0], "\"tool_choice\":{\"type\":\"tool\",\"name\":\"answer\"}"));
    fixture_stop(f);
}

static void test_budget(void **state)
{
    (void)state;
    const reply_t replies[] = {good, {0}};
    const struct {
        llm_budget_t budget;
        const char *text;
    } cases[] = {
        {{.max_calls = 1}, "the budget of 1 calls is spent"},
        {{.max_tokens = 90}, "the budget of 90 tokens is spent"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fixture_t *f = fixture_start(replies, "compatible", &cases[i].budget);
        nv_error_t err = NV_ERROR_INIT;
        llm_reply_t reply;
        if (!llm_complete(f->llm, f->ctx, &request, &reply, &err))
            fail_msg("case %zu: %s", i, err.message);
        while (llm_complete(f->llm, f->ctx, &request, &reply, &err))
            assert_true(f->n < 10);
        assert_int_equal(err.code, NV_RESOURCE_EXHAUSTED);
        if (!strstr(err.message, cases[i].text))
            fail_msg("%s", err.message);
        fixture_stop(f);
    }
}

static void test_time_budget_ends_a_wait(void **state)
{
    (void)state;
    const reply_t replies[] = {{429, NULL, "{}", "retry-after: 5\r\n"}, {0}};
    llm_budget_t budget = {.max_ms = 1000};
    fixture_t *f = fixture_start(replies, "compatible", &budget);
    nv_error_t err = NV_ERROR_INIT;
    llm_reply_t reply;
    assert_false(llm_complete(f->llm, f->ctx, &request, &reply, &err));
    assert_int_equal(err.code, NV_RESOURCE_EXHAUSTED);
    assert_int_equal(f->n, 1);
    fixture_stop(f);
}

static void test_pace(void **state)
{
    (void)state;
    const char *headers = "Content-Type: application/json\r\nx-ratelimit-remaining-tokens: "
                          "10\r\nx-ratelimit-reset-tokens: 400ms\r\n";
    const reply_t replies[] = {{200, NULL, "{\"choices\":[{\"message\":{\"content\":\"a\"}}]}", headers},
                               {0}};
    fixture_t *f = fixture_start(replies, "groq", NULL);
    nv_error_t err = NV_ERROR_INIT;
    llm_reply_t reply;
    assert_true(llm_complete(f->llm, f->ctx, &request, &reply, &err));
    int64_t before = llm_usage(f->llm).milliseconds;
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    assert_true(llm_complete(f->llm, f->ctx, &request, &reply, &err));
    clock_gettime(CLOCK_MONOTONIC, &end);
    int64_t ms = (end.tv_sec - start.tv_sec) * 1000 + (end.tv_nsec - start.tv_nsec) / 1000000;
    assert_in_range(ms, 300, 1500);
    assert_true(llm_usage(f->llm).milliseconds >= before);
    fixture_stop(f);
}

static void test_model_is_asked_for(void **state)
{
    (void)state;
    const reply_t replies[] = {{200, NULL, "{\"data\":[{\"id\":\"local-7b\"}]}", NULL}, good, {0}};
    fixture_t *f = fixture_start(replies, "compatible", NULL);
    f->credential.model = nv_strdup(f->ctx, "");
    llm_options_t options = {.credential = &f->credential};
    nv_error_t err = NV_ERROR_INIT;
    llm_t *llm;
    llm_reply_t reply;
    assert_true(llm_new(f->ctx, &options, &llm, &err));
    if (!llm_complete(llm, f->ctx, &request, &reply, &err))
        fail_msg("%s", err.message);
    assert_string_equal(llm_name(llm), "compatible local-7b");
    assert_non_null(strstr(f->heads[0], "GET /v1/models "));
    assert_non_null(strstr(f->bodies[1], "\"model\":\"local-7b\""));
    llm_free(llm);
    fixture_stop(f);
}

static void test_cancellation(void **state)
{
    (void)state;
    const reply_t replies[] = {{429, NULL, "{}", "retry-after: 5\r\n"}, {0}};
    fixture_t *f = fixture_start(replies, "compatible", NULL);
    nv_error_t err = NV_ERROR_INIT;
    llm_reply_t reply;
    f->cancel = true;
    assert_false(llm_complete(f->llm, f->ctx, &request, &reply, &err));
    assert_int_equal(err.code, NV_CANCELLED);
    fixture_stop(f);
}

static void test_options(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("options");
    nv_error_t err = NV_ERROR_INIT;
    llm_t *llm;
    Nv__LlmCredential c = NV__LLM_CREDENTIAL__INIT;
    llm_options_t options = {.credential = &c};
    c.provider = (char *)"nobody";
    assert_false(llm_new(ctx, &options, &llm, &err));
    assert_non_null(strstr(err.message, "expected openai, groq"));
    c.provider = (char *)"openai";
    c.base_url = (char *)"http://models.example/v1";
    c.api_key = (char *)"k";
    assert_false(llm_new(ctx, &options, &llm, &err));
    assert_non_null(strstr(err.message, "unencrypted"));
    c.base_url = (char *)"https://models.example/v1";
    c.api_key = (char *)"";
    assert_false(llm_new(ctx, &options, &llm, &err));
    assert_non_null(strstr(err.message, "no API key"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_streamed_answer),
        cmocka_unit_test(test_a_document_instead_of_a_stream),
        cmocka_unit_test(test_restarts),
        cmocka_unit_test(test_endings),
        cmocka_unit_test(test_format_ladder),
        cmocka_unit_test(test_parameters_are_learnt),
        cmocka_unit_test(test_output_that_the_provider_refuses),
        cmocka_unit_test(test_anthropic),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_time_budget_ends_a_wait),
        cmocka_unit_test(test_pace),
        cmocka_unit_test(test_model_is_asked_for),
        cmocka_unit_test(test_cancellation),
        cmocka_unit_test(test_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
