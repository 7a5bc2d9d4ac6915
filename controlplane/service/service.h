/* The gRPC services of the control plane: they check who asks for what, and join RPC, engine and store.
 *
 * One object, made by main, handed to every handler. Threads: any.
 */
#ifndef CONTROLPLANE_SERVICE_SERVICE_H
#define CONTROLPLANE_SERVICE_SERVICE_H

#include "common/rpc/server.h"
#include "controlplane/service/engine.h"
#include "controlplane/service/rate.h"
#include "controlplane/tenancy/seal.h"

#include <pthread.h>

typedef struct cp_tokens cp_tokens_t;
typedef struct cp_revocations cp_revocations_t;

typedef struct cp_service {
    store_t *store;
    cp_engine_t *engine;
    cp_leases_t *leases;
    tenancy_keys_t *keys;
    nv_workpool_t *pool;
    cp_tokens_t *tokens;
    nv_blob_cache_t *documents; /* see cp_engine_config_t */
    cp_revocations_t *revocations;
    cp_rate_t *rate; /* of runs begun */
    pthread_mutex_t rate_lock;
    nv_rpc_server_t *server;
    nv_log_t *log;
    const char *identity; /* SPIFFE ID of this control plane */
} cp_service_t;

/* Registers all methods; before the server starts. */
void cp_service_register(cp_service_t *service, nv_rpc_server_t *server);

/* ---- revocations: what the store and the authority's own file say ---- */
cp_revocations_t *cp_revocations_new(const char *file); /* file may be NULL */
void cp_revocations_free(cp_revocations_t *revocations);
/* Reads both again; blocks. On failure the old list stands. */
bool cp_revocations_refresh(cp_revocations_t *revocations, store_t *store, nv_error_t *err) NV_MUST_CHECK;
bool cp_revocations_has(cp_revocations_t *revocations, const nv_cert_info_t *cert);

/* ---- short-lived tokens, obtained from tenants' secrets and kept until shortly before they expire ---- */
cp_tokens_t *cp_tokens_new(void);
void cp_tokens_free(cp_tokens_t *tokens);
void cp_tokens_forget(cp_tokens_t *tokens, const char *tenant);
/* INVALID_ARGUMENT unless it is one that can be stored: "databricks" or "llm". */
bool cp_credential_kind_check(const char *kind, nv_error_t *err) NV_MUST_CHECK;
/* Blocks on HTTP. Fills reply below ctx (error fields included) for a task of this tenant in this pool. */
void cp_credential_reply(cp_service_t *service, nv_mem_t *ctx, const char *tenant, const char *pool,
                         const char *kind, Nv__CredentialReply *reply);

/* ---- KEDA's external scaler ---- */
typedef struct cp_scaler cp_scaler_t;
cp_scaler_t *cp_scaler_new(cp_service_t *service);
void cp_scaler_free(cp_scaler_t *scaler); /* after the server */
void cp_scaler_register(cp_scaler_t *scaler, nv_rpc_server_t *server);
/* Tells streams what changed; call about once a second. Blocks on the engine. */
void cp_scaler_tick(cp_scaler_t *scaler);

/* ---- inside the services ---- */

/* The tenant a person's call is about: their own, or the one that an operator names. */
bool cp_tenant_of(const nv_rpc_call_t *call, const char *requested, const char **out,
                  nv_error_t *err) NV_MUST_CHECK;
/* NOT_FOUND where there is no such tenant: else a slip in its name would look like an empty list. */
bool cp_tenant_check(cp_service_t *service, const char *tenant, nv_error_t *err) NV_MUST_CHECK;
/* Takes one of the tenant's runs; RESOURCE_EXHAUSTED when it begins too many. */
bool cp_may_begin(cp_service_t *service, const char *tenant, nv_error_t *err) NV_MUST_CHECK;
int cp_time_left(const nv_rpc_call_t *call); /* ms until the caller's deadline, at most 30,000 */
void cp_error_reply(nv_mem_t *ctx, const nv_error_t *err, int32_t *code, char **message);
/* A new run id: sortable by time, 27 characters of [a-z0-9-]. */
void cp_new_run_id(char out[CP_RUN_ID_MAX + 1]);
bool cp_run_reply(cp_service_t *service, nv_mem_t *ctx, const char *tenant, const char *run_id,
                  ProtobufCMessage **reply, nv_error_t *err) NV_MUST_CHECK;
/* The run that an earlier call with this request id made. */
bool cp_earlier_run(cp_service_t *service, nv_mem_t *ctx, const char *tenant, const char *request_id,
                    ProtobufCMessage **reply, nv_error_t *err) NV_MUST_CHECK;
/* INVALID_ARGUMENT names the field ("spec.mode"). NULL is one that is missing. */
bool cp_spec_check(const Nv__RunSpec *spec, nv_error_t *err) NV_MUST_CHECK;
/* A relative path without "..", as artifacts are named. */
bool cp_artifact_name_check(const char *name, nv_error_t *err) NV_MUST_CHECK;

void cp_worker_service_register(cp_service_t *service, nv_rpc_server_t *server);
void cp_run_service_register(cp_service_t *service, nv_rpc_server_t *server);
void cp_steering_register(cp_service_t *service, nv_rpc_server_t *server);
void cp_history_register(cp_service_t *service, nv_rpc_server_t *server);
void cp_watch_register(cp_service_t *service, nv_rpc_server_t *server);
void cp_download_register(cp_service_t *service, nv_rpc_server_t *server);
void cp_admin_service_register(cp_service_t *service, nv_rpc_server_t *server);
void cp_knowledge_service_register(cp_service_t *service, nv_rpc_server_t *server);

#endif
