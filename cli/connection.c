#include "cli/cli.h"
#include "common/identity/files.h"

#include <string.h>

enum { ADDRESS_MAX = 512 };

/* An option, or the file of this name below --state-dir. */
static const char *path_or_state(cli_t *cli, const char *option, const char *file)
{
    const char *value = cli_option(cli, option);
    const char *state = cli_option(cli, "state-dir");
    return value[0] || !state[0] ? value : nv_printf(cli->ctx, "%s/%s", state, file);
}

static bool find_address(cli_t *cli, const char **out, nv_error_t *err)
{
    *out = cli_option(cli, "address");
    const char *state = cli_option(cli, "state-dir");
    if ((*out)[0])
        return true;
    if (!state[0])
        return nv_fail(err, NV_INVALID_ARGUMENT,
                       "no control plane named: give --address (NUVYN_ADDRESS), or --state-dir (NUVYN_STATE) "
                       "of a local stack");
    char *text = NULL;
    size_t length = 0;
    const char *path = nv_printf(cli->ctx, "%s/controlplane/address", state);
    if (!nv_read_file(cli->ctx, path, ADDRESS_MAX, &text, &length, err))
        return nv_wrap(err, "no local stack is up at %s", state);
    text[strcspn(text, "\r\n")] = '\0';
    *out = text;
    return true;
}

bool cli_connect(cli_t *cli, nv_error_t *err)
{
    if (cli->client)
        return true;
    nv_rpc_client_config_t config = {.expect = NV_IDENTITY_CONTROLPLANE};
    config.limits.max_message_bytes = 64 * 1024 * 1024;
    if (!find_address(cli, &config.address, err))
        return false;
    config.tls.ca = path_or_state(cli, "ca", "certs/ca.crt");
    config.tls.cert = path_or_state(cli, "cert", "certs/operator.crt");
    config.tls.key = path_or_state(cli, "key", "certs/operator.key");
    if (!config.tls.ca[0] || !config.tls.cert[0] || !config.tls.key[0])
        return nv_fail(
            err, NV_INVALID_ARGUMENT,
            "no identity given: --ca, --cert and --key (NUVYN_CA, NUVYN_CERT, NUVYN_KEY), or --state-dir");
    return nv_rpc_client_new(&config, &cli->client, err);
}

static char *full_method(cli_t *cli, const char *method)
{
    return nv_printf(cli->ctx, "/nuvyn.v1.%s", method);
}

bool cli_call(cli_t *cli, const char *method, const ProtobufCMessage *request,
              const ProtobufCMessageDescriptor *output, void *reply, nv_error_t *err)
{
    ProtobufCMessage *message = NULL;
    if (!cli_connect(cli, err))
        return false;
    if (!nv_rpc_client_call(cli->client, full_method(cli, method), request, output,
                            (int)nv_config_int(cli->options, "timeout"), cli->ctx, &message, err))
        return false;
    memcpy(reply, &message, sizeof message);
    return true;
}

bool cli_open(cli_t *cli, const char *method, const ProtobufCMessage *request,
              const ProtobufCMessageDescriptor *output, nv_rpc_reader_t **out, nv_error_t *err)
{
    return cli_connect(cli, err) &&
           nv_rpc_client_open(cli->client, full_method(cli, method), request, output, -1, out, err);
}
