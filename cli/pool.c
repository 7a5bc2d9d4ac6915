#include "cli/cli.h"

#include <stdio.h>

static void add_row(cli_t *cli, cli_table_t *table, const Nv__Pool *pool)
{
    const char *cells[] = {pool->name,
                           pool->dedicated_to[0] ? pool->dedicated_to : "(shared)",
                           pool->own_credentials ? "workers' own" : "handed out",
                           nv_printf(cli->ctx, "%d", pool->workers),
                           nv_printf(cli->ctx, "%d/%d", pool->running, pool->slots),
                           nv_printf(cli->ctx, "%d", pool->backlog),
                           pool->backlog ? cli_duration(cli->ctx, pool->oldest_backlog_ms) : ""};
    cli_table_row(table, cells);
}

static const char *const titles[] = {"POOL",  "SERVES",   "CREDENTIALS", ">WORKERS",
                                     ">BUSY", ">BACKLOG", ">OLDEST",     NULL};

static bool print_one(cli_t *cli, const Nv__Pool *pool)
{
    if (cli_print_json(cli, &pool->base))
        return true;
    cli_table_t *table = cli_table_new(cli, titles);
    add_row(cli, table, pool);
    cli_table_print(table, "");
    return true;
}

static bool list(cli_t *cli, nv_error_t *err)
{
    Nv__ListPoolsRequest request = NV__LIST_POOLS_REQUEST__INIT;
    Nv__ListPoolsReply *reply = NULL;
    if (!cli_call(cli, "AdminService/ListPools", &request.base, &nv__list_pools_reply__descriptor, &reply,
                  err))
        return false;
    if (cli_print_json(cli, &reply->base))
        return true;
    cli_table_t *table = cli_table_new(cli, titles);
    for (size_t i = 0; i < reply->n_pools; i++)
        add_row(cli, table, reply->pools[i]);
    cli_table_print(table, "no pools");
    return true;
}

static const nv_option_t create_options[] = {
    {.name = "dedicated-to", .placeholder = "TENANT", .help = "serve this tenant alone; default: shared"},
    {.name = "own-credentials",
     .type = NV_OPTION_BOOL,
     .help = "workers use their own environment; no secret is handed out"},
};

static bool create(cli_t *cli, nv_error_t *err)
{
    Nv__CreatePoolRequest request = NV__CREATE_POOL_REQUEST__INIT;
    request.name = nv_strdup(cli->ctx, cli_argument(cli, 0));
    request.dedicated_to = nv_strdup(cli->ctx, cli_option(cli, "dedicated-to"));
    request.own_credentials = nv_config_bool(cli->options, "own-credentials");
    Nv__Pool *pool = NULL;
    return cli_call(cli, "AdminService/CreatePool", &request.base, &nv__pool__descriptor, &pool, err) &&
           print_one(cli, pool);
}

static bool describe(cli_t *cli, nv_error_t *err)
{
    Nv__NameRequest request = NV__NAME_REQUEST__INIT;
    request.name = nv_strdup(cli->ctx, cli_argument(cli, 0));
    Nv__Pool *pool = NULL;
    return cli_call(cli, "AdminService/DescribePool", &request.base, &nv__pool__descriptor, &pool, err) &&
           print_one(cli, pool);
}

const cli_command_t cli_pool_commands[] = {
    {.noun = "pool", .verb = "list", .help = "worker pools and their backlog", .run = list},
    {.noun = "pool",
     .verb = "create",
     .arguments = "NAME",
     .help = "a pool, shared or dedicated to a tenant",
     .run = create,
     .options = create_options,
     .n_options = 2,
     .min_arguments = 1,
     .max_arguments = 1},
    {.noun = "pool",
     .verb = "describe",
     .arguments = "NAME",
     .help = "one pool",
     .run = describe,
     .min_arguments = 1,
     .max_arguments = 1},
    {0},
};
