#include "cli/cli.h"
#include "common/identity/files.h"

#include <stdio.h>
#include <string.h>

enum { DESIGN_MAX_BYTES = 16 * 1024 * 1024 };

static const nv_option_t list_options[] = {
    {.name = "run", .help = "of this run, answered ones too; default: all open ones"},
};

static bool list(cli_t *cli, nv_error_t *err)
{
    Nv__ListInterruptsRequest request = NV__LIST_INTERRUPTS_REQUEST__INIT;
    request.tenant = cli_tenant(cli);
    request.run_id = nv_strdup(cli->ctx, cli_option(cli, "run"));
    Nv__ListInterruptsReply *reply = NULL;
    if (!cli_call(cli, "RunService/ListInterrupts", &request.base, &nv__list_interrupts_reply__descriptor,
                  &reply, err))
        return false;
    if (cli_print_json(cli, &reply->base))
        return true;
    static const char *const titles[] = {"INTERRUPT", "RUN", "NODE", "ASKED", "ANSWER", "QUESTION", NULL};
    cli_table_t *table = cli_table_new(cli, titles);
    for (size_t i = 0; i < reply->n_interrupts; i++) {
        const Nv__Interrupt *interrupt = reply->interrupts[i];
        const char *cells[] = {interrupt->interrupt_id, interrupt->run_id,
                               interrupt->node,         cli_time(cli->ctx, interrupt->asked_unix_ms),
                               interrupt->answer,       interrupt->question};
        cli_table_row(table, cells);
    }
    cli_table_print(table, "nothing waits for an answer");
    return true;
}

static const nv_option_t answer_options[] = {
    {.name = "reject", .type = NV_OPTION_BOOL, .help = "no: the run ends"},
    {.name = "revise", .type = NV_OPTION_BOOL, .help = "not yet: back to the Analyst with --comment"},
    {.name = "comment", .help = "why; the Analyst reads it"},
    {.name = "design",
     .placeholder = "FILE",
     .help = "a corrected design.json that replaces the proposal, once it holds against the data"},
    {.name = "interrupt", .placeholder = "ID", .help = "which, when a run has several open"},
};

static bool read_design(cli_t *cli, Nv__AnswerInterruptRequest *request, nv_error_t *err)
{
    const char *path = cli_option(cli, "design");
    if (!path[0])
        return true;
    char *text = NULL;
    size_t length = 0;
    if (!nv_read_file(cli->ctx, path, DESIGN_MAX_BYTES, &text, &length, err))
        return false;
    request->design_json.data = (uint8_t *)text;
    request->design_json.len = length;
    return true;
}

/* The run's only open interrupt, unless one was named. */
static bool choose(cli_t *cli, Nv__AnswerInterruptRequest *request, nv_error_t *err)
{
    const char *named = cli_option(cli, "interrupt");
    request->interrupt_id = nv_strdup(cli->ctx, named);
    if (named[0])
        return true;
    Nv__ListInterruptsRequest ask = NV__LIST_INTERRUPTS_REQUEST__INIT;
    ask.tenant = request->tenant;
    ask.run_id = request->run_id;
    Nv__ListInterruptsReply *reply = NULL;
    if (!cli_call(cli, "RunService/ListInterrupts", &ask.base, &nv__list_interrupts_reply__descriptor, &reply,
                  err))
        return false;
    size_t open = 0;
    for (size_t i = 0; i < reply->n_interrupts; i++)
        if (!reply->interrupts[i]->answer[0]) {
            request->interrupt_id = reply->interrupts[i]->interrupt_id;
            open++;
        }
    if (open == 0)
        return nv_fail(err, NV_NOT_FOUND, "run %s waits for no answer", request->run_id);
    return open == 1 ||
           nv_fail(err, NV_INVALID_ARGUMENT, "run %s waits for %zu answers: name one with --interrupt",
                   request->run_id, open);
}

static bool answer(cli_t *cli, nv_error_t *err)
{
    Nv__AnswerInterruptRequest request = NV__ANSWER_INTERRUPT_REQUEST__INIT;
    request.tenant = cli_tenant(cli);
    request.run_id = nv_strdup(cli->ctx, cli_argument(cli, 0));
    bool reject = nv_config_bool(cli->options, "reject"), revise = nv_config_bool(cli->options, "revise");
    if (reject + revise + (cli_option(cli, "design")[0] != '\0') > 1)
        return nv_fail(err, NV_INVALID_ARGUMENT, "expected one of --reject, --revise and --design");
    if (revise && !cli_option(cli, "comment")[0])
        return nv_fail(err, NV_INVALID_ARGUMENT,
                       "--revise: expected --comment, what the Analyst is to change");
    request.answer = nv_strdup(cli->ctx, reject ? "reject" : revise ? "revise" : "approve");
    request.comment = nv_strdup(cli->ctx, cli_option(cli, "comment"));
    Nv__Run *run = NULL;
    if (!read_design(cli, &request, err) || !choose(cli, &request, err))
        return false;
    if (!cli_call(cli, "RunService/AnswerInterrupt", &request.base, &nv__run__descriptor, &run, err))
        return request.design_json.len ? nv_wrap(err, "%s", cli_option(cli, "design")) : false;
    if (!cli_print_json(cli, &run->base))
        printf("%s: %s\n", run->run_id, run->state);
    return true;
}

const cli_command_t cli_interrupt_commands[] = {
    {.noun = "interrupt",
     .verb = "list",
     .help = "questions that runs wait with",
     .run = list,
     .options = list_options,
     .n_options = 1},
    {.noun = "interrupt",
     .verb = "answer",
     .arguments = "RUN",
     .help = "approve, correct, send back or reject what a run waits with",
     .run = answer,
     .options = answer_options,
     .n_options = sizeof answer_options / sizeof *answer_options,
     .min_arguments = 1,
     .max_arguments = 1},
    {0},
};
