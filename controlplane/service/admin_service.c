/* AdminService: tenants, pools, workers, credentials, revocations; and KnowledgeService. */
#include "common/contract/codec.h"
#include "controlplane/knowledge/knowledge.h"
#include "controlplane/service/service.h"
#include "controlplane/store/tenants.h"
#include "controlplane/tenancy/tenancy.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#define HANDLER(name)                                                                                        \
    static bool name(void *arg, const nv_rpc_call_t *call, nv_mem_t *ctx, const ProtobufCMessage *request,   \
                     ProtobufCMessage **reply, nv_error_t *err)

/* ---- tenants ---- */

static bool tenant_message(cp_service_t *service, nv_mem_t *ctx, const store_tenant_t *stored,
                           Nv__Tenant **out, nv_error_t *err)
{
    store_pool_t *pools;
    store_credential_t *credentials;
    size_t n;
    Nv__Tenant *tenant = NV_NEW(ctx, Nv__Tenant);
    nv__tenant__init(tenant);
    tenant->name = nv_message_text(stored->name);
    tenant->display_name = nv_message_text(stored->display_name);
    tenant->created_unix_ms = stored->created_unix_ms;
    tenant->max_concurrent_tasks = (int32_t)stored->max_concurrent_tasks;
    tenant->weight = (int32_t)stored->weight;
    if (!tenancy_pools_of(service->store, ctx, stored->name, &pools, &n, err))
        return false;
    tenant->pools = NV_NEW_ARRAY(ctx, char *, n);
    for (size_t i = 0; i < n; i++)
        tenant->pools[tenant->n_pools++] = nv_message_text(pools[i].name);
    if (!store_credential_list(service->store, ctx, stored->name, &credentials, &n, err))
        return false;
    tenant->credentials = NV_NEW_ARRAY(ctx, char *, n);
    for (size_t i = 0; i < n; i++)
        tenant->credentials[tenant->n_credentials++] = nv_message_text(credentials[i].kind);
    *out = tenant;
    return true;
}

static bool tenant_reply(cp_service_t *service, nv_mem_t *ctx, const char *name, ProtobufCMessage **reply,
                         nv_error_t *err)
{
    store_tenant_t stored;
    Nv__Tenant *tenant;
    if (!store_tenant_get(service->store, ctx, name, &stored, err) ||
        !tenant_message(service, ctx, &stored, &tenant, err))
        return false;
    *reply = &tenant->base;
    return true;
}

HANDLER(create_tenant)
{
    cp_service_t *service = arg;
    const Nv__CreateTenantRequest *asked = (const Nv__CreateTenantRequest *)request;
    (void)call;
    store_tenant_t tenant = {.name = asked->name,
                             .display_name = asked->display_name,
                             .created_unix_ms = cp_unix_ms(),
                             .max_concurrent_tasks = asked->max_concurrent_tasks,
                             .weight = asked->weight};
    if (!tenancy_tenant_create(service->store, &tenant, err))
        return false;
    cp_engine_set_tenant(service->engine, asked->name, asked->weight ? asked->weight : 1,
                         asked->max_concurrent_tasks);
    return tenant_reply(service, ctx, asked->name, reply, err);
}

HANDLER(list_tenants)
{
    cp_service_t *service = arg;
    store_tenant_t *list;
    size_t n;
    (void)call;
    (void)request;
    Nv__ListTenantsReply *out = NV_NEW(ctx, Nv__ListTenantsReply);
    nv__list_tenants_reply__init(out);
    if (!store_tenant_list(service->store, ctx, &list, &n, err))
        return false;
    out->tenants = NV_NEW_ARRAY(ctx, Nv__Tenant *, n);
    for (size_t i = 0; i < n; i++, out->n_tenants++)
        if (!tenant_message(service, ctx, &list[i], &out->tenants[i], err))
            return false;
    *reply = &out->base;
    return true;
}

HANDLER(describe_tenant)
{
    const char *tenant;
    return cp_tenant_of(call, ((const Nv__NameRequest *)request)->name, &tenant, err) &&
           tenant_reply(arg, ctx, tenant, reply, err);
}

/* ---- credentials ---- */

static bool check_databricks(const Nv__DatabricksSecret *secret, nv_error_t *err)
{
    bool pair = *secret->client_id && *secret->client_secret;
    if (!*secret->host)
        return nv_fail(err, NV_INVALID_ARGUMENT, "databricks.host: missing");
    if (pair == (*secret->token != '\0'))
        return nv_fail(err, NV_INVALID_ARGUMENT,
                       "databricks: expected client_id and client_secret, or a token, and not both");
    return true;
}

static bool seal(cp_service_t *service, nv_mem_t *ctx, const char *tenant, const char *kind,
                 const ProtobufCMessage *secret, nv_error_t *err)
{
    uint8_t *packed;
    size_t length;
    nv_pack(ctx, secret, &packed, &length);
    bool ok = tenancy_credential_set(service->store, service->keys, tenant, kind, nv_bytes(packed, length),
                                     cp_unix_ms(), err);
    explicit_bzero(packed, length);
    return ok;
}

HANDLER(set_credential)
{
    cp_service_t *service = arg;
    const Nv__SetCredentialRequest *asked = (const Nv__SetCredentialRequest *)request;
    const char *tenant;
    if (!cp_tenant_of(call, asked->tenant, &tenant, err))
        return false;
    if (!asked->databricks && !asked->llm)
        return nv_fail(err, NV_INVALID_ARGUMENT, "credential: expected databricks or llm");
    if (asked->databricks && (!check_databricks(asked->databricks, err) ||
                              !seal(service, ctx, tenant, "databricks", &asked->databricks->base, err)))
        return false;
    if (asked->llm && !seal(service, ctx, tenant, "llm", &asked->llm->base, err))
        return false;
    cp_tokens_forget(service->tokens, tenant);
    return tenant_reply(service, ctx, tenant, reply, err);
}

HANDLER(remove_credential)
{
    cp_service_t *service = arg;
    const Nv__RemoveCredentialRequest *asked = (const Nv__RemoveCredentialRequest *)request;
    const char *tenant;
    if (!cp_tenant_of(call, asked->tenant, &tenant, err) || !cp_credential_kind_check(asked->kind, err) ||
        !store_credential_delete(service->store, tenant, asked->kind, err))
        return false;
    cp_tokens_forget(service->tokens, tenant);
    return tenant_reply(service, ctx, tenant, reply, err);
}

/* ---- pools ---- */

static bool pool_message(cp_service_t *service, nv_mem_t *ctx, const store_pool_t *stored, Nv__Pool **out,
                         nv_error_t *err)
{
    Nv__Pool *pool = NV_NEW(ctx, Nv__Pool);
    nv__pool__init(pool);
    pool->name = nv_message_text(stored->name);
    pool->dedicated_to = nv_message_text(stored->dedicated_to);
    pool->own_credentials = stored->own_credentials;
    *out = pool;
    return cp_engine_pool_stats(service->engine, pool, err);
}

static bool pool_reply(cp_service_t *service, nv_mem_t *ctx, const char *name, ProtobufCMessage **reply,
                       nv_error_t *err)
{
    store_pool_t stored;
    Nv__Pool *pool;
    if (!store_pool_get(service->store, ctx, name, &stored, err) ||
        !pool_message(service, ctx, &stored, &pool, err))
        return false;
    *reply = &pool->base;
    return true;
}

HANDLER(create_pool)
{
    cp_service_t *service = arg;
    const Nv__CreatePoolRequest *asked = (const Nv__CreatePoolRequest *)request;
    (void)call;
    store_pool_t pool = {.name = asked->name,
                         .dedicated_to = asked->dedicated_to,
                         .own_credentials = asked->own_credentials,
                         .created_unix_ms = cp_unix_ms()};
    if (asked->own_credentials && !*asked->dedicated_to)
        return nv_fail(err, NV_INVALID_ARGUMENT,
                       "pool \"%.80s\": own credentials need a pool dedicated to one tenant", asked->name);
    if (!tenancy_pool_create(service->store, &pool, err))
        return false;
    cp_engine_set_pool(service->engine, asked->name, asked->dedicated_to);
    return pool_reply(service, ctx, asked->name, reply, err);
}

HANDLER(list_pools)
{
    cp_service_t *service = arg;
    store_pool_t *list;
    size_t n;
    (void)call;
    (void)request;
    Nv__ListPoolsReply *out = NV_NEW(ctx, Nv__ListPoolsReply);
    nv__list_pools_reply__init(out);
    if (!store_pool_list(service->store, ctx, &list, &n, err))
        return false;
    out->pools = NV_NEW_ARRAY(ctx, Nv__Pool *, n);
    for (size_t i = 0; i < n; i++, out->n_pools++)
        if (!pool_message(service, ctx, &list[i], &out->pools[i], err))
            return false;
    *reply = &out->base;
    return true;
}

HANDLER(describe_pool)
{
    (void)call;
    return pool_reply(arg, ctx, ((const Nv__NameRequest *)request)->name, reply, err);
}

/* ---- workers ---- */

HANDLER(list_workers)
{
    cp_service_t *service = arg;
    (void)call;
    Nv__ListWorkersReply *out = NV_NEW(ctx, Nv__ListWorkersReply);
    nv__list_workers_reply__init(out);
    *reply = &out->base;
    return cp_engine_list_workers(service->engine, ctx, ((const Nv__ListWorkersRequest *)request)->pool, out,
                                  err);
}

/* What the workers that match have and do, as one. */
static bool sum_workers(cp_service_t *service, nv_mem_t *ctx, const char *pattern, Nv__Worker *out,
                        nv_error_t *err)
{
    Nv__ListWorkersReply list = NV__LIST_WORKERS_REPLY__INIT;
    if (!cp_engine_list_workers(service->engine, ctx, out->pool, &list, err))
        return false;
    for (size_t i = 0; i < list.n_workers; i++)
        if (fnmatch(pattern, list.workers[i]->name, 0) == 0) {
            out->slots += list.workers[i]->slots;
            out->running += list.workers[i]->running;
        }
    return true;
}

HANDLER(drain_worker)
{
    cp_service_t *service = arg;
    const Nv__DrainWorkerRequest *asked = (const Nv__DrainWorkerRequest *)request;
    (void)call;
    if (!*asked->name)
        return nv_fail(err, NV_INVALID_ARGUMENT, "name: expected a worker's name or a pattern with *");
    if (!cp_engine_drain(service->engine, asked->pool, asked->name, asked->undo, err))
        return false;
    Nv__Worker *out = NV_NEW(ctx, Nv__Worker);
    nv__worker__init(out);
    out->name = asked->name;
    out->pool = asked->pool;
    if (!sum_workers(service, ctx, asked->name, out, err))
        return false;
    out->state = nv_message_text(asked->undo                       ? "ready"
                                 : out->slots > 0 && !out->running ? "drained"
                                                                   : "draining");
    *reply = &out->base;
    return true;
}

/* ---- the whole ---- */

HANDLER(get_status)
{
    cp_service_t *service = arg;
    store_status_t store;
    nv_error_t ping = NV_ERROR_INIT;
    (void)call;
    (void)request;
    Nv__ClusterStatus *out = NV_NEW(ctx, Nv__ClusterStatus);
    nv__cluster_status__init(out);
    store_get_status(service->store, &store);
    out->version = nv_message_text(NV_VERSION);
    out->store = nv_printf(ctx, "%s, %s", store.engine, store.vector);
    out->identity = nv_message_text(service->identity);
    out->ready = store_ping(service->store, &ping);
    *reply = &out->base;
    return cp_engine_status(service->engine, out, err);
}

HANDLER(revoke)
{
    cp_service_t *service = arg;
    const Nv__RevokeCertificateRequest *asked = (const Nv__RevokeCertificateRequest *)request;
    nv_identity_t identity;
    bool added = false;
    if ((*asked->serial != '\0') == (*asked->spiffe_id != '\0'))
        return nv_fail(err, NV_INVALID_ARGUMENT, "expected a serial or a SPIFFE ID, and not both");
    if (*asked->spiffe_id && !nv_identity_parse(asked->spiffe_id, &identity, err))
        return false;
    store_revocation_t revocation = {.serial = asked->serial,
                                     .spiffe_id = asked->spiffe_id,
                                     .reason = asked->reason,
                                     .revoked_unix_ms = cp_unix_ms()};
    if (!store_revocation_add(service->store, &revocation, &added, err) ||
        !cp_revocations_refresh(service->revocations, service->store, err))
        return false;
    nv_log(service->log, NV_WARN, "admin", "certificate revoked", "serial", asked->serial, "identity",
           asked->spiffe_id, "by", call->peer->spiffe, NULL);
    nv_rpc_server_recheck_peers(service->server);
    Nv__RevokeCertificateReply *out = NV_NEW(ctx, Nv__RevokeCertificateReply);
    nv__revoke_certificate_reply__init(out);
    out->revoked = added;
    *reply = &out->base;
    return true;
}

HANDLER(search)
{
    cp_service_t *service = arg;
    const Nv__SearchKnowledgeRequest *asked = (const Nv__SearchKnowledgeRequest *)request;
    const char *tenant;
    Nv__KnowledgeHits *hits;
    if (!cp_tenant_of(call, asked->tenant, &tenant, err) || !cp_tenant_check(service, tenant, err))
        return false;
    knowledge_query_t query = {
        .tenant = tenant, .kind = asked->kind, .text = asked->text, .limit = asked->limit};
    if (!knowledge_search(service->store, ctx, &query, &hits, err))
        return false;
    *reply = &hits->base;
    return true;
}

#define ADMIN "/nuvyn.v1.AdminService/"

void cp_admin_service_register(cp_service_t *service, nv_rpc_server_t *server)
{
    const nv_rpc_method_t methods[] = {
        {.path = ADMIN "CreateTenant",
         .input = &nv__create_tenant_request__descriptor,
         .unary = create_tenant},
        {.path = ADMIN "ListTenants", .input = &nv__list_tenants_request__descriptor, .unary = list_tenants},
        {.path = ADMIN "DescribeTenant", .input = &nv__name_request__descriptor, .unary = describe_tenant},
        {.path = ADMIN "SetCredential",
         .input = &nv__set_credential_request__descriptor,
         .unary = set_credential},
        {.path = ADMIN "RemoveCredential",
         .input = &nv__remove_credential_request__descriptor,
         .unary = remove_credential},
        {.path = ADMIN "CreatePool", .input = &nv__create_pool_request__descriptor, .unary = create_pool},
        {.path = ADMIN "ListPools", .input = &nv__list_pools_request__descriptor, .unary = list_pools},
        {.path = ADMIN "DescribePool", .input = &nv__name_request__descriptor, .unary = describe_pool},
        {.path = ADMIN "ListWorkers", .input = &nv__list_workers_request__descriptor, .unary = list_workers},
        {.path = ADMIN "DrainWorker", .input = &nv__drain_worker_request__descriptor, .unary = drain_worker},
        {.path = ADMIN "GetStatus", .input = &nv__get_status_request__descriptor, .unary = get_status},
        {.path = ADMIN "RevokeCertificate",
         .input = &nv__revoke_certificate_request__descriptor,
         .unary = revoke},
    };
    nv_rpc_server_add_all(server, service, methods, sizeof methods / sizeof *methods);
}

void cp_knowledge_service_register(cp_service_t *service, nv_rpc_server_t *server)
{
    const nv_rpc_method_t method = {.path = "/nuvyn.v1.KnowledgeService/SearchKnowledge",
                                    .input = &nv__search_knowledge_request__descriptor,
                                    .unary = search};
    nv_rpc_server_add_all(server, service, &method, 1);
}
