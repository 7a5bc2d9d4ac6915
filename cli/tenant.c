#include "cli/cli.h"
#include "common/credential/llm_credential.h"
#include "common/identity/files.h"

#include <stdio.h>
#include <string.h>

enum { PEM_MAX_BYTES = 256 * 1024 };

static char *names(nv_mem_t *ctx, char *const *list, size_t count)
{
    return count ? nv_join(ctx, ", ", list, count) : nv_strdup(ctx, "(none)");
}

static void add_row(cli_t *cli, cli_table_t *table, const Nv__Tenant *tenant)
{
    const char *cells[] = {
        tenant->name,
        tenant->display_name,
        names(cli->ctx, tenant->pools, tenant->n_pools),
        names(cli->ctx, tenant->credentials, tenant->n_credentials),
        nv_printf(cli->ctx, "%d", tenant->weight),
        tenant->max_concurrent_tasks ? nv_printf(cli->ctx, "%d", tenant->max_concurrent_tasks) : "",
        cli_time(cli->ctx, tenant->created_unix_ms)};
    cli_table_row(table, cells);
}

static const char *const titles[] = {"TENANT",  "NAME",       "POOLS",   "CREDENTIALS",
                                     ">WEIGHT", ">MAX TASKS", "CREATED", NULL};

static bool print_one(cli_t *cli, const Nv__Tenant *tenant)
{
    if (cli_print_json(cli, &tenant->base))
        return true;
    cli_table_t *table = cli_table_new(cli, titles);
    add_row(cli, table, tenant);
    cli_table_print(table, "");
    return true;
}

static bool list(cli_t *cli, nv_error_t *err)
{
    Nv__ListTenantsRequest request = NV__LIST_TENANTS_REQUEST__INIT;
    Nv__ListTenantsReply *reply = NULL;
    if (!cli_call(cli, "AdminService/ListTenants", &request.base, &nv__list_tenants_reply__descriptor, &reply,
                  err))
        return false;
    if (cli_print_json(cli, &reply->base))
        return true;
    cli_table_t *table = cli_table_new(cli, titles);
    for (size_t i = 0; i < reply->n_tenants; i++)
        add_row(cli, table, reply->tenants[i]);
    cli_table_print(table, "no tenants");
    return true;
}

static const nv_option_t create_options[] = {
    {.name = "display-name", .help = "for people"},
    {.name = "max-tasks",
     .type = NV_OPTION_INT,
     .fallback = "0",
     .max = 100000,
     .help = "tasks at once; 0: no limit of its own"},
    {.name = "weight",
     .type = NV_OPTION_INT,
     .fallback = "1",
     .min = 1,
     .max = 1000,
     .help = "share of a shared pool"},
};

static bool create(cli_t *cli, nv_error_t *err)
{
    Nv__CreateTenantRequest request = NV__CREATE_TENANT_REQUEST__INIT;
    request.name = nv_strdup(cli->ctx, cli_argument(cli, 0));
    request.display_name = nv_strdup(cli->ctx, cli_option(cli, "display-name"));
    request.max_concurrent_tasks = (int32_t)nv_config_int(cli->options, "max-tasks");
    request.weight = (int32_t)nv_config_int(cli->options, "weight");
    Nv__Tenant *tenant = NULL;
    return cli_call(cli, "AdminService/CreateTenant", &request.base, &nv__tenant__descriptor, &tenant, err) &&
           print_one(cli, tenant);
}

static bool describe(cli_t *cli, nv_error_t *err)
{
    Nv__NameRequest request = NV__NAME_REQUEST__INIT;
    request.name = nv_strdup(cli->ctx, cli_argument(cli, 0));
    Nv__Tenant *tenant = NULL;
    return cli_call(cli, "AdminService/DescribeTenant", &request.base, &nv__tenant__descriptor, &tenant,
                    err) &&
           print_one(cli, tenant);
}

/* Secrets come from the environment, the env file or a file, never from the command line (the option table's rule). */
static const nv_option_t credential_options[] = {
    {.name = "databricks-host", .env = "DATABRICKS_HOST", .placeholder = "URL", .help = "workspace"},
    {.name = "databricks-client-id", .env = "DATABRICKS_CLIENT_ID", .help = "service principal"},
    {.name = "databricks-client-secret",
     .env = "DATABRICKS_CLIENT_SECRET",
     .secret = true,
     .help = "its OAuth secret"},
    {.name = "databricks-token",
     .env = "DATABRICKS_TOKEN",
     .secret = true,
     .help = "personal access token, instead"},
    {.name = "databricks-shared-pools",
     .type = NV_OPTION_BOOL,
     .env = "NUVYN_DATABRICKS_SHARED_POOLS",
     .help = "let workers of shared pools hold the token; else only those of the tenant's own pool get it"},
    {.name = "databricks-warehouse-id",
     .env = "DATABRICKS_WAREHOUSE_ID",
     .help = "SQL warehouse; default: the first that runs"},
    {.name = "databricks-catalog", .env = "DATABRICKS_CATALOG", .help = "target catalog"},
    {.name = "databricks-schema",
     .env = "DATABRICKS_SCHEMA",
     .help = "target schema; default: the project's name"},
    {.name = "databricks-volume", .env = "DATABRICKS_VOLUME", .help = "volume for raw files; default: raw"},
    {.name = "databricks-root", .env = "DATABRICKS_ROOT", .help = "workspace folder for projects"},
    {.name = "databricks-ca",
     .env = "DATABRICKS_CA_FILE",
     .placeholder = "FILE",
     .help = "extra trust anchors, PEM (local workspace)"},
    {.name = "llm-provider",
     .env = "NUVYN_LLM_PROVIDER",
     .type = NV_OPTION_ENUM,
     .values = "groq|openai|azure|anthropic|databricks|compatible",
     .help = "language model"},
    {.name = "llm-base-url",
     .env = "NUVYN_LLM_BASE_URL",
     .placeholder = "URL",
     .help = "its endpoint; default: the provider's"},
    {.name = "llm-model", .env = "NUVYN_LLM_MODEL", .help = "its model"},
    {.name = "llm-api-key", .env = "NUVYN_LLM_API_KEY", .secret = true, .help = "its key"},
    {.name = "llm-shared-pools",
     .type = NV_OPTION_BOOL,
     .env = "NUVYN_LLM_SHARED_POOLS",
     .help = "let workers of shared pools hold the key; else only those of the tenant's own pool get it"},
};

static char *option(cli_t *cli, const char *name)
{
    return nv_strdup(cli->ctx, cli_option(cli, name));
}

static bool fill_databricks(cli_t *cli, Nv__DatabricksSecret *secret, nv_error_t *err)
{
    nv__databricks_secret__init(secret);
    secret->host = option(cli, "databricks-host");
    secret->client_id = option(cli, "databricks-client-id");
    secret->client_secret = option(cli, "databricks-client-secret");
    secret->token = option(cli, "databricks-token");
    secret->warehouse_id = option(cli, "databricks-warehouse-id");
    secret->catalog = option(cli, "databricks-catalog");
    secret->schema = option(cli, "databricks-schema");
    secret->volume = option(cli, "databricks-volume");
    secret->root = option(cli, "databricks-root");
    secret->allow_shared_pools = nv_config_bool(cli->options, "databricks-shared-pools");
    const char *ca = cli_option(cli, "databricks-ca");
    size_t length = 0;
    if (ca[0] && !nv_read_file(cli->ctx, ca, PEM_MAX_BYTES, &secret->ca_pem, &length, err))
        return nv_wrap(err, "--databricks-ca");
    return true;
}

static void fill_llm(cli_t *cli, Nv__LlmCredential *llm)
{
    nv__llm_credential__init(llm);
    llm->provider = option(cli, "llm-provider");
    llm->base_url = option(cli, "llm-base-url");
    llm->model = option(cli, "llm-model");
    llm->api_key = option(cli, "llm-api-key");
}

/* An option's variable counts as the option; everything else comes from the environment or the env file. */
static const char *variable_of(void *arg, const char *variable)
{
    static const char *const options[][2] = {{"NUVYN_LLM_BASE_URL", "llm-base-url"},
                                             {"NUVYN_LLM_MODEL", "llm-model"},
                                             {"NUVYN_LLM_API_KEY", "llm-api-key"},
                                             {"DATABRICKS_HOST", "databricks-host"},
                                             {"DATABRICKS_TOKEN", "databricks-token"}};
    const cli_t *cli = arg;
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        if (strcmp(variable, options[i][0]) == 0)
            return cli_option(cli, options[i][1]);
    return nv_config_environment(cli->options, variable);
}

/* The model that the options name, else the one that the environment names; NULL: none. */
static bool choose_llm(cli_t *cli, Nv__LlmCredential **out, nv_error_t *err)
{
    Nv__LlmCredential *given = NV_NEW(cli->ctx, Nv__LlmCredential);
    fill_llm(cli, given);
    Nv__LlmCredential *found = llm_credential_from_environment(cli->ctx, variable_of, cli);
    bool named = given->provider[0] != '\0';
    *out = named ? given : found;
    if (named && !given->api_key[0] && found && strcmp(found->provider, given->provider) == 0)
        *out = found; /* the provider is named, its key stands under the provider's own variable */
    if (!*out && given->api_key[0])
        return nv_fail(err, NV_INVALID_ARGUMENT,
                       "a language model's key, but no provider: expected --llm-provider or --llm-base-url");
    if (*out)
        (*out)->allow_shared_pools = nv_config_bool(cli->options, "llm-shared-pools");
    return !*out || llm_credential_complete(cli->ctx, *out, err);
}

static bool set_credential(cli_t *cli, nv_error_t *err)
{
    Nv__SetCredentialRequest request = NV__SET_CREDENTIAL_REQUEST__INIT;
    Nv__DatabricksSecret databricks;
    request.tenant = nv_strdup(cli->ctx, cli_argument(cli, 0));
    if (!fill_databricks(cli, &databricks, err) || !choose_llm(cli, &request.llm, err))
        return false;
    if (databricks.host[0])
        request.databricks = &databricks;
    if (!request.databricks && !request.llm)
        return nv_fail(err, NV_INVALID_ARGUMENT,
                       "nothing to set: expected DATABRICKS_HOST with its secret, or a language model's key, "
                       "in the environment or --env-file");
    Nv__Tenant *tenant = NULL;
    return cli_call(cli, "AdminService/SetCredential", &request.base, &nv__tenant__descriptor, &tenant,
                    err) &&
           print_one(cli, tenant);
}

static const nv_option_t remove_options[] = {
    {.name = "yes", .type = NV_OPTION_BOOL, .help = "do not ask"},
};

static bool remove_credential(cli_t *cli, nv_error_t *err)
{
    Nv__RemoveCredentialRequest request = NV__REMOVE_CREDENTIAL_REQUEST__INIT;
    request.tenant = nv_strdup(cli->ctx, cli_argument(cli, 0));
    request.kind = nv_strdup(cli->ctx, cli_argument(cli, 1));
    Nv__Tenant *tenant = NULL;
    char *question =
        nv_printf(cli->ctx, "Remove the credential \"%s\" of tenant \"%s\"? It cannot be read back.",
                  request.kind, request.tenant);
    return cli_confirm(cli, question, err) &&
           cli_call(cli, "AdminService/RemoveCredential", &request.base, &nv__tenant__descriptor, &tenant,
                    err) &&
           print_one(cli, tenant);
}

const cli_command_t cli_tenant_commands[] = {
    {.noun = "tenant", .verb = "list", .help = "tenants", .run = list},
    {.noun = "tenant",
     .verb = "create",
     .arguments = "NAME",
     .help = "a tenant",
     .run = create,
     .options = create_options,
     .n_options = 3,
     .min_arguments = 1,
     .max_arguments = 1},
    {.noun = "tenant",
     .verb = "describe",
     .arguments = "NAME",
     .help = "one tenant",
     .run = describe,
     .min_arguments = 1,
     .max_arguments = 1},
    {.noun = "tenant",
     .verb = "set-credential",
     .arguments = "NAME",
     .help = "seal a tenant's workspace and model credentials",
     .run = set_credential,
     .options = credential_options,
     .n_options = sizeof credential_options / sizeof *credential_options,
     .min_arguments = 1,
     .max_arguments = 1},
    {.noun = "tenant",
     .verb = "remove-credential",
     .arguments = "NAME KIND",
     .help = "forget a credential (databricks, llm)",
     .run = remove_credential,
     .options = remove_options,
     .n_options = 1,
     .min_arguments = 2,
     .max_arguments = 2},
    {0},
};
