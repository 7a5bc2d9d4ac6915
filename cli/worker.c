#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

static const nv_option_t list_options[] = {
    {.name = "pool", .help = "only this pool"},
};

static bool list(cli_t *cli, nv_error_t *err)
{
    Nv__ListWorkersRequest request = NV__LIST_WORKERS_REQUEST__INIT;
    request.pool = nv_strdup(cli->ctx, cli_option(cli, "pool"));
    Nv__ListWorkersReply *reply = NULL;
    if (!cli_call(cli, "AdminService/ListWorkers", &request.base, &nv__list_workers_reply__descriptor, &reply,
                  err))
        return false;
    if (cli_print_json(cli, &reply->base))
        return true;
    static const char *const titles[] = {"WORKER", "POOL",    "STATE",     ">RUNNING", ">SLOTS",
                                         "HOST",   "VERSION", "CONNECTED", NULL};
    cli_table_t *table = cli_table_new(cli, titles);
    for (size_t i = 0; i < reply->n_workers; i++) {
        const Nv__Worker *worker = reply->workers[i];
        const char *cells[] = {worker->name,
                               worker->pool,
                               worker->state,
                               nv_printf(cli->ctx, "%d", worker->running),
                               nv_printf(cli->ctx, "%d", worker->slots),
                               worker->hostname,
                               worker->version,
                               cli_time(cli->ctx, worker->connected_unix_ms)};
        cli_table_row(table, cells);
    }
    cli_table_print(table, "no worker is connected");
    return true;
}

static const nv_option_t drain_options[] = {
    {.name = "pool", .help = "pool of the worker"},
    {.name = "undo", .type = NV_OPTION_BOOL, .help = "let it take tasks again"},
};

static bool drain(cli_t *cli, nv_error_t *err)
{
    Nv__DrainWorkerRequest request = NV__DRAIN_WORKER_REQUEST__INIT;
    request.name = nv_strdup(cli->ctx, cli_argument(cli, 0));
    request.pool = nv_strdup(cli->ctx, cli_option(cli, "pool"));
    request.undo = nv_config_bool(cli->options, "undo");
    Nv__Worker *worker = NULL;
    if (!cli_call(cli, "AdminService/DrainWorker", &request.base, &nv__worker__descriptor, &worker, err))
        return false;
    if (cli_print_json(cli, &worker->base))
        return true;
    printf("%s: %s, %d task%s running\n", worker->name, worker->state, worker->running,
           worker->running == 1 ? "" : "s");
    if (worker->slots == 0 && !request.undo)
        printf("no such worker is connected now; one that comes gets no tasks (--undo ends that)\n");
    return true;
}

const cli_command_t cli_worker_commands[] = {
    {.noun = "worker",
     .verb = "list",
     .help = "connected workers",
     .run = list,
     .options = list_options,
     .n_options = 1},
    {.noun = "worker",
     .verb = "drain",
     .arguments = "NAME",
     .help = "give a worker (name or pattern with *) no new tasks",
     .run = drain,
     .options = drain_options,
     .n_options = 2,
     .min_arguments = 1,
     .max_arguments = 1},
    {0},
};
