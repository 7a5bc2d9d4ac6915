/* What a worker gets to work with: never a tenant's secret, only a token that soon expires; or, in a pool that the tenant
 * runs itself, nothing but the word to use its own environment. */
#include "common/contract/codec.h"
#include "common/http/oauth.h"
#include "controlplane/service/service.h"
#include "controlplane/store/tenants.h"
#include "controlplane/tenancy/tenancy.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { TOKENS_MAX = 1024, EARLY_MS = 300000, PERSONAL_TOKEN_MS = 900000 };

typedef struct token {
    char tenant[NV_IDENTITY_NAME_MAX + 1];
    char *access_token; /* below the token */
    int64_t expires_ms;
} token_t;

struct cp_tokens {
    pthread_mutex_t lock;
    token_t *tokens[TOKENS_MAX];
    size_t n;
    uint64_t generation; /* counts forgettings, so that a token of an old secret is not kept */
};

cp_tokens_t *cp_tokens_new(void)
{
    cp_tokens_t *tokens = NV_NEW(NULL, cp_tokens_t);
    pthread_mutex_init(&tokens->lock, NULL);
    return tokens;
}

static void token_free(token_t *token)
{
    explicit_bzero(token->access_token, strlen(token->access_token));
    nv_mem_free(token);
}

void cp_tokens_free(cp_tokens_t *tokens)
{
    if (!tokens)
        return;
    for (size_t i = 0; i < tokens->n; i++)
        token_free(tokens->tokens[i]);
    pthread_mutex_destroy(&tokens->lock);
    nv_mem_free(tokens);
}

static size_t index_locked(const cp_tokens_t *tokens, const char *tenant)
{
    size_t i = 0;
    while (i < tokens->n && strcmp(tokens->tokens[i]->tenant, tenant) != 0)
        i++;
    return i;
}

static void remove_locked(cp_tokens_t *tokens, size_t i)
{
    token_free(tokens->tokens[i]);
    tokens->tokens[i] = tokens->tokens[--tokens->n];
}

void cp_tokens_forget(cp_tokens_t *tokens, const char *tenant)
{
    pthread_mutex_lock(&tokens->lock);
    size_t i = index_locked(tokens, tenant);
    if (i < tokens->n)
        remove_locked(tokens, i);
    tokens->generation++;
    pthread_mutex_unlock(&tokens->lock);
}

static bool cached(cp_tokens_t *tokens, nv_mem_t *ctx, const char *tenant, char **out, int64_t *expires_ms,
                   uint64_t *generation)
{
    pthread_mutex_lock(&tokens->lock);
    size_t i = index_locked(tokens, tenant);
    bool found = i < tokens->n && tokens->tokens[i]->expires_ms - EARLY_MS > cp_unix_ms();
    if (found) {
        *out = nv_strdup(ctx, tokens->tokens[i]->access_token);
        *expires_ms = tokens->tokens[i]->expires_ms;
    }
    *generation = tokens->generation;
    pthread_mutex_unlock(&tokens->lock);
    return found;
}

static void keep(cp_tokens_t *tokens, const char *tenant, const char *access_token, int64_t expires_ms,
                 uint64_t generation)
{
    token_t *token = NV_NEW(NULL, token_t);
    snprintf(token->tenant, sizeof token->tenant, "%s", tenant);
    token->access_token = nv_strdup(token, access_token);
    token->expires_ms = expires_ms;
    pthread_mutex_lock(&tokens->lock);
    size_t i = index_locked(tokens, tenant);
    if (i < tokens->n)
        remove_locked(tokens, i);
    else if (tokens->n == TOKENS_MAX)
        remove_locked(tokens, 0);
    bool current = generation == tokens->generation;
    if (current)
        tokens->tokens[tokens->n++] = token;
    pthread_mutex_unlock(&tokens->lock);
    if (!current)
        token_free(token);
}

static bool exchange(cp_service_t *service, nv_mem_t *ctx, const char *tenant,
                     const Nv__DatabricksSecret *secret, char **out, int64_t *expires_ms, nv_error_t *err)
{
    uint64_t generation;
    if (cached(service->tokens, ctx, tenant, out, expires_ms, &generation))
        return true;
    nv_http_options_t options = {.ca_pem = secret->ca_pem, .log = service->log};
    nv_http_t *http;
    nv_oauth_token_t token;
    if (!nv_http_new(ctx, &options, &http, err) ||
        !nv_databricks_token(http, ctx, secret->host, secret->client_id, secret->client_secret, &token, err))
        return nv_wrap(err, "token for tenant \"%s\"", tenant);
    *out = token.access_token;
    *expires_ms = cp_unix_ms() + token.expires_in_s * 1000;
    keep(service->tokens, tenant, token.access_token, *expires_ms, generation);
    return true;
}

static bool unseal(cp_service_t *service, nv_mem_t *ctx, const char *tenant, const char *kind,
                   const ProtobufCMessageDescriptor *type, ProtobufCMessage **out, nv_error_t *err)
{
    nv_bytes_t plain;
    return tenancy_credential_get(service->store, service->keys, ctx, tenant, kind, &plain, err) &&
           nv_unpack(ctx, type, plain.data, plain.length, out, err);
}

/* What does not expire by itself goes only where the tenant wants it: its own pool, or any by its own word. */
static bool check_pool(const store_pool_t *pool, bool allowed, const char *what, const char *tenant,
                       const char *advice, nv_error_t *err)
{
    return *pool->dedicated_to || allowed ||
           nv_fail(err, NV_PERMISSION_DENIED,
                   "%s of tenant \"%s\" does not expire, so the shared pool \"%s\" is not given it: %s", what,
                   tenant, pool->name, advice);
}

static bool databricks(cp_service_t *service, nv_mem_t *ctx, const char *tenant, const store_pool_t *pool,
                       Nv__CredentialReply *reply, nv_error_t *err)
{
    ProtobufCMessage *message;
    Nv__DatabricksCredential *out = NV_NEW(ctx, Nv__DatabricksCredential);
    nv__databricks_credential__init(out);
    if (!unseal(service, ctx, tenant, "databricks", &nv__databricks_secret__descriptor, &message, err))
        return false;
    const Nv__DatabricksSecret *secret = (const Nv__DatabricksSecret *)message;
    out->host = secret->host;
    out->warehouse_id = secret->warehouse_id;
    out->catalog = secret->catalog;
    out->schema = secret->schema;
    out->volume = secret->volume;
    out->root = secret->root;
    out->ca_pem = secret->ca_pem;
    reply->databricks = out;
    if (!*secret->token)
        return exchange(service, ctx, tenant, secret, &out->access_token, &reply->expires_unix_ms, err);
    if (!check_pool(pool, secret->allow_shared_pools, "the personal access token", tenant,
                    "use an OAuth client instead or a dedicated pool, or set the credential with "
                    "--databricks-shared-pools",
                    err))
        return false;
    out->access_token = secret->token;
    reply->expires_unix_ms = cp_unix_ms() + PERSONAL_TOKEN_MS;
    return true;
}

/* A model served by the tenant's own Databricks takes the token of its workspace. */
static bool databricks_model(cp_service_t *service, nv_mem_t *ctx, const char *tenant,
                             const store_pool_t *pool, Nv__CredentialReply *reply, nv_error_t *err)
{
    Nv__CredentialReply workspace = NV__CREDENTIAL_REPLY__INIT;
    if (!databricks(service, ctx, tenant, pool, &workspace, err))
        return nv_wrap(err, "model served by Databricks");
    reply->llm->api_key = workspace.databricks->access_token;
    reply->expires_unix_ms = workspace.expires_unix_ms;
    if (!*reply->llm->base_url)
        reply->llm->base_url = nv_printf(ctx, "%s/serving-endpoints", workspace.databricks->host);
    return true;
}

static bool llm(cp_service_t *service, nv_mem_t *ctx, const char *tenant, const store_pool_t *pool,
                Nv__CredentialReply *reply, nv_error_t *err)
{
    ProtobufCMessage *message;
    if (!unseal(service, ctx, tenant, "llm", &nv__llm_credential__descriptor, &message, err))
        return false;
    reply->llm = (Nv__LlmCredential *)message;
    if (!*reply->llm->api_key && strcmp(reply->llm->provider, "databricks") == 0)
        return databricks_model(service, ctx, tenant, pool, reply, err);
    if (*reply->llm->api_key &&
        !check_pool(pool, reply->llm->allow_shared_pools, "the model's key", tenant,
                    "use a dedicated pool, or set the credential with --llm-shared-pools", err))
        return false;
    reply->expires_unix_ms = cp_unix_ms() + PERSONAL_TOKEN_MS;
    return true;
}

bool cp_credential_kind_check(const char *kind, nv_error_t *err)
{
    return strcmp(kind, "databricks") == 0 || strcmp(kind, "llm") == 0 ||
           nv_fail(err, NV_INVALID_ARGUMENT, "credential \"%.40s\": expected databricks or llm", kind);
}

static bool fill(cp_service_t *service, nv_mem_t *ctx, const char *tenant, const char *pool_name,
                 const char *kind, Nv__CredentialReply *reply, nv_error_t *err)
{
    store_pool_t pool;
    if (!cp_credential_kind_check(kind, err) || !tenancy_authorize(service->store, pool_name, tenant, err) ||
        !store_pool_get(service->store, ctx, pool_name, &pool, err))
        return false;
    if (pool.own_credentials) {
        reply->use_environment = true;
        return true;
    }
    if (strcmp(kind, "databricks") == 0)
        return databricks(service, ctx, tenant, &pool, reply, err);
    return llm(service, ctx, tenant, &pool, reply, err);
}

void cp_credential_reply(cp_service_t *service, nv_mem_t *ctx, const char *tenant, const char *pool,
                         const char *kind, Nv__CredentialReply *reply)
{
    nv_error_t err = NV_ERROR_INIT;
    if (fill(service, ctx, tenant, pool, kind, reply, &err))
        return;
    reply->databricks = NULL;
    reply->llm = NULL;
    cp_error_reply(ctx, &err, &reply->error_code, &reply->error_message);
}
