#include "worker/llm/request.h"

#include "common/core/json.h"

#include <string.h>

enum { BODY_MAX = 16 * 1024 * 1024 };

bool llm_provider_parse(const char *text, llm_provider_t *out, nv_error_t *err)
{
    static const char *const names[] = {"openai", "groq", "azure", "anthropic", "databricks", "compatible"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(text, names[i]) == 0) {
            *out = (llm_provider_t)i;
            return true;
        }
    return nv_fail(err, NV_INVALID_ARGUMENT,
                   "language model provider \"%.60s\": expected openai, groq, azure, anthropic, databricks "
                   "or compatible",
                   text);
}

/* OpenAI's reasoning models take max_completion_tokens and no temperature. */
static bool is_reasoning_model(llm_provider_t provider, const char *model)
{
    if (provider != LLM_OPENAI && provider != LLM_AZURE)
        return false;
    return strncmp(model, "o1", 2) == 0 || strncmp(model, "o3", 2) == 0 || strncmp(model, "o4", 2) == 0 ||
           strncmp(model, "gpt-5", 5) == 0;
}

llm_dialect_t llm_dialect_of(llm_provider_t provider, const char *model)
{
    bool reasoning = is_reasoning_model(provider, model);
    return (llm_dialect_t){
        .provider = provider,
        .model = model,
        /* Groq documents its json_schema as not for streams; the text is to be seen as it comes */
        .format = provider == LLM_GROQ ? LLM_JSON_OBJECT : LLM_JSON_SCHEMA,
        .completion_tokens = reasoning,
        .no_temperature = reasoning,
    };
}

char *llm_request_url(nv_mem_t *ctx, llm_provider_t provider, const char *base_url)
{
    size_t n = strcspn(base_url, "?");
    const char *query = base_url + n;
    while (n > 0 && base_url[n - 1] == '/')
        n--;
    const char *path = "/chat/completions";
    if (provider == LLM_ANTHROPIC) /* the base may be given with or without the version */
        path = n >= 3 && strncmp(base_url + n - 3, "/v1", 3) == 0 ? "/messages" : "/v1/messages";
    return nv_printf(ctx, "%.*s%s%s", (int)n, base_url, path, query);
}

static void put_message(nv_json_writer_t *w, const char *role, const char *text)
{
    nv_json_open_object(w, NULL);
    nv_json_put_string(w, "role", role);
    nv_json_put_string(w, "content", text);
    nv_json_close_object(w);
}

static void put_messages(nv_json_writer_t *w, const char *system, const llm_request_t *r)
{
    nv_json_open_array(w, "messages");
    if (system)
        put_message(w, "system", system);
    for (size_t i = 0; i < r->n_messages; i++)
        put_message(w, r->messages[i].role == LLM_USER ? "user" : "assistant", r->messages[i].text);
    nv_json_close_array(w);
}

/* The system prompt, with the schema where the form of asking does not carry it. */
static const char *system_text(nv_mem_t *ctx, const llm_request_t *r, llm_format_t format)
{
    const char *system = r->system ? r->system : "";
    if (format == LLM_TEXT)
        return system;
    if (format == LLM_JSON_SCHEMA)
        return nv_printf(ctx, "%s\n\nAnswer with one JSON object and nothing else.", system);
    return nv_printf(
        ctx,
        "%s\n\nAnswer with one JSON object and nothing else: no explanation, no Markdown. It must match this "
        "JSON Schema:\n%s",
        system, r->schema);
}

static void put_response_format(nv_json_writer_t *w, const llm_request_t *r, llm_format_t format)
{
    if (format != LLM_JSON_SCHEMA && format != LLM_JSON_OBJECT)
        return;
    nv_json_open_object(w, "response_format");
    if (format == LLM_JSON_OBJECT) {
        nv_json_put_string(w, "type", "json_object");
    } else {
        nv_json_put_string(w, "type", "json_schema");
        nv_json_open_object(w, "json_schema");
        nv_json_put_string(w, "name", r->schema_name);
        nv_json_put_bool(w, "strict", true);
        nv_json_put_raw(w, "schema", r->schema);
        nv_json_close_object(w);
    }
    nv_json_close_object(w);
}

static void put_openai(nv_mem_t *ctx, nv_json_writer_t *w, const llm_dialect_t *d, const llm_request_t *r,
                       llm_format_t format, int64_t max_output)
{
    put_messages(w, system_text(ctx, r, format), r);
    nv_json_put_int64(w, d->completion_tokens ? "max_completion_tokens" : "max_tokens", max_output);
    if (!d->no_temperature)
        nv_json_put_double(w, "temperature", r->temperature);
    nv_json_put_bool(w, "stream", true);
    if (!d->no_stream_options) {
        nv_json_open_object(w, "stream_options");
        nv_json_put_bool(w, "include_usage", true);
        nv_json_close_object(w);
    }
    put_response_format(w, r, format);
}

/* Anthropic: a schema becomes a tool that must be used; its input is the answer. */
static void put_anthropic(nv_mem_t *ctx, nv_json_writer_t *w, const llm_dialect_t *d, const llm_request_t *r,
                          llm_format_t format, int64_t max_output)
{
    bool tool = format == LLM_JSON_SCHEMA;
    nv_json_put_string(w, "system", tool ? (r->system ? r->system : "") : system_text(ctx, r, format));
    put_messages(w, NULL, r);
    nv_json_put_int64(w, "max_tokens", max_output);
    if (!d->no_temperature)
        nv_json_put_double(w, "temperature", r->temperature);
    nv_json_put_bool(w, "stream", true);
    if (!tool)
        return;
    nv_json_open_array(w, "tools");
    nv_json_open_object(w, NULL);
    nv_json_put_string(w, "name", r->schema_name);
    nv_json_put_string(w, "description", "Hand in the answer.");
    nv_json_put_raw(w, "input_schema", r->schema);
    nv_json_close_object(w);
    nv_json_close_array(w);
    nv_json_open_object(w, "tool_choice");
    nv_json_put_string(w, "type", "tool");
    nv_json_put_string(w, "name", r->schema_name);
    nv_json_close_object(w);
}

bool llm_request_body(nv_mem_t *ctx, const llm_dialect_t *dialect, const llm_request_t *request,
                      llm_format_t format, int64_t max_output, char **out, size_t *out_length,
                      nv_error_t *err)
{
    nv_json_writer_t w = nv_json_writer_make(ctx, BODY_MAX, false);
    nv_json_open_object(&w, NULL);
    nv_json_put_string(&w, "model", dialect->model);
    if (dialect->provider == LLM_ANTHROPIC)
        put_anthropic(ctx, &w, dialect, request, format, max_output);
    else
        put_openai(ctx, &w, dialect, request, format, max_output);
    nv_json_close_object(&w);
    return nv_json_write_end(&w, "prompt", out, out_length, err);
}

size_t llm_request_headers(nv_mem_t *ctx, llm_provider_t provider, const char *api_key,
                           const char *anthropic_version, nv_http_header_t *out)
{
    size_t n = 0;
    out[n++] = (nv_http_header_t){"Content-Type", "application/json"};
    out[n++] = (nv_http_header_t){"Accept", "text/event-stream, application/json"};
    if (provider == LLM_ANTHROPIC)
        out[n++] = (nv_http_header_t){"anthropic-version", anthropic_version};
    if (*api_key) {
        if (provider == LLM_ANTHROPIC)
            out[n++] = (nv_http_header_t){"x-api-key", api_key};
        else if (provider == LLM_AZURE)
            out[n++] = (nv_http_header_t){"api-key", api_key};
        else
            out[n++] = (nv_http_header_t){"Authorization", nv_printf(ctx, "Bearer %s", api_key)};
    }
    return n;
}
