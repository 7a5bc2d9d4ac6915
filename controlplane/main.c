/* nuvyn-controlplane: wires store, engine and services, and waits for signals. */
#include "common/config/service_options.h"
#include "common/http/http.h"
#include "common/identity/files.h"
#include "common/identity/policy.h"
#include "common/telemetry/metrics_server.h"
#include "common/telemetry/trace.h"
#include "controlplane/options.h"
#include "controlplane/service/janitor.h"
#include "controlplane/service/lead.h"
#include "controlplane/service/service.h"
#include "controlplane/tenancy/tenancy.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    EPOCH_MAX = (1 << 22) - 1, /* see nv_sched_new() */
    DOCUMENTS_BYTES = 32 << 20
};

typedef struct plane {
    nv_mem_t *ctx;
    const nv_config_t *config;
    const char *state_dir, *ca;
    nv_tls_material_t tls;
    nv_log_t *log;
    nv_metrics_t *metrics;
    nv_metrics_server_t *metrics_server;
    nv_tracer_t *tracer;
    cp_service_t service;
    nv_rpc_server_t *server;
    nv_tls_paths_t paths;
    cp_lead_t lead;
    cp_janitor_t *janitor;
    cp_scaler_t *scaler;
    bool shared;         /* other control planes may use the store */
    atomic_bool serving; /* leads, and all is up */
} plane_t;

/* Terms are counted in the store; before schema 2 each start was counted in a file. */
static bool epochs_before(const plane_t *plane, int64_t *out, nv_error_t *err)
{
    const char *path = nv_printf(plane->ctx, "%s/boot-epoch", plane->state_dir);
    char *text, *end;
    size_t length;
    *out = 0;
    if (access(path, F_OK) != 0)
        return true;
    if (!nv_read_file(plane->ctx, path, 64, &text, &length, err))
        return false;
    *out = strtoll(text, &end, 10);
    return (end != text && *out >= 0 && *out < EPOCH_MAX) ||
           nv_fail(err, NV_DATA_LOSS, "%s: expected a number below %d", path, EPOCH_MAX);
}

/* Waits until this control plane leads. False without an error: told to stop. */
static bool stand_by(plane_t *plane, const sigset_t *signals, nv_error_t *err)
{
    cp_lead_t *lead = &plane->lead;
    store_status_t status;
    struct timespec pause = {.tv_sec = lead->ttl_ms / 4 / 1000, .tv_nsec = lead->ttl_ms / 4 % 1000 * 1000000};
    store_get_status(plane->service.store, &status);
    plane->shared = status.shared;
    if (plane->shared && !nv_config_string(plane->config, "seal-key"))
        nv_log(plane->log, NV_WARN, "main",
               "the sealing key is a file of this control plane alone; others on the same database cannot "
               "open what it "
               "seals: give all of them the same NUVYN_SEAL_KEY",
               NULL);
    for (;;) {
        if (!cp_lead_try(lead, err)) {
            if (!nv_code_is_transient(err->code))
                return false;
            nv_log(plane->log, NV_WARN, "lead", "no try to lead", "reason", err->message, NULL);
            nv_error_clear(err);
        }
        if (lead->leads)
            break;
        int signal = sigtimedwait(signals, NULL, &pause);
        if (signal == SIGTERM || signal == SIGINT)
            return false;
    }
    return lead->epoch < EPOCH_MAX || nv_fail(err, NV_RESOURCE_EXHAUSTED, "epoch %lld: expected less than %d",
                                              (long long)lead->epoch, EPOCH_MAX);
}

static bool prepare_lead(plane_t *plane, nv_error_t *err)
{
    plane->lead = (cp_lead_t){.store = plane->service.store,
                              .log = plane->log,
                              .owner = nv_printf(plane->ctx, "%s#%lld.%ld", plane->service.identity,
                                                 (long long)cp_unix_ms(), (long)getpid()),
                              .address = nv_config_string(plane->config, "listen"),
                              .ttl_ms = nv_config_int(plane->config, "lead-ttl")};
    return epochs_before(plane, &plane->lead.floor, err);
}

/* Refuses to serve tenants whose credentials it could not open; the newest key takes over from older ones. */
static bool open_seals(plane_t *plane, const tenancy_keys_options_t *from, nv_error_t *err)
{
    int64_t rewrapped;
    if (!tenancy_keys_open(from, &plane->service.keys, err) ||
        !tenancy_rewrap(plane->service.store, plane->service.keys, &rewrapped, err))
        return nv_wrap(err, "%s", from->path ? from->path : "--seal-key");
    if (rewrapped)
        nv_log(plane->log, NV_INFO, "main", "the tenants' keys are wrapped by the newest sealing key",
               "tenants", nv_printf(plane->ctx, "%" PRId64, rewrapped), NULL);
    return true;
}

static bool open_store(plane_t *plane, nv_error_t *err)
{
    const char *url = nv_config_string(plane->config, "store");
    store_options_t store = {.url = url ? url : nv_printf(plane->ctx, "sqlite:%s/nuvyn.db", plane->state_dir),
                             .vector_extension = nv_config_string(plane->config, "vector-extension"),
                             .log = plane->log};
    tenancy_keys_options_t keys = {.key = nv_config_string(plane->config, "seal-key")};
    if (!keys.key)
        keys.path = nv_printf(plane->ctx, "%s/seal.key", plane->state_dir);
    return store_open(&store, &plane->service.store, err) && open_seals(plane, &keys, err) &&
           tenancy_bootstrap(plane->service.store, nv_config_string(plane->config, "tenant"), cp_unix_ms(),
                             err);
}

static bool load_identity(plane_t *plane, nv_error_t *err)
{
    nv_tls_paths_t *paths = &plane->paths;
    *paths = (nv_tls_paths_t){nv_config_string(plane->config, "ca"), nv_config_string(plane->config, "cert"),
                              nv_config_string(plane->config, "key")};
    if (!nv_tls_load(plane->ctx, paths, (int64_t)time(NULL), &plane->tls, err))
        return false;
    if (plane->tls.info.identity.kind != NV_IDENTITY_CONTROLPLANE)
        return nv_fail(err, NV_FAILED_PRECONDITION, "%s: is a certificate of %s; expected …/controlplane",
                       paths->cert, plane->tls.info.spiffe);
    plane->service.identity = plane->tls.info.spiffe;
    const char *slash = strrchr(paths->ca, '/');
    plane->service.revocations = cp_revocations_new(
        slash ? nv_printf(plane->ctx, "%.*s/revoked.tsv", (int)(slash - paths->ca), paths->ca)
              : "revoked.tsv");
    return cp_revocations_refresh(plane->service.revocations, plane->service.store, err);
}

static bool start_tracer(plane_t *plane, nv_error_t *err)
{
    nv_tracer_options_t tracing = {.endpoint = nv_config_string(plane->config, "otlp-endpoint"),
                                   .headers = nv_config_string(plane->config, "otlp-headers"),
                                   .service = "nuvyn-controlplane",
                                   .metrics = plane->metrics,
                                   .log = plane->log};
    return nv_tracer_start(&tracing, &plane->tracer, err);
}

static bool start_engine(plane_t *plane, nv_error_t *err)
{
    cp_service_t *service = &plane->service;
    cp_engine_config_t config = {.log = plane->log,
                                 .metrics = plane->metrics,
                                 .tracer = plane->tracer,
                                 .owner = service->identity,
                                 .boot_epoch = (uint64_t)plane->lead.epoch,
                                 .lease_ms = nv_config_int(plane->config, "lease"),
                                 .resume_ms = nv_config_int(plane->config, "resume"),
                                 .store = service->store};
    service->log = plane->log;
    service->leases = config.leases = cp_leases_new();
    service->tokens = cp_tokens_new();
    service->documents = config.documents = nv_blob_cache_new(DOCUMENTS_BYTES, CP_INLINE_MAX);
    service->rate = cp_rate_new(plane->ctx, (uint32_t)nv_config_int(plane->config, "submit-rate"),
                                (uint32_t)nv_config_int(plane->config, "submit-burst"));
    pthread_mutex_init(&service->rate_lock, NULL);
    service->pool = config.pool = nv_workpool_new(8, 4096, err);
    return service->pool && cp_engine_start(&config, &service->engine, err);
}

static bool start_janitor(plane_t *plane, nv_error_t *err)
{
    cp_retention_t retention = {.runs_ms = nv_config_int(plane->config, "retain-runs"),
                                .checkpoints_ms = nv_config_int(plane->config, "retain-checkpoints"),
                                .documents_ms = nv_config_int(plane->config, "retain-documents"),
                                .interval_ms = nv_config_int(plane->config, "sweep-interval")};
    return cp_janitor_start(plane->service.store, &retention, plane->log, plane->metrics, &plane->janitor,
                            err);
}

static bool authorize(void *arg, const nv_identity_t *peer, const char *method, nv_error_t *err)
{
    const plane_t *plane = arg;
    if (strcmp(peer->domain, plane->tls.info.identity.domain) != 0)
        return nv_fail(err, NV_PERMISSION_DENIED, "trust domain \"%s\": expected \"%s\"", peer->domain,
                       plane->tls.info.identity.domain);
    return nv_policy_allow(peer, method, err);
}

static bool revoked(void *arg, const nv_cert_info_t *cert)
{
    const plane_t *plane = arg;
    return cp_revocations_has(plane->service.revocations, cert);
}

static bool write_address(plane_t *plane, nv_error_t *err)
{
    const char *listen = nv_config_string(plane->config, "listen"), *colon = strrchr(listen, ':');
    int host = colon ? (int)(colon - listen) : (int)strlen(listen);
    const char *address = nv_printf(plane->ctx, "%.*s:%d\n", host, listen, nv_rpc_server_port(plane->server));
    return nv_write_file_atomic(nv_printf(plane->ctx, "%s/address", plane->state_dir), address,
                                strlen(address), 0644, err);
}

static bool start_server(plane_t *plane, nv_error_t *err)
{
    nv_rpc_server_config_t config = {.listen = nv_config_string(plane->config, "listen"),
                                     .tls = plane->paths,
                                     .pool_threads = 8,
                                     .reflection = nv_config_bool(plane->config, "reflection"),
                                     .log = plane->log,
                                     .authorize = authorize,
                                     .revoked = revoked,
                                     .arg = plane};
    config.limits.queue_messages = 8192;
    config.limits.queue_bytes = 16 << 20;
    if (!nv_rpc_server_new(&config, &plane->server, err))
        return false;
    cp_service_register(&plane->service, plane->server);
    plane->scaler = cp_scaler_new(&plane->service);
    cp_scaler_register(plane->scaler, plane->server);
    return nv_rpc_server_start(plane->server, err) && write_address(plane, err);
}

/* Gauges from live state; on the metrics server's thread. */
static void collect(nv_metrics_t *metrics, void *arg)
{
    const plane_t *plane = arg;
    Nv__ClusterStatus status = NV__CLUSTER_STATUS__INIT;
    nv_error_t err = NV_ERROR_INIT;
    bool serving = atomic_load(&plane->serving);
    nv_gauge_set(
        nv_gauge(metrics, "nuvyn_leading", "", "1 where this control plane leads, 0 where it stands by."),
        serving);
    if (!serving || !cp_engine_status(plane->service.engine, &status, &err))
        return;
    nv_gauge_set(nv_gauge(metrics, "nuvyn_runs_active", "", "Runs that have not ended."), status.runs_active);
    nv_gauge_set(nv_gauge(metrics, "nuvyn_workers", "", "Connected workers."), status.workers);
    nv_gauge_set(nv_gauge(metrics, "nuvyn_tasks_running", "", "Tasks that workers hold."),
                 status.tasks_running);
    nv_gauge_set(nv_gauge(metrics, "nuvyn_tasks_waiting", "", "Tasks that wait for a worker."),
                 status.tasks_waiting);
}

static bool ready(void *arg, nv_error_t *err)
{
    const plane_t *plane = arg;
    if (!atomic_load(&plane->serving))
        return nv_fail(err, NV_UNAVAILABLE, "standing by: another control plane leads");
    return store_ping(plane->service.store, err);
}

static bool start(plane_t *plane, const sigset_t *signals, nv_error_t *err)
{
    const char *metrics = nv_config_string(plane->config, "metrics-listen");
    plane->state_dir = nv_config_string(plane->config, "state-dir");
    plane->log = nv_config_log(plane->config, "nuvyn-controlplane");
    plane->metrics = nv_metrics_new();
    nv_metrics_on_collect(plane->metrics, collect, plane);
    bool ok = nv_private_dir(plane->state_dir, err) && nv_http_global_init(err) && start_tracer(plane, err) &&
              open_store(plane, err) && load_identity(plane, err) && prepare_lead(plane, err) &&
              (!metrics ||
               nv_metrics_server_start(metrics, plane->metrics, ready, plane, &plane->metrics_server, err)) &&
              stand_by(plane, signals, err) && start_engine(plane, err) && start_janitor(plane, err) &&
              start_server(plane, err);
    atomic_store(&plane->serving, ok);
    return ok;
}

static bool serve(plane_t *plane, const sigset_t *signals, nv_error_t *err)
{
    int64_t tick_ms = plane->lead.ttl_ms / 4 < 1000 ? plane->lead.ttl_ms / 4 : 1000;
    struct timespec tick = {.tv_sec = tick_ms / 1000, .tv_nsec = tick_ms % 1000 * 1000000};
    nv_log(plane->log, NV_INFO, "main", "serving", "address", nv_config_string(plane->config, "listen"),
           "identity", plane->service.identity, NULL);
    for (;;) {
        nv_error_t why = NV_ERROR_INIT;
        int signal = sigtimedwait(signals, NULL, &tick);
        if (signal == SIGTERM || signal == SIGINT)
            return true;
        if (store_deposed(plane->service.store))
            return nv_fail(err, NV_ABORTED, "another control plane leads now: this one stops");
        if (plane->shared && !cp_lead_keep(&plane->lead, err))
            return false;
        cp_scaler_tick(plane->scaler);
        if (!cp_revocations_refresh(plane->service.revocations, plane->service.store, &why))
            nv_log(plane->log, NV_ERROR, "main", "keeping the old revocation list", "reason", why.message,
                   NULL);
    }
}

static void stop(plane_t *plane)
{
    nv_log(plane->log, NV_INFO, "main", "stopping", NULL);
    atomic_store(&plane->serving, false);
    nv_metrics_server_stop(plane->metrics_server);
    cp_janitor_stop(plane->janitor);
    if (plane->server)
        nv_rpc_server_stop(plane->server, 2000);
    if (plane->service.pool)
        nv_workpool_stop(plane->service.pool);
    cp_engine_stop(plane->service.engine);
    cp_lead_leave(&plane->lead);
    store_close(plane->service.store);
    nv_workpool_free(plane->service.pool);
    nv_rpc_server_free(plane->server);
    cp_scaler_free(plane->scaler);
    cp_tokens_free(plane->service.tokens);
    nv_blob_cache_free(plane->service.documents);
    cp_leases_free(plane->service.leases);
    cp_revocations_free(plane->service.revocations);
    tenancy_keys_free(plane->service.keys);
    nv_tracer_stop(plane->tracer);
    nv_metrics_free(plane->metrics);
    nv_log_free(plane->log);
    nv_http_global_cleanup();
}

int main(int argc, char **argv)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("main");
    nv_error_t err = NV_ERROR_INIT;
    plane_t plane = {.ctx = ctx};
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals, NULL); /* before any thread, so that all inherit it */
    signal(SIGPIPE, SIG_IGN);
    plane.config = nv_config_main(ctx, &cp_options, argc, argv);
    bool ok = start(&plane, &signals, &err);
    ok = (ok && serve(&plane, &signals, &err)) || err.code == NV_OK; /* told to stop while standing by */
    if (!ok)
        fprintf(stderr, "nuvyn-controlplane: %s\n", err.message);
    stop(&plane);
    return ok ? EXIT_SUCCESS : nv_code_exit_status(err.code);
}
