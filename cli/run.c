#include "cli/cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

bool cli_get_run(cli_t *cli, const char *method, const char *run_id, Nv__Run **out, nv_error_t *err)
{
    Nv__GetRunRequest request = NV__GET_RUN_REQUEST__INIT;
    request.tenant = cli_tenant(cli);
    request.run_id = nv_strdup(cli->ctx, run_id);
    return cli_call(cli, method, &request.base, &nv__run__descriptor, out, err);
}

/* ---- list and describe ---- */

static const nv_option_t list_options[] = {
    {.name = "state",
     .type = NV_OPTION_ENUM,
     .values = "running|waiting|succeeded|failed|cancelled",
     .help = "only runs in this state"},
    {.name = "limit", .type = NV_OPTION_INT, .fallback = "50", .min = 1, .max = 1000, .help = "rows"},
    {.name = "page", .help = "token of the next page, as the last answer gave it"},
};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* What a node took, or has taken so far; -1: it has not begun. */
static int64_t node_ms(const Nv__NodeState *node)
{
    if (!node->started_unix_ms || (!node->finished_unix_ms && strcmp(node->state, "running") != 0))
        return -1;
    return (node->finished_unix_ms ? node->finished_unix_ms : now_ms()) - node->started_unix_ms;
}

static bool list(cli_t *cli, nv_error_t *err)
{
    Nv__ListRunsRequest request = NV__LIST_RUNS_REQUEST__INIT;
    request.tenant = cli_tenant(cli);
    request.state = nv_strdup(cli->ctx, cli_option(cli, "state"));
    request.page_size = (int32_t)nv_config_int(cli->options, "limit");
    request.page_token = nv_strdup(cli->ctx, cli_option(cli, "page"));
    Nv__ListRunsReply *reply = NULL;
    if (!cli_call(cli, "RunService/ListRuns", &request.base, &nv__list_runs_reply__descriptor, &reply, err))
        return false;
    if (cli_print_json(cli, &reply->base))
        return true;
    static const char *const titles[] = {"RUN",    "STATE",  "CREATED", ">TIME",
                                         ">ROUND", ">SCORE", "SOURCE",  NULL};
    cli_table_t *table = cli_table_new(cli, titles);
    for (size_t i = 0; i < reply->n_runs; i++) {
        const Nv__Run *run = reply->runs[i];
        const char *cells[] = {
            run->run_id,
            run->state,
            cli_time(cli->ctx, run->created_unix_ms),
            cli_duration(cli->ctx,
                         (run->finished_unix_ms ? run->finished_unix_ms : now_ms()) - run->created_unix_ms),
            nv_printf(cli->ctx, "%d", run->round),
            run->score > 0 ? nv_printf(cli->ctx, "%.0f", run->score) : "",
            run->spec ? run->spec->source : ""};
        cli_table_row(table, cells);
    }
    cli_table_print(table, "no runs");
    if (reply->next_page_token[0])
        printf("more: --page %s\n", reply->next_page_token);
    return true;
}

static void print_nodes(cli_t *cli, const Nv__Run *run)
{
    static const char *const titles[] = {"NODE", "STATE", ">DONE", ">VISITS", ">TIME", NULL};
    cli_table_t *table = cli_table_new(cli, titles);
    for (size_t i = 0; i < run->n_nodes; i++) {
        const Nv__NodeState *node = run->nodes[i];
        const char *cells[] = {node->node, node->state,
                               node->total > 1 ? nv_printf(cli->ctx, "%d/%d", node->done, node->total) : "",
                               node->visits > 1 ? nv_printf(cli->ctx, "%d", node->visits) : "",
                               cli_duration(cli->ctx, node_ms(node))};
        cli_table_row(table, cells);
    }
    cli_table_print(table, "no node has run yet");
}

static bool describe(cli_t *cli, nv_error_t *err)
{
    Nv__Run *run = NULL;
    if (!cli_get_run(cli, "RunService/GetRun", cli_argument(cli, 0), &run, err))
        return false;
    if (cli_print_json(cli, &run->base))
        return true;
    size_t said = strlen(run->state);
    const char *reason = run->reason; /* "cancelled by …" says the state itself */
    bool repeats = strncmp(reason, run->state, said) == 0;
    printf("run      %s\ntenant   %s (pool %s)\nsource   %s\nstate    %s%s%s\ncreated  %s\n", run->run_id,
           run->tenant, run->pool, run->spec ? cli_safe(cli->ctx, run->spec->source) : "", run->state,
           reason[0] && !repeats ? ": " : "", cli_safe(cli->ctx, repeats ? reason + said : reason),
           cli_time(cli->ctx, run->created_unix_ms));
    if (run->waits[0])
        printf("waits    %s\n", cli_safe(cli->ctx, run->waits));
    if (run->finished_unix_ms)
        printf("finished %s, after %s\n", cli_time(cli->ctx, run->finished_unix_ms),
               cli_duration(cli->ctx, run->finished_unix_ms - run->created_unix_ms));
    if (run->forked_from[0])
        printf("forked   from %s\n", run->forked_from);
    if (run->spec && run->spec->increment_of[0])
        printf("batch    of %s\n", cli_safe(cli->ctx, run->spec->increment_of));
    if (run->usage && run->usage->llm_calls > 0)
        printf("model    %" PRId64 " calls, %" PRId64 " tokens\n", run->usage->llm_calls,
               run->usage->llm_input_tokens + run->usage->llm_output_tokens);
    putchar('\n');
    print_nodes(cli, run);
    return true;
}

/* ---- watch, cancel, retry, fetch ---- */

static const nv_option_t watch_options[] = {
    {.name = "after",
     .type = NV_OPTION_INT,
     .fallback = "0",
     .min = 0,
     .max = INT64_MAX,
     .help = "go on after this event number"},
};

static bool watch(cli_t *cli, nv_error_t *err)
{
    Nv__Run *run = NULL;
    return cli_watch(cli, cli_argument(cli, 0), nv_config_int(cli->options, "after"), &run, err) &&
           cli_run_verdict(run, err);
}

static bool cancel(cli_t *cli, nv_error_t *err)
{
    Nv__Run *run = NULL;
    if (!cli_get_run(cli, "RunService/CancelRun", cli_argument(cli, 0), &run, err))
        return false;
    if (!cli_print_json(cli, &run->base))
        printf("%s: %s\n", run->run_id, strcmp(run->state, "running") == 0 ? "cancelling" : run->state);
    return true;
}

static bool retry(cli_t *cli, nv_error_t *err)
{
    Nv__Run *run = NULL;
    if (!cli_get_run(cli, "RunService/RetryRun", cli_argument(cli, 0), &run, err))
        return false;
    if (!cli_print_json(cli, &run->base))
        printf("%s: %s, from where %s stopped; that one stays as it is\n", run->run_id, run->state,
               cli_argument(cli, 0));
    return true;
}

bool cli_fetch_all(cli_t *cli, const char *run_id, const char *directory, size_t *out_count, bool *out_report,
                   nv_error_t *err)
{
    Nv__GetRunRequest request = NV__GET_RUN_REQUEST__INIT;
    request.tenant = cli_tenant(cli);
    request.run_id = nv_strdup(cli->ctx, run_id);
    Nv__ListArtifactsReply *reply = NULL;
    if (!cli_call(cli, "RunService/ListArtifacts", &request.base, &nv__list_artifacts_reply__descriptor,
                  &reply, err))
        return false;
    for (size_t i = 0; i < reply->n_artifacts; i++)
        if (!cli_fetch_artifact(cli, run_id, reply->artifacts[i]->name, directory, err))
            return nv_wrap(err, "artifact %s", reply->artifacts[i]->name);
    *out_count = reply->n_artifacts;
    *out_report = false;
    for (size_t i = 0; i < reply->n_artifacts; i++)
        *out_report |= strcmp(reply->artifacts[i]->name, "report.html") == 0;
    return true;
}

static const nv_option_t fetch_options[] = {
    {.name = "to", .placeholder = "DIR", .fallback = ".", .help = "folder to write to"},
};

static bool fetch(cli_t *cli, nv_error_t *err)
{
    size_t count = 0;
    bool report = false;
    if (!cli_fetch_all(cli, cli_argument(cli, 0), cli_option(cli, "to"), &count, &report, err))
        return false;
    printf("%zu files in %s\n", count, cli_option(cli, "to"));
    return true;
}

#define OPTIONS(list) .options = (list), .n_options = sizeof(list) / sizeof *(list)

const cli_command_t cli_run_commands[] = {
    {.noun = "run", .verb = "list", .help = "runs, newest first", .run = list, OPTIONS(list_options)},
    {.noun = "run",
     .verb = "describe",
     .arguments = "RUN",
     .help = "state, nodes and times of a run",
     .run = describe,
     .min_arguments = 1,
     .max_arguments = 1},
    {.noun = "run",
     .verb = "watch",
     .arguments = "RUN",
     .help = "follow a run's events to its end",
     .run = watch,
     OPTIONS(watch_options),
     .min_arguments = 1,
     .max_arguments = 1},
    {.noun = "run",
     .verb = "cancel",
     .arguments = "RUN",
     .help = "stop a run",
     .run = cancel,
     .min_arguments = 1,
     .max_arguments = 1},
    {.noun = "run",
     .verb = "retry",
     .arguments = "RUN",
     .help = "a new run that takes a failed or cancelled one up where it stopped",
     .run = retry,
     .min_arguments = 1,
     .max_arguments = 1},
    {.noun = "run",
     .verb = "fetch",
     .arguments = "RUN",
     .help = "download all artifacts of a run",
     .run = fetch,
     OPTIONS(fetch_options),
     .min_arguments = 1,
     .max_arguments = 1},
    {0},
};
