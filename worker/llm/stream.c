#include "worker/llm/stream.h"

#include <stdio.h>
#include <string.h>

llm_stream_t llm_stream_make(nv_mem_t *ctx, bool anthropic)
{
    return (llm_stream_t){.ctx = ctx, .anthropic = anthropic, .text = nv_buf_make(ctx, LLM_ANSWER_MAX)};
}

static bool add_text(llm_stream_t *s, const char *text, nv_error_t *err)
{
    if (!*text)
        return true;
    nv_buf_puts(&s->text, text);
    if (s->on_token)
        s->on_token(s->on_token_arg, text, strlen(text));
    return nv_buf_ok(&s->text, "the model's answer", err);
}

static void finish(llm_stream_t *s, const char *reason)
{
    s->finished = true;
    if (*reason)
        snprintf(s->finish, sizeof s->finish, "%s", reason);
}

static bool fail_with(llm_stream_t *s, const nv_json_t *error, nv_error_t *err)
{
    s->error = error;
    const char *text = nv_json_string_or(error, "message", NULL);
    if (!text)
        text = nv_json_scalar_text(error);
    return nv_fail(err, NV_ABORTED, "the provider broke off: %.600s", text ? text : "no reason given");
}

/* content is a string, null, or (Databricks) an array of blocks of which those of type "text" count. */
static bool add_content(llm_stream_t *s, const nv_json_t *content, nv_error_t *err)
{
    if (nv_json_kind(content) == NV_JSON_STRING)
        return add_text(s, nv_json_string_or(content, "", ""), err);
    for (size_t i = 0; nv_json_kind(content) == NV_JSON_ARRAY && i < nv_json_size(content); i++) {
        const nv_json_t *block = nv_json_at(content, i);
        if (strcmp(nv_json_string_or(block, "type", ""), "text") == 0 &&
            !add_text(s, nv_json_string_or(block, "text", ""), err))
            return false;
    }
    return true;
}

/* usage is null on all chunks but one; the last that is not null counts. */
static void take_openai_usage(llm_stream_t *s, const nv_json_t *root)
{
    const nv_json_t *usage = nv_json_get(root, "usage");
    if (nv_json_kind(usage) != NV_JSON_OBJECT)
        usage = nv_json_get(root, "x_groq.usage");
    if (nv_json_kind(usage) != NV_JSON_OBJECT)
        return;
    s->has_usage = true;
    s->input_tokens = nv_json_int64_or(usage, "prompt_tokens", s->input_tokens);
    s->output_tokens = nv_json_int64_or(usage, "completion_tokens", s->output_tokens);
}

static bool take_openai(llm_stream_t *s, const nv_json_t *root, const char *body, nv_error_t *err)
{
    const nv_json_t *error = nv_json_get(root, "error");
    if (!error)
        error = nv_json_get(root, "x_groq.error");
    if (nv_json_kind(error) != NV_JSON_NULL)
        return fail_with(s, error, err);
    take_openai_usage(s, root);
    const nv_json_t *choice = nv_json_get(root, "choices[0]"); /* none in a usage chunk */
    if (!choice)
        return true;
    const nv_json_t *delta = nv_json_get(choice, body);
    if (*nv_json_string_or(delta, "refusal", ""))
        s->refused = true;
    if (!add_content(s, nv_json_get(delta, "content"), err))
        return false;
    const char *reason = nv_json_string_or(choice, "finish_reason", "");
    if (*reason)
        finish(s, reason);
    return true;
}

static void take_anthropic_usage(llm_stream_t *s, const nv_json_t *usage)
{
    if (nv_json_kind(usage) != NV_JSON_OBJECT)
        return;
    s->has_usage = true;
    if (nv_json_get(usage, "input_tokens"))
        s->input_tokens = nv_json_int64_or(usage, "input_tokens", 0) +
                          nv_json_int64_or(usage, "cache_read_input_tokens", 0) +
                          nv_json_int64_or(usage, "cache_creation_input_tokens", 0);
    s->output_tokens = nv_json_int64_or(usage, "output_tokens", s->output_tokens);
}

static bool take_anthropic(llm_stream_t *s, const nv_json_t *root, nv_error_t *err)
{
    const char *type = nv_json_string_or(root, "type", "");
    if (strcmp(type, "error") == 0)
        return fail_with(s, nv_json_get(root, "error"), err);
    if (strcmp(type, "message_start") == 0)
        take_anthropic_usage(s, nv_json_get(root, "message.usage"));
    if (strcmp(type, "content_block_delta") == 0) {
        const char *text =
            nv_json_string_or(root, "delta.text", nv_json_string_or(root, "delta.partial_json", ""));
        return add_text(s, text, err);
    }
    if (strcmp(type, "message_delta") == 0) {
        take_anthropic_usage(s, nv_json_get(root, "usage"));
        const char *reason = nv_json_string_or(root, "delta.stop_reason", "");
        if (*reason)
            finish(s, reason);
    }
    if (strcmp(type, "message_stop") == 0)
        finish(s, "");
    return true;
}

bool llm_stream_event(llm_stream_t *s, const char *name, const char *data, size_t length, nv_error_t *err)
{
    (void)name; /* the payload says the same again */
    if (length == 6 && memcmp(data, "[DONE]", 6) == 0) {
        finish(s, "");
        return true;
    }
    NV_MEM_SCOPE nv_mem_t *scratch = nv_mem_root("event");
    const nv_json_t *root;
    if (!nv_json_parse(scratch, "event of the stream", data, length, &root, err)) {
        err->code = NV_UNAVAILABLE; /* the provider's line noise, not our mistake */
        return false;
    }
    bool ok = s->anthropic ? take_anthropic(s, root, err) : take_openai(s, root, "delta", err);
    if (s->error)
        nv_steal(s->ctx, scratch), scratch = NULL; /* it points into this event */
    return ok;
}

/* Anthropic's whole message: text blocks, or the input of the forced tool. */
static bool take_message(llm_stream_t *s, const nv_json_t *root, nv_error_t *err)
{
    const nv_json_t *content = nv_json_get(root, "content");
    take_anthropic_usage(s, nv_json_get(root, "usage"));
    for (size_t i = 0; i < nv_json_size(content); i++) {
        const nv_json_t *block = nv_json_at(content, i);
        const nv_json_t *input = nv_json_get(block, "input");
        if (nv_json_kind(input) == NV_JSON_OBJECT) {
            char *text;
            nv_json_writer_t w = nv_json_writer_make(s->ctx, LLM_ANSWER_MAX, false);
            nv_json_put_value(&w, NULL, input);
            if (!nv_json_write_end(&w, "tool input", &text, NULL, err) || !add_text(s, text, err))
                return false;
        } else if (!add_text(s, nv_json_string_or(block, "text", ""), err)) {
            return false;
        }
    }
    finish(s, nv_json_string_or(root, "stop_reason", "end_turn"));
    return true;
}

bool llm_stream_document(llm_stream_t *s, const char *json, size_t length, nv_error_t *err)
{
    const nv_json_t *root;
    if (!nv_json_parse(s->ctx, "answer", json, length, &root, err)) {
        err->code = NV_UNAVAILABLE;
        return false;
    }
    if (s->anthropic) {
        if (nv_json_kind(nv_json_get(root, "error")) != NV_JSON_NULL)
            return fail_with(s, nv_json_get(root, "error"), err);
        return take_message(s, root, err);
    }
    if (!take_openai(s, root, "message", err))
        return false;
    if (!nv_json_get(root, "choices[0]"))
        return nv_fail(err, NV_UNAVAILABLE, "answer: choices[0]: expected an object, but it is missing");
    finish(s, "");
    return true;
}
