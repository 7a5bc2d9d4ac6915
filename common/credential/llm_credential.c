#include "common/credential/llm_credential.h"

#include "common/http/url.h"

#include <string.h>

#define AZURE_API_VERSION "2024-10-21"

/* NULL: there is none that fits everybody. */
static const struct {
    const char *provider;
    const char *base_url;
    const char *model;
} known[] = {
    {"groq", "https://api.groq.com/openai/v1", "openai/gpt-oss-120b"},
    {"openai", "https://api.openai.com/v1", "gpt-4.1-mini"},
    {"anthropic", "https://api.anthropic.com", "claude-sonnet-4-5"},
    {"azure", NULL, NULL},
    {"databricks", NULL, NULL},
    {"compatible", NULL, NULL},
};
enum { PROVIDERS = sizeof known / sizeof known[0] };

typedef struct source {
    nv_mem_t *ctx;
    const char *(*get)(void *arg, const char *variable);
    void *arg;
} source_t;

/* The variable's value, or NULL when it is unset or empty. */
static const char *value_of(const source_t *s, const char *variable)
{
    const char *value = s->get(s->arg, variable);
    return value && *value ? value : NULL;
}

static const char *value_or(const source_t *s, const char *variable, const char *fallback)
{
    const char *value = value_of(s, variable);
    return value ? value : fallback;
}

static Nv__LlmCredential *make(const source_t *s, const char *provider, const char *base_url,
                               const char *model, const char *api_key)
{
    Nv__LlmCredential *credential = NV_NEW(s->ctx, Nv__LlmCredential);
    nv__llm_credential__init(credential);
    credential->provider = nv_strdup(s->ctx, provider);
    credential->base_url = nv_strdup(s->ctx, base_url);
    credential->model = nv_strdup(s->ctx, value_or(s, "NUVYN_LLM_MODEL", model));
    credential->api_key = nv_strdup(s->ctx, api_key);
    return credential;
}

static Nv__LlmCredential *azure(const source_t *s)
{
    const char *key = value_of(s, "AZURE_OPENAI_API_KEY");
    const char *endpoint = value_of(s, "AZURE_OPENAI_ENDPOINT");
    const char *deployment = value_of(s, "AZURE_OPENAI_DEPLOYMENT");
    if (!key || !endpoint || !deployment)
        return NULL;
    size_t n = strlen(endpoint);
    while (n > 0 && endpoint[n - 1] == '/')
        n--;
    char *url =
        nv_printf(s->ctx, "%.*s/openai/deployments/%s", (int)n, endpoint, nv_url_escape(s->ctx, deployment));
    url = nv_url_with_query(s->ctx, url, "api-version",
                            value_or(s, "AZURE_OPENAI_API_VERSION", AZURE_API_VERSION));
    Nv__LlmCredential *credential = make(s, "azure", url, deployment, key);
    credential->model =
        nv_strdup(s->ctx, deployment); /* Azure's model is the deployment, whatever else is set */
    return credential;
}

static Nv__LlmCredential *databricks(const source_t *s)
{
    const char *endpoint = value_of(s, "NUVYN_LLM_DATABRICKS_ENDPOINT");
    const char *host = value_of(s, "DATABRICKS_HOST");
    const char *token = value_of(s, "DATABRICKS_TOKEN");
    char *origin;
    nv_error_t err = NV_ERROR_INIT;
    if (!endpoint || !host || !token || !nv_url_origin(s->ctx, host, &origin, &err))
        return NULL;
    return make(s, "databricks", nv_printf(s->ctx, "%s/serving-endpoints", origin), endpoint, token);
}

Nv__LlmCredential *
llm_credential_from_environment(nv_mem_t *ctx, const char *(*get)(void *arg, const char *variable), void *arg)
{
    source_t s = {ctx, get, arg};
    const char *value = value_of(&s, "NUVYN_LLM_BASE_URL");
    if (value)
        return make(&s, "compatible", value, "", value_or(&s, "NUVYN_LLM_API_KEY", ""));
    static const char *const keys[][2] = {{"GROQ_API_KEY", NULL},
                                          {"OPENAI_API_KEY", "OPENAI_BASE_URL"},
                                          {"ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"}};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) /* in the order of known[] */
        if ((value = value_of(&s, keys[i][0])))
            return make(&s, known[i].provider,
                        keys[i][1] ? value_or(&s, keys[i][1], known[i].base_url) : known[i].base_url,
                        known[i].model, value);
    Nv__LlmCredential *credential = azure(&s);
    return credential ? credential : databricks(&s);
}

static size_t provider_index(const char *provider)
{
    size_t i = 0;
    while (i < PROVIDERS && strcmp(known[i].provider, provider) != 0)
        i++;
    return i;
}

bool llm_credential_complete(nv_mem_t *ctx, Nv__LlmCredential *c, nv_error_t *err)
{
    if (!*c->provider && *c->base_url)
        c->provider = nv_strdup(ctx, "compatible");
    size_t i = provider_index(c->provider);
    if (i == PROVIDERS)
        return nv_fail(
            err, NV_INVALID_ARGUMENT,
            "language model provider \"%.60s\": expected groq, openai, anthropic, azure, databricks "
            "or compatible",
            c->provider);
    bool by_workspace =
        strcmp(c->provider, "databricks") == 0 && !*c->api_key; /* the control plane has its token */
    if (by_workspace && *c->model)
        return true;
    if (!*c->base_url && !known[i].base_url)
        return nv_fail(err, NV_INVALID_ARGUMENT, "language model %s: expected its base URL", c->provider);
    if (!*c->base_url)
        c->base_url = nv_strdup(ctx, known[i].base_url);
    if (!*c->model && known[i].model)
        c->model = nv_strdup(ctx, known[i].model);
    if (!*c->api_key && strcmp(c->provider, "compatible") != 0)
        return nv_fail(err, NV_INVALID_ARGUMENT, "language model %s: expected its API key", c->provider);
    return true;
}
