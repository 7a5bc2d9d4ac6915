#include "cli/cli.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *names(nv_mem_t *ctx, char *const *list, size_t count)
{
    char *text = nv_strdup(ctx, "");
    for (size_t i = 0; i < count; i++)
        text = nv_printf(ctx, "%s%s%s", text, i ? "," : "", list[i]);
    return text;
}

static bool list(cli_t *cli, nv_error_t *err)
{
    Nv__GetRunRequest request = NV__GET_RUN_REQUEST__INIT;
    request.tenant = cli_tenant(cli);
    request.run_id = nv_strdup(cli->ctx, cli_argument(cli, 0));
    Nv__ListCheckpointsReply *reply = NULL;
    if (!cli_call(cli, "RunService/ListCheckpoints", &request.base, &nv__list_checkpoints_reply__descriptor,
                  &reply, err))
        return false;
    if (cli_print_json(cli, &reply->base))
        return true;
    static const char *const titles[] = {">STEP", "TIME", "KIND", ">BYTES", "RAN", NULL};
    cli_table_t *table = cli_table_new(cli, titles);
    for (size_t i = 0; i < reply->n_checkpoints; i++) {
        const Nv__Checkpoint *checkpoint = reply->checkpoints[i];
        const char *cells[] = {
            nv_printf(cli->ctx, "%" PRId64, checkpoint->step), cli_time(cli->ctx, checkpoint->unix_ms),
            checkpoint->snapshot ? "snapshot" : "delta", nv_printf(cli->ctx, "%" PRId64, checkpoint->bytes),
            names(cli->ctx, checkpoint->nodes, checkpoint->n_nodes)};
        cli_table_row(table, cells);
    }
    cli_table_print(table, "no checkpoints");
    return true;
}

static bool parse_step(const char *text, int64_t *out, nv_error_t *err)
{
    char *end = NULL;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end || value < 0)
        return nv_fail(err, NV_INVALID_ARGUMENT,
                       "STEP \"%s\": expected a superstep number from `checkpoint list`", text);
    *out = value;
    return true;
}

static bool load(cli_t *cli, const char *step, Nv__Checkpoint **out, nv_error_t *err)
{
    Nv__GetCheckpointRequest request = NV__GET_CHECKPOINT_REQUEST__INIT;
    request.tenant = cli_tenant(cli);
    request.run_id = nv_strdup(cli->ctx, cli_argument(cli, 0));
    return parse_step(step, &request.step, err) &&
           cli_call(cli, "RunService/GetCheckpoint", &request.base, &nv__checkpoint__descriptor, out, err);
}

static void print_channels(cli_t *cli, const Nv__Checkpoint *checkpoint)
{
    static const char *const titles[] = {"CHANNEL", ">BYTES", "TYPE", "SHA256", NULL};
    cli_table_t *table = cli_table_new(cli, titles);
    for (size_t i = 0; i < checkpoint->n_channels; i++) {
        const Nv__DocumentRef *ref = checkpoint->channels[i];
        const char *cells[] = {ref->name, nv_printf(cli->ctx, "%" PRId64, ref->bytes), ref->message_type,
                               nv_printf(cli->ctx, "%.12s", ref->sha256)};
        cli_table_row(table, cells);
    }
    cli_table_print(table, "no channel has a value yet");
}

static bool get(cli_t *cli, nv_error_t *err)
{
    Nv__Checkpoint *checkpoint = NULL;
    if (!load(cli, cli_argument(cli, 1), &checkpoint, err))
        return false;
    if (cli_print_json(cli, &checkpoint->base))
        return true;
    printf("step %" PRId64 ", %s; ran: %s; next: %s\n\n", checkpoint->step,
           cli_time(cli->ctx, checkpoint->unix_ms), names(cli->ctx, checkpoint->nodes, checkpoint->n_nodes),
           names(cli->ctx, checkpoint->next, checkpoint->n_next));
    print_channels(cli, checkpoint);
    return true;
}

static const Nv__DocumentRef *same_channel(const Nv__Checkpoint *checkpoint, const Nv__DocumentRef *ref)
{
    for (size_t i = 0; i < checkpoint->n_channels; i++)
        if (strcmp(checkpoint->channels[i]->name, ref->name) == 0 &&
            strcmp(checkpoint->channels[i]->sha256, ref->sha256) == 0)
            return checkpoint->channels[i];
    return NULL;
}

static size_t add_missing(cli_t *cli, cli_table_t *table, const char *mark, const Nv__Checkpoint *of,
                          const Nv__Checkpoint *in)
{
    size_t count = 0;
    for (size_t i = 0; i < of->n_channels; i++)
        if (!same_channel(in, of->channels[i])) {
            const char *cells[] = {mark, of->channels[i]->name,
                                   nv_printf(cli->ctx, "%" PRId64, of->channels[i]->bytes),
                                   nv_printf(cli->ctx, "%.12s", of->channels[i]->sha256)};
            cli_table_row(table, cells);
            count++;
        }
    return count;
}

static bool diff(cli_t *cli, nv_error_t *err)
{
    Nv__Checkpoint *before = NULL;
    Nv__Checkpoint *after = NULL;
    if (!load(cli, cli_argument(cli, 1), &before, err) || !load(cli, cli_argument(cli, 2), &after, err))
        return false;
    static const char *const titles[] = {"", "CHANNEL", ">BYTES", "SHA256", NULL};
    cli_table_t *table = cli_table_new(cli, titles);
    add_missing(cli, table, "-", before, after);
    add_missing(cli, table, "+", after, before);
    cli_table_print(table, "no channel differs");
    return true;
}

const cli_command_t cli_checkpoint_commands[] = {
    {.noun = "checkpoint",
     .verb = "list",
     .arguments = "RUN",
     .help = "a run's checkpoints, one per superstep",
     .run = list,
     .min_arguments = 1,
     .max_arguments = 1},
    {.noun = "checkpoint",
     .verb = "get",
     .arguments = "RUN STEP",
     .help = "channels and next nodes at a superstep",
     .run = get,
     .min_arguments = 2,
     .max_arguments = 2},
    {.noun = "checkpoint",
     .verb = "diff",
     .arguments = "RUN STEP STEP",
     .help = "channels that changed between two supersteps",
     .run = diff,
     .min_arguments = 3,
     .max_arguments = 3},
    {0},
};
