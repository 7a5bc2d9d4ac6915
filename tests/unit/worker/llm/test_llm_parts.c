/* The pure parts: event stream, answer state, error shapes, durations, extraction, credentials, prices. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/credential/llm_credential.h"
#include "worker/llm/extract.h"
#include "worker/llm/failure.h"
#include "worker/llm/price.h"
#include "worker/llm/request.h"
#include "worker/llm/sse.h"
#include "worker/llm/stream.h"

typedef struct seen {
    nv_buf_t text; /* "name=data;" per event */
} seen_t;

static bool note_event(void *arg, const char *name, const char *data, size_t length, nv_error_t *err)
{
    (void)err;
    seen_t *seen = arg;
    nv_buf_printf(&seen->text, "%s=%.*s;", name, (int)length, data);
    return true;
}

/* Feeds the stream in pieces of n bytes. */
static const char *events(nv_mem_t *ctx, const char *stream, size_t length, size_t n)
{
    nv_error_t err = NV_ERROR_INIT;
    seen_t *seen = NV_NEW(ctx, seen_t);
    seen->text = nv_buf_make(ctx, 10000);
    sse_t sse = sse_make(ctx, 1000, note_event, seen);
    for (size_t at = 0; at < length; at += n)
        if (!sse_feed(&sse, stream + at, length - at < n ? length - at : n, &err))
            fail_msg("%s", err.message);
    return nv_buf_text(&seen->text);
}

static void test_sse_split_anywhere(void **state)
{
    (void)state;
    static const char *const streams[][2] = {
        {"data: a\n\ndata:b\n\n", "=a;=b;"},
        {"data: a\r\n\r\ndata: b\r\rdata: c\n\r\n", "=a;=b;=c;"},
        {": ping\n\nevent: x\ndata: 1\ndata: 2\nid: 7\nretry: 5\nfoo: bar\n\n", "x=1\n2;"},
        {"\xEF\xBB\xBF"
         "data: bom\n\n",
         "=bom;"},
        {"data: \xF0\x9F\x98\x80 é\n\n", "=😀 é;"},
        {"data\n\ndata:\n\n", "=;=;"},
        {"data:  two\n\nevent: gone\n\ndata: y\n\n", "= two;=y;"},
        {"data: complete\n\ndata: cut off", "=complete;"},
        {"data: complete\n\ndata: cut off\n", "=complete;"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++)
        for (size_t n = 1; n <= 9; n++) {
            NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("sse");
            assert_string_equal(events(ctx, streams[i][0], strlen(streams[i][0]), n), streams[i][1]);
        }
}

static void test_sse_is_bounded(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("sse");
    nv_error_t err = NV_ERROR_INIT;
    seen_t seen = {.text = nv_buf_make(ctx, 100)};
    sse_t sse = sse_make(ctx, 1000, note_event, &seen);
    char line[700];
    memset(line, 'x', sizeof line);
    assert_true(sse_feed(&sse, line, sizeof line, &err));
    assert_false(sse_feed(&sse, line, sizeof line, &err));
    assert_int_equal(err.code, NV_RESOURCE_EXHAUSTED);
    sse = sse_make(ctx, 1000, note_event, &seen);
    for (int i = 0; i < 3; i++) { /* many data lines of one event */
        bool ok = sse_feed(&sse, "data: ", 6, &err) && sse_feed(&sse, line, 500, &err) &&
                  sse_feed(&sse, "\n", 1, &err);
        assert_int_equal(ok, i < 1);
        if (!ok)
            break;
    }
}

typedef struct answer {
    llm_stream_t stream;
    nv_error_t err;
    bool ok;
} answer_t;

/* Plays events, one per string, into a fresh state. */
static answer_t play(nv_mem_t *ctx, bool anthropic, const char *const *data)
{
    answer_t a = {.stream = llm_stream_make(ctx, anthropic), .ok = true};
    for (; *data && a.ok; data++)
        a.ok = llm_stream_event(&a.stream, "", *data, strlen(*data), &a.err);
    return a;
}

static void test_openai_stream(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("stream");
    static const char *const data[] = {
        "{\"choices\":[],\"prompt_filter_results\":[]}",
        "{\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}],"
        "\"usage\":null}",
        "{\"choices\":[{\"delta\":{\"content\":\"Hel\"}}],\"obfuscation\":\"xyz\"}",
        "{\"choices\":[{\"delta\":{\"content\":[{\"type\":\"reasoning\",\"text\":\"no\"},{\"type\":\"text\","
        "\"text\":\"lo\"}]}}]}",
        "{\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}]}",
        "{\"choices\":[],\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":3}}",
        "[DONE]",
        NULL};
    answer_t a = play(ctx, false, data);
    assert_true(a.ok && a.stream.finished && a.stream.has_usage);
    assert_string_equal(nv_buf_text(&a.stream.text), "Hello");
    assert_string_equal(a.stream.finish, "length");
    assert_int_equal(a.stream.input_tokens, 11);
    assert_int_equal(a.stream.output_tokens, 3);
}

static void test_openai_stream_faults(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("stream");
    static const char *const cut[] = {"{\"choices\":[{\"delta\":{\"content\":\"x\"}}]}", NULL};
    static const char *const error[] = {"{\"choices\":[{\"delta\":{\"content\":\"x\"}}]}",
                                        "{\"error\":{\"message\":\"server overloaded\",\"code\":503}}", NULL};
    static const char *const groq[] = {"{\"x_groq\":{\"error\":\"over capacity\"}}", NULL};
    static const char *const noise[] = {"{\"choices\":[{", NULL};
    static const char *const refusal[] = {
        "{\"choices\":[{\"delta\":{\"refusal\":\"I cannot\"},\"finish_reason\":\"stop\"}]}", NULL};
    assert_false(play(ctx, false, cut).stream.finished);
    answer_t a = play(ctx, false, error);
    assert_false(a.ok);
    llm_failure_t failure = llm_failure_of_event(ctx, a.stream.error);
    assert_int_equal(failure.action, LLM_RETRY);
    assert_non_null(strstr(failure.text, "server overloaded"));
    a = play(ctx, false, groq);
    assert_true(!a.ok && strstr(a.err.message, "over capacity"));
    assert_int_equal(play(ctx, false, noise).err.code, NV_UNAVAILABLE);
    assert_true(play(ctx, false, refusal).stream.refused);
}

static void test_anthropic_stream(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("stream");
    static const char *const data[] = {
        "{\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":5,\"cache_read_input_tokens\":"
        "7,"
        "\"output_tokens\":1}}}",
        "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"tool_use\",\"input\":{}}"
        "}",
        "{\"type\":\"ping\"}",
        "{\"type\":\"content_block_delta\",\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"hm\"}}",
        "{\"type\":\"content_block_delta\",\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{"
        "\\\"a\\\"\"}}",
        "{\"type\":\"content_block_delta\",\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\":1}\"}"
        "}",
        "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\"},\"usage\":{\"output_tokens\":9}"
        "}",
        "{\"type\":\"message_stop\"}",
        NULL};
    static const char *const error[] = {
        "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}", NULL};
    answer_t a = play(ctx, true, data);
    assert_true(a.ok && a.stream.finished);
    assert_string_equal(nv_buf_text(&a.stream.text), "{\"a\":1}");
    assert_int_equal(a.stream.input_tokens, 12);
    assert_int_equal(a.stream.output_tokens, 9);
    a = play(ctx, true, error);
    assert_int_equal(llm_failure_of_event(ctx, a.stream.error).action, LLM_RETRY_SLOW);
}

static void test_documents(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("document");
    nv_error_t err = NV_ERROR_INIT;
    static const char openai[] =
        "{\"choices\":[{\"message\":{\"content\":\"hi\"},\"finish_reason\":\"stop\"}],"
        "\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}";
    static const char anthropic[] =
        "{\"content\":[{\"type\":\"tool_use\",\"input\":{\"id\":9007199254740993}}],"
        "\"stop_reason\":\"tool_use\",\"usage\":{\"input_tokens\":1,\"output_tokens\":2}}";
    llm_stream_t s = llm_stream_make(ctx, false);
    assert_true(llm_stream_document(&s, openai, strlen(openai), &err));
    assert_string_equal(nv_buf_text(&s.text), "hi");
    s = llm_stream_make(ctx, true);
    assert_true(llm_stream_document(&s, anthropic, strlen(anthropic), &err));
    assert_string_equal(nv_buf_text(&s.text), "{\"id\":9007199254740993}");
    s = llm_stream_make(ctx, false);
    assert_false(llm_stream_document(&s, "{}", 2, &err));
    assert_false(llm_stream_document(&s, "<html>", 6, &err));
}

typedef struct error_case {
    int status;
    const char *body;
    const char *header; /* x-should-retry */
    llm_action_t action;
    nv_code_t code;
    const char *text;
} error_case_t;

static void test_error_shapes(void **state)
{
    (void)state;
    static const error_case_t cases[] = {
        {401,
         "{\"error\":{\"message\":\"Incorrect API "
         "key\",\"type\":\"invalid_request_error\",\"code\":\"invalid_api_key\"}}",
         NULL, LLM_FAIL, NV_UNAUTHENTICATED, "401 invalid_request_error: Incorrect API key"},
        {429, "{\"error\":{\"message\":\"slow down\",\"code\":\"rate_limit_exceeded\"}}", NULL, LLM_RETRY,
         NV_RESOURCE_EXHAUSTED, "slow down"},
        {429, "{\"error\":{\"message\":\"no money\",\"code\":\"insufficient_quota\"}}", NULL, LLM_FAIL,
         NV_RESOURCE_EXHAUSTED, "no money"},
        {400,
         "{\"error\":{\"message\":\"maximum context length is 8192\",\"code\":\"context_length_exceeded\"}}",
         NULL, LLM_SHRINK, NV_OUT_OF_RANGE, "8192"},
        {413, "{\"error\":{\"message\":\"too large\"}}", NULL, LLM_SHRINK, NV_OUT_OF_RANGE, "413"},
        {400, "{\"error\":{\"message\":\"failed\",\"code\":\"json_validate_failed\"}}", NULL, LLM_BAD_OUTPUT,
         NV_INVALID_ARGUMENT, "failed"},
        {400, "{\"error\":{\"message\":\"'response_format' is not supported\"}}", NULL, LLM_NEXT_FORMAT,
         NV_INVALID_ARGUMENT, "response_format"},
        {400, "{\"error\":{\"message\":\"Unsupported parameter: use 'max_completion_tokens' instead.\"}}",
         NULL, LLM_COMPLETION_TOKENS, NV_INVALID_ARGUMENT, ""},
        {400, "{\"error\":{\"message\":\"Unsupported value\",\"param\":\"temperature\"}}", NULL,
         LLM_NO_TEMPERATURE, NV_INVALID_ARGUMENT, ""},
        {400, "{\"object\":\"error\",\"message\":\"vllm old\",\"code\":400}", NULL, LLM_FAIL,
         NV_INVALID_ARGUMENT, "vllm old"},
        {404, "{\"error\":\"model 'x' not found\"}", NULL, LLM_FAIL, NV_NOT_FOUND, "model 'x' not found"},
        {503, "{\"error\":{\"code\":503,\"message\":\"Loading model\"}}", NULL, LLM_RETRY, NV_UNAVAILABLE,
         "Loading model"},
        {502, "<html>Bad gateway</html>", NULL, LLM_RETRY, NV_UNAVAILABLE, "Bad gateway"},
        {529, "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}",
         NULL, LLM_RETRY_SLOW, NV_UNAVAILABLE, "529 overloaded_error: Overloaded"},
        {403, "{\"error_code\":\"PERMISSION_DENIED\",\"message\":\"no\"}", NULL, LLM_FAIL,
         NV_PERMISSION_DENIED, "PERMISSION_DENIED: no"},
        {500, "{}", "false", LLM_FAIL, NV_INTERNAL, "500"},
        {400, "{}", "true", LLM_RETRY, NV_INVALID_ARGUMENT, "400"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("error");
        nv_http_header_t header = {"x-should-retry", cases[i].header};
        nv_http_response_t reply = {.status = cases[i].status,
                                    .body = nv_strdup(ctx, cases[i].body),
                                    .body_length = strlen(cases[i].body),
                                    .headers = &header,
                                    .n_headers = cases[i].header ? 1 : 0};
        llm_failure_t f = llm_failure_of_answer(ctx, &reply);
        if (f.action != cases[i].action || f.code != cases[i].code || !strstr(f.text, cases[i].text))
            fail_msg("case %zu: action %d code %s text %s", i, (int)f.action, nv_code_name(f.code), f.text);
    }
}

static void test_durations(void **state)
{
    (void)state;
    assert_int_equal(llm_parse_duration_ms("2m59.56s"), 179560);
    assert_int_equal(llm_parse_duration_ms("7.66s"), 7660);
    assert_int_equal(llm_parse_duration_ms("120ms"), 120);
    assert_int_equal(llm_parse_duration_ms("1h2m"), 3720000);
    assert_int_equal(llm_parse_duration_ms("0s"), 0);
    assert_int_equal(llm_parse_duration_ms(""), -1);
    assert_int_equal(llm_parse_duration_ms("5"), -1);
    assert_int_equal(llm_parse_duration_ms("s5"), -1);
    assert_int_equal(llm_parse_duration_ms("-5s"), -1);
}

static void test_extraction(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"{\"a\":1}", "{\"a\":1}"},
        {"Sure! Here it is:\n```json\n{\"a\":{\"b\":\"}\"}}\n```\nHope it helps {x}",
         "{\"a\":{\"b\":\"}\"}}"},
        {"<think>maybe {\"no\":1}</think>\n{\"yes\":1}", "{\"yes\":1}"},
        {"a set {1,2} and { \"a\": \"\\\"}\" } end", "{ \"a\": \"\\\"}\" }"},
        {"  {\"doc\":\"use ``` {\\\"x\\\":1} ```\"}", "{\"doc\":\"use ``` {\\\"x\\\":1} ```\"}"},
        {"{}", "{}"},
        {"{\"cut\":", NULL},
        {"no json", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *out;
        size_t n;
        bool found = llm_extract_json(cases[i][0], strlen(cases[i][0]), &out, &n);
        assert_int_equal(found, cases[i][1] != NULL);
        if (found && (n != strlen(cases[i][1]) || memcmp(out, cases[i][1], n) != 0))
            fail_msg("case %zu: %.*s", i, (int)n, out);
    }
}

static const char *lookup(void *arg, const char *variable)
{
    for (const char *const *pair = arg; *pair; pair += 2)
        if (strcmp(pair[0], variable) == 0)
            return pair[1];
    return NULL;
}

static void test_credentials(void **state)
{
    (void)state;
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("credential");
    const char *none[] = {"GROQ_API_KEY", "", NULL};
    const char *groq[] = {"GROQ_API_KEY", "gsk_1", "OPENAI_API_KEY", "sk", NULL};
    const char *own[] = {"NUVYN_LLM_BASE_URL",
                         "http://127.0.0.1:11434/v1",
                         "NUVYN_LLM_MODEL",
                         "llama3",
                         "GROQ_API_KEY",
                         "gsk_1",
                         NULL};
    const char *azure[] = {"AZURE_OPENAI_API_KEY",
                           "k",
                           "AZURE_OPENAI_ENDPOINT",
                           "https://r.openai.azure.com/",
                           "AZURE_OPENAI_DEPLOYMENT",
                           "my dep",
                           NULL};
    const char *serving[] = {
        "NUVYN_LLM_DATABRICKS_ENDPOINT", "ep", "DATABRICKS_HOST", "adb-1.net", "DATABRICKS_TOKEN", "t", NULL};
    assert_null(llm_credential_from_environment(ctx, lookup, none));
    Nv__LlmCredential *c = llm_credential_from_environment(ctx, lookup, groq);
    assert_string_equal(c->provider, "groq");
    assert_string_equal(c->api_key, "gsk_1");
    c = llm_credential_from_environment(ctx, lookup, own);
    assert_string_equal(c->provider, "compatible");
    assert_string_equal(c->model, "llama3");
    c = llm_credential_from_environment(ctx, lookup, azure);
    assert_string_equal(
        llm_request_url(ctx, LLM_AZURE, c->base_url),
        "https://r.openai.azure.com/openai/deployments/my%20dep/chat/completions?api-version=2024-10-21");
    c = llm_credential_from_environment(ctx, lookup, serving);
    assert_string_equal(c->base_url, "https://adb-1.net/serving-endpoints");
    assert_string_equal(llm_request_url(ctx, LLM_ANTHROPIC, "https://api.anthropic.com"),
                        "https://api.anthropic.com/v1/messages");
    assert_string_equal(llm_request_url(ctx, LLM_ANTHROPIC, "https://x/v1/"), "https://x/v1/messages");
}

static void test_prices(void **state)
{
    (void)state;
    double usd;
    assert_true(llm_price("openai", "gpt-4.1-mini-2025", false, 1000000, 1000000, &usd));
    assert_true(usd > 1.99 && usd < 2.01);
    assert_false(llm_price("openai", "brand-new", false, 5, 5, &usd));
    assert_true(usd == 0);
    assert_true(llm_price("compatible", "llama", true, 5, 5, &usd));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sse_split_anywhere),
        cmocka_unit_test(test_sse_is_bounded),
        cmocka_unit_test(test_openai_stream),
        cmocka_unit_test(test_openai_stream_faults),
        cmocka_unit_test(test_anthropic_stream),
        cmocka_unit_test(test_documents),
        cmocka_unit_test(test_error_shapes),
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_extraction),
        cmocka_unit_test(test_credentials),
        cmocka_unit_test(test_prices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
