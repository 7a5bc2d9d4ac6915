#include "worker/llm/failure.h"

#include "common/core/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 600 };

typedef struct shape {
    const char *type;
    const char *code;
    const char *message;
    const char *parameter;
} shape_t;

/* {"error":{…}}, {"error":"text"}, {"error_code","message"}, {"message","code"}; code may be an integer. */
static shape_t read_shape(const nv_json_t *root)
{
    const nv_json_t *error = nv_json_get(root, "error");
    shape_t out = {"", "", "", ""};
    if (nv_json_kind(error) == NV_JSON_STRING) {
        out.message = nv_json_string_or(error, "", "");
        return out;
    }
    if (nv_json_kind(error) != NV_JSON_OBJECT)
        error = root;
    const char *code = nv_json_scalar_text(nv_json_get(error, "code"));
    out.code = code ? code : nv_json_string_or(error, "error_code", "");
    out.type = nv_json_string_or(error, "type", "");
    out.message = nv_json_string_or(error, "message", "");
    out.parameter = nv_json_string_or(error, "param", "");
    return out;
}

static const char *cut(nv_mem_t *ctx, const char *text)
{
    size_t n = strlen(text);
    return n <= TEXT_MAX ? text : nv_printf(ctx, "%.*s…", (int)nv_utf8_floor(text, TEXT_MAX), text);
}

static bool mentions(const shape_t *e, const char *word)
{
    return strcasestr(e->message, word) || strcasestr(e->parameter, word) || strcasestr(e->code, word) ||
           strcasestr(e->type, word);
}

static bool is_too_long(int status, const shape_t *e)
{
    return status == 413 || mentions(e, "context_length_exceeded") || mentions(e, "maximum context length") ||
           mentions(e, "prompt is too long") || mentions(e, "context size") ||
           mentions(e, "request too large");
}

/* What a 400 or 422 complains about, where we can ask in another way. */
static llm_action_t action_of_refusal(const shape_t *e)
{
    if (mentions(e, "json_validate_failed") || mentions(e, "tool_use_failed"))
        return LLM_BAD_OUTPUT;
    if (mentions(e, "max_completion_tokens"))
        return LLM_COMPLETION_TOKENS;
    if (mentions(e, "temperature"))
        return LLM_NO_TEMPERATURE;
    if (mentions(e, "stream_options"))
        return LLM_NO_STREAM_OPTIONS;
    if (mentions(e, "response_format") || mentions(e, "json_schema") || mentions(e, "json_object") ||
        mentions(e, "json mode") || mentions(e, "schema") || mentions(e, "grammar") ||
        mentions(e, "tool_choice") || mentions(e, "tools"))
        return LLM_NEXT_FORMAT;
    return LLM_FAIL;
}

static llm_action_t action_of_status(int status, const shape_t *e)
{
    if (is_too_long(status, e))
        return LLM_SHRINK;
    switch (status) {
    case 400:
    case 422:
        return action_of_refusal(e);
    case 408:
    case 409:
        return LLM_RETRY;
    case 429:
        return mentions(e, "insufficient_quota") || mentions(e, "billing") ? LLM_FAIL : LLM_RETRY;
    case 498: /* Groq: no flex capacity */
    case 529: /* Anthropic: overloaded */
        return LLM_RETRY_SLOW;
    default:
        return status >= 500 && status != 501 ? LLM_RETRY : LLM_FAIL;
    }
}

static nv_code_t code_of(int status, llm_action_t action)
{
    if (action == LLM_SHRINK)
        return NV_OUT_OF_RANGE;
    if (status == 498 || status == 529)
        return NV_UNAVAILABLE;
    nv_code_t code = nv_http_status_code(status);
    return code == NV_OK || code == NV_ALREADY_EXISTS ? NV_UNAVAILABLE : code;
}

llm_failure_t llm_failure_of_answer(nv_mem_t *ctx, const nv_http_response_t *reply)
{
    nv_error_t ignored = NV_ERROR_INIT;
    const nv_json_t *root;
    shape_t e = {"", "", "", ""};
    if (nv_json_parse(ctx, "error", reply->body, reply->body_length, &root, &ignored))
        e = read_shape(root);
    else if (nv_utf8_valid(reply->body, reply->body_length))
        e.message = reply->body; /* a gateway's page */
    llm_failure_t out = {.action = action_of_status(reply->status, &e)};
    const char *should = nv_http_header(reply, "x-should-retry");
    if (should && strcmp(should, "true") == 0 && out.action == LLM_FAIL)
        out.action = LLM_RETRY;
    if (should && strcmp(should, "false") == 0 && (out.action == LLM_RETRY || out.action == LLM_RETRY_SLOW))
        out.action = LLM_FAIL;
    out.code = code_of(reply->status, out.action);
    const char *kind = *e.type ? e.type : e.code;
    out.text = nv_printf(ctx, "%d%s%s%s%s", reply->status, *kind ? " " : "", kind, *e.message ? ": " : "",
                         cut(ctx, e.message));
    return out;
}

llm_failure_t llm_failure_of_event(nv_mem_t *ctx, const nv_json_t *error)
{
    shape_t e = {"", "", "", ""};
    if (nv_json_kind(error) == NV_JSON_OBJECT)
        e = read_shape(error);
    else if (nv_json_scalar_text(error))
        e.message = nv_json_scalar_text(error);
    llm_failure_t out = {.action = LLM_RETRY, .code = NV_UNAVAILABLE};
    int status = (int)strtol(e.code, NULL, 10);
    if (status >= 400 && status < 600) {
        out.action = action_of_status(status, &e);
        out.code = code_of(status, out.action);
    } else if (is_too_long(0, &e)) {
        out = (llm_failure_t){LLM_SHRINK, NV_OUT_OF_RANGE, ""};
    } else if (mentions(&e, "overloaded")) {
        out.action = LLM_RETRY_SLOW;
    } else if (mentions(&e, "json_validate_failed") || mentions(&e, "tool_use_failed")) {
        out = (llm_failure_t){LLM_BAD_OUTPUT, NV_INVALID_ARGUMENT, ""};
    } else if (mentions(&e, "authentication") || mentions(&e, "invalid_api_key")) {
        out = (llm_failure_t){LLM_FAIL, NV_UNAUTHENTICATED, ""};
    } else if (mentions(&e, "permission")) {
        out = (llm_failure_t){LLM_FAIL, NV_PERMISSION_DENIED, ""};
    } else if (mentions(&e, "insufficient_quota") || mentions(&e, "billing")) {
        out = (llm_failure_t){LLM_FAIL, NV_RESOURCE_EXHAUSTED, ""};
    } else if (mentions(&e, "invalid_request")) {
        out = (llm_failure_t){LLM_FAIL, NV_INVALID_ARGUMENT, ""};
    }
    out.text = nv_printf(ctx, "%s%s%s", *e.type ? e.type : e.code, *e.type || *e.code ? ": " : "",
                         cut(ctx, e.message));
    return out;
}

int64_t llm_parse_duration_ms(const char *text)
{
    double total = 0;
    if (!*text)
        return -1;
    while (*text) {
        char *end;
        if (*text < '0' || *text > '9')
            return -1;
        double number = strtod(text, &end);
        double unit = strncmp(end, "ms", 2) == 0 ? 1
                      : *end == 's'              ? 1000
                      : *end == 'm'              ? 60000
                      : *end == 'h'              ? 3600000
                                                 : 0;
        if (unit == 0 || number > 1e9)
            return -1;
        total += number * unit;
        text = end + (unit == 1 ? 2 : 1);
    }
    return (int64_t)total;
}
