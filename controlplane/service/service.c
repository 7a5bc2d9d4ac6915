#include "controlplane/service/service.h"

#include "common/identity/policy.h"
#include "controlplane/store/tenants.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

enum { WAIT_MAX_MS = 30000 };

void cp_service_register(cp_service_t *service, nv_rpc_server_t *server)
{
    service->server = server;
    cp_worker_service_register(service, server);
    cp_run_service_register(service, server);
    cp_steering_register(service, server);
    cp_history_register(service, server);
    cp_watch_register(service, server);
    cp_download_register(service, server);
    cp_admin_service_register(service, server);
    cp_knowledge_service_register(service, server);
}

bool cp_tenant_of(const nv_rpc_call_t *call, const char *requested, const char **out, nv_error_t *err)
{
    return nv_policy_tenant(&call->peer->identity, requested, out, err);
}

bool cp_tenant_check(cp_service_t *service, const char *tenant, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("tenant");
    store_tenant_t found;
    return store_tenant_get(service->store, ctx, tenant, &found, err);
}

int cp_time_left(const nv_rpc_call_t *call)
{
    if (call->deadline_ms == INT64_MAX)
        return WAIT_MAX_MS;
    int64_t left = call->deadline_ms - nv_rpc_now_ms();
    return left < 0 ? 0 : left > WAIT_MAX_MS ? WAIT_MAX_MS : (int)left;
}

void cp_error_reply(nv_mem_t *ctx, const nv_error_t *err, int32_t *code, char **message)
{
    *code = err->code;
    *message = nv_strdup(ctx, err->message);
}

void cp_new_run_id(char out[CP_RUN_ID_MAX + 1])
{
    static const char digits[] = "abcdefghijkmnpqrstuvwxyz23456789";
    unsigned char random[8];
    char tail[sizeof random + 1] = "";
    time_t now = time(NULL);
    struct tm tm;
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        memset(random, 0, sizeof random); /* the store refuses a second run of the same id */
    for (size_t i = 0; i < sizeof random; i++)
        tail[i] = digits[random[i] % 32];
    char when[24];
    strftime(when, sizeof when, "%Y%m%d-%H%M%S", gmtime_r(&now, &tm));
    snprintf(out, CP_RUN_ID_MAX + 1, "r-%s-%s", when, tail);
}

bool cp_artifact_name_check(const char *name, nv_error_t *err)
{
    size_t length = strlen(name);
    bool ok = length > 0 && length <= STORE_PATH_MAX && name[0] != '/' && !strpbrk(name, "\\\n\r\t");
    for (const char *part = name; ok && part; part = strchr(part, '/') ? strchr(part, '/') + 1 : NULL) {
        size_t n = strcspn(part, "/");
        ok = n > 0 && !(n == 1 && part[0] == '.') && !(n == 2 && part[0] == '.' && part[1] == '.');
    }
    return ok ? true
              : nv_fail(err, NV_INVALID_ARGUMENT,
                        "artifact \"%.80s\": expected a relative path without \"..\"", name);
}
