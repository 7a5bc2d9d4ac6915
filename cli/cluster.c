#include "cli/cli.h"
#include "nuvyn/health.pb-c.h"

#include <stdio.h>

static bool health(cli_t *cli, nv_error_t *err)
{
    NvHealth__HealthCheckRequest request = NV_HEALTH__HEALTH_CHECK_REQUEST__INIT;
    ProtobufCMessage *message = NULL;
    if (!cli_connect(cli, err) ||
        !nv_rpc_client_call(cli->client, "/grpc.health.v1.Health/Check", &request.base,
                            &nv_health__health_check_response__descriptor,
                            (int)nv_config_int(cli->options, "timeout"), cli->ctx, &message, err))
        return false;
    const NvHealth__HealthCheckResponse *reply = (const NvHealth__HealthCheckResponse *)message;
    bool serving = reply->status == NV_HEALTH__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING;
    if (!cli_print_json(cli, message))
        puts(serving ? "serving" : "not serving");
    return serving || nv_fail(err, NV_UNAVAILABLE, "the control plane is not serving");
}

static bool status(cli_t *cli, nv_error_t *err)
{
    Nv__GetStatusRequest request = NV__GET_STATUS_REQUEST__INIT;
    Nv__ClusterStatus *reply = NULL;
    if (!cli_call(cli, "AdminService/GetStatus", &request.base, &nv__cluster_status__descriptor, &reply, err))
        return false;
    if (cli_print_json(cli, &reply->base))
        return true;
    printf("version   %s\nidentity  %s\nstore     %s\nstarted   %s\nruns      %d active\ntasks     %d "
           "running, %d waiting\nworkers   %d\nready     %s\n",
           reply->version, reply->identity, reply->store, cli_time(cli->ctx, reply->started_unix_ms),
           reply->runs_active, reply->tasks_running, reply->tasks_waiting, reply->workers,
           reply->ready ? "yes" : "no");
    return true;
}

const cli_command_t cli_cluster_commands[] = {
    {.noun = "health", .verb = "", .help = "whether the control plane serves", .run = health},
    {.noun = "status", .verb = "", .help = "version, store, runs, tasks, workers", .run = status},
    {0},
};
