/* run fork: a new run out of a checkpoint, with the same state or another. */
#include "cli/cli.h"
#include "common/contract/codec.h"
#include "common/identity/files.h"

#include <stdio.h>
#include <string.h>

static const nv_option_t fork_options[] = {
    {.name = "checkpoint",
     .type = NV_OPTION_INT,
     .min = 0,
     .max = INT64_MAX,
     .help = "superstep to branch from",
     .required = true},
    {.name = "set",
     .type = NV_OPTION_LIST,
     .placeholder = "FIELD=VALUE",
     .help = "another value of the run's spec (source, approval, max_rounds …); may be repeated"},
    {.name = "state",
     .placeholder = "FILE",
     .help = "JSON of what the fork begins with instead: {\"design\": …, \"sttm\": …, \"critique\": …}"},
    {.name = "request-id", .help = "the same id makes one fork, however often it is sent"},
};

enum { STATE_MAX_BYTES = 16 * 1024 * 1024 };

static bool read_state(cli_t *cli, Nv__RunState **out, nv_error_t *err)
{
    const char *path = cli_option(cli, "state");
    char *text = NULL;
    size_t length = 0;
    ProtobufCMessage *state;
    if (!path[0])
        return true;
    if (!nv_read_file(cli->ctx, path, STATE_MAX_BYTES, &text, &length, err))
        return false;
    if (!nv_json_decode(cli->ctx, &nv__run_state__descriptor, "state", text, length, 0, &state, err))
        return nv_wrap(err, "%s", path);
    *out = (Nv__RunState *)state;
    return true;
}

static bool no_field(const char *name, const char *given, nv_error_t *err)
{
    char known[512] = "";
    for (unsigned i = 0; i < nv__run_spec__descriptor.n_fields; i++) {
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "",
                 nv__run_spec__descriptor.fields[i].name);
    }
    return nv_fail(err, NV_INVALID_ARGUMENT,
                   "--set \"%s\": expected FIELD=VALUE with one of the fields %s%s%s", given, known,
                   name[0] ? ", not " : "", name);
}

/* A number or a truth value as JSON has it; a text as it stands. */
static bool set_field(cli_t *cli, Nv__RunSpec *spec, const char *given, nv_error_t *err)
{
    const char *equals = strchr(given, '=');
    char *name = nv_strndup(cli->ctx, given, equals ? (size_t)(equals - given) : 0);
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(&nv__run_spec__descriptor, name);
    if (!field)
        return no_field(name, given, err);
    char *member = (char *)spec + field->offset;
    if (field->type == PROTOBUF_C_TYPE_STRING) {
        char *text = nv_strdup(cli->ctx, equals + 1);
        memcpy(member, &text, sizeof text);
        return true;
    }
    if (field->type != PROTOBUF_C_TYPE_BOOL && field->type != PROTOBUF_C_TYPE_INT32)
        return nv_fail(err, NV_INVALID_ARGUMENT, "--set \"%s\": this field is replaced by --state only",
                       given);
    ProtobufCMessage *one;
    const char *json = nv_printf(cli->ctx, "{\"%s\":%s}", name, equals + 1);
    if (!nv_json_decode(cli->ctx, &nv__run_spec__descriptor, "spec", json, strlen(json), 0, &one, err))
        return nv_wrap(err, "--set \"%s\"", given);
    size_t size = field->type == PROTOBUF_C_TYPE_BOOL ? sizeof spec->use_llm : sizeof spec->max_rounds;
    memcpy(member, (const char *)one + field->offset, size);
    return true;
}

/* --set changes fields of the spec that the run has, or that --state brings. */
static bool change_spec(cli_t *cli, Nv__RunState **state, nv_error_t *err)
{
    size_t count = nv_config_list_count(cli->options, "set");
    Nv__Run *run = NULL;
    if (count == 0)
        return true;
    if (!cli_get_run(cli, "RunService/GetRun", cli_argument(cli, 0), &run, err))
        return false;
    if (!*state) {
        *state = NV_NEW(cli->ctx, Nv__RunState);
        nv__run_state__init(*state);
    }
    if (!(*state)->spec)
        (*state)->spec = run->spec;
    for (size_t i = 0; i < count; i++)
        if (!set_field(cli, (*state)->spec, nv_config_list_at(cli->options, "set", i), err))
            return false;
    return true;
}

static bool fork_run(cli_t *cli, nv_error_t *err)
{
    Nv__ForkRunRequest request = NV__FORK_RUN_REQUEST__INIT;
    request.tenant = cli_tenant(cli);
    request.run_id = nv_strdup(cli->ctx, cli_argument(cli, 0));
    request.checkpoint = nv_config_int(cli->options, "checkpoint");
    const char *given = cli_option(cli, "request-id");
    request.request_id = given[0] ? nv_strdup(cli->ctx, given) : cli_random_id(cli->ctx);
    Nv__Run *run = NULL;
    if (!read_state(cli, &request.state, err) || !change_spec(cli, &request.state, err))
        return false;
    if (!cli_call(cli, "RunService/ForkRun", &request.base, &nv__run__descriptor, &run, err))
        return false;
    if (!cli_print_json(cli, &run->base))
        printf("%s\n", run->run_id);
    return true;
}

const cli_command_t cli_fork_commands[] = {
    {.noun = "run",
     .verb = "fork",
     .arguments = "RUN",
     .help = "branch a new run off a checkpoint, with another state if need be",
     .run = fork_run,
     .options = fork_options,
     .n_options = sizeof fork_options / sizeof *fork_options,
     .min_arguments = 1,
     .max_arguments = 1},
    {0},
};
