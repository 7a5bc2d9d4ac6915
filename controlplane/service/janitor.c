#include "controlplane/service/janitor.h"

#include "controlplane/service/engine.h"
#include "controlplane/store/documents.h"
#include "controlplane/store/tenants.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

enum { BATCH_RUNS = 50, PAUSE_MS = 200 };

struct cp_janitor {
    store_t *store;
    cp_retention_t retention;
    nv_log_t *log;
    nv_counter_t *runs, *checkpoints, *documents;
    store_finished_t trimmed;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t woken;
    bool stopping;
};

/* ---- one sweep ---- */

static bool sweep_runs(store_t *store, int64_t before, cp_swept_t *out, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("sweep");
    store_finished_t *list;
    size_t n;
    if (!store_finished_list(store, ctx, before, NULL, BATCH_RUNS, &list, &n, err))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (!store_run_delete(store, list[i].tenant, list[i].run_id, list[i].epoch, err))
            return nv_wrap(err, "run %s", list[i].run_id);
        out->runs++;
    }
    out->more |= n == BATCH_RUNS;
    return true;
}

static bool sweep_checkpoints(store_t *store, int64_t before, nv_mem_t *keep, store_finished_t *trimmed,
                              cp_swept_t *out, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("sweep");
    store_finished_t *list;
    size_t n;
    if (!store_finished_list(store, ctx, before, trimmed->run_id ? trimmed : NULL, BATCH_RUNS, &list, &n,
                             err))
        return false;
    for (size_t i = 0; i < n; i++) {
        int64_t deleted;
        if (!store_checkpoint_trim(store, list[i].tenant, list[i].run_id, &deleted, err))
            return nv_wrap(err, "checkpoints of run %s", list[i].run_id);
        out->checkpoints += deleted;
    }
    if (n) {
        nv_mem_free((void *)(uintptr_t)trimmed->tenant);
        nv_mem_free((void *)(uintptr_t)trimmed->run_id);
        *trimmed = list[n - 1];
        trimmed->tenant = nv_strdup(keep, trimmed->tenant);
        trimmed->run_id = nv_strdup(keep, trimmed->run_id);
    }
    out->more |= n == BATCH_RUNS;
    return true;
}

static bool sweep_documents(store_t *store, int64_t before, cp_swept_t *out, nv_error_t *err)
{
    NV_MEM_SCOPE nv_mem_t *ctx = nv_mem_root("sweep");
    store_tenant_t *tenants;
    size_t n;
    if (!store_tenant_list(store, ctx, &tenants, &n, err))
        return false;
    for (size_t i = 0; i < n; i++) {
        int64_t deleted;
        if (!store_document_gc(store, tenants[i].name, before, &deleted, err))
            return nv_wrap(err, "documents of tenant \"%s\"", tenants[i].name);
        out->documents += deleted;
    }
    return true;
}

bool cp_sweep(store_t *store, const cp_retention_t *retention, int64_t now, nv_mem_t *ctx,
              store_finished_t *trimmed, cp_swept_t *out, nv_error_t *err)
{
    *out = (cp_swept_t){0};
    return (!retention->runs_ms || sweep_runs(store, now - retention->runs_ms, out, err)) &&
           (!retention->checkpoints_ms ||
            sweep_checkpoints(store, now - retention->checkpoints_ms, ctx, trimmed, out, err)) &&
           (!retention->documents_ms || sweep_documents(store, now - retention->documents_ms, out, err));
}

/* ---- the thread ---- */

static bool wait_for_next(cp_janitor_t *janitor, int64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&janitor->lock);
    int waited = 0;
    while (!janitor->stopping && waited == 0)
        waited = pthread_cond_timedwait(&janitor->woken, &janitor->lock, &until);
    bool go = !janitor->stopping;
    pthread_mutex_unlock(&janitor->lock);
    return go;
}

static void report(cp_janitor_t *janitor, const cp_swept_t *swept)
{
    char text[3][32];
    nv_counter_add(janitor->runs, (uint64_t)swept->runs);
    nv_counter_add(janitor->checkpoints, (uint64_t)swept->checkpoints);
    nv_counter_add(janitor->documents, (uint64_t)swept->documents);
    if (swept->runs + swept->checkpoints + swept->documents == 0)
        return;
    snprintf(text[0], sizeof text[0], "%" PRId64, swept->runs);
    snprintf(text[1], sizeof text[1], "%" PRId64, swept->checkpoints);
    snprintf(text[2], sizeof text[2], "%" PRId64, swept->documents);
    nv_log(janitor->log, NV_INFO, "janitor", "deleted what is past its retention", "runs", text[0],
           "checkpoints", text[1], "documents", text[2], NULL);
}

static void *run(void *arg)
{
    cp_janitor_t *janitor = arg;
    int64_t pause = janitor->retention.interval_ms;
    while (wait_for_next(janitor, pause)) {
        nv_error_t err = NV_ERROR_INIT;
        cp_swept_t swept;
        if (!cp_sweep(janitor->store, &janitor->retention, cp_unix_ms(), janitor, &janitor->trimmed, &swept,
                      &err))
            nv_log(janitor->log, NV_WARN, "janitor", "not all was swept; trying again later", "reason",
                   err.message, NULL);
        report(janitor, &swept);
        pause = swept.more && err.code == NV_OK ? PAUSE_MS : janitor->retention.interval_ms;
    }
    return NULL;
}

bool cp_janitor_start(store_t *store, const cp_retention_t *retention, nv_log_t *log, nv_metrics_t *metrics,
                      cp_janitor_t **out, nv_error_t *err)
{
    static const char name[] = "nuvyn_retention_deleted_total", help[] = "Deleted past their retention.";
    cp_janitor_t *janitor = NV_NEW(NULL, cp_janitor_t);
    janitor->store = store;
    janitor->retention = *retention;
    janitor->log = log;
    janitor->runs = nv_counter(metrics, name, "kind=\"run\"", help);
    janitor->checkpoints = nv_counter(metrics, name, "kind=\"checkpoint\"", help);
    janitor->documents = nv_counter(metrics, name, "kind=\"document\"", help);
    pthread_mutex_init(&janitor->lock, NULL);
    pthread_cond_init(&janitor->woken, NULL);
    if (pthread_create(&janitor->thread, NULL, run, janitor) != 0) {
        nv_mem_free(janitor);
        return nv_fail(err, NV_RESOURCE_EXHAUSTED, "starting the janitor's thread");
    }
    *out = janitor;
    return true;
}

void cp_janitor_stop(cp_janitor_t *janitor)
{
    if (!janitor)
        return;
    pthread_mutex_lock(&janitor->lock);
    janitor->stopping = true;
    pthread_cond_signal(&janitor->woken);
    pthread_mutex_unlock(&janitor->lock);
    pthread_join(janitor->thread, NULL);
    pthread_mutex_destroy(&janitor->lock);
    pthread_cond_destroy(&janitor->woken);
    nv_mem_free(janitor);
}
